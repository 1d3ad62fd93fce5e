"""The mailbox of visits behind a real IMAP server (Debian's dovecot), and messages that mean harm."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
import sqlalchemy as sa

from crm.calendars import itip, mailed
from crm.calendars.caldav_text import NotOurKind
from crm.calendars.models import CalendarObject
from crm.cases import mail_worker, replies
from crm.clock import now_utc
from crm.db import db
from crm.delivery import mailboxes
from crm.delivery.models import IncomingMessage
from crm.visits.answers import guests_of
from crm.visits.models import Visit, VisitStatus
from tests.delivery.imap_server import imap_server
from tests.quick_processes import quick_processes
from tests.visits import killed_reader
from tests.visits.conftest import at
from tests.visits.mail import arrives, event_in, ics, letters, message, story

MAYA, DANIEL, OFFICER = "maya1@example.org", "daniel1@example.org", "officer@example.org"


def uids_of(visit):
    rows = db.session.scalars(sa.select(CalendarObject).where(CalendarObject.visit_id == visit.id)).all()
    return {("officer" if row.user_id else row.person_id): row.uid for row in rows}


def test_by_a_real_server_answers_and_appointments_come_in_once_whatever_dies(verbs, database, settings):
    """Booked from an officer's own calendar, answered by the household, with the reader killed twice in between."""
    case = verbs.household(owner_id=verbs.cast.officer.id)
    own = mailed.own_address(verbs.cast.officer.id)
    appointment = ics(
        "REQUEST",
        "appointment@outlook.example.org",
        attendee=own,
        organiser=OFFICER,
        start=at("2026-07-14 14:00"),
        lines=(f"SUMMARY:Visit {case.reference}",),
    )
    environ = {**database.environ, "CRM_DATA": str(settings.data_dir)}
    with imap_server() as server:
        server.put(message(appointment, sender=OFFICER, to=own))
        mailboxes.read_imap(server.mailbox, lambda raw: mail_worker.deal_with(raw, now=now_utc()))
        visit = db.session.scalars(sa.select(Visit)).one()
        uids = uids_of(visit)
        maya, daniel = (uids[person.id] for person in case.household.people)
        for number, (uid, email, said) in enumerate(
            [(maya, MAYA, "TENTATIVE"), (daniel, DANIEL, "DECLINED"), (maya, MAYA, "ACCEPTED")]
        ):
            answer = ics("REPLY", uid, attendee=email, partstat=said, at=now_utc() + timedelta(seconds=number - 10))
            server.put(message(answer, sender=email))
        db.session.rollback()
        for moment, left in zip(killed_reader.MOMENTS, (2, 1), strict=True):
            reader = quick_processes().Process(target=killed_reader.run, args=(environ, server.mailbox, moment))
            reader.start()
            reader.join(60)
            assert reader.exitcode == -9, moment
            assert server.unseen() == left, "what was not kept is there again; what was, at most once more"
        mailboxes.read_imap(server.mailbox, lambda raw: mail_worker.deal_with(raw, now=now_utc()))

        assert server.unseen() == 0
    db.session.rollback()
    assert db.session.scalar(sa.select(sa.func.count()).select_from(Visit)) == 1
    assert len([title for title in story() if " says " in title]) == 3
    assert [guest.answer for guest in guests_of(db.session.scalars(sa.select(Visit)).one())] == ["accepted", "declined"]
    assert db.session.scalar(sa.select(sa.func.count()).select_from(IncomingMessage)) == 4
    assert [event_in(letter)[0] for letter in letters(to=OFFICER)] == ["REPLY"]


# --- What means harm --------------------------------------------------------------------------------------------------


def hostile(uid: str) -> dict[str, str]:
    """Calendar objects that are made to hurt, all about an event that there is."""
    event = f"BEGIN:VEVENT\r\nUID:{uid}\r\nSEQUENCE:0\r\nDTSTAMP:20260706T080000Z\r\n"
    start = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:REPLY\r\n" + event
    maya = f"ATTENDEE;PARTSTAT=DECLINED:mailto:{MAYA}\r\n"
    end = "END:VEVENT\r\nEND:VCALENDAR\r\n"
    return {
        "nothing": "",
        "not a calendar": "hello",
        "broken off": start + maya,
        "nested": "BEGIN:VCALENDAR\r\nMETHOD:REPLY\r\n" + "BEGIN:VEVENT\r\n" * 5_000,
        "a thousand events": "BEGIN:VCALENDAR\r\nMETHOD:REPLY\r\n" + (event + maya + "END:VEVENT\r\n") * 1_000,
        "a long line": start + "X-A:" + "x" * 90_000 + "\r\n" + end,
        "folded without end": start + "X-A:\r\n" + " x\r\n" * 40_000 + end,
        "ten thousand attendees": start + "".join(f"ATTENDEE:mailto:a{n}@b.c\r\n" for n in range(10_000)) + end,
        "every second for ever": start + "DTSTART:20260714T130000Z\r\nRRULE:FREQ=SECONDLY\r\n" + end,
        "alarms": start + "BEGIN:VALARM\r\nREPEAT:1000000000\r\nEND:VALARM\r\n" * 500 + end,
        "a zone of its own": start + "DTSTART;TZID=Nowhere/At All:20260714T130000\r\n" + maya + end,
        "a zone bomb": "BEGIN:VCALENDAR\r\nMETHOD:COUNTER\r\n"
        + "BEGIN:VTIMEZONE\r\nTZID:A\r\nEND:VTIMEZONE\r\n" * 600
        + event
        + maya
        + end,
        "the year 9999": start.replace("REPLY", "COUNTER") + "DTSTART:99991231T235959Z\r\n" + maya + end,
        "a sequence of digits": start.replace("SEQUENCE:0", "SEQUENCE:" + "9" * 5_000) + maya + end,
        "a sequence below nothing": start.replace("SEQUENCE:0", "SEQUENCE:-1") + maya + end,
        "digits of another script": start.replace("SEQUENCE:0", "SEQUENCE:\u0663") + maya + end,
        "two methods": "BEGIN:VCALENDAR\r\nMETHOD:CANCEL\r\nMETHOD:REPLY\r\n" + event + end,
        "two UIDs": start + "UID:another\r\n" + end,
        "one of a series": start + "RECURRENCE-ID:20260714T130000Z\r\n" + maya + end,
        "a status of its own": start + f"ATTENDEE;PARTSTAT=X-GONE:mailto:{MAYA}\r\n" + end,
        "headers in an address": start
        + f"ATTENDEE;PARTSTAT=DECLINED:mailto:{MAYA}%0D%0ABcc:x@evil.example.net\r\n"
        + end,
        "no attendee": start + end,
        "controls": start + "COMMENT:\x00\x1b[2J\u202e\r\n" + f"ATTENDEE:mailto:x@y.z\r\n{end}",
    }


