"""Tables of a household's journey.

Three summaries are stored because lists must stay quick at a million cases: where a case stands (``place``, ``band``,
``is_open``), and what is to be done next. They are rewritten with every change in ``summary.py`` and checked, never
silently mended, by ``crm check``.
"""

from __future__ import annotations

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
    false,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from crm.cases.merge_models import FormerCase as FormerCase
from crm.cases.merge_models import FormerPerson as FormerPerson
from crm.cases.merge_models import HouseholdMerge as HouseholdMerge
from crm.cases.merge_models import MergeRow as MergeRow
from crm.db import Base, EncryptedText, KeyText, RowKey, UTCDateTime, one_of
from crm.rules.breaches import BreachCode
from crm.rules.permissions import Sensitivity
from crm.rules.progress import Standing
from crm.rules.stages import TrackName


class Channel(StrEnum):
    """How an enquiry reached the service (domain.md 4.5, the first of the two levels of source)."""

    WEB = "web"
    PHONE = "phone"
    EMAIL = "email"
    EVENT = "event"
    REFERRAL = "referral"
    HUB = "hub"
    OTHER = "other"


CHANNEL_WORDS = {
    Channel.WEB: "Web form",
    Channel.PHONE: "Phone",
    Channel.EMAIL: "Email",
    Channel.EVENT: "Event",
    Channel.REFERRAL: "Referral",
    Channel.HUB: "Hub",
    Channel.OTHER: "Other",
}


class PersonRole(StrEnum):
    """A person's part in the household, in the law's words."""

    APPLICANT_1 = "applicant_1"
    APPLICANT_2 = "applicant_2"
    HOUSEHOLD_ADULT = "household_adult"
    CHILD = "child"
    CHILD_ELSEWHERE = "child_elsewhere"


ROLE_WORDS = {
    PersonRole.APPLICANT_1: "Applicant",
    PersonRole.APPLICANT_2: "Applicant",
    PersonRole.HOUSEHOLD_ADULT: "Adult at home",
    PersonRole.CHILD: "Child at home",
    PersonRole.CHILD_ELSEWHERE: "Child living elsewhere",
}
APPLICANT_ROLES = (PersonRole.APPLICANT_1, PersonRole.APPLICANT_2)


class AssignmentRole(StrEnum):
    """Why a member of staff may open a case that their role alone does not open."""

    OWNER = "owner"
    ASSESSOR = "assessor"
    VISITING_OFFICER = "visiting_officer"
    PANEL_MEMBER = "panel_member"


class Band(StrEnum):
    """Which part of the journey a case is in: what the staff lists are made from."""

    ENQUIRY = "enquiry"
    APPLICATION = "application"
    ENDED = "ended"


NUMBERS_NEVER_COME_BACK = {"sqlite_autoincrement": True}
"""SQLite gives the number of the newest row again once that row is gone. A household, person or case that was merged
into another may be put back, and the trail names it by its number for ever."""


class Household(RowKey, Base):
    """People in one home: the unit that Ofsted counts."""

    __tablename__ = "household"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(300))
    address_sealed: Mapped[str | None] = mapped_column(Text)
    address = EncryptedText("address_sealed")
    postcode: Mapped[str | None] = mapped_column(String(20))
    postcode_key: Mapped[str | None] = mapped_column(KeyText(12), index=True)
    """Upper case without spaces: BR13QO."""
    local_authority: Mapped[str | None] = mapped_column(String(120))
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)

    people: Mapped[list[Person]] = relationship(back_populates="household", order_by="Person.id")

    __table_args__ = NUMBERS_NEVER_COME_BACK


