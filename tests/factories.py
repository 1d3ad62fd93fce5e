"""The same named people in every test, and how to be one of them.

They are plain values, not rows, so that they outlive any session: ``cast.officer.id``, ``.email``, ``.actor``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import TYPE_CHECKING

import flask

from crm.access import passwords, sessions
from crm.access.models import SessionKind, User, UserRole
from crm.clock import now_utc
from crm.db import db, transaction
from crm.rules.permissions import PUBLIC, Actor, ActorKind, Role

if TYPE_CHECKING:
    from werkzeug.test import Client

    from crm.cases.models import Household

PASSWORD = "kettle lantern puddle"


@dataclass(frozen=True)
class Member:
    """Somebody of the cast. ``id`` is of the account of staff, ``person_id`` of an applicant."""

    key: str
    name: str
    roles: frozenset[Role] = frozenset()
    id: int = 0
    person_id: int = 0
    active: bool = True

    @property
    def email(self) -> str:
        return f"{self.key.replace('_', '.')}@example.org"

    @property
    def is_staff(self) -> bool:
        return bool(self.roles)

    @property
    def actor(self) -> Actor:
        if self.is_staff:
            return Actor(kind=ActorKind.STAFF, user_id=self.id, display_name=self.name, roles=self.roles)
        if self.person_id:
            return Actor(kind=ActorKind.APPLICANT, person_id=self.person_id, display_name=self.name)
        return PUBLIC


@dataclass(frozen=True)
class Cast:
    """Who is in every test. The officer has the case that a test makes; the other officer has none of it."""

    officer: Member
    other_officer: Member
    recruiter: Member
    manager: Member
    decision_maker: Member
    panel_member: Member
    panel_administrator: Member
    administrator: Member
    disabled: Member
    applicant: Member
    partner: Member
    stranger: Member = field(default_factory=lambda: Member("stranger", "Sacha Unknown"))

    @property
    def everyone(self) -> dict[str, Member]:
        return {one.name: getattr(self, one.name) for one in fields(self)}

    @property
    def staff(self) -> dict[str, Member]:
        return {key: member for key, member in self.everyone.items() if member.is_staff and member.active}


STAFF: tuple[Member, ...] = (
    Member("officer", "Nadia Rahman", frozenset({Role.OFFICER})),
    Member("other_officer", "Iqbal Chaudhry", frozenset({Role.OFFICER})),
    Member("recruiter", "Marcus Bello", frozenset({Role.RECRUITER})),
    Member("manager", "Denise Marlowe", frozenset({Role.MANAGER})),
    Member("decision_maker", "Ruth Okafor", frozenset({Role.DECISION_MAKER})),
    Member("panel_member", "Tom Whitfield", frozenset({Role.PANEL_MEMBER})),
    Member("panel_administrator", "Gwen Pritchard", frozenset({Role.PANEL_ADMINISTRATOR})),
    Member("administrator", "Lena Kowalczyk", frozenset({Role.ADMINISTRATOR})),
    Member("disabled", "Colin Gone", frozenset({Role.MANAGER}), active=False),
)
HASH = passwords.hash_password(PASSWORD, cheap=True)


def make_user(member: Member, *, now: datetime | None = None) -> Member:
    """The account of one member of staff, with the password PASSWORD. Inside the caller's transaction."""
    user = account_of(member, now or now_utc())
    db.session.add(user)
    db.session.flush()
    return replace(member, id=user.id)


def account_of(member: Member, now: datetime) -> User:
    user = User(
        email=member.email,
        name=member.name,
        active=member.active,
        password_hash=HASH,
        password_set_at=now,
        created_at=now,
        mobile="07700 900100",
        base_postcode="BR1 3KO",
    )
    user.role_rows = [UserRole(role=role) for role in sorted(member.roles)]
    return user


def make_cast() -> Cast:
    """Everybody's rows, written at once: nearly every test asks for them. Inside the caller's transaction."""
    now = now_utc()
    accounts = {member.key: account_of(member, now) for member in STAFF}
    household = home_of_couple(now)
    db.session.add_all([*accounts.values(), household])
    db.session.flush()
    staff = {member.key: replace(member, id=accounts[member.key].id) for member in STAFF}
    applicant, partner = (replace(one, person_id=row.id) for one, row in zip(COUPLE, household.people, strict=True))
    return Cast(**staff, applicant=applicant, partner=partner)


COUPLE = (Member("applicant", "Maya Thompson"), Member("partner", "Daniel Reid"))


def home_of_couple(now: datetime) -> Household:
    """Two applicants in one home, with no case yet."""
    from crm.cases.models import Household, Person, PersonRole

    household = Household(name="Maya Thompson and Daniel Reid", postcode="SE6 0KV", created_at=now)
    for member, role in zip(COUPLE, (PersonRole.APPLICANT_1, PersonRole.APPLICANT_2), strict=True):
        given, family = member.name.split()
        person = Person(
            role=role,
            given_name=given,
            family_name=family,
            given_key=given.lower(),
            family_key=family.lower(),
            email=f"{given.lower()}@example.org",
            email_key=f"{given.lower()}@example.org",
        )
        household.people.append(person)
    return household


def open_session(app: flask.Flask, member: Member, *, now: datetime | None = None) -> str:
    """The token of a new session of this member, without the cost of a password."""
    with app.app_context(), transaction():
        if member.is_staff:
            return sessions.begin(kind=SessionKind.STAFF, user_id=member.id, now=now or now_utc())
        return sessions.begin(kind=SessionKind.APPLICANT, person_id=member.person_id, now=now or now_utc())


def sign_in(client: Client, member: Member) -> None:
    """Make this client the browser of this member; a stranger is signed in as nobody."""
    app = client.application
    secure = app.extensions["crm_settings"].cookie_secure
    prefix = "__Host-" if secure else ""
    for kind in SessionKind:
        client.delete_cookie(f"{prefix}{kind}")
    if member.is_staff or member.person_id:
        kind = SessionKind.STAFF if member.is_staff else SessionKind.APPLICANT
        client.set_cookie(f"{prefix}{kind}", open_session(app, member), secure=secure)
