"""Panel papers on screen: put together, watched, given out, opened."""

from __future__ import annotations

from typing import Any

from flask import Response, make_response, request

from crm.access.guards import current_actor, requires
from crm.access.queries import names_of
from crm.assessments import meetings, packs
from crm.assessments.models import PanelItem
from crm.assessments.overview_views import look, seen_of
from crm.assessments.pack_models import STEP_WORDS, WHY_WITHDRAWN_WORDS, PackState, PackStep, WhyWithdrawn
from crm.assessments.stage_forms import ConfirmForm
from crm.assessments.views import panel
from crm.audit.queries import first_looks
from crm.cases.models import Case
from crm.clock import today_in_london
from crm.rules.permissions import Permission, Sensitivity
from crm.web.attachments import attachment
from crm.web.notices import tell
from crm.web.pages import render, see_other
from crm.web.sightings import records_view, saw
from crm.web.writes import writes

P = Permission


def papers_shown(case: Case, item: PanelItem) -> dict[str, Any]:
    """What the page of a meeting says of the papers of one item, for whoever looks."""
    actor, today = current_actor(), today_in_london()
    found = packs.packs_of(item)
    newest = found[0] if found else None
    given = packs.given_out(found)
    own = next((one for one in found if packs.copy_for(one, item, actor.user_id, today=today) is not None), None)
    to_open = own or next((one for one in (given, newest) if one is not None), None)
    if to_open is not None and not packs.may_open(actor, case, item, to_open, today=today):
        to_open = None
    can_manage = actor.has(P.MANAGE_PANEL)
    copies = list(given.copies) if given is not None and can_manage else []
    opened = first_looks(packs.subject_of(given), packs.LOOKED) if given is not None and copies else {}
    names = names_of([copy.user_id for copy in copies])
    return {
        "meeting_id": item.meeting_id,
        "item_id": item.id,
        "newest": newest,
        "is_on_its_way": newest is not None and newest.state == PackState.WAITING,
        "has_failed": newest is not None and newest.state == PackState.FAILED,
        "is_ready": newest is not None and newest.state == PackState.READY,
        "is_given_out": newest is not None and newest is given,
        "step": STEP_WORDS[PackStep(newest.step)] if newest is not None else "",
        "to_open": to_open,
        "is_own_copy": own is not None,
        "open_until": packs.open_until(item),
        "is_over": today > packs.open_until(item),
        "copies": [
            {
                "name": names.get(copy.user_id, ""),
                "opened_at": opened.get(copy.user_id),
                "why": WHY_WITHDRAWN_WORDS[WhyWithdrawn(copy.why_withdrawn)] if copy.why_withdrawn else "",
            }
            for copy in sorted(copies, key=lambda one: names.get(one.user_id, ""))
        ],
    }


@panel.post("/cases/<reference>/panel/papers/make")
@requires(P.MANAGE_PANEL)
@writes
def make_papers(reference: str) -> Response:
    """Have the papers of a household put together."""
    looking = look(reference)
    item = meetings.waiting_item_of(looking.case)
    packs.ask_for_papers(looking.case, item, seen=seen_of(ConfirmForm()), **looking.doing)
    tell("The papers are being put together. You can leave this page: the work goes on.")
    return see_other(f"/panel/{item.meeting_id}?item={item.id}")


@panel.get("/cases/<reference>/panel/papers/progress")
@requires(P.MANAGE_PANEL)
def papers_progress(reference: str) -> Response:
    """How far they are, for the page that watches; once they are done, it is loaded anew."""
    looking = look(reference)
    item = meetings.waiting_item_of(looking.case)
    if not request.headers.get("HX-Request"):
        return see_other(f"/panel/{item.meeting_id}?item={item.id}")
    shown = papers_shown(looking.case, item)
    response = make_response(render("panel/_papers_progress.html", case=looking.case, papers=shown))
    if not shown["is_on_its_way"]:
        response.headers["HX-Refresh"] = "true"
    return response


@panel.get("/cases/<reference>/panel/papers/<int:pack_id>")
@requires(any_of=(P.VIEW_CASES,))
@records_view(packs.LOOKED)
def open_papers(reference: str, pack_id: int) -> Response:
    """The papers, as a file to keep for no longer than the meeting."""
    looking = look(reference)
    pack = packs.pack_to_open(looking.actor, looking.case, pack_id, today=looking.today)
    saw(
        case_id=looking.case.id,
        subject=packs.subject_of(pack),
        kinds=(Sensitivity.REFERENCE, Sensitivity.HEALTH),
    )
    name = f"{looking.case.reference}-panel-papers-{pack.number}.pdf"
    return attachment(packs.content_of(pack), "application/pdf", name)
