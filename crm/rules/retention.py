"""How long a record is kept.

Law first: an approved carer's record at least 10 years from the end of the approval, an applicant's who was refused or
withdrew at least 3 years from that (Fostering Services (England) Regulations 2011, reg 32(1) and (3)). The law is
silent on enquiries that never became an application; those lengths are the service's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from types import MappingProxyType

from crm.rules.deadlines import add_months


class RecordKind(StrEnum):
    """What is kept."""

    APPROVED_CARER = "approved_carer"
    APPLICATION_ENDED = "application_ended"
    ENQUIRY = "enquiry"
    ENQUIRY_VISITED = "enquiry_visited"
    EVENT_SIGN_IN = "event_sign_in"
    DBS_CONTENT = "dbs_content"
    PANEL_MINUTES = "panel_minutes"
    COMPLAINT = "complaint"
    CONSENT = "consent"


@dataclass(frozen=True, slots=True)
class RetentionRule:
    """How many calendar months a kind of record is kept, from what.

    `is_minimum`: the record may not go before; otherwise it must be gone by then.
    """

    kind: RecordKind
    months: int
    counted_from: str
    is_minimum: bool
    source: str
    certainty: str
    in_force_from: date = date(2011, 4, 1)


_REG32 = "Fostering Services (England) Regulations 2011, reg 32"

RETENTION_RULES: tuple[RetentionRule, ...] = (
    RetentionRule(RecordKind.APPROVED_CARER, 120, "the end of the approval", True, f"{_REG32}(1)", "L"),
    RetentionRule(RecordKind.APPLICATION_ENDED, 36, "the refusal or withdrawal", True, f"{_REG32}(3)", "L"),
    RetentionRule(RecordKind.ENQUIRY, 24, "the day it was closed", False, "Service policy; no statutory period", "CP"),
    RetentionRule(
        RecordKind.ENQUIRY_VISITED, 36, "the day it was closed", False, "Service policy, after reg 32(3)", "CP"
    ),
    RetentionRule(RecordKind.EVENT_SIGN_IN, 24, "the event", False, "Service policy, as an enquiry", "CP"),
    RetentionRule(
        RecordKind.DBS_CONTENT, 6, "the decision it was seen for", False, "DBS model policy on handling", "CP"
    ),
    RetentionRule(RecordKind.PANEL_MINUTES, 120, "the meeting", True, "Common practice: 10 years", "CP"),
    RetentionRule(RecordKind.COMPLAINT, 72, "the day it was closed", False, "Common practice: 6 years", "CP"),
    RetentionRule(RecordKind.CONSENT, 72, "the last use", False, "Common practice: while used and 6 years", "CP"),
)


def retention_in_force(rules: Iterable[RetentionRule], on: date) -> Mapping[RecordKind, RetentionRule]:
    """Of each kind's editions, the latest in force on a day."""
    chosen: dict[RecordKind, RetentionRule] = {}
    for rule in rules:
        present = chosen.get(rule.kind)
        if rule.in_force_from <= on and (present is None or rule.in_force_from >= present.in_force_from):
            chosen[rule.kind] = rule
    return MappingProxyType(chosen)


DEFAULT_RETENTION: Mapping[RecordKind, RetentionRule] = MappingProxyType({rule.kind: rule for rule in RETENTION_RULES})


def retain_until(kind: RecordKind, on: date, rules: Mapping[RecordKind, RetentionRule] = DEFAULT_RETENTION) -> date:
    """The day a record's time is up, counted from the event its rule names. Holidays don't matter here."""
    return add_months(on, rules[kind].months)


def dbs_content_until(on: date, rules: Mapping[RecordKind, RetentionRule] = DEFAULT_RETENTION) -> date:
    """The day by which what a DBS certificate said must be gone."""
    return retain_until(RecordKind.DBS_CONTENT, on, rules)
