"""Every move that a household's case can make, as a table; and the questions asked of it.

Buttons, checks, clocks, letters and the diagram in README.md come from here. The law's steps can't be left out because
no move leads round them: each names what must be true first, with its source.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType

from crm.rules import deadlines
from crm.rules.deadlines import ALL_CLOCKS, ENQUIRY_CLOCKS
from crm.rules.permissions import Actor, ActorKind, NotPermitted, Permission, require
from crm.rules.reasons import WITHDRAWAL_REASONS, code_of
from crm.rules.refusal import Refusal
from crm.rules.rulebook import Rulebook
from crm.rules.stages import (
    ENDED_APPLICATION,
    OPEN_APPLICATION,
    OPEN_ENQUIRY,
    STAGES,
    TRACK_WORDS,
    TrackName,
    Tracks,
    stage_words,
    standing_words,
)


class MoveNotOpen(Refusal):
    """The move can't be made as things stand."""


class ReasonMissing(Refusal):
    """The move needs a reason, and none that can be kept was given."""

    default_status = 422


# --- what is known -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is on file about a household, as far as moves depend on it.

    Nothing known opens no door: every default is the answer that keeps a move shut.
    """

    # Enquiry
    received_on: date | None = None  # the day the enquiry came, or the application where the move is about that
    response_counts_from: date | None = None  # day 0 of the promise to answer it: the closing time may make it the next
    contacted_on: date | None = None
    eligibility_outcome: str | None = None  # eligible, conversation, not_now, not_eligible
    visit_on: date | None = None
    visit_outcome: str | None = None  # invite, second_visit, not_now, decline
    visit_signed_off: bool = False
    recontact_on: date | None = None
    closing_reason: str | None = None  # one of reasons.CLOSED_REASONS, where the move is closing
    tries_apart: int = 0  # how often somebody tried to reach them, at different times, since it was last opened
    closing_agreed: bool = False  # by a manager, where whoever closes is not one

    # People
    disqualified: bool = False  # the applicant or an adult of the household (reg 26(5) to (8))
    approved_elsewhere: bool = False
    approved_elsewhere_until: date | None = None

    # Stage 1
    stage_one_outstanding: tuple[str, ...] = ()  # statutory items not yet obtained, in plain words
    stage_one_completed_on: date | None = None  # the day the last statutory item was obtained

    # Stage 2
    report_kind: str | None = None  # full, brief
    report_countersigned: bool = False
    report_countersigned_by: int | None = None  # user id
    report_shared_on: date | None = None
    observations_received_on: date | None = None
    assessor_ids: frozenset[int] = frozenset()  # user ids of whoever assessed

    # Panel
    panel_required: bool | None = None  # None: as the rulebook says
    panel_meeting_on: date | None = None
    panel_quorate: bool = False
    panel_shortfalls: tuple[str, ...] = ()
    panel_papers_sent_on: date | None = None
    panel_member_ids: frozenset[int] = frozenset()  # user ids of whoever took part in the item
    panel_recommendation: str | None = None  # suitable, not_suitable, full_report_needed
    recommendation_on: date | None = None
    minutes_final_received_on: date | None = None

    # Decision
    effective_on: date | None = None
    decision_on: date | None = None
    reasons_given: bool = False
    panel_recommendation_attached: bool = False
    qd_notice_on: date | None = None  # the date of the notice of a qualifying determination
    response_kind: str | None = None  # representations, irm
    response_received_on: date | None = None
    irm_recommendation_received_on: date | None = None

    # Clocks
    application_due_on: date | None = None  # the end of the 8 months


@dataclass(frozen=True, slots=True)
class Situation:
    """A question in full: the evidence, where the case stands, who asks, when, under which rules."""

    tracks: Tracks
    evidence: Evidence
    actor: Actor
    today: date
    rulebook: Rulebook

    def stage(self, track: TrackName) -> str | None:
        """Where one track stands. None: not started."""
        return self.tracks.get(track)

    @property
    def needs_panel(self) -> bool:
        """Whether this case needs a panel's recommendation."""
        if self.evidence.panel_required is not None:
            return self.evidence.panel_required
        return self.rulebook.panel_required


# --- what must be true first -------------------------------------------------------------------------------------
# Each answers None, or why not, in words for the person who wants to make the move.


def _not_ineligible(s: Situation) -> str | None:
    if s.evidence.eligibility_outcome == "not_eligible":
        return "the eligibility check came out as not eligible"
    return None


def _not_disqualified(s: Situation) -> str | None:
    if s.evidence.disqualified:
        return (
            "an adult in this household is disqualified by a specified offence (regulation 26), "
            "so the service may not find the household suitable"
        )
    return None


def _visit_report_signed_off(s: Situation) -> str | None:
    return None if s.evidence.visit_signed_off else "the visit report is not signed off yet"


def _recontact_date_ahead(s: Situation) -> str | None:
    day = s.evidence.recontact_on
    return "the date to get in touch again must be after today" if day is not None and day <= s.today else None


def _tried_before_no_response(s: Situation) -> str | None:
    if s.evidence.closing_reason != "no_response":
        return None
    needed, made = s.rulebook.response.least_tries, s.evidence.tries_apart
    if made < needed:
        so_far = "none is" if made == 0 else "one is" if made == 1 else f"{made} are"
        return (
            f"closing for want of an answer needs {needed} tries on different days or at different times of the day, "
            f"and {so_far} on the timeline. Log a try, or choose another reason"
        )
    if s.evidence.closing_agreed or s.actor.has(Permission.AGREE_CLOSING):
        return None
    return "a manager must agree before an enquiry is closed for want of an answer"


def _invited_to_apply(s: Situation) -> str | None:
    if s.stage(TrackName.ENQUIRY) in {"invited", "applied"}:
        return None
    return "the household has not been invited to apply yet"


