"""G6, small: a copy made under load is whole, goes into either database, holds no key, and sends nothing by itself."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
import threading
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import flask
import pytest
import sqlalchemy as sa
from click.testing import Result

from crm import policy
from crm.audit import AuditEntry
from crm.cases.merge import merge_households
from crm.cases.merge_choices import MergeChoices
from crm.cases.models import Case, Enquiry, HouseholdMerge
from crm.cases.open_case import NewPerson
from crm.cases.unmerge import undo_merge
from crm.clock import now_utc, today_in_london
from crm.db import db, metadata, new_row_key, seal, transaction
from crm.delivery import MessageStatus, OutboundMessage
from crm.delivery.transports import SmtpTransport
from crm.delivery.worker import deliver_once
from crm.settings import Settings, new_encryption_key
from tests import databases
from tests.case_factory import make_case
from tests.conftest import application, put_away
from tests.delivery.sink import sink

OTHER = {"sqlite": "postgresql", "postgresql": "sqlite"}
Crm = Callable[..., Result]


@pytest.fixture
def blank(database: databases.Database, tmp_path: Path) -> Iterator[databases.Database]:
    """A database of the other kind with nothing in it, not even tables."""
    with blank_database(OTHER[database.kind], tmp_path) as made:
        yield made


@contextlib.contextmanager
def blank_database(kind: str, folder: Path) -> Iterator[databases.Database]:
    if kind == "sqlite":
        yield databases.Database("sqlite", f"sqlite:///{folder / 'blank.sqlite3'}")
        return
    name = f"doorstep_blank_{new_row_key()[:16]}"
    server = databases.postgresql_server()
    databases.server_command(f"CREATE DATABASE {name}")
    try:
        yield databases.Database("postgresql", databases.with_database(server, name))
    finally:
        databases.server_command(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def fill(cast: Any, count: int) -> None:
    for number in range(count):
        with transaction():
            make_case(
                cast,
                people=[NewPerson(given_name="Ada", family_name=f"Row{number}", email=f"row{number}@example.org")],
                said="Somebody’s own words: naïve, 你好, 🙂\nand a second line",
            )


def rows_of(database: databases.Database, settings: Settings) -> dict[str, int]:
    """How many rows each table holds, asked of the database itself."""
    with opened(database, settings):
        return {
            table.name: db.session.scalar(sa.select(sa.func.count()).select_from(table)) or 0
            for table in metadata.sorted_tables
        }


@contextlib.contextmanager
def opened(database: databases.Database, settings: Settings) -> Iterator[flask.Flask]:
    """The product on another database than the test's own."""
    other = application(
        Settings.from_environ({**database.environ, "CRM_DATA": str(settings.data_dir)}),
    )
    try:
        with other.app_context():
            yield other
            db.session.remove()
    finally:
        put_away(other)


