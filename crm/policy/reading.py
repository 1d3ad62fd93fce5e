"""Policy as it stands: a frozen rulebook for a day, the service's profile, the wording in force.

All of it is read at once and kept by the process. Each page or transaction asks whether it changed: one row by its key.
"""

from __future__ import annotations

import json
import time
import weakref
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import lru_cache
from threading import Lock
from types import MappingProxyType
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Engine, select

from crm.db import db, forget_of_page, is_writing, kept_by_page, read
from crm.policy import defaults
from crm.policy.models import OneOffHoliday, PolicyKind, PolicyRow, PolicyVersion
from crm.policy.profile import ServiceProfile, profile_from
from crm.rules import working_days
from crm.rules.deadlines import DEADLINE_RULES, DeadlineRule, rules_in_force
from crm.rules.eligibility import CRITERIA, Criterion, Option, Outcome, Route, criteria_in_force
from crm.rules.panel import PANEL_EDITIONS, PanelEdition, panel_required
from crm.rules.response import ResponseRule
from crm.rules.retention import RETENTION_RULES, RetentionRule, retention_in_force
from crm.rules.rulebook import Rulebook
from crm.rules.stage_one_checks import (
    CHECK_RULES,
    LOCAL_CHECK_RULES,
    Basis,
    CheckRule,
    When,
    Who,
    check_rules_in_force,
)


@dataclass(frozen=True, slots=True)
class Edition:
    """One dated row, read."""

    kind: str
    name: str
    in_force_from: date
    version: int
    value: Any

    @property
    def in_force_until(self) -> date | None:
        """The last day it counts, where that was set with it: from the day after, what counted before counts again."""
        until = self.value.get("in_force_until") if self.kind == PolicyKind.CRITERION else None
        return date.fromisoformat(until) if until else None

    def counts_on(self, day: date) -> bool:
        """Whether the day lies between its first and its last."""
        return self.in_force_from <= day and (self.in_force_until is None or day <= self.in_force_until)


@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """Every row there is, in the order they were written. `version` 0: nothing has been written yet."""

    version: int
    token: str
    editions: tuple[Edition, ...]
    holidays: frozenset[date]
    worked_after_all: frozenset[date]

    def in_force(self, kind: PolicyKind, on: date | None) -> Mapping[str, Edition]:
        """Of each name of a kind, the edition in force on a day (None: the newest of all)."""
        chosen: dict[str, Edition] = {}
        for edition in self.editions:
            if edition.kind != kind or (on is not None and not edition.counts_on(on)):
                continue
            present = chosen.get(edition.name)
            if present is None or edition.in_force_from >= present.in_force_from:
                chosen[edition.name] = edition
        return chosen


@dataclass(frozen=True, slots=True)
class Wording:
    """Words that somebody agreed to or was shown. `version` is what is stored beside their answer."""

    name: str
    version: str
    text: str
    in_force_from: date


RESPONSE = "response"
"""The name, among the promises, of the rule by which enquiries are answered."""

_KEPT = 4
_policies: OrderedDict[str, Policy] = OrderedDict()
_lock = Lock()


def rulebook_on(day: date) -> Rulebook:
    """The rules in force on a London date: the law, and the service's own policy."""
    return _rulebook(_policy(), day)


def service(on: date | None = None) -> ServiceProfile:
    """The service as its settings have it now, or as they had it on a day."""
    return _profile(_policy(), on)


def policy_version() -> int:
    """The number of the last change, for a form to carry as what its reader had seen."""
    return _policy().version


def wording(name: str, on: date | None = None) -> Wording:
    """The words in force: ``consent.email``, ``privacy_notice``. KeyError for words that don't exist."""
    edition = _policy().in_force(PolicyKind.WORDING, on).get(name)
    if edition is None:
        return Wording(name, "1", defaults.WORDINGS[name], defaults.FIRST_DAY)
    return Wording(name, edition.value["version"], edition.value["text"], edition.in_force_from)


def wording_of_version(name: str, version: str) -> Wording:
    """The words that were shown under a stored version. KeyError when there never were such."""
    for edition in _policy().editions:
        if edition.kind == PolicyKind.WORDING and edition.name == name and edition.value["version"] == version:
            return Wording(name, version, edition.value["text"], edition.in_force_from)
    if version == "1":
        return Wording(name, "1", defaults.WORDINGS[name], defaults.FIRST_DAY)
    raise KeyError((name, version))