def _application_on_file(s: Situation) -> str | None:
    return None if s.stage(TrackName.APPLICATION) is not None else "no application is on file"


def _not_in_the_future(s: Situation) -> str | None:
    day = s.evidence.received_on
    return "the day it was received is still to come" if day is not None and day > s.today else None


def _in_assessment(s: Situation) -> str | None:
    if s.stage(TrackName.APPLICATION) == "in_assessment":
        return None
    return "the application is not in assessment"


def _stage_one_refused(s: Situation) -> str | None:
    return None if s.stage(TrackName.STAGE_ONE) == "refused" else "Stage 1 has not been refused"


def _stage_one_items_obtained(s: Situation) -> str | None:
    items = s.evidence.stage_one_outstanding
    if items:
        more = f" and {len(items) - 3} more" if len(items) > 3 else ""
        return f"Stage 1 still needs {', '.join(items[:3])}{more}"
    if s.evidence.stage_one_completed_on is None:
        return "no Stage 1 items are recorded as obtained yet"
    return None


def _stage_one_item_missing(s: Situation) -> str | None:
    return None if s.evidence.stage_one_outstanding else "every Stage 1 item has been obtained"


def _stage_one_refusal_not_locked(s: Situation) -> str | None:
    last_day = stage_one_refusal_last_day(s.evidence, s.rulebook)
    if last_day is not None and s.today > last_day:
        return (
            f"the last day for a Stage 1 refusal was {_day(last_day)}, "
            f"{s.rulebook.deadline('stage_one_decision').length_words} after the last item; "
            "the case goes on to Stage 2, where a brief report is the way to say no"
        )
    return None


def _stage_one_settled(s: Situation) -> str | None:
    if stage_one_goes_on(s.tracks, s.evidence, today=s.today, rulebook=s.rulebook):
        return None
    return "Stage 1 has not been passed"


def _stage_one_begun(s: Situation) -> str | None:
    stage = s.stage(TrackName.STAGE_ONE)
    if stage is None:
        return "Stage 1 has not started"
    return "Stage 1 has been refused" if stage == "refused" else None


def _report_countersigned(s: Situation) -> str | None:
    evidence = s.evidence
    if evidence.report_kind is None:
        return "there is no report yet"
    if not evidence.report_countersigned:
        return "the report is not countersigned yet"
    if evidence.report_countersigned_by is not None and evidence.report_countersigned_by in evidence.assessor_ids:
        return "the report was countersigned by its own author; someone else must sign it"
    return None


def _observations_in_or_time_over(s: Situation) -> str | None:
    if s.evidence.observations_received_on is not None:
        return None
    shared_on = s.evidence.report_shared_on
    if shared_on is None:
        return "the report has not been shared with the household"
    last_day = max(deadlines.observations_end(shared_on, s.rulebook.observation_working_days, s.rulebook.calendar))
    if s.today <= last_day:
        return f"the household has until {_day(last_day)} to comment on the report, unless its comments are in sooner"
    return None


def _ready_for_panel(s: Situation) -> str | None:
    return None if s.stage(TrackName.STAGE_TWO) == "ready_for_panel" else "the report is not ready for panel"


def _meeting_chosen(s: Situation) -> str | None:
    return None if s.evidence.panel_meeting_on is not None else "choose a panel meeting first"


def _application_may_be_listed(s: Situation) -> str | None:
    if s.stage(TrackName.APPLICATION) not in {"in_assessment", "with_panel"}:
        return "the application is not on its way to panel"
    if s.stage(TrackName.PANEL_ITEM) == "recommended" and s.stage(TrackName.APPLICATION) == "with_panel":
        if _recommendation_is_out_of_date(s):
            return None
        return "the panel has already made its recommendation"
    return None


def _on_an_agenda(s: Situation) -> str | None:
    return None if s.stage(TrackName.PANEL_ITEM) == "listed" else "the household is not on a panel's agenda"


def _with_panel(s: Situation) -> str | None:
    return None if s.stage(TrackName.APPLICATION) == "with_panel" else "the application is not with the panel"


def _quorate(s: Situation) -> str | None:
    if s.evidence.panel_quorate and not s.evidence.panel_shortfalls:
        return None
    return "the panel is not quorate. " + " ".join(s.evidence.panel_shortfalls or ("Record who was present.",))


def _recommendation_allowed(s: Situation) -> str | None:
    recommendation = s.evidence.panel_recommendation
    if recommendation is None:
        return "say what the panel recommends"
    if s.evidence.report_kind == "brief":
        if recommendation not in {"full_report_needed", "not_suitable"}:
            return "on a brief report the panel may only ask for a full report or recommend not suitable"
        return None
    if recommendation not in {"suitable", "not_suitable"}:
        return "on a full report the panel recommends suitable or not suitable"
    return None


def _panel_asked_for_full_report(s: Situation) -> str | None:
    if s.stage(TrackName.PANEL_ITEM) == "recommended" and s.evidence.panel_recommendation == "full_report_needed":
        return None
    return "the panel has not asked for a full report"


def _brief_report(s: Situation) -> str | None:
    return None if s.evidence.report_kind == "brief" else "the report is already a full one"


def _full_report(s: Situation) -> str | None:
    if s.evidence.report_kind == "full":
        return None
    return "approval needs a full report"


def _ready_for_decision_maker(s: Situation) -> str | None:
    if s.stage(TrackName.APPLICATION) == "in_assessment":
        if s.needs_panel:
            return "the panel must consider this household first"
        return _ready_for_panel(s)
    if s.stage(TrackName.PANEL_ITEM) != "recommended":
        return "the panel has not made its recommendation"
    reason = _recommendation_on_file(s)
    if reason is not None:
        return reason
    if s.evidence.minutes_final_received_on is None:
        return "the decision maker does not have the final minutes yet"
    return None


