"""Changing policy: each change adds a row with the day it counts from, a new version and a line in the audit trail.

What the law sets can't be changed here; a reform of the law that has its date can be entered ahead of it.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import select, update

from crm.audit import record
from crm.db import db, insert_of, rows_changed
from crm.policy import defaults
from crm.policy.models import OneOffHoliday, PolicyKind, PolicyRow, PolicyVersion
from crm.policy.profile import district_of, owners_of
from crm.policy.reading import (
    RESPONSE,
    criterion_on,
    editions_of,
    forget_policy,
    response_values,
    rulebook_on,
)
from crm.rules.deadlines import PROMISES, Unit
from crm.rules.eligibility import CRITERIA, Criterion, Outcome, Route
from crm.rules.permissions import Actor, Permission, require
from crm.rules.refusal import Refusal
from crm.rules.response import ANY_HOUR
from crm.rules.retention import RETENTION_RULES
from crm.rules.stage_one_checks import CHECK_RULES, When, Who


class PolicyNotChanged(Refusal):
    """What was given can't be policy."""

    default_status = 422


class PolicyOvertaken(Refusal):
    """Somebody else changed policy after this person opened the page."""


def ensure_defaults(*, now: datetime) -> bool:
    """Write down what a service begins with, once. True when it did.

    From then on a change of the product's own defaults doesn't reach a running service unasked. Two that come at once
    (a release started on two machines) both succeed: the second waits for the first's row.
    """
    if db.session.get(PolicyVersion, 1) is not None:
        return False
    first = insert_of(PolicyVersion).values(id=1, version=1, token=secrets.token_hex(16), changed_at=now)
    if db.session.scalar(first.on_conflict_do_nothing().returning(PolicyVersion.id)) is None:
        return False
    for name, value in defaults.SETTINGS.items():
        _add_row(PolicyKind.SETTING, name, value, in_force_from=defaults.FIRST_DAY, version=1, now=now, by=None)
    for name, text in defaults.WORDINGS.items():
        value = {"version": "1", "text": text}
        _add_row(PolicyKind.WORDING, name, value, in_force_from=defaults.FIRST_DAY, version=1, now=now, by=None)
    db.session.flush()
    forget_policy()
    return True


def change_setting(*, name: str, value: Any, actor: Actor, now: datetime, today: date, seen: int | None = None) -> None:
    """Change one of the service's settings, from today. Raises PolicyNotChanged with how to put the value right."""
    require(actor, Permission.MANAGE_SETTINGS)
    checked = _checked_setting(name, value)
    _write(PolicyKind.SETTING, name, checked, in_force_from=today, actor=actor, now=now, seen=seen)


def change_promise(
    *, clock: str, length: int, in_force_from: date, actor: Actor, now: datetime, today: date, seen: int | None = None
) -> None:
    """Promise another length for a clock, in its own unit, from a day. Clocks already running keep their date."""
    require(actor, Permission.MANAGE_SETTINGS)
    if clock not in PROMISES:
        raise PolicyNotChanged("The law or a standard sets this length, so it can't be changed here.", field="length")
    unit = rulebook_on(today).deadline(clock).unit
    longest = 12 if unit is Unit.CALENDAR_MONTHS else 90
    if not 1 <= length <= longest:
        raise PolicyNotChanged(f"Give a length from 1 to {longest}.", field="length")
    _refuse_past(in_force_from, today)
    _write(PolicyKind.PROMISE, clock, {"length": length}, in_force_from=in_force_from, actor=actor, now=now, seen=seen)


