"""What somebody does in a race for places: signs up, gives a place back, takes one again, brings another adult."""

from __future__ import annotations

from crm.cases.open_case import NewPerson
from crm.db import db, transaction
from crm.events import places
from crm.events.models import RecruitmentEvent
from crm.events.places import NewSignUp
from crm.rules.permissions import PUBLIC
from tests.events.conftest import at
from tests.racers import Job, Result

NOW = at("2026-06-20 09:00")


def act(job: Job) -> Result:
    """One transaction, as the edge opens it."""
    with transaction():
        if job["op"] == "sign_up":
            event = db.session.get_one(RecruitmentEvent, job["event_id"])
            row = places.sign_up(event, NewSignUp(people=people(*job["numbers"])), actor=PUBLIC, now=NOW)
        else:
            # As a view does: found by the link, with its guests, before anything is held.
            row = places.sign_up_by_link(job["link"], now=NOW)
            if job["op"] == "give_up":
                places.cancel_sign_up(row, actor=PUBLIC, now=NOW)
            elif job["op"] == "come_after_all":
                places.take_up_again(row, actor=PUBLIC, now=NOW)
            else:
                (second,) = people(*job["numbers"])
                said = {"needs": None, "question": None, "wants_call": False, "wants_text": False}
                places.change_sign_up(row, second=second, actor=PUBLIC, now=NOW, **said)
        return {"what": "done", "status": str(row.status)}


def people(*numbers: int) -> list[NewPerson]:
    return [NewPerson(given_name=f"Guest{number}", email=f"guest{number}@example.org") for number in numbers]
