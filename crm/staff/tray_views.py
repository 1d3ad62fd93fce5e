"""Messages that nobody could place: read by a person, put on a household or put aside."""

from __future__ import annotations

from flask import Response, make_response

from crm.access.guards import current_actor, requires
from crm.cases import replies
from crm.cases.queries import CaseNotFound, case_for
from crm.clock import now_utc, today_in_london
from crm.delivery.models import TRAY_WORDS
from crm.rules.permissions import Permission
from crm.staff.case_forms import PlaceMessageForm, choose
from crm.staff.views import bp, case_path
from crm.web.notices import tell
from crm.web.pages import render, see_other
from crm.web.sightings import records_view, saw
from crm.web.writes import writes


@bp.get("/messages")
@requires(Permission.RECORD_CONTACT, Permission.VIEW_ALL_ENQUIRIES)
@records_view("messages")
def tray() -> str:
    """What came in and belongs to no household that we can tell, the oldest first."""
    rows = replies.tray()
    saw(case_id=None, subject="incoming")
    return render("staff/tray.html", here="enquiries", rows=rows, why_words=TRAY_WORDS)


@bp.route("/messages/<int:message_id>", methods=["GET", "POST"])
@requires(Permission.RECORD_CONTACT, Permission.VIEW_ALL_ENQUIRIES)
@records_view("messages")
@writes
def place_message(message_id: int) -> Response:
    """Say whose a message is: by the household's reference first, then by the person."""
    message = replies.in_tray(message_id)
    saw(case_id=None, subject=f"incoming:{message.id}")
    form = PlaceMessageForm()
    found = None
    choose(form.person, [(0, "Choose who wrote it")])
    if form.is_sent and not form.reference.data:
        form.validate()
    elif form.is_sent:
        try:
            found = case_for(current_actor(), form.reference.data.strip().upper(), today=today_in_london())
        except CaseNotFound:
            form.reference.errors = ["We can’t find a household with this reference that you may open"]
    people = found.household.people if found else []
    choose(form.person, [(0, "Choose who wrote it"), *((person.id, person.full_name) for person in people)])
    if found is not None and form.is_sent_and_right():
        person = next((one for one in people if one.id == form.person.data), None)
        if person is None:
            form.person.errors = ["Choose who wrote it"]
        else:
            replies.file_from_tray(
                message,
                case=found,
                person=person,
                actor=current_actor(),
                now=now_utc(),
                today=today_in_london(),
            )
            tell(f"The message is on the timeline of {found.reference}, and on the owner’s list.")
            return see_other(case_path(found.reference))
    body = render(
        "staff/place_message.html", here="enquiries", message=message, form=form, found=found, why_words=TRAY_WORDS
    )
    return make_response(body, form.status)


@bp.post("/messages/<int:message_id>/dismiss")
@requires(Permission.RECORD_CONTACT, Permission.VIEW_ALL_ENQUIRIES)
@writes
def dismiss_message(message_id: int) -> Response:
    """A message is nothing to us."""
    replies.dismiss(replies.in_tray(message_id), actor=current_actor(), now=now_utc())
    tell("The message is put aside, and its words are gone.")
    return see_other("/messages")
