"""Panel papers: put together, given to members by name, and closed to them again.

Members should have them five working days before the meeting (National Minimum Standards 2011, 14); they close the day
after it, at once for whoever declares an interest, and at once when the household leaves the agenda.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date, datetime, timedelta

from sqlalchemy import select

from crm.access.models import User
from crm.assessments.models import PanelItem, Presence
from crm.assessments.pack_contents import contents_of, digest_of
from crm.assessments.pack_models import PackState, PackStep, PanelPack, PanelPackCopy, WhyWithdrawn
from crm.assessments.queries import attendance_rows, sits_at
from crm.assessments.steps import begin_step, end_step, note
from crm.cases import letters
from crm.cases.models import Case
from crm.cases.queries import CaseNotFound, is_on_case
from crm.db import db, end_read
from crm.delivery.post_room import post_room
from crm.files import store
from crm.files.models import StoredFile
from crm.rules.permissions import SYSTEM, Actor, Permission, Role, Sensitivity, may_see
from crm.rules.refusal import Refusal
from crm.rules.rulebook import Rulebook

OPEN_AFTER_MEETING = timedelta(days=1)
LOOKED = "papers"
"""What opening them is called in the audit trail: ``view.papers``."""


class PapersNotReady(Refusal):
    """There are no papers to give out, or they do not say what is on file."""


def open_until(item: PanelItem) -> date:
    """The last day on which the members of a meeting may read of a household on its agenda."""
    return item.meeting.meets_on + OPEN_AFTER_MEETING


# --- Put together -----------------------------------------------------------------------------------------------------


def ask_for_papers(
    case: Case,
    item: PanelItem,
    *,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
) -> PanelPack:
    """Have the papers of an item put together, by the worker. Asked again meanwhile, it is the same work."""
    begin_step(case, Permission.MANAGE_PANEL, actor=actor, seen=seen)
    if item.outcome is not None:
        raise PapersNotReady("The panel has dealt with this household at that meeting, so there is nothing to prepare.")
    before = packs_of(item)
    if before and before[0].state == PackState.WAITING:
        return before[0]
    pack = PanelPack(
        item_id=item.id,
        number=before[0].number + 1 if before else 1,
        asked_at=now,
        asked_by_id=actor.user_id,
        next_at=now,
    )
    db.session.add(pack)
    db.session.flush()
    note("panel.papers_asked", case, actor=actor, now=now, subject=subject_of(pack))
    end_step(case, today=today, rulebook=rulebook)
    return pack


def keep_made(pack: PanelPack, content: bytes, *, pages: int, digest: str, now: datetime) -> None:
    """Keep what was put together, sealed. Papers before it that nobody was given are dropped."""
    item = db.session.get_one(PanelItem, pack.item_id)
    stored = store.keep(
        "application/pdf", content, digest=store.digest_of(content), case_id=item.case_id, actor=SYSTEM, now=now
    )
    pack.state, pack.next_at, pack.made_at = PackState.READY, None, now
    pack.file_id, pack.pages, pack.digest = stored.id, pages, digest
    db.session.flush()
    for older in packs_of(item):
        if older.number < pack.number and not older.copies:
            file = db.session.get(StoredFile, older.file_id) if older.file_id else None
            db.session.delete(older)
            db.session.flush()
            if file is not None:
                store.drop(file, case_id=item.case_id, actor=SYSTEM, now=now)


def give_up(pack: PanelPack) -> None:
    """Say that it could not be put together: the page offers another try."""
    pack.state, pack.next_at, pack.step = PackState.FAILED, None, PackStep.IN_LINE
    db.session.flush()


# --- Given out and taken back -----------------------------------------------------------------------------------------


def give_out(case: Case, item: PanelItem, *, actor: Actor, now: datetime, today: date) -> PanelPack:
    """Give the newest papers to every member who sits at the meeting and declared no interest in the household.

    Raises PapersNotReady where there are none, or something on file has changed since they were put together.
    """
    pack = next(iter(packs_of(item)), None)
    if pack is None or pack.state != PackState.READY:
        raise PapersNotReady(
            "The papers are still being put together."
            if pack is not None and pack.state == PackState.WAITING
            else "Put the papers together first."
        )
    if pack.digest != digest_of(contents_of(case, item, now=now)):
        raise PapersNotReady(
            "Something on file has changed since these papers were put together. Put them together again."
        )
    if not _may_have_them(item):
        raise PapersNotReady("Nobody sits at this meeting who may have them. Choose its members first.")
    for older in packs_of(item)[1:]:
        _withdraw(older.copies, WhyWithdrawn.NEWER, now=now)
    _give(case, item, pack, actor=actor, now=now, today=today)
    return pack


def follow_seats(case: Case, item: PanelItem, *, actor: Actor, now: datetime, today: date) -> None:
    """After a change of who sits at a meeting: whoever is new there has the papers that the others have, and whoever
    sits there no more has none."""
    pack = given_out(packs_of(item))
    if pack is None:
        return
    seated = {member.user_id for member in item.meeting.members}
    _withdraw([one for one in pack.copies if one.user_id not in seated], WhyWithdrawn.UNSEATED, now=now)
    _give(case, item, pack, actor=actor, now=now, today=today)


def take_back(item: PanelItem, why: WhyWithdrawn, *, now: datetime, user_ids: Collection[int] | None = None) -> None:
    """Close the papers of an item before their time: to these members, or to all. Off the agenda, papers that are still
    being put together are not wanted any more."""
    for pack in packs_of(item):
        _withdraw([copy for copy in pack.copies if user_ids is None or copy.user_id in user_ids], why, now=now)
        if why is WhyWithdrawn.OFF_AGENDA and pack.state == PackState.WAITING:
            db.session.delete(pack)
            db.session.flush()


def _may_have_them(item: PanelItem) -> list[int]:
    rows = attendance_rows(item)
    return [
        member.user_id
        for member in item.meeting.members
        if member.user_id not in rows or rows[member.user_id].presence != Presence.CONFLICT
    ]


def _give(case: Case, item: PanelItem, pack: PanelPack, *, actor: Actor, now: datetime, today: date) -> None:
    """A copy for everybody who may have one and has none, and a letter that says so and names no household."""
    copies = {copy.user_id: copy for copy in pack.copies}
    new = []
    for user_id in _may_have_them(item):
        copy = copies.get(user_id)
        if copy is None:
            pack.copies.append(PanelPackCopy(user_id=user_id, released_at=now))
        elif copy.withdrawn_at is not None:  # seated again
            copy.released_at, copy.withdrawn_at, copy.why_withdrawn = now, None, None
        else:
            continue
        new.append(user_id)
    db.session.flush()
    for user in db.session.scalars(select(User).where(User.id.in_(new), User.active).order_by(User.id)):
        letters.send_to_staff(
            "panel_papers",
            user=user,
            case=case,
            context={
                "meets_at": item.meeting.meets_at,
                "open_until": open_until(item),
                "papers_url": f"{post_room().base_url}/panel/{item.meeting_id}?item={item.id}",
            },
            actor=actor,
            now=now,
            today=today,
            occasion=f"pack:{pack.id}:{now.isoformat()}",
        )


def _withdraw(copies: Iterable[PanelPackCopy], why: WhyWithdrawn, *, now: datetime) -> None:
    for copy in copies:
        if copy.withdrawn_at is None:
            copy.withdrawn_at, copy.why_withdrawn = now, why
    db.session.flush()


# --- Reads ------------------------------------------------------------------------------------------------------------


def packs_of(item: PanelItem) -> list[PanelPack]:
    """Every pack of an item with its copies, the newest first."""
    return list(
        db.session.scalars(select(PanelPack).where(PanelPack.item_id == item.id).order_by(PanelPack.number.desc()))
    )


def given_out(packs: Iterable[PanelPack]) -> PanelPack | None:
    """The pack that members have now."""
    return next((pack for pack in packs if any(copy.withdrawn_at is None for copy in pack.copies)), None)


def copy_for(pack: PanelPack, item: PanelItem, user_id: int | None, *, today: date) -> PanelPackCopy | None:
    """A member's own copy, while it is open."""
    return next(
        (
            copy
            for copy in pack.copies
            if copy.user_id == user_id and copy.withdrawn_at is None and today <= open_until(item)
        ),
        None,
    )