class Person(RowKey, Base):
    """Somebody in a household, with how they may and may not be reached."""

    __tablename__ = "person"

    id: Mapped[int] = mapped_column(primary_key=True)
    household_id: Mapped[int] = mapped_column(ForeignKey("household.id"), index=True)
    role: Mapped[str] = mapped_column(String(20))
    given_name: Mapped[str] = mapped_column(String(120))
    family_name: Mapped[str | None] = mapped_column(String(120))
    given_key: Mapped[str] = mapped_column(KeyText(120))
    family_key: Mapped[str | None] = mapped_column(KeyText(120))
    born_on: Mapped[date | None] = mapped_column(Date)
    email: Mapped[str | None] = mapped_column(String(254))
    email_key: Mapped[str | None] = mapped_column(KeyText(254), index=True)
    phone: Mapped[str | None] = mapped_column(String(40))
    phone_key: Mapped[str | None] = mapped_column(KeyText(20), index=True)
    """E.164 where the number can be read (+447700900118), else the digits as typed."""
    prefers: Mapped[str | None] = mapped_column(String(10))
    contact_times: Mapped[str | None] = mapped_column(String(200))
    no_calls: Mapped[bool] = mapped_column(default=False)
    no_voicemail: Mapped[bool] = mapped_column(default=False)
    no_texts: Mapped[bool] = mapped_column(default=False, server_default=false())
    no_emails: Mapped[bool] = mapped_column(default=False, server_default=false())
    no_letters: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Nothing by post: somebody else opens it."""
    quiet_times: Mapped[str | None] = mapped_column(String(60))
    """When not to be in touch, in the words of ``rules.quiet_times``."""
    email_unconfirmed_since: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """The address came in place of another and nobody has said yet that it is theirs: nothing sensitive goes to it."""
    email_fails_since: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """A letter came back because there is no such mailbox: nothing goes to it until a person says that it works."""
    no_contact: Mapped[bool] = mapped_column(default=False)
    """They asked us to stop: nothing goes out on any channel but what the law makes us send."""
    safe_contact_sealed: Mapped[str | None] = mapped_column(Text)
    safe_contact = EncryptedText("safe_contact_sealed")
    """Why, and what else to mind, in words for staff."""
    left_household_on: Mapped[date | None] = mapped_column(Date)
    is_to_compare: Mapped[bool] = mapped_column(default=False, server_default=false())
    """New or changed since they were last compared with everybody else on file."""

    household: Mapped[Household] = relationship(back_populates="people")
    other_names: Mapped[list[OtherName]] = relationship(
        back_populates="person", order_by="OtherName.id", cascade="all, delete-orphan"
    )
    keys: Mapped[list[PersonKey]] = relationship(cascade="all, delete-orphan", passive_deletes=True)
    """Kept right by ``person_keys``; nobody else writes them."""

    __table_args__ = (
        one_of("role", PersonRole),
        CheckConstraint("prefers IN ('phone', 'text', 'email', 'post')", name="prefers_is_known"),
        # Names are typed in either order, and the second only begun.
        Index("ix_person_name", "family_key", "given_key"),
        Index("ix_person_given_name", "given_key", "family_key"),
        Index(
            "ix_person_to_compare",
            "id",
            sqlite_where=text("is_to_compare"),
            postgresql_where=text("is_to_compare"),
        ),
        NUMBERS_NEVER_COME_BACK,
    )

    @property
    def full_name(self) -> str:
        return f"{self.given_name} {self.family_name}" if self.family_name else self.given_name

    @property
    def is_applicant(self) -> bool:
        return self.role in APPLICANT_ROLES


class OtherNameKind(StrEnum):
    """Why somebody has another name."""

    FORMER = "former"
    KNOWN_AS = "known_as"


OTHER_NAME_WORDS = {OtherNameKind.FORMER: "A name they had before", OtherNameKind.KNOWN_AS: "A name they go by"}


class OtherName(Base):
    """Another name of somebody: a surname before marriage, what friends call them. They are found by it, too."""

    __tablename__ = "other_name"

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    kind: Mapped[str] = mapped_column(String(12))
    given_name: Mapped[str | None] = mapped_column(String(120))
    """Empty where only the surname was another."""
    family_name: Mapped[str | None] = mapped_column(String(120))

    person: Mapped[Person] = relationship(back_populates="other_names")

    __table_args__ = (
        one_of("kind", OtherNameKind),
        CheckConstraint("given_name IS NOT NULL OR family_name IS NOT NULL", name="is_a_name"),
    )

    @property
    def words(self) -> str:
        return " ".join(part for part in (self.given_name, self.family_name) if part)


class PersonKey(Base):
    """What somebody is found by when a name is spelled another way: see ``keys.person_keys``."""

    __tablename__ = "person_key"

    kind: Mapped[str] = mapped_column(KeyText(8), primary_key=True)
    key: Mapped[str] = mapped_column(KeyText(120), primary_key=True)
    person_id: Mapped[int] = mapped_column(
        ForeignKey("person.id", ondelete="CASCADE"), primary_key=True, index=True, autoincrement=False
    )

    # One tree holds the rows in the order in which they are looked up.
    __table_args__ = (one_of("kind", ("names", "word", "mailbox", "born")), {"sqlite_with_rowid": False})


class PairState(StrEnum):
    """What a person made of two households that may be one."""

    OPEN = "open"
    NOT_SAME = "not_same"


class LikenessPair(Base):
    """Two households that may be one, with what speaks for it, until a person has said."""

    __tablename__ = "likeness_pair"

    id: Mapped[int] = mapped_column(primary_key=True)
    one_id: Mapped[int] = mapped_column(ForeignKey("household.id", ondelete="CASCADE"))
    other_id: Mapped[int] = mapped_column(ForeignKey("household.id", ondelete="CASCADE"), index=True)
    """The younger of the two: its id is the greater."""
    standing: Mapped[str] = mapped_column(String(12))
    score: Mapped[float] = mapped_column(Float)
    """Bits: see ``rules.likeness``."""
    reasons: Mapped[str] = mapped_column(Text)
    """One on a line."""
    state: Mapped[str] = mapped_column(String(10), default=PairState.OPEN)
    found_at: Mapped[datetime] = mapped_column(UTCDateTime)
    decided_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    decided_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))

    one: Mapped[Household] = relationship(foreign_keys=[one_id])
    other: Mapped[Household] = relationship(foreign_keys=[other_id])

    __table_args__ = (
        UniqueConstraint("one_id", "other_id"),
        CheckConstraint("one_id < other_id", name="once_a_pair"),
        one_of("state", PairState),
        one_of("standing", ("same_people", "one_home", "shared")),
        CheckConstraint("(state = 'open') = (decided_at IS NULL)", name="decided_says_when"),
        Index("ix_likeness_pair_list", "state", "score", "id"),
    )

    @property
    def reason_list(self) -> list[str]:
        return self.reasons.splitlines()


class ContactLink(Base):
    """A secret link by which somebody tells us something about being written to, without signing in.

    The link itself is not kept: it is made again from the serial and a key, so that each letter of a time carries the
    same one, and is found by its digest.
    """

    __tablename__ = "contact_link"

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    purpose: Mapped[str] = mapped_column(String(10))
    serial: Mapped[str] = mapped_column(String(32))
    token_digest: Mapped[str] = mapped_column(KeyText(64), unique=True)
    address_key: Mapped[str | None] = mapped_column(KeyText(32))
    """What it is about, for a link that confirms an address: keyed digest of the address."""
    made_at: Mapped[datetime] = mapped_column(UTCDateTime)
    ends_at: Mapped[datetime] = mapped_column(UTCDateTime)

    __table_args__ = (CheckConstraint("purpose IN ('stop', 'confirm')", name="purpose_is_known"),)


class Campaign(Base):
    """The second level of source: a leaflet, a radio week, an event. Free records, not a fixed list."""

    __tablename__ = "campaign"

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(KeyText(40), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    cost_pence: Mapped[int] = mapped_column(Integer, default=0)


class Case(Base):
    """One journey of a household, from first hello to a decision. Kept as ``case_file``: CASE is a word of SQL."""

    __tablename__ = "case_file"

    id: Mapped[int] = mapped_column(primary_key=True)
    reference: Mapped[str] = mapped_column(KeyText(16), unique=True)
    household_id: Mapped[int] = mapped_column(ForeignKey("household.id"), index=True)
    version: Mapped[int] = mapped_column(Integer, default=1)
    """Rises with every change: what a form carries as ``seen``."""
    opened_at: Mapped[datetime] = mapped_column(UTCDateTime)
    channel: Mapped[str] = mapped_column(String(20))
    campaign_id: Mapped[int | None] = mapped_column(ForeignKey("campaign.id"), index=True)
    edition: Mapped[str] = mapped_column(String(40))
    """The edition of the rules that the case began under."""
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))

    is_open: Mapped[bool] = mapped_column(default=True)
    place: Mapped[str] = mapped_column(String(24))
    band: Mapped[str] = mapped_column(String(12))
    next_action: Mapped[str | None] = mapped_column(String(200))
    next_action_due_on: Mapped[date | None] = mapped_column(Date)
    next_action_turn: Mapped[str | None] = mapped_column(String(12))
    next_action_rule: Mapped[str | None] = mapped_column(String(40))
    """The rule of the clock that the next action comes from: lists say it beside the date."""

    touched_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When one of us last did something about them; from the start, when they came. Who has it is no touch."""

    eligibility_outcome: Mapped[str | None] = mapped_column(String(20))
    """What a person decided after screening: eligible, conversation, not_now or not_eligible."""
    application_received_on: Mapped[date | None] = mapped_column(Date)
    closed_on: Mapped[date | None] = mapped_column(Date)
    closed_reason: Mapped[str | None] = mapped_column(String(40))
    retain_until_on: Mapped[date | None] = mapped_column(Date)

    household: Mapped[Household] = relationship()
    tracks: Mapped[list[Track]] = relationship(back_populates="case", order_by="Track.name")

    __table_args__ = (
        # An open case without an owner, a next action and a due date is a household that somebody forgets.
        CheckConstraint(
            "NOT is_open OR (owner_id IS NOT NULL AND next_action IS NOT NULL AND next_action_due_on IS NOT NULL)",
            name="open_is_somebodys",
        ),
        one_of("band", Band),
        one_of("channel", Channel),
        # What stands after "id" sorts nothing: it lets an index answer, or pass over a case, without reading the row.
        Index("ix_case_file_queue", "band", "next_action_due_on", "id", "place"),
        Index("ix_case_file_place", "place", "next_action_due_on", "id", "band"),
        Index("ix_case_file_owner_queue", "owner_id", "is_open", "next_action_due_on", "id", "place"),
        Index("ix_case_file_owner_place", "owner_id", "place", "next_action_due_on", "id", "band"),
        Index("ix_case_file_opened", "opened_at", "id"),
        # The wall: what nobody has touched, by whose it is, the longest first. What rests until a day waits for that.
        Index(
            "ix_case_file_untouched",
            "owner_id",
            "touched_at",
            "id",
            "place",
            "is_open",
            sqlite_where=text("is_open AND place <> 'not_now'"),
            postgresql_where=text("is_open AND place <> 'not_now'"),
        ),
        NUMBERS_NEVER_COME_BACK,
    )

    @property
    def stages(self) -> dict[TrackName, str]:
        """Where each track that has begun stands."""
        return {TrackName(track.name): track.stage for track in self.tracks}


