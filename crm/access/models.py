"""Accounts of staff, the links that let them in, and sessions of staff and applicants."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy import CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from crm.db import Base, KeyText, UTCDateTime, one_of
from crm.rules.permissions import Actor, ActorKind, Role


class User(Base):
    """Somebody who works here, or sits on the panel. Never deleted: history names them."""

    __tablename__ = "staff_user"
    __table_args__ = (
        CheckConstraint("left_on IS NULL OR active = false", name="a_leaver_is_not_active"),
        CheckConstraint("email = lower(email)", name="email_is_folded"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(KeyText(254), unique=True)
    name: Mapped[str] = mapped_column(String(120))
    mobile: Mapped[str | None] = mapped_column(String(30))
    base_postcode: Mapped[str | None] = mapped_column(String(8))
    """Where they set out from, for travel times."""
    active: Mapped[bool] = mapped_column(default=False)
    left_on: Mapped[date | None] = mapped_column(sa.Date)
    password_hash: Mapped[str | None] = mapped_column(String(200))
    """Argon2id; empty until the invitation is taken up."""
    password_set_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    wants_digest: Mapped[bool] = mapped_column(default=True, server_default=sa.true())
    """Whether a letter about their day goes to them each morning."""
    digest_on: Mapped[date | None] = mapped_column(sa.Date)
    """The day whose letter was last thought of, whether or not there was anything to say."""
    enquiries_at_once: Mapped[int | None] = mapped_column()
    """How many open enquiries they have at most before their turn passes to the next; empty: as many as come."""

    role_rows: Mapped[list[UserRole]] = relationship(
        back_populates="user", cascade="all, delete-orphan", order_by="UserRole.role"
    )

    @property
    def roles(self) -> frozenset[Role]:
        return frozenset(Role(row.role) for row in self.role_rows)

    @property
    def has_left(self) -> bool:
        return self.left_on is not None

    @property
    def is_invited(self) -> bool:
        """Asked to join, and not yet in."""
        return not self.active and self.left_on is None and self.password_hash is None

    def as_actor(self) -> Actor:
        return Actor(kind=ActorKind.STAFF, user_id=self.id, display_name=self.name, roles=self.roles)


class UserRole(Base):
    """One role of one person."""

    __tablename__ = "staff_role"
    __table_args__ = (one_of("role", Role), Index(None, "role"))

    user_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id", ondelete="CASCADE"), primary_key=True)
    role: Mapped[str] = mapped_column(String(30), primary_key=True)

    user: Mapped[User] = relationship(back_populates="role_rows")


class StaffLeave(Base):
    """Days on which somebody is away, and who minds what falls due meanwhile. Never what for."""

    __tablename__ = "staff_leave"
    __table_args__ = (
        CheckConstraint("last_on >= first_on", name="ends_after_it_begins"),
        CheckConstraint("cover_id <> user_id", name="cover_is_another"),
        Index("ix_staff_leave_of", "user_id", "last_on"),
        Index("ix_staff_leave_cover", "cover_id", "last_on"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"))
    first_on: Mapped[date] = mapped_column(sa.Date)
    last_on: Mapped[date] = mapped_column(sa.Date)
    """The last day away; the day after is worked again."""
    cover_id: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))
    noted_at: Mapped[datetime] = mapped_column(UTCDateTime)
    noted_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))
    withdrawn_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class StaffInvitation(Base):
    """A link by which somebody sets their first password. Only a digest of the link is kept."""

    __tablename__ = "staff_invitation"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"), index=True)
    token_hash: Mapped[str] = mapped_column(KeyText(64), unique=True)
    made_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"), index=True)
    made_at: Mapped[datetime] = mapped_column(UTCDateTime)
    ends_at: Mapped[datetime] = mapped_column(UTCDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    withdrawn_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class PasswordReset(Base):
    """A link by which somebody sets a new password. Only a digest of the link is kept."""

    __tablename__ = "password_reset"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"), index=True)
    token_hash: Mapped[str] = mapped_column(KeyText(64), unique=True)
    made_at: Mapped[datetime] = mapped_column(UTCDateTime)
    ends_at: Mapped[datetime] = mapped_column(UTCDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    withdrawn_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class SessionKind(StrEnum):
    """Whose cookie it is. A cookie of one kind opens no page of the other."""

    STAFF = "staff"
    APPLICANT = "applicant"


class WebSession(Base):
    """A browser in which somebody is signed in. The row is the session: without it the cookie is worth nothing."""

    __tablename__ = "web_session"
    __table_args__ = (
        one_of("kind", SessionKind),
        CheckConstraint(
            "(kind = 'staff' AND user_id IS NOT NULL AND person_id IS NULL) OR "
            "(kind = 'applicant' AND person_id IS NOT NULL AND user_id IS NULL)",
            name="belongs_to_one",
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(KeyText(64), unique=True)
    kind: Mapped[str] = mapped_column(String(12))
    user_id: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"), index=True)
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), index=True)
    began_at: Mapped[datetime] = mapped_column(UTCDateTime)
    last_seen_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    browser: Mapped[str] = mapped_column(String(60), default="")
    """What browser on what machine, in our own few words, so that people can tell their sessions apart."""


class SignInCode(Base):
    """A short code by which an applicant signs in once: sent to where they alone are reached, or handed over by staff.

    A row without a person answers for a contact point that nobody may sign in by, so that the pages behave the same.
    """

    __tablename__ = "sign_in_code"

    id: Mapped[int] = mapped_column(primary_key=True)
    token_hash: Mapped[str] = mapped_column(KeyText(64), unique=True)
    """Of the page that asked for the code: the code is worth nothing in another browser."""
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), index=True)
    code_digest: Mapped[str] = mapped_column(KeyText(64))
    """Keyed, because a short code could be guessed from a plain digest."""
    is_handed: Mapped[bool] = mapped_column(default=False)
    """Handed over by a member of staff, who knows who it was."""
    made_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))
    tries: Mapped[int] = mapped_column(sa.Integer, default=0)
    made_at: Mapped[datetime] = mapped_column(UTCDateTime)
    ends_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)
    used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    __table_args__ = (
        CheckConstraint("NOT is_handed OR (person_id IS NOT NULL AND made_by_id IS NOT NULL)", name="handed_by_whom"),
        CheckConstraint("tries >= 0", name="tries_are_counted"),
    )


class AppPassword(Base):
    """A password for one program on one device, which can't bring a cookie. Only a digest of it is kept."""

    __tablename__ = "app_password"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"), index=True)
    name: Mapped[str] = mapped_column(String(60))
    """What its owner calls the device."""
    password_hash: Mapped[str] = mapped_column(KeyText(64), unique=True)
    made_at: Mapped[datetime] = mapped_column(UTCDateTime)
    last_seen_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    program: Mapped[str] = mapped_column(String(40), default="")
    """What program used it last, in our own few words."""
    withdrawn_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
