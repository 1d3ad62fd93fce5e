"""“I take this one”: an enquiry gets another owner in one tap, and never two."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import flask
import pytest
import sqlalchemy as sa

from crm import policy
from crm.audit.models import AuditEntry
from crm.cases.change_stage import change_stage
from crm.cases.hand_over import NotThereToTake, TakenAlready, take_case
from crm.cases.models import Case, CaseAssignment, Task, TimelineEntry
from crm.cases.open_case import NewPerson, NewTouch, open_case
from crm.cases.tasks import add_task
from crm.clock import now_utc, today_in_london
from crm.db import db, transaction
from crm.rules.permissions import NotPermitted, Role
from tests.factories import Cast, Member, make_user

Make = Callable[..., str]
Browser = Callable[..., Any]


def given(**more: Any) -> dict[str, Any]:
    today = today_in_london()
    return {"now": now_utc(), "today": today, "rulebook": policy.rulebook_on(today), **more}


def case_of(reference: str) -> Case:
    db.session.rollback()
    return db.session.scalars(sa.select(Case).where(Case.reference == reference)).one()


def test_an_enquiry_is_taken_from_its_page_with_its_tasks(
    make_household: Make, as_member: Browser, cast: Cast, session: Any
) -> None:
    reference = make_household(owner=cast.manager)
    with transaction():
        add_task(
            title="Ring the school", assigned_to_id=cast.manager.id, due_on=today_in_london(), now=now_utc(),
            actor=cast.manager.actor, case=case_of(reference),
        )  # fmt: skip
    recruiter = as_member(cast.recruiter)

    done = recruiter.submit(recruiter.get(f"/cases/{reference}").page, button="I take this one", follow=True)

    assert "You have Zephyrine 1 Quillfeather now. Next: ring the household." in done.page.text
    assert "I take this one" not in done.page.text
    case = case_of(reference)
    assert case.owner_id == cast.recruiter.id
    assert db.session.scalars(sa.select(Task.assigned_to_id)).all() == [cast.recruiter.id]
    parts = sa.select(CaseAssignment.user_id).where(CaseAssignment.role == "owner", CaseAssignment.until_on.is_(None))
    assert db.session.scalars(parts.where(CaseAssignment.case_id == case.id)).all() == [cast.recruiter.id]
    titles = db.session.scalars(sa.select(TimelineEntry.title).where(TimelineEntry.case_id == case.id)).all()
    assert f"{cast.recruiter.name} took on this household" in titles
    trail = sa.select(AuditEntry).where(AuditEntry.event == "case.assigned", AuditEntry.case_id == case.id)
    assert db.session.scalars(trail.order_by(AuditEntry.id.desc())).first().actor_id == cast.recruiter.id


def test_an_enquiry_is_taken_from_the_queue_and_the_queue_comes_back(
    make_household: Make, as_member: Browser, cast: Cast, session: Any
) -> None:
    theirs, mine = make_household(owner=cast.manager), make_household(owner=cast.recruiter)
    recruiter = as_member(cast.recruiter)
    page = recruiter.get("/enquiries?view=new").page

    buttons = [one for one in page.all("button") if one.text.startswith("I take this one")]
    assert [one.get("formaction") for one in buttons] == [f"/cases/{theirs}/take"]
    form = next(form for form in page.forms if "back" in form.filled())
    done = recruiter.post(
        buttons[0].get("formaction"), data={**form.filled(), "owner": buttons[0].get("value")}, follow_redirects=True
    )

    assert done.request.full_path.startswith("/enquiries?view=new")
    assert "You have Zephyrine" in done.page.text
    assert case_of(theirs).owner_id == case_of(mine).owner_id == cast.recruiter.id


def test_the_second_of_two_who_tap_is_told_who_has_it(
    make_household: Make, as_member: Browser, cast: Cast, session: Any
) -> None:
    reference = make_household(owner=cast.manager)
    first = as_member(cast.recruiter)
    with transaction():
        other = make_user(Member("second_manager", "Wendy Hall", frozenset({Role.MANAGER})))
    second = as_member(other)
    seen = [one.get(f"/cases/{reference}").page for one in (first, second)]

    first.submit(seen[0], button="I take this one")
    late = second.submit(seen[1], button="I take this one", follow=True)

    assert f"{cast.recruiter.name} was a moment sooner and has " in late.page.text
    assert "You have Zephyrine" not in late.page.text
    assert case_of(reference).owner_id == cast.recruiter.id
    again = first.submit(seen[0], button="I take this one")
    assert again.status_code == 303


def test_of_many_who_tap_at_once_exactly_one_gets_it(
    app: flask.Flask, make_household: Make, cast: Cast, session: Any
) -> None:
    reference = make_household(owner=cast.officer)
    with transaction():
        takers = [
            make_user(Member(f"taker_{number}", f"Taker {number}", frozenset({Role.RECRUITER}))) for number in range(6)
        ]

    def tap(taker: Any) -> str:
        with app.app_context():
            try:
                with transaction():
                    found = db.session.scalars(sa.select(Case).where(Case.reference == reference)).one()
                    take_case(found, from_owner_id=cast.officer.id, **given(actor=taker.actor))
            except TakenAlready as no:
                return no.message
            return taker.name

    with ThreadPoolExecutor(len(takers)) as pool:
        told = list(pool.map(tap, takers))

    winners = [one for one in told if one.startswith("Taker ") and " and has " not in one]
    assert len(winners) == 1
    assert all(one.startswith(f"{winners[0]} was a moment sooner and has ") for one in told if one != winners[0])
    lines = sa.select(sa.func.count()).select_from(TimelineEntry).where(TimelineEntry.title.contains("took on"))
    db.session.rollback()
    assert db.session.scalar(lines) == 1


def test_with_no_fallback_owner_a_recruiter_takes_the_enquiry_and_decides_it(
    app: flask.Flask, as_member: Browser, cast: Cast, session: Any
) -> None:
    with transaction():
        case = open_case(
            people=[NewPerson(given_name="June", family_name="Hale", phone="07700 900123")],
            touch=NewTouch(channel="phone", received_at=now_utc(), source="Phone call"),
            postcode="SE6 0KV",
            **given(actor=cast.recruiter.actor),
        )
        assert case.owner_id == cast.manager.id
        reference = case.reference
    recruiter = as_member(cast.recruiter)
    recruiter.submit(recruiter.get(f"/cases/{reference}").page, button="I take this one")
    page = recruiter.get(f"/cases/{reference}/contact").page
    recruiter.submit(page, field="how", how="spoke", note="A good talk")

    page = recruiter.get(f"/cases/{reference}/screening").page
    decided = recruiter.submit(page, button="Decide", outcome="eligible", reason="All as it should be")

    assert decided.status_code == 303
    assert case_of(reference).eligibility_outcome == "eligible"


def test_nobody_takes_what_has_become_an_application_or_has_ended(
    make_household: Make, as_member: Browser, cast: Cast, session: Any
) -> None:
    reference = make_household(owner=cast.manager)
    with transaction():
        change_stage(
            case_of(reference), "close_enquiry", reason="Moved away", reason_code="other",
            letter_context={"reasons": ""}, **given(actor=cast.manager.actor),
        )  # fmt: skip
    assert "I take this one" not in as_member(cast.recruiter).get(f"/cases/{reference}").page.text

    with pytest.raises(NotThereToTake), transaction():
        take_case(case_of(reference), from_owner_id=cast.manager.id, **given(actor=cast.recruiter.actor))


def test_taking_is_for_those_whose_work_enquiries_are(make_household: Make, cast: Cast, session: Any) -> None:
    reference = make_household(owner=cast.officer)

    for member in (cast.panel_administrator, cast.decision_maker, cast.administrator):
        with pytest.raises(NotPermitted), transaction():
            take_case(case_of(reference), from_owner_id=cast.officer.id, **given(actor=member.actor))
    assert case_of(reference).owner_id == cast.officer.id
