"""Officers book, move and call off visits from their own calendar by mail, and nobody does it in their name."""

from __future__ import annotations

from datetime import timedelta
from email import message_from_bytes

import pytest
import sqlalchemy as sa

from crm import policy
from crm.calendars import mailed
from crm.calendars.models import CalendarEntry, CalendarObject, MailedEvent
from crm.clock import now_utc, today_in_london
from crm.db import db, transaction
from crm.delivery import OutboundMessage, post_room
from crm.visits import from_calendar
from crm.visits.answers import guests_of
from crm.visits.models import Visit, VisitStatus
from tests.visits.conftest import at
from tests.visits.mail import VISITS, arrives, event_in, ics, letters, message, to_do

UID = "040000008200E00074C5B7101A82E008@outlook.example.org"
SERVER = "mx.kestrel.example.org"
OFFICER = "officer@example.org"
SECRETS = ("Maya", "Thompson", "Daniel", "Rowan", "SE6 0KV", "07700", "maya1@")


@pytest.fixture
def case(verbs):
    return verbs.household(owner_id=verbs.cast.officer.id)


@pytest.fixture
def own(verbs):
    """The address that only the officer knows."""
    return mailed.own_address(verbs.cast.officer.id)


@pytest.fixture
def server(monkeypatch):
    """Our own mail server says who senders are, under this name."""
    from dataclasses import replace

    monkeypatch.setattr(post_room, "_post_room", replace(post_room.post_room(), mail_server=SERVER))


def invite(case, to, when="2026-07-14 14:00", *, sequence=0, method="REQUEST", uid=UID, minutes=90, **more):
    title = more.pop("title", f"Visit {case.reference}")
    sender = more.pop("sender", OFFICER)
    calendar = ics(
        method,
        uid,
        attendee=to,
        partstat="NEEDS-ACTION",
        sequence=sequence,
        organiser=more.pop("organiser", OFFICER),
        start=at(when),
        minutes=minutes,
        at=more.pop("stamp", None),
        lines=(f"SUMMARY:{title}", *more.pop("lines", ())),
    )
    return arrives(message(calendar, sender=sender, to=to, Subject=title, **more))


def visits():
    db.session.rollback()
    db.session.expire_all()
    return list(db.session.scalars(sa.select(Visit).order_by(Visit.id)))


def answers():
    """What the officer was answered: (kind, METHOD, PARTSTAT) of each letter to them."""
    found = []
    for letter in letters(to=OFFICER):
        inside = event_in(letter)
        partstat = str(inside[1]["ATTENDEE"].params["PARTSTAT"]) if inside else None
        found.append((letter.kind, inside[0] if inside else None, partstat))
    return found


def some_minutes_later(freeze, minutes=3):
    freeze(now_utc() + timedelta(minutes=minutes))
    with transaction():
        db.session.execute(sa.update(OutboundMessage).values(status="sent", sent_at=now_utc()))
    with transaction():
        today = today_in_london()
        from_calendar.call_off_taken_out(now_utc(), today=today, rulebook=policy.rulebook_on(today))


def test_an_officer_books_moves_and_calls_off_from_their_own_calendar_alone(verbs, case, own, freeze):
    assert invite(case, own).outcome == "filed"

    (visit,) = visits()
    assert (visit.starts_at, visit.length_minutes, visit.officer_ids) == (
        at("2026-07-14 14:00"),
        90,
        (verbs.cast.officer.id,),
    )
    assert answers() == [("officer_event_booked", "REPLY", "ACCEPTED")]
    method, event = event_in(letters("officer_event_booked")[0])
    assert (str(event["UID"]), str(event["ATTENDEE"]), str(event["ORGANIZER"])) == (
        UID,
        f"mailto:{own}",
        f"mailto:{OFFICER}",
    )
    households = [event_in(letter) for letter in letters("visit_invitation")]
    assert [method for method, _ in households] == ["REQUEST", "REQUEST"]
    assert UID not in {str(event["UID"]) for _, event in households}

    some_minutes_later(freeze)
    invite(case, own, "2026-07-15 10:00", sequence=1)
    assert visits()[0].starts_at == at("2026-07-15 10:00")
    assert answers()[1:] == [("officer_event_booked", "REPLY", "ACCEPTED")]
    assert {int(event_in(letter)[1]["SEQUENCE"]) for letter in letters("visit_changed")} == {1}

    some_minutes_later(freeze)
    invite(case, own, "2026-07-15 10:00", sequence=2, method="CANCEL")
    assert visits()[0].status == VisitStatus.BOOKED, "a moment's grace, as for what is taken out of a calendar"
    some_minutes_later(freeze)
    assert visits()[0].status == VisitStatus.CANCELLED
    assert len(letters("visit_cancelled")) == 2
    assert len(answers()) == 2, "who called it off is not told so"
    for letter in letters(to=OFFICER):
        for secret in SECRETS:
            assert secret not in letter.payload.decode()


