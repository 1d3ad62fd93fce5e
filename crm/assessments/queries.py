"""Reads of assessments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import Any, cast

from sqlalchemy import Date, Integer, Select, bindparam, false, func, or_, select, tuple_
from sqlalchemy.orm import joinedload, selectinload

from crm.access.models import User
from crm.assessments.models import (
    TOOK_PART,
    Answer,
    Application,
    AssessmentReport,
    CentralListMember,
    Check,
    CheckResult,
    Decision,
    DecisionKind,
    Notice,
    PanelAttendance,
    PanelItem,
    PanelMeeting,
    PanelMember,
    StageOneDecision,
)
from crm.cases.models import AssignmentRole, Band, Case, CaseAssignment, Deadline, Household, Person, Track
from crm.cases.queries import visible_cases
from crm.db import db, no_more_than, read
from crm.rules.panel import Attendance, QuorumFigures, Seat, quorum_shortfalls
from crm.rules.permissions import Actor, ActorKind, Role
from crm.rules.refusal import Refusal
from crm.rules.stages import TrackName
from crm.rules.transitions import Evidence


class NothingThere(Refusal):
    """No such check, meeting or item, or not one of this household."""

    default_status = 404


# --- One household ----------------------------------------------------------------------------------------------------


def application_of(case: Case) -> Application | None:
    """The newest application of a case."""
    return db.session.scalars(_APPLICATION, {"case_id": case.id}).first()


_APPLICATION = select(Application).where(Application.case_id == bindparam("case_id")).order_by(Application.id.desc())


def the_application(case: Case) -> Application:
    """The newest application of a case. Raises NothingThere."""
    application = application_of(case)
    if application is None:
        raise NothingThere(f"{case.household.name} has not applied yet.", status=409)
    return application


def checks_of(application: Application) -> list[Check]:
    """Every check of an application that was ever needed, in the order of the law."""
    return list(
        db.session.scalars(
            select(Check)
            .where(Check.application_id == application.id)
            .options(joinedload(Check.person))
            .order_by(Check.id)
        )
    )


def check_of(case: Case, check_id: int) -> Check:
    """One check of this household. Raises NothingThere."""
    check = db.session.get(Check, check_id)
    if check is None or check.case_id != case.id:
        raise NothingThere("We can’t find that check for this household.")
    return check


def next_check(case: Case, after: Check) -> int | None:
    """The check to record after this one: of those that are needed and not in, the next of the list, else the first."""
    waiting = [
        check.id
        for check in checks_of(the_application(case))
        if check.is_needed and not check.is_obtained and check.id != after.id
    ]
    return next((number for number in waiting if number > after.id), waiting[0] if waiting else None)


def stage_one_decision_of(application: Application) -> StageOneDecision | None:
    return db.session.scalars(_STAGE_ONE_DECISION, {"application_id": application.id}).first()


def report_of(application: Application) -> AssessmentReport | None:
    """The newest report, with its sections."""
    return db.session.scalars(
        select(AssessmentReport)
        .where(AssessmentReport.application_id == application.id)
        .options(selectinload(AssessmentReport.sections))
        .order_by(AssessmentReport.id.desc())
    ).first()


def items_of(case: Case) -> list[PanelItem]:
    """Every time the household was on an agenda, the newest first, with meeting, members and attendance."""
    return list(
        db.session.scalars(
            select(PanelItem)
            .where(PanelItem.case_id == case.id)
            .options(
                joinedload(PanelItem.meeting).selectinload(PanelMeeting.members),
                selectinload(PanelItem.attendances),
            )
            .order_by(PanelItem.id.desc())
        )
    )


def waiting_item(items: Iterable[PanelItem]) -> PanelItem | None:
    """The item that panel has not dealt with yet."""
    return next((item for item in items if item.outcome is None), None)


def recommended_item(items: Iterable[PanelItem]) -> PanelItem | None:
    """The newest item that ended in a recommendation."""
    return next((item for item in items if item.outcome == "recommended"), None)


def decisions_of(application: Application) -> list[Decision]:
    """Every decision made on an application, the newest first."""
    return list(
        db.session.scalars(
            select(Decision).where(Decision.application_id == application.id).order_by(Decision.id.desc())
        )
    )


def notices_of(case: Case) -> list[Notice]:
    return list(db.session.scalars(select(Notice).where(Notice.case_id == case.id).order_by(Notice.id)))


def answer_of(case: Case) -> Answer | None:
    """The household's answer to a proposal not to approve."""
    return db.session.scalars(select(Answer).where(Answer.case_id == case.id).order_by(Answer.id.desc())).first()