def change_response(
    *,
    changes: Mapping[str, Any],
    in_force_from: date,
    actor: Actor,
    now: datetime,
    today: date,
    seen: int | None = None,
) -> None:
    """Change how enquiries are answered, from a day; what is not named stays. Clocks already running keep their date.

    `changes` may hold ``closes_minutes``, ``warn_minutes``, ``least_tries``, ``untouched_days`` and ``lengths``
    (channel to working days; a channel left out goes by the promise of a first contact).
    """
    require(actor, Permission.MANAGE_SETTINGS)
    for name, value in changes.items():
        if name == "lengths":
            for channel, length in value.items():
                if not _is_whole(length, 1, 90):
                    raise PolicyNotChanged("Give a length from 1 to 90 working days.", field=f"length_{channel}")
        elif name not in _RESPONSE_LIMITS:
            raise PolicyNotChanged("That part of the rule can't be changed.", field=name)
        elif not _is_whole(value, *_RESPONSE_LIMITS[name]):
            low, high = _RESPONSE_LIMITS[name]
            raise PolicyNotChanged(f"Give a number from {low} to {high}.", field=name)
    _refuse_past(in_force_from, today)
    _write(
        PolicyKind.PROMISE,
        RESPONSE,
        {**response_values(rulebook_on(in_force_from).response), **changes},
        in_force_from=in_force_from,
        actor=actor,
        now=now,
        seen=seen,
    )


def change_criterion(
    *,
    name: str,
    changes: Mapping[str, Any],
    in_force_from: date,
    actor: Actor,
    now: datetime,
    today: date,
    in_force_until: date | None = None,
    seen: int | None = None,
) -> int:
    """Change the service's side of an eligibility criterion from a day, or to a last day; or add one of its own.

    `changes` is the whole of it, as `checked_criterion` takes it. A hard stop in law stays one. Gives the version.
    """
    require(actor, Permission.MANAGE_SETTINGS)
    value = checked_criterion(name, changes)
    _refuse_past(in_force_from, today)
    if in_force_until is not None:
        if in_force_until < in_force_from:
            raise PolicyNotChanged("Its last day is before its first.", field="in_force_until")
        value["in_force_until"] = in_force_until.isoformat()
    return _write(PolicyKind.CRITERION, name, value, in_force_from=in_force_from, actor=actor, now=now, seen=seen)


def take_back_criterion(*, name: str, version: int, actor: Actor, now: datetime, today: date) -> None:
    """Take a change of a criterion back before its day: the same day gets what counts the day before."""
    require(actor, Permission.MANAGE_SETTINGS)
    edition = next((one for one in editions_of(PolicyKind.CRITERION, name) if one.version == version), None)
    if edition is None or edition.in_force_from <= today:
        raise PolicyNotChanged("That has started, so it can't be taken back. Change it from today instead.")
    before = criterion_on(name, edition.in_force_from - timedelta(days=1))
    if before is not None:
        value = before.value
    elif name.startswith("own_"):
        value = {**edition.value, "is_asked": False}
    else:
        value = {}
    _write(PolicyKind.CRITERION, name, value, in_force_from=edition.in_force_from, actor=actor, now=now, seen=None)


def publish_wording(
    *, name: str, text: str, in_force_from: date, actor: Actor, now: datetime, today: date, seen: int | None = None
) -> str:
    """Publish new words for a consent or the privacy notice, from a day; gives their version."""
    require(actor, Permission.MANAGE_SETTINGS)
    words = " ".join(text.split())
    if name not in defaults.WORDINGS:
        raise PolicyNotChanged("Choose which words to change.", field="name")
    if not 10 <= len(words) <= 4000:
        raise PolicyNotChanged("Write the words in full, up to 4,000 characters.", field="text")
    _refuse_past(in_force_from, today)
    version = str(_next_wording_version(name))
    _write(
        PolicyKind.WORDING,
        name,
        {"version": version, "text": words},
        in_force_from=in_force_from,
        actor=actor,
        now=now,
        seen=seen,
    )
    return version


def publish_letter(
    *,
    kind: str,
    words: Mapping[str, str | None] | None,
    in_force_from: date,
    actor: Actor,
    now: datetime,
    today: date,
    seen: int | None = None,
) -> None:
    """Put words in force for a kind of letter, from a day; None puts the product's own back. Whoever calls has looked
    whether they may be its words."""
    require(actor, Permission.MANAGE_SETTINGS)
    _refuse_past(in_force_from, today)
    value = None if words is None else dict(words)
    _write(PolicyKind.LETTER, kind, value, in_force_from=in_force_from, actor=actor, now=now, seen=seen)