def test_a_message_that_comes_late_or_again_never_wins(case, own, freeze):
    first, second = now_utc(), now_utc() + timedelta(seconds=30)
    freeze(now_utc() + timedelta(minutes=1))
    invite(case, own, "2026-07-15 10:00", sequence=1, stamp=second, number="b")

    assert invite(case, own, sequence=0, stamp=first, number="a").outcome == "automatic"
    assert invite(case, own, "2026-07-15 10:00", sequence=1, stamp=second, number="again").outcome == "automatic"
    assert [visit.starts_at for visit in visits()] == [at("2026-07-15 10:00")]
    invite(case, own, "2026-07-15 10:00", sequence=3, method="CANCEL")
    assert invite(case, own, "2026-07-16 10:00", sequence=2).outcome == "automatic"
    assert len(answers()) == 1


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"title": "Visit, reference to follow"}, "There is no reference in its title"),
        ({"title": "Visit KF-222222"}, "or it is mistyped"),
        ({"title": "a household of somebody else's"}, "is no household that you may book visits for"),
        ({"when": "2026-07-14 06:00"}, "Nadia Rahman"),
        ({"when": "2026-07-01 10:00"}, "That time has passed"),
        ({"minutes": 5}, "A visit lasts 15 minutes to 8 hours"),
        ({"lines": ("RRULE:FREQ=DAILY",)}, "It repeats"),
    ],
)
def test_what_can_not_be_booked_is_answered_no_with_the_reason_and_nothing_about_the_household(
    verbs, case, own, change, why
):
    if change.get("title") == "a household of somebody else's":
        change = {"title": verbs.household(2).reference}
    assert invite(case, own, **change).outcome == "filed"

    assert visits() == []
    assert answers() == [("officer_event_refused", "REPLY", "DECLINED")]
    (letter,) = letters("officer_event_refused")
    text = message_from_bytes(letter.payload).get_payload()[0].get_payload()[0].get_payload(decode=True).decode()
    assert why in text
    for secret in SECRETS:
        assert secret not in letter.payload.decode()
    assert letters("visit_invitation") == []


def test_a_private_event_sent_by_mistake_is_not_kept(case, own):
    invite(case, own, title="Dentist")

    assert db.session.scalars(sa.select(CalendarEntry)).all() == []
    kept = db.session.scalars(sa.select(MailedEvent)).one()
    assert "Dentist" not in str(vars(kept))


def test_a_clash_is_answered_no_kept_to_be_settled_and_booked_once_it_is_moved(verbs, case, own, freeze):
    verbs.book(verbs.household(2), "2026-07-14 13:30")

    invite(case, own)
    assert len(visits()) == 1
    assert answers()[-1] == ("officer_event_refused", "REPLY", "DECLINED")
    settle = from_calendar.to_settle(verbs.cast.officer.actor, today=today_in_london())
    assert [(item.problem, item.case.reference) for item in settle] == [("clash", case.reference)]

    freeze(now_utc() + timedelta(minutes=1))
    invite(case, own, "2026-07-16 10:00", sequence=1)
    assert len(visits()) == 2
    assert answers()[-1] == ("officer_event_booked", "REPLY", "ACCEPTED")
    assert from_calendar.to_settle(verbs.cast.officer.actor, today=today_in_london()) == []


def test_moved_by_us_the_officers_own_event_is_asked_to_move_and_does_not_ask_back(verbs, case, own, freeze):
    invite(case, own)
    some_minutes_later(freeze)

    verbs.move(visits()[0], "2026-07-15 10:00")
    letter = letters("officer_visit_changed", to=OFFICER)[0]
    method, event = event_in(letter)
    assert (method, str(event["UID"]), event["DTSTART"].to_ical()) == ("COUNTER", UID, b"20260715T090000Z")
    some_minutes_later(freeze)
    before = len(letters())
    invite(case, own, "2026-07-15 10:00", sequence=1)
    assert len(letters()) == before + 1
    assert answers()[-1] == ("officer_event_booked", "REPLY", "ACCEPTED")

    verbs.cancel(visits()[0])
    method, event = event_in(letters("officer_visit_cancelled", to=OFFICER)[0])
    assert (method, str(event["ATTENDEE"].params["PARTSTAT"])) == ("REPLY", "DECLINED")


