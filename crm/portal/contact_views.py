"""Behind the links in our letters: asking us to stop, and saying whether an address is one's own. Nobody signs in.

A page here says nothing about the person whose link it is: a link may be forwarded, and a mailbox shared.
"""

from __future__ import annotations

from flask import Blueprint, Response, make_response, request

from crm.access.guards import public_page
from crm.cases import addresses, stopping
from crm.cases.contact_links import Purpose, link_with
from crm.cases.models import ContactLink, Person
from crm.clock import now_utc, today_in_london
from crm.db import db
from crm.events import guest_stops
from crm.events.models import EventGuest
from crm.portal.contact_forms import ConfirmEmailForm, StopForm
from crm.rules.permissions import PUBLIC
from crm.rules.refusal import Refusal
from crm.web.forgery import without_form_token
from crm.web.pages import render
from crm.web.writes import writes

bp = Blueprint("portal", __name__)

ONE_CLICK = ("List-Unsubscribe", "One-Click")
"""What a mail program posts by itself when its reader presses its own button (RFC 8058)."""


class LinkEnded(Refusal):
    """The link is not one of ours, or its time is over."""

    default_status = 404


def _open(token: str, purpose: Purpose) -> tuple[ContactLink, Person]:
    link = link_with(token, purpose, now=now_utc())
    if link is None:
        raise LinkEnded(
            "That link has ended, or was cut short. Use the link of a newer letter, or ring us and we do it for you."
        )
    return link, db.session.get_one(Person, link.person_id)


@bp.route("/stop/<token>", methods=["GET", "POST"])
@public_page
@without_form_token("the secret in the address is the proof, and a mail program that posts here has no page of ours")
@writes
def stop(token: str) -> Response:
    """Ask us to stop: news and events, or everything. Opening the page does nothing."""
    guest = guest_stops.guest_with(token, now=now_utc())
    reader = guest if guest is not None else _open(token, Purpose.STOP)[1]
    if request.method == "POST" and request.form.get(ONE_CLICK[0]) == ONE_CLICK[1]:
        _stop(reader, "news", how="one_click")
        return Response("Done.", mimetype="text/plain")
    form, stopped = StopForm(), None
    if form.is_sent_and_right():
        stopped = form.what.data
        _stop(reader, stopped, how="link")
    return make_response(
        render("portal/stop.html", form=form, stopped=stopped, is_guest=guest is not None), form.status
    )


def _stop(reader: Person | EventGuest, what: str, *, how: str) -> None:
    now, today = now_utc(), today_in_london()
    if isinstance(reader, EventGuest):
        guest_stops.stop(reader, what, how=how, actor=PUBLIC, now=now, today=today)
    elif what == "everything":
        stopping.stop_contact(reader, how=how, actor=PUBLIC, now=now, today=today)
    else:
        stopping.stop_news(reader, how=how, actor=PUBLIC, now=now)


@bp.route("/confirm-email/<token>", methods=["GET", "POST"])
@public_page
@without_form_token("the secret in the address is the proof")
@writes
def confirm_email(token: str) -> Response:
    """Say that a new email address is one's own, or that it is somebody else's."""
    link, person = _open(token, Purpose.CONFIRM)
    form, said = ConfirmEmailForm(), None
    if form.is_sent_and_right():
        said = form.whose.data
        addresses.answer_about_email(
            person, link, is_theirs=said == "mine", actor=PUBLIC, now=now_utc(), today=today_in_london()
        )
    return make_response(render("portal/confirm_email.html", form=form, said=said), form.status)
