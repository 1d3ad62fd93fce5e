"""A sheet on its way: columns said once, lines decided, stopped, gone on with, killed, undone."""

from __future__ import annotations

import signal
from datetime import date, timedelta

import pytest
from sqlalchemy import func, select

from crm import policy
from crm.audit import AuditEntry
from crm.cases.contact import log_attempt
from crm.cases.models import Case, Consent, Enquiry, Fact, Household, Person, Task, TimelineEntry
from crm.db import db, transaction
from crm.delivery.models import MessageStatus, OutboundMessage
from crm.events import sheet_import, sheet_loading, sheet_queries, sheet_undo, sheet_worker
from crm.events.sheet_models import Decision, SheetImport, SheetLine
from crm.rules.permissions import NotPermitted
from crm.rules.refusal import Refusal
from tests.events.conftest import at
from tests.events.killed_import import die_in_third_chunk
from tests.quick_processes import quick_processes

NOW = at("2026-05-17 20:00")
TODAY = date(2026, 5, 17)
HEADINGS = "Name,Phone,Email,Postcode,OK to email,Notes"
PRIYA = "Priya Osei,07700 900118,priya.osei@example.org,BR1 3QD,y,two teens"
SAM = "Sam Osei + Priya,07700 900118,,BR1 3QD,,partner of Priya"
RAVI = "Ravi Rao,07700 900071,ravi@example.org,BR2 9AH,y,"
ESME = "Esme Vale,07700 900118,,,,"


def sheet(*lines: str, headings: str = HEADINGS) -> bytes:
    return "\n".join((headings, *lines)).encode()


def look(cast, event, *lines, headings=HEADINGS):
    return sheet_import.keep_upload(
        event, content=sheet(*lines, headings=headings), filename="sheet.csv", actor=cast.recruiter.actor, now=NOW,
        today=TODAY,
    )  # fmt: skip


def load(cast, upload, *, letters=False, now=NOW):
    sheet_loading.load_now_or_later(upload, sends_letters=letters, actor=cast.recruiter.actor, now=now, today=TODAY)
    return upload


def undo(cast, upload, *, now=NOW):
    sheet_undo.undo_now_or_later(upload, actor=cast.recruiter.actor, now=now, today=TODAY)
    return upload


def verdicts(upload):
    return {line.number: line.verdict for line in sheet_queries.lines_page(upload, show="all")[0]}


def how_many(*models) -> list[int]:
    return [db.session.scalar(select(func.count()).select_from(model)) for model in models]


# --- Columns ----------------------------------------------------------------------------------------------------------


def test_what_a_column_holds_is_said_once_for_all_sheets_of_its_shape(session, cast, make_event):
    odd = "Wer,Womit,Wo"
    line = "Priya Osei,ask her,BR1 3QD"
    with transaction():
        event = make_event()
        first = look(cast, event, line, headings=odd)
        asked = first.step
        sheet_import.set_columns(
            first, {"name": 0, "phone": 1, "postcode": 2}, actor=cast.recruiter.actor, now=NOW, today=TODAY
        )
        again = look(cast, event, line, "Ann Lee,07700 900231,BR1 3QD", headings=odd)

    assert (asked, first.step, again.step) == ("columns", "checked", "checked")
    assert verdicts(again) == {2: "refused", 3: "new"}


def test_the_file_of_lines_to_mend_is_read_by_the_columns_of_its_sheet(session, cast, make_event):
    odd = "Wer,Womit"
    with transaction():
        event = make_event()
        first = look(cast, event, "Priya Osei,ask her", headings=odd)
        sheet_import.set_columns(first, {"name": 0, "phone": 1}, actor=cast.recruiter.actor, now=NOW, today=TODAY)
        mended = b"".join(sheet_queries.mend_file(first)).decode("utf-8-sig").replace("ask her", "07700 900118")
        again = sheet_import.keep_upload(
            event, content=mended.encode(), filename="mended.csv", actor=cast.recruiter.actor, now=NOW, today=TODAY
        )

    assert verdicts(first) == {2: "refused"}
    assert verdicts(again) == {2: "new"}


# --- Deciding ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("decision", "households", "touches"),
    [(None, 2, 2), (Decision.NEW, 2, 2), (Decision.JOIN, 1, 2), (Decision.LEAVE_OUT, 1, 1)],
)
def test_a_line_that_needs_a_look_is_loaded_as_a_person_decides(
    session, cast, make_event, decision, households, touches
):
    with transaction():
        upload = look(cast, make_event(), PRIYA, ESME)
        assert verdicts(upload) == {2: "new", 3: "look"}
        if decision:
            sheet_import.decide_line(upload, 3, decision, actor=cast.recruiter.actor, now=NOW)
        expected = sheet_queries.foreseen(upload)
        load(cast, upload)

    assert how_many(Case, Enquiry) == [households, touches]
    assert (upload.loaded_count, upload.joined_count) == (expected.opened, expected.joined)