# --- Whoever else writes ----------------------------------------------------------------------------------------------


def passes(result, *, name=SERVER):
    return {"Authentication_Results": f"{name}; {result}"}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        passes("dmarc=pass header.from=example.org", name="mx.evil.example.net"),
        passes("dmarc=fail header.from=example.org"),
        passes("dmarc=pass header.from=evil.example.net"),
        passes("spf=pass smtp.mailfrom=officer@example.org"),
        passes("dkim=pass header.d=evil.example.net"),
        passes("none (dmarc=pass header.from=example.org)"),
        passes('dkim=fail reason="; dmarc=pass header.from=example.org"'),
        {"Authentication_Results": f"mx.other.example.net ({SERVER}; dmarc=pass header.from=example.org); none"},
    ],
)
def test_nothing_is_done_for_whoever_only_writes_the_officers_name(verbs, case, server, headers):
    for method in ("REQUEST", "CANCEL"):
        taken = invite(case, VISITS, method=method, **headers)
        assert (taken.outcome, taken.why) == ("tray", "not_proven")

    assert visits() == []
    assert letters(to=OFFICER) == [], "an answer would go to somebody who wrote nothing"
    assert len([1 for title, who in to_do() if "nothing proves" in title and who == verbs.cast.officer.id]) == 1


@pytest.mark.parametrize(
    "result",
    [
        "spf=pass smtp.mailfrom=example.org; dkim=none; dmarc=pass (p=REJECT) header.from=example.org",
        "dkim=pass header.i=@example.org header.s=s1",
        "auth=pass (LOGIN) smtp.auth=officer@example.org",
    ],
)
def test_our_own_mail_servers_word_is_proof(case, server, result):
    assert invite(case, VISITS, **passes(result)).outcome == "filed"
    assert len(visits()) == 1


def test_only_the_topmost_word_of_a_server_counts(case, server):
    calendar = ics("REQUEST", UID, attendee=VISITS, organiser=OFFICER, start=at("2026-07-14 14:00"))
    raw = message(calendar, sender=OFFICER)
    for name in (SERVER, "mx.other.example.net"):
        raw = f"Authentication-Results: {name}; dmarc=pass header.from=example.org\r\n".encode() + raw

    assert arrives(raw).why == "not_proven"


def test_an_own_address_is_one_officers_and_ends_when_they_make_another(verbs, case, own):
    other = verbs.cast.other_officer
    assert invite(case, own, sender=other.email, organiser=other.email).why == "not_proven"
    assert invite(case, own[:-25] + "a" * 5 + own[-20:]).why == "not_proven"
    with transaction():
        mailed.new_own_address(verbs.cast.officer.id, now=now_utc())

    assert invite(case, own).why == "not_proven"
    assert invite(case, mailed.own_address(verbs.cast.officer.id)).outcome == "filed"


def test_nobody_takes_over_or_calls_off_what_is_anothers(verbs, case, own):
    invite(case, own)
    other = verbs.cast.other_officer
    theirs = mailed.own_address(other.id)

    invite(case, theirs, "2026-07-16 10:00", sequence=5, sender=other.email, organiser=other.email)
    invite(case, theirs, sequence=6, method="CANCEL", sender=other.email, organiser=other.email)
    uid_of_household = db.session.scalars(sa.select(CalendarObject.uid).where(CalendarObject.person_id > 0)).first()
    invite(case, own, "2026-07-17 10:00", uid=uid_of_household, sequence=9)
    invite(case, own, uid=uid_of_household, sequence=10, method="CANCEL")

    (visit,) = visits()
    assert (visit.status, visit.starts_at, visit.sequence) == (VisitStatus.BOOKED, at("2026-07-14 14:00"), 0)


@pytest.mark.parametrize("who", ["recruiter", "manager"])
def test_only_who_makes_visits_is_heard(verbs, case, server, who):
    member = getattr(verbs.cast, who)
    taken = invite(
        case,
        VISITS,
        sender=member.email,
        organiser=member.email,
        **passes(f"dmarc=pass header.from={member.email.partition('@')[2]}"),
    )
    makes_visits = who == "manager" and taken.outcome == "filed"
    assert (len(visits()) == 1) == makes_visits


# --- Being invited by us ----------------------------------------------------------------------------------------------


@pytest.fixture
def visit(verbs, case, freeze):
    booked = verbs.book(case, "2026-07-14 14:00")
    some_minutes_later(freeze)
    return booked


