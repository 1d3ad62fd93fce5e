"""Campaigns: what each brought and what that cost, the households behind each number, and making one."""

from __future__ import annotations

from flask import Blueprint, Response, request, url_for

from crm.access.guards import current_actor, requires
from crm.cases.brought import FEW, OUTCOME_WORDS, TOUCH_WORDS, Outcome, Touch
from crm.cases.campaigns import campaign_by_id, change_campaign, create_campaign
from crm.clock import now_utc, today_in_london
from crm.events import brought, queries
from crm.events.event_forms import CampaignForm
from crm.rules.permissions import Permission
from crm.rules.refusal import Refusal
from crm.rules.stages import PLACE
from crm.web.notices import tell
from crm.web.pages import render, see_other
from crm.web.writes import writes

bp = Blueprint("campaigns", __name__)


@bp.get("/campaigns")
@requires(Permission.MANAGE_EVENTS)
def index() -> str:
    lines, more = brought.campaign_lines(after=_number("after"))
    touch = _touch()
    return render(
        "campaigns/index.html",
        here="events",
        lines=lines,
        touch=touch,
        touch_words=TOUCH_WORDS,
        outcome_words=OUTCOME_WORDS,
        costed=brought.COSTED,
        few=FEW,
        next_address=url_for("campaigns.index", by=touch, after=more) if more else "",
        first_address=url_for("campaigns.index", by=touch) if request.args.get("after") else "",
    )


@bp.get("/campaigns/<int:campaign_id>")
@requires(Permission.MANAGE_EVENTS)
def show(campaign_id: int) -> str:
    """The households behind one number."""
    actor, today = current_actor(), today_in_london()
    campaign = campaign_by_id(campaign_id)
    touch, outcome = _touch(), _outcome()
    lines, more = brought.rows_behind(
        campaign, actor, touch=touch, outcome=outcome, today=today, after=_number("after")
    )
    address = {"campaign_id": campaign.id, "by": touch, "what": outcome}
    return render(
        "campaigns/show.html",
        here="events",
        campaign=campaign,
        line=brought.lines_of([campaign])[0],
        lines=lines,
        touch=touch,
        outcome=outcome,
        touch_words=TOUCH_WORDS,
        outcome_words=OUTCOME_WORDS,
        costed=brought.COSTED,
        few=FEW,
        place_words={name: place.label for name, place in PLACE.items()},
        next_address=url_for("campaigns.show", **address, after=more) if more else "",
        first_address=url_for("campaigns.show", **address) if request.args.get("after") else "",
    )


@bp.route("/campaigns/new", methods=["GET", "POST"])
@requires(Permission.MANAGE_EVENTS)
@writes
def new() -> Response | tuple[str, int]:
    form = CampaignForm()
    if form.is_sent_and_right():
        try:
            made = create_campaign(
                name=form.name.data or "",
                code=form.code.data or None,
                cost_pence=form.cost_pence,
                actor=current_actor(),
                now=now_utc(),
            )
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            tell(f"{made.name} is a campaign. Links with ?c={made.code} are counted to it.")
            return see_other(url_for("campaigns.show", campaign_id=made.id))
    return render("campaigns/edit.html", here="events", form=form, campaign=None), form.status


@bp.route("/campaigns/<int:campaign_id>/edit", methods=["GET", "POST"])
@requires(Permission.MANAGE_EVENTS)
@writes
def edit(campaign_id: int) -> Response | tuple[str, int]:
    """Change its name, code and cost. What an event cost is said on the event's own page."""
    campaign = campaign_by_id(campaign_id)
    event_id = queries.event_of_campaign(campaign.id)
    if event_id is not None:
        return see_other(url_for("costs.edit", event_id=event_id))
    form = CampaignForm(
        name=campaign.name, code=campaign.code, cost=campaign.cost_pence / 100 if campaign.cost_pence else None
    )
    if form.is_sent_and_right():
        try:
            change_campaign(
                campaign,
                name=form.name.data or "",
                code=form.code.data or campaign.code,
                cost_pence=form.cost_pence,
                actor=current_actor(),
                now=now_utc(),
            )
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            tell(f"{campaign.name} is changed.")
            return see_other(url_for("campaigns.show", campaign_id=campaign.id))
    return render("campaigns/edit.html", here="events", form=form, campaign=campaign), form.status


def _touch() -> Touch:
    asked = request.args.get("by", "")
    return Touch(asked) if asked in tuple(Touch) else Touch.FIRST


def _outcome() -> Outcome:
    asked = request.args.get("what", "")
    return Outcome(asked) if asked in tuple(Outcome) else Outcome.ENQUIRIES


def _number(name: str) -> int | None:
    text = request.args.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
