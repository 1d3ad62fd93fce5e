"""Tables of an assessment. What was found out about somebody is sealed; dates and codes that lists need are not."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index, Integer, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from crm.assessments import (  # noqa: F401  (part of this package)
    course_models,
    minutes_models,
    need_models,
    pack_models,
    part_models,
    stage_two_models,
)
from crm.cases.models import Person
from crm.db import Base, EncryptedText, KeyText, RowKey, UTCDateTime, one_of
from crm.rules.panel import Seat
from crm.rules.permissions import Sensitivity


class KindOfCare(StrEnum):
    """What a household may be approved for (domain glossary: terms of approval)."""

    ANY = "any"
    SHORT_AND_LONG = "short_and_long"
    SHORT_TERM = "short_term"
    LONG_TERM = "long_term"
    SHORT_BREAKS = "short_breaks"
    PARENT_AND_CHILD = "parent_and_child"


KIND_OF_CARE_WORDS = {
    KindOfCare.ANY: "Any kind of care",
    KindOfCare.SHORT_AND_LONG: "Short and long term",
    KindOfCare.SHORT_TERM: "Short term",
    KindOfCare.LONG_TERM: "Long term",
    KindOfCare.SHORT_BREAKS: "Short breaks",
    KindOfCare.PARENT_AND_CHILD: "Parent and child",
}


class TermsColumns:
    """Terms of approval, proposed, recommended or set. All empty: no terms, which the law allows."""

    terms_children: Mapped[int | None] = mapped_column(Integer)
    """How many children at once."""
    terms_youngest: Mapped[int | None] = mapped_column(Integer)
    terms_oldest: Mapped[int | None] = mapped_column(Integer)
    terms_care: Mapped[str | None] = mapped_column(String(20))


def terms_checks() -> tuple[CheckConstraint, ...]:
    """What the database refuses in terms."""
    return (
        CheckConstraint("terms_children IS NULL OR terms_children BETWEEN 1 AND 10", name="terms_children_are_few"),
        CheckConstraint(
            "(terms_youngest IS NULL OR terms_youngest BETWEEN 0 AND 17) "
            "AND (terms_oldest IS NULL OR terms_oldest BETWEEN 0 AND 17) "
            "AND (terms_youngest IS NULL OR terms_oldest IS NULL OR terms_youngest <= terms_oldest)",
            name="terms_ages_run_up",
        ),
        one_of("terms_care", KindOfCare),
    )


# --- Application ------------------------------------------------------------------------------------------------------


class Application(RowKey, Base):
    """A household's application: the statute begins here."""

    __tablename__ = "application"

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("case_file.id"), index=True)
    received_on: Mapped[date] = mapped_column(Date)
    """The 8 months count from here (NMS 14)."""
    accepted_on: Mapped[date | None] = mapped_column(Date)
    """The day it was found complete; on the front sheet of the report, and no clock's beginning."""
    home_council: Mapped[str | None] = mapped_column(String(120))
    is_home_council: Mapped[bool] = mapped_column(default=False)
    """This service is itself the council where they live, so there is nobody to consult (reg 26(1A)(d))."""
    rents: Mapped[bool] = mapped_column(default=False)
    has_pets: Mapped[bool] = mapped_column(default=False)
    approved_elsewhere: Mapped[bool] = mapped_column(default=False)
    """Approved by another service now."""
    other_service: Mapped[str | None] = mapped_column(String(160))
    told_other_service_on: Mapped[date | None] = mapped_column(Date)
    records_asked_on: Mapped[date | None] = mapped_column(Date)
    records_received_on: Mapped[date | None] = mapped_column(Date)
    resignation_received_on: Mapped[date | None] = mapped_column(Date)
    approved_elsewhere_until: Mapped[date | None] = mapped_column(Date)
    assessing_from_on: Mapped[date | None] = mapped_column(Date)
    agreement_signed_on: Mapped[date | None] = mapped_column(Date)
    """The foster care agreement (reg 27 and Sch 5)."""
    ended_on: Mapped[date | None] = mapped_column(Date)

    signatures: Mapped[list[Signature]] = relationship(order_by="Signature.id")

    __table_args__ = (
        CheckConstraint("accepted_on IS NULL OR accepted_on >= received_on", name="accepted_after_receipt"),
        CheckConstraint("NOT approved_elsewhere OR other_service IS NOT NULL", name="other_service_is_named"),
        Index(
            "uq_application_open",
            "case_id",
            unique=True,
            sqlite_where=text("ended_on IS NULL"),
            postgresql_where=text("ended_on IS NULL"),
        ),
    )