def set_panel_required(
    *, required: bool, in_force_from: date, source: str, actor: Actor, now: datetime, seen: int | None = None
) -> None:
    """Enter from when the law does or doesn't ask for a panel's recommendation. `source`: the instrument."""
    require(actor, Permission.MANAGE_SETTINGS)
    if len(source.strip()) < 10:
        raise PolicyNotChanged("Name the regulations that say so.", field="source")
    value = {"required": required, "source": source.strip()[:300]}
    _write(PolicyKind.PANEL, "first_approval", value, in_force_from=in_force_from, actor=actor, now=now, seen=seen)


def change_local_check(
    *,
    item: str,
    value: Mapping[str, Any],
    in_force_from: date,
    actor: Actor,
    now: datetime,
    today: date,
    seen: int | None = None,
) -> None:
    """Add, change or drop (``is_asked`` false) one of the service's own checks, from a day. The law's stay."""
    require(actor, Permission.MANAGE_SETTINGS)
    checked = _checked_check(item, value)
    _refuse_past(in_force_from, today)
    _write(PolicyKind.CHECK, item, checked, in_force_from=in_force_from, actor=actor, now=now, seen=seen)


def change_retention(
    *, kind: str, months: int, in_force_from: date, actor: Actor, now: datetime, today: date, seen: int | None = None
) -> None:
    """Change how long a kind of record is kept, where that is the service's to say; a legal minimum stays."""
    require(actor, Permission.MANAGE_SETTINGS)
    rule = next((one for one in RETENTION_RULES if one.kind == kind), None)
    if rule is None or rule.certainty != "CP":
        raise PolicyNotChanged("The law sets this length, so it can't be changed here.", field="months")
    if not 1 <= months <= 240:
        raise PolicyNotChanged("Give a length from 1 to 240 months.", field="months")
    _refuse_past(in_force_from, today)
    _write(PolicyKind.RETENTION, kind, {"months": months}, in_force_from=in_force_from, actor=actor, now=now, seen=seen)


def add_one_off_holiday(
    *, day: date, name: str, actor: Actor, now: datetime, is_worked: bool = False, seen: int | None = None
) -> OneOffHoliday:
    """Enter a day that is proclaimed a bank holiday, or (`is_worked`) a listed one that is worked after all."""
    require(actor, Permission.MANAGE_SETTINGS)
    words = name.strip()
    if not 3 <= len(words) <= 80:
        raise PolicyNotChanged("Give the day a name, such as “State funeral”.", field="name")
    calendar = rulebook_on(day).calendar
    if is_worked == calendar.is_working_day(day):
        state = "a working day" if is_worked else "not a working day"
        raise PolicyNotChanged(f"{day:%A} {day.day} {day:%B %Y} is {state} already.", field="day")
    _bump(now=now, seen=seen)
    holiday = db.session.scalars(select(OneOffHoliday).where(OneOffHoliday.day == day)).one_or_none()
    if holiday is None:
        holiday = OneOffHoliday(day=day)
        db.session.add(holiday)
    holiday.name, holiday.is_worked, holiday.set_at, holiday.withdrawn_at = words, is_worked, now, None
    holiday.set_by_id = actor.user_id
    db.session.flush()
    record(
        "policy.holiday_added", actor=actor, at=now, subject=f"one_off_holiday:{holiday.id}", detail={"day": str(day)}
    )
    return holiday


def withdraw_one_off_holiday(*, holiday: OneOffHoliday, actor: Actor, now: datetime, seen: int | None = None) -> None:
    """Take a one-off day back. Clocks already running keep their date."""
    require(actor, Permission.MANAGE_SETTINGS)
    _bump(now=now, seen=seen)
    holiday.withdrawn_at = now
    db.session.flush()
    record(
        "policy.holiday_withdrawn",
        actor=actor,
        at=now,
        subject=f"one_off_holiday:{holiday.id}",
        detail={"day": str(holiday.day)},
    )


