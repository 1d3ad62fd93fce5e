"""The door for officers' own calendar programs: CalDAV (RFC 4791), by hand, over one calendar for each officer.

A program shows an app password with each request (HTTP Basic) and brings no cookie, so no browser can be tricked into
calling it, and neither the password of a person nor a session opens anything here. Answers name nobody.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import Blueprint, Response, current_app, g, make_response, request
from werkzeug.http import http_date

from crm import policy
from crm.access import app_passwords
from crm.access.guards import public_page, requires_own_key
from crm.calendars import caldav_answers, caldav_reading, caldav_text, caldav_writing, caldav_xml
from crm.calendars.caldav_answers import Home, NotAsked
from crm.calendars.caldav_text import NotOurKind
from crm.calendars.caldav_writing import Condition, NotKept, tag_of
from crm.calendars.caldav_xml import CALDAV, DAV, UnreadableXml
from crm.clock import now_utc, today_in_london
from crm.db import end_read, transaction
from crm.rules.permissions import Actor, Permission
from crm.rules.refusal import Refusal
from crm.web import limits, pages
from crm.web.forgery import without_form_token
from crm.web.writes import writes, writes_by_itself

bp = Blueprint("caldav", __name__)

View = TypeVar("View", bound=Callable[..., Any])

WHY_KEY = "a calendar program shows the app password that its owner made for it"
WHY_NO_TOKEN = "a program shows a password in each request, and no cookie stands for it"
WHY_ALONE = "it reads; that a device was seen is kept in a transaction of its own"
DAV_CLASSES = "1, 3, calendar-access"
XML = "application/xml; charset=utf-8"
WRONG_A_WINDOW = 20
WRONG_FROM_AN_ADDRESS = 100
WINDOW_SECONDS = 300
LARGEST_REPORT_BYTES = caldav_xml.LARGEST_BYTES


class PasswordNeeded(Refusal):
    """No app password came, or one that is nobody's."""

    default_status = 401


class OnlyOverTls(Refusal):
    """The password came where anybody on the way could read it."""

    default_status = 403


@dataclass(frozen=True)
class Device:
    """Whose program asks: read before the request's own transaction begins."""

    user_id: int
    actor: Actor
    home: Home


def with_app_password(view: View) -> View:
    """Above ``@writes``: finds out whose calendar program asks. Wrong passwords are counted and kept in the trail, by
    address and by account; a right one is never made to wait, so that nobody can lock an officer's phone out."""

    @functools.wraps(view)
    def inside(*args: Any, **kwargs: Any) -> Any:
        if current_app.extensions["crm_settings"].cookie_secure and not request.is_secure:
            raise OnlyOverTls("Use the address that begins with https.")
        shown = request.authorization
        if shown is None or shown.type != "basic" or not shown.username or not shown.password:
            end_read()
            raise PasswordNeeded("Sign in with your email and an app password.")
        found = app_passwords.behind(shown.username, shown.password)
        actor = found[1].as_actor() if found is not None else None
        if found is None or actor is None or not actor.has(Permission.RECORD_VISIT):
            end_read()
            _count_wrong(shown.username)
            raise PasswordNeeded("Sign in with your email and an app password.")
        row, user = found
        home = Home(user.id, user.name, user.email, f"{request.script_root}/caldav/", pages.service().short_name)
        password_id, has_to_note = row.id, app_passwords.has_to_note(row, now=now_utc())
        end_read()
        if has_to_note:
            with transaction():
                app_passwords.note_use(password_id, program=request.user_agent.string, actor=actor, now=now_utc())
        g.actor = actor
        g.caldav = Device(home.user_id, actor, home)
        if kwargs.pop("user_id", home.user_id) != home.user_id:
            raise caldav_reading.NoSuchEntry
        return view(*args, **kwargs)

    return inside  # type: ignore[return-value]


