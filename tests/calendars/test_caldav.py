"""The CalDAV door, request by request: how programs find it, read it and write to it, each in its own way."""

from __future__ import annotations

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from email import message_from_bytes
from xml.etree import ElementTree

import pytest
import sqlalchemy as sa

from crm import policy
from crm.access import app_passwords, people
from crm.access.models import User
from crm.audit import AuditEntry
from crm.calendars import caldav_writing, invitations
from crm.calendars.models import BusySpan, CalendarEntry
from crm.cases.models import Case
from crm.clock import now_utc, today_in_london
from crm.db import db, transaction
from crm.delivery import OutboundMessage
from crm.timetable import call_off_taken_out
from crm.visits.models import Visit, VisitStatus
from tests.calendars.programs import NAMESPACES, event, program_of
from tests.visits.conftest import at

D, C = "{DAV:}", "{urn:ietf:params:xml:ns:caldav}"


def hrefs(response):
    return [one.text for one in ElementTree.fromstring(response.data).iter(f"{D}href")]


def named(response, name):
    return [one.text for one in ElementTree.fromstring(response.data).iter(name)]


def token_of(response):
    return named(response, f"{D}sync-token")[-1]


def the_visit(**conditions):
    db.session.expire_all()
    return db.session.scalars(sa.select(Visit).filter_by(**conditions)).one()


def own(verbs, number=1):
    """A household that is the officer's own to visit."""
    return verbs.household(number, owner_id=verbs.cast.officer.id)


def press(client, words):
    """The one button of the page of what is to be settled that begins so."""
    page = client.get("/visits/from-calendar").page
    (button,) = [one.text for form in page.forms for one in form.buttons if one.text.startswith(words)]
    answer = client.submit(page, button=button)
    db.session.rollback()
    return answer


def call_off():
    with transaction():
        return call_off_taken_out(now_utc())


# --- The key ----------------------------------------------------------------------------------------------------------


def test_only_an_app_password_opens_it_and_a_withdrawn_one_no_more(program, client, verbs):
    officer = verbs.cast.officer
    client.sign_in(officer)
    client.inspects = False
    assert client.open(program.path, method="PROPFIND").status_code == 401, "a cookie opens nothing"
    assert "Basic" in client.open(program.path, method="PROPFIND").headers["WWW-Authenticate"]
    assert program.propfind(program.path, "<D:displayname/>").status_code == 207

    right, program.password = program.password, "the password somebody signs in with"
    assert program.propfind(program.path, "<D:displayname/>").status_code == 401
    program.password = right.upper().replace("-", " ")
    assert program.propfind(program.path, "<D:displayname/>").status_code == 207
    program.email, mine = verbs.cast.other_officer.email, program.email
    assert program.propfind(program.path, "<D:displayname/>").status_code == 401
    program.email = mine
    with transaction():
        (row,) = app_passwords.passwords_of(officer.id)
        app_passwords.withdraw_password(row.id, user_id=officer.id, actor=officer.actor, now=now_utc())
    assert program.propfind(program.path, "<D:displayname/>").status_code == 401


def test_wrong_passwords_are_slowed_and_a_right_one_is_not(program):
    right, program.password = program.password, "abcd"
    answers = [program.propfind(program.path, "<D:displayname/>").status_code for _ in range(25)]

    assert answers[0] == 401
    assert answers[-1] == 429
    program.password = right
    assert program.propfind(program.path, "<D:displayname/>").status_code == 207
    refused = db.session.scalars(sa.select(AuditEntry).where(AuditEntry.event == "app_password.refused")).all()
    assert 1 <= len(refused) <= 20


def test_a_password_is_kept_as_a_digest_and_named_in_the_trail_when_it_is_used(program):
    program.headers["User-Agent"] = "iOS/17.1 dataaccessd/1.0"
    program.propfind(program.path, "<D:displayname/>")

    db.session.rollback()
    (row,) = app_passwords.passwords_of(program.user_id)
    assert program.password not in row.password_hash
    assert len(program.password.replace("-", "")) * 5 == 160
    assert row.program == "iPhone or iPad"
    assert row.last_seen_at == now_utc()
    used = db.session.scalars(sa.select(AuditEntry).where(AuditEntry.event == "app_password.used")).all()
    assert [entry.subject for entry in used] == [f"app_password:{row.id}"]


