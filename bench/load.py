"""A large fictional service, made inside the database by set-based statements: only keys pass through Python.

Each enquiry is a household, two people, a case, its tracks, three stage changes, one deadline and one letter. Most are
long closed, as they would be; one in ten is an open enquiry and one in twenty-five an application under way.
"""

from __future__ import annotations

import random
import sys
import time
from datetime import UTC, date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from crm.access.models import User, UserRole
from crm.cases.models import (
    Case,
    CaseAssignment,
    Deadline,
    Enquiry,
    Household,
    Journey,
    Person,
    PersonKey,
    StageChange,
    TimelineEntry,
    Track,
)
from crm.db import db, keyring, place_of_value, seal, transaction
from crm.delivery import OutboundMessage
from crm.rules import names, reference
from crm.rules.permissions import Role

STAFF = 4
"""As many at each size: lists that are per person are then of one length, and what grows is the database."""
DAYS = 3650
"""Ten years, as reports are measured over."""
CHUNK = 50_000
ROW_KEY = "0" * 32
LOADED = (
    Household, Journey, Person, PersonKey, Case, Enquiry, Track, StageChange, Deadline, CaseAssignment, TimelineEntry,
    OutboundMessage,
)  # fmt: skip
BAR = 40

GIVEN = (
    "Priya Sam Maya Daniel Ruth Carl Grace Tom Amara Joseph Leila Owen Hannah Marek Nia Yusuf Freya Piotr Chloe Ravi "
    "Zoe Ahmed Fatima Carol Delroy Kelly Noah Sade Orla Isla Ivan Ruby Olivia Ava Leah Ming Tariq Mia Amelia Mohammed "
    "Ngozi Stephen Lena Gareth Dawn Terry Femi Carys Hope Bethan Rukhsana Jacqueline Tanya Denise Gwen Nadia Marcus"
).split()
FAMILY = (
    "Osei Oconnell Grant Fitzgerald Nguyen Broadbent Baker Siddiqui Whitlock Adeyemi Hughes Chowdhury Mensah Ellis "
    "Brooks Okafor Patel Reid Rahman Begum Clarke Novak Price Kowalski Tembo Lawson Walsh Bennett Achebe Kowalczyk "
    "Pugh Braithwaite Lloyd Carrington Howells Malik Mountford Harcourt Bello Pritchard Marlowe Okonjo Sinclair Frost"
).split()
DISTRICTS = "BR1 BR2 BR3 BR5 BR6 SE6 SE9 SE12 SE18 SE26 SE28 DA1 DA5 DA14 CR0 CR2 CR8 ME7 TN13 TN16 SM1".split()
SYLLABLES = (
    "bar bel cor dan del fen gar hal ing kel lan mor nor pen quil ras sel tam ul ven wick yar zan ash brook combe dale "
    "field gate hurst ley mead nell over pool ridge stoke thorn wood"
).split()


class Progress:
    """A bar on one line of the terminal, or a line a step where there is no terminal."""

    def __init__(self, label: str, steps: int) -> None:
        self.label, self.steps, self.done, self.began = label, steps, 0, time.monotonic()

    def step(self, what: str) -> None:
        self.done += 1
        filled = BAR * self.done // self.steps
        line = f"{self.label} [{'#' * filled}{'.' * (BAR - filled)}] {time.monotonic() - self.began:4.0f} s  {what:<24}"
        sys.stderr.write(f"\r{line}" if sys.stderr.isatty() else f"{line}\n")
        if self.done == self.steps and sys.stderr.isatty():
            sys.stderr.write("\n")