def _count_wrong(email: str) -> None:
    wait = limits.count_try("app password", email, at_most=WRONG_A_WINDOW, seconds=WINDOW_SECONDS)
    wait = wait or limits.count_try(
        "app password from", limits.sender_address(), at_most=WRONG_FROM_AN_ADDRESS, seconds=WINDOW_SECONDS
    )
    if wait is not None:
        raise limits.TooOften("Too many wrong passwords.", retry_after=wait)
    with transaction():
        app_passwords.note_refused(email=email, now=now_utc())


def _route(path: str, *methods: str, endpoint: str | None = None) -> Callable[[View], View]:
    """A route whose OPTIONS is answered by us: programs look there for what the server can do."""
    return bp.route(path, methods=list(methods), endpoint=endpoint, provide_automatic_options=False)


# --- Finding the way --------------------------------------------------------------------------------------------------


@_route("/.well-known/caldav", "GET", "PROPFIND", "OPTIONS")
@public_page
@without_form_token(WHY_NO_TOKEN)
@writes_by_itself("it only points the way")
def well_known() -> Response:
    """Where programs look first, whatever address they were given (RFC 6764)."""
    response = make_response("", 301)
    response.headers["Location"] = f"{request.script_root}/caldav/"
    response.headers["Content-Type"] = "text/plain; charset=utf-8"
    return response


@_route("/caldav/", "OPTIONS", endpoint="options_of_root")
@_route("/caldav/<int:user_id>/", "OPTIONS", endpoint="options_of_home")
@_route("/caldav/<int:user_id>/visits/", "OPTIONS", endpoint="options_of_calendar")
@_route("/caldav/<int:user_id>/visits/<name>", "OPTIONS", endpoint="options_of_event")
@public_page
def options(**_of: Any) -> Response:
    """What this server can do; it says the same to everybody about every address."""
    response = make_response("", 200)
    response.headers["Allow"] = "OPTIONS, GET, HEAD, PUT, DELETE, PROPFIND, PROPPATCH, REPORT"
    response.headers["Content-Type"] = "text/plain; charset=utf-8"
    return response


@_route("/caldav/", "PROPFIND", "PROPPATCH")
@requires_own_key(WHY_KEY)
@without_form_token(WHY_NO_TOKEN)
@writes_by_itself(WHY_ALONE)
@with_app_password
def root() -> Response:
    home = _home()
    if request.method == "PROPPATCH":
        return _nothing_set(home.root)
    wanted = _wanted()
    answers = [caldav_answers.resource(home.root, caldav_answers.properties_of_root(home), wanted)]
    if _depth() == 1:
        answers.append(caldav_answers.resource(home.path, caldav_answers.properties_of_home(home), wanted))
    return _multistatus(caldav_xml.multistatus(answers))


@_route("/caldav/<int:user_id>/", "PROPFIND", "PROPPATCH", "REPORT")
@requires_own_key(WHY_KEY)
@without_form_token(WHY_NO_TOKEN)
@writes_by_itself(WHY_ALONE)
@with_app_password
def home() -> Response:
    """The officer, and where their one calendar is."""
    home = _home()
    if request.method == "PROPPATCH":
        return _nothing_set(home.path)
    if request.method == "REPORT":
        raise NotAsked((DAV, "supported-report"))
    wanted = _wanted()
    answers = [caldav_answers.resource(home.path, caldav_answers.properties_of_home(home), wanted)]
    if _depth() == 1:
        known = caldav_answers.properties_of_calendar(home)
        answers.append(caldav_answers.resource(home.calendar_path, known, wanted))
    return _multistatus(caldav_xml.multistatus(answers))


# --- The calendar -----------------------------------------------------------------------------------------------------


