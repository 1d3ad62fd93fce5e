"""The chair's own signature under the minutes of an item, what they ask to have put right, and minutes put right.

The chair is responsible for the accuracy of the minutes (National Minimum Standards 2011, 14). Nothing waits for the
signature: the decision maker's days count from the final minutes, and their page says whether it is there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Select, select
from sqlalchemy.orm import joinedload, selectinload

from crm.access.models import User
from crm.access.queries import staff_who_may, user_with
from crm.assessments.minutes_models import EarlierMinutes, MinutesCorrection, MinutesSignature, SignedHow
from crm.assessments.models import TOOK_PART, PanelAttendance, PanelItem, PanelMeeting
from crm.assessments.queries import NothingThere, items_of, present_at, recommended_item
from crm.assessments.steps import begin_step, end_step, hold, not_after_today, not_before, note
from crm.cases import letters, tasks, timeline
from crm.cases.models import Case, StageChange, Task
from crm.db import db
from crm.delivery.post_room import post_room
from crm.rules.panel import presiding
from crm.rules.permissions import Actor, Permission, require
from crm.rules.refusal import Refusal
from crm.rules.rulebook import Rulebook

DAYS_TO_PUT_RIGHT = 2
"""Working days that whoever runs the panel has for what the chair asks: the decision maker's 7 run meanwhile."""
MOST_TO_SIGN = 50


class MinutesNotAsRead(Refusal):
    """The minutes are not what the chair read, or were signed meanwhile."""


class MinutesNotPossible(Refusal):
    """A signature or a correction that can't be kept as it is put."""

    default_status = 422


@dataclass(frozen=True)
class MinutesStanding:
    """Where the minutes of an item stand with whoever chaired it."""

    chair_id: int | None
    is_final: bool
    signature: MinutesSignature | None
    correction: MinutesCorrection | None
    """What the chair asks to have put right, while that is open."""
    has_changed: bool
    """They were put right at least once since they were final."""

    @property
    def waits_for_chair(self) -> bool:
        return self.is_final and self.signature is None and self.correction is None


# --- Who chaired, and what stands -------------------------------------------------------------------------------------


def chair_id_of(item: PanelItem) -> int | None:
    """Who chaired an item: whoever is noted as presiding, else the chair where here, else a vice-chair."""
    present = present_at(item)
    leader = presiding(tuple(one for _user_id, one in present))
    return next((user_id for user_id, one in present if one is leader), None)


def digest_of_minutes(words: str) -> str:
    """SHA-256 of the exact words, in hexadecimal."""
    return hashlib.sha256(words.encode()).hexdigest()


def standing_of(item: PanelItem) -> MinutesStanding:
    """Where the minutes of an item stand. A signature counts only while its digest is that of the words on file."""
    signature = correction = None
    has_changed = False
    if item.minutes_received_on is not None:
        signature = _signature_in_force(item)
        correction = _open_correction(item)
        has_changed = (
            db.session.scalar(select(EarlierMinutes.id).where(EarlierMinutes.item_id == item.id).limit(1)) is not None
        )
        if signature is not None and signature.digest != digest_of_minutes(item.minutes or ""):
            signature = None
    return MinutesStanding(chair_id_of(item), item.minutes_received_on is not None, signature, correction, has_changed)


def earlier_minutes_of(item: PanelItem) -> list[EarlierMinutes]:
    """What the final minutes said before, the newest first."""
    query = select(EarlierMinutes).where(EarlierMinutes.item_id == item.id).order_by(EarlierMinutes.id.desc())
    return list(db.session.scalars(query))


def own_minutes(item_id: int, *, actor: Actor) -> PanelItem:
    """An item with its final minutes, for whoever chaired it. Raises NothingThere: to others it is not there."""
    item = db.session.scalars(_items().where(PanelItem.id == item_id)).first()
    if item is None or item.minutes_received_on is None or chair_id_of(item) != actor.user_id:
        raise NothingThere("We can’t find those minutes.")
    return item


def waiting_for(actor: Actor) -> list[PanelItem]:
    """Items whose final minutes wait for this person's signature, the oldest first. A fixed number of queries."""
    signed = select(MinutesSignature.id).where(
        MinutesSignature.item_id == PanelItem.id, MinutesSignature.lapsed_on.is_(None)
    )
    asked = select(MinutesCorrection.id).where(
        MinutesCorrection.item_id == PanelItem.id, MinutesCorrection.settled_at.is_(None)
    )
    took_part = select(PanelAttendance.item_id).where(
        PanelAttendance.user_id == actor.user_id, PanelAttendance.presence.in_(TOOK_PART)
    )
    found = db.session.scalars(
        _items()
        .where(
            PanelItem.id.in_(took_part), PanelItem.minutes_received_on.is_not(None), ~signed.exists(), ~asked.exists()
        )
        .order_by(PanelItem.minutes_received_on, PanelItem.id)
        .limit(MOST_TO_SIGN)
    )
    return [item for item in found if chair_id_of(item) == actor.user_id]


