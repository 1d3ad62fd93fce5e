"""Documents: asked for, handed in from a phone or by staff, looked through for viruses, accepted or sent back.

What comes in is made anew first (``crm.files``): of a photo the dots are kept, of a PDF its pages. Nobody opens a file
before a scanner has found it clean; without a scanner it stays held, and the page says so. What is sent back is
dropped: nothing is kept of a document that is not good enough, or that we never wanted.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import aliased

from crm import policy
from crm.assessments.document_models import Document, DocumentFile, DocumentVersion
from crm.assessments.parts import applicants_of, may_fill_in
from crm.assessments.queries import live_people
from crm.assessments.steps import DayNotPossible, hold, not_after_today, note
from crm.cases import letters, timeline
from crm.cases.models import Case, Person, Task
from crm.cases.tasks import add_task
from crm.clock import london_date
from crm.db import db
from crm.delivery.post_room import post_room
from crm.files.accepting import TakenIn, take_in
from crm.files.models import StoredFile
from crm.files.store import digest_of, drop, keep
from crm.rules.documents import (
    KINDS,
    KINDS_BY_NAME,
    LOOKED_AHEAD,
    TO_DO,
    DocumentKind,
    OfWhom,
    Standing,
    standing_when_accepted,
)
from crm.rules.permissions import SYSTEM, Actor, ActorKind, Permission, Sensitivity, require
from crm.rules.refusal import Refusal
from crm.rules.rulebook import Rulebook
from crm.rules.stages import OPEN_APPLICATION, TrackName
from crm.web.filters import day_year

MOST_FILES = 8
"""Files that one document is made of, each time it is handed in."""
MOST_BYTES_OF_A_CASE = 300 * 1024 * 1024
"""Of all files that are kept of one household."""
LOOK_WITHIN = 3
"""Working days in which what came in is looked at (service policy)."""
LETTER = "document_wanted"
HARMFUL = "What you sent was not safe to open, so we removed it unopened. Please send it again as a photo."
BATCH = 50

_ROOM = threading.BoundedSemaphore(2)
"""Files that one process has made anew at a time: one that is made to harm may need a gigabyte before it is refused."""


class DocumentNotFound(Refusal):
    """No such document, or not one for whoever asks: the two are never told apart."""

    default_status = 404

    def __init__(self) -> None:
        super().__init__("We can’t find that document.")


class DocumentAsItStands(Refusal):
    """It can't be done as things stand with this document."""


class NotHandedIn(Refusal):
    """What was sent can't be taken."""

    default_status = 422


@dataclass(frozen=True)
class Taken:
    """One file that was handed in: made anew, or why it can't be."""

    digest: str
    file: TakenIn | None
    fault: Refusal | None = None


def take_each(raws: Sequence[bytes]) -> list[Taken]:
    """Make files anew; the same one twice is one. Slow: no transaction is to be open meanwhile."""
    taken: dict[str, Taken] = {}
    for raw in raws[: MOST_FILES + 1]:
        digest = digest_of(raw)
        if digest not in taken:
            try:
                with _ROOM:
                    taken[digest] = Taken(digest, take_in(raw))
            except Refusal as fault:
                taken[digest] = Taken(digest, None, fault)
    return list(taken.values())


# --- What there is, and how it stands ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class DocumentLine:
    """One document on a list: whose, of which kind, and how it stands; ``document`` is None while nobody has touched
    it."""

    kind: DocumentKind
    person: Person | None
    document: Document | None
    standing: Standing

    @property
    def key(self) -> str:
        """What names it in addresses: the document's own name, or the kind and whose it would be."""
        if self.document is not None:
            return self.document.public_id
        return f"{self.kind.name}-{self.person.id}" if self.person is not None else self.kind.name

    @property
    def is_to_do(self) -> bool:
        """Whether the household is to hand it in (again)."""
        return self.standing in TO_DO


def is_open(case: Case) -> bool:
    """Whether documents are taken in: from being invited to apply until the application has ended."""
    return may_fill_in(case) or case.stages.get(TrackName.APPLICATION) in OPEN_APPLICATION


