"""Tables of preparation courses (Skills to Foster): the course, its sessions, places, who came, notes, certificates."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index, Integer, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from crm.cases.models import Case, Person
from crm.db import Base, EncryptedText, KeyText, RowKey, UTCDateTime, one_of
from crm.rules.preparation import How


class CourseStatus(StrEnum):
    """Where a course stands. That it has been held is read from its times, never stored."""

    PLANNED = "planned"
    CANCELLED = "cancelled"


class PrepCourse(Base):
    """Pre-approval training over several sessions (domain glossary: prep_course). No recruitment event."""

    __tablename__ = "prep_course"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(160))
    status: Mapped[str] = mapped_column(String(10), default=CourseStatus.PLANNED)
    version: Mapped[int] = mapped_column(Integer, default=1)
    """Rises with every change of the plan: what a form carries as ``seen``."""
    place: Mapped[str | None] = mapped_column(String(200))
    link: Mapped[str | None] = mapped_column(String(300))
    """Where it is held online. Told to those who have a place, and shown to staff."""
    getting_in: Mapped[str | None] = mapped_column(String(300))
    capacity: Mapped[int] = mapped_column(Integer)
    """Places, one for each adult."""
    outside_facilitators: Mapped[str | None] = mapped_column(String(200))
    """Those who run it and do not work here, as they are named."""
    first_starts_at: Mapped[datetime] = mapped_column(UTCDateTime)
    last_ends_at: Mapped[datetime] = mapped_column(UTCDateTime)
    """When its first session begins and its last one ends: written with the sessions, for lists and the timetable."""
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    created_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))
    cancelled_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    cancelled_why: Mapped[str | None] = mapped_column(String(200))
    register_asked_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When it was found to be over: whoever runs it was asked who came, if that was not written down."""
    register_task_id: Mapped[int | None] = mapped_column(ForeignKey("task.id"), index=True)

    sessions: Mapped[list[CourseSession]] = relationship(
        order_by="CourseSession.starts_at, CourseSession.id", cascade="all, delete-orphan", back_populates="course"
    )
    facilitators: Mapped[list[CourseFacilitator]] = relationship(
        order_by="CourseFacilitator.id", cascade="all, delete-orphan"
    )

    __table_args__ = (
        one_of("status", CourseStatus),
        CheckConstraint("capacity > 0", name="capacity_is_positive"),
        CheckConstraint("place IS NOT NULL OR link IS NOT NULL", name="is_somewhere"),
        CheckConstraint("last_ends_at > first_starts_at", name="ends_after_it_starts"),
        CheckConstraint("(status = 'cancelled') = (cancelled_at IS NOT NULL)", name="cancelled_has_its_time"),
        Index("ix_prep_course_starts", "first_starts_at", "id"),
        Index(
            "ix_prep_course_to_ask",
            "last_ends_at",
            sqlite_where=text("register_asked_at IS NULL"),
            postgresql_where=text("register_asked_at IS NULL"),
        ),
    )

    @property
    def is_cancelled(self) -> bool:
        return self.status == CourseStatus.CANCELLED

    @property
    def facilitator_ids(self) -> tuple[int, ...]:
        """Staff who run it; the first one leads."""
        return tuple(row.user_id for row in self.facilitators)

    def has_begun(self, now: datetime) -> bool:
        return self.first_starts_at <= now

    def is_over(self, now: datetime) -> bool:
        return self.last_ends_at <= now


class CourseSession(Base):
    """One session of a course. Its number is its place in the order of their times."""

    __tablename__ = "prep_course_session"

    id: Mapped[int] = mapped_column(primary_key=True)
    course_id: Mapped[int] = mapped_column(ForeignKey("prep_course.id"), index=True)
    topics: Mapped[str | None] = mapped_column(String(200))
    place: Mapped[str | None] = mapped_column(String(200))
    """Where it differs from the course's own."""
    starts_at: Mapped[datetime] = mapped_column(UTCDateTime)
    ends_at: Mapped[datetime] = mapped_column(UTCDateTime)
    calendar_uid: Mapped[str] = mapped_column(String(120))
    sequence: Mapped[int] = mapped_column(Integer, default=0)
    reminded_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    course: Mapped[PrepCourse] = relationship(back_populates="sessions")

    __table_args__ = (
        CheckConstraint("ends_at > starts_at", name="ends_after_it_starts"),
        Index(
            "ix_prep_course_session_to_remind",
            "starts_at",
            sqlite_where=text("reminded_at IS NULL"),
            postgresql_where=text("reminded_at IS NULL"),
        ),
    )


class CourseFacilitator(Base):
    """A member of staff who runs a course."""

    __tablename__ = "prep_course_facilitator"

    id: Mapped[int] = mapped_column(primary_key=True)
    course_id: Mapped[int] = mapped_column(ForeignKey("prep_course.id"))
    user_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"), index=True)

    __table_args__ = (UniqueConstraint("course_id", "user_id"),)


