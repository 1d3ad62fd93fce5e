"""The database: engine, types that refuse unsafe values, sealed columns, and the one place where work is committed.

SQLite (one file) and PostgreSQL run the same code. Three things are set here because getting them wrong is silent:

* SQLite runs WAL with ``synchronous=FULL`` and a writer begins with BEGIN IMMEDIATE, so an acknowledged row survives a
  power cut and two writers queue instead of failing half-way. Whether a transaction writes is decided before its first
  statement, by ``writing()``.
* Times are aware UTC or refused.
* A sealed value is bound to its table, column and row: moved anywhere else, it can't be opened.
"""

from __future__ import annotations

import base64
import contextlib
import os
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NamedTuple, overload

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from flask import Flask, g, has_request_context, request
from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.session import Session as FlaskSession
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from crm.settings import Settings

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """The parent of every table."""

    metadata = sa.MetaData(naming_convention=NAMING)


class Session(FlaskSession):
    """The session of a request or a unit of work.

    A page that only reads asks PostgreSQL without BEGIN and ROLLBACK around its statements: under READ COMMITTED each
    statement sees its own moment anyway, and every round trip saved is time. What a request writes is always inside
    ``transaction()``, which the web edge enforces.
    """

    def get_bind(self, *args: Any, **kwargs: Any) -> Any:
        engine = super().get_bind(*args, **kwargs)
        if engine.dialect.name != "postgresql" or is_writing() or not has_request_context():
            return engine
        kept = vars(engine)
        if "reading_side" not in kept:
            kept["reading_side"] = engine.execution_options(isolation_level="AUTOCOMMIT")
        return kept["reading_side"]


db = SQLAlchemy(model_class=Base, disable_autonaming=True, session_options={"class_": Session})
metadata = Base.metadata


# --- Types ------------------------------------------------------------------------------------------------------------


class UTCDateTime(TypeDecorator[datetime]):
    """An instant. Stored as UTC, given back aware; a naive time is refused because its zone can't be guessed.

    On SQLite an ordinary DateTime drops the offset without a word, so 12:00+05:00 would come back as 12:00.
    """

    impl = sa.DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        return dialect.type_descriptor(sa.DateTime(timezone=dialect.name == "postgresql"))

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone can't be stored")
        value = value.astimezone(UTC)
        return value if dialect.name == "postgresql" else value.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


def KeyText(length: int) -> sa.String:  # noqa: N802  (used as a type)
    """Text looked up by equality or prefix: compared byte by byte on both databases, so that an index serves both."""
    return sa.String(length).with_variant(sa.String(length, collation="C"), "postgresql")


def starts_with(column: Any, prefix: str) -> sa.ColumnElement[bool]:
    """``column`` begins with ``prefix``, as a range that an ordinary index answers on both databases."""
    return sa.and_(column >= prefix, column < prefix + LAST_CHARACTER)


def is_among(column: Any, values: Iterable[Any]) -> sa.ColumnElement[bool]:
    """``column`` is one of many texts or numbers. To PostgreSQL they go as one array: the statement is the same however
    many there are, is read and planned once, and goes by the column's index."""
    if db.session.get_bind().dialect.name != "postgresql":
        return column.in_(values)
    of = sa.Integer() if isinstance(column.type, sa.Integer) else sa.Text()
    return column == sa.any_(sa.literal(list(values), sa.ARRAY(of)))


LAST_CHARACTER = "\U0010ffff"
"""Sorts after every other: the upper end of the range of what begins with a prefix."""


def no_more_than(rows: int) -> sa.ColumnElement[int]:
    """A LIMIT written into the statement. PostgreSQL keeps the plan of a statement that is asked again only when it can
    foresee that few rows are wanted, which a number sent beside the statement doesn't tell it."""
    return sa.literal_column(str(int(rows)), sa.Integer)