def _recommendation_on_file(s: Situation) -> str | None:
    if not s.needs_panel:
        return None
    evidence = s.evidence
    if evidence.panel_recommendation not in {"suitable", "not_suitable"} or evidence.recommendation_on is None:
        return "the panel's recommendation is not on file"
    if s.stage(TrackName.PANEL_ITEM) != "recommended" or _recommendation_is_out_of_date(s):
        return "the panel has not considered the household's representations yet"
    return None


def _decision_maker_stands_apart(s: Situation) -> str | None:
    if s.actor.kind is not ActorKind.STAFF or s.actor.user_id is None:
        return "only a person may decide"
    if s.actor.user_id in s.evidence.panel_member_ids:
        return "you sat on the panel for this household, so someone else must decide"
    if s.actor.user_id in s.evidence.assessor_ids:
        return "you assessed this household, so someone else must decide"
    return None


def _no_other_approval(s: Situation) -> str | None:
    evidence = s.evidence
    if not evidence.approved_elsewhere:
        return None
    until = evidence.approved_elsewhere_until
    if until is None:
        return "the household is approved by another service, and the day that approval ends is not recorded"
    if (evidence.effective_on or s.today) < until:
        return f"the household's approval by another service runs until {_day(until)}; ours may start that day"
    return None


def _no_determination_yet(s: Situation) -> str | None:
    if s.evidence.qd_notice_on is not None:
        return "the household has already been told that we propose not to approve; this decision is final"
    return None


def _determination_made_before(s: Situation) -> str | None:
    if s.stage(TrackName.APPLICATION) == "with_adm" and s.evidence.qd_notice_on is None:
        return "the household must first be told that we propose not to approve, and have 28 days to answer"
    return None


def _reasons_given(s: Situation) -> str | None:
    return None if s.evidence.reasons_given else "the reasons are not written yet"


def _recommendation_attached(s: Situation) -> str | None:
    if s.needs_panel and not s.evidence.panel_recommendation_attached:
        return "a copy of the panel's recommendation must go with it"
    return None


def _answer_in_time(s: Situation) -> str | None:
    notice_on = s.evidence.qd_notice_on
    if notice_on is None:
        return None
    last_day = s.rulebook.due_on("qd_response", notice_on)
    if (s.evidence.response_received_on or s.today) > last_day:
        return f"the time to answer ended on {_day(last_day)}"
    return None


def _irm_open_to_household(s: Situation) -> str | None:
    if s.evidence.disqualified:
        return "the Independent Review Mechanism is not open to a disqualified person; representations are"
    if s.evidence.response_kind == "representations":
        return "the household has chosen to make representations, and may use one way only"
    return None


def _answer_time_over(s: Situation) -> str | None:
    if s.stage(TrackName.APPLICATION) != "qd_issued":
        return None
    evidence = s.evidence
    if evidence.qd_notice_on is None:
        return "the notice has not been sent, so the household's 28 days have not begun"
    if evidence.response_received_on is not None:
        return "the household has answered, and the answer must be considered"
    last_day = s.rulebook.due_on("qd_response", evidence.qd_notice_on)
    if s.today <= last_day:
        return f"the household has until {_day(last_day)} to answer"
    return None


def _irm_recommendation_received(s: Situation) -> str | None:
    if s.evidence.irm_recommendation_received_on is not None:
        return None
    return "the independent panel's recommendation has not been received"


REQUIREMENTS: Mapping[str, Callable[[Situation], str | None]] = MappingProxyType(
    {
        "not_ineligible": _not_ineligible,
        "not_disqualified": _not_disqualified,
        "visit_report_signed_off": _visit_report_signed_off,
        "recontact_date_ahead": _recontact_date_ahead,
        "tried_before_no_response": _tried_before_no_response,
        "invited_to_apply": _invited_to_apply,
        "application_on_file": _application_on_file,
        "not_in_the_future": _not_in_the_future,
        "in_assessment": _in_assessment,
        "stage_one_refused": _stage_one_refused,
        "stage_one_items_obtained": _stage_one_items_obtained,
        "stage_one_item_missing": _stage_one_item_missing,
        "stage_one_refusal_not_locked": _stage_one_refusal_not_locked,
        "stage_one_settled": _stage_one_settled,
        "stage_one_begun": _stage_one_begun,
        "report_countersigned": _report_countersigned,
        "observations_in_or_time_over": _observations_in_or_time_over,
        "ready_for_panel": _ready_for_panel,
        "meeting_chosen": _meeting_chosen,
        "application_may_be_listed": _application_may_be_listed,
        "on_an_agenda": _on_an_agenda,
        "with_panel": _with_panel,
        "quorate": _quorate,
        "recommendation_allowed": _recommendation_allowed,
        "panel_asked_for_full_report": _panel_asked_for_full_report,
        "brief_report": _brief_report,
        "full_report": _full_report,
        "ready_for_decision_maker": _ready_for_decision_maker,
        "recommendation_on_file": _recommendation_on_file,
        "decision_maker_stands_apart": _decision_maker_stands_apart,
        "no_other_approval": _no_other_approval,
        "no_determination_yet": _no_determination_yet,
        "determination_made_before": _determination_made_before,
        "reasons_given": _reasons_given,
        "recommendation_attached": _recommendation_attached,
        "answer_in_time": _answer_in_time,
        "irm_open_to_household": _irm_open_to_household,
        "answer_time_over": _answer_time_over,
        "irm_recommendation_received": _irm_recommendation_received,
    }
)


def _recommendation_is_out_of_date(s: Situation) -> bool:
    """Whether the household answered after the panel recommended, so that the panel must look again."""
    evidence = s.evidence
    return (
        evidence.response_kind == "representations"
        and evidence.response_received_on is not None
        and (evidence.recommendation_on is None or evidence.recommendation_on < evidence.response_received_on)
    )


