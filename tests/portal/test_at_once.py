"""Both adults of a household at the same moment, on both databases: nothing is overwritten, and nothing is handed in
twice or not at all."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import flask
from sqlalchemy import func, select

from crm.assessments import parts
from crm.assessments.models import Application
from crm.assessments.part_models import ApplicationPart
from crm.cases.models import Case, Person
from crm.clock import now_utc, today_in_london
from crm.db import db, transaction
from crm.portal.signing_in import actor_of
from crm.rules.application import PARTS, PARTS_BY_NAME, SIGN
from crm.rules.refusal import Refusal
from tests.portal.conftest import people_of

HOME = {
    "owning": "own", "bedrooms": "3", "room": "At the back", "has_pets": "no", "council": "Bromley",
}  # fmt: skip
ROUNDS = 6


def both(app: flask.Flask, home: Any, act: Callable[[Case, Person, dict[str, Any]], object]) -> list[object]:
    """Each of the two does this at once, each in a session that has read how things stood before."""
    case_id, ids = home.case.id, [person.id for person in people_of(home.case).values()]
    begin, found = threading.Barrier(2), []

    def run(person_id: int) -> None:
        with app.app_context():
            # On SQLite a writer waits at its first statement; on PostgreSQL at the household, with what it has read.
            is_sqlite = db.engine.dialect.name == "sqlite"
            if is_sqlite:
                begin.wait(10)
            try:
                with transaction():
                    case, person = db.session.get_one(Case, case_id), db.session.get_one(Person, person_id)
                    read_before = parts.parts_of(case)
                    if not is_sqlite:
                        begin.wait(10)
                    now = {"person": person, "actor": actor_of(person), "now": now_utc(), "today": today_in_london()}
                    found.append(act(case, person, now))
                    del read_before
            except Refusal as refusal:
                found.append(refusal)
            finally:
                db.session.remove()

    threads = [threading.Thread(target=run, args=(person_id,)) for person_id in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    db.session.rollback()
    db.session.expire_all()
    return found


def test_of_two_who_save_one_shared_part_at_once_one_is_told(app, home):
    part = PARTS_BY_NAME["home"]
    db.session.rollback()
    for version in range(ROUNDS):
        answers = both(
            app, home,
            lambda case, person, by, seen=version: parts.save_part(
                case, part, {**HOME, "landlord": person.given_name}, is_done=True, seen=seen, **by
            ) and person.given_name,
        )  # fmt: skip
        assert len(answers) == 2
        told = [one for one in answers if isinstance(one, parts.SavedMeanwhile)]
        assert len(told) == 1, answers
        row = parts.parts_of(home.case)[("home", None)]
        assert row.version == version + 1
        assert parts.answers_of(row)["landlord"] in answers


def test_of_two_who_sign_at_once_the_second_hands_it_in_once(app, home):
    people = people_of(home.case)
    with transaction():
        for person in people.values():
            for part in PARTS:
                if part.is_shared and person is not people["Priya"]:
                    continue
                answers = '{"born_on": "1985-02-10"}' if part.name == "about" else "{}"
                _put(home.case.id, part.name, part.sensitivity, person.id, answers, is_shared=part.is_shared)
            # Both signed before, and were asked again: what is read before the wait says that neither has.
            row = _put(home.case.id, SIGN, "personal", person.id, "{}", is_shared=False)
            row.state, row.done_at = "begun", None
    rulebook = home.rulebook
    answers = both(app, home, lambda case, person, by: parts.sign(case, rulebook=rulebook, **by) is not None)
    assert sorted(answers, key=str) == [False, True]
    assert db.session.scalar(select(func.count()).select_from(Application)) == 1
    assert home.stage("application") == "received"


def _put(
    case_id: int, name: str, sensitivity: str, person_id: int, answers: str, *, is_shared: bool
) -> ApplicationPart:
    row = ApplicationPart(
        case_id=case_id, person_id=None if is_shared else person_id, name=name, sensitivity=sensitivity, state="done",
        shared_name=name if is_shared else None, saved_at=now_utc(), done_at=now_utc(), saved_by_id=person_id,
    )  # fmt: skip
    row.answers = answers
    db.session.add(row)
    return row
