"""What to know before going to a home, and that nobody goes alone where that was said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from crm.access.queries import names_of
from crm.audit import record
from crm.cases import timeline
from crm.cases.change_stage import claim_version
from crm.cases.models import Case, Household
from crm.cases.tasks import add_task
from crm.db import db
from crm.delivery.wording import clock_time, day
from crm.rules.permissions import Actor, Permission, Sensitivity, require
from crm.rules.refusal import Refusal
from crm.visits import offers
from crm.visits.day_models import NOTE_WORDS, HomeNote, NoteKind
from crm.visits.models import Place, Visit, VisitStatus


class NotAlone(Refusal):
    """One officer alone may not go to this household."""

    default_status = 422


@dataclass(frozen=True)
class Known:
    """One thing known of a home, as it is shown."""

    kind: NoteKind
    title: str
    words: str
    set_at: datetime
    set_by: str


def open_notes(household_id: int) -> list[HomeNote]:
    """What is known of a home now, the oldest first."""
    return list(
        db.session.scalars(
            select(HomeNote)
            .where(HomeNote.household_id == household_id, HomeNote.ended_at.is_(None))
            .order_by(HomeNote.id)
        )
    )


def known_of(case: Case) -> list[Known]:
    """What is known of a home, in the order in which one comes upon it."""
    notes = open_notes(case.household_id)
    names = names_of(note.set_by_id for note in notes)
    order = list(NoteKind)
    return [
        Known(
            kind=NoteKind(note.kind),
            title=NOTE_WORDS[NoteKind(note.kind)],
            words=note.words or "",
            set_at=note.set_at,
            set_by=names.get(note.set_by_id or 0, ""),
        )
        for note in sorted(notes, key=lambda one: order.index(NoteKind(one.kind)))
    ]


def words_by_kind(notes: Sequence[Known]) -> dict[NoteKind, str]:
    """The words of each kind; where two households became one, those of both."""
    found: dict[NoteKind, str] = {}
    for note in notes:
        found[note.kind] = f"{found[note.kind]}\n{note.words}" if note.kind in found else note.words
    return found


def set_notes(case: Case, words: Mapping[NoteKind, str], *, actor: Actor, now: datetime, today: date) -> None:
    """Say what there is to know of a home, all of it: a kind left empty ends.

    Where nobody may go alone from now on, the case's owner gets a task for each visit that one officer was to make, and
    for the link by which they can choose a time for one. Whoever books meanwhile waits: the case is held, then the
    household. Raises CaseHasMovedOn.
    """
    require(actor, Permission.BOOK_VISIT)
    claim_version(case, None)
    db.session.refresh(case.household, with_for_update=True)
    before = words_by_kind(known_of(case))
    changed = [kind for kind in NoteKind if (words.get(kind) or "").strip() != before.get(kind, "").strip()]
    for note in open_notes(case.household_id):
        if note.kind in changed:
            note.ended_at, note.ended_by_id = now, actor.user_id
    for kind in changed:
        said = (words.get(kind) or "").strip()
        if said:
            note = HomeNote(household_id=case.household_id, kind=kind, set_at=now, set_by_id=actor.user_id)
            note.words = said
            db.session.add(note)
        is_care = kind in (NoteKind.RISK, NoteKind.NOT_ALONE)
        timeline.add(
            case,
            kind="visit",
            title=f"{NOTE_WORDS[kind]}: {'noted' if said else 'no longer so'}",
            detail=said or None,
            sensitivity=Sensitivity.SAFETY if is_care else Sensitivity.ORDINARY,
            actor=actor,
            occurred_at=now,
        )
    if changed:
        db.session.flush()
        record("home.noted", actor=actor, at=now, case_id=case.id, detail={"kinds": [str(kind) for kind in changed]})
    if NoteKind.NOT_ALONE in changed and (words.get(NoteKind.NOT_ALONE) or "").strip():
        _ask_for_second_officers(case, actor=actor, now=now, today=today)


def is_not_alone(household_id: int) -> bool:
    """Whether nobody is to go to this household alone."""
    return (
        db.session.scalar(
            select(HomeNote.id).where(
                HomeNote.household_id == household_id,
                HomeNote.kind == NoteKind.NOT_ALONE,
                HomeNote.ended_at.is_(None),
            )
        )
        is not None
    )


def enough_go(case: Case, *, place: str, officers: int) -> bool:
    """Whether as many go as must: two, to a home at which nobody is to be alone."""
    return place != Place.HOME or officers >= 2 or not is_not_alone(case.household_id)


def check_enough_go(case: Case, *, place: str, officers: int) -> None:
    """Raises NotAlone where one officer was to go to a home at which nobody is to be alone.

    It is asked with the case held, and keeps who writes such a note waiting till the end, by whichever case they came.
    """
    db.session.execute(select(Household.id).where(Household.id == case.household_id).with_for_update(read=True))
    if not enough_go(case, place=place, officers=officers):
        raise NotAlone(
            "Nobody is to visit this household alone. Choose two officers, or meet by video or at our office.",
            field="officers",
        )


def _ask_for_second_officers(case: Case, *, actor: Actor, now: datetime, today: date) -> None:
    visits = db.session.scalars(
        select(Visit)
        .where(Visit.case_id == case.id, Visit.status == VisitStatus.BOOKED, Visit.place == Place.HOME)
        .options(selectinload(Visit.officers))
        .order_by(Visit.starts_at)
    )
    for visit in visits:
        if len(visit.officer_ids) < 2 and case.owner_id is not None:
            add_task(
                title=f"Find a second officer for the visit of {day(visit.starts_at)}, {clock_time(visit.starts_at)}:"
                " nobody is to go there alone",
                assigned_to_id=case.owner_id,
                due_on=today,
                actor=actor,
                now=now,
                case=case,
            )
    for offer in offers.waiting_of(case):
        if offer.place == Place.HOME and len(offer.officer_ids) < 2 and case.owner_id is not None:
            add_task(
                title="Send a new link to choose a time, with two officers: nobody is to go there alone,"
                " so the one that was sent offers nothing",
                assigned_to_id=case.owner_id,
                due_on=today,
                actor=actor,
                now=now,
                case=case,
            )
