"""Forms of the applicants' own pages: signing in, the parts of the application, signing it, a message to us."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wtforms import BooleanField, IntegerField
from wtforms.validators import ValidationError

from crm.assessments.parts import Known
from crm.rules.application import Ask, Part, Question, Rows, day_of, is_answered, missing_of
from crm.web.choice_fields import RadioField, SelectField
from crm.web.forms import BaseForm, Between, DateField, LongTextField, Needed, Optional, TextField

YES_NO = (("yes", "Yes"), ("no", "No"))


class WhereToForm(BaseForm):
    """Where a code should go."""

    reach = TextField("Your email or mobile number", [Needed("Write your email or your mobile number")], longest=254)


class CodeForm(BaseForm):
    """The code that came."""

    code = TextField("The code", [Needed("Type the code")], longest=20)


class HandedCodeForm(BaseForm):
    """A code that a member of staff handed over."""

    reference = TextField("Your reference", [Needed("Write the reference on our letters")], longest=20)
    code = TextField("The code", [Needed("Type the code")], longest=20)


class SignForm(BaseForm):
    """What an applicant declares and agrees to."""

    declares = BooleanField("I declare this")
    agrees = BooleanField("I agree to the checks")

    def validate_declares(self, field: Any) -> None:
        if not field.data:
            raise ValidationError("Tick this if what you have written is true and whole")

    def validate_agrees(self, field: Any) -> None:
        if not field.data:
            raise ValidationError("Tick this if you agree. Without it we can’t assess you: ring us if you are unsure")


class MessageForm(BaseForm):
    """A message or a question to whoever looks after them."""

    words = LongTextField("Your message", [Needed("Write your message")], longest=3000)


class PartForm(BaseForm):
    """One part of the application; ``part_form`` adds its questions."""

    part: Part
    row_numbers: tuple[int, ...] = ()

    def boxes(self, number: int) -> list[tuple[Question, Any]]:
        """The boxes of one row."""
        rows = self.part.rows
        return [(box, self[f"{rows.name}_{number}_{box.name}"]) for box in rows.boxes] if rows else []

    def questions(self) -> list[tuple[Question, Any]]:
        """The questions that stand alone, with their fields."""
        return [(question, self[question.name]) for question in self.part.questions]

    def answers(self) -> dict[str, Any]:
        """What was typed, as it is kept: days as 2026-07-14, rows that hold anything."""
        kept: dict[str, Any] = {question.name: _kept(field.data) for question, field in self.questions()}
        if self.part.rows:
            kept[self.part.rows.name] = [row for number in self.row_numbers if (row := self._row(number))]
        return {name: value for name, value in kept.items() if is_answered(value)}

    def _row(self, number: int) -> dict[str, str]:
        row = {box.name: _kept(field.data) for box, field in self.boxes(number)}
        return row if any(row.values()) else {}

    def is_whole(self) -> bool:
        """Whether nothing is missing; says beside each question what is."""
        whole = True
        for name, words in missing_of(self.part, self.answers()).items():
            self[name].errors = [*self[name].errors, words]
            whole = False
        rows = self.part.rows
        if rows is None:
            return whole
        begun = [number for number in self.row_numbers if self._row(number)]
        for number in begun:
            for box, field in self.boxes(number):
                if box.missing and not is_answered(_kept(field.data)) and not field.errors:
                    field.errors = [box.missing]
                    whole = False
        if len(begun) < rows.least:
            number = next((one for one in self.row_numbers if one not in begun), self.row_numbers[-1])
            first = self.boxes(number)[0][1]
            first.errors = [rows.too_few]
            whole = False
        return whole


def _kept(data: Any) -> str:
    return data.isoformat() if hasattr(data, "isoformat") else "" if data is None else str(data)


def part_form(part: Part, answers: Mapping[str, Any], known: Mapping[str, Known], *, rows: int, seen: str) -> PartForm:
    """The form of a part with what was answered so far. What is only known from elsewhere is offered, not filled in,
    but for a plain yes or no and a line, which are quick to check."""
    fields: dict[str, Any] = {"part": part}
    defaults: dict[str, Any] = {}
    for question in part.questions:
        fields[question.name] = _field(question)
        if question.name in answers:
            defaults[question.name] = _default(question, answers[question.name])
        elif question.name in known and (offered := _offered(question, known[question.name].value)) is not None:
            defaults[question.name] = offered
    if part.rows:
        fields["row_numbers"] = tuple(range(1, rows + 1))
        kept = answers.get(part.rows.name) or []
        for number in fields["row_numbers"]:
            row = kept[number - 1] if number <= len(kept) else {}
            for box in part.rows.boxes:
                name = f"{part.rows.name}_{number}_{box.name}"
                fields[name] = _field(box, whose=f", {part.rows.each} {number}")
                if box.name in row:
                    defaults[name] = _default(box, row[box.name])
    return type("OnePartForm", (PartForm,), fields)(seen=seen, **defaults)


def rows_wanted(rows: Rows, kept: int, asked: int) -> int:
    """How many rows to draw: those that are filled in, and one to write in."""
    return min(rows.most, max(kept + (0 if kept else 1), rows.least, asked))


def _default(question: Question, answer: Any) -> Any:
    return day_of(answer) if question.ask is Ask.DAY else answer


def _offered(question: Question, value: str) -> str | None:
    if question.ask is Ask.YES_NO:
        first = value.split(":")[0].split(",")[0].strip().casefold()
        return first if first in ("yes", "no") else None
    return value if question.ask in (Ask.LINE, Ask.WORDS) else None


def _field(question: Question, whose: str = "") -> Any:
    label = question.label
    if question.ask is Ask.LINE:
        return TextField(label, longest=question.longest)
    if question.ask is Ask.WORDS:
        return LongTextField(label, longest=question.longest)
    if question.ask is Ask.YES_NO:
        return RadioField(label, [Optional()], choices=YES_NO)
    if question.ask is Ask.CHOICE and not whose:
        return RadioField(label, [Optional()], choices=question.choices)
    if question.ask is Ask.CHOICE:
        return SelectField(label, choices=(("", "Choose"), *question.choices), default="")
    if question.ask is Ask.DAY:
        return DateField(label, [Optional()], whole="the date of birth" if whose else label[0].lower() + label[1:])
    return IntegerField(label, [Optional(), Between(1, 20)])
