"""Applications that stand ready: what one test leaves as it was serves the next, on the next test's own database.

Making an application takes longer than most tests: every address is compiled, and afterwards every statement and
template once more. So each process keeps one for each kind of database, and lends it out.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import flask
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from crm.app import bind_process
from crm.db import db, use_keys
from crm.settings import Settings

Make = Callable[[Settings], flask.Flask]

_idle: dict[tuple[str, Make], Standing] = {}

# What an application changes in itself by being used.
CHANGES_IN_USE = frozenset({"_got_first_request", "extensions", "error_handler_spec", "jinja_env"})


class Standing:
    """An application and how it was when it was made. Its connections lead to the database of the test in hand."""

    def __init__(self, make: Make, settings: Settings) -> None:
        self.settings = settings
        self.app = make(settings)
        with self.app.app_context():
            self.engine = db.engine
        sa.event.listen(self.engine, "do_connect", self._connect)
        self.extensions = dict(self.app.extensions)
        self.as_made = self._as_it_is()

    def lead_to(self, settings: Settings) -> None:
        self.settings = settings
        self.app.extensions = {**self.extensions, "crm_settings": settings}
        self.app.config["SQLALCHEMY_DATABASE_URI"] = settings.database_url
        use_keys(settings.encryption_keys)
        bind_process(settings)

    @property
    def is_as_made(self) -> bool:
        return self._as_it_is() == self.as_made

    def put_away(self) -> None:
        with self.app.app_context():
            db.session.remove()
        self.engine.dispose()

    def _connect(self, dialect: Any, _record: Any, arguments: list[Any], named: dict[str, Any]) -> None:
        place, how = dialect.create_connect_args(make_url(self.settings.database_url))
        arguments[:] = place
        named.update(how)

    def _as_it_is(self) -> dict[str, Any]:
        listeners = self.engine.dispatch, self.engine.pool.dispatch
        return {
            "listeners": [len(getattr(side, name)) for side in listeners for name in side._event_names],
            "globals": dict(self.app.jinja_env.globals),
            **{name: _copy(value) for name, value in vars(self.app).items() if name not in CHANGES_IN_USE},
            "config": {name: value for name, value in self.app.config.items() if name != "SQLALCHEMY_DATABASE_URI"},
        }


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: list(one) if isinstance(one, list) else one for name, one in value.items()}
    return list(value) if isinstance(value, list) else value


@contextlib.contextmanager
def lent(make: Make, settings: Settings) -> Iterator[flask.Flask]:
    """An application that ``make`` made, on the database of these settings."""
    kept = ("sqlite" if settings.is_sqlite else "postgresql", make)
    one = _idle.pop(kept, None) or Standing(make, settings)
    one.lead_to(settings)
    try:
        yield one.app
    finally:
        one.put_away()
        if one.is_as_made:
            _idle[kept] = one
