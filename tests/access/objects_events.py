"""Pages of the public form, events and uploaded sheets that stand in addresses. Events belong to nobody."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from crm import policy
from crm.access.envelopes import new_key_pair
from crm.cases.campaigns import create_campaign
from crm.cases.open_case import NewPerson
from crm.clock import now_utc, today_in_london
from crm.db import db
from crm.enquiries import drafts, submitting
from crm.events import kit
from crm.events.kit_entries import NotTaken, keep_aside
from crm.events.kit_models import AsideReason, KitAside
from crm.events.models import EventKind, RecruitmentEvent
from crm.events.places import NewSignUp, sign_up
from crm.events.planning import create_event
from crm.events.publishing import publish
from crm.events.queries import event_by_id
from crm.events.sheet_import import keep_upload
from crm.rules.permissions import PUBLIC
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


def public_event(world: World) -> dict[str, dict[str, Any]]:
    own, other = (published(world, name) for name in ("Coffee", "Tea"))
    draft = new_event(world, "Kept to ourselves")[0]
    with world.writing():
        slug = db.session.get_one(RecruitmentEvent, draft).slug
    return {"own": {"slug": own["slug"]}, "other": {"slug": other["slug"]}, "missing": {"slug": slug}}


def event_code(world: World) -> dict[str, dict[str, Any]]:
    own, other = (published(world, name) for name in ("Coffee", "Tea"))
    return {"own": {"code": own["code"]}, "other": {"code": other["code"]}, "missing": {"code": "2222222"}}


def event_place(world: World) -> dict[str, dict[str, Any]]:
    own, other = (published(world, name) for name in ("Coffee", "Tea"))
    return {"own": {"token": own["token"]}, "other": {"token": other["token"]}, "missing": {"token": "A" * 43}}


def campaign(world: World) -> dict[str, dict[str, Any]]:
    actor, now = world.cast.recruiter.actor, now_utc()
    with world.writing():
        own, other = (
            create_campaign(name=name, code=None, cost_pence=100, actor=actor, now=now).id
            for name in ("Leaflet", "Radio")
        )
    return {"own": {"campaign_id": own}, "other": {"campaign_id": other}, "missing": {"campaign_id": 999_999}}


def event_guest(world: World) -> dict[str, dict[str, Any]]:
    own, other = (published(world, name) for name in ("Coffee", "Tea"))
    return {
        "own": {"event_id": own["event_id"], "guest_id": own["guest_id"]},
        "other": {"event_id": other["event_id"], "guest_id": other["guest_id"]},
        "missing": {"event_id": own["event_id"], "guest_id": other["guest_id"]},
    }


def event_sign_up(world: World) -> dict[str, dict[str, Any]]:
    own, other = (published(world, name) for name in ("Coffee", "Tea"))
    return {
        "own": {"event_id": own["event_id"], "sign_up_id": own["sign_up_id"]},
        "other": {"event_id": other["event_id"], "sign_up_id": other["sign_up_id"]},
        "missing": {"event_id": own["event_id"], "sign_up_id": other["sign_up_id"]},
    }


def published(world: World, name: str) -> dict[str, Any]:
    """An event that the public may see, with one place taken: its addresses."""
    actor, now = world.cast.recruiter.actor, now_utc()
    with world.writing():
        made = create_event(
            name=name,
            kind=EventKind.INFORMATION_EVENING,
            place="St Aldwyn’s Hall",
            starts_at=now + timedelta(days=3),
            ends_at=now + timedelta(days=3, hours=2),
            actor=actor,
            now=now,
        )
        publish(made, actor=actor, now=now)
        guest = NewPerson(given_name="Ama", email="ama@example.org")
        place = sign_up(made, NewSignUp(people=[guest]), actor=PUBLIC, now=now)
        return {
            "event_id": made.id,
            "slug": made.slug,
            "code": made.code,
            "sign_up_id": place.id,
            "guest_id": place.guests[0].id,
            "token": place.link_token or "",
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
        upload = keep_upload(made, content=SHEET, filename="sheet.csv", actor=actor, now=now, today=today_in_london())
        return made.id, upload.id


def sheet_line(world: World) -> dict[str, dict[str, Any]]:
    return {relation: {**words, "number": 2} for relation, words in sheet_upload(world).items()}


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


def campaign_code(world: World) -> dict[str, dict[str, Any]]:
    return {"own": {"code": "LEAF7"}, "other": {"code": "nobody-knows-it"}}


def return_link(world: World) -> dict[str, dict[str, Any]]:
    with world.writing():
        draft, _browser = drafts.begin_draft(now=now_utc())
        token = drafts.make_link(draft, now=now_utc())
    return {"own": {"token": token}, "missing": {"token": "x" * 43}}


def held(world: World) -> dict[str, dict[str, Any]]:
    now, today = now_utc(), today_in_london()
    made = []
    with world.writing():
        for name in ("Own", "Other"):
            sent = submitting.Sent(
                answers={"given_name": name, "family_name": "Quick", "email": "bo@example.org"},
                arrivals=(),
                received_at=now,
                one_time_id=f"web:{secrets.token_hex(8)}",
                signs=("quick",),
            )
            rulebook = policy.rulebook_on(today)
            made.append(submitting.take_in(sent, actor=PUBLIC, now=now, today=today, rulebook=rulebook).id)
    return {"own": {"held_id": made[0]}, "other": {"held_id": made[1]}, "missing": {"held_id": 999_999}}


OBJECTS = {
    "kit_device": kit_device,
    "kit_aside": kit_aside,
    "campaign_code": campaign_code,
    "return_link": return_link,
    "held": held,
    "enquire_step": enquire_step,
    "event": event,
    "sheet_upload": sheet_upload,
    "sheet_line": sheet_line,
    "campaign": campaign,
    "event_code": event_code,
    "event_guest": event_guest,
    "event_place": event_place,
    "event_sign_up": event_sign_up,
    "public_event": public_event,
}
