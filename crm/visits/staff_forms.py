"""Forms about visits: shape and wording."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from wtforms import BooleanField, FileField
from wtforms.validators import ValidationError

from crm.rules.reasons import NOT_NOW_REASONS
from crm.rules.travel import TRAVEL_BY_WORDS, TravelBy
from crm.visits.availability import LENGTHS
from crm.visits.models import PLACE_WORDS, PURPOSE_WORDS, BusyKind, Outcome, Place, Purpose
from crm.visits.questions import SAFETY_WORDS, Part, SafetyState
from crm.web.choice_fields import RadioField, SelectField, SelectMultipleField
from crm.web.filters import length
from crm.web.forms import BaseForm, DateField, LongTextField, Needed, Optional, PhoneField, TextField, TimeField

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
SLOT_FORMAT = "%Y%m%dT%H%MZ"
"""How a start travels in a form: UTC, so that the hour that comes twice in October is one or the other."""


def slot_value(at: datetime) -> str:
    return at.astimezone(UTC).strftime(SLOT_FORMAT)


def read_slot(text: str | None) -> datetime | None:
    """The instant that a slot's value stands for, or None."""
    try:
        return datetime.strptime(text or "", SLOT_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return None


class SlotForm(BaseForm):
    """A time for a visit, with who goes and for how long."""

    officers = SelectMultipleField("Who goes", coerce=int)
    length = SelectField("How long", coerce=int, choices=[(one, length(one)) for one in LENGTHS])
    starts_at = RadioField("When", [Needed("Choose a time")], validate_choice=False)

    def validate_starts_at(self, field: Any) -> None:
        if read_slot(field.data) is None:
            raise ValidationError("Choose one of the times")

    def validate_officers(self, field: Any) -> None:
        if not field.data:
            raise ValidationError("Choose who will visit")

    @property
    def chosen_start(self) -> datetime | None:
        return read_slot(self.starts_at.data)


class BookVisitForm(SlotForm):
    purpose = RadioField(
        "What it is for",
        [Needed("Choose what the visit is for")],
        choices=[(one, PURPOSE_WORDS[one]) for one in Purpose],
    )
    place = RadioField("Where", [Needed("Choose where you meet")], choices=[(one, PLACE_WORDS[one]) for one in Place])
    note = LongTextField("For the officers", longest=1000)


class OfferForm(BaseForm):
    """What a household may choose a time for."""

    purpose = RadioField(
        "What it is for",
        [Needed("Choose what the visit is for")],
        choices=[(one, PURPOSE_WORDS[one]) for one in Purpose],
    )
    place = RadioField("Where", [Needed("Choose where you meet")], choices=[(one, PLACE_WORDS[one]) for one in Place])
    length = SelectField("How long", coerce=int, choices=[(one, length(one)) for one in LENGTHS])
    officers = SelectMultipleField("Who goes", coerce=int)

    def validate_officers(self, field: Any) -> None:
        if not field.data:
            raise ValidationError("Choose who will visit")


class PastVisitForm(BaseForm):
    """A visit that was made without being booked. What happened is asked for, never filled in beforehand."""

    officers = SelectMultipleField("Who went", coerce=int)
    held_on = DateField(
        "Which day was it?", [Needed("Say which day it was")], whole="the date of the visit", earliest=2020, latest=2100
    )
    held_from = TimeField("It began at", [Needed("Say when it began")])
    held_until = TimeField("It ended at", [Needed("Say when it ended")])
    purpose = RadioField(
        "What it was for",
        [Needed("Choose what the visit was for")],
        choices=[(one, PURPOSE_WORDS[one]) for one in Purpose],
    )
    place = RadioField("Where", [Needed("Choose where you met")], choices=[(one, PLACE_WORDS[one]) for one in Place])
    present = LongTextField("Who was there?", [Needed("Say who was there")], longest=1000)
    instead_of = RadioField("What about the visit that is booked?", [Needed("Choose what happens to what is booked")])

    def validate_officers(self, field: Any) -> None:
        if not field.data:
            raise ValidationError("Choose who went")


class MoveVisitForm(SlotForm):
    reason = TextField("Why it moves, for the household", longest=300)


class CancelVisitForm(BaseForm):
    reason = LongTextField("Why is it off?", [Needed("Say why it is off")], longest=1000)
    reason_for_household = TextField("A line for their letter", longest=300)


class NoAccessForm(BaseForm):
    what = RadioField(
        "What happened?",
        [Needed("Choose what happened")],
        choices=[
            ("no_access", "Nobody was in"),
            ("refused", "They did not let me in"),
            ("unsafe", "I left because it was not safe"),
        ],
    )
    note = LongTextField("What you saw and did", longest=2000)
    write = BooleanField("Write to them that we came", default=True)


class HeldForm(BaseForm):
    held_from = TimeField("It began at", [Needed("Say when it began")])
    held_until = TimeField("It ended at", [Needed("Say when it ended")])


def part_form(part: Part, outcome_words: Mapping[Outcome, str]) -> type[BaseForm]:
    """The form of one part of a report: a box for each question, three answers for each thing to look at."""
    fields: dict[str, Any] = {}
    for question in part.questions:
        fields[question.key] = LongTextField(question.label, longest=4000)
    for item in part.items:
        fields[f"{item.key}_state"] = RadioField(
            item.label,
            [Optional()],
            choices=[(state, SAFETY_WORDS[state]) for state in SafetyState],
            validate_choice=True,
        )
        fields[f"{item.key}_todo"] = LongTextField("What needs doing?", longest=500)
        fields[f"{item.key}_photo"] = FileField("Add a photo")
        fields[f"{item.key}_by"] = DateField("By when?", whole="the date to do it by", earliest=2020, latest=2100)
    if part.key == "recommendation":
        fields["recommendation"] = RadioField(
            "What do you recommend?", [Optional()], choices=list(outcome_words.items())
        )
        fields["reasons"] = LongTextField("Why, in words that could be read out to them", longest=2000)
    return type(f"{part.key.title()}PartForm", (BaseForm,), fields)


class SignOffForm(BaseForm):
    outcome = RadioField("What happens next?", [Needed("Choose what happens next")], choices=[])
    decision = LongTextField("Your note", longest=2000)
    reasons = LongTextField("Reasons, for their letter", longest=2000)
    reason_code = SelectField("Why not now?", choices=list(NOT_NOW_REASONS.items()), default="other")
    recontact_on = DateField(
        "Get in touch again on", whole="the date to get in touch again", earliest=2020, latest=2100
    )


class SendBackForm(BaseForm):
    decision = LongTextField("What is missing?", [Needed("Say what is missing")], longest=1000)


class HoursForm(BaseForm):
    visits_a_day = SelectField("Most visits a day", coerce=int, choices=[(one, str(one)) for one in range(1, 7)])
    base_postcode = TextField("Where my day begins and ends", longest=8)
    travels_by = RadioField("How I get about", choices=list(TRAVEL_BY_WORDS.items()), default=TravelBy.CAR)
    mobile = PhoneField("My mobile", [Optional()])
    car = TextField("My car’s registration", longest=12)

    def spans(self) -> dict[int, list[tuple[int, int]]]:
        """Weekday to its span of work in minutes past midnight; a day without times is off."""
        found: dict[int, list[tuple[int, int]]] = {}
        for weekday in range(7):
            start, end = self[f"from_{weekday}"].data, self[f"until_{weekday}"].data
            if start is not None and end is not None:
                found[weekday] = [(start.hour * 60 + start.minute, end.hour * 60 + end.minute)]
        return found

    def validate(self, extra_validators: Any = None) -> bool:
        good = super().validate(extra_validators)
        for weekday, name in enumerate(WEEKDAYS):
            start, end = self[f"from_{weekday}"], self[f"until_{weekday}"]
            if start.errors or end.errors:
                continue
            if (start.data is None) != (end.data is None):
                missing = start if start.data is None else end
                missing.errors = [f"Give both times for {name}, or neither"]
                good = False
        return good


for _weekday, _name in enumerate(WEEKDAYS):
    setattr(HoursForm, f"from_{_weekday}", TimeField(f"{_name} from", [Optional()]))
    setattr(HoursForm, f"until_{_weekday}", TimeField(f"{_name} until", [Optional()]))


class TimeAwayForm(BaseForm):
    kind = RadioField(
        "What is it?",
        [Needed("Choose leave or busy")],
        choices=[(BusyKind.LEAVE, "Leave, whole days"), (BusyKind.BUSY, "Busy, part of a day")],
    )
    first_day = DateField(
        "First day", [Needed("Give the first day")], whole="the first day", earliest=2020, latest=2100
    )
    last_day = DateField("Last day", whole="the last day", earliest=2020, latest=2100)
    from_time = TimeField("From", [Optional()])
    until_time = TimeField("Until", [Optional()])


class DeviceForm(BaseForm):
    """A device or program that is to have a password of its own."""

    name = TextField("What is the device called?", [Needed("Say what the device is called")], longest=60)