class Signature(Base):
    """An applicant's part of the application: when they signed, that they agree to the checks, and what the list of
    checks depends on."""

    __tablename__ = "application_signature"

    id: Mapped[int] = mapped_column(primary_key=True)
    application_id: Mapped[int] = mapped_column(ForeignKey("application.id"), index=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    signed_on: Mapped[date] = mapped_column(Date)
    agrees_to_checks: Mapped[bool] = mapped_column(default=False)
    approved_within_year: Mapped[bool] = mapped_column(default=False)
    """By another service, in the 12 months before the application."""
    lived_abroad: Mapped[bool] = mapped_column(default=False)
    has_former_partner: Mapped[bool] = mapped_column(default=False)
    """With whom they brought up children."""
    works_with_children: Mapped[bool] = mapped_column(default=False)

    __table_args__ = (UniqueConstraint("application_id", "person_id"),)


# --- Stage 1 ----------------------------------------------------------------------------------------------------------


class CheckResult(StrEnum):
    """What a check came to. Sealed with the rest of it: that there is something to discuss is itself a secret."""

    CLEAR = "clear"
    DISCUSSED = "discussed"
    CONCERN = "concern"
    DISQUALIFIED = "disqualified"
    NOT_GIVEN = "not_given"


CHECK_RESULT_WORDS = {
    CheckResult.CLEAR: "Nothing of concern",
    CheckResult.DISCUSSED: "Something was shown, discussed and weighed up",
    CheckResult.CONCERN: "A concern that the assessment must take up",
    CheckResult.DISQUALIFIED: "A specified offence: this person is disqualified",
    CheckResult.NOT_GIVEN: "Asked for, and they would not or could not give it",
}


class Check(RowKey, Base):
    """One enquiry about one person, or about the household: asked for, received, looked at, and what it came to.

    A DBS certificate is never kept: its number, date, level, who saw it and when are (Police Act 1997, s.124; the DBS
    code of practice).
    """

    __tablename__ = "stage_one_check"

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("case_file.id"), index=True)
    application_id: Mapped[int] = mapped_column(ForeignKey("application.id"))
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"), index=True)
    """Empty: about the household as a whole."""
    item: Mapped[str] = mapped_column(String(40))
    slot: Mapped[str] = mapped_column(KeyText(60))
    """Item, person and number in one key, so that no check is worked out twice: ``referees:12:2``."""
    what: Mapped[str] = mapped_column(String(120))
    chase_rule: Mapped[str] = mapped_column(String(40))
    is_statutory: Mapped[bool] = mapped_column(default=False)
    edition: Mapped[str] = mapped_column(String(40))
    needed_from_on: Mapped[date] = mapped_column(Date)
    """Later than today for somebody who turns 18 soon: until then it is a forecast."""
    dropped_on: Mapped[date | None] = mapped_column(Date)
    """The household changed and this is no longer needed; kept, because it happened."""
    requested_on: Mapped[date | None] = mapped_column(Date)
    chased_on: Mapped[date | None] = mapped_column(Date)
    received_on: Mapped[date | None] = mapped_column(Date)
    """The day it was obtained: what the Stage 1 decision counts from."""
    verified_on: Mapped[date | None] = mapped_column(Date)
    expires_on: Mapped[date | None] = mapped_column(Date)
    sensitivity: Mapped[str] = mapped_column(String(12), default=Sensitivity.PERSONAL)
    asked_of_sealed: Mapped[str | None] = mapped_column(Text)
    asked_of = EncryptedText("asked_of_sealed")
    """Whom we asked: a referee, a surgery, a council."""
    result_sealed: Mapped[str | None] = mapped_column(Text)
    result = EncryptedText("result_sealed")
    """A CheckResult."""
    outcome_sealed: Mapped[str | None] = mapped_column(Text)
    outcome = EncryptedText("outcome_sealed")
    """What it said and what was made of it, in words for those on the case."""
    dbs_number_sealed: Mapped[str | None] = mapped_column(Text)
    dbs_number = EncryptedText("dbs_number_sealed")
    dbs_issued_on: Mapped[date | None] = mapped_column(Date)
    dbs_level: Mapped[str | None] = mapped_column(String(12))
    dbs_barred_list_checked: Mapped[bool] = mapped_column(default=False)
    seen_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))

    person: Mapped[Person | None] = relationship()

    __table_args__ = (
        UniqueConstraint("application_id", "slot"),
        # How long checks take, and which are out, is read from here alone.
        Index(
            "ix_stage_one_check_asked",
            "requested_on",
            "item",
            "received_on",
            "dropped_on",
            "application_id",
            "chased_on",
            "case_id",
            sqlite_where=text("requested_on IS NOT NULL"),
            postgresql_where=text("requested_on IS NOT NULL"),
        ),
        one_of("sensitivity", Sensitivity),
        one_of("dbs_level", ("enhanced", "standard", "basic")),
        CheckConstraint("received_on IS NULL OR result_sealed IS NOT NULL", name="received_says_what"),
        CheckConstraint(
            "requested_on IS NULL OR received_on IS NULL OR requested_on <= received_on", name="asked_before_received"
        ),
        CheckConstraint("verified_on IS NULL OR received_on IS NOT NULL", name="verified_after_receipt"),
    )

    @property
    def is_obtained(self) -> bool:
        return self.received_on is not None

    @property
    def is_needed(self) -> bool:
        return self.dropped_on is None


