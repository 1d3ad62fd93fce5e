"""What each heading of a report rests on: a record of this household, what it shows, and whether that is fact, opinion
or what somebody else said (NMS 13 keeps the three apart).

Evidence is held as closely as the record it points at. Who may not read a reference or a certificate reads nothing of
it here: neither the words, nor whose it is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select

from crm.assessments import documents, parts, queries, sessions
from crm.assessments.course_queries import preparation_of
from crm.assessments.models import REPORT_SECTIONS, AssessmentReport
from crm.assessments.queries import NothingThere, check_words, report_of, the_application
from crm.assessments.referee_models import Referee
from crm.assessments.referees import referees_of
from crm.assessments.stage_two import report_to_write
from crm.assessments.stage_two_models import EVIDENCE_WORDS, SAID_AS_WORDS, EvidenceKind, ReportEvidence, SaidAs
from crm.assessments.steps import begin_step, end_step, note
from crm.cases import home_visits
from crm.cases.models import Case
from crm.clock import london_date
from crm.db import db
from crm.rules.application import PARTS_BY_NAME
from crm.rules.documents import KINDS_BY_NAME
from crm.rules.permissions import Actor, Permission, Sensitivity, may_see
from crm.rules.refusal import Refusal
from crm.rules.rulebook import Rulebook

POINTS_AT = {
    EvidenceKind.SESSION: "session_id",
    EvidenceKind.REFERENCE: "referee_id",
    EvidenceKind.CHECK: "check_id",
    EvidenceKind.DOCUMENT: "document_id",
    EvidenceKind.COURSE: "course_id",
    EvidenceKind.ANSWER: "part_id",
    EvidenceKind.VISIT: "visit_id",
}
OTHER = "other"
CLOSELY_HELD = frozenset({Sensitivity.HEALTH, Sensitivity.OFFENCE, Sensitivity.REFERENCE})
"""What is recorded by its own kind when somebody reads it."""
MOST_OF_A_HEADING = 40


class EvidenceNotPossible(Refusal):
    """Evidence that can't be kept like this."""

    default_status = 422


# --- Records that evidence can point at -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Source:
    """A record of this household. ``closed_title``: what it is called for those who may not read it."""

    kind: EvidenceKind
    number: int
    title: str
    on: date | None
    path: str
    needs: Permission | None
    """Whoever opens the record's own page needs this; None: whoever reads the report may."""
    sensitivity: Sensitivity
    is_on_file: bool
    """Whether there is something in it to go by yet."""

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.number}"


def sources_of(case: Case, kinds: Collection[EvidenceKind] = tuple(POINTS_AT)) -> dict[str, Source]:
    """Every record of a household that evidence of these kinds can point at, by its key. A fixed number of queries."""
    found = [source for kind in POINTS_AT if kind in kinds for source in _MAKERS[kind](case)]
    return {source.key: source for source in found}


def _sessions(case: Case) -> Iterable[Source]:
    for one in sessions.sessions_of(the_application(case)):
        yield Source(
            EvidenceKind.SESSION, one.id, f"Session {one.number}", one.held_on,
            f"/cases/{case.reference}/assessment/sessions/{one.id}", Permission.WRITE_ASSESSMENT,
            Sensitivity.PERSONAL, one.is_held,
        )  # fmt: skip


def _references(case: Case) -> Iterable[Source]:
    for one in referees_of(case):
        yield Source(
            EvidenceKind.REFERENCE, one.id, f"{one.name}, for {one.person.given_name}", _heard_on(one),
            f"/cases/{case.reference}/referees/{one.id}", None, Sensitivity.REFERENCE,
            one.is_submitted or one.held_on is not None,
        )  # fmt: skip


def _heard_on(referee: Referee) -> date | None:
    if referee.held_on is not None:
        return referee.held_on
    return london_date(referee.submitted_at) if referee.submitted_at is not None else None


def _checks(case: Case) -> Iterable[Source]:
    for one in queries.checks_of(the_application(case)):
        yield Source(
            EvidenceKind.CHECK, one.id, check_words(one), one.received_on,
            f"/cases/{case.reference}/checks/{one.id}", None, Sensitivity(one.sensitivity), one.is_obtained,
        )  # fmt: skip


