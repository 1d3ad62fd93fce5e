"""Which part of the queue or of the not-now pool is meant: as it stands in an address, and in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

from crm.access.queries import names_of
from crm.cases.models import CHANNEL_WORDS, Channel
from crm.enquiries import queries
from crm.rules import stages

VIEW_WORDS = {
    "open": "Open",
    "mine": "Mine",
    "new": "No first call yet",
    "over": "Over",
    "not_now": "Not now, due back",
}
POOL_WORDS = {"due": "Due", "month": "Later this month", "later": "After this month"}


def filters_in(given: Mapping[str, str]) -> queries.Filters:
    """The filters in the words of an address; what is not one of them is left out."""
    view = given.get("view", "open")
    owner = given.get("owner", "")
    return queries.Filters(
        view=view if view in queries.VIEWS else "open",
        place=given.get("place") if given.get("place") in (*queries.OPEN_PLACES, "not_now") else None,
        channel=given.get("channel") if given.get("channel") in set(Channel) else None,
        owner_id=int(owner) if owner.isascii() and owner.isdigit() and len(owner) < 10 else None,
    )


def filters_of(query: str) -> queries.Filters:
    """The filters that were kept as they stood in an address."""
    return filters_in(dict(parse_qsl(query)))


def part_of(query: str) -> str:
    """The part of the pool that was kept as it stood in an address."""
    part = dict(parse_qsl(query)).get("part", "due")
    return part if part in POOL_WORDS else "due"


def query_of(filters: queries.Filters, **changes: Any) -> str:
    """Filters as they stand in an address; empty for all that is open."""
    chosen = {
        "view": filters.view if filters.view != "open" else None,
        "place": filters.place,
        "channel": filters.channel,
        "owner": filters.owner_id,
        **changes,
    }
    return urlencode({name: value for name, value in chosen.items() if value})


def words_of(filters: queries.Filters) -> str:
    """Filters in words: "Over, web form, Nadia Rahman"."""
    parts = [VIEW_WORDS[filters.view]]
    if filters.place:
        parts.append(stages.PLACE[filters.place].label)
    if filters.channel:
        parts.append(CHANNEL_WORDS[Channel(filters.channel)])
    if filters.owner_id:
        parts.append(names_of([filters.owner_id]).get(filters.owner_id, "Somebody who left"))
    return ", ".join([parts[0], *(part[0].lower() + part[1:] if n < 2 else part for n, part in enumerate(parts[1:]))])