def assessor_ids_of(case: Case) -> frozenset[int]:
    """Everybody who ever assessed this household, still assigned or not."""
    return frozenset(db.session.scalars(_ASSESSORS, {"case_id": case.id}))


@dataclass(frozen=True)
class Dossier:
    """Everything about a household's application that its rules depend on, read in a fixed number of queries."""

    application: Application | None
    checks: list[Check]
    stage_one: StageOneDecision | None
    report: AssessmentReport | None
    items: list[PanelItem]
    decisions: list[Decision]
    notices: list[Notice]
    answer: Answer | None
    assessor_ids: frozenset[int]
    application_due_on: date | None

    @cached_property
    def needed_checks(self) -> list[Check]:
        """What is needed still, asked for several times over by a page."""
        return [check for check in self.checks if check.is_needed]

    @property
    def determination(self) -> Decision | None:
        """The proposal not to approve that stands."""
        return next((one for one in self.decisions if one.kind == DecisionKind.PROPOSE_NO), None)

    def notice(self, decision: Decision, kind: str) -> Notice | None:
        return next((one for one in self.notices if one.decision_id == decision.id and one.kind == kind), None)


def dossier_of(case: Case) -> Dossier:
    """Read it all. Before Stage 2 has begun there is neither report nor panel nor decision: a track, once there, stays.

    Whose a check is comes from the household, whose people are read once: not again with every check.
    """
    application = application_of(case)
    if application is None:
        return Dossier(None, [], None, None, [], [], [], None, frozenset(), None)
    words = {"application_id": application.id, "case_id": case.id}
    _people = case.household.people  # held while the checks are read, so that each finds its own among them
    known = Dossier(
        application=application,
        checks=list(db.session.scalars(_CHECKS_ALONE, words)),
        stage_one=db.session.scalars(_STAGE_ONE_DECISION, words).first(),
        report=None,
        items=[],
        decisions=[],
        notices=[],
        answer=None,
        assessor_ids=frozenset(db.session.scalars(_ASSESSORS, words)),
        application_due_on=db.session.scalars(_LIMIT, words).first(),
    )
    if TrackName.STAGE_TWO not in case.stages:
        return known
    return replace(
        known,
        report=report_of(application),
        items=items_of(case),
        decisions=decisions_of(application),
        notices=notices_of(case),
        answer=answer_of(case),
    )


_CHECKS_ALONE = select(Check).where(Check.application_id == bindparam("application_id")).order_by(Check.id)
_STAGE_ONE_DECISION = select(StageOneDecision).where(StageOneDecision.application_id == bindparam("application_id"))
_ASSESSORS = select(CaseAssignment.user_id).where(
    CaseAssignment.case_id == bindparam("case_id"), CaseAssignment.role == AssignmentRole.ASSESSOR
)
_LIMIT = (
    select(Deadline.due_on)
    .where(Deadline.case_id == bindparam("case_id"), Deadline.rule == "panel_recommendation")
    .order_by(Deadline.id.desc())
)


def report_with(report_id: int) -> AssessmentReport:
    """One report by its id. Raises NothingThere."""
    report = db.session.get(AssessmentReport, report_id)
    if report is None:
        raise NothingThere("We can’t find that report.")
    return report


def application_limit(case: Case) -> date | None:
    """The end of the 8 months of a case that has applied."""
    return db.session.scalars(_LIMIT, {"case_id": case.id}).first()


# --- What is on file, for the table of moves --------------------------------------------------------------------------