class Enquiry(RowKey, Base):
    """One touch: a form, a call, a word at a stall. The first starts the clock; later ones never restart it."""

    __tablename__ = "enquiry"

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("case_file.id"), index=True)
    received_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)
    channel: Mapped[str] = mapped_column(String(20))
    campaign_id: Mapped[int | None] = mapped_column(ForeignKey("campaign.id"), index=True)
    captured_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))
    interest: Mapped[str | None] = mapped_column(String(12))
    said_sealed: Mapped[str | None] = mapped_column(Text)
    said = EncryptedText("said_sealed")
    """What they told us in their own words."""
    one_time_id: Mapped[str | None] = mapped_column(KeyText(80), unique=True)

    __table_args__ = (
        one_of("channel", Channel),
        CheckConstraint("interest IN ('ready', 'thinking', 'looking')", name="interest_is_known"),
    )


class Track(Base):
    """Where one of the tracks of a case stands. Moved only by ``change_stage``."""

    __tablename__ = "track"

    case_id: Mapped[int] = mapped_column(ForeignKey("case_file.id"), primary_key=True)
    name: Mapped[str] = mapped_column(String(16), primary_key=True)
    stage: Mapped[str] = mapped_column(String(20))
    version: Mapped[int] = mapped_column(Integer, default=1)
    since_on: Mapped[date] = mapped_column(Date)

    case: Mapped[Case] = relationship(back_populates="tracks")

    __table_args__ = (one_of("name", TrackName),)


