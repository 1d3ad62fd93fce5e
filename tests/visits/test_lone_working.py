"""Officers who are alone at a home: in, out, more time, help, and who hears of it when they are not heard of."""

from __future__ import annotations

import os
import threading
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from crm import policy
from crm.access.models import User
from crm.cases.models import Case
from crm.clock import now_utc, today_in_london
from crm.db import db, transaction
from crm.delivery import Channel, OutboundMessage
from crm.jobs import Timetable, WorkerSeen, runner
from crm.policy import changing
from crm.rules.refusal import Refusal
from crm.timetable import TIMETABLE
from crm.visits import attendance, holds, home_notes, lone_working, watching
from crm.visits.day_models import AlertKind, NoteKind, VisitAlert, VisitWatch
from crm.visits.models import Place, Purpose, Visit, VisitStatus
from crm.visits.watching import watch_of
from tests.factories import Cast, Member
from tests.quick_processes import quick_processes
from tests.visits.conftest import MONDAY, Verbs, at

VISIT_AT = "2026-07-14 17:30"
"""Tuesday, until 7pm: ninety minutes."""


@pytest.fixture
def visit(verbs: Verbs, freeze: Any) -> Visit:
    freeze(MONDAY)
    return verbs.book(verbs.household(), VISIT_AT)


def look_out() -> int:
    with transaction():
        return watching.raise_alarms(now_utc())


def alerts(visit: Visit) -> list[str]:
    rows = db.session.scalars(sa.select(VisitAlert).where(VisitAlert.visit_id == visit.id).order_by(VisitAlert.id))
    return [row.kind for row in rows]


def told(kind: str) -> list[int | None]:
    """Who was told by email, in order."""
    return list(
        db.session.scalars(
            sa.select(OutboundMessage.user_id)
            .where(OutboundMessage.kind == kind, OutboundMessage.channel == Channel.EMAIL)
            .order_by(OutboundMessage.id)
        )
    )


def go_in(visit: Visit, cast: Cast, *, buddy: Member | None = None) -> None:
    with transaction():
        if buddy is not None:
            lone_working.choose_buddy(
                visit, db.session.get_one(User, buddy.id), actor=cast.officer.actor, now=now_utc()
            )
        lone_working.check_in(visit, at=now_utc(), actor=cast.officer.actor, now=now_utc())


def go_out(visit: Visit, cast: Cast, *, when: datetime | None = None) -> None:
    today = today_in_london()
    with transaction():
        lone_working.check_out(
            visit,
            db.session.get_one(Case, visit.case_id),
            at=when or now_utc(),
            actor=cast.officer.actor,
            now=now_utc(),
            today=today,
            rulebook=policy.rulebook_on(today),
        )


def test_a_missed_check_out_alerts_the_buddy_then_the_managers_at_the_set_minutes_each_once(
    visit: Visit, cast: Cast, freeze: Any
) -> None:
    freeze("2026-07-14 17:31")
    go_in(visit, cast, buddy=cast.other_officer)

    seen = []
    for minute in range(60):
        freeze(at("2026-07-14 18:50") + timedelta(minutes=minute))
        if look_out():
            seen.append((f"{now_utc().astimezone(visit.starts_at.tzinfo):%H:%M}", alerts(visit)[-1]))
        look_out()

    assert [kind for _time, kind in seen] == ["not_out", "buddy", "manager"]
    raised = {row.kind: row.told_at for row in db.session.scalars(sa.select(VisitAlert))}
    assert raised["not_out"] == at("2026-07-14 19:00")
    assert raised["buddy"] == at("2026-07-14 19:15")
    assert raised["manager"] == at("2026-07-14 19:30")
    assert told("lone_not_out") == [cast.officer.id]
    assert told("lone_overdue") == [cast.other_officer.id, cast.manager.id]


def test_the_minutes_are_the_service_s_own(visit: Visit, cast: Cast, freeze: Any) -> None:
    freeze("2026-07-14 17:31")
    for name, minutes in (("buddy_after_minutes", 5), ("manager_after_minutes", 10)):
        with transaction():
            changing.change_setting(
                name=name, value=minutes, actor=cast.administrator.actor, now=now_utc(), today=today_in_london()
            )
    go_in(visit, cast, buddy=cast.other_officer)

    freeze("2026-07-14 19:04")
    look_out()
    before = alerts(visit)
    freeze("2026-07-14 19:10")
    look_out()

    assert before == ["not_out"]
    assert set(alerts(visit)) == {"not_out", "buddy", "manager"}