def check_words(check: Check, names: Mapping[int, str] = MappingProxyType({})) -> str:
    """Whose check and what: "Sam: enhanced DBS certificate …". ``names``: first names that are at hand, by person."""
    if check.person_id is None:
        return check.what
    name = names.get(check.person_id) or (check.person.given_name if check.person is not None else "")
    return f"{name}: {check.what}"


def stored_evidence(case: Case, today: date, *, dossier: Dossier | None = None) -> Evidence:
    """What is on file, from rows alone: what operations check moves against."""
    known = dossier or dossier_of(case)
    application = known.application
    if application is None:
        return Evidence()
    statutory = [check for check in known.needed_checks if check.is_statutory and check.needed_from_on <= today]
    names = {person.id: person.given_name for person in case.household.people}
    outstanding = tuple(check_words(check, names) for check in statutory if not check.is_obtained)
    completed = max((check.received_on for check in statutory if check.received_on), default=None)
    report = known.report
    item = waiting_item(known.items)
    recommended = recommended_item(known.items)
    determination = known.determination
    qd_notice = known.notice(determination, "written") if determination else None
    answer = known.answer
    sat = frozenset(one.user_id for each in known.items for one in each.attendances if one.presence in set(TOOK_PART))
    assessors = set(known.assessor_ids)
    if report is not None:
        assessors.add(report.written_by_id)
    shortfalls = item_shortfalls(item) if item is not None else ()
    return Evidence(
        received_on=application.received_on,
        disqualified=any(
            check.result_sealed is not None and check.result == CheckResult.DISQUALIFIED
            for check in known.needed_checks
        ),
        approved_elsewhere=application.approved_elsewhere,
        approved_elsewhere_until=application.approved_elsewhere_until,
        stage_one_outstanding=outstanding,
        stage_one_completed_on=None if outstanding else completed,
        report_kind=report.kind if report else None,
        report_countersigned=bool(report and report.countersigned_on),
        report_countersigned_by=report.countersigned_by_id if report else None,
        report_shared_on=report.shared_on if report else None,
        observations_received_on=report.observations_received_on if report else None,
        assessor_ids=frozenset(assessors),
        panel_meeting_on=item.meeting.meets_on if item else None,
        panel_quorate=item is not None and not shortfalls,
        panel_shortfalls=shortfalls,
        panel_papers_sent_on=item.papers_sent_on if item else None,
        panel_member_ids=sat,
        panel_recommendation=recommended.recommendation if recommended else None,
        recommendation_on=recommended.ended_on if recommended else None,
        minutes_final_received_on=recommended.minutes_received_on if recommended else None,
        qd_notice_on=qd_notice.noticed_on if qd_notice else None,
        response_kind=answer.kind if answer else None,
        response_received_on=answer.received_on if answer else None,
        irm_recommendation_received_on=answer.irm_received_on if answer else None,
        application_due_on=known.application_due_on,
    )


def decision_evidence(case: Case, today: date, *, dossier: Dossier | None = None) -> Evidence:
    """As stored, with whoever countersigned the report counted among those who assessed: they may not decide."""
    evidence = stored_evidence(case, today, dossier=dossier)
    signed_by = evidence.report_countersigned_by
    if signed_by is None:
        return evidence
    return replace(evidence, assessor_ids=evidence.assessor_ids | {signed_by})


def evidence_for(case: Case, today: date, *, dossier: Dossier | None = None) -> dict[str, Any]:
    """What this feature knows for the moves shown on the case page.

    Where a page asks for the last thing itself (a meeting, the reasons, the day something came), the move is shown as
    open: the page is where it is given.
    """
    if TrackName.APPLICATION not in case.stages:
        return {}
    # Only a decision minds who countersigned; sharing the report wants that signature.
    deciding = case.stages[TrackName.APPLICATION] in ("with_adm", "qd_issued")
    evidence = (decision_evidence if deciding else stored_evidence)(case, today, dossier=dossier)
    known = {
        name: getattr(evidence, name)
        for name in Evidence.__dataclass_fields__
        if getattr(evidence, name) != Evidence.__dataclass_fields__[name].default
    }
    if evidence.panel_meeting_on is None:
        known["panel_meeting_on"] = next(iter(meeting_days_ahead(today)), None)
    if case.stages.get(TrackName.PANEL_ITEM) == "listed":
        known["panel_recommendation"] = "not_suitable"
    known["reasons_given"] = True
    known["panel_recommendation_attached"] = evidence.recommendation_on is not None
    if case.stages.get(TrackName.APPLICATION) == "irm":
        known["irm_recommendation_received_on"] = today
    return known


