"""Tables of sign-up sheets: an upload, its lines with what becomes of each, and which column of a shape holds what."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, LargeBinary, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from crm.db import Base, EncryptedBytes, EncryptedText, KeyText, RowKey, UTCDateTime, one_of


class ImportStep(StrEnum):
    """How far a sheet is. The worker goes on with those that are on their way; the others wait for a person."""

    READING = "reading"
    UNREADABLE = "unreadable"
    COLUMNS = "columns"
    """A person has to say which column holds what."""
    CHECKING = "checking"
    CHECKED = "checked"
    """The dry run is there to be looked at; nothing has been loaded."""
    LOADING = "loading"
    STOPPED = "stopped"
    """Somebody stopped the loading: what was loaded stays, the rest can go on or the whole be undone."""
    LOADED = "loaded"
    UNDOING = "undoing"
    UNDONE = "undone"
    DISCARDED = "discarded"
    """Thrown away before anything was loaded: neither the file nor a line of it is kept."""


ON_THEIR_WAY = (ImportStep.READING, ImportStep.CHECKING, ImportStep.LOADING, ImportStep.UNDOING)


class Verdict(StrEnum):
    """What a line comes to."""

    NEW = "new"
    SAME_PERSON = "same_person"
    SAME_HOUSEHOLD = "same_household"
    LOOK = "look"
    """It may be somebody we know: a person may decide; nobody deciding, it is loaded as new."""
    REPEAT = "repeat"
    PASSED_OVER = "passed_over"
    """No person: a total, or the headings again."""
    REFUSED = "refused"


LOADED_VERDICTS = (Verdict.NEW, Verdict.SAME_PERSON, Verdict.SAME_HOUSEHOLD, Verdict.LOOK)


class Decision(StrEnum):
    """What a person said about a line that needs a look."""

    JOIN = "join"
    NEW = "new"
    LEAVE_OUT = "leave_out"


class Outcome(StrEnum):
    """What a line led to."""

    OPENED = "opened"
    JOINED = "joined"
    TAKEN_BACK = "taken_back"
    KEPT = "kept"
    """The import was undone, but somebody had worked on the household since."""


ON_ITS_WAY = text("step IN ('reading', 'checking', 'loading', 'undoing')")


class SheetImport(RowKey, Base):
    """A sign-up sheet from its upload on. The file and its lines are sealed, and dropped some days after."""

    __tablename__ = "sheet_import"

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[int] = mapped_column(ForeignKey("recruitment_event.id"), index=True)
    filename: Mapped[str] = mapped_column(String(200))
    content_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    content = EncryptedBytes("content_sealed")
    columns_sealed: Mapped[str | None] = mapped_column(Text)
    columns = EncryptedText("columns_sealed")
    """Which column holds what, as JSON: guessed, remembered, or said by a person."""
    head_sealed: Mapped[str | None] = mapped_column(Text)
    head = EncryptedText("head_sealed")
    """What stands above the lines, as JSON: the title, the headings, the sheets of the workbook (``sheets.Head``)."""
    sheet_at: Mapped[int] = mapped_column(Integer, default=0)
    """Which sheet of the workbook, from nought."""
    headings_at: Mapped[int | None] = mapped_column(Integer)
    """The line of the headings, where a person said so; 0: there are none."""
    step: Mapped[str] = mapped_column(String(12), default=ImportStep.READING)
    problem: Mapped[str | None] = mapped_column(String(300))
    """Why it can't be read, in words for whoever uploaded it."""
    line_count: Mapped[int] = mapped_column(Integer, default=0)
    done_to: Mapped[int] = mapped_column(Integer, default=0)
    """The last line that the present stage has dealt with. Set in the transaction that deals with it."""
    done_count: Mapped[int] = mapped_column(Integer, default=0)
    sends_letters: Mapped[bool] = mapped_column(default=False)
    uploaded_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))
    uploaded_at: Mapped[datetime] = mapped_column(UTCDateTime, index=True)
    started_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))
    """In whose name it is loaded or undone."""
    loaded_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    undone_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    loaded_count: Mapped[int] = mapped_column(Integer, default=0)
    joined_count: Mapped[int] = mapped_column(Integer, default=0)
    refused_count: Mapped[int] = mapped_column(Integer, default=0)

    __table_args__ = (
        one_of("step", ImportStep),
        Index("ix_sheet_import_on_its_way", "id", sqlite_where=ON_ITS_WAY, postgresql_where=ON_ITS_WAY),
    )

    @property
    def is_on_its_way(self) -> bool:
        return self.step in ON_THEIR_WAY