def test_a_copy_made_under_load_goes_into_the_other_database_and_back(
    app: flask.Flask,
    cast: Any,
    crm: Crm,
    database: databases.Database,
    blank: databases.Database,
    settings: Settings,
    tmp_path: Path,
) -> None:
    with app.app_context():
        fill(cast, 3)
    stop, written = threading.Event(), Counter[str]()

    def go_on() -> None:
        with app.app_context():
            while not stop.is_set():
                fill(cast, 1)
                written["cases"] += 1

    writer = threading.Thread(target=go_on)
    writer.start()
    copy = tmp_path / "copy.zip"
    try:
        made = crm("backup", str(copy))
    finally:
        stop.set()
        writer.join(30)
    assert made.exit_code == 0, made.output
    assert written["cases"] > 0
    assert copy.stat().st_mode & 0o077 == 0, "other people of this machine can read the copy"
    manifest = json.loads(zipfile.ZipFile(copy).read("manifest.json"))

    there = crm("restore", str(copy), DATABASE_URL=blank.url)
    assert there.exit_code == 0, there.output
    assert "The trail is whole." in there.output
    assert rows_of(blank, settings) == manifest["rows"]
    with opened(blank, settings):
        cases = db.session.scalar(sa.select(sa.func.count()).select_from(Case))
        entries = sa.select(sa.func.count()).select_from(AuditEntry).where(AuditEntry.event == "case.opened")
        assert db.session.scalar(entries) == cases, "the copy is of more than one moment"
        assert {one.said for one in db.session.scalars(sa.select(Enquiry))} == {
            "Somebody’s own words: naïve, 你好, 🙂\nand a second line"
        }

    # And home again, from a copy of the copy: the same rows, whichever database they were in.
    second = tmp_path / "second.zip"
    assert crm("backup", str(second), DATABASE_URL=blank.url).exit_code == 0
    (tmp_path / "home").mkdir()
    with blank_database(database.kind, tmp_path / "home") as home:
        assert crm("restore", str(second), DATABASE_URL=home.url).exit_code == 0
        assert rows_of(home, settings) == manifest["rows"]
        third = tmp_path / "third.zip"
        assert crm("backup", str(third), DATABASE_URL=home.url).exit_code == 0
        assert members(third) == members(second)
        checked = crm("check", DATABASE_URL=home.url)
        assert checked.exit_code == 0, checked.output
        with opened(home, settings), transaction():
            make_case(cast, people=[NewPerson(given_name="Next", family_name="One", phone="01632 960777")])
    print(f"G6 {database.kind}: {sum(manifest['rows'].values())} rows, {written['cases']} cases written meanwhile")


def test_a_restored_copy_gives_nobody_the_number_of_a_household_that_can_be_put_back(
    app: flask.Flask, cast: Any, crm: Crm, blank: databases.Database, settings: Settings, tmp_path: Path
) -> None:
    given = {"actor": cast.recruiter.actor, "now": now_utc(), "today": today_in_london()}
    with app.app_context(), transaction():
        policy.ensure_defaults(now=now_utc())
        rulebook = policy.rulebook_on(today_in_london())
        one = make_case(cast, people=[NewPerson(given_name="Ada", family_name="Row", phone="01632 960111")])
        two = make_case(cast, people=[NewPerson(given_name="Bea", family_name="Row", phone="01632 960111")])
        number, reference = two.id, two.reference
        merge_id = merge_households(one, two, choices=MergeChoices(), rulebook=rulebook, **given).id
    copy = tmp_path / "copy.zip"
    assert crm("backup", str(copy)).exit_code == 0
    assert crm("restore", str(copy), DATABASE_URL=blank.url).exit_code == 0

    with opened(blank, settings):
        with transaction():
            later = make_case(cast, people=[NewPerson(given_name="Cy", family_name="Row", phone="01632 960222")])
            assert later.id > number
        with transaction():
            undo_merge(db.session.get_one(HouseholdMerge, merge_id), rulebook=rulebook, **given)
        assert db.session.get_one(Case, number).reference == reference


