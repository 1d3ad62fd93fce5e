"""A merge that is doubtful is asked for, and made by a second person who looked at it; a plain one is made at once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime

from crm.audit import record
from crm.cases import timeline
from crm.cases.merge import CannotMerge, merge_households, merge_people
from crm.cases.merge_choices import MergeChoices
from crm.cases.merge_models import HouseholdMerge, MergeKind, MergeState
from crm.cases.merge_queries import merge_side, waiting_merge
from crm.cases.models import Case, Person
from crm.cases.pairing import signs_of_same_household, signs_of_same_person
from crm.db import db
from crm.rules import merging
from crm.rules.permissions import Actor, Permission, require
from crm.rules.refusal import Refusal
from crm.rules.rulebook import Rulebook


class NotForYouToAgree(Refusal):
    """Whoever asked for a merge can't be the one who looks at it."""

    default_status = 403


class AnsweredAlready(Refusal):
    """Somebody has answered the request meanwhile, or taken it back."""


def doubts_about(one: Case, other: Case, pairs: Mapping[int, int]) -> tuple[str, ...]:
    """Why a second person should look at this merge, a sentence each; empty when nobody need."""
    sides = (merge_side(one), merge_side(other))
    kept_side = merging.goes_on(*sides)
    kept, gone = (one, other) if kept_side.case_id == one.id else (other, one)
    ours = {person.id: person for person in kept.household.people}
    theirs = {person.id: person for person in gone.household.people}
    return merging.doubts(
        gone=sides[1] if kept_side is sides[0] else sides[0],
        either_has_applied=any(side.has_applied for side in sides),
        pairs=[
            _pair(ours[kept_id], theirs[gone_id])
            for gone_id, kept_id in pairs.items()
            if kept_id in ours and gone_id in theirs
        ],
        shared_signs=signs_of_same_household(kept.household, gone.household),
    )


def doubts_about_people(kept: Person, gone: Person) -> tuple[str, ...]:
    """The same of two entries of one person."""
    pair = _pair(kept, gone)
    found = [f"The dates of birth of {pair.name} differ."] if pair.birth_dates_differ else []
    if not pair.signs:
        found.append(f"Nothing but the choice says that {gone.full_name} is {pair.name}.")
    return tuple(found)


def _pair(kept: Person, gone: Person) -> merging.PairOfPeople:
    return merging.PairOfPeople(
        name=kept.full_name, signs=signs_of_same_person(kept, gone), born_on=(kept.born_on, gone.born_on)
    )


def merge_or_ask(
    one: Case,
    other: Case,
    *,
    choices: MergeChoices,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: Mapping[int, int] | None = None,
) -> HouseholdMerge:
    """Merge two households, or ask a second person to where that is doubtful: the state of what is given back says.

    Raises NotPermitted, CannotMerge, CaseHasMovedOn.
    """
    require(actor, Permission.MERGE_CASES)
    doubts = doubts_about(one, other, choices.pairs)
    sides = (merge_side(one), merge_side(other))
    if not doubts or merging.why_not(*sides) is not None:
        return merge_households(
            one, other, choices=choices, actor=actor, now=now, today=today, rulebook=rulebook, seen=seen
        )
    kept = one if merging.goes_on(*sides).case_id == one.id else other
    gone = other if kept is one else one
    return _ask(MergeKind.HOUSEHOLDS, kept, gone, choices=choices, doubts=doubts, actor=actor, now=now)


def merge_people_or_ask(
    case: Case,
    kept: Person,
    gone: Person,
    *,
    choices: MergeChoices,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
) -> HouseholdMerge:
    """The same for somebody who was entered twice in one household."""
    require(actor, Permission.MERGE_CASES)
    doubts = doubts_about_people(kept, gone)
    if not doubts:
        return merge_people(
            case, kept, gone, choices=choices, actor=actor, now=now, today=today, rulebook=rulebook, seen=seen
        )
    return _ask(MergeKind.PEOPLE, case, None, choices=choices, doubts=doubts, actor=actor, now=now)


