"""Preparation courses: places for each adult, the waiting list, who came, notes, certificates, and what is told."""

from __future__ import annotations

import threading
from datetime import date, datetime, timedelta
from email import message_from_bytes, policy
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from crm.assessments import course_places, course_planning, course_queries, course_register, course_timed, withdrawal
from crm.assessments.course_models import CourseAttendance, CourseNote, CoursePlace, PrepCourse
from crm.assessments.course_planning import CoursePlan, SessionPlan
from crm.assessments.course_register import Mark, Seen
from crm.cases.merge import merge_households
from crm.cases.merge_choices import MergeChoices
from crm.cases.models import Case, PersonRole, Task, TimelineEntry
from crm.cases.open_case import NewPerson
from crm.cases.unmerge import undo_merge
from crm.clock import now_utc, today_in_london
from crm.db import db, transaction
from crm.delivery import OutboundMessage
from crm.reconcile import find_faults
from crm.rules.permissions import SYSTEM
from crm.rules.preparation import How
from crm.rules.refusal import Refusal
from tests.assessments.journey import Journey

LONDON = ZoneInfo("Europe/London")
CAME, MISSED = Mark(How.CAME), Mark(How.MISSED)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=LONDON)


SESSIONS = (
    SessionPlan(starts_at=at("2026-06-06 10:00"), ends_at=at("2026-06-06 16:00"), topics="What fostering is"),
    SessionPlan(starts_at=at("2026-06-13 10:00"), ends_at=at("2026-06-13 16:00"), topics="Attachment and loss"),
)


@pytest.fixture
def journey(journey: Journey) -> Journey:
    return journey.on("2026-03-02")


def a_plan(cast, **changes) -> CoursePlan:
    fields = {
        "name": "Skills to Foster", "capacity": 4, "place": "Kestrel House, Bromley", "sessions": SESSIONS,
        "facilitator_ids": (cast.officer.id,), **changes,
    }  # fmt: skip
    return CoursePlan(**fields)


def plan_course(journey: Journey, **changes) -> PrepCourse:
    with transaction():
        return course_planning.plan_course(
            a_plan(journey.cast, **changes), actor=journey.cast.manager.actor, now=now_utc()
        )


def couple(number: int) -> list[NewPerson]:
    return [
        NewPerson(
            given_name=f"{name}{number}", family_name="Grove", email=f"{name.lower()}{number}@example.org",
            phone=f"07700 9004{number:02d}", role=role,
        )
        for name, role in (("Ana", PersonRole.APPLICANT_1), ("Ben", PersonRole.APPLICANT_2))
    ]  # fmt: skip


def another(journey: Journey, number: int, *, people: list[NewPerson] | None = None, **changes) -> Journey:
    """Another household that has applied."""
    made = Journey(journey.cast, journey.freeze)
    made.panel, made.second_manager = journey.panel, journey.second_manager
    made.invited(*(people or couple(number)), address=f"{number} Mill Lane, Bromley", **changes).applied()
    return made


def ids(case: Case) -> list[int]:
    return [person.id for person in case.household.people if person.is_applicant]


def take_on(journey: Journey, course: PrepCourse, who: list[int] | None = None, by=None, needs=None):
    return journey.do(
        course_places.give_place, course, journey.case, by=by or journey.cast.officer,
        person_ids=who or ids(journey.case), needs=needs,
    )  # fmt: skip


def take_off(journey: Journey, course: PrepCourse, who: list[int] | None = None):
    return journey.do(
        course_places.give_up, course, journey.case, by=journey.cast.officer,
        person_ids=who or ids(journey.case), why="They asked for a later one.",
    )  # fmt: skip


def mark(journey: Journey, course: PrepCourse, number: int, marks: dict, by=None) -> int:
    with transaction():
        return course_register.mark_session(
            course, course.sessions[number - 1].id, marks,
            actor=(by or journey.cast.officer).actor, now=now_utc(), today=today_in_london(),
        )  # fmt: skip


def statuses(course: PrepCourse) -> list[str]:
    db.session.rollback()
    return list(
        db.session.scalars(
            sa.select(CoursePlace.status).where(CoursePlace.course_id == course.id).order_by(CoursePlace.id)
        )
    )


