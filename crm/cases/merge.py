"""Two entries of one household, or of one person, become one; or somebody is moved to the household they belong to.

Everything goes through the journal (``merge_journal``), so that ``unmerge`` puts back exactly what was. What happens
to each kind of row is a line of ``merge_rules``; which case goes on, and what becomes of clocks, is ``rules.merging``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Table

from crm.audit import record
from crm.cases import keys, person_keys, summary, timeline
from crm.cases import merge_journal as journals
from crm.cases.change_stage import CaseHasMovedOn, claim_version
from crm.cases.consents import consents_in_force
from crm.cases.merge_choices import BOTH, GONE, MAY_BE_BOTH, PERSON_FIELDS, MergeChoices, default_side, value_of
from crm.cases.merge_journal import Journal, Row
from crm.cases.merge_models import HouseholdMerge, MergeAction, MergeKind, MergeState
from crm.cases.merge_queries import merge_side
from crm.cases.merge_rules import CASE, HOUSEHOLD, PERSON, Follows, Rule, columns_of, unique_columns
from crm.cases.models import (
    APPLICANT_ROLES,
    AssignmentRole,
    BreachReason,
    Case,
    CaseAssignment,
    Consent,
    Deadline,
    Fact,
    Household,
    OtherNameKind,
    PairState,
    Person,
    PersonRole,
    StageChange,
    Task,
)
from crm.cases.open_case import household_name_of
from crm.cases.tasks import add_task
from crm.db import db, metadata
from crm.delivery.letters import LETTERS
from crm.delivery.models import MessageStatus, OutboundMessage
from crm.rules import merging
from crm.rules.permissions import Actor, Permission, require
from crm.rules.quiet_times import keep_quiet, read_quiet
from crm.rules.refusal import Refusal
from crm.rules.rulebook import Rulebook
from crm.rules.stages import TrackName


class CannotMerge(Refusal):
    """The two can't be put together as things stand."""


class CannotMove(Refusal):
    """The person can't be moved to that household."""


DERIVED = {
    CASE: frozenset(
        {
            "version",
            "place",
            "band",
            "is_open",
            "next_action",
            "next_action_due_on",
            "next_action_turn",
            "next_action_rule",
        }
    ),
    HOUSEHOLD: frozenset({"name"}),
}
"""Columns that are worked out from other rows, and are worked out again where the rows have changed since."""

WAYS_RULED_OUT = tuple(column.name for column in Person.__table__.columns if column.name.startswith("no_"))
"""Every way in which somebody may ask not to be reached: "no_calls", "no_contact", whatever there is of the kind."""
_FIRST_SOURCE = ("opened_at", "channel", "campaign_id", "edition")
_EVENTS = {
    MergeKind.HOUSEHOLDS: "case.merged",
    MergeKind.PEOPLE: "person.merged",
    MergeKind.MOVE: "person.moved",
}
_EARLIEST_STANDS = ("open_enquiry", "record_contact")
"""Moves that a household makes once: the earlier of two is its history."""


@dataclass
class _Work:
    """One merge under way."""

    journal: Journal
    actor: Actor
    now: datetime
    today: date
    rulebook: Rulebook
    choices: MergeChoices


