"""What homes are needed against what is coming, and when: so that recruiting aims at need."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from sqlalchemy import select

from crm import policy
from crm.assessments.homes_ahead import MONTHS, Against, Home, all_against, has_not_applied, wanted_by
from crm.assessments.need_models import HomeNeed
from crm.assessments.needs import NoSuchNeed, need_by_id, open_needs
from crm.assessments.terms import Terms
from crm.cases.models import Case, Household, Journey
from crm.cases.queries import visible_cases
from crm.db import db, is_among
from crm.reporting.behind import Behind, households
from crm.reporting.figures import (
    Answer,
    Column,
    Figure,
    Line,
    NoSuchReport,
    Question,
    Row,
    Rows,
    Table,
    unknown,
    whole,
)
from crm.rules.permissions import Actor
from crm.rules.rulebook import Rulebook
from crm.web.filters import date_only, day_short_year

COLUMNS = (
    Column("wanted", "Wanted", "Homes that are needed, as a manager wrote it down."),
    Column(
        "approved",
        "Approved since",
        "Households approved on the day the need was written down or since, whose terms of approval fit.",
    ),
    *(
        Column(
            f"within_{months}",
            f"Likely in {months} months",
            f"Households on the way that would fit, whose panel is likely within {months} months from today.",
        )
        for months in MONTHS
    ),
    Column(
        "likely",
        "Likely in time",
        "Of those on the way that would fit, whose panel is likely by the day wanted; within a year if there is none.",
    ),
    Column("gap", "Still missing", "Wanted, less approved since, less likely in time."),
    Column(
        "to_ask",
        "Not known yet",
        "Approved since or on the way where nobody has written terms that tell, or where terms never tell: to ask.",
    ),
    Column("early", "Too early to say", "Visited or invited in the area, and not applied: nobody knows yet for whom."),
)
NOTE = (
    "What a household would offer is what was decided, else what the panel recommended, else what the report proposes. "
    "A household with wide terms counts on every line that it fits. A panel that has met counts as likely today; "
    "whoever is not to be approved is not counted. A language or anything in other words is never guessed from terms."
)
HEADINGS = {
    "approved": "Approved since, and fit",
    "likely": "Likely in time",
    "to_ask": "Not known yet",
    **{f"within_{months}": f"Panel likely within {months} months" for months in MONTHS},
}


def answer(question: Question, *, today: date, rulebook: Rulebook) -> Answer:
    """Every open need with what stands against it."""
    found, more = all_against(open_needs(), today=today, rulebook=rulebook)
    lines = tuple(_line(need, stands, today=today) for need, stands in found)
    missing = [stands.gap for _, stands in found if stands.gap]
    table = Table(
        name="need",
        caption="Homes needed, and what is coming",
        about="Needed",
        columns=COLUMNS,
        lines=lines,
        note=f"{NOTE} There are more open applications than were read." if more else NOTE,
        when_empty="A manager writes down what homes are needed.",
        link=("Write down or change what is needed", "/needs"),
    )
    headline = _headline(len(found), len(missing))
    return Answer(
        "Need",
        f"What homes are needed on {date_only(today)}, and what is coming.",
        (table,),
        headlines={"need": headline},
    )


def _headline(lines: int, missing: int) -> str:
    if not lines:
        return "Nothing is written down as needed"
    if not missing:
        return "What is coming would meet every need that terms can tell of"
    return f"{missing} of {lines} needs will not be met by what is coming"


def _line(need: HomeNeed, stands: Against, *, today: date) -> Line:
    by = f", by {date_only(need.by_on)}" if need.by_on else ""
    return Line(f"n{need.id}", f"{need.label}{by}", tuple(_figures(need, stands, today=today)))


def _figures(need: HomeNeed, stands: Against, *, today: date) -> Sequence[Figure]:
    def some(name: str) -> Figure:
        if stands.is_asked:
            return unknown("Ask")
        return whole(len(_homes(stands, name)), f"{name}.{need.id}")

    is_over = need.by_on is not None and need.by_on < today
    gap = stands.gap
    asked = len(stands.to_ask)
    return (
        whole(stands.wanted),
        some("approved"),
        *(some(f"within_{months}") for months in MONTHS),
        some("likely"),
        unknown("Ask") if gap is None else whole(gap, state=("over" if is_over else "due") if gap else ""),
        Figure(asked, f"{asked:,} to ask" if stands.is_asked else f"{asked:,}", f"to_ask.{need.id}" if asked else None),
        whole(stands.early, f"early.{need.id}"),
    )


def _homes(stands: Against, name: str) -> Sequence[Home]:
    if name.startswith("within_"):
        return stands.within(int(name.removeprefix("within_")))
    return {"approved": stands.approved, "likely": stands.likely, "to_ask": stands.to_ask}[name]


def behind(question: Question, key: str, *, today: date) -> Behind:
    """The households behind one number. Raises NoSuchReport."""
    name, _, number = key.partition(".")
    need = _need(number)
    if name == "early":
        wanted = wanted_by(need)
        conditions = has_not_applied()
        if wanted.districts is not None:
            conditions.append(Journey.district.in_(sorted(wanted.districts)))
        return households(f"{need.label}: not applied yet", conditions, since=Journey.visited_on)
    if name not in HEADINGS:
        raise NoSuchReport
    stands = all_against([need], today=today, rulebook=policy.rulebook_on(today))[0][0][1]
    if stands.is_asked and name != "to_ask":
        raise NoSuchReport
    return _homes_behind(f"{need.label}: {HEADINGS[name][0].lower()}{HEADINGS[name][1:]}", _homes(stands, name))


def _need(number: str) -> HomeNeed:
    if not (number.isascii() and number.isdigit() and len(number) < 10):
        raise NoSuchReport
    try:
        need = need_by_id(int(number))
    except NoSuchNeed:
        raise NoSuchReport from None
    if need.closed_at is not None:
        raise NoSuchReport
    return need


def _homes_behind(heading: str, homes: Sequence[Home]) -> Behind:
    ordered = sorted(homes, key=lambda home: -home.case_id)

    def page(actor: Actor, after: int | None, size: int, today: date) -> Rows:
        found = [home for home in ordered if after is None or home.case_id < after]
        shown = found[:size]
        cases = {
            row.id: row
            for row in db.session.execute(
                select(Case.id, Case.reference, Household.name, visible_cases(actor, today=today).label("may_open"))
                .join(Household, Household.id == Case.household_id)
                .where(is_among(Case.id, [home.case_id for home in shown]))
            )
        }
        rows = []
        for home in shown:
            case = cases[home.case_id]
            offer = home.offer
            terms = Terms(offer.children, offer.youngest, offer.oldest, offer.care).words
            what = "Approved" if home.approved_on else "Panel"
            when = day_short_year(home.approved_on or home.panel_on or today)
            rows.append(
                Row(
                    case.reference if case.may_open else None,
                    case.name if case.may_open else None,
                    (
                        terms or "Not written yet",
                        home.district or "",
                        what,
                        when,
                    ),
                )
            )
        more = shown[-1].case_id if len(found) > size else None
        columns = ("Terms", "Postcode district", "What", "When, or likely")
        return Rows(heading, columns, tuple(rows), len(ordered), str(more) if more else None)

    return Behind(heading, lambda: len(ordered), page)
