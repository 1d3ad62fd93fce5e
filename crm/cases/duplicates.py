"""Households that may be the same one, with the reasons: while somebody types, and as pairs found by themselves.

Everybody is looked up by a few keys (how the name sounds, phone, mailbox, postcode, birthday), each a short range of an
index; those few are then compared (``rules.likeness``). A person always decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Protocol, cast

from sqlalchemy import (
    ColumnElement,
    Date,
    Integer,
    Select,
    String,
    and_,
    bindparam,
    select,
    tuple_,
    union_all,
)
from sqlalchemy.orm import aliased

from crm.cases import keys
from crm.cases.models import Case, Household, LikenessPair, OtherName, PairState, Person, PersonKey
from crm.cases.queries import visible_cases
from crm.db import db, no_more_than, our_word, read
from crm.rules.likeness import SUGGESTED, Likeness, Name, Outcome, Sketch, compare, mailbox
from crm.rules.permissions import SYSTEM, Actor, ActorKind, Role

MOST_OF_A_KEY = 60
"""How many people of one key are compared. More share a name alone, and a name alone says nothing: whoever shares
something else is found by that."""


class Described(Protocol):
    """Somebody as they come in."""

    @property
    def given_name(self) -> str: ...
    @property
    def family_name(self) -> str | None: ...
    @property
    def phone(self) -> str | None: ...
    @property
    def email(self) -> str | None: ...


@dataclass(frozen=True)
class LookAlike:
    """A household already known, and the plain reasons for thinking it is the same."""

    case_id: int
    reference: str
    household: str
    is_open: bool
    reasons: tuple[str, ...]
    score: float = 0.0
    """Bits: see ``rules.likeness``."""
    is_same_person: bool = False
    """Somebody there is taken to be who was described, not only of their household."""
    shares: str | None = None
    """The phone or email of their own that both gave."""
    has_contact: bool = False
    """A phone or an email is the same, were it only the landline of a house."""
    doubts: tuple[str, ...] = ()

    @property
    def is_strong(self) -> bool:
        """Worth asking about before storing."""
        return self.is_same_person or self.shares is not None


def look_alikes(
    *,
    email: str | None = None,
    phone: str | None = None,
    given_name: str | None = None,
    family_name: str | None = None,
    postcode: str | None = None,
    born_on: date | None = None,
    limit: int = 5,
    actor: Actor = SYSTEM,
    today: date | None = None,
    but_not: str | None = None,
) -> list[LookAlike]:
    """Known households with somebody like the one described; likeliest first. Each line has its reasons.

    Only those that ``actor`` may open on the day ``today``, which is needed for anybody but the system. ``but_not`` is
    the reference of a household to leave out: the one that somebody is being added to.
    """
    asked = Sketch(
        name=Name(keys.name_key(given_name), keys.name_key(family_name)),
        phone=keys.phone_key(phone),
        email=keys.email_key(email),
        postcode=keys.postcode_key(postcode),
        born_on=born_on,
    )
    blocks, values = _blocks(asked)
    if not blocks or (actor.kind == ActorKind.STAFF and (actor.user_id is None or today is None)):
        return []
    statement = _candidates(blocks, actor.kind, actor.roles)
    rows = read(statement, {**values, "me": actor.user_id, "today": today}).all()
    others = _other_names({row.person_id for row in rows})
    shared_phone = len({row.household_id for row in rows if row.phone_key == asked.phone}) + 1
    mine = mailbox(asked.email)
    shared_email = len({row.household_id for row in rows if mine and mailbox(row.email_key) == mine}) + 1
    found: dict[int, LookAlike] = {}
    for row in rows:
        if row.reference == but_not:
            continue
        theirs = Sketch(
            name=Name(row.given_key, row.family_key),
            others=others.get(row.person_id, ()),
            phone=row.phone_key,
            email=row.email_key,
            postcode=row.postcode_key,
            born_on=row.born_on,
        )
        likeness = compare(asked, theirs, phone_given_by=shared_phone, email_given_by=shared_email)
        alike = _look_alike(row, likeness)
        known = found.get(row.case_id)
        if alike is not None and (known is None or (alike.is_strong, alike.score) > (known.is_strong, known.score)):
            found[row.case_id] = alike
    return sorted(found.values(), key=lambda a: (not a.is_strong, -a.score, not a.is_open, -a.case_id))[:limit]


_ONLY_NEAR = 6.0
"""More bits than numbers a digit apart, or emails a letter apart, have."""


def is_of_household(case: Case, new: Described) -> bool:
    """Whether somebody of the household goes by this name: its own, a short form, another spelling, one they had."""
    return known_as(case, new) is not None


def known_as(case: Case, new: Described) -> Person | None:
    """Whoever of the household is meant by this name. Another surname is somebody else; one left out is no other."""
    given, family = keys.name_key(new.given_name), keys.name_key(new.family_name)
    for person in case.household.people:
        if person.given_key == given and (family is None or person.family_key in (None, family)):
            return person
    asked = Sketch(Name(given, family), phone=keys.phone_key(new.phone), email=keys.email_key(new.email))
    for person in case.household.people:
        others = [Name(keys.name_key(one.given_name), keys.name_key(one.family_name)) for one in person.other_names]
        likeness = compare(asked, sketch_of(person, postcode_key=None, address=None, others=others))
        signs = {sign.kind: sign.bits for sign in likeness.signs}
        if signs.get("given", 0) < 3.5 or likeness.outcome is Outcome.DIFFERENT:
            continue
        if likeness.outcome is Outcome.SAME or signs.get("family", 0) > 0:
            return person
    return None


def _look_alike(row: Any, likeness: Likeness) -> LookAlike | None:
    """What is worth saying of somebody found, if anything is."""
    signs = {sign.kind: sign.bits for sign in likeness.signs}
    is_family_at_home = signs.get("family", 0) >= 6 and signs.get("home", 0) >= 9
    if likeness.outcome is Outcome.DIFFERENT and likeness.shares is None and not is_family_at_home:
        return None
    return LookAlike(
        row.case_id,
        row.reference,
        row.household,
        row.is_open,
        likeness.reasons,
        score=likeness.score,
        is_same_person=likeness.outcome is Outcome.SAME,
        shares=likeness.shares,
        has_contact=signs.get("phone", 0) > _ONLY_NEAR or signs.get("email", 0) > _ONLY_NEAR,
        doubts=likeness.doubts,
    )


def _blocks(asked: Sketch) -> tuple[tuple[str, ...], dict[str, Any]]:
    """By which keys to look for somebody, and the values of these keys."""
    blocks: list[str] = []
    values: dict[str, Any] = {}
    given, family = asked.name.given, asked.name.family
    if given and family:
        blocks.append("names")
        values["names"] = sorted(keys.sound_keys(given, family))[:24]
    if asked.phone:
        blocks.append("phone")
        values["phone"] = asked.phone
    if asked.email:
        blocks.append("mailbox")
        values["mailbox"] = mailbox(asked.email)
    if asked.postcode and keys.is_whole_postcode(asked.postcode) and (given or family):
        blocks.append("postcode")
        values["postcode"] = asked.postcode
    if asked.born_on and given:
        blocks.append("born")
        values["born"] = sorted(keys.born_keys(asked.born_on, given))
    return tuple(blocks), values


@lru_cache(maxsize=512)
def _candidates(blocks: tuple[str, ...], kind: ActorKind, roles: frozenset[Role]) -> Select[Any]:
    """Everybody found by these keys whom somebody with these roles may see, with their household and its case."""
    person, home, case, key = Person.__table__.c, Household.__table__.c, Case.__table__.c, PersonKey.__table__.c

    def by_key(which: str, *, many: bool) -> Select[Any]:
        value = key.key.in_(bindparam(which, expanding=True)) if many else key.key == bindparam(which, type_=String)
        return select(key.person_id.label("id")).where(key.kind == our_word(which), value)

    by: dict[str, Select[Any]] = {
        "names": by_key("names", many=True),
        "born": by_key("born", many=True),
        "mailbox": by_key("mailbox", many=False),
        "phone": select(person.id.label("id")).where(person.phone_key == bindparam("phone", type_=String)),
        "postcode": (
            select(person.id.label("id"))
            .select_from(Household.__table__)
            .join(Person.__table__, person.household_id == home.id)
            .where(home.postcode_key == bindparam("postcode", type_=String))
        ),
    }
    limited = [by[block].limit(no_more_than(MOST_OF_A_KEY)).subquery() for block in blocks]
    found = union_all(*(select(one.c.id) for one in limited)).subquery("found")
    distinct = select(found.c.id).distinct().subquery("few")
    me, today = cast(int, bindparam("me", type_=Integer)), cast(date, bindparam("today", type_=Date))
    return (
        select(
            person.id.label("person_id"),
            person.given_key,
            person.family_key,
            person.phone_key,
            person.email_key,
            person.born_on,
            home.id.label("household_id"),
            home.postcode_key,
            home.name.label("household"),
            case.id.label("case_id"),
            case.reference,
            case.is_open,
        )
        .select_from(distinct)
        .join(Person.__table__, person.id == distinct.c.id)
        .join(Household.__table__, home.id == person.household_id)
        .join(Case.__table__, case.household_id == home.id)
        .where(visible_cases(Actor(kind=kind, user_id=me, roles=roles), today=today))
    )


def _other_names(person_ids: Iterable[int]) -> dict[int, tuple[Name, ...]]:
    ids = sorted(person_ids)
    if not ids:
        return {}
    found: dict[int, tuple[Name, ...]] = {}
    for row in read(_OTHER_NAMES, {"ids": ids}):
        name = Name(keys.name_key(row.given_name), keys.name_key(row.family_name))
        found[row.person_id] = (*found.get(row.person_id, ()), name)
    return found


_OTHER = OtherName.__table__.c
_OTHER_NAMES = select(_OTHER.person_id, _OTHER.given_name, _OTHER.family_name).where(
    _OTHER.person_id.in_(bindparam("ids", expanding=True))
)


# --- Pairs ------------------------------------------------------------------------------------------------------------

PAIRS_PAGE = 20


@dataclass(frozen=True)
class PairSide:
    """One household of a pair, as it is shown."""

    reference: str
    names: str
    people: tuple[Person, ...]
    postcode: str | None
    opened_at: datetime
    place: str
    source: str


@dataclass(frozen=True)
class ShownPair:
    """Two households that may be one, side by side."""

    pair: LikenessPair
    one: PairSide
    other: PairSide


def pairs_page(
    actor: Actor, view: str, *, today: date, after: tuple[float, int] | None = None
) -> tuple[list[ShownPair], tuple[float, int] | None]:
    """Pairs of households this person may open both of, the likeliest first, and the place to go on from.

    suggested: taken to be one household. shared: a phone or email in common, no more. not_same: said to be two.
    """
    mine, theirs = aliased(Case), aliased(Case)
    conditions: list[ColumnElement[bool]] = [_in_view(view)]
    if after is not None:
        conditions.append(tuple_(LikenessPair.score, LikenessPair.id) < tuple_(*after))
    rows = db.session.execute(
        select(LikenessPair, mine, theirs)
        .join(mine, mine.household_id == LikenessPair.one_id)
        .join(theirs, theirs.household_id == LikenessPair.other_id)
        .where(
            *conditions,
            *_may_open_both(mine, theirs, actor, today=today),
        )
        .order_by(LikenessPair.score.desc(), LikenessPair.id.desc())
        .limit(PAIRS_PAGE + 1)
    ).all()
    more = (rows[PAIRS_PAGE - 1][0].score, rows[PAIRS_PAGE - 1][0].id) if len(rows) > PAIRS_PAGE else None
    rows = rows[:PAIRS_PAGE]
    homes = {case.household_id for _, one, other in rows for case in (one, other)}
    households = {home.id: home for home in db.session.scalars(select(Household).where(Household.id.in_(homes)))}
    people: dict[int, list[Person]] = {}
    for person in db.session.scalars(select(Person).where(Person.household_id.in_(homes)).order_by(Person.id)):
        people.setdefault(person.household_id, []).append(person)

    def side(case: Case) -> PairSide:
        home = households[case.household_id]
        return PairSide(
            case.reference,
            home.name,
            tuple(person for person in people.get(home.id, ()) if is_compared(person)),
            home.postcode,
            case.opened_at,
            case.place,
            case.channel,
        )

    return [ShownPair(pair, side(one), side(other)) for pair, one, other in rows], more


def _may_open_both(mine: Any, theirs: Any, actor: Actor, *, today: date) -> tuple[ColumnElement[bool], ...]:
    """Whoever may open only one of the two is told nothing of the other."""
    return tuple(
        case.id.in_(select(Case.id).where(Case.household_id == home, visible_cases(actor, today=today)))
        for case, home in ((mine, LikenessPair.one_id), (theirs, LikenessPair.other_id))
    )


def _in_view(view: str) -> ColumnElement[bool]:
    suggested = LikenessPair.standing.in_([str(standing) for standing in SUGGESTED])
    if view == "not_same":
        return LikenessPair.state == PairState.NOT_SAME
    is_open = LikenessPair.state == PairState.OPEN
    return and_(is_open, suggested) if view == "suggested" else and_(is_open, ~suggested)


def is_compared(person: Person) -> bool:
    """Adults who live there: children come with their parents, and who left is somewhere else."""
    return person.role in COMPARED_ROLES and person.left_household_on is None


COMPARED_ROLES = ("applicant_1", "applicant_2", "household_adult")


@dataclass(frozen=True)
class AlikeCase:
    """Another household that may be the same as the one on a page."""

    reference: str
    names: str
    reasons: tuple[str, ...]


def alike_cases(case: Case, actor: Actor, *, today: date) -> tuple[AlikeCase, ...]:
    """Households that may be the same as a case's and that this person may open; the likeliest first. One statement."""
    asked = {"home": case.household_id, "me": actor.user_id, "today": today}
    return tuple(
        AlikeCase(row.reference, row.name, tuple(row.reasons.splitlines()))
        for row in read(_alike_cases(actor.kind, actor.roles), asked)
    )