def merge_households(
    one: Case,
    other: Case,
    *,
    choices: MergeChoices,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: Mapping[int, int] | None = None,
    asked: HouseholdMerge | None = None,
) -> HouseholdMerge:
    """Put two households together, and their cases where both are open. Returns the merge, by which it can be undone.

    ``seen``: the version of each case that the person looked at, by its number. ``asked``: the request that this
    fulfils. An ended case stays what it is, an earlier journey of the same household.

    1. Refuse what can't be; compare and set both cases, and hold all that is about to be written.
    2. The people: those who are the same become one, the others move.
    3. The cases: first source, clocks, history, owner; then every row that names the other case.
    4. The other household and case are taken out; their numbers and reference lead to those that go on.
    5. Work out the summaries anew, tell the story and the trail.

    Raises NotPermitted, CannotMerge, CaseHasMovedOn.
    """
    require(actor, Permission.MERGE_CASES)
    sides = {case.id: merge_side(case) for case in (one, other)}
    reason = merging.why_not(sides[one.id], sides[other.id])
    if reason is not None:
        raise CannotMerge(reason)
    kept_id = merging.goes_on(sides[one.id], sides[other.id]).case_id
    kept, gone = (one, other) if kept_id == one.id else (other, one)
    _claim((kept, gone), seen)
    _lock(cases=(kept.id, gone.id), households=(kept.household_id, gone.household_id))
    work = _Work(Journal(), actor, now, today, rulebook, choices)
    is_one_case = merging.becomes_one_case(sides[one.id], sides[other.id])
    names = (kept.household.name, gone.household.name)
    before = _row(CASE, kept.id)
    work.journal.held(_table(CASE), (kept.id,))
    work.journal.held(_table(HOUSEHOLD), (kept.household_id,))
    with db.session.no_autoflush:
        if kept.household_id != gone.household_id:
            _merge_people_of(work, kept, gone)
            _choose_household_fields(work, kept.household, gone.household)
        if is_one_case:
            _merge_cases(work, kept, gone)
    gone_id, gone_reference, gone_household_id = gone.id, gone.reference, gone.household_id
    if kept.household_id != gone.household_id:
        _keep_what_was_said(work, kept.household_id, gone_household_id)
        _follow(work, HOUSEHOLD, gone_household_id, kept.household_id)
        work.journal.remove(_table(HOUSEHOLD), _row(HOUSEHOLD, gone_household_id))
    db.session.expire_all()
    kept = db.session.get_one(Case, kept_id)
    _name_household(work, kept.household)
    merge = _keep(
        work,
        asked,
        kind=MergeKind.HOUSEHOLDS,
        kept=kept,
        gone=(gone_id, gone_reference),
        is_case_taken_up=is_one_case,
        names=names,
        title=f"Merged with {gone_reference}" if is_one_case else f"The household of {gone_reference} is this one",
        before=before,
    )
    record(
        "case.merged",
        actor=actor,
        at=now,
        case_id=gone_id,
        subject=f"case:{gone_reference}",
        detail={"merge": merge.id, "into": kept.reference},
    )
    return merge


def merge_people(
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
    asked: HouseholdMerge | None = None,
) -> HouseholdMerge:
    """Make one of two rows of the same person in one household. Raises NotPermitted, CannotMerge, CaseHasMovedOn."""
    require(actor, Permission.MERGE_CASES)
    if kept.id == gone.id or kept.household_id != gone.household_id or kept.household_id != case.household_id:
        raise CannotMerge("Choose two people of this household.", status=422)
    _claim((case,), {case.id: case.version if seen is None else seen})
    _lock(cases=(case.id,), households=(case.household_id,))
    work = _Work(Journal(), actor, now, today, rulebook, choices)
    names = (kept.full_name, gone.full_name)
    before = _row(CASE, case.id)
    _merge_person(work, kept, gone, case_id=case.id, reference=case.reference)
    for case_id in _cases_of(case.household_id):
        _settle_facts(work, case_id)
    case_id = case.id
    db.session.expire_all()
    case = db.session.get_one(Case, case_id)
    _name_household(work, case.household)
    return _keep(
        work,
        asked,
        kind=MergeKind.PEOPLE,
        kept=case,
        gone=None,
        is_case_taken_up=False,
        names=names,
        title=f"{names[1]} and {names[0]} were entered twice and are one now",
        before=before,
    )


