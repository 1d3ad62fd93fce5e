"""The form of a letter's words."""

from __future__ import annotations

from crm.delivery.letter_words import LONGEST
from crm.web.forms import BaseForm, DateField, LongTextField, Needed, TextField


class LetterWordsForm(BaseForm):
    subject = TextField("Subject", [Needed("Write the subject")], longest=LONGEST["subject"])
    body = LongTextField("The letter", [Needed("Write the letter")], longest=LONGEST["body"])
    text = LongTextField("The text message", longest=LONGEST["text"])
    in_force_from = DateField("From which day", [Needed("Give their first day")], whole="the day", earliest=2020)


class RestoreWordsForm(BaseForm):
    in_force_from = DateField("From which day", [Needed("Give the first day")], whole="the day", earliest=2020)