def documents_of(case: Case) -> list[Document]:
    """Every document of a household, with what was handed in, in the order they came up. No file is opened."""
    return list(db.session.scalars(_DOCUMENTS, {"case_id": case.id}))


_DOCUMENTS = select(Document).where(Document.case_id == bindparam("case_id")).order_by(Document.id)


def standing_of(document: Document | None, *, today: date) -> Standing:
    """How a document stands."""
    last = document.last if document is not None else None
    if document is not None and document.not_needed_at is not None:
        return Standing.NOT_NEEDED
    if last is None:
        return Standing.WANTED
    if last.state == "sent_back":
        return Standing.SENT_BACK
    if last.state == "with_us":
        return Standing.HELD if last.is_held else Standing.WITH_US
    return standing_when_accepted(last.ends_on, today=today)


def lines_of(case: Case, *, today: date) -> dict[int | None, list[DocumentLine]]:
    """What is asked of each applicant, and of the household (None), with everything that was handed in."""
    rows = documents_of(case)
    people = {person.id: person for person in case.household.people}
    found: dict[int | None, list[DocumentLine]] = {person.id: [] for person in applicants_of(case)} | {None: []}
    for row in rows:
        person = people.get(row.person_id) if row.person_id is not None else None
        line = DocumentLine(KINDS_BY_NAME[row.kind], person, row, standing_of(row, today=today))
        found.setdefault(row.person_id, []).append(line)
    for person_id, lines in found.items():
        wanted = OfWhom.HOUSEHOLD if person_id is None else OfWhom.EACH
        there = {line.kind.name for line in lines}
        is_asked = person_id is None or people[person_id].is_applicant
        lines += [
            DocumentLine(kind, people.get(person_id or 0), None, Standing.WANTED)
            for kind in KINDS
            if kind.of_whom is wanted and kind.name not in there and is_asked
        ]
        lines.sort(key=lambda line: KINDS.index(line.kind))
    return found


def line_of(case: Case, key: str, *, today: date) -> DocumentLine:
    """The line that an address names: see ``DocumentLine.key``. Raises DocumentNotFound."""
    document = db.session.scalar(select(Document).where(Document.public_id == key, Document.case_id == case.id))
    if document is not None:
        kind = KINDS_BY_NAME[document.kind]
        return DocumentLine(kind, document.person, document, standing_of(document, today=today))
    name, _, number = key.partition("-")
    asked = KINDS_BY_NAME.get(name)
    person = next((one for one in live_people(case) if str(one.id) == number), None)
    if asked is None or asked.is_shared == bool(number) or (number and person is None):
        raise DocumentNotFound
    return line_for(case, asked, person, today=today)


def line_for(case: Case, kind: DocumentKind, person: Person | None, *, today: date) -> DocumentLine:
    """The document of this kind that a person (or the household) has; a new one where there is none. Of what has no
    name of its own there may be any number."""
    lines = lines_of(case, today=today).get(person.id if person is not None else None, [])
    there = next((line for line in lines if line.kind is kind and kind.name != "other"), None)
    return there or DocumentLine(kind, person, None, Standing.WANTED)


def for_check(case: Case, item: str, person_id: int | None, *, today: date) -> list[DocumentLine]:
    """The documents that help to verify a check."""
    lines = lines_of(case, today=today)
    near = [*lines.get(person_id, []), *(lines.get(None, []) if person_id is not None else [])]
    return [line for line in near if item in line.kind.items]


def subject_of(document: Document) -> str:
    """What the audit trail calls it."""
    return f"document:{document.id}"


# --- Handing in -------------------------------------------------------------------------------------------------------