def _items() -> Select[PanelItem]:
    return select(PanelItem).options(
        joinedload(PanelItem.meeting).selectinload(PanelMeeting.members), selectinload(PanelItem.attendances)
    )


def signed_ids(items: Iterable[PanelItem]) -> frozenset[int]:
    """Which of these items' minutes are signed, in one query."""
    ids = [item.id for item in items if item.minutes_received_on is not None]
    if not ids:
        return frozenset()
    rows = db.session.scalars(
        select(MinutesSignature).where(MinutesSignature.item_id.in_(ids), MinutesSignature.lapsed_on.is_(None))
    )
    digests = {row.item_id: row.digest for row in rows}
    return frozenset(item.id for item in items if digests.get(item.id) == digest_of_minutes(item.minutes or ""))


def _signature_in_force(item: PanelItem) -> MinutesSignature | None:
    return db.session.scalars(
        select(MinutesSignature).where(MinutesSignature.item_id == item.id, MinutesSignature.lapsed_on.is_(None))
    ).first()


def _open_correction(item: PanelItem) -> MinutesCorrection | None:
    return db.session.scalars(
        select(MinutesCorrection).where(MinutesCorrection.item_id == item.id, MinutesCorrection.settled_at.is_(None))
    ).first()


# --- The chair --------------------------------------------------------------------------------------------------------


def sign_minutes(item: PanelItem, *, read: str, actor: Actor, now: datetime, today: date) -> MinutesSignature:
    """Sign the minutes of an item that the actor chaired. ``read``: the digest of the words that they read.

    Raises MinutesNotAsRead where the words have changed since, or are signed already.
    """
    require(actor, Permission.SIT_ON_PANEL)
    case = _held_for_chair(item, actor)
    if read != digest_of_minutes(item.minutes or ""):
        raise MinutesNotAsRead("The minutes were changed while you read them. Read them again before you sign.")
    return _keep_signature(
        case, item, how=SignedHow.SIGNED_IN, chair_id=actor.user_id, signed_on=today, actor=actor, now=now
    )


def ask_for_correction(
    item: PanelItem, *, words: str, actor: Actor, now: datetime, today: date, rulebook: Rulebook
) -> MinutesCorrection:
    """Have the minutes put right before signing: a task for whoever runs the panel, who reads these words."""
    require(actor, Permission.SIT_ON_PANEL)
    case = _held_for_chair(item, actor)
    if not words.strip():
        raise MinutesNotPossible("Write what is to be put right.", field="words")
    if _signature_in_force(item) is not None:
        raise MinutesNotAsRead("These minutes are signed. Tell whoever runs the panel if something is wrong in them.")
    if _open_correction(item) is not None:
        raise MinutesNotAsRead("You have asked for a correction already. It is being looked at.")
    task = tasks.add_task(
        title="Put the panel minutes right: the chair asks for a correction",
        assigned_to_id=_runs_the_panel(case).id,
        due_on=rulebook.calendar.add(today, DAYS_TO_PUT_RIGHT),
        actor=actor,
        now=now,
        case=case,
    )
    assert actor.user_id is not None
    correction = MinutesCorrection(item_id=item.id, asked_by_id=actor.user_id, asked_at=now, task_id=task.id)
    correction.words = words.strip()
    db.session.add(correction)
    db.session.flush()
    timeline.add(
        case, kind="system", title="The chair asked for a correction of the panel’s minutes", actor=actor,
        occurred_at=now, is_touch=False,
    )  # fmt: skip
    note("panel.minutes_questioned", case, actor=actor, now=now, subject=f"meeting:{item.meeting_id}")
    return correction


def _held_for_chair(item: PanelItem, actor: Actor) -> Case:
    """The case, held; the item read anew. Raises NothingThere for whoever did not chair it."""
    case = db.session.get_one(Case, item.case_id)
    hold(case)
    own_minutes(item.id, actor=actor)
    return case


def _runs_the_panel(case: Case) -> User:
    """Who sent these minutes or, where they run the panel no more, the first by name of those who do."""
    able = staff_who_may(Permission.MANAGE_PANEL)
    sent_by = db.session.scalar(
        select(StageChange.actor_id)
        .where(StageChange.case_id == case.id, StageChange.move == "send_to_decision_maker")
        .order_by(StageChange.id.desc())
        .limit(1)
    )
    if not able:
        raise MinutesNotPossible("Nobody here runs the panel at the moment. Tell a manager what is to be put right.")
    return next((one for one in able if one.id == sent_by), able[0])


# --- Whoever runs the panel -------------------------------------------------------------------------------------------


def tell_chair(case: Case, item: PanelItem, *, is_again: bool, actor: Actor, now: datetime, today: date) -> None:
    """Write to whoever chaired that there are minutes to sign; the letter names nobody."""
    chair_id = chair_id_of(item)
    chair = user_with(chair_id) if chair_id is not None else None
    if chair is None or not chair.active:
        return
    letters.send_to_staff(
        "minutes_to_sign",
        user=chair,
        case=case,
        context={
            "meets_at": item.meeting.meets_at,
            "minutes_url": f"{post_room().base_url}/panel/minutes/{item.id}",
            "is_again": is_again,
        },
        actor=actor,
        now=now,
        today=today,
        occasion=f"item:{item.id}:{len(earlier_minutes_of(item))}",
    )


