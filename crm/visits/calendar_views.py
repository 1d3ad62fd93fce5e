"""Screens of an officer's own calendar program: its devices, and what came in from it and is to be settled."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, current_app, make_response, request, url_for

from crm import policy
from crm.access import app_passwords
from crm.access.guards import current_actor, requires
from crm.access.queries import user_with
from crm.audit import record
from crm.calendars import caldav_reading, feeds, mailed
from crm.clock import now_utc, today_in_london
from crm.rules.permissions import Permission
from crm.rules.refusal import Refusal
from crm.visits import from_calendar
from crm.visits.staff_forms import DeviceForm
from crm.web.forms import BaseForm
from crm.web.notices import tell
from crm.web.pages import render, see_other
from crm.web.writes import writes

bp = Blueprint("own_calendar", __name__)

Page = Response | str | tuple[str, int]


def calendar_page(
    form: BaseForm, *, address: str | None = None, device_form: DeviceForm | None = None, made: Any = None
) -> Response:
    """The officer's page of their own calendar. ``address`` of the feed, and ``made``, a device with its password, are
    shown on the answer to the form that made them, and nowhere afterwards."""
    user_id = current_actor().user_id or 0
    base: str = current_app.extensions["crm_settings"].base_url
    device_form = device_form or DeviceForm(takes_answers=False)
    response = make_response(
        render(
            "visits/my_calendar.html",
            here="visits",
            form=form,
            device_form=device_form,
            devices=app_passwords.passwords_of(user_id),
            made=made,
            server=base + url_for("caldav.root"),
            host=urlsplit(base).netloc,
            is_secure=base.startswith("https://"),
            email=user_with(user_id).email,
            prefix=policy.service().reference_prefix,
            to_settle=caldav_reading.count_to_settle(user_id),
            own_address=mailed.own_address(user_id),
            is_invited=mailed.wants_invitations(user_id),
            is_proven_by_server=current_app.extensions["crm_settings"].mail_server is not None,
            running=feeds.address_of(user_id),
            address=address,
            webcal=address.replace("https://", "webcal://").replace("http://", "webcal://") if address else None,
        ),
        device_form.status,
    )
    response.headers["Referrer-Policy"] = "no-referrer" if address or made else "same-origin"
    return response


@bp.post("/account/calendar/devices")
@requires(Permission.RECORD_VISIT)
@writes
def add_device() -> Page:
    """A password for one device, on the answer itself: nothing that could be opened again holds it."""
    form = DeviceForm()
    made = None
    if form.is_sent_and_right():
        actor = current_actor()
        try:
            row, password = app_passwords.make_password(
                user_id=actor.user_id or 0, name=form.name.data, actor=actor, now=now_utc()
            )
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            made = {"name": row.name, "password": password}
    return calendar_page(BaseForm(takes_answers=False), device_form=None if made else form, made=made)


@bp.post("/account/calendar/devices/<int:password_id>/withdraw")
@requires(Permission.RECORD_VISIT)
@writes
def withdraw_device(password_id: int) -> Page:
    actor = current_actor()
    row = app_passwords.withdraw_password(password_id, user_id=actor.user_id or 0, actor=actor, now=now_utc())
    tell(f"{row.name} can’t read or write your calendar any more.")
    return see_other(url_for("visits.my_calendar"))


@bp.post("/account/calendar/mailbox")
@requires(Permission.RECORD_VISIT)
@writes
def new_own_address() -> Page:
    """Another address by which to invite us; the one before is nobody's any more."""
    actor, now = current_actor(), now_utc()
    mailed.new_own_address(actor.user_id or 0, now=now)
    record("calendar.own_address", actor=actor, at=now, subject=f"user:{actor.user_id}")
    tell("You have a new address to invite. The one before stopped working.")
    return see_other(url_for("visits.my_calendar"))


@bp.post("/account/calendar/invitations")
@requires(Permission.RECORD_VISIT)
@writes
def choose_invitations() -> Page:
    """Whether one's visits come to one's own mailbox as invitations."""
    actor, now = current_actor(), now_utc()
    wanted = request.form.get("wanted", "")
    if wanted not in ("yes", "no"):
        raise Refusal("Say what is to be done: choose one of the buttons.", status=422)
    mailed.choose_invitations(actor.user_id or 0, wanted=wanted == "yes", now=now)
    record(
        "calendar.invitations", actor=actor, at=now, subject=f"user:{actor.user_id}", detail={"wanted": wanted == "yes"}
    )
    if wanted == "yes":
        tell("New visits come to your mailbox as invitations.")
    else:
        tell("New visits are not sent as invitations any more. You still get an email about each.")
    return see_other(url_for("visits.my_calendar"))


@bp.get("/visits/from-calendar")
@requires(Permission.RECORD_VISIT)
def to_settle() -> Page:
    """What came in from the officer's own calendar and was not done."""
    actor, today = current_actor(), today_in_london()
    return render(
        "visits/to_settle.html", here="visits", form=BaseForm(), items=from_calendar.to_settle(actor, today=today)
    )


@bp.post("/visits/from-calendar/<int:entry_id>")
@requires(Permission.RECORD_VISIT)
@writes
def settle(entry_id: int) -> Page:
    """Try it again, show the visit again as it is booked, or keep the event as one's own."""
    actor, now, today = current_actor(), now_utc(), today_in_london()
    from_calendar.entry_to_settle(entry_id, actor)
    how = request.form.get("how", "")
    if how == "again":
        from_calendar.try_again(entry_id, actor=actor, now=now, today=today, rulebook=policy.rulebook_on(today))
        tell("Done: the visit is booked as your calendar says.")
    elif how == "back":
        from_calendar.put_back(entry_id, actor=actor, now=now)
        tell("Your calendar shows the visit again as it is booked.")
    elif how == "own":
        from_calendar.keep_as_own(entry_id, actor=actor, now=now)
        tell("Kept as your own. Nobody sees it, and its time counts as busy.")
    else:
        raise Refusal("Say what is to be done: choose one of the buttons.", status=422)
    return see_other(url_for("own_calendar.to_settle"))