# --- writing ------------------------------------------------------------------------------------------------------


def _write(
    kind: PolicyKind,
    name: str,
    value: Any,
    *,
    in_force_from: date,
    actor: Actor,
    now: datetime,
    seen: int | None,
) -> int:
    version = _bump(now=now, seen=seen)
    _add_row(kind, name, value, in_force_from=in_force_from, version=version, now=now, by=actor.user_id)
    db.session.flush()
    record(
        "policy.changed",
        actor=actor,
        at=now,
        subject=f"policy:{kind}.{name}",
        detail={"kind": str(kind), "name": name, "in_force_from": in_force_from.isoformat(), "version": version},
    )
    return version


def _bump(*, now: datetime, seen: int | None) -> int:
    """Take the next version. A second writer waits for the first here, and is refused if it had seen the one before."""
    ensure_defaults(now=now)
    query = update(PolicyVersion).where(PolicyVersion.id == 1)
    if seen:
        query = query.where(PolicyVersion.version == seen)
    changed = db.session.execute(
        query.values(version=PolicyVersion.version + 1, token=secrets.token_hex(16), changed_at=now).execution_options(
            synchronize_session=False
        )
    )
    if rows_changed(changed) != 1:
        raise PolicyOvertaken("Somebody else has just changed the settings. Look again before you change them.")
    forget_policy()
    version: int = db.session.execute(select(PolicyVersion.version).where(PolicyVersion.id == 1)).scalar_one()
    return version


def _add_row(
    kind: PolicyKind, name: str, value: Any, *, in_force_from: date, version: int, now: datetime, by: int | None
) -> None:
    db.session.add(
        PolicyRow(
            kind=kind,
            name=name,
            in_force_from=in_force_from,
            value_json=json.dumps(value, ensure_ascii=False),
            version=version,
            set_at=now,
            set_by_id=by,
        )
    )


def _next_wording_version(name: str) -> int:
    rows = db.session.scalars(
        select(PolicyRow.value_json).where(PolicyRow.kind == PolicyKind.WORDING, PolicyRow.name == name)
    )
    return max((int(json.loads(row)["version"]) for row in rows), default=1) + 1


def _refuse_past(in_force_from: date, today: date) -> None:
    if in_force_from < today:
        raise PolicyNotChanged("Choose today or a later day: what has been promised stays.", field="in_force_from")


# --- what may be a value ------------------------------------------------------------------------------------------

_RESPONSE_LIMITS = {
    "closes_minutes": (1, ANY_HOUR),
    "warn_minutes": (0, ANY_HOUR - 1),
    "least_tries": (1, 9),
    "untouched_days": (1, 90),
}


