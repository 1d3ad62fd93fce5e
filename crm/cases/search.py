"""Search: households by anything somebody may know of them, in any order, best first.

What was typed is read once: references, phones, emails, postcodes, birthdays, areas of the service, and what is left,
which are names. Names are looked for as they are written (whole, then as beginnings), then as they may be called or
spelled. Each way of looking is a range of an index, so the time does not grow with the number of cases; what is sealed
(addresses, notes) is in no index and is never searched.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple, cast

from sqlalchemy import ColumnElement, Date, Integer, Select, String, and_, bindparam, or_, select, union_all

from crm import policy
from crm.cases import keys
from crm.cases.models import Case, Household, Person, PersonKey
from crm.cases.queries import read_reference, reference_now, visible_cases
from crm.db import LAST_CHARACTER, no_more_than, our_word, read
from crm.rules import names
from crm.rules.likeness import mailbox
from crm.rules.permissions import Actor, ActorKind, Role

MATCHES_SHOWN = 20
LOOKED_THROUGH = 1500
"""How many people of one name are looked through for those of a district; beyond it the list says there may be more."""
LOOKED_THROUGH_BY_FEW = 50_000
"""The same for somebody who may open only the few households that they have a part in, wherever these stand."""
SEE_MOST = frozenset({Role.MANAGER, Role.RECRUITER})
AS_WRITTEN, AS_CALLED = "as written", "as called"


class Match(NamedTuple):
    """Somebody found by search, and what it was that matched: a plain tuple, which templates take apart in one go."""

    case_id: int
    reference: str
    household: str
    person: str
    place: str
    is_open: bool
    matched: str


@dataclass
class Typed:
    """What was typed, read."""

    reference: str | None = None
    emails: list[str] = field(default_factory=list)
    phones: list[str] = field(default_factory=list)
    postcode: str | None = None
    born_on: date | None = None
    districts: tuple[str, ...] = ()
    """Where an area of the service was named."""
    but_area: list[str] = field(default_factory=list)
    """The names, where the words of the area are none of them."""
    words: list[str] = field(default_factory=list)
    """Names, as plain words."""
    partner: list[str] = field(default_factory=list)
    """Names of somebody else there: what stood before an "and"."""


def search_households(actor: Actor, words: str, *, today: date, limit: int = MATCHES_SHOWN) -> list[Match]:
    """Households that this person may open and that what was typed leads to; at most ``limit``, the best first.

    1. A reference, now or before a merge.
    2. What is nobody else's: an email, a phone, a whole postcode, a birthday; of these, who has the names as well.
    3. Names as they are written, whole before begun.
    4. Names as they may be called: short forms, spellings, sounds.
    """
    text = words.strip()
    if len(text) < 2 or (actor.kind != ActorKind.SYSTEM and actor.user_id is None):
        return []
    typed = read_words(text)
    matches: dict[int, Match] = {}
    who = {"me": actor.user_id, "today": today}

    def add(way: str, values: dict[str, Any], matched: str, *, wanted: int = limit) -> list[Any]:
        rows = read(_statement(way, actor.kind, actor.roles, wanted), {**who, **values}).all()
        return [(row, matched) for row in rows]

    def keep(found: list[Any]) -> None:
        for row, matched in found:
            if len(matches) >= limit:
                return
            person = f"{row.given_name} {row.family_name or ''}".strip()
            matches.setdefault(row.id, Match(row.id, row.reference, row.name, person, row.place, row.is_open, matched))

    if typed.reference is not None:
        keep(add("reference", {"reference": typed.reference}, "reference"))
        if not matches and (now := reference_now(typed.reference)) is not None:
            keep(add("reference", {"reference": now}, "reference"))
        if matches:
            return list(matches.values())
    anchored = _anchored(typed)
    for way, values, matched in anchored:
        found = add(way, values, matched, wanted=limit if not typed.words else 60)
        keep([(row, how) for row, how in found if _has_names(row, typed.words)])
    if (anchored and typed.words) or (matches and not typed.words):
        return list(matches.values())
    in_area = replace(typed, words=typed.but_area) if typed.districts and not typed.postcode else None
    stages = [(typed, AS_WRITTEN, "name"), (in_area, AS_WRITTEN, "name and area"), (typed, AS_CALLED, "a name like it")]
    for asked, stage, matched in stages:
        if asked is not None and asked.words and len(matches) < limit:
            for way, values in _ways(asked, stage):
                found = [one for one in add(way, values, matched) if _has_partner(one[0], asked.partner)]
                keep(sorted(found, key=lambda one: _rank(one[0], asked.words)) if stage == AS_WRITTEN else found)
                if len(matches) >= limit:
                    break
    if len(matches) < limit and typed.districts and not typed.but_area:
        keep(add("area", _areas(typed.districts), "area"))
    return list(matches.values())


# --- Reading what was typed -------------------------------------------------------------------------------------------

_OUTWARD, _INWARD = re.compile(r"[a-z]{1,2}[0-9][a-z0-9]?", re.I), re.compile(r"[0-9][a-z]{0,2}", re.I)
_WHOLE = re.compile(r"[a-z]{1,2}[0-9][a-z0-9]?[0-9][a-z]{2}", re.I)
_DATE = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})|(\d{4})-(\d{1,2})-(\d{1,2})")
_PHONE = re.compile(r"\+?[\d()./-]*\d[\d()./-]*")


def read_words(text: str) -> Typed:
    """What somebody typed into the search box, taken apart."""
    typed = Typed(reference=read_reference(text))
    if typed.reference is not None:
        return typed
    left = text.split()
    digits = ""
    while left:
        word = left.pop(0)
        if "@" in word[1:]:
            typed.emails.append(word)
        elif (day := _read_day(word)) is not None:
            typed.born_on = day
        elif _PHONE.fullmatch(word):
            digits += word
        elif _WHOLE.fullmatch(word) or _OUTWARD.fullmatch(word):
            typed.postcode = word
            if not _WHOLE.fullmatch(word) and left and _INWARD.fullmatch(left[0]):
                typed.postcode += left.pop(0)
        else:
            typed.words.append(word)
    if len(re.sub(r"\D", "", digits)) >= 4:
        typed.phones.append(digits)
    said = [word.casefold() for word in typed.words]
    area_words, typed.districts = _area_in(said)
    typed.but_area = [word for word in said if word not in area_words]
    if len(area_words) > 1:  # "osei west kent" is no name; "sam kent" may be
        typed.words = typed.but_area
    plain = (keys.name_key(" ".join(typed.words).replace("&", " and ")) or "").split()
    if "and" in plain[1:-1]:
        at = plain.index("and")
        typed.partner, plain = plain[:at], plain[at + 1 :]
    typed.words = plain[:4]
    return typed


def _read_day(word: str) -> date | None:
    match = _DATE.fullmatch(word)
    if match is None:
        return None
    day, month, year = (match[1], match[2], match[3]) if match[1] else (match[6], match[5], match[4])
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None


def _area_in(words: list[str]) -> tuple[frozenset[str], tuple[str, ...]]:
    """The words that name an area of the service, whole or by a word of it, and its districts; empty for none."""
    areas = [(frozenset(area.name.casefold().split()), area.districts) for area in policy.service().areas]
    for name, districts in areas:
        if name <= set(words):
            return name, districts
    found = [(part, districts) for name, districts in areas if (part := name & set(words) - _NO_PLACE)]
    if not found:
        return frozenset(), ()
    return frozenset().union(*(part for part, _ in found)), tuple(code for _, codes in found for code in codes)


_NO_PLACE = frozenset({"and", "the", "of", "west", "east", "north", "south"})


# --- Ways of looking --------------------------------------------------------------------------------------------------


def _anchored(typed: Typed) -> list[tuple[str, dict[str, Any], str]]:
    """Ways by something that few people share."""
    ways: list[tuple[str, dict[str, Any], str]] = []
    for email in typed.emails:
        ways.append(("email", _range(keys.email_key(email) or email), "email"))
        if (box := mailbox(email)) is not None:
            ways.append(("mailbox", {"low": box}, "email"))
    for phone in typed.phones:
        digits = re.sub(r"\D", "", phone)
        whole = keys.phone_key(phone) or digits
        prefix = "+44" + digits[1:] if digits.startswith("0") and not digits.startswith("00") else whole
        ways.append(("phone", _range(prefix), "phone"))
    if typed.born_on is not None:
        low, high = sorted((typed.born_on.day, typed.born_on.month))
        ways.append(("born", _range(f"{typed.born_on.year:04d}-{low:02d}-{high:02d} "), "date of birth"))
    if typed.postcode and (not typed.words or keys.is_whole_postcode(typed.postcode)):
        ways.append(("postcode", _range(keys.postcode_key(typed.postcode) or typed.postcode), "postcode"))
    return ways


def _ways(typed: Typed, stage: str) -> list[tuple[str, dict[str, Any]]]:
    """Ways by name. With a district or an area, those of the name are looked through for who lives there."""
    words, placed = typed.words, ""
    if typed.partner and len(words) == 1 and stage == AS_WRITTEN:
        return [("couple", {"a": typed.partner[0], **_range(words[0])})]
    where: dict[str, Any] = {}
    if typed.postcode:
        code = keys.postcode_key(typed.postcode) or ""
        placed, where = " in place", {"from": code, "to": code + LAST_CHARACTER}
    elif typed.districts and typed.words == typed.but_area:
        placed, where = " in area", _areas(typed.districts)
    if stage == AS_CALLED:
        return _ways_as_called(words, placed, where)
    if len(words) == 1:
        return [("one word" + placed, {**_range(words[0]), **where})]
    first, last = words[0], words[-1]
    phrase = " ".join(words)  # "mary jane", "smith jones": one name of two words
    whole = {"low_whole": phrase, "high_whole": phrase + LAST_CHARACTER}
    values = {"a": first, "b": last, **where, **_range(last), **_other_range(first), **whole}
    ways = [("two words" + placed, values)]
    if len(words) > 2:
        for at in range(1, len(words)):
            front, back = " ".join(words[:at]), " ".join(words[at:])
            values = {"a": front, "b": back, **where, **_range(back), **_other_range(front), **whole}
            ways.insert(0, ("two words" + placed, values))
    return ways


def _ways_as_called(words: list[str], placed: str, where: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    ways = []
    if len(words) == 1:
        for code in names.codes(words[0]):
            if len(code) > 1 or names.is_known(words[0]):  # a single sound is half the alphabet
                ways.append(("sound" + placed, {"low": code, "high": code + "!", **where}))
        return ways
    first, last = words[0], words[-1]
    for one in names.codes(first):
        for other in names.codes(last):
            ways.append(("sound" + placed, {**_range(f"{one} {other}"), **where}))
    return ways[:6]


def _range(prefix: str) -> dict[str, str]:
    """What begins with this, as the two ends of a range: see ``db.starts_with``."""
    return {"low": prefix, "high": prefix + LAST_CHARACTER}


def _other_range(prefix: str) -> dict[str, str]:
    return {"low_a": prefix, "high_a": prefix + LAST_CHARACTER}


MOST_DISTRICTS = 24


def _areas(districts: tuple[str, ...]) -> dict[str, str]:
    """The districts of an area as as many ranges as a statement has: those left over are empty."""
    found: dict[str, str] = {}
    for at in range(MOST_DISTRICTS):
        code = districts[at] if at < len(districts) else "~"
        # A district is followed by the digit of the inward part: BR1 is not BR10.
        found[f"from_{at}"], found[f"to_{at}"] = code, code + LAST_CHARACTER
    return found


@lru_cache(maxsize=2048)
def _statement(way: str, kind: ActorKind, roles: frozenset[Role], limit: int) -> Select[Any]:
    """The statement of one way, built once for everybody with these roles. "me" and "today" come with it."""
    case, home, person = Case.__table__.c, Household.__table__.c, Person.__table__.c
    me, today = bindparam("me", type_=Integer), bindparam("today", type_=Date)
    visible = visible_cases(Actor(kind=kind, user_id=cast(int, me), roles=roles), today=cast(date, today))
    columns = (
        case.id,
        case.reference,
        home.name,
        person.given_name,
        person.family_name,
        person.given_key,
        person.family_key,
        case.place,
        case.is_open,
    )
    way, _, placed = way.partition(" in ")
    if way == "reference":
        return (
            select(*columns)
            .select_from(Case.__table__)
            .join(Household.__table__, case.household_id == home.id)
            .join(Person.__table__, person.household_id == home.id)
            .where(case.reference == bindparam("reference"), visible)
            .order_by(person.id)
            .limit(no_more_than(1))
        )
    most = LOOKED_THROUGH if kind == ActorKind.SYSTEM or roles & SEE_MOST else LOOKED_THROUGH_BY_FEW
    branches = []
    for number, ids in enumerate(_people(way)):
        conditions: list[ColumnElement[bool]] = [visible]
        if placed:
            conditions.append(_lives_there(placed))
        # In the order of an index and with an end: whatever a planner thinks of how many there are, it takes the index.
        few = ids.limit(no_more_than(most)).subquery(f"few_{number}")
        branches.append(
            select(*columns)
            .select_from(few)
            .join(Person.__table__, person.id == few.c.id)
            .join(Household.__table__, home.id == person.household_id)
            .join(Case.__table__, case.household_id == home.id)
            .where(*conditions)
            .limit(no_more_than(limit))
            .subquery(f"branch_{number}")
        )
    if len(branches) == 1:
        return select(*branches[0].c).limit(no_more_than(limit))
    found = union_all(*(select(*branch.c) for branch in branches)).subquery("found")
    return select(*found.c).limit(no_more_than(limit * 2))


def _lives_there(placed: str) -> ColumnElement[bool]:
    code = Household.__table__.c.postcode_key
    if placed == "place":
        return _between(code, "from", "to")
    return or_(*(_between(code, f"from_{at}", f"to_{at}") for at in range(MOST_DISTRICTS)))


def _between(column: Any, low: str = "low", high: str = "high") -> ColumnElement[bool]:
    return and_(column >= bindparam(low, type_=String), column < bindparam(high, type_=String))


def _only_begun(column: Any) -> ColumnElement[bool]:
    """What begins with the word and is not the word itself, of which there may be very many."""
    return and_(column > bindparam("low", type_=String), column < bindparam("high", type_=String))


def _people(way: str) -> list[Select[Any]]:
    """The people of one way, by their ids, the best first. Whole words come before what only begins with them because
    an index holds them so."""
    person, home, key = Person.__table__.c, Household.__table__.c, PersonKey.__table__.c
    who = select(person.id.label("id"))

    def by_key(kind: str, condition: ColumnElement[bool]) -> Select[Any]:
        found = select(key.person_id.label("id")).where(key.kind == our_word(kind), condition)
        return found.order_by(key.key, key.person_id)

    by_family = who.order_by(person.family_key, person.given_key)
    by_given = who.order_by(person.given_key, person.family_key)
    a, b = bindparam("a", type_=String), bindparam("b", type_=String)
    low = bindparam("low", type_=String)
    if way == "one word":
        return [
            by_family.where(person.family_key == low),
            by_given.where(person.given_key == low),
            by_key("word", key.key == low),
            by_family.where(_only_begun(person.family_key)),
            by_given.where(_only_begun(person.given_key)),
            by_key("word", _only_begun(key.key)),
        ]
    if way == "two words":
        return [
            by_given.where(person.given_key == a, _between(person.family_key)),
            by_family.where(person.family_key == a, _between(person.given_key)),
            by_given.where(person.given_key == b, _between(person.family_key, "low_a", "high_a")),
            by_family.where(person.family_key == b, _between(person.given_key, "low_a", "high_a")),
            _with_other_word(a, person.family_key, "low", "high"),
            _with_other_word(a, person.given_key, "low", "high"),
            _with_other_word(b, person.given_key, "low_a", "high_a"),
            by_family.where(_between(person.family_key, "low_whole", "high_whole")),
            by_given.where(_between(person.given_key, "low_whole", "high_whole")),
        ]
    home_of = (
        select(person.id.label("id"))
        .select_from(Household.__table__)
        .join(Person.__table__, person.household_id == home.id)
    )
    other = Person.__table__.alias("other")
    few = by_given.where(person.given_key == a).limit(no_more_than(LOOKED_THROUGH)).subquery("few_of_one_name")
    ways: dict[str, list[Select[Any]]] = {
        "couple": [
            select(other.c.id.label("id"))
            .select_from(few)
            .join(Person.__table__, person.id == few.c.id)
            .join(other, other.c.household_id == person.household_id)
            .where(other.c.id != person.id, _between(other.c.given_key))
        ],
        "sound": [by_key("names", _between(key.key))],
        "email": [who.where(_between(person.email_key)).order_by(person.email_key)],
        "mailbox": [by_key("mailbox", key.key == low)],
        "phone": [who.where(_between(person.phone_key)).order_by(person.phone_key)],
        "born": [by_key("born", _between(key.key))],
        "postcode": [home_of.where(_between(home.postcode_key)).order_by(home.postcode_key)],
        "area": [home_of.where(_lives_there("area"))],
    }
    return ways[way]


def _with_other_word(word: Any, column: Any, low: str, high: str) -> Select[Any]:
    """People with another word of a name (a middle name, a former one) whose first or last name begins so."""
    person, key = Person.__table__.c, PersonKey.__table__.c
    few = (
        select(key.person_id)
        .where(key.kind == our_word("word"), key.key == word)
        .order_by(key.person_id)
        .limit(no_more_than(LOOKED_THROUGH))
        .subquery()
    )
    return (
        select(person.id.label("id"))
        .select_from(few)
        .join(Person.__table__, person.id == few.c.person_id)
        .where(_between(column, low, high))
    )


# --- Best first -------------------------------------------------------------------------------------------------------


def _words_of(row: Any) -> list[str]:
    return f"{row.given_key or ''} {row.family_key or ''}".split()


def _rank(row: Any, words: list[str]) -> int:
    """How many of the words typed are only begun."""
    theirs = set(_words_of(row))
    return sum(word not in theirs for word in words)


def _has_partner(row: Any, words: list[str]) -> bool:
    """Whether each word begins a word of what the household is called."""
    called = (keys.name_key(row.name) or "").split()
    return all(any(part.startswith(word) for part in called) for word in words)


def _has_names(row: Any, words: list[str]) -> bool:
    """Whether each word typed begins a name of theirs, or is another name for one."""
    theirs = _words_of(row)
    return all(
        any(name.startswith(word) or not set(names.codes(name)).isdisjoint(names.codes(word)) for name in theirs)
        or any(part.startswith(word) for part in (keys.name_key(row.name) or "").split())
        for word in words
    )