class StageChange(RowKey, Base):
    """One move of one track: who, when, from where to where, and why."""

    __tablename__ = "stage_change"

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("case_file.id"), index=True)
    track: Mapped[str] = mapped_column(String(16))
    from_stage: Mapped[str | None] = mapped_column(String(20))
    to_stage: Mapped[str] = mapped_column(String(20))
    move: Mapped[str] = mapped_column(String(40))
    changed_at: Mapped[datetime] = mapped_column(UTCDateTime)
    effective_on: Mapped[date] = mapped_column(Date)
    actor_kind: Mapped[str] = mapped_column(String(12))
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))
    reason_code: Mapped[str | None] = mapped_column(String(40))
    reason_sealed: Mapped[str | None] = mapped_column(Text)
    reason = EncryptedText("reason_sealed")
    is_correction: Mapped[bool] = mapped_column(default=False)
    edition: Mapped[str] = mapped_column(String(40))

    __table_args__ = (
        one_of("track", TrackName),
        Index("ix_stage_change_reached", "track", "to_stage", "effective_on"),
        # Which applications a year of the return is about is read from here alone.
        Index(
            "ix_stage_change_application",
            "case_id",
            "effective_on",
            "to_stage",
            "is_correction",
            sqlite_where=text("track = 'application'"),
            postgresql_where=text("track = 'application'"),
        ),
    )


