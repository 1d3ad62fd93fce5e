"""The verbs of visits serve here too: a calendar has something to show once a visit is booked."""

from tests.visits.conftest import verbs

__all__ = ["verbs"]