def letters(kind: str) -> list[OutboundMessage]:
    db.session.rollback()
    return list(
        db.session.scalars(sa.select(OutboundMessage).where(OutboundMessage.kind == kind).order_by(OutboundMessage.id))
    )


def calendar_of(letter: OutboundMessage) -> list[str]:
    message = message_from_bytes(letter.payload, policy=policy.default)
    part = next(part for part in message.walk() if part.get_content_type() == "application/ics")
    return part.get_payload(decode=True).decode().replace("\r\n ", "").split("\r\n")


def text_of(letter: OutboundMessage) -> str:
    body = message_from_bytes(letter.payload, policy=policy.default).get_body(("plain",))
    return " ".join(body.get_content().split())


def titles(case: Case) -> list[str]:
    db.session.rollback()
    return list(
        db.session.scalars(
            sa.select(TimelineEntry.title).where(TimelineEntry.case_id == case.id).order_by(TimelineEntry.id)
        )
    )


# --- Places -----------------------------------------------------------------------------------------------------------


def test_both_adults_have_a_place_and_each_is_sent_every_session(journey):
    journey.invited().applied()
    course = plan_course(journey, link="https://example.org/join")

    take_on(journey, course, needs="A hearing loop")

    told = letters("course_place")
    assert statuses(course) == ["confirmed", "confirmed"]
    assert [one.recipient for one in told] == ["priya.nair@example.org", "sam.whitlock@example.org"]
    assert "Session 2: Saturday 13 June, 10am to 4pm. Attachment and loss" in text_of(told[0])
    assert "both come to every session" in text_of(told[0])
    assert "https://example.org/join" in text_of(told[0])
    lines = calendar_of(told[1])
    assert lines.count("BEGIN:VEVENT") == 2
    assert [line for line in lines if line.startswith("DTSTART")] == [
        "DTSTART:20260606T090000Z",
        "DTSTART:20260613T090000Z",
    ]
    assert not any(line.startswith(("METHOD", "ATTENDEE", "ORGANIZER")) for line in lines)
    assert "Priya and Sam on Skills to Foster" in titles(journey.case)


def test_two_who_share_a_mailbox_get_one_letter(journey):
    one, two = couple(1)
    two = NewPerson(given_name="Ben", family_name="Grove", email=one.email, role=PersonRole.APPLICANT_2)
    journey.invited(one, two).applied()

    take_on(journey, plan_course(journey))

    assert [letter.recipient for letter in letters("course_place")] == ["ana1@example.org"]


def test_somebody_who_asked_us_to_stop_gets_no_letter_and_the_rest_do(journey):
    journey.invited().applied()
    course = plan_course(journey)
    with transaction():
        db.session.get_one(Case, journey.case.id).household.people[1].no_contact = True

    take_on(journey, course)

    assert [letter.recipient for letter in letters("course_place")] == ["priya.nair@example.org"]


def test_a_couple_that_does_not_fit_waits_and_moves_up_when_both_fit(journey):
    journey.invited().applied()
    course = plan_course(journey, capacity=3)
    take_on(journey, course)
    waits = another(journey, 2)
    take_on(waits, course)
    single = another(journey, 3, people=couple(3)[:1])
    take_on(single, course)
    assert statuses(course) == ["confirmed", "confirmed", "waiting", "waiting", "confirmed"], (
        "one place was left for one"
    )

    take_off(journey, course, ids(journey.case)[:1])
    assert statuses(course)[2:4] == ["waiting", "waiting"], "one place is not enough for two"
    take_off(journey, course, ids(journey.case)[1:])

    assert statuses(course) == ["given_up", "given_up", "confirmed", "confirmed", "confirmed"]
    assert [letter.recipient for letter in letters("course_place_free")] == ["ana2@example.org", "ben2@example.org"]
    assert [letter.recipient for letter in letters("course_waiting")] == ["ana2@example.org", "ben2@example.org"]
    gone = letters("course_given_up")
    assert [letter.recipient for letter in gone] == ["priya.nair@example.org", "sam.whitlock@example.org"]