@_route("/caldav/<int:user_id>/visits/", "GET", "PROPFIND", "PROPPATCH", "REPORT")
@requires_own_key(WHY_KEY)
@without_form_token(WHY_NO_TOKEN)
@writes_by_itself(WHY_ALONE)
@with_app_password
def calendar() -> Response:
    """The calendar as a whole: what changed in it, what is in it, and its answers to reports."""
    home = _home()
    if request.method == "PROPPATCH":
        return _nothing_set(home.calendar_path)
    if request.method == "REPORT":
        body, mimetype = caldav_answers.report(home, _xml(), now=now_utc())
        return _multistatus(body) if mimetype == XML else _text(body)
    if request.method == "PROPFIND":
        wanted = _wanted()
        known = caldav_answers.properties_of_calendar(home)
        answers = [caldav_answers.resource(home.calendar_path, known, wanted)]
        if _depth() == 1:
            entries = caldav_reading.entries_between(home.user_id, None, None)
            answers += [caldav_answers.event(home, one, wanted) for one in entries]
        return _multistatus(caldav_xml.multistatus(answers))
    entries = caldav_reading.entries_between(home.user_id, None, None)
    return _text(caldav_answers.whole_calendar(entries, f"{home.service} visits"))


@_route("/caldav/<int:user_id>/visits/<name>", "GET", "PROPFIND", "PROPPATCH")
@requires_own_key(WHY_KEY)
@without_form_token(WHY_NO_TOKEN)
@writes_by_itself(WHY_ALONE)
@with_app_password
def event(name: str) -> Response:
    """One event: as its owner's program wrote it, byte for byte, or as we did."""
    home = _home()
    entry = caldav_reading.live_entry(home.user_id, name)
    if request.method == "PROPPATCH":
        return _nothing_set(home.path_of(name))
    if request.method == "PROPFIND":
        answer = caldav_answers.event(home, entry, _wanted())
        return _multistatus(caldav_xml.multistatus([answer]))
    response = _text(caldav_answers.text_of(entry))
    response.headers["Content-Type"] = caldav_answers.TYPE_OF_AN_EVENT
    response.headers["Last-Modified"] = http_date(entry.changed_at)
    response.set_etag(tag_of(entry))
    return response.make_conditional(request.environ)


@_route("/caldav/<int:user_id>/visits/<name>", "PUT", "DELETE")
@requires_own_key(WHY_KEY)
@without_form_token(WHY_NO_TOKEN)
@with_app_password
@writes(own_ids=True)
def change_event(name: str) -> Response:
    """Write an event, or take it out. One that carries a reference is a visit."""
    device: Device = g.caldav
    today = today_in_london()
    given = {
        "user_id": device.user_id,
        "name": name,
        "condition": _condition(),
        "actor": device.actor,
        "now": now_utc(),
        "today": today,
        "rulebook": policy.rulebook_on(today),
    }
    if request.method == "DELETE":
        caldav_writing.take_out(**given)
        return _nothing(204)
    kept = caldav_writing.put(body=_body(caldav_text.LARGEST_BYTES), **given)
    response = _nothing(201 if kept.is_new else 204)
    if kept.is_as_sent:
        # Without one the program fetches what stands here now (RFC 4791 5.3.4).
        response.set_etag(tag_of(kept.entry))
    return response


@_route("/caldav/<int:user_id>/<path:rest>", "GET", "PROPFIND", "MKCALENDAR", "MKCOL")
@requires_own_key(WHY_KEY)
@without_form_token(WHY_NO_TOKEN)
@writes_by_itself(WHY_ALONE)
@with_app_password
def elsewhere(rest: str) -> Response:
    """There is one calendar, and no program can make another."""
    if request.method not in ("MKCALENDAR", "MKCOL"):
        raise caldav_reading.NoSuchEntry
    if rest.startswith("visits/"):
        raise NotAsked((DAV, "resource-must-be-null"))
    raise NotAsked((CALDAV, "calendar-collection-location-ok"))


# --- What came --------------------------------------------------------------------------------------------------------


def _home() -> Home:
    device: Device = g.caldav
    return device.home


def _body(most: int) -> bytes:
    request.max_content_length = most + 1
    if (request.content_length or 0) > most:
        raise NotOurKind("it is too long", "max-resource-size")
    return request.get_data(cache=False)


def _xml() -> caldav_xml.Element:
    return caldav_xml.read(_body(LARGEST_REPORT_BYTES))


