"""Forms of the public pages of events: shape and words."""

from __future__ import annotations

from typing import Any

from wtforms import BooleanField
from wtforms.validators import ValidationError

from crm.cases import keys
from crm.web.choice_fields import RadioField, SelectMultipleField
from crm.web.forms import BaseForm, EmailField, LongTextField, Needed, Optional, PhoneField, TextField

WHEN_WORDS = {"morning": "Morning", "afternoon": "Afternoon", "evening": "Evening"}


class PartyForm(BaseForm):
    """Who comes, and what would help them."""

    second_given_name = TextField("Their first name", longest=100)
    second_family_name = TextField("Their last name", longest=100)
    second_email = EmailField("Their email")
    second_phone = PhoneField("Their mobile")
    needs = TextField("Anything that would help you come?", longest=300)
    question = LongTextField("What would you like to know?", longest=1000)
    wants_call = BooleanField("Ring me about fostering after the event")
    wants_text = BooleanField("Text me the day before, too")

    @property
    def is_two(self) -> bool:
        """Whether they bring another adult: whoever comes has a first name."""
        return bool(self.second_given_name.data)

    @property
    def has_second_words(self) -> bool:
        """Whether there is anything about the other adult to show: what was typed, or what is wrong with it."""
        second = (self.second_given_name, self.second_family_name, self.second_email, self.second_phone)
        return any(field.data or field.errors for field in second)

    def validate_second_given_name(self, field: Any) -> None:
        if not field.data and self.has_second_words:
            raise ValidationError("Write the first name of the other adult, or leave all of their boxes empty")


class SignUpForm(PartyForm):
    given_name = TextField("Your first name", [Needed("Tell us your first name")], longest=100)
    family_name = TextField("Your last name", longest=100)
    email = EmailField("Your email", [Needed("We need an email to send your place to")])
    phone = PhoneField("Your mobile")
    postcode = TextField("Your postcode", longest=12)
    contact_times = RadioField("When is best?", [Optional()], choices=list(WHEN_WORDS.items()))
    news = SelectMultipleField("May we send you news?", choices=[])

    def validate_phone(self, field: Any) -> None:
        if field.data:
            return
        if self.wants_call.data:
            raise ValidationError("Give the number we should ring, or leave “Ring me” empty")
        if self.wants_text.data or {"text", "phone"} & set(self.news.data or ()):
            raise ValidationError("Give a number for texts and calls, or leave those boxes empty")

    def validate_postcode(self, field: Any) -> None:
        if field.data and keys.district(field.data) is None:
            raise ValidationError("Check the postcode: it looks like BR1 3AA. The first part is enough")


class PlaceForm(PartyForm):
    """The same, to somebody who has a place."""


class GiveUpForm(BaseForm):
    """Nothing to fill in: the button says what it does."""
