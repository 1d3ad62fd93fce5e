"""How alike two people on file are, and whether two households may be one: a score that says its reasons.

Each sign adds or takes away bits, the logarithm (to base 2) of how much oftener it is seen of one person entered twice
than of two people, after Fellegi and Sunter, "A theory for record linkage" (1969). The weights were set by hand from
how common names, birthdays, numbers and postcodes are, and are held to figures by ``bench/duplicates.py``. Signs that
come together by themselves (a family has one surname, one postcode and one landline) are capped as one.

Nothing here decides anything: whoever reads the reasons does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import lru_cache

from crm.rules import names

SAME_AT = 20.0
"""Bits from which two entries are taken to be one person."""
LOOK_AT = 10.0
"""Bits from which two entries are worth a person's look."""
FAMILY_CAP = 16.0
"""All that surname, home and landline can say together: brothers and sisters share the three."""
BOTH_CAP = 6.0
"""What a second pair of people who agree adds: partners come together."""
MANY = 4
"""A phone or an email that so many households gave says nothing: it is a worker's, or a hostel's."""
GENERATION_YEARS = 14


class Outcome(StrEnum):
    """What two people on file are to each other, as far as the signs go."""

    SAME = "same"
    LOOK = "look"
    DIFFERENT = "different"


@dataclass(frozen=True, slots=True)
class Name:
    """A first and a last name in plain letters (``names.plain``); either may be missing."""

    given: str | None
    family: str | None


@dataclass(frozen=True, slots=True)
class Sketch:
    """What is known of somebody for comparing. Everything is a key: plain names, E.164, lower case, "BR13KO"."""

    name: Name
    others: tuple[Name, ...] = ()
    """Names they had or go by: a surname before marriage, a middle name."""
    phone: str | None = None
    email: str | None = None
    postcode: str | None = None
    address: str | None = None
    born_on: date | None = None


@dataclass(frozen=True, slots=True)
class Sign:
    """One thing that speaks for two entries being one (bits above nought) or against it."""

    words: str
    bits: float
    kind: str
    """given, family, phone, email, home or born."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """How alike two people are, and why."""

    score: float
    outcome: Outcome
    signs: tuple[Sign, ...]
    shares: str | None = None
    """The phone or email that both gave, in words: two people who share one may be of one household."""

    @property
    def reasons(self) -> tuple[str, ...]:
        """What speaks for it, the strongest first."""
        agreeing = [sign for sign in self.signs if sign.bits > 0 and sign.words]
        return tuple(sign.words for sign in sorted(agreeing, key=lambda sign: -sign.bits))

    @property
    def doubts(self) -> tuple[str, ...]:
        """What speaks against it."""
        return tuple(sign.words for sign in self.signs if sign.bits < 0 and sign.words)


# --- One person and another -------------------------------------------------------------------------------------------


def compare(one: Sketch, other: Sketch, *, phone_given_by: int = 2, email_given_by: int = 2) -> Likeness:
    """Compare two people. What is missing on either side says nothing. The order of the two makes no difference.

    ``phone_given_by`` and ``email_given_by``: how many households gave the phone or the email that these two share.

    1. Take the names the way round, and of all the names each had, that agrees best.
    2. Add the phone, the email, the home and the birthday.
    3. Cap what comes with a family by itself.
    4. Two first names that are nobody's two names, or birthdays that are no slip of the pen, are two people whatever
       else they share: twins, a couple with one phone, a father and son of one name.
    """
    given, family = _names(one, other)
    phone = _phone(one.phone, other.phone, given_by=phone_given_by)
    email = _email(one.email, other.email, given_by=email_given_by)
    home = _home(one, other)
    born = _born(one.born_on, other.born_on)
    is_landline = phone is not None and not _is_mobile(one.phone or "")
    family_bits = sum(
        sign.bits for sign in (family, home, phone if is_landline else None) if sign is not None and sign.bits > 0
    )
    signs = tuple(sign for sign in (given, family, phone, email, home, born) if sign is not None)
    score = sum(sign.bits for sign in signs) - max(family_bits - FAMILY_CAP, 0.0)
    shared = [
        sign
        for sign, is_personal in ((phone, not is_landline), (email, True))
        if sign is not None and is_personal and sign.bits >= _SHARED_AT
    ]
    if (given is not None and given.bits < 0) or (born is not None and born.bits <= _TWO_BIRTHDAYS):
        outcome = Outcome.DIFFERENT
    elif given is None and family is None:
        outcome = Outcome.LOOK if shared else Outcome.DIFFERENT
    elif score >= SAME_AT and given is not None:
        outcome = Outcome.SAME
    else:
        outcome = Outcome.LOOK if score >= LOOK_AT else Outcome.DIFFERENT
    return Likeness(round(score, 1), outcome, signs, " and ".join(sign.words for sign in shared) or None)


_SHARED_AT = 7.0
_TWO_BIRTHDAYS = -8.0


def _names(one: Sketch, other: Sketch) -> tuple[Sign | None, Sign | None]:
    """The given and the family name of the two, compared whichever way agrees best."""
    best: tuple[float, Sign | None, Sign | None] | None = None
    for mine in (one.name, *one.others):
        for theirs in (other.name, *other.others):
            former = mine is not one.name or theirs is not other.name
            given = _given(mine.given or one.name.given, theirs.given or other.name.given)
            family = _family(mine.family or one.name.family, theirs.family or other.name.family, former=former)
            ways = [(given, family)]
            if mine.family and theirs.family and mine.given and theirs.given:
                ways.append(_turned_round(mine, theirs))
            for first, last in ways:
                bits = (first.bits if first else 0.0) + (last.bits if last else 0.0)
                if best is None or bits > best[0]:
                    best = bits, first, last
    return (best[1], best[2]) if best else (None, None)


def _turned_round(one: Name, other: Name) -> tuple[Sign | None, Sign | None]:
    """Osei Priya and Priya Osei: each first name against the other's last."""
    first, second = _given(one.given, other.family), _given(other.given, one.family)
    if first is None or second is None or first.bits < 3.5 or second.bits < 3.5:
        return Sign("", -20.0, "given"), None
    both = (first.bits + second.bits) / 2
    return Sign("first and last name the other way round", both, "given"), Sign("", both + 1, "family")


