"""Pages of the public form, events and uploaded sheets that stand in addresses. Events belong to nobody."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from crm.clock import now_utc
from crm.db import db
from crm.events import kit
from crm.events.kit_entries import NotTaken, keep_aside
from crm.events.kit_models import AsideReason, KitAside
from crm.events.kit_sealing import new_key_pair
from crm.events.models import EventKind
from crm.events.planning import create_event
from crm.events.queries import event_by_id
from crm.events.sheet_import import keep_upload
from tests.access.world import World

SHEET = b"Name,Phone\nKofi Mensah,07700 900745\n"


def enquire_step(world: World) -> dict[str, dict[str, Any]]:
    return {"own": {"step": "postcode"}, "other": {"step": "name"}, "missing": {"step": "shoe-size"}}


def event(world: World) -> dict[str, dict[str, Any]]:
    own, other = (new_event(world, name)[0] for name in ("Own stall", "Other stall"))
    return {"own": {"event_id": own}, "other": {"event_id": other}, "missing": {"event_id": 999_999}}


def sheet_upload(world: World) -> dict[str, dict[str, Any]]:
    own, other = new_event(world, "Own stall"), new_event(world, "Other stall")
    return {
        "own": {"event_id": own[0], "upload_id": own[1]},
        "other": {"event_id": other[0], "upload_id": other[1]},
        "missing": {"event_id": own[0], "upload_id": 999_999},
    }


def new_event(world: World, name: str) -> tuple[int, int]:
    """An event with a sheet that was uploaded to it: their ids."""
    actor, now = world.cast.recruiter.actor, now_utc()
    with world.writing():
        made = create_event(
            name=name,
            kind=EventKind.STALL,
            place="The Glades",
            starts_at=now - timedelta(hours=2),
            ends_at=now + timedelta(hours=2),
            actor=actor,
            now=now,
        )
        upload = keep_upload(made, content=SHEET, filename="sheet.csv", actor=actor, now=now)
        return made.id, upload.id


def kit_device(world: World) -> dict[str, dict[str, Any]]:
    return of_a_door(world, "device_id", lambda door: door[0])


def kit_aside(world: World) -> dict[str, dict[str, Any]]:
    return of_a_door(world, "aside_id", lambda door: door[1])


def of_a_door(world: World, name: str, part: Callable[[tuple[int, int]], int]) -> dict[str, dict[str, Any]]:
    own, other = new_event(world, "Own stall")[0], new_event(world, "Other stall")[0]
    return {
        "own": {"event_id": own, name: part(new_door(world, own))},
        "other": {"event_id": other, name: part(new_door(world, other))},
        "missing": {"event_id": own, name: 999_999},
    }


def new_door(world: World, event_id: int) -> tuple[int, int]:
    """A device of an event, and an entry that was kept aside: their ids."""
    actor, now = world.cast.recruiter.actor, now_utc()
    with world.writing():
        made = event_by_id(event_id)
        device, _key, _token = kit.set_up_device(
            made,
            name="Blue tablet",
            signing_key=new_key_pair()[0],
            proof_digest="0" * 64,
            skew_ms=0,
            actor=actor,
            now=now,
        )
        keep_aside({"id": f"broken {event_id}"}, NotTaken(AsideReason.SHAPE), event=made, device=device, now=now)
        return device.id, db.session.scalars(select(KitAside.id).where(KitAside.event_id == event_id)).one()


OBJECTS = {
    "enquire_step": enquire_step,
    "event": event,
    "sheet_upload": sheet_upload,
    "kit_device": kit_device,
    "kit_aside": kit_aside,
}