def load(enquiries: int, *, today: date) -> float:
    """Fill an empty, migrated database with so many enquiries. Returns the seconds it took."""
    began = time.monotonic()
    on_sqlite = db.engine.dialect.name == "sqlite"
    chunks = [(low, min(low + CHUNK, enquiries)) for low in range(0, enquiries, CHUNK)]
    progress = Progress(f"Loading {enquiries:,}", len(chunks) + 4)
    now = datetime.combine(today, datetime.min.time(), UTC) + timedelta(hours=9)
    with transaction():
        users = _staff(now)
        connection = db.session.connection()
        if on_sqlite:
            connection.exec_driver_sql("PRAGMA cache_size=-200000")
        for index in _indexes():
            index.drop(connection)
        _small_tables(connection, today, users)
    progress.step("people and words")
    draw = random.Random(20261121)
    numbers = (
        draw.sample(range(reference.SPACE), enquiries) if enquiries > 1000 else draw.sample(range(10**6), enquiries)
    )
    for low, high in chunks:
        with transaction():
            connection = db.session.connection()
            _keys(connection, low, high, numbers)
            if not on_sqlite:  # rows that are right by the way they are made: no row asks for its parent
                connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
            for statement in _statements(now):
                connection.exec_driver_sql(statement if on_sqlite else statement.replace("%", "%%"))
        progress.step(f"{high:,} enquiries")
    with transaction():
        connection = db.session.connection()
        if not on_sqlite:
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        for statement in _KEYS_OF_PEOPLE:
            connection.exec_driver_sql(statement)
    progress.step("keys of people")
    with transaction():
        connection = db.session.connection()
        for index in _indexes():
            index.create(connection)
    progress.step("indexes")
    with transaction():
        connection = db.session.connection()
        for table in (
            "bench_code",
            "bench_key",
            "bench_day",
            "bench_given",
            "bench_family",
            "bench_district",
            "bench_user",
        ):
            connection.exec_driver_sql(f"DROP TABLE {table}")
        if not on_sqlite:
            for table in ("household", "person", "case_file"):
                connection.exec_driver_sql(
                    f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))"
                )
    # A service's rows come in over years. What a million at once leave to be done later is done now, outside any
    # transaction, so that it isn't measured as part of a page.
    db.session.remove()
    pooled = db.engine.raw_connection()
    driver: Any = pooled.driver_connection
    if not on_sqlite:
        driver.autocommit = True
    for statement in (
        ("PRAGMA wal_checkpoint(TRUNCATE)",) if on_sqlite else ("VACUUM (ANALYZE)", "CHECKPOINT")
    ):
        driver.execute(statement)
    pooled.invalidate()
    progress.step("statistics")
    return time.monotonic() - began


def _indexes() -> list[sa.Index]:
    """What is made once the rows are there: sorted at once, it costs a fraction of a place found for every row."""
    found = [index for model in LOADED for index in model.__table__.indexes if not index.unique]
    return sorted(found, key=lambda index: str(index.name))


def _staff(now: datetime) -> list[int]:
    people = []
    for number in range(STAFF):
        user = User(
            email=f"officer{number}@example.org",
            name=f"{GIVEN[number % len(GIVEN)]} {FAMILY[number * 3 % len(FAMILY)]}",
            active=True,
            created_at=now,
        )
        roles = [Role.OFFICER, Role.RECRUITER] if number else [Role.MANAGER]
        user.role_rows = [UserRole(role=role) for role in roles]
        people.append(user)
    db.session.add_all(people)
    db.session.flush()
    return [user.id for user in people]