def letters_with_words(on: date | None) -> Mapping[str, Edition]:
    """Of each kind of letter that the service has words of its own for, the edition in force on a day."""
    return _policy().in_force(PolicyKind.LETTER, on)


def letter_words(kind: str, on: date) -> Edition | None:
    """The service's own words for a letter on a day; its value is None where the product's were put back."""
    return letters_with_words(on).get(kind)


def editions_of(kind: PolicyKind, name: str) -> tuple[Edition, ...]:
    """Every edition of one thing, the newest first: its history, for the settings screen."""
    found = [edition for edition in _policy().editions if edition.kind == kind and edition.name == name]
    return tuple(sorted(found, key=lambda one: (one.in_force_from, one.version), reverse=True))


def one_off_holidays() -> tuple[OneOffHoliday, ...]:
    """The one-off days that count, the next first."""
    query = select(OneOffHoliday).where(OneOffHoliday.withdrawn_at.is_(None)).order_by(OneOffHoliday.day)
    return tuple(db.session.scalars(query))


# --- reading ------------------------------------------------------------------------------------------------------


# Asked on every page, so it is built once, and needs no mapped object.
_STAMP = PolicyVersion.__table__.c
_VERSION = select(_STAMP.version, _STAMP.token).where(_STAMP.id == 1)


def _policy() -> Policy:
    """The policy of this page or transaction.

    A page that only reads has one policy from its first line to its last, no older than a second: what the public reads
    needs nothing else of the database. Whatever writes asks for the token once a transaction; all ask for the rows once
    a change.
    """
    of_page = kept_by_page()
    if of_page is not None:
        if "policy" not in of_page:
            seen = _seen.get(db.engine)
            is_fresh = seen is not None and 0 <= time.monotonic() - seen.at < FRESH_SECONDS
            of_page["policy"] = seen.policy if seen is not None and is_fresh else _ask()
        policy: Policy = of_page["policy"]
        return policy
    session = db.session()
    transaction = session.get_transaction()
    kept = session.info.get("crm_policy")
    if kept is not None and transaction is not None and kept[0]() is transaction:
        of_transaction: Policy = kept[1]
        return of_transaction
    policy = _ask()
    transaction = session.get_transaction()
    if transaction is not None:
        session.info["crm_policy"] = (weakref.ref(transaction), policy)
    return policy


def _ask() -> Policy:
    row = read(_VERSION).one_or_none()
    return _noted(_EMPTY if row is None else _by_token(row.version, row.token))


def _noted(policy: Policy) -> Policy:
    if not is_writing():  # what is being written may yet be rolled back
        _seen[db.engine] = _Seen(policy, time.monotonic())
    return policy


def stamp_columns() -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    """The number and the token of the policy, for a statement that is asked at the start of a page anyway; both are
    None before the first policy. What it answers is handed to ``keep_stamp``."""
    columns = (_STAMP.version, _STAMP.token)
    version, token = (select(column).where(_STAMP.id == 1).scalar_subquery() for column in columns)
    return version.label("policy_version"), token.label("policy_token")


def keep_stamp(version: int | None, token: str | None) -> None:
    """What has just been read by ``stamp_columns``: a page that only reads need not ask again."""
    policy = _noted(_EMPTY if version is None or token is None else _by_token(version, token))
    of_page = kept_by_page()
    if of_page is not None:
        of_page["policy"] = policy


def forget_policy() -> None:
    """Make this transaction ask again; called by whatever changes policy."""
    db.session().info.pop("crm_policy", None)
    _seen.pop(db.engine, None)
    forget_of_page("policy")


class _Seen(NamedTuple):
    policy: Policy
    at: float


FRESH_SECONDS = 1.0
_seen: weakref.WeakKeyDictionary[Engine, _Seen] = weakref.WeakKeyDictionary()
"""The policy of each database as this process last read it."""

_EMPTY = Policy(0, "", (), frozenset(), frozenset())