class Journey(Base):
    """How far a household has come, over all its cases: what reports count. Kept by ``journeys``, and by nothing else.

    One row a household, so that ten years of them are counted without reading a single story. The day of each place is
    that on which the household first got there; see ``rules.progress``.
    """

    __tablename__ = "journey"

    household_id: Mapped[int] = mapped_column(
        ForeignKey("household.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    asked_on: Mapped[date] = mapped_column(Date)
    asked_weekday: Mapped[int] = mapped_column(Integer)
    """London; 0 is Monday."""
    asked_hour: Mapped[int] = mapped_column(Integer)
    """London; 0 to 23."""
    channel: Mapped[str] = mapped_column(String(20))
    """Of the first touch, as the campaign is."""
    campaign_id: Mapped[int | None] = mapped_column(Integer)
    district: Mapped[str | None] = mapped_column(KeyText(6))
    """The first half of their postcode: which area of the service that is, is settled when somebody asks."""
    spoken_on: Mapped[date | None] = mapped_column(Date)
    visited_on: Mapped[date | None] = mapped_column(Date)
    applied_on: Mapped[date | None] = mapped_column(Date)
    passed_on: Mapped[date | None] = mapped_column(Date)
    panel_on: Mapped[date | None] = mapped_column(Date)
    approved_on: Mapped[date | None] = mapped_column(Date)
    decided_on: Mapped[date | None] = mapped_column(Date)
    spoken_after: Mapped[int | None] = mapped_column(Integer)
    """Working days from the place before, as is each of these; by the calendar of ``JourneyCalendar``."""
    visited_after: Mapped[int | None] = mapped_column(Integer)
    applied_after: Mapped[int | None] = mapped_column(Integer)
    passed_after: Mapped[int | None] = mapped_column(Integer)
    panel_after: Mapped[int | None] = mapped_column(Integer)
    decided_after: Mapped[int | None] = mapped_column(Integer)
    """From the panel to the first decision."""
    left_after: Mapped[int | None] = mapped_column(Integer)
    """From the last place to the ending or the pause."""
    standing: Mapped[str] = mapped_column(String(12))
    ended_on: Mapped[date | None] = mapped_column(Date)
    ended_why: Mapped[str | None] = mapped_column(String(40))

    __table_args__ = (
        one_of("standing", Standing),
        one_of("channel", Channel),
        CheckConstraint(
            "(ended_on IS NOT NULL) = (standing IN ('resting', 'ended'))", name="ended_or_resting_says_when"
        ),
        CheckConstraint("asked_weekday BETWEEN 0 AND 6 AND asked_hour BETWEEN 0 AND 23", name="asked_at_a_real_hour"),
        # Ten years are counted from these alone, without the rows: everybody, those who were visited, those who
        # applied, and those on the way.
        Index(
            "ix_journey_asked",
            "asked_on",
            "standing",
            "spoken_on",
            "spoken_after",
            "visited_on",
            "visited_after",
            "applied_on",
            "passed_on",
            "panel_on",
            "approved_on",
            "left_after",
            "ended_on",
            "channel",
            "district",
            "asked_weekday",
            "asked_hour",
            "ended_why",
        ),
        Index(
            "ix_journey_visited",
            "visited_on",
            "asked_on",
            "standing",
            "applied_on",
            "applied_after",
            "left_after",
            "ended_on",
            "district",
            sqlite_where=text("visited_on IS NOT NULL"),
            postgresql_where=text("visited_on IS NOT NULL"),
        ),
        Index(
            "ix_journey_applied",
            "applied_on",
            "asked_on",
            "standing",
            "passed_on",
            "passed_after",
            "panel_on",
            "panel_after",
            "decided_on",
            "decided_after",
            "approved_on",
            "left_after",
            "ended_on",
            "district",
            sqlite_where=text("applied_on IS NOT NULL"),
            postgresql_where=text("applied_on IS NOT NULL"),
        ),
        Index(
            "ix_journey_on_the_way",
            "asked_on",
            "spoken_on",
            "visited_on",
            "applied_on",
            "passed_on",
            "panel_on",
            "approved_on",
            "decided_on",
            "channel",
            "district",
            sqlite_where=text("standing = 'on_the_way'"),
            postgresql_where=text("standing = 'on_the_way'"),
        ),
        Index(
            "ix_journey_campaign",
            "campaign_id",
            "asked_on",
            "channel",
            "district",
            sqlite_where=text("campaign_id IS NOT NULL"),
            postgresql_where=text("campaign_id IS NOT NULL"),
        ),
    )


class JourneyCalendar(Base):
    """The working-day calendar that the waits of ``journey`` were counted by: one row. Where the calendar has changed
    since (a holiday was proclaimed or moved away), all are counted anew, in batches."""

    __tablename__ = "journey_calendar"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    digest: Mapped[str] = mapped_column(String(64))
    counted_to: Mapped[int | None] = mapped_column(Integer)
    """The last household counted anew, while that goes on; None when all are."""

    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)


class Deadline(Base):
    """A clock: the date something is due, with the rule and the edition that made it."""

    __tablename__ = "deadline"

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("case_file.id"))
    rule: Mapped[str] = mapped_column(String(40))
    edition: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(60), default="")
    """Tells apart clocks of one rule on one case: ``check:12``."""
    about: Mapped[str | None] = mapped_column(String(200))
    """Words put before the rule's own: "Sam's DBS"."""
    counted_from_on: Mapped[date] = mapped_column(Date)
    due_on: Mapped[date] = mapped_column(Date)
    turn: Mapped[str] = mapped_column(String(12))
    stopped_on: Mapped[date | None] = mapped_column(Date)
    stopped_how: Mapped[str | None] = mapped_column(String(12))

    __table_args__ = (
        CheckConstraint("(stopped_on IS NULL) = (stopped_how IS NULL)", name="stopped_says_how"),
        CheckConstraint("stopped_how IN ('met', 'ended', 'replaced')", name="stopped_how_is_known"),
        one_of("turn", ("service", "household", "other")),
        Index(
            "uq_deadline_running",
            "case_id",
            "rule",
            "subject",
            unique=True,
            sqlite_where=text("stopped_on IS NULL"),
            postgresql_where=text("stopped_on IS NULL"),
        ),
        # Whoever reads the clocks of all their cases finds in the index what is due next, without the rows.
        Index("ix_deadline_of_case", "case_id", "stopped_on", "due_on", "turn"),
        # What waits for a role is found by its few rules, among millions of clocks of others.
        Index(
            "ix_deadline_of_rule",
            "rule",
            "due_on",
            sqlite_where=text("stopped_on IS NULL"),
            postgresql_where=text("stopped_on IS NULL"),
        ),
        Index(
            "ix_deadline_due",
            "due_on",
            sqlite_where=text("stopped_on IS NULL"),
            postgresql_where=text("stopped_on IS NULL"),
        ),
        # Whether the promises and limits of a period were kept is read from here alone.
        Index("ix_deadline_kept", "rule", "counted_from_on", "due_on", "stopped_on", "stopped_how", "case_id"),
        # What was done too late, among all that was done in time.
        Index(
            "ix_deadline_late",
            "rule",
            "due_on",
            "id",
            sqlite_where=text("stopped_on > due_on"),
            postgresql_where=text("stopped_on > due_on"),
        ),
    )


