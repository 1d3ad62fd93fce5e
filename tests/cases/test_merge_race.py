"""Two people who merge, undo or write to the same households at the same moment: each is answered, nothing is half
done, and no database's word about it reaches anybody. On both databases; in processes of their own."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import sqlalchemy as sa

from crm.cases.models import Case, Household, HouseholdMerge, Person
from crm.cases.open_case import NewPerson
from crm.clock import today_in_london
from crm.db import db, transaction
from crm.reconcile import find_faults
from tests.case_factory import make_case
from tests.cases.racers import act
from tests.racers import Job, Racers, Result, racing

CLIENTS = 8


@pytest.fixture
def racers(app, session, cast, database, settings):
    with racing({**database.environ, "CRM_DATA": str(settings.data_dir)}, act, CLIENTS) as racers:
        yield racers


def two_cases(cast: Any, number: int) -> tuple[int, int]:
    """Two entries of one person, and the numbers of their cases."""
    kate = NewPerson(given_name="Kate", family_name=f"Osei{number}", phone=f"07700 90{number:04d}")
    with transaction():
        ids = tuple(make_case(cast, people=[kate]).id for _ in range(2))
    db.session.rollback()
    return ids  # type: ignore[return-value]


def run(racers: Racers, jobs: list[Job]) -> list[Result]:
    db.session.rollback()
    results = racers.run(jobs)
    db.session.rollback()
    assert [one for one in results if one["what"] == "fault"] == []
    return results


def whole(count: int) -> None:
    """So many households are left of this one, and what is stored fits together."""
    assert db.session.scalar(sa.select(sa.func.count()).select_from(HouseholdMerge)) == count
    assert find_faults(today=today_in_london()) == []


def test_of_many_who_merge_two_cases_in_either_direction_one_does(racers, cast, rounds):
    for number in range(rounds(2, 20)):
        one, other = two_cases(cast, number)
        both = ([one, other], [other, one])
        who = (cast.recruiter.id, cast.manager.id)

        results = run(
            racers, [{"op": "merge", "cases": both[n % 2], "by": who[n % 2]} for n in range(CLIENTS - 1)]
            + [{"op": "compare"}],
        )  # fmt: skip

        counted = Counter(result["what"] for result in results if result["op"] == "merge")
        assert counted["done"] == 1
        assert counted["done"] + counted["refused"] + counted["gone"] == CLIENTS - 1
        people = sa.select(Person).join(Household).where(Person.family_name == f"Osei{number}")
        assert len(db.session.scalars(people).all()) == 1
        whole(number + 1)


def test_of_many_who_undo_a_merge_and_merge_again_each_is_answered(racers, cast, rounds):
    for number in range(rounds(2, 20)):
        one, other = two_cases(cast, number)
        run(racers, [{"op": "merge", "cases": [one, other], "by": cast.recruiter.id}] * 7 + [{"op": "compare"}])
        merge_id = db.session.scalars(sa.select(HouseholdMerge.id).order_by(HouseholdMerge.id.desc())).first()

        results = run(
            racers,
            [{"op": "undo", "merge_id": merge_id, "by": cast.manager.id}] * 4
            + [{"op": "merge", "cases": [other, one], "by": cast.recruiter.id}] * 3
            + [{"op": "compare"}],
        )

        assert Counter(result["what"] for result in results if result["op"] == "undo")["done"] == 1
        assert find_faults(today=today_in_london()) == []


def test_a_page_sent_while_its_household_is_merged_is_answered_in_words(racers, app, cast, rounds):
    """Notes by the page, while others merge the two: each is a plain yes, a plain no, or asked to try again."""
    client = app.test_client()
    client.sign_in(cast.manager)
    token = client.get_cookie("staff").value
    for number in range(rounds(2, 20)):
        one, other = two_cases(cast, number)
        references = [db.session.get_one(Case, case_id).reference for case_id in (one, other)]
        db.session.rollback()
        page = client.get(f"/cases/{references[0]}").page
        data = page.form(action=f"/cases/{references[0]}/notes").filled(None, note="They rang")
        del data["one_time_id"]
        notes = [
            {"op": "post", "path": f"/cases/{reference}/notes", "session": token, "data": data}
            for reference in references * 3
        ]

        results = run(racers, [*notes, {"op": "merge", "cases": [one, other], "by": cast.recruiter.id},
                               {"op": "merge", "cases": [other, one], "by": cast.manager.id}])  # fmt: skip

        statuses = {result["what"] for result in results if result["op"] == "post"}
        assert statuses <= {303, 409, 503}, [one for one in results if one["what"] not in (303, 409, 503)]
        assert find_faults(today=today_in_london()) == []
