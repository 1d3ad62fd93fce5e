"""Every clock: how long, counted how, set by whom.

A regulation or a standard is the same for all services and is written here. A promise is the service's own: the length
here is what a service starts with, and its settings hold what it has promised since.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from types import MappingProxyType

from crm.rules.refusal import Refusal
from crm.rules.working_days import WorkingDays


class DateNeeded(Refusal):
    """This clock has no length of its own: a person gives its date."""

    default_status = 422


class Unit(StrEnum):
    """What a clock counts."""

    WORKING_DAYS = "working_days"
    CALENDAR_DAYS = "calendar_days"
    CALENDAR_MONTHS = "calendar_months"
    GIVEN = "given"  # a person gives the date


class Counting(StrEnum):
    """Where the count begins."""

    AFTER = "after"  # the day of the event is day 0
    BEGINNING_WITH = "beginning_with"  # the day of the event is day 1
    BEFORE = "before"  # backwards; the day of the event is day 0


class ClockKind(StrEnum):
    """Who set the limit."""

    REGULATION = "regulation"
    STANDARD = "standard"
    PROMISE = "promise"


class WhoseTurn(StrEnum):
    """Whom the clock runs for."""

    SERVICE = "service"
    HOUSEHOLD = "household"
    OTHER = "other"


_REGULATIONS_FROM = date(2011, 4, 1)
_AMENDED_FROM = date(2013, 7, 1)  # Care Planning and Fostering (Miscellaneous Amendments) (England) Regulations 2013
_PROMISED_FROM = date(2011, 4, 1)


@dataclass(frozen=True, slots=True)
class DeadlineRule:
    """One clock's rule in one edition.

    `what`: what must happen, as a heading. `action`: what to do next, as an instruction. `counted_from`: the event
    the count begins at, in words. `certainty`: L law, L* law read at second hand, NMS and NMS* standards likewise, SG
    statutory guidance, CP common practice of services.
    """

    name: str
    what: str
    action: str
    unit: Unit
    length: int
    counted_from: str
    kind: ClockKind
    source: str
    certainty: str
    counting: Counting = Counting.AFTER
    whose_turn: WhoseTurn = WhoseTurn.SERVICE
    in_force_from: date = _PROMISED_FROM

    @property
    def edition(self) -> str:
        """Name and first day of this edition; stored with each deadline it made."""
        return f"{self.name}@{self.in_force_from.isoformat()}"

    @property
    def set_by(self) -> str:
        """Who set the limit, in a word or two: "Our promise", "Standard 14", "Regulation 26"."""
        if self.kind is ClockKind.PROMISE:
            return "Our promise"
        word, mark = (
            ("Standard", r"standard (\d+)") if self.kind is ClockKind.STANDARD else ("Regulation", r"reg (\d+)")
        )
        number = re.search(mark, self.source)
        return f"{word} {number[1]}" if number else word

    @property
    def length_words(self) -> str:
        """ "10 working days", "28 days", "8 months"."""
        return length_words(self.unit, self.length)

    @property
    def words(self) -> str:
        """The rule in a line: "Our promise: 1 working day after the enquiry", "Regulation 26: 10 working days …"."""
        who = self.set_by
        if self.unit is Unit.GIVEN:
            return f"{who}: {self.counted_from}"
        joint = {"after": "after", "beginning_with": "beginning with", "before": "before"}[self.counting]
        return f"{who}: {self.length_words} {joint} {self.counted_from}"


def length_words(unit: Unit, length: int) -> str:
    """A length of time in words."""
    noun = {"working_days": "working day", "calendar_days": "day", "calendar_months": "month", "given": ""}[unit]
    if not noun:
        return "a date that is agreed"
    return f"{length} {noun}" if length == 1 else f"{length} {noun}s"


_REGS = "Fostering Services (England) Regulations 2011"
_NMS14 = "National Minimum Standards for Fostering 2011, standard 14"


def _promise(
    name: str,
    what: str,
    action: str,
    length: int,
    counted_from: str,
    source: str,
    *,
    unit: Unit = Unit.WORKING_DAYS,
    whose_turn: WhoseTurn = WhoseTurn.SERVICE,
) -> DeadlineRule:
    return DeadlineRule(
        name=name,
        what=what,
        action=action,
        unit=unit,
        length=length,
        counted_from=counted_from,
        kind=ClockKind.PROMISE,
        source=source,
        certainty="CP",
        whose_turn=whose_turn,
    )


DEADLINE_RULES: tuple[DeadlineRule, ...] = (
    # Enquiry: no law sets a limit here, only "timely" (NMS 13). All are the service's promises.
    _promise(
        "first_contact",
        "First contact",
        "Ring the household",
        1,
        "the enquiry",
        "Common practice: 1 working day (Milton Keynes, Knowsley)",
    ),
    _promise(
        "event_follow_up",
        "Follow-up after an event",
        "Follow up with those who came",
        1,
        "the event",
        "Common practice: thanks and a call by the next working day",
    ),
    _promise(
        "initial_visit",
        "First home visit",
        "Visit the household",
        10,
        "the enquiry",
        "Common practice: 5 to 10 working days (Milton Keynes, Medway)",
    ),
    _promise(
        "book_visit",
        "Agree a visit",
        "Agree a date for a home visit",
        5,
        "the first talk",
        "Common practice: contact to arrange within 5 working days",
    ),
    _promise(
        "rebook_visit",
        "Offer another visit",
        "Offer another date for the visit",
        5,
        "the visit that fell through",
        "Service policy: re-offer within 5 working days",
    ),
    _promise(
        "no_access_letter",
        "Letter after two missed visits",
        "Write to the household about the missed visits",
        5,
        "the second missed visit",
        "Service policy, after Cambridgeshire's two-contact rule",
    ),
    _promise(
        "visit_outcome",
        "Outcome of the visit",
        "Write up the visit and tell the household the outcome",
        5,
        "the visit",
        "Common practice: outcome letter within 5 working days (Medway)",
    ),
    _promise(
        "visit_sign_off",
        "Visit report signed off",
        "Read the visit report and sign it off",
        2,
        "the report",
        "Service policy: a manager decides in time for the household to hear within the promise",
    ),
    _promise(
        "application_expected",
        "Application form back",
        "Ask how the application form is going",
        20,
        "the invitation",
        "Service policy",
        whose_turn=WhoseTurn.HOUSEHOLD,
    ),
    _promise(
        "recontact",
        "Get in touch again",
        "Get in touch again",
        0,
        "the date agreed with the household",
        "Service policy",
        unit=Unit.GIVEN,
    ),
    # Application and Stage 1
    DeadlineRule(
        name="panel_recommendation",
        what="Panel's recommendation",
        action="Bring the household to panel",
        unit=Unit.CALENDAR_MONTHS,
        length=8,
        counted_from="the day the application was received",
        kind=ClockKind.STANDARD,
        source=_NMS14,
        certainty="NMS",
        in_force_from=_REGULATIONS_FROM,
    ),
    _promise(
        "decide_to_assess",
        "Decision to assess",
        "Decide whether to assess",
        5,
        "the day the application was received",
        "Service policy",
    ),
    _promise(
        "stage_one_target",
        "Stage 1 checks all in",
        "Gather the Stage 1 checks",
        2,
        "the decision to assess",
        "Common practice: Stage 1 in 1 to 2 months",
        unit=Unit.CALENDAR_MONTHS,
    ),
    DeadlineRule(
        name="stage_one_decision",
        what="Stage 1 decision",
        action="Decide Stage 1",
        unit=Unit.WORKING_DAYS,
        length=10,
        counted_from="the day the last Stage 1 item was obtained",
        kind=ClockKind.REGULATION,
        source=f"{_REGS}, reg 26 (as amended 1 July 2013)",
        certainty="L*",
        in_force_from=_AMENDED_FROM,
    ),
    _promise(
        "check_chase",
        "Check chased",
        "Chase the check",
        10,
        "the day it was asked for",
        "Service policy",
        whose_turn=WhoseTurn.OTHER,
    ),
    _promise(
        "dbs_chase",
        "DBS certificate",
        "Chase the DBS certificate",
        20,
        "the day it was asked for",
        "Service policy",
        whose_turn=WhoseTurn.OTHER,
    ),
    _promise(
        "referee_reply",
        "Referee's reply",
        "Chase the referee",
        10,
        "the day the referee was asked",
        "Service policy",
        whose_turn=WhoseTurn.OTHER,
    ),
    _promise(
        "local_authority_views",
        "Home council's views",
        "Chase the council for its views",
        10,
        "the day they were asked for",
        "Service policy",
        whose_turn=WhoseTurn.OTHER,
    ),
    DeadlineRule(
        name="previous_service_records",
        what="Records from the previous service",
        action="Chase the previous service for its records",
        unit=Unit.WORKING_DAYS,
        length=15,
        counted_from="the day they were asked for",
        kind=ClockKind.REGULATION,
        source=f"{_REGS}, reg 32(6)",
        certainty="L",
        whose_turn=WhoseTurn.OTHER,
        in_force_from=_AMENDED_FROM,
    ),
    _promise(
        "previous_service_reference",
        "Reference from the previous service",
        "Chase the previous service for its reference",
        28,
        "the day it was asked for",
        "Transfer protocol 2014",
        unit=Unit.CALENDAR_DAYS,
        whose_turn=WhoseTurn.OTHER,
    ),
    DeadlineRule(
        name="resignation_effect",
        what="Approval elsewhere ends",
        action="Confirm that the approval elsewhere has ended",
        unit=Unit.CALENDAR_DAYS,
        length=28,
        counted_from="the day the other service received the resignation",
        kind=ClockKind.REGULATION,
        source=f"{_REGS}, reg 28",
        certainty="L*",
        whose_turn=WhoseTurn.OTHER,
        in_force_from=_REGULATIONS_FROM,
    ),
    # Stage 2 and panel
    _promise(
        "stage_two_target",
        "Stage 2 report",
        "Finish the assessment and its report",
        4,
        "the start of Stage 2",
        "Common practice: Stage 2 in 3 to 4 months (Medway)",
        unit=Unit.CALENDAR_MONTHS,
    ),
    DeadlineRule(
        name="observations",
        what="Household's observations on the report",
        action="Ask for the household's observations",
        unit=Unit.WORKING_DAYS,
        length=10,
        counted_from="the day the report was shared",
        kind=ClockKind.REGULATION,
        source=f"{_REGS}, reg 26(2)",
        certainty="L*",
        whose_turn=WhoseTurn.HOUSEHOLD,
        in_force_from=_REGULATIONS_FROM,
    ),
    DeadlineRule(
        name="panel_papers",
        what="Papers to panel members",
        action="Send the papers to the panel members",
        unit=Unit.WORKING_DAYS,
        length=5,
        counted_from="the panel meeting",
        kind=ClockKind.STANDARD,
        source=_NMS14,
        certainty="NMS",
        counting=Counting.BEFORE,
        in_force_from=_REGULATIONS_FROM,
    ),
    _promise(
        "panel_minutes",
        "Final minutes to the decision maker",
        "Send the recommendation and final minutes to the decision maker",
        7,
        "the panel's recommendation",
        "Service policy",
    ),
    # Decision and after
    DeadlineRule(
        name="adm_decision",
        what="Decision",
        action="Decide",
        unit=Unit.WORKING_DAYS,
        length=7,
        counted_from="the day the decision maker had both the recommendation and the final minutes",
        kind=ClockKind.STANDARD,
        source=_NMS14,
        certainty="NMS*",
        in_force_from=_REGULATIONS_FROM,
    ),
    DeadlineRule(
        name="oral_notice",
        what="Tell the household the decision",
        action="Tell the household the decision, by voice",
        unit=Unit.WORKING_DAYS,
        length=2,
        counted_from="the decision",
        kind=ClockKind.STANDARD,
        source=_NMS14,
        certainty="NMS*",
        in_force_from=_REGULATIONS_FROM,
    ),
    DeadlineRule(
        name="written_notice",
        what="Written notice of the decision",
        action="Send the written notice",
        unit=Unit.WORKING_DAYS,
        length=5,
        counted_from="the decision",
        kind=ClockKind.STANDARD,
        source=_NMS14,
        certainty="NMS*",
        in_force_from=_REGULATIONS_FROM,
    ),
    _promise(
        "foster_care_agreement",
        "Foster care agreement signed",
        "Get the foster care agreement signed",
        10,
        "the decision",
        f"Service policy; the agreement itself is required by {_REGS}, reg 27 and Sch 5",
    ),
    DeadlineRule(
        name="first_review",
        what="First review",
        action="Hold the first review and take it to panel",
        unit=Unit.CALENDAR_MONTHS,
        length=12,
        counted_from="the day approval took effect",
        kind=ClockKind.REGULATION,
        source=f"{_REGS}, reg 28",
        certainty="L*",
        in_force_from=_REGULATIONS_FROM,
    ),
    DeadlineRule(
        name="qd_response",
        what="Household's answer to our proposal",
        action="Wait for representations or an application for independent review",
        unit=Unit.CALENDAR_DAYS,
        length=28,
        counted_from="the date of the notice",
        kind=ClockKind.REGULATION,
        source=f"{_REGS}, reg 27; GOV.UK, disagreeing with a qualifying determination",
        certainty="L",
        whose_turn=WhoseTurn.HOUSEHOLD,
        in_force_from=_REGULATIONS_FROM,
    ),
    DeadlineRule(
        name="irm_papers",
        what="Papers to the Independent Review Mechanism",
        action="Send the reports and the notice, not the panel minutes",
        unit=Unit.WORKING_DAYS,
        length=10,
        counted_from="the day we were told of the review",
        kind=ClockKind.REGULATION,
        source=f"{_REGS}, reg 29",
        certainty="L",
        in_force_from=_REGULATIONS_FROM,
    ),
)

# The clocks that stop when an enquiry ends, and all that stop when an application ends.
ENQUIRY_CLOCKS: tuple[str, ...] = (
    "first_contact",
    "initial_visit",
    "book_visit",
    "rebook_visit",
    "no_access_letter",
    "visit_outcome",
    "visit_sign_off",
    "application_expected",
)
ALL_CLOCKS: tuple[str, ...] = tuple(dict.fromkeys(rule.name for rule in DEADLINE_RULES))

# Common practice, so a service may change their length in its settings; the rest it may not.
PROMISES: tuple[str, ...] = tuple(
    rule.name for rule in DEADLINE_RULES if rule.kind is ClockKind.PROMISE and rule.unit is not Unit.GIVEN
)


def rules_in_force(rules: Iterable[DeadlineRule], on: date) -> Mapping[str, DeadlineRule]:
    """Of each clock's editions, the latest that is in force on a day."""
    chosen: dict[str, DeadlineRule] = {}
    for rule in rules:
        if rule.in_force_from > on:
            continue
        present = chosen.get(rule.name)
        if present is None or rule.in_force_from >= present.in_force_from:
            chosen[rule.name] = rule
    return MappingProxyType(chosen)


