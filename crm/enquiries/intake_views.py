"""Where a website hands enquiries in: version 1 of the interface for programs.

A program shows its key in each request and brings no cookie, so no browser can be tricked into calling it.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable
from typing import Any, TypeVar

from flask import Blueprint, Response, g, make_response, request
from sqlalchemy.exc import IntegrityError

from crm import policy
from crm.access.guards import public_page, requires_own_key
from crm.cases.consents import CONSENT_CHANNELS
from crm.clock import now_utc, today_in_london
from crm.db import end_read
from crm.enquiries import intake
from crm.enquiries.intake_description import described
from crm.enquiries.intake_forms import OUR_WORDS, read_enquiry
from crm.enquiries.models import IntakeWebsite
from crm.rules.refusal import Refusal
from crm.web import limits, once
from crm.web.forgery import without_form_token
from crm.web.problems import NotAsDescribed
from crm.web.writes import SAFE_METHODS, is_conflict_of_unique, writes

bp = Blueprint("intake", __name__, url_prefix="/api/v1")

View = TypeVar("View", bound=Callable[..., Any])

LARGEST_BYTES = 64 * 1024
ENQUIRIES_A_WINDOW = 600
WRONG_KEYS_A_WINDOW = 60
WINDOW_SECONDS = 300


class KeyNeeded(Refusal):
    """No key came, or one that is nobody's."""

    default_status = 401


class KeyWithdrawn(Refusal):
    """The key was taken back."""

    default_status = 403


def with_key(view: View) -> View:
    """Above ``@writes``: finds out which website asks, and counts what it hands in. Guessing keys is slowed by address,
    and a website that sends too much is slowed by itself: it slows no other. Looking is not counted, since it writes
    nothing; a key can't be guessed in any time."""

    @functools.wraps(view)
    def inside(*args: Any, **kwargs: Any) -> Any:
        counts = request.method not in SAFE_METHODS
        kind, _, key = request.headers.get("Authorization", "").partition(" ")
        website = intake.website_behind(key.strip()) if kind.casefold() == "bearer" else None
        if website is None:
            end_read()
            if counts:
                limits.check_posts("intake key", at_most=WRONG_KEYS_A_WINDOW, seconds=WINDOW_SECONDS)
            raise KeyNeeded("Send the website’s key: Authorization: Bearer doorstep_… An administrator makes one.")
        if website.withdrawn_at is not None:
            raise KeyWithdrawn("This key was taken back. Ask an administrator for another.")
        g.website_id = website.id
        end_read()
        waits = (
            limits.count_try("intake", str(g.website_id), at_most=ENQUIRIES_A_WINDOW, seconds=WINDOW_SECONDS)
            if counts
            else None
        )
        if waits is not None:
            raise limits.TooOften("This website has asked a great deal in a short time.", retry_after=waits)
        return view(*args, **kwargs)

    return inside  # type: ignore[return-value]


@bp.post("/enquiries")
@requires_own_key("a website shows the key that an administrator made for it")
@without_form_token("a program shows a key in each request, and no cookie stands for it")
@with_key
@writes(own_ids=True)
def hand_in() -> Response:
    """One enquiry. Answers with a receipt and the day by which somebody gets in touch; with nothing about anybody."""
    now, today = now_utc(), today_in_london()
    rulebook = policy.rulebook_on(today)
    website = intake.website_with(g.website_id)
    key = _idempotency_key()
    raw = _body()
    digest = hashlib.sha256(raw).hexdigest()
    taken = intake.taken_before(website, idempotency_key=key, body_digest=digest)
    if taken is None:
        sent = read_enquiry(
            _read_json(raw),
            rulebook.criteria,
            website_id=website.id,
            source=f"Website: {website.name}",
            one_time_id=intake.one_time_id_for(website.id, key),
            received_at=now,
            known_version=_known,
        )
        taken = _take_in(website, sent, key, digest, now=now, today=today, rulebook=rulebook)
    return _json({"receipt": taken.receipt, "contact_by": taken.contact_by_on.isoformat()}, 201)


@bp.get("/wordings")
@requires_own_key("a website shows the key that an administrator made for it")
@with_key
def wordings() -> Response:
    """The service's own words in force today, for a website that shows them beside its boxes."""
    today = today_in_london()
    words = {channel: policy.wording(f"consent.{channel}", today) for channel in CONSENT_CHANNELS}
    notice = policy.wording("privacy_notice", today)
    return _json(
        {
            "privacy_notice": {"version": notice.version, "source": OUR_WORDS, "text": notice.text},
            "consents": [
                {
                    "channel": channel,
                    "wording_version": one.version,
                    "wording_source": OUR_WORDS,
                    "text": one.text,
                }
                for channel, one in words.items()
            ],
        },
        200,
    )


@bp.get("/openapi.json")
@public_page
def openapi() -> Response:
    """What this interface takes and gives, as OpenAPI 3.1, written from the fields themselves."""
    return _json(described(policy.rulebook_on(today_in_london()).criteria), 200)


def _take_in(website: IntakeWebsite, sent: Any, key: str, digest: str, **at: Any) -> intake.Taken:
    try:
        return intake.take_in_once(website, sent, idempotency_key=key, body_digest=digest, **at)
    except IntegrityError as fault:
        if is_conflict_of_unique(fault, "intake_receipt"):
            raise once.SentAtTheSameMoment from fault
        raise


def _idempotency_key() -> str:
    key = request.headers.get("Idempotency-Key", "")
    if not once.SHAPE.fullmatch(key):
        raise NotAsDescribed(
            "Send an Idempotency-Key: 16 to 64 letters, numbers, hyphens or underscores, new for each enquiry and the "
            "same when you send one again.",
            status=400,
        )
    return key


def _body() -> bytes:
    if request.mimetype != "application/json":
        raise NotAsDescribed("Send JSON: Content-Type: application/json", status=415)
    request.max_content_length = LARGEST_BYTES
    return request.get_data(cache=False)


def _read_json(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as fault:
        raise NotAsDescribed("The body can’t be read as JSON in UTF-8.", status=400) from fault


def _known(name: str, version: str) -> bool:
    try:
        policy.wording_of_version(name, version)
    except KeyError:
        return False
    return True


def _json(body: Any, status: int) -> Response:
    response = make_response(json.dumps(body, ensure_ascii=False, indent=1) + "\n", status)
    response.headers["Content-Type"] = "application/json"
    return response
