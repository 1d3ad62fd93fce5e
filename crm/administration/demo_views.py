"""In a demonstration only: each letter and its invitation as it was sent, so that the whole story can be followed."""

from __future__ import annotations

from flask import Response, current_app, make_response, request

from crm.access.guards import current_actor, requires_staff
from crm.administration.running_views import letter_name
from crm.administration.views import bp
from crm.delivery import OutboundMessage, posting
from crm.delivery import queries as outbox
from crm.delivery.models import CHANNEL_WORDS, STATUS_MARKS, STATUS_WORDS
from crm.rules.permissions import Permission
from crm.rules.refusal import Refusal
from crm.web.pages import render


class NotADemonstration(Refusal):
    """Outside a demonstration letters are seen with their case, by those who may open it."""

    default_status = 404


def _refuse_outside_demo() -> None:
    # An administrator sees no household's story, in a demonstration either.
    if not current_app.extensions["crm_settings"].is_demo or not current_actor().has(Permission.VIEW_CASES):
        raise NotADemonstration("This page is not here.")


def _letter(letter_id: int) -> OutboundMessage:
    _refuse_outside_demo()
    letter = outbox.message_by_id(letter_id)
    if letter is None:
        raise NotADemonstration("We can’t find that letter.")
    return letter


@bp.get("/demo/letters")
@requires_staff
def demo_letters() -> str:
    """Every letter that the demonstration has sent, the newest first."""
    _refuse_outside_demo()
    page = outbox.outbox_page(before=request.args.get("before", type=int))
    return render(
        "administration/demo_letters.html",
        page=page,
        letter_name=letter_name,
        status_words=STATUS_WORDS,
        states=STATUS_MARKS,
        channel_words=CHANNEL_WORDS,
    )


@bp.get("/demo/letters/<int:letter_id>")
@requires_staff
def demo_letter(letter_id: int) -> str:
    """One letter as it was sent, with its invitation."""
    letter = _letter(letter_id)
    parts = outbox.email_parts(letter)
    return render(
        "administration/demo_letter.html",
        letter=letter,
        parts=parts,
        ics=parts.ics.decode("utf-8", "replace").replace("\r\n", "\n") if parts and parts.ics else None,
        name=letter_name(letter.kind),
        status_words=STATUS_WORDS,
        states=STATUS_MARKS,
        channel_words=CHANNEL_WORDS,
    )


@bp.get("/demo/letters/<int:letter_id>/pdf")
@requires_staff
def demo_letter_pdf(letter_id: int) -> Response:
    """A letter by post, as it would be printed."""
    response = make_response(posting.print_pdf(_letter(letter_id)))
    response.mimetype = "application/pdf"
    return response