def hand_in(
    case: Case,
    line: DocumentLine,
    taken: Sequence[Taken],
    *,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    words: str | None = None,
) -> DocumentVersion:
    """Keep what was handed in, by the applicant whose it is, or by staff for them. It waits to be scanned.

    The same files once more, while the first are with us, are there once. Raises NotHandedIn, DocumentAsItStands,
    DocumentNotFound.
    """
    _may_hand_in(case, line, actor)
    hold(case)
    if not is_open(case):
        raise DocumentAsItStands("Documents are taken in while an application is open, and this one is not.")
    files = _files_of(taken)
    document = _there_or_new(case, line, today=today)
    if words:
        document.words = words
    last = document.last
    if last is not None and last.state == "with_us" and _digests(last) == [one.digest for one in taken]:
        return last
    if sum(len(one.content) for one in files) + _bytes_of(case) > MOST_BYTES_OF_A_CASE:
        raise NotHandedIn("There is no room for more files of this household. Ring us, and we look.", field="files")
    document.not_needed_at = document.not_needed_by_id = None
    version = DocumentVersion(
        document=document,
        number=(last.number if last is not None else 0) + 1,
        state="with_us",
        handed_in_at=now,
        handed_in_by_id=actor.person_id if actor.kind is ActorKind.APPLICANT else None,
        taken_in_by_id=actor.user_id,
    )
    db.session.add(version)
    db.session.flush()
    for number, (one, file) in enumerate(zip(taken, files, strict=True), start=1):
        stored = keep(file.media, file.content, digest=one.digest, case_id=case.id, actor=actor, now=now)
        version.pages.append(
            DocumentFile(
                public_id=secrets.token_urlsafe(16),
                number=number,
                file_id=stored.id,
                sheets=file.pages,
                scan="waiting",
                scan_next_at=now,
            )
        )
    db.session.flush()
    # What was handed in before and nobody has looked at gives way to what came now.
    if last is not None and last.state == "with_us":
        _send_back(last, "A newer one was sent in its place.", actor=actor, case_id=case.id, now=now)
    note("document.handed_in", case, actor=actor, now=now, subject=subject_of(document), files=len(files))
    _tell_owner(case, document, actor=actor, now=now, due_on=rulebook.calendar.add(today, LOOK_WITHIN))
    return version


def _may_hand_in(case: Case, line: DocumentLine, actor: Actor) -> None:
    if actor.kind is not ActorKind.APPLICANT:
        require(actor, Permission.RECORD_CHECK)
        return
    require(actor, Permission.RECORD_APPLICATION)
    is_ours = any(one.id == actor.person_id for one in applicants_of(case))
    is_theirs = line.person is None or line.person.id == actor.person_id
    if not (is_ours and is_theirs and line.kind.by_applicants):
        raise DocumentNotFound


def _files_of(taken: Sequence[Taken]) -> list[TakenIn]:
    if not taken:
        raise NotHandedIn("Choose a photo or a PDF to send.", field="files")
    if len(taken) > MOST_FILES:
        raise NotHandedIn(f"{MOST_FILES} files at a time are enough. Leave some out.", field="files")
    files = []
    for number, one in enumerate(taken, start=1):
        if one.file is None:
            which = f"File {number}: " if len(taken) > 1 else ""
            raise NotHandedIn(which + (one.fault.message if one.fault else "That can’t be read."), field="files")
        files.append(one.file)
    return files


def _there_or_new(case: Case, line: DocumentLine, *, today: date) -> Document:
    """The document of a line, begun where there is none. Somebody else may have begun it since the line was read."""
    there = line.document or line_for(case, line.kind, line.person, today=today).document
    if there is not None:
        return there
    document = Document(
        public_id=secrets.token_urlsafe(16),
        case_id=case.id,
        person_id=line.person.id if line.person is not None else None,
        kind=line.kind.name,
        sensitivity=line.kind.sensitivity,
    )
    db.session.add(document)
    db.session.flush()
    return document


def _digests(version: DocumentVersion) -> list[str]:
    rows = db.session.execute(
        select(StoredFile.id, StoredFile.digest).where(StoredFile.id.in_([page.file_id for page in version.pages]))
    ).all()
    known = {row.id: row.digest for row in rows}
    return [known[page.file_id] for page in version.pages]


