"""Finding pairs of households that may be one, by themselves; and a person's word on each.

Only who is new or changed is compared, with those who share a key of theirs. What was found is kept until somebody has
said; what somebody said is not asked again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row, bindparam, exists, or_, select, true, update
from sqlalchemy.exc import IntegrityError

from crm.audit import record
from crm.cases import keys
from crm.cases.duplicates import COMPARED_ROLES, other_names_of, sketch_of
from crm.cases.models import Case, Household, LikenessPair, PairState, Person, PersonKey
from crm.cases.queries import CaseNotFound, visible_cases
from crm.db import db, read, unseal
from crm.rules.likeness import HouseholdLikeness, Name, Sketch, Standing, compare_households, mailbox
from crm.rules.permissions import Actor, Permission, require
from crm.rules.refusal import Refusal

BATCH = 50
"""How many people one run compares: a run holds the one place to write of SQLite, so it is kept short."""
MOST_OF_A_KEY = 150
"""A key that more people share says nothing by itself; who shares something else is found by that."""


class SaidAlready(Refusal):
    """Somebody else has said what a pair is."""

    default_status = 409


# --- Finding ----------------------------------------------------------------------------------------------------------


def has_people_to_compare() -> bool:
    """Whether anybody is new or changed."""
    return db.session.scalar(select(Person.id).where(Person.is_to_compare == true()).limit(1)) is not None


def suggest_pairs(*, now: datetime, limit: int = BATCH) -> int:
    """Compare the next people who are new or changed; how many. For the timetable."""
    ids = list(db.session.scalars(select(Person.id).where(Person.is_to_compare).order_by(Person.id).limit(limit)))
    if ids:
        compare_people(ids, now=now)
        db.session.execute(update(Person).where(Person.id.in_(ids)).values(is_to_compare=False))
    return len(ids)


def compare_people(person_ids: Sequence[int], *, now: datetime) -> int:
    """Find the pairs that the households of these people make with others, and keep them; how many stand open.

    1. Whoever shares a key with one of them.
    2. Both households, all their adults, compared as a whole.
    3. A pair that was found before and no longer stands goes; one on which somebody has said stays as it was said.
    """
    homes = set(read(_HOMES_OF, {"ids": sorted(person_ids)}).scalars())
    adults = _adults(homes)
    meetings, phones, mailboxes = _meetings([adult for adult in adults if adult.id in set(person_ids)])
    others = {home for meeting in meetings for home in meeting} - homes
    everybody = [*adults, *_adults(others)]
    sketches = _sketches(everybody)
    found = {
        meeting: likeness
        for meeting in meetings
        if (
            likeness := compare_households(
                sketches[meeting[0]], sketches[meeting[1]], phones_given_by=phones, emails_given_by=mailboxes
            )
        ).standing
        is not Standing.DIFFERENT
    }
    return _keep(homes, found, now=now)


_PERSON, _HOME, _KEY = Person.__table__.c, Household.__table__.c, PersonKey.__table__.c
_HOMES_OF = select(_PERSON.household_id).where(_PERSON.id.in_(bindparam("ids", expanding=True))).distinct()
_ADULTS = (
    select(
        _PERSON.id,
        _PERSON.household_id,
        _PERSON.given_key,
        _PERSON.family_key,
        _PERSON.phone_key,
        _PERSON.email_key,
        _PERSON.born_on,
        _HOME.postcode_key,
        _HOME.row_key,
        _HOME.address_sealed,
    )
    .select_from(Person.__table__)
    .join(Household.__table__, _HOME.id == _PERSON.household_id)
    .where(
        _PERSON.household_id.in_(bindparam("homes", expanding=True)),
        _PERSON.role.in_(COMPARED_ROLES),
        _PERSON.left_household_on.is_(None),
    )
    .order_by(_PERSON.id)
)


def _adults(homes: Iterable[int]) -> list[Row[Any]]:
    ids = sorted(homes)
    return [row for start in range(0, len(ids), 500) for row in read(_ADULTS, {"homes": ids[start : start + 500]})]


def _sketches(adults: Sequence[Row[Any]]) -> dict[int, list[Sketch]]:
    """The adults of each household, as they are compared. An address is opened here, compared, and let go."""
    others: Mapping[int, tuple[Name, ...]] = other_names_of(adult.id for adult in adults)
    found: dict[int, list[Sketch]] = defaultdict(list)
    addresses: dict[int, str | None] = {}
    for adult in adults:
        home = adult.household_id
        if home not in addresses:
            addresses[home] = (
                unseal("household", "address_sealed", adult.row_key, adult.address_sealed)
                if adult.address_sealed
                else None
            )
        found[home].append(
            sketch_of(adult, postcode_key=adult.postcode_key, address=addresses[home], others=others.get(adult.id, ()))
        )
    return found


def _meetings(adults: Sequence[Row[Any]]) -> tuple[set[tuple[int, int]], dict[str, int], dict[str, int]]:
    """Pairs of households of which somebody shares a key, and how many households gave each phone and mailbox."""
    met: set[tuple[int, int]] = set()
    phones: dict[str, int] = {}
    mailboxes: dict[str, int] = {}

    def meet(home: int, there: Iterable[int]) -> None:
        met.update((min(home, other), max(home, other)) for other in there if other != home)

    homes_of_phone = _homes_by(_BY_PHONE, {adult.phone_key for adult in adults if adult.phone_key})
    phones.update({phone: len(homes) for phone, homes in homes_of_phone.items()})
    boxes = {adult.id: mailbox(adult.email_key) for adult in adults if adult.email_key}
    homes_of_box = _homes_by(_BY_MAILBOX, {box for box in boxes.values() if box})
    mailboxes.update({box: len(homes) for box, homes in homes_of_box.items()})
    homes_of_names = _homes_by(_BY_NAMES, {key for adult in adults for key in _name_keys(adult)})
    homes_of_birth = _homes_by(_BY_BIRTH, {key for adult in adults for key in _birth_keys(adult)})
    at_postcode: dict[str, set[tuple[int, str]]] = defaultdict(set)
    whole = {a.postcode_key for a in adults if a.postcode_key and keys.is_whole_postcode(a.postcode_key)}
    for row in _rows(_BY_POSTCODE, whole):
        at_postcode[row.key].add((row.household_id, row.given_key))
    for adult in adults:
        home = adult.household_id
        for homes, wanted in (
            (homes_of_phone, [adult.phone_key]),
            (homes_of_box, [boxes.get(adult.id)]),
            (homes_of_names, _name_keys(adult)),
            (homes_of_birth, _birth_keys(adult)),
        ):
            for key in wanted:
                there = homes.get(key, set()) if key else set()
                if len(there) <= MOST_OF_A_KEY:
                    meet(home, there)
        # At one postcode live a dozen families: only who may have the same first name is looked at.
        mine = keys.sound_keys(adult.given_key, None)
        meet(
            home,
            {
                there
                for there, given in at_postcode.get(adult.postcode_key or "", ())
                if not mine.isdisjoint(keys.sound_keys(given, None))
            },
        )
    return met, phones, mailboxes


def _name_keys(adult: Row[Any]) -> list[str]:
    """One order of the two halves is enough: the others on file have both."""
    if not adult.given_key or not adult.family_key:
        return []
    return sorted(keys.sound_keys(adult.given_key, adult.family_key))


def _birth_keys(adult: Row[Any]) -> list[str]:
    return sorted(keys.born_keys(adult.born_on, adult.given_key)) if adult.born_on else []


def _by_key(kind: str) -> Any:
    return (
        select(_KEY.key, _PERSON.household_id)
        .join(Person.__table__, _PERSON.id == _KEY.person_id)
        .where(_KEY.kind == kind, _KEY.key.in_(bindparam("wanted", expanding=True)))
    )


_BY_NAMES, _BY_MAILBOX, _BY_BIRTH = _by_key(keys.NAMES), _by_key(keys.MAILBOX), _by_key(keys.BORN)
_BY_PHONE = select(_PERSON.phone_key.label("key"), _PERSON.household_id).where(
    _PERSON.phone_key.in_(bindparam("wanted", expanding=True))
)
_BY_POSTCODE = (
    select(_HOME.postcode_key.label("key"), _PERSON.household_id, _PERSON.given_key)
    .join(Person.__table__, _PERSON.household_id == _HOME.id)
    .where(_HOME.postcode_key.in_(bindparam("wanted", expanding=True)))
)


def _rows(statement: Any, wanted: Iterable[str]) -> Iterable[Row[Any]]:
    ordered = sorted(wanted)
    for start in range(0, len(ordered), 500):
        yield from read(statement, {"wanted": ordered[start : start + 500]})


def _homes_by(statement: Any, wanted: Iterable[str]) -> dict[str, set[int]]:
    found: dict[str, set[int]] = defaultdict(set)
    for row in _rows(statement, wanted):
        found[row.key].add(row.household_id)
    return found


def _keep(homes: set[int], found: Mapping[tuple[int, int], HouseholdLikeness], *, now: datetime) -> int:
    known = {
        (pair.one_id, pair.other_id): pair
        for pair in db.session.scalars(
            select(LikenessPair).where(or_(LikenessPair.one_id.in_(homes), LikenessPair.other_id.in_(homes)))
        )
    }
    for (one, other), pair in known.items():
        if pair.state == PairState.OPEN and (one, other) not in found:
            db.session.delete(pair)
    standing_open = 0
    for (one, other), likeness in sorted(found.items()):
        kept = known.get((one, other))
        if kept is None:
            standing_open += _keep_new(one, other, likeness, now=now)
        elif kept.state == PairState.OPEN:
            _say_why(kept, likeness)
            standing_open += 1
    db.session.flush()
    return standing_open


def _say_why(pair: LikenessPair, likeness: HouseholdLikeness) -> None:
    pair.standing, pair.score = str(likeness.standing), likeness.score
    pair.reasons = "\n".join(likeness.reasons)


def _keep_new(one: int, other: int, likeness: HouseholdLikeness, *, now: datetime) -> bool:
    """False where one of the two was merged away since we read it: that merge has asked for a new comparison."""
    pair = LikenessPair(one_id=one, other_id=other, state=PairState.OPEN, found_at=now)
    _say_why(pair, likeness)
    try:
        with db.session.begin_nested():
            db.session.add(pair)
    except IntegrityError:
        return False
    return True


# --- A person's word --------------------------------------------------------------------------------------------------


def pair_for(actor: Actor, pair_id: int, *, today: date) -> LikenessPair:
    """A pair of which this person may open both households. Raises CaseNotFound, which says no more."""
    pair = db.session.get(LikenessPair, pair_id)
    if pair is None or not all(_may_open(home, actor, today=today) for home in (pair.one_id, pair.other_id)):
        raise CaseNotFound
    return pair


def _may_open(household_id: int, actor: Actor, *, today: date) -> bool:
    return bool(
        db.session.scalar(select(exists().where(Case.household_id == household_id, visible_cases(actor, today=today))))
    )


def say_not_the_same(pair: LikenessPair, *, actor: Actor, now: datetime) -> None:
    """Keep that two households are two. They are not suggested again. Raises SaidAlready."""
    require(actor, Permission.MERGE_CASES)
    _say(pair, PairState.OPEN, PairState.NOT_SAME, actor=actor, now=now)
    record("pair.not_the_same", actor=actor, at=now, subject=f"pair:{pair.id}")


def ask_again(pair: LikenessPair, *, actor: Actor, now: datetime) -> None:
    """Take back that two households are two: the pair is open again. Raises SaidAlready."""
    require(actor, Permission.MERGE_CASES)
    _say(pair, PairState.NOT_SAME, PairState.OPEN, actor=actor, now=now)
    record("pair.asked_again", actor=actor, at=now, subject=f"pair:{pair.id}")


def _say(pair: LikenessPair, before: PairState, after: PairState, *, actor: Actor, now: datetime) -> None:
    """Of two who say something at once, one does."""
    is_open = after == PairState.OPEN
    changed = db.session.execute(
        update(LikenessPair)
        .where(LikenessPair.id == pair.id, LikenessPair.state == before)
        .values(
            state=after,
            decided_at=None if is_open else now,
            decided_by_id=None if is_open else actor.user_id,
        )
        .returning(LikenessPair.id)
    ).all()
    if not changed:
        raise SaidAlready("Somebody has said what these two are already. Look at them again.")
    db.session.refresh(pair)
