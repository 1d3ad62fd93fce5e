"""What a merge does with every row that names a case, a household or a person: one line for each such column.

A test demands a line for every column that refers to them, by foreign key or by name, in every table there is. To add
one: MOVES where the row is part of the story and follows to whoever stays; TAKEN_OUT where it is worked out from other
rows or can be there once only (it comes back with the undoing); STAYS where it says what was true at the time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from sqlalchemy import PrimaryKeyConstraint, Table, UniqueConstraint

from crm.db import metadata

CASE, HOUSEHOLD, PERSON = "case_file", "household", "person"
ENTITIES = (CASE, HOUSEHOLD, PERSON)


class Follows(StrEnum):
    """What becomes of a row when what it names is merged into another."""

    MOVES = "moves"
    TAKEN_OUT = "taken_out"
    STAYS = "stays"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What becomes of the rows that name a case, household or person in one column.

    ``sets``: columns given another value as a row moves. ``alone``: a condition, as SQL, of which a case may have one
    row at a time; where both have one, the merge is refused with ``clash``.
    """

    refers_to: str
    follows: Follows = Follows.MOVES
    sets: Mapping[str, Any] = field(default_factory=dict)
    sets_where: str | None = None
    alone: str | None = None
    clash: str | None = None


_CASE_MOVES = Rule(refers_to=CASE)
_PERSON_MOVES = Rule(refers_to=PERSON)

RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "case_file.household_id": Rule(refers_to=HOUSEHOLD),
        "person.household_id": Rule(refers_to=HOUSEHOLD),
        # Names they had follow them. What they are found by goes and comes with them, and is worked out anew.
        "other_name.person_id": _PERSON_MOVES,
        "person_key.person_id": Rule(refers_to=PERSON, follows=Follows.STAYS),
        # How far a household has come goes with it, and is worked out anew for whoever goes on.
        "journey.household_id": Rule(refers_to=HOUSEHOLD, follows=Follows.STAYS),
        # Whether a household that is gone is like another is no question; whoever goes on is compared again.
        "likeness_pair.one_id": Rule(refers_to=HOUSEHOLD, follows=Follows.TAKEN_OUT),
        "likeness_pair.other_id": Rule(refers_to=HOUSEHOLD, follows=Follows.TAKEN_OUT),
        # the journey
        "enquiry.case_id": _CASE_MOVES,
        "track.case_id": Rule(refers_to=CASE, follows=Follows.TAKEN_OUT),
        "stage_change.case_id": Rule(refers_to=CASE, follows=Follows.TAKEN_OUT),
        "deadline.case_id": _CASE_MOVES,
        "case_assignment.case_id": _CASE_MOVES,
        "fact.case_id": _CASE_MOVES,
        "fact.person_id": _PERSON_MOVES,
        "consent.person_id": _PERSON_MOVES,
        "contact_link.person_id": _PERSON_MOVES,
        "timeline_entry.case_id": _CASE_MOVES,
        "timeline_entry.person_id": _PERSON_MOVES,
        "task.case_id": _CASE_MOVES,
        "contact_attempt.case_id": _CASE_MOVES,
        "contact_attempt.person_id": _PERSON_MOVES,
        "enquiry_turn.case_id": _CASE_MOVES,
        # Managers were told it of a household that is not waited for on its own any more.
        "escalation.case_id": Rule(refers_to=CASE, follows=Follows.TAKEN_OUT),
        "closing_request.case_id": Rule(
            refers_to=CASE,
            alone="settled_at IS NULL",
            clash="Both wait for a manager to agree that nobody answers. Answer one of them, then merge.",
        ),
        "former_case.case_id": _CASE_MOVES,
        "former_person.person_id": _PERSON_MOVES,
        # what was merged says so of the numbers there were then
        "household_merge.kept_case_id": Rule(refers_to=CASE, follows=Follows.STAYS),
        "household_merge.gone_case_id": Rule(refers_to=CASE, follows=Follows.STAYS),
        # the features
        "mailing_reader.case_id": _CASE_MOVES,
        "mailing_reader.person_id": _PERSON_MOVES,
        "enquiry_draft.case_id": _CASE_MOVES,
        "held_enquiry.case_id": _CASE_MOVES,
        "visit.case_id": Rule(
            refers_to=CASE,
            # Which of two visits the enquiry waits for is settled: see ``alone``. The other is a visit like any other.
            sets={"moves_enquiry": False},
            sets_where="status = 'booked'",
            alone="moves_enquiry AND status = 'booked'",
            clash="Both have a home visit booked. Call one of them off, so that nobody is visited twice, then merge.",
        ),
        "visit_hold.case_id": _CASE_MOVES,
        # A link that one household was sent must not open what is now another's.
        "visit_offer.case_id": Rule(refers_to=CASE, sets={"is_open": False}),
        "visit_link.person_id": _PERSON_MOVES,
        "home_note.household_id": Rule(refers_to=HOUSEHOLD),
        "calendar_object.person_id": _PERSON_MOVES,
        "application.case_id": _CASE_MOVES,
        "application_signature.person_id": _PERSON_MOVES,
        "application_part.case_id": _CASE_MOVES,
        "application_part.person_id": _PERSON_MOVES,
        "application_part.saved_by_id": _PERSON_MOVES,
        "document.case_id": _CASE_MOVES,
        "document.person_id": _PERSON_MOVES,
        "document_version.handed_in_by_id": _PERSON_MOVES,
        "sign_in_code.person_id": Rule(refers_to=PERSON, follows=Follows.TAKEN_OUT),
        "stage_one_check.case_id": _CASE_MOVES,
        "stage_one_check.person_id": _PERSON_MOVES,
        # A referee speaks for a person, whichever household that person is entered in.
        "referee.case_id": _CASE_MOVES,
        "referee.person_id": _PERSON_MOVES,
        "stage_one_decision.case_id": _CASE_MOVES,
        "assessment_report.case_id": _CASE_MOVES,
        "report_evidence.case_id": _CASE_MOVES,
        "assessment_session.case_id": _CASE_MOVES,
        "assessment_session_person.person_id": _PERSON_MOVES,
        "assessment_review.case_id": _CASE_MOVES,
        "panel_item.case_id": _CASE_MOVES,
        "decision.case_id": _CASE_MOVES,
        "notice.case_id": _CASE_MOVES,
        "determination_answer.case_id": _CASE_MOVES,
        # Somebody who was put on one course twice has one place there: the other's is free.
        "prep_course_place.case_id": _CASE_MOVES,
        "prep_course_place.person_id": _PERSON_MOVES,
        "prep_course_attendance.person_id": _PERSON_MOVES,
        "prep_course_note.case_id": _CASE_MOVES,
        "prep_course_note.person_id": _PERSON_MOVES,
        "prep_course_certificate.case_id": _CASE_MOVES,
        "prep_course_certificate.person_id": _PERSON_MOVES,
        # A browser that was let in as one person is never let in as another.
        "web_session.person_id": Rule(refers_to=PERSON, follows=Follows.TAKEN_OUT),
        # letters and the trail, which name them without a foreign key
        "outbound_message.case_id": _CASE_MOVES,
        "outbound_message.person_id": _PERSON_MOVES,
        # A line of a sheet says what it once led to.
        "sheet_line.case_id": Rule(refers_to=CASE, follows=Follows.STAYS),
        "sheet_line.match_case_id": Rule(refers_to=CASE, follows=Follows.STAYS),
        "incoming_message.case_id": _CASE_MOVES,
        "incoming_message.person_id": _PERSON_MOVES,
        "audit_entry.case_id": Rule(refers_to=CASE, follows=Follows.STAYS),
    }
)


