"""Forms of events, the stall and the sign-up sheet: shape and words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from wtforms import BooleanField, DecimalField, FileField, IntegerField, RadioField, SelectField, SelectMultipleField
from wtforms.validators import ValidationError

from crm.cases import keys
from crm.events.columns import COLUMN_WORDS
from crm.events.models import KIND_WORDS
from crm.web.forms import (
    BaseForm,
    Between,
    DateField,
    EmailAddress,
    LongTextField,
    Needed,
    Optional,
    PhoneNumber,
    TextField,
    TimeField,
)

INTEREST_WORDS = {"looking": "Looking", "thinking": "Thinking", "ready": "Ready"}
WHEN_WORDS = {"morning": "Morning", "afternoon": "Afternoon", "evening": "Evening"}
WHO_WORDS = {"one": "One", "couple": "A couple"}


class EventForm(BaseForm):
    name = TextField("Name", [Needed("Give the event a name that people will know it by")], longest=160)
    kind = RadioField(
        "What sort of event?", [Needed("Choose what sort of event it is")], choices=list(KIND_WORDS.items())
    )
    on = DateField("Date", [Needed("Give the date")], whole="the date", earliest=2011)
    starts = TimeField("Starts", [Needed("Give the time it starts, like 10am")])
    ends = TimeField("Ends", [Needed("Give the time it ends, like 4pm")])
    place = TextField("Place", longest=200)
    link = TextField("Link, if it is online", longest=300)
    capacity = IntegerField("Room for how many?", [Optional(), Between(1, 100_000)])
    cost = DecimalField("Cost in pounds", [Optional(), Between(0, 1_000_000)], places=2)
    staff = SelectMultipleField("Who is on duty?", coerce=int)

    def validate_link(self, field: Any) -> None:
        if field.data and not re.match(r"https?://[^\s/]+\.[^\s]+$", field.data):
            raise ValidationError("Write the whole link, beginning with https://")

    @property
    def cost_pence(self) -> int:
        return int((self.cost.data or Decimal(0)) * 100)


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


class SheetForm(BaseForm):
    sheet = FileField("Sign-up sheet", [Needed("Choose the sheet to load")])


class LoadForm(BaseForm):
    """Nothing to fill in: what is loaded was shown."""


def columns_form(header: Sequence[str]) -> type[BaseForm]:
    """For each thing a sheet can hold, which column holds it."""
    choices = [("", "Not on this sheet"), *((str(at), words or f"Column {at + 1}") for at, words in enumerate(header))]
    fields: dict[str, Any] = {meaning: SelectField(words, choices=choices) for meaning, words in COLUMN_WORDS.items()}
    return type("ColumnsForm", (BaseForm,), fields)
