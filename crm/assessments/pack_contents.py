"""What stands in the papers of one household: what a panel member reads of it, and the least that says it.

Left out on purpose, because a file can be carried away: addresses, emails, phone numbers and dates of birth; a DBS
certificate's number, and what any check about offences found (Police Act 1997, s.124). Those are on the household's
own pages, each look recorded, for as long as the household is before the panel.
"""

from __future__ import annotations

import hashlib
import json
from datetime import date, datetime
from io import BytesIO
from typing import Any

import pikepdf

from crm.access.queries import names_of
from crm.assessments import checks, evidence, referees, report_shape
from crm.assessments.models import (
    CHECK_RESULT_WORDS,
    REPORT_SECTIONS,
    AssessmentReport,
    Check,
    CheckResult,
    Decision,
    Notice,
    PanelItem,
    ReportKind,
)
from crm.assessments.queries import answer_of, application_limit, checks_of, live_people, report_with, the_application
from crm.assessments.referee_models import RELATION_WORDS, VIEW_WORDS, Referee, Relation, View
from crm.assessments.referee_questions import read_reference, written_by
from crm.assessments.stage_two_models import EVIDENCE_WORDS, SAID_AS_WORDS, EvidenceKind, SaidAs
from crm.assessments.terms import terms_of
from crm.cases.models import ROLE_WORDS, Case, Person, PersonRole
from crm.clock import london_date
from crm.delivery.render import templates_dir
from crm.delivery.wording import and_list, clock_time, date_year, day_year
from crm.rules.permissions import Sensitivity
from crm.typeset import write_pdf


def contents_of(case: Case, item: PanelItem, *, now: datetime) -> dict[str, Any]:
    """All that the papers of an item say, as plain data: front sheet, people, report and what it rests on, what
    supports it, observations, checks, references.

    The same things on file give the same data, so that papers which were overtaken are known.
    """
    report = report_with(item.report_id)
    meeting = f"{day_year(item.meeting.meets_on)}, {clock_time(item.meeting.meets_at)}"
    answer = answer_of(case) if item.about == "representations" else None
    return {
        "title": "Papers for panel",
        "running": f"Panel of {day_year(item.meeting.meets_on)}",
        "over": f"item {item.position}",
        "for_whom": "For the members of this panel alone.",
        "care": "These papers are for one meeting, and for the members to whom they were given by name. They close the "
        "day after it: do not keep, copy or pass on this file.",
        **_of_household(
            case,
            item,
            [
                ("For the panel of", meeting),
                ("The panel is asked for", _asked_for(report, item)),
                ("Why it comes late", item.late_reason or ""),
            ],
            now=now,
        ),
        "representations": _paragraphs(answer.said) if answer is not None else [],
    }


def contents_for_review(
    case: Case, item: PanelItem, *, decision: Decision, notice: Notice, asked_on: date, now: datetime
) -> dict[str, Any]:
    """What goes to the Independent Review Mechanism: what the panel had before it, and what came later. Neither the
    panel's minutes nor how it argued (GOV.UK, IRM: guidance for fostering services)."""
    return {
        "title": "Papers for the Independent Review Mechanism",
        "running": "Independent Review Mechanism",
        "over": "for an independent review",
        "for_whom": "For the independent review alone.",
        "care": "These papers go to the Independent Review Mechanism with a copy of our notice. They hold neither our "
        "panel’s minutes nor its discussion.",
        **_of_household(
            case,
            item,
            [
                ("We proposed not to approve", date_year(decision.decided_on)),
                ("Our notice is dated", date_year(notice.noticed_on)),
                ("They asked for a review", date_year(asked_on)),
            ],
            now=now,
        ),
        "representations": [],
    }


