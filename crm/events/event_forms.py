"""Forms of events and the stall: shape and words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from wtforms import BooleanField, DecimalField, FieldList, IntegerField
from wtforms.validators import ValidationError

from crm.cases import keys
from crm.events.models import KIND_WORDS
from crm.web.choice_fields import RadioField, SelectField, SelectMultipleField
from crm.web.forms import (
    BaseForm,
    Between,
    DateField,
    EmailAddress,
    EmailField,
    LongTextField,
    Needed,
    Optional,
    PhoneField,
    PhoneNumber,
    TextField,
    TimeField,
)

INTEREST_WORDS = {"looking": "Looking", "thinking": "Thinking", "ready": "Ready"}
WHEN_WORDS = {"morning": "Morning", "afternoon": "Afternoon", "evening": "Evening"}
SIGN_UP_WORDS = {"yes": "Yes, on its page", "no": "No, they just come"}
WHO_WORDS = {"one": "One", "couple": "A couple"}


class EventForm(BaseForm):
    name = TextField("Name", [Needed("Give the event a name that people will know it by")], longest=160)
    kind = RadioField(
        "What sort of event?", [Needed("Choose what sort of event it is")], choices=list(KIND_WORDS.items())
    )
    on = DateField("Date", [Needed("Give the date")], whole="the date", earliest=2011)
    starts = TimeField("Starts", [Needed("Give the time it starts, like 10am")])
    ends = TimeField("Ends", [Needed("Give the time it ends, like 4pm")])
    summary = TextField("What people read first", longest=300)
    place = TextField("Place", longest=200)
    town = TextField("Town or part of town", longest=80)
    postcode = TextField("Postcode", longest=12)
    link = TextField("Link, if it is online", longest=300)
    meet = TextField("Who people will meet", longest=200)
    getting_in = TextField("Getting in", longest=300)
    takes_sign_ups = RadioField("Do people sign up?", [Optional()], choices=list(SIGN_UP_WORDS.items()))
    capacity = IntegerField("Room for how many?", [Optional(), Between(1, 100_000)])
    part_of = SelectField("Part of a larger campaign", coerce=int, choices=[(0, "No")])
    cost = DecimalField("Cost in pounds", [Optional(), Between(0, 1_000_000)], places=2)
    staff = SelectMultipleField("Who is on duty?", coerce=int)
    materials = LongTextField("What to bring", longest=500)
    notes = LongTextField("Notes for staff", longest=2000)

    def validate_link(self, field: Any) -> None:
        if field.data and not re.match(r"https?://[^\s/]+\.[^\s]+$", field.data):
            raise ValidationError("Write the whole link, beginning with https://")

    def validate_postcode(self, field: Any) -> None:
        if field.data and keys.district(field.data) is None:
            raise ValidationError("Check the postcode: it looks like BR1 3AA")

    @property
    def cost_pence(self) -> int:
        return int((self.cost.data or Decimal(0)) * 100)


class CancelForm(BaseForm):
    why = TextField("What to say to those who signed up", longest=200)


class CopyForm(BaseForm):
    on = DateField("New date", [Needed("Give the new date")], whole="the new date", earliest=2011)


COST_LINES = 6
"""How many lines of cost the page has room for, empty ones included."""


class CostForm(BaseForm):
    """What it cost, and what to do differently. ``cost_form`` adds a box for each person on duty."""

    what = FieldList(TextField("What", longest=80), min_entries=COST_LINES, max_entries=COST_LINES)
    pounds = FieldList(
        DecimalField("Pounds", [Optional(), Between(0, 1_000_000)], places=2),
        min_entries=COST_LINES,
        max_entries=COST_LINES,
    )
    hour_cost = DecimalField("An hour of staff time counts for", [Optional(), Between(0, 1_000)], places=2)
    lessons = LongTextField("What would you do differently next time?", longest=2000)

    @property
    def lines(self) -> list[tuple[str, int]]:
        return [
            (what.data or "Other", int((pounds.data or Decimal(0)) * 100))
            for what, pounds in zip(self.what.entries, self.pounds.entries, strict=True)
            if what.data or pounds.data
        ]


def cost_form(staff: Mapping[int, str]) -> type[CostForm]:
    """The form with hours for each person on duty, by user id."""
    fields: dict[str, Any] = {
        f"hours_{user_id}": DecimalField(name, [Optional(), Between(0, 200)], places=2)
        for user_id, name in staff.items()
    }
    return type("CostFormOfEvent", (CostForm,), fields)


class AskedForm(BaseForm):
    """What somebody on the list asked, heard at the door."""

    interest = RadioField("How keen?", [Optional()], choices=list(INTEREST_WORDS.items()))
    wants_call = BooleanField("They asked to be rung")
    question = LongTextField("What they asked", longest=1000)


class CampaignForm(BaseForm):
    name = TextField("Name", [Needed("Give the campaign a name")], longest=160)
    code = TextField("Code for links", longest=40)
    cost = DecimalField("Cost in pounds", [Optional(), Between(0, 10_000_000)], places=2)

    def validate_code(self, field: Any) -> None:
        if field.data and not re.fullmatch(r"[A-Za-z0-9-]{2,40}", field.data):
            raise ValidationError("Use letters, digits and hyphens, like spring-leaflet")

    @property
    def cost_pence(self) -> int:
        return int((self.cost.data or Decimal(0)) * 100)


class AddGuestForm(BaseForm):
    """Somebody rings and asks for a place."""

    given_name = TextField("First name", [Needed("Write their first name")], longest=100)
    family_name = TextField("Last name", longest=100)
    email = EmailField("Email", [Needed("Their place is sent by email")])
    phone = PhoneField("Mobile")
    second_given_name = TextField("The other one’s first name, if two come", longest=100)
    second_family_name = TextField("The other one’s last name", longest=100)
    needs = TextField("What would help them to come", longest=300)


class EnquirerForm(BaseForm):
    """A person at the stall, in under half a minute."""

    given_name = TextField("First name", [Needed("Write their first name")], longest=100)
    family_name = TextField("Last name", longest=100)
    reach = TextField("Mobile or email", [Needed("Write one way to reach them")], longest=254)
    who = RadioField("Who is here?", [Optional()], choices=list(WHO_WORDS.items()), default="one")
    partner = TextField("The other one’s name", longest=100)
    interest = RadioField("How keen?", [Optional()], choices=list(INTEREST_WORDS.items()))
    contact_times = RadioField("Ring them when?", [Optional()], choices=list(WHEN_WORDS.items()))
    no_voicemail = BooleanField("Leave no voicemail")
    postcode = TextField("Postcode", longest=12)
    news = SelectMultipleField("News", choices=[])
    note = LongTextField("Note", longest=1000)

    def validate_reach(self, field: Any) -> None:
        (EmailAddress() if "@" in field.data else PhoneNumber())(self, field)

    def validate_postcode(self, field: Any) -> None:
        if field.data and keys.district(field.data) is None:
            raise ValidationError("Check the postcode: it looks like BR1 3AA. The first part is enough")

    @property
    def phone(self) -> str | None:
        return None if "@" in (self.reach.data or "") else self.reach.data

    @property
    def email(self) -> str | None:
        return self.reach.data if "@" in (self.reach.data or "") else None