def _by_token(version: int, token: str) -> Policy:
    with _lock:
        policy = _policies.get(token)
        if policy is not None:
            _policies.move_to_end(token)
            return policy
    policy = _read(version, token)
    with _lock:
        _policies[token] = policy
        while len(_policies) > _KEPT:
            _policies.popitem(last=False)
    return policy


def _read(version: int, token: str) -> Policy:
    rows = db.session.execute(
        select(
            PolicyRow.kind, PolicyRow.name, PolicyRow.in_force_from, PolicyRow.version, PolicyRow.value_json
        ).order_by(PolicyRow.id)
    )
    editions = tuple(
        Edition(row.kind, row.name, row.in_force_from, row.version, json.loads(row.value_json)) for row in rows
    )
    days = db.session.execute(
        select(OneOffHoliday.day, OneOffHoliday.is_worked).where(OneOffHoliday.withdrawn_at.is_(None))
    ).all()
    return Policy(
        version,
        token,
        editions,
        holidays=frozenset(row.day for row in days if not row.is_worked),
        worked_after_all=frozenset(row.day for row in days if row.is_worked),
    )


# --- what the rows amount to --------------------------------------------------------------------------------------


@lru_cache(maxsize=16)
def _profile(policy: Policy, on: date | None) -> ServiceProfile:
    chosen = {name: edition.value for name, edition in policy.in_force(PolicyKind.SETTING, on).items()}
    return profile_from({name: chosen.get(name, value) for name, value in defaults.SETTINGS.items()})


@lru_cache(maxsize=1024)
def _rulebook(policy: Policy, day: date) -> Rulebook:
    in_force = {kind: policy.in_force(kind, day) for kind in PolicyKind}
    newest = max(
        (edition.in_force_from for editions in in_force.values() for edition in editions.values()),
        default=defaults.FIRST_DAY,
    )
    return Rulebook(
        day=day,
        edition=f"{newest.isoformat()} v{policy.version}",
        deadlines=_deadlines(in_force[PolicyKind.PROMISE], day),
        calendar=working_days.england_around(day, policy.holidays, policy.worked_after_all),
        panel_required=panel_required(PANEL_EDITIONS + _panel_editions(policy), day),
        criteria=_criteria(in_force[PolicyKind.CRITERION], day),
        check_rules=check_rules_in_force(
            CHECK_RULES + LOCAL_CHECK_RULES + tuple(_check(edition) for edition in in_force[PolicyKind.CHECK].values()),
            day,
        ),
        retention=retention_in_force(
            RETENTION_RULES + _retention(in_force[PolicyKind.RETENTION]),
            day,
        ),
        response=_response(in_force[PolicyKind.PROMISE].get(RESPONSE)),
    )


def _deadlines(promises: Mapping[str, Edition], day: date) -> Mapping[str, DeadlineRule]:
    rules = dict(rules_in_force(DEADLINE_RULES, day))
    for name, edition in promises.items():
        if name in rules:
            rules[name] = replace(rules[name], length=edition.value["length"], in_force_from=edition.in_force_from)
    return MappingProxyType(rules)


def _response(edition: Edition | None) -> ResponseRule:
    if edition is None:
        return ResponseRule()
    values = {**edition.value, "lengths": MappingProxyType(edition.value["lengths"])}
    return ResponseRule(**values, in_force_from=edition.in_force_from)


def response_values(rule: ResponseRule) -> dict[str, Any]:
    """An edition as it is stored: everything that a service may change."""
    return {
        "closes_minutes": rule.closes_minutes,
        "lengths": dict(rule.lengths),
        "warn_minutes": rule.warn_minutes,
        "least_tries": rule.least_tries,
        "untouched_days": rule.untouched_days,
    }


def _panel_editions(policy: Policy) -> tuple[PanelEdition, ...]:
    return tuple(
        PanelEdition(edition.in_force_from, edition.value["required"], edition.value["source"])
        for edition in policy.editions
        if edition.kind == PolicyKind.PANEL
    )


def _criteria(changes: Mapping[str, Edition], day: date) -> tuple[Criterion, ...]:
    """The product's criteria as the service has changed them, then the service's own."""
    product = criteria_in_force(CRITERIA, day)
    names = {criterion.name for criterion in product}
    changed = (criterion_of(changes.get(criterion.name), criterion) for criterion in product)
    own = (criterion_of(edition, None) for name, edition in changes.items() if name not in names)
    return tuple(criterion for criterion in (*changed, *own) if criterion is not None)