def move_person(
    case: Case,
    person: Person,
    *,
    to: Case,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
) -> HouseholdMerge:
    """Move somebody who was put into the wrong household, with what is known about them alone.

    Raises NotPermitted, CannotMove, CaseHasMovedOn.
    """
    require(actor, Permission.MERGE_CASES)
    if person.household_id != case.household_id or to.household_id == case.household_id:
        raise CannotMove("Choose another household than the one they are in.", status=422)
    if len(case.household.people) == 1:
        raise CannotMove(
            f"{person.full_name} is the only one in this household. Merge the two households instead.",
            alternatives=("Compare the two households, and merge them.",),
        )
    if TrackName.APPLICATION in case.stages and person.is_applicant:
        raise CannotMove(
            f"{person.full_name} has applied with this household, so checks and decisions are about them here. "
            "Ask the manager of the assessment what is to become of the application first."
        )
    _claim((case, to), None if seen is None else {case.id: seen, to.id: to.version})
    _lock(cases=(case.id, to.id), households=(case.household_id, to.household_id))
    work = _Work(Journal(), actor, now, today, rulebook, MergeChoices())
    before = _row(CASE, to.id)
    name = person.full_name
    roles = [other.role for other in to.household.people]
    row = _row(PERSON, person.id)
    work.journal.change(_table(PERSON), row, household_id=to.household_id, role=_free_role(person.role, roles))
    _take_their_rows(work, person.id, from_case=case.id, to_case=to.id)
    case_id, to_id, reference = case.id, to.id, case.reference
    db.session.expire_all()
    case, to = db.session.get_one(Case, case_id), db.session.get_one(Case, to_id)
    _name_household(work, case.household)
    _name_household(work, to.household)
    # Those who stay are compared again too: what spoke for them may have been what was moved.
    person_keys.refresh(case.household.people)
    line = timeline.add(
        case,
        kind="fact",
        title=f"{name} was moved to the household of {to.reference}",
        actor=actor,
        occurred_at=now,
        is_touch=False,
    )
    work.journal.added(line)
    record("person.moved", actor=actor, at=now, case_id=case_id, subject=f"person:{person.id}", detail={"to": to_id})
    return _keep(
        work,
        None,
        kind=MergeKind.MOVE,
        kept=to,
        gone=(case_id, reference),
        is_case_taken_up=False,
        names=(to.household.name, name),
        title=f"{name} was moved here from the household of {reference}",
        before=before,
    )


def _keep_what_was_said(work: _Work, kept_id: int, gone_id: int) -> None:
    """That somebody else is not the household that goes holds for the one that it goes into: nobody is asked it twice.
    Where that one has a question of its own with them, it stays as it is."""
    pairs = _table("likeness_pair")
    said = sa.and_(pairs.c.state == PairState.NOT_SAME, sa.or_(pairs.c.one_id == gone_id, pairs.c.other_id == gone_id))
    for row in journals.rows_where(pairs, said):
        other_id = row["other_id"] if row["one_id"] == gone_id else row["one_id"]
        one_id, other_id = sorted((kept_id, other_id))
        if one_id == other_id or journals.rows_where(
            pairs, sa.and_(pairs.c.one_id == one_id, pairs.c.other_id == other_id), ("id",)
        ):
            continue
        anew = {name: value for name, value in row.items() if name != "id"}
        work.journal.add(pairs, {**anew, "one_id": one_id, "other_id": other_id})


# --- Holding and keeping ----------------------------------------------------------------------------------------------


def _claim(cases: Sequence[Case], seen: Mapping[int, int] | None) -> None:
    """Compare and set each case, in the order of their numbers, so that two who merge at once don't wait in a ring."""
    db.session.flush()
    for case in sorted(cases, key=lambda one: one.id):
        claim_version(case, None if seen is None else seen.get(case.id))


def _lock(*, cases: Iterable[int], households: Iterable[int]) -> None:
    """Hold the rows that are about to go: nobody adds a line to a case between our looking and its being taken out."""
    journals.rows_where(_table(HOUSEHOLD), Household.__table__.c.id.in_(list(households)), ["id"])
    journals.rows_where(_table(CASE), Case.__table__.c.id.in_(list(cases)), ["id"])
    journals.rows_where(_table(PERSON), Person.__table__.c.household_id.in_(list(households)), ["id"])


def _keep(
    work: _Work,
    asked: HouseholdMerge | None,
    *,
    kind: MergeKind,
    kept: Case,
    gone: tuple[int, str] | None,
    is_case_taken_up: bool,
    names: tuple[str, str],
    title: str,
    before: Row,
) -> HouseholdMerge:
    """Work out the summaries, add the line to the story, and write the merge down with its journal."""
    line = timeline.add(kept, kind="fact", title=title, actor=work.actor, occurred_at=work.now, is_touch=False)
    work.journal.added(line)
    summary.refresh(kept, today=work.today, rulebook=work.rulebook)
    person_keys.refresh(kept.household.people)
    _note_summaries(work, kept.id, before)
    merge = asked or HouseholdMerge(kind=kind, rows_touched=0)
    merge.state = MergeState.MADE
    merge.kept_case_id, merge.kept_reference = kept.id, kept.reference
    merge.gone_case_id, merge.gone_reference = gone or (None, None)
    merge.is_case_taken_up = is_case_taken_up
    merge.made_by_id, merge.made_at = work.actor.user_id, work.now
    merge.choices = work.choices.as_json()
    merge.story = json.dumps({"kept": names[0], "gone": names[1]})
    db.session.add(merge)
    db.session.flush()
    merge.rows_touched = work.journal.keep(merge.id)
    record(
        _EVENTS[kind],
        actor=work.actor,
        at=work.now,
        case_id=kept.id,
        subject=f"case:{kept.reference}",
        detail={"merge": merge.id, "with": gone[1] if gone else None},
    )
    db.session.flush()
    return merge


