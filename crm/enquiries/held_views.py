"""What was kept aside because a program may have sent it: looked at by a person, let in or put away."""

from __future__ import annotations

from flask import Blueprint, Response, request, url_for

from crm import policy
from crm.access.guards import current_actor, requires
from crm.clock import now_utc, today_in_london
from crm.enquiries import held, queries, submitting
from crm.enquiries.models import HeldState
from crm.enquiries.public_answers import cards
from crm.rules.permissions import Permission
from crm.web.notices import tell
from crm.web.pages import render, see_other
from crm.web.robots import SIGN_WORDS
from crm.web.sightings import records_view, saw
from crm.web.writes import writes

bp = Blueprint("held", __name__)

STATE_WORDS = {
    HeldState.WAITING: "To look at",
    HeldState.PUT_AWAY: "Put away",
    HeldState.RELEASED: "Let in",
}
WORDS = {**SIGN_WORDS, "website": "The website’s own check thought that a program filled it in"}


@bp.get("/enquiries/held")
@requires(Permission.LOG_ENQUIRY)
def held_back() -> str:
    """What waits to be looked at, the oldest first; or what was decided."""
    asked = request.args.get("show", "")
    state = HeldState(asked) if asked in list(HeldState) else HeldState.WAITING
    after = request.args.get("after", "")
    rows, more = queries.held_page(state, after=int(after) if after.isdecimal() and len(after) < 10 else None)
    return render(
        "enquiries/held_back.html",
        here="enquiries",
        rows=[(row, website, _why(row.signs)) for row, website in rows],
        state=state,
        label=STATE_WORDS[state],
        states=[
            (words, f"/enquiries/held?show={one}", one == state, None, False) for one, words in STATE_WORDS.items()
        ],
        next_address=url_for("held.held_back", show=state, after=more) if more else "",
        first_address=url_for("held.held_back", show=state) if after else "",
    )


@bp.get("/enquiries/held/<int:held_id>")
@requires(Permission.LOG_ENQUIRY)
@records_view("held_enquiry")
def one_held(held_id: int) -> str:
    """One of them, whole."""
    row = queries.held_enquiry(held_id)
    saw(case_id=row.case_id, subject=f"held:{row.id}")
    sent = submitting.from_text(row)
    criteria = policy.rulebook_on(today_in_london()).criteria
    return render(
        "enquiries/one_held.html",
        here="enquiries",
        row=row,
        why=_why(row.signs),
        source=sent.source,
        name=row.name,
        said=sent.answers.get("said") or "",
        cards=[
            (title, [(*line[:3], "") for line in lines]) for title, lines in cards(sent.answers, criteria, hides=False)
        ],
    )


@bp.post("/enquiries/held/<int:held_id>/let-in")
@requires(Permission.LOG_ENQUIRY)
@writes
def let_in(held_id: int) -> Response:
    """A person sent it: it is an enquiry, and its clock counts from when it came."""
    now, today = now_utc(), today_in_london()
    row = queries.held_enquiry(held_id)
    case = submitting.let_in(row, actor=current_actor(), now=now, today=today, rulebook=policy.rulebook_on(today))
    tell(f"{case.household.name} is in the queue, from the moment they wrote.")
    return see_other(f"/cases/{case.reference}")


@bp.post("/enquiries/held/<int:held_id>/put-away")
@requires(Permission.LOG_ENQUIRY)
@writes
def put_away(held_id: int) -> Response:
    """A program sent it."""
    row = queries.held_enquiry(held_id)
    held.put_away(row, actor=current_actor(), now=now_utc())
    tell("It is put away, and forgotten in a month. Until then it can still be let in.")
    return see_other(url_for("held.held_back"))


def _why(signs: str) -> list[str]:
    return [WORDS[sign] for sign in signs.split(",") if sign in WORDS]
