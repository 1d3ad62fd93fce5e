"""Pages of the public form, events and uploaded sheets that stand in addresses. Events belong to nobody."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from crm.clock import now_utc
from crm.events.models import EventKind
from crm.events.planning import create_event
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


OBJECTS = {"enquire_step": enquire_step, "event": event, "sheet_upload": sheet_upload}
