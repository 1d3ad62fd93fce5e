"""The screens of preparation courses: planned, filled, marked and certified without a script; and who sees what."""

from __future__ import annotations

from datetime import date

import pytest
import sqlalchemy as sa

from crm.assessments import course_places, course_register
from crm.assessments.course_models import CourseAttendance, CourseCertificate, PrepCourse
from crm.assessments.course_register import Seen
from crm.assessments.queries import live_people
from crm.audit import AuditEntry
from crm.cases.models import Task
from crm.clock import now_utc
from crm.db import db, transaction
from crm.rules.permissions import SYSTEM
from tests.assessments.test_courses import CAME, MISSED, another, ids, letters, mark, on_a_course, plan_course, take_on
from tests.assessments.test_pages import day_fields, send

NOTE = "CANARY-LISTENS-WELL"


@pytest.fixture
def journey(journey):
    return journey.on("2026-03-02")


def test_a_course_is_planned_filled_marked_and_certified_through_the_pages(journey, client):
    journey.invited().applied()
    base = f"/cases/{journey.case.reference}/assessment"
    client.sign_in(journey.cast.manager)
    planned = send(
        client, "/courses/new", button="Keep this course", name="Skills to Foster", capacity="4", place="Kestrel House",
        facilitators=[str(journey.cast.officer.id)], starts_new1="10am", ends_new1="4pm", topics_new1="What it is",
        starts_new2="10am", ends_new2="4pm", **day_fields("on_new1", date(2026, 6, 6)),
        **day_fields("on_new2", date(2026, 6, 13)),
    )  # fmt: skip
    journey.look_again()
    course = db.session.scalars(sa.select(PrepCourse)).one()
    assert "Skills to Foster is planned" in planned.page.text

    client.sign_in(journey.cast.officer)
    assert "4 places left" in client.get("/courses").page.text
    assert "On no course yet" in client.get(base).page.text
    given = send(client, f"{base}/preparation", button="Take them on it", course=str(course.id))
    assert "Priya and Sam have a place on Skills to Foster" in given.page.text

    journey.on("2026-06-13", "17:00")
    client.sign_in(journey.cast.officer)
    priya, sam = ids(journey.case)
    first, second = (session.id for session in course.sessions)
    done = send(client, f"/courses/{course.id}/sessions/{first}", button="Keep, and everybody else came")
    assert "Session 1 is kept: 2 marks changed" in done.page.text
    send(
        client, f"/courses/{course.id}/sessions/{second}", button="Keep who came",
        **{f"how_{priya}": "came", f"how_{sam}": "missed"},
    )  # fmt: skip
    overview = client.get(base).page.text
    assert "All sessions done" in overview
    assert "1 of 2 sessions, session 2 to be made up" in overview
    send(
        client, f"/courses/{course.id}/sessions/{second}", button="Keep who came",
        **{f"how_{sam}": "made_up", f"made_up_where_{sam}": "Spring course"},
        **day_fields(f"made_up_on_{sam}", date(2026, 6, 13)),
    )  # fmt: skip
    send(
        client, f"/courses/{course.id}/notes/{journey.case.reference}", button="Keep these notes",
        strengths_home="A warm pair",
    )  # fmt: skip
    issued = send(client, f"/courses/{course.id}", button="Issue 2 certificates")
    assert "2 certificates issued: Priya Nair and Sam Whitlock" in issued.page.text
    journey.look_again()
    certificate = db.session.scalars(sa.select(CourseCertificate).where(CourseCertificate.person_id == sam)).one()
    sheet = client.get(f"/courses/{course.id}/certificates/{certificate.id}").page.text
    for words in (
        "Sam Whitlock",
        "Skills to Foster",
        "6 June 2026 to 13 June 2026",
        "13 June 2026",
        certificate.number,
    ):
        assert words in sheet
    shown = client.get(f"{base}/preparation").page.text
    for words in ("Made up elsewhere", "Spring course", "A warm pair", "Certificate issued"):
        assert words in shown


def test_what_is_missing_in_a_row_is_said_by_its_box_and_nothing_typed_is_lost(journey, client):
    client.sign_in(journey.cast.manager)

    answer = send(
        client, "/courses/new", button="Keep this course", follow=False, name="Skills to Foster", capacity="4",
        place="Kestrel House", starts_new1="10am", topics_new1="Attachment",
    )  # fmt: skip

    said = answer.page.text
    assert answer.status_code == 422
    assert "Give the date of this session, or empty its row" in said
    assert "Give the time it ends, like 4pm" in said
    assert 'value="Attachment"' in answer.text
    assert db.session.scalars(sa.select(PrepCourse)).all() == []