def test_over_plain_http_the_real_service_takes_no_password(make_app, verbs, program):
    app = make_app(cookie_secure=True)
    headers = {"Depth": "0"}
    ask = app.test_client()
    ask.inspects = False

    plain = ask.open(program.path, method="PROPFIND", auth=(program.email, program.password), headers=headers)
    safe = ask.open(
        program.path, method="PROPFIND", auth=(program.email, program.password), headers=headers,
        base_url="https://localhost",
    )  # fmt: skip

    assert (plain.status_code, safe.status_code) == (403, 207)


def test_nobody_elses_calendar_is_there(program, verbs, client):
    other = program_of(client, verbs.cast.other_officer)
    other.put("a.ics", event("a@x", "Dentist", "20260714T140000"))

    for method in ("GET", "PROPFIND", "PUT", "DELETE"):
        theirs = program.ask(method, other.path + "a.ics", event("b@x", "Mine", "20260714T140000"))
        nobodys = program.ask(method, "/caldav/99999/visits/a.ics", event("b@x", "Mine", "20260714T140000"))
        assert (theirs.status_code, theirs.data) == (404, nobodys.data)
    assert b"Dentist" in other.get("a.ics").data


def test_with_somebody_who_leaves_goes_what_they_wrote(program, verbs):
    program.put("p.ics", event("p@x", "Dentist", "20260714T140000"))
    with transaction():
        people.leave(
            user=db.session.get(User, program.user_id),
            handed_to=db.session.get(User, verbs.cast.other_officer.id),
            actor=verbs.cast.administrator.actor, now=now_utc(), today=today_in_london(),
        )  # fmt: skip

    assert program.propfind(program.path, "<D:displayname/>").status_code == 401
    assert db.session.scalars(sa.select(CalendarEntry.body_sealed)).all() == [None]
    assert db.session.scalars(sa.select(BusySpan)).all() == []


# --- Finding the way --------------------------------------------------------------------------------------------------


def test_a_program_finds_the_calendar_from_the_servers_name_alone(program, client):
    """As Thunderbird and iPhones do."""
    pointed = client.open("/.well-known/caldav", method="PROPFIND")
    assert (pointed.status_code, pointed.headers["Location"]) == (301, "/caldav/")
    assert client.open(program.path, method="OPTIONS").headers["DAV"] == "1, 3, calendar-access"

    principal = hrefs(program.propfind("/caldav/", "<D:current-user-principal/>"))[-1]
    home = hrefs(program.propfind(principal, "<C:calendar-home-set/><D:principal-URL/><CS:dropbox-home-URL/>"))[-1]
    found = program.propfind(
        home, "<D:resourcetype/><D:current-user-privilege-set/><C:supported-calendar-component-set/><CS:getctag/>", "1"
    )

    calendars = [
        one.find(f"{D}href").text
        for one in ElementTree.fromstring(found.data).iter(f"{D}response")
        if one.find(f".//{C}calendar") is not None
    ]
    assert calendars == [program.path]
    assert b"<D:write/>" in found.data
    assert b'<C:comp name="VEVENT"/>' in found.data


def test_properties_that_are_not_there_are_said_to_be_missing_and_none_can_be_set(program):
    asked = program.propfind(program.path, "<A:calendar-order/><CS:push-transports/><x:odd xmlns:x='urn:x'/>")
    set_to = program.ask(
        "PROPPATCH",
        program.path,
        '<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><D:displayname>Mine</D:displayname></D:prop></D:set>'
        "</D:propertyupdate>",
    )

    assert asked.status_code == set_to.status_code == 207
    assert asked.data.count(b"404 Not Found") == 1
    assert b"403 Forbidden" in set_to.data
    assert b"Mine" not in program.propfind(program.path, "<D:displayname/>").data


