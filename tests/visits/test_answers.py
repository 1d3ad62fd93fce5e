"""What households answer in their calendar comes back to the visit, and changes nothing by itself."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from crm.calendars.models import CalendarObject
from crm.cases.models import Person
from crm.clock import now_utc
from crm.db import db, transaction
from crm.delivery import OutboundMessage, signed_addresses
from crm.delivery.models import IncomingMessage
from crm.visits.answers import guests_of
from crm.visits.models import Visit, VisitAnswer, VisitStatus
from tests.visits.conftest import at
from tests.visits.mail import arrives, event_in, ics, letters, message, story, to_do

MAYA, DANIEL = "maya1@example.org", "daniel1@example.org"
WHEN = "Tuesday 14 July, 2pm"


@pytest.fixture
def case(verbs):
    return verbs.household()


@pytest.fixture
def visit(verbs, case):
    booked = verbs.book(case, "2026-07-14 14:00")
    with transaction():
        db.session.execute(sa.update(OutboundMessage).values(status="sent", sent_at=now_utc()))
    return booked


def uid_of(visit, email):
    person = db.session.scalars(sa.select(Person).where(Person.email_key == email)).one()
    query = sa.select(CalendarObject.uid).where(
        CalendarObject.visit_id == visit.id, CalendarObject.person_id == person.id
    )
    return db.session.scalars(query).one()


def answer(
    visit, partstat, *, email=MAYA, sender=None, method="REPLY", to="visits@kestrel.example.org", text="", **more
):
    calendar = ics(method, uid_of(visit, email), attendee=more.pop("attendee", email), partstat=partstat, **more)
    return arrives(message(calendar, sender=sender or f"Maya <{email}>", to=to, text=text))


def said(visit):
    return {guest.name: guest.answer for guest in guests_of(visit)}


@pytest.mark.parametrize(
    ("partstat", "line", "task"),
    [
        ("ACCEPTED", f"Maya Thompson1 says yes to the visit on {WHEN}", None),
        ("TENTATIVE", f"Maya Thompson1 says maybe to the visit on {WHEN}", None),
        ("DECLINED", f"Maya Thompson1 says no to the visit on {WHEN}", f"They say no to the visit on {WHEN}. Get in"),
    ],
)
def test_an_answer_is_on_the_visit_and_the_case_and_on_a_list_where_there_is_something_to_do(
    verbs, visit, partstat, line, task
):
    before = len(to_do())

    taken = answer(visit, partstat)

    assert taken.outcome == "filed"
    assert story()[-1] == line
    assert said(visit) == {"Maya Thompson1": partstat.lower(), "Daniel Reid1": None}
    added = to_do()[before:]
    assert [(title.startswith(task or "-"), who) for title, who in added] == (
        [(True, verbs.cast.officer.id)] if task else []
    )
    assert (visit.status, visit.sequence) == (VisitStatus.BOOKED, 0)


def test_stop_written_with_an_answer_stops_us(visit):
    answer(visit, "DECLINED", text="STOP")

    assert db.session.scalars(sa.select(Person).where(Person.email_key == MAYA)).one().no_contact


def test_outlook_leaves_the_organiser_out_and_some_write_the_method_alone(visit):
    assert answer(visit, "ACCEPTED", organiser=None).outcome == "filed"


def test_the_same_answer_again_by_whatever_message_is_one_line(visit):
    calendar = ics("REPLY", uid_of(visit, MAYA), attendee=MAYA, partstat="DECLINED")
    for raw in [message(calendar, sender=MAYA, number="one")] * 2 + [message(calendar, sender=MAYA, number="two")]:
        arrives(raw)

    assert len([title for title in story() if "says no" in title]) == 1
    assert len([title for title, _ in to_do() if "say no" in title]) == 1


def test_the_later_answer_counts_in_whichever_order_they_come(visit):
    later = now_utc() - timedelta(minutes=1)
    answer(visit, "DECLINED", at=later)

    assert answer(visit, "ACCEPTED", at=later - timedelta(minutes=5)).outcome == "automatic"
    assert said(visit)["Maya Thompson1"] == "declined"


def test_a_clock_years_ahead_does_not_have_the_last_word_for_ever(visit, freeze):
    answer(visit, "DECLINED", at=at("2099-01-01 00:00"), sequence=500)
    freeze("2026-07-06 10:30")

    answer(visit, "ACCEPTED")

    assert said(visit)["Maya Thompson1"] == "accepted"


def test_an_answer_about_the_time_before_is_none_about_the_new_one(verbs, visit):
    answer(visit, "ACCEPTED")
    verbs.move(visit, "2026-07-15 10:00")

    assert answer(visit, "DECLINED", sequence=0).outcome == "automatic"
    assert said(visit) == {"Maya Thompson1": None, "Daniel Reid1": None}
    assert answer(visit, "DECLINED", sequence=1).outcome == "filed"


def test_an_answer_to_what_was_called_off_changes_nothing(verbs, visit):
    verbs.cancel(visit)
    before = story()

    assert answer(visit, "ACCEPTED", sequence=1).outcome == "automatic"
    assert story() == before


def test_from_an_alias_it_counts_where_it_came_to_their_own_address_and_is_shown_to_a_person_otherwise(visit, case):
    alias = "maya.private@example.net"
    taken = answer(visit, "DECLINED", attendee=alias, sender=alias)
    assert (taken.outcome, taken.why, taken.case_id) == ("tray", "other_mailbox", None)
    assert f"{alias} says no" in taken.text
    assert said(visit)["Maya Thompson1"] is None

    maya = db.session.scalars(sa.select(Person).where(Person.email_key == MAYA)).one()
    own = signed_addresses.reply_address(case_id=case.id, person_id=maya.id)
    assert answer(visit, "DECLINED", attendee=alias, sender=alias, to=own).outcome == "filed"
    assert said(visit)["Maya Thompson1"] == "declined"


def test_an_invitation_carries_the_address_of_its_readers_own_answers(visit, case):
    from email import message_from_bytes

    for letter in letters("visit_invitation"):
        reply_to = message_from_bytes(letter.payload)["Reply-To"]
        signed = signed_addresses.read(reply_to)
        assert (signed.first, signed.second) == (case.id, letter.person_id)


def test_another_households_invitation_is_answered_by_nobody_here(verbs, visit):
    other = verbs.book(verbs.household(2), "2026-07-16 10:00")

    taken = answer(other, "DECLINED", email="maya2@example.org", attendee=MAYA, sender=MAYA)

    assert (taken.outcome, taken.why) == ("tray", "other_mailbox")
    assert [one.answer for one in guests_of(other) if one.answer] == []
    assert arrives(message(ics("REPLY", "no-such@x", attendee=MAYA, partstat="DECLINED"), sender=MAYA)).why == (
        "no_invitation"
    )


def test_nobody_moves_or_calls_off_our_visit_by_mail(visit):
    for method in ("CANCEL", "REQUEST", "PUBLISH", "ADD", "REFRESH", "DECLINECOUNTER"):
        calendar = ics(method, uid_of(visit, MAYA), attendee=MAYA, sequence=9, start=at("2026-07-20 10:00"))
        arrives(message(calendar, sender=MAYA))

    db.session.expire_all()
    assert (visit.status, visit.sequence, visit.starts_at) == (VisitStatus.BOOKED, 0, at("2026-07-14 14:00"))
    assert db.session.scalars(sa.select(VisitAnswer)).all() == []


def test_another_time_is_shown_and_somebody_is_asked_to_decide(verbs, visit, client):
    taken = answer(
        visit,
        "TENTATIVE",
        method="COUNTER",
        start=at("2026-07-15 10:00"),
        lines=("COMMENT:Could we do\\, say\\, ten?",),
    )

    assert taken.outcome == "filed"
    assert story()[-1] == f"Maya Thompson1 asks for another time than {WHEN}: Wednesday 15 July, 10am"
    assert [who for title, who in to_do() if title.startswith("They ask for another time")] == [verbs.cast.officer.id]
    client.sign_in(verbs.cast.recruiter)
    page = client.get(f"/visits/{visit.id}").page
    assert "Asks for another time" in page.text
    assert "Wednesday 15 July, 10am to 11:30am" in page.text
    assert "Could we do, say, ten?" in page.text

    done = client.submit(page, button="Move it there for Maya Thompson1", follow=True)

    assert "Visit moved to Wednesday 15 July, 10am." in done.page.text
    assert "Move it there" not in done.page.text
    db.session.rollback()
    db.session.expire_all()
    assert (visit.starts_at, visit.sequence) == (at("2026-07-15 10:00"), 1)
    method, event = event_in(letters("visit_changed", to=MAYA)[0])
    assert (method, int(event["SEQUENCE"])) == ("REQUEST", 1)


def test_whoever_asked_is_told_that_it_stays(verbs, visit, client):
    answer(visit, "", method="COUNTER", start=at("2026-07-15 10:00"))
    client.sign_in(verbs.cast.recruiter)
    page = client.get(f"/visits/{visit.id}").page

    done = client.submit(page, button="Say it stays to Maya Thompson1", follow=True)

    assert "Say it stays" not in done.page.text
    db.session.rollback()
    method, event = event_in(letters("visit_stays", to=MAYA)[0])
    assert (method, str(event["UID"]), int(event["SEQUENCE"])) == ("DECLINECOUNTER", uid_of(visit, MAYA), 0)
    assert letters("visit_stays", to=DANIEL) == []
    refused = client.submit(page, button="Move it there for Maya Thompson1")
    assert refused.status_code == 409


def test_a_flood_about_one_case_is_laid_aside(visit):
    for n in range(25):
        answer(visit, "ACCEPTED" if n % 2 else "DECLINED", at=now_utc() - timedelta(minutes=30 - n))

    outcomes = list(db.session.scalars(sa.select(IncomingMessage.outcome).order_by(IncomingMessage.id)))
    assert outcomes.count("filed") == 20
    assert set(outcomes[20:]) == {"tray"}
    assert db.session.scalar(sa.select(sa.func.count()).select_from(Visit)) == 1
