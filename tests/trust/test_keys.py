"""G31: a sealed value opens only where it belongs; and the key can be changed while people work, and after a crash."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import flask
import pytest
import sqlalchemy as sa
from click.testing import Result

from crm import rekey
from crm.cases.models import Enquiry, Person, TimelineEntry
from crm.cases.open_case import NewPerson
from crm.db import SealedValueDamaged, db, metadata, sealed_columns, transaction, use_keys
from crm.delivery import OutboundMessage
from crm.settings import Settings, new_encryption_key
from tests import databases
from tests.case_factory import make_case

OLD = databases.SECRETS["CRM_ENCRYPTION_KEYS"]
NEW = new_encryption_key("k2")
BOTH = f"{NEW},{OLD}"


def keys_of(text: str) -> dict[str, bytes]:
    return dict(
        Settings.from_environ({"CRM_ENV": "test", **databases.SECRETS, "CRM_ENCRYPTION_KEYS": text}).encryption_keys
    )


@pytest.fixture
def sealed(app: flask.Flask, cast: Any) -> Iterator[flask.Flask]:
    """Cases with private words in them, sealed under the old key."""
    with app.app_context():
        for number in range(4):
            with transaction():
                make_case(
                    cast,
                    people=[
                        NewPerson(
                            given_name="Ada",
                            family_name=f"Row{number}",
                            email=f"row{number}@example.org",
                            safe_contact=f"Ring after six, {number}",
                        )
                    ],
                    said=f"Said in confidence, {number}",
                )
        db.session.remove()
        yield app
        db.session.remove()
        use_keys(keys_of(OLD))


def key_ids() -> set[str]:
    """Under which keys anything at all is sealed, asked of the tables themselves."""
    found = set()
    for model, column, _kind in sealed_columns():
        for value in db.session.scalars(
            sa.select(model.__table__.c[column]).where(model.__table__.c[column].is_not(None))
        ):
            raw = bytes(value) if isinstance(value, bytes | memoryview) else rekey.base64.b64decode(value)
            found.add(raw.partition(b":")[0].decode())
    db.session.rollback()
    return found


def everything() -> dict[str, list[Any]]:
    """Every private value there is, opened."""
    db.session.expire_all()
    found = {
        "said": [row.said for row in db.session.scalars(sa.select(Enquiry).order_by(Enquiry.id))],
        "safe": [row.safe_contact for row in db.session.scalars(sa.select(Person).order_by(Person.id))],
        "line": [row.detail for row in db.session.scalars(sa.select(TimelineEntry).order_by(TimelineEntry.id))],
        "to": [row.recipient for row in db.session.scalars(sa.select(OutboundMessage).order_by(OutboundMessage.id))],
        "raw": [row.payload for row in db.session.scalars(sa.select(OutboundMessage).order_by(OutboundMessage.id))],
    }
    db.session.rollback()
    return found


def test_the_old_key_may_be_dropped_after_a_rotation(sealed: flask.Flask, crm: Callable[..., Result]) -> None:
    before = everything()
    assert before["said"] == [f"Said in confidence, {number}" for number in range(4)]
    assert key_ids() == {"t1"}

    use_keys(keys_of(BOTH))
    assert everything() == before, "what is under an older key can be read"
    with transaction() as session:
        session.scalars(sa.select(Enquiry).limit(1)).one().said = "Sealed anew"
    assert key_ids() == {"k2", "t1"}
    rotated = crm("keys", "rotate", CRM_ENCRYPTION_KEYS=BOTH)

    assert rotated.exit_code == 0, rotated.output
    assert "Nothing is sealed under an older key any more" in rotated.output
    use_keys(keys_of(NEW))
    assert key_ids() == {"k2"}
    assert sorted(everything()["safe"], key=str) == sorted(before["safe"], key=str)
    assert everything()["raw"] == before["raw"]
    again = crm("keys", "rotate", CRM_ENCRYPTION_KEYS=NEW)
    assert (again.exit_code, "0 values were sealed again" in again.output) == (0, True)


def test_people_go_on_working_during_a_rotation(sealed: flask.Flask) -> None:
    use_keys(keys_of(BOTH))
    stop, written = threading.Event(), [0]

    def work() -> None:
        with sealed.app_context():
            while not stop.is_set():
                with transaction() as session:
                    row = session.scalars(sa.select(Enquiry).order_by(Enquiry.id).limit(1).with_for_update()).one()
                    written[0] += 1
                    row.said = f"Changed {written[0]}"

    worker = threading.Thread(target=work)
    worker.start()
    try:
        for _ in range(5):
            rekey.reseal_everything(said=lambda _line: None)
    finally:
        stop.set()
        worker.join(30)

    use_keys(keys_of(NEW))
    assert key_ids() == {"k2"}
    assert written[0] > 0
    assert everything()["said"][0] == f"Changed {written[0]}", "what was written meanwhile is the last word"


@pytest.mark.parametrize(
    ("table", "column", "to_table", "to_column"),
    [
        ("enquiry", "said_sealed", "enquiry", "said_sealed"),
        ("outbound_message", "recipient_sealed", "enquiry", "said_sealed"),
        ("person", "safe_contact_sealed", "outbound_message", "recipient_sealed"),
    ],
)
def test_a_sealed_value_put_anywhere_else_does_not_open(
    sealed: flask.Flask, table: str, column: str, to_table: str, to_column: str
) -> None:
    source, target = metadata.tables[table], metadata.tables[to_table]
    value = db.session.scalar(sa.select(source.c[column]).where(source.c[column].is_not(None)).order_by(source.c.id))
    last = db.session.scalar(sa.select(sa.func.max(target.c.id)))
    db.session.rollback()

    with transaction() as session:
        session.execute(sa.update(target).where(target.c.id == last).values({to_column: value}))

    with pytest.raises(SealedValueDamaged) as refused:
        everything()
    assert f"{to_table}|{to_column}" in str(refused.value)


def test_a_sealed_value_moved_to_another_column_of_its_own_row_does_not_open(sealed: flask.Flask) -> None:
    row = db.session.scalars(sa.select(OutboundMessage).order_by(OutboundMessage.id)).first()
    assert row is not None
    table = OutboundMessage.__table__
    sealed_recipient, row_id = row.recipient_sealed, row.id
    db.session.rollback()

    with transaction() as session:
        raw = rekey.base64.b64decode(sealed_recipient)
        session.execute(sa.update(table).where(table.c.id == row_id).values(payload_sealed=raw))

    with pytest.raises(SealedValueDamaged):
        everything()


def test_a_value_that_no_key_opens_is_reported_and_keeps_nothing_else_back(
    sealed: flask.Flask, crm: Callable[..., Result]
) -> None:
    with transaction() as session:
        table = Enquiry.__table__
        session.execute(sa.update(table).where(table.c.id == 1).values(said_sealed="dDE6bm9uc2Vuc2U="))

    rotated = crm("keys", "rotate", CRM_ENCRYPTION_KEYS=BOTH)

    assert rotated.exit_code == 1
    assert "enquiry.said_sealed of row 1" in rotated.output
    assert "Nothing is sealed under an older key" not in rotated.output
    use_keys(keys_of(NEW))
    assert [
        row.safe_contact for row in db.session.scalars(sa.select(Person).where(Person.safe_contact_sealed.is_not(None)))
    ]
    db.session.rollback()


def test_a_rotation_that_is_killed_leaves_everything_readable(
    sealed: flask.Flask, rounds: Callable[[int, int], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = everything()
    use_keys(keys_of(BOTH))
    monkeypatch.setattr(rekey, "BATCH", 3)
    seen: set[frozenset[str]] = set()

    for kill_at in range(2, 2 + 3 * rounds(5, 20), 3):
        db.session.remove()
        db.engine.dispose()
        child = multiprocessing.get_context("fork").Process(target=rotate_until, args=(sealed, kill_at))
        child.start()
        child.join(60)
        assert child.exitcode == -signal.SIGKILL
        assert everything() == before
        seen.add(frozenset(key_ids()))

    assert frozenset({"t1", "k2"}) in seen, "it was killed half-way"
    assert not rekey.reseal_everything(said=lambda _line: None).damaged
    use_keys(keys_of(NEW))
    assert everything() == before


def rotate_until(app: flask.Flask, kill_at: int) -> None:
    """Rotate, and die in the middle of a batch."""
    real, done = rekey._resealed, [0]

    def counted(*args: Any, **kwargs: Any) -> Any:
        done[0] += 1
        if done[0] == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **kwargs)

    rekey._resealed = counted
    with app.app_context():
        rekey.reseal_everything(said=lambda _line: None)
