"""Telling programs that fill in forms from people, without asking people to prove anything.

Nothing here refuses: it names signs. What shows one is kept aside for a person to look at, so that somebody with an
unusual browser loses nothing but a little time.

* a box that people can't see and a program fills in;
* a page that comes back sooner than anybody could have filled it in, by a time that we signed;
* when a great many forms come from one address, a little work that a browser does by itself (about a second of a
  phone). A solution is bound to the one form it was made for, so there is none to use again. Without scripts no work is
  done, and the form is looked at by a person.

There is no third party in it, and no picture to puzzle over.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime

from flask import current_app

from crm.web import limits
from crm.web.keyed import digest

TRAP = "your_web_page"
"""A box outside the page: nothing that a person would fill in is called this anywhere in the product."""
STAMP = "page_drawn"
WORK = "work_done"
WORK_BITS = 16
"""How many leading zero bits a solution has: 65,536 tries on average."""
STEP_UP_SECONDS = 300

SIGN_WORDS = {
    "trap": "A box that people cannot see was filled in",
    "quick": "It was sent sooner than anybody could have filled it in",
    "stamp": "It did not come from a page of ours",
    "many": "A great many forms came from the same connection",
}
"""What each sign means, for whoever looks at what was kept aside."""


def stamp(now: datetime) -> str:
    """When a page was drawn, signed: a hidden field of its form."""
    at = str(int(now.timestamp()))
    return f"{at}.{_mac(at)}"


def drawn_at(kept: str) -> datetime | None:
    """The time in a stamp; None where we did not make it."""
    at, _, mac = kept.partition(".")
    if not re.fullmatch(r"[0-9]{1,11}", at) or not hmac.compare_digest(mac.encode(), _mac(at).encode()):
        return None
    return datetime.fromtimestamp(int(at), UTC)


def _mac(at: str) -> str:
    return digest("page drawn", at)[:32]


def signs(form: Mapping[str, str], *, began_at: datetime | None, now: datetime, at_least: int) -> tuple[str, ...]:
    """The signs in a form that came. ``at_least``: the seconds that the quickest person needs from ``began_at`` (or
    from the page's own stamp, where nothing was kept before it); 0 asks nothing about time."""
    found = ["trap"] if form.get(TRAP, "").strip() else []
    if at_least:
        drawn = drawn_at(form.get(STAMP, ""))
        if drawn is None:
            found.append("stamp")
        else:
            first = min(drawn, began_at or drawn)
            if (now - first).total_seconds() < at_least:
                found.append("quick")
    return tuple(found)


# --- A little work ----------------------------------------------------------------------------------------------------


def is_crowded(purpose: str) -> bool:
    """Whether so many forms came from this address lately that the next is asked for a little work."""
    step_up_after: int = current_app.extensions["crm_settings"].step_up_after
    return limits.tries(purpose, limits.sender_address(), seconds=STEP_UP_SECONDS) > step_up_after


def puzzle_for(subject: str) -> str:
    """The work of one form. ``subject`` names that form and no other: a draft, or its one-time id."""
    return digest("a little work", subject)[:32]


def is_solved(subject: str, answer: str) -> bool:
    """Whether the work of this form was done."""
    if not re.fullmatch(r"[0-9]{1,12}", answer):
        return False
    tried = hashlib.sha256(f"{puzzle_for(subject)}:{answer}".encode()).digest()
    return int.from_bytes(tried[:4], "big") >> (32 - WORK_BITS) == 0