def our_word(word: str) -> sa.ColumnElement[str]:
    """One of the product's own words, written into a statement that is kept: the planner then knows how many rows have
    it, which differs a thousandfold from word to word. Never for what anybody typed."""
    if not word.isidentifier():
        raise ValueError(f"{word!r} is not one of our words")
    return sa.literal_column(f"'{word}'", sa.String)


def one_of(column: str, values: type[StrEnum] | Sequence[str], *, name: str | None = None) -> sa.CheckConstraint:
    """A CHECK that a text column holds one of the known words (or nothing, where the column may be empty)."""
    words = ", ".join(f"'{value}'" for value in values)
    return sa.CheckConstraint(f"{column} IN ({words})", name=name or f"{column}_is_known")


# --- Sealed columns ---------------------------------------------------------------------------------------------------


class SealedValueDamaged(Exception):
    """A sealed value could not be opened where it stands: altered, moved from another row, or its key is gone."""


class Keyring:
    """The field-encryption keys: the first seals, all open."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self.current = next(iter(keys))

    def has(self, key_id: str) -> bool:
        return key_id in self._ciphers

    def seal(self, place: str, value: bytes) -> bytes:
        nonce = os.urandom(12)
        return self.current.encode() + b":" + nonce + self._ciphers[self.current].encrypt(nonce, value, place.encode())

    def open(self, place: str, sealed: bytes) -> bytes:
        key_id, _, rest = sealed.partition(b":")
        cipher = self._ciphers.get(key_id.decode("ascii", "replace"))
        if cipher is None:
            raise SealedValueDamaged(f"no key for a sealed value in {place.rsplit('|', 1)[0]}")
        try:
            return cipher.decrypt(rest[:12], rest[12:], place.encode())
        except (InvalidTag, ValueError) as fault:
            raise SealedValueDamaged(f"a sealed value in {place.rsplit('|', 1)[0]} can't be opened") from fault


_keyring: Keyring | None = None


def use_keys(keys: Mapping[str, bytes]) -> None:
    """Take up these keys for every sealed column in this process."""
    global _keyring
    _keyring = Keyring(keys)


def keyring() -> Keyring:
    if _keyring is None:
        raise RuntimeError("the field-encryption keys have not been loaded")
    return _keyring


def new_row_key() -> str:
    """A random name for a row, made before the row has an id, to which its sealed values are bound."""
    return secrets.token_hex(16)


def place_of_value(table: str, column: str, row_key: str) -> str:
    return f"{table}|{column}|{row_key}"


def seal(table: str, column: str, row_key: str, value: str) -> str:
    """The sealed form of a text for one table, column and row (for loaders that write rows in bulk)."""
    return base64.b64encode(keyring().seal(place_of_value(table, column, row_key), value.encode())).decode()


def unseal(table: str, column: str, row_key: str, sealed: str) -> str:
    """The text behind a sealed value. Raises SealedValueDamaged when it does not belong in this place."""
    return keyring().open(place_of_value(table, column, row_key), base64.b64decode(sealed)).decode()


class RowKey:
    """Mixin of every table with sealed columns."""

    row_key: Mapped[str] = mapped_column(sa.String(32), default=new_row_key, nullable=False)


class EncryptedText:
    """An attribute whose text is sealed in another column of the same row.

    ``detail_sealed: Mapped[str | None] = mapped_column(Text)`` and ``detail = EncryptedText("detail_sealed")``. It
    can't be searched or sorted on, by design.
    """

    def __init__(self, column: str) -> None:
        self.column = column

    @overload
    def __get__(self, row: None, owner: type) -> EncryptedText: ...
    @overload
    def __get__(self, row: Any, owner: type) -> str | None: ...
    def __get__(self, row: Any, owner: type) -> EncryptedText | str | None:
        if row is None:
            return self
        sealed = getattr(row, self.column)
        return None if sealed is None else unseal(row.__tablename__, self.column, row.row_key, sealed)

    def __set__(self, row: Any, value: str | None) -> None:
        if row.row_key is None:
            row.row_key = new_row_key()
        setattr(row, self.column, None if value is None else seal(row.__tablename__, self.column, row.row_key, value))


class EncryptedBytes(EncryptedText):
    """As EncryptedText, for bytes in a LargeBinary column."""

    @overload  # type: ignore[override]
    def __get__(self, row: None, owner: type) -> EncryptedBytes: ...
    @overload
    def __get__(self, row: Any, owner: type) -> bytes | None: ...
    def __get__(self, row: Any, owner: type) -> EncryptedBytes | bytes | None:
        if row is None:
            return self
        sealed = getattr(row, self.column)
        if sealed is None:
            return None
        return keyring().open(place_of_value(row.__tablename__, self.column, row.row_key), sealed)

    def __set__(self, row: Any, value: bytes | None) -> None:  # type: ignore[override]
        if row.row_key is None:
            row.row_key = new_row_key()
        place = place_of_value(row.__tablename__, self.column, row.row_key)
        setattr(row, self.column, None if value is None else keyring().seal(place, value))


def sealed_columns() -> list[tuple[type[Base], str, type]]:
    """Every (model, sealed column, kind) there is: what rotation walks and tests check."""
    found: list[tuple[type[Base], str, type]] = []
    for mapper in Base.registry.mappers:
        for value in vars(mapper.class_).values():
            if isinstance(value, EncryptedText):
                found.append((mapper.class_, value.column, type(value)))
    return found


# --- Transactions -----------------------------------------------------------------------------------------------------

_writing: ContextVar[bool] = ContextVar("crm_writing", default=False)


@contextlib.contextmanager
def writing(on: bool = True) -> Iterator[None]:
    """Mark the transactions begun inside as writers (BEGIN IMMEDIATE on SQLite) or, with False, as readers."""
    token = _writing.set(on)
    try:
        yield
    finally:
        _writing.reset(token)


def is_writing() -> bool:
    return _writing.get()


@contextlib.contextmanager
def transaction(*, write: bool = True) -> Iterator[Any]:
    """One unit of work: commits at the end, rolls back on any error. Only the edge opens one (web, worker, cli, jobs).

    Refuses to open inside another: what must survive a refusal is written after it, not in the middle.
    """
    if db.session.new or db.session.dirty or db.session.deleted:
        raise RuntimeError("a transaction was opened over unsaved work")
    db.session.rollback()  # ends a read that may have begun as a deferred transaction
    with writing(write):
        try:
            yield db.session
            db.session.commit()
        except BaseException:
            db.session.rollback()
            raise


def end_read() -> None:
    """Let go of the database before slow work (a password hash, a mail conversation)."""
    db.session.rollback()


def read(statement: sa.Executable, words: Mapping[str, Any] | None = None) -> sa.CursorResult[*tuple[Any, ...]]:
    """Ask a ready-made statement for plain rows. A page asks a dozen of these, and the session between costs each of
    them as much as its answer; what is new or changed in the session is not written first."""
    return db.session.connection().execute(statement, words)


def kept_by_page() -> dict[str, Any] | None:
    """What one page asks once and keeps to its end; None in whatever writes, and outside a page."""
    if is_writing() or not has_request_context() or request.method not in ("GET", "HEAD"):
        return None
    kept: dict[str, Any] = g.setdefault("kept_by_page", {})
    return kept


def forget_of_page(name: str) -> None:
    """Have the page ask for this again, where something was written in the middle of it."""
    if has_request_context():
        g.get("kept_by_page", {}).pop(name, None)


def rows_changed(result: sa.Result[Any]) -> int:
    """How many rows an UPDATE or DELETE touched."""
    return int(result.rowcount)  # type: ignore[attr-defined]


def insert_of(table: type[Any]) -> Any:
    """An INSERT in the dialect that is in use, which can say what to do where the row is there already: with
    ``on_conflict_do_nothing()`` two processes may both make the one row, and the second waits for the first."""
    on_postgresql = db.session.get_bind().dialect.name == "postgresql"
    return postgresql.insert(table) if on_postgresql else sqlite.insert(table)


def is_lock_timeout(fault: BaseException) -> bool:
    """True when the database was too busy for this to start: the person may simply try again."""
    text = str(getattr(fault, "orig", fault)).lower()
    return "database is locked" in text or "database table is locked" in text or "lock timeout" in text


# --- Many rows at once ------------------------------------------------------------------------------------------------


def take_ids(model: type[Any], count: int) -> range | list[int]:
    """So many ids of a table that nobody else has or will get, for rows whose children are written with them.

    Inside a writing transaction only: on SQLite the numbers after the highest are ours because we hold the write lock.
    """
    if count == 0:
        return []
    if not is_writing():
        raise RuntimeError("ids are taken inside a writing transaction only")
    table = model.__tablename__
    if db.session.get_bind().dialect.name == "sqlite":
        highest = db.session.scalar(sa.select(sa.func.max(model.id))) or 0
        if model.__table__.dialect_options["sqlite"]["autoincrement"]:
            # The number of a row that was merged away stays its own: it may come back.
            given = sa.text("SELECT seq FROM sqlite_sequence WHERE name = :table")
            highest = max(highest, db.session.scalar(given, {"table": table}) or 0)
        return range(highest + 1, highest + 1 + count)
    # Its name in a subquery: looked up once, not for every number.
    sequence = sa.select(sa.func.pg_get_serial_sequence(table, "id")).scalar_subquery()
    numbers = sa.select(sa.func.nextval(sequence)).select_from(sa.func.generate_series(1, count))
    return list(db.session.scalars(numbers))


class Values(NamedTuple):
    """A row as the plain values of its columns, where making an object of it would cost more than the row."""

    model: type[Any]
    columns: dict[str, Any]


def insert_rows(rows: Iterable[Values]) -> None:
    """Write many rows, a statement a table, parents first.

    For loaders of thousands of rows, where the unit of work would cost more than the rows. Nothing is read back: ids
    that are needed are taken before. What is pending in the session is written first.
    """
    db.session.flush()
    by_model: dict[type[Any], list[Mapping[str, Any]]] = {}
    for row in rows:
        by_model.setdefault(row.model, []).append(row.columns)
    models = {model.__table__: model for model in by_model}
    connection = db.session.connection()
    for table in sa.schema.sort_tables(list(models)):
        columns = _columns(models[table], by_model[models[table]], connection.dialect)
        _write(connection, table, list(columns), list(zip(*columns.values(), strict=True)))


def _columns(model: type[Any], rows: Sequence[Mapping[str, Any]], dialect: sa.Dialect) -> dict[str, list[Any]]:
    """The rows' values, column by column, as the driver takes them; what was left to a column's default is given it."""
    given = set().union(*rows)
    found: dict[str, list[Any]] = {}
    for prop in sa.inspect(model).column_attrs:
        key, column = prop.key, prop.columns[0]
        if key not in given and column.default is None:
            continue
        if column.default is None or not column.default.is_callable:
            constant = None if column.default is None else column.default.arg
            values = [row.get(key, constant) for row in rows]
        else:
            values = [row[key] if key in row else column.default.arg(None) for row in rows]
        for_driver = column.type.dialect_impl(dialect).bind_processor(dialect)
        found[column.name] = [for_driver(value) for value in values] if for_driver is not None else values
    return found


def _write(connection: sa.Connection, table: sa.Table, columns: list[str], rows: list[tuple[Any, ...]]) -> None:
    """Rows whose values are the driver's already: the statement's own way of preparing each costs more than the row."""
    into = f"{table.name} ({', '.join(connection.dialect.identifier_preparer.quote(name) for name in columns)})"
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"INSERT INTO {into} VALUES ({', '.join('?' * len(columns))})", rows)
        return
    # PostgreSQL takes rows by COPY in a fraction of the time of INSERTs. Every constraint is checked all the same.
    statement = f"COPY {into} FROM STDIN"
    driver: Any = connection.connection.driver_connection
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)
    except connection.dialect.loaded_dbapi.Error as fault:  # to callers, as from any other statement
        base = connection.dialect.loaded_dbapi.Error
        raise sa.exc.DBAPIError.instance(statement, None, fault, base, hide_parameters=True) from fault


def count_again(*models: type[Any]) -> None:
    """Have PostgreSQL look at what is in these tables, which it does by itself a minute later.

    For loaders: until then it takes a table that was all but empty for one that still is, and looks each handful of
    keys up by reading the whole of it. SQLite goes by its indexes anyway, and must be left to: where ANALYZE has kept
    samples, it plans each statement anew for every set of values, which takes several times as long as the answer.
    """
    connection = db.session.connection()
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"ANALYZE {', '.join(model.__tablename__ for model in models)}")


# --- Engine -----------------------------------------------------------------------------------------------------------


def engine_options(settings: Settings) -> dict[str, Any]:
    """Arguments of create_engine for this installation."""
    if settings.is_sqlite:
        options: dict[str, Any] = {
            "hide_parameters": True,
            "connect_args": {"timeout": settings.lock_wait_ms / 1000, "isolation_level": None},
        }
        module = sqlite_module()
        if module is not None:
            options["module"] = module
        return options
    return {
        "hide_parameters": True,  # what goes wrong with a statement is shown without the people in it
        "pool_size": 5,
        "max_overflow": 10,
        "pool_pre_ping": False,
        "connect_args": {
            # Pages ask the same few statements, each made for one index and with its limit written into it: a plan made
            # once serves every time. Left to itself the server would plan many of them anew for as long as they last.
            "options": f"-c timezone=UTC -c lock_timeout={settings.lock_wait_ms} -c plan_cache_mode=force_generic_plan"
        },
    }


def sqlite_module() -> Any:
    """The bundled newer SQLite where it is installed: Debian 12's own can corrupt a WAL under two checkpointers."""
    try:
        import pysqlite3.dbapi2 as bundled
    except ImportError:
        return None
    return bundled


