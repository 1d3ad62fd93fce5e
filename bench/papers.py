"""How long it takes to lay out the papers of one household: an ordinary pack, and one of over 120 pages."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from crm.assessments.models import REPORT_SECTIONS
from crm.assessments.pack_contents import lay_out

if TYPE_CHECKING:
    from bench.run import Report

NOW = datetime(2027, 3, 19, 12, tzinfo=UTC)
LONG_S = 20
"""The most that a pack of 120 pages may take."""
SENTENCE = (
    "Priya grew up as the middle of three sisters, in a house that was always full, and remembers the year in which "
    "two cousins came to stay, shared her room and her bicycle, and were cross when they had to leave. "
)


def measure(report: Report) -> None:
    """Pages and seconds of each, with other words in each: what was laid out once is remembered. The fonts are read by
    a short one first."""
    lay_out(_contents(1, "warm"), service="Kestrel Fostering", now=NOW)
    for name, paragraphs, at_most in (("ordinary", 2, None), ("long", 48, LONG_S)):
        begun = time.perf_counter()
        _content, pages = lay_out(_contents(paragraphs, name), service="Kestrel Fostering", now=NOW)
        report.add(f"papers {name} pack seconds", time.perf_counter() - begun, at_most)
        report.add(f"papers {name} pack pages", pages)


def _contents(paragraphs: int, name: str) -> dict[str, Any]:
    words = [f"{number} {name}. {SENTENCE * 3}" for number in range(paragraphs)]
    check = {
        "what": "Health, with a medical report", "is_law": True, "received": "20 May 2026", "verified": "21 May 2026",
        "ends": "", "said": "Nothing of concern", "words": [SENTENCE], "is_closed": False,
    }  # fmt: skip
    reference = {
        "who": "Rosa Marsh", "for": "Priya Whitlock", "knows": "A friend, since 2009", "in_confidence": True,
        "written_on": "4 May 2026", "topics": [["As a person", [["In your own words", words]]]],
        "talked_on": "12 May 2026", "view": "They support the application", "account": words,
    }  # fmt: skip
    return {
        "household": "Priya and Sam Whitlock",
        "reference": "KF-7Q3M9X",
        "title": "Papers for panel",
        "running": "Panel of Wednesday 16 September 2026",
        "over": "item 2",
        "for_whom": "For the members of this panel alone.",
        "care": "These papers are for one meeting.",
        "front": [["Applicants", "Priya Whitlock and Sam Whitlock"]] * 10,
        "people": [["Priya Whitlock", "Applicant", "38"]] * 12,
        "checks": [{"who": "Priya Whitlock", "rows": [check] * 12}] * 5,
        "report_title": "Assessment report",
        "report": [[heading, words, ["Session 2, 12 May: fact"] * 4] for heading, _hint in REPORT_SECTIONS.values()],
        "supporting": [["Second opinion", words]],
        "observations": words,
        "observations_on": "28 August 2026",
        "representations": [],
        "references": [reference] * 4,
    }