def stage_one_refusal_last_day(evidence: Evidence, rulebook: Rulebook) -> date | None:
    """The last day on which Stage 1 may be refused. None while items are outstanding: then any day.

    Fostering Services (England) Regulations 2011, reg 26 (as amended 2013): notice not later than 10 working days
    after all the information has been obtained.
    """
    if evidence.stage_one_completed_on is None:
        return None
    return rulebook.due_on("stage_one_decision", evidence.stage_one_completed_on)


def stage_one_goes_on(tracks: Tracks, evidence: Evidence, *, today: date, rulebook: Rulebook) -> bool:
    """Whether Stage 1 is behind the household: passed, or its 10 working days went by with no refusal."""
    stage = tracks.get(TrackName.STAGE_ONE)
    if stage == "passed":
        return True
    last_day = stage_one_refusal_last_day(evidence, rulebook)
    return stage == "complete" and last_day is not None and today > last_day


# --- the moves ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Move:
    """One row of the table.

    `from_`: the stages it leaves; None stands for "not started". `starts`, `stops`: clocks. `letters`: kinds of letter
    it queues. `effects`: names bound to functions in crm/app.py. `and_also`: moves made in the same call, each only if
    it is open from where the case then stands. `alone`: whether it has a button of its own. `meets`: of the clocks it
    stops, those it fulfils (None: all); the others merely end, and count neither as kept nor as broken.
    """

    name: str
    track: TrackName
    from_: frozenset[str | None]
    to: str
    label: str
    permission: Permission
    source: str
    starts: tuple[str, ...] = ()
    stops: tuple[str, ...] = ()
    letters: tuple[str, ...] = ()
    effects: tuple[str, ...] = ()
    needs_reason: bool = False
    and_also: tuple[str, ...] = ()
    requires: tuple[str, ...] = field(default=())
    alone: bool = True
    meets: tuple[str, ...] | None = None

    @property
    def met(self) -> tuple[str, ...]:
        """Of the clocks it stops, those for which what was due has been done."""
        return self.stops if self.meets is None else self.meets

    @property
    def ended(self) -> tuple[str, ...]:
        """Of the clocks it stops, those that no longer matter."""
        return tuple(clock for clock in self.stops if clock not in self.met)


def _from(*stages: str | None) -> frozenset[str | None]:
    return frozenset(stages)


_P = Permission
_T = TrackName
_REG26 = "Fostering Services (England) Regulations 2011, reg 26"
_REG27 = "Fostering Services (England) Regulations 2011, reg 27"
_NMS14 = "National Minimum Standards for Fostering 2011, standard 14"
_PRACTICE = "Common practice; the service's own policy"

