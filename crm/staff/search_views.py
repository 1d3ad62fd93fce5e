"""Search: households by name, phone, postcode, email or reference, as it is typed or as a page."""

from __future__ import annotations

from flask import request

from crm.access.guards import current_actor, requires
from crm.cases import search as cases
from crm.clock import today_in_london
from crm.rules.permissions import Permission
from crm.rules.stages import PLACE
from crm.staff.views import bp, case_path
from crm.web.pages import render

LONGEST = 100
SHOWN_AS_TYPED = 8


@bp.get("/search")
@requires(Permission.VIEW_CASES)
def search() -> str:
    """What was found; only the list of it when a script asks while somebody types."""
    words = request.args.get("q", "").strip()[:LONGEST]
    as_typed = bool(request.headers.get("HX-Request"))
    limit = SHOWN_AS_TYPED if as_typed else cases.MATCHES_SHOWN
    found = cases.search_households(current_actor(), words, today=today_in_london(), limit=limit)
    return render(
        "staff/_matches.html" if as_typed else "staff/search.html",
        words=words,
        found=found,
        is_full=len(found) >= limit,
        place_words=PLACE,
        case_path=case_path,
        is_short=len(words) < 2,
    )