@lru_cache(maxsize=20_000)
def _given(one: str | None, other: str | None) -> Sign | None:
    """Two first names. A short form, a spelling, an initial, a second first name: all may be one person's."""
    if not one or not other:
        return None
    if one == other:
        return Sign("same first name", 5.5 if one in names.COMMON_GIVEN else 7.0, "given")
    mine, theirs = one.split(" "), other.split(" ")
    if mine[0] == theirs[0]:
        return Sign("same first name", 5.5 if mine[0] in names.COMMON_GIVEN else 6.5, "given")
    found = [sign for a in mine for b in theirs if (sign := _given_word(a, b)) is not None]
    if not found:
        return Sign(f"{_say(one)} is not {_say(other)}", -8.0, "given")
    best = max(found, key=lambda sign: sign.bits)
    if len(mine) > 1 or len(theirs) > 1:  # "Mary Jane" and "Jane": one of several agrees
        return Sign(best.words, min(best.bits, 4.0), "given")
    return best


def _given_word(one: str, other: str) -> Sign | None:
    if one == other:
        return Sign(f"both are called {_say(one)}", 5.0, "given")
    if min(len(one), len(other)) == 1:
        if one[0] == other[0]:
            return Sign(
                f"{_say(min(one, other, key=len))} may stand for {_say(max(one, other, key=len))}", 1.0, "given"
            )
        return None
    related = names.how_related(one, other)
    if related is not None:
        how, whole = related
        first, second = sorted((one, other), key=lambda name: (len(name), name))
        if how == "spelling":
            return Sign(f"{_say(first)} and {_say(second)} are spellings of one name", 5.0, "given")
        if whole in (one, other):
            short = other if whole == one else one
            return Sign(f"{_say(short)} is short for {_say(whole)}", 5.0, "given")
        return Sign(f"{_say(first)} and {_say(second)} are both short for {_say(whole)}", 4.0, "given")
    if names.is_known(one) and names.is_known(other):
        return None  # Paul and Paula: two names, however near
    if _is_near(one, other):
        first, second = sorted((one, other))
        return Sign(f"{_say(first)} and {_say(second)} are spelled nearly alike", 3.5, "given")
    return None


@lru_cache(maxsize=20_000)
def _family(one: str | None, other: str | None, *, former: bool) -> Sign | None:
    """Two last names. Another one takes little away: people marry."""
    if not one or not other:
        return None
    if one == other:
        common = one in names.COMMON_FAMILY
        words = f"was called {_say(one)}" if former else "same surname"
        return Sign(words, 7.0 if common else 9.0, "family")
    mine, theirs = one.split(" "), other.split(" ")
    if (len(mine) > 1 or len(theirs) > 1) and (half := next((a for a in mine if a in theirs and len(a) > 2), None)):
        return Sign(f"{_say(half)} is part of both surnames", 6.0, "family")
    if "".join(mine) == "".join(theirs):
        return Sign("same surname", 8.0, "family")
    if min(len(one), len(other)) == 1 and one[0] == other[0]:
        return Sign(f"the surname begins with {_say(one[0])}", 2.0, "family")
    if _is_near(one, other):
        first, second = sorted((one, other))
        return Sign(f"{_say(first)} and {_say(second)} are spelled nearly alike", 6.0, "family")
    return Sign(f"{_say(one)} is not {_say(other)}", -3.0, "family")


