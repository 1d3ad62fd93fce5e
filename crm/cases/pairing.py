"""Who of one household is who of the other, and what the two have in common."""

from __future__ import annotations

from collections.abc import Sequence

from crm.cases.models import Household, Person


def signs_of_same_person(one: Person, other: Person) -> tuple[str, ...]:
    """What speaks for two people being one; empty when their first names have nothing in common.

    A phone or an email may be shared by two people of a home, so neither says anything while the names differ.
    """
    if not _same_given(one.given_key, other.given_key):
        return ()
    same_family = one.family_key == other.family_key
    signs = ["same name" if same_family and one.given_key == other.given_key else "same first name"]
    if one.phone_key and one.phone_key == other.phone_key:
        signs.append("same phone")
    if one.email_key and one.email_key == other.email_key:
        signs.append("same email")
    if one.born_on and one.born_on == other.born_on:
        signs.append("born the same day")
    if one.family_key and other.family_key and not same_family and len(signs) == 1:
        return ()
    return tuple(signs)


def pair_people(kept: Sequence[Person], gone: Sequence[Person]) -> dict[int, int]:
    """The likeliest pairs: the number of each person of the other household to the one of ours who seems the same.

    Nobody is paired twice; those with the most signs in common come first.
    """
    ranked = sorted(
        (
            (-len(signs), ours.id, theirs.id)
            for theirs in gone
            for ours in kept
            if (signs := signs_of_same_person(ours, theirs)) and not _born_apart(ours, theirs)
        ),
    )
    pairs: dict[int, int] = {}
    for _, ours_id, theirs_id in ranked:
        if theirs_id not in pairs and ours_id not in pairs.values():
            pairs[theirs_id] = ours_id
    return pairs


def signs_of_same_household(one: Household, other: Household) -> tuple[str, ...]:
    """What two households have in common, in the words that look-alikes are explained in."""
    signs = []
    for word, key in (("same phone", "phone_key"), ("same email", "email_key")):
        ours = {getattr(person, key) for person in one.people} - {None}
        if ours & {getattr(person, key) for person in other.people}:
            signs.append(word)
    if one.postcode_key and one.postcode_key == other.postcode_key:
        signs.append("same postcode")
    names = {(p.given_key, p.family_key) for p in one.people if p.family_key}
    if names & {(p.given_key, p.family_key) for p in other.people}:
        signs.append("same name")
    elif {family for _, family in names} & {p.family_key for p in other.people if p.family_key}:
        signs.append("same surname")
    born = {(p.born_on, p.given_key) for p in one.people if p.born_on}
    if born & {(p.born_on, p.given_key) for p in other.people}:
        signs.append("born the same day")
    return tuple(signs)


def _same_given(one: str, other: str) -> bool:
    first, second = one.split(" ")[0], other.split(" ")[0]
    return bool(first) and (first == second or (min(len(first), len(second)) >= 3 and _begins(first, second)))


def _begins(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)


def _born_apart(one: Person, other: Person) -> bool:
    return one.born_on is not None and other.born_on is not None and one.born_on != other.born_on