def test_whoever_is_taken_off_has_it_out_of_their_calendar_and_may_come_back(journey):
    journey.invited().applied()
    course = plan_course(journey)
    take_on(journey, course)
    with transaction():
        db.session.execute(sa.update(OutboundMessage).values(status="sent", sent_at=now_utc(), settled_at=now_utc()))

    take_off(journey, course)
    lines = calendar_of(letters("course_given_up")[0])
    take_on(journey, course)

    assert lines.count("STATUS:CANCELLED") == 2
    assert "SEQUENCE:2" in lines
    assert statuses(course) == ["confirmed", "confirmed"]
    assert db.session.scalars(sa.select(CoursePlace.given_up_at)).all() == [None, None]


def test_a_household_that_has_not_applied_is_taken_only_by_a_manager(journey):
    journey.invited()
    course = plan_course(journey)

    with pytest.raises(Refusal, match="not applied yet"):
        take_on(journey, course)
    take_on(journey, course, by=journey.cast.manager)

    assert statuses(course) == ["confirmed", "confirmed"]


def test_nobody_of_another_household_is_taken_on_with_them(journey):
    journey.invited().applied()
    other = another(journey, 2)
    course = plan_course(journey)

    with pytest.raises(Refusal, match="applicants of this household"):
        take_on(journey, course, who=[*ids(journey.case), *ids(other.case)])
    take_on(journey, course)
    with pytest.raises(Refusal, match="not on this course"):
        take_off(journey, course, who=ids(other.case))


def test_withdrawing_takes_them_off_and_the_next_move_up(journey):
    journey.invited().applied()
    course = plan_course(journey, capacity=2)
    take_on(journey, course)
    waits = another(journey, 2)
    take_on(waits, course)

    with transaction():
        change = course_places.give_up_places
        case = db.session.get_one(Case, journey.case.id)
        change(
            case, type("Change", (), {"move": "withdraw"})(), actor=SYSTEM, now=now_utc(), today=journey.today,
            rulebook=journey.rulebook,
        )  # fmt: skip

    assert statuses(course) == ["given_up", "given_up", "confirmed", "confirmed"]


def test_the_moves_that_end_a_journey_name_what_gives_the_places_back(app, journey, monkeypatch):
    """By the application's own bindings: the withdrawal of an application frees the places of both."""
    from crm.app import EFFECTS
    from crm.cases import effects

    journey.invited().applied().assessing()
    course = plan_course(journey)
    take_on(journey, course)
    monkeypatch.setattr(effects, "_BOUND", dict(EFFECTS))

    journey.do(withdrawal.withdraw, journey.case, by=journey.cast.manager, code="AW3", withdrawn_on=journey.today)

    assert statuses(course) == ["given_up", "given_up"]


@pytest.mark.timeout(120)
def test_of_many_who_ask_at_once_exactly_as_many_get_a_place_as_there_is_room(app, journey):
    journey.invited().applied()
    course = plan_course(journey, capacity=3)
    homes = [journey, *(another(journey, number) for number in range(2, 5))]
    asked = [(home.case.id, ids(home.case)) for home in homes]
    course_id, given = course.id, {"now": now_utc(), "today": journey.today, "rulebook": journey.rulebook}
    db.session.remove()
    gate, faults = threading.Barrier(len(asked)), []

    def ask(case_id: int, person_ids: list[int]) -> None:
        with app.app_context():
            try:
                gate.wait()
                with transaction():
                    course_places.give_place(
                        course_queries.course_with(course_id), db.session.get_one(Case, case_id),
                        person_ids=person_ids, needs=None, actor=journey.cast.manager.actor, **given,
                    )  # fmt: skip
            except Exception as fault:  # noqa: BLE001  (told below, in the test's own thread)
                faults.append(fault)
            finally:
                db.session.remove()

    threads = [threading.Thread(target=ask, args=one) for one in asked]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    found = db.session.scalars(sa.select(CoursePlace.status).where(CoursePlace.course_id == course_id)).all()
    seats = db.session.scalars(sa.select(CoursePlace.seat).where(CoursePlace.seat.is_not(None))).all()
    assert faults == []
    assert (found.count("confirmed"), found.count("waiting")) == (2, 6), "couples come together or wait together"
    assert sorted(seats) == [1, 2]


def test_a_seat_is_one_persons_in_the_database_too(journey):
    journey.invited().applied()
    take_on(journey, plan_course(journey))

    with pytest.raises(sa.exc.IntegrityError), transaction():
        db.session.execute(sa.update(CoursePlace).values(seat=1))


# --- The plan ---------------------------------------------------------------------------------------------------------


