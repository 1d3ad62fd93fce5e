"""The journey of one household, for the tests of this folder."""

import pytest

from tests.assessments.journey import Journey


@pytest.fixture
def journey(session, cast, freeze, database) -> Journey:
    """Nobody yet: the cast, a panel on the central list, and a clock that can be moved."""
    freeze("2026-01-05 09:00")
    return Journey(cast, freeze, database).people()
