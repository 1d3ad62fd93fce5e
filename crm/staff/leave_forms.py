"""The forms of leave, and of how many enquiries somebody has at once."""

from __future__ import annotations

from wtforms import IntegerField

from crm.web.choice_fields import SelectField
from crm.web.forms import BaseForm, Between, DateField, Needed, Optional

NOBODY = 0


class LeaveForm(BaseForm):
    first_day = DateField("First day away", [Needed("Give the first day away")], whole="the first day", earliest=2020)
    last_day = DateField("Last day away", [Needed("Give the last day away")], whole="the last day", earliest=2020)
    cover = SelectField("Who covers", coerce=int)


class LimitForm(BaseForm):
    at_once = IntegerField(
        "Enquiries at once", [Optional(), Between(0, 500, "Write a number from 0 to 500, or leave it empty")]
    )
