"""Reads about merges: the two sides before, what was merged into a case, and what waits for a second person."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, or_, select

from crm.access.queries import names_of
from crm.cases.merge_models import FormerCase, FormerPerson, HouseholdMerge, MergeKind, MergeState
from crm.cases.models import Case
from crm.db import db
from crm.delivery.models import MessageStatus, OutboundMessage
from crm.rules import merging
from crm.rules.refusal import Refusal


class MergeNotFound(Refusal):
    """No such merge, or of a household that this person may not open: the two are never told apart."""

    def __init__(self) -> None:
        super().__init__("We can’t find that merge, or it is not one you can open.", status=404)


def merge_side(case: Case) -> merging.CaseSide:
    """One case as the rules of merging look at it. Two queries."""
    letters = db.session.scalar(
        select(func.count())
        .select_from(OutboundMessage)
        .where(
            OutboundMessage.case_id == case.id,
            OutboundMessage.user_id.is_(None),
            OutboundMessage.status.in_([MessageStatus.SENT, MessageStatus.DISPATCHED]),
        )
    )
    others = db.session.scalars(
        select(Case.reference).where(Case.household_id == case.household_id, Case.id != case.id, Case.is_open)
    )
    return merging.CaseSide(
        case_id=case.id,
        reference=case.reference,
        opened_at=case.opened_at,
        is_open=case.is_open,
        tracks=case.stages,
        letters_sent=letters or 0,
        other_open_references=tuple(others),
    )


@dataclass(frozen=True)
class MergeLine:
    """A merge as a list shows it."""

    id: int
    kind: MergeKind
    state: MergeState
    kept_reference: str
    gone_reference: str | None
    kept_name: str
    gone_name: str
    asked_by: str | None
    asked_by_id: int | None
    asked_at: datetime | None
    made_by: str | None
    made_at: datetime | None
    undone_by: str | None
    undone_at: datetime | None
    decided_by: str | None
    decided_at: datetime | None
    doubts: tuple[str, ...]
    answer: str | None
    is_case_taken_up: bool


def merge_lines(merges: list[HouseholdMerge]) -> list[MergeLine]:
    """Merges with the names of whoever had a hand in them. One query."""
    ids = {
        user_id for m in merges for user_id in (m.asked_by_id, m.made_by_id, m.undone_by_id, m.decided_by_id) if user_id
    }
    names = names_of(ids) if ids else {}
    return [_line(merge, names) for merge in merges]


def _line(merge: HouseholdMerge, names: dict[int, str]) -> MergeLine:
    story = json.loads(merge.story or "{}")
    return MergeLine(
        id=merge.id,
        kind=MergeKind(merge.kind),
        state=MergeState(merge.state),
        kept_reference=merge.kept_reference,
        gone_reference=merge.gone_reference,
        kept_name=story.get("kept", merge.kept_reference),
        gone_name=story.get("gone", merge.gone_reference or ""),
        asked_by=names.get(merge.asked_by_id or 0),
        asked_by_id=merge.asked_by_id,
        asked_at=merge.asked_at,
        made_by=names.get(merge.made_by_id or 0),
        made_at=merge.made_at,
        undone_by=names.get(merge.undone_by_id or 0),
        undone_at=merge.undone_at,
        decided_by=names.get(merge.decided_by_id or 0),
        decided_at=merge.decided_at,
        doubts=tuple(json.loads(merge.doubts or "[]")),
        answer=merge.answer,
        is_case_taken_up=merge.is_case_taken_up,
    )


def merges_of(case: Case, *, limit: int = 50) -> list[HouseholdMerge]:
    """Every merge that this case or one it took up had a part in, the newest first."""
    numbers = [case.id, *former_ids(case.id)]
    return list(
        db.session.scalars(
            select(HouseholdMerge)
            .where(or_(HouseholdMerge.kept_case_id.in_(numbers), HouseholdMerge.gone_case_id.in_(numbers)))
            .order_by(HouseholdMerge.id.desc())
            .limit(limit)
        )
    )


def former_ids(case_id: int) -> list[int]:
    """The numbers of the cases that this one has taken up: the trail still names them."""
    return list(db.session.scalars(select(FormerCase.former_id).where(FormerCase.case_id == case_id)))


def merges_numbered(ids: Sequence[int]) -> list[HouseholdMerge]:
    """These merges, the first asked for first. No query where there are none."""
    if not ids:
        return []
    oldest_first = (HouseholdMerge.asked_at, HouseholdMerge.id)
    return list(db.session.scalars(select(HouseholdMerge).where(HouseholdMerge.id.in_(ids)).order_by(*oldest_first)))


def waiting_merge(kept_id: int, gone_id: int | None) -> int | None:
    """The number of the merge of these two cases that waits for a second person."""
    return db.session.scalars(
        select(HouseholdMerge.id).where(
            HouseholdMerge.state == MergeState.ASKED,
            HouseholdMerge.kept_case_id == kept_id,
            HouseholdMerge.gone_case_id.is_not_distinct_from(gone_id),
        )
    ).first()


def person_behind(person_id: int) -> int | None:
    """The person that a number leads to, whose own row was merged into another; None where there is none such."""
    return db.session.scalars(select(FormerPerson.person_id).where(FormerPerson.former_id == person_id)).first()