def change(journey: Journey, course: PrepCourse, **changes):
    db.session.rollback()
    kept = [
        SessionPlan(starts_at=s.starts_at, ends_at=s.ends_at, topics=s.topics, place=s.place, session_id=s.id)
        for s in course.sessions
    ]
    plan = a_plan(journey.cast, **{"sessions": kept, **changes})
    return journey.do(course_planning.change_course, course, plan, by=journey.cast.manager), kept


def test_a_session_that_moves_is_told_to_all_and_moves_in_their_calendars(journey):
    journey.invited().applied()
    course = plan_course(journey, capacity=2)
    take_on(journey, course)
    waits = another(journey, 2)
    take_on(waits, course)
    uid = course.sessions[1].calendar_uid
    moved = [
        SessionPlan(starts_at=SESSIONS[0].starts_at, ends_at=SESSIONS[0].ends_at, session_id=course.sessions[0].id),
        SessionPlan(starts_at=at("2026-06-20 10:00"), ends_at=at("2026-06-20 16:00"), session_id=course.sessions[1].id),
    ]

    changed, _ = change(journey, course, capacity=2, sessions=moved)
    again, _ = change(journey, course, capacity=2)

    told = {letter.recipient: letter for letter in letters("course_changed")}
    assert (changed.told, again.told, len(told)) == (4, 0, 4)
    said = text_of(told["priya.nair@example.org"])
    assert "Session 2 is now on Saturday 20 June, 10am to 4pm. It was to be on Saturday 13 June, 10am to 4pm" in said
    lines = calendar_of(told["priya.nair@example.org"])
    assert f"UID:{uid}" in lines
    assert "DTSTART:20260620T090000Z" in lines
    assert "still on the waiting list" in text_of(told["ana2@example.org"])


def test_a_session_that_falls_away_leaves_their_calendars(journey):
    journey.invited().applied()
    course = plan_course(journey)
    take_on(journey, course)

    first = SessionPlan(starts_at=SESSIONS[0].starts_at, ends_at=SESSIONS[0].ends_at, session_id=course.sessions[0].id)
    change(journey, course, sessions=[first])

    letter = letters("course_changed")[0]
    assert "There is no session on Saturday 13 June, 10am to 4pm any more" in text_of(letter)
    assert calendar_of(letter).count("STATUS:CANCELLED") == 1


def test_more_room_moves_them_up_and_less_is_refused(journey):
    journey.invited().applied()
    course = plan_course(journey, capacity=2)
    take_on(journey, course)
    waits = another(journey, 2)
    take_on(waits, course)

    with pytest.raises(Refusal, match="2 places are taken already"):
        change(journey, course, capacity=1)
    changed, _ = change(journey, course, capacity=4)

    assert changed.moved_up == 2
    assert statuses(course) == ["confirmed"] * 4


def test_smaller_room_still_has_a_seat_for_everybody_who_is_on_it(journey):
    journey.invited().applied()
    course = plan_course(journey, capacity=6)
    take_on(journey, course)
    second = another(journey, 2)
    take_on(second, course)
    take_off(journey, course)

    change(journey, course, capacity=2)

    assert sorted(db.session.scalars(sa.select(CoursePlace.seat).where(CoursePlace.seat.is_not(None)))) == [1, 2]


def test_two_who_change_the_plan_at_once_do_not_undo_each_other(journey):
    course = plan_course(journey)
    plan = a_plan(journey.cast)

    with pytest.raises(Refusal, match="Somebody changed this course"):
        journey.do(course_planning.change_course, course, plan, by=journey.cast.manager, seen=course.version + 1)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"place": None}, "Say where it is"),
        ({"sessions": ()}, "at least one session"),
        ({"sessions": (SESSIONS[0], SESSIONS[0])}, "overlap"),
        ({"sessions": (SessionPlan(starts_at=SESSIONS[0].ends_at, ends_at=SESSIONS[0].starts_at),)}, "ends after"),
        (
            {"sessions": (SessionPlan(starts_at=at("2026-01-05 10:00"), ends_at=at("2026-01-05 12:00")),)},
            "sessions are over",
        ),
    ],
)
def test_a_plan_that_can_not_be_is_refused(journey, changes, says):
    with pytest.raises(Refusal, match=says):
        plan_course(journey, **changes)