def test_a_session_is_moved_and_the_next_is_told_from_a_changed_page(journey, client):
    course = on_a_course(journey)
    client.sign_in(journey.cast.manager)
    first, second = (session.id for session in course.sessions)
    stale = client.get(f"/courses/{course.id}/edit").page

    moved = send(
        client, f"/courses/{course.id}/edit", button="Keep this course", **day_fields(f"on_{second}", date(2026, 6, 20))
    )
    again = client.submit(stale, button="Keep this course", **day_fields(f"on_{first}", date(2026, 6, 7)))

    assert "2 letters say what has moved" in moved.page.text
    assert again.status_code == 422
    assert "Somebody changed this course since you opened this page" in again.page.text


def test_a_household_comes_off_with_a_reason_and_the_same_form_twice_does_it_once(journey, client):
    course = on_a_course(journey)
    client.sign_in(journey.cast.officer)
    path = f"/cases/{journey.case.reference}/assessment/preparation/{course.id}/off"
    page = client.get(path).page

    done, again = (
        client.submit(page, button="Take them off", follow=True, why="They go on the spring course.") for _ in range(2)
    )

    assert again.status_code == 200
    assert len(letters("course_given_up")) == 2, "one to each"
    assert "Priya and Sam off Skills to Foster" in done.page.text
    assert "They go on the spring course." in client.get(path.removesuffix(f"/{course.id}/off")).page.text
    assert client.get(path).status_code == 404


def noted(journey):
    """On a course of the officer that is over, with a note of its facilitator and a certificate."""
    course = on_a_course(journey)
    journey.on("2026-06-13", "17:00")
    for number in (1, 2):
        mark(journey, course, number, dict.fromkeys(ids(journey.case), CAME))
    with transaction():
        course_register.write_notes(
            course, journey.case, {ids(journey.case)[0]: Seen(NOTE, None)}, actor=journey.cast.officer.actor,
            now=now_utc(),
        )  # fmt: skip
        course_register.issue_certificates(course, actor=journey.cast.officer.actor, now=now_utc(), today=journey.today)
    return course


def test_notes_are_for_those_who_read_the_assessment(journey, client):
    course = noted(journey)
    path = f"/cases/{journey.case.reference}/assessment/preparation"
    cast = journey.cast

    seen = {}
    for key, member in cast.staff.items():
        client.sign_in(member)
        answer = client.get(path)
        seen[key] = NOTE in answer.text if answer.status_code == 200 else answer.status_code

    assert seen == {
        "officer": True, "manager": True, "other_officer": 404, "recruiter": 404, "panel_administrator": 404,
        "panel_member": 404, "decision_maker": 404, "administrator": 403,
    }  # fmt: skip
    client.sign_in(cast.manager)
    assert NOTE not in client.get(f"/courses/{course.id}/notes/{journey.case.reference}").text, "each has their own"
    for page in (f"/courses/{course.id}", f"/cases/{journey.case.reference}", "/my-day", "/assessments"):
        assert NOTE not in client.get(page).text


def test_a_household_of_somebody_else_has_no_name_on_the_page_of_a_course(journey, client):
    course = noted(journey)
    client.sign_in(journey.cast.other_officer)

    page = client.get(f"/courses/{course.id}")

    assert "A household of somebody else" in page.page.text
    for word in ("Priya", "Whitlock", journey.case.reference, "Print"):
        assert word not in page.text


def test_nothing_is_opened_by_another_courses_or_households_number(journey, client):
    course = noted(journey)
    other = plan_course(journey, name="Evenings", sessions=(course_sessions_later(journey)))
    certificate = db.session.scalars(sa.select(CourseCertificate.id)).first()
    client.sign_in(journey.cast.officer)

    for path in (
        f"/courses/{other.id}/sessions/{course.sessions[0].id}",
        f"/courses/{other.id}/certificates/{certificate}",
        f"/courses/{other.id}/notes/{journey.case.reference}",
        f"/cases/{journey.case.reference}/assessment/preparation/{other.id}/off",
    ):
        assert client.get(path).status_code == 404, path


