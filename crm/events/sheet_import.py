"""Loading a sign-up sheet: a dry run that says what would happen to each line, then the good lines, once.

A line is known by its content, so a sheet may be loaded again, whole or put right: what is there is passed over.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from sqlalchemy import delete, select

from crm import policy
from crm.audit import record
from crm.cases import keys
from crm.cases.models import Case, Enquiry, Household
from crm.cases.owners import owner_for as owner_by_area
from crm.db import db, rows_changed
from crm.events import columns as columns_
from crm.events.door import OwnerFor, household_of, likenesses, log_enquirer
from crm.events.models import RecruitmentEvent, SheetImport
from crm.events.queries import event_by_id
from crm.events.sheets import Sheet, read_sheet
from crm.events.sign_ups import SignUp, read_line
from crm.rules.permissions import SYSTEM, Actor, Permission, require
from crm.rules.refusal import Refusal
from crm.rules.rulebook import Rulebook
from crm.rules.stages import TrackName

KEPT_FOR = timedelta(days=14)
"""How long an uploaded sheet is kept: long enough to put it right, no longer (it holds names and numbers)."""


class SheetChangedMeanwhile(Refusal):
    """The sheet is not there any more, or was loaded already."""


GOOD, ATTENTION, REFUSED, REPEAT = "good", "attention", "refused", "repeat"
STATUS_WORDS = {GOOD: "Good", ATTENTION: "Needs attention", REFUSED: "Refused", REPEAT: "Here already"}


@dataclass(frozen=True)
class Verdict:
    """What a line comes to. Good lines and those that need attention are loaded; ``notes`` say what to look at."""

    sign_up: SignUp
    status: str
    notes: tuple[str, ...] = ()
    reference: str | None = None
    joined: bool = False

    @property
    def number(self) -> int:
        return self.sign_up.number

    @property
    def is_loaded(self) -> bool:
        return self.status in (GOOD, ATTENTION)


@dataclass(frozen=True)
class Report:
    """A whole sheet, line by line. ``loaded`` is False for a dry run."""

    sheet: Sheet
    verdicts: tuple[Verdict, ...]
    loaded: bool = False

    @property
    def counts(self) -> Counter[str]:
        return Counter(verdict.status for verdict in self.verdicts)

    @property
    def refused(self) -> int:
        return self.counts[REFUSED]

    @property
    def opened(self) -> int:
        """New households (in a dry run, as far as can be told before)."""
        return sum(verdict.is_loaded and not verdict.joined for verdict in self.verdicts)

    @property
    def joined(self) -> int:
        return sum(verdict.is_loaded and verdict.joined for verdict in self.verdicts)

    def lines(self) -> list[str]:
        """The report as plain lines, for a terminal."""
        said = []
        for verdict in self.verdicts:
            if verdict.notes or verdict.status in (REFUSED, REPEAT):
                said.append(
                    f"Line {verdict.number}: {STATUS_WORDS[verdict.status].lower()}, {verdict.sign_up.label}. "
                    + " ".join(verdict.notes)
                )
        done = "Loaded" if self.loaded else "Would load"
        said.append(
            f"{done} {_many(self.opened + self.joined, 'line')}: {_many(self.opened, 'new household')}, "
            f"{self.joined} joined to one we know. "
            f"{self.counts[ATTENTION]} to look at, {self.counts[REPEAT]} here already, {self.refused} refused."
        )
        return said

    def error_file(self) -> bytes:
        """The lines to put right, as CSV: the reason first, then the line as it was. No cell of it computes."""
        out = io.StringIO(newline="")
        writer = csv.writer(out)
        writer.writerow(["Line", "Standing", "Why", *(_inert(cell) for cell in self.sheet.header)])
        cells = {line.number: line.cells for line in self.sheet.lines}
        for verdict in self.verdicts:
            if verdict.status != GOOD:
                why = " ".join(verdict.notes)
                row = [str(verdict.number), STATUS_WORDS[verdict.status], why, *cells[verdict.number]]
                writer.writerow([_inert(cell) for cell in row])
        return b"\xef\xbb\xbf" + out.getvalue().encode()


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _inert(cell: str) -> str:
    """A cell that a spreadsheet shows and never runs."""
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@", "\t", "\r", "\0") else cell


# --- The dry run ------------------------------------------------------------------------------------------------------


def dry_run(
    sheet: Sheet,
    columns: Mapping[str, int],
    *,
    event: RecruitmentEvent,
    wording_version: str,
    our_districts: frozenset[str],
) -> Report:
    """What would happen to each line if the sheet were loaded now. Writes nothing."""
    sign_ups = [
        read_line(line, columns, event_id=event.id, wording_version=wording_version, our_districts=our_districts)
        for line in sheet.lines
    ]
    there_already = _fingerprints_here([sign_up.fingerprint for sign_up in sign_ups])
    first_line: dict[str, int] = {}
    by_contact: dict[str, SignUp] = {}
    by_surname: dict[tuple[str, str], int] = {}
    verdicts = []
    for sign_up in sign_ups:
        verdicts.append(_verdict(sign_up, there_already, first_line, by_contact, by_surname))
    return Report(sheet, tuple(verdicts))


def _verdict(
    sign_up: SignUp,
    there_already: frozenset[str],
    first_line: dict[str, int],
    by_contact: dict[str, SignUp],
    by_surname: dict[tuple[str, str], int],
) -> Verdict:
    if sign_up.fingerprint in first_line:
        return Verdict(sign_up, REPEAT, (f"Word for word the same as line {first_line[sign_up.fingerprint]}.",))
    first_line[sign_up.fingerprint] = sign_up.number
    if sign_up.refused:
        return Verdict(sign_up, REFUSED, (sign_up.refused,))
    if sign_up.fingerprint in there_already:
        return Verdict(sign_up, REPEAT, ("Loaded before.",))
    notes = list(sign_up.doubts)
    joined = False
    first = sign_up.people[0]
    contacts = [key for key in (keys.phone_key(first.phone), keys.email_key(first.email)) if key]
    same = next((by_contact[key] for key in contacts if key in by_contact), None)
    if same is not None and not _first_names(same).isdisjoint(_first_names(sign_up)):
        joined = True
        notes.append(f"The same phone or email as line {same.number}: joins that household.")
    elif same is not None:
        notes.append(
            f"The same phone or email as line {same.number}, and other names: a couple, or two strangers? They are "
            "logged apart, for somebody to look at."
        )
    elif (known := household_of(sign_up.people)) is not None:
        joined = True
        notes.append(_joins(known))
    else:
        notes.extend(_likeness_notes(sign_up, by_surname))
    for key in contacts:
        by_contact.setdefault(key, sign_up)
    if (place := _surname_and_postcode(sign_up)) is not None:
        by_surname.setdefault(place, sign_up.number)
    return Verdict(sign_up, ATTENTION if notes else GOOD, tuple(notes), joined=joined)


def _first_names(sign_up: SignUp) -> set[str | None]:
    return {keys.name_key(person.given_name) for person in sign_up.people}


def _joins(known: Case) -> str:
    """Whose household a line joins. Whoever loads a sheet may open enquiries, so it is named."""
    if TrackName.APPLICATION in known.stages:
        return f"The same phone or email as {known.reference}, in assessment: joins that household."
    return f"The same phone or email as {known.household.name}, {known.reference}: joins that household."


def _likeness_notes(sign_up: SignUp, by_surname: Mapping[tuple[str, str], int]) -> list[str]:
    place = _surname_and_postcode(sign_up)
    if place is not None and place in by_surname:
        return [f"The same surname and postcode as line {by_surname[place]}. Ask whether it is one household."]
    alike = likenesses(sign_up.people, postcode=sign_up.postcode)
    return [f"May be {one.household}, {one.reference} ({', '.join(one.reasons)}). Compare them." for one in alike[:1]]


def _surname_and_postcode(sign_up: SignUp) -> tuple[str, str] | None:
    family = keys.name_key(sign_up.people[0].family_name)
    if not family or not sign_up.postcode or not keys.is_whole_postcode(sign_up.postcode):
        return None
    return family, keys.postcode_key(sign_up.postcode) or ""


def _fingerprints_here(fingerprints: list[str]) -> frozenset[str]:
    found: set[str] = set()
    for start in range(0, len(fingerprints), 500):
        found.update(
            db.session.scalars(
                select(Enquiry.one_time_id).where(Enquiry.one_time_id.in_(fingerprints[start : start + 500]))
            )
        )
    return frozenset(found)


# --- Loading ----------------------------------------------------------------------------------------------------------


def load(
    sheet: Sheet,
    columns: Mapping[str, int],
    *,
    event: RecruitmentEvent,
    wording_version: str,
    our_districts: frozenset[str],
    owner_for: OwnerFor,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
) -> Report:
    """Load the lines that can be loaded, all of them or none. Loading again changes nothing.

    The response clock of each new household counts from the day of the event.
    """
    # Two people who press the button together take turns here.
    db.session.execute(select(RecruitmentEvent.id).where(RecruitmentEvent.id == event.id).with_for_update())
    report = dry_run(sheet, columns, event=event, wording_version=wording_version, our_districts=our_districts)
    verdicts = []
    for verdict in report.verdicts:
        if verdict.is_loaded:
            sign_up = verdict.sign_up
            logged = log_enquirer(
                event,
                people=sign_up.people,
                actor=actor,
                now=now,
                today=today,
                rulebook=rulebook,
                owner_for=owner_for,
                postcode=sign_up.postcode,
                interest=sign_up.interest,
                said=sign_up.said,
                facts=sign_up.facts,
                one_time_id=sign_up.fingerprint,
                send_letters=sign_up.may_be_written_to,
            )
            if logged.joined and sign_up.postcode and logged.case.household.postcode is None:
                _give_postcode(logged.case.household, sign_up.postcode)
            verdict = replace(verdict, reference=logged.case.reference, joined=logged.joined)
        verdicts.append(verdict)
    done = Report(sheet, tuple(verdicts), loaded=True)
    record(
        "sheet.loaded",
        actor=actor,
        at=now,
        subject=f"event:{event.id}",
        detail={"opened": done.opened, "joined": done.joined, "refused": done.refused},
    )
    return done


def _give_postcode(household: Household, postcode: str) -> None:
    household.postcode, household.postcode_key = keys.tidy_postcode(postcode), keys.postcode_key(postcode)


def import_file(
    content: bytes, *, event_id: int, dry_run: bool, now: datetime, today: date, actor: Actor = SYSTEM
) -> Report:
    """Read a sheet, guess its columns and load it (or say what would happen). For the command line."""
    event = event_by_id(event_id)
    sheet = read_sheet(content)
    columns = columns_.check_columns(columns_.guess_columns(sheet.header), width=len(sheet.header))
    wording_version, our_districts = policy.wording("consent.email", today).version, policy.service().districts
    if dry_run:
        return _dry_run(sheet, columns, event=event, wording_version=wording_version, our_districts=our_districts)
    return load(
        sheet,
        columns,
        event=event,
        wording_version=wording_version,
        our_districts=our_districts,
        owner_for=owner_by_area,
        actor=actor,
        now=now,
        today=today,
        rulebook=policy.rulebook_on(today),
    )


_dry_run = dry_run


# --- A sheet between upload and loading -------------------------------------------------------------------------------


def keep_upload(event: RecruitmentEvent, *, content: bytes, filename: str, actor: Actor, now: datetime) -> SheetImport:
    """Keep an uploaded sheet, once it can be read, while a person looks at what would happen. Raises SheetNotRead."""
    require(actor, Permission.IMPORT_SHEET)
    sheet = read_sheet(content)
    upload = SheetImport(
        event_id=event.id, filename=filename[:200] or "sheet", uploaded_by_id=actor.user_id, uploaded_at=now
    )
    upload.content = content
    upload.columns = columns_.to_text(columns_.guess_columns(sheet.header))
    db.session.add(upload)
    db.session.flush()
    record("sheet.uploaded", actor=actor, at=now, subject=f"event:{event.id}")
    return upload


def set_columns(upload: SheetImport, chosen: Mapping[str, int], *, actor: Actor, now: datetime) -> None:
    """Keep which column holds what, as a person says. Raises ColumnsNotRight."""
    require(actor, Permission.IMPORT_SHEET)
    sheet = read_sheet(upload.content or b"")
    upload.columns = columns_.to_text(columns_.check_columns(chosen, width=len(sheet.header)))
    record("sheet.columns_set", actor=actor, at=now, subject=f"event:{upload.event_id}")


def note_loaded(upload: SheetImport, report: Report, *, now: datetime) -> None:
    """Keep how the loading went beside the upload."""
    upload.loaded_at = now
    upload.loaded_count, upload.joined_count, upload.refused_count = report.opened, report.joined, report.refused


def forget_old_uploads(*, now: datetime) -> int:
    """Drop uploaded sheets past their time; how many. For the timetable."""
    result = db.session.execute(delete(SheetImport).where(SheetImport.uploaded_at < now - KEPT_FOR))
    return rows_changed(result)
