"""Tables of visits. That no officer is in two places at once is a rule of the database itself: see ``overlap.py``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import (
    CheckConstraint,
    Date,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
    event,
    false,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from crm.calendars.itip import Answer
from crm.db import Base, EncryptedText, KeyText, RowKey, UTCDateTime, one_of
from crm.delivery.models import Channel
from crm.rules.travel import TravelBy
from crm.visits import overlap


class Purpose(StrEnum):
    """Why we come."""

    FIRST_VISIT = "first_visit"
    SECOND_OPINION = "second_opinion"
    STAGE_TWO_SESSION = "stage_two_session"
    RE_VISIT = "re_visit"


PURPOSE_WORDS = {
    Purpose.FIRST_VISIT: "First home visit",
    Purpose.SECOND_OPINION: "Second opinion visit",
    Purpose.STAGE_TWO_SESSION: "Stage 2 session",
    Purpose.RE_VISIT: "Further visit",
}


BRING = {
    Purpose.FIRST_VISIT: ("Your badge", "The information pack", "A charged phone", "A pen for the checklist"),
    Purpose.SECOND_OPINION: ("Your badge", "The first visit report", "A charged phone"),
    Purpose.STAGE_TWO_SESSION: ("Your badge", "The assessment plan", "Notes of the last session", "A charged phone"),
    Purpose.RE_VISIT: ("Your badge", "What was left open the last time", "A charged phone"),
}
"""What the officers take along."""


class Place(StrEnum):
    """Where we meet."""

    HOME = "home"
    VIDEO = "video"
    OFFICE = "office"


PLACE_WORDS = {Place.HOME: "At their home", Place.VIDEO: "By video", Place.OFFICE: "At our office"}
PLACE_WORDS_TO_THEM = {Place.HOME: "At your home", Place.VIDEO: "By video call", Place.OFFICE: "At our office"}


class VisitStatus(StrEnum):
    """What became of a visit."""

    BOOKED = "booked"
    DONE = "done"
    NO_ACCESS = "no_access"
    CANCELLED = "cancelled"
    ABANDONED_SAFETY = "abandoned_safety"


STATUS_WORDS = {
    VisitStatus.BOOKED: "Booked",
    VisitStatus.DONE: "Went ahead",
    VisitStatus.NO_ACCESS: "Nobody in",
    VisitStatus.CANCELLED: "Called off",
    VisitStatus.ABANDONED_SAFETY: "Left, not safe",
}
HOLDING = (VisitStatus.BOOKED, VisitStatus.DONE)
"""Statuses in which a visit keeps its officers' time to itself."""


class Outcome(StrEnum):
    """What a visit leads to: recommended by its writer, decided by a manager."""

    INVITE = "invite"
    SECOND_VISIT = "second_visit"
    NOT_NOW = "not_now"
    DECLINE = "decline"


OUTCOME_WORDS = {
    Outcome.INVITE: "Invite them to apply",
    Outcome.SECOND_VISIT: "Visit again first",
    Outcome.NOT_NOW: "Not now",
    Outcome.DECLINE: "Decline",
}


OUTCOME_WORDS_OF_SESSION = {
    Outcome.INVITE: "Go on as planned",
    Outcome.SECOND_VISIT: "See them again first",
    Outcome.NOT_NOW: "Pause: something has to change first",
    Outcome.DECLINE: "Stop, and talk to them about it",
}
"""The same answers where the enquiry does not wait for the visit, as after an application. What follows is a task."""


class BusyKind(StrEnum):
    """Why an officer's time is not free. Nothing more is kept: a CRM is no place for somebody's dentist."""

    LEAVE = "leave"
    BUSY = "busy"


class OfficerDiary(Base):
    """How one officer's time is offered. Without a row, or until they set their own, the service's usual hours hold."""

    __tablename__ = "officer_diary"

    user_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"), primary_key=True)
    has_own_hours: Mapped[bool] = mapped_column(default=False)
    visits_a_day: Mapped[int | None] = mapped_column(Integer)
    travels_by: Mapped[str] = mapped_column(String(8), default=TravelBy.CAR, server_default=TravelBy.CAR)
    car: Mapped[str | None] = mapped_column(String(12))
    """Its registration, for whoever looks for an officer who is not heard of."""

    __table_args__ = (
        CheckConstraint("visits_a_day BETWEEN 1 AND 12", name="visits_a_day_is_sane"),
        one_of("travels_by", TravelBy),
    )