def record_paper_signature(
    case: Case,
    *,
    signed_on: date,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
) -> MinutesSignature:
    """Note that whoever chaired has signed these words on paper, and when."""
    item = _begin(case, actor=actor, seen=seen)
    not_after_today(signed_on, today=today, field="signed_on", what="The day the chair signed")
    earliest, message = item.meeting.meets_on, "The chair can’t have signed before the meeting."
    for before in earlier_minutes_of(item)[:1]:
        earliest, message = before.replaced_on, "The minutes were put right after that day, so it covers other words."
    not_before(signed_on, earliest, field="signed_on", message=message)
    chair_id = chair_id_of(item)
    if chair_id is None:
        raise MinutesNotPossible("Nobody is noted as having chaired this item.", status=409)
    signature = _keep_signature(
        case, item, how=SignedHow.ON_PAPER, chair_id=chair_id, signed_on=signed_on, actor=actor, now=now
    )
    end_step(case, today=today, rulebook=rulebook)
    return signature


def put_right(
    case: Case, *, minutes: str, actor: Actor, now: datetime, today: date, rulebook: Rulebook, seen: int | None = None
) -> PanelItem:
    """Put final minutes right. What they said before is kept, a signature under it lapses, the chair is asked again.

    Whoever decides on the words that they read before is told that the case has moved on.
    """
    item = _begin(case, actor=actor, seen=seen)
    words = minutes.strip()
    if not words:
        raise MinutesNotPossible("Write the final minutes of this item.", field="minutes")
    if words == item.minutes:
        raise MinutesNotPossible("These are the words that are on file. Change what is wrong in them.", field="minutes")
    assert actor.user_id is not None
    before = EarlierMinutes(item_id=item.id, replaced_on=today, replaced_by_id=actor.user_id)
    before.words = item.minutes
    db.session.add(before)
    signature = _signature_in_force(item)
    if signature is not None:
        signature.lapsed_on = today
    item.minutes = words
    db.session.flush()
    _settle_correction(item, actor=actor, now=now)
    timeline.add(
        case, kind="system", title="The panel’s final minutes were put right", actor=actor, occurred_at=now,
        is_touch=False,
    )  # fmt: skip
    note("panel.minutes_changed", case, actor=actor, now=now, subject=f"meeting:{item.meeting_id}",
         digest=digest_of_minutes(words))  # fmt: skip
    tell_chair(case, item, is_again=True, actor=actor, now=now, today=today)
    end_step(case, today=today, rulebook=rulebook)
    return item


def _begin(case: Case, *, actor: Actor, seen: int | None) -> PanelItem:
    """The item whose minutes are final, with the household held."""
    require(actor, Permission.MANAGE_PANEL)
    hold(case)
    begin_step(case, Permission.MANAGE_PANEL, actor=actor, seen=seen, on_open_only=False)
    item = recommended_item(items_of(case))
    if item is None or item.minutes_received_on is None:
        raise MinutesNotPossible("The minutes of this item are not final yet.", status=409)
    return item


def _keep_signature(
    case: Case,
    item: PanelItem,
    *,
    how: SignedHow,
    chair_id: int | None,
    signed_on: date,
    actor: Actor,
    now: datetime,
) -> MinutesSignature:
    if _signature_in_force(item) is not None:
        raise MinutesNotAsRead("These minutes are signed already.")
    assert actor.user_id is not None
    assert chair_id is not None
    signature = MinutesSignature(
        item_id=item.id,
        chair_id=chair_id,
        how=how,
        digest=digest_of_minutes(item.minutes or ""),
        signed_on=signed_on,
        recorded_at=now,
        recorded_by_id=actor.user_id,
    )
    db.session.add(signature)
    db.session.flush()
    _settle_correction(item, actor=actor, now=now)
    on_paper = " on paper" if how is SignedHow.ON_PAPER else ""
    timeline.add(
        case, kind="system", title=f"The chair signed the panel’s minutes{on_paper}", actor=actor, occurred_at=now,
        is_touch=False,
    )  # fmt: skip
    note("panel.minutes_signed", case, actor=actor, now=now, subject=f"meeting:{item.meeting_id}", how=str(how),
         chair=f"user:{chair_id}", on=signed_on, digest=signature.digest)  # fmt: skip
    return signature


def _settle_correction(item: PanelItem, *, actor: Actor, now: datetime) -> None:
    correction = _open_correction(item)
    if correction is None:
        return
    correction.settled_at = now
    task = db.session.get_one(Task, correction.task_id)
    if task.done_at is None:
        tasks.complete_task(task, actor=actor, now=now)
    db.session.flush()
