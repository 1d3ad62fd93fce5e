"""What the matrix walks through: the application, the cast and the things they have."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import flask
import sqlalchemy as sa
from werkzeug.routing import Rule

from crm.access.models import WebSession
from crm.db import db, transaction
from tests.factories import Cast, Member

RELATIONS = ("own", "other", "closed", "missing")


@dataclass
class World:
    app: flask.Flask
    cast: Cast
    made: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    sessions: dict[str, tuple[str, str]] = field(default_factory=dict)
    """The cookie of each member, and the token that is good for it."""
    rules: dict[str, list[Rule]] = field(default_factory=dict)
    _cookie_names: dict[Any, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for rule in self.app.url_map.iter_rules():
            self.rules.setdefault(rule.rule, []).append(rule)

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Inside the application, in a transaction."""
        with self.app.app_context(), transaction():
            yield

    def cookie_name(self, told_by: Callable[..., str], *kind: Any) -> str:
        """The same for every request; only inside one does the product tell it."""
        if (told_by, kind) not in self._cookie_names:
            with self.app.test_request_context():
                self._cookie_names[told_by, kind] = told_by(*kind)
        return self._cookie_names[told_by, kind]

    def newest_session_of(self, member: Member) -> int:
        with self.app.app_context():
            return db.session.scalars(
                sa.select(WebSession.id).where(WebSession.user_id == member.id).order_by(WebSession.id.desc())
            ).first()

    def values_of(self, thing: str) -> dict[str, dict[str, Any]]:
        """The values of an address for each relation; made once."""
        if thing not in self.made:
            self.made[thing] = known_objects()[thing](self)
        return self.made[thing]


def known_objects() -> dict[str, Any]:
    """Every function of every objects_*.py."""
    found: dict[str, Any] = {}
    for path in sorted(Path(__file__).parent.glob("objects_*.py")):
        module = importlib.import_module(f"tests.access.{path.stem}")
        twice = found.keys() & module.OBJECTS.keys()
        assert not twice, f"{path.name} names {twice} again"
        found |= module.OBJECTS
    return found