def _note_summaries(work: _Work, case_id: int, before: Row) -> None:
    """The summaries were rewritten outside the journal: note them, but for the version, which only ever rises."""
    after = _row(CASE, case_id)
    noted = {name: after[name] for name in DERIVED[CASE] - {"version"} if after[name] != before[name]}
    if noted:
        from_before = {name: before[name] for name in noted}
        work.journal.lines.append((CASE, str(case_id), MergeAction.CHANGED, from_before, noted))


# --- People -----------------------------------------------------------------------------------------------------------


def _merge_people_of(work: _Work, kept: Case, gone: Case) -> None:
    """Those who are the same become one; whoever else there is takes the part that is free."""
    ours = {person.id: person for person in kept.household.people}
    theirs = list(gone.household.people)
    wrong = [g for g, k in work.choices.pairs.items() if k not in ours or g not in {p.id for p in theirs}]
    if wrong or len(set(work.choices.pairs.values())) != len(work.choices.pairs):
        raise CannotMerge("Say again who is who: somebody is not in these households any more.", status=422)
    for person in theirs:
        if person.id in work.choices.pairs:
            mine = ours[work.choices.pairs[person.id]]
            _merge_person(work, mine, person, case_id=kept.id, reference=gone.reference)
    roles = [row["role"] for row in _people_rows(kept.household_id)]
    for person in theirs:
        if person.id not in work.choices.pairs:
            role = _free_role(person.role, roles)
            roles.append(role)
            work.journal.change(_table(PERSON), _row(PERSON, person.id), role=role)


def _free_role(role: str, taken: Iterable[str]) -> str:
    """A household has two applicants at most; whoever comes third lives there."""
    if role not in APPLICANT_ROLES or role not in taken:
        return role
    free = [one for one in APPLICANT_ROLES if one not in set(taken)]
    return free[0] if free else PersonRole.HOUSEHOLD_ADULT


def _merge_person(work: _Work, kept: Person, gone: Person, *, case_id: int, reference: str) -> None:
    """Make one of two rows of a person.

    1. The chosen values; what is not chosen of a name, a number or an address may be kept as an answer beside them.
    2. The stricter of how each asked to be reached; a refusal of either stays a refusal.
    3. Every row that names the one that goes names the other; letters that would come twice, or at all, stay here.
    """
    journal, people = work.journal, _table(PERSON)
    row = _row(PERSON, kept.id)
    journal.held(people, (kept.id,))
    values: dict[str, Any] = {}
    for name in PERSON_FIELDS:
        mine, theirs = value_of(kept, name), value_of(gone, name)
        side = work.choices.of(f"{gone.id}.{name}", default_side(name, mine, theirs))
        if side == GONE and theirs not in (None, "", ("", None)):
            values |= _values_of(gone, name)
        other = kept if side == GONE else gone
        if side == BOTH and mine != theirs and theirs not in (None, ""):
            _write_beside(work, kept, other, name, case_id=case_id, reference=reference)
    rules = merging.stricter(_rules_of(kept), _rules_of(gone))
    values |= {
        **dict.fromkeys(rules.ruled_out, True),
        "quiet_times": keep_quiet(rules.quiet),
        "safe_contact_sealed": rules.safe_contact,
        "role": kept.role if kept.is_applicant or not gone.is_applicant else gone.role,
    }
    if values["role"] != kept.role:
        others = [one["role"] for one in _people_rows(kept.household_id) if one["id"] not in (kept.id, gone.id)]
        values["role"] = _free_role(values["role"], others)
    journal.change(people, row, **values)
    refusals = _refusals_to_repeat(work, kept, gone)
    _follow(work, PERSON, gone.id, kept.id)
    for refused in refusals:
        journal.add(
            _table("consent"),
            {
                "person_id": kept.id,
                "channel": refused.channel,
                "given": False,
                "wording_version": refused.wording_version,
                "recorded_at": work.now,
                "source": f"Said no before the merge: {refused.source}"[:120],
            },
        )
    if "no_contact" in rules.ruled_out:
        _stop_letters_to(work, kept.id)
    journal.remove(people, _row(PERSON, gone.id))
    journal.add(_table("former_person"), {"former_id": gone.id, "person_id": kept.id})
    record("person.merged", actor=work.actor, at=work.now, case_id=case_id, subject=f"person:{gone.id}",
           detail={"into": kept.id})  # fmt: skip