def test_a_program_may_ask_for_names_alone_or_for_everything_and_more(program):
    program.put("a.ics", event("a@x", "Dentist", "20260714T140000"))

    def ask(inside):
        return program.ask("PROPFIND", f"{program.path}a.ics", f"<D:propfind {NAMESPACES}>{inside}</D:propfind>")

    assert b"<D:getetag/>" in ask("<D:propname/>").data
    everything = ask("<D:allprop/><D:include><D:owner/><C:calendar-data/></D:include>")
    assert named(everything, f"{D}getetag")[0].startswith('"')
    assert everything.data.count(b"<D:owner><D:href>") == 1
    assert b"Dentist" not in everything.data, "its text is asked for in a report"


@pytest.mark.parametrize(
    ("method", "rest", "said"),
    [
        ("MKCALENDAR", "mine/", (403, "calendar-collection-location-ok")),
        ("MKCOL", "mine/", (403, "calendar-collection-location-ok")),
        ("MKCALENDAR", "visits/", (403, "resource-must-be-null")),
        ("PROPFIND", "mine/", (404, "no event")),
        ("PUT", "visits/", (405, "")),
    ],
)
def test_there_is_one_calendar_and_no_other_is_made(program, method, rest, said):
    answer = program.ask(method, f"/caldav/{program.user_id}/{rest}", "")

    assert (answer.status_code, said[1] in answer.text) == (said[0], True)


# --- What it shows ----------------------------------------------------------------------------------------------------


def test_a_visit_is_shown_by_reference_alone(program, verbs):
    case = verbs.household()
    verbs.book(case, "2026-07-14 14:00")

    shown = program.report(
        "<D:prop><D:getetag/><C:calendar-data/></D:prop><C:filter><C:comp-filter name='VCALENDAR'><C:comp-filter "
        "name='VEVENT'><C:time-range start='20260714T000000Z' end='20260715T000000Z'/></C:comp-filter>"
        "</C:comp-filter></C:filter>",
        "C:calendar-query",
    )
    everything = shown.text + program.propfind(program.path, "", "1").text + program.ask("GET", program.path).text

    assert f"SUMMARY:Home visit {case.reference}" in shown.text
    for secret in ("Maya", "Daniel", "Thompson", "Rowan", "0KV", "ATTENDEE", "ORGANIZER", "maya1@example.org"):
        assert secret not in everything


def test_what_changed_is_told_from_a_counter_and_what_is_gone_is_told_too(program, verbs, queries):
    first = verbs.book(verbs.household(), "2026-07-14 14:00")
    began = program.sync()
    assert len(hrefs(began)) == 1

    with queries() as sent:
        assert hrefs(program.sync(token_of(began))) == []
    assert len(sent) <= 4, sent
    verbs.book(verbs.household(2), "2026-07-15 10:00")
    verbs.cancel(first)
    later = program.sync(token_of(began))

    assert len(hrefs(later)) == 2
    assert later.data.count(b"HTTP/1.1 404 Not Found") == 1
    assert program.sync("data:,999999-7").status_code == 403
    assert b"valid-sync-token" in program.sync(token_of(later).replace("-", "-9")).data


def test_many_changes_are_told_a_few_at_a_time_and_none_is_lost(program):
    """RFC 6578 3.6: what is cut short says so, and its token is as far as it goes."""
    for name in "abcde":
        program.put(f"{name}.ics", event(f"{name}@x", "Swim", "20260714T140000"))
    began, seen, rounds = "", [], 0
    assert len(hrefs(program.sync(f"data:,{program.user_id}-0"))) == 5, "it was read when nothing stood in it"
    while True:
        answer = program.report(
            f"<D:sync-token>{began}</D:sync-token><D:sync-level>1</D:sync-level>"
            "<D:limit><D:nresults>2</D:nresults></D:limit><D:prop><D:getetag/></D:prop>",
            "D:sync-collection",
        )
        is_cut = b"507 Insufficient Storage" in answer.data
        told = hrefs(answer)
        assert (program.path in told) == is_cut == (b"number-of-matches-within-limits" in answer.data)
        seen += [href for href in told if href != program.path]
        if rounds == 0:
            program.delete("e.ics")  # meanwhile
        began, rounds = token_of(answer), rounds + 1
        if not is_cut:
            break

    assert [href.rpartition("/")[2] for href in seen] == ["a.ics", "b.ics", "c.ics", "d.ics", "e.ics"]
    assert (rounds, hrefs(program.sync(began))) == (3, [])


