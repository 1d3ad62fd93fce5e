"""The form of what homes are needed."""

from __future__ import annotations

from wtforms import IntegerField

from crm.rules.need import NEED_WORDS
from crm.web.choice_fields import SelectField
from crm.web.forms import BaseForm, Between, DateField, Needed, Optional, TextField

ALL_AREAS = ""


class NeedForm(BaseForm):
    kind = SelectField(
        "For whom",
        [Needed("Choose for whom")],
        choices=[("", "Choose"), *((str(kind), words) for kind, words in NEED_WORDS.items())],
    )
    words = TextField("Which language, or what else", [Optional()], longest=80)
    homes = IntegerField(
        "How many homes",
        [Needed("Write how many homes"), Between(1, 500, "Write how many homes as a number from 1 to 500")],
    )
    by = DateField("By when", [Optional()], whole="the day", earliest=2020)
    area = SelectField("Where")
