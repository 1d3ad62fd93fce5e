"""A question as it stands in an address, and the ones that are offered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta

from crm import policy
from crm.reporting.catalogue import Report
from crm.reporting.figures import Mode, PeriodNotReadable, Question
from crm.reporting.populations import in_area, years_of_return
from crm.rules.breaches import return_year

EARLIEST = date(2011, 4, 1)
"""The regulations came into force; no working day before is known."""
YEARS_OFFERED = 2
YEARS_OF_RETURN_OFFERED = 5


def question_in(report: Report, args: Mapping[str, str], *, today: date) -> Question:
    """The question that an address asks: this return year where it names no period. Raises PeriodNotReadable,
    NoSuchArea."""
    first_on, last_on = years_of_return(today, 1)[0]
    asked = args.get("by") or report.modes[0]
    mode = Mode(asked) if asked in set(report.modes) else report.modes[0]
    area = (args.get("area") or None) if report.has_area else None
    in_area(area)
    if not report.has_period:
        return Question(report.name, first_on, last_on, mode, area)
    question = Question(
        report.name,
        _day(args.get("from"), first_on, "first"),
        _day(args.get("to"), last_on, "last"),
        mode,
        area,
    )
    if question.first_on < EARLIEST or question.last_on > date(today.year + 2, 12, 31):
        raise PeriodNotReadable(f"Choose days from 1 April {EARLIEST.year} to the end of {today.year + 2}.")
    return question


def _day(said: str | None, otherwise: date, which: str) -> date:
    if not said:
        return otherwise
    try:
        return date.fromisoformat(said)
    except ValueError:
        raise PeriodNotReadable(f"We can’t read the {which} day: write it as {otherwise.isoformat()}.") from None


def chips_of(report: Report, question: Question, *, today: date) -> list[tuple[str, Question, bool]]:
    """The periods and ways of counting that are offered: words, question, whether it is this one."""
    if not report.has_period:
        return []
    if report.whole_years:
        year = return_year(question.first_on)
        return [
            (f"{first.year} to {last.year}", replace(question, first_on=first, last_on=last), (first, last) == year)
            for first, last in years_of_return(today, YEARS_OF_RETURN_OFFERED)
        ]
    asked = "Asked in " if Mode.ASKED in report.modes else ""
    offered = [
        (f"{asked}{first.year} to {last.year}", first, last) for first, last in years_of_return(today, YEARS_OFFERED)
    ]
    offered.append(("Last 12 months", _year_before(today), today))
    found = [
        (words, replace(question, first_on=first, last_on=last, mode=report.modes[0])) for words, first, last in offered
    ]
    if len(report.modes) > 1:
        found.append(("Activity in the year instead", replace(question, mode=Mode.ACTIVITY)))
    return [(words, one, one == question) for words, one in found]


def _year_before(today: date) -> date:
    """The day after the same day a year ago: twelve months that end today."""
    last_year = (
        today.replace(year=today.year - 1) if (today.month, today.day) != (2, 29) else date(today.year - 1, 2, 28)
    )
    return last_year + timedelta(days=1)


def areas_of(question: Question) -> list[tuple[str, Question, bool]]:
    """All areas, then each of the service's."""
    names: list[str | None] = [None, *(area.name for area in policy.service().areas)]
    return [(name or "All areas", replace(question, area=name), name == question.area) for name in names]