WATCH = Timetable(jobs=tuple(job for job in TIMETABLE.jobs if job.name == "look_out_for_officers"))


def _die_while_telling(settings: Any, moment: datetime) -> None:
    """What a worker does that is killed after it has told and before it has kept that it has."""
    from crm.app import create_app

    app = create_app(settings)
    with app.app_context():
        original = watching._tell

        def tell_and_die(*args: Any, **kwargs: Any) -> None:
            original(*args, **kwargs)
            db.session.flush()
            os._exit(9)

        watching._tell = tell_and_die
        runner.run_due_jobs(WATCH, clock=lambda: moment)


def test_workers_that_are_killed_while_they_tell_lose_and_double_no_alarm(
    app: Any, visit: Visit, cast: Cast, freeze: Any
) -> None:
    """Three workers die, each at the minute of an alarm with the job in hand; the next takes it up a minute later."""
    freeze("2026-07-14 17:31")
    go_in(visit, cast, buddy=cast.other_officer)
    visit_id = visit.id
    runner.ensure_rows(WATCH, now=now_utc())
    db.session.remove()

    for moment in ("2026-07-14 19:00", "2026-07-14 19:15", "2026-07-14 19:30"):
        victim = quick_processes().Process(target=_die_while_telling, args=(app.extensions["crm_settings"], at(moment)))
        victim.start()
        victim.join(60)
        assert victim.exitcode == 9
        for seconds in range(20, 180, 20):
            freeze(at(moment) + timedelta(seconds=seconds))
            runner.run_due_jobs(WATCH, clock=now_utc)

    raised = db.session.scalars(sa.select(VisitAlert).where(VisitAlert.visit_id == visit_id).order_by(VisitAlert.id))
    assert [(row.kind, row.told_at) for row in raised] == [
        ("not_out", at("2026-07-14 19:01")),
        ("buddy", at("2026-07-14 19:16")),
        ("manager", at("2026-07-14 19:31")),
    ]
    assert told("lone_not_out") == [cast.officer.id]
    assert told("lone_overdue") == [cast.other_officer.id, cast.manager.id]


def test_a_late_check_out_ends_the_alarm_and_goes_no_further(visit: Visit, cast: Cast, freeze: Any) -> None:
    freeze("2026-07-14 17:31")
    go_in(visit, cast, buddy=cast.other_officer)
    freeze("2026-07-14 19:16")
    look_out()
    freeze("2026-07-14 19:20")
    go_out(visit, cast)

    freeze("2026-07-14 20:30")

    assert look_out() == 0
    assert alerts(visit) == ["buddy", "not_out"]
    assert told("lone_safe") == [cast.other_officer.id]
    assert watching.alarms_for(cast.other_officer.actor, now=now_utc()) == []