def _is_near(one: str, other: str) -> bool:
    """A slip of the pen or of the ear: a letter or two apart, or heard alike and mostly the same letters."""
    # Loaded when first asked: a web process that compares nobody carries none of it.
    from rapidfuzz.distance import OSA

    shortest = min(len(one), len(other))
    if shortest < 3:
        return False
    apart = OSA.distance(one, other)
    if apart == 1 and shortest >= 4:
        return True
    if apart == 2 and shortest >= 7:
        return True
    return bool(names.sound(one) == names.sound(other) and apart <= max(2, shortest // 2) and one[0] == other[0])


def _phone(one: str | None, other: str | None, *, given_by: int) -> Sign | None:
    if not one or not other:
        return None
    mobile = _is_mobile(one)
    what = "mobile" if mobile else "phone"
    if one == other:
        if given_by >= MANY:
            return Sign(f"same {what}, which {given_by} households gave", 1.0, "phone")
        return Sign(f"same {what}", (20.0 if mobile else 10.0) - (6.0 if given_by > 2 else 0.0), "phone")
    if len(one) >= 10 and len(other) >= 10:
        from rapidfuzz.distance import OSA

        apart = OSA.distance(one, other, score_cutoff=1)
        if apart == 1:
            return Sign("phone numbers a digit apart", 6.0, "phone")
    return Sign("", -1.0, "phone")


def _is_mobile(phone: str) -> bool:
    return phone.startswith("+447") or not phone.startswith("+44")


_AT_HOME_WITH = {"googlemail.com": "gmail.com"}


def mailbox(email: str | None) -> str | None:
    """The mailbox an address leads to: without what stands after a plus, and at Google without dots."""
    if not email:
        return None
    local, at, domain = email.strip().casefold().rpartition("@")
    if not at or not local:
        return email.strip().casefold() or None
    local = local.partition("+")[0] or local
    domain = _AT_HOME_WITH.get(domain, domain)
    if domain == "gmail.com":
        local = local.replace(".", "") or local
    return f"{local}@{domain}"


def _email(one: str | None, other: str | None, *, given_by: int) -> Sign | None:
    if not one or not other:
        return None
    mine, theirs = mailbox(one) or one, mailbox(other) or other
    if mine == theirs:
        words = "same email" if one == other else "same mailbox, written another way"
        if given_by >= MANY:
            return Sign(f"same email, which {given_by} households gave", 1.0, "email")
        return Sign(words, 20.0 - (6.0 if given_by > 2 else 0.0), "email")
    from rapidfuzz.distance import OSA

    # In a short address a letter apart is another person's: jo1@ and jo2@.
    local = min(len(mine.partition("@")[0]), len(theirs.partition("@")[0]))
    if local >= 6 and OSA.distance(mine, theirs, score_cutoff=1) == 1 and not _digits_differ(mine, theirs):
        return Sign("emails a letter apart", 5.0, "email")
    return Sign("", -1.0, "email")


def _digits_differ(one: str, other: str) -> bool:
    return re.sub(r"\D", "", one) != re.sub(r"\D", "", other)


_WHOLE = re.compile(r"[A-Z]{1,2}[0-9][A-Z0-9]?[0-9][A-Z]{2}")


def _home(one: Sketch, other: Sketch) -> Sign | None:
    """Where they live. A whole postcode is a dozen homes; with another number on the door it is a neighbour's."""
    mine, theirs = one.postcode, other.postcode
    if not mine or not theirs:
        return None
    if mine == theirs and _WHOLE.fullmatch(mine):
        doors = _door(one.address), _door(other.address)
        if doors[0] and doors[1]:
            if doors[0] == doors[1]:
                return Sign("same address", 11.0, "home")
            return Sign("same postcode, another door", 2.0, "home")
        return Sign("same postcode", 9.0, "home")
    if _district(mine) == _district(theirs):
        return Sign("same postcode district", 3.0, "home")
    return Sign("", -1.0, "home")


def _door(address: str | None) -> tuple[str, ...]:
    """The numbers of a flat and a house, which are what tells doors apart: "Flat 2, 14 High Street" is (2, 14)."""
    if not address:
        return ()
    street = re.sub(r"\b[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}\b", "", address.upper())
    return tuple(sorted(re.findall(r"\b\d+[A-Z]?\b", street)))


def _district(postcode: str) -> str:
    return postcode[:-3] if _WHOLE.fullmatch(postcode) else postcode


def _born(one: date | None, other: date | None) -> Sign | None:
    if one is None or other is None:
        return None
    if one == other:
        return Sign("born the same day", 13.0, "born")
    if one.year == other.year and (one.day, one.month) == (other.month, other.day):
        return Sign("born the same day, with day and month changed about", 10.0, "born")
    parts = (one.year != other.year) + (one.month != other.month) + (one.day != other.day)
    if parts == 1 and abs(one.year - other.year) < GENERATION_YEARS:
        return Sign("birth dates that differ in one number", 3.0, "born")
    if one.year == other.year or parts == 1:
        return Sign("born on other days", -4.0, "born") if parts == 2 else Sign("born years apart", -12.0, "born")
    return Sign("born on other days", -12.0, "born")


def _say(name: str) -> str:
    return name.title()


# --- One household and another ----------------------------------------------------------------------------------------


class Standing(StrEnum):
    """What two households on file may be to each other."""

    SAME_PEOPLE = "same_people"
    """Somebody of the one is somebody of the other."""
    ONE_HOME = "one_home"
    """Two people who share a phone or email of their own and a home: a couple who came separately."""
    SHARED = "shared"
    """They share a phone or an email and nothing else that counts: a question, no more."""
    DIFFERENT = "different"


SUGGESTED = (Standing.SAME_PEOPLE, Standing.ONE_HOME)


@dataclass(frozen=True, slots=True)
class Match:
    """Two people who may be one, by their places in the two households."""

    mine: int
    theirs: int
    likeness: Likeness


@dataclass(frozen=True, slots=True)
class HouseholdLikeness:
    """How alike two households are, and which of their people are which."""

    standing: Standing
    score: float
    reasons: tuple[str, ...]
    matches: tuple[Match, ...]


def compare_households(
    one: Sequence[Sketch],
    other: Sequence[Sketch],
    *,
    phones_given_by: dict[str, int] | None = None,
    emails_given_by: dict[str, int] | None = None,
) -> HouseholdLikeness:
    """Compare the adults of two households. ``…_given_by``: how many households gave a phone, and a mailbox."""
    phones, emails = phones_given_by or {}, emails_given_by or {}
    all_pairs = [
        Match(
            i,
            j,
            compare(
                mine,
                theirs,
                phone_given_by=phones.get(mine.phone or "", 2),
                email_given_by=emails.get(mailbox(mine.email) or "", 2),
            ),
        )
        for i, mine in enumerate(one)
        for j, theirs in enumerate(other)
    ]
    matches = _one_to_one(pair for pair in all_pairs if pair.likeness.outcome is not Outcome.DIFFERENT)
    score = matches[0].likeness.score if matches else 0.0
    if len(matches) > 1:  # partners come together
        score += min(sum(match.likeness.score for match in matches[1:]), BOTH_CAP)
    is_same = any(match.likeness.outcome is Outcome.SAME for match in matches)
    both_agree = len(matches) > 1 and all(_agree_by_name(match.likeness) for match in matches[:2])
    if is_same or (both_agree and score >= SAME_AT):
        reasons = list(matches[0].likeness.reasons)
        if both_agree:
            reasons.append("both people agree")
        return HouseholdLikeness(Standing.SAME_PEOPLE, round(score, 1), tuple(dict.fromkeys(reasons)), matches)
    for pair in sorted(all_pairs, key=lambda pair: -pair.likeness.score):
        shared = pair.likeness.shares
        if shared is None:
            continue
        home = next((sign for sign in pair.likeness.signs if sign.kind == "home"), None)
        if home is not None and home.bits >= 9:
            bits = sum(sign.bits for sign in pair.likeness.signs if sign.kind in ("phone", "email", "home"))
            reasons = [shared, home.words, "different first names: perhaps a couple"]
            return HouseholdLikeness(Standing.ONE_HOME, round(bits, 1), tuple(reasons), matches)
    shares = [pair.likeness for pair in all_pairs if pair.likeness.shares]
    if shares:
        best = max(shares, key=lambda likeness: likeness.score)
        reasons = [str(best.shares), *(words for words in best.reasons if words not in str(best.shares))]
        return HouseholdLikeness(Standing.SHARED, round(max(best.score, 0.0), 1), tuple(reasons), matches)
    return HouseholdLikeness(Standing.DIFFERENT, round(score, 1), (), matches)


def _agree_by_name(likeness: Likeness) -> bool:
    return all(sign.bits > 0 for sign in likeness.signs if sign.kind in ("given", "family"))


def _one_to_one(pairs: Iterable[Match]) -> tuple[Match, ...]:
    """Each person once, the likeliest pairs first."""
    mine: set[int] = set()
    theirs: set[int] = set()
    chosen = []
    for pair in sorted(pairs, key=lambda pair: (-pair.likeness.score, pair.mine, pair.theirs)):
        if pair.mine not in mine and pair.theirs not in theirs:
            mine.add(pair.mine)
            theirs.add(pair.theirs)
            chosen.append(pair)
    return tuple(chosen)