def test_calling_off_tells_everybody_once(journey):
    journey.invited().applied()
    course = plan_course(journey, capacity=2)
    take_on(journey, course)
    waits = another(journey, 2)
    take_on(waits, course)
    off = {"why": "June is not well.", "by": journey.cast.manager}

    told = [journey.do(course_planning.cancel_course, course, **off) for _ in range(2)]

    found = {letter.recipient: letter for letter in letters("course_cancelled")}
    assert told == [4, 0]
    assert "June is not well." in text_of(found["ben2@example.org"])
    assert calendar_of(found["priya.nair@example.org"]).count("STATUS:CANCELLED") == 2
    with pytest.raises(Refusal, match="off"):
        take_on(another(journey, 3), course)


def test_whoever_runs_it_has_it_in_their_calendar_as_it_is_and_hears_when_it_is_theirs_no_more(journey):
    cast = journey.cast
    course = plan_course(journey, facilitator_ids=(cast.officer.id,))
    change(journey, course, name="Skills to Foster, June", facilitator_ids=(cast.officer.id, cast.other_officer.id))
    change(journey, course, facilitator_ids=(cast.other_officer.id,))
    journey.do(course_planning.cancel_course, course, by=cast.manager, why=None)

    told = letters("course_staff")
    assert [(one.recipient, "any more" in text_of(one), one.status) for one in told] == [
        (cast.officer.email, False, "superseded"),
        (cast.other_officer.email, False, "superseded"),
        (cast.officer.email, True, "queued"),
        (cast.other_officer.email, True, "queued"),
    ]
    assert [calendar_of(one).count("STATUS:CANCELLED") for one in told] == [0, 0, 2, 2]
    assert "Open the course" in text_of(told[0])


def test_a_copy_has_its_sessions_as_far_apart_at_the_same_hours(journey):
    course = plan_course(journey)

    with transaction():
        made = course_planning.copy_course(
            course, first_on=date(2026, 10, 24), actor=journey.cast.manager.actor, now=now_utc()
        )

    assert [session.starts_at for session in made.sessions] == [at("2026-10-24 10:00"), at("2026-10-31 10:00")]
    assert made.facilitator_ids == course.facilitator_ids
    assert {one.calendar_uid for one in made.sessions}.isdisjoint(one.calendar_uid for one in course.sessions)


def test_the_check_finds_a_course_whose_summary_has_drifted(journey):
    course = on_a_course(journey)
    assert course_planning.drift() == []

    with transaction():
        db.session.get_one(PrepCourse, course.id).capacity = 1
    crowded = course_planning.drift()
    with transaction():
        db.session.get_one(PrepCourse, course.id).last_ends_at += timedelta(hours=1)

    assert crowded == [f"course {course.id}: 2 people have a place, and there is room for 1"]
    assert f"course {course.id}: its stored times are not those of its sessions" in find_faults(today=journey.today)


def test_whoever_waited_in_vain_is_on_no_course(journey):
    course = on_a_course(journey)
    change(journey, course, capacity=2)
    waits = another(journey, 2)
    take_on(waits, course)

    journey.on("2026-06-14")

    shown = course_queries.prepared(waits.case, course_queries.preparation_of(waits.case), now=now_utc())
    assert [one.words for one in shown] == ["On no course yet"] * 2


# --- Who came ---------------------------------------------------------------------------------------------------------


def on_a_course(journey: Journey) -> PrepCourse:
    journey.invited().applied()
    course = plan_course(journey)
    take_on(journey, course)
    return course


def test_each_adult_is_marked_session_by_session_and_a_missing_one_shows(journey):
    course = on_a_course(journey)
    priya, sam = ids(journey.case)
    journey.on("2026-06-13", "17:00")
    mark(journey, course, 1, {priya: CAME, sam: CAME})
    mark(journey, course, 2, {priya: CAME, sam: MISSED})

    done = course_queries.preparation_of(journey.case)
    shown = course_queries.prepared(journey.case, done, now=now_utc())

    assert [(one.person.given_name, one.state, one.words) for one in shown] == [
        ("Priya", "ok", "All sessions done"),
        ("Sam", "over", "1 of 2 sessions, session 2 to be made up"),
    ]
    assert "Skills to Foster, session 2: Priya came and Sam missed it" in titles(journey.case)