def _small_tables(connection: sa.Connection, today: date, users: list[int]) -> None:
    """The words and days that rows are made from, each numbered from nought."""
    run = connection.exec_driver_sql
    run("CREATE TABLE bench_key (i INTEGER PRIMARY KEY, reference VARCHAR(16) NOT NULL)")
    run("CREATE TABLE bench_day (n INTEGER PRIMARY KEY, day DATE NOT NULL, due DATE NOT NULL, ahead DATE NOT NULL)")
    run("CREATE TABLE bench_given (n INTEGER PRIMARY KEY, name VARCHAR(60) NOT NULL)")
    run("CREATE TABLE bench_family (n INTEGER PRIMARY KEY, name VARCHAR(60) NOT NULL)")
    run("CREATE TABLE bench_district (n INTEGER PRIMARY KEY, name VARCHAR(8) NOT NULL)")
    run("CREATE TABLE bench_user (n INTEGER PRIMARY KEY, id INTEGER NOT NULL)")
    _fill(
        connection,
        "bench_day",
        [
            (n, today - timedelta(days=n), today - timedelta(days=max(n - 10, 0)), today + timedelta(days=n % 20 - 10))
            for n in range(DAYS)
        ],
    )
    _fill(connection, "bench_given", list(enumerate(GIVEN)))
    # As many surnames as a real register has: a name of a million people shared by forty would flatter no index.
    surnames = FAMILY + [f"{a}{b}{c}".capitalize() for a in SYLLABLES for b in SYLLABLES for c in SYLLABLES[:10]]
    _fill(connection, "bench_family", list(enumerate(surnames)))
    run("CREATE TABLE bench_code (name VARCHAR(60) NOT NULL, code VARCHAR(8) NOT NULL, PRIMARY KEY (name, code))")
    words = {name.lower() for name in (*GIVEN, *surnames)}
    _fill(connection, "bench_code", sorted((word, code) for word in words for code in names.codes(word)))
    _fill(connection, "bench_district", list(enumerate(DISTRICTS)))
    _fill(connection, "bench_user", list(enumerate(users)))


def _fill(connection: sa.Connection, table: str, rows: list[tuple[Any, ...]]) -> None:
    if connection.dialect.name == "postgresql":
        with connection.connection.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        return
    marks = ", ".join("?" * len(rows[0]))
    texts = [tuple(v.isoformat() if isinstance(v, date) else v for v in row) for row in rows]
    connection.connection.driver_connection.executemany(f"INSERT INTO {table} VALUES ({marks})", texts)


def _keys(connection: sa.Connection, low: int, high: int, numbers: list[int]) -> None:
    connection.exec_driver_sql("DELETE FROM bench_key")
    _fill(connection, "bench_key", [(i + 1, reference.new_reference("KF", numbers[i])) for i in range(low, high)])


_BOTH_CODES = "FROM person p JOIN bench_code g ON g.name = p.given_key JOIN bench_code f ON f.name = p.family_key"
# Once at the end and in order: a tree that is filled in its own order is filled at its edge.
_KEYS_OF_PEOPLE = (
    "INSERT INTO person_key (kind, key, person_id) "
    f"SELECT 'names', g.code || ' ' || f.code, p.id {_BOTH_CODES} UNION "
    f"SELECT 'names', f.code || ' ' || g.code, p.id {_BOTH_CODES} ORDER BY 2, 3",
    "INSERT INTO person_key (kind, key, person_id) SELECT 'mailbox', email_key, id FROM person ORDER BY 2, 3",
)


