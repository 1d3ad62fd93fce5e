"""Random histories of applications, odd ones too: put back by a correction, withdrawn and returned, ended before they
began, on the days on which a year of the return or the hour of the clock changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from hypothesis import strategies as st

from crm import policy
from crm.cases.journeys import fill_missing
from crm.cases.models import Case, Deadline, Enquiry, Household, Person, StageChange, Track
from crm.db import Values, insert_rows, new_row_key
from crm.rules.reference import new_reference

TODAY = date(2026, 7, 14)
EDGES = tuple(
    day + timedelta(days=by)
    for day in (date(2024, 4, 1), date(2025, 4, 1), date(2026, 4, 1), date(2024, 3, 31), date(2025, 3, 30))
    for by in (-1, 0, 1)
)
"""About the first days of years of the return, and Sundays on which clocks go forward."""
FIRST_DAY = date(2024, 2, 1)
STAGES = (
    ("in_assessment", False), ("with_panel", False), ("with_adm", False), ("qd_issued", False), ("irm", False),
    ("approved", False), ("approved", False), ("withdrawn", False), ("withdrawn", False), ("withdrawn", False),
    ("refused", False), ("stage_one_refused", False), ("received", False),
    ("in_assessment", True), ("with_adm", True), ("withdrawn", True), ("refused", True), ("approved", True),
    ("received", True),
)  # fmt: skip
REASONS = ("AW1", "AW2", "AW3: moved for work", "AW4", "AW5", "AW0", "SERVICE", None, "circumstances")
HOURS = (0, 8, 12, 22, 23)
"""In UTC: half past eleven at night is the next day in summer."""


@dataclass(frozen=True)
class Move:
    to: str
    on: date
    is_correction: bool
    reason: str | None


@dataclass(frozen=True)
class OneCase:
    touches: tuple[datetime, ...]
    """The first opened it."""
    moves: tuple[Move, ...]
    """Of its application, in the order in which they were made."""
    stage: str | None
    """Where the case has its application stand, where that is not what the moves say."""
    closed: str | None
    """Why its enquiry was closed; only where nobody applied."""


@dataclass(frozen=True)
class Home:
    cases: tuple[OneCase, ...]
    applicants: tuple[tuple[str, date | None, date | None], ...]
    """Role, born on, left on."""
    clocks: tuple[tuple[str, date, date, date | None, str | None], ...]


any_day = st.one_of(
    st.sampled_from(EDGES), st.integers(0, (TODAY - FIRST_DAY).days).map(lambda n: FIRST_DAY + timedelta(days=n))
)
instants = st.builds(
    lambda day, hour: datetime.combine(day, time(hour, 30), UTC), any_day.filter(lambda day: day < TODAY),
    st.sampled_from(HOURS),
)  # fmt: skip


@st.composite
def moves(draw) -> tuple[Move, ...]:
    if draw(st.integers(0, 4)) == 0:
        return ()
    on = draw(any_day)
    found = [Move("received", on, False, None)]
    for (to, is_correction), by, reason in draw(
        st.lists(st.tuples(st.sampled_from(STAGES), st.integers(-3, 200), st.sampled_from(REASONS)), max_size=5)
    ):
        on = min(on + timedelta(days=by), TODAY)
        found.append(Move(to, on, is_correction, None if is_correction else reason))
    return tuple(found)


one_case = st.builds(
    OneCase,
    touches=st.lists(instants, min_size=1, max_size=3).map(lambda some: tuple(sorted(some))),
    moves=moves(),
    stage=st.sampled_from([None, None, None, "withdrawn", "in_assessment"]),
    closed=st.sampled_from([None, None, "duplicate", "spam", "withdrew"]),
)
born = st.one_of(
    st.none(),
    st.sampled_from([date(2006, 4, 1), date(2007, 3, 31), date(1996, 2, 29), date(2010, 1, 1), date(1890, 1, 1)]),
    st.integers(0, 60 * 365).map(lambda n: date(1945, 1, 1) + timedelta(days=n)),
)
applicants = st.lists(
    st.tuples(st.sampled_from(["applicant_1", "applicant_2"]), born, st.one_of(st.none(), st.none(), any_day)),
    max_size=3,
).map(tuple)
clock = st.builds(
    lambda rule, start, length, took, how: (
        rule, start, start + timedelta(days=length), min(start + timedelta(days=took), TODAY) if how else None, how,
    ),
    st.sampled_from(["panel_recommendation", "stage_one_decision", "adm_decision", "oral_notice", "written_notice"]),
    any_day, st.integers(0, 250), st.integers(0, 300), st.sampled_from(["met", "met", "ended", "replaced", None]),
)  # fmt: skip
homes = st.builds(
    Home,
    cases=st.lists(one_case, min_size=1, max_size=2).map(tuple),
    applicants=applicants,
    clocks=st.lists(clock, max_size=2, unique_by=lambda one: one[0]).map(tuple),
)
many_homes = st.lists(homes, min_size=1, max_size=10)
FREE = 1000


def put_in(some: Sequence[Home], *, manager_id: int) -> None:
    """These households as rows, and what the product sums up of them. Inside the caller's transaction."""
    rows: list[Values] = []
    case_id = change_id = FREE
    for home_id, home in enumerate(some, start=FREE):
        rows.append(Values(Household, {
            "id": home_id, "row_key": new_row_key(), "name": f"Household {home_id}",
            "created_at": home.cases[0].touches[0],
        }))  # fmt: skip
        rows += [
            Values(Person, {
                "row_key": new_row_key(), "household_id": home_id, "role": role, "given_name": "Priya",
                "given_key": "priya", "born_on": born_on, "left_household_on": left_on, "no_calls": False,
                "no_voicemail": False, "no_texts": False, "no_emails": False, "no_letters": False,
                "no_contact": False, "is_to_compare": False,
            })
            for role, born_on, left_on in home.applicants
        ]  # fmt: skip
        for one in home.cases:
            case_id += 1
            opened_at = one.touches[0]
            rows.append(Values(Case, {
                "id": case_id, "reference": new_reference("KF", case_id), "household_id": home_id, "version": 1,
                "opened_at": opened_at, "channel": "web", "edition": "default", "owner_id": manager_id,
                "is_open": False, "place": "closed", "band": "ended",
            }))  # fmt: skip
            rows += [
                Values(Enquiry, {
                    "row_key": new_row_key(), "case_id": case_id, "received_at": touch, "channel": "web",
                })
                for touch in one.touches
            ]  # fmt: skip
            said = [("application", move) for move in one.moves]
            if one.closed and not one.moves:
                said.append(("enquiry", Move("closed", opened_at.date(), False, one.closed)))
            for track, move in said:
                change_id += 1
                rows.append(Values(StageChange, {
                    "id": change_id, "row_key": new_row_key(), "case_id": case_id, "track": track,
                    "to_stage": move.to, "move": "made", "changed_at": opened_at, "effective_on": move.on,
                    "actor_kind": "staff", "reason_code": move.reason, "is_correction": move.is_correction,
                    "edition": "default",
                }))  # fmt: skip
            if one.moves:
                rows.append(Values(Track, {
                    "case_id": case_id, "name": "application", "stage": one.stage or one.moves[-1].to, "version": 1,
                    "since_on": one.moves[-1].on,
                }))  # fmt: skip
        for rule, start, due, stopped, how in home.clocks:
            rows.append(Values(Deadline, {
                "case_id": case_id, "rule": rule, "edition": "default", "counted_from_on": start, "due_on": due,
                "turn": "service", "stopped_on": stopped, "stopped_how": how, "subject": "",
            }))  # fmt: skip
    insert_rows(rows)
    fill_missing(calendar=policy.rulebook_on(TODAY).calendar)
