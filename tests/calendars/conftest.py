"""The verbs of visits serve here too: a calendar has something to show once a visit is booked."""

from __future__ import annotations

from typing import Any

import pytest

from tests.calendars.programs import Program, program_of
from tests.visits.conftest import verbs

__all__ = ["verbs"]


@pytest.fixture
def program(client: Any, verbs: Any) -> Program:
    """The officer's phone."""
    return program_of(client, verbs.cast.officer)