class WorkingHours(Base):
    """A span of an officer's week on the wall clock in London: nine o'clock stays nine when the clocks change."""

    __tablename__ = "working_hours"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"))
    weekday: Mapped[int] = mapped_column(Integer)
    """0 is Monday."""
    from_minutes: Mapped[int] = mapped_column(Integer)
    until_minutes: Mapped[int] = mapped_column(Integer)
    """Both in minutes past midnight."""

    __table_args__ = (
        CheckConstraint("weekday BETWEEN 0 AND 6", name="weekday_is_one"),
        CheckConstraint(
            "0 <= from_minutes AND from_minutes < until_minutes AND until_minutes <= 1440", name="span_in_a_day"
        ),
        UniqueConstraint("user_id", "weekday", "from_minutes"),
    )


class BusyTime(Base):
    """Time that an officer is not free: when, and nothing about what for."""

    __tablename__ = "busy_time"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"))
    starts_at: Mapped[datetime] = mapped_column(UTCDateTime)
    ends_at: Mapped[datetime] = mapped_column(UTCDateTime)
    kind: Mapped[str] = mapped_column(String(8))

    __table_args__ = (
        one_of("kind", BusyKind),
        CheckConstraint("ends_at > starts_at", name="ends_after_it_starts"),
        Index("ix_busy_time_user", "user_id", "starts_at"),
    )


class PostcodeDistrict(Base):
    """The centre of a postcode district, from an open directory that the service loads: see ``districts.py``."""

    __tablename__ = "postcode_district"

    district: Mapped[str] = mapped_column(KeyText(4), primary_key=True)
    latitude: Mapped[float] = mapped_column(Float)
    longitude: Mapped[float] = mapped_column(Float)
    postcodes: Mapped[int] = mapped_column(Integer, default=1)
    """Of how many postcodes it is the middle; 1 where a directory gave the district itself."""

    __table_args__ = (
        CheckConstraint("latitude BETWEEN 49 AND 61 AND longitude BETWEEN -9 AND 2", name="centre_is_in_the_uk"),
        CheckConstraint("postcodes > 0", name="of_some_postcodes"),
    )


class TravelSaid(Base):
    """How long it really took between two districts, as the officer who last said so did it. There and back are one."""

    __tablename__ = "travel_said"

    id: Mapped[int] = mapped_column(primary_key=True)
    one: Mapped[str] = mapped_column(KeyText(4))
    other: Mapped[str] = mapped_column(KeyText(4))
    travels_by: Mapped[str] = mapped_column(String(8))
    minutes: Mapped[int] = mapped_column(Integer)
    said_at: Mapped[datetime] = mapped_column(UTCDateTime)
    said_by_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"))

    __table_args__ = (
        UniqueConstraint("one", "other", "travels_by"),
        CheckConstraint("one <= other", name="once_a_pair"),
        CheckConstraint("minutes BETWEEN 1 AND 480", name="minutes_are_sane"),
        one_of("travels_by", TravelBy),
    )


