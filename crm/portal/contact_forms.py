"""The forms behind the links in our letters."""

from __future__ import annotations

from crm.web.choice_fields import RadioField
from crm.web.forms import BaseForm, Needed

STOP_CHOICES = (
    ("news", "Stop news and events"),
    ("everything", "Stop contacting me altogether"),
)
CONFIRM_CHOICES = (
    ("mine", "Yes, it is mine"),
    ("not_mine", "No, it is not mine"),
)


class StopForm(BaseForm):
    what = RadioField("What should we stop?", [Needed("Choose what we should stop")], choices=list(STOP_CHOICES))


class ConfirmEmailForm(BaseForm):
    whose = RadioField("Is this your email address?", [Needed("Choose yes or no")], choices=list(CONFIRM_CHOICES))
