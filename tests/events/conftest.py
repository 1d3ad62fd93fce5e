"""Events and the sample sheet for these tests."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from crm.events.models import EventKind, RecruitmentEvent
from crm.events.planning import create_event
from tests.factories import Cast

LONDON = ZoneInfo("Europe/London")
SAMPLE = Path(__file__).parent.parent / "samples" / "signup-sheet.csv"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=LONDON)


@pytest.fixture
def sample() -> bytes:
    return SAMPLE.read_bytes()


MakeEvent = Callable[..., RecruitmentEvent]


@pytest.fixture
def make_event(cast: Cast) -> MakeEvent:
    """``make_event()`` inside a transaction: the stall of the sample sheet, Saturday 16 May 2026, 10am to 4pm."""

    def make(
        name: str = "The Glades stall",
        starts: str = "2026-05-16 10:00",
        ends: str = "2026-05-16 16:00",
        kind: EventKind = EventKind.STALL,
        **more: object,
    ) -> RecruitmentEvent:
        more.setdefault("place", "The Glades, BR1")
        return create_event(
            name=name,
            kind=kind,
            starts_at=at(starts),
            ends_at=at(ends),
            staff_ids=[cast.recruiter.id],
            actor=cast.recruiter.actor,
            now=at("2026-05-01 09:00"),
            **more,  # type: ignore[arg-type]
        )

    return make
