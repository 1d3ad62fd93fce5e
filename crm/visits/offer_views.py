"""Screens by which staff let a household choose the time of its visit itself."""

from __future__ import annotations

from flask import Blueprint, url_for

from crm.access.guards import current_actor, requires
from crm.cases.queries import case_for
from crm.clock import now_utc, today_in_london
from crm.db import db
from crm.delivery import Channel
from crm.rules.permissions import Permission
from crm.rules.refusal import Refusal
from crm.visits import choosing, queries
from crm.visits.models import Place, Purpose
from crm.visits.staff_forms import OfferForm
from crm.visits.staff_views import Page, Present, fitting_kinds, fitting_purposes, lengths, likely_purpose
from crm.web.filters import day, length
from crm.web.notices import tell
from crm.web.pages import render, see_other
from crm.web.writes import writes

bp = Blueprint("offers", __name__)
BY_WORDS = {Channel.EMAIL: "by email", Channel.TEXT: "by text"}


def _here() -> Present:
    return Present(current_actor(), now_utc(), today_in_london())


@bp.route("/cases/<reference>/visits/offer", methods=["GET", "POST"])
@requires(Permission.BOOK_VISIT)
@writes
def offer(reference: str) -> Page:
    """Send each applicant a link of their own, by which they choose a time."""
    here = _here()
    case = case_for(here.actor, reference, today=here.today)
    form = OfferForm()
    kinds = fitting_kinds(case)
    officers = queries.visiting_officers()
    form.officers.choices = [(user.id, user.name) for user in officers]
    form.length.choices = [(one, length(one)) for one in lengths()]
    if not form.is_sent:
        form.purpose.choices = fitting_purposes(case)
        form.purpose.data = likely_purpose(case)
        kind = next((one for one in kinds if one.purpose == form.purpose.data), None)
        form.place.data = kind.place if kind else Place.HOME
        form.length.data = kind.minutes if kind else lengths()[0]
        able = [user.id for user in officers]
        form.officers.data = [one for one in (here.actor.user_id, case.owner_id) if one in able][:1]
    status = None
    if form.is_sent_and_right():
        try:
            made = choosing.send_offer(
                case,
                purpose=Purpose(form.purpose.data),
                place=Place(form.place.data),
                length_minutes=form.length.data,
                officer_ids=form.officers.data,
                **here.given,
            )
        except Refusal as refusal:
            db.session.rollback()
            form.take_refusal(refusal)
            status = refusal.status
            case = case_for(here.actor, reference, today=here.today)
        else:
            tell(f"The link is on its way. They can choose a time until {day(made.ends_at)}.")
            return see_other(url_for("visits.case_visits", reference=case.reference))
    return (
        render(
            "visits/offer.html",
            here="visits",
            head=here.head(case),
            case=case,
            form=form,
            reached=choosing.who_is_reached(case, now=here.now),
            by_words=BY_WORDS,
        ),
        status or form.status,
    )


@bp.post("/visits/offers/<int:offer_id>/again")
@requires(Permission.BOOK_VISIT)
@writes
def send_again(offer_id: int) -> Page:
    here = _here()
    found, case = choosing.offer_for(here.actor, offer_id, today=here.today)
    choosing.send_again(found, case, **here.given)
    tell(f"A new link is on its way, and works until {day(found.ends_at)}. The one before opens nothing any more.")
    return see_other(url_for("visits.case_visits", reference=case.reference))


@bp.post("/visits/offers/<int:offer_id>/withdraw")
@requires(Permission.BOOK_VISIT)
@writes
def withdraw(offer_id: int) -> Page:
    here = _here()
    found, case = choosing.offer_for(here.actor, offer_id, today=here.today)
    choosing.withdraw(found, case, actor=here.actor, now=here.now)
    tell("The link is withdrawn. Whoever opens it is asked to ring us.")
    return see_other(url_for("visits.case_visits", reference=case.reference))