class SheetLine(RowKey, Base):
    """One line of a sheet: what it says, what it comes to, and what it led to.

    Ids of cases and enquiries are no foreign keys: a line says what was once done, whatever became of it later.
    """

    __tablename__ = "sheet_line"

    id: Mapped[int] = mapped_column(primary_key=True)
    import_id: Mapped[int] = mapped_column(ForeignKey("sheet_import.id", ondelete="CASCADE"))
    number: Mapped[int] = mapped_column(Integer)
    """As a spreadsheet counts, from 1."""
    cells_sealed: Mapped[str] = mapped_column(Text)
    cells = EncryptedText("cells_sealed")
    """JSON: the line's cells, as text."""
    fingerprint: Mapped[str] = mapped_column(KeyText(80))
    verdict: Mapped[str | None] = mapped_column(String(16))
    has_doubts: Mapped[bool] = mapped_column(default=False)
    notes_sealed: Mapped[str | None] = mapped_column(Text)
    notes = EncryptedText("notes_sealed")
    """JSON: what a person should look at, and why a line is refused."""
    phone_key: Mapped[str | None] = mapped_column(KeyText(20))
    email_key: Mapped[str | None] = mapped_column(KeyText(254))
    place_key: Mapped[str | None] = mapped_column(KeyText(140))
    """Surname and whole postcode, where both are known."""
    match_case_id: Mapped[int | None] = mapped_column(Integer)
    match_line: Mapped[int | None] = mapped_column(Integer)
    decision: Mapped[str | None] = mapped_column(String(10))
    outcome: Mapped[str | None] = mapped_column(String(12))
    case_id: Mapped[int | None] = mapped_column(Integer)
    enquiry_id: Mapped[int | None] = mapped_column(Integer)
    reference: Mapped[str | None] = mapped_column(KeyText(16))
    before_sealed: Mapped[str | None] = mapped_column(Text)
    before = EncryptedText("before_sealed")
    """JSON: what joining this line added and what it changed, to take it off again (``cases.taking_back.Added``)."""
    loaded_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    why_kept: Mapped[str | None] = mapped_column(String(120))

    __table_args__ = (
        UniqueConstraint("import_id", "number"),
        one_of("verdict", Verdict),
        one_of("decision", Decision),
        one_of("outcome", Outcome),
        CheckConstraint("decision IS NULL OR verdict = 'look'", name="only_a_look_is_decided"),
        CheckConstraint(
            "(outcome IS NULL) = (loaded_at IS NULL) AND (outcome IS NULL) = (case_id IS NULL)",
            name="outcome_says_when_and_where",
        ),
        Index("ix_sheet_line_verdict", "import_id", "verdict", "number"),
        Index("ix_sheet_line_fingerprint", "import_id", "fingerprint"),
        Index("ix_sheet_line_phone", "import_id", "phone_key"),
        Index("ix_sheet_line_email", "import_id", "email_key"),
        Index("ix_sheet_line_place", "import_id", "place_key"),
    )


class SheetColumns(Base):
    """Which column holds what on sheets of one shape, as a person last said. Holds positions, never what is in them."""

    __tablename__ = "sheet_columns"

    id: Mapped[int] = mapped_column(primary_key=True)
    shape: Mapped[str] = mapped_column(KeyText(64), unique=True)
    """Digest of the headings."""
    columns_json: Mapped[str] = mapped_column(Text)
    set_by_id: Mapped[int | None] = mapped_column(ForeignKey("staff_user.id"))
    set_at: Mapped[datetime] = mapped_column(UTCDateTime)