MOVES: tuple[Move, ...] = (
    # Enquiry
    Move(
        "open_enquiry",
        _T.ENQUIRY,
        _from(None),
        "new",
        "Log the enquiry",
        _P.LOG_ENQUIRY,
        "National Minimum Standards for Fostering 2011, standard 13.2: timely information",
        starts=("first_contact", "initial_visit"),
        letters=("enquiry_acknowledgement",),
    ),
    Move(
        "record_contact",
        _T.ENQUIRY,
        _from("new"),
        "contacted",
        "Record the first talk",
        _P.RECORD_CONTACT,
        _PRACTICE,
        starts=("book_visit",),
        stops=("first_contact",),
        letters=("information_pack",),
    ),
    Move(
        "book_visit",
        _T.ENQUIRY,
        _from("contacted", "visited"),
        "visit_booked",
        "Book a home visit",
        _P.BOOK_VISIT,
        _PRACTICE,
        stops=("book_visit", "rebook_visit"),
        requires=("not_ineligible",),
    ),
    Move(
        "visit_fell_through",
        _T.ENQUIRY,
        _from("visit_booked"),
        "contacted",
        "The visit did not happen",
        _P.BOOK_VISIT,
        _PRACTICE,
        starts=("rebook_visit",),
    ),
    Move(
        "record_visit",
        _T.ENQUIRY,
        _from("visit_booked"),
        "visited",
        "Record the visit",
        _P.RECORD_VISIT,
        _PRACTICE,
        starts=("visit_outcome",),
        stops=("initial_visit", "no_access_letter"),
        meets=("initial_visit",),
    ),
    Move(
        # A visit that was never booked happened all the same: what was found at the check is no ground to leave it out.
        "record_past_visit",
        _T.ENQUIRY,
        _from("contacted", "visited"),
        "visited",
        "Record a visit already made",
        _P.RECORD_VISIT,
        _PRACTICE,
        starts=("visit_outcome",),
        stops=("book_visit", "rebook_visit", "initial_visit", "no_access_letter"),
        meets=("book_visit", "rebook_visit", "initial_visit"),
    ),
    Move(
        "invite_to_apply",
        _T.ENQUIRY,
        _from("visited"),
        "invited",
        "Invite to apply",
        _P.SIGN_OFF_VISIT,
        _PRACTICE,
        starts=("application_expected",),
        stops=("visit_outcome",),
        letters=("invitation_to_apply",),
        requires=("visit_report_signed_off", "not_ineligible", "not_disqualified"),
    ),
    Move(
        "set_not_now",
        _T.ENQUIRY,
        _from(*OPEN_ENQUIRY),
        "not_now",
        "Not now, with a date",
        _P.DECIDE_ELIGIBILITY,
        _PRACTICE,
        starts=("recontact",),
        stops=ENQUIRY_CLOCKS,
        letters=("not_now",),
        effects=("cancel_visits", "give_up_course_places"),
        needs_reason=True,
        requires=("recontact_date_ahead",),
        meets=("visit_outcome",),
    ),
    Move(
        "reopen_enquiry",
        _T.ENQUIRY,
        _from("not_now", "closed"),
        "contacted",
        "Open again",
        _P.RECORD_CONTACT,
        _PRACTICE,
        starts=("book_visit",),
        stops=("recontact",),
    ),
    Move(
        "close_enquiry",
        _T.ENQUIRY,
        _from(*OPEN_ENQUIRY, "not_now"),
        "closed",
        "Close, with a reason",
        _P.CLOSE_ENQUIRY,
        _PRACTICE,
        stops=(*ENQUIRY_CLOCKS, "recontact"),
        letters=("enquiry_closed",),
        effects=("cancel_visits", "give_up_course_places"),
        needs_reason=True,
        requires=("tried_before_no_response",),
        meets=("visit_outcome", "no_access_letter"),
    ),
    Move(
        "apply",
        _T.ENQUIRY,
        _from("invited"),
        "applied",
        "Applied",
        _P.RECORD_APPLICATION,
        _REG26,
        requires=("application_on_file",),
        alone=False,
    ),
    # Application
    Move(
        "receive_application",
        _T.APPLICATION,
        _from(None),
        "received",
        "Record the application",
        _P.RECORD_APPLICATION,
        _NMS14,
        starts=("panel_recommendation", "decide_to_assess"),
        stops=("application_expected",),
        letters=("application_acknowledgement",),
        and_also=("apply",),
        requires=("invited_to_apply", "not_in_the_future"),
    ),
    Move(
        "decide_to_assess",
        _T.APPLICATION,
        _from("received"),
        "in_assessment",
        "Decide to assess",
        _P.DECIDE_TO_ASSESS,
        f"{_REG26}(1)",
        stops=("decide_to_assess",),
        letters=("assessment_plan",),
        and_also=("start_stage_one",),
        requires=("not_disqualified",),
    ),
    Move(
        "send_to_panel",
        _T.APPLICATION,
        _from("in_assessment"),
        "with_panel",
        "Send to panel",
        _P.MANAGE_PANEL,
        f"{_REG26}(2)",
        requires=("ready_for_panel", "on_an_agenda"),
        alone=False,
    ),
    Move(
        "ask_for_full_report",
        _T.APPLICATION,
        _from("with_panel"),
        "in_assessment",
        "Go on to a full report",
        _P.RECORD_RECOMMENDATION,
        "Fostering Services (England) Regulations 2011, reg 27, as amended 1 April 2015",
        starts=("panel_recommendation",),
        stops=("panel_minutes",),
        and_also=("prepare_full_report",),
        requires=("brief_report", "panel_asked_for_full_report"),
        meets=(),
    ),
    Move(
        "send_to_decision_maker",
        _T.APPLICATION,
        _from("with_panel", "in_assessment"),
        "with_adm",
        "Send to the decision maker",
        _P.MANAGE_PANEL,
        _NMS14,
        starts=("adm_decision",),
        stops=("panel_minutes",),
        requires=("ready_for_decision_maker", "stage_one_settled"),
    ),
    Move(
        "approve",
        _T.APPLICATION,
        _from("with_adm"),
        "approved",
        "Approve",
        _P.MAKE_DECISION,
        _REG27,
        starts=("oral_notice", "written_notice", "foster_care_agreement", "first_review"),
        stops=("adm_decision", "panel_recommendation", "stage_one_target", "stage_two_target", "observations"),
        requires=(
            "decision_maker_stands_apart",
            "not_disqualified",
            "stage_one_settled",
            "ready_for_panel",
            "full_report",
            "recommendation_on_file",
            "no_other_approval",
        ),
        meets=("adm_decision",),
    ),
    Move(
        "continue_assessment",
        _T.APPLICATION,
        _from("with_adm"),
        "in_assessment",
        "Ask for a full report",
        _P.MAKE_DECISION,
        _REG27,
        stops=("adm_decision",),
        needs_reason=True,
        and_also=("resume_assessment",),
        requires=("decision_maker_stands_apart", "brief_report"),
    ),
    Move(
        "issue_qd",
        _T.APPLICATION,
        _from("with_adm"),
        "qd_issued",
        "Propose not to approve",
        _P.MAKE_DECISION,
        _REG27,
        starts=("oral_notice", "written_notice"),
        stops=("adm_decision",),
        requires=(
            "decision_maker_stands_apart",
            "no_determination_yet",
            "recommendation_on_file",
            "reasons_given",
            "recommendation_attached",
        ),
    ),
    Move(
        "receive_representations",
        _T.APPLICATION,
        _from("qd_issued"),
        "representations",
        "Record representations",
        _P.RECORD_POST,
        _REG27,
        stops=("qd_response",),
        requires=("answer_in_time",),
    ),
    Move(
        "return_to_panel",
        _T.APPLICATION,
        _from("representations"),
        "with_panel",
        "Take back to panel",
        _P.MANAGE_PANEL,
        f"{_REG27}(9)",
    ),
    Move(
        "apply_irm",
        _T.APPLICATION,
        _from("qd_issued"),
        "irm",
        "Record the application for independent review",
        _P.RECORD_POST,
        "Fostering Services (England) Regulations 2011, regs 27 and 29",
        starts=("irm_papers",),
        stops=("qd_response",),
        requires=("irm_open_to_household", "answer_in_time"),
    ),
    Move(
        "record_irm_recommendation",
        _T.APPLICATION,
        _from("irm"),
        "with_adm",
        "Record the independent panel's recommendation",
        _P.MANAGE_PANEL,
        _NMS14,
        starts=("adm_decision",),
        stops=("irm_papers",),
        requires=("irm_recommendation_received",),
    ),
    Move(
        "confirm_refusal",
        _T.APPLICATION,
        _from("qd_issued", "with_adm"),
        "refused",
        "Confirm that we do not approve",
        _P.MAKE_DECISION,
        _REG27,
        stops=ALL_CLOCKS,
        letters=("final_decision",),
        effects=("cancel_visits", "give_up_course_places"),
        needs_reason=True,
        requires=(
            "decision_maker_stands_apart",
            "determination_made_before",
            "recommendation_on_file",
            "answer_time_over",
        ),
        meets=("adm_decision",),
    ),
    Move(
        "withdraw",
        _T.APPLICATION,
        _from(*OPEN_APPLICATION),
        "withdrawn",
        "Withdraw, with a reason",
        _P.WITHDRAW_APPLICATION,
        "Fostering Services (England) Regulations 2011, regs 30(5) and 32(3); Ofsted withdrawal codes",
        stops=ALL_CLOCKS,
        letters=("withdrawal_confirmation",),
        effects=("cancel_visits", "give_up_course_places"),
        needs_reason=True,
        meets=(),
    ),
    Move(
        "end_at_stage_one",
        _T.APPLICATION,
        _from("in_assessment"),
        "stage_one_refused",
        "Refused at Stage 1",
        _P.DECIDE_STAGE_ONE,
        _REG26,
        requires=("stage_one_refused",),
        alone=False,
    ),
    # Stage 1
    Move(
        "start_stage_one",
        _T.STAGE_ONE,
        _from(None),
        "gathering",
        "Start Stage 1",
        _P.DECIDE_TO_ASSESS,
        f"{_REG26}(1A)",
        starts=("stage_one_target",),
        requires=("in_assessment",),
        alone=False,
    ),
    Move(
        "complete_stage_one",
        _T.STAGE_ONE,
        _from("gathering"),
        "complete",
        "All Stage 1 checks are in",
        _P.RECORD_CHECK,
        f"{_REG26}(1A) and Sch 3 Part 1",
        starts=("stage_one_decision",),
        stops=("stage_one_target", "check_chase", "dbs_chase", "referee_reply", "local_authority_views"),
        requires=("in_assessment", "stage_one_items_obtained"),
    ),
    Move(
        "reopen_stage_one",
        _T.STAGE_ONE,
        _from("complete"),
        "gathering",
        "Stage 1 needs another check",
        _P.RECORD_CHECK,
        f"{_REG26}(1A): the household's make-up has changed",
        starts=("stage_one_target",),
        stops=("stage_one_decision",),
        requires=("in_assessment", "stage_one_item_missing"),
        meets=(),
    ),
    Move(
        "pass_stage_one",
        _T.STAGE_ONE,
        _from("complete"),
        "passed",
        "Pass Stage 1",
        _P.DECIDE_STAGE_ONE,
        _REG26,
        stops=("stage_one_decision",),
        letters=("stage_one_passed",),
        requires=("in_assessment", "not_disqualified"),
    ),
    Move(
        "refuse_stage_one",
        _T.STAGE_ONE,
        _from("gathering", "complete"),
        "refused",
        "Refuse at Stage 1",
        _P.DECIDE_STAGE_ONE,
        _REG26,
        stops=ALL_CLOCKS,
        letters=("stage_one_refusal",),
        effects=("cancel_visits", "give_up_course_places"),
        needs_reason=True,
        and_also=("end_at_stage_one",),
        requires=("in_assessment", "stage_one_refusal_not_locked"),
        meets=("stage_one_decision",),
    ),
    # Stage 2
    Move(
        "start_stage_two",
        _T.STAGE_TWO,
        _from(None),
        "assessing",
        "Start Stage 2",
        _P.DECIDE_TO_ASSESS,
        "Statutory guidance, Children Act 1989 volume 4: the stages may run together",
        starts=("stage_two_target",),
        requires=("in_assessment", "stage_one_begun"),
    ),
    Move(
        "share_report",
        _T.STAGE_TWO,
        _from("assessing"),
        "report_shared",
        "Share the report with the household",
        _P.WRITE_ASSESSMENT,
        f"{_REG26}(2)",
        starts=("observations",),
        stops=("stage_two_target",),
        letters=("report_shared",),
        requires=("in_assessment", "report_countersigned"),
    ),
    Move(
        "ready_for_panel",
        _T.STAGE_TWO,
        _from("report_shared"),
        "ready_for_panel",
        "Ready for panel",
        _P.WRITE_ASSESSMENT,
        f"{_REG26}(2)",
        stops=("observations",),
        requires=("in_assessment", "stage_one_settled", "observations_in_or_time_over"),
    ),
    Move(
        "prepare_full_report",
        _T.STAGE_TWO,
        _from("ready_for_panel"),
        "assessing",
        "Prepare a full report",
        _P.RECORD_RECOMMENDATION,
        "Fostering Services (England) Regulations 2011, reg 27, as amended 1 April 2015",
        starts=("stage_two_target",),
        requires=("in_assessment",),
        alone=False,
    ),
    Move(
        "resume_assessment",
        _T.STAGE_TWO,
        _from("ready_for_panel"),
        "assessing",
        "Go on with the assessment",
        _P.MAKE_DECISION,
        _REG27,
        starts=("stage_two_target",),
        requires=("in_assessment",),
        alone=False,
    ),
    # Panel
    Move(
        "list_for_panel",
        _T.PANEL_ITEM,
        _from(None, "deferred", "recommended"),
        "listed",
        "Put on a panel's agenda",
        _P.MANAGE_PANEL,
        _NMS14,
        starts=("panel_papers",),
        letters=("panel_invitation",),
        and_also=("send_to_panel",),
        requires=("ready_for_panel", "application_may_be_listed", "meeting_chosen"),
    ),
    Move(
        "defer_item",
        _T.PANEL_ITEM,
        _from("listed"),
        "deferred",
        "Put off to another meeting",
        _P.RECORD_RECOMMENDATION,
        _NMS14,
        stops=("panel_papers",),
        letters=("panel_deferred",),
        needs_reason=True,
        requires=("with_panel",),
        meets=(),
    ),
    Move(
        "record_recommendation",
        _T.PANEL_ITEM,
        _from("listed"),
        "recommended",
        "Record the panel's recommendation",
        _P.RECORD_RECOMMENDATION,
        "Fostering Services (England) Regulations 2011, regs 24, 25 and 27",
        starts=("panel_minutes",),
        stops=("panel_papers", "panel_recommendation"),
        requires=("with_panel", "quorate", "recommendation_allowed"),
        meets=("panel_recommendation",),
    ),
)