def _ask(
    kind: MergeKind,
    kept: Case,
    gone: Case | None,
    *,
    choices: MergeChoices,
    doubts: tuple[str, ...],
    actor: Actor,
    now: datetime,
) -> HouseholdMerge:
    waiting = waiting_merge(kept.id, gone.id if gone else None)
    if waiting is not None:
        raise CannotMerge(
            "This merge has been asked for already, and waits for a second person.",
            alternatives=("Look at what was asked, and take it back if it should be another.",),
        )
    names = {"kept": kept.household.name, "gone": gone.household.name if gone else ""}
    if gone is None:
        people = {person.id: person.full_name for person in kept.household.people}
        (gone_id, kept_id), *_ = choices.pairs.items()
        names = {"kept": people[kept_id], "gone": people[gone_id]}
    asked = HouseholdMerge(
        kind=kind,
        state=MergeState.ASKED,
        kept_case_id=kept.id,
        kept_reference=kept.reference,
        gone_case_id=gone.id if gone else None,
        gone_reference=gone.reference if gone else None,
        asked_by_id=actor.user_id,
        asked_at=now,
    )
    asked.choices, asked.doubts, asked.story = choices.as_json(), json.dumps(doubts), json.dumps(names)
    db.session.add(asked)
    db.session.flush()
    for case in filter(None, (kept, gone)):
        title = "A second person was asked to look at a merge"
        timeline.add(case, kind="fact", title=title, actor=actor, occurred_at=now)
    record("merge.asked", actor=actor, at=now, case_id=kept.id, subject=f"case:{kept.reference}",
           detail={"merge": asked.id})  # fmt: skip
    return asked


def agree(
    asked: HouseholdMerge,
    *,
    kept: Case,
    gone: Case | None,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: Mapping[int, int] | None = None,
) -> HouseholdMerge:
    """Make a merge that somebody else asked for, with what they chose. ``kept`` and ``gone``: its cases, fetched by
    whoever agrees, so that they may open both.

    Raises NotPermitted, NotForYouToAgree, AnsweredAlready, CannotMerge, CaseHasMovedOn.
    """
    _look_at(asked, actor)
    choices = MergeChoices.from_json(asked.choices)
    asked.decided_by_id, asked.decided_at = actor.user_id, now
    given = {"actor": actor, "now": now, "today": today, "rulebook": rulebook}
    if gone is None:
        people = {person.id: person for person in kept.household.people}
        (gone_id, kept_id), *_ = choices.pairs.items()
        if gone_id not in people or kept_id not in people:
            raise CannotMerge("One of the two is not in this household any more. Say no to this, and look again.")
        mine = None if seen is None else seen.get(kept.id)
        return merge_people(kept, people[kept_id], people[gone_id], choices=choices, seen=mine, asked=asked, **given)  # type: ignore[arg-type]
    if merging.goes_on(merge_side(kept), merge_side(gone)).case_id != asked.kept_case_id:
        raise CannotMerge(
            "The two households have moved on since this was asked, and the other one would go on now. "
            "Say no to this, and compare them again."
        )
    return merge_households(kept, gone, choices=choices, seen=seen, asked=asked, **given)  # type: ignore[arg-type]


def refuse(asked: HouseholdMerge, *, why: str, actor: Actor, now: datetime) -> None:
    """Say no to a merge that somebody else asked for. Raises NotPermitted, NotForYouToAgree, AnsweredAlready."""
    _look_at(asked, actor)
    asked.state, asked.decided_by_id, asked.decided_at = MergeState.REFUSED, actor.user_id, now
    asked.answer = why
    record("merge.refused", actor=actor, at=now, case_id=asked.kept_case_id, subject=f"case:{asked.kept_reference}",
           detail={"merge": asked.id})  # fmt: skip


def withdraw(asked: HouseholdMerge, *, actor: Actor, now: datetime) -> None:
    """Take back what one asked for oneself. Raises NotPermitted, AnsweredAlready."""
    require(actor, Permission.MERGE_CASES)
    if asked.state != MergeState.ASKED:
        raise AnsweredAlready("This has been answered already.")
    if asked.asked_by_id != actor.user_id:
        raise NotForYouToAgree("Only whoever asked for it can take it back. You can say no to it instead.")
    asked.state = MergeState.WITHDRAWN
    record("merge.withdrawn", actor=actor, at=now, case_id=asked.kept_case_id, subject=f"case:{asked.kept_reference}",
           detail={"merge": asked.id})  # fmt: skip


def _look_at(asked: HouseholdMerge, actor: Actor) -> None:
    require(actor, Permission.AGREE_MERGE)
    if asked.state != MergeState.ASKED:
        raise AnsweredAlready("This has been answered already.")
    if asked.asked_by_id == actor.user_id:
        raise NotForYouToAgree("You asked for this merge, so somebody else looks at it: another manager.")