def test_a_visit_that_fails_to_be_told_of_keeps_no_other_waiting(
    visit: Visit, verbs: Verbs, cast: Cast, freeze: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = verbs.book(verbs.household(2), VISIT_AT, cast.other_officer)
    original = watching._tell

    def fails_for_one(kind: str, one: Visit, *args: Any, **kwargs: Any) -> None:
        if one.id == visit.id:
            raise ValueError("a fault of ours")
        original(kind, one, *args, **kwargs)

    monkeypatch.setattr(watching, "_tell", fails_for_one)
    freeze("2026-07-14 17:45")
    look_out()
    monkeypatch.undo()
    freeze("2026-07-14 17:46")

    assert (alerts(visit), alerts(other)) == ([], ["not_in"])
    assert look_out() == 1
    assert told("lone_not_in") == [cast.other_officer.id, cast.officer.id]


def test_who_has_checked_out_is_nobody_s_worry_and_the_visit_is_kept_with_its_times(
    visit: Visit, cast: Cast, freeze: Any
) -> None:
    freeze("2026-07-14 17:31")
    go_in(visit, cast, buddy=cast.other_officer)
    freeze("2026-07-14 18:55")
    go_out(visit, cast)
    go_out(visit, cast)

    freeze("2026-07-14 20:30")

    assert look_out() == 0
    assert (visit.status, visit.held_from_at, visit.held_until_at) == (
        VisitStatus.DONE,
        at("2026-07-14 17:31"),
        at("2026-07-14 18:55"),
    )


def test_more_time_moves_the_alarms(visit: Visit, cast: Cast, freeze: Any) -> None:
    freeze("2026-07-14 17:31")
    go_in(visit, cast, buddy=cast.other_officer)
    freeze("2026-07-14 18:50")
    with transaction():
        lone_working.need_longer(visit, minutes=30, at=now_utc(), actor=cast.officer.actor, now=now_utc())

    freeze("2026-07-14 19:29")
    assert look_out() == 0
    freeze("2026-07-14 19:45")
    look_out()

    assert alerts(visit) == ["buddy", "not_out"]


def test_whoever_comes_in_late_stays_as_long_as_was_planned(visit: Visit, cast: Cast, freeze: Any) -> None:
    freeze("2026-07-14 18:10")
    go_in(visit, cast)

    assert watching.expected_out_at(visit, watch_of(visit)) == at("2026-07-14 19:40")


def test_whoever_forgets_to_check_in_is_asked_and_looked_for_all_the_same(
    visit: Visit, cast: Cast, freeze: Any
) -> None:
    freeze("2026-07-14 17:45")
    look_out()
    asked = told("lone_not_in")
    freeze("2026-07-14 19:30")
    look_out()

    assert asked == [cast.officer.id]
    assert told("lone_overdue") == [cast.manager.id, cast.manager.id]  # no buddy: the manager, and then again


def test_help_is_called_by_one_tap_from_buddy_and_managers_once(visit: Visit, cast: Cast, freeze: Any) -> None:
    freeze("2026-07-14 17:31")
    go_in(visit, cast, buddy=cast.other_officer)
    freeze("2026-07-14 17:50")

    for _tap in range(2):
        with transaction():
            lone_working.ask_for_help(visit, at=now_utc(), actor=cast.officer.actor, now=now_utc())

    assert told("lone_help") == [cast.other_officer.id, cast.manager.id]
    assert [one.asked_for_help for one in watching.alarms_for(cast.other_officer.actor, now=now_utc())] == [True]
    assert [one.visit_id for one in watching.alarms_for(cast.manager.actor, now=now_utc())] == [visit.id]
    assert watching.alarms_for(cast.recruiter.actor, now=now_utc()) == []


def test_whoever_asked_for_help_is_heard_by_somebody_before_the_alarm_ends(
    visit: Visit, cast: Cast, freeze: Any
) -> None:
    freeze("2026-07-14 17:31")
    go_in(visit, cast, buddy=cast.other_officer)
    with transaction():
        lone_working.ask_for_help(visit, at=now_utc(), actor=cast.officer.actor, now=now_utc())
    freeze("2026-07-14 18:00")
    with pytest.raises(lone_working.NotInside), transaction():
        lone_working.need_longer(visit, minutes=30, at=now_utc(), actor=cast.officer.actor, now=now_utc())
    go_out(visit, cast)

    still = watching.alarms_for(cast.manager.actor, now=now_utc())
    freeze("2026-07-14 19:30")
    look_out()

    assert [one.asked_for_help for one in still] == [True]
    assert told("lone_safe") == []
    assert told("lone_overdue") == []
    with transaction():
        lone_working.hear_from(
            visit,
            db.session.get_one(Case, visit.case_id),
            note="Spoke to her",
            actor=cast.manager.actor,
            now=now_utc(),
        )
    assert watching.alarms_for(cast.manager.actor, now=now_utc()) == []


def test_more_time_that_is_heard_of_when_it_is_over_calls_no_alarm_off(visit: Visit, cast: Cast, freeze: Any) -> None:
    freeze("2026-07-14 17:31")
    go_in(visit, cast, buddy=cast.other_officer)
    freeze("2026-07-14 20:30")
    look_out()

    with transaction():
        lone_working.need_longer(visit, minutes=15, at=at("2026-07-14 18:50"), actor=cast.officer.actor, now=now_utc())

    assert told("lone_safe") == []
    assert len(watching.alarms_for(cast.other_officer.actor, now=now_utc())) == 1


def test_an_alarm_stands_down_when_they_are_heard_from_and_everybody_alarmed_is_told(
    visit: Visit, cast: Cast, freeze: Any
) -> None:
    freeze("2026-07-14 17:31")
    go_in(visit, cast, buddy=cast.other_officer)
    freeze("2026-07-14 19:30")
    look_out()
    case = db.session.get_one(Case, visit.case_id)
    with pytest.raises(lone_working.NotLookedAfter), transaction():
        lone_working.hear_from(visit, case, note="Rang", actor=cast.officer.actor, now=now_utc())
    with transaction():
        lone_working.hear_from(visit, case, note="Rang back", actor=cast.other_officer.actor, now=now_utc())

    freeze("2026-07-14 20:30")

    assert look_out() == 0
    assert sorted(told("lone_safe"), key=str) == sorted([cast.other_officer.id, cast.manager.id], key=str)
    assert watching.alarms_for(cast.manager.actor, now=now_utc()) == []


def test_nobody_in_and_a_visit_called_off_are_nobody_s_worry(
    visit: Visit, cast: Cast, verbs: Verbs, freeze: Any
) -> None:
    other = verbs.book(verbs.household(2), "2026-07-15 17:30")
    verbs.cancel(other)
    freeze("2026-07-14 17:40")
    case = db.session.get_one(Case, visit.case_id)
    with transaction():
        attendance.record_no_access(visit, case, note="", actor=cast.officer.actor, **verbs.given())

    freeze("2026-07-15 20:30")

    assert look_out() == 0


def test_what_is_told_names_no_household_and_no_address(visit: Visit, cast: Cast, freeze: Any) -> None:
    freeze("2026-07-14 17:31")
    go_in(visit, cast, buddy=cast.other_officer)
    with transaction():
        lone_working.ask_for_help(visit, at=now_utc(), actor=cast.officer.actor, now=now_utc())
    freeze("2026-07-14 19:30")
    look_out()

    messages = db.session.scalars(sa.select(OutboundMessage).where(OutboundMessage.kind.startswith("lone_"))).all()

    assert messages
    for message in messages:
        said = message.payload
        for canary in (b"Thompson", b"Maya", b"Rowan", b"SE6", b"KF-"):
            assert canary not in (said if isinstance(said, bytes) else str(said).encode()), message.kind


# --- Do not visit alone -----------------------------------------------------------------------------------------------


def test_a_household_not_to_be_visited_alone_takes_two_officers_or_another_place(
    verbs: Verbs, cast: Cast, freeze: Any
) -> None:
    freeze(MONDAY)
    case = verbs.household()
    booked = verbs.book(case, VISIT_AT)
    with transaction():
        home_notes.set_notes(
            case,
            {NoteKind.NOT_ALONE: "A man in the house shouted threats.", NoteKind.DOG: "Biscuit, friendly"},
            actor=cast.recruiter.actor,
            now=now_utc(),
            today=today_in_london(),
        )

    with pytest.raises(home_notes.NotAlone):
        verbs.move(booked, "2026-07-15 10:00")
    verbs.move(booked, "2026-07-15 10:00", cast.officer, cast.other_officer)
    with pytest.raises(home_notes.NotAlone):
        verbs.move(booked, "2026-07-16 10:00", cast.officer)
    with pytest.raises(home_notes.NotAlone), transaction():
        holds.hold_slot(
            case,
            purpose=Purpose.FIRST_VISIT,
            place=Place.HOME,
            starts_at=at("2026-07-17 10:00"),
            length_minutes=90,
            officer_ids=[cast.officer.id],
            actor=cast.officer.actor,
            **verbs.given(),
        )

    assert len(booked.officer_ids) == 2
    titles = db.session.scalars(sa.text("SELECT title FROM task")).all()
    assert [title for title in titles if title.startswith("Find a second officer")]
    by_video = verbs.household(2)
    with transaction():
        home_notes.set_notes(
            by_video,
            {NoteKind.NOT_ALONE: "Threats"},
            actor=cast.recruiter.actor,
            now=now_utc(),
            today=today_in_london(),
        )
    assert verbs.book(by_video, "2026-07-17 10:00", place=Place.VIDEO).is_booked


# --- Pages ------------------------------------------------------------------------------------------------------------


def test_an_officer_checks_in_and_out_on_a_phone(client: Any, visit: Visit, cast: Cast, freeze: Any) -> None:
    freeze("2026-07-14 17:31")
    client.sign_in(cast.officer)
    page = client.get(f"/visits/{visit.id}/day").page
    assert "Check in: I’m at the door" in page.text
    assert "Alarms are not running" in page.text
    with transaction():
        db.session.add(WorkerSeen(name="one", started_at=now_utc(), seen_at=now_utc()))
    assert "Alarms are not running" not in client.get(f"/visits/{visit.id}/day").page.text

    inside = client.submit(page, button="Check in: I’m at the door", follow=True).page
    assert "Check out by" in inside.text
    longer = client.submit(inside, button="+30 min", follow=True).page
    freeze("2026-07-14 18:00")
    client.submit(longer, button="Check out: I’m safely out")

    db.session.rollback()
    watch = db.session.scalars(sa.select(VisitWatch)).one()
    assert watch.checked_out_at == at("2026-07-14 18:00")
    assert watch.expected_out_at == at("2026-07-14 19:30")
    assert "1 Rowan Close" in client.get(f"/visits/{visit.id}/sheet").page.text


def test_a_manager_gets_from_a_visit_to_whether_they_are_in_or_out(
    client: Any, visit: Visit, cast: Cast, freeze: Any
) -> None:
    freeze("2026-07-14 16:00")
    client.sign_in(cast.manager)
    ahead = client.get(f"/visits/{visit.id}").page.text
    freeze("2026-07-14 17:31")
    client.sign_in(cast.manager)
    begun = client.get(f"/visits/{visit.id}").page

    assert "Are they in, and out again?" not in ahead
    assert "Are they in, and out again?" in begun.text
    assert client.get(f"/visits/{visit.id}/watch").status_code == 200


def test_a_buddy_sees_the_address_in_an_alarm_and_not_before(
    client: Any, visit: Visit, cast: Cast, freeze: Any
) -> None:
    freeze("2026-07-14 17:31")
    go_in(visit, cast, buddy=cast.other_officer)
    asked = told("lone_buddy")
    client.sign_in(cast.other_officer)
    before = client.get(f"/visits/{visit.id}/watch").page.text
    asked_to = client.get("/my-day").page.text
    freeze("2026-07-14 19:16")
    look_out()
    client.sign_in(cast.other_officer)
    after = client.get(f"/visits/{visit.id}/watch").page.text
    my_day = client.get("/my-day").page.text

    assert asked == [cast.other_officer.id]
    assert "You look out for" in asked_to
    assert "Rowan Close" not in before
    assert "Rowan Close" in after
    assert "Not heard of" in my_day
    assert AlertKind.BUDDY in alerts(visit)


def test_who_books_for_one_while_it_is_written_that_nobody_goes_alone_waits_and_is_refused(
    app: Any, verbs: Verbs, cast: Cast, freeze: Any
) -> None:
    freeze(MONDAY)
    case_id = verbs.household().id
    said: list[Refusal | None] = []

    def book() -> None:
        with app.app_context():
            try:
                verbs.book(db.session.get_one(Case, case_id), VISIT_AT)
                said.append(None)
            except Refusal as refusal:
                said.append(refusal)
            finally:
                db.session.remove()

    booker = threading.Thread(target=book)
    with transaction():
        home_notes.set_notes(
            db.session.get_one(Case, case_id),
            {NoteKind.NOT_ALONE: "Threats"},
            actor=cast.recruiter.actor,
            now=now_utc(),
            today=today_in_london(),
        )
        booker.start()
        booker.join(0.5)
        waited = not said
    booker.join(20)

    assert waited
    assert said != [None]
    assert len(said) == 1
    assert db.session.scalar(sa.select(sa.func.count()).select_from(Visit)) == 0


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_an_officer_who_forgot_to_check_in_sees_who_was_told_and_says_that_they_are_safe(
    client: Any, visit: Visit, cast: Cast, freeze: Any
) -> None:
    visit_id = visit.id
    freeze("2026-07-14 17:00")
    client.sign_in(cast.officer)
    hours = client.get("/account/hours").page
    kept = client.submit(hours, button="Keep my week", mobile="07700 900118", car="kf26  dmo")
    assert kept.status_code == 303, kept.page.errors
    freeze("2026-07-14 19:31")
    look_out()

    client.sign_in(cast.officer)
    page = client.get(f"/visits/{visit_id}/day").page
    client.sign_in(cast.manager)
    watched = client.get(f"/visits/{visit_id}/watch").page
    client.sign_in(cast.officer)
    after = client.submit(client.get(f"/visits/{visit_id}/day").page, button="I’m safe", follow=True).page

    assert "The managers were told at 7:15pm" in page.text
    assert "Check in" not in page.text
    assert "Ring Nadia Rahman on 07700 900 118" in watched.text
    assert "Their car is KF26 DMO." in watched.text
    assert "Whoever was alarmed is told that you are safe" in after.text
    assert after.links["It went ahead"].endswith(f"/visits/{visit_id}/report")
    assert told("lone_safe")
