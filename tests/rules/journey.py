"""A household walked through the moves by rules alone: no database, no clock."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from crm.rules.permissions import SYSTEM, Actor, ActorKind, Role
from crm.rules.rulebook import Rulebook, default_rulebook
from crm.rules.stages import TrackName
from crm.rules.transitions import Evidence, Move, counted_from, moves_in_call


def staff(user_id: int, *roles: Role) -> Actor:
    return Actor(ActorKind.STAFF, user_id=user_id, display_name=f"User {user_id}", roles=frozenset(roles))


RECRUITER = staff(1, Role.RECRUITER)
OFFICER = staff(2, Role.OFFICER)
MANAGER = staff(3, Role.MANAGER)
PANEL_ADMINISTRATOR = staff(4, Role.PANEL_ADMINISTRATOR)
PANEL_MEMBER = staff(5, Role.PANEL_MEMBER)
DECISION_MAKER = staff(6, Role.DECISION_MAKER)
ADMINISTRATOR = staff(7, Role.ADMINISTRATOR)
APPLICANT = Actor(ActorKind.APPLICANT, person_id=70, display_name="Priya")
PARTNER = Actor(ActorKind.APPLICANT, person_id=71, display_name="Tom")
STRANGER = Actor(ActorKind.PUBLIC)
EVERYBODY = (
    RECRUITER,
    OFFICER,
    MANAGER,
    PANEL_ADMINISTRATOR,
    PANEL_MEMBER,
    DECISION_MAKER,
    ADMINISTRATOR,
    APPLICANT,
    PARTNER,
    STRANGER,
    SYSTEM,
)


@dataclass
class Household:
    """Where one household stands, what is on file, and its clocks."""

    tracks: dict[TrackName, str] = field(default_factory=dict)
    evidence: Evidence = field(default_factory=Evidence)
    due: dict[str, date] = field(default_factory=dict)
    letters: list[str] = field(default_factory=list)
    rulebook: Rulebook | None = None

    def learn(self, **facts: Any) -> Household:
        self.evidence = replace(self.evidence, **facts)
        return self

    def move(
        self, name: str, actor: Actor, on: date, *, reason: str | None = None, given: date | None = None, **facts: Any
    ) -> tuple[Move, ...]:
        """Make a move on a day, learning the facts first; clocks start and stop as the table says."""
        self.learn(**facts)
        rulebook = self.rulebook or default_rulebook(on)
        moves = moves_in_call(
            name,
            tracks=self.tracks,
            evidence=self.evidence,
            actor=actor,
            today=on,
            rulebook=rulebook,
            reason=reason,
        )
        for move in moves:
            self.tracks[move.track] = move.to
            for clock in move.stops:
                self.due.pop(clock, None)
            for clock in move.starts:
                start = counted_from(clock, evidence=self.evidence, today=on)
                self.due[clock] = rulebook.due_on(clock, start, given=given)
            self.letters += move.letters
        return moves

    def asked(self, actor: Actor, on: date) -> dict[str, Any]:
        """The arguments of the questions about moves."""
        return {
            "tracks": self.tracks,
            "evidence": self.evidence,
            "actor": actor,
            "today": on,
            "rulebook": self.rulebook or default_rulebook(on),
        }


def enquired(on: date) -> Household:
    household = Household()
    household.move("open_enquiry", RECRUITER, on, received_on=on)
    return household


def visited(on: date) -> Household:
    household = enquired(on)
    household.move("record_contact", RECRUITER, on, contacted_on=on)
    household.move("book_visit", RECRUITER, on, eligibility_outcome="eligible")
    household.move("record_visit", OFFICER, on, visit_on=on)
    return household


def applied(on: date) -> Household:
    """A household whose application was received on a day."""
    household = visited(on)
    household.move("invite_to_apply", MANAGER, on, visit_signed_off=True, visit_outcome="invite")
    household.move("receive_application", OFFICER, on, received_on=on)
    return household


def in_assessment(on: date) -> Household:
    household = applied(on)
    household.move("decide_to_assess", MANAGER, on)
    return household


def stage_one_complete(on: date) -> Household:
    household = in_assessment(on)
    household.move("complete_stage_one", SYSTEM, on, stage_one_completed_on=on)
    return household


def ready_for_panel(on: date, *, kind: str = "full") -> Household:
    household = stage_one_complete(on)
    household.move("pass_stage_one", MANAGER, on)
    household.move("start_stage_two", MANAGER, on)
    household.move(
        "share_report",
        OFFICER,
        on,
        report_kind=kind,
        report_countersigned=True,
        report_countersigned_by=MANAGER.user_id,
        report_shared_on=on,
        assessor_ids=frozenset({OFFICER.user_id}),
    )
    household.move("ready_for_panel", OFFICER, on, observations_received_on=on)
    return household


def recommended(on: date, recommendation: str = "suitable", *, kind: str = "full") -> Household:
    household = ready_for_panel(on, kind=kind)
    household.move("list_for_panel", PANEL_ADMINISTRATOR, on, panel_meeting_on=on)
    household.move(
        "record_recommendation",
        PANEL_ADMINISTRATOR,
        on,
        panel_quorate=True,
        panel_recommendation=recommendation,
        recommendation_on=on,
        panel_member_ids=frozenset({PANEL_MEMBER.user_id}),
    )
    return household


def with_decision_maker(on: date, recommendation: str = "suitable", *, kind: str = "full") -> Household:
    household = recommended(on, recommendation, kind=kind)
    household.move("send_to_decision_maker", PANEL_ADMINISTRATOR, on, minutes_final_received_on=on)
    return household


def told_no(on: date) -> Household:
    """A household told, by a notice of this date, that we propose not to approve."""
    household = with_decision_maker(on, "not_suitable")
    household.move("issue_qd", DECISION_MAKER, on, reasons_given=True, panel_recommendation_attached=True)
    household.learn(qd_notice_on=on)
    return household