def _wanted() -> caldav_answers.Wanted:
    body = _body(LARGEST_REPORT_BYTES)
    return caldav_answers.wanted_properties(caldav_xml.read(body) if body.strip() else None)


def _depth() -> int:
    """How deep a program wants to look. All the way down is one step here, and is asked for step by step."""
    said = request.headers.get("Depth", "0").strip().lower()
    if said not in ("0", "1"):
        raise NotAsked((DAV, "propfind-finite-depth"))
    return int(said)


def _condition() -> Condition:
    return Condition(_tags("If-Match"), _tags("If-None-Match"))


def _tags(header: str) -> tuple[str, ...] | None:
    said = request.headers.get(header)
    if said is None:
        return None
    return tuple(tag.strip().removeprefix("W/").strip('"') for tag in said.split(","))


# --- What goes back ---------------------------------------------------------------------------------------------------


def _multistatus(body: str) -> Response:
    response = make_response(body, 207)
    response.headers["Content-Type"] = XML
    return response


def _text(body: str | bytes) -> Response:
    response = make_response(body)
    response.headers["Content-Type"] = "text/calendar; charset=utf-8"
    return response


def _nothing(status: int) -> Response:
    response = make_response("", status)
    response.headers["Content-Type"] = "text/plain; charset=utf-8"
    return response


def _nothing_set(path: str) -> Response:
    """What a program calls the calendar and which colour it gives it stays with the program: each property is refused
    by itself, which programs take for an answer."""
    names = [prop.name for change in _xml().children for block in change.all((DAV, "prop")) for prop in block.children]
    answer = caldav_xml.response(path, caldav_xml.propstat("", dict.fromkeys(names), status="403 Forbidden"))
    return _multistatus(caldav_xml.multistatus([answer]))


@bp.after_request
def _say_what_we_are(response: Response) -> Response:
    response.headers["DAV"] = DAV_CLASSES
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


@bp.errorhandler(NotOurKind)
def _not_our_kind(fault: NotOurKind) -> Response:
    return _error(403, (CALDAV, fault.precondition))


@bp.errorhandler(NotAsked)
def _not_asked(fault: NotAsked) -> Response:
    return _error(403, fault.precondition)


@bp.errorhandler(UnreadableXml)
def _unreadable(_fault: UnreadableXml) -> Response:
    return _plain(400, "This can't be read.")


@bp.errorhandler(NotKept)
def _not_kept(refusal: NotKept) -> Response:
    inside = caldav_xml.href(_home().path_of(refusal.instead)) if refusal.instead is not None else ""
    space = DAV if refusal.precondition == "quota-not-exceeded" else CALDAV
    return _error(403, (space, refusal.precondition), inside)


@bp.errorhandler(caldav_reading.TokenNotOurs)
def _token_not_ours(_refusal: caldav_reading.TokenNotOurs) -> Response:
    return _error(403, (DAV, "valid-sync-token"))


@bp.errorhandler(Refusal)
def _refused(refusal: Refusal) -> Response:
    """A no in a line, without a page round it."""
    end_read()
    response = _plain(refusal.status, refusal.message)
    if isinstance(refusal, PasswordNeeded):
        response.headers["WWW-Authenticate"] = f'Basic realm="{_realm()}", charset="UTF-8"'
    if isinstance(refusal, limits.TooOften):
        response.headers["Retry-After"] = str(refusal.retry_after)
    return response


def _realm() -> str:
    return re.sub(r"[^A-Za-z0-9 ]", "", pages.service().short_name) + " visits"


def _error(status: int, precondition: caldav_xml.Name, inside: str = "") -> Response:
    end_read()
    response = make_response(caldav_xml.error(precondition, inside), status)
    response.headers["Content-Type"] = XML
    return response


def _plain(status: int, words: str) -> Response:
    response = make_response(f"{words}\n", status)
    response.headers["Content-Type"] = "text/plain; charset=utf-8"
    return response