class BreachReason(RowKey, Base):
    """Why a clock was missed, as a manager gave it. The newest is in force; those before it are kept."""

    __tablename__ = "breach_reason"

    id: Mapped[int] = mapped_column(primary_key=True)
    deadline_id: Mapped[int] = mapped_column(ForeignKey("deadline.id"))
    code: Mapped[str] = mapped_column(String(20))
    words_sealed: Mapped[str | None] = mapped_column(Text)
    words = EncryptedText("words_sealed")
    given_at: Mapped[datetime] = mapped_column(UTCDateTime)
    given_by_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"))
    replaced_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    __table_args__ = (
        one_of("code", BreachCode),
        CheckConstraint("code <> 'other' OR words_sealed IS NOT NULL", name="other_says_what"),
        CheckConstraint("replaced_at IS NULL OR replaced_at >= given_at", name="replaced_after_it_was_given"),
        Index("ix_breach_reason_clock", "deadline_id", "id"),
        Index(
            "uq_breach_reason_in_force",
            "deadline_id",
            unique=True,
            sqlite_where=text("replaced_at IS NULL"),
            postgresql_where=text("replaced_at IS NULL"),
        ),
    )


class Fact(RowKey, Base):
    """Something known about a household or a person in it, asked once: its value, who said so, and when."""

    __tablename__ = "fact"

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("case_file.id"))
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"), index=True)
    key: Mapped[str] = mapped_column(String(40))
    value_sealed: Mapped[str | None] = mapped_column(Text)
    value = EncryptedText("value_sealed")
    sensitivity: Mapped[str] = mapped_column(String(12), default=Sensitivity.ORDINARY)
    source: Mapped[str] = mapped_column(String(120))
    stated_on: Mapped[date] = mapped_column(Date)
    replaced_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Set when a newer answer took its place; kept, so that what was known when can be shown."""

    __table_args__ = (
        one_of("sensitivity", Sensitivity),
        Index("ix_fact_case_key", "case_id", "key"),
    )


class Consent(Base):
    """What a person said to being contacted on one channel for news and events, with the wording they were shown."""

    __tablename__ = "consent"

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    channel: Mapped[str] = mapped_column(String(10))
    given: Mapped[bool] = mapped_column()
    wording_version: Mapped[str] = mapped_column(String(40))
    recorded_at: Mapped[datetime] = mapped_column(UTCDateTime)
    source: Mapped[str] = mapped_column(String(120))

    __table_args__ = (one_of("channel", ("email", "text", "phone", "post")),)


class TimelineEntry(RowKey, Base):
    """One line of a household's story: a move, a call, a letter, a visit, a check, a note."""

    __tablename__ = "timeline_entry"

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("case_file.id"))
    occurred_at: Mapped[datetime] = mapped_column(UTCDateTime)
    kind: Mapped[str] = mapped_column(String(12))
    title: Mapped[str] = mapped_column(String(200))
    detail_sealed: Mapped[str | None] = mapped_column(Text)
    detail = EncryptedText("detail_sealed")
    sensitivity: Mapped[str] = mapped_column(String(12), default=Sensitivity.ORDINARY)
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"), index=True)
    actor_name: Mapped[str] = mapped_column(String(160))
    actor_id: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))

    __table_args__ = (
        CheckConstraint(
            "kind IN ('move', 'contact', 'letter', 'visit', 'check', 'note', 'fact', 'system')", name="kind_is_known"
        ),
        one_of("sensitivity", Sensitivity),
        Index("ix_timeline_entry_case", "case_id", "occurred_at", "id"),
    )