def _of_household(case: Case, item: PanelItem, about: list[tuple[str, str]], *, now: datetime) -> dict[str, Any]:
    report = report_with(item.report_id)
    application = the_application(case)
    people = live_people(case)
    names = names_of([report.written_by_id, report.countersigned_by_id or 0])
    limit = application_limit(case)
    rests_on = _rests_on(case, report)
    front = [
        ("Applicants", and_list([one.full_name for one in people if one.is_applicant])),
        ("Reference", case.reference),
        *about,
        ("Application received", date_year(application.received_on)),
        ("Accepted as complete", date_year(application.accepted_on) if application.accepted_on else ""),
        ("8 months end", date_year(limit) if limit else ""),
        ("Report written by", names.get(report.written_by_id, "")),
        ("Countersigned by", _signed(report, names)),
        ("Shared with the household", date_year(report.shared_on) if report.shared_on else ""),
        ("Terms proposed", terms_of(report).words or "None"),
    ]
    return {
        "household": case.household.name,
        "reference": case.reference,
        "front": [[label, value] for label, value in front if value],
        "people": [
            [one.full_name, ROLE_WORDS[PersonRole(one.role)], _age(one, item.meeting.meets_on)] for one in people
        ],
        "checks": _checks(checks_of(application), people),
        "report_title": "Brief report" if report.kind == ReportKind.BRIEF else "Assessment report",
        "report": [
            [heading, _paragraphs(text), rests_on.get(name, [])]
            for name, (heading, _hint) in REPORT_SECTIONS.items()
            for text in [{section.name: section.text for section in report.sections}.get(name)]
            if text
        ],
        "supporting": _supporting(report_shape.shape_of(case, report, now=now, reads_references=False)),
        "observations": _paragraphs(report.observations),
        "observations_on": date_year(report.observations_received_on) if report.observations_received_on else "",
        "references": [
            _reference(one) for one in referees.referees_of(case, application.id) if report_shape.has_spoken(one)
        ],
    }


def digest_of(contents: dict[str, Any]) -> str:
    """By which papers are known to say what is on file."""
    return hashlib.sha256(json.dumps(contents, ensure_ascii=False, sort_keys=True).encode()).hexdigest()


def lay_out(contents: dict[str, Any], *, service: str, now: datetime) -> tuple[bytes, int]:
    """What stands in the papers as a tagged PDF, and how many pages it has. Touches no database."""
    whole = {**contents, "service": service, "made_on": date_year(london_date(now))}
    content = write_pdf(templates_dir() / "papers" / "pack.typ", "pack", whole, at=now)
    with pikepdf.open(BytesIO(content)) as pdf:
        return content, len(pdf.pages)


def _asked_for(report: AssessmentReport, item: PanelItem) -> str:
    if report.kind == ReportKind.BRIEF:
        return "a recommendation on a brief report: that a full one is made, or that they are not suitable"
    if item.about == "representations":
        return "a recommendation on what the household says about our proposal not to approve"
    return "a recommendation whether they are suitable to foster, and on what terms"


def _signed(report: AssessmentReport, names: dict[int, str]) -> str:
    if report.countersigned_on is None:
        return ""
    return f"{names.get(report.countersigned_by_id or 0, '')}, {date_year(report.countersigned_on)}"


def _age(person: Person, on: date) -> str:
    born = person.born_on
    if born is None:
        return ""
    return str(on.year - born.year - ((on.month, on.day) < (born.month, born.day)))


def _checks(found: list[Check], people: list[Person]) -> list[dict[str, Any]]:
    """Person by person, the household last: what was asked for, where it stands, and what it came to where that may
    leave the house."""
    groups: list[dict[str, Any]] = []
    for person_id, name in [*((one.id, one.full_name) for one in people), (None, "The household")]:
        rows = [_check(one) for one in found if one.is_needed and one.person_id == person_id]
        if rows:
            groups.append({"who": name, "rows": rows})
    return groups


