"""The rules in force on a day, in one frozen value that is handed on like `today`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import lru_cache

from crm.rules import deadlines, working_days
from crm.rules.deadlines import ClockReading, DeadlineRule
from crm.rules.eligibility import CRITERIA, Answer, Criterion, EligibilityAdvice, assess, criteria_in_force
from crm.rules.panel import PANEL_EDITIONS, QuorumFigures, panel_required
from crm.rules.response import ResponseRule
from crm.rules.retention import DEFAULT_RETENTION, RETENTION_RULES, RecordKind, RetentionRule, retention_in_force
from crm.rules.stage_one_checks import CHECK_RULES, LOCAL_CHECK_RULES, CheckRule, check_rules_in_force
from crm.rules.working_days import WorkingDays


@dataclass(frozen=True, slots=True, eq=False)
class Rulebook:
    """Everything that a regulation, a standard or the service's policy sets, as it stands on `day`."""

    day: date
    edition: str
    deadlines: Mapping[str, DeadlineRule]
    calendar: WorkingDays
    panel_required: bool = True
    quorum: QuorumFigures = QuorumFigures()
    criteria: tuple[Criterion, ...] = CRITERIA
    check_rules: tuple[CheckRule, ...] = CHECK_RULES
    retention: Mapping[RecordKind, RetentionRule] = field(default_factory=lambda: DEFAULT_RETENTION)
    response: ResponseRule = ResponseRule()

    def deadline(self, name: str) -> DeadlineRule:
        """The rule of a clock. KeyError for a clock that doesn't exist."""
        return self.deadlines[name]

    def due_on(self, name: str, counted_from: date, *, given: date | None = None) -> date:
        """The last day in time for a clock that counts from a day."""
        return deadlines.due_on(self.deadlines[name], counted_from, self.calendar, given=given)

    def response_promise(self, channel: str | None) -> DeadlineRule:
        """The promise of a first contact to whoever comes by a channel, with the hour it counts from."""
        rule = self.deadlines["first_contact"]
        length = self.response.lengths.get(channel or "", rule.length)
        closing = self.response.closing_words
        if length == rule.length and not closing:
            return rule
        counted_from = f"{rule.counted_from}; {closing}" if closing else rule.counted_from
        return replace(rule, length=length, counted_from=counted_from)

    def response_due_on(self, channel: str | None, counts_from: date) -> date:
        """The last day in time for a first contact, for an enquiry by a channel that counts from a day."""
        return deadlines.due_on(self.response_promise(channel), counts_from, self.calendar)

    def respond_by(self, channel: str | None, arrived_at: datetime) -> date:
        """The last day in time for a first contact with somebody whose enquiry arrived at an instant."""
        return self.response_due_on(channel, self.response.counts_from(arrived_at))

    def say_due(self, name: str, due_on: date, *, today: date) -> ClockReading:
        """A clock of this name read today."""
        return deadlines.say_due(due_on, today=today, calendar=self.calendar, kind=self.deadlines[name].kind)

    def assess(self, answers: Mapping[str, Answer]) -> EligibilityAdvice:
        """What a household's answers about eligibility amount to on this day."""
        return assess(answers, self.criteria, self.day)

    @property
    def observation_working_days(self) -> int:
        """How many working days a household has to comment on the report."""
        return self.deadlines["observations"].length

    @property
    def promises(self) -> Mapping[str, DeadlineRule]:
        """The clocks whose length is the service's own promise."""
        return {name: self.deadlines[name] for name in deadlines.PROMISES if name in self.deadlines}


@lru_cache(maxsize=64)
def default_rulebook(today: date) -> Rulebook:
    """The rules as they are written here, with nothing of any one service's own."""
    return Rulebook(
        day=today,
        edition="default",
        deadlines=deadlines.rules_in_force(deadlines.DEADLINE_RULES, today),
        calendar=working_days.england_around(today),
        panel_required=panel_required(PANEL_EDITIONS, today),
        criteria=criteria_in_force(CRITERIA, today),
        check_rules=check_rules_in_force(CHECK_RULES + LOCAL_CHECK_RULES, today),
        retention=retention_in_force(RETENTION_RULES, today),
    )
