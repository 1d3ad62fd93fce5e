"""The letters of a case as they were sent, and who has looked at it."""

from __future__ import annotations

from typing import Any

from flask import Response, make_response, request

from crm import audit, policy
from crm.access.guards import current_actor, requires
from crm.access.queries import names_of
from crm.assessments import notices
from crm.audit import queries as trail
from crm.audit.event_names import words_for
from crm.cases import letter_words, timeline
from crm.cases.letters import ways_it_could_go
from crm.cases.merge_queries import former_ids
from crm.cases.models import Case
from crm.cases.queries import case_for, case_head, is_on_case
from crm.clock import now_utc, today_in_london
from crm.delivery import Channel, OutboundMessage, posting
from crm.delivery import queries as outbox
from crm.delivery.failures import failure_words
from crm.delivery.letters import LETTERS, Audience
from crm.delivery.models import CHANNEL_WORDS, STATUS_MARKS, STATUS_WORDS
from crm.rules.permissions import Permission
from crm.rules.refusal import Refusal
from crm.staff.case_forms import DispatchForm
from crm.staff.views import bp, case_path
from crm.web.notices import tell
from crm.web.pages import render, see_other
from crm.web.sightings import records_view, saw
from crm.web.writes import writes


class NoSuchLetter(Refusal):
    """The letter is not one of this case."""

    default_status = 404


class KeptClosely(Refusal):
    """The letter says why, or says something about a person: it is for those whose work the household is."""

    default_status = 403


def letter_name(kind: str) -> str:
    """What a letter is called on lists; a kind no longer in use reads as itself."""
    found = LETTERS.get(kind)
    return found.title if found is not None else kind.replace("_", " ").capitalize()


def _head(found: Case) -> dict[str, Any]:
    today = today_in_london()
    head = case_head(found, today=today, rulebook=policy.rulebook_on(today))
    return {"head": head, "base": case_path(found.reference)}


def _letter(reference: str, letter_id: int) -> tuple[Case, OutboundMessage]:
    found = case_for(current_actor(), reference, today=today_in_london())
    letter = outbox.message_by_id(letter_id, case_id=found.id)
    if letter is None:
        raise NoSuchLetter("We can’t find that letter among this household’s.")
    kind = LETTERS.get(letter.kind)
    if kind is not None and kind.audience is Audience.REFEREE and kind.must_say:
        raise KeptClosely("This letter holds a referee’s own link, which is for them alone, so nobody here reads it.")
    if kind is not None and kind.asked_for:
        raise KeptClosely("This letter holds a code that its reader asked for, so nobody here reads it.")
    if (kind is None or kind.contains_sensitive) and not is_on_case(current_actor(), found, today=today_in_london()):
        raise KeptClosely("This letter is shown to those who work with this household.")
    return found, letter


@bp.get("/cases/<reference>/letters")
@requires(Permission.VIEW_CASES)
@records_view("letters")
def letters(reference: str) -> str:
    """Every letter of the case, the newest first, and what became of each."""
    found = case_for(current_actor(), reference, today=today_in_london())
    saw(case_id=found.id, subject=f"case:{found.reference}")
    rows = outbox.messages_of_case(found.id)
    people = {person.id: person.full_name for person in found.household.people}
    return render(
        "staff/letters.html",
        rows=rows,
        people=people,
        letter_name=letter_name,
        status_words=STATUS_WORDS,
        states=STATUS_MARKS,
        channel_words=CHANNEL_WORDS,
        methods=posting.DISPATCH_METHODS,
        failure_words=failure_words,
        **_head(found),
    )


@bp.get("/cases/<reference>/letters/preview")
@requires(Permission.PREVIEW_LETTERS)
@records_view("letter_preview")
def letter_preview(reference: str) -> str:
    """Any letter's words as they would go to somebody of this household, and whether and how it would go. Nothing is
    sent, and nothing is kept but that somebody looked."""
    actor, now, today = current_actor(), now_utc(), today_in_london()
    found = case_for(actor, reference, today=today)
    kinds = letter_words.letters_to_households()
    letter = letter_words.letter_kind(request.args.get("kind", kinds[0].kind))
    readers = [one for one in found.household.people if one.is_applicant and one.left_household_on is None]
    said = request.args.get("person", "")
    person = next((one for one in readers if str(one.id) == said), readers[0] if readers and not said else None)
    if person is None:
        raise NoSuchLetter("We can’t find that person among those of this household who get letters.")
    ways = ways_it_could_go(letter.kind, found, person, now=now)
    by = request.args.get("by", "")
    taken = next((way.channel for way in ways if way.is_taken), letter.channels[0])
    channel = Channel(by) if by in letter.channels else taken
    written = letter_words.written_for(letter.kind, found, person, channel, actor=actor, today=today)
    saw(case_id=found.id, subject=f"person:{person.id}", kinds=(f"letter_{letter.kind}",))
    return render(
        "staff/letter_preview.html",
        kinds=kinds,
        letter=letter,
        readers=readers,
        person=person,
        ways=ways,
        by=by,
        channel=channel,
        channels=letter.channels,
        channel_words=CHANNEL_WORDS,
        written=written,
        **_head(found),
    )


