"""All that a database holds, to be compared: every row of every table, with what its sealed columns hold."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from crm.cases.merge_journal import opened
from crm.db import db, metadata

NOT_COMPARED = frozenset({"audit_entry", "audit_seal", "household_merge", "merge_row", "one_time_id", "rate_window"})
"""The trail and the journal are what is to be left over; the rest is of requests, not of households."""
ALWAYS_RISES = ("case_file", "version")
"""The version of a case is what a form that was drawn earlier is refused by: it never goes back."""


def everything() -> dict[str, list[dict[str, Any]]]:
    """Every row there is, but for the trail, the journal, and the line of the story that says a merge was undone."""
    db.session.flush()
    found = {}
    connection = db.session.connection()
    for table in metadata.sorted_tables:
        if table.name in NOT_COMPARED:
            continue
        rows = [opened(table, row) for row in connection.execute(sa.select(table)).mappings()]
        if table.name == ALWAYS_RISES[0]:
            rows = [{**row, ALWAYS_RISES[1]: None} for row in rows]
        if table.name == "timeline_entry":
            rows = [row for row in rows if not says_undone(row["title"])]
        found[table.name] = sorted(rows, key=lambda row: [str(row[c.name]) for c in table.primary_key.columns])
    db.session.rollback()
    return found


def says_undone(title: str) -> bool:
    return title.startswith("Taken apart again") or title.endswith(("two people again", "was moved back"))