def test_no_calendar_object_hurts_or_fools_us(verbs):
    visit = verbs.book(verbs.household(), "2026-07-14 14:00")
    uid = next(uid for whose, uid in uids_of(visit).items() if whose != "officer")
    before = story()

    for name, calendar in hostile(uid).items():
        began = time.process_time()
        taken = arrives(message(calendar, sender=MAYA, number=f"hostile {name}".replace(" ", "-")))
        assert time.process_time() - began < 2, name
        assert taken.why != "not_dealt_with", name
        assert taken.outcome in ("tray", "automatic", "filed"), name

    added = story()[len(before) :]
    whens = "to the visit on Tuesday 14 July, 2pm"
    assert set(added) <= {f"Maya Thompson1 says {answer} {whens}" for answer in ("no", "maybe")}
    assert (visit.status, visit.sequence) == (VisitStatus.BOOKED, 0)


@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-1", "utf-16", "no-such-charset"])
def test_an_object_in_any_charset_is_read_or_laid_aside(charset):
    from email.message import EmailMessage

    from crm.delivery import incoming

    text = ics(
        "REPLY", "a@b", attendee=MAYA, partstat="DECLINED", at=at("2026-07-06 09:00"), lines=("COMMENT:Schöne Grüße",)
    )
    made = EmailMessage()
    made["From"] = MAYA
    made.set_content("x")
    raw = text.encode("utf-8" if charset == "no-such-charset" else charset)
    made.add_attachment(raw, maintype="text", subtype="calendar", params={"charset": charset, "method": "REPLY"})

    said = itip.read(incoming.read(made.as_bytes()).calendar or "", now=at("2026-07-06 09:30"))

    assert said.comment == "Schöne Grüße"


def test_a_message_that_breaks_us_is_laid_aside_and_those_after_it_are_read(verbs, monkeypatch, tmp_path):
    visit = verbs.book(verbs.household(), "2026-07-14 14:00")
    uid = next(uid for whose, uid in uids_of(visit).items() if whose != "officer")
    real = replies.CALENDARS["answers_to_visits"]

    def breaks(mail, **given):
        if "broken" in mail.subject:
            raise ZeroDivisionError
        return real(mail, **given)

    monkeypatch.setitem(replies.CALENDARS, "answers_to_visits", breaks)
    for name in ("new", "cur", "tmp"):
        (tmp_path / name).mkdir()
    calendar = ics("REPLY", uid, attendee=MAYA, partstat="DECLINED")
    (tmp_path / "new" / "1").write_bytes(message(calendar, sender=MAYA, Subject="broken"))
    (tmp_path / "new" / "2").write_bytes(message(calendar, sender=MAYA))

    def take(raw):
        mail_worker.deal_with(raw, now=now_utc())

    assert mailboxes.read_maildir(tmp_path, take) == 2
    assert mailboxes.read_maildir(tmp_path, take) == 0
    rows = db.session.execute(
        sa.select(IncomingMessage.outcome, IncomingMessage.why).order_by(IncomingMessage.id)
    ).all()
    assert rows == [("tray", "not_dealt_with"), ("filed", None)]


@pytest.mark.parametrize(
    "text", ["BEGIN:VCALENDAR\r\nMETHOD:PUBLISH\r\nEND:VCALENDAR\r\n", "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"]
)
def test_what_is_no_message_to_us_is_none(text):
    assert itip.read(text, now=at("2026-07-06 09:00")) is None
    with pytest.raises(NotOurKind):
        itip.read("BEGIN:VCALENDAR\r\nMETHOD:REPLY\r\nEND:VCALENDAR\r\n", now=at("2026-07-06 09:00"))
