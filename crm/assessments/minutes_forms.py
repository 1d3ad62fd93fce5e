"""Forms of minutes: sent, put right, signed."""

from __future__ import annotations

from typing import Any

from wtforms import BooleanField
from wtforms.validators import ValidationError

from crm.web.forms import BaseForm, DateField, LongTextField, Needed


class MinutesForm(BaseForm):
    """The final minutes of one item."""

    minutes = LongTextField("Final minutes of this item", [Needed("Write the final minutes")], longest=20_000)
    received_on = DateField(
        "Day the decision maker had them and the recommendation",
        [Needed("Give the day the decision maker had them")],
        whole="the day the decision maker had them",
        earliest=2011,
    )


class PutRightForm(BaseForm):
    """Final minutes, put right."""

    minutes = LongTextField("Final minutes of this item", [Needed("Write the final minutes")], longest=20_000)


class PaperSignatureForm(BaseForm):
    """That the chair signed on paper."""

    signed_on = DateField(
        "Day the chair signed", [Needed("Give the day the chair signed")], whole="the day the chair signed",
        earliest=2011,
    )  # fmt: skip


class SignMinutesForm(BaseForm):
    """The chair's signature. ``seen`` carries the digest of the words they read."""

    is_right = BooleanField("I chaired this item, and these minutes are right")

    def validate_is_right(self, field: Any) -> None:
        if not field.data:
            raise ValidationError("Tick that the minutes are right, or ask for a correction")


class CorrectionForm(BaseForm):
    """What the chair asks to have put right."""

    words = LongTextField("What is to be put right", [Needed("Write what is to be put right")], longest=5000)