def _values_of(person: Person, name: str) -> dict[str, Any]:
    columns = {
        "name": ("given_name", "family_name", "given_key", "family_key"),
        "phone": ("phone", "phone_key"),
        "email": ("email", "email_key"),
    }.get(name, (name,))
    return {column: getattr(person, column) for column in columns}


def _write_beside(work: _Work, kept: Person, other: Person, name: str, *, case_id: int, reference: str) -> None:
    if name == "name":
        is_former = kept.family_key != other.family_key
        names = {"given_name": other.given_name, "family_name": other.family_name}
        kind = OtherNameKind.FORMER if is_former else OtherNameKind.KNOWN_AS
        work.journal.add(_table("other_name"), {"person_id": kept.id, "kind": kind.value, **names})
        return
    work.journal.add(
        _table("fact"),
        {
            "case_id": case_id,
            "person_id": kept.id,
            "key": MAY_BE_BOTH[name],
            "value_sealed": getattr(other, name),
            "sensitivity": "ordinary",
            "source": f"Merged with {reference}",
            "stated_on": work.today,
            "replaced_at": None,
        },
    )


def _rules_of(person: Person) -> merging.ContactRules:
    return merging.ContactRules(
        ruled_out=frozenset(name for name in WAYS_RULED_OUT if getattr(person, name)),
        quiet=read_quiet(person.quiet_times),
        safe_contact=person.safe_contact,
    )


def _refusals_to_repeat(work: _Work, kept: Person, gone: Person) -> list[Consent]:
    """Refusals in force on either side that a yes of the other side would otherwise outrun."""
    in_force = consents_in_force([kept.id, gone.id])
    mine, theirs = in_force.get(kept.id, {}), in_force.get(gone.id, {})
    found = []
    for consent in mine.values():
        work.journal.held(_table("consent"), (consent.id,))
    for channel in sorted(mine.keys() & theirs.keys()):
        newest = max(mine[channel], theirs[channel], key=lambda c: (c.recorded_at, c.id))
        refused = [c for c in (mine[channel], theirs[channel]) if not c.given]
        if refused and newest.given:
            found.append(refused[0])
    return found


def _stop_letters_to(work: _Work, person_id: int) -> None:
    """They asked us to stop, on one of the two rows: what waits to go to the other goes no more, but for the law's."""
    for letter in _waiting_letters(OutboundMessage.person_id == person_id):
        if not LETTERS[letter["kind"]].statutory:
            _supersede(work, letter)


# --- The household ----------------------------------------------------------------------------------------------------


def _choose_household_fields(work: _Work, kept: Household, gone: Household) -> None:
    row = _row(HOUSEHOLD, kept.id)
    values: dict[str, Any] = {}
    for name, columns in (
        ("address", {"address_sealed": gone.address}),
        ("postcode", {"postcode": gone.postcode, "postcode_key": keys.postcode_key(gone.postcode)}),
        ("local_authority", {"local_authority": gone.local_authority}),
    ):
        mine, theirs = getattr(kept, name), getattr(gone, name)
        if theirs and work.choices.of(f"household.{name}", default_side(name, mine, theirs)) == GONE:
            values |= columns
    work.journal.change(_table(HOUSEHOLD), row, **values)


def _name_household(work: _Work, household: Household) -> None:
    work.journal.change(_table(HOUSEHOLD), _row(HOUSEHOLD, household.id), name=household_name_of(household))
    db.session.refresh(household)


# --- The cases --------------------------------------------------------------------------------------------------------


