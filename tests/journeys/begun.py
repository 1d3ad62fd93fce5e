"""Households that are some way along already, by the real operations, for the journeys that begin in the middle."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import flask
import time_machine

from crm.clock import now_utc
from crm.db import db, transaction
from tests.assessments.journey import Journey
from tests.factories import Member, make_cast
from tests.journeys.clock import LONDON


class Calendar:
    """Stops this process's clock at one London time after another. Let go of before a browser is used."""

    def __init__(self) -> None:
        self.running: time_machine.travel | None = None

    def __call__(self, moment: str | datetime) -> datetime:
        self.let_go()
        at = datetime.fromisoformat(str(moment)).replace(tzinfo=LONDON)
        self.running = time_machine.travel(at, tick=False)
        self.running.start()
        return now_utc()

    def let_go(self) -> None:
        if self.running is not None:
            self.running.stop()
            self.running = None


@contextmanager
def household_begun(app: flask.Flask, on: str) -> Iterator[Journey]:
    """``with household_begun(app, "2026-05-11") as journey: journey.in_assessment()``: what it does is kept."""
    calendar = Calendar()
    try:
        with app.app_context():
            calendar(f"{on} 09:00")
            with transaction():
                cast = make_cast()
            journey = Journey(cast, calendar).on(on).people()
            yield journey
            db.session.remove()
    finally:
        calendar.let_go()


def everybody(journey: Journey) -> dict[str, Member]:
    """The staff of a journey, by their keys."""
    staff = {key: member for key, member in journey.cast.everyone.items() if member.is_staff and member.active}
    return staff | journey.panel | {"second_manager": journey.second_manager}
