"""The years of Ofsted's annual return, and what each counts: the definitions are dated, because they changed.

What counts as an enquiry was made clearer for 2023 to 2024, and the method changed for 2024 to 2025 (Ofsted's notes to
the statistics of those years). The wording is in the guidance to each collection. Where that was not read, the
definition here says so, and so does the page.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from crm.rules.breaches import return_year


@dataclass(frozen=True, slots=True, order=True)
class ReturnYear:
    """One year of the return. ``begins``: the calendar year of its 1 April."""

    begins: int

    @property
    def first_on(self) -> date:
        return date(self.begins, 4, 1)

    @property
    def last_on(self) -> date:
        return date(self.begins + 1, 3, 31)

    @property
    def words(self) -> str:
        """ "2025 to 2026"."""
        return f"{self.begins} to {self.begins + 1}"

    def has(self, day: date | None) -> bool:
        """Whether a day lies in it."""
        return day is not None and self.first_on <= day <= self.last_on

    def is_over(self, today: date) -> bool:
        return today > self.last_on

    @classmethod
    def of(cls, day: date) -> ReturnYear:
        """The year that a day lies in."""
        return cls(return_year(day)[0].year)


class Measure(StrEnum):
    """What may be sent as the number of enquiries. Each is counted whatever the definition."""

    CONTACTS = "contacts"
    HOUSEHOLDS = "households"


class Certainty(StrEnum):
    """How sure we are of a definition."""

    GUIDANCE_READ = "guidance_read"
    NOT_READ = "not_read"


CERTAINTY_WORDS = {
    Certainty.GUIDANCE_READ: "Sure: the guidance of that year was read",
    Certainty.NOT_READ: "Not sure: the guidance was not read. Compare with it before you send",
}


@dataclass(frozen=True, slots=True)
class Definition:
    """What is sent as the number of enquiries, from one year of the return on."""

    name: str
    """Kept with a frozen return: never given to another."""
    from_year: int
    measure: Measure
    words: str
    source: str
    certainty: Certainty


DEFINITIONS: tuple[Definition, ...] = (
    Definition(
        "households-1",
        2011,
        Measure.HOUSEHOLDS,
        "Households that first asked in the year, without those logged twice or not real",
        "Ofsted, statistics of fostering in England to 2022–23: initial enquiries by service",
        Certainty.NOT_READ,
    ),
    Definition(
        "households-2",
        2023,
        Measure.HOUSEHOLDS,
        "Households that first asked in the year, without those logged twice or not real",
        "Ofsted, notes to the collection of 2023–24: the guidance on what counts was made clearer",
        Certainty.NOT_READ,
    ),
    Definition(
        "households-3",
        2024,
        Measure.HOUSEHOLDS,
        "Households that first asked in the year, without those logged twice or not real",
        "Ofsted, notes to the collection of 2024–25: the method changed. Not comparable with the years before",
        Certainty.NOT_READ,
    ),
)
"""The oldest first. To change one: a further row from the year it holds for, and a ``name`` of its own."""


def definition_of(year: ReturnYear) -> Definition:
    """The definition that a year is counted by."""
    return max((one for one in DEFINITIONS if one.from_year <= year.begins), key=lambda one: one.from_year)


BANDS: tuple[tuple[str, str, int], ...] = (
    ("18_19", "18 to 19", 18),
    ("20_29", "20 to 29", 20),
    ("30_39", "30 to 39", 30),
    ("40_49", "40 to 49", 40),
    ("50_59", "50 to 59", 50),
    ("60_69", "60 to 69", 60),
    ("70_on", "70 and over", 70),
)
"""Ages of carers: name, words, the age it begins at. Ofsted has a band of 18 to 19; the others are tens."""
NOT_RECORDED = "not_recorded"
OLDEST = 120
"""Nobody is older: such an age is a slip of the pen."""


def band_of(age: int | None) -> str:
    """The band of an age in whole years. No age, or one that no carer can have, is not recorded."""
    if age is None or not BANDS[0][2] <= age <= OLDEST:
        return NOT_RECORDED
    return next(name for name, _, least in reversed(BANDS) if age >= least)