def test_marks_are_only_of_those_on_it_once_it_has_begun_by_those_who_run_it(journey):
    course = on_a_course(journey)
    priya, _sam = ids(journey.case)
    with pytest.raises(Refusal, match="still to come"):
        mark(journey, course, 1, {priya: CAME})
    journey.on("2026-06-06", "11:00")

    with pytest.raises(Refusal, match="no place on this course"):
        mark(journey, course, 1, {999_999: CAME})
    with pytest.raises(Refusal, match="Only those who run this course"):
        mark(journey, course, 1, {priya: CAME}, by=journey.cast.other_officer)
    assert mark(journey, course, 1, {priya: CAME}, by=journey.cast.manager) == 1
    assert mark(journey, course, 1, {priya: CAME}) == 0, "the same again changes nothing"
    assert mark(journey, course, 1, {priya: None}) == 1
    assert db.session.scalars(sa.select(CourseAttendance)).all() == []


def test_what_is_made_up_says_when_and_where(journey):
    course = on_a_course(journey)
    _priya, sam = ids(journey.case)
    journey.on("2026-06-13", "17:00")

    for made_up, says in (
        (Mark(How.MADE_UP), "Give the day"),
        (Mark(How.MADE_UP, date(2026, 6, 14), "Spring course"), "after today"),
        (Mark(How.MADE_UP, date(2026, 6, 12), None), "Say where"),
    ):
        with pytest.raises(Refusal, match=says):
            mark(journey, course, 1, {sam: made_up})
    mark(journey, course, 1, {sam: Mark(How.MADE_UP, date(2026, 6, 12), "A visit by Nadia")})

    assert course_queries.preparation_of(journey.case)[0].adults[1].progress.done == 1


def test_a_certificate_is_only_for_those_who_did_every_session(journey):
    course = on_a_course(journey)
    priya, sam = ids(journey.case)
    journey.on("2026-06-13", "17:00")
    issue = {"actor": journey.cast.officer.actor, "now": now_utc(), "today": journey.today}
    with pytest.raises(Refusal, match="Nobody has done every session"), transaction():
        course_register.issue_certificates(course, **issue)
    mark(journey, course, 1, {priya: CAME, sam: CAME})
    mark(journey, course, 2, {priya: CAME, sam: MISSED})

    with transaction():
        issued = course_register.issue_certificates(course, **issue)
    assert [one.name for one in issued] == ["Priya Nair"]
    with pytest.raises(Refusal, match="Take it back first"):
        mark(journey, course, 1, {priya: MISSED})
    mark(journey, course, 2, {sam: Mark(How.MADE_UP, date(2026, 6, 13), "Spring course, session 2")})
    with transaction():
        issued = course_register.issue_certificates(course, **issue)

    assert [one.name for one in issued] == ["Sam Whitlock"]
    shown = course_queries.prepared(journey.case, course_queries.preparation_of(journey.case), now=now_utc())
    assert [one.words for one in shown] == ["Certificate issued", "Certificate issued"]
    assert "Certificate of Skills to Foster for Sam" in titles(journey.case)


def test_a_certificate_that_is_taken_back_can_be_issued_anew(journey):
    course = on_a_course(journey)
    journey.on("2026-06-13", "17:00")
    for number in (1, 2):
        mark(journey, course, number, dict.fromkeys(ids(journey.case), CAME))
    given = {"actor": journey.cast.officer.actor, "now": now_utc()}
    with transaction():
        first, _second = course_register.issue_certificates(course, today=journey.today, **given)
        course_register.take_certificate_back(course, first, **given)
        again = course_register.issue_certificates(course, today=journey.today, **given)

    assert [one.name for one in again] == ["Priya Nair"]


