"""The door kit of an event: its key, the devices that may add to it, when it closes, and when all of it is dropped."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update

from crm.access.envelopes import is_public_key, new_key_pair
from crm.access.tokens import digest_of, has_shape, new_token
from crm.audit import record
from crm.db import db
from crm.events.kit_models import KitAside, KitDevice, KitKey, SettledHow
from crm.events.models import RecruitmentEvent
from crm.rules.permissions import SYSTEM, Actor, Permission, require
from crm.rules.refusal import Refusal

CLOSES_AFTER = timedelta(hours=24)
"""A device may go on sending for this long after its event has ended: people drive home before they have signal."""
KEPT_AFTER = timedelta(days=28)
"""The private key is kept for this long after the end, for a device or a file found late. Then it is destroyed."""
PROOFS_AT_MOST = 10
"""Wrong PINs shown to us before a device gets no list of names any more."""
DEVICES_AT_MOST = 30


class DoorIsClosed(Refusal):
    """The event is too long over, or somebody closed its door."""

    default_status = 409


class DeviceNotRight(Refusal):
    """The device can't be set up with what it brought."""

    default_status = 422


class DeviceMayNot(Refusal):
    """The token is nobody's, or its time is over: the two are never told apart. What the device keeps stays there."""

    default_status = 401

    def __init__(self) -> None:
        super().__init__(
            "This device may not send to the event any more. What it keeps is safe on it: save it as a file and give "
            "that to whoever runs the event, or set the device up again."
        )


class NoNamesForIt(Refusal):
    """The PIN that was shown is not the device's."""

    default_status = 403


def closes_at(event: RecruitmentEvent, key: KitKey | None) -> datetime:
    """When devices of this event stop being able to send."""
    by_itself = event.ends_at + CLOSES_AFTER
    return min(by_itself, key.closed_at) if key is not None and key.closed_at is not None else by_itself


def key_of(event: RecruitmentEvent) -> KitKey | None:
    """The key pair of an event's door, once a device was set up for it."""
    return db.session.scalars(select(KitKey).where(KitKey.event_id == event.id)).first()


def set_up_device(
    event: RecruitmentEvent,
    *,
    name: str,
    signing_key: str,
    proof_digest: str,
    skew_ms: int,
    actor: Actor,
    now: datetime,
) -> tuple[KitDevice, KitKey, str]:
    """Let a phone or tablet add to this event, and to nothing else. Gives its row, the event's key, and its token,
    which can't be read back later. ``skew_ms`` is how far its clock is ahead of ours.

    Raises DoorIsClosed, DeviceNotRight.
    """
    require(actor, Permission.MANAGE_EVENTS)
    require(actor, Permission.LOG_ENQUIRY)
    key = key_of(event)
    if key is not None and key.closed_at is not None:
        raise DoorIsClosed("The door of this event was closed. Open it again before you set up a device.")
    if closes_at(event, key) <= now:
        raise DoorIsClosed(
            "This event is over, so no device can be set up for it. Log people on the event’s page, or load a sheet."
        )
    if not is_public_key(signing_key):
        raise DeviceNotRight("This browser can’t seal what is typed, so it can’t work the door. Try another browser.")
    if len(live_devices(event)) >= DEVICES_AT_MOST:
        raise DoorIsClosed(f"{DEVICES_AT_MOST} devices are set up for this event. Withdraw one first.")
    if key is None:
        public, private = new_key_pair()
        key = KitKey(event_id=event.id, public_key=public, made_at=now)
        key.private_key = private
        db.session.add(key)
    token = new_token()
    device = KitDevice(
        event_id=event.id,
        public_id=secrets.token_hex(16),
        name=name,
        token_hash=digest_of(token),
        signing_key=signing_key,
        proof_digest=proof_digest,
        set_up_by_id=actor.user_id,
        set_up_at=now,
        last_heard_at=now,
        waiting=0,
        wrong_proofs=0,
        skew_ms=skew_ms,
    )
    db.session.add(device)
    db.session.flush()
    record("kit.device_set_up", actor=actor, at=now, subject=f"kit_device:{device.id}", detail={"event": event.id})
    return device, key, token


def live_devices(event: RecruitmentEvent) -> list[KitDevice]:
    return list(
        db.session.scalars(
            select(KitDevice).where(KitDevice.event_id == event.id, KitDevice.ended_at.is_(None)).order_by(KitDevice.id)
        )
    )


def device_with(token: str, *, now: datetime) -> tuple[KitDevice, RecruitmentEvent, KitKey]:
    """The device behind a token, with the event it may add to. Raises DeviceMayNot."""
    row = None
    if has_shape(token):
        row = db.session.execute(
            select(KitDevice, RecruitmentEvent, KitKey)
            .join(RecruitmentEvent, RecruitmentEvent.id == KitDevice.event_id)
            .join(KitKey, KitKey.event_id == RecruitmentEvent.id)
            .where(KitDevice.token_hash == digest_of(token), KitDevice.ended_at.is_(None))
        ).first()
    if row is None or closes_at(row[1], row[2]) <= now:
        raise DeviceMayNot
    return row[0], row[1], row[2]


