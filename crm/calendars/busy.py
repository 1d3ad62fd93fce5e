"""When officers are busy by their own calendars. Every door that reads a calendar says it here, and only the times."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import delete, insert, select

from crm.calendars.models import BusySpan
from crm.db import db
from crm.rules.intervals import Span, merge


def replace_busy(officer_id: int, source: str, intervals: Iterable[Span]) -> int:
    """What one calendar of an officer now says, in place of what it said before; how many spans were kept.

    ``source`` names the calendar ("caldav", "calendar:7"), up to 40 characters. Spans that meet are kept as one, empty
    ones not at all: nobody can tell from what is kept how many appointments there were.
    """
    spans = merge(intervals)
    kept = db.session.execute(
        select(BusySpan.id, BusySpan.starts_at, BusySpan.ends_at).where(
            BusySpan.officer_id == officer_id, BusySpan.source == source
        )
    ).all()
    wanted = {(span.start, span.end) for span in spans}
    gone = [row.id for row in kept if (row.starts_at, row.ends_at) not in wanted]
    new = sorted(wanted - {(row.starts_at, row.ends_at) for row in kept})
    for begin in range(0, len(gone), 500):
        db.session.execute(delete(BusySpan).where(BusySpan.id.in_(gone[begin : begin + 500])))
    if new:
        db.session.execute(
            insert(BusySpan),
            [{"officer_id": officer_id, "source": source, "starts_at": start, "ends_at": end} for start, end in new],
        )
    return len(spans)


def busy_spans(officer_ids: Iterable[int], *, begin: datetime, end: datetime) -> Mapping[int, Sequence[Span]]:
    """When these officers are busy by any calendar of theirs, in order, between two instants."""
    rows = db.session.execute(
        select(BusySpan.officer_id, BusySpan.starts_at, BusySpan.ends_at)
        .where(BusySpan.officer_id.in_(list(officer_ids)), BusySpan.starts_at < end, BusySpan.ends_at > begin)
        .order_by(BusySpan.officer_id, BusySpan.starts_at)
    )
    found: dict[int, list[Span]] = defaultdict(list)
    for row in rows:
        found[row.officer_id].append(Span(row.starts_at, row.ends_at))
    return {officer_id: merge(spans) for officer_id, spans in found.items()}
