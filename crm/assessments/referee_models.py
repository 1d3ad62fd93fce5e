"""The people who speak for an applicant. Who they are and what they say is sealed; dates and codes are not."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index, Integer, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from crm.cases.models import Person
from crm.db import Base, EncryptedText, KeyText, RowKey, UTCDateTime, one_of


class Relation(StrEnum):
    """How a referee knows the applicant."""

    FRIEND = "friend"
    COLLEAGUE = "colleague"
    NEIGHBOUR = "neighbour"
    FAMILY = "family"
    COMMUNITY = "community"
    OTHER = "other"


RELATION_WORDS = {
    Relation.FRIEND: "Friend",
    Relation.COLLEAGUE: "From work",
    Relation.NEIGHBOUR: "Neighbour",
    Relation.FAMILY: "Family",
    Relation.COMMUNITY: "From a faith or community group",
    Relation.OTHER: "In another way",
}


class Choice(StrEnum):
    """What a referee said to being one."""

    YES = "yes"
    TALK = "talk"
    NO = "no"
    WRONG = "wrong"


class WhyOut(StrEnum):
    """Why somebody is no referee any more."""

    REPLACED = "replaced"
    NOT_REACHED = "not_reached"
    DECLINED = "declined"
    WRONG_PERSON = "wrong_person"


WHY_OUT_WORDS = {
    WhyOut.REPLACED: "Another takes the place",
    WhyOut.NOT_REACHED: "We could not reach them",
    WhyOut.DECLINED: "They would rather not",
    WhyOut.WRONG_PERSON: "The message came to the wrong person",
}
LEAVES_BY_STAFF = (WhyOut.REPLACED, WhyOut.NOT_REACHED)


class How(StrEnum):
    """How an interview is held."""

    PHONE = "phone"
    VIDEO = "video"
    IN_PERSON = "in_person"


HOW_WORDS = {How.PHONE: "By phone", How.VIDEO: "By video call", How.IN_PERSON: "In person"}


class View(StrEnum):
    """What the interview came to."""

    SUPPORTS = "supports"
    WITH_POINTS = "with_points"
    DOUBTS = "doubts"


VIEW_WORDS = {
    View.SUPPORTS: "They support the application, and nothing worries us",
    View.WITH_POINTS: "They support it, with something to talk through",
    View.DOUBTS: "A concern that the assessment must take up",
}


class Referee(RowKey, Base):
    """Somebody who speaks for one applicant: named, asked by a link of their own, read, and interviewed.

    A reference is given in confidence (Data Protection Act 2018, Sch 2 para 24): it stays so unless its writer said
    that it may be shared. The link is not kept: it is made again from the serial and a key, so that a reminder has the
    same one, and is found by its digest.
    """

    __tablename__ = "referee"

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("case_file.id"), index=True)
    application_id: Mapped[int] = mapped_column(ForeignKey("application.id"))
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    """The applicant they speak for."""
    check_id: Mapped[int] = mapped_column(ForeignKey("stage_one_check.id"), index=True)
    """The place they take among the referees that are named."""
    interview_check_id: Mapped[int | None] = mapped_column(ForeignKey("stage_one_check.id"), index=True)
    """The interview they are rung for; empty where the law asks for none."""
    name_sealed: Mapped[str] = mapped_column(Text)
    name = EncryptedText("name_sealed")
    email_sealed: Mapped[str | None] = mapped_column(Text)
    email = EncryptedText("email_sealed")
    phone_sealed: Mapped[str | None] = mapped_column(Text)
    phone = EncryptedText("phone_sealed")
    relation: Mapped[str] = mapped_column(String(12))
    known_since: Mapped[int | None] = mapped_column(Integer)
    """The year, as the applicant gives it."""
    named_at: Mapped[datetime] = mapped_column(UTCDateTime)
    named_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))
    """Empty where the applicant named them."""
    withdrawn_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    withdrawn_why: Mapped[str | None] = mapped_column(String(12))

    asked_on: Mapped[date | None] = mapped_column(Date)
    chased_on: Mapped[date | None] = mapped_column(Date)
    reply_by: Mapped[date | None] = mapped_column(Date)
    """The day by which the letter asks for it; nothing ends with it."""
    letter_count: Mapped[int] = mapped_column(Integer, default=0)
    """How many letters went to them: a newer one takes the place of one that has not left."""
    serial: Mapped[str | None] = mapped_column(String(32))
    token_digest: Mapped[str | None] = mapped_column(KeyText(64), unique=True)
    link_made_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    link_ends_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    opened_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When they first pressed a button: programs that follow links in mail open the page, and press nothing."""
    choice: Mapped[str | None] = mapped_column(String(8))
    draft_sealed: Mapped[str | None] = mapped_column(Text)
    draft = EncryptedText("draft_sealed")
    """Their answers so far, as JSON."""
    draft_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    step: Mapped[str | None] = mapped_column(String(20))
    """The page that the same link comes back to."""
    submitted_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    answers_sealed: Mapped[str | None] = mapped_column(Text)
    answers = EncryptedText("answers_sealed")
    """What they sent, as JSON."""
    may_share: Mapped[bool] = mapped_column(default=False)
    """They said that the applicant may read it."""
    is_confidential: Mapped[bool] = mapped_column(default=True)

    booked_for: Mapped[datetime | None] = mapped_column(UTCDateTime)
    booked_how: Mapped[str | None] = mapped_column(String(10))
    held_on: Mapped[date | None] = mapped_column(Date)
    interviewer_id: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))
    account_sealed: Mapped[str | None] = mapped_column(Text)
    account = EncryptedText("account_sealed")
    view_sealed: Mapped[str | None] = mapped_column(Text)
    view = EncryptedText("view_sealed")
    """A View."""

    person: Mapped[Person] = relationship()

    __table_args__ = (
        one_of("relation", Relation),
        one_of("choice", Choice),
        one_of("withdrawn_why", WhyOut),
        one_of("booked_how", How),
        CheckConstraint("email_sealed IS NOT NULL OR phone_sealed IS NOT NULL", name="can_be_reached"),
        CheckConstraint("known_since IS NULL OR known_since BETWEEN 1900 AND 2200", name="known_since_a_year"),
        CheckConstraint("(withdrawn_at IS NULL) = (withdrawn_why IS NULL)", name="withdrawn_says_why"),
        CheckConstraint("withdrawn_at IS NULL OR token_digest IS NULL", name="withdrawn_has_no_link"),
        CheckConstraint(
            "(token_digest IS NULL) = (serial IS NULL) AND (token_digest IS NULL) = (link_made_at IS NULL) "
            "AND (token_digest IS NULL) = (link_ends_at IS NULL)",
            name="link_is_whole",
        ),
        CheckConstraint(
            "asked_on IS NOT NULL OR (token_digest IS NULL AND chased_on IS NULL AND reply_by IS NULL)",
            name="asked_before_the_rest",
        ),
        CheckConstraint("(choice IS NULL) = (opened_at IS NULL)", name="chose_when_opened"),
        CheckConstraint("choice IS NULL OR choice IN ('yes', 'talk') OR withdrawn_at IS NOT NULL", name="no_ends_it"),
        CheckConstraint("(draft_sealed IS NULL) = (draft_at IS NULL)", name="draft_says_when"),
        CheckConstraint("draft_sealed IS NULL OR submitted_at IS NULL", name="sent_leaves_no_draft"),
        CheckConstraint("(submitted_at IS NULL) = (answers_sealed IS NULL)", name="sent_with_answers"),
        CheckConstraint("submitted_at IS NULL OR choice = 'yes'", name="sent_by_who_agreed"),
        CheckConstraint("is_confidential OR may_share", name="shared_by_their_own_choice"),
        CheckConstraint("(booked_for IS NULL) = (booked_how IS NULL)", name="booked_says_how"),
        CheckConstraint(
            "(held_on IS NULL) = (account_sealed IS NULL) AND (held_on IS NULL) = (interviewer_id IS NULL) "
            "AND (held_on IS NULL) = (view_sealed IS NULL)",
            name="interview_is_whole",
        ),
        Index(
            "uq_referee_in_place",
            "check_id",
            unique=True,
            sqlite_where=text("withdrawn_at IS NULL"),
            postgresql_where=text("withdrawn_at IS NULL"),
        ),
        Index(
            "uq_referee_interviewed",
            "interview_check_id",
            unique=True,
            sqlite_where=text("withdrawn_at IS NULL"),
            postgresql_where=text("withdrawn_at IS NULL"),
        ),
    )

    @property
    def is_in_place(self) -> bool:
        return self.withdrawn_at is None

    @property
    def is_submitted(self) -> bool:
        return self.submitted_at is not None
