"""The applications that a year of the return is about: read once, and asked by every number of it.

An application is one household's (a couple who apply together are one). A household that came back after an ending has
another. Of ten years, only those are read that were in progress in the year, or whose story a correction changed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

from sqlalchemy import Select, and_, case, func, or_, select
from sqlalchemy.orm import aliased

from crm.cases.models import APPLICANT_ROLES, Case, Person, StageChange, Track
from crm.clock import london_date
from crm.db import db, is_among, our_word
from crm.rules.eligibility import age_on
from crm.rules.outcomes import AW_CODES, CameTo, Outcome, applications_of
from crm.rules.progress import Moved
from crm.rules.return_years import NOT_RECORDED, ReturnYear, band_of
from crm.rules.stages import ENDED_APPLICATION, OPEN_APPLICATION, TrackName

MOST_OF_A_CASE = 16
"""Applications that one case may have, for the number of each: one is usual."""
CARERS = ("one", "two")


@dataclass(frozen=True, slots=True)
class Held:
    """One application as the return sees it."""

    case_id: int
    number: int
    """Which of its case: 0 is the first."""
    household_id: int
    came: CameTo
    asked_on: date
    """The day the household first asked, by any of its cases."""
    stage: str | None
    """Where the application stands, as the case has it."""

    @property
    def key(self) -> int:
        """A number of its own, by which pages of a list go on."""
        return self.case_id * MOST_OF_A_CASE + self.number


@dataclass(frozen=True, slots=True)
class Year:
    """The applications of one year, and who was approved in it."""

    year: ReturnYear
    held: tuple[Held, ...]
    """Those that were in progress on some day of it, the newest case first."""
    born: Mapping[int, tuple[date | None, ...]]
    """By household approved in the year: the dates of birth of its applicants, Carer 1 first."""

    def where(self, wanted: Callable[[Held], bool]) -> list[Held]:
        return [one for one in self.held if wanted(one)]


# --- Reading them -----------------------------------------------------------------------------------------------------


def applications_in(year: ReturnYear) -> Year:
    """Three statements, however many there are."""
    move = StageChange.__table__.c
    moves: dict[int, list[Moved]] = defaultdict(list)
    for row in db.session.execute(
        select(move.case_id, move.to_stage, move.effective_on, move.is_correction, move.reason_code)
        .where(move.track == our_word("application"), move.case_id.in_(_of_interest(year)))
        .order_by(move.case_id, move.changed_at, move.id)
    ):
        moves[row.case_id].append(
            Moved(TrackName.APPLICATION, row.to_stage, row.effective_on, row.is_correction, row.reason_code)
        )
    other = aliased(Case)
    first_asked = select(func.min(other.opened_at)).where(other.household_id == Case.household_id).scalar_subquery()
    rows = db.session.execute(
        select(Case.id, Case.household_id, first_asked.label("opened_at"), Track.stage)
        .outerjoin(Track, and_(Track.case_id == Case.id, Track.name == our_word("application")))
        .where(Case.id.in_(_of_interest(year)))
        .order_by(Case.id.desc())
    )
    held = tuple(
        Held(row.id, number, row.household_id, came, london_date(row.opened_at), row.stage)
        for row in rows
        for number, came in reversed(list(enumerate(applications_of(moves[row.id]))))
        if came.received_on <= year.last_on and (came.ended_on is None or came.ended_on >= year.first_on)
    )
    approved = {one.household_id: one.came.ended_on for one in held if is_in("approved", one, year)}
    return Year(year, held, MappingProxyType(_born(approved)))


def _of_interest(year: ReturnYear) -> Select[tuple[int]]:
    """Cases that may have an application in progress in a year: all of them, and few others. Left out is whoever came
    after it, and whoever made their last move before it, to an ending."""
    move = StageChange.__table__.c
    last_open = func.max(case((move.to_stage.in_([our_word(one) for one in sorted(OPEN_APPLICATION)]), move.id)))
    last_end = func.max(case((move.to_stage.in_([our_word(one) for one in sorted(ENDED_APPLICATION)]), move.id)))
    return (
        select(move.case_id)
        .where(move.track == our_word("application"))
        .group_by(move.case_id)
        .having(
            func.min(move.effective_on) <= year.last_on,
            or_(
                func.max(move.effective_on) >= year.first_on,
                last_end.is_(None),
                last_open > last_end,
            ),
        )
    )


def _born(approved: Mapping[int, date | None]) -> dict[int, tuple[date | None, ...]]:
    """Dates of birth of those who applied and lived there on the day of the approval, Carer 1 first."""
    found: dict[int, list[date | None]] = {household_id: [] for household_id in approved}
    for row in db.session.execute(
        select(Person.household_id, Person.born_on, Person.left_household_on)
        .where(is_among(Person.household_id, list(approved)), Person.role.in_([str(one) for one in APPLICANT_ROLES]))
        .order_by(Person.household_id, Person.role, Person.id)
    ):
        day = approved[row.household_id]
        if row.left_household_on is None or day is None or row.left_household_on > day:
            found[row.household_id].append(row.born_on)
    return {household_id: tuple(days) for household_id, days in found.items()}


# --- Who is counted where ---------------------------------------------------------------------------------------------

NO_CODE = "none"
ENDINGS: tuple[str, ...] = (
    "approved",
    "not_approved",
    *(f"withdrawn_{code}" for code in (*AW_CODES, NO_CODE)),
    "by_service",
)
FLOW: tuple[str, ...] = ("start", "received", *ENDINGS, "end")
"""The lines of the flow: what there was and came, what went, and what is left."""


def is_in(line: str, one: Held, year: ReturnYear) -> bool:
    """Whether an application is counted in a line of the flow: one of FLOW."""
    came = one.came
    if line == "start":
        return came.received_on < year.first_on and (came.ended_on is None or came.ended_on >= year.first_on)
    if line == "received":
        return year.has(came.received_on)
    if line == "end":
        return came.received_on <= year.last_on and (came.ended_on is None or came.ended_on > year.last_on)
    return year.has(came.ended_on) and _ending_of(came) == line


def _ending_of(came: CameTo) -> str:
    if came.outcome is Outcome.WITHDRAWN:
        return f"withdrawn_{came.code or NO_CODE}"
    return {
        Outcome.APPROVED: "approved",
        Outcome.NOT_APPROVED: "not_approved",
        Outcome.WITHDRAWN_BY_SERVICE: "by_service",
    }.get(came.outcome, "")


def balance_of(one: Held, year: ReturnYear) -> int:
    """What one application adds to both sides of the sum, taken from each other: 0 where the flow reconciles."""
    comes = is_in("start", one, year) + is_in("received", one, year)
    goes = sum(is_in(line, one, year) for line in ENDINGS)
    return comes - goes - is_in("end", one, year)


def ages_of(one: Held, whole: Year) -> tuple[int | None, ...]:
    """The ages of its carers on the day of its approval, Carer 1 first. A household of nobody has a first carer of
    whom nothing is recorded."""
    day = one.came.ended_on
    born = whole.born.get(one.household_id) or (None,)
    return tuple(age_on(when, day) if when is not None and day is not None else None for when in born)


def band_in(one: Held, whole: Year, carer: int) -> str | None:
    """The band of its first (0) or second (1) carer; None where there is no such carer."""
    ages = ages_of(one, whole)
    return band_of(ages[carer]) if carer < len(ages) else None


# --- What to look at before it is sent --------------------------------------------------------------------------------


def _no_code(whole: Year) -> list[Held]:
    return whole.where(lambda one: is_in(f"withdrawn_{NO_CODE}", one, whole.year))


def _no_birth(whole: Year) -> list[Held]:
    return whole.where(
        lambda one: (
            is_in("approved", one, whole.year)
            and any(band_in(one, whole, carer) == NOT_RECORDED for carer in range(len(CARERS)))
        )
    )


def _other_than_one_or_two(whole: Year) -> list[Held]:
    return whole.where(
        lambda one: (
            is_in("approved", one, whole.year) and not 1 <= len(whole.born.get(one.household_id, ())) <= len(CARERS)
        )
    )


def _before_they_asked(whole: Year) -> list[Held]:
    return whole.where(lambda one: one.came.received_on < one.asked_on)


def _no_day(whole: Year) -> list[Held]:
    return whole.where(lambda one: one.came.ended_on is None and one.stage in ENDED_APPLICATION)


def _ended_first(whole: Year) -> list[Held]:
    return whole.where(lambda one: one.came.said_ended_on is not None)


def _two_at_once(whole: Year) -> list[Held]:
    open_ones = whole.where(lambda one: is_in("end", one, whole.year))
    count: dict[int, int] = defaultdict(int)
    for one in open_ones:
        count[one.household_id] += 1
    return [one for one in open_ones if count[one.household_id] > 1]


def _out_of_balance(whole: Year) -> list[Held]:
    return whole.where(lambda one: balance_of(one, whole.year) != 0)


@dataclass(frozen=True, slots=True)
class Look:
    """Something to look at before the return is sent."""

    key: str
    label: str
    what_to_do: str
    find: Callable[[Year], list[Held]]


LOOKS: Sequence[Look] = (
    Look(
        "no_code",
        "Withdrawn, without one of Ofsted’s codes",
        "Put the stage right and withdraw again with the code, or send them as AW0",
        _no_code,
    ),
    Look(
        "no_birth",
        "Approved, with a carer’s date of birth missing or impossible",
        "Enter the date of birth on the household’s page",
        _no_birth,
    ),
    Look(
        "carers",
        "Approved, with nobody or more than two down as applicants",
        "Put right who applies: two carers at most are counted",
        _other_than_one_or_two,
    ),
    Look(
        "before_asked",
        "Received before the household first asked",
        "One of the two days is wrong, or an earlier enquiry was never logged",
        _before_they_asked,
    ),
    Look(
        "no_day",
        "Stands as ended, and no move says when",
        "Counted as in progress: put the stage right so that it ends on a day",
        _no_day,
    ),
    Look(
        "ended_first",
        "Ended before the day it was received",
        "Counted as ended on the day it was received",
        _ended_first,
    ),
    Look(
        "two_open",
        "Households with two applications in progress at the end",
        "Is it one household entered twice? Each application is counted",
        _two_at_once,
    ),
    Look(
        "balance", "Applications for which the sum does not come out", "Tell us: this should never be", _out_of_balance
    ),
)
LOOK = MappingProxyType({look.key: look for look in LOOKS})
