"""The morning letter to staff: once, on working days, by reference alone, and only where there is something to say."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Any

import flask
import sqlalchemy as sa

from crm.access.models import User
from crm.cases.models import Case
from crm.cases.tasks import add_task
from crm.clock import now_utc
from crm.db import db, transaction
from crm.delivery import OutboundMessage
from crm.staff import digest
from tests.factories import Cast

Make = Callable[..., str]
MONDAY = "2026-07-13 10:00"
TUESDAY = "2026-07-14 07:05"


def write(app: flask.Flask) -> list[OutboundMessage]:
    """Do what the timetable does, until there is nobody left; gives the letters there are."""
    with app.app_context():
        while digest.anybody_to_write_to(now_utc()):
            with transaction():
                digest.send_digests(now_utc())
        return list(
            db.session.scalars(
                sa.select(OutboundMessage).where(OutboundMessage.kind == "morning_digest").order_by(OutboundMessage.id)
            )
        )


def test_it_says_what_is_due_by_reference_and_names_nobody(
    app: flask.Flask, make_household: Make, cast: Cast, freeze: Any
) -> None:
    freeze(MONDAY)
    reference = make_household(owner=cast.officer)
    with app.app_context(), transaction():
        case = db.session.scalars(sa.select(Case).where(Case.reference == reference)).one()
        add_task(
            title="Tell Zephyrine Quillfeather",
            assigned_to_id=cast.officer.id,
            due_on=date(2026, 7, 14),
            actor=cast.manager.actor,
            now=now_utc(),
            case=case,
        )

    freeze(TUESDAY)
    letters = write(app)

    assert [letter.user_id for letter in letters] == [cast.officer.id]
    body = (letters[0].payload or b"").decode()
    assert reference in body
    assert not re.search("zephyrine|quillfeather|household1|07700|BR1", body, re.IGNORECASE)


def test_it_comes_once_a_working_day_from_seven_and_not_to_who_stopped_it(
    app: flask.Flask, make_household: Make, cast: Cast, freeze: Any
) -> None:
    freeze(MONDAY)
    make_household(owner=cast.officer)
    make_household(owner=cast.recruiter)
    with app.app_context(), transaction():
        db.session.execute(sa.update(User).where(User.id == cast.recruiter.id).values(wants_digest=False))

    counts = []
    for moment in ("2026-07-14 06:59", "2026-07-14 07:01", "2026-07-14 12:00", "2026-07-15 07:30", "2026-07-18 09:00"):
        freeze(moment)
        counts.append(len(write(app)))

    # Saturday is no working day.
    assert counts == [0, 1, 1, 2, 2]


def test_somebody_stops_it_in_their_account(app: flask.Flask, as_member: Any, cast: Cast) -> None:
    client = as_member(cast.officer)

    client.submit(client.get("/account").page, button="Stop these letters")

    assert "You get no letter about your day" in client.get("/account").page.text
    with app.app_context():
        assert not db.session.get_one(User, cast.officer.id).wants_digest
