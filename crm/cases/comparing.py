"""Two households, or two entries of one person, side by side: what each says, what would be kept, what would happen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import select

from crm.access.queries import names_of
from crm.cases import merge_requests, pairing
from crm.cases.facts import FACT_WORDS
from crm.cases.merge_choices import (
    BESIDE_WORDS,
    BOTH,
    GONE,
    HOUSEHOLD_FIELDS,
    KEPT,
    MAY_BE_BOTH,
    PERSON_FIELDS,
    MergeChoices,
    default_side,
    value_of,
)
from crm.cases.merge_queries import merge_side
from crm.cases.models import ROLE_WORDS, Case, Fact, Person, PersonRole
from crm.cases.queries import deadline_of, enquiries_of, first_source
from crm.clock import LONDON
from crm.db import db
from crm.rules import merging
from crm.rules.permissions import Actor, Sensitivity, may_see
from crm.rules.rulebook import Rulebook
from crm.rules.stages import standing_words

PREFERS_WORDS = {"phone": "By phone", "text": "By text", "email": "By email", "post": "By post"}


@dataclass(frozen=True)
class Choice:
    """One value that can be kept: what is sent, how it reads, whether it is chosen."""

    value: str
    words: str
    is_chosen: bool


@dataclass(frozen=True)
class FieldRow:
    """One field of both sides. Where they agree, or only one has it, there is nothing to choose."""

    name: str
    label: str
    kept: str
    gone: str
    choices: tuple[Choice, ...]

    @property
    def chosen_words(self) -> str:
        return next((choice.words for choice in self.choices if choice.is_chosen), self.kept or self.gone)


@dataclass(frozen=True)
class Pair:
    """Two people taken for one, field by field."""

    kept: Person
    gone: Person
    signs: tuple[str, ...]
    fields: tuple[FieldRow, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class WhoIsWho:
    """Somebody of the other household, and who of ours they may be."""

    person: Person
    role: str
    choices: tuple[Choice, ...]


@dataclass(frozen=True)
class SideShown:
    """One of the two households as the page shows it."""

    case: Case
    standing: str
    owner: str | None
    first_seen_on: date
    came_by: str | None
    touches: int
    letters: int
    people: tuple[tuple[Person, str], ...]


@dataclass(frozen=True)
class Comparison:
    """Everything that the page and the check of it show."""

    kept: SideShown
    gone: SideShown
    signs: tuple[str, ...]
    why_not: str | None
    who: tuple[WhoIsWho, ...]
    pairs: tuple[Pair, ...]
    household: tuple[FieldRow, ...]
    answers: tuple[FieldRow, ...]
    owner: FieldRow | None
    what_happens: tuple[str, ...]
    doubts: tuple[str, ...]
    choices: MergeChoices
    is_one_case: bool


def compare(
    one: Case,
    other: Case,
    *,
    actor: Actor,
    pairs: Mapping[int, int] | None,
    fields: Mapping[str, str],
    on_case: bool,
    today: date,
    rulebook: Rulebook,
) -> Comparison:
    """Two households side by side. ``pairs`` and ``fields``: what was chosen so far; what is missing is what is likely.

    ``on_case``: both are this person's work, so that closely held answers may be shown.
    """
    sides = {case.id: merge_side(case) for case in (one, other)}
    kept_id = merging.goes_on(sides[one.id], sides[other.id]).case_id
    kept, gone = (one, other) if kept_id == one.id else (other, one)
    is_one_home = kept.household_id == gone.household_id
    ours, theirs = list(kept.household.people), [] if is_one_home else list(gone.household.people)
    if pairs is None:
        pairs = pairing.pair_people(ours, theirs)
    known = {person.id for person in ours}
    pairs = {g: k for g, k in pairs.items() if k in known and g in {person.id for person in theirs}}
    by_id = {person.id: person for person in (*ours, *theirs)}
    is_one_case = merging.becomes_one_case(sides[one.id], sides[other.id])
    owners = names_of([user_id for user_id in (kept.owner_id, gone.owner_id) if user_id])
    chosen: dict[str, str] = {}
    pair_rows = tuple(
        _pair(by_id[kept_id], by_id[gone_id], fields, chosen) for gone_id, kept_id in sorted(pairs.items())
    )
    household = () if is_one_home else _household_fields(kept, gone, fields, chosen)
    answers = _answers(kept, gone, pairs, fields, chosen, actor=actor, on_case=on_case) if is_one_case else ()
    owner = _owner_row(kept, gone, owners, fields, chosen) if is_one_case else None
    choices = MergeChoices(pairs=pairs, fields=chosen)
    return Comparison(
        kept=_side(kept, sides[kept.id], owners),
        gone=_side(gone, sides[gone.id], owners),
        signs=pairing.signs_of_same_household(kept.household, gone.household),
        why_not=merging.why_not(sides[one.id], sides[other.id]),
        who=tuple(_who(person, ours, pairs) for person in theirs),
        pairs=pair_rows,
        household=household,
        answers=answers,
        owner=owner,
        what_happens=_what_happens(
            kept, gone, sides, is_one_case=is_one_case, choices=choices, owners=owners, today=today, rulebook=rulebook
        ),
        doubts=merge_requests.doubts_about(one, other, pairs),
        choices=choices,
        is_one_case=is_one_case,
    )


def compare_people(kept: Person, gone: Person, *, fields: Mapping[str, str]) -> tuple[Pair, MergeChoices]:
    """Two entries of one person side by side, and what is chosen so far."""
    chosen: dict[str, str] = {}
    pair = _pair(kept, gone, fields, chosen)
    return pair, MergeChoices(pairs={gone.id: kept.id}, fields=chosen)


def _side(case: Case, side: merging.CaseSide, owners: Mapping[int, str]) -> SideShown:
    return SideShown(
        case=case,
        standing=standing_words(case.stages),
        owner=owners.get(case.owner_id or 0),
        first_seen_on=case.opened_at.astimezone(LONDON).date(),
        came_by=first_source(case),
        touches=len(enquiries_of(case)),
        letters=side.letters_sent,
        people=tuple((person, ROLE_WORDS[PersonRole(person.role)]) for person in case.household.people),
    )


def _who(person: Person, ours: list[Person], pairs: Mapping[int, int]) -> WhoIsWho:
    now = pairs.get(person.id)
    choices = [Choice(str(mine.id), f"The same person as {mine.full_name}", mine.id == now) for mine in ours]
    return WhoIsWho(
        person,
        ROLE_WORDS[PersonRole(person.role)],
        (*choices, Choice("0", "Somebody else in this household", now is None)),
    )


def _pair(kept: Person, gone: Person, fields: Mapping[str, str], chosen: dict[str, str]) -> Pair:
    rows = []
    for name, label in PERSON_FIELDS.items():
        row = _row(
            f"{gone.id}.{name}",
            label,
            value_of(kept, name),
            value_of(gone, name),
            (_said(kept, name), _said(gone, name)),
            fields,
            chosen,
            field=name,
        )
        if row is not None:
            rows.append(row)
    return Pair(kept, gone, pairing.signs_of_same_person(kept, gone), tuple(rows), _warnings(kept, gone))


def _warnings(kept: Person, gone: Person) -> tuple[str, ...]:
    """What either asked for, which both have from now on."""
    words = {
        "no_contact": "Do not contact them",
        "no_calls": "Do not call",
        "no_voicemail": "No voicemail",
        "no_texts": "No texts",
        "no_emails": "No emails",
        "no_letters": "Nothing by post",
    }
    found = [text for name, text in words.items() if getattr(kept, name, False) or getattr(gone, name, False)]
    if kept.safe_contact or gone.safe_contact:
        found.append("Take care when you contact them")
    return tuple(found)


def _row(
    name: str,
    label: str,
    mine: Any,
    theirs: Any,
    said: tuple[str, str],
    fields: Mapping[str, str],
    chosen: dict[str, str],
    *,
    field: str,
) -> FieldRow | None:
    """A row of one field, or None where neither side has it. Fills in what is chosen."""
    kept_words, gone_words = said
    if not kept_words and not gone_words:
        return None
    if not gone_words or mine == theirs:
        return FieldRow(name, label, kept_words or gone_words, gone_words, ())
    if not kept_words:
        chosen[name] = GONE
        return FieldRow(name, label, "", gone_words, ())
    now = fields.get(name, default_side(field, mine, theirs))
    may_be_both = field in MAY_BE_BOTH
    if now not in (KEPT, GONE) and not (now == BOTH and may_be_both):
        now = KEPT
    chosen[name] = now
    choices = [Choice(KEPT, kept_words, now == KEPT), Choice(GONE, gone_words, now == GONE)]
    if may_be_both:
        beside = BESIDE_WORDS[field]
        choices.append(Choice(BOTH, f"{kept_words}, and {gone_words} as “{beside}”", now == BOTH))
    return FieldRow(name, label, kept_words, gone_words, tuple(choices))


def _said(person: Person, name: str) -> str:
    if name == "name":
        return person.full_name
    value = getattr(person, name)
    if name == "born_on":
        return f"{value.day} {value:%B %Y}" if value else ""
    if name == "prefers":
        return PREFERS_WORDS.get(value or "", "")
    return value or ""


def _household_fields(
    kept: Case, gone: Case, fields: Mapping[str, str], chosen: dict[str, str]
) -> tuple[FieldRow, ...]:
    rows = []
    for name, label in HOUSEHOLD_FIELDS.items():
        mine, theirs = getattr(kept.household, name) or "", getattr(gone.household, name) or ""
        row = _row(f"household.{name}", label, mine, theirs, (mine, theirs), fields, chosen, field=name)
        if row is not None:
            rows.append(row)
    return tuple(rows)


def _owner_row(
    kept: Case, gone: Case, owners: Mapping[int, str], fields: Mapping[str, str], chosen: dict[str, str]
) -> FieldRow | None:
    if kept.owner_id == gone.owner_id:
        return None
    said = (owners.get(kept.owner_id or 0, "Nobody"), owners.get(gone.owner_id or 0, "Nobody"))
    return _row("owner", "Who has this household", kept.owner_id, gone.owner_id, said, fields, chosen, field="owner")


def _answers(
    kept: Case,
    gone: Case,
    pairs: Mapping[int, int],
    fields: Mapping[str, str],
    chosen: dict[str, str],
    *,
    actor: Actor,
    on_case: bool,
) -> tuple[FieldRow, ...]:
    """Questions that both have answered differently. What is kept closely is not shown: there the newer stands."""
    found: dict[tuple[int, str], list[Fact]] = {}
    query = select(Fact).where(Fact.case_id.in_([kept.id, gone.id]), Fact.replaced_at.is_(None)).order_by(Fact.id)
    for fact in db.session.scalars(query):
        about = pairs.get(fact.person_id or 0, fact.person_id or 0)
        found.setdefault((about, fact.key), []).append(fact)
    names = {person.id: person.full_name for person in kept.household.people}
    rows = []
    for (about, key), facts in found.items():
        ours = next((fact for fact in facts if fact.case_id == kept.id), None)
        theirs = next((fact for fact in facts if fact.case_id == gone.id), None)
        if ours is None or theirs is None or key in MAY_BE_BOTH.values():
            continue
        closely = any(
            not may_see(actor, Sensitivity(fact.sensitivity), subject_person_id=fact.person_id, on_case=on_case)
            for fact in (ours, theirs)
        )
        if closely or ours.value == theirs.value:
            continue
        name = f"fact.{about}.{key}"
        newer = max((ours, theirs), key=lambda fact: (fact.stated_on, fact.id))
        picked = fields.get(name, str(newer.id))
        now = picked if picked in (str(ours.id), str(theirs.id)) else str(newer.id)
        chosen[name] = now
        label = FACT_WORDS.get(key, key.replace("_", " ").capitalize())
        rows.append(
            FieldRow(
                name,
                f"{label}, {names[about]}" if about in names else label,
                ours.value or "",
                theirs.value or "",
                tuple(
                    Choice(str(fact.id), f"{fact.value} ({fact.source}, {_short(fact.stated_on)})", str(fact.id) == now)
                    for fact in (ours, theirs)
                ),
            )
        )
    return tuple(rows)


def _short(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


def _what_happens(
    kept: Case,
    gone: Case,
    sides: Mapping[int, merging.CaseSide],
    *,
    is_one_case: bool,
    choices: MergeChoices,
    owners: Mapping[int, str],
    today: date,
    rulebook: Rulebook,
) -> tuple[str, ...]:
    """What the merge will do, a sentence each."""
    if not is_one_case:
        return (
            f"{kept.reference} and {gone.reference} belong to one household from now on.",
            f"{gone.reference} has ended and stays as it is: an earlier journey of this household.",
            "What was said, agreed and written then stays with it. Warnings about being in touch hold for both.",
        )
    first = min((kept, gone), key=lambda case: case.opened_at)
    found = [
        f"{kept.reference} goes on, at “{standing_words(kept.stages)}”. The reference {gone.reference} leads to it.",
        f"The first touch was on {_day(first)}"
        + (f", {first_source(first)}" if first_source(first) else "")
        + ". It counts as one household.",
        _clock_words(kept, gone, first, rulebook=rulebook, today=today),
        "Every touch, note, letter, visit, task and answer of both is kept, in one timeline.",
        "What each person said to news, on each channel, stays theirs. A no stays a no.",
    ]
    if choices.of("owner") == GONE and gone.owner_id:
        found.append(f"{owners.get(gone.owner_id, 'The other owner')} has this household, with the open tasks on it.")
    elif kept.owner_id != gone.owner_id:
        found.append(f"{owners.get(kept.owner_id or 0, 'The owner')} has this household, with the open tasks on it.")
    return tuple(words for words in found if words)


def _day(case: Case) -> str:
    day = case.opened_at.astimezone(LONDON)
    return f"{day:%A} {day.day} {day:%B %Y}"


def _clock_words(kept: Case, gone: Case, first: Case, *, rulebook: Rulebook, today: date) -> str:
    clock = deadline_of(first, "first_contact")
    later = deadline_of(gone if first is kept else kept, "first_contact")
    if clock is None:
        return ""
    due = f"{clock.due_on:%A} {clock.due_on.day} {clock.due_on:%B}"
    if clock.stopped_on is None and later is not None and later.stopped_on is None:
        return f"The first call stays due on {due}, counted from the first touch. The later one does not restart it."
    if clock.stopped_on is None:
        return f"The first call was due on {due}, counted from the first touch, and has been made since."
    if later is not None and later.stopped_on is None:
        return "The household has been spoken to, so the later touch becomes a task for the owner, due when it was due."
    return "No clock starts again: the earlier of two that count the same thing stays."