def test_a_line_that_needs_no_look_is_not_decided(session, cast, make_event):
    with transaction():
        upload = look(cast, make_event(), PRIYA)
    with pytest.raises(Refusal, match="nothing to decide"), transaction():
        sheet_import.decide_line(upload, 2, Decision.LEAVE_OUT, actor=cast.recruiter.actor, now=NOW)


@pytest.mark.parametrize("who", ["officer", "panel_member", "administrator"])
def test_nobody_else_loads_or_undoes_a_sheet(session, cast, make_event, who):
    with transaction():
        upload = look(cast, make_event(), PRIYA)
    stranger = getattr(cast, who).actor
    with pytest.raises(NotPermitted), transaction():
        sheet_import.start_loading(upload, sends_letters=False, actor=stranger, now=NOW)
    with pytest.raises(NotPermitted), transaction():
        sheet_undo.undo_now_or_later(upload, actor=stranger, now=NOW, today=TODAY)


# --- Letters ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("letters", [True, False])
def test_whether_people_are_thanked_is_chosen_and_the_letters_wait_an_hour(session, cast, make_event, letters):
    with transaction():
        load(cast, look(cast, make_event(), PRIYA, RAVI), letters=letters)

    sent = session.scalars(select(OutboundMessage)).all()
    assert len(sent) == (2 if letters else 0)
    assert {letter.next_attempt_at - NOW for letter in sent} <= {timedelta(hours=1)}


# --- Undoing ----------------------------------------------------------------------------------------------------------

EVERYTHING = (Household, Person, Case, Enquiry, Fact, Consent, TimelineEntry, Task)


def test_undoing_an_import_leaves_everything_as_it_was(session, cast, make_event):
    with transaction():
        event = make_event()
        load(cast, look(cast, event, "Priya Osei,07700 900118,,,,"))
    before = how_many(*EVERYTHING)
    priya = session.scalars(select(Person).where(Person.given_name == "Priya")).one()
    told = (priya.email, priya.safe_contact, priya.household.postcode, priya.household.name)
    with transaction():
        warned = PRIYA.replace("two teens", "husband must not know")
        upload = load(cast, look(cast, event, warned, SAM, RAVI), letters=True)
    assert (upload.loaded_count, upload.joined_count) == (1, 2)
    assert session.get_one(Person, priya.id).safe_contact

    with transaction():
        undo(cast, upload)

    assert how_many(*EVERYTHING) == before
    session.expire_all()
    assert (priya.email, priya.safe_contact, priya.household.postcode, priya.household.name) == told
    assert {letter.status for letter in session.scalars(select(OutboundMessage))} == {MessageStatus.SUPERSEDED}
    events = set(session.scalars(select(AuditEntry.event)))
    assert {"sheet.undone", "case.taken_back", "touch.taken_off"} <= events


def test_a_household_that_somebody_worked_on_is_kept_with_the_reason(session, cast, make_event):
    with transaction():
        upload = load(cast, look(cast, make_event(), PRIYA, SAM, RAVI))
    later = NOW + timedelta(hours=2)
    with transaction():
        rung = session.scalars(select(Case).join(Household).where(Household.postcode_key == "BR13QD")).one()
        log_attempt(
            rung, rung.household.people[0], how="no_answer", note=None, actor=cast.recruiter.actor, now=later,
            today=TODAY, rulebook=policy.rulebook_on(TODAY),
        )  # fmt: skip

    with transaction():
        undo(cast, upload, now=later + timedelta(hours=1))

    kept = {line.number: line.why_kept for line in sheet_queries.lines_page(upload, show="kept")[0]}
    assert kept == {2: "Somebody has worked on it since", 3: "Somebody has worked on it since"}
    assert [case.id for case in session.scalars(select(Case))] == [rung.id]


def test_a_household_that_has_had_our_letter_is_kept(session, cast, make_event):
    with transaction():
        upload = load(cast, look(cast, make_event(), PRIYA, RAVI), letters=True)
        letter = session.scalars(select(OutboundMessage).order_by(OutboundMessage.id)).first()
        letter.status, letter.sent_at = MessageStatus.SENT, NOW + timedelta(hours=1)

    with transaction():
        undo(cast, upload, now=NOW + timedelta(hours=2))

    kept = {line.number: line.why_kept for line in sheet_queries.lines_page(upload, show="kept")[0]}
    assert kept == {2: "They have been written to"}


def test_a_household_that_a_later_sheet_joined_is_kept(session, cast, make_event):
    with transaction():
        event = make_event()
        first = load(cast, look(cast, event, PRIYA))
    with transaction():
        load(cast, look(cast, event, SAM), now=NOW + timedelta(hours=1))

    with transaction():
        undo(cast, first, now=NOW + timedelta(hours=2))

    assert how_many(Case, Person)[0] == 1


def test_an_import_is_undone_within_a_week_and_once(session, cast, make_event):
    with transaction():
        upload = load(cast, look(cast, make_event(), PRIYA))
    with pytest.raises(Refusal, match="can’t be undone"), transaction():
        undo(cast, upload, now=NOW + timedelta(days=8))
    with transaction():
        undo(cast, upload, now=NOW + timedelta(days=6))
    with pytest.raises(Refusal, match="can’t be undone"), transaction():
        undo(cast, upload)