def may_open(actor: Actor, case: Case, item: PanelItem, pack: PanelPack, *, today: date) -> bool:
    """Whether these papers are open to somebody.

    A member opens their own copy while it is open; whoever works on the household, and a decision maker before whom it
    is, opens any that is ready. The panel's administrator gives them out without reading what is held closely.
    """
    if pack.state != PackState.READY:
        return False
    if sits_at(item.meeting, actor.user_id) or actor.roles <= {Role.PANEL_MEMBER}:
        return copy_for(pack, item, actor.user_id, today=today) is not None
    return may_see(actor, Sensitivity.REFERENCE, subject_person_id=None, on_case=is_on_case(actor, case, today=today))


def pack_to_open(actor: Actor, case: Case, pack_id: int, *, today: date) -> PanelPack:
    """One pack of this household, for somebody to whom it is open. Raises CaseNotFound: to others it is not there."""
    pack = db.session.get(PanelPack, pack_id)
    item = db.session.get(PanelItem, pack.item_id) if pack is not None else None
    if pack is None or item is None or item.case_id != case.id or not may_open(actor, case, item, pack, today=today):
        raise CaseNotFound
    return pack


def content_of(pack: PanelPack) -> bytes:
    """The PDF."""
    stored = db.session.get_one(StoredFile, pack.file_id)
    return stored.content or b""


def subject_of(pack: PanelPack) -> str:
    """How a pack is called in the audit trail."""
    return f"pack:{pack.id}"


def waiting_pack(pack_id: int, *, lock: bool = False) -> PanelPack | None:
    """A pack that is still to be put together, for the worker."""
    query = select(PanelPack).where(PanelPack.id == pack_id, PanelPack.state == PackState.WAITING)
    return db.session.scalars(query.with_for_update() if lock else query).first()


def has_packs_to_make(now: datetime) -> bool:
    """Whether papers wait to be put together."""
    waits = db.session.scalar(select(PanelPack.id).where(PanelPack.next_at <= now).limit(1)) is not None
    end_read()
    return waits
