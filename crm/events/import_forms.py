"""Forms of sign-up sheets: the file, which column holds what, and what is done with a line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wtforms import BooleanField, FileField, IntegerField

from crm.events.columns import COLUMN_WORDS
from crm.events.sheet_models import Decision
from crm.events.sheets import HEADINGS_WITHIN, LOOKED_AT
from crm.web.choice_fields import SelectField
from crm.web.forms import BaseForm, Between, Needed, Optional


class SheetForm(BaseForm):
    sheet = FileField("Sign-up sheet", [Needed("Choose the sheet to load")])


class LoadForm(BaseForm):
    """What is loaded was shown; whether they are thanked is asked."""

    letters = BooleanField("Thank each new household by email")


class PressForm(BaseForm):
    """Nothing to fill in."""


class DecideForm(BaseForm):
    """About one line that needs a look."""

    decision = SelectField(
        "What is to be done with this line?",
        [Needed("Choose what is to be done with this line")],
        choices=[
            (Decision.JOIN, "Join that household"),
            (Decision.NEW, "New household"),
            (Decision.LEAVE_OUT, "Leave out"),
        ],
    )


def columns_form(headings: Sequence[str]) -> type[BaseForm]:
    """For each thing a sheet can hold, which column holds it."""
    choices = [
        ("", "Not on this sheet"),
        *((str(at), column_words(words.replace("\n", " "), at)) for at, words in enumerate(headings)),
    ]
    fields: dict[str, Any] = {meaning: SelectField(words, choices=choices) for meaning, words in COLUMN_WORDS.items()}
    return type("ColumnsForm", (BaseForm,), fields)


def column_words(heading: str, at: int) -> str:
    """How a column is called: by its heading, or by its letter where it has none."""
    letter = chr(65 + at) if at < 26 else chr(64 + at // 26) + chr(65 + at % 26)
    return heading or f"Column {letter}"


def layout_form(sheet_names: Sequence[str]) -> type[BaseForm]:
    """Which sheet of the workbook, and which line the headings are on."""
    fields: dict[str, Any] = {
        "headings_at": IntegerField(
            "The headings are on line",
            [Optional(), Between(0, LOOKED_AT, f"Write a line number up to {LOOKED_AT}, or 0 where there are none")],
        )
    }
    if sheet_names:
        fields["sheet_at"] = SelectField(
            "Sheet of the workbook", choices=[(str(at), name) for at, name in enumerate(sheet_names)]
        )
    return type("LayoutForm", (BaseForm,), fields)


HEADINGS_HINT = f"We look in the first {HEADINGS_WITHIN} lines. Write 0 if no line says what the columns hold."