# --- The worker -------------------------------------------------------------------------------------------------------

LONG = 230
"""Lines of a sheet that is left to the worker."""


def long_sheet() -> bytes:
    lines = [f"Ada{n} Long{n},07700 {900000 + n % 1000},ada{n}@example.org,,," for n in range(LONG - 10)]
    lines += [f"Bea{n} + Ada{n} Long{n},,ada{n}@example.org,,," for n in range(10)]
    return sheet(*lines)


def drive(upload_id):
    """Take a sheet through its present step as the worker does."""
    sheet_worker.go_on(upload_id, clock=lambda: NOW)


@pytest.fixture
def long_upload(session, cast, make_event):
    with transaction():
        return sheet_import.keep_upload(
            make_event(), content=long_sheet(), filename="long.csv", actor=cast.recruiter.actor, now=NOW, today=TODAY
        ).id


def start(cast, upload_id):
    with transaction():
        upload = db.session.get_one(SheetImport, upload_id)
        sheet_loading.load_now_or_later(upload, sends_letters=False, actor=cast.recruiter.actor, now=NOW, today=TODAY)


def test_a_long_sheet_is_left_to_the_worker_and_can_be_stopped_gone_on_with_and_undone(session, cast, long_upload):
    assert sheet_worker.next_upload() == long_upload
    drive(long_upload)
    start(cast, long_upload)

    with transaction():
        upload = session.get_one(SheetImport, long_upload)
        sheet_loading.load_chunk(upload, now=NOW, today=TODAY, limit=100)
        sheet_import.stop_loading(upload, actor=cast.recruiter.actor, now=NOW)
    assert sheet_worker.next_upload() is None
    assert how_many(Case) == [100]
    start(cast, long_upload)
    drive(long_upload)

    upload = session.get_one(SheetImport, long_upload)
    assert (upload.step, upload.loaded_count, upload.joined_count) == ("loaded", 220, 10)
    with transaction():
        undo(cast, session.get_one(SheetImport, long_upload))
    drive(long_upload)
    assert session.get_one(SheetImport, long_upload).step == "undone"
    assert how_many(Case, Enquiry) == [0, 0]


def test_postgresql_is_told_once_that_its_tables_grow_while_a_long_sheet_is_loaded(
    session, cast, long_upload, queries, monkeypatch
):
    drive(long_upload)
    start(cast, long_upload)
    monkeypatch.setattr(sheet_worker, "COUNTED_AFTER", 0)

    with queries() as sent:
        drive(long_upload)

    told = [statement for statement in sent if statement.startswith("ANALYZE")]
    assert len(told) == (db.engine.dialect.name == "postgresql")
    assert all("sheet_line" in statement and "person" in statement for statement in told)


@pytest.mark.parametrize("dies_in", ["check_chunk", "load_chunk", "undo_chunk"])
def test_killed_in_the_middle_and_run_again_nothing_is_there_twice(session, cast, long_upload, settings, dies_in):
    """A child process takes the sheet on and is killed, by SIGKILL, inside the transaction of its third chunk."""
    if dies_in != "check_chunk":
        drive(long_upload)
        start(cast, long_upload)
    if dies_in == "undo_chunk":
        drive(long_upload)
        with transaction():
            undo(cast, session.get_one(SheetImport, long_upload))
    session.remove()

    child = quick_processes().Process(target=die_in_third_chunk, args=(settings, long_upload, dies_in, NOW))
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL

    done = session.get_one(SheetImport, long_upload).done_count
    assert 0 < done < LONG
    drive(long_upload)
    if dies_in == "check_chunk":
        start(cast, long_upload)
        drive(long_upload)
    expected = [0, 0] if dies_in == "undo_chunk" else [220, 230]
    assert how_many(Case, Enquiry) == expected
    loaded = session.scalar(select(func.count()).select_from(SheetLine).where(SheetLine.outcome.is_not(None)))
    assert loaded == LONG


def test_a_sheet_that_cannot_be_read_says_why_and_is_taken_off_the_list(session, cast, make_event):
    content = b"Name,Phone\n" + b'"' + b"x" * 250_000
    with transaction():
        upload_id = sheet_import.keep_for_worker(
            make_event(), content=content, filename="bad.csv", actor=cast.recruiter.actor, now=NOW
        ).id
    with pytest.raises(Refusal) as refusal:
        drive(upload_id)
    sheet_worker.leave_to_a_person(upload_id, refusal.value.message)

    upload = session.get_one(SheetImport, upload_id)
    assert upload.step == "unreadable"
    assert upload.problem
    assert sheet_worker.next_upload() is None


def test_old_sheets_go_with_their_lines(session, cast, make_event):
    with transaction():
        load(cast, look(cast, make_event(), PRIYA))
    with transaction():
        assert sheet_import.forget_old_uploads(now=NOW + timedelta(days=15)) == 1

    assert how_many(SheetImport, SheetLine, Case) == [0, 0, 1]
