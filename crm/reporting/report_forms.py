"""The forms of reports."""

from __future__ import annotations

from crm.reporting.models import MORNING_WORDS, Morning
from crm.web.choice_fields import RadioField
from crm.web.forms import BaseForm, Needed, TextField


class KeepReportForm(BaseForm):
    name = TextField("Call it", [Needed("Give the report a name")], longest=60)
    days = RadioField(
        "Which days",
        [Needed("Choose which days")],
        choices=[
            ("year", "The year of the return it is opened in, so that it goes on by itself"),
            ("these", "These days, whenever it is opened"),
        ],
        default="year",
    )
    morning = RadioField(
        "Send me a link to it",
        [Needed("Choose when")],
        choices=[(str(one), words) for one, words in MORNING_WORDS.items()],
        default=str(Morning.NEVER),
    )
