"""Forms about officers' time and travel: shape and wording."""

from __future__ import annotations

from wtforms import IntegerField

from crm.web.forms import BaseForm, Between, Needed, SecretField, TextField


class CalendarForm(BaseForm):
    """A calendar of one's own. The password is never shown again."""

    address = TextField("Address of the calendar", [Needed("Paste the address")], longest=2000)
    user_name = TextField("User name", longest=200)
    password = SecretField("App password")


class HowLongForm(BaseForm):
    minutes = IntegerField(
        "Minutes from door to door", [Needed("Write how many minutes it took"), Between(1, 480, "Write from 1 to 480")]
    )