class Visit(RowKey, Base):
    """One visit: to whom, why, when and where, and what became of it."""

    __tablename__ = "visit"

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("case_file.id"))
    purpose: Mapped[str] = mapped_column(String(20))
    place: Mapped[str] = mapped_column(String(8))
    starts_at: Mapped[datetime] = mapped_column(UTCDateTime)
    ends_at: Mapped[datetime] = mapped_column(UTCDateTime)
    status: Mapped[str] = mapped_column(String(20), default=VisitStatus.BOOKED)
    version: Mapped[int] = mapped_column(Integer, default=1)
    """Rises with every change: what a form carries as ``seen``."""
    sequence: Mapped[int] = mapped_column(Integer, default=0)
    """SEQUENCE of RFC 5546: rises when the time changes or the visit is called off, not when a note does."""
    moves_enquiry: Mapped[bool] = mapped_column(default=False)
    """Whether the enquiry stands or falls with it."""
    booked_at: Mapped[datetime] = mapped_column(UTCDateTime)
    booked_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))
    moved_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    reminded_of_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """The beginning that was last thought of when reminding: a visit that is moved has another, and is thought of
    again."""
    settled_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When it was recorded as held, missed or called off."""
    held_from_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    held_until_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    note_sealed: Mapped[str | None] = mapped_column(Text)
    note = EncryptedText("note_sealed")
    """What the officers should know before they set out: parking, the dog, the bell that does not work."""
    settled_note_sealed: Mapped[str | None] = mapped_column(Text)
    settled_note = EncryptedText("settled_note_sealed")
    """Why it was called off, what happened at the door, or who was there at a visit that was not booked."""

    officers: Mapped[list[VisitOfficer]] = relationship(
        back_populates="visit", order_by="VisitOfficer.officer_id", cascade="all, delete-orphan"
    )
    report: Mapped[VisitReport | None] = relationship(back_populates="visit", uselist=False)

    __table_args__ = (
        one_of("purpose", Purpose),
        one_of("place", Place),
        one_of("status", VisitStatus),
        CheckConstraint("ends_at > starts_at", name="ends_after_it_starts"),
        CheckConstraint("(status = 'booked') = (settled_at IS NULL)", name="settled_has_its_time"),
        CheckConstraint("(held_from_at IS NULL) = (held_until_at IS NULL)", name="held_from_and_until"),
        CheckConstraint("held_from_at IS NULL OR status = 'done'", name="held_means_done"),
        CheckConstraint("held_until_at > held_from_at", name="held_for_a_while"),
        Index("ix_visit_case", "case_id", "starts_at"),
        # At most one visit that the enquiry waits for: two officers who book the same household at once can't both.
        Index(
            "uq_visit_enquiry_waits_for_one",
            "case_id",
            unique=True,
            sqlite_where=text("moves_enquiry AND status = 'booked'"),
            postgresql_where=text("moves_enquiry AND status = 'booked'"),
        ),
        Index(
            "ix_visit_booked",
            "starts_at",
            sqlite_where=text("status = 'booked'"),
            postgresql_where=text("status = 'booked'"),
        ),
    )

    @property
    def officer_ids(self) -> tuple[int, ...]:
        return tuple(row.officer_id for row in self.officers)

    @property
    def is_booked(self) -> bool:
        return self.status == VisitStatus.BOOKED

    @property
    def was_booked(self) -> bool:
        """Whether it stood in the diary before it began. Otherwise it was written down once it was over."""
        return self.booked_at < self.starts_at

    @property
    def outcome_words(self) -> Mapping[Outcome, str]:
        """What each outcome is called at this visit."""
        return OUTCOME_WORDS if self.moves_enquiry else OUTCOME_WORDS_OF_SESSION

    @property
    def length_minutes(self) -> int:
        return int((self.ends_at - self.starts_at).total_seconds() // 60)


class VisitHold(Base):
    """A time kept for a household while they decide. It takes its officers' time as a visit does, until it runs out;
    once it became a visit, was let go or ran out, it is gone."""

    __tablename__ = "visit_hold"

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("case_file.id"), index=True)
    purpose: Mapped[str] = mapped_column(String(20))
    place: Mapped[str] = mapped_column(String(8))
    starts_at: Mapped[datetime] = mapped_column(UTCDateTime)
    ends_at: Mapped[datetime] = mapped_column(UTCDateTime)
    made_at: Mapped[datetime] = mapped_column(UTCDateTime)
    made_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))
    runs_out_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)

    officers: Mapped[list[VisitOfficer]] = relationship(
        back_populates="hold", order_by="VisitOfficer.officer_id", cascade="all, delete-orphan"
    )

    __table_args__ = (
        one_of("purpose", Purpose),
        one_of("place", Place),
        CheckConstraint("ends_at > starts_at", name="ends_after_it_starts"),
        CheckConstraint("runs_out_at > made_at AND runs_out_at <= starts_at", name="runs_out_in_time"),
    )

    @property
    def officer_ids(self) -> tuple[int, ...]:
        return tuple(row.officer_id for row in self.officers)

    @property
    def length_minutes(self) -> int:
        return int((self.ends_at - self.starts_at).total_seconds() // 60)


class VisitOffer(RowKey, Base):
    """What a household may settle itself about one visit, by links of its own: its time, another time, that it is off,
    or that none of our times suits. Every visit that a household was told of has one; one without a visit waits for
    them to choose."""

    __tablename__ = "visit_offer"

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("case_file.id"), index=True)
    purpose: Mapped[str] = mapped_column(String(20))
    place: Mapped[str] = mapped_column(String(8))
    length_minutes: Mapped[int] = mapped_column(Integer)
    officer_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"))
    second_officer_id: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))
    """Who goes too, where two go together: a time is on offer only when both are free."""
    made_at: Mapped[datetime] = mapped_column(UTCDateTime)
    made_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))
    is_asked: Mapped[bool] = mapped_column(default=False)
    """Whether they were asked to choose a time; otherwise the link came with a visit that one of us had booked."""
    is_open: Mapped[bool] = mapped_column(default=True)
    """False once it was withdrawn, or the household was merged into another: its links open nothing any more."""
    ends_at: Mapped[datetime] = mapped_column(UTCDateTime)
    """Until when a time can be chosen. A visit that is booked can be seen until it begins."""
    times_sent: Mapped[int] = mapped_column(Integer, default=0)
    chase_on: Mapped[date | None] = mapped_column(Date)
    """The day on which the owner is told that nothing was chosen; None once told, or where nothing is waited for."""
    visit_id: Mapped[int | None] = mapped_column(ForeignKey("visit.id"), unique=True)
    chosen_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When they last chose a time themselves."""
    asked_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When they last asked for other times."""
    asked_sealed: Mapped[str | None] = mapped_column(Text)
    asked = EncryptedText("asked_sealed")
    """What would suit them, in words."""
    declined_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When they said that they want no visit for now."""

    __table_args__ = (
        one_of("purpose", Purpose),
        one_of("place", Place),
        CheckConstraint("length_minutes BETWEEN 15 AND 480", name="length_is_sane"),
        CheckConstraint("second_officer_id <> officer_id", name="second_is_another"),
        CheckConstraint("ends_at > made_at", name="ends_after_it_was_made"),
        Index(
            "ix_visit_offer_chase",
            "chase_on",
            sqlite_where=text("chase_on IS NOT NULL"),
            postgresql_where=text("chase_on IS NOT NULL"),
        ),
    )

    @property
    def officer_ids(self) -> tuple[int, ...]:
        return tuple(sorted(one for one in (self.officer_id, self.second_officer_id) if one is not None))