def test_only_events_are_found_and_filters_hold(program, verbs):
    alarm = ("BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-PT10M", "LOCATION:Bath", "END:VALARM")
    program.put("a.ics", event("a@x", "Dentist", "20260714T140000"))
    program.put("b.ics", event("b@x", "Swim", "20260801T140000", 60, *alarm))

    def ask(inside):
        return program.report(
            f"<D:prop><D:getetag/></D:prop><C:filter><C:comp-filter name='VCALENDAR'>{inside}</C:comp-filter>"
            "</C:filter>", "C:calendar-query")  # fmt: skip

    def found(inside):
        return len(hrefs(ask(inside)))

    def of_events(inside):
        return f"<C:comp-filter name='VEVENT'>{inside}</C:comp-filter>"

    assert found("") == found("<C:comp-filter name='VEVENT'/>") == 2
    assert found("<C:comp-filter name='VTODO'/>") == 0
    assert found("<C:comp-filter name='VEVENT'><C:time-range start='20260720T000000Z'/></C:comp-filter>") == 1
    match = "<C:comp-filter name='VEVENT'><C:prop-filter name='UID'><C:text-match>b@x</C:text-match></C:prop-filter>"
    assert found(f"{match}</C:comp-filter>") == 1
    assert found("<C:comp-filter name='VTODO'><C:is-not-defined/></C:comp-filter>") == 2
    assert found("<C:comp-filter name='VEVENT'><C:is-not-defined/></C:comp-filter>") == 0
    assert found(of_events("<C:comp-filter name='VALARM'/>")) == 1
    assert found(of_events("<C:comp-filter name='VALARM'><C:is-not-defined/></C:comp-filter>")) == 1
    assert found(of_events("<C:prop-filter name='LOCATION'/>")) == 0, "it is where the alarm is"
    text = "<C:prop-filter name='SUMMARY'><C:text-match collation='{}'>SWIM</C:text-match></C:prop-filter>"
    assert (found(of_events(text.format("i;ascii-casemap"))), found(of_events(text.format("i;octet")))) == (1, 0)
    for inside, why in (
        (text.format("i;unicode-casemap"), b"supported-collation"),
        ("<C:prop-filter name='X'><C:param-filter name='Y'/></C:prop-filter>", b"supported-filter"),
        ("<C:comp-filter name='VALARM'><C:time-range start='20260720T000000Z'/></C:comp-filter>", b"supported-filter"),
    ):
        answer = ask(of_events(inside))
        assert (answer.status_code, why in answer.data) == (403, True), "what can't be tested is not passed over"


def test_many_are_fetched_by_address_and_those_that_are_not_there_are_named(program):
    program.put("a b@c.ics", event("a@x", "Dentist", "20260714T140000"))
    (stands,) = hrefs(program.sync())

    got = program.report(
        f"<D:prop><C:calendar-data/></D:prop><D:href>{stands}</D:href>"
        f"<D:href>http://localhost{program.path}gone.ics</D:href><D:href>/caldav/1/visits/../../feed</D:href>",
        "C:calendar-multiget",
    )

    assert named(got, f"{C}calendar-data") == [event("a@x", "Dentist", "20260714T140000").decode()]
    assert got.data.count(b"404 Not Found") == 2


SERIES = (
    "RRULE:FREQ=WEEKLY;COUNT=4",
    "EXDATE;TZID=Europe/London:20261026T090000",
    "BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-PT10M", "END:VALARM",
)  # fmt: skip