@lru_cache(maxsize=128)
def _alike_cases(kind: ActorKind, roles: frozenset[Role]) -> Select[Any]:
    pair, home, case = LikenessPair.__table__.c, Household.__table__.c, Case.__table__.c
    me, today = cast(int, bindparam("me", type_=Integer)), cast(date, bindparam("today", type_=Date))
    visible = visible_cases(Actor(kind=kind, user_id=me, roles=roles), today=today)
    sides = [
        select(case.reference, home.name, pair.reasons, pair.score)
        .select_from(LikenessPair.__table__)
        .join(Household.__table__, home.id == pair[theirs])
        .join(Case.__table__, case.household_id == home.id)
        .where(pair[mine] == bindparam("home", type_=Integer), pair.state == our_word(PairState.OPEN), visible)
        for mine, theirs in (("one_id", "other_id"), ("other_id", "one_id"))
    ]
    both = union_all(*sides).subquery("both_sides")
    return select(both.c.reference, both.c.name, both.c.reasons).order_by(both.c.score.desc()).limit(no_more_than(3))


def sketch_of(
    person: Person | Any, *, postcode_key: str | None, address: str | None, others: Sequence[Name] = ()
) -> Sketch:
    """What is known of somebody on file, for comparing."""
    return Sketch(
        name=Name(person.given_key or None, person.family_key),
        others=tuple(others),
        phone=person.phone_key,
        email=person.email_key,
        postcode=postcode_key,
        address=address,
        born_on=person.born_on,
    )


def other_names_of(person_ids: Iterable[int]) -> Mapping[int, tuple[Name, ...]]:
    """The other names of these people, as plain ones."""
    return _other_names(person_ids)
