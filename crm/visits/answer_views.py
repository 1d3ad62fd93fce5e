"""What staff do about an answer to an invitation that asks for something."""

from __future__ import annotations

from flask import Blueprint, Response, request, url_for

from crm import policy
from crm.access.guards import current_actor, requires
from crm.clock import now_utc, today_in_london
from crm.rules.permissions import Permission
from crm.rules.refusal import Refusal
from crm.visits import answers, queries
from crm.web.filters import clock_time, day
from crm.web.notices import tell
from crm.web.pages import see_other
from crm.web.writes import writes

bp = Blueprint("visit_answers", __name__)


@bp.post("/visits/<int:visit_id>/answers/<int:answer_id>")
@requires(Permission.BOOK_VISIT)
@writes
def settle(visit_id: int, answer_id: int) -> Response:
    """Move the visit to the time that somebody asks for, or tell them that it stays."""
    actor, now, today = current_actor(), now_utc(), today_in_london()
    visit, case = queries.visit_for(actor, visit_id, today=today)
    kept = answers.counter_to(visit, answer_id)
    given = {"actor": actor, "now": now, "today": today, "rulebook": policy.rulebook_on(today)}
    how = request.form.get("how", "")
    if how == "move":
        seen = request.form.get("seen", "")
        answers.move_to_proposed(kept, visit, case, seen=int(seen) if seen.isascii() and seen.isdigit() else 0, **given)
        tell(
            f"Visit moved to {day(visit.starts_at)}, {clock_time(visit.starts_at)}. Everybody will be sent the change."
        )
    elif how == "keep":
        answers.keep_the_time(kept, visit, case, **given)
        tell("The visit stays where it is. Whoever asked will be told so.")
    else:
        raise Refusal("Say what is to be done: choose one of the buttons.", status=422)
    return see_other(url_for("visits.show", visit_id=visit.id))