def say_about(about: str, what: str) -> str:
    """With whom or what a clock is about before what it is: "Olivia: check chased", and "DBS" stays as it is."""
    return f"{about}: {what if what[1:2].isupper() else what[0].lower() + what[1:]}"


def add_months(day: date, months: int) -> date:
    """The corresponding date so many calendar months later; in a month too short for it, that month's last day."""
    year, month = divmod(day.month - 1 + months, 12)
    year += day.year
    month += 1
    return date(year, month, min(day.day, monthrange(year, month)[1]))


def due_on(rule: DeadlineRule, counted_from: date, calendar: WorkingDays, *, given: date | None = None) -> date:
    """The last day on which what the rule asks for is in time.

    `given`: the date of a clock that has no length of its own. Raises DateNeeded when it has none, DayNotCovered when
    the working-day calendar doesn't reach so far.
    """
    if rule.unit is Unit.GIVEN:
        if given is None:
            raise DateNeeded("Give the date to get in touch again.", field="recontact_on")
        return given
    if rule.unit is Unit.WORKING_DAYS:
        if rule.counting is Counting.BEFORE:
            return calendar.back(counted_from, rule.length)
        if rule.counting is Counting.BEGINNING_WITH:
            return calendar.add_beginning_with(counted_from, rule.length)
        return calendar.add(counted_from, rule.length)
    sign = -1 if rule.counting is Counting.BEFORE else 1
    if rule.unit is Unit.CALENDAR_MONTHS:
        return add_months(counted_from, sign * rule.length)
    days = rule.length - 1 if rule.counting is Counting.BEGINNING_WITH else rule.length
    return counted_from + timedelta(days=sign * days)


