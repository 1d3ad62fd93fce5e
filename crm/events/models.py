"""Tables of recruitment events. Those of the sheets that come back from them are in ``sheet_models``."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from crm.cases.models import Campaign
from crm.db import Base, EncryptedText, KeyText, RowKey, UTCDateTime, one_of
from crm.events import sheet_models  # noqa: F401  (its tables are part of this package's)


class EventKind(StrEnum):
    """What sort of event it is (domain: recruitment events). Preparation courses are not marketing, so not here."""

    DROP_IN = "drop_in"
    STALL = "stall"
    INFORMATION_EVENING = "information_evening"
    ONLINE = "online"
    PARTNER_EVENING = "partner_evening"
    OTHER = "other"


KIND_WORDS = {
    EventKind.DROP_IN: "Drop-in or coffee morning",
    EventKind.STALL: "Stall",
    EventKind.INFORMATION_EVENING: "Information evening",
    EventKind.ONLINE: "Online session",
    EventKind.PARTNER_EVENING: "Evening with a community partner",
    EventKind.OTHER: "Something else",
}


class EventStatus(StrEnum):
    """Where an event stands. That it is over is read from its times, never stored."""

    DRAFT = "draft"
    PUBLISHED = "published"
    CANCELLED = "cancelled"


class RecruitmentEvent(RowKey, Base):
    """A time and a place where people can ask about fostering. Its campaign is what enquiries are counted by."""

    __tablename__ = "recruitment_event"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(24))
    status: Mapped[str] = mapped_column(String(12), default=EventStatus.DRAFT)
    slug: Mapped[str] = mapped_column(KeyText(80), unique=True)
    """Its public address: never all digits, because those are the addresses of staff's own page."""
    code: Mapped[str] = mapped_column(KeyText(8), unique=True)
    """The short address on a poster."""
    place: Mapped[str | None] = mapped_column(String(200))
    town: Mapped[str | None] = mapped_column(String(80))
    postcode: Mapped[str | None] = mapped_column(String(12))
    district: Mapped[str | None] = mapped_column(KeyText(8))
    link: Mapped[str | None] = mapped_column(String(300))
    """Where an online event is held. Told to those who have a place, and shown nowhere else."""
    starts_at: Mapped[datetime] = mapped_column(UTCDateTime)
    ends_at: Mapped[datetime] = mapped_column(UTCDateTime)
    capacity: Mapped[int | None] = mapped_column(Integer)
    """Places, one for each adult; empty where nobody is counted."""
    places_taken: Mapped[int] = mapped_column(Integer, default=0)
    """Adults who have a place. Whoever walks in on the day takes none: nobody is turned away at the door."""
    takes_sign_ups: Mapped[bool] = mapped_column(default=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaign.id"), unique=True)
    part_of_id: Mapped[int | None] = mapped_column(ForeignKey("campaign.id"), index=True)
    """A larger campaign that it belongs to: a radio week, Foster Care Fortnight."""
    summary: Mapped[str | None] = mapped_column(String(300))
    meet: Mapped[str | None] = mapped_column(String(200))
    """Foster carers and others on duty, as visitors are told."""
    getting_in: Mapped[str | None] = mapped_column(String(300))
    materials: Mapped[str | None] = mapped_column(String(500))
    notes_sealed: Mapped[str | None] = mapped_column(Text)
    notes = EncryptedText("notes_sealed")
    """For staff, before the day."""
    lessons_sealed: Mapped[str | None] = mapped_column(Text)
    lessons = EncryptedText("lessons_sealed")
    """For staff, after the day: what to do differently next time."""
    hour_cost_pence: Mapped[int | None] = mapped_column(Integer)
    """What an hour of staff time counts for in the cost."""
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    published_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    cancelled_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    cancelled_why: Mapped[str | None] = mapped_column(String(200))
    followed_up_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When all that follows an event had been done."""

    campaign: Mapped[Campaign] = relationship(foreign_keys=[campaign_id])
    part_of: Mapped[Campaign | None] = relationship(foreign_keys=[part_of_id])
    staff: Mapped[list[EventStaff]] = relationship(order_by="EventStaff.id", cascade="all, delete-orphan")
    costs: Mapped[list[EventCost]] = relationship(order_by="EventCost.id", cascade="all, delete-orphan")

    __table_args__ = (
        one_of("kind", EventKind),
        one_of("status", EventStatus),
        CheckConstraint("ends_at > starts_at", name="ends_after_it_starts"),
        CheckConstraint("capacity > 0", name="capacity_is_positive"),
        CheckConstraint("place IS NOT NULL OR link IS NOT NULL", name="is_somewhere"),
        # The last line of the capacity's defence: two who sign up for the last place can't both be stored.
        CheckConstraint(
            "places_taken >= 0 AND (capacity IS NULL OR places_taken <= capacity)", name="places_fit_in_the_capacity"
        ),
        CheckConstraint("status <> 'published' OR published_at IS NOT NULL", name="published_has_its_time"),
        CheckConstraint("(status = 'cancelled') = (cancelled_at IS NOT NULL)", name="cancelled_has_its_time"),
        Index("ix_recruitment_event_starts", "starts_at", "id"),
        Index("ix_recruitment_event_public", "status", "ends_at", "starts_at", "id"),
        Index(
            "ix_recruitment_event_to_follow_up",
            "ends_at",
            sqlite_where=text("followed_up_at IS NULL"),
            postgresql_where=text("followed_up_at IS NULL"),
        ),
    )

    @property
    def is_online(self) -> bool:
        return self.place is None

    def is_over(self, now: datetime) -> bool:
        return self.ends_at <= now


class EventStaff(Base):
    """Somebody on duty at an event. The first one runs it."""

    __tablename__ = "event_staff"

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[int] = mapped_column(ForeignKey("recruitment_event.id"), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"), index=True)
    minutes: Mapped[int | None] = mapped_column(Integer)
    """How long they worked for it, setting up and clearing away included; empty until somebody says."""

    __table_args__ = (CheckConstraint("minutes >= 0", name="minutes_are_counted"),)


class EventCost(Base):
    """One line of what an event cost, staff time aside."""

    __tablename__ = "event_cost"

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[int] = mapped_column(ForeignKey("recruitment_event.id"), index=True)
    what: Mapped[str] = mapped_column(String(80))
    pence: Mapped[int] = mapped_column(Integer)

    __table_args__ = (CheckConstraint("pence >= 0", name="is_not_negative"),)


class SignUpStatus(StrEnum):
    """What a sign-up has: a place, a place in the line, or nothing any more."""

    CONFIRMED = "confirmed"
    WAITING = "waiting"
    CANCELLED = "cancelled"


class SignUpSource(StrEnum):
    """How somebody came onto the list of an event."""

    WEB = "web"
    STAFF = "staff"
    WALK_IN = "walk_in"


class EventSignUp(RowKey, Base):
    """One or two adults who come to an event together, from the first form to what followed.

    It is no enquiry: who only wants to come and listen is in no queue. It becomes one (``enquiry_id``) when they came
    and asked.
    """

    __tablename__ = "event_sign_up"

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[int] = mapped_column(ForeignKey("recruitment_event.id"))
    status: Mapped[str] = mapped_column(String(12))
    source: Mapped[str] = mapped_column(String(12))
    adults: Mapped[int] = mapped_column(Integer)
    signed_up_at: Mapped[datetime] = mapped_column(UTCDateTime)
    """Their place in the line is by this time."""
    moved_up_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When a place came free for them."""
    cancelled_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    needs_sealed: Mapped[str | None] = mapped_column(Text)
    needs = EncryptedText("needs_sealed")
    """What would help them to come: a step-free way in, an interpreter."""
    question_sealed: Mapped[str | None] = mapped_column(Text)
    question = EncryptedText("question_sealed")
    """What they would like to know, in their own words."""
    wants_call: Mapped[bool] = mapped_column(default=False)
    interest: Mapped[str | None] = mapped_column(String(12))
    contact_times: Mapped[str | None] = mapped_column(String(200))
    postcode: Mapped[str | None] = mapped_column(String(12))
    privacy_version: Mapped[str | None] = mapped_column(String(40))
    wants_text: Mapped[bool] = mapped_column(default=False)
    """They asked for a text the day before, beside the email."""
    link_hash: Mapped[str | None] = mapped_column(KeyText(64), unique=True)
    link_sealed: Mapped[str | None] = mapped_column(Text)
    link_token = EncryptedText("link_sealed")
    """The secret of their own link, so that each letter can carry the same one; found by its digest."""
    sequence: Mapped[int] = mapped_column(Integer, default=0)
    """Rises with each message that changes what stands in their calendar (SEQUENCE of RFC 5546)."""
    reminded_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    enquiry_id: Mapped[int | None] = mapped_column(ForeignKey("enquiry.id"), index=True)
    forgotten_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When names and ways to reach them were taken out. The row stays, so that the counts do."""

    guests: Mapped[list[EventGuest]] = relationship(back_populates="sign_up", order_by="EventGuest.position")
    event: Mapped[RecruitmentEvent] = relationship()

    __table_args__ = (
        one_of("status", SignUpStatus),
        one_of("source", SignUpSource),
        CheckConstraint("adults IN (1, 2)", name="one_or_two_adults"),
        CheckConstraint("interest IN ('ready', 'thinking', 'looking')", name="interest_is_known"),
        CheckConstraint("(status = 'cancelled') = (cancelled_at IS NOT NULL)", name="cancelled_has_its_time"),
        CheckConstraint("(link_hash IS NULL) = (link_sealed IS NULL)", name="link_has_its_digest"),
        CheckConstraint("sequence >= 0", name="sequence_counts_up"),
        Index("ix_event_sign_up_line", "event_id", "status", "signed_up_at", "id"),
    )

    @property
    def asked(self) -> bool:
        """Whether they asked about fostering, and so belong in the queue."""
        return self.wants_call or self.interest in ("ready", "thinking")


class EventGuest(Base):
    """One adult of a sign-up, with their own way to be reached, and whether they came."""

    __tablename__ = "event_guest"

    id: Mapped[int] = mapped_column(primary_key=True)
    sign_up_id: Mapped[int] = mapped_column(ForeignKey("event_sign_up.id"))
    event_id: Mapped[int] = mapped_column(ForeignKey("recruitment_event.id"))
    position: Mapped[int] = mapped_column(Integer)
    given_name: Mapped[str] = mapped_column(String(120))
    family_name: Mapped[str | None] = mapped_column(String(120))
    email: Mapped[str | None] = mapped_column(String(254))
    email_key: Mapped[str | None] = mapped_column(KeyText(254))
    phone: Mapped[str | None] = mapped_column(String(40))
    phone_key: Mapped[str | None] = mapped_column(KeyText(20))
    attended_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    checked_in_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"), index=True)
    entered_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When the newest check-in or undoing that counts happened: an older one that arrives late changes nothing."""
    calendar_uid: Mapped[str | None] = mapped_column(KeyText(255), unique=True)
    """UID of the event in their calendar, for life."""
    stops: Mapped[str | None] = mapped_column(String(10))
    """What they asked us to stop, by the link in a letter."""

    sign_up: Mapped[EventSignUp] = relationship(back_populates="guests")

    __table_args__ = (
        UniqueConstraint("sign_up_id", "position"),
        one_of("stops", ("news", "everything")),
        CheckConstraint("position IN (1, 2)", name="first_or_second"),
        Index("ix_event_guest_email", "event_id", "email_key"),
        Index("ix_event_guest_mailbox", "email_key"),
        Index("ix_event_guest_came", "event_id", "attended_at", "id"),
    )

    @property
    def full_name(self) -> str:
        return f"{self.given_name} {self.family_name}" if self.family_name else self.given_name


class EventStopLink(Base):
    """A link in a letter to a guest by which they tell us to stop. Only its digest is kept."""

    __tablename__ = "event_stop_link"

    id: Mapped[int] = mapped_column(primary_key=True)
    guest_id: Mapped[int] = mapped_column(ForeignKey("event_guest.id"), index=True)
    token_digest: Mapped[str] = mapped_column(KeyText(64), unique=True)
    made_at: Mapped[datetime] = mapped_column(UTCDateTime)
    ends_at: Mapped[datetime] = mapped_column(UTCDateTime)


class EventConsent(Base):
    """What somebody said to news on one channel when they signed up, with the wording shown. Goes on with them."""

    __tablename__ = "event_consent"

    id: Mapped[int] = mapped_column(primary_key=True)
    guest_id: Mapped[int] = mapped_column(ForeignKey("event_guest.id"))
    channel: Mapped[str] = mapped_column(String(10))
    given: Mapped[bool] = mapped_column()
    wording_version: Mapped[str] = mapped_column(String(40))
    recorded_at: Mapped[datetime] = mapped_column(UTCDateTime)

    __table_args__ = (
        one_of("channel", ("email", "text", "phone", "post")),
        Index("ix_event_consent_guest", "guest_id"),
    )


class EntryKind(StrEnum):
    """What was done at the door."""

    CHECK_IN = "check_in"
    UNDO = "undo"
    WALK_IN = "walk_in"


class AttendanceEntry(Base):
    """One tap at the door. Its id is made where it was tapped, so that it counts once, however often it arrives."""

    __tablename__ = "attendance_entry"

    id: Mapped[int] = mapped_column(primary_key=True)
    entry_id: Mapped[str] = mapped_column(KeyText(64), unique=True)
    event_id: Mapped[int] = mapped_column(ForeignKey("recruitment_event.id"), index=True)
    guest_id: Mapped[int] = mapped_column(ForeignKey("event_guest.id"), index=True)
    kind: Mapped[str] = mapped_column(String(12))
    happened_at: Mapped[datetime] = mapped_column(UTCDateTime)
    received_at: Mapped[datetime] = mapped_column(UTCDateTime)
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"), index=True)

    __table_args__ = (one_of("kind", EntryKind),)


class EventStep(Base):
    """One thing of what follows an event, done once: the thank-yous, the tasks, those who did not come."""

    __tablename__ = "event_step"

    event_id: Mapped[int] = mapped_column(ForeignKey("recruitment_event.id"), primary_key=True)
    name: Mapped[str] = mapped_column(String(24), primary_key=True)
    done_at: Mapped[datetime] = mapped_column(UTCDateTime)
    count: Mapped[int] = mapped_column(Integer, default=0)
