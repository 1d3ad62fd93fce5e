"""What homes an area needs, and whether a household would be one: from the terms it has, or those that are proposed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class NeedKind(StrEnum):
    """For whom homes are needed."""

    AGES_0_4 = "ages_0_4"
    AGES_5_10 = "ages_5_10"
    AGES_11_17 = "ages_11_17"
    SIBLINGS = "siblings"
    PARENT_AND_CHILD = "parent_and_child"
    TEENAGERS = "teenagers"
    SHORT_BREAKS = "short_breaks"
    LANGUAGE = "language"
    OTHER = "other"


NEED_WORDS: Mapping[NeedKind, str] = MappingProxyType(
    {
        NeedKind.AGES_0_4: "Children aged 0 to 4",
        NeedKind.AGES_5_10: "Children aged 5 to 10",
        NeedKind.AGES_11_17: "Children aged 11 to 17",
        NeedKind.SIBLINGS: "Brothers and sisters together",
        NeedKind.PARENT_AND_CHILD: "Parent and child",
        NeedKind.TEENAGERS: "Teenagers",
        NeedKind.SHORT_BREAKS: "Short breaks",
        NeedKind.LANGUAGE: "Speaking a language",
        NeedKind.OTHER: "Something else",
    }
)
IN_OWN_WORDS = frozenset({NeedKind.LANGUAGE, NeedKind.OTHER})
"""Kinds that are said in the service's own words, which no terms of approval tell of."""

_AGES: Mapping[NeedKind, tuple[int, int]] = {
    NeedKind.AGES_0_4: (0, 4),
    NeedKind.AGES_5_10: (5, 10),
    NeedKind.AGES_11_17: (11, 17),
    NeedKind.TEENAGERS: (13, 17),
}
_CARE: Mapping[NeedKind, str] = {NeedKind.PARENT_AND_CHILD: "parent_and_child", NeedKind.SHORT_BREAKS: "short_breaks"}
_NO_HOME_ALONE = frozenset({"parent_and_child", "short_breaks"})
"""Terms for these alone are no home for a child to live in without a parent."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is needed. ``districts``: the postcode districts of the area; None for anywhere; empty where the service has
    no such area any more."""

    kind: NeedKind
    districts: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """What a household would offer by its terms: how many children at once, from and to which age, for what kind of
    care. None is not written, which is no limit where something else is."""

    children: int | None = None
    youngest: int | None = None
    oldest: int | None = None
    care: str | None = None


class Fit(StrEnum):
    """Whether a household is what is needed."""

    YES = "yes"
    NO = "no"
    ASK = "ask"
    """Terms don't tell: somebody has to ask."""
    NOT_KNOWN = "not_known"
    """Not written yet."""


def fits(wanted: Wanted, offer: Offer, district: str | None) -> Fit:
    """Whether a household in a postcode district fits. A no in one respect is a no; whatever is not written is not
    guessed."""
    of_area, of_terms = _of_area(wanted, district), _of_terms(wanted.kind, offer)
    for answer in (Fit.NO, Fit.ASK, Fit.NOT_KNOWN):
        if answer in (of_area, of_terms):
            return answer
    return Fit.YES


def _of_area(wanted: Wanted, district: str | None) -> Fit:
    if wanted.districts is None:
        return Fit.YES
    if not wanted.districts or district is None:
        return Fit.NOT_KNOWN
    return Fit.YES if district in wanted.districts else Fit.NO


def _of_terms(kind: NeedKind, offer: Offer) -> Fit:
    if kind in IN_OWN_WORDS:
        return Fit.ASK
    if kind in _CARE:
        if offer.care is None:
            return Fit.NOT_KNOWN
        return Fit.YES if offer.care in ("any", _CARE[kind]) else Fit.NO
    if offer.care in _NO_HOME_ALONE:
        return Fit.NO
    if kind is NeedKind.SIBLINGS:
        if offer.children is None:
            return Fit.NOT_KNOWN
        return Fit.YES if offer.children >= 2 else Fit.NO
    if offer.youngest is None and offer.oldest is None:
        return Fit.NOT_KNOWN
    first, last = _AGES[kind]
    youngest = offer.youngest if offer.youngest is not None else 0
    oldest = offer.oldest if offer.oldest is not None else 17
    return Fit.YES if youngest <= last and oldest >= first else Fit.NO
