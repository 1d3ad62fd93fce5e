"""Who of one household is who of the other, and what the two have in common."""

from __future__ import annotations

from collections.abc import Sequence

from crm.cases import keys
from crm.cases.duplicates import sketch_of
from crm.cases.models import Household, Person
from crm.rules.likeness import Likeness, Name, Sketch, compare


def signs_of_same_person(one: Person, other: Person) -> tuple[str, ...]:
    """What speaks for two people being one, the strongest first; empty when nothing does.

    A phone or an email may be shared by two people of a home, so neither says anything while the first names differ.
    """
    likeness = _likeness(one, other)
    bits = {sign.kind: sign.bits for sign in likeness.signs}
    if bits.get("given", 0) <= 0:
        return ()
    if bits.get("family", 0) < 0 and max(bits.get("phone", 0), bits.get("email", 0), bits.get("born", 0)) <= 0:
        return ()
    return likeness.reasons


def _likeness(one: Person, other: Person) -> Likeness:
    return compare(_sketch(one), _sketch(other))


def _sketch(person: Person) -> Sketch:
    others = [Name(keys.name_key(also.given_name), keys.name_key(also.family_name)) for also in person.other_names]
    return sketch_of(person, postcode_key=None, address=None, others=others)


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


def _born_apart(one: Person, other: Person) -> bool:
    """Whether their birthdays are no slip of the pen: then they are two, whatever else they share."""
    return any(sign.kind == "born" and sign.bits <= TWO_BIRTHDAYS for sign in _likeness(one, other).signs)


TWO_BIRTHDAYS = -8.0
"""What two different birthdays weigh, in the bits of ``rules.likeness``."""