# --- Panel ------------------------------------------------------------------------------------------------------------


def meeting_with(meeting_id: int) -> PanelMeeting:
    """One meeting with its agenda. Raises NothingThere."""
    meeting = db.session.scalars(
        select(PanelMeeting)
        .where(PanelMeeting.id == meeting_id)
        .options(
            selectinload(PanelMeeting.members),
            selectinload(PanelMeeting.items).selectinload(PanelItem.attendances),
        )
    ).first()
    if meeting is None:
        raise NothingThere("We can’t find that meeting.")
    return meeting


def meetings_ahead(today: date) -> list[PanelMeeting]:
    """Meetings today and later, the next first."""
    return list(
        db.session.scalars(
            select(PanelMeeting)
            .where(PanelMeeting.meets_on >= today)
            .options(selectinload(PanelMeeting.members), selectinload(PanelMeeting.items))
            .order_by(PanelMeeting.meets_at, PanelMeeting.id)
            .limit(50)
        )
    )


def meeting_days_ahead(today: date) -> list[date]:
    """The days of the meetings today and later, the next first."""
    return list(read(_MEETING_DAYS, {"today": today}).scalars())


_MEETING_DAYS = (
    select(PanelMeeting.meets_on)
    .where(PanelMeeting.meets_on >= bindparam("today", type_=Date))
    .order_by(PanelMeeting.meets_at, PanelMeeting.id)
    .limit(no_more_than(50))
)


def meetings_past(today: date, *, before: tuple[date, int] | None = None, limit: int = 20) -> list[PanelMeeting]:
    """Meetings that are over, the latest first."""
    query = select(PanelMeeting).where(PanelMeeting.meets_on < today)
    if before is not None:
        query = query.where(tuple_(PanelMeeting.meets_on, PanelMeeting.id) < before)
    return list(
        db.session.scalars(
            query.options(selectinload(PanelMeeting.members), selectinload(PanelMeeting.items))
            .order_by(PanelMeeting.meets_on.desc(), PanelMeeting.id.desc())
            .limit(limit)
        )
    )


def sits_at(meeting: PanelMeeting, user_id: int | None) -> bool:
    """Whether somebody has a seat at a meeting."""
    return any(member.user_id == user_id for member in meeting.members)


def attendance_rows(item: PanelItem) -> dict[int, PanelAttendance]:
    return {row.user_id: row for row in item.attendances}


def item_shortfalls(item: PanelItem, *, figures: QuorumFigures | None = None) -> tuple[str, ...]:
    """What the panel lacks to deal with one item, in plain words."""
    present = tuple(one for _user_id, one in present_at(item))
    return quorum_shortfalls(present, is_joint=item.meeting.is_joint, figures=figures)


def present_at(item: PanelItem) -> list[tuple[int, Attendance]]:
    """Who took part in an item, by user id, as the rules see them."""
    rows = attendance_rows(item)
    return [
        (
            member.user_id,
            Attendance(
                seat=Seat(member.seat),
                independent=member.is_independent,
                qualifying_social_worker=member.is_qualifying_social_worker,
                presides=rows[member.user_id].presides,
            ),
        )
        for member in item.meeting.members
        if member.user_id in rows and rows[member.user_id].presence in set(TOOK_PART)
    ]


def central_list(today: date) -> list[tuple[CentralListMember, User]]:
    """Everybody on the central list, the chair first, then by name."""
    rows = db.session.execute(
        select(CentralListMember, User).join(User, User.id == CentralListMember.user_id).order_by(User.name, User.id)
    ).all()
    order = {Seat.CHAIR: 0, Seat.VICE_CHAIR: 1, Seat.MEMBER: 2}
    return sorted(
        ((member, user) for member, user in rows if member.until_on is None or member.until_on >= today),
        key=lambda pair: order[Seat(pair[0].seat)],
    )


