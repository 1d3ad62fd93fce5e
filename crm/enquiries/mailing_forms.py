"""The forms of mailings."""

from __future__ import annotations

from crm.delivery.letter_words import LONGEST
from crm.web.choice_fields import SelectField
from crm.web.forms import BaseForm, LongTextField, Needed, TextField


class EmailToManyForm(BaseForm):
    subject = TextField("Subject", [Needed("Write the subject")], longest=LONGEST["subject"])
    words = LongTextField("The letter", [Needed("Write the letter")], longest=LONGEST["body"])


class TextToManyForm(BaseForm):
    words = LongTextField("The text message", [Needed("Write the message")], longest=LONGEST["text"])


class SendForm(BaseForm):
    reason = LongTextField("What is it for?", longest=300)
    second = SelectField("Who looks at it with you?", coerce=int)
