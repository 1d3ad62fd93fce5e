"""The report's shape round its headings, filled from what is known (domain.md 3.2): the front sheet, section A with the
checks of Stage 1 by their dates, and section C with what supports it.

Nothing here says what a check found. What referees said is summed up for those who may read a reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from crm.access.queries import names_of
from crm.assessments import course_queries, referees, review_queries
from crm.assessments.checks import ITEM_TITLES
from crm.assessments.models import Application, AssessmentReport, Check, ReportKind
from crm.assessments.queries import assessor_ids_of, checks_of, live_people, the_application
from crm.assessments.referee_models import RELATION_WORDS, VIEW_WORDS, Referee, Relation, View
from crm.assessments.stage_two_models import REVIEW_WORDS, AssessmentReview, ReviewKind
from crm.assessments.terms import terms_of
from crm.cases import home_visits
from crm.cases.home_visits import HomeChecks
from crm.cases.models import ROLE_WORDS, Case, PersonRole
from crm.clock import london_date
from crm.delivery.wording import and_list, day_year


@dataclass(frozen=True)
class CheckDates:
    """One check of Stage 1 with its days alone."""

    title: str
    is_law: bool
    received_on: date | None
    verified_on: date | None


@dataclass(frozen=True)
class CheckGroup:
    """The checks of one person, or of the household."""

    who: str
    part: str
    rows: tuple[CheckDates, ...]


@dataclass(frozen=True)
class ReferenceSummary:
    """What somebody who speaks for an applicant comes to, in a line: for those who may read references."""

    referee_id: int
    who: str
    knows: str
    written_on: date | None
    talked_on: date | None
    view: str


@dataclass(frozen=True)
class ReviewShown:
    """A midway review or a second opinion as it stands in the report."""

    title: str
    review: AssessmentReview
    outcome: str


@dataclass(frozen=True)
class Shape:
    """All of a report but its headings."""

    front: tuple[tuple[str, str], ...]
    checks: tuple[CheckGroup, ...]
    references: tuple[ReferenceSummary, ...]
    written: int
    """References on file, and below, referees talked to: numbers that every reader of the report may know."""
    talked: int
    prepared: tuple[course_queries.Prepared, ...]
    home: HomeChecks | None
    reviews: tuple[ReviewShown, ...]
    names: dict[int, str]


def shape_of(case: Case, report: AssessmentReport | None, *, now: datetime, reads_references: bool) -> Shape:
    """Everything round the headings, read in a fixed number of queries."""
    application = the_application(case)
    spoken = [one for one in referees.referees_of(case, application.id) if has_spoken(one)]
    found = review_queries.reviews_of(application)
    home = home_visits.home_checks(case)
    return Shape(
        front=front_sheet(case, application, report),
        checks=tuple(_checks(case, checks_of(application))),
        references=tuple(_summary(one) for one in spoken) if reads_references else (),
        written=sum(one.is_submitted for one in spoken),
        talked=sum(one.held_on is not None for one in spoken),
        prepared=tuple(course_queries.prepared(case, course_queries.preparation_of(case), now=now)),
        home=home,
        reviews=tuple(
            ReviewShown(REVIEW_WORDS[ReviewKind(one.kind)], one, review_queries.outcome_words(one)) for one in found
        ),
        names=names_of([*(one.by_id for one in found), *([home.seen_by_id] if home else [])]),
    )


def front_sheet(case: Case, application: Application, report: AssessmentReport | None) -> tuple[tuple[str, str], ...]:
    """Who applies, who assesses, and the days that count."""
    assessors = names_of(assessor_ids_of(case))
    signed = names_of([report.countersigned_by_id]) if report and report.countersigned_by_id else {}
    rows = [
        ("Applicants", and_list([one.full_name for one in live_people(case) if one.is_applicant])),
        ("Reference", case.reference),
        ("Kind of report", "Brief report" if report and report.kind == ReportKind.BRIEF else "Full report"),
        ("Application received", day_year(application.received_on)),
        ("Accepted as complete", day_year(application.accepted_on) if application.accepted_on else ""),
        ("Assessed by", and_list(sorted(assessors.values()))),
        ("Written, last on", day_year(report.changed_on) if report else ""),
        (
            "Countersigned",
            f"{signed.get(report.countersigned_by_id or 0, '')}, {day_year(report.countersigned_on)}"
            if report and report.countersigned_on
            else "",
        ),
        ("Shared with the household", day_year(report.shared_on) if report and report.shared_on else ""),
        ("Terms proposed", _terms(report) if report else ""),
    ]
    return tuple((label, value) for label, value in rows if value)


def _terms(report: AssessmentReport) -> str:
    words = terms_of(report).words or "none"
    return words[:1].upper() + words[1:]


def _checks(case: Case, found: Sequence[Check]) -> list[CheckGroup]:
    groups = []
    people = [(one.id, one.given_name, ROLE_WORDS[PersonRole(one.role)]) for one in live_people(case)]
    for person_id, name, part in [*people, (None, "The household", "")]:
        rows = tuple(
            CheckDates(ITEM_TITLES.get(one.item, one.what), one.is_statutory, one.received_on, one.verified_on)
            for one in found
            if one.is_needed and one.person_id == person_id
        )
        if rows:
            groups.append(CheckGroup(name, part, rows))
    return groups


def has_spoken(referee: Referee) -> bool:
    """Whether there is a reference of theirs, in writing or told."""
    return referee.is_in_place and (referee.is_submitted or referee.held_on is not None)


def _summary(referee: Referee) -> ReferenceSummary:
    knows = RELATION_WORDS[Relation(referee.relation)].lower()
    return ReferenceSummary(
        referee_id=referee.id,
        who=f"{referee.name}, for {referee.person.given_name}",
        knows=f"{knows}, since {referee.known_since}" if referee.known_since else knows,
        written_on=london_date(referee.submitted_at) if referee.submitted_at else None,
        talked_on=referee.held_on,
        view=VIEW_WORDS[View(referee.view)] if referee.view else "",
    )
