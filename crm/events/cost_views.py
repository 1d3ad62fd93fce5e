"""What an event cost, how long people worked for it, and what to do differently next time."""

from __future__ import annotations

from decimal import Decimal

from flask import Blueprint, Response, url_for

from crm.access.guards import current_actor, requires
from crm.clock import now_utc
from crm.events import costing, queries
from crm.events.event_forms import COST_LINES, cost_form
from crm.rules.permissions import Permission
from crm.rules.refusal import Refusal
from crm.web.notices import tell
from crm.web.pages import render, see_other
from crm.web.writes import writes

bp = Blueprint("costs", __name__)


@bp.route("/events/<int:event_id>/cost", methods=["GET", "POST"])
@requires(Permission.MANAGE_EVENTS)
@writes
def edit(event_id: int) -> Response | tuple[str, int]:
    now = now_utc()
    event = queries.event_by_id(event_id)
    frame = queries.event_frame(event, now=now)
    held = event.costs[:COST_LINES]
    hours = {
        f"hours_{row.user_id}": Decimal(row.minutes) / 60 if row.minutes is not None else None for row in event.staff
    }
    empty = COST_LINES - len(held)
    form = cost_form({row.user_id: frame.staff.get(row.user_id, "Somebody") for row in event.staff})(
        what=[line.what for line in held] + [""] * empty,
        pounds=[Decimal(line.pence) / 100 for line in held] + [None] * empty,
        hour_cost=Decimal(event.hour_cost_pence) / 100 if event.hour_cost_pence is not None else None,
        lessons=event.lessons,
        **hours,
    )
    if form.is_sent_and_right():
        minutes = {row.user_id: form[f"hours_{row.user_id}"].data for row in event.staff}
        try:
            costing.record_costs(
                event,
                lines=form.lines,
                minutes={who: None if worked is None else round(worked * 60) for who, worked in minutes.items()},
                hour_cost_pence=None if form.hour_cost.data is None else int(form.hour_cost.data * 100),
                lessons=form.lessons.data or None,
                actor=current_actor(),
                now=now,
            )
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            tell("Kept. What it brought is set against this.")
            return see_other(url_for("events.show", event_id=event.id))
    return render(
        "events/cost.html",
        here="events",
        event=event,
        frame=frame,
        form=form,
        hour_boxes=[form[f"hours_{row.user_id}"] for row in event.staff],
        total=costing.total_pence(event) / 100,
    ), form.status
