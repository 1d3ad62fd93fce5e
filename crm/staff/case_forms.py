"""The forms of the case page and of what is changed from it."""

from __future__ import annotations

from typing import Any

from wtforms import BooleanField
from wtforms.validators import ValidationError

from crm.cases import keys
from crm.cases.facts import FACT_WORDS
from crm.cases.models import OTHER_NAME_WORDS, ROLE_WORDS, PersonRole
from crm.delivery.posting import DISPATCH_METHODS
from crm.rules.permissions import Sensitivity
from crm.rules.quiet_times import QUIET_WORDS
from crm.web.choice_fields import RadioField, SelectField, SelectMultipleField
from crm.web.forms import BaseForm, DateField, EmailField, LongTextField, Needed, Optional, PhoneField, TextField

NOTE_KINDS = (("note", "Note"), ("contact", "Call or message"))
NOTE_READERS = (
    (Sensitivity.ORDINARY, "Everyone on the case"),
    (Sensitivity.HEALTH, "About health: kept closely"),
    (Sensitivity.OFFENCE, "About convictions: kept closely"),
)


class NoteForm(BaseForm):
    note = LongTextField("Add a note", [Needed("Write the note before keeping it")], longest=10_000)
    kind = SelectField("Kept as", choices=NOTE_KINDS, default="note")
    readers = SelectField("Who may read it", choices=NOTE_READERS, default=Sensitivity.ORDINARY)


class TaskForm(BaseForm):
    title = TextField("What needs doing", [Needed("Say what needs doing")], longest=200)
    due_on = DateField("By when", [Needed("Give the day it is due")], whole="the day it is due", earliest=2000)
    owner = SelectField("Who will do it", [Needed("Choose who will do it")], coerce=int)


class FactForm(BaseForm):
    key = SelectField(
        "What is it about", [Needed("Choose what it is about")], choices=[("", "Choose one"), *FACT_WORDS.items()]
    )
    person = SelectField("Who is it about", coerce=int)
    value = LongTextField("What we know", [Needed("Write what we know")], longest=2000)
    source = TextField("Who said so, or where it is from", [Needed("Say where this is from")], longest=120)
    stated_on = DateField("When", [Needed("Give the day we were told")], whole="the day we were told", earliest=1950)


PREFERS_WORDS = {"": "They did not say", "email": "Email", "text": "Text", "phone": "A call", "post": "Post"}


class ContactRulesForm(BaseForm):
    no_contact = BooleanField("They asked us to stop: contact them only where the law makes us")
    no_calls = BooleanField("Do not call")
    no_voicemail = BooleanField("Leave no voicemail")
    no_texts = BooleanField("Send no texts")
    no_emails = BooleanField("Send no emails")
    no_letters = BooleanField("Send nothing by post")
    prefers = SelectField("What they like best", [Optional()], choices=list(PREFERS_WORDS.items()))
    quiet_times = SelectMultipleField("Times when nobody should be in touch", choices=list(QUIET_WORDS.items()))
    email_is_confirmed = BooleanField("They told us that the new email is theirs")
    email_works = BooleanField("The email works after all")
    contact_times = TextField("Good times to be in touch", [Optional()], longest=200)
    safe_contact = LongTextField("What else to mind, and why", [Optional()], longest=2000)


class PersonForm(BaseForm):
    given_name = TextField("First name", [Needed("Write their first name")], longest=120)
    family_name = TextField("Last name", [Optional()], longest=120)
    role = RadioField(
        "Their part in the household",
        [Needed("Choose their part in the household")],
        choices=[
            (PersonRole.APPLICANT_1, "First applicant"),
            (PersonRole.APPLICANT_2, "Second applicant"),
            (PersonRole.HOUSEHOLD_ADULT, ROLE_WORDS[PersonRole.HOUSEHOLD_ADULT]),
            (PersonRole.CHILD, ROLE_WORDS[PersonRole.CHILD]),
            (PersonRole.CHILD_ELSEWHERE, ROLE_WORDS[PersonRole.CHILD_ELSEWHERE]),
        ],
    )
    born_on = DateField("Date of birth", [Optional()], whole="the date of birth", earliest=1900)
    phone = PhoneField("Phone", [Optional()])
    email = EmailField("Email", [Optional()])


class OtherNameForm(BaseForm):
    kind = RadioField(
        "What sort of name is it?",
        [Needed("Choose what sort of name it is")],
        choices=list(OTHER_NAME_WORDS.items()),
    )
    given_name = TextField("First name", [Optional()], longest=120)
    family_name = TextField("Last name", [Optional()], longest=120)


class AddressForm(BaseForm):
    address = LongTextField("Address", longest=400)
    postcode = TextField("Postcode", longest=12)

    def validate_postcode(self, field: Any) -> None:
        if field.data and keys.district(field.data) is None:
            raise ValidationError("Check the postcode: it looks like BR1 3AA. The first part is enough")


class PlaceMessageForm(BaseForm):
    reference = TextField("The household’s reference", [Needed("Write the reference of the household")], longest=16)
    person = SelectField("Who wrote it", coerce=int)


class OwnerForm(BaseForm):
    owner = SelectField("Who has this household", [Needed("Choose who will have this household")], coerce=int)


class CorrectStageForm(BaseForm):
    place = SelectField("What should it say", [Needed("Choose the stage it should have been")])
    reason = LongTextField("Why it is being put right", [Needed("Say why the stage is being put right")], longest=2000)


class DispatchForm(BaseForm):
    dispatched_on = DateField(
        "The day it was posted", [Needed("Give the day it was posted")], whole="the day it was posted", earliest=2000
    )
    method = SelectField("How", [Needed("Choose how it went")], choices=list(DISPATCH_METHODS.items()))


def choose(field: Any, choices: list[tuple[Any, str]]) -> None:
    """Give a list its choices, which are known only when the page is drawn."""
    field.choices = choices