class StageOneDecision(RowKey, Base):
    """The decision at the end of Stage 1. A refusal is no qualifying determination (reg 26, as amended 2013)."""

    __tablename__ = "stage_one_decision"

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("case_file.id"), index=True)
    application_id: Mapped[int] = mapped_column(ForeignKey("application.id"), unique=True)
    outcome: Mapped[str] = mapped_column(String(10))
    decided_on: Mapped[date] = mapped_column(Date)
    decided_by_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"))
    is_disqualification: Mapped[bool] = mapped_column(default=False)
    reasons_sealed: Mapped[str | None] = mapped_column(Text)
    reasons = EncryptedText("reasons_sealed")
    """As the household reads them: nobody's record by name."""

    __table_args__ = (
        one_of("outcome", ("passed", "refused")),
        CheckConstraint("outcome = 'passed' OR reasons_sealed IS NOT NULL", name="refused_says_why"),
    )


# --- Stage 2 ----------------------------------------------------------------------------------------------------------


class ReportKind(StrEnum):
    """A full report, or the short one for a household that looks unlikely to be suitable (reg 26(3))."""

    FULL = "full"
    BRIEF = "brief"


class AssessmentReport(RowKey, TermsColumns, Base):
    """The written report of Stage 2. Countersigned by somebody other than its author."""

    __tablename__ = "assessment_report"

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("case_file.id"), index=True)
    application_id: Mapped[int] = mapped_column(ForeignKey("application.id"), index=True)
    kind: Mapped[str] = mapped_column(String(6))
    written_by_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"))
    begun_on: Mapped[date] = mapped_column(Date)
    changed_on: Mapped[date] = mapped_column(Date)
    other_terms_sealed: Mapped[str | None] = mapped_column(Text)
    other_terms = EncryptedText("other_terms_sealed")
    countersigned_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))
    countersigned_on: Mapped[date | None] = mapped_column(Date)
    shared_on: Mapped[date | None] = mapped_column(Date)
    observations_received_on: Mapped[date | None] = mapped_column(Date)
    observations_sealed: Mapped[str | None] = mapped_column(Text)
    observations = EncryptedText("observations_sealed")

    sections: Mapped[list[ReportSection]] = relationship(order_by="ReportSection.id")

    __table_args__ = (
        one_of("kind", ReportKind),
        CheckConstraint("countersigned_by_id <> written_by_id", name="two_people_sign"),
        CheckConstraint("(countersigned_by_id IS NULL) = (countersigned_on IS NULL)", name="signed_with_its_day"),
        CheckConstraint("shared_on IS NULL OR countersigned_on IS NOT NULL", name="shared_once_signed"),
        CheckConstraint("observations_received_on IS NULL OR shared_on IS NOT NULL", name="observations_once_shared"),
        *terms_checks(),
    )