def _check(check: Check) -> dict[str, Any]:
    is_closed = check.sensitivity == Sensitivity.OFFENCE or check.item in checks.DBS_ITEMS
    by_referee = check.item in referees.REFEREE_ITEMS
    said: list[str] = []
    if is_closed and check.is_obtained:
        said = [
            *([f"Issued {date_year(check.dbs_issued_on)}"] if check.dbs_issued_on else []),
            *([f"{check.dbs_level} level"] if check.dbs_level else []),
            *(["children’s barred list checked"] if check.dbs_barred_list_checked else []),
        ]
    elif check.is_obtained and check.result and not by_referee:
        said = [CHECK_RESULT_WORDS[CheckResult(check.result)]]
    return {
        "what": checks.ITEM_TITLES.get(check.item, check.what),
        "is_law": check.is_statutory,
        "received": date_year(check.received_on) if check.received_on else "",
        "verified": date_year(check.verified_on) if check.verified_on else "",
        "ends": date_year(check.expires_on) if check.expires_on else "",
        "said": ", ".join(said),
        "words": [] if is_closed or by_referee or not check.is_obtained else _paragraphs(check.outcome),
        "is_closed": is_closed and check.is_obtained,
    }


def _rests_on(case: Case, report: AssessmentReport) -> dict[str, list[str]]:
    """What each heading is linked to: which record, its day, and whether it is fact, opinion or what others said. What
    it shows is in the report's own words."""
    rows = evidence.evidence_of(report)
    sources = evidence.sources_of(case, {EvidenceKind(row.kind) for row in rows})
    found: dict[str, list[str]] = {}
    for row in rows:
        kind = EvidenceKind(row.kind)
        source = sources.get(evidence.key_of(row))
        title = source.title if source is not None else row.other_source or EVIDENCE_WORDS[kind]
        on = f", {date_year(source.on)}" if source is not None and source.on is not None else ""
        line = f"{title}{on}: {SAID_AS_WORDS[SaidAs(row.said_as)].lower()}"
        lines = found.setdefault(row.section, [])
        if line not in lines:
            lines.append(line)
    return found


def _supporting(shape: report_shape.Shape) -> list[list[Any]]:
    """Preparation, the home, and the looks from outside: each with its lines."""
    prepared = [f"{one.person.given_name}: {one.words.lower()}" for one in shape.prepared]
    found: list[list[Any]] = [["Preparation", prepared]]
    if shape.home is not None:
        home, seen = shape.home, date_year(shape.home.seen_on)
        in_order = sum(line.state == "ok" for line in home.lines)
        found.append(
            [
                "Health and safety at home",
                [
                    f"Looked at on {seen} by {shape.names.get(home.seen_by_id, '')}.",
                    *(
                        f"{label}: {f'tested in front of our officer on {seen}' if tested else 'not seen tested'}"
                        for label, tested in home.alarms
                    ),
                    *(
                        f"{line.label}: {line.todo or 'to do'}{f', by {date_year(line.by)}' if line.by else ''}"
                        for line in home.lines
                        if line.state == "to_do"
                    ),
                    f"{in_order} of {len(home.lines)} things were in order.",
                ],
            ]
        )
    for one in shape.reviews:
        who = f"{date_year(one.review.held_on)}, {shape.names.get(one.review.by_id, '')}."
        found.append([one.title, [f"{who} {one.outcome}".strip(), *_paragraphs(one.review.words)]])
    return [[label, lines] for label, lines in found if lines]


def _reference(referee: Referee) -> dict[str, Any]:
    first = referee.person.given_name
    knows = RELATION_WORDS[Relation(referee.relation)]
    return {
        "who": referee.name,
        "for": referee.person.full_name,
        "knows": f"{knows}, since {referee.known_since}" if referee.known_since else knows,
        "in_confidence": referee.is_confidential,
        "written_on": date_year(referee.submitted_at) if referee.submitted_at else "",
        "topics": [
            [one.title, [[question, _paragraphs(words)] for question, words in one.rows if words]]
            for one in read_reference(written_by(referee), first)
            if any(words for _question, words in one.rows)
        ]
        if referee.is_submitted
        else [],
        "talked_on": date_year(referee.held_on) if referee.held_on else "",
        "view": VIEW_WORDS[View(referee.view)] if referee.view else "",
        "account": _paragraphs(referee.account),
    }


def _paragraphs(text: str | None) -> list[str]:
    """Words as they were typed, a paragraph each; a line of its own stays one."""
    return [line.strip() for line in (text or "").splitlines() if line.strip()]
