"""The forms of merging: which household to compare with, what was chosen, and why not."""

from __future__ import annotations

from wtforms import HiddenField

from crm.web.choice_fields import SelectField
from crm.web.forms import BaseForm, LongTextField, Needed, TextField


class WhichHouseholdForm(BaseForm):
    other = TextField(
        "Reference of the other household", [Needed("Write the reference of the other household")], longest=20
    )


class MergeForm(BaseForm):
    choices = HiddenField()


class RefuseMergeForm(BaseForm):
    why = LongTextField("Why not", [Needed("Say why not, so that whoever asked knows")], longest=2000)


class SamePersonForm(BaseForm):
    other = SelectField("Who is it really", [Needed("Choose who it really is")], coerce=int)


class MovePersonForm(WhichHouseholdForm):
    pass
