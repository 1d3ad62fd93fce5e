"""The things of crm/administration that stand in addresses. Only administrators have any."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from crm import policy
from crm.clock import now_utc, today_in_london
from crm.db import db
from crm.delivery import Channel
from crm.enquiries import intake
from crm.enquiries.mailings import write_mailing
from crm.enquiries.models import ListExport, Mailing, MailingPurpose
from crm.enquiries.saved_views import save_view
from crm.policy import changing
from tests.access.objects_cases import letter_of_case
from tests.access.world import World
from tests.factories import Member, make_user


def colleague(world: World) -> dict[str, dict[str, Any]]:
    with world.writing():
        made = make_user(Member("colleague", "Corin Leaf", world.cast.officer.roles))
    return {"own": {"user_id": made.id}, "missing": {"user_id": 999_999}}


def reform(world: World) -> dict[str, dict[str, Any]]:
    return {"own": {"name": "no-panel"}, "missing": {"name": "nothing"}}


def area(world: World) -> dict[str, dict[str, Any]]:
    with world.writing():
        policy.ensure_defaults(now=now_utc())
    return {"own": {"number": 1}, "missing": {"number": 999}}


def visit_type(world: World) -> dict[str, dict[str, Any]]:
    with world.writing():
        policy.ensure_defaults(now=now_utc())
    return {"own": {"number": 2}, "missing": {"number": 999}}


def promise(world: World) -> dict[str, dict[str, Any]]:
    return {"own": {"clock": "first_contact"}, "missing": {"clock": "no_such_clock"}}


def wording(world: World) -> dict[str, dict[str, Any]]:
    return {"own": {"name": "consent.email"}, "missing": {"name": "no.such"}}


def holiday(world: World) -> dict[str, dict[str, Any]]:
    with world.writing():
        policy.ensure_defaults(now=now_utc())
        made = changing.add_one_off_holiday(
            day=date(2027, 9, 15), name="A day of thanks", actor=world.cast.administrator.actor, now=now_utc()
        )
        return {"own": {"holiday_id": made.id}, "missing": {"holiday_id": 999_999}}


def criterion(world: World) -> dict[str, dict[str, Any]]:
    return {"own": {"name": "spare_room"}, "missing": {"name": "no_such_rule"}}


def criterion_edition(world: World) -> dict[str, dict[str, Any]]:
    with world.writing():
        made = changing.change_criterion(
            name="driving",
            changes={"options": {"no": {"outcome": "not_now", "months": 6}}},
            in_force_from=today_in_london() + timedelta(days=30),
            actor=world.cast.administrator.actor,
            now=now_utc(),
            today=today_in_london(),
        )
    return {"own": {"name": "driving", "version": made}, "missing": {"name": "driving", "version": 999_999}}


def list_export(world: World) -> dict[str, dict[str, Any]]:
    with world.writing():
        made = ListExport(
            query="",
            columns="reference",
            format="csv",
            row_count=1,
            reason="A count",
            asked_by_id=world.cast.recruiter.id,
            asked_at=now_utc(),
            second_id=world.cast.manager.id,
            expires_at=now_utc() + timedelta(days=1),
        )
        db.session.add(made)
        db.session.flush()
        return {"own": {"export_id": made.id}, "missing": {"export_id": 999_999}}


def _draft(world: World, author: Member) -> Mailing:
    return write_mailing(
        None,
        source="queue",
        query="",
        purpose=MailingPurpose.SERVICE,
        channel=Channel.EMAIL,
        subject="Our office",
        words="Hello {{ first_name }}, our office has moved.",
        actor=author.actor,
        now=now_utc(),
        today=today_in_london(),
    )


def mailing(world: World) -> dict[str, dict[str, Any]]:
    with world.writing():
        made = _draft(world, world.cast.recruiter)
        made.step, made.asked_at, made.second_id = "waiting", now_utc(), world.cast.manager.id
        return {"own": {"mailing_id": made.id}, "missing": {"mailing_id": 999_999}}


def mailing_draft(world: World) -> dict[str, dict[str, Any]]:
    with world.writing():
        own, other = (_draft(world, one).id for one in (world.cast.recruiter, world.cast.manager))
    return {"own": {"mailing_id": own}, "other": {"mailing_id": other}, "missing": {"mailing_id": 999_999}}


def saved_view(world: World) -> dict[str, dict[str, Any]]:
    with world.writing():
        made = save_view(name="Late", query="view=over", actor=world.cast.recruiter.actor, now=now_utc())
        return {"own": {"view_id": made.id}, "missing": {"view_id": 999_999}}


def letter_kind(world: World) -> dict[str, dict[str, Any]]:
    return {"own": {"kind": "information_pack"}, "missing": {"kind": "no_such_letter"}}


def letter_version(world: World) -> dict[str, dict[str, Any]]:
    return {
        "own": {"kind": "information_pack", "version": 0},
        "missing": {"kind": "information_pack", "version": 999_999},
    }


def letter_in_outbox(world: World) -> dict[str, dict[str, Any]]:
    made = letter_of_case(world)["own"]["letter_id"]
    return {"own": {"letter_id": made}, "missing": {"letter_id": 999_999}}


def website(world: World) -> dict[str, dict[str, Any]]:
    with world.writing():
        made = [
            intake.make_website(name=name, actor=world.cast.administrator.actor, now=now_utc())[0].id
            for name in ("Ours", "Another of ours")
        ]
    return {"own": {"website_id": made[0]}, "other": {"website_id": made[1]}, "missing": {"website_id": 999_999}}


OBJECTS = {
    "website": website,
    "colleague": colleague,
    "area": area,
    "visit_type": visit_type,
    "promise": promise,
    "wording": wording,
    "holiday": holiday,
    "list_export": list_export,
    "mailing": mailing,
    "mailing_draft": mailing_draft,
    "saved_view": saved_view,
    "criterion": criterion,
    "criterion_edition": criterion_edition,
    "reform": reform,
    "letter_in_outbox": letter_in_outbox,
    "letter_kind": letter_kind,
    "letter_version": letter_version,
}
