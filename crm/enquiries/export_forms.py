"""The forms of exports and saved views."""

from __future__ import annotations

from crm.enquiries.list_exports import CHOSEN_FIRST, COLUMNS
from crm.web.choice_fields import RadioField, SelectField, SelectMultipleField
from crm.web.forms import BaseForm, LongTextField, Needed, TextField


class ExportForm(BaseForm):
    columns = SelectMultipleField(
        "Which columns",
        [Needed("Choose at least one column")],
        choices=[(column.name, column.heading) for column in COLUMNS.values()],
        default=CHOSEN_FIRST,
    )
    format = RadioField(
        "What sort of file",
        [Needed("Choose a sort of file")],
        choices=[("csv", "CSV, which every program reads"), ("xlsx", "Excel workbook")],
        default="csv",
    )
    reason = LongTextField("What is the file for?", longest=300)
    second = SelectField("Who looks at it with you?", coerce=int)


class SaveViewForm(BaseForm):
    name = TextField("Call it", [Needed("Give the view a name")], longest=60)
