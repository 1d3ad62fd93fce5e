"""The public pages of events: what is on, one event with its sign-up, and somebody's own place.

A secret link is only looked at by a GET: programs that follow links in mail change nothing. What a page answers to a
sign-up depends on the event and on what was typed, never on whether we know the address.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, Response, current_app, request, url_for

from crm import policy
from crm.access.guards import public_page
from crm.cases.models import PersonRole
from crm.cases.open_case import NewConsent, NewPerson
from crm.clock import now_utc, today_in_london
from crm.events import places, queries, telling
from crm.events.models import EventSignUp, EventStatus, RecruitmentEvent, SignUpStatus
from crm.events.places import NewSignUp
from crm.events.public_forms import WHEN_WORDS, GiveUpForm, PlaceForm, SignUpForm
from crm.rules.permissions import PUBLIC
from crm.rules.refusal import Refusal
from crm.web import robots
from crm.web.headers import may_be_listed
from crm.web.limits import limited
from crm.web.notices import tell
from crm.web.pages import render, see_other
from crm.web.writes import writes

bp = Blueprint("meet", __name__)

SIGN_UPS = "event sign-up"
SIGN_UPS_A_WINDOW = 200
WINDOW_SECONDS = robots.STEP_UP_SECONDS
INSTEAD_OF_WORK = timedelta(minutes=1)
"""How long somebody without scripts waits where a browser would have done the small sum."""
NEWS_CHANNELS = ("email", "text", "phone")


@bp.get("/events")
@public_page
@may_be_listed
def index() -> str:
    """What is on, the next first; near somebody, when they say where they are."""
    now = now_utc()
    district = request.args.get("near", "")[:8].upper()
    listed = queries.public_events(now=now)
    districts = sorted({event.district for event in listed if event.district})
    near = district if district in districts or district == "ONLINE" else ""
    shown = [event for event in listed if not near or (event.district or "ONLINE") == near]
    return render(
        "event/index.html",
        events=shown,
        districts=districts,
        has_online=any(event.is_online for event in listed),
        near=near,
        room={event.id: queries.say_room(event) for event in shown},
    )


@bp.get("/e/<code>")
@public_page
def short(code: str) -> Response:
    """The short address of a poster."""
    event = queries.event_by_code(code)
    return see_other(url_for("meet.event", slug=event.slug))


@bp.route("/events/<slug>", methods=["GET", "POST"])
@public_page
@may_be_listed
@limited(SIGN_UPS, at_most=SIGN_UPS_A_WINDOW, seconds=WINDOW_SECONDS)
@writes
def event(slug: str) -> Response | tuple[str, int]:
    """One event, and the form that saves a place."""
    now, today = now_utc(), today_in_london()
    found = queries.public_event(slug)
    closed = places.why_no_sign_ups(found, now=now)
    form = SignUpForm(takes_answers=closed is None)
    form.news.choices = [(channel, policy.wording(f"consent.{channel}", today).text) for channel in NEWS_CHANNELS]
    # Looked at first: what a program sent is shown again, with nothing lost, for a person to press once more.
    work = f"sign-up:{form.one_time_id.data}" if closed is None and robots.is_crowded(SIGN_UPS) else None
    stamp = _look_for_robots(form, work, now=now) if closed is None else ""
    if closed is None and form.is_sent_and_right() and not form.refused:
        try:
            places.sign_up(found, _new_sign_up(form, today=today), actor=PUBLIC, now=now)
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            return see_other(url_for("meet.signed_up", slug=found.slug))
    return render(
        "event/event.html",
        event=found,
        form=form,
        closed=closed,
        is_off=found.status == EventStatus.CANCELLED,
        room=queries.say_room(found),
        where=telling.where(found),
        others=[other for other in queries.public_events(now=now, at_most=4) if other.id != found.id][:3],
        address=telling.public_address(found),
        stamp=stamp,
        puzzle=robots.puzzle_for(work) if work else None,
        puzzle_bits=robots.WORK_BITS,
        first_contact=policy.rulebook_on(today).response_promise("event"),
    ), form.status


@bp.get("/events/<slug>/thank-you")
@public_page
def signed_up(slug: str) -> str:
    """The same for everybody: what there is to know stands in the email."""
    return render("event/signed_up.html", event=queries.public_event(slug))


@bp.route("/events/my-place/<token>", methods=["GET", "POST"])
@public_page
@limited("event place", at_most=SIGN_UPS_A_WINDOW, seconds=WINDOW_SECONDS)
@writes
def place(token: str) -> Response | tuple[str, int]:
    """Somebody's own place: who comes, and what would help."""
    now = now_utc()
    row = places.sign_up_by_link(token, now=now)
    second = next((guest for guest in row.guests if guest.position == 2), None)
    form = PlaceForm(
        second_given_name=second.given_name if second else None,
        second_family_name=second.family_name if second else None,
        second_email=second.email if second else None,
        second_phone=second.phone if second else None,
        needs=row.needs,
        question=row.question,
        wants_call=row.wants_call,
        wants_text=row.wants_text,
    )
    if form.is_sent_and_right():
        try:
            places.change_sign_up(
                row,
                second=_second(form),
                needs=form.needs.data,
                question=form.question.data,
                wants_call=form.wants_call.data,
                wants_text=form.wants_text.data,
                actor=PUBLIC,
                now=now,
            )
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            tell("Your changes are saved.")
            return see_other(url_for("meet.place", token=token))
    return _place_page(row, token, form, now=now), form.status


