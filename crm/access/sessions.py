"""Sessions live in the database. The cookie holds only a random name for the row: end the row, and every copy of the
cookie is dead at the next request."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from flask_login import UserMixin

from crm import policy
from crm.access.models import SessionKind, User, UserRole, WebSession
from crm.access.tokens import digest_of, has_shape, new_token
from crm.db import db, read
from crm.rules.permissions import Actor, ActorKind, Role

IDLE = timedelta(minutes=30)
AT_MOST = timedelta(hours=12)
TOUCH_EVERY = timedelta(seconds=60)


@dataclass(frozen=True)
class SignedIn(UserMixin):  # type: ignore[misc]
    """The person of a live session, as one query finds them: no row that a roll-back could empty."""

    session_id: int
    kind: SessionKind
    actor: Actor
    name: str
    email: str
    began_at: datetime
    last_seen_at: datetime

    @property
    def id(self) -> int | None:
        return self.actor.user_id or self.actor.person_id

    def get_id(self) -> str:
        return f"{self.kind}:{self.id}"

    @property
    def binding(self) -> str:
        """What the forms and notices of this session are bound to."""
        return f"{self.kind}|{self.session_id}|{self.began_at.isoformat()}"

    @property
    def ends_at(self) -> datetime:
        """When this session ends if nothing more is done in it."""
        return min(self.last_seen_at + IDLE, self.began_at + AT_MOST)


def begin(
    *, kind: SessionKind, now: datetime, user_id: int | None = None, person_id: int | None = None, browser: str = ""
) -> str:
    """Open a session and give the token for the cookie: always a new one, whatever the browser brought."""
    token = new_token()
    db.session.add(
        WebSession(
            token_hash=digest_of(token),
            kind=kind,
            user_id=user_id,
            person_id=person_id,
            began_at=now,
            last_seen_at=now,
            browser=browser,
        )
    )
    db.session.flush()
    return token


_S, _U, _R = WebSession.__table__.c, User.__table__.c, UserRole.__table__.c
_LIVE = (
    _S.token_hash == sa.bindparam("token_hash"),
    _S.kind == sa.bindparam("kind"),
    _S.ended_at.is_(None),
    _S.last_seen_at > sa.bindparam("seen_after"),
    _S.began_at > sa.bindparam("begun_after"),
)
# Made once: every page of staff asks this, and putting the statement together would cost more than answering it.
_STAFF = (
    sa.select(
        _S.id,
        _S.began_at,
        _S.last_seen_at,
        _U.id.label("user_id"),
        _U.name,
        _U.email,
        _R.role,
        *policy.stamp_columns(),
    )
    .select_from(
        WebSession.__table__.join(User.__table__, _U.id == _S.user_id).outerjoin(
            UserRole.__table__, _R.user_id == _U.id
        )
    )
    .where(*_LIVE, _U.active)
)
_APPLICANT = sa.select(_S.id, _S.began_at, _S.last_seen_at, _S.person_id).where(*_LIVE)


def find(token: str | None, kind: SessionKind, *, now: datetime) -> SignedIn | None:
    """The live session behind a cookie, in one query; None for anything ended, idle, too old or of the other kind."""
    if not token or not has_shape(token):
        return None
    asked = {
        "token_hash": digest_of(token),
        "kind": str(kind),
        "seen_after": now - IDLE,
        "begun_after": now - AT_MOST,
    }
    if kind is SessionKind.APPLICANT:
        found = read(_APPLICANT, asked).one_or_none()
        if found is None:
            return None
        actor = Actor(kind=ActorKind.APPLICANT, person_id=found.person_id)
        return SignedIn(found.id, kind, actor, "", "", found.began_at, found.last_seen_at)
    rows = read(_STAFF, asked).all()
    if not rows:
        return None
    first = rows[0]
    policy.keep_stamp(first.policy_version, first.policy_token)
    roles = frozenset(Role(row.role) for row in rows if row.role is not None)
    actor = Actor(kind=ActorKind.STAFF, user_id=first.user_id, display_name=first.name, roles=roles)
    return SignedIn(first.id, kind, actor, first.name, first.email, first.began_at, first.last_seen_at)


def touch(session_id: int, *, now: datetime) -> None:
    """Note that the session is in use."""
    db.session.execute(
        sa.update(WebSession)
        .where(WebSession.id == session_id, WebSession.ended_at.is_(None), WebSession.last_seen_at < now)
        .values(last_seen_at=now)
    )


def end(session_id: int, *, now: datetime) -> None:
    """End one session."""
    db.session.execute(
        sa.update(WebSession).where(WebSession.id == session_id, WebSession.ended_at.is_(None)).values(ended_at=now)
    )


def end_all(*, user_id: int, now: datetime, but: int | None = None) -> int:
    """End every session of a member of staff, but perhaps one; how many."""
    ended = sa.update(WebSession).where(WebSession.user_id == user_id, WebSession.ended_at.is_(None))
    if but is not None:
        ended = ended.where(WebSession.id != but)
    return len(db.session.scalars(ended.values(ended_at=now).returning(WebSession.id)).all())


def open_sessions(*, user_id: int, now: datetime) -> list[WebSession]:
    """Where somebody is signed in now, latest use first."""
    return list(
        db.session.scalars(
            sa.select(WebSession)
            .where(
                WebSession.user_id == user_id,
                WebSession.ended_at.is_(None),
                WebSession.last_seen_at > now - IDLE,
                WebSession.began_at > now - AT_MOST,
            )
            .order_by(WebSession.last_seen_at.desc(), WebSession.id.desc())
        )
    )


def forget_ended_before(moment: datetime) -> int:
    """Drop sessions that nobody can use any more; how many. Called by the timetable, inside its transaction."""
    gone = sa.delete(WebSession).where(WebSession.last_seen_at < moment).returning(WebSession.id)
    return len(db.session.scalars(gone).all())


BROWSERS = (("Edg", "Edge"), ("OPR", "Opera"), ("Firefox", "Firefox"), ("Chrome", "Chrome"), ("Safari", "Safari"))
MACHINES = (
    ("iPhone", "an iPhone"),
    ("iPad", "an iPad"),
    ("Android", "an Android phone or tablet"),
    ("CrOS", "a Chromebook"),
    ("Windows", "Windows"),
    ("Mac OS", "a Mac"),
    ("Linux", "Linux"),
)


def describe_browser(user_agent: str) -> str:
    """Firefox on Windows: enough to tell one's own sessions apart, and no more."""
    browser = next((name for mark, name in BROWSERS if mark in user_agent), "A browser")
    machine = next((name for mark, name in MACHINES if re.search(mark, user_agent)), None)
    return f"{browser} on {machine}" if machine else browser