class PlaceStatus(StrEnum):
    """What somebody has on a course: a place, a place in the line, or nothing any more."""

    CONFIRMED = "confirmed"
    WAITING = "waiting"
    GIVEN_UP = "given_up"


PLACE_STATUS_WORDS = {
    PlaceStatus.CONFIRMED: "Has a place",
    PlaceStatus.WAITING: "On the waiting list",
    PlaceStatus.GIVEN_UP: "Taken off",
}


class CoursePlace(RowKey, Base):
    """One adult's place on a course. Those of one case who were put down together move up together."""

    __tablename__ = "prep_course_place"

    id: Mapped[int] = mapped_column(primary_key=True)
    course_id: Mapped[int] = mapped_column(ForeignKey("prep_course.id"))
    case_id: Mapped[int] = mapped_column(ForeignKey("case_file.id"), index=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    status: Mapped[str] = mapped_column(String(10))
    seat: Mapped[int | None] = mapped_column(Integer)
    """Which of the course's places is theirs, from 1: nobody else can have the same."""
    asked_at: Mapped[datetime] = mapped_column(UTCDateTime)
    """Their place in the line is by this time."""
    sequence: Mapped[int] = mapped_column(Integer, default=0)
    """Rises with each letter about it: only the newest matters."""
    needs_sealed: Mapped[str | None] = mapped_column(Text)
    needs = EncryptedText("needs_sealed")
    """What would help them to take part."""
    given_up_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    given_up_why_sealed: Mapped[str | None] = mapped_column(Text)
    given_up_why = EncryptedText("given_up_why_sealed")

    course: Mapped[PrepCourse] = relationship()
    case: Mapped[Case] = relationship()
    person: Mapped[Person] = relationship()

    __table_args__ = (
        UniqueConstraint("course_id", "person_id"),
        # The last line of the capacity's defence: a seat is one person's.
        UniqueConstraint("course_id", "seat"),
        one_of("status", PlaceStatus),
        CheckConstraint("seat > 0", name="seats_count_from_one"),
        CheckConstraint("(status = 'confirmed') = (seat IS NOT NULL)", name="confirmed_has_a_seat"),
        CheckConstraint("(status = 'given_up') = (given_up_at IS NOT NULL)", name="given_up_has_its_time"),
    )


class CourseAttendance(Base):
    """How one person took part in one session."""

    __tablename__ = "prep_course_attendance"

    id: Mapped[int] = mapped_column(primary_key=True)
    session_id: Mapped[int] = mapped_column(ForeignKey("prep_course_session.id"))
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    how: Mapped[str] = mapped_column(String(10))
    made_up_on: Mapped[date | None] = mapped_column(Date)
    made_up_where: Mapped[str | None] = mapped_column(String(160))
    marked_at: Mapped[datetime] = mapped_column(UTCDateTime)
    marked_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))

    __table_args__ = (
        UniqueConstraint("session_id", "person_id"),
        one_of("how", How),
        CheckConstraint(
            "(how = 'made_up') = (made_up_on IS NOT NULL) AND (how = 'made_up') = (made_up_where IS NOT NULL)",
            name="made_up_says_when_and_where",
        ),
    )


class CourseNote(RowKey, Base):
    """What one facilitator saw of somebody on a course, or of the household as a whole: it goes to the assessment."""

    __tablename__ = "prep_course_note"

    id: Mapped[int] = mapped_column(primary_key=True)
    course_id: Mapped[int] = mapped_column(ForeignKey("prep_course.id"), index=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("case_file.id"), index=True)
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"), index=True)
    """Empty: about the household."""
    strengths_sealed: Mapped[str | None] = mapped_column(Text)
    strengths = EncryptedText("strengths_sealed")
    to_explore_sealed: Mapped[str | None] = mapped_column(Text)
    to_explore = EncryptedText("to_explore_sealed")
    written_by_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"))
    written_at: Mapped[datetime] = mapped_column(UTCDateTime)

    person: Mapped[Person | None] = relationship()

    __table_args__ = (
        CheckConstraint("strengths_sealed IS NOT NULL OR to_explore_sealed IS NOT NULL", name="says_something"),
    )


class CourseCertificate(Base):
    """That somebody has been through a course. It says their name as it was on that day."""

    __tablename__ = "prep_course_certificate"

    id: Mapped[int] = mapped_column(primary_key=True)
    course_id: Mapped[int] = mapped_column(ForeignKey("prep_course.id"))
    case_id: Mapped[int] = mapped_column(ForeignKey("case_file.id"), index=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    number: Mapped[str] = mapped_column(KeyText(12), unique=True)
    name: Mapped[str] = mapped_column(String(250))
    issued_on: Mapped[date] = mapped_column(Date)
    issued_by_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"))
    taken_back_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When it was found to have been issued by mistake; issued anew, it has another number."""

    __table_args__ = (UniqueConstraint("course_id", "person_id"),)