@bp.post("/events/my-place/<token>/give-up")
@public_page
@limited("event place", at_most=SIGN_UPS_A_WINDOW, seconds=WINDOW_SECONDS)
@writes
def give_up(token: str) -> Response:
    """Give the place back: whoever waits moves up."""
    now = now_utc()
    places.cancel_sign_up(places.sign_up_by_link(token, now=now), actor=PUBLIC, now=now)
    return see_other(url_for("meet.place", token=token))


@bp.post("/events/my-place/<token>/come-after-all")
@public_page
@limited("event place", at_most=SIGN_UPS_A_WINDOW, seconds=WINDOW_SECONDS)
@writes
def come_after_all(token: str) -> Response:
    """Take a place again, or a place in the line."""
    now = now_utc()
    places.take_up_again(places.sign_up_by_link(token, now=now), actor=PUBLIC, now=now)
    return see_other(url_for("meet.place", token=token))


def _look_for_robots(form: SignUpForm, work: str | None, *, now: datetime) -> str:
    """Ask a form that shows the signs of a program to be sent once more. Gives the stamp for the page that is drawn.

    Nobody is turned away and nothing is kept aside: whoever is a person presses again, and the time they took counts
    from the first page. In a crowd (``work``) a browser does a small sum for the form; whoever has no scripts waits
    instead.
    """
    if not form.is_sent:
        return robots.stamp(now)
    at_least: int = current_app.extensions["crm_settings"].quickest_form_seconds
    if robots.signs(request.form, began_at=None, now=now, at_least=at_least):
        form.refused.append(
            "Please look over what you wrote, wait a moment, and press the button once more. Programs fill in forms "
            "like this one too, and this looked like one of them."
        )
    kept = request.form.get(robots.STAMP, "")
    if work is not None and not form.refused and not robots.is_solved(work, request.form.get(robots.WORK, "")):
        drawn = robots.drawn_at(kept)
        if drawn is None or now - drawn < INSTEAD_OF_WORK:
            form.refused.append(
                "A great many forms have come from your connection. Nothing you wrote is lost: wait a minute, then "
                "press the button once more."
            )
    return kept if robots.drawn_at(kept) else robots.stamp(now)


def _place_page(row: EventSignUp, token: str, form: PlaceForm, *, now: Any) -> str:
    event: RecruitmentEvent = row.event
    return render(
        "event/place.html",
        event=event,
        row=row,
        token=token,
        form=form,
        button_form=GiveUpForm(takes_answers=False),
        is_waiting=row.status == SignUpStatus.WAITING,
        is_given_up=row.status == SignUpStatus.CANCELLED,
        is_off=event.status == EventStatus.CANCELLED,
        has_begun=event.starts_at <= now,
        where=telling.where(event),
    )


def _new_sign_up(form: SignUpForm, *, today: Any) -> NewSignUp:
    consents = tuple(
        NewConsent(channel, channel in (form.news.data or ()), policy.wording(f"consent.{channel}", today).version)
        for channel in NEWS_CHANNELS
        if channel == "email" or form.phone.data
    )
    me = NewPerson(
        given_name=form.given_name.data or "",
        family_name=form.family_name.data or None,
        email=form.email.data,
        phone=form.phone.data or None,
        consents=consents,
    )
    second = _second(form)
    return NewSignUp(
        people=[me, second] if second else [me],
        needs=form.needs.data,
        question=form.question.data,
        wants_call=form.wants_call.data,
        contact_times=WHEN_WORDS.get(form.contact_times.data or "") if form.wants_call.data else None,
        postcode=form.postcode.data or None,
        privacy_version=policy.wording("privacy_notice", today).version,
        wants_text=form.wants_text.data,
    )


def _second(form: Any) -> NewPerson | None:
    """The second adult answers about news for themselves, another time: nobody agrees for them."""
    if not form.is_two:
        return None
    return NewPerson(
        given_name=form.second_given_name.data or "",
        family_name=form.second_family_name.data or None,
        email=form.second_email.data or None,
        phone=form.second_phone.data or None,
        role=PersonRole.APPLICANT_2,
    )