def test_each_facilitator_has_notes_of_their_own_and_may_take_them_back(journey):
    course = on_a_course(journey)
    priya, _sam = ids(journey.case)
    given = {"now": now_utc()}
    with transaction():
        for member, words in ((journey.cast.officer, "Listens well"), (journey.cast.manager, "Asks good questions")):
            course_register.write_notes(
                course, journey.case, {priya: Seen(words, "Her own losses"), None: Seen("A warm pair", None)},
                actor=member.actor, **given,
            )  # fmt: skip
    with transaction():
        course_register.write_notes(
            course, journey.case, {priya: Seen(None, None), None: Seen("A warm pair", None)},
            actor=journey.cast.officer.actor, **given,
        )  # fmt: skip

    notes = course_queries.preparation_of(journey.case)[0].notes
    assert [(note.person_id, note.strengths) for note in notes] == [
        (None, "A warm pair"),
        (priya, "Asks good questions"),
        (None, "A warm pair"),
    ]
    with pytest.raises(Refusal, match="Only those who run"), transaction():
        course_register.write_notes(
            course, journey.case, {None: Seen("x", None)}, actor=journey.cast.other_officer.actor, **given
        )
    stored = str(db.session.execute(sa.text("SELECT * FROM prep_course_note")).all())
    assert "warm" not in stored


def test_what_a_certificate_says_of_the_course_stays_true(journey):
    course = on_a_course(journey)
    journey.on("2026-06-13", "17:00")
    for number in (1, 2):
        mark(journey, course, number, dict.fromkeys(ids(journey.case), CAME))
    with transaction():
        course_register.issue_certificates(course, actor=journey.cast.officer.actor, now=now_utc(), today=journey.today)
    first = SessionPlan(
        starts_at=SESSIONS[0].starts_at, ends_at=at("2026-06-06 12:00"), session_id=course.sessions[0].id
    )

    changed, kept = change(journey, course, name="Skills to Foster, June")
    with pytest.raises(Refusal, match="Certificates have been issued"):
        change(journey, course, sessions=[first, kept[1]])

    assert (changed.told, db.session.get_one(PrepCourse, course.id).name) == (0, "Skills to Foster, June")


def test_whoever_takes_over_from_a_leaver_runs_their_courses_that_go_on(journey):
    cast = journey.cast
    goes_on = plan_course(journey, facilitator_ids=(cast.officer.id,))
    both = plan_course(journey, name="Both", facilitator_ids=(cast.officer.id, cast.other_officer.id))
    short = SessionPlan(starts_at=at("2026-03-03 10:00"), ends_at=at("2026-03-03 12:00"))
    over = plan_course(journey, name="Over", sessions=(short,))
    journey.on("2026-03-04")

    with transaction():
        course_planning.hand_over_courses(
            from_user_id=cast.officer.id, to_user_id=cast.other_officer.id, actor=cast.administrator.actor,
            now=now_utc(), today=journey.today,
        )  # fmt: skip

    runs = {one.name: course_queries.course_with(one.id).facilitator_ids for one in (goes_on, both, over)}
    assert runs == {
        "Skills to Foster": (cast.other_officer.id,), "Both": (cast.other_officer.id,), "Over": (cast.officer.id,),
    }  # fmt: skip


# --- What happens by itself -------------------------------------------------------------------------------------------


def test_each_adult_is_reminded_the_day_before_once(journey):
    course = on_a_course(journey)
    take_on(another(journey, 2, people=couple(2)[:1]), plan_course(journey, name="Another"))

    for day in ("2026-06-04 12:00", "2026-06-05 08:00", "2026-06-05 12:00", "2026-06-05 13:00"):
        journey.freeze(day)
        with transaction():
            course_timed.remind_for_tomorrow(now_utc())

    told = letters("course_reminder")
    assert sorted(one.recipient for one in told) == [
        "ana2@example.org", "priya.nair@example.org", "sam.whitlock@example.org",
    ]  # fmt: skip
    assert "session 1: 10am to 4pm" in text_of(told[0])
    assert course.sessions[0].reminded_at is not None


def test_who_runs_it_is_asked_who_came_until_everybody_is_marked(journey):
    course = on_a_course(journey)
    journey.on("2026-06-13", "17:00")
    mark(journey, course, 1, dict.fromkeys(ids(journey.case), CAME))
    for _ in range(2):
        with transaction():
            course_timed.ask_who_came(now_utc())

    task = db.session.scalars(sa.select(Task).where(Task.title == "Mark who came to Skills to Foster")).one()
    assert (task.assigned_to_id, task.due_on, task.done_at) == (journey.cast.officer.id, date(2026, 6, 15), None)
    mark(journey, course, 2, dict.fromkeys(ids(journey.case), CAME))

    assert db.session.get_one(Task, task.id, populate_existing=True).done_at is not None