def test_a_series_is_free_when_the_clocks_change_as_the_wall_clock_says(program):
    """Four Mondays at nine over the end of summer time, one of them left out."""
    program.put("s.ics", event("s@x", "Team", "20261012T090000", 60, *SERIES))
    around = "start='20261001T000000Z' end='20261201T000000Z'"

    answer = program.report(f"<C:time-range {around}/>", "C:free-busy-query")
    expanded = program.report(
        f"<D:prop><C:calendar-data><C:expand {around}/></C:calendar-data></D:prop><C:filter><C:comp-filter "
        f"name='VCALENDAR'><C:comp-filter name='VEVENT'><C:time-range {around}/></C:comp-filter></C:comp-filter>"
        "</C:filter>",
        "C:calendar-query",
    )

    starts = re.findall(r"FREEBUSY:(\w+)/", answer.text)
    assert starts == ["20261012T080000Z", "20261019T080000Z", "20261102T090000Z"]
    assert "Team" not in answer.text
    assert expanded.text.count("BEGIN:VEVENT") == 3
    assert "RRULE" not in expanded.text


def test_after_a_copy_was_put_back_every_program_reads_anew(program):
    """Numbers that were given on the days that are lost are given again, and mean something else."""
    made = program.put("a.ics", event("a@x", "Swim", "20260714T140000"))
    began = token_of(program.sync())
    with transaction():
        invitations.begin_new_age()

    assert b"valid-sync-token" in program.sync(began).data
    stands = token_of(program.sync())
    assert hrefs(program.sync(stands)) == []
    body = event("a@x", "Run", "20260715T140000")
    assert program.put("a.ics", body, If_Match=made.headers["ETag"]).status_code == 412
    assert program.put("b.ics", event("b@x", "Run", "20260715T140000")).status_code == 201
    assert len(hrefs(program.sync(stands))) == 1


# --- What an officer writes -------------------------------------------------------------------------------------------


def test_an_event_with_a_reference_is_a_booked_visit(program, verbs):
    case = own(verbs)

    answer = program.put("new.ics", event("new@x", f"Visit {case.reference.lower()}", "20260714T140000"))

    assert answer.status_code == 201
    visit = the_visit(case_id=case.id)
    assert (visit.starts_at, visit.length_minutes, visit.officer_ids) == (
        at("2026-07-14 14:00"),
        90,
        (program.user_id,),
    )
    assert visit.booked_by_id == program.user_id
    assert db.session.get(Case, case.id).stages["enquiry"] == "visit_booked"
    kinds = set(db.session.scalars(sa.select(OutboundMessage.kind)))
    assert {"visit_invitation", "officer_visit_invitation"} <= kinds
    assert program.get("new.ics").data == event("new@x", f"Visit {case.reference.lower()}", "20260714T140000")
    assert len(hrefs(program.sync())) == 1, "the event and the visit are one"


def test_the_invitation_of_the_officer_is_the_event_they_made(program, verbs):
    case = own(verbs)
    program.put("new.ics", event("new-uid@x", case.reference, "20260714T140000"))

    letter = db.session.scalars(
        sa.select(OutboundMessage).where(OutboundMessage.kind == "officer_visit_invitation")
    ).one()
    parts = message_from_bytes(letter.payload).walk()
    texts = [one.get_payload(decode=True) for one in parts if one.get_content_type() == "text/calendar"]
    assert [b"UID:new-uid@x\r\n" in text for text in texts] == [True]


@pytest.mark.parametrize("way", ["if_match", "without"])
def test_an_event_that_is_moved_moves_the_visit(program, verbs, way):
    """With If-Match, as most; without, as GNOME."""
    case = own(verbs)
    made = program.put("v.ics", event("v@x", case.reference, "20260714T140000", 90, "X-MINE:kept"))
    headers = {"If_Match": made.headers["ETag"]} if way == "if_match" else {}

    moved = program.put("v.ics", event("v@x", case.reference, "20260715T103000", 60, "X-MINE:kept"), **headers)

    assert moved.status_code == 204
    visit = the_visit(case_id=case.id)
    assert (visit.starts_at, visit.length_minutes, visit.sequence) == (at("2026-07-15 10:30"), 60, 1)
    assert db.session.scalars(sa.select(OutboundMessage).where(OutboundMessage.kind == "visit_changed")).all(), (
        "the household is told"
    )
    stale = program.put("v.ics", event("v@x", case.reference, "20260716T103000"), If_Match=made.headers["ETag"])
    assert stale.status_code == 412
    assert program.put("v.ics", event("v@x", "x", "20260716T103000"), If_None_Match="*").status_code == 412