def columns_that_refer() -> dict[str, str]:
    """Every column of every table that names a case, a household or a person, by foreign key or by its own name."""
    by_name = {"case_id": CASE, "household_id": HOUSEHOLD, "person_id": PERSON}
    found: dict[str, str] = {}
    for table in metadata.tables.values():
        for column in table.columns:
            named = {key.column.table.name for key in column.foreign_keys} & set(ENTITIES)
            ending = next((entity for name, entity in by_name.items() if column.name.endswith(name)), None)
            if named or (ending and not column.foreign_keys):
                found[f"{table.name}.{column.name}"] = named.pop() if named else str(ending)
    return found


def columns_of(entity: str) -> list[tuple[Table, str, Rule]]:
    """The columns that name this kind of thing, with their rules, in the order of the table."""
    return [
        (metadata.tables[table], column, rule)
        for name, rule in RULES.items()
        if rule.refers_to == entity
        for table, _, column in [name.partition(".")]
        if table in metadata.tables
    ]


def unique_columns(table: Table) -> list[tuple[str, ...]]:
    """The sets of columns of which a table may hold each combination once."""
    found = {
        tuple(column.name for column in constraint.columns)
        for constraint in table.constraints
        if isinstance(constraint, UniqueConstraint | PrimaryKeyConstraint)
    }
    found |= {
        tuple(column.name for column in index.columns)
        for index in table.indexes
        if index.unique and index.dialect_options["sqlite"].get("where") is None
    }
    return sorted(found)