class Task(Base):
    """Something one person has to do by a day: about a case, or the service's own work."""

    __tablename__ = "task"

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int | None] = mapped_column(ForeignKey("case_file.id"), index=True)
    assigned_to_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"))
    title: Mapped[str] = mapped_column(String(200))
    due_on: Mapped[date] = mapped_column(Date)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    done_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    done_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))

    __table_args__ = (
        Index("ix_task_done", "done_by_id", "done_at"),
        Index(
            "ix_task_to_do",
            "assigned_to_id",
            "due_on",
            sqlite_where=text("done_at IS NULL"),
            postgresql_where=text("done_at IS NULL"),
        ),
    )


class CaseAssignment(Base):
    """Somebody's part in a case, and from when to when it opens the case to them."""

    __tablename__ = "case_assignment"

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("case_file.id"), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"))
    role: Mapped[str] = mapped_column(String(20))
    from_on: Mapped[date] = mapped_column(Date)
    until_on: Mapped[date | None] = mapped_column(Date)
    """The last day it opens the case; empty while it goes on."""

    __table_args__ = (
        one_of("role", AssignmentRole),
        UniqueConstraint("case_id", "user_id", "role", "from_on"),
        # Somebody owns thousands of cases in the course of the years, and assesses a handful: the two are kept apart.
        Index("ix_case_assignment_part", "user_id", "role", "until_on", "from_on", "case_id"),
    )