def criteria_with(name: str, value: Mapping[str, Any], on: date) -> tuple[Criterion, ...]:
    """The criteria of a day as they would be with this edition of one of them: what a trial runs."""
    changes = dict(_policy().in_force(PolicyKind.CRITERION, on))
    changes[name] = Edition(PolicyKind.CRITERION, name, on, 0, value)
    return _criteria(changes, on)


def criteria_without(name: str, on: date) -> tuple[Criterion, ...]:
    """The criteria as they are up to the day before, where an edition of one of them is to begin: what it is compared
    with."""
    changes = dict(_policy().in_force(PolicyKind.CRITERION, on))
    present = criterion_on(name, on - timedelta(days=1))
    changes.pop(name, None)
    if present is not None:
        changes[name] = present
    return _criteria(changes, on)


def criterion_on(name: str, day: date) -> Edition | None:
    """The edition of a criterion that counts on a day; None where the service has said nothing of its own."""
    return _policy().in_force(PolicyKind.CRITERION, day).get(name)


def criterion_editions() -> Mapping[str, tuple[Edition, ...]]:
    """Every edition of every criterion that the service has changed or added, the newest first."""
    names = dict.fromkeys(one.name for one in _policy().editions if one.kind == PolicyKind.CRITERION)
    return {name: editions_of(PolicyKind.CRITERION, name) for name in names}


def criterion_of(edition: Edition | None, product: Criterion | None, *, even_unasked: bool = False) -> Criterion | None:
    """What an edition makes of a criterion of the product's (or of none: then it is the service's own). None where it
    is not asked, unless that is wanted too."""
    if edition is None:
        return product
    value = edition.value
    if not value.get("is_asked", True) and not even_unasked:
        return None
    options: Mapping[str, Mapping[str, Any]] = value.get("options", {})
    if product is None:
        return Criterion(
            name=edition.name,
            question=value["question"],
            hint=value.get("hint", ""),
            staff_words=value["staff_words"],
            source="The service's own policy",
            certainty="CP",
            options=tuple(_changed_option(Option(name, one["label"]), one) for name, one in options.items()),
            in_force_from=edition.in_force_from,
            is_own=True,
        )
    return replace(
        product,
        question=value.get("question", product.question),
        hint=value.get("hint", product.hint),
        staff_words=value.get("staff_words", product.staff_words),
        usual_minimum_age=value.get("usual_minimum_age", product.usual_minimum_age),
        below_usual=Outcome(value.get("below_usual", product.below_usual)),
        options=tuple(_changed_option(option, options.get(option.value, {})) for option in product.options),
        in_force_from=edition.in_force_from,
    )


def _changed_option(option: Option, value: Mapping[str, Any]) -> Option:
    return replace(
        option,
        outcome=Outcome(value.get("outcome", option.outcome)),
        reason=value.get("reason", option.reason),
        what_would_change=value.get("what_would_change", option.what_would_change),
        months=value.get("months", option.months),
        route=Route(value.get("route", option.route)),
    )


def _check(edition: Edition) -> CheckRule:
    value = edition.value
    return CheckRule(
        item=edition.name,
        what=value["what"],
        why=value["why"],
        who=Who(value["who"]),
        source="The service's own policy; not required by regulation",
        certainty="CP",
        basis=Basis.LOCAL,
        when=When(value.get("when", When.ALWAYS)),
        count=value.get("count", 1),
        minimum_age=value.get("minimum_age", 18),
        max_age_at_panel_months=value.get("max_age_at_panel_months"),
        in_force_from=edition.in_force_from,
        in_force_until=edition.in_force_from if not value.get("is_asked", True) else None,
    )


def _retention(changes: Mapping[str, Edition]) -> tuple[RetentionRule, ...]:
    by_kind = {str(rule.kind): rule for rule in RETENTION_RULES}
    return tuple(
        replace(by_kind[name], months=edition.value["months"], in_force_from=edition.in_force_from)
        for name, edition in changes.items()
        if name in by_kind
    )