def _merge_cases(work: _Work, kept: Case, gone: Case) -> None:
    """Let one case take up the other, row by row."""
    _refuse_two_where_one_may_be(kept.id, gone.id)
    _keep_first_source(work, kept.id, gone.id)
    _settle_owner(work, kept, gone)
    _settle_clocks(work, kept, gone)
    _settle_history(work, kept.id, gone.id)
    _settle_letters(work, kept.id, gone.id)
    _follow(work, CASE, gone.id, kept.id)
    _settle_facts(work, kept.id)
    work.journal.remove(_table(CASE), _row(CASE, gone.id))
    work.journal.add(_table("former_case"), {"former_id": gone.id, "reference": gone.reference, "case_id": kept.id})
    db.session.expunge(gone)


def _refuse_two_where_one_may_be(kept_id: int, gone_id: int) -> None:
    for table, column, rule in columns_of(CASE):
        if rule.alone is None:
            continue
        named = table.columns[column]
        having = db.session.connection().scalar(
            sa.select(sa.func.count(sa.distinct(named))).where(named.in_([kept_id, gone_id]), sa.text(rule.alone))
        )
        if having == 2:
            raise CannotMerge(rule.clash or "Both have one, and a household can have one only.")


def _keep_first_source(work: _Work, kept_id: int, gone_id: int) -> None:
    """The first touch says when the journey began and what brought them; what only one side knows is kept."""
    ours, theirs = _row(CASE, kept_id), _row(CASE, gone_id)
    values = {name: theirs[name] for name in _FIRST_SOURCE} if theirs["opened_at"] < ours["opened_at"] else {}
    if ours["eligibility_outcome"] is None:
        values["eligibility_outcome"] = theirs["eligibility_outcome"]
    work.journal.change(_table(CASE), ours, **values)


def _settle_owner(work: _Work, kept: Case, gone: Case) -> None:
    """One owner; the other's part as owner ends today, and the tasks they had go to the one who stays."""
    table = _table("case_assignment")
    owner = gone.owner_id if work.choices.of("owner") == GONE and gone.owner_id else kept.owner_id
    yesterday = work.today - timedelta(days=1)
    held: dict[tuple[int, str, date], Row] = {}
    for row in journals.rows_where(table, CaseAssignment.__table__.c.case_id.in_([kept.id, gone.id])):
        runs = row["until_on"] is None or row["until_on"] >= work.today
        if row["role"] == AssignmentRole.OWNER and row["user_id"] != owner and runs:
            if row["from_on"] >= work.today:
                work.journal.remove(table, row)
                continue
            row = work.journal.change(table, row, until_on=yesterday)
        same = (row["user_id"], row["role"], row["from_on"])
        if same in held:
            twin = held[same]
            ends = (row["until_on"], twin["until_on"])
            work.journal.remove(table, row)
            held[same] = work.journal.change(table, twin, until_on=None if None in ends else max(ends))
            row = held[same]
        held[same] = work.journal.change(table, row, case_id=kept.id)
    work.journal.change(_table(CASE), _row(CASE, kept.id), owner_id=owner)
    losers = {kept.owner_id, gone.owner_id} - {owner, None}
    task = Task.__table__.c
    for row in journals.rows_where(
        _table("task"),
        sa.and_(task.case_id.in_([kept.id, gone.id]), task.assigned_to_id.in_(losers), task.done_at.is_(None)),
    ):
        work.journal.change(_table("task"), row, assigned_to_id=owner)


def _settle_clocks(work: _Work, kept: Case, gone: Case) -> None:
    table = _table("deadline")
    rows = {
        case_id: journals.rows_where(table, Deadline.__table__.c.case_id == case_id) for case_id in (kept.id, gone.id)
    }
    plan = merging.combine_clocks(
        [_clock(row) for row in rows[kept.id]],
        [_clock(row) for row in rows[gone.id]],
        kept_is_new=kept.stages.get(TrackName.ENQUIRY) == "new",
        today=work.today,
    )
    every = [*rows[kept.id], *rows[gone.id]]
    for row in every:
        if row["id"] in plan.taken_out:
            _hand_reasons_on(work, row, [one for one in every if one["id"] not in plan.taken_out])
            work.journal.remove(table, row)
            continue
        if row["id"] in plan.stopped:
            stopped_on, how = plan.stopped[row["id"]]
            row = work.journal.change(table, row, stopped_on=stopped_on, stopped_how=how)
        if not row["subject"]:
            work.journal.held(table, (row["id"],))
        work.journal.change(table, row, case_id=kept.id)
    if plan.answer_by is not None:
        owner_id = _row(CASE, kept.id)["owner_id"]
        task = add_task(
            title="In touch again, and not answered yet. Read what they said and get back to them",
            assigned_to_id=owner_id,
            due_on=max(plan.answer_by, work.today),
            actor=work.actor,
            now=work.now,
            case=kept,
        )
        work.journal.added(task)


