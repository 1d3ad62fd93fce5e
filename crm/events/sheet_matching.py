"""What each line of a sheet comes to: new, the same person or household as one we know, or for a person to look at.

Lines are judged many at a time, with a few questions to the database for all of them. The same phone or email makes a
household the same only where a name bears it out; other names on one number are a question for a person.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select, tuple_

from crm.cases import keys
from crm.cases.duplicates import is_of_household
from crm.cases.models import Case, Enquiry, Household, Person, Track
from crm.cases.open_case import NewPerson
from crm.db import db, is_among, no_more_than
from crm.events.sheet_models import SheetLine, Verdict
from crm.events.sheets import Line
from crm.events.sign_ups import SignUp
from crm.rules.stages import TrackName

ReadLine = Callable[[Line], SignUp]


@dataclass(frozen=True)
class Judged:
    """What a line comes to, and whom it is the same as: a case, or an earlier line of the same sheet."""

    sign_up: SignUp
    verdict: Verdict
    notes: tuple[str, ...] = ()
    match_case_id: int | None = None
    match_line: int | None = None
    phone_key: str | None = None
    email_key: str | None = None
    place_key: str | None = None


@dataclass(frozen=True)
class _Known:
    """A household we know, as far as a line needs it."""

    case_id: int
    reference: str
    household: str
    in_assessment: bool
    is_open: bool

    @property
    def said(self) -> str:
        """Whoever loads a sheet may open enquiries, so those are named; a household in assessment belongs to others."""
        return f"{self.reference}, in assessment" if self.in_assessment else f"{self.household}, {self.reference}"


def judge(
    sign_ups: Sequence[SignUp], passed_over: Mapping[int, str], *, import_id: int, read: ReadLine
) -> list[Judged]:
    """What each of these lines comes to. ``passed_over`` says why a line is nobody, by its number; ``read`` reads an
    earlier line of the sheet again. Writes nothing."""
    reached = {one.number: _contact_keys(one.people) for one in sign_ups}
    places = {one.number: place_key(one) for one in sign_ups}
    sheet = _EarlierLines(import_id, sign_ups, reached, places, read)
    loaded = _loaded_already([one.fingerprint for one in sign_ups])
    by_contact = _known_by_contact({key for pair in reached.values() for key in pair})
    by_place = _known_by_place({place for place in places.values() if place})
    by_name = _known_by_name([one for one in sign_ups if one.people and not _has_whole_postcode(one)])
    found = []
    for one in sign_ups:
        contacts = reached[one.number]
        judged = Judged(
            one,
            Verdict.NEW,
            tuple(one.doubts),
            phone_key=next((key for kind, key in contacts if kind == "phone"), None),
            email_key=next((key for kind, key in contacts if kind == "email"), None),
            place_key=places[one.number],
        )
        earlier = sheet.same_words(one)
        if one.number in passed_over:
            judged = _again(judged, Verdict.PASSED_OVER, passed_over[one.number], alone=True)
        elif earlier is not None:
            judged = _again(judged, Verdict.REPEAT, f"Word for word the same as line {earlier}.", alone=True)
        elif one.refused:
            judged = _again(judged, Verdict.REFUSED, one.refused, alone=True)
        elif one.fingerprint in loaded:
            judged = _again(judged, Verdict.REPEAT, "Loaded before.", alone=True)
        else:
            judged = (
                _same_contact_as_line(judged, sheet)
                or _same_contact_as_known(judged, by_contact, contacts)
                or _like(judged, sheet, by_place, by_name)
                or judged
            )
        sheet.add(judged)
        found.append(judged)
    return found


def _again(
    judged: Judged,
    verdict: Verdict,
    note: str,
    *,
    alone: bool = False,
    case_id: int | None = None,
    line: int | None = None,
) -> Judged:
    return Judged(
        judged.sign_up,
        verdict,
        (note,) if alone else (*judged.notes, note),
        match_case_id=case_id,
        match_line=line,
        phone_key=judged.phone_key,
        email_key=judged.email_key,
        place_key=judged.place_key,
    )


def _same_contact_as_line(judged: Judged, sheet: _EarlierLines) -> Judged | None:
    earlier = sheet.same_contact(judged)
    if earlier is None:
        return None
    there = sheet.first_names_on(earlier)
    verdict = _borne_out([keys.name_key(person.given_name) in there for person in judged.sign_up.people])
    if verdict is None:
        note = f"The same phone or email as line {earlier}, but other names: a couple, or two strangers?"
        return _again(judged, Verdict.LOOK, note, line=earlier)
    return _again(judged, verdict, f"The same phone or email as line {earlier}: joins that household.", line=earlier)


def _same_contact_as_known(
    judged: Judged, by_contact: Mapping[tuple[str, str], _Known], contacts: Sequence[tuple[str, str]]
) -> Judged | None:
    known = next((by_contact[key] for key in contacts if key in by_contact), None)
    if known is None:
        return None
    case = db.session.get_one(Case, known.case_id)
    verdict = _borne_out([is_of_household(case, person) for person in judged.sign_up.people])
    if verdict is None:
        note = (
            f"The same phone or email as {known.said}, but another name. If they are strangers to each other, "
            "put the number right."
        )
        return _again(judged, Verdict.LOOK, note, case_id=known.case_id)
    note = f"The same phone or email as {known.said}: joins that household."
    return _again(judged, verdict, note, case_id=known.case_id)


def _borne_out(is_there: Sequence[bool]) -> Verdict | None:
    """What the names on a line make of a shared phone or email: all of them there, some of them, or none."""
    if all(is_there):
        return Verdict.SAME_PERSON
    return Verdict.SAME_HOUSEHOLD if any(is_there) else None


def _like(
    judged: Judged, sheet: _EarlierLines, by_place: Mapping[str, _Known], by_name: Mapping[tuple[str, str], _Known]
) -> Judged | None:
    place = judged.place_key
    if place is not None:
        earlier = sheet.same_place(judged)
        if earlier is not None:
            note = f"The same surname and postcode as line {earlier}. Are they one household?"
            return _again(judged, Verdict.LOOK, note, line=earlier)
        if place in by_place:
            known = by_place[place]
            note = f"May be {known.said}: the same surname at the same postcode."
            return _again(judged, Verdict.LOOK, note, case_id=known.case_id)
    for person in judged.sign_up.people:
        named = (keys.name_key(person.family_name) or "", keys.name_key(person.given_name) or "")
        known_by_name = by_name.get(named)
        if known_by_name is not None and not _has_whole_postcode(judged.sign_up):
            note = f"May be {known_by_name.said}: the same name, and no whole postcode to tell them apart."
            return _again(judged, Verdict.LOOK, note, case_id=known_by_name.case_id)
    return None


def place_key(one: SignUp) -> str | None:
    """Surname and whole postcode of a line, by which a household is told where nothing else is the same."""
    family = keys.name_key(one.people[0].family_name) if one.people else None
    if not family or not _has_whole_postcode(one):
        return None
    return f"{family}|{keys.postcode_key(one.postcode)}"[:140]


def _has_whole_postcode(one: SignUp) -> bool:
    return bool(one.postcode) and keys.is_whole_postcode(one.postcode or "")


def _contact_keys(people: Iterable[NewPerson]) -> list[tuple[str, str]]:
    found = []
    for person in people:
        for kind, key in (("phone", keys.phone_key(person.phone)), ("email", keys.email_key(person.email))):
            if key:
                found.append((kind, key))
    return found


# --- Earlier lines of the same sheet ----------------------------------------------------------------------------------


class _EarlierLines:
    """The lines of the sheet above the ones in hand: asked for once, and added to as judging goes on."""

    def __init__(
        self,
        import_id: int,
        sign_ups: Sequence[SignUp],
        reached: Mapping[int, Sequence[tuple[str, str]]],
        places: Mapping[int, str | None],
        read: ReadLine,
    ) -> None:
        self._reached = reached
        self._words: dict[str, int] = {}
        self._contacts: dict[tuple[str, str], int] = {}
        self._places: dict[str, int] = {}
        self._names: dict[int, frozenset[str | None]] = {}
        if not sign_ups:
            return
        above = (SheetLine.import_id == import_id, SheetLine.number < sign_ups[0].number)
        self._ask(self._words, SheetLine.fingerprint, {one.fingerprint for one in sign_ups}, above, lambda key: key)
        for kind, column in (("phone", SheetLine.phone_key), ("email", SheetLine.email_key)):
            wanted = {key for contacts in reached.values() for of, key in contacts if of == kind}
            self._ask(self._contacts, column, wanted, (*above, is_loadable()), _of_kind(kind))
        wanted = {place for place in places.values() if place}
        self._ask(self._places, SheetLine.place_key, wanted, (*above, is_loadable()), lambda key: key)
        self._read_names(import_id, set(self._contacts.values()), read)

    def _ask(
        self,
        into: dict[Any, int],
        column: Any,
        wanted: set[str],
        above: Sequence[ColumnElement[bool]],
        key: Callable[[str], Any],
    ) -> None:
        if not wanted:
            return
        query = select(column, SheetLine.number).where(is_among(column, wanted), *above).order_by(SheetLine.number)
        for value, number in db.session.execute(query):
            into.setdefault(key(value), number)

    def _read_names(self, import_id: int, numbers: set[int], read: ReadLine) -> None:
        """Who is on the lines that share a phone or an email with one in hand."""
        if not numbers:
            return
        query = select(SheetLine).where(SheetLine.import_id == import_id, is_among(SheetLine.number, numbers))
        for line in db.session.scalars(query):
            cells = tuple(json.loads(line.cells or "[]"))
            self._names[line.number] = _first_names(read(Line(line.number, cells)))

    def add(self, judged: Judged) -> None:
        """This line is one of the earlier ones from now on."""
        number = judged.sign_up.number
        self._words.setdefault(judged.sign_up.fingerprint, number)
        if judged.verdict in (Verdict.REFUSED, Verdict.PASSED_OVER, Verdict.REPEAT):
            return
        self._names[number] = _first_names(judged.sign_up)
        for key in self._reached[number]:
            self._contacts.setdefault(key, number)
        if judged.place_key:
            self._places.setdefault(judged.place_key, number)

    def same_words(self, one: SignUp) -> int | None:
        return self._words.get(one.fingerprint)

    def same_contact(self, judged: Judged) -> int | None:
        reached = self._reached[judged.sign_up.number]
        return next((self._contacts[key] for key in reached if key in self._contacts), None)

    def same_place(self, judged: Judged) -> int | None:
        return self._places.get(judged.place_key or "")

    def first_names_on(self, number: int) -> frozenset[str | None]:
        return self._names[number]


def _first_names(one: SignUp) -> frozenset[str | None]:
    return frozenset(keys.name_key(person.given_name) for person in one.people)


def _of_kind(kind: str) -> Callable[[str], tuple[str, str]]:
    return lambda key: (kind, key)


def is_loadable() -> ColumnElement[bool]:
    """Lines that bring, or brought, a household."""
    return SheetLine.verdict.in_((Verdict.NEW, Verdict.SAME_PERSON, Verdict.SAME_HOUSEHOLD, Verdict.LOOK))


# --- Households we know -----------------------------------------------------------------------------------------------

MOST_OF_ONE_NAME = 2_000


def _loaded_already(fingerprints: list[str]) -> frozenset[str]:
    return frozenset(db.session.scalars(select(Enquiry.one_time_id).where(is_among(Enquiry.one_time_id, fingerprints))))


def _known_by_contact(wanted: set[tuple[str, str]]) -> dict[tuple[str, str], _Known]:
    phones = {key for kind, key in wanted if kind == "phone"}
    emails = {key for kind, key in wanted if kind == "email"}
    if not wanted:
        return {}
    rows = db.session.execute(
        select(Person.household_id, Person.phone_key, Person.email_key).where(
            or_(is_among(Person.phone_key, phones), is_among(Person.email_key, emails))
        )
    ).all()
    known = _households({row.household_id for row in rows})
    found: dict[tuple[str, str], _Known] = {}
    for row in rows:
        for key in (("phone", row.phone_key), ("email", row.email_key)):
            _keep_likeliest(found, key, known.get(row.household_id), wanted)
    return found


def _known_by_place(wanted: set[str]) -> dict[str, _Known]:
    if not wanted:
        return {}
    codes = {place.rpartition("|")[2] for place in wanted}
    rows = db.session.execute(
        select(Household.id, Household.postcode_key, Person.family_key)
        .join(Person, Person.household_id == Household.id)
        .where(is_among(Household.postcode_key, codes))
    ).all()
    places = [(row.id, f"{row.family_key}|{row.postcode_key}") for row in rows]
    known = _households({household for household, place in places if place in wanted})
    found: dict[str, _Known] = {}
    for household, place in places:
        _keep_likeliest(found, place, known.get(household), wanted)
    return found


def _known_by_name(sign_ups: Sequence[SignUp]) -> dict[tuple[str, str], _Known]:
    """Asked only for lines without a whole postcode: with one, the same common name elsewhere says nothing."""
    wanted = {
        (family, given)
        for one in sign_ups
        for person in one.people
        if (family := keys.name_key(person.family_name)) and (given := keys.name_key(person.given_name))
    }
    if not wanted:
        return {}
    rows = db.session.execute(
        select(Person.household_id, Person.family_key, Person.given_key)
        .where(tuple_(Person.family_key, Person.given_key).in_(sorted(wanted)))
        .limit(no_more_than(MOST_OF_ONE_NAME))
    ).all()
    known = _households({row.household_id for row in rows})
    found: dict[tuple[str, str], _Known] = {}
    for row in rows:
        _keep_likeliest(found, (row.family_key, row.given_key), known.get(row.household_id), wanted)
    return found


def _keep_likeliest(found: dict[Any, _Known], key: Any, known: _Known | None, wanted: Collection[Any]) -> None:
    """Of several households by one key, the one that is open, then the newest."""
    if known is None or key not in wanted:
        return
    present = found.get(key)
    if present is None or (known.is_open, known.case_id) > (present.is_open, present.case_id):
        found[key] = known


def _households(ids: set[int]) -> dict[int, _Known]:
    """These households by id, each with the case that a further touch would join; the others are left out."""
    if not ids:
        return {}
    rows = db.session.execute(
        select(
            Case.household_id, Case.id, Case.reference, Case.is_open, Household.name, Track.stage.label("application")
        )
        .join(Household, Household.id == Case.household_id)
        .outerjoin(Track, and_(Track.case_id == Case.id, Track.name == TrackName.APPLICATION))
        .where(is_among(Case.household_id, ids))
        .order_by(Case.is_open, Case.id)
    ).all()
    # The rule of ``add_touch.may_take_a_touch``: it goes on, or it ended before anybody applied.
    return {
        row.household_id: _Known(row.id, row.reference, row.name, row.application is not None, row.is_open)
        for row in rows
        if row.is_open or row.application is None
    }
