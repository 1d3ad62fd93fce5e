"""An applicant's documents: what is asked, how each stands, and sending photos of them from a phone."""

from __future__ import annotations

from flask import Blueprint, Response, make_response, url_for

import crm.assessments.views  # noqa: F401  (its pages are defined in one go, before any is used here)
from crm.access.guards import requires_applicant
from crm.assessments import documents
from crm.assessments.document_views import LARGEST_MEGABYTES, documents_taken, hand_in_form, takes_documents
from crm.assessments.documents import DocumentLine, DocumentNotFound
from crm.portal.home_views import me
from crm.portal.me import Me
from crm.rules.documents import KINDS, Standing
from crm.rules.refusal import Refusal
from crm.web import limits
from crm.web.notices import tell
from crm.web.pages import render, see_other
from crm.web.uploads import accepts_upload
from crm.web.writes import writes

bp = Blueprint("our_documents", __name__)

STANDING_WORDS: dict[Standing, tuple[str, str]] = {
    Standing.WANTED: ("none", "To send"),
    Standing.HELD: ("waiting", "We have it"),
    Standing.WITH_US: ("waiting", "We have it"),
    Standing.SENT_BACK: ("due", "Please send it again"),
    Standing.ACCEPTED: ("ok", "Done"),
    Standing.RUNS_OUT: ("due", "Runs out soon"),
    Standing.RAN_OUT: ("over", "Has run out"),
    Standing.NOT_NEEDED: ("none", "Not needed"),
}
"""How an applicant reads each standing. That something waits for a scanner is ours to worry about."""


def _lines(mine: Me) -> list[DocumentLine]:
    """What is theirs, and the household's, and may be handed in by them."""
    lines = documents.lines_of(mine.case, today=mine.today)
    return [line for line in (*lines.get(mine.person.id, []), *lines[None]) if line.kind.by_applicants]


@bp.get("/my/documents")
@requires_applicant
def list_documents() -> str:
    """What is asked, how each stands, and what else could be sent."""
    mine = me()
    lines = _lines(mine)
    shown = {line.kind.name for line in lines}
    return render(
        "portal/documents.html",
        me=mine,
        to_do=[line for line in lines if line.is_to_do],
        others=[line for line in lines if not line.is_to_do and line.standing is not Standing.NOT_NEEDED],
        more=[
            DocumentLine(kind, None if kind.is_shared else mine.person, None, Standing.WANTED)
            for kind in KINDS
            if kind.by_applicants and (kind.name not in shown or kind.name == "other")
        ],
        words=STANDING_WORDS,
        is_open=documents.is_open(mine.case),
    )


@bp.route("/my/documents/<key>", methods=["GET", "POST"])
@requires_applicant
@limits.limited("documents", at_most=120, seconds=900)
@accepts_upload(megabytes=LARGEST_MEGABYTES)
@takes_documents
@writes
def document(key: str) -> Response:
    """One document: what is wanted, and a way to send it."""
    mine = me()
    line = documents.line_of(mine.case, key, today=mine.today)
    if not line.kind.by_applicants or (line.person is not None and line.person.id != mine.person.id):
        raise DocumentNotFound
    form = hand_in_form(line)
    if form.is_sent_and_right():
        try:
            documents.hand_in(
                mine.case,
                line,
                documents_taken(),
                words=form["words"].data if "words" in form else None,
                actor=mine.actor,
                now=mine.now,
                today=mine.today,
                rulebook=mine.rulebook,
            )
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            tell(f"“{line.kind.title}” has reached us. Somebody looks at it, and you see here what we make of it.")
            return see_other(url_for("our_documents.list_documents"))
    last = line.document.last if line.document is not None else None
    return make_response(
        render(
            "portal/document.html",
            me=mine,
            line=line,
            last=last,
            accepted=line.document.accepted if line.document is not None else None,
            senders={one.id: one.given_name for one in mine.case.household.people},
            form=form,
            words=STANDING_WORDS,
            is_open=documents.is_open(mine.case),
            most=documents.MOST_FILES,
        ),
        form.status,
    )
