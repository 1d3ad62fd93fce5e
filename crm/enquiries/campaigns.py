"""The links by which people come: ``utm_*`` and a code of ours, in the address of the first page.

What is written in an address can be anything, so it is cut to length and to plain characters, and never refused: a code
that nobody knows is kept as the text it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from crm.cases.models import Campaign
from crm.db import db
from crm.enquiries.models import EnquiryArrival

NAMES = {
    "c": "code",
    "utm_source": "source",
    "utm_medium": "medium",
    "utm_campaign": "campaign",
    "utm_term": "term",
    "utm_content": "content",
}
"""What each is called in an address, and in the database."""
LONGEST = {"code": 40}
LONGEST_OTHERWISE = 80
MOST_ARRIVALS = 20
"""Of one draft. The first is kept whatever comes after it; of the rest, the newest."""

_UNWANTED = re.compile(r"[^\w .,:;+&/@()'’!%|=-]")

Arrival = dict[str, str]


def read_arrival(arguments: Mapping[str, str]) -> Arrival:
    """What an address says of where its link stood; empty where it says nothing."""
    found = {}
    for name, kept_as in NAMES.items():
        text = clean(arguments.get(name, ""), longest=LONGEST.get(kept_as, LONGEST_OTHERWISE))
        if text:
            found[kept_as] = text
    return found


def clean(text: str, *, longest: int) -> str:
    """Plain characters, single spaces, no longer than its column."""
    return re.sub(r"\s+", " ", _UNWANTED.sub("", text[: longest * 4])).strip()[:longest]


def with_arrival(kept: Sequence[Mapping[str, str]], new: Arrival, *, now: datetime) -> list[dict[str, str]]:
    """The arrivals of a draft with one more. The same link twice in a row (a page loaded again) is one arrival."""
    arrivals = [dict(one) for one in kept]
    if not new:
        return arrivals
    last = {name: value for name, value in arrivals[-1].items() if name != "at"} if arrivals else None
    if last == new:
        return arrivals
    arrivals.append({**new, "at": now.isoformat()})
    return arrivals[:1] + arrivals[1:][-(MOST_ARRIVALS - 1) :]


def campaigns_of(arrivals: Sequence[Mapping[str, str]]) -> list[int | None]:
    """Which of our campaigns each arrival names, by its code or by ``utm_campaign``; None where it names none."""
    named = [
        [name.casefold() for name in (one.get("code"), one.get("campaign")) if name is not None] for one in arrivals
    ]
    wanted = {name for names in named for name in names}
    if not wanted:
        return [None] * len(named)
    query = select(func.lower(Campaign.code), Campaign.id).where(func.lower(Campaign.code).in_(sorted(wanted)))
    known: dict[str, int] = {row[0]: row[1] for row in db.session.execute(query)}
    return [next((known[name] for name in names if name in known), None) for names in named]


def keep_arrivals(enquiry_id: int, arrivals: Sequence[Mapping[str, Any]], campaign_ids: Sequence[int | None]) -> None:
    """Keep with a touch each time that the person came by such a link."""
    for ordinal, (arrival, campaign_id) in enumerate(zip(arrivals, campaign_ids, strict=True), 1):
        words = {name: arrival.get(name) for name in NAMES.values()}
        db.session.add(
            EnquiryArrival(
                enquiry_id=enquiry_id,
                ordinal=ordinal,
                arrived_at=datetime.fromisoformat(arrival["at"]),
                campaign_id=campaign_id,
                **words,
            )
        )
    db.session.flush()


_HEARD_BY = (
    ("social", ("facebook", "instagram", "tiktok", "social", "twitter", "linkedin", "youtube", "nextdoor")),
    ("search", ("google", "bing", "search", "cpc", "ppc")),
    ("leaflet", ("leaflet", "poster", "flyer", "print", "insert", "qr")),
    ("press", ("radio", "press", "newspaper", "tv", "podcast")),
    ("event", ("event", "stall", "fair")),
    ("worship", ("church", "mosque", "temple", "synagogue", "gurdwara")),
    ("website", ("referral", "website")),
)


def heard_from(arrivals: Sequence[Mapping[str, str]]) -> str | None:
    """What the first link suggests as the answer to where they heard of us: shown chosen, and theirs to change."""
    if not arrivals:
        return None
    words = set(re.split(r"\W+", " ".join(arrivals[0].get(name, "") for name in ("source", "medium")).casefold()))
    return next((heard for heard, signs in _HEARD_BY if words & set(signs)), None)


def say_arrival(arrival: Mapping[str, str]) -> str:
    """A link in a few words: "facebook, paid, spring-2026 (LEAF7)"."""
    words = ", ".join(arrival[name] for name in ("source", "medium", "campaign") if arrival.get(name))
    code = arrival.get("code")
    return f"{words} ({code})" if words and code else words or code or ""
