"""The list of applications, and one household's assessment at a glance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache, partial
from typing import Any

from flask import Response, make_response, request

from crm import policy
from crm.access.guards import current_actor, requires
from crm.access.queries import names_of
from crm.assessments import course_queries, documents, queries, referees, sessions
from crm.assessments.forecast import forecast
from crm.assessments.matrix import matrix_of
from crm.assessments.minutes_words import minutes_shown
from crm.assessments.models import DECISION_WORDS, RECOMMENDATION_WORDS, DecisionKind, Recommendation
from crm.assessments.review_queries import reviews_of
from crm.assessments.stage_two import headings_without_evidence, missing_sections, observations_ends
from crm.assessments.terms import terms_of
from crm.assessments.views import assessments
from crm.cases import breaches
from crm.cases.clocks import running_clocks
from crm.cases.models import Case, Deadline
from crm.cases.queries import case_for, case_head, clock_words, is_on_case
from crm.clock import now_utc, today_in_london
from crm.rules import transitions
from crm.rules.breaches import days_over
from crm.rules.permissions import Actor, Permission, Sensitivity, may_see
from crm.rules.rulebook import Rulebook
from crm.rules.stages import TrackName, standing_words
from crm.rules.transitions import Evidence, Move
from crm.web.forms import BaseForm
from crm.web.pages import render
from crm.web.sightings import records_view, saw

P = Permission
MAY_LOOK = (
    P.RECORD_CHECK,
    P.WRITE_ASSESSMENT,
    P.RECORD_APPLICATION,
    P.VIEW_PANEL_CASES,
    P.SIT_ON_PANEL,
    P.MAKE_DECISION,
)


@dataclass(frozen=True)
class Looking:
    """Who looks at which household, when, under which rules."""

    actor: Actor
    now: datetime
    today: date
    rulebook: Rulebook
    case: Case

    @property
    def doing(self) -> dict[str, Any]:
        """What every operation is told."""
        return {"actor": self.actor, "now": self.now, "today": self.today, "rulebook": self.rulebook}

    @property
    def base(self) -> str:
        return f"/cases/{self.case.reference}"


def look(reference: str) -> Looking:
    """Load a household for whoever asks. Fetching it and being allowed to are one act."""
    actor, now, today = current_actor(), now_utc(), today_in_london()
    return Looking(actor, now, today, policy.rulebook_on(today), case_for(actor, reference, today=today))


def seen_of(form: BaseForm) -> int | None:
    """The state that the person looked at, when their form carries one."""
    text = form.seen.data or ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def reads_report(looking: Looking) -> bool:
    """Whether what was written about this household is for this person: its report, and the notes of facilitators."""
    return may_see(
        looking.actor,
        Sensitivity.PERSONAL,
        subject_person_id=None,
        on_case=is_on_case(looking.actor, looking.case, today=looking.today),
    )


def case_page(
    template: str,
    looking: Looking,
    form: BaseForm | None = None,
    *,
    running: Sequence[Deadline] | None = None,
    **context: Any,
) -> Response:
    """A page of one household's assessment. One that has read its running clocks hands them on."""
    body = render(
        template,
        here="assessments",
        head=case_head(looking.case, today=looking.today, rulebook=looking.rulebook, running=running),
        case=looking.case,
        today=looking.today,
        base=looking.base,
        form=form,
        **context,
    )
    return make_response(body, form.status if form is not None else 200)


# --- The list ---------------------------------------------------------------------------------------------------------

PLACE_WORDS = (
    ("", "All"),
    ("received", "Received"),
    ("in_assessment", "In assessment"),
    ("with_panel", "With panel"),
    ("with_decision_maker", "With decision maker"),
    ("proposed_no", "Told we propose no"),
)


@assessments.get("/assessments")
@requires(any_of=(P.RECORD_CHECK, P.WRITE_ASSESSMENT))
def index() -> str:
    """Open applications, the nearest clock first."""
    actor, today = current_actor(), today_in_london()
    rulebook = policy.rulebook_on(today)
    place = request.args.get("place", "")
    place = place if place in dict(PLACE_WORDS) else ""
    rows, more = queries.applications_page(actor, today=today, place=place or None, after=_after())
    say = lru_cache(maxsize=None)(partial(rulebook.say_due, today=today))  # a list is full of the same dates
    lines = [
        (
            row,
            standing_words(row.stages),
            say("decide_to_assess", row.due_on) if row.due_on else None,
            say("panel_recommendation", row.limit_on) if row.limit_on else None,
        )
        for row in rows
    ]
    query = f"place={place}&" if place else ""
    return render(
        "assessments/index.html",
        here="assessments",
        lines=lines,
        chips_items=[
            (words, f"/assessments?place={key}" if key else "/assessments", key == place) for key, words in PLACE_WORDS
        ],
        later=f"/assessments?{query}after={more[0].isoformat()}_{more[1]}" if more else "",
        is_first=_after() is None,
        place=place,
    )


def _after() -> tuple[date, int] | None:
    day, _, number = request.args.get("after", "").partition("_")
    try:
        return (date.fromisoformat(day), int(number)) if number.isdigit() and len(number) < 12 else None
    except ValueError:
        return None


# --- One household ----------------------------------------------------------------------------------------------------

MOVE_PATHS: dict[str, str] = {
    "receive_application": "application/new",
    "decide_to_assess": "assessment/decide-to-assess",
    "pass_stage_one": "assessment/stage-one",
    "refuse_stage_one": "assessment/stage-one",
    "start_stage_two": "assessment/stage-two",
    "share_report": "assessment/share",
    "ready_for_panel": "assessment/ready",
    "list_for_panel": "panel",
    "return_to_panel": "panel",
    "record_recommendation": "panel/recommendation",
    "defer_item": "panel/defer",
    "send_to_decision_maker": "panel/minutes",
    "approve": "decision",
    "continue_assessment": "decision",
    "issue_qd": "decision",
    "confirm_refusal": "decision",
    "receive_representations": "answer",
    "apply_irm": "answer",
    "record_irm_recommendation": "answer",
    "withdraw": "assessment/withdraw",
}
"""Where each move of this feature is made, under the household's address."""