def test_nobody_is_asked_about_a_course_that_is_marked_or_that_nobody_was_on(journey):
    course = on_a_course(journey)
    plan_course(journey, name="Nobody came forward")
    journey.on("2026-06-13", "17:00")
    for number in (1, 2):
        mark(journey, course, number, dict.fromkeys(ids(journey.case), CAME))
    with transaction():
        assert course_timed.ask_who_came(now_utc()) == 2

    assert db.session.scalars(sa.select(Task).where(Task.title.startswith("Mark who came"))).all() == []


def test_a_place_that_comes_free_on_the_last_day_stays_free(journey):
    course = on_a_course(journey)
    waits = another(journey, 2)
    change(journey, course, capacity=2)
    take_on(waits, course)
    journey.freeze(course.first_starts_at - timedelta(hours=23))

    take_off(journey, course)

    assert statuses(course)[2:] == ["waiting", "waiting"]


# --- Entered twice ----------------------------------------------------------------------------------------------------


def entered_twice(journey: Journey) -> tuple[PrepCourse, Journey, Journey]:
    """One person, entered twice before they applied, taken on one course each time, with a mark and a note on each."""
    one = couple(1)[0]
    course = plan_course(journey, capacity=2)
    first, second = journey.invited(one), Journey(journey.cast, journey.freeze).invited(one)
    for home in (first, second):
        take_on(home, course, by=journey.cast.manager)
    journey.on("2026-06-13", "17:00")
    mark(journey, course, 1, {ids(first.case)[0]: CAME, ids(second.case)[0]: MISSED})
    mark(journey, course, 2, {ids(second.case)[0]: CAME})
    with transaction():
        for home, words in ((first, "Kind"), (second, "Patient")):
            course_register.write_notes(
                course, home.case, {ids(home.case)[0]: Seen(words, None)}, actor=journey.cast.officer.actor,
                now=now_utc(),
            )  # fmt: skip
    return course, first, second


def merged(journey: Journey, first: Journey, second: Journey):
    one, other = (db.session.get_one(Case, home.case.id) for home in (first, second))
    pairs = {ids(other)[0]: ids(one)[0]}
    return journey.do(
        merge_households, one, other, by=journey.cast.manager, choices=MergeChoices(pairs=pairs)
    )  # fmt: skip


def whats_written(person_ids: list[int]) -> list:
    db.session.rollback()
    return [
        sorted(map(tuple, db.session.execute(sa.select(*columns).where(columns[0].in_(person_ids)))))
        for columns in (
            (CoursePlace.person_id, CoursePlace.case_id, CoursePlace.status, CoursePlace.seat),
            (CourseAttendance.person_id, CourseAttendance.session_id, CourseAttendance.how),
            (CourseNote.person_id, CourseNote.case_id, CourseNote.id),
        )
    ]


def test_a_merge_leaves_one_place_of_two_and_carries_marks_and_notes_and_undoing_puts_all_back(journey):
    course, first, second = entered_twice(journey)
    people = [*ids(first.case), *ids(second.case)]
    before = whats_written(people)

    merge = merged(journey, first, second)
    places, marks, notes = whats_written(people)
    kept = db.session.get_one(Case, merge.kept_case_id)

    assert [row[:3] for row in places] == [(ids(kept)[0], kept.id, "confirmed")]
    assert len(marks) == 2, "of session 1 the mark of the one who stays; session 2 came along"
    assert [row[:2] for row in notes] == [(ids(kept)[0], kept.id)] * 2
    assert len(course_places.free_seats(course)) == 1
    journey.do(undo_merge, merge, by=journey.cast.manager)
    assert whats_written(people) == before


def test_a_merge_is_not_undone_over_somebody_who_has_the_place_since(journey):
    course, first, second = entered_twice(journey)
    merge = merged(journey, first, second)
    with transaction():
        db.session.get_one(PrepCourse, course.id).last_ends_at = now_utc() + timedelta(days=1)
    third = Journey(journey.cast, journey.freeze).invited(couple(3)[0])
    take_on(third, course, by=journey.cast.manager)

    with pytest.raises(Refusal, match="A place on a course was taken by somebody else"):
        journey.do(undo_merge, merge, by=journey.cast.manager)

    assert whats_written(ids(third.case))[0][0][2] == "confirmed"