def members(copy: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(copy) as bundle:
        return {name: bundle.read(name) for name in bundle.namelist() if name != "manifest.json"}


def test_a_restored_outbox_sends_nothing_until_it_is_released_and_then_once(
    app: flask.Flask, cast: Any, crm: Crm, blank: databases.Database, settings: Settings, tmp_path: Path
) -> None:
    with app.app_context():
        fill(cast, 3)
    copy = tmp_path / "copy.zip"
    assert crm("backup", str(copy)).exit_code == 0
    assert crm("restore", str(copy), DATABASE_URL=blank.url).exit_code == 0

    with sink() as kept, opened(blank, settings):

        def work() -> int:
            line = SmtpTransport(kept.settings)
            deliver_once(transport=line)
            line.close()
            return len(kept.taken)

        assert work() == 0
        released = crm("outbox", "release", "--yes", DATABASE_URL=blank.url)
        assert released.exit_code == 0, released.output
        assert work() == 3
        assert work() == 3
        statuses = set(db.session.scalars(sa.select(OutboundMessage.status)))
    assert statuses == {MessageStatus.SENT}
    assert sorted(letter.recipients[0] for letter in kept.taken) == [f"row{n}@example.org" for n in range(3)]


def test_a_copy_holds_no_key_and_no_private_word(
    app: flask.Flask, cast: Any, crm: Crm, settings: Settings, tmp_path: Path
) -> None:
    with app.app_context():
        fill(cast, 2)
    copy = tmp_path / "copy.zip"
    assert crm("backup", str(copy)).exit_code == 0

    with zipfile.ZipFile(copy) as bundle:
        everything = copy.read_bytes() + b"".join(bundle.read(name) for name in bundle.namelist())
    secrets = [settings.secret_key.encode(), *settings.encryption_keys.values()]
    secrets += [part.partition(":")[2].encode() for part in databases.SECRETS["CRM_ENCRYPTION_KEYS"].split(",")]
    secrets += [key.hex().encode() for key in settings.encryption_keys.values()]
    assert [secret for secret in secrets if secret in everything] == []
    assert b"own words" not in everything
    assert b"Row1" in everything, "the search finds what is there"


WRONG_KEYS = (
    ({"CRM_ENCRYPTION_KEYS": new_encryption_key("k9")}, "The encryption keys here are not those of the copy"),
    ({"CRM_ENCRYPTION_KEYS": new_encryption_key("t1")}, "The encryption keys here are not those of the copy"),
    ({"CRM_SECRET_KEY": "another secret, as long as it has to be to pass"}, "CRM_SECRET_KEY here is not that"),
)


def test_the_wrong_key_is_refused_and_stores_nothing(
    app: flask.Flask, cast: Any, crm: Crm, blank: databases.Database, settings: Settings, tmp_path: Path
) -> None:
    with app.app_context():
        fill(cast, 1)
    copy = tmp_path / "copy.zip"
    assert crm("backup", str(copy)).exit_code == 0

    for changed, words in WRONG_KEYS:
        refused = crm("restore", str(copy), DATABASE_URL=blank.url, **changed)
        assert refused.exit_code == 1
        assert words in refused.output
        assert isinstance(refused.exception, SystemExit)

    assert set(rows_of(blank, settings).values()) == {0}
    assert crm("restore", str(copy), DATABASE_URL=blank.url).exit_code == 0


def test_a_value_damaged_long_ago_does_not_keep_everything_else_from_coming_back(
    app: flask.Flask, cast: Any, crm: Crm, blank: databases.Database, settings: Settings, tmp_path: Path
) -> None:
    with app.app_context():
        fill(cast, 2)
        with transaction() as session:
            session.execute(
                sa.text("UPDATE enquiry SET said_sealed = :sealed WHERE id = (SELECT min(id) FROM enquiry)"),
                {"sealed": seal("enquiry", "said_sealed", "another row", "x")},
            )
    copy = tmp_path / "copy.zip"
    assert crm("backup", str(copy)).exit_code == 0

    restored = crm("restore", str(copy), DATABASE_URL=blank.url)

    assert restored.exit_code == 0, restored.output
    assert "1 sealed values can't be opened" in restored.output


def test_a_database_in_use_is_never_restored_over(app: flask.Flask, cast: Any, crm: Crm, tmp_path: Path) -> None:
    with app.app_context():
        fill(cast, 1)
    copy = tmp_path / "copy.zip"
    assert crm("backup", str(copy)).exit_code == 0
    with app.app_context(), transaction():
        make_case(cast, people=[NewPerson(given_name="After", family_name="Copy", phone="01632 960778")])

    refused = crm("restore", str(copy))

    assert refused.exit_code == 1
    assert "The database is not empty" in refused.output
    with app.app_context():
        assert db.session.scalar(sa.select(sa.func.count()).select_from(Case)) == 2
        db.session.remove()


@pytest.fixture(scope="module")
def good_copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One whole copy, to be damaged in many ways."""
    folder = tmp_path_factory.mktemp("copies")
    with databases.database_of("sqlite", folder) as database:
        app = application(Settings.from_environ({**database.environ, "CRM_DATA": str(folder)}))
        from crm.backup import write_backup

        with app.app_context():
            write_backup(folder / "good.zip", now=now_utc(), said=lambda _line: None)
            db.session.remove()
        put_away(app)
    return folder / "good.zip"


def nonsense(copy: Path) -> None:
    copy.write_bytes(b"this is not a copy of anything")


def cut_short(copy: Path) -> None:
    copy.write_bytes(copy.read_bytes()[:-200])


def empty(copy: Path) -> None:
    copy.write_bytes(b"")


def another_zip(copy: Path) -> None:
    with zipfile.ZipFile(copy, "w") as bundle:
        bundle.writestr("holiday.txt", "photos")


def odd_manifest(copy: Path) -> None:
    with zipfile.ZipFile(copy, "w") as bundle:
        bundle.writestr("manifest.json", "[1, 2]")


def a_table_left_out(copy: Path) -> None:
    rewrite(copy, lambda name, data: None if name == "policy_row.jsonl" else data)


def a_row_slipped_in(copy: Path) -> None:
    rewrite(copy, lambda name, data: data + b"[]\n" if name == "case_file.jsonl" else data)


def a_newer_release(copy: Path) -> None:
    rewrite(copy, lambda name, data: data.replace(b'"revision": "', b'"revision": "9') if "manifest" in name else data)


def rewrite(copy: Path, change: Callable[[str, bytes], bytes | None]) -> None:
    with zipfile.ZipFile(copy) as bundle:
        members = {name: change(name, bundle.read(name)) for name in bundle.namelist()}
    with zipfile.ZipFile(copy, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, data in members.items():
            if data is not None:
                bundle.writestr(name, data)


@pytest.mark.parametrize(
    "harm",
    [nonsense, cut_short, empty, another_zip, odd_manifest, a_table_left_out, a_row_slipped_in, a_newer_release],
)
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_file_that_is_not_a_whole_copy_is_refused(
    good_copy: Path, crm: Crm, tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    copy = tmp_path / "harmed.zip"
    shutil.copyfile(good_copy, copy)
    harm(copy)

    refused = crm("restore", str(copy), DATABASE_URL=f"sqlite:///{tmp_path / 'fresh.sqlite3'}")

    assert refused.exit_code == 1, refused.output
    assert refused.output.startswith("Error: ")
    assert isinstance(refused.exception, SystemExit)
    assert tables_in(tmp_path / "fresh.sqlite3") == []


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_copy_with_a_flipped_bit_is_refused_wherever_it_is(good_copy: Path, crm: Crm, tmp_path: Path) -> None:
    whole, meant = good_copy.read_bytes(), contents(good_copy)
    refused = 0
    for at in range(40, len(whole) - 40, max(1, len(whole) // 24)):
        copy = tmp_path / "flipped.zip"
        copy.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        if contents(copy) == meant:
            continue  # a time stamp of the zip, or a name that is in it twice
        fresh = tmp_path / f"fresh{at}.sqlite3"
        result = crm("restore", str(copy), DATABASE_URL=f"sqlite:///{fresh}")
        assert (result.exit_code, tables_in(fresh)) == (1, []), (at, result.output)
        assert isinstance(result.exception, SystemExit), (at, result.exception)
        refused += 1

    assert refused >= 8


def contents(copy: Path) -> dict[str, bytes] | None:
    try:
        with zipfile.ZipFile(copy) as bundle:
            return {name: bundle.read(name) for name in bundle.namelist()}
    except Exception:
        return None


def tables_in(file: Path) -> list[str]:
    if not file.exists():
        return []
    with contextlib.closing(sqlite3.connect(file)) as connection:
        return [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