def load_driver(settings: Settings) -> None:
    """Load what speaks to the database, in a process whose forks will."""
    if not settings.is_sqlite:
        sa.make_url(settings.database_url).get_dialect().import_dbapi()
    else:
        sqlite_module()


def database_uri(settings: Settings) -> str:
    """SQLAlchemy's form of the address."""
    return settings.database_url


def init_db(app: Flask, settings: Settings) -> None:
    """Attach the database and the keys to an application."""
    use_keys(settings.encryption_keys)
    if settings.is_sqlite:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    app.config["SQLALCHEMY_DATABASE_URI"] = database_uri(settings)
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = engine_options(settings)
    db.init_app(app)
    with app.app_context():
        prepare_engine(db.engine, lock_wait_ms=settings.lock_wait_ms)


def prepare_engine(engine: sa.Engine, *, lock_wait_ms: int) -> None:
    """Set the pragmas of each connection and how its transactions begin (SQLite), or refuse an unsafe server."""
    if engine.dialect.name != "sqlite":
        return

    @sa.event.listens_for(engine, "connect")
    def set_pragmas(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        for attempt in range(50):
            try:
                cursor.execute("PRAGMA journal_mode=WAL")
                break
            except Exception as fault:  # the first of several processes is switching the file to WAL
                if "locked" not in str(fault) or attempt == 49:
                    raise
                time.sleep(0.05)
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute(f"PRAGMA busy_timeout={lock_wait_ms}")
        cursor.execute("PRAGMA cache_size=-6000")  # for each thread; the system keeps the file's pages once for all
        cursor.execute("PRAGMA temp_store=MEMORY")
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        if is_writing():
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:  # takes no lock, so it can't fail; asked of the driver itself, which is quicker
            driver: Any = connection.connection.driver_connection
            driver.execute("BEGIN").close()
