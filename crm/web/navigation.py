"""The bar of places at the top of staff pages: each is shown to those who may open it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from crm.rules.permissions import Actor, Permission


@dataclass(frozen=True)
class Place:
    """One entry: its key is what a page passes as ``here`` to be marked as open."""

    key: str
    label: str
    path: str
    any_of: tuple[Permission, ...] = ()


PLACES: tuple[Place, ...] = (
    Place("my_day", "My day", "/my-day"),
    Place("enquiries", "Enquiries", "/enquiries", (Permission.LOG_ENQUIRY, Permission.VIEW_ALL_ENQUIRIES)),
    Place("board", "Board", "/board", (Permission.VIEW_BOARD,)),
    Place("visits", "Visits", "/visits", (Permission.BOOK_VISIT, Permission.RECORD_VISIT)),
    Place("events", "Events", "/events/all", (Permission.MANAGE_EVENTS,)),
    Place("courses", "Courses", "/courses", (Permission.BOOK_COURSE,)),
    Place("assessments", "Assessments", "/assessments", (Permission.RECORD_CHECK, Permission.WRITE_ASSESSMENT)),
    Place(
        "panel",
        "Panel",
        "/panel",
        (Permission.MANAGE_PANEL, Permission.SIT_ON_PANEL, Permission.MAKE_DECISION, Permission.VIEW_PANEL_CASES),
    ),
    Place("reports", "Reports", "/reports", (Permission.VIEW_REPORTS,)),
    Place("admin", "Settings", "/admin", (Permission.MANAGE_USERS, Permission.MANAGE_SETTINGS)),
)


@dataclass(frozen=True)
class Shown:
    """An entry as it is drawn: ``count`` is of things that are over their date, when there are any."""

    key: str
    label: str
    path: str
    count: int


def places_for(actor: Actor, counts: Mapping[str, int]) -> list[Shown]:
    """The places this actor may open, with what is over in each."""
    return [
        Shown(place.key, place.label, place.path, counts.get(place.key, 0)) for place in _open_to(actor.permissions)
    ]


@lru_cache(maxsize=64)
def _open_to(permissions: frozenset[Permission]) -> tuple[Place, ...]:
    """Worked out once for everybody who may do the same: every page of staff draws the bar."""
    return tuple(place for place in PLACES if not place.any_of or not permissions.isdisjoint(place.any_of))