def openable_ids(actor: Actor, case_ids: Iterable[int], *, today: date) -> frozenset[int]:
    """Which of these cases this person may open."""
    ids = list(case_ids)
    if not ids:
        return frozenset()
    return frozenset(db.session.scalars(select(Case.id).where(Case.id.in_(ids), visible_cases(actor, today=today))))


def households_of(items: Iterable[PanelItem]) -> dict[int, Case]:
    """The cases of these items with their households, by case id, in two queries."""
    ids = {item.case_id for item in items}
    if not ids:
        return {}
    found = db.session.scalars(
        select(Case).where(Case.id.in_(ids)).options(joinedload(Case.household), selectinload(Case.tracks))
    )
    return {case.id: case for case in found}


def cases_ready_for_panel(actor: Actor, *, today: date, limit: int = 20) -> list[Case]:
    """Households whose report is ready and who are on no agenda, the nearest 8-month limit first."""
    ready = (
        select(Track.case_id)
        .where(Track.case_id == Case.id, Track.name == TrackName.STAGE_TWO, Track.stage == "ready_for_panel")
        .exists()
    )
    listed = select(PanelItem.id).where(PanelItem.case_id == Case.id, PanelItem.outcome.is_(None)).exists()
    waiting = (
        select(Track.case_id)
        .where(
            Track.case_id == Case.id,
            Track.name == TrackName.APPLICATION,
            Track.stage.in_(("in_assessment", "with_panel", "representations")),
        )
        .exists()
    )
    undecided = ~(
        select(Track.case_id)
        .where(Track.case_id == Case.id, Track.name == TrackName.PANEL_ITEM, Track.stage == "recommended")
        .exists()
    )
    return list(
        db.session.scalars(
            select(Case)
            .where(
                Case.is_open,
                Case.place.in_(("in_assessment", "with_panel", "proposed_no")),
                ready,
                waiting,
                ~listed,
                undecided | (Case.place == "proposed_no"),
                visible_cases(actor, today=today),
            )
            .options(joinedload(Case.household), selectinload(Case.tracks))
            .order_by(Case.application_received_on, Case.id)
            .limit(limit)
        )
    )


# --- Lists ------------------------------------------------------------------------------------------------------------

PLACES_IN_ASSESSMENT = ("received", "in_assessment", "with_panel", "with_decision_maker", "proposed_no")
PAGE = 50


@dataclass(frozen=True, slots=True)
class ApplicationRow:
    """One line of the list of applications."""

    case_id: int
    reference: str
    names: str
    stages: dict[TrackName, str]
    next_action: str | None
    due_on: date | None
    limit_on: date | None
    """When the panel must have recommended; None once that clock has stopped."""
    who: str
    """The assessor or, where there is none, the owner."""


def applications_page(
    actor: Actor,
    *,
    today: date,
    place: str | None = None,
    after: tuple[date, int] | None = None,
    limit: int = PAGE,
) -> tuple[list[ApplicationRow], tuple[date, int] | None]:
    """Open applications this person may open, the nearest clock first, and where to go on from (None at the end).

    Two queries, however many there are.
    """
    if actor.kind != ActorKind.STAFF or actor.user_id is None:
        return [], None
    place = place if place in PLACES_IN_ASSESSMENT else None
    words: dict[str, Any] = {"me": actor.user_id, "today": today}
    if place is not None:
        words["place"] = place
    if after is not None:
        words["after_due"], words["after_id"] = after
    statement = _applications(actor.roles, place is not None, after is not None, limit + 1)
    rows_found = read(statement, words).all()
    found = sorted(rows_found, key=lambda row: (row.next_action_due_on, row.id))
    shown = found[:limit]
    stages: dict[int, dict[TrackName, str]] = {row.id: {} for row in shown}
    if shown:
        for case_id, name, stage in read(_STAGES, {"ids": list(stages)}):
            stages[case_id][_TRACK_NAMES[name]] = stage
    rows = [
        ApplicationRow(
            case_id=row.id,
            reference=row.reference,
            names=row.names,
            stages=stages[row.id],
            next_action=row.next_action,
            due_on=row.next_action_due_on,
            limit_on=row.limit_on,
            who=row.assessor or row.owner or "",
        )
        for row in shown
    ]
    more = (shown[-1].next_action_due_on, shown[-1].id) if len(found) > limit else None
    return rows, more


