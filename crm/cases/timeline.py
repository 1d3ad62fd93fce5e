"""The one story of a household: everything that happens adds a line here, in the transaction that makes it happen."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from crm.cases.models import Case, TimelineEntry
from crm.db import db, new_row_key, seal
from crm.rules.permissions import Actor, ActorKind, Sensitivity

LONGEST_TITLE = 200
"""A title that names somebody is cut here rather than refused: a name may be as long as its form takes."""
LONGEST_ACTOR = 160
"""The same for who did it, where that is one of a household: first and last name together may be longer."""
MOVE_WORDS: dict[str, str] = {
    "open_enquiry": "Enquiry received",
    "record_contact": "First talk",
    "book_visit": "Home visit booked",
    "visit_fell_through": "The visit did not happen",
    "record_visit": "Home visit made",
    "record_past_visit": "A visit that was not booked was made",
    "invite_to_apply": "Invited to apply",
    "set_not_now": "Not now",
    "reopen_enquiry": "Opened again",
    "close_enquiry": "Enquiry closed",
    "apply": "The enquiry became an application",
    "receive_application": "Application received",
    "decide_to_assess": "We decided to assess",
    "send_to_panel": "Sent to panel",
    "ask_for_full_report": "The panel asked for a full report",
    "send_to_decision_maker": "Sent to the decision maker",
    "approve": "Approved",
    "continue_assessment": "The decision maker asked for a full report",
    "issue_qd": "Decision maker proposes not to approve",
    "receive_representations": "Representations received",
    "return_to_panel": "Back to panel",
    "apply_irm": "Applied for an independent review",
    "record_irm_recommendation": "Independent panel's recommendation received",
    "confirm_refusal": "Not approved: final decision",
    "withdraw": "Application withdrawn",
    "end_at_stage_one": "Application ended at Stage 1",
    "start_stage_one": "Stage 1 started",
    "complete_stage_one": "All Stage 1 checks are in",
    "reopen_stage_one": "Stage 1 needs another check",
    "pass_stage_one": "Stage 1 passed",
    "refuse_stage_one": "Refused at Stage 1",
    "start_stage_two": "Stage 2 started",
    "share_report": "Report shared with the household",
    "ready_for_panel": "Ready for panel",
    "prepare_full_report": "Stage 2 goes on to a full report",
    "resume_assessment": "Stage 2 goes on to a full report",
    "list_for_panel": "Put on a panel's agenda",
    "defer_item": "Panel put it off",
    "record_recommendation": "Panel made its recommendation",
}
"""What each move is called once it is made. A test demands a line for every move of the table."""


def add(
    case: Case,
    *,
    kind: str,
    title: str,
    actor: Actor,
    occurred_at: datetime,
    detail: str | None = None,
    sensitivity: Sensitivity = Sensitivity.ORDINARY,
    person_id: int | None = None,
    is_touch: bool = True,
) -> TimelineEntry:
    """Add a line. ``kind`` is move, contact, letter, visit, check, note, fact or system.

    What one of us does touches the household: it is not forgotten. ``is_touch`` is False for what only moves it from
    desk to desk.

    The title is seen by everybody who may open the case, so it never holds anything sensitive; the detail is sealed and
    shown by ``sensitivity``.
    """
    entry = TimelineEntry(
        **values_of_line(
            case.id,
            kind=kind,
            title=title[:LONGEST_TITLE],
            actor=actor,
            occurred_at=occurred_at,
            detail=detail,
            sensitivity=sensitivity,
            person_id=person_id,
        )
    )
    db.session.add(entry)
    if is_touch and actor.kind == ActorKind.STAFF and kind != "system":
        case.touched_at = max(occurred_at, case.touched_at or occurred_at)
    return entry


def values_of_line(
    case_id: int,
    *,
    kind: str,
    title: str,
    actor: Actor,
    occurred_at: datetime,
    detail: str | None = None,
    sensitivity: Sensitivity = Sensitivity.ORDINARY,
    person_id: int | None = None,
) -> dict[str, Any]:
    """The columns of the line that ``add`` adds: for whoever writes many rows at once (``crm.db.insert_rows``)."""
    row_key = new_row_key()
    return {
        "row_key": row_key,
        "case_id": case_id,
        "occurred_at": occurred_at,
        "kind": kind,
        "title": title[:LONGEST_TITLE],
        "detail_sealed": seal(TimelineEntry.__tablename__, "detail_sealed", row_key, detail) if detail else None,
        "sensitivity": sensitivity,
        "person_id": person_id,
        "actor_name": actor.display_name[:LONGEST_ACTOR],
        "actor_id": actor.user_id,
    }