def _hand_reasons_on(work: _Work, clock: Row, staying: list[Row]) -> None:
    """Why a clock was missed is kept with the one that counts the same thing on; there the reason in force stays."""
    table, reason = _table("breach_reason"), BreachReason.__table__.c
    same = [one for one in staying if one["rule"] == clock["rule"] and one["subject"] == clock["subject"]]
    heir = min(same, key=lambda one: (one["stopped_on"] is not None, one["due_on"], one["id"]))
    held = journals.rows_where(table, sa.and_(reason.deadline_id == heir["id"], reason.replaced_at.is_(None)))
    for row in journals.rows_where(table, reason.deadline_id == clock["id"]):
        replaced_at = work.now if held and row["replaced_at"] is None else row["replaced_at"]
        work.journal.change(table, row, deadline_id=heir["id"], replaced_at=replaced_at)


def _clock(row: Row) -> merging.Clock:
    return merging.Clock(
        id=row["id"],
        rule=row["rule"],
        subject=row["subject"],
        counted_from_on=row["counted_from_on"],
        due_on=row["due_on"],
        stopped_on=row["stopped_on"],
        stopped_how=row["stopped_how"],
    )


def _settle_history(work: _Work, kept_id: int, gone_id: int) -> None:
    """The history of the case that goes on, begun by the earlier of the two beginnings. The rest is taken out: one
    household's journey may not count twice, and the story tells all of it."""
    table = _table("stage_change")
    change = StageChange.__table__.c
    for move in _EARLIEST_STANDS:
        rows = journals.rows_where(table, sa.and_(change.case_id.in_([kept_id, gone_id]), change.move == move))
        ours = [row for row in rows if row["case_id"] == kept_id]
        theirs = [row for row in rows if row["case_id"] == gone_id]
        if not ours or not theirs:
            continue
        first = min(theirs, key=lambda row: (row["effective_on"], row["id"]))
        mine = min(ours, key=lambda row: (row["effective_on"], row["id"]))
        work.journal.held(table, (mine["id"],))
        if (first["effective_on"], first["changed_at"]) < (mine["effective_on"], mine["changed_at"]):
            work.journal.remove(table, mine)
            work.journal.change(table, first, case_id=kept_id)


def _settle_facts(work: _Work, case_id: int) -> None:
    """Of two answers to one question the newer is in force, or the one chosen; the other is kept as replaced."""
    table = _table("fact")
    fact = Fact.__table__.c
    in_force: dict[tuple[Any, str], list[Row]] = {}
    for row in journals.rows_where(table, sa.and_(fact.case_id == case_id, fact.replaced_at.is_(None))):
        if row["key"] not in MAY_BE_BOTH.values():
            in_force.setdefault((row["person_id"], row["key"]), []).append(row)
    for (person_id, key), rows in in_force.items():
        if len(rows) < 2:
            continue
        chosen = work.choices.fields.get(f"fact.{person_id or 0}.{key}")
        ranked = sorted(rows, key=lambda row: (str(row["id"]) == chosen, row["stated_on"], row["id"]))
        work.journal.held(table, (ranked[-1]["id"],))
        for row in ranked[:-1]:
            work.journal.change(table, row, replaced_at=work.now)


def _settle_letters(work: _Work, kept_id: int, gone_id: int) -> None:
    """A letter of one kind that waits to go to one address for both cases goes once: the other's stays here."""
    waiting = _waiting_letters(OutboundMessage.case_id.in_([kept_id, gone_id]))
    ours = {(row["kind"], row["recipient_key"]): row for row in waiting if row["case_id"] == kept_id}
    for row in waiting:
        twin = ours.get((row["kind"], row["recipient_key"]))
        if row["case_id"] == gone_id and row["stream"] is None and twin is not None:
            work.journal.held(_table("outbound_message"), (twin["id"],))
            _supersede(work, row)