MOVE: Mapping[str, Move] = MappingProxyType({move.name: move for move in MOVES})

# Clocks that no move starts, and what does.
CLOCKS_STARTED_ELSEWHERE: Mapping[str, str] = MappingProxyType(
    {
        "qd_response": "the sending of the written notice of a qualifying determination, from the date of the notice",
        "no_access_letter": "the second visit at which nobody was in",
        "visit_sign_off": "a visit report being sent to a manager",
        "event_follow_up": "an event with people to follow up",
        "check_chase": "a check being asked for",
        "dbs_chase": "a DBS certificate being applied for",
        "referee_reply": "a referee being asked",
        "local_authority_views": "the home council being asked",
        "previous_service_records": "another service being asked for its records",
        "previous_service_reference": "another service being asked for its reference",
        "resignation_effect": "another service receiving the resignation",
    }
)


def check_move(
    name: str,
    *,
    tracks: Tracks,
    evidence: Evidence,
    actor: Actor,
    today: date,
    rulebook: Rulebook,
    reason: str | None = None,
) -> Move:
    """The move, if this actor may make it now.

    Raises NotPermitted (403), MoveNotOpen (409) with the plain reason, ReasonMissing (422); KeyError for a name that
    is not in the table.
    """
    move = MOVE[name]
    require(actor, move.permission)
    situation = Situation(tracks, evidence, actor, today, rulebook)
    shut = _why_shut(move, situation)
    if shut is not None:
        raise MoveNotOpen(f"“{move.label}” is not open: {shut}.", alternatives=_labels(situation))
    if move.needs_reason:
        _check_reason(move, reason)
    return move


