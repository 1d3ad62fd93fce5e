"""Forms of the staff's side of the front door: shape and words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from wtforms import BooleanField
from wtforms.validators import ValidationError

from crm.cases import keys
from crm.cases.contact import ATTEMPT_WORDS
from crm.cases.models import CHANNEL_WORDS, Channel, Person
from crm.enquiries.questions import SAFE_WORDS, TIMES_WORDS
from crm.enquiries.screening import Known
from crm.rules.eligibility import OUTCOME_WORDS
from crm.rules.reasons import CLOSED_REASONS, NOT_NOW_REASONS
from crm.web.choice_fields import RadioField, SelectField, SelectMultipleField
from crm.web.forms import BaseForm, DateField, EmailField, LongTextField, Needed, Optional, PhoneField, TextField

NOT_ASKED = ""
LOGGED_CHANNELS = (Channel.PHONE, Channel.EMAIL, Channel.REFERRAL, Channel.HUB, Channel.OTHER)


class NewEnquiryForm(BaseForm):
    """One page, filled in while talking. Only a name and one way to reach them are needed."""

    channel = RadioField(
        "How did they reach us?",
        [Needed("Choose how they reached us")],
        choices=[(channel.value, CHANNEL_WORDS[channel]) for channel in LOGGED_CHANNELS],
        default=Channel.PHONE.value,
    )
    received_on = DateField("On which day?", whole="the day they reached us", earliest=2011)
    given_name = TextField("First name", [Needed("Write their first name")], longest=100)
    family_name = TextField("Last name", longest=100)
    phone = PhoneField("Phone")
    email = EmailField("Email")
    postcode = TextField("Postcode", longest=12)
    second_given_name = TextField("First name", longest=100)
    second_family_name = TextField("Last name", longest=100)
    second_phone = PhoneField("Phone")
    second_email = EmailField("Email")
    contact_times = SelectField("When to ring", [Optional()], choices=[("", "Not said"), *TIMES_WORDS.items()])
    safe = SelectField("Messages", choices=[("", "Not asked"), *SAFE_WORDS.items()])
    safe_note = TextField("Mind when ringing", longest=300)
    said = LongTextField("What they told you", longest=4000)
    news = SelectMultipleField("They said yes to news and events")
    sent_by = TextField("Who sent them to us", longest=200)
    talked = BooleanField("We have talked it through: this was the first call")
    is_mine = BooleanField("I take this one")
    join = RadioField("Is it the same household?", [Optional()], choices=[], validate_choice=False)

    def validate_postcode(self, field: Any) -> None:
        if field.data and keys.district(field.data) is None:
            raise ValidationError("Check the postcode: it looks like BR1 3AA. The first part is enough")

    def validate_phone(self, field: Any) -> None:
        if not (field.data or self.email.data or self.second_phone.data or self.second_email.data):
            raise ValidationError("Write one way to reach them: a phone number or an email")

    def validate_second_given_name(self, field: Any) -> None:
        has_more = self.second_family_name.data or self.second_phone.data or self.second_email.data
        if has_more and not field.data:
            raise ValidationError("Write the second adult’s first name")


class ContactForm(BaseForm):
    person = RadioField("Who?", [Needed("Choose whom you spoke to or tried")])
    how = RadioField(
        "What happened?",
        [Needed("Choose what happened")],
        choices=[("spoke", "Spoke to them"), *ATTEMPT_WORDS.items()],
    )
    on = DateField("On which day?", whole="the day you spoke to them or tried", earliest=2011)
    note = LongTextField("What was said, or what to do next", longest=4000)

    def __init__(self, people: Iterable[Person], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.person.choices = [(str(person.id), person.full_name) for person in people]
        if len(self.person.choices) == 1 and self.person.data is None:
            self.person.data = self.person.choices[0].value

    def validate_note(self, field: Any) -> None:
        if self.how.data == "spoke" and not field.data:
            raise ValidationError("Write a line about what was said")


def screening_form(known: Sequence[Known], applicants: Sequence[Person]) -> type[BaseForm]:
    """One answer for each criterion in force, and each applicant's date of birth."""
    fields: dict[str, Any] = {}
    for person in applicants:
        fields[f"born_{person.id}"] = DateField(
            f"{person.given_name}’s date of birth", whole=f"{person.given_name}’s date of birth", default=person.born_on
        )
    for one in known:
        if one.is_hidden:
            continue
        fields[f"answer_{one.criterion.name}"] = RadioField(
            one.criterion.staff_words,
            [Optional()],
            choices=[*((option.value, option.label) for option in one.criterion.options), (NOT_ASKED, "Not asked yet")],
            default=one.value or NOT_ASKED,
        )
    fields["note"] = LongTextField("Notes from the call", longest=4000)
    return type("ScreeningForm", (BaseForm,), fields)


class DecisionForm(BaseForm):
    outcome = RadioField(
        "What do you decide?",
        [Needed("Choose what you decide")],
        choices=[(outcome.value, words) for outcome, words in OUTCOME_WORDS.items()],
    )
    reason = LongTextField("Your reason", longest=2000)


class NotNowForm(BaseForm):
    reason = SelectField(
        "Why not now?",
        [Needed("Choose why it is not now")],
        choices=[("", "Choose one"), *NOT_NOW_REASONS.items()],
    )
    back_on = DateField(
        "When do we get in touch again?", [Needed("Give the day to get in touch again")], whole="the day", earliest=2020
    )
    words = LongTextField("What we tell them", longest=2000)
    write_to_them = BooleanField("Send them this in a letter or email")

    def validate_words(self, field: Any) -> None:
        if self.write_to_them.data and not field.data:
            raise ValidationError("Write what the letter says, or leave the letter out")


class CloseForm(BaseForm):
    reason = SelectField(
        "Why does it end?",
        [Needed("Choose why the enquiry ends")],
        choices=[("", "Choose one"), *CLOSED_REASONS.items()],
    )
    words = LongTextField("What we tell them", longest=2000)
    write_to_them = BooleanField("Send them this in a letter or email")


class DeclineForm(BaseForm):
    why = LongTextField("What to try first", [Needed("Say what to try first")], longest=2000)


class ReopenForm(BaseForm):
    note = LongTextField("What has changed", [Needed("Write what has changed")], longest=2000)
