"""The register of foster carers on screen, and one entry to read or print."""

from __future__ import annotations

from urllib.parse import urlencode

from flask import Response, request

from crm.access.guards import current_actor, requires
from crm.assessments import carer_register
from crm.assessments.overview_views import case_page, look
from crm.assessments.views import panel
from crm.clock import today_in_london
from crm.rules.permissions import Permission
from crm.web.pages import render
from crm.web.sightings import records_view, saw

P = Permission
MAY_READ = (P.VIEW_ALL_CASES, P.VIEW_PANEL_CASES)
LONGEST_SEARCH = 100


@panel.get("/register")
@requires(any_of=MAY_READ)
def register() -> str:
    """Every approved household, by name."""
    words = request.args.get("q", "").strip()[:LONGEST_SEARCH]
    number = request.args.get("after", "")
    after = int(number) if number.isascii() and number.isdigit() and len(number) < 10 else None
    lines, more = carer_register.register_page(current_actor(), today=today_in_london(), words=words, after=after)
    query = {"q": words} if words else {}
    return render(
        "panel/register.html",
        here="panel",
        lines=lines,
        words=words,
        is_first=after is None,
        first=f"/register?{urlencode(query)}" if query else "/register",
        later=f"/register?{urlencode({**query, 'after': more})}" if more is not None else "",
    )


@panel.get("/register/<reference>")
@requires(any_of=MAY_READ)
@records_view("register_entry")
def register_entry(reference: str) -> Response:
    """What the register holds of one household, for whoever may open it."""
    looking = look(reference)
    entry = carer_register.entry_of(looking.case)
    saw(case_id=looking.case.id, subject=f"case:{looking.case.reference}")
    return case_page("panel/register_entry.html", looking, entry=entry)