class ReportSection(RowKey, Base):
    """One part of a report, by its name in Schedule 3 Part 2."""

    __tablename__ = "report_section"

    id: Mapped[int] = mapped_column(primary_key=True)
    report_id: Mapped[int] = mapped_column(ForeignKey("assessment_report.id"), index=True)
    name: Mapped[str] = mapped_column(String(30))
    text_sealed: Mapped[str | None] = mapped_column(Text)
    text = EncryptedText("text_sealed")

    __table_args__ = (UniqueConstraint("report_id", "name"),)


REPORT_SECTIONS: dict[str, tuple[str, str]] = {
    "personality": ("Personality", "Who they are: temperament, resilience, relationships."),
    "religion": (
        "Religious persuasion",
        "Their own, if any, and how they would care for a child of any religion or none.",
    ),
    "origins": (
        "Racial origin, culture and language",
        "Their own, and how they would care for a child of another background.",
    ),
    "work_and_living": (
        "Work, standard of living and interests",
        "Past and present work, money, and how free time is spent.",
    ),
    "caring": ("Caring for children", "What they have learned from caring for their own and other children."),
    "skills": ("Skills, competence and potential", "What they bring to fostering now, and what they could learn."),
    "suitability": (
        "Suitability of the applicants and the household",
        "Your analysis: strengths, doubts, and why they are, or are not, suitable.",
    ),
}
"""Schedule 3 Part 2, in the order of the report: name, heading, hint."""


# --- Panel ------------------------------------------------------------------------------------------------------------


class CentralListMember(Base):
    """Somebody on the central list of persons suitable to sit on panel (reg 23)."""

    __tablename__ = "panel_list_member"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"), unique=True)
    seat: Mapped[str] = mapped_column(String(12))
    background: Mapped[str | None] = mapped_column(String(120))
    is_independent: Mapped[bool] = mapped_column(default=False)
    is_qualifying_social_worker: Mapped[bool] = mapped_column(default=False)
    """A social worker with at least three years' relevant experience since qualifying."""
    until_on: Mapped[date | None] = mapped_column(Date)

    __table_args__ = (one_of("seat", Seat),)


class PanelMeeting(Base):
    """One meeting of the panel."""

    __tablename__ = "panel_meeting"

    id: Mapped[int] = mapped_column(primary_key=True)
    meets_at: Mapped[datetime] = mapped_column(UTCDateTime)
    meets_on: Mapped[date] = mapped_column(Date, index=True)
    """The London date of ``meets_at``."""
    place: Mapped[str | None] = mapped_column(String(200))
    link: Mapped[str | None] = mapped_column(String(300))
    is_joint: Mapped[bool] = mapped_column(default=False)
    """Held with another service: six make its quorum."""

    members: Mapped[list[PanelMember]] = relationship(order_by="PanelMember.id")
    items: Mapped[list[PanelItem]] = relationship(order_by="PanelItem.position", back_populates="meeting")

    __table_args__ = (CheckConstraint("place IS NOT NULL OR link IS NOT NULL", name="is_somewhere"),)