def _waiting_letters(which: sa.ColumnElement[bool]) -> list[Row]:
    """Letters that no worker has begun to send. A row that is leased is left: its letter may be gone already."""
    table = _table("outbound_message")
    waiting = OutboundMessage.status.in_([MessageStatus.QUEUED, MessageStatus.TO_PRINT, MessageStatus.HELD])
    columns = ("kind", "case_id", "person_id", "recipient_key", "status", "settled_at", "stream", "may_have_left")
    rows = journals.rows_where(table, sa.and_(which, waiting), columns)
    return [row for row in rows if not row["may_have_left"]]


def _supersede(work: _Work, letter: Row) -> None:
    table = _table("outbound_message")
    work.journal.change(table, letter, status=MessageStatus.SUPERSEDED.value, settled_at=work.now)


# --- Every row that names what goes -----------------------------------------------------------------------------------


def _follow(work: _Work, entity: str, gone_id: int, kept_id: int) -> None:
    """Point every row that names what goes at what stays, as ``merge_rules`` says."""
    for table, column, rule in columns_of(entity):
        if rule.follows == Follows.STAYS:
            continue
        if rule.follows == Follows.TAKEN_OUT:
            for row in journals.rows_where(table, table.columns[column] == gone_id):
                work.journal.remove(table, row)
            continue
        _move_rows(work, table, column, rule, gone_id, kept_id)


def _move_rows(work: _Work, table: Table, column: str, rule: Rule, gone_id: int, kept_id: int) -> None:
    once = [names for names in unique_columns(table) if column in names]
    needed = {column, *rule.sets, *(name for names in once for name in names)}
    for row in journals.rows_where(table, table.columns[column] == gone_id, needed):
        if any(_is_there(table, names, {**row, column: kept_id}) for names in once):
            # One is there already, and there can be one only: ours stays, theirs is kept until this is undone.
            whole = journals.row_at(table, journals.key_of(table, row))
            if whole is not None:
                work.journal.remove(table, whole)
            continue
        sets = rule.sets if rule.sets and _applies(table, row, rule) else {}
        work.journal.change(table, row, **{column: kept_id, **sets})


def _is_there(table: Table, names: tuple[str, ...], row: Row) -> bool:
    if any(row[name] is None for name in names):
        return False
    same = sa.and_(*(table.columns[name] == row[name] for name in names))
    return db.session.connection().execute(sa.select(sa.literal(1)).select_from(table).where(same)).first() is not None


def _applies(table: Table, row: Row, rule: Rule) -> bool:
    if rule.sets_where is None:
        return True
    here = journals.is_row(table, journals.key_of(table, row))
    found = sa.select(sa.literal(1)).select_from(table).where(here, sa.text(rule.sets_where))
    return db.session.connection().execute(found).first() is not None


def _take_their_rows(work: _Work, person_id: int, *, from_case: int, to_case: int) -> None:
    """Rows about one person alone follow them from one case to another. What they did together stays: visits, letters
    about the household, an application."""
    for table, person_column, case_column in tables_about_people():
        both = sa.and_(table.columns[person_column] == person_id, table.columns[case_column] == from_case)
        for row in journals.rows_where(table, both, {case_column}):
            work.journal.change(table, row, **{case_column: to_case})


def tables_about_people() -> list[tuple[Table, str, str]]:
    """Tables whose rows name a person and a case, both of which follow: with the names of the two columns."""
    people = {
        table.name: (table, column) for table, column, rule in columns_of(PERSON) if rule.follows == Follows.MOVES
    }
    return [
        (table, people[table.name][1], column)
        for table, column, rule in columns_of(CASE)
        if table.name in people and rule.follows == Follows.MOVES
    ]


# --- Rows -------------------------------------------------------------------------------------------------------------


def _table(name: str) -> Table:
    return metadata.tables[name]


def _row(table: str, row_id: int) -> Row:
    found = journals.row_at(_table(table), (row_id,))
    if found is None:
        raise CaseHasMovedOn("Somebody else has just merged one of these. Look again before you go on.")
    return found


def _people_rows(household_id: int) -> list[Row]:
    return journals.rows_where(_table(PERSON), Person.__table__.c.household_id == household_id, ["role"])


def _cases_of(household_id: int) -> list[int]:
    return list(db.session.scalars(sa.select(Case.id).where(Case.household_id == household_id).order_by(Case.id)))
