"""Tables of documents: what is asked of whom, each time it was handed in, and the files it is made of."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from crm.cases.models import Person
from crm.db import Base, EncryptedText, KeyText, RowKey, UTCDateTime, one_of
from crm.rules.permissions import Sensitivity

VERSION_STATES = ("with_us", "accepted", "sent_back")
SCAN_STATES = ("waiting", "clean")


class Document(RowKey, Base):
    """One document of a person, or of the household as a whole: what it is, and whether it is needed."""

    __tablename__ = "document"

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(KeyText(22), unique=True)
    """What stands in addresses: drawn by lot, so that nobody counts documents."""
    case_id: Mapped[int] = mapped_column(ForeignKey("case_file.id"), index=True)
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"), index=True)
    """Whose it is; empty for the household's."""
    kind: Mapped[str] = mapped_column(String(20))
    sensitivity: Mapped[str] = mapped_column(String(12))
    words_sealed: Mapped[str | None] = mapped_column(Text)
    words = EncryptedText("words_sealed")
    """What exactly is wanted, in the words of whoever asked."""
    asked_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    asked_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))
    not_needed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    not_needed_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))

    person: Mapped[Person | None] = relationship()
    versions: Mapped[list[DocumentVersion]] = relationship(
        back_populates="document", order_by="DocumentVersion.number", lazy="selectin"
    )

    __table_args__ = (
        one_of("sensitivity", Sensitivity),
        CheckConstraint("(asked_at IS NULL) = (asked_by_id IS NULL)", name="asked_by_somebody"),
        CheckConstraint("(not_needed_at IS NULL) = (not_needed_by_id IS NULL)", name="not_needed_says_who"),
    )

    @property
    def last(self) -> DocumentVersion | None:
        """What was handed in last."""
        return self.versions[-1] if self.versions else None

    @property
    def accepted(self) -> DocumentVersion | None:
        """What was accepted last; a newer one may wait to be looked at."""
        return next((one for one in reversed(self.versions) if one.state == "accepted"), None)


class DocumentVersion(RowKey, Base):
    """One time that a document was handed in: by an applicant, or by staff for them."""

    __tablename__ = "document_version"

    id: Mapped[int] = mapped_column(primary_key=True)
    document_id: Mapped[int] = mapped_column(ForeignKey("document.id"))
    number: Mapped[int] = mapped_column(Integer)
    state: Mapped[str] = mapped_column(String(10))
    handed_in_at: Mapped[datetime] = mapped_column(UTCDateTime)
    handed_in_by_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    taken_in_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))
    looked_at_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    looked_at_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))
    """Empty where no person looked: what a scanner found harmful is sent back without one."""
    original_seen_on: Mapped[date | None]
    """The day a person held the original beside it; empty where nobody has."""
    ends_on: Mapped[date | None]
    """The last day on which it holds."""
    asked_anew_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When its owner was told that it runs out."""
    why_sealed: Mapped[str | None] = mapped_column(Text)
    why = EncryptedText("why_sealed")
    """Why it was sent back, as the household reads it."""

    document: Mapped[Document] = relationship(back_populates="versions")
    pages: Mapped[list[DocumentFile]] = relationship(
        back_populates="version", order_by="DocumentFile.number", lazy="selectin"
    )

    __table_args__ = (
        one_of("state", VERSION_STATES),
        UniqueConstraint("document_id", "number"),
        CheckConstraint("(handed_in_by_id IS NULL) = (taken_in_by_id IS NOT NULL)", name="by_one_of_them"),
        CheckConstraint("(state = 'with_us') = (looked_at_at IS NULL)", name="looked_at_says_when"),
        CheckConstraint("state = 'accepted' OR (ends_on IS NULL AND original_seen_on IS NULL)", name="accepted_holds"),
        CheckConstraint("(state = 'sent_back') = (why_sealed IS NOT NULL)", name="sent_back_says_why"),
        Index("ix_document_version_ends", "ends_on"),
    )

    @property
    def is_held(self) -> bool:
        """Whether any of its files has not been found free of viruses."""
        return any(page.scan != "clean" for page in self.pages)


class DocumentFile(Base):
    """One file of what was handed in. It can be opened once it was found clean; what is sent back is dropped."""

    __tablename__ = "document_file"

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(KeyText(22), unique=True)
    version_id: Mapped[int] = mapped_column(ForeignKey("document_version.id"))
    number: Mapped[int] = mapped_column(Integer)
    file_id: Mapped[int] = mapped_column(ForeignKey("stored_file.id"), unique=True)
    sheets: Mapped[int] = mapped_column(Integer)
    """Pages of a PDF; 1 for a photo."""
    scan: Mapped[str] = mapped_column(String(8))
    scan_next_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When it is looked through (again); empty once that is over."""
    scan_tries: Mapped[int] = mapped_column(Integer, default=0)
    scanned_at: Mapped[datetime | None] = mapped_column(UTCDateTime)

    version: Mapped[DocumentVersion] = relationship(back_populates="pages")

    __table_args__ = (
        one_of("scan", SCAN_STATES),
        UniqueConstraint("version_id", "number"),
        CheckConstraint("(scan = 'waiting') = (scan_next_at IS NOT NULL)", name="waiting_says_until_when"),
        CheckConstraint("(scan = 'waiting') = (scanned_at IS NULL)", name="looked_through_says_when"),
        CheckConstraint("sheets > 0", name="has_sheets"),
        Index("ix_document_file_scan", "scan_next_at"),
    )
