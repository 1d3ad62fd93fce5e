"""Forms of the day of a visit: shape and wording."""

from __future__ import annotations

from crm.visits.day_models import NOTE_WORDS, NoteKind
from crm.web.choice_fields import SelectField
from crm.web.filters import length
from crm.web.forms import BaseForm, LongTextField, Needed, Optional

STAYS = (30, 45, 60, 90, 120, 150, 180, 240)
MORE_MINUTES = (15, 30, 60)
NOBODY = 0


class CheckInForm(BaseForm):
    minutes = SelectField(
        "How long will you be inside?", [Optional()], coerce=int, choices=[(one, length(one)) for one in STAYS]
    )


class LongerForm(BaseForm):
    longer = SelectField("How much longer?", coerce=int, choices=[(one, length(one)) for one in MORE_MINUTES])


class BuddyForm(BaseForm):
    buddy = SelectField("Who looks out for you?", coerce=int)


class HeardForm(BaseForm):
    note = LongTextField("How did you hear from them?", [Needed("Say how you heard from them")], longest=500)


class HomeNotesForm(BaseForm):
    access = LongTextField(NOTE_WORDS[NoteKind.ACCESS], longest=500)
    dog = LongTextField(NOTE_WORDS[NoteKind.DOG], longest=500)
    parking = LongTextField(NOTE_WORDS[NoteKind.PARKING], longest=500)
    risk = LongTextField("Take care: what anybody who goes there should know", longest=1000)
    not_alone = LongTextField("Do not visit alone: why", longest=1000)
