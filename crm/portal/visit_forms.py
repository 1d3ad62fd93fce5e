"""The forms behind a household's own link to its visit."""

from __future__ import annotations

from wtforms import HiddenField

from crm.visits.choosing import DAY_PARTS, DAYS
from crm.web.choice_fields import SelectMultipleField
from crm.web.forms import BaseForm, LongTextField, Optional


class ConfirmTimeForm(BaseForm):
    """Yes to one time."""

    at = HiddenField("When")


class NotComingForm(BaseForm):
    """Calling the visit off, or saying that none is wanted."""

    reason = LongTextField("Is there anything we should know?", longest=1000)


class OtherTimesForm(BaseForm):
    """What would suit them, where none of our times does: something of it has to be said."""

    days = SelectMultipleField("Which days are good?", [Optional()], choices=list(DAYS.items()))
    parts = SelectMultipleField("What time of day?", [Optional()], choices=list(DAY_PARTS.items()))
    words = LongTextField("Anything else", longest=1000)

    @property
    def says_nothing(self) -> bool:
        return not (self.days.data or self.parts.data or (self.words.data or "").strip())
