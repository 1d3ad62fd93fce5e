"""A feed that has not changed is answered before anything else of the product is troubled.

Programs ask for a feed every few minutes and hardly ever get one. One statement tells whether the address still is
somebody's who makes visits, and how it stands; whatever is not exactly what the program has goes on to the view.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import sqlalchemy as sa

from crm.access.models import User, UserRole
from crm.calendars.feeds import digest_of, tag_of
from crm.calendars.models import FeedToken, OfficerCalendar
from crm.clock import now_utc
from crm.db import our_word
from crm.rules.permissions import ROLE_PERMISSIONS, Permission

BEFORE, AFTER = "/feed/", ".ics"
_MAKE_VISITS = [our_word(role) for role, may in ROLE_PERMISSIONS.items() if Permission.RECORD_VISIT in may]


class UnchangedFeeds:
    """In front of the application. It only ever says "not modified"; the view says everything else."""

    def __init__(self, application: Callable[..., Iterable[bytes]], engine: sa.Engine) -> None:
        self.application = application
        self.engine = engine
        self.is_postgresql = engine.dialect.name == "postgresql"
        self.standing = _standing().compile(dialect=engine.dialect)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        known, path = environ.get("HTTP_IF_NONE_MATCH"), environ.get("PATH_INFO", "")
        if known and path.startswith(BEFORE) and path.endswith(AFTER) and environ["REQUEST_METHOD"] == "GET":
            tag = self.tag_now(path[len(BEFORE) : -len(AFTER)])
            if tag is not None and known == f'"{tag}"':
                start_response(
                    "304 NOT MODIFIED",
                    [
                        ("ETag", known),
                        ("Cache-Control", "no-store"),
                        ("X-Robots-Tag", "noindex, nofollow"),
                        ("Referrer-Policy", "no-referrer"),
                    ],
                )
                return ()
        return self.application(environ, start_response)

    def tag_now(self, token: str) -> str | None:
        """The ETag of the feed at an address as it stands; None where there is none, or where it can't be told here.

        The driver is asked itself: what stands between it and us for the sake of everything else costs twice as much
        as the answer.
        """
        words: Any = {"digest": digest_of(token)}
        if self.standing.positional:
            words = tuple(words[name] for name in self.standing.positiontup or ())
        pooled = self.engine.raw_connection()
        try:
            driver: Any = pooled.driver_connection
            if self.is_postgresql:  # without BEGIN and ROLLBACK round it; SQLite's connections never say them unasked
                driver.autocommit = True
            row = driver.execute(str(self.standing), words).fetchone()
            if self.is_postgresql:
                driver.autocommit = False
        except Exception:  # a connection that broke, a lock: the view asks again, and says what it has to say
            pooled.invalidate()
            return None
        finally:
            pooled.close()
        return tag_of(row[0], row[1], now_utc()) if row is not None else None


def _standing() -> sa.Select[int, int]:
    may = sa.exists().where(UserRole.user_id == FeedToken.user_id, UserRole.role.in_(_MAKE_VISITS))
    return (
        sa.select(FeedToken.id, OfficerCalendar.changes)
        .join(User, User.id == FeedToken.user_id)
        .outerjoin(OfficerCalendar, OfficerCalendar.user_id == FeedToken.user_id)
        .where(FeedToken.token_hash == sa.bindparam("digest"), FeedToken.ended_at.is_(None), User.active, may)
    )