def observations_end(shared_on: date, length: int, calendar: WorkingDays) -> tuple[date, date]:
    """Both ends of the time for observations: counted with the day of sharing, and counted after it.

    The regulation counts "beginning with" the day it is sent, practice guides count from the notification. A
    household loses nothing if nobody moves before the longer count, the second, is over.
    """
    return calendar.add_beginning_with(shared_on, length), calendar.add(shared_on, length)


class ClockState(StrEnum):
    """How a clock stands."""

    OK = "ok"
    DUE = "due"
    OVER = "over"


# How many working days before its end a clock is shown as due. A promise warns on the day, a legal limit before it.
_WARN_AT: Mapping[ClockKind, int] = MappingProxyType(
    {ClockKind.REGULATION: 3, ClockKind.STANDARD: 3, ClockKind.PROMISE: 0}
)


@dataclass(frozen=True, slots=True)
class ClockReading:
    """A clock read on a day. `working_days_left` is negative once it is over."""

    state: ClockState
    words: str
    due_on: date
    working_days_left: int


def say_due(due_on: date, *, today: date, calendar: WorkingDays, kind: ClockKind = ClockKind.PROMISE) -> ClockReading:
    """Read a clock: "Due Thu 8 Oct (3 working days)", "Due today", "2 working days over"."""
    if due_on == today:
        return ClockReading(ClockState.DUE, "Due today", due_on, 0)
    left = _working_days_left(due_on, today=today, calendar=calendar)
    if due_on < today:
        over = -left
        words = f"{length_words(Unit.WORKING_DAYS, over)} over" if over else f"Over since {_short(due_on, today)}"
        return ClockReading(ClockState.OVER, words, due_on, left)
    state = ClockState.DUE if left <= _WARN_AT[kind] else ClockState.OK
    return ClockReading(state, f"Due {_short(due_on, today)} ({length_words(Unit.WORKING_DAYS, left)})", due_on, left)


def _working_days_left(due_on: date, *, today: date, calendar: WorkingDays) -> int:
    # A date that a person typed far ahead is no reason for a page to fail: beyond the calendar, weekdays will do.
    if calendar.covers(due_on) and calendar.covers(today):
        return calendar.between(today, due_on)
    return (due_on - today).days * 5 // 7


def _short(day: date, today: date) -> str:
    words = f"{day:%a} {day.day} {day:%b}"
    return words if day.year == today.year else f"{words} {day.year}"