class PanelMember(Base):
    """A seat at one meeting, with what its holder was on the central list that day."""

    __tablename__ = "panel_member"

    id: Mapped[int] = mapped_column(primary_key=True)
    meeting_id: Mapped[int] = mapped_column(ForeignKey("panel_meeting.id"), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"), index=True)
    seat: Mapped[str] = mapped_column(String(12))
    background: Mapped[str | None] = mapped_column(String(120))
    is_independent: Mapped[bool] = mapped_column(default=False)
    is_qualifying_social_worker: Mapped[bool] = mapped_column(default=False)

    __table_args__ = (one_of("seat", Seat), UniqueConstraint("meeting_id", "user_id"))


class Recommendation(StrEnum):
    """What a panel may recommend. A brief report allows only the last two."""

    SUITABLE = "suitable"
    NOT_SUITABLE = "not_suitable"
    FULL_REPORT_NEEDED = "full_report_needed"


RECOMMENDATION_WORDS = {
    Recommendation.SUITABLE: "Suitable to foster",
    Recommendation.NOT_SUITABLE: "Not suitable",
    Recommendation.FULL_REPORT_NEEDED: "A full report is needed",
}


class PanelItem(RowKey, TermsColumns, Base):
    """One household on the agenda of one meeting, and what came of it."""

    __tablename__ = "panel_item"

    id: Mapped[int] = mapped_column(primary_key=True)
    meeting_id: Mapped[int] = mapped_column(ForeignKey("panel_meeting.id"), index=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("case_file.id"), index=True)
    application_id: Mapped[int] = mapped_column(ForeignKey("application.id"))
    report_id: Mapped[int] = mapped_column(ForeignKey("assessment_report.id"))
    position: Mapped[int] = mapped_column(Integer)
    about: Mapped[str] = mapped_column(String(16), default="application")
    listed_on: Mapped[date] = mapped_column(Date)
    papers_due_on: Mapped[date] = mapped_column(Date)
    papers_sent_on: Mapped[date | None] = mapped_column(Date)
    late_reason_sealed: Mapped[str | None] = mapped_column(Text)
    late_reason = EncryptedText("late_reason_sealed")
    """Why it comes after the 8 months, or with late papers."""
    outcome: Mapped[str | None] = mapped_column(String(12))
    ended_on: Mapped[date | None] = mapped_column(Date)
    recommendation: Mapped[str | None] = mapped_column(String(20))
    reasons_sealed: Mapped[str | None] = mapped_column(Text)
    reasons = EncryptedText("reasons_sealed")
    """Of the recommendation, or of putting it off."""
    other_terms_sealed: Mapped[str | None] = mapped_column(Text)
    other_terms = EncryptedText("other_terms_sealed")
    is_of_one_mind: Mapped[bool | None] = mapped_column()
    dissent_sealed: Mapped[str | None] = mapped_column(Text)
    dissent = EncryptedText("dissent_sealed")
    minutes_sealed: Mapped[str | None] = mapped_column(Text)
    minutes = EncryptedText("minutes_sealed")
    minutes_received_on: Mapped[date | None] = mapped_column(Date)
    """The day the decision maker had the final minutes: the 7 working days count from it."""

    meeting: Mapped[PanelMeeting] = relationship(back_populates="items")
    attendances: Mapped[list[PanelAttendance]] = relationship(order_by="PanelAttendance.id")

    __table_args__ = (
        one_of("about", ("application", "representations")),
        one_of("outcome", ("recommended", "deferred", "withdrawn")),
        one_of("recommendation", Recommendation),
        CheckConstraint("(outcome IS NULL) = (ended_on IS NULL)", name="ended_with_its_outcome"),
        CheckConstraint(
            "(recommendation IS NOT NULL) = (outcome IS NOT NULL AND outcome = 'recommended')",
            name="recommended_says_what",
        ),
        CheckConstraint(
            "outcome IS NULL OR outcome = 'withdrawn' OR reasons_sealed IS NOT NULL", name="outcome_has_reasons"
        ),
        CheckConstraint(
            "minutes_received_on IS NULL OR (recommendation IS NOT NULL AND minutes_sealed IS NOT NULL)",
            name="minutes_follow_a_recommendation",
        ),
        UniqueConstraint("meeting_id", "case_id"),
        Index(
            "uq_panel_item_waiting",
            "case_id",
            unique=True,
            sqlite_where=text("outcome IS NULL"),
            postgresql_where=text("outcome IS NULL"),
        ),
        *terms_checks(),
    )


class Presence(StrEnum):
    """Whether a member took part in one item."""

    PRESENT = "present"
    BY_VIDEO = "by_video"
    CONFLICT = "conflict"
    APOLOGIES = "apologies"


PRESENCE_WORDS = {
    Presence.PRESENT: "Here",
    Presence.BY_VIDEO: "Here, by video",
    Presence.CONFLICT: "Left the room",
    Presence.APOLOGIES: "Sent apologies",
}
TOOK_PART = (Presence.PRESENT, Presence.BY_VIDEO)


class PanelAttendance(RowKey, Base):
    """One member at one item."""

    __tablename__ = "panel_attendance"

    id: Mapped[int] = mapped_column(primary_key=True)
    item_id: Mapped[int] = mapped_column(ForeignKey("panel_item.id"), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"), index=True)
    presence: Mapped[str] = mapped_column(String(10))
    presides: Mapped[bool] = mapped_column(default=False)
    conflict_sealed: Mapped[str | None] = mapped_column(Text)
    conflict = EncryptedText("conflict_sealed")
    declared_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    __table_args__ = (
        one_of("presence", Presence),
        UniqueConstraint("item_id", "user_id"),
        CheckConstraint("presence <> 'conflict' OR conflict_sealed IS NOT NULL", name="conflict_says_what"),
        CheckConstraint("NOT presides OR presence IN ('present', 'by_video')", name="who_presides_is_there"),
    )


# --- Decision, notices, answer ----------------------------------------------------------------------------------------


class DecisionKind(StrEnum):
    """What the decision maker decides."""

    APPROVE = "approve"
    PROPOSE_NO = "propose_no"
    """A qualifying determination."""
    FULL_REPORT = "full_report"
    CONFIRM_NO = "confirm_no"


DECISION_WORDS = {
    DecisionKind.APPROVE: "Approve",
    DecisionKind.PROPOSE_NO: "Propose not to approve (qualifying determination)",
    DecisionKind.FULL_REPORT: "Ask for a full report",
    DecisionKind.CONFIRM_NO: "Confirm that we do not approve",
}


class Decision(RowKey, TermsColumns, Base):
    """A considered decision in the shape that Hofstetter v Barnet [2009] EWHC 3282 (Admin) asks for."""

    __tablename__ = "decision"

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("case_file.id"), index=True)
    application_id: Mapped[int] = mapped_column(ForeignKey("application.id"), index=True)
    panel_item_id: Mapped[int | None] = mapped_column(ForeignKey("panel_item.id"))
    """The recommendation that was before the decision maker, and goes with a notice of refusal."""
    kind: Mapped[str] = mapped_column(String(12))
    decided_by_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"))
    decided_on: Mapped[date] = mapped_column(Date)
    effective_on: Mapped[date | None] = mapped_column(Date)
    material_sealed: Mapped[str | None] = mapped_column(Text)
    material = EncryptedText("material_sealed")
    arguments_sealed: Mapped[str | None] = mapped_column(Text)
    arguments = EncryptedText("arguments_sealed")
    adopts_panel_reasons: Mapped[bool] = mapped_column(default=False)
    why_sealed: Mapped[str | None] = mapped_column(Text)
    why = EncryptedText("why_sealed")
    """Why the panel's reasons are adopted, or not."""
    consulted_sealed: Mapped[str | None] = mapped_column(Text)
    consulted = EncryptedText("consulted_sealed")
    """The senior colleague consulted where the decision differs from the panel, and what they said."""
    reasons_sealed: Mapped[str | None] = mapped_column(Text)
    reasons = EncryptedText("reasons_sealed")
    """As the household reads them."""
    other_terms_sealed: Mapped[str | None] = mapped_column(Text)
    other_terms = EncryptedText("other_terms_sealed")

    __table_args__ = (
        one_of("kind", DecisionKind),
        CheckConstraint("kind <> 'approve' OR effective_on IS NOT NULL", name="approval_has_its_day"),
        CheckConstraint("kind = 'approve' OR reasons_sealed IS NOT NULL", name="no_says_why"),
        *terms_checks(),
    )


class Notice(RowKey, Base):
    """That the household was told: by voice, or in writing with its date and how it went."""

    __tablename__ = "notice"

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("case_file.id"), index=True)
    decision_id: Mapped[int] = mapped_column(ForeignKey("decision.id"), index=True)
    kind: Mapped[str] = mapped_column(String(8))
    noticed_on: Mapped[date] = mapped_column(Date)
    """The day they were told, or the date on the letter: the 28 days count from it."""
    given_by_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"))
    method: Mapped[str] = mapped_column(String(10))
    dispatched_on: Mapped[date | None] = mapped_column(Date)
    dispatch_method: Mapped[str | None] = mapped_column(String(40))
    note_sealed: Mapped[str | None] = mapped_column(Text)
    note = EncryptedText("note_sealed")

    __table_args__ = (
        one_of("kind", ("oral", "written")),
        one_of("method", ("phone", "in_person", "video", "email", "post")),
        UniqueConstraint("decision_id", "kind"),
        CheckConstraint("(dispatched_on IS NULL) = (dispatch_method IS NULL)", name="dispatched_says_how"),
        CheckConstraint("dispatched_on IS NULL OR dispatched_on >= noticed_on", name="dispatched_once_dated"),
    )