def course_sessions_later(journey):
    from crm.assessments.course_planning import SessionPlan
    from tests.assessments.test_courses import at

    return (SessionPlan(starts_at=at("2026-09-05 10:00"), ends_at=at("2026-09-05 16:00")),)


def test_a_certificate_that_was_taken_back_prints_no_more(journey, client):
    course = noted(journey)
    certificate = db.session.scalars(sa.select(CourseCertificate.id)).first()
    client.sign_in(journey.cast.officer)
    assert client.get(f"/courses/{course.id}/certificates/{certificate}").status_code == 200

    client.submit(
        client.get(f"/courses/{course.id}").page, to=f"/courses/{course.id}/certificates/{certificate}/take-back"
    )

    assert client.get(f"/courses/{course.id}/certificates/{certificate}").status_code == 409


def test_looking_at_a_course_and_at_preparation_is_recorded_with_whose_it_is(journey, client):
    course = noted(journey)
    client.sign_in(journey.cast.manager)

    client.get(f"/courses/{course.id}")
    client.get(f"/cases/{journey.case.reference}/assessment/preparation")

    journey.look_again()
    looks = db.session.execute(
        sa.select(AuditEntry.event, AuditEntry.case_id).where(AuditEntry.event.in_(["view.course", "view.preparation"]))
    ).all()
    assert ("view.course", journey.case.id) in looks
    assert ("view.preparation", journey.case.id) in looks


def test_no_page_asks_more_of_the_database_for_more_households(journey, client, queries):
    course = on_a_course(journey)
    journey.on("2026-06-06", "17:00")
    mark(journey, course, 1, dict.fromkeys(ids(journey.case), CAME))
    client.sign_in(journey.cast.manager)
    pages = (
        "/courses", f"/courses/{course.id}", f"/courses/{course.id}/sessions/{course.sessions[0].id}",
        f"/cases/{journey.case.reference}/assessment/preparation", f"/cases/{journey.case.reference}/assessment",
    )  # fmt: skip

    def counted():
        found = []
        for path in pages:
            client.get(path)
            with queries() as sent:
                client.get(path)
            # A look is written down for each household, and nothing else grows.
            found.append(sum(1 for one in sent if str(one).startswith("SELECT")))
        return found

    few = counted()
    second = another(journey, 2)
    with transaction():
        db.session.get_one(PrepCourse, course.id).capacity = 30
    take_on(second, course, by=journey.cast.manager)
    mark(journey, course, 1, {ids(second.case)[0]: CAME, ids(second.case)[1]: MISSED})
    more = plan_course(journey, name="Evenings", sessions=course_sessions_later(journey))
    take_on(journey, more, by=journey.cast.manager)

    assert counted() == few


def test_the_page_of_a_case_leads_there_where_it_makes_sense(journey, client):
    journey.invited()
    link = f'href="/cases/{journey.case.reference}/assessment/preparation"'
    shown = {}
    for key in ("officer", "manager"):
        client.sign_in(getattr(journey.cast, key))
        shown[key] = link in client.get(f"/cases/{journey.case.reference}").text
    journey.applied()
    client.sign_in(journey.cast.officer)

    assert shown == {"officer": False, "manager": True}
    assert link in client.get(f"/cases/{journey.case.reference}").text


def test_whoever_is_asked_who_came_finds_the_course_on_their_day(journey, client):
    from crm.assessments import course_timed

    course = on_a_course(journey)
    journey.on("2026-06-15", "09:00")
    with transaction():
        course_timed.ask_who_came(now_utc())
    client.sign_in(journey.cast.officer)

    page = client.get("/my-day")

    assert db.session.scalars(sa.select(Task.title)).all().count("Mark who came to Skills to Foster") == 1
    assert f'<a href="/courses/{course.id}">Mark who came to Skills to Foster</a>' in page.text


def test_an_effect_of_a_move_never_takes_marks_away(journey):
    """Who withdraws in the middle keeps what they did: they may come back."""
    course = on_a_course(journey)
    journey.on("2026-06-06", "17:00")
    mark(journey, course, 1, dict.fromkeys(ids(journey.case), CAME))
    with transaction():
        course_places.give_up_places(
            journey.case, type("Change", (), {"move": "withdraw"})(), actor=SYSTEM, now=now_utc(), today=journey.today,
            rulebook=journey.rulebook,
        )  # fmt: skip

    assert len(db.session.scalars(sa.select(CourseAttendance)).all()) == 2
    assert [person.given_name for person in live_people(journey.case)] == ["Priya", "Sam"]