# Plain tables, not mapped classes: a list needs no objects, and drawing one costs a third of the time.
_CASE, _TRACK, _PART = Case.__table__.c, Track.__table__.c, CaseAssignment.__table__.c
_CLOCK, _HOME, _USER = Deadline.__table__.c, Household.__table__.c, User.__table__.c
_TRACK_NAMES = {str(name): name for name in TrackName}
_STAGES = select(_TRACK.case_id, _TRACK.name, _TRACK.stage).where(_TRACK.case_id.in_(bindparam("ids", expanding=True)))
_ONLY_THEIR_PART = frozenset({Role.OFFICER, Role.PANEL_MEMBER, Role.ADMINISTRATOR})


@lru_cache(maxsize=256)
def _applications(roles: frozenset[Role], of_a_place: bool, goes_on: bool, most: int) -> Select[Any]:
    """The statement of a page of the list, built once for everybody with these roles.

    The page is cut from one end of an index before anything is looked up beside it.
    """
    me, today = bindparam("me", type_=Integer), bindparam("today", type_=Date)
    query = select(
        _CASE.id,
        _CASE.reference,
        _CASE.household_id,
        _CASE.owner_id,
        _CASE.next_action,
        _CASE.next_action_due_on,
    ).where(_CASE.is_open, _CASE.place == bindparam("place") if of_a_place else _CASE.band == Band.APPLICATION)
    if roles <= _ONLY_THEIR_PART:
        # Begins with the few cases that somebody has a part in, where asking of each case would read all there are.
        parts = select(_PART.case_id).where(
            _PART.user_id == me, _PART.from_on <= today, or_(_PART.until_on.is_(None), _PART.until_on >= today)
        )
        query = query.where(_CASE.id.in_(parts) if roles - {Role.ADMINISTRATOR} else false())
    else:
        anybody = Actor(kind=ActorKind.STAFF, user_id=cast(int, me), roles=roles)
        query = query.where(visible_cases(anybody, today=cast(date, today)))
    if goes_on:
        query = query.where(
            tuple_(_CASE.next_action_due_on, _CASE.id)
            > tuple_(bindparam("after_due", type_=Date), bindparam("after_id", type_=Integer))
        )
    page = query.order_by(_CASE.next_action_due_on, _CASE.id).limit(no_more_than(most)).subquery("page")
    limit_on = (
        select(func.min(_CLOCK.due_on))
        .where(_CLOCK.case_id == page.c.id, _CLOCK.rule == "panel_recommendation", _CLOCK.stopped_on.is_(None))
        .scalar_subquery()
    )
    assessor = (
        select(_USER.name)
        .join(CaseAssignment.__table__, _PART.user_id == _USER.id)
        .where(_PART.case_id == page.c.id, _PART.role == AssignmentRole.ASSESSOR)
        .order_by(_PART.id.desc())
        .limit(no_more_than(1))
        .scalar_subquery()
    )
    owner = User.__table__.alias("owner")
    return (
        select(
            page,
            _HOME.name.label("names"),
            owner.c.name.label("owner"),
            limit_on.label("limit_on"),
            assessor.label("assessor"),
        )
        .select_from(page)
        .join(Household.__table__, _HOME.id == page.c.household_id)
        .outerjoin(owner, owner.c.id == page.c.owner_id)
    )


def live_people(case: Case) -> list[Person]:
    """Those who live there still, and children of the family elsewhere."""
    return [person for person in case.household.people if person.left_household_on is None]


def members_of(meeting: PanelMeeting) -> list[PanelMember]:
    """Seats in the order they are read out: chair, vice-chair, members."""
    order = {Seat.CHAIR: 0, Seat.VICE_CHAIR: 1, Seat.MEMBER: 2}
    return sorted(meeting.members, key=lambda member: (order[Seat(member.seat)], member.id))