class AnswerKind(StrEnum):
    """How a household answers a proposal not to approve: one way or the other, never both (reg 27)."""

    REPRESENTATIONS = "representations"
    IRM = "irm"


class Answer(RowKey, Base):
    """The household's answer to a qualifying determination."""

    __tablename__ = "determination_answer"

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("case_file.id"), index=True)
    decision_id: Mapped[int] = mapped_column(ForeignKey("decision.id"), unique=True)
    kind: Mapped[str] = mapped_column(String(16))
    received_on: Mapped[date] = mapped_column(Date)
    said_sealed: Mapped[str | None] = mapped_column(Text)
    said = EncryptedText("said_sealed")
    irm_papers_sent_on: Mapped[date | None] = mapped_column(Date)
    irm_recommendation: Mapped[str | None] = mapped_column(String(20))
    irm_received_on: Mapped[date | None] = mapped_column(Date)
    irm_reasons_sealed: Mapped[str | None] = mapped_column(Text)
    irm_reasons = EncryptedText("irm_reasons_sealed")

    __table_args__ = (
        one_of("kind", AnswerKind),
        one_of("irm_recommendation", ("suitable", "not_suitable")),
        CheckConstraint(
            "kind = 'irm' OR (irm_papers_sent_on IS NULL AND irm_received_on IS NULL)", name="irm_fields_are_irms"
        ),
        CheckConstraint("(irm_received_on IS NULL) = (irm_recommendation IS NULL)", name="irm_says_what"),
    )