def _moves(looking: Looking, evidence: Evidence) -> tuple[list[tuple[Move, str]], list[tuple[Move, str]]]:
    question: dict[str, Any] = {
        "tracks": looking.case.stages,
        "evidence": evidence,
        "actor": looking.actor,
        "today": looking.today,
        "rulebook": looking.rulebook,
    }
    opened: dict[str, tuple[Move, str]] = {}
    # What leads on comes first, what ends or pauses the journey last: those are the moves kept with a reason.
    for move in sorted(transitions.open_moves(**question), key=lambda move: move.needs_reason):
        if move.name in MOVE_PATHS:
            path = f"{looking.base}/{MOVE_PATHS[move.name]}"
            opened.setdefault(path, (move, path))
    shut = [(move, why) for move, why in transitions.shut_moves(**question) if move.name in MOVE_PATHS]
    return list(opened.values()), shut


@assessments.get("/cases/<reference>/assessment")
@requires(any_of=MAY_LOOK)
@records_view("assessment")
def overview(reference: str) -> Response:
    """Forecast, checks by person, Stage 2 beside them, and what opens next. Nothing here says what a check found."""
    looking = look(reference)
    case, today, rulebook = looking.case, looking.today, looking.rulebook
    saw(case_id=case.id, subject=f"case:{case.reference}")
    known = queries.dossier_of(case)
    clocks = running_clocks(case)
    evidence = Evidence(**queries.evidence_for(case, today, dossier=known)) if known.application else Evidence()
    opened, shut = _moves(looking, evidence)
    report = known.report
    item = known.items[0] if known.items else None
    decision = known.decisions[0] if known.decisions else None
    people = [*known.assessor_ids]
    people += [decision.decided_by_id] if decision else []
    people += [one for one in (report.written_by_id, report.countersigned_by_id) if one] if report else []
    in_stage_two = known.application if TrackName.STAGE_TWO in case.stages else None
    held = sessions.sessions_of(in_stage_two) if in_stage_two else []
    found = reviews_of(in_stage_two) if in_stage_two else []
    people += [one.by_id for one in found]
    last_day = transitions.stage_one_refusal_last_day(evidence, rulebook)
    return case_page(
        "assessments/overview.html",
        looking,
        running=clocks,
        known=known,
        opened=opened,
        shut=shut,
        matrix=matrix_of(case, known, clocks, today=today, rulebook=rulebook) if known.application else None,
        forecast=forecast(
            known,
            case.stages,
            clocks,
            {track.name: track.since_on for track in case.tracks},
            next_meetings=queries.meeting_days_ahead(today),
            today=today,
            rulebook=rulebook,
        ),
        report=report,
        missing=missing_sections(report) if report else [],
        bare=headings_without_evidence(report) if report else [],
        sessions=held,
        reviews=found,
        shows_reviews=reads_report(looking),
        comment_ends=observations_ends(report.shared_on, rulebook) if report and report.shared_on else None,
        item=item,
        minutes=minutes_shown(item) if item and item.minutes_received_on else None,
        item_words=RECOMMENDATION_WORDS[Recommendation(item.recommendation)] if item and item.recommendation else "",
        decision=decision,
        decision_words=DECISION_WORDS[DecisionKind(decision.kind)] if decision else "",
        decision_terms=terms_of(decision).words if decision else None,
        names=names_of(people),
        last_day=last_day,
        evidence=evidence,
        stages=case.stages,
        on_case=is_on_case(looking.actor, case, today=today),
        is_transfer=bool(known.application and known.application.approved_elsewhere),
        can_record=looking.actor.has(P.RECORD_CHECK),
        referees=[
            (one, referees.standing_of(one, now=looking.now)) for one in referees.referees_of(case) if one.is_in_place
        ],
        documents=_documents(looking) if looking.actor.has(P.RECORD_CHECK) else [],
        missed=_missed(looking),
        prepared=course_queries.prepared(case, course_queries.preparation_of(case), now=looking.now),
    )


@dataclass(frozen=True)
class MissedClock:
    """A limit of law or standards that was missed, and the reason in force."""

    id: int
    what: str
    due_on: date
    days_over: int
    is_running: bool
    reason: breaches.GivenReason | None


def _missed(looking: Looking) -> list[MissedClock]:
    """What was missed on the way, the newest first. Two queries."""
    clocks = breaches.missed_of(looking.case, today=looking.today)
    reads = reads_report(looking) if clocks else False
    given = breaches.reasons_of([clock.id for clock in clocks], with_words=reads)
    in_force = {one.deadline_id: one for one in given if one.is_in_force}
    return [
        MissedClock(
            id=clock.id,
            what=clock_words(clock, looking.rulebook),
            due_on=clock.due_on,
            days_over=days_over(clock.due_on, clock.stopped_on, today=looking.today),
            is_running=clock.stopped_on is None,
            reason=in_force.get(clock.id),
        )
        for clock in clocks
    ]


def _documents(looking: Looking) -> list[tuple[str, list[documents.DocumentLine]]]:
    """Whose documents are how far: for each applicant, and the household."""
    people = {person.id: person.given_name for person in looking.case.household.people}
    return [
        (people[person_id] if person_id is not None else "The household", group)
        for person_id, group in documents.lines_of(looking.case, today=looking.today).items()
        if group
    ]