def note_heard(device: KitDevice, *, waiting: int, skew_ms: int, now: datetime) -> None:
    """Keep what a device said of itself."""
    device.last_heard_at, device.waiting, device.skew_ms = now, waiting, skew_ms


def check_proof(device: KitDevice, proof_digest: str) -> bool:
    """Whether somebody with the PIN asks. Counts wrong ones; after PROOFS_AT_MOST none is right any more.

    The row is held while that is looked at: many who guess at once are counted one by one.
    """
    db.session.refresh(device, ["wrong_proofs"], with_for_update=True)
    if device.wrong_proofs >= PROOFS_AT_MOST:
        return False
    if secrets.compare_digest(device.proof_digest, proof_digest):
        return True
    device.wrong_proofs += 1
    return False


def withdraw_device(device: KitDevice, *, actor: Actor, now: datetime) -> None:
    """From now on it can send nothing. What it has not sent stays on it, to be saved as a file."""
    require(actor, Permission.MANAGE_EVENTS)
    if device.ended_at is None:
        device.ended_at, device.ended_how = now, "withdrawn"
        record("kit.device_withdrawn", actor=actor, at=now, subject=f"kit_device:{device.id}")


def close_door(event: RecruitmentEvent, *, actor: Actor, now: datetime) -> None:
    """End every device of an event now. Its files can still be loaded."""
    require(actor, Permission.MANAGE_EVENTS)
    key = key_of(event)
    if key is None or key.closed_at is not None:
        return
    key.closed_at = now
    _end_devices(event.id, now=now)
    record("kit.closed", actor=actor, at=now, subject=f"event:{event.id}")


def open_door_again(event: RecruitmentEvent, *, actor: Actor, now: datetime) -> None:
    """After it was closed by hand. Devices have to be set up anew. Raises DoorIsClosed once the event is over."""
    require(actor, Permission.MANAGE_EVENTS)
    key = key_of(event)
    if key is None or key.closed_at is None:
        return
    if event.ends_at + CLOSES_AFTER <= now:
        raise DoorIsClosed("This event is over, so its door stays closed.")
    key.closed_at = None
    record("kit.opened_again", actor=actor, at=now, subject=f"event:{event.id}")


def _end_devices(event_id: int, *, now: datetime) -> None:
    db.session.execute(
        update(KitDevice)
        .where(KitDevice.event_id == event_id, KitDevice.ended_at.is_(None))
        .values(ended_at=now, ended_how="closed")
    )


class DealtWithAlready(Refusal):
    """Somebody else has seen to an entry that was kept aside."""

    default_status = 409

    def __init__(self) -> None:
        super().__init__("Somebody else has just dealt with this entry. Go back to the door to see what is left.")


def hold_aside(aside: KitAside) -> None:
    """Keep others from dealing with an entry until this is done. Raises DealtWithAlready."""
    db.session.refresh(aside, with_for_update=True)
    if aside.settled_at is not None:
        raise DealtWithAlready


def settle_aside(
    aside: KitAside, *, how: SettledHow = SettledHow.DROPPED, guest_id: int | None = None, actor: Actor, now: datetime
) -> None:
    """An entry that was kept aside is dealt with: what it said is dropped. ``guest_id`` is whom it was about."""
    require(actor, Permission.MANAGE_EVENTS)
    aside.settled_at, aside.settled_by_id, aside.settled_how = now, actor.user_id, how
    aside.content = None
    db.session.flush()
    detail = {"how": str(how)} | ({"guest": guest_id} if guest_id is not None else {})
    record("kit.aside_settled", actor=actor, at=now, subject=f"kit_aside:{aside.id}", detail=detail)


def close_and_forget(*, now: datetime) -> int:
    """What becomes due by itself: doors close, and keys past their time are destroyed. How many of either."""
    over = db.session.execute(
        select(KitDevice.event_id)
        .join(RecruitmentEvent, RecruitmentEvent.id == KitDevice.event_id)
        .where(KitDevice.ended_at.is_(None), RecruitmentEvent.ends_at <= now - CLOSES_AFTER)
        .distinct()
    ).scalars()
    done = 0
    for event_id in list(over):
        _end_devices(event_id, now=now)
        done += 1
    spent = db.session.scalars(
        select(KitKey)
        .join(RecruitmentEvent, RecruitmentEvent.id == KitKey.event_id)
        .where(KitKey.destroyed_at.is_(None), RecruitmentEvent.ends_at <= now - KEPT_AFTER)
    )
    for key in list(spent):
        key.private_key, key.destroyed_at = None, now
        db.session.execute(delete(KitAside).where(KitAside.event_id == key.event_id, KitAside.settled_at.is_not(None)))
        record("kit.key_destroyed", actor=SYSTEM, at=now, subject=f"event:{key.event_id}")
        done += 1
    return done
