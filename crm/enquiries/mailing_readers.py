"""Who stands on the list of a mailing, and whether each of them may be written to: judged as things stand now.

The same judgement is made when somebody looks at a mailing and as each letter is written; the outbox asks what the
person asked of us once more as the letter leaves.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from crm.access.models import User
from crm.cases import safe_contact
from crm.cases.consents import consents_in_force
from crm.cases.models import APPLICANT_ROLES, Case, Person
from crm.db import db
from crm.delivery import Channel
from crm.delivery.enqueue import recipient_key
from crm.delivery.letters import LETTERS, LetterKind
from crm.enquiries import queries
from crm.enquiries.list_filters import filters_of, part_of
from crm.enquiries.models import Mailing, MailingPurpose, MailingReader
from crm.rules.permissions import Actor

MOST = 20_000
"""Households that one mailing is written to."""
BATCH = 500
KIND = {MailingPurpose.NEWS: "news_to_many", MailingPurpose.SERVICE: "word_to_many"}

WHY_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "asked_to_stop": "Asked us to stop all contact",
        "no_consent": "Have not said yes to news this way",
        "way_forbidden": "Asked us not to write this way",
        "no_address": "We have no such address or number of theirs",
        "address_not_working": "Letters to their email come back",
        "never_safe": "There is no time at which they may be reached",
        "shared_with_stopped": "Somebody who is reached at the same address asked us to stop",
        "shared_point": "One message goes to this address already, for somebody else on the list",
        "left_household": "Are not part of the household any more",
        "left_list": "Are not on the list any more",
        "cant_be_written": "The message would be too long with their names in it",
    }
)
"""Why nothing is written to somebody, as it stands on the mailing. The first that fits is given."""


@dataclass(frozen=True)
class Judged:
    """One person of a list."""

    case: Case
    person: Person
    why: str | None
    """Why nothing may be written to them: a code of WHY_WORDS. None where it may."""
    point_key: str | None
    """Where it would go, as a keyed digest."""


@dataclass(frozen=True)
class Outlook:
    """A whole list, judged."""

    judged: tuple[Judged, ...]

    @property
    def households(self) -> int:
        return len({one.case.household_id for one in self.judged})

    @property
    def to_write(self) -> int:
        return sum(one.why is None for one in self.judged)

    @property
    def households_to_write(self) -> int:
        return len({one.case.household_id for one in self.judged if one.why is None})

    @property
    def reasons(self) -> list[tuple[str, int]]:
        """Why not, and how many people each: in the order of WHY_WORDS."""
        counts = Counter(one.why for one in self.judged)
        return [(code, counts[code]) for code in WHY_WORDS if counts[code]]


def letter_of(mailing: Mailing) -> LetterKind:
    """The kind of letter that a mailing is."""
    return LETTERS[KIND[MailingPurpose(mailing.purpose)]]


def author_of(mailing: Mailing) -> Actor:
    """Whose list it is: the filters may say "mine", and show what this person may open."""
    return db.session.get_one(User, mailing.asked_by_id).as_actor()


def cases_on_list(
    mailing: Mailing, author: Actor, *, today: date, among: Sequence[int] | None = None, most: int = MOST
) -> list[int]:
    """The ids of the cases that stand on the list now; of none but those ``among``, where they are given."""
    part = part_of(mailing.query) if mailing.source == "pool" else None
    return queries.cases_of_list(author, filters_of(mailing.query), today=today, part=part, among=among, most=most)


def look_ahead(mailing: Mailing, *, now: datetime, today: date) -> Outlook:
    """How it would go if it were sent now. Of a draft, the list as it stands; later, those who stood on it when it was
    asked for."""
    judged: list[Judged] = []
    taken: set[str] = set()
    for pairs, off_list in _batches(mailing, author_of(mailing), today=today):
        found = judge(mailing, pairs, off_list=off_list, taken=taken, now=now)
        taken.update(one.point_key for one in found if one.why is None and one.point_key)
        judged.extend(found)
    return Outlook(tuple(judged))


def people_on_list(mailing: Mailing, *, today: date) -> list[tuple[int, int]]:
    """The case and the person of everybody who stands on the list now: applicants who live there."""
    ids = cases_on_list(mailing, author_of(mailing), today=today)
    found: list[tuple[int, int]] = []
    for start in range(0, len(ids), BATCH):
        found += [(case.id, person.id) for case, person in _applicants(ids[start : start + BATCH])]
    return found


def judge(
    mailing: Mailing,
    pairs: Sequence[tuple[Case, Person]],
    *,
    off_list: Collection[int] = (),
    taken: Collection[str] = (),
    now: datetime,
) -> list[Judged]:
    """Judge some people of a list. ``off_list`` are cases that stand on it no more, ``taken`` the addresses to which a
    letter for somebody before them would go."""
    letter, channel = letter_of(mailing), Channel(mailing.channel)
    consents = consents_in_force(person.id for _, person in pairs) if letter.marketing else {}
    stopped = _points_of_stopped([person for _, person in pairs], channel)
    addresses = [safe_contact.address_for(case, person, channel) for case, person in pairs]
    keys = [recipient_key(channel, address) if address else None for address in addresses]
    taken = {*taken, *_written_to(mailing, {key for key in keys if key})}
    found = []
    for (case, person), key in zip(pairs, keys, strict=True):
        said = consents.get(person.id, {}).get(channel)
        why: str | None
        if person.left_household_on is not None or person.household_id != case.household_id:
            why = "left_household"
        elif case.id in off_list:
            why = "left_list"
        else:
            why = safe_contact.why_not_by(
                letter, case, person, channel, now=now, consented=said is not None and said.given
            )
        if why is None and _point(person, channel) in stopped:
            why = "shared_with_stopped"
        if why is None and key in taken:
            why = "shared_point"
        if why is None and key is not None:
            taken.add(key)
        found.append(Judged(case, person, why, key))
    return found


def _batches(mailing: Mailing, author: Actor, *, today: date) -> Iterator[tuple[list[tuple[Case, Person]], set[int]]]:
    """The people of a mailing, many at a time, with the cases that have left its list."""
    if mailing.asked_at is None:
        ids = cases_on_list(mailing, author, today=today)
        for start in range(0, len(ids), BATCH):
            yield _applicants(ids[start : start + BATCH]), set()
        return
    after = 0
    while True:
        rows = db.session.scalars(
            select(MailingReader)
            .where(MailingReader.mailing_id == mailing.id, MailingReader.id > after)
            .order_by(MailingReader.id)
            .limit(BATCH)
        ).all()
        if not rows:
            return
        after = rows[-1].id
        yield pairs_of(mailing, rows, author, today=today)


def pairs_of(
    mailing: Mailing, rows: Sequence[MailingReader], author: Actor, *, today: date
) -> tuple[list[tuple[Case, Person]], set[int]]:
    """The case and person of some rows, in their order; and which of the cases have left the list."""
    case_ids = sorted({row.case_id for row in rows})
    cases = {
        case.id: case
        for case in db.session.scalars(select(Case).options(joinedload(Case.household)).where(Case.id.in_(case_ids)))
    }
    people = {
        person.id: person
        for person in db.session.scalars(select(Person).where(Person.id.in_([row.person_id for row in rows])))
    }
    still = set(cases_on_list(mailing, author, today=today, among=case_ids))
    return [(cases[row.case_id], people[row.person_id]) for row in rows], set(case_ids) - still


def _applicants(case_ids: Sequence[int]) -> list[tuple[Case, Person]]:
    cases = db.session.scalars(
        select(Case).options(joinedload(Case.household)).where(Case.id.in_(case_ids)).order_by(Case.id)
    ).all()
    people: dict[int, list[Person]] = defaultdict(list)
    for person in db.session.scalars(
        select(Person)
        .where(
            Person.household_id.in_([case.household_id for case in cases]),
            Person.role.in_(APPLICANT_ROLES),
            Person.left_household_on.is_(None),
        )
        .order_by(Person.id)
    ):
        people[person.household_id].append(person)
    return [(case, person) for case in cases for person in people[case.household_id]]


def _point(person: Person, channel: Channel) -> str | None:
    return person.email_key if channel == Channel.EMAIL else person.phone_key


def _points_of_stopped(people: Sequence[Person], channel: Channel) -> set[str]:
    """Of the addresses of some people, those at which somebody may be reached who asked us not to write there."""
    points = [point for person in people if (point := _point(person, channel))]
    column, ruled_out = (
        (Person.email_key, Person.no_emails) if channel == Channel.EMAIL else (Person.phone_key, Person.no_texts)
    )
    found = db.session.scalars(select(column).where(column.in_(points), Person.no_contact | ruled_out).distinct())
    return {point for point in found if point}


def _written_to(mailing: Mailing, keys: Collection[str]) -> set[str]:
    """Of some addresses, those that a mailing has written to."""
    found = db.session.scalars(
        select(MailingReader.point_key).where(MailingReader.mailing_id == mailing.id, MailingReader.point_key.in_(keys))
    )
    return {key for key in found if key}
