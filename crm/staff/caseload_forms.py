"""The forms of missed clocks: why one was missed, and of which period a file is wanted."""

from __future__ import annotations

from crm.cases.breaches import LONGEST_WORDS
from crm.rules.breaches import BREACH_WORDS
from crm.web.choice_fields import RadioField
from crm.web.forms import BaseForm, DateField, LongTextField, Needed


class BreachReasonForm(BaseForm):
    """Why a clock was missed."""

    code = RadioField(
        "Reason",
        [Needed("Choose the reason")],
        choices=[(str(code), words) for code, words in BREACH_WORDS.items()],
    )
    words = LongTextField("What happened, in your words", longest=LONGEST_WORDS)


class PeriodForm(BaseForm):
    """The clocks that were due from a day to a day."""

    first_on = DateField("Due from", [Needed("Give the first day")], whole="the first day", earliest=2011)
    last_on = DateField("Due until", [Needed("Give the last day")], whole="the last day", earliest=2011)