def test_a_visit_that_is_moved_here_moves_in_the_calendar_and_keeps_what_the_officer_added(program, verbs):
    case = own(verbs)
    alarm = ("BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-PT45M", "DESCRIPTION:Leave", "END:VALARM")
    program.put(
        "v.ics", event("v@x", f"{case.reference} dog!", "20260714T140000", 90, "X-APPLE-X:geo:51.5,-0.12", *alarm)
    )

    verbs.move(the_visit(case_id=case.id), "2026-07-16 11:00")

    text = program.get("v.ics").text
    assert "DTSTART:20260716T100000Z\r\nDTEND:20260716T113000Z" in text
    assert text.count("DTSTART") == text.count("BEGIN:VEVENT") == 1
    assert "X-APPLE-X:geo:51.5,-0.12\r\n" in text
    assert "TRIGGER:-PT45M\r\n" in text
    assert f"SUMMARY:{case.reference} dog!\r\n" in text


def test_a_visit_that_is_taken_out_is_called_off_a_little_later(program, verbs, freeze):
    case = own(verbs)
    program.put("v.ics", event("v@x", case.reference, "20260714T140000"))

    assert program.delete("v.ics").status_code == 204
    assert program.get("v.ics").status_code == 404
    assert call_off() == 0
    assert the_visit(case_id=case.id).is_booked
    freeze("2026-07-06 09:33")
    assert call_off() == 1

    visit = the_visit(case_id=case.id)
    assert visit.status == VisitStatus.CANCELLED
    assert "took it out of their calendar" in visit.settled_note
    assert db.session.scalars(sa.select(OutboundMessage).where(OutboundMessage.kind == "visit_cancelled")).all()


@pytest.mark.parametrize("order", ["out_first", "in_first", "same_again"])
def test_taken_out_and_made_anew_is_a_move(program, verbs, freeze, order):
    """As calcurse moves an event, and in the order of others."""
    case = own(verbs)
    program.put("old.ics", event("old@x", case.reference, "20260714T140000"))
    new = event("new@x", case.reference, "20260716T110000")

    if order == "in_first":
        program.put("new.ics", new)
        program.delete("old.ics")
    else:
        program.delete("old.ics")
        if order == "same_again":
            program.put("old.ics", event("old@x", case.reference, "20260714T140000"))
            program.delete("old.ics")
        program.put("new.ics", new)
    freeze("2026-07-06 09:40")
    call_off()

    visit = the_visit(case_id=case.id)
    assert (visit.status, visit.starts_at) == (VisitStatus.BOOKED, at("2026-07-16 11:00"))
    assert program.get("new.ics").data == new
    assert program.get("old.ics").status_code == 404
    assert db.session.scalars(sa.select(CalendarEntry).where(CalendarEntry.problem.is_not(None))).all() == []
    assert not db.session.scalars(sa.select(OutboundMessage).where(OutboundMessage.kind == "visit_cancelled")).all()


def test_a_private_event_is_kept_byte_for_byte_for_its_officer_alone_and_its_time_is_busy(program, verbs, client):
    secret = event("p@x", "Oncology\\, St Thomas", "20260714T140000", 60, "LOCATION:Ward 9", 'X-ODD;P="q":;:,')

    program.put("p.ics", secret, If_None_Match="*")

    assert program.get("p.ics").data == secret
    rows = db.session.scalars(sa.select(BusySpan)).all()
    assert [(row.officer_id, row.starts_at, row.ends_at) for row in rows] == [
        (program.user_id, at("2026-07-14 14:00"), at("2026-07-14 15:00"))
    ]
    for table in db.metadata.sorted_tables:
        for row in db.session.execute(sa.select(table)):
            assert "Oncology" not in repr(tuple(row)), table
            assert "Ward 9" not in repr(tuple(row)), table
    client.sign_in(verbs.cast.manager)
    client.inspects = True
    assert "Oncology" not in client.get("/visits?day=2026-07-14").text

    program.delete("p.ics")
    assert db.session.scalars(sa.select(BusySpan)).all() == []
    assert db.session.scalars(sa.select(CalendarEntry.body_sealed)).all() == [None], "what was taken out is gone"


