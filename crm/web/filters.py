"""How dates, times, numbers and names are said on a page. Instants are shown on a London clock."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal

from flask import Flask

from crm.clock import london, now_utc

MINUTE, HOUR, DAY = 60, 3600, 86_400


def _date_of(value: date | datetime) -> date:
    return london(value).date() if isinstance(value, datetime) else value


def day(value: date | datetime) -> str:
    """Tuesday 14 July: in a sentence, when the year is clear."""
    on = _date_of(value)
    return f"{on:%A} {on.day} {on:%B}"


def day_short(value: date | datetime) -> str:
    """Tue 14 July: in a column."""
    on = _date_of(value)
    return f"{on:%a} {on.day} {on:%B}"


def day_year(value: date | datetime) -> str:
    """Tuesday 14 July 2026."""
    return f"{day(value)} {_date_of(value).year}"


def day_short_year(value: date | datetime) -> str:
    """Tue 14 July 2026: in a column that reaches over years."""
    return f"{day_short(value)} {_date_of(value).year}"


def date_only(value: date | datetime) -> str:
    """14 July 2026: a birth date, the date of a document."""
    on = _date_of(value)
    return f"{on.day} {on:%B} {on.year}"


def clock_time(value: time | datetime) -> str:
    """2pm, 2:30pm, 12 noon would mislead in a list, so 12pm."""
    at = london(value).time() if isinstance(value, datetime) else value
    hour = at.hour % 12 or 12
    minutes = f":{at.minute:02d}" if at.minute else ""
    return f"{hour}{minutes}{'am' if at.hour < 12 else 'pm'}"


def moment(value: datetime) -> str:
    """Tuesday 14 July, 2:30pm."""
    return f"{day(value)}, {clock_time(value)}"


def moment_short(value: datetime) -> str:
    """Tue 14 July, 2:30pm."""
    return f"{day_short(value)}, {clock_time(value)}"


def ago(value: datetime, now: datetime | None = None) -> str:
    """Just now, 5 minutes ago, Today 9:26am, Yesterday 4pm, Tuesday 7 July 3pm, 7 July 2025."""
    now = now or now_utc()
    seconds = (now - value).total_seconds()
    if 0 <= seconds < MINUTE:
        return "just now"
    if 0 <= seconds < HOUR:
        minutes = int(seconds // MINUTE)
        return f"{minutes} minute{'' if minutes == 1 else 's'} ago"
    days = (london(now).date() - london(value).date()).days
    if days == 0:
        return f"today, {clock_time(value)}"
    if days == 1:
        return f"yesterday, {clock_time(value)}"
    if 0 < days < 300:
        return f"{day(value)}, {clock_time(value)}"
    return date_only(value)


def money(value: Decimal | int | float) -> str:
    """£1,234 or £1,234.50."""
    amount = Decimal(value)
    return f"£{amount:,.0f}" if amount == amount.to_integral_value() else f"£{amount:,.2f}"


def number(value: int | float) -> str:
    """1,234."""
    return f"{value:,}"


def phone(value: str | None) -> str:
    """07700 900 123: a UK number in groups, anything else as it was typed."""
    if not value:
        return ""
    digits = "".join(ch for ch in value if ch.isdigit() or ch == "+")
    if digits.startswith("+44"):
        digits = "0" + digits[3:]
    if len(digits) == 11 and digits.startswith(("07", "01")):
        return f"{digits[:5]} {digits[5:8]} {digits[8:]}"
    if len(digits) == 11 and digits.startswith("02"):
        return f"{digits[:3]} {digits[3:7]} {digits[7:]}"
    return value.strip()


def tel(value: str | None) -> str:
    """The number for a tel: link."""
    return "".join(ch for ch in value or "" if ch.isdigit() or ch == "+")


def initials(name: str) -> str:
    """MB for Marcus Bello: at most two letters."""
    words = [word for word in name.replace("-", " ").split() if word[:1].isalpha()]
    if not words:
        return "?"
    return (words[0][0] + (words[-1][0] if len(words) > 1 else "")).upper()


def many(count: int, one: str, more: str | None = None) -> str:
    """1 visit, 2 visits."""
    return f"{count:,} {one if count == 1 else more or one + 's'}"


NUMBER_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def in_words(count: int) -> str:
    """One, two … nine, 10."""
    return NUMBER_WORDS[count] if 0 <= count < len(NUMBER_WORDS) else f"{count:,}"


def names(people: list[str]) -> str:
    """Maya, Daniel and Jordan."""
    if len(people) < 2:
        return "".join(people)
    return ", ".join(people[:-1]) + " and " + people[-1]


def length(minutes: int) -> str:
    """45 minutes, 1 hour, 1 hour 30."""
    hours, rest = divmod(minutes, 60)
    if not hours:
        return many(rest, "minute")
    return many(hours, "hour") + (f" {rest}" if rest else "")


def capital(text: str) -> str:
    """First letter up, the rest as it is."""
    return text[:1].upper() + text[1:]


FILTERS = {
    "day": day,
    "day_short": day_short,
    "day_year": day_year,
    "day_short_year": day_short_year,
    "date_only": date_only,
    "time": clock_time,
    "moment": moment,
    "moment_short": moment_short,
    "ago": ago,
    "money": money,
    "number": number,
    "phone": phone,
    "tel": tel,
    "initials": initials,
    "many": many,
    "in_words": in_words,
    "names": names,
    "length_of_time": length,
    "capital": capital,
}


def init_app(app: Flask) -> None:
    app.jinja_env.filters.update(FILTERS)