def _bytes_of(case: Case) -> int:
    return (
        db.session.scalar(
            select(func.sum(StoredFile.size))
            .join(DocumentFile, DocumentFile.file_id == StoredFile.id)
            .join(DocumentVersion, DocumentVersion.id == DocumentFile.version_id)
            .join(Document, Document.id == DocumentVersion.document_id)
            .where(Document.case_id == case.id)
        )
        or 0
    )


def _tell_owner(case: Case, document: Document, *, actor: Actor, now: datetime, due_on: date) -> None:
    """Somebody is to look at what came in; one task for all that comes before they do."""
    if actor.is_staff:
        return
    whose = document.person.full_name if document.person else case.household.name
    _task(case, f"Look at what {whose} sent in", actor=actor, now=now, due_on=due_on)


def _task(case: Case, title: str, *, actor: Actor, now: datetime, due_on: date) -> None:
    owner_id = case.owner_id or policy.service().fallback_owner_id
    is_there = db.session.scalar(
        select(Task.id).where(Task.case_id == case.id, Task.title == title, Task.done_at.is_(None)).limit(1)
    )
    if owner_id is not None and is_there is None:
        add_task(title=title, assigned_to_id=owner_id, due_on=due_on, actor=actor, now=now, case=case)


# --- Asking, accepting, sending back ----------------------------------------------------------------------------------


def ask_for(
    case: Case,
    kind: DocumentKind,
    person: Person | None,
    words: str | None,
    *,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
) -> Document:
    """Ask an applicant, or the household, for a document, and write to them. Raises DocumentAsItStands, NotHandedIn."""
    require(actor, Permission.RECORD_CHECK)
    hold(case)
    if not is_open(case):
        raise DocumentAsItStands("Documents are asked for while an application is open, and this one is not.")
    if not kind.by_applicants:
        raise DocumentAsItStands(f"{kind.title}: this does not come from the household, so it is not asked of them.")
    owner = None if kind.is_shared else person
    if owner is None and not kind.is_shared:
        raise NotHandedIn("Choose whose it is", field="whose")
    if kind.name == "other" and not words:
        raise NotHandedIn("Write what you need", field="words")
    line = line_for(case, kind, owner, today=today)
    if line.document is not None and line.standing in (Standing.HELD, Standing.WITH_US):
        raise DocumentAsItStands("One has come in already, and waits for somebody to look at it.")
    document = _there_or_new(case, line, today=today)
    document.words = words
    document.asked_at, document.asked_by_id = now, actor.user_id
    document.not_needed_at = document.not_needed_by_id = None
    db.session.flush()
    note("document.asked", case, actor=actor, now=now, subject=subject_of(document))
    _write_to(case, document, actor=actor, now=now, today=today, rulebook=rulebook)
    return document


def accept(
    case: Case,
    document: Document,
    *,
    seen: int,
    original_seen_on: date | None,
    ends_on: date | None,
    actor: Actor,
    now: datetime,
    today: date,
) -> DocumentVersion:
    """Say that what was handed in is good. ``seen`` is the number that was looked at. One that runs out has its last
    day. Raises DocumentAsItStands, DayNotPossible."""
    require(actor, Permission.RECORD_CHECK)
    hold(case)
    version = _looked_at(document, seen)
    if version.is_held:
        raise DocumentAsItStands("It still waits for the virus scanner. Nobody can look at it before that.")
    kind = KINDS_BY_NAME[document.kind]
    if kind.runs_out and ends_on is None:
        raise DayNotPossible("Write the last day on which it holds", field="ends_on")
    if ends_on is not None and ends_on < today:
        raise DayNotPossible("That has run out already. Send it back, and ask for the new one.", field="ends_on")
    if original_seen_on is not None:
        not_after_today(original_seen_on, today=today, field="original_seen_on", what="The day you saw the original")
    version.state, version.looked_at_at, version.looked_at_by_id = "accepted", now, actor.user_id
    version.original_seen_on, version.ends_on = original_seen_on, ends_on
    db.session.flush()
    _drop_earlier(document, version, actor=actor, case_id=case.id, now=now)
    note("document.accepted", case, actor=actor, now=now, subject=subject_of(document), number=version.number)
    whose = document.person.given_name if document.person else "the household"
    close = document.sensitivity not in (Sensitivity.ORDINARY, Sensitivity.PERSONAL)
    what = "a document" if close else f"{kind.title[0].lower()}{kind.title[1:]}"
    timeline.add(
        case,
        kind="check",
        title=f"Accepted from {whose}: {what}",
        actor=actor,
        occurred_at=now,
        person_id=document.person_id,
    )
    return version