def moves_in_call(
    name: str,
    *,
    tracks: Tracks,
    evidence: Evidence,
    actor: Actor,
    today: date,
    rulebook: Rulebook,
    reason: str | None = None,
) -> tuple[Move, ...]:
    """The move and those that are made along with it, in order, each checked where the one before leaves the case.

    A companion whose track stands elsewhere is left out; one that stands right but is refused refuses the whole call.
    """
    first = check_move(
        name, tracks=tracks, evidence=evidence, actor=actor, today=today, rulebook=rulebook, reason=reason
    )
    moves = [first]
    reached: dict[TrackName, str] = {**tracks, first.track: first.to}
    for companion in first.and_also:
        move = MOVE[companion]
        if reached.get(move.track) not in move.from_:
            continue
        moves.append(
            check_move(
                companion,
                tracks=reached,
                evidence=evidence,
                actor=actor,
                today=today,
                rulebook=rulebook,
                reason=reason,
            )
        )
        reached[move.track] = move.to
    return tuple(moves)


def open_moves(*, tracks: Tracks, evidence: Evidence, actor: Actor, today: date, rulebook: Rulebook) -> list[Move]:
    """The moves with a button of their own that this actor may make now, but for a reason still to be given."""
    situation = Situation(tracks, evidence, actor, today, rulebook)
    return [move for move in MOVES if move.alone and actor.has(move.permission) and _why_shut(move, situation) is None]


def shut_moves(
    *, tracks: Tracks, evidence: Evidence, actor: Actor, today: date, rulebook: Rulebook
) -> list[tuple[Move, str]]:
    """The moves that lead on from here but are shut to this actor now, each with the plain reason."""
    situation = Situation(tracks, evidence, actor, today, rulebook)
    shut: list[tuple[Move, str]] = []
    if situation.stage(TrackName.APPLICATION) in ENDED_APPLICATION:
        return shut
    for move in MOVES:
        if not move.alone or situation.stage(move.track) not in move.from_:
            continue
        if situation.stage(move.track) is None and not _is_next(move, situation):
            continue
        reason = _why_shut(move, situation)
        if reason is not None:
            shut.append((move, _sentence(reason)))
        elif not actor.has(move.permission):
            shut.append((move, _not_permitted_words(actor, move)))
    return shut


def warnings_for(
    name: str, *, tracks: Tracks, evidence: Evidence, actor: Actor, today: date, rulebook: Rulebook
) -> tuple[str, ...]:
    """What a person should know before making a move that the rules leave to them. Each is a whole sentence."""
    situation = Situation(tracks, evidence, actor, today, rulebook)
    return tuple(text for text in (warn(situation) for warn in _WARNINGS.get(name, ())) if text is not None)


def counted_from(clock: str, *, evidence: Evidence, today: date) -> date:
    """The day a clock counts from, when a move starts it. `today` where nothing else is known.

    Promises to an enquirer count from the day the enquiry came, the 8 months from the day the application did, the
    decision's 7 working days from the day the decision maker had both recommendation and final minutes.
    """
    chosen = _COUNTED_FROM.get(clock)
    return (chosen(evidence) if chosen is not None else None) or today


def mermaid() -> str:
    """The moves as a Mermaid state diagram, for README.md."""
    lines = ["stateDiagram-v2"]
    for track in TrackName:
        lines.append(f'    state "{TRACK_WORDS[track]}" as {track.value} {{')
        for stage in STAGES[track]:
            lines.append(f'        state "{stage_words(track, stage.value)}" as {track.value}_{stage.value}')
        for move in MOVES:
            if move.track is not track:
                continue
            for stage_name in sorted(move.from_, key=lambda one: one or ""):
                origin = "[*]" if stage_name is None else f"{track.value}_{stage_name}"
                lines.append(f"        {origin} --> {track.value}_{move.to}: {move.name}")
        lines.append("    }")
    return "\n".join(lines) + "\n"


# --- parts -------------------------------------------------------------------------------------------------------


