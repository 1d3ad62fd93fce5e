"""Changing policy: each change adds a row with the day it counts from, a new version and a line in the audit trail.

What the law sets can't be changed here; a reform of the law that has its date can be entered ahead of it.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import select, update

from crm.audit import record
from crm.db import db, rows_changed
from crm.policy import defaults
from crm.policy.models import OneOffHoliday, PolicyKind, PolicyRow, PolicyVersion
from crm.policy.profile import district_of
from crm.policy.reading import forget_policy, rulebook_on
from crm.rules.deadlines import PROMISES, Unit
from crm.rules.eligibility import CRITERIA, Outcome
from crm.rules.permissions import Actor, Permission, require
from crm.rules.refusal import Refusal
from crm.rules.retention import RETENTION_RULES
from crm.rules.stage_one_checks import CHECK_RULES, When, Who


class PolicyNotChanged(Refusal):
    """What was given can't be policy."""

    default_status = 422


class PolicyOvertaken(Refusal):
    """Somebody else changed policy after this person opened the page."""


def ensure_defaults(*, now: datetime) -> bool:
    """Write down what a service begins with, once. True when it did.

    From then on a change of the product's own defaults doesn't reach a running service unasked.
    """
    if db.session.get(PolicyVersion, 1) is not None:
        return False
    db.session.add(PolicyVersion(id=1, version=1, token=secrets.token_hex(16), changed_at=now))
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


def change_criterion(
    *,
    name: str,
    changes: Mapping[str, Any],
    in_force_from: date,
    actor: Actor,
    now: datetime,
    today: date,
    seen: int | None = None,
) -> None:
    """Change the service's side of an eligibility criterion, from a day.

    `changes` may hold ``usual_minimum_age`` (18 to 30) and ``below_usual`` (conversation or not_now) for the age,
    ``outcomes`` (option to outcome), ``question``, ``hint``, and ``is_asked``. A hard stop in law stays one.
    """
    require(actor, Permission.MANAGE_SETTINGS)
    value = _checked_criterion(name, changes)
    _refuse_past(in_force_from, today)
    _write(PolicyKind.CRITERION, name, value, in_force_from=in_force_from, actor=actor, now=now, seen=seen)


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
) -> None:
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

_COLOUR = re.compile(r"#[0-9a-f]{6}")
_MINUTES = {
    "safe_from_minutes": (0, 1440),
    "safe_until_minutes": (0, 1440),
    "working_from_minutes": (0, 1440),
    "working_until_minutes": (0, 1440),
    "visit_minutes": (15, 480),
    "travel_minutes": (0, 240),
    "visits_per_day": (1, 12),
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
    if name == "fallback_owner_id":
        if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
            raise PolicyNotChanged("Choose a person.", field=name)
        return value
    if name == "kind":
        if value not in {"ifa", "local_authority"}:
            raise PolicyNotChanged("Choose an agency or a council.", field=name)
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
        owner_id = one.get("owner_id")
        if owner_id is not None and (not isinstance(owner_id, int) or isinstance(owner_id, bool)):
            raise PolicyNotChanged(f"Choose a person for {name}, or nobody.", field="areas")
        areas.append({"name": name, "districts": districts, "owner_id": owner_id})
    if not areas:
        raise PolicyNotChanged("Give at least one area.", field="areas")
    return areas


def _checked_criterion(name: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    criterion = next((one for one in CRITERIA if one.name == name), None)
    if criterion is None:
        raise PolicyNotChanged("There is no such criterion.", field="name")
    known = {"usual_minimum_age", "below_usual", "outcomes", "question", "hint", "is_asked"}
    if set(changes) - known:
        raise PolicyNotChanged("That part of the criterion can't be changed.", field="name")
    is_law = criterion.is_about_age or any(one.outcome is Outcome.NOT_ELIGIBLE for one in criterion.options)
    if is_law and changes.get("is_asked") is False:
        raise PolicyNotChanged("The law makes this a question for everybody.", field="is_asked")
    age = changes.get("usual_minimum_age")
    if age is not None and (not criterion.is_about_age or not isinstance(age, int) or not 18 <= age <= 30):
        raise PolicyNotChanged("Give an age from 18, the law's minimum, to 30.", field="usual_minimum_age")
    below = changes.get("below_usual")
    if below is not None and below not in {Outcome.CONVERSATION, Outcome.NOT_NOW}:
        raise PolicyNotChanged("Choose a conversation or not now.", field="below_usual")
    for option, outcome in dict(changes.get("outcomes", {})).items():
        present = criterion.option(option)
        if present is None or outcome not in set(Outcome):
            raise PolicyNotChanged("Choose an outcome for one of the answers.", field="outcomes")
        if present.outcome is Outcome.NOT_ELIGIBLE and outcome != Outcome.NOT_ELIGIBLE:
            raise PolicyNotChanged("The law makes this a no, so it can't be softened.", field="outcomes")
        if present.outcome is not Outcome.NOT_ELIGIBLE and outcome == Outcome.NOT_ELIGIBLE:
            raise PolicyNotChanged("Only the law rules somebody out for good. Choose not now.", field="outcomes")
    return {key: changes[key] for key in known if changes.get(key) is not None}


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
