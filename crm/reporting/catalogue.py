"""Every report there is: its name in an address, its tab, who may read it, and the functions that count it.

To add one, write a module with ``answer`` and ``behind`` and put a line here; screen, files, rows and ``crm report``
follow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Protocol

from crm.reporting import annual_return, checks, journey, need, responses
from crm.reporting.behind import Behind
from crm.reporting.figures import Answer, Mode, Question
from crm.rules.permissions import Permission
from crm.rules.rulebook import Rulebook


class CountsAnswer(Protocol):
    """Answers a question. Reads only; a fixed number of statements."""

    def __call__(self, question: Question, *, today: date, rulebook: Rulebook) -> Answer: ...


class FindsRows(Protocol):
    """The rows behind one figure, by the name it carries. Raises NoSuchReport."""

    def __call__(self, question: Question, key: str, *, today: date) -> Behind: ...


@dataclass(frozen=True, slots=True)
class Report:
    """One report."""

    name: str
    tab: str
    permission: Permission
    answer: CountsAnswer
    behind: FindsRows
    modes: tuple[Mode, ...] = (Mode.ACTIVITY,)
    """Which ways of choosing households it knows; the first is what it opens with."""
    has_area: bool = True
    has_period: bool = True
    """Whether days are asked about; where not, it says how things stand today."""
    whole_years: bool = False
    """Whether it answers by years of the return alone."""


REPORTS: Mapping[str, Report] = MappingProxyType(
    {
        report.name: report
        for report in (
            Report(
                "journey",
                "Journey",
                Permission.VIEW_REPORTS,
                journey.answer,
                journey.behind,
                modes=(Mode.ASKED, Mode.ACTIVITY),
            ),
            Report(
                "responses",
                "Response times",
                Permission.VIEW_REPORTS,
                responses.answer,
                responses.behind,
                modes=(Mode.ASKED,),
            ),
            Report("checks", "Checks by age", Permission.ANSWER_FOR_CLOCKS, checks.answer, checks.behind),
            Report(
                "return",
                "Annual return",
                Permission.ANSWER_FOR_CLOCKS,
                annual_return.answer,
                annual_return.behind,
                has_area=False,
                whole_years=True,
            ),
            Report(
                "need",
                "Need",
                Permission.VIEW_REPORTS,
                need.answer,
                need.behind,
                has_area=False,
                has_period=False,
            ),
        )
    }
)