def test_what_is_free_or_called_off_takes_no_time(program):
    program.put("a.ics", event("a@x", "Birthday", "20260714T140000", 60, "TRANSP:TRANSPARENT"))
    program.put("b.ics", event("b@x", "Off", "20260715T140000", 60, "STATUS:CANCELLED"))
    program.put("c.ics", event("c@x", "Maybe", "20260716T140000", 60, "X-MICROSOFT-CDO-BUSYSTATUS:FREE"))

    assert db.session.scalars(sa.select(BusySpan)).all() == []


def test_a_series_of_ones_own_is_busy_each_time_and_goes_on_by_itself(program, verbs, freeze):
    program.put("s.ics", event("s@x", "Team", "20260706T090000", 60, "RRULE:FREQ=WEEKLY;BYDAY=MO"))
    busy = db.session.scalars(sa.select(BusySpan.starts_at).order_by(BusySpan.starts_at)).all()
    assert busy[:2] == [at("2026-07-06 09:00"), at("2026-07-13 09:00")]
    assert len(busy) == 28

    freeze("2026-09-07 03:00")
    with transaction():
        assert caldav_writing.roll_on(now_utc()) == 1
    later = db.session.scalars(sa.select(BusySpan.starts_at).order_by(BusySpan.starts_at.desc())).first()
    assert later > busy[-1]


# --- What can't be done as it stands ----------------------------------------------------------------------------------


@pytest.fixture
def clash(program, verbs):
    """A visit at two, and an event for another household at the same time."""
    verbs.book(own(verbs), "2026-07-14 14:00")
    other = own(verbs, 2)
    answer = program.put("c.ics", event("c@x", other.reference, "20260714T143000"))
    assert answer.status_code == 201, "it is kept all the same"
    return other


def test_an_overlap_is_kept_and_holds_nothing(program, verbs, clash):
    assert program.get("c.ics").status_code == 200
    assert db.session.scalars(sa.select(Visit).where(Visit.case_id == clash.id)).all() == []
    assert db.session.get(Case, clash.id).stages["enquiry"] == "contacted"
    assert db.session.scalars(sa.select(BusySpan)).all() == []
    (entry,) = db.session.scalars(sa.select(CalendarEntry).where(CalendarEntry.problem == "clash"))
    assert "another visit then" in entry.problem_said


def test_an_overlap_waits_on_my_day_and_the_week_and_is_settled_there(program, verbs, clash, client):
    client.sign_in(verbs.cast.officer)
    client.inspects = True
    assert "1 event in your calendar not booked" in client.get("/my-day").page.text
    assert "In your calendar, not booked" in client.get("/visits").page.text
    page = client.get("/visits/from-calendar").page
    assert clash.reference in page.text
    assert "Free instead:" in page.text
    assert press(client, "Try again").status_code == 409, "it still overlaps"

    verbs.cancel(the_visit(status="booked"))
    done = press(client, "Try again")

    assert done.status_code == 303
    assert the_visit(case_id=clash.id).is_booked
    assert "Nothing to settle" in client.get("/visits/from-calendar").page.text


def test_an_overlap_that_is_ones_own_becomes_busy_time(program, verbs, clash, client):
    client.sign_in(verbs.cast.officer)
    client.inspects = True

    press(client, "It is my own")

    assert db.session.scalar(sa.select(BusySpan.starts_at)) == at("2026-07-14 14:30")
    assert "Nothing to settle" in client.get("/visits/from-calendar").page.text


def test_a_move_that_clashes_leaves_the_visit_where_it_is_and_the_calendar_can_be_put_back(program, verbs, client):
    case = own(verbs)
    verbs.book(own(verbs, 2), "2026-07-15 10:00")
    program.put("v.ics", event("v@x", case.reference, "20260714T140000"))
    program.put("v.ics", event("v@x", case.reference, "20260715T103000"))
    assert the_visit(case_id=case.id).starts_at == at("2026-07-14 14:00")
    assert b"20260715T103000" in program.get("v.ics").data
    token = token_of(program.sync())

    client.sign_in(verbs.cast.officer)
    client.inspects = True
    press(client, "Put my calendar back")

    assert b"DTSTART:20260714T130000Z" in program.get("v.ics").data
    client.inspects = False
    assert hrefs(program.sync(token)) == [f"{program.path}v.ics"]