class VisitLink(Base):
    """One person's secret link to what their household may settle about a visit.

    The link itself is not kept: it is made again from the serial and a key that is not in the database, so that every
    letter about the visit carries the same one, and it is found by its digest.
    """

    __tablename__ = "visit_link"

    id: Mapped[int] = mapped_column(primary_key=True)
    offer_id: Mapped[int] = mapped_column(ForeignKey("visit_offer.id"), index=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    serial: Mapped[str] = mapped_column(String(32))
    token_digest: Mapped[str] = mapped_column(KeyText(64), unique=True)
    channel: Mapped[str] = mapped_column(String(8))
    address_key: Mapped[str] = mapped_column(KeyText(32))
    """Keyed digest of the address or number it went to: once that is not theirs any more, it opens nothing."""
    made_at: Mapped[datetime] = mapped_column(UTCDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When a newer one took its place, or it was withdrawn."""

    __table_args__ = (one_of("channel", Channel),)


class VisitOfficer(Base):
    """One officer's part in a visit, or in a time held for one, and what it takes out of their day.

    The blocked span is padded with travel on one side only: two visits each padded on both would keep twice the gap.
    """

    __tablename__ = "visit_officer"

    id: Mapped[int] = mapped_column(primary_key=True)
    visit_id: Mapped[int | None] = mapped_column(ForeignKey("visit.id"))
    hold_id: Mapped[int | None] = mapped_column(ForeignKey("visit_hold.id"), index=True)
    officer_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"))
    starts_at: Mapped[datetime] = mapped_column(UTCDateTime)
    ends_at: Mapped[datetime] = mapped_column(UTCDateTime)
    blocked_until_at: Mapped[datetime] = mapped_column(UTCDateTime)
    """The end of the visit and the travel after it."""
    holds: Mapped[bool] = mapped_column(default=True)
    """False once the visit was called off or missed, or the hold has run out: the time is free again."""

    visit: Mapped[Visit | None] = relationship(back_populates="officers")
    hold: Mapped[VisitHold | None] = relationship(back_populates="officers")

    __table_args__ = (
        UniqueConstraint("visit_id", "officer_id"),
        CheckConstraint("(visit_id IS NULL) <> (hold_id IS NULL)", name="is_of_a_visit_or_a_hold"),
        CheckConstraint("ends_at > starts_at AND blocked_until_at >= ends_at", name="blocked_to_the_end"),
        Index("ix_visit_officer_day", "officer_id", "starts_at"),
    )


class VisitAnswer(RowKey, Base):
    """What somebody who was invited to a visit said last, in their calendar or by mail.

    It changes nothing by itself. One said of an earlier time of the visit (``sequence``) is an answer no more.
    """

    __tablename__ = "visit_answer"

    id: Mapped[int] = mapped_column(primary_key=True)
    visit_id: Mapped[int] = mapped_column(ForeignKey("visit.id"), index=True)
    calendar_object_id: Mapped[int] = mapped_column(ForeignKey("calendar_object.id"), unique=True)
    """The event that was answered: it says who they are."""
    answer: Mapped[str] = mapped_column(String(10))
    sequence: Mapped[int] = mapped_column(Integer)
    """Of the invitation that it answers."""
    stamp_at: Mapped[datetime] = mapped_column(UTCDateTime)
    """When their program says that they answered: of two, the later counts, in whichever order they come."""
    received_at: Mapped[datetime] = mapped_column(UTCDateTime)
    proposed_from_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    proposed_until_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """The time that they ask for instead."""
    is_proven: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Of an officer: whether it is certain that they said it themselves."""
    words_sealed: Mapped[str | None] = mapped_column(Text)
    words = EncryptedText("words_sealed")
    settled_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When a person did something about it."""
    settled_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))

    __table_args__ = (
        one_of("answer", Answer),
        CheckConstraint("(answer = 'counter') = (proposed_from_at IS NOT NULL)", name="counter_proposes"),
        CheckConstraint("(proposed_from_at IS NULL) = (proposed_until_at IS NULL)", name="proposes_from_and_until"),
        CheckConstraint("proposed_until_at > proposed_from_at", name="proposes_a_while"),
        CheckConstraint("sequence >= 0", name="sequence_counts_up"),
    )


class VisitReport(RowKey, Base):
    """What was seen and heard, what its writer recommends, and what a manager decided on it."""

    __tablename__ = "visit_report"

    id: Mapped[int] = mapped_column(primary_key=True)
    visit_id: Mapped[int] = mapped_column(ForeignKey("visit.id"), unique=True)
    version: Mapped[int] = mapped_column(Integer, default=1)
    written_by_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"), index=True)
    begun_at: Mapped[datetime] = mapped_column(UTCDateTime)
    saved_at: Mapped[datetime] = mapped_column(UTCDateTime)
    sections_sealed: Mapped[str | None] = mapped_column(Text)
    sections = EncryptedText("sections_sealed")
    """JSON: key of a question to its answer."""
    safety_sealed: Mapped[str | None] = mapped_column(Text)
    safety = EncryptedText("safety_sealed")
    """JSON: key of an item to {"state": ok, to_do or not_seen; "todo": words; "by": date}."""
    parts_done: Mapped[int] = mapped_column(Integer, default=0)
    """Bit n is set once part n + 1 was saved."""
    recommendation: Mapped[str | None] = mapped_column(String(12))
    reasons_sealed: Mapped[str | None] = mapped_column(Text)
    reasons = EncryptedText("reasons_sealed")
    submitted_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    outcome: Mapped[str | None] = mapped_column(String(12))
    decision_sealed: Mapped[str | None] = mapped_column(Text)
    decision = EncryptedText("decision_sealed")
    """The manager's own words."""
    signed_off_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    signed_off_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))

    visit: Mapped[Visit] = relationship(back_populates="report")

    __table_args__ = (
        one_of("recommendation", Outcome),
        one_of("outcome", Outcome),
        CheckConstraint("submitted_at IS NULL OR recommendation IS NOT NULL", name="sent_with_a_recommendation"),
        CheckConstraint("(signed_off_at IS NULL) = (outcome IS NULL)", name="signed_off_has_an_outcome"),
        CheckConstraint("(signed_off_at IS NULL) = (signed_off_by_id IS NULL)", name="signed_off_by_someone"),
        CheckConstraint("signed_off_at IS NULL OR submitted_at IS NOT NULL", name="signed_off_once_sent"),
        # A report that its own writer signs off has been read by nobody.
        CheckConstraint("signed_off_by_id IS NULL OR signed_off_by_id <> written_by_id", name="signed_off_by_another"),
        Index(
            "ix_visit_report_to_sign",
            "submitted_at",
            sqlite_where=text("submitted_at IS NOT NULL AND signed_off_at IS NULL"),
            postgresql_where=text("submitted_at IS NOT NULL AND signed_off_at IS NULL"),
        ),
    )


overlap.attach(event, VisitOfficer.__table__)