def send_back(
    case: Case,
    document: Document,
    why: str,
    *,
    seen: int,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
) -> None:
    """Ask for it again, with the reason. What was sent is dropped. Raises DocumentAsItStands."""
    require(actor, Permission.RECORD_CHECK)
    hold(case)
    version = _looked_at(document, seen)
    _send_back(version, why, actor=actor, case_id=case.id, now=now)
    note("document.sent_back", case, actor=actor, now=now, subject=subject_of(document), number=version.number)
    if KINDS_BY_NAME[document.kind].by_applicants:
        _write_to(case, document, actor=actor, now=now, today=today, rulebook=rulebook)


def not_needed(case: Case, line: DocumentLine, *, actor: Actor, now: datetime, today: date) -> Document:
    """Say that this document is not needed of them. What was handed in and not looked at is dropped."""
    require(actor, Permission.RECORD_CHECK)
    hold(case)
    document = _there_or_new(case, line, today=today)
    if document.not_needed_at is not None:
        raise DocumentAsItStands("It is not needed already.")
    last = document.last
    if last is not None and last.state == "with_us":
        _send_back(last, "It is not needed.", actor=actor, case_id=case.id, now=now)
    document.not_needed_at, document.not_needed_by_id = now, actor.user_id
    db.session.flush()
    note("document.not_needed", case, actor=actor, now=now, subject=subject_of(document))
    return document


def _looked_at(document: Document, seen: int) -> DocumentVersion:
    last = document.last
    if last is None or last.number != seen:
        raise DocumentAsItStands("A newer one has come in meanwhile. Look at that one.")
    if last.state != "with_us":
        raise DocumentAsItStands("Somebody has looked at it already.")
    return last


def _send_back(version: DocumentVersion, why: str, *, actor: Actor, case_id: int, now: datetime) -> None:
    version.why = why
    version.state, version.looked_at_at, version.looked_at_by_id = "sent_back", now, actor.user_id
    _drop_files(version, actor=actor, case_id=case_id, now=now)


def _drop_files(version: DocumentVersion, *, actor: Actor, case_id: int, now: datetime) -> None:
    for page in list(version.pages):
        stored = db.session.get_one(StoredFile, page.file_id)
        db.session.delete(page)
        db.session.flush()
        drop(stored, case_id=case_id, actor=actor, now=now)
    db.session.flush()
    db.session.expire(version, ["pages"])


def _drop_earlier(document: Document, version: DocumentVersion, *, actor: Actor, case_id: int, now: datetime) -> None:
    """Of what was accepted before, the one just before this is kept: what was relied on can still be looked at."""
    for older in [one for one in document.versions if one.state == "accepted" and one is not version][:-1]:
        _drop_files(older, actor=actor, case_id=case_id, now=now)


def _write_to(case: Case, document: Document, *, actor: Actor, now: datetime, today: date, rulebook: Rulebook) -> None:
    """Tell whoever is to hand it in that something waits on their list, once a day. The letter does not say what."""
    letters.send_to_applicants(
        LETTER,
        case=case,
        context={"list_url": f"{post_room().base_url}/my/documents"},
        actor=actor,
        now=now,
        today=today,
        rulebook=rulebook,
        occasion=today.isoformat(),
        only=[document.person_id] if document.person_id is not None else None,
    )


