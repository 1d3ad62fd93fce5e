"""Tables of Stage 2 beside the report: sessions planned and held, what each statement rests on, and who else looked.

What was said and seen is sealed; days, numbers and headings, which lists need, are not.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Date, ForeignKey, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from crm.db import Base, EncryptedText, RowKey, UTCDateTime, one_of

# --- Sessions ---------------------------------------------------------------------------------------------------------


class AssessmentSession(RowKey, Base):
    """One talk of the assessment: planned for a month or a day, held, and written up.

    One that was made as a visit is held from the moment the visit is recorded, and waits to be written up.
    """

    __tablename__ = "assessment_session"

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("case_file.id"), index=True)
    application_id: Mapped[int] = mapped_column(ForeignKey("application.id"))
    number: Mapped[int] = mapped_column(Integer)
    planned_month: Mapped[date] = mapped_column(Date)
    """The first of the month."""
    planned_on: Mapped[date | None] = mapped_column(Date)
    visit_id: Mapped[int | None] = mapped_column(ForeignKey("visit.id"), unique=True)
    """The visit as which it was made; none where it was entered by hand."""
    held_on: Mapped[date | None] = mapped_column(Date)
    minutes: Mapped[int | None] = mapped_column(Integer)
    led_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))
    also_there_sealed: Mapped[str | None] = mapped_column(Text)
    also_there = EncryptedText("also_there_sealed")
    """Who was there besides the people of the household."""
    notes_sealed: Mapped[str | None] = mapped_column(Text)
    notes = EncryptedText("notes_sealed")
    written_up_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    headings: Mapped[list[SessionHeading]] = relationship(
        order_by="SessionHeading.id", lazy="selectin", cascade="all, delete-orphan"
    )
    people: Mapped[list[SessionPerson]] = relationship(
        order_by="SessionPerson.id", lazy="selectin", cascade="all, delete-orphan"
    )

    __table_args__ = (
        UniqueConstraint("application_id", "number"),
        CheckConstraint("number BETWEEN 1 AND 40", name="number_is_sane"),
        CheckConstraint("minutes IS NULL OR minutes BETWEEN 1 AND 720", name="minutes_are_sane"),
        CheckConstraint(
            "(held_on IS NULL) = (minutes IS NULL) AND (held_on IS NULL) = (led_by_id IS NULL)",
            name="held_says_how_long_and_by_whom",
        ),
        CheckConstraint("visit_id IS NULL OR held_on IS NOT NULL", name="made_as_a_visit_is_held"),
        CheckConstraint("(written_up_at IS NULL) = (notes_sealed IS NULL)", name="written_up_has_notes"),
        CheckConstraint("written_up_at IS NULL OR held_on IS NOT NULL", name="written_up_once_held"),
    )

    @property
    def is_held(self) -> bool:
        return self.held_on is not None

    @property
    def is_written_up(self) -> bool:
        return self.written_up_at is not None

    @property
    def planned_headings(self) -> list[str]:
        return [one.name for one in self.headings if one.is_planned]

    @property
    def covered_headings(self) -> list[str]:
        return [one.name for one in self.headings if one.is_covered]


class SessionHeading(Base):
    """One heading of the report in one session: whether it was meant to come up, and whether it did."""

    __tablename__ = "assessment_session_heading"

    id: Mapped[int] = mapped_column(primary_key=True)
    session_id: Mapped[int] = mapped_column(ForeignKey("assessment_session.id"), index=True)
    name: Mapped[str] = mapped_column(String(30))
    """As in Schedule 3 Part 2: see REPORT_SECTIONS."""
    is_planned: Mapped[bool] = mapped_column(default=False)
    is_covered: Mapped[bool] = mapped_column(default=False)

    __table_args__ = (
        UniqueConstraint("session_id", "name"),
        CheckConstraint("is_planned OR is_covered", name="planned_or_covered"),
    )


class SessionPerson(Base):
    """Somebody of the household who takes part in a session, or took part."""

    __tablename__ = "assessment_session_person"

    id: Mapped[int] = mapped_column(primary_key=True)
    session_id: Mapped[int] = mapped_column(ForeignKey("assessment_session.id"))
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)

    __table_args__ = (UniqueConstraint("session_id", "person_id"),)


# --- What a statement rests on ----------------------------------------------------------------------------------------


class EvidenceKind(StrEnum):
    """Where evidence comes from."""

    SESSION = "session"
    REFERENCE = "reference"
    CHECK = "check"
    DOCUMENT = "document"
    COURSE = "course"
    ANSWER = "answer"
    VISIT = "visit"
    OTHER = "other"


EVIDENCE_WORDS = {
    EvidenceKind.SESSION: "Session",
    EvidenceKind.REFERENCE: "Reference",
    EvidenceKind.CHECK: "Check",
    EvidenceKind.DOCUMENT: "Document",
    EvidenceKind.COURSE: "Preparation course",
    EvidenceKind.ANSWER: "Their application",
    EvidenceKind.VISIT: "Home visit",
    EvidenceKind.OTHER: "Something else",
}


class SaidAs(StrEnum):
    """Which of the three a report keeps apart (NMS 13)."""

    FACT = "fact"
    OPINION = "opinion"
    THIRD_PARTY = "third_party"


SAID_AS_WORDS = {
    SaidAs.FACT: "Fact",
    SaidAs.OPINION: "Opinion",
    SaidAs.THIRD_PARTY: "What somebody else said",
}


class ReportEvidence(RowKey, Base):
    """One thing that a heading of a report rests on: a record of this household, and what it shows.

    How closely it is held is told by the record it points at, not kept here: see ``evidence.py``.
    """

    __tablename__ = "report_evidence"

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("case_file.id"), index=True)
    report_id: Mapped[int] = mapped_column(ForeignKey("assessment_report.id"), index=True)
    section: Mapped[str] = mapped_column(String(30))
    kind: Mapped[str] = mapped_column(String(12))
    said_as: Mapped[str] = mapped_column(String(12))
    session_id: Mapped[int | None] = mapped_column(ForeignKey("assessment_session.id"), index=True)
    referee_id: Mapped[int | None] = mapped_column(ForeignKey("referee.id"))
    check_id: Mapped[int | None] = mapped_column(ForeignKey("stage_one_check.id"))
    document_id: Mapped[int | None] = mapped_column(ForeignKey("document.id"))
    course_id: Mapped[int | None] = mapped_column(ForeignKey("prep_course.id"))
    part_id: Mapped[int | None] = mapped_column(ForeignKey("application_part.id"))
    visit_id: Mapped[int | None] = mapped_column(ForeignKey("visit.id"))
    other_source_sealed: Mapped[str | None] = mapped_column(Text)
    other_source = EncryptedText("other_source_sealed")
    """Where it comes from, in words: it is on no other record here."""
    words_sealed: Mapped[str] = mapped_column(Text)
    words = EncryptedText("words_sealed")
    """What it shows."""
    added_on: Mapped[date] = mapped_column(Date)
    added_by_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"))

    __table_args__ = (
        one_of("kind", EvidenceKind),
        one_of("said_as", SaidAs),
        CheckConstraint("(kind = 'session') = (session_id IS NOT NULL)", name="session_is_named"),
        CheckConstraint("(kind = 'reference') = (referee_id IS NOT NULL)", name="reference_is_named"),
        CheckConstraint("(kind = 'check') = (check_id IS NOT NULL)", name="check_is_named"),
        CheckConstraint("(kind = 'document') = (document_id IS NOT NULL)", name="document_is_named"),
        CheckConstraint("(kind = 'course') = (course_id IS NOT NULL)", name="course_is_named"),
        CheckConstraint("(kind = 'answer') = (part_id IS NOT NULL)", name="answer_is_named"),
        CheckConstraint("(kind = 'visit') = (visit_id IS NOT NULL)", name="visit_is_named"),
        CheckConstraint("(kind = 'other') = (other_source_sealed IS NOT NULL)", name="other_says_where_from"),
    )


# --- Who else looked --------------------------------------------------------------------------------------------------


class ReviewKind(StrEnum):
    """A look from outside while the assessment goes on. Neither is in the regulations (common practice)."""

    MIDWAY = "midway"
    SECOND_OPINION = "second_opinion"


REVIEW_WORDS = {ReviewKind.MIDWAY: "Midway review", ReviewKind.SECOND_OPINION: "Second-opinion visit"}


class MidwayOutcome(StrEnum):
    """How a midway review says to go on."""

    GO_ON = "go_on"
    BRIEF_REPORT = "brief_report"
    STOP_AND_TALK = "stop_and_talk"


MIDWAY_WORDS = {
    MidwayOutcome.GO_ON: "Go on with the assessment",
    MidwayOutcome.BRIEF_REPORT: "Write a brief report: they look unlikely to be suitable",
    MidwayOutcome.STOP_AND_TALK: "Stop, and talk to them first",
}


class AssessmentReview(RowKey, Base):
    """A midway review by a manager, or a second-opinion visit, by somebody who is not an assessor of the household."""

    __tablename__ = "assessment_review"

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("case_file.id"), index=True)
    application_id: Mapped[int] = mapped_column(ForeignKey("application.id"), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    held_on: Mapped[date] = mapped_column(Date)
    by_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"))
    outcome: Mapped[str | None] = mapped_column(String(16))
    words_sealed: Mapped[str] = mapped_column(Text)
    words = EncryptedText("words_sealed")
    recorded_at: Mapped[datetime] = mapped_column(UTCDateTime)
    recorded_by_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"))

    __table_args__ = (
        one_of("kind", ReviewKind),
        one_of("outcome", MidwayOutcome),
        CheckConstraint("(kind = 'midway') = (outcome IS NOT NULL)", name="midway_says_how_to_go_on"),
    )