def _is_whole(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


_COLOUR = re.compile(r"#[0-9a-f]{6}")
_MINUTES = {
    "safe_from_minutes": (0, 1440),
    "safe_until_minutes": (0, 1440),
    "working_from_minutes": (0, 1440),
    "working_until_minutes": (0, 1440),
    "visit_minutes": (15, 480),
    "travel_minutes": (0, 240),
    "winding_percent": (100, 250),
    "car_near_kmh": (5, 120),
    "car_far_kmh": (5, 120),
    "car_fixed_minutes": (0, 60),
    "transit_near_kmh": (3, 120),
    "transit_far_kmh": (3, 120),
    "transit_fixed_minutes": (0, 90),
    "mileage_pence": (0, 200),
    "notice_hours": (0, 336),
    "hold_hours": (1, 336),
    "link_days": (1, 60),
    "chase_days": (1, 30),
    "change_hours": (0, 336),
    "visits_per_day": (1, 12),
    "late_in_minutes": (5, 120),
    "buddy_after_minutes": (5, 120),
    "manager_after_minutes": (10, 240),
}
_PAIRS = {
    "safe_from_minutes": "safe_until_minutes",
    "working_from_minutes": "working_until_minutes",
}
_LONGEST = {"mark": 2, "name": 80, "short_name": 30, "address": 400, "complaints": 1000}


def _checked_setting(name: str, value: Any) -> Any:
    if name not in defaults.SETTINGS:
        raise PolicyNotChanged("There is no such setting.", field=name)
    if name.endswith("_colour"):
        return _checked_colour(name, value)
    if name in _MINUTES:
        low, high = _MINUTES[name]
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise PolicyNotChanged(f"Give a number from {low} to {high}.", field=name)
        return value
    if name == "areas":
        return _checked_areas(value)
    if name == "visit_types":
        return _checked_visit_types(value)
    if name == "fallback_owner_id":
        if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
            raise PolicyNotChanged("Choose a person.", field=name)
        return value
    if name == "kind":
        if value not in {"ifa", "local_authority"}:
            raise PolicyNotChanged("Choose an agency or a council.", field=name)
        return value
    if name in ("asks_midway", "asks_second_opinion"):
        if value not in {"no", "warn", "needed"}:
            raise PolicyNotChanged("Choose one of the three.", field=name)
        return value
    text = str(value).strip() if value is not None else ""
    longest = _LONGEST.get(name, 200)
    if not text:
        raise PolicyNotChanged("Fill this in.", field=name)
    if len(text) > longest:
        raise PolicyNotChanged(f"Use at most {longest} characters.", field=name)
    if name == "reference_prefix" and not re.fullmatch(r"[A-Z]{1,4}", text):
        raise PolicyNotChanged("Use one to four capital letters.", field=name)
    if name == "email" and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", text):
        raise PolicyNotChanged("Give an email address, such as hello@kestrel.example.org.", field=name)
    return text


def _checked_colour(name: str, value: Any) -> str:
    text = str(value).strip().lower()
    if not _COLOUR.fullmatch(text):
        raise PolicyNotChanged("Give a colour as six hexadecimal figures, such as #0b5d5b.", field=name)
    if contrast_with_white(text) < 4.5:
        raise PolicyNotChanged("Choose a darker colour: white words on this one are hard to read.", field=name)
    return text


def contrast_with_white(colour: str) -> float:
    """The contrast of a colour with white, from 1 to 21 (WCAG 2.2, 1.4.3 asks for 4.5)."""

    def linear(part: int) -> float:
        share = part / 255
        return share / 12.92 if share <= 0.04045 else float(((share + 0.055) / 1.055) ** 2.4)

    red, green, blue = (linear(int(colour[place : place + 2], 16)) for place in (1, 3, 5))
    return 1.05 / (0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05)


def _checked_areas(value: Any) -> list[dict[str, Any]]:
    areas: list[dict[str, Any]] = []
    seen: dict[str, str] = {}
    for one in value or ():
        name = str(one.get("name", "")).strip()
        if not name:
            raise PolicyNotChanged("Give each area a name.", field="areas")
        districts: list[str] = []
        for written in one.get("districts", ()):
            district = district_of(str(written))
            if district is None:
                raise PolicyNotChanged(f"“{written}” is not a postcode district such as BR1.", field="areas")
            if district in seen:
                raise PolicyNotChanged(f"{district} is in {seen[district]} already.", field="areas")
            seen[district] = name
            districts.append(district)
        owner_ids = list(dict.fromkeys(owners_of(one)))
        if not all(isinstance(owner_id, int) and not isinstance(owner_id, bool) for owner_id in owner_ids):
            raise PolicyNotChanged(f"Choose people for {name}, or nobody.", field="areas")
        areas.append({"name": name, "districts": districts, "owner_ids": owner_ids})
    if not areas:
        raise PolicyNotChanged("Give at least one area.", field="areas")
    return areas


VISIT_PURPOSES = ("first_visit", "second_opinion", "stage_two_session", "re_visit")
VISIT_PLACES = ("home", "video", "office")
MOST_VISIT_TYPES = 20


def _checked_visit_types(value: Any) -> list[dict[str, Any]]:
    types: list[dict[str, Any]] = []
    for one in value or ():
        name = _line(one.get("name"), 60, "name")
        if not name:
            raise PolicyNotChanged("Give each kind of visit a name.", field="name")
        if any(name.casefold() == other["name"].casefold() for other in types):
            raise PolicyNotChanged(f"There is a kind of visit called “{name}” already.", field="name")
        if not _is_whole(one.get("minutes"), 15, 480):
            raise PolicyNotChanged("Give a length from 15 to 480 minutes.", field="minutes")
        if one["minutes"] % 15:
            raise PolicyNotChanged("Give a length in quarters of an hour, such as 45 or 90.", field="minutes")
        if one.get("officers") not in (1, 2):
            raise PolicyNotChanged("Choose one officer, or two.", field="officers")
        if one.get("purpose") not in VISIT_PURPOSES:
            raise PolicyNotChanged("Choose what it is for.", field="purpose")
        if one.get("place") not in VISIT_PLACES:
            raise PolicyNotChanged("Choose where you meet.", field="place")
        types.append({"name": name, **{part: one[part] for part in ("purpose", "minutes", "officers", "place")}})
    if not 1 <= len(types) <= MOST_VISIT_TYPES:
        raise PolicyNotChanged(f"Have from one to {MOST_VISIT_TYPES} kinds of visit.", field="name")
    return types


_CRITERION_WORDS = {"question": 200, "hint": 300, "staff_words": 160}
_OPTION_WORDS = {"reason": 300, "what_would_change": 300}
MOST_OPTIONS = 8


def checked_criterion(name: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    """What an edition of a criterion may hold. Raises PolicyNotChanged with how to put it right.

    ``question``, ``hint`` (public words), ``staff_words``; ``is_asked``; for the age ``usual_minimum_age`` (18 to 30)
    and ``below_usual`` (conversation or not_now); ``options``: an answer's value to its ``outcome``, ``reason``,
    ``what_would_change``, ``months`` (1 to 36) and ``route``. One of the service's own (its name begins ``own_``) gives
    its question, its words for staff and two to eight options, each with a ``label``.
    """
    product = next((one for one in CRITERIA if one.name == name), None)
    is_own = product is None
    if is_own and not re.fullmatch(r"own_[a-z0-9_]{2,30}", name):
        raise PolicyNotChanged("There is no such criterion.", field="name")
    known = {*_CRITERION_WORDS, "is_asked", "options", *(("usual_minimum_age", "below_usual") if not is_own else ())}
    if set(changes) - known:
        raise PolicyNotChanged("That part of the criterion can't be changed.", field="name")
    value: dict[str, Any] = {}
    for field, longest in _CRITERION_WORDS.items():
        if changes.get(field) is not None:
            value[field] = _line(changes[field], longest, field)
    for field in ("question", "staff_words"):
        if (is_own or field in value) and not value.get(field):
            raise PolicyNotChanged("Write the words.", field=field)
    if changes.get("is_asked") is False:
        if product is not None and product.is_law:
            raise PolicyNotChanged("The law makes this a question for everybody.", field="is_asked")
        value["is_asked"] = False
    age = changes.get("usual_minimum_age")
    if age is not None:
        if product is None or not product.is_about_age or not isinstance(age, int) or not 18 <= age <= 30:
            raise PolicyNotChanged("Give an age from 18, the law's minimum, to 30.", field="usual_minimum_age")
        value["usual_minimum_age"] = age
    below = changes.get("below_usual")
    if below is not None:
        if below not in {Outcome.CONVERSATION, Outcome.NOT_NOW}:
            raise PolicyNotChanged("Choose a conversation or not now.", field="below_usual")
        value["below_usual"] = str(below)
    options = {
        str(option): _checked_option(str(option), words, product)
        for option, words in dict(changes.get("options") or {}).items()
    }
    if is_own and not 2 <= len(options) <= MOST_OPTIONS:
        raise PolicyNotChanged(f"Give from two to {MOST_OPTIONS} answers.", field="options")
    if is_own and len({one["label"].casefold() for one in options.values()}) < len(options):
        raise PolicyNotChanged("Two of the answers read the same.", field="options")
    if options:
        value["options"] = options
    return value


def _checked_option(option: str, words: Mapping[str, Any], product: Criterion | None) -> dict[str, Any]:
    present = product.option(option) if product is not None else None
    known = {"outcome", *_OPTION_WORDS, "months", "route", *(() if product is not None else ("label",))}
    if (product is not None and present is None) or set(words) - known:
        raise PolicyNotChanged("Choose an outcome for one of the answers.", field="options")
    value: dict[str, Any] = {}
    if product is None:
        value["label"] = _line(words.get("label"), 120, "options")
        if not value["label"]:
            raise PolicyNotChanged("Write each answer.", field="options")
    outcome = words.get("outcome", present.outcome if present is not None else Outcome.ELIGIBLE)
    if outcome not in set(Outcome):
        raise PolicyNotChanged("Choose an outcome for one of the answers.", field="options")
    is_stop = present is not None and present.outcome is Outcome.NOT_ELIGIBLE
    if is_stop and outcome != Outcome.NOT_ELIGIBLE:
        raise PolicyNotChanged("The law makes this a no, so it can't be softened.", field="options")
    if not is_stop and outcome == Outcome.NOT_ELIGIBLE:
        raise PolicyNotChanged("Only the law rules somebody out for good. Choose not now.", field="options")
    value["outcome"] = str(outcome)
    for field, longest in _OPTION_WORDS.items():
        if words.get(field) is not None:
            value[field] = _line(words[field], longest, "options")
    said = value.get("reason", present.reason if present is not None else "")
    if outcome != Outcome.ELIGIBLE and not said:
        raise PolicyNotChanged("Say why, in words for the household, where it is not simply fine.", field="options")
    if "months" in words:
        months = words["months"]
        if months is not None and (not isinstance(months, int) or isinstance(months, bool) or not 1 <= months <= 36):
            raise PolicyNotChanged("Give from 1 to 36 months until we are in touch again.", field="options")
        value["months"] = months
    route = words.get("route")
    if route is not None:
        if route not in set(Route):
            raise PolicyNotChanged("Choose the usual way or a transfer.", field="options")
        value["route"] = str(route)
    return value


def _line(text: Any, longest: int, field: str) -> str:
    words = " ".join(str(text or "").split())
    if len(words) > longest:
        raise PolicyNotChanged(f"Use at most {longest} characters.", field=field)
    return words


def _checked_check(item: str, value: Mapping[str, Any]) -> dict[str, Any]:
    if not re.fullmatch(r"[a-z][a-z_]{2,40}", item):
        raise PolicyNotChanged("Name the check in small letters and underscores.", field="item")
    if any(rule.item == item for rule in CHECK_RULES):
        raise PolicyNotChanged("The law asks for this check, so it can't be changed here.", field="item")
    if value.get("who") not in set(Who) or value.get("when", When.ALWAYS) not in set(When):
        raise PolicyNotChanged("Choose of whom it is asked, and when.", field="who")
    what, why = str(value.get("what", "")).strip(), str(value.get("why", "")).strip()
    if not what or not why or len(what) > 120 or len(why) > 200:
        raise PolicyNotChanged("Say what is checked and why, each in a line.", field="what")
    count = value.get("count", 1)
    age = value.get("minimum_age", 18)
    if not isinstance(count, int) or not 1 <= count <= 6:
        raise PolicyNotChanged("Give a number from 1 to 6.", field="count")
    if not isinstance(age, int) or not 10 <= age <= 18:
        raise PolicyNotChanged("Give an age from 10 to 18.", field="minimum_age")
    return {
        "what": what,
        "why": why,
        "who": str(value["who"]),
        "when": str(value.get("when", When.ALWAYS)),
        "count": count,
        "minimum_age": age,
        "is_asked": bool(value.get("is_asked", True)),
    }