def _documents(case: Case) -> Iterable[Source]:
    for one in documents.documents_of(case):
        accepted = one.accepted
        title = KINDS_BY_NAME[one.kind].title
        yield Source(
            EvidenceKind.DOCUMENT, one.id, f"{title}, {one.person.given_name}" if one.person else title,
            london_date(accepted.handed_in_at) if accepted else None,
            f"/cases/{case.reference}/documents/{one.public_id}", Permission.RECORD_CHECK,
            Sensitivity(one.sensitivity), accepted is not None,
        )  # fmt: skip


def _courses(case: Case) -> Iterable[Source]:
    for one in preparation_of(case):
        yield Source(
            EvidenceKind.COURSE, one.course.id, one.course.name, london_date(one.course.last_ends_at),
            f"/cases/{case.reference}/assessment/preparation", None, Sensitivity.PERSONAL,
            bool(one.notes) or any(adult.progress.done for adult in one.adults),
        )  # fmt: skip


def _answers(case: Case) -> Iterable[Source]:
    people = {person.id: person.given_name for person in case.household.people}
    for one in parts.parts_of(case).values():
        title = PARTS_BY_NAME[one.name].title if one.name in PARTS_BY_NAME else one.name
        whose = people.get(one.person_id) if one.person_id is not None else None
        yield Source(
            EvidenceKind.ANSWER, one.id, f"{title}, {whose}" if whose else title, london_date(one.saved_at),
            f"/cases/{case.reference}/application", Permission.RECORD_APPLICATION, Sensitivity(one.sensitivity),
            one.state == "done",
        )  # fmt: skip


def _visits(case: Case) -> Iterable[Source]:
    for one in home_visits.visits_known(case):
        yield Source(
            EvidenceKind.VISIT, one.visit_id, one.title, one.on, f"/visits/{one.visit_id}", Permission.RECORD_VISIT,
            Sensitivity.PERSONAL, one.is_held and one.purpose not in home_visits.MOVED_ON,
        )  # fmt: skip


_MAKERS: dict[EvidenceKind, Callable[[Case], Iterable[Source]]] = {
    EvidenceKind.SESSION: _sessions,
    EvidenceKind.REFERENCE: _references,
    EvidenceKind.CHECK: _checks,
    EvidenceKind.DOCUMENT: _documents,
    EvidenceKind.COURSE: _courses,
    EvidenceKind.ANSWER: _answers,
    EvidenceKind.VISIT: _visits,
}


# --- Adding and taking away -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class NewEvidence:
    """What somebody puts to a heading. ``source``: the key of a record, or "other" with where it comes from."""

    section: str
    source: str
    said_as: str
    words: str
    other_source: str = ""


def add_evidence(
    case: Case,
    new: NewEvidence,
    *,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
) -> ReportEvidence:
    """Put evidence to a heading of the report that is open, which is begun by it if need be.

    Raises EvidenceNotPossible where the record is not one of this household, or has nothing in it yet.
    """
    begin_step(case, Permission.WRITE_ASSESSMENT, actor=actor, seen=seen)
    report = report_to_write(case, actor=actor, today=today)
    if new.section not in REPORT_SECTIONS:
        raise NothingThere("There is no such heading in the report.")
    if not new.words.strip():
        raise EvidenceNotPossible("Say what it shows.", field="words")
    row = ReportEvidence(
        case_id=case.id,
        report_id=report.id,
        section=new.section,
        said_as=SaidAs(new.said_as),
        added_on=today,
        added_by_id=actor.user_id,
    )
    _point(row, case, new)
    row.words = new.words.strip()
    if len(of_section(report, new.section)) >= MOST_OF_A_HEADING:
        raise EvidenceNotPossible(f"{MOST_OF_A_HEADING} pieces of evidence are enough for one heading.", status=409)
    db.session.add(row)
    db.session.flush()
    report.changed_on = today
    note("evidence.added", case, actor=actor, now=now, subject=subject_of(row), section=row.section, kind=row.kind)
    end_step(case, today=today, rulebook=rulebook)
    return row


def _point(row: ReportEvidence, case: Case, new: NewEvidence) -> None:
    if new.source == OTHER:
        if not new.other_source.strip():
            raise EvidenceNotPossible("Say where it comes from.", field="other_source")
        row.kind, row.other_source = EvidenceKind.OTHER, new.other_source.strip()
        return
    kind = next((one for one in POINTS_AT if new.source.startswith(f"{one}:")), None)
    source = sources_of(case, (kind,)).get(new.source) if kind is not None else None
    if source is None:
        raise EvidenceNotPossible("Choose something that is on file for this household.", field="source")
    if not source.is_on_file:
        raise EvidenceNotPossible("There is nothing in that yet to go by. Choose something else.", field="source")
    row.kind = source.kind
    setattr(row, POINTS_AT[source.kind], source.number)