def test_a_visit_of_two_that_one_takes_out_is_asked_about(program, verbs):
    case = own(verbs)
    verbs.book(case, "2026-07-14 14:00", verbs.cast.officer, verbs.cast.other_officer)
    (href,) = hrefs(program.sync())

    program.ask("DELETE", href)

    assert call_off() == 0
    assert the_visit(case_id=case.id).is_booked
    assert db.session.scalars(sa.select(CalendarEntry.problem).where(CalendarEntry.removed_at.is_not(None))).all() == [
        "taken_out"
    ]


def test_a_calendar_that_a_program_empties_calls_nothing_off(program, verbs, freeze):
    for number in range(4):
        verbs.book(own(verbs, number + 1), f"2026-07-{14 + number} 14:00")
    for href in hrefs(program.sync()):
        program.ask("DELETE", href)
    freeze("2026-07-06 09:40")

    assert call_off() == 0
    assert len(db.session.scalars(sa.select(Visit).where(Visit.status == VisitStatus.BOOKED)).all()) == 4
    assert db.session.scalars(sa.select(CalendarEntry.problem)).all() == ["taken_out"] * 4


def test_tidying_up_behind_oneself_calls_nothing_off(program, verbs, freeze):
    verbs.book(own(verbs), "2026-07-07 14:00")
    (href,) = hrefs(program.sync())
    freeze("2026-07-07 17:00")

    program.ask("DELETE", href)
    freeze("2026-07-07 17:10")

    assert call_off() == 0
    assert the_visit().is_booked


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (("RRULE:FREQ=DAILY;COUNT=3",), "not_a_time"),
        ((), "unknown"),
    ],
)
def test_what_is_no_visit_says_so(program, verbs, lines, problem):
    mine = own(verbs)
    with transaction():
        prefix = policy.service().reference_prefix
    reference = mine.reference if lines else f"{prefix}-000000"

    program.put("x.ics", event("x@x", reference, "20260714T140000", 60, *lines))

    assert db.session.scalar(sa.select(CalendarEntry.problem)) == problem
    assert db.session.scalars(sa.select(Visit)).all() == []


def test_old_events_that_carry_a_reference_are_let_be(program, verbs):
    program.put("x.ics", event("x@x", own(verbs).reference, "20250714T140000"))

    assert db.session.scalar(sa.select(CalendarEntry.problem)) is None
    assert today_in_london().year == 2026


def test_an_uid_stands_at_one_address(program):
    program.put("a.ics", event("a@x", "Dentist", "20260714T140000"))

    again = program.put("b.ics", event("a@x", "Dentist", "20260714T140000"))

    assert again.status_code == 403
    assert b"no-uid-conflict" in again.data
    assert f"{program.path}a.ics".encode() in again.data
    assert program.put("a.ics", event("z@x", "Dentist", "20260714T140000")).status_code == 403
    program.delete("a.ics")
    assert program.put("b.ics", event("a@x", "Dentist", "20260714T140000")).status_code == 201


# --- Many at once -----------------------------------------------------------------------------------------------------


def test_of_many_who_write_on_the_same_view_one_is_done(program, app, verbs):
    """Eight programs change the event they all have read; and while they write, one that syncs misses nothing."""
    tag = program.put("a.ics", event("a@x", "Swim", "20260714T140000")).headers["ETag"]
    began = token_of(program.sync())
    start = threading.Barrier(8)

    def write(number):
        mine = replace(program, client=app.test_client())
        mine.client.inspects = False
        start.wait()
        changed = event("a@x", f"Swim {number}", f"202607{14 + number}T140000")
        another = event(f"n{number}@x", "Run", f"202608{10 + number}T140000")
        with app.app_context():
            first = mine.put("a.ics", changed, If_Match=tag)
            return first.status_code, mine.put(f"n{number}.ics", another).status_code

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(write, range(8)))

    assert sorted(first for first, _ in answers) == [204] + [412] * 7
    assert {second for _, second in answers} == {201}
    assert len(hrefs(program.sync(began))) == 9