# --- What a scanner says ----------------------------------------------------------------------------------------------


def files_held() -> int:
    """How many files wait for a scanner."""
    return db.session.scalar(select(func.count()).where(DocumentFile.scan == "waiting")) or 0


def waiting_file(file_id: int) -> tuple[Case, DocumentFile] | None:
    """A file that still waits for its scanner, with its household held; None where it was sent back or looked through
    meanwhile."""
    case = db.session.scalars(
        select(Case)
        .join(Document, Document.case_id == Case.id)
        .join(DocumentVersion, DocumentVersion.document_id == Document.id)
        .join(DocumentFile, DocumentFile.version_id == DocumentVersion.id)
        .where(DocumentFile.file_id == file_id)
    ).one_or_none()
    if case is None:
        return None
    hold(case)
    page = db.session.scalars(select(DocumentFile).where(DocumentFile.file_id == file_id)).one_or_none()
    return (case, page) if page is not None and page.scan == "waiting" else None


def found_clean(page: DocumentFile, *, now: datetime) -> None:
    """From now on it can be opened."""
    page.scan, page.scanned_at, page.scan_next_at = "clean", now, None


def found_harmful(case: Case, page: DocumentFile, found: str, *, now: datetime) -> None:
    """Drop what was handed in, and tell the household and whoever looks after it. ``found`` is the scanner's word."""
    version, today = page.version, london_date(now)
    document = version.document
    _send_back(version, HARMFUL, actor=SYSTEM, case_id=case.id, now=now)
    note("document.harmful", case, actor=SYSTEM, now=now, subject=subject_of(document), found=found[:80])
    rulebook = policy.rulebook_on(today)
    if version.handed_in_by_id is not None:
        _write_to(case, document, actor=SYSTEM, now=now, today=today, rulebook=rulebook)
    whose = document.person.full_name if document.person else case.household.name
    _task(
        case,
        f"A file for {whose} held something harmful and was removed. Ask for it again",
        actor=SYSTEM,
        now=now,
        due_on=rulebook.calendar.next_working_day(today),
    )


# --- What runs out ----------------------------------------------------------------------------------------------------


def ask_anew(now: datetime) -> int:
    """Tell owners which accepted documents run out soon; how many there were. For the timetable."""
    today = london_date(now)
    rulebook = policy.rulebook_on(today)
    newer = aliased(DocumentVersion)
    due = db.session.scalars(
        select(DocumentVersion)
        .where(
            DocumentVersion.state == "accepted",
            DocumentVersion.ends_on <= today + timedelta(days=LOOKED_AHEAD),
            DocumentVersion.asked_anew_at.is_(None),
            ~select(newer.id)
            .where(newer.document_id == DocumentVersion.document_id, newer.number > DocumentVersion.number)
            .exists(),
        )
        .order_by(DocumentVersion.ends_on, DocumentVersion.id)
        .limit(BATCH)
    ).all()
    for version in due:
        version.asked_anew_at = now
        document = version.document
        case = db.session.get_one(Case, document.case_id)
        if not is_open(case) or document.not_needed_at is not None or version.ends_on is None:
            continue
        whose = document.person.full_name if document.person else case.household.name
        kind = KINDS_BY_NAME[document.kind]
        close = document.sensitivity not in (Sensitivity.ORDINARY, Sensitivity.PERSONAL)
        title = "A document" if close else kind.title
        _task(
            case,
            f"{title} of {whose} runs out on {day_year(version.ends_on)}: ask for the new one",
            actor=SYSTEM,
            now=now,
            due_on=rulebook.calendar.next_working_day(today),
        )
    db.session.flush()
    return len(due)


def undone_for(case: Case, person: Person, *, today: date) -> list[DocumentLine]:
    """What this applicant is to hand in: theirs, and the household's."""
    if not is_open(case):
        return []
    lines = lines_of(case, today=today)
    return [line for line in (*lines.get(person.id, []), *lines[None]) if line.is_to_do and line.kind.by_applicants]