def _statements(now: datetime) -> list[str]:
    """The rows of the chunk whose keys are in ``bench_key``. What a case is follows from its number alone.

    i % 25 = 0: an application in assessment. i % 10 = 1: an open enquiry. The rest are closed.
    """
    on_sqlite = db.engine.dialect.name == "sqlite"
    yes, no = ("1", "0") if on_sqlite else ("true", "false")
    at = f"'{now:%Y-%m-%d %H:%M:%S.%f}'" if on_sqlite else f"'{now.isoformat()}'::timestamptz"

    def instant(day: str) -> str:
        return f"{day} || ' 10:00:00.000000'" if on_sqlite else f"{day} + time '10:00' AT TIME ZONE 'UTC'"

    letter = seal("outbound_message", "recipient_sealed", ROW_KEY, "someone@example.org")
    payload = keyring().seal(place_of_value("outbound_message", "payload_sealed", ROW_KEY), b"A letter.")
    blob = f"X'{payload.hex()}'" if on_sqlite else f"'\\x{payload.hex()}'::bytea"
    application, enquiry = "(k.i % 25 = 0)", "(k.i % 10 = 1)"
    place = f"CASE WHEN {application} THEN 'in_assessment' WHEN {enquiry} THEN (CASE k.i % 7 WHEN 0 THEN 'new' WHEN 1 THEN 'contacted' WHEN 2 THEN 'visit_booked' WHEN 3 THEN 'visited' WHEN 4 THEN 'invited' WHEN 5 THEN 'not_now' ELSE 'contacted' END) ELSE 'closed' END"  # noqa: E501
    band = f"CASE WHEN {application} THEN 'application' WHEN {enquiry} THEN 'enquiry' ELSE 'ended' END"
    is_open = f"({application} OR {enquiry})"
    families = len(FAMILY) + len(SYLLABLES) * len(SYLLABLES) * 10
    # Odd multipliers that share no factor with the table's size spread numbers evenly over it.
    source = (
        "FROM bench_key k "
        f"JOIN bench_day d ON d.n = (k.i * 7) % {DAYS} "
        f"JOIN bench_user u ON u.n = k.i / 10 % {STAFF} "
        f"JOIN bench_family f ON f.n = (k.i % 1000003) * CAST(7919 AS BIGINT) % {families} "
    )
    one = f"JOIN bench_given g ON g.n = k.i % {len(GIVEN)} "
    two = f"JOIN bench_given g ON g.n = (k.i * 3 + 1) % {len(GIVEN)} "
    district = f"JOIN bench_district p ON p.n = k.i % {len(DISTRICTS)} "
    number = "substr('0000000' || k.i, -7)" if on_sqlite else "lpad(k.i::text, 7, '0')"

    spoken, visited = f"({application} OR k.i % 4 > 0)", f"({application} OR k.i % 10 < 3)"
    passed, panel = f"({application} AND k.i % 2 = 0)", f"({application} AND k.i % 4 = 0)"

    def later(days: str) -> str:
        return f"date(d.day, '+' || ({days}) || ' days')" if on_sqlite else f"(d.day + ({days})::int)"

    def person(which: str, offset: int) -> str:
        role = "applicant_1" if offset == 1 else "applicant_2"
        phone = f"'+4477{'009' if offset == 1 else '019'}' || {number}"
        return (
            "INSERT INTO person (id, row_key, household_id, role, given_name, family_name, given_key, family_key, email, "
            "email_key, phone, phone_key, no_calls, no_voicemail, no_contact) "
            f"SELECT k.i * 2 + {offset - 2}, '{ROW_KEY}', k.i, '{role}', g.name, f.name, lower(g.name), lower(f.name), "
            f"lower(g.name) || '.{offset}.' || k.i || '@example.org', lower(g.name) || '.{offset}.' || k.i || '@example.org', "
            f"'07700 900118', {phone}, {no}, {no}, {no} {source}{which}"
        )

    def change(step: int, move: str, frm: str, to: str) -> str:
        return (
            "INSERT INTO stage_change (row_key, case_id, track, from_stage, to_stage, move, changed_at, effective_on, "
            "actor_kind, actor_id, is_correction, edition) "
            f"SELECT '{ROW_KEY}', k.i, 'enquiry', {frm}, '{to}', '{move}', {instant('d.day')}, d.day, 'staff', u.id, {no}, "
            f"'default' {source}"
        )

    return [
        "INSERT INTO household (id, row_key, name, postcode, postcode_key, created_at) "
        f"SELECT k.i, '{ROW_KEY}', g.name || ' and ' || h.name || ' ' || f.name, p.name || ' 1KO', p.name || '1KO', "
        f"{instant('d.day')} {source}{one}{district} JOIN bench_given h ON h.n = (k.i * 3 + 1) % {len(GIVEN)}",
        person(one, 1),
        person(two, 2),
        "INSERT INTO case_file (id, reference, household_id, version, opened_at, channel, edition, owner_id, is_open, "
        "place, band, next_action, next_action_due_on, next_action_turn, next_action_rule, touched_at, application_received_on, closed_on) "
        f"SELECT k.i, k.reference, k.i, 4, {instant('d.day')}, 'web', 'default', u.id, {is_open}, {place}, {band}, "
        f"CASE WHEN {is_open} THEN 'Ring them' END, CASE WHEN {is_open} THEN d.ahead END, "
        f"CASE WHEN {is_open} THEN 'service' END, CASE WHEN {is_open} THEN 'first_contact' END, {instant('d.day')}, CASE WHEN {application} THEN d.day END, "
        f"CASE WHEN NOT {is_open} THEN d.due END {source}",
        "INSERT INTO enquiry (row_key, case_id, received_at, channel) "
        f"SELECT '{ROW_KEY}', k.i, {instant('d.day')}, 'web' {source}",
        "INSERT INTO track (case_id, name, stage, version, since_on) "
        f"SELECT k.i, 'enquiry', CASE WHEN {application} THEN 'applied' ELSE {place} END, 3, d.day {source}",
        "INSERT INTO track (case_id, name, stage, version, since_on) "
        f"SELECT k.i, 'application', 'in_assessment', 2, d.day {source} WHERE {application}",
        "INSERT INTO track (case_id, name, stage, version, since_on) "
        f"SELECT k.i, 'stage_one', 'gathering', 1, d.day {source} WHERE {application}",
        change(1, "open_enquiry", "NULL", "new"),
        change(2, "record_contact", "'new'", "contacted"),
        change(3, "close_enquiry", "'contacted'", "closed"),
        "INSERT INTO deadline (case_id, rule, edition, subject, counted_from_on, due_on, turn, stopped_on, stopped_how) "
        "SELECT k.i, 'first_contact', 'default', '', d.day, CASE WHEN "
        f"{is_open} THEN d.ahead ELSE d.due END, 'service', CASE WHEN NOT {is_open} THEN d.due END, "
        f"CASE WHEN NOT {is_open} THEN 'met' END {source}",
        # How far they came is spread as it would be: three in four are spoken to, three in ten visited, one in
        # twenty-five applies.
        "INSERT INTO journey (household_id, asked_on, asked_weekday, asked_hour, channel, campaign_id, district, "
        "spoken_on, visited_on, applied_on, passed_on, panel_on, approved_on, decided_on, standing, ended_on, ended_why) "
        f"SELECT k.i, d.day, k.i % 7, k.i % 24, CASE k.i % 4 WHEN 0 THEN 'web' WHEN 1 THEN 'event' ELSE 'phone' END, "
        f"NULL, p.name, CASE WHEN {spoken} THEN {later('k.i % 6')} END, CASE WHEN {visited} THEN "
        f"{later('6 + k.i % 17')} END, CASE WHEN {application} THEN {later('30 + k.i % 31')} END, "
        f"CASE WHEN {passed} THEN {later('110 + k.i % 41')} END, CASE WHEN {panel} THEN {later('200 + k.i % 37')} END, "
        f"CASE WHEN {panel} THEN {later('210 + k.i % 9')} END, CASE WHEN {panel} THEN {later('210 + k.i % 9')} END, "
        f"CASE WHEN {panel} THEN 'approved' WHEN {is_open} THEN 'on_the_way' ELSE 'ended' END, "
        f"CASE WHEN NOT {is_open} THEN {later('k.i % 90')} END, CASE WHEN NOT {is_open} THEN 'no_response' END "
        f"{source}{district}",
        "INSERT INTO case_assignment (case_id, user_id, role, from_on) "
        f"SELECT k.i, u.id, 'owner', d.day {source} WHERE {is_open}",
        "INSERT INTO timeline_entry (row_key, case_id, occurred_at, kind, title, sensitivity, actor_name, actor_id) "
        f"SELECT '{ROW_KEY}', k.i, {instant('d.day')}, 'move', 'Enquiry received', 'ordinary', 'Doorstep', NULL {source}",
        "INSERT INTO outbound_message (dedupe_key, kind, channel, status, case_id, person_id, row_key, recipient_sealed, "
        "recipient_key, subject, message_id, payload_sealed, queued_at, not_before, next_attempt_at, attempts, "
        "refusals, may_have_left, sent_at) "
        f"SELECT 'bench:' || k.i, 'enquiry_acknowledgement', 'email', 'sent', k.i, k.i * 2 - 1, '{ROW_KEY}', '{letter}', "
        f"'bench', 'Thank you for getting in touch', '<' || k.i || '@example.org>', {blob}, {at}, {at}, {at}, 1, 0, {no}, {at} "
        f"{source}",
    ]