def reply(verbs, visit, partstat, *, method="REPLY", proven=True, **more):
    query = sa.select(CalendarObject.uid).where(CalendarObject.user_id == verbs.cast.officer.id)
    calendar = ics(
        method,
        db.session.scalars(query.where(CalendarObject.visit_id == visit.id)).one(),
        attendee=OFFICER,
        partstat=partstat,
        sequence=visit.sequence,
        **more,
    )
    return arrives(
        message(calendar, sender=OFFICER, **(passes("dmarc=pass header.from=example.org") if proven else {}))
    )


def test_an_officers_proven_no_calls_the_visit_off_as_if_they_had_taken_it_out(verbs, visit, server, freeze):
    assert reply(verbs, visit, "DECLINED").outcome == "filed"
    assert visits()[0].status == VisitStatus.BOOKED
    some_minutes_later(freeze)

    assert visits()[0].status == VisitStatus.CANCELLED
    assert visits()[0].settled_note == "Nadia Rahman took it out of their calendar"


def test_a_yes_after_the_no_keeps_it(verbs, visit, server, freeze):
    reply(verbs, visit, "DECLINED")
    freeze(now_utc() + timedelta(seconds=30))
    reply(verbs, visit, "ACCEPTED")
    some_minutes_later(freeze)

    assert visits()[0].status == VisitStatus.BOOKED


def test_of_a_visit_of_two_it_waits_to_be_settled(verbs, server, freeze):
    cast = verbs.cast
    visit = verbs.book(verbs.household(3), "2026-07-14 14:00", cast.officer, cast.other_officer)
    reply(verbs, visit, "DECLINED")
    some_minutes_later(freeze)

    assert visits()[0].status == VisitStatus.BOOKED
    assert [one.problem for one in from_calendar.to_settle(cast.officer.actor, today=today_in_london())] == [
        "taken_out"
    ]


def test_a_time_that_the_officer_proposes_moves_it_where_it_can_be_had(verbs, visit, server, freeze):
    reply(verbs, visit, "TENTATIVE", method="COUNTER", start=at("2026-07-15 10:00"))

    assert (visits()[0].starts_at, visits()[0].sequence) == (at("2026-07-15 10:00"), 1)
    assert event_in(letters("officer_visit_changed", to=OFFICER)[0])[0] == "REQUEST"
    freeze(now_utc() + timedelta(minutes=1))
    reply(verbs, visits()[0], "TENTATIVE", method="COUNTER", start=at("2026-07-15 05:00"))

    assert visits()[0].starts_at == at("2026-07-15 10:00")
    assert event_in(letters("officer_visit_stays", to=OFFICER)[0])[0] == "DECLINECOUNTER"


@pytest.mark.parametrize(("partstat", "method"), [("DECLINED", "REPLY"), ("TENTATIVE", "COUNTER")])
def test_an_answer_in_their_name_that_nothing_proves_is_only_shown(verbs, visit, server, freeze, partstat, method):
    reply(verbs, visit, partstat, method=method, start=at("2026-07-15 10:00"), proven=False)
    some_minutes_later(freeze)

    assert (visits()[0].status, visits()[0].sequence) == (VisitStatus.BOOKED, 0)
    shown = next(guest for guest in guests_of(visits()[0]) if guest.name == "Nadia Rahman")
    assert (shown.answer, shown.is_proven) == ("declined" if method == "REPLY" else "counter", False)
    assert any("not proven" in title for title, _ in to_do())


def test_an_officer_who_wants_no_invitations_gets_news_and_keeps_what_they_had_up_to_date(verbs, visit, client):
    client.sign_in(verbs.cast.officer)
    page = client.get("/account/calendar").page
    done = client.submit(page, button="Stop sending me invitations", follow=True)
    assert "Send me invitations" in done.page.text

    other = verbs.book(verbs.household(2), "2026-07-16 10:00")
    verbs.move(visit, "2026-07-15 10:00")

    assert event_in(letters("officer_visit_invitation", to=OFFICER)[-1]) is None
    assert event_in(letters("officer_visit_changed", to=OFFICER)[0])[0] == "REQUEST"
    verbs.cancel(other)
    assert all(event_in(letter) is None for letter in letters("officer_visit_cancelled", to=OFFICER))


def test_the_page_shows_the_address_and_makes_another(verbs, client, own):
    client.sign_in(verbs.cast.officer)
    response = client.get("/account/calendar")
    assert own in response.text
    done = client.submit(response.page, button="Make a new address", field=None, follow=True)

    assert own not in done.text
    db.session.rollback()
    assert mailed.own_address(verbs.cast.officer.id) in done.text