@bp.get("/cases/<reference>/letters/<int:letter_id>")
@requires(Permission.VIEW_CASES)
@records_view("letter")
def letter(reference: str, letter_id: int) -> Response:
    """One letter as it was sent or printed."""
    found, row = _letter(reference, letter_id)
    return _letter_page(found, row, DispatchForm())


def _letter_page(found: Case, row: OutboundMessage, form: DispatchForm) -> Response:
    saw(case_id=found.id, subject=f"letter:{row.id}")
    people = {person.id: person.full_name for person in found.household.people}
    body = render(
        "staff/letter.html",
        letter=row,
        parts=outbox.email_parts(row),
        person=people.get(row.person_id or 0),
        name=letter_name(row.kind),
        status_words=STATUS_WORDS,
        states=STATUS_MARKS,
        channel_words=CHANNEL_WORDS,
        methods=posting.DISPATCH_METHODS,
        failure_words=failure_words,
        dispatched_by=names_of([row.dispatched_by_id]).get(row.dispatched_by_id or 0),
        form=form,
        **_head(found),
    )
    return make_response(body, form.status)


@bp.get("/cases/<reference>/letters/<int:letter_id>/pdf")
@requires(Permission.VIEW_CASES)
@records_view("letter")
def letter_pdf(reference: str, letter_id: int) -> Response:
    """The letter to print, the same each time."""
    found, row = _letter(reference, letter_id)
    saw(case_id=found.id, subject=f"letter:{row.id}")
    response = make_response(posting.print_pdf(row))
    response.mimetype = "application/pdf"
    response.headers["Content-Disposition"] = f'inline; filename="{found.reference}-{row.id}.pdf"'
    return response


@bp.post("/cases/<reference>/letters/<int:letter_id>/dispatch")
@requires(Permission.RECORD_POST)
@records_view("letter")
@writes
def record_dispatch(reference: str, letter_id: int) -> Response:
    """Record that a printed letter was posted: the day and the way are evidence."""
    found, row = _letter(reference, letter_id)
    form, actor, now = DispatchForm(), current_actor(), now_utc()
    if not form.is_sent_and_right():
        return _letter_page(found, row, form)
    try:
        posting.record_dispatch(row, on=form.dispatched_on.data, method=form.method.data, actor=actor, now=now)
    except Refusal as refusal:
        if refusal.status != 422:
            raise
        (form.method if refusal.field == "method" else form.dispatched_on).errors = [refusal.message]
        return _letter_page(found, row, form)
    how = posting.DISPATCH_METHODS[form.method.data]
    title = f"Letter posted: {letter_name(row.kind)}, {how[0].lower()}{how[1:]}"
    timeline.add(found, kind="letter", title=title, actor=actor, occurred_at=now)
    audit.record(
        "letter.dispatched",
        actor=actor,
        at=now,
        case_id=found.id,
        subject=f"letter:{row.id}",
        detail={"on": form.dispatched_on.data, "method": form.method.data},
    )
    on, today = form.dispatched_on.data, today_in_london()
    if row.kind in notices.NOTICE_LETTERS:
        notices.follow_posting(
            found,
            posted_on=on,
            method=form.method.data,
            actor=actor,
            now=now,
            today=today,
            rulebook=policy.rulebook_on(today),
        )
    tell(f"Recorded as posted on {on:%A} {on.day} {on:%B}.")
    return see_other(f"{case_path(found.reference)}/letters")


@bp.get("/cases/<reference>/looked")
@requires(Permission.VIEW_CASES)
def looked(reference: str) -> str:
    """Who has opened this case or something kept closely in it."""
    found = case_for(current_actor(), reference, today=today_in_london())
    page = trail.looks_of_case(found.id, taken_up=former_ids(found.id), before=request.args.get("before", type=int))
    names = names_of(entry.actor_id for entry in page.entries if entry.actor_kind == "staff")
    return render("staff/looked.html", page=page, staff_names=names, words_for=words_for, **_head(found))
