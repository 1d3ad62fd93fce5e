"""Nobody is forgotten: managers are told in time, what nobody touched is on a wall, and no open case is nobody's."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from crm import policy
from crm.access import leave
from crm.access import people as accounts
from crm.access.models import User
from crm.cases import contact
from crm.cases.models import Case, Escalation, Task
from crm.clock import now_utc, today_in_london
from crm.db import db, transaction
from crm.delivery import OutboundMessage
from crm.jobs import runner
from crm.policy import changing
from crm.rules.deadlines import ClockState
from crm.timetable import TIMETABLE, has_late_enquiries, tell_of_late_enquiries
from crm.visits.queries import times_away
from tests.case_factory import PRIYA, couple, make_case, reach

MORNING = "2026-07-14 09:00"  # a Tuesday


def given(member):
    today = today_in_london()
    return {"actor": member.actor, "now": now_utc(), "today": today, "rulebook": policy.rulebook_on(today)}


def tell():
    """What the timetable does every few minutes; how many households managers were told of."""
    now = now_utc()
    has_work = has_late_enquiries(now)
    db.session.rollback()
    with transaction():
        told = tell_of_late_enquiries(now)
    assert bool(told) == has_work
    return told


def told_to(member):
    db.session.rollback()
    letters = db.session.scalars(
        sa.select(OutboundMessage).where(OutboundMessage.kind == "running_late", OutboundMessage.user_id == member.id)
    ).all()
    return [letter.payload.decode() for letter in letters]


def tasks_of(member):
    db.session.rollback()
    return db.session.scalars(sa.select(Task.title).where(Task.assigned_to_id == member.id).order_by(Task.id)).all()


# --- Told in time -----------------------------------------------------------------------------------------------------


def test_managers_are_told_before_and_at_breach_once_each(app, session, cast, freeze):
    freeze(MORNING)
    with transaction():
        case = make_case(cast)
        reference = case.reference
    freeze("2026-07-15 13:59")
    assert tell() == 0

    freeze("2026-07-15 14:00")
    assert [tell(), tell()] == [1, 0]
    assert tasks_of(cast.manager) == [f"A first contact is due today and not tried: {reference}"]

    freeze("2026-07-16 00:01")
    assert [tell(), tell()] == [1, 0]
    assert tasks_of(cast.manager)[1:] == [f"A first contact is over: {reference}"]

    letters = told_to(cast.manager)
    assert len(letters) == 2
    for letter in letters:
        assert reference in letter
        assert "Priya" not in letter
        assert "Osei" not in letter
    assert tasks_of(cast.recruiter) == []


def test_what_was_tried_is_told_only_when_it_is_over(app, session, cast, freeze):
    freeze(MORNING)
    with transaction():
        case = make_case(cast)
    freeze("2026-07-15 10:00")
    with transaction():
        case = db.session.get(Case, case.id)
        attempt = contact.log_attempt(case, case.household.people[0], how="text", note=None, **given(cast.recruiter))
    freeze("2026-07-15 15:00")
    assert tell() == 0

    with transaction():
        contact.undo_attempt(db.session.get(Case, case.id), attempt, **given(cast.recruiter))
    assert tell() == 1
    freeze("2026-07-16 08:00")
    assert tell() == 1


def test_one_letter_a_manager_names_all_and_nobody_who_was_reached(app, session, cast, freeze):
    freeze(MORNING)
    with transaction():
        late = [make_case(cast, people=couple(f"Home{n}", number=300 + 10 * n)).reference for n in range(5)]
        reached = make_case(cast, stage="contacted", people=couple("Reached", number=500)).reference
    freeze("2026-07-16 09:00")

    assert tell() == 5

    (letter,) = told_to(cast.manager)
    assert all(reference in letter for reference in late)
    assert reached not in letter
    assert tasks_of(cast.manager) == [f"5 first contacts are over: {', '.join(late[:3])} and 2 more"]
    assert db.session.scalar(sa.select(sa.func.count()).select_from(Escalation)) == 5


def test_a_manager_who_is_away_is_not_the_one_who_is_told_unless_all_are(app, session, cast, freeze):
    freeze(MORNING)
    with transaction():
        make_case(cast)
        leave.note_leave(
            db.session.get(User, cast.manager.id), first_on=today_in_london(), last_on=date(2026, 7, 31), cover=None,
            actor=cast.manager.actor, now=now_utc(), today=today_in_london(),
        )  # fmt: skip
    freeze("2026-07-16 09:00")

    tell()

    assert len(told_to(cast.manager)) == 1  # all managers are away: better told than not


def test_the_timetable_does_it_and_a_restart_does_not_do_it_again(app, session, cast, freeze):
    freeze(MORNING)
    with transaction():
        make_case(cast)
    freeze("2026-07-16 09:00")
    runner.ensure_rows(TIMETABLE, now=now_utc())

    assert "late_enquiries" in runner.run_due_jobs(TIMETABLE)
    with transaction():
        db.session.execute(sa.text("UPDATE job_run SET next_run_at = '2026-07-16 08:00:00'"))
    assert "late_enquiries" not in runner.run_due_jobs(TIMETABLE)

    assert len(told_to(cast.manager)) == 1


def test_two_workers_at_one_moment_cannot_tell_it_twice(app, session, cast, freeze):
    freeze(MORNING)
    with transaction():
        case = make_case(cast)
        row = {"case_id": case.id, "kind": "over", "due_on": date(2026, 7, 15), "told_at": now_utc()}
        db.session.add(Escalation(**row))

    with pytest.raises(IntegrityError), transaction():
        db.session.add(Escalation(**row))


def test_a_manager_sees_on_my_day_what_was_told_until_somebody_gets_in_touch(client, session, cast, freeze):
    freeze(MORNING)
    with transaction():
        case = make_case(cast)
    freeze("2026-07-16 09:00")
    tell()
    client.sign_in(cast.manager)

    assert "Nobody has got in touch yet" in client.get("/my-day").text
    with transaction():
        reach(db.session.get(Case, case.id), "contacted", cast, now=now_utc())
    assert "Nobody has got in touch yet" not in client.get("/my-day").text
    client.sign_in(cast.recruiter)
    assert "Nobody has got in touch yet" not in client.get("/my-day").text


# --- The wall ---------------------------------------------------------------------------------------------------------


def test_what_nobody_touched_stands_on_the_wall_by_owner(client, session, cast, freeze):
    freeze("2026-06-01 09:00")
    with transaction():
        left = make_case(cast, people=couple("Left", number=300))
        resting = make_case(cast, people=couple("Resting", number=310), stage="not_now", back_on=date(2026, 12, 1))
        minded = make_case(cast, people=couple("Minded", number=320))
        handed = make_case(cast, people=couple("Handed", number=330))
        closed = make_case(cast, people=couple("Closed", number=340), stage="closed")
    freeze(MORNING)
    with transaction():
        contact.add_note(
            db.session.get(Case, minded.id), text="Rang her", kind="note", actor=cast.recruiter.actor, now=now_utc()
        )
    client.sign_in(cast.manager)
    queue = client.get("/enquiries")
    assert "Marcus Bello’s 2" in queue.text
    chosen = queue.page.find("input", class_="ds-tick", value=f"{handed.reference}.{cast.recruiter.id}")
    give = next(form for form in queue.page.forms if form.element.get("id") == "give")
    client.post("/enquiries/give", data={**give.filled(), "chosen": chosen["value"], "to": str(cast.officer.id)})

    wall = client.get(f"/enquiries/untouched?owner={cast.recruiter.id}")

    assert left.reference in wall.text
    for other in (resting, minded, handed, closed):
        assert other.reference not in wall.text
    assert handed.reference in client.get(f"/enquiries/untouched?owner={cast.officer.id}").text
    assert "Nobody has touched 2 households for 10 working days" in client.get("/my-day").text
    client.sign_in(cast.recruiter)
    assert "has touched" not in client.get("/enquiries").text


def test_the_wall_turns_its_pages_and_asks_the_same_for_3_and_for_30(client, session, cast, freeze, queries):
    freeze("2026-06-01 09:00")
    counts = []
    for number in range(1, 31):
        with transaction():
            make_case(cast, people=couple(f"Family{number:02d}x", number=number * 10))
        if number in (3, 30):
            freeze(MORNING)
            client.sign_in(cast.manager)
            with queries() as sent:
                page = client.get("/enquiries/untouched")
            counts.append(len(sent))
            freeze("2026-06-01 09:00")
    freeze(MORNING)

    later = client.get(page.text.split('rel="next"')[0].rsplit('href="', 1)[1].split('"')[0].replace("&amp;", "&"))

    assert counts[0] == counts[1]
    assert [len(one.page.all("a", class_="ds-name")) for one in (page, later)] == [20, 10]


# --- Giving several at once -------------------------------------------------------------------------------------------


def ticked(client, *cases, to, address="/enquiries"):
    page = client.get(address).page
    give = next(form for form in page.forms if form.element.get("id") == "give")
    boxes = [box["value"] for box in page.all("input", class_="ds-tick") if box["value"].split(".")[0] in cases]
    return {**give.filled(), "chosen": boxes, "to": to}


def test_a_manager_gives_several_households_at_once(client, session, cast, freeze):
    freeze(MORNING)
    with transaction():
        cases = [make_case(cast, people=couple(f"Home{n}", number=300 + 10 * n)) for n in range(3)]
    client.sign_in(cast.manager)

    form = ticked(client, cases[0].reference, cases[1].reference, to=str(cast.officer.id))
    with transaction():
        db.session.execute(sa.update(Case).where(Case.id == cases[1].id).values(owner_id=cast.other_officer.id))
    answer = client.post("/enquiries/give", data=form, follow_redirects=True)

    assert "Given: 1 household to Nadia Rahman" in answer.text
    assert "stays: Iqbal Chaudhry was a moment sooner" in answer.text
    session.rollback()
    owners = dict(session.execute(sa.select(Case.id, Case.owner_id)).all())
    assert [owners[case.id] for case in cases] == [cast.officer.id, cast.other_officer.id, cast.recruiter.id]


def test_giving_to_whoever_is_next_spreads_them(client, session, cast, freeze):
    freeze(MORNING)
    with transaction():
        policy.ensure_defaults(now=now_utc())
        changing.change_setting(
            name="areas",
            value=[{"name": "Bromley", "districts": ["BR1"], "owner_ids": [cast.officer.id, cast.other_officer.id]}],
            actor=cast.administrator.actor,
            now=now_utc(),
            today=today_in_london(),
        )
        cases = [make_case(cast, people=couple(f"Home{n}", number=300 + 10 * n)) for n in range(2)]
    client.sign_in(cast.manager)

    client.post("/enquiries/give", data=ticked(client, *(case.reference for case in cases), to="turn"))

    session.rollback()
    assert set(session.scalars(sa.select(Case.owner_id))) == {cast.officer.id, cast.other_officer.id}


@pytest.mark.parametrize("to", ["", "nobody"])
def test_giving_says_what_is_missing(client, session, cast, freeze, to):
    freeze(MORNING)
    with transaction():
        case = make_case(cast)
    client.sign_in(cast.manager)

    answer = client.post("/enquiries/give", data=ticked(client, case.reference, to=to), follow_redirects=True)

    assert "Tick the households, and choose who gets them" in answer.text


# --- Leave ------------------------------------------------------------------------------------------------------------


def test_leave_is_noted_once_and_everything_goes_by_it(client, session, cast, freeze):
    freeze(MORNING)
    with transaction():
        case = make_case(cast, owner=cast.officer)
    reference = case.reference
    client.sign_in(cast.other_officer)
    assert client.get(f"/cases/{reference}").status_code == 404

    client.sign_in(cast.officer)
    typed = {f"{end}_day-{part}": value for end, day in (("first", "14"), ("last", "16"))
             for part, value in (("day", day), ("month", "7"), ("year", "2026"))}  # fmt: skip
    noted = client.submit(
        client.get("/account/leave").page, button="Note this leave", **typed, cover=str(cast.other_officer.id),
        follow=True,
    )  # fmt: skip
    assert "Iqbal Chaudhry covers" in noted.text

    session.rollback()
    assert [one.kind for one in times_away(cast.officer.id, now=now_utc())] == ["leave"]
    client.sign_in(cast.other_officer)
    day = client.get("/my-day").text
    assert "You cover for Nadia Rahman" in day
    assert "Priya Osei" in day
    assert client.get(f"/cases/{reference}").status_code == 200
    freeze("2026-07-17 09:00")
    client.sign_in(cast.other_officer)
    assert client.get(f"/cases/{reference}").status_code == 404
    assert "You cover for" not in client.get("/my-day").text


def test_leave_taken_back_is_taken_back_everywhere(client, session, cast, freeze):
    freeze(MORNING)
    with transaction():
        case = make_case(cast, owner=cast.officer)
        leave.note_leave(
            db.session.get(User, cast.officer.id), first_on=today_in_london(), last_on=date(2026, 7, 16),
            cover=db.session.get(User, cast.other_officer.id), actor=cast.officer.actor, now=now_utc(),
            today=today_in_london(),
        )  # fmt: skip
    client.sign_in(cast.manager)

    client.submit(client.get(f"/team/{cast.officer.id}").page, button="Take back the leave from Tue 14 July")

    session.rollback()
    assert times_away(cast.officer.id, now=now_utc()) == []
    client.sign_in(cast.other_officer)
    assert client.get(f"/cases/{case.reference}").status_code == 404


def test_a_manager_sets_how_many_somebody_has_at_once(client, session, cast, freeze):
    freeze(MORNING)
    client.sign_in(cast.manager)

    client.submit(client.get(f"/team/{cast.officer.id}").page, button="Keep this limit", at_once="12")

    assert session.get(User, cast.officer.id).enquiries_at_once == 12
    assert "Leave and limit" in client.get("/team").text


# --- Never nobody's ---------------------------------------------------------------------------------------------------

COLUMNS = ("owner_id", "next_action", "next_action_due_on")


@pytest.mark.parametrize("column", COLUMNS)
def test_no_way_of_writing_a_row_leaves_an_open_case_to_nobody(app, session, cast, freeze, column):
    """Inserted, changed, opened again: the database itself refuses, whatever wrote it."""
    freeze(MORNING)
    with transaction():
        opened = make_case(cast, people=couple("Opened", number=300)).id
        closed = make_case(cast, people=couple("Closed", number=310), stage="closed").id
    table = Case.__table__
    row = dict(session.execute(sa.select(table).where(table.c.id == opened)).mappings().one())
    session.rollback()
    attempts = {
        "insert": sa.insert(table).values({**row, "id": 9000, "reference": "KF-NOBODY", column: None}),
        "update": sa.update(table).where(table.c.id == opened).values({column: None}),
        "open again": sa.update(table).where(table.c.id == closed).values(is_open=True, **{column: None}),
    }
    for statement in attempts.values():
        with pytest.raises(IntegrityError), transaction():
            db.session.execute(statement)


def test_a_leaver_leaves_nothing_behind(app, session, cast, freeze):
    freeze(MORNING)
    with transaction():
        for n in range(3):
            make_case(cast, people=couple(f"Home{n}", number=300 + 10 * n))
    with transaction():
        accounts.leave(
            user=db.session.get(User, cast.recruiter.id), handed_to=db.session.get(User, cast.officer.id),
            actor=cast.administrator.actor, now=now_utc(), today=today_in_london(),
        )  # fmt: skip

    session.rollback()
    assert set(session.scalars(sa.select(Case.owner_id).where(Case.is_open))) == {cast.officer.id}


# --- Not now ----------------------------------------------------------------------------------------------------------


def test_the_pool_shows_who_is_due_and_takes_them_up_again_in_one_step(client, session, cast, freeze):
    freeze("2026-06-01 09:00")
    with transaction():
        due = make_case(cast, people=couple("Due", number=300), stage="not_now", back_on=date(2026, 7, 14)).reference
        make_case(cast, people=couple("Month", number=310), stage="not_now", back_on=date(2026, 7, 31))
        make_case(cast, people=couple("Later", number=320), stage="not_now", back_on=date(2026, 8, 1))
    freeze(MORNING)
    client.sign_in(cast.recruiter)

    parts = [client.get("/enquiries/not-now" + query) for query in ("", "?part=month", "?part=later")]
    shown = [[name for name in ("Due", "Month", "Later") if f"Priya and Sam {name}" in page.text] for page in parts]
    assert shown == [["Due"], ["Month"], ["Later"]]
    assert "No spare bedroom yet" in parts[0].text
    assert "Priya and Sam Due" in client.get("/my-day").text

    again = client.submit(parts[0].page, to=f"/cases/{due}/again", follow=True)
    assert "is open again" in again.text
    assert "Priya and Sam Due" not in client.get("/enquiries/not-now").text


# --- Logging while talking --------------------------------------------------------------------------------------------


def test_a_call_that_was_the_first_talk_stops_the_clock_with_it(client, session, cast, freeze):
    freeze(MORNING)
    client.sign_in(cast.recruiter)

    sent = client.submit(
        client.get("/enquiries/new").page, button="Log this enquiry", given_name="Kofi", phone="07700 900745",
        channel="hub", sent_by="South East hub, Ama", talked="y", said="Two rooms, works nights",
    )  # fmt: skip

    case = session.scalars(sa.select(Case)).one()
    assert sent.location == f"/cases/{case.reference}/screening"
    assert case.place == "contacted"
    page = client.get(f"/cases/{case.reference}").text
    assert "South East hub, Ama" in page
    assert "Two rooms, works nights" in page


# --- The promise, by the way they came --------------------------------------------------------------------------------


def test_an_administrator_sets_how_enquiries_are_answered_and_the_case_says_it(client, session, cast, freeze):
    freeze(MORNING)
    client.sign_in(cast.administrator)
    kept = client.submit(
        client.get("/admin/settings/response").page, button="Keep this", closes_at="6pm", length_email="3",
        least_tries="3", warn_at="11am", untouched_days="5", follow=True,
    )  # fmt: skip
    assert "Email in 3 working days" in kept.text or "email in 3 working days" in kept.text

    session.rollback()
    rulebook = policy.rulebook_on(today_in_london())
    evening = datetime(2026, 7, 14, 17, 30, tzinfo=now_utc().tzinfo)  # 6:30pm in London
    with transaction():
        case = make_case(cast, channel="email", received_at=evening, now=evening + timedelta(hours=1))
    assert case.next_action_due_on == date(2026, 7, 20)
    assert rulebook.say_due("first_contact", case.next_action_due_on, today=date(2026, 7, 21)).state is ClockState.OVER
    client.sign_in(cast.recruiter)
    page = client.get(f"/cases/{case.reference}").text
    assert "3 working days after the enquiry; what comes after 6pm counts as the next day’s" in page


@pytest.mark.parametrize(
    ("typed", "said"),
    [({"closes_at": "teatime"}, "Write the time like"), ({"length_web": "0"}, "Web form: write from 1 to 90"),
     ({"least_tries": ""}, "Write how many tries"), ({"in_force_from-year": "2025"}, "Choose today or a later day")],
)  # fmt: skip
def test_the_rule_says_how_to_put_it_right(client, session, cast, freeze, typed, said):
    freeze(MORNING)
    client.sign_in(cast.administrator)

    answer = client.submit(client.get("/admin/settings/response").page, button="Keep this", **typed)

    assert answer.status_code == 422
    assert said in answer.text


def test_a_second_touch_never_restarts_the_clock_whatever_the_rule(app, session, cast, freeze):
    """S7, with the promise changed in between."""
    from crm.cases.add_touch import add_touch
    from crm.cases.models import Channel
    from crm.cases.open_case import NewTouch

    freeze("2026-05-16 11:00")
    with transaction():
        case = make_case(cast, channel=Channel.EVENT)
        policy.ensure_defaults(now=now_utc())
    assert case.next_action_due_on == date(2026, 5, 18)
    freeze("2026-05-20 19:00")
    with transaction():
        changing.change_response(
            changes={"lengths": {"event": 5}}, in_force_from=today_in_london(), actor=cast.administrator.actor,
            now=now_utc(), today=today_in_london(),
        )  # fmt: skip
        touch = NewTouch(channel=Channel.EVENT, received_at=now_utc(), source="Online session")
        add_touch(
            db.session.get(Case, case.id), touch=touch, people=[replace(PRIYA, given_name="Tom")],
            **given(cast.recruiter),
        )  # fmt: skip

    session.rollback()
    assert db.session.get(Case, case.id).next_action_due_on == date(2026, 5, 18)
