"""Forms of a midway review and of a second opinion."""

from __future__ import annotations

from crm.assessments.reviews import NewReview
from crm.assessments.stage_two_models import MIDWAY_WORDS
from crm.web.choice_fields import RadioField, SelectField
from crm.web.forms import BaseForm, DateField, LongTextField, Needed


class MidwayForm(BaseForm):
    """A manager's review halfway."""

    held_on = DateField("Day of the review", [Needed("Give the day of the review")], whole="the day of the review",
                        earliest=2011)  # fmt: skip
    words = LongTextField("What was said", [Needed("Write down what was said")], longest=10_000)
    outcome = RadioField(
        "How to go on",
        [Needed("Say how to go on")],
        choices=[(str(one), words) for one, words in MIDWAY_WORDS.items()],
    )

    def new(self) -> NewReview:
        return NewReview(held_on=self.held_on.data, words=self.words.data or "", outcome=self.outcome.data)


class SecondOpinionForm(BaseForm):
    """What somebody saw who does not assess the household."""

    by_id = SelectField("Who visited", [Needed("Choose who visited")], choices=[], coerce=str)
    held_on = DateField("Day of the visit", [Needed("Give the day of the visit")], whole="the day of the visit",
                        earliest=2011)  # fmt: skip
    words = LongTextField("Their view", [Needed("Write down what they saw and think")], longest=10_000)

    def new(self) -> NewReview:
        return NewReview(held_on=self.held_on.data, words=self.words.data or "", by_id=int(self.by_id.data))
