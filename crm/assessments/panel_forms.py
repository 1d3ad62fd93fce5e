"""Forms of the panel."""

from __future__ import annotations

from typing import Any

from wtforms import BooleanField
from wtforms.validators import ValidationError

from crm.assessments.meetings import Recommended
from crm.assessments.models import RECOMMENDATION_WORDS, TOOK_PART, Presence, Recommendation
from crm.assessments.stage_forms import TermsForm
from crm.rules.panel import Seat
from crm.web.choice_fields import RadioField, SelectField, SelectMultipleField
from crm.web.forms import BaseForm, DateField, LongTextField, Needed, Optional, TextField, TimeField

SEAT_WORDS = {Seat.CHAIR: "Chair", Seat.VICE_CHAIR: "Vice-chair", Seat.MEMBER: "Member"}


class CentralListForm(BaseForm):
    """Somebody on the central list."""

    user_id = SelectField("Who", [Needed("Choose who")], choices=[], coerce=str)
    seat = RadioField("Sits as", [Needed("Choose what they sit as")], choices=list(SEAT_WORDS.items()))
    background = TextField("Background", longest=120)
    is_independent = BooleanField("Independent of the service")
    is_qualifying_social_worker = BooleanField("A social worker with three years’ relevant experience since qualifying")
    until_on = DateField("On the list until", [Optional()], whole="the last day on the list")


class MeetingForm(BaseForm):
    """A new meeting."""

    meets_on = DateField("Day", [Needed("Give the day of the meeting")], whole="the day of the meeting", earliest=2011)
    starts_at = TimeField("Start", [Needed("Give the time it starts")])
    place = TextField("Place", longest=200)
    link = TextField("Link to join by video", longest=300)
    is_joint = BooleanField("A joint panel with another service: six make its quorum")
    member_ids = SelectMultipleField("Members", choices=[], coerce=str)

    def validate_link(self, field: Any) -> None:
        if field.data and not field.data.startswith("https://"):
            raise ValidationError("Start the link with https://")


class MembersForm(BaseForm):
    """Who sits at a meeting."""

    member_ids = SelectMultipleField("Members", choices=[], coerce=str)


class ListCaseForm(BaseForm):
    """Putting a household on an agenda."""

    meeting_id = RadioField("Meeting", [Needed("Choose a meeting")], choices=[], coerce=str)
    late_reason = LongTextField("Why it comes late, if it does", longest=1000)


class PapersForm(BaseForm):
    """The papers have gone."""

    late_reason = TextField("Why they are late, if they are", longest=500)


class ConflictForm(BaseForm):
    """A member's interest in a household."""

    user_id = SelectField("Member", [Needed("Choose the member")], choices=[], coerce=str)
    what = TextField("What the interest is", [Needed("Say what the interest is")], longest=300)


PRESENCE_CHOICES = [(Presence.PRESENT, "Here"), (Presence.BY_VIDEO, "By video"), (Presence.APOLOGIES, "Apologies")]


class AttendanceForm(BaseForm):
    """Who is there for one item. The quorum rests on it, so nobody is taken to be there until somebody says so."""

    def presences(self) -> dict[int, str]:
        """What was said of each member, by user id."""
        return {
            int(name.removeprefix("presence_")): field.data
            for name, field in self._fields.items()
            if name.startswith("presence_")
        }

    def validate_presiding_id(self, field: Any) -> None:
        here = {str(user_id) for user_id, presence in self.presences().items() if presence in TOOK_PART}
        if here and not field.data:
            raise ValidationError("Choose who presides")
        if field.data and field.data not in here:
            raise ValidationError("Whoever presides is here: choose another, or say that they are here")


def attendance_form(
    members: list[tuple[int, str, str | None]], presiding_id: int | None, *, takes_answers: bool = True
) -> AttendanceForm:
    """The form for these members: (user id, name, presence so far)."""
    fields: dict[str, Any] = {
        f"presence_{user_id}": RadioField(
            name, [Needed(f"Say whether {name} is here")], choices=PRESENCE_CHOICES, default=presence
        )
        for user_id, name, presence in members
    }
    fields["presiding_id"] = SelectField(
        "Who presides",
        choices=[("", "Choose"), *((str(user_id), name) for user_id, name, _ in members)],
        default=str(presiding_id) if presiding_id else "",
    )
    form: AttendanceForm = type("MembersAttendanceForm", (AttendanceForm,), fields)(takes_answers=takes_answers)
    return form


class RecommendationForm(TermsForm):
    """What the panel recommends."""

    recommendation = RadioField("What does panel recommend?", [Needed("Choose what the panel recommends")], choices=[])
    reasons = LongTextField("Reasons", [Needed("Write the panel’s reasons")], longest=10_000)
    of_one_mind = RadioField(
        "Was everyone of one mind?",
        [Needed("Say whether everyone was of one mind")],
        choices=[("yes", "Yes"), ("no", "No, note who differed")],
    )
    dissent = LongTextField("Who differed, and why", longest=2000)

    @classmethod
    def of(cls, report_kind: str, **defaults: Any) -> RecommendationForm:
        """The form with the answers that this kind of report allows."""
        form = cls(**defaults)
        allowed = (
            (Recommendation.FULL_REPORT_NEEDED, Recommendation.NOT_SUITABLE)
            if report_kind == "brief"
            else (Recommendation.SUITABLE, Recommendation.NOT_SUITABLE)
        )
        form.recommendation.choices = [(one, RECOMMENDATION_WORDS[one]) for one in allowed]
        return form

    def recommended(self) -> Recommended:
        return Recommended(
            recommendation=self.recommendation.data,
            reasons=self.reasons.data,
            terms=self.terms(),
            is_of_one_mind=self.of_one_mind.data == "yes",
            dissent=self.dissent.data,
        )


class DeferForm(BaseForm):
    """The panel needs to know more."""

    reasons = LongTextField("Why", [Needed("Write why the panel puts it off")], longest=5000)