def _why_shut(move: Move, situation: Situation) -> str | None:
    stage = situation.stage(move.track)
    if stage not in move.from_:
        return f"the household stands at “{standing_words(situation.tracks)}”"
    if move.track is TrackName.ENQUIRY and move.name != "apply" and situation.stage(TrackName.APPLICATION) is not None:
        return "the household has applied"
    for requirement in move.requires:
        reason = REQUIREMENTS[requirement](situation)
        if reason is not None:
            return reason
    return None


def _check_reason(move: Move, reason: str | None) -> None:
    if reason is None or not reason.strip():
        raise ReasonMissing(f"Give a reason: “{move.label}” is kept with one.", field="reason")
    if move.name == "withdraw" and code_of(reason) not in WITHDRAWAL_REASONS:
        raise ReasonMissing(
            "Choose one of the reasons for withdrawing.",
            field="reason",
            alternatives=tuple(WITHDRAWAL_REASONS.values()),
        )


def _is_next(move: Move, situation: Situation) -> bool:
    """Whether a move that begins a track is near enough to be worth showing as shut."""
    if move.track is TrackName.APPLICATION:
        return situation.stage(TrackName.ENQUIRY) in {"visited", "invited"}
    if move.track in {TrackName.STAGE_TWO, TrackName.PANEL_ITEM}:
        return situation.stage(TrackName.APPLICATION) == "in_assessment"
    return False


def _labels(situation: Situation) -> tuple[str, ...]:
    return tuple(
        move.label
        for move in MOVES
        if move.alone and situation.actor.has(move.permission) and _why_shut(move, situation) is None
    )


def _not_permitted_words(actor: Actor, move: Move) -> str:
    try:
        require(actor, move.permission)
    except NotPermitted as no:
        return no.message
    return ""


def _sentence(words: str) -> str:
    text = words[0].upper() + words[1:]
    return text if text.endswith(".") else text + "."


def _day(day: date) -> str:
    return f"{day:%A} {day.day} {day:%B %Y}"


def _latest(*days: date | None) -> date | None:
    known = [day for day in days if day is not None]
    return max(known) if known else None


_COUNTED_FROM: Mapping[str, Callable[[Evidence], date | None]] = MappingProxyType(
    {
        "first_contact": lambda e: e.response_counts_from or e.received_on,
        "initial_visit": lambda e: e.received_on,
        "book_visit": lambda e: e.contacted_on,
        "rebook_visit": lambda e: e.visit_on,
        "visit_outcome": lambda e: e.visit_on,
        "panel_recommendation": lambda e: e.received_on,
        "decide_to_assess": lambda e: e.received_on,
        "stage_one_decision": lambda e: e.stage_one_completed_on,
        "observations": lambda e: e.report_shared_on,
        "panel_papers": lambda e: e.panel_meeting_on,
        "panel_minutes": lambda e: e.recommendation_on,
        "adm_decision": lambda e: (
            e.irm_recommendation_received_on or _latest(e.recommendation_on, e.minutes_final_received_on)
        ),
        "oral_notice": lambda e: e.decision_on,
        "written_notice": lambda e: e.decision_on,
        "foster_care_agreement": lambda e: e.decision_on,
        "first_review": lambda e: e.effective_on or e.decision_on,
        "irm_papers": lambda e: e.response_received_on,
        "qd_response": lambda e: e.qd_notice_on,
    }
)


# --- warnings ----------------------------------------------------------------------------------------------------


def _warn_eligibility_open(s: Situation) -> str | None:
    outcome = s.evidence.eligibility_outcome
    if outcome is None:
        return "The eligibility check has not been recorded."
    if outcome == "not_now":
        return "The eligibility check came out as not now."
    return None


def _warn_visit_outcome(s: Situation) -> str | None:
    outcome = s.evidence.visit_outcome
    if outcome in {"decline", "not_now", "second_visit"}:
        return "The visiting officer recommended something else: keep your reasons with the sign-off."
    return None


def _warn_past_eight_months(s: Situation) -> str | None:
    limit = s.evidence.application_due_on
    meeting = s.evidence.panel_meeting_on
    if limit is not None and meeting is not None and meeting > limit:
        return f"This meeting is after the 8 months, which end on {_day(limit)}. Record why."
    return None


def _warn_late_papers(s: Situation) -> str | None:
    meeting = s.evidence.panel_meeting_on
    if meeting is None:
        return None
    papers_by = s.rulebook.due_on("panel_papers", meeting)
    sent_on = s.evidence.panel_papers_sent_on or s.today
    if sent_on > papers_by:
        return (
            f"Members should have the papers by {_day(papers_by)}, "
            f"{s.rulebook.deadline('panel_papers').length_words} before the meeting."
        )
    return None


def _warn_stages_overlap(s: Situation) -> str | None:
    if s.stage(TrackName.STAGE_TWO) is not None:
        return "Stage 2 has begun. Take legal advice before refusing at Stage 1: the guidance is not of one mind."
    return None


def _warn_against_panel(s: Situation) -> str | None:
    if s.evidence.panel_recommendation == "not_suitable":
        return "The panel recommended not suitable. Consult a senior colleague and keep the note."
    return None


def _warn_against_panel_no(s: Situation) -> str | None:
    if s.evidence.panel_recommendation == "suitable":
        return "The panel recommended suitable. Consult a senior colleague and keep the note."
    return None


_WARNINGS: Mapping[str, tuple[Callable[[Situation], str | None], ...]] = MappingProxyType(
    {
        "book_visit": (_warn_eligibility_open,),
        "invite_to_apply": (_warn_eligibility_open, _warn_visit_outcome),
        "refuse_stage_one": (_warn_stages_overlap,),
        "list_for_panel": (_warn_past_eight_months, _warn_late_papers),
        "approve": (_warn_against_panel,),
        "issue_qd": (_warn_against_panel_no,),
    }
)