class ContactAttempt(Base):
    """One try to reach somebody that did not reach them: who tried, when and how."""

    __tablename__ = "contact_attempt"

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("case_file.id"))
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    how: Mapped[str] = mapped_column(String(16))
    tried_at: Mapped[datetime] = mapped_column(UTCDateTime)
    by_id: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))
    timeline_entry_id: Mapped[int | None] = mapped_column(ForeignKey("timeline_entry.id"), index=True)
    undone_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Tapped by mistake and taken back: it counts for nothing, and its line on the timeline says so."""

    __table_args__ = (
        one_of("how", ("no_answer", "voicemail", "text", "email", "wrong_number")),
        Index("ix_contact_attempt_case", "case_id", "tried_at", "id"),
    )


class ClosingRequest(RowKey, Base):
    """Somebody asked to close an enquiry for want of an answer, and a manager agrees or not."""

    __tablename__ = "closing_request"

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("case_file.id"), index=True)
    asked_at: Mapped[datetime] = mapped_column(UTCDateTime)
    asked_by_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"))
    words_sealed: Mapped[str | None] = mapped_column(Text)
    words = EncryptedText("words_sealed")
    """What the household is told."""
    write_to_them: Mapped[bool] = mapped_column()
    settled_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    settled_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))
    agreed: Mapped[bool | None] = mapped_column()
    """Empty while it waits, and where something else happened first: they rang, or it was closed otherwise."""

    __table_args__ = (
        CheckConstraint("settled_at IS NOT NULL OR agreed IS NULL", name="answered_when_settled"),
        Index(
            "uq_closing_request_open",
            "case_id",
            unique=True,
            sqlite_where=text("settled_at IS NULL"),
            postgresql_where=text("settled_at IS NULL"),
        ),
        Index(
            "ix_closing_request_waiting",
            "asked_at",
            "id",
            sqlite_where=text("settled_at IS NULL"),
            postgresql_where=text("settled_at IS NULL"),
        ),
    )


class EnquiryTurn(Base):
    """An enquiry that went to somebody because it was their turn in an area."""

    __tablename__ = "enquiry_turn"

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("case_file.id"), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("staff_user.id"))
    area: Mapped[str] = mapped_column(KeyText(80))
    taken_at: Mapped[datetime] = mapped_column(UTCDateTime)

    __table_args__ = (Index("ix_enquiry_turn_recent", "area", "user_id", "taken_at"),)


class AreaTurn(Base):
    """One row an area: whoever takes a turn in it takes this row first, so that two forms at once get two turns."""

    __tablename__ = "area_turn"

    area: Mapped[str] = mapped_column(KeyText(80), primary_key=True)
    turns: Mapped[int] = mapped_column(Integer, default=0)


class Escalation(Base):
    """Managers were told that nobody has got in touch: once before a first contact is due, once when it is over."""

    __tablename__ = "escalation"

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("case_file.id"))
    kind: Mapped[str] = mapped_column(String(8))
    due_on: Mapped[date] = mapped_column(Date)
    told_at: Mapped[datetime] = mapped_column(UTCDateTime)

    __table_args__ = (
        one_of("kind", ("due", "over")),
        # Two workers that look at the same moment tell it once.
        UniqueConstraint("case_id", "kind", "due_on"),
    )