def remove_evidence(
    case: Case,
    row: ReportEvidence,
    *,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
) -> None:
    """Take evidence away from the report that is open."""
    begin_step(case, Permission.WRITE_ASSESSMENT, actor=actor, seen=seen)
    report = report_to_write(case, actor=actor, today=today)
    if row.report_id != report.id:
        raise NothingThere("We can’t find that in the report.")
    note("evidence.removed", case, actor=actor, now=now, subject=subject_of(row), section=row.section, kind=row.kind)
    db.session.delete(row)
    db.session.flush()
    report.changed_on = today
    end_step(case, today=today, rulebook=rulebook)


def subject_of(row: ReportEvidence) -> str:
    """What the audit trail calls it."""
    return f"evidence:{row.id}"


# --- Reads ------------------------------------------------------------------------------------------------------------


def evidence_of(report: AssessmentReport) -> list[ReportEvidence]:
    """All evidence of a report, in the order it was put there."""
    return list(
        db.session.scalars(
            select(ReportEvidence).where(ReportEvidence.report_id == report.id).order_by(ReportEvidence.id)
        )
    )


def of_section(report: AssessmentReport, section: str) -> list[ReportEvidence]:
    """The evidence of one heading."""
    return [row for row in evidence_of(report) if row.section == section]


def key_of(row: ReportEvidence) -> str:
    """The key of the record it points at; of something else, in words, none has it."""
    kind = EvidenceKind(row.kind)
    return f"{kind}:{getattr(row, POINTS_AT[kind])}" if kind in POINTS_AT else OTHER


def evidence_with(case: Case, evidence_id: int) -> ReportEvidence:
    """One piece of evidence of this household's newest report. Raises NothingThere."""
    row = db.session.get(ReportEvidence, evidence_id)
    report = report_of(the_application(case))
    if row is None or row.case_id != case.id or report is None or row.report_id != report.id:
        raise NothingThere("We can’t find that in the report.")
    return row


@dataclass(frozen=True)
class Shown:
    """One piece of evidence as somebody sees it. Without ``words`` it is closed to them and says only of which kind."""

    number: int
    section: str
    kind_words: str
    said_as: SaidAs | None
    title: str
    on: date | None
    path: str
    words: str | None
    sensitivity: Sensitivity

    @property
    def said_as_words(self) -> str:
        return SAID_AS_WORDS[self.said_as] if self.said_as is not None else ""


def shown_to(actor: Actor, case: Case, rows: Iterable[ReportEvidence], *, on_case: bool) -> dict[str, list[Shown]]:
    """The evidence of a report as this person may read it, by heading."""
    rows = list(rows)
    sources = sources_of(case, {EvidenceKind(row.kind) for row in rows})
    found: dict[str, list[Shown]] = {}
    for row in rows:
        found.setdefault(row.section, []).append(_shown(actor, row, sources, on_case=on_case))
    return found


def _shown(actor: Actor, row: ReportEvidence, sources: dict[str, Source], *, on_case: bool) -> Shown:
    kind = EvidenceKind(row.kind)
    source = sources.get(key_of(row))
    # A record that is not of this household any more is held as closely as any.
    is_lost = source is None and kind is not EvidenceKind.OTHER
    sensitivity = source.sensitivity if source else Sensitivity.OFFENCE if is_lost else Sensitivity.PERSONAL
    reads = may_see(actor, sensitivity, subject_person_id=None, on_case=on_case)
    opens = source is not None and reads and (source.needs is None or actor.has(source.needs))
    title = (source.title if source else row.other_source or EVIDENCE_WORDS[kind]) if reads else ""
    return Shown(
        number=row.id,
        section=row.section,
        kind_words=EVIDENCE_WORDS[kind],
        said_as=SaidAs(row.said_as) if reads else None,
        title=title,
        on=source.on if source else row.added_on,
        path=source.path if source and opens else "",
        words=row.words if reads else None,
        sensitivity=sensitivity,
    )
