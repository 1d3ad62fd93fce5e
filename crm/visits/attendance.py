"""What happened on the day: it went ahead, nobody was in, or the officer left because it was not safe."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from crm.audit import record
from crm.cases import clocks, home_visits, summary, timeline
from crm.cases.change_stage import change_stage, claim_version
from crm.cases.models import Case
from crm.cases.tasks import add_task
from crm.clock import london_date
from crm.delivery.wording import clock_time, day
from crm.rules.permissions import Actor, Permission, Role, Sensitivity, require
from crm.rules.refusal import Refusal
from crm.rules.rulebook import Rulebook
from crm.rules.stages import TrackName
from crm.visits import queries, telling, watching
from crm.visits.booking import claim_visit, free_officers
from crm.visits.models import Visit, VisitStatus
from crm.visits.telling import Occasion

EARLY = timedelta(minutes=30)
"""An officer may be let in before the time."""
MISSED_BEFORE_LETTER = 2


class NotTheirVisit(Refusal):
    """Only those who made a visit say what happened at it."""

    default_status = 403


class VisitStillToCome(Refusal):
    """The visit has not happened yet."""


def may_record(visit: Visit, actor: Actor) -> bool:
    """Whether this person may say what happened at the visit: one of its officers, or a manager for them."""
    if not actor.has(Permission.RECORD_VISIT):
        return False
    return actor.user_id in visit.officer_ids or Role.MANAGER in actor.roles


def check_may_record(visit: Visit, actor: Actor) -> None:
    """Raises NotPermitted or NotTheirVisit."""
    require(actor, Permission.RECORD_VISIT)
    if not may_record(visit, actor):
        raise NotTheirVisit("Only the officers who made this visit, or a manager, can say what happened at it.")


def record_visit(
    visit: Visit,
    case: Case,
    *,
    held_from_at: datetime,
    held_until_at: datetime,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
) -> Visit:
    """Record that a visit went ahead, from when to when. The clock for its outcome runs from that day.

    Raises NotTheirVisit, VisitStillToCome, VisitHasChanged, VisitIsOver.
    """
    check_may_record(visit, actor)
    if now < visit.starts_at - EARLY or held_from_at > now:
        raise VisitStillToCome("This visit is still to come. Record it once you are there.", field="held_from")
    if held_until_at <= held_from_at:
        raise VisitStillToCome("It ended after it began: check the two times.", status=422, field="held_until")
    if abs(held_from_at - visit.starts_at) > timedelta(hours=12) or held_until_at - held_from_at > timedelta(hours=12):
        raise VisitStillToCome("Those times are not on the day of the visit.", status=422, field="held_from")
    claim_version(case, None)
    claim_visit(visit, seen)
    visit.status, visit.settled_at = VisitStatus.DONE, now
    visit.held_from_at, visit.held_until_at = held_from_at, held_until_at
    held_on = london_date(visit.starts_at)
    timeline.add(
        case,
        kind="visit",
        title=f"Visit made: {day(held_from_at)}, {clock_time(held_from_at)} to {clock_time(held_until_at)}",
        actor=actor,
        occurred_at=now,
    )
    _record("visit.held", visit, actor=actor, now=now)
    if held_until_at <= now:  # who writes it down from inside is not out yet
        watching.note_recorded(visit, actor=actor, now=now)
    home_visits.was_held(case, queries.held_visit(visit), actor=actor, now=now, today=today, rulebook=rulebook)
    if _moves(visit, case):
        change_stage(case, "record_visit", actor=actor, now=now, today=today, rulebook=rulebook, effective_on=held_on)
    else:
        summary.refresh(case, today=today, rulebook=rulebook)
    return visit


def record_no_access(
    visit: Visit,
    case: Case,
    *,
    note: str,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
    write_to_household: bool = True,
    was_refused: bool = False,
) -> Visit:
    """Record that nobody was in, or that they did not let us in (``was_refused``). The first time another date is due;
    the second time the household is to be written to. Whoever was refused rings: no letter says that we found nobody.

    Both clocks count from the day of the visit, however late it is written down. After the second a manager closes
    the enquiry or lets it go on: a program never does. Raises NotTheirVisit, VisitStillToCome, VisitIsOver.
    """
    check_may_record(visit, actor)
    if now < visit.starts_at:
        raise VisitStillToCome("This visit is still to come. Wait until its time before you write that nobody was in.")
    missed_on = london_date(visit.starts_at)
    claim_version(case, None)
    claim_visit(visit, seen)
    _settle(visit, VisitStatus.NO_ACCESS, note=note, now=now)
    missed = queries.missed_visits(case)
    again = missed >= MISSED_BEFORE_LETTER
    what = "Not let in" if was_refused else "Nobody in"
    timeline.add(
        case,
        kind="visit",
        title=f"{what}: {day(visit.starts_at)}, {clock_time(visit.starts_at)}{', the second time' if again else ''}",
        detail=note or None,
        actor=actor,
        occurred_at=now,
    )
    _record("visit.no_access", visit, actor=actor, now=now, detail={"missed": missed, "refused": was_refused})
    watching.note_recorded(visit, actor=actor, now=now)
    if _moves(visit, case):
        change_stage(
            case, "visit_fell_through", actor=actor, now=now, today=today, rulebook=rulebook, effective_on=missed_on
        )
        if again:
            clocks.stop(case, ("rebook_visit",), on=today, how="ended")
            clocks.start(case, "no_access_letter", counted_from=missed_on, rulebook=rulebook)
    elif case.owner_id is not None:
        add_task(
            title=f"Offer another date: {what.lower()} on {day(visit.starts_at)}",
            assigned_to_id=case.owner_id,
            due_on=rulebook.due_on("rebook_visit", missed_on),
            actor=actor,
            now=now,
            case=case,
        )
    if was_refused and case.owner_id is not None:
        add_task(
            title=f"They did not let us in on {day(visit.starts_at)}. Ring them and find out why",
            assigned_to_id=case.owner_id,
            due_on=today,
            actor=actor,
            now=now,
            case=case,
        )
    if write_to_household and not was_refused:
        ring_by = rulebook.due_on("no_access_letter", missed_on) if again else None
        telling.tell_missed(
            visit,
            case,
            Occasion(actor=actor, now=now, today=today, rulebook=rulebook),
            ring_by=ring_by if ring_by and ring_by > today else None,
        )
    summary.refresh(case, today=today, rulebook=rulebook)
    return visit


def record_abandoned(
    visit: Visit,
    case: Case,
    *,
    note: str,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
) -> Visit:
    """Record that the officer left because it was not safe. The household gets no letter; the case's owner a task.

    What happened is kept as a safety matter. Raises NotTheirVisit, VisitStillToCome, VisitIsOver.
    """
    check_may_record(visit, actor)
    if now < visit.starts_at - EARLY:
        raise VisitStillToCome("This visit is still to come.")
    if not note.strip():
        raise VisitStillToCome("Say what happened, so that nobody else walks into it.", status=422, field="note")
    claim_version(case, None)
    claim_visit(visit, seen)
    _settle(visit, VisitStatus.ABANDONED_SAFETY, note=note, now=now)
    timeline.add(
        case,
        kind="visit",
        title=f"Visit ended early: {day(visit.starts_at)}, {clock_time(visit.starts_at)}",
        detail=note,
        sensitivity=Sensitivity.SAFETY,
        actor=actor,
        occurred_at=now,
    )
    _record("visit.abandoned", visit, actor=actor, now=now)
    watching.note_recorded(visit, actor=actor, now=now)
    if case.owner_id is not None:
        add_task(
            title="A visit was left because it was not safe. Talk to the officer and decide what is next",
            assigned_to_id=case.owner_id,
            due_on=today,
            actor=actor,
            now=now,
            case=case,
        )
    if _moves(visit, case):
        change_stage(
            case,
            "visit_fell_through",
            actor=actor,
            now=now,
            today=today,
            rulebook=rulebook,
            effective_on=london_date(visit.starts_at),
        )
    else:
        summary.refresh(case, today=today, rulebook=rulebook)
    return visit


def _moves(visit: Visit, case: Case) -> bool:
    return visit.moves_enquiry and case.stages.get(TrackName.ENQUIRY) == "visit_booked"


def _settle(visit: Visit, status: VisitStatus, *, note: str, now: datetime) -> None:
    visit.status, visit.settled_at = status, now
    visit.settled_note = note.strip() or None
    free_officers(visit)


def _record(event: str, visit: Visit, *, actor: Actor, now: datetime, detail: dict[str, object] | None = None) -> None:
    record(event, actor=actor, at=now, case_id=visit.case_id, subject=f"visit:{visit.id}", detail=detail)
