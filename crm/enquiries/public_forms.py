"""The pages of the public form: shape and words."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from wtforms import HiddenField
from wtforms.validators import ValidationError

from crm.cases import keys
from crm.enquiries.questions import (
    HEARD_WORDS,
    NEVER_WORDS,
    PREFERS_WORDS,
    SAFE_WORDS,
    SECOND_HERE_WORDS,
    SECOND_WORDS,
    TIMES_WORDS,
)
from crm.rules.eligibility import Criterion
from crm.rules.quiet_times import QUIET_WORDS
from crm.web.choice_fields import RadioField, SelectMultipleField
from crm.web.forms import BaseForm, DateField, EmailField, LongTextField, Needed, Optional, PhoneField, TextField


class PostcodeForm(BaseForm):
    postcode = TextField("What is your postcode?", longest=12)

    def validate_postcode(self, field: Any) -> None:
        if field.data and keys.district(field.data) is None:
            raise ValidationError("Check the postcode: it looks like BR1 3AA. The first part is enough")


class SecondAdultForm(BaseForm):
    second = RadioField(
        "Will another adult foster with you?",
        [Needed("Choose one of the answers. “I don’t know yet” is one of them")],
        choices=list(SECOND_WORDS.items()),
    )
    second_given_name = TextField("Their first name", longest=100)
    second_family_name = TextField("Their last name", longest=100)
    second_phone = PhoneField("Their own phone number")
    second_email = EmailField("Their own email")

    def validate_second_given_name(self, field: Any) -> None:
        if self.second.data in ("partner", "other") and not field.data:
            raise ValidationError("Tell us their first name")


class NameForm(BaseForm):
    given_name = TextField("First name", [Needed("Tell us your first name")], longest=100)
    family_name = TextField("Last name", [Needed("Tell us your last name")], longest=100)


class AgeForm(BaseForm):
    born_on = DateField("When were you born?", whole="your date of birth", earliest=1900)


class ContactForm(BaseForm):
    phone = PhoneField("Phone number")
    email = EmailField("Email")
    prefers = RadioField("How would you like to hear from us first?", [Optional()], choices=list(PREFERS_WORDS.items()))
    contact_times = RadioField(
        "When is a good time to ring?",
        [Optional()],
        choices=list(TIMES_WORDS.items()),
        default="any",
        validate_choice=True,
    )

    def validate_phone(self, field: Any) -> None:
        if not field.data and not self.email.data and not self.email.errors:
            raise ValidationError("Give us a phone number or an email, so that we can get back to you")

    def validate_prefers(self, field: Any) -> None:
        if field.data in ("phone", "text") and not self.phone.data:
            raise ValidationError("Give us a phone number to ring or text, or choose email")
        if field.data == "email" and not self.email.data:
            raise ValidationError("Give us an email to write to, or choose another way")


class SafeContactForm(BaseForm):
    safe = RadioField(
        "Is it safe to leave a message?",
        [Needed("Choose how we may reach you")],
        choices=list(SAFE_WORDS.items()),
    )
    safe_note = LongTextField("Anything else we should be careful about?", longest=300)


class NotThenForm(BaseForm):
    never_by = SelectMultipleField("Never by", choices=list(NEVER_WORDS.items()))
    quiet_times = SelectMultipleField("Not at these times", choices=list(QUIET_WORDS.items()))


class HeardForm(BaseForm):
    heard = RadioField("Where did you hear about us?", [Optional()], choices=list(HEARD_WORDS.items()))
    heard_detail = TextField("Which one, if you remember", longest=120)


class NewsForm(BaseForm):
    """What each adult says for themselves. The second's boxes count only where the second is there to tick them."""

    news = SelectMultipleField("May we keep in touch about events and news?")
    second_here = RadioField("Are they with you now?", [Optional()], choices=list(SECOND_HERE_WORDS.items()))
    second_news = SelectMultipleField("What they would like")
    wordings = HiddenField()
    """Which words stood beside the boxes: a page may be sent after the words have changed."""

    def validate_second_news(self, field: Any) -> None:
        if field.data and self.second_here.data != "yes":
            raise ValidationError("Tick these only if they are with you and say so themselves. Or leave them empty")


class RingForm(BaseForm):
    ring = RadioField(
        "When shall we ring?",
        [Needed("Choose when we should ring")],
        choices=[("soon", "Ring me soon anyway, to talk it over"), ("then", "Ring me then")],
    )


class SendForm(BaseForm):
    """Nothing to fill in: the answers are in the draft. ``notice`` is the version of the privacy notice on the page."""

    notice = HiddenField()
    work_done = HiddenField()


class LinkForm(BaseForm):
    email = EmailField("Your email")


@lru_cache(maxsize=64)
def criterion_form(criterion: Criterion) -> type[BaseForm]:
    """A page that asks about one criterion, in the words and with the answers it has today. Made once for each."""
    return type(
        "CriterionForm",
        (BaseForm,),
        {
            criterion.name: RadioField(
                criterion.question,
                [Needed("Choose one of the answers")],
                choices=[(option.value, option.label) for option in criterion.options],
            )
        },
    )


FORMS: dict[str, type[BaseForm]] = {
    "postcode": PostcodeForm,
    "second-adult": SecondAdultForm,
    "name": NameForm,
    "age": AgeForm,
    "contact": ContactForm,
    "safe-contact": SafeContactForm,
    "not-then": NotThenForm,
    "heard": HeardForm,
    "news": NewsForm,
}


def form_of(slug: str, criterion: str | None, criteria: Sequence[Criterion]) -> type[BaseForm]:
    """The form of a page."""
    if slug in FORMS:
        return FORMS[slug]
    return criterion_form(next(one for one in criteria if one.name == criterion))
