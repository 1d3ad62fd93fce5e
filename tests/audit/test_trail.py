"""The audit trail is only ever added to, and shows when it was touched (G32)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa

from crm.audit import AuditEntry, chain, queries, record, record_look, seal_new_entries, verify
from crm.audit.event_names import EVENTS, words_for
from crm.audit.recording import NotForTheTrail
from crm.db import transaction
from crm.rules.permissions import PUBLIC, SYSTEM, Actor, ActorKind

NOW = datetime(2026, 7, 8, 17, 22, tzinfo=UTC)
OFFICER = Actor(kind=ActorKind.STAFF, user_id=7, display_name="Sam Adeyemi")
APPLICANT = Actor(kind=ActorKind.APPLICANT, person_id=3)


def add(number=1, *, actor=OFFICER, case_id=1):
    with transaction():
        for n in range(number):
            record("task.added", actor=actor, at=NOW + timedelta(seconds=n), case_id=case_id, subject=f"task:{n}")


def seal():
    with transaction():
        return seal_new_entries(NOW)


@pytest.fixture
def tamper(session):
    """``tamper("DELETE …")``: what somebody with the database in their hands could do, triggers and all."""

    def do(*statements):
        with transaction():
            if session.get_bind().dialect.name == "postgresql":
                session.execute(sa.text("SET LOCAL session_replication_role = replica"))
            else:
                for table in ("audit_entry", "audit_seal"):
                    for verb in ("update", "delete"):
                        session.execute(sa.text(f"DROP TRIGGER IF EXISTS {table}_refuses_{verb}"))
            for statement in statements:
                session.execute(sa.text(statement))

    return do


def row_of(session, entry_id):
    return session.execute(sa.select(AuditEntry.__table__).where(AuditEntry.id == entry_id)).one()._mapping


# --- Adding -----------------------------------------------------------------------------------------------------------


def test_an_entry_says_who_did_what_to_what_and_when(session):
    with transaction():
        record(
            "stage.changed",
            actor=OFFICER,
            at=NOW,
            case_id=4,
            subject="track:9",
            detail={"move": "book_visit", "due_on": date(2026, 7, 14), "rules": ["a", "b"], "again": False},
        )

    entry = session.scalars(sa.select(AuditEntry)).one()
    assert (entry.event, entry.actor_kind, entry.actor_id, entry.case_id, entry.subject, entry.at) == (
        "stage.changed", "staff", 7, 4, "track:9", NOW
    )  # fmt: skip
    assert entry.detail == {"move": "book_visit", "due_on": "2026-07-14", "rules": ["a", "b"], "again": False}


def test_an_applicant_is_known_by_their_person_and_a_program_by_nobody(session):
    with transaction():
        record("consent.given", actor=APPLICANT, at=NOW)
        record("consent.given", actor=SYSTEM, at=NOW)
        record("consent.given", actor=PUBLIC, at=NOW)

    who = [(entry.actor_kind, entry.actor_id) for entry in queries.recent_entries().entries]
    assert who == [("public", None), ("system", None), ("applicant", 3)]


@pytest.mark.parametrize(
    "detail",
    [{"to": "maya@example.org"}, {"reason": "x" * 121}, {"reason": "two\nlines"}, {"thing": object()},
     {"inner": {"to": "a@b"}}, {"list": ["maya@example.org"]}],
)  # fmt: skip
def test_nothing_about_a_person_gets_into_the_detail(detail):
    with pytest.raises(NotForTheTrail):
        record("task.added", actor=OFFICER, at=NOW, detail=detail)


@pytest.mark.parametrize("event", ["Task added", "task", "", "task.added!", "task.Added"])
def test_an_event_has_a_proper_name(event):
    with pytest.raises(NotForTheTrail):
        record(event, actor=OFFICER, at=NOW)


def test_looking_is_an_event_too(session):
    with transaction():
        record_look("offence", actor=OFFICER, at=NOW, case_id=1, subject="person:3")
        record_look("case", actor=OFFICER, at=NOW, case_id=1)
        record_look("offence", actor=OFFICER, at=NOW, case_id=2, subject="person:4")
    add(case_id=1)

    assert [entry.event for entry in queries.who_looked(1)] == ["view.case", "view.offence"]
    assert [entry.subject for entry in queries.who_looked(1, kinds=["offence"])] == ["person:3"]


def test_every_event_has_words():
    assert all(words_for(event) == words for event, words in EVENTS.items())
    assert words_for("view.offence") == "Looked at the offence"
    assert words_for("thing.was_done") == "Thing: was done"


def test_an_entry_is_written_with_its_business_or_not_at_all(session):
    def fails():
        with transaction():
            record("task.added", actor=OFFICER, at=NOW)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()

    assert queries.recent_entries().entries == []


@pytest.mark.parametrize("table", ["audit_entry", "audit_seal"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET {}", "DELETE FROM {}", "TRUNCATE {}"])
def test_the_database_itself_refuses_to_change_or_remove_a_row(session, table, statement):
    add()
    seal()
    if statement.startswith("TRUNCATE") and session.get_bind().dialect.name == "sqlite":
        statement = "DELETE FROM {} WHERE 1"
    change = "event = 'x.y'" if table == "audit_entry" else "position = 9"

    with pytest.raises(sa.exc.DatabaseError, match="append-only"), transaction():
        session.execute(sa.text(statement.format(table, change)))

    assert verify().is_whole


def test_a_row_can_not_be_copied(session):
    add()

    columns = "nonce, at, event, actor_kind, actor_id, case_id, subject, detail_json, mac"
    with pytest.raises(sa.exc.IntegrityError), transaction():
        session.execute(sa.text(f"INSERT INTO audit_entry ({columns}) SELECT {columns} FROM audit_entry"))


# --- Sealing ----------------------------------------------------------------------------------------------------------


def test_new_entries_are_sealed_in_order_and_the_tail_is_reported_until_then(session):
    add(3)
    before = verify()
    assert chain.has_unsealed()
    session.rollback()

    assert seal() == 3
    assert seal() == 0
    after = verify()

    assert (before.sealed, before.unsealed, before.oldest_unsealed_at) == (0, 3, NOW)
    assert (after.sealed, after.unsealed, after.is_whole) == (3, 0, True)
    assert not chain.has_unsealed()
    assert after.head.position == 3


def test_an_entry_whose_transaction_committed_late_is_sealed_after_its_elders(session, tamper):
    add(5)
    late = dict(row_of(session, 2))
    session.rollback()
    tamper("DELETE FROM audit_entry WHERE id = 2")
    seal()
    with transaction():
        session.execute(sa.insert(AuditEntry.__table__), [late])

    # Ids on SQLite are in order of commit, so only the daily look goes that far back
    with transaction():
        sealed = seal_new_entries(NOW, everything=session.get_bind().dialect.name == "sqlite")

    report = verify()
    assert (sealed, report.sealed, report.is_whole) == (1, 5, True)


def test_several_batches_make_one_chain(session):
    add(25)
    for _ in range(3):
        with transaction():
            seal_new_entries(NOW, limit=10)

    assert verify().sealed == 25
    assert verify().is_whole


# --- Touched ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    ["event = 'task.done'", "actor_id = 8", "case_id = 2", "case_id = NULL", "subject = 'task:99'",
     "detail_json = '{}'",
     "at = (SELECT max(at) FROM audit_entry)", "actor_kind = 'system'",
     "mac = (SELECT mac FROM audit_entry WHERE id = 9)",
     "nonce = '0'"],
)  # fmt: skip
def test_a_changed_row_is_found_sealed_or_not(session, tamper, change):
    add(10)
    for sealed in (False, True):
        if sealed:
            seal()
        tamper(f"UPDATE audit_entry SET {change} WHERE id = 4")

        report = verify()

        assert not report.is_whole
        assert report.first_bad.entry_id == 4


@pytest.mark.parametrize("removed", [1, 4, 10])
def test_a_removed_row_is_found(session, tamper, removed):
    add(10)
    seal()

    tamper(f"DELETE FROM audit_entry WHERE id = {removed}")

    assert verify().first_bad == chain.Fault("the entry was removed", removed, removed)


def test_a_row_removed_with_its_seal_is_found(session, tamper):
    add(10)
    seal()

    tamper("DELETE FROM audit_entry WHERE id = 4", "DELETE FROM audit_seal WHERE position = 4")

    assert verify().first_bad.position == 5


def test_seals_pushed_together_over_a_gap_are_found(session, tamper):
    add(10)
    seal()

    tamper("DELETE FROM audit_entry WHERE id = 4", "DELETE FROM audit_seal WHERE position = 4",
           *(f"UPDATE audit_seal SET position = {n - 1} WHERE position = {n}" for n in range(5, 11)))  # fmt: skip

    assert verify().first_bad.position == 4


def test_the_newest_rows_removed_with_their_seals_are_found_against_a_note_kept_outside(session, tamper, tmp_path):
    add(10)
    seal()
    chain.write_anchor(tmp_path / "anchors.txt", NOW)
    session.rollback()
    tamper("DELETE FROM audit_entry WHERE id > 7", "DELETE FROM audit_seal WHERE position > 7")

    assert verify().is_whole, "whole in itself: that is why the note is needed"
    report = verify(chain.read_anchors(tmp_path / "anchors.txt"))

    assert not report.is_whole
    assert report.first_bad.position == 10


def test_the_newest_rows_removed_without_their_seals_are_found(session, tamper):
    add(10)
    seal()

    tamper("DELETE FROM audit_entry WHERE id > 7")

    assert [fault.entry_id for fault in verify().faults] == [8, 9, 10]


def test_a_row_slipped_in_by_someone_without_the_key_is_found_before_and_after_sealing(session, tamper):
    add(3)
    forged = (
        "INSERT INTO audit_entry (nonce, at, event, actor_kind, mac) "
        "SELECT 'forged', at, 'task.done', 'staff', mac FROM audit_entry WHERE id = 1"
    )
    tamper(forged)
    assert verify().first_bad.entry_id == 4
    session.rollback()

    seal()

    assert verify().first_bad.entry_id == 4


def test_rows_swapped_are_found(session, tamper):
    add(10)
    seal()

    tamper(
        "UPDATE audit_entry SET id = 100 WHERE id = 3",
        "UPDATE audit_entry SET id = 3 WHERE id = 6",
        "UPDATE audit_entry SET id = 6 WHERE id = 100",
    )

    assert [fault.entry_id for fault in verify().faults] == [3, 6]


def test_last_weeks_copy_put_back_is_found_against_the_note(session, tamper, tmp_path):
    add(5)
    seal()
    add(5)
    seal()
    chain.write_anchor(tmp_path / "anchors.txt", NOW)
    session.rollback()
    tamper("DELETE FROM audit_seal WHERE position > 5", "DELETE FROM audit_entry WHERE id > 5")
    add(5)  # life goes on from the old copy
    seal()

    assert verify().is_whole
    report = verify(chain.read_anchors(tmp_path / "anchors.txt"))

    assert report.first_bad == chain.Fault(
        "the chain differs from the note kept outside", report.first_bad.entry_id, 10
    )


def test_another_key_verifies_nothing(session):
    from crm.audit import use_key

    add(3)
    seal()
    use_key("another secret of at least thirty-two characters")

    assert verify().first_bad.entry_id == 1


def test_the_report_reads_plainly(session, tamper):
    add(3)
    assert verify().lines()[0] == "0 entries sealed, 3 waiting for their seal."
    seal()
    assert verify().lines()[-1] == "The trail is whole."
    tamper("UPDATE audit_entry SET event = 'x.y' WHERE id = 2")

    lines = verify().lines()

    assert "THE TRAIL WAS TOUCHED. First at entry 2, position 2: the entry was changed, or not written by us" in lines


def test_a_note_that_is_not_a_note_is_an_error(tmp_path):
    (tmp_path / "anchors.txt").write_text("2026-07-08T00:00:00Z nonsense\n")

    with pytest.raises(ValueError):
        chain.read_anchors(tmp_path / "anchors.txt")
    assert chain.read_anchors(tmp_path / "none.txt") == []


# --- Reading ----------------------------------------------------------------------------------------------------------


def test_the_trail_is_read_in_pages_newest_first(session):
    add(7)
    add(2, case_id=2)

    first = queries.entries_for_case(1, limit=4)
    second = queries.entries_for_case(1, limit=4, before=first.before)

    assert [entry.id for entry in (*first.entries, *second.entries)] == [7, 6, 5, 4, 3, 2, 1]
    assert second.before is None
    assert [entry.id for entry in queries.recent_entries(actor_id=7, limit=2).entries] == [9, 8]
    assert [entry.case_id for entry in queries.entries_for_subject("task:0").entries] == [2, 1]
    assert queries.recent_entries().entries[0].detail == {}
