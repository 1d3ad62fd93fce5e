"""The feed that calendar programs fetch."""

from __future__ import annotations

from flask import Blueprint, Response, make_response, request
from werkzeug.http import is_resource_modified

from crm.access.guards import requires_own_key
from crm.access.queries import user_with
from crm.calendars import feeds
from crm.clock import now_utc
from crm.rules.permissions import Permission
from crm.web import pages

bp = Blueprint("calendars", __name__)


@bp.get("/feed/<token>.ics")
@requires_own_key("the address itself is the secret; only its digest is kept")
def feed(token: str) -> Response:
    """An officer's visits, by reference and district. Answers 304 from a counter before anything is rendered.

    Calendar programs keep an address for years, so whose it is is looked at each time: an account switched off, or one
    that makes no visits any more, has no feed.
    """
    now = now_utc()
    state = feeds.feed_state(token, now=now)
    owner = user_with(state.user_id)
    if not owner.active or not owner.as_actor().has(Permission.RECORD_VISIT):
        raise feeds.NoSuchFeed
    if not is_resource_modified(request.environ, etag=state.etag, last_modified=state.changed_at, ignore_if_range=True):
        response = make_response("", 304)
    else:
        body = feeds.feed_bytes(state, name=f"{pages.service().name} visits", now=now)
        response = make_response(body)
        response.headers["Content-Type"] = "text/calendar; charset=utf-8"
        response.headers["Content-Disposition"] = 'inline; filename="visits.ics"'
    response.set_etag(state.etag)
    response.last_modified = state.changed_at
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
