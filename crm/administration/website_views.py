"""The service's own websites that hand enquiries in: a key for each, shown once, taken back at once."""

from __future__ import annotations

from flask import Response, make_response, url_for

from crm.access.guards import current_actor, requires
from crm.administration.views import bp
from crm.administration.website_forms import WebsiteForm
from crm.clock import now_utc
from crm.enquiries import intake
from crm.enquiries.models import IntakeWebsite
from crm.rules.permissions import Permission
from crm.web.notices import tell
from crm.web.pages import render, see_other
from crm.web.writes import writes


@bp.route("/admin/settings/websites", methods=["GET", "POST"])
@requires(Permission.MANAGE_SETTINGS)
@writes
def websites() -> Response:
    """The websites there are, and a form to add one. Its key is on the answer, and nowhere afterwards."""
    form = WebsiteForm()
    if form.is_sent_and_right():
        row, key = intake.make_website(name=form.name.data, actor=current_actor(), now=now_utc())
        return _shown_once(row, key)
    body = render("administration/websites.html", here="admin", form=form, websites=intake.websites())
    return make_response(body, form.status)


@bp.post("/admin/settings/websites/<int:website_id>/key")
@requires(Permission.MANAGE_SETTINGS)
@writes
def new_website_key(website_id: int) -> Response:
    """Another key for a website; the one before stops working."""
    row = intake.website_with(website_id)
    return _shown_once(row, intake.change_key(row, actor=current_actor(), now=now_utc()))


@bp.post("/admin/settings/websites/<int:website_id>/off")
@requires(Permission.MANAGE_SETTINGS)
@writes
def website_off(website_id: int) -> Response:
    """Take the key of a website back."""
    row = intake.website_with(website_id)
    intake.take_key_back(row, actor=current_actor(), now=now_utc())
    tell(f"{row.name} can hand nothing in any more.")
    return see_other(url_for("administration.websites"))


def _shown_once(row: IntakeWebsite, key: str) -> Response:
    """The page with a key. It answers the post itself: nothing that could be opened again holds a key."""
    body = render(
        "administration/website_key.html",
        here="admin",
        website=row,
        key=key,
        address=url_for("intake.hand_in", _external=True),
        description=url_for("intake.openapi", _external=True),
    )
    return make_response(body, 200)
