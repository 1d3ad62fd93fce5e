"""Staff screens of a referee: named, asked, reminded, read, rung and written up."""

from __future__ import annotations

from typing import Any

from flask import Response

from crm.access.guards import requires
from crm.access.queries import names_of
from crm.assessments import checks, queries, referees
from crm.assessments.models import Check
from crm.assessments.overview_views import MAY_LOOK, Looking, case_page, look, seen_of
from crm.assessments.parts import referees_named
from crm.assessments.referee_forms import BookTalkForm, OutForm, RefereeForm, WriteUpForm
from crm.assessments.referee_models import HOW_WORDS, RELATION_WORDS, VIEW_WORDS, WHY_OUT_WORDS, Referee
from crm.assessments.referee_questions import read_reference, written_by
from crm.assessments.stage_forms import ConfirmForm
from crm.assessments.views import assessments
from crm.cases.queries import is_on_case
from crm.clock import london
from crm.rules.intervals import london_to_utc
from crm.rules.permissions import Permission, Sensitivity, may_see
from crm.rules.refusal import Refusal
from crm.web.filters import day
from crm.web.forms import BaseForm
from crm.web.notices import tell
from crm.web.pages import see_other
from crm.web.sightings import records_view, saw
from crm.web.writes import writes

P = Permission


def shows_reference(looking: Looking, person_id: int | None) -> bool:
    """Whether who a referee is and what they said is for whoever looks."""
    return may_see(
        looking.actor,
        Sensitivity.REFERENCE,
        subject_person_id=person_id,
        on_case=is_on_case(looking.actor, looking.case, today=looking.today),
    )


def _page(template: str, looking: Looking, referee: Referee, form: BaseForm | None = None, **more: Any) -> Response:
    shows = shows_reference(looking, referee.person_id)
    saw(
        case_id=looking.case.id,
        subject=referees.subject_of(referee),
        kinds=(Sensitivity.REFERENCE,) if shows else (),
    )
    return case_page(
        template,
        looking,
        form,
        referee=referee,
        first=referee.person.given_name,
        shows=shows,
        standing=referees.standing_of(referee, now=looking.now),
        back=f"{looking.base}/checks/{referee.interview_check_id or referee.check_id}",
        page=_address(looking, referee),
        **more,
    )


def _address(looking: Looking, referee: Referee) -> str:
    return f"{looking.base}/referees/{referee.id}"


@assessments.route("/cases/<reference>/checks/<int:check_id>/referee", methods=["GET", "POST"])
@requires(P.RECORD_CHECK)
@records_view("check")
@writes
def name_referee(reference: str, check_id: int) -> Response:
    """Put somebody in a place for a referee."""
    looking = look(reference)
    check = queries.check_of(looking.case, check_id)
    if check.item not in referees.REFEREE_ITEMS:
        raise queries.NothingThere("That check has no referee.")
    form = RefereeForm.named_before(_told(looking, check), seen=str(looking.case.version))
    if form.is_sent_and_right():
        try:
            referee = referees.name_referee(looking.case, check, form.given(), seen=seen_of(form), **looking.doing)
        except Refusal as refusal:
            if refusal.status == 403:
                raise
            form.take_refusal(refusal)
        else:
            tell("The referee is on the list. Nothing has been sent yet: ask them now, or later.")
            return see_other(_address(looking, referee))
    saw(case_id=looking.case.id, subject=checks.subject_of(check))
    return case_page(
        "assessments/name_referee.html",
        looking,
        form,
        first=check.person.given_name if check.person else "",
        base_check=f"{looking.base}/checks/{check.id}",
    )


def _told(looking: Looking, check: Check) -> dict[str, str]:
    """What the applicant wrote of the referee for this place; nothing for whom it is not to be seen by."""
    if not shows_reference(looking, check.person_id):
        return {}
    named = referees_named(looking.case, check.person_id)
    number = int(check.slot.rpartition(":")[2])
    return named[number - 1] if number <= len(named) else {}


@assessments.get("/cases/<reference>/referees/<int:referee_id>")
@requires(any_of=MAY_LOOK)
@records_view("referee")
def referee(reference: str, referee_id: int) -> Response:
    """One referee: where it stands, what they wrote and said, and the ways to go on."""
    looking = look(reference)
    found = referees.referee_of(looking.case, referee_id)
    shows = shows_reference(looking, found.person_id)
    waits = queries.check_of(looking.case, found.interview_check_id or found.check_id)
    return _page(
        "assessments/referee.html",
        looking,
        found,
        said=read_reference(written_by(found), found.person.given_name, but=("sharing",))
        if shows and found.is_submitted
        else [],
        relation=RELATION_WORDS[found.relation] if shows else "",  # type: ignore[index]
        view_words=VIEW_WORDS[found.view] if shows and found.view else "",  # type: ignore[index]
        how_words=HOW_WORDS[found.booked_how] if found.booked_how else "",  # type: ignore[index]
        out_words=WHY_OUT_WORDS[found.withdrawn_why] if shows and found.withdrawn_why else "",  # type: ignore[index]
        interviewer=names_of([found.interviewer_id]).get(found.interviewer_id or 0, ""),
        can_record=looking.actor.has(P.RECORD_CHECK),
        is_waited_for=not waits.is_obtained and waits.is_needed,
        has_interview=found.interview_check_id is not None,
        link_works=found.link_ends_at is not None and found.link_ends_at > looking.now,
    )


@assessments.post("/cases/<reference>/referees/<int:referee_id>/ask")
@requires(P.RECORD_CHECK)
@writes
def ask_referee(reference: str, referee_id: int) -> Response:
    """Send a referee their link."""
    looking = look(reference)
    found = referees.referee_of(looking.case, referee_id)
    message = referees.ask_referee(looking.case, found, **looking.doing)
    tell(f"The link is on its way to the referee, by {message.channel}. We ask for an answer by {_by(found)}.")
    return see_other(_address(looking, found))


@assessments.post("/cases/<reference>/referees/<int:referee_id>/chase")
@requires(P.RECORD_CHECK)
@writes
def chase_referee(reference: str, referee_id: int) -> Response:
    """Remind a referee: the same link once more."""
    looking = look(reference)
    found = referees.referee_of(looking.case, referee_id)
    message = referees.chase(looking.case, found, **looking.doing)
    tell(f"A reminder is on its way, by {message.channel}, with the same link. We ask for an answer by {_by(found)}.")
    return see_other(_address(looking, found))


def _by(found: Referee) -> str:
    return day(found.reply_by) if found.reply_by else ""


@assessments.route("/cases/<reference>/referees/<int:referee_id>/change", methods=["GET", "POST"])
@requires(P.RECORD_CHECK)
@records_view("referee")
@writes
def change_referee(reference: str, referee_id: int) -> Response:
    """Put right how a referee is called or reached."""
    looking = look(reference)
    found = referees.referee_of(looking.case, referee_id)
    form = RefereeForm.of(found, seen=str(looking.case.version))
    if form.is_sent_and_right():
        try:
            ended = referees.change_referee(looking.case, found, form.given(), seen=seen_of(form), **looking.doing)
        except Refusal as refusal:
            if refusal.status == 403:
                raise
            form.take_refusal(refusal)
        else:
            tell(
                "Changed. The link that went to the old place is closed: ask them again."
                if ended
                else "Changed. Nothing was sent."
            )
            return see_other(_address(looking, found))
    return _page("assessments/change_referee.html", looking, found, form)


@assessments.route("/cases/<reference>/referees/<int:referee_id>/out", methods=["GET", "POST"])
@requires(P.RECORD_CHECK)
@records_view("referee")
@writes
def withdraw_referee(reference: str, referee_id: int) -> Response:
    """Take a referee out, so that another can take the place."""
    looking = look(reference)
    found = referees.referee_of(looking.case, referee_id)
    form = OutForm(seen=str(looking.case.version))
    if form.is_sent_and_right():
        try:
            referees.withdraw_referee(looking.case, found, why=form.why.data, seen=seen_of(form), **looking.doing)
        except Refusal as refusal:
            if refusal.status == 403:
                raise
            form.take_refusal(refusal)
        else:
            tell("The referee is out, and their link is closed. You can name another.")
            return see_other(f"{looking.base}/checks/{found.check_id}/referee")
    return _page("assessments/withdraw_referee.html", looking, found, form)


@assessments.route("/cases/<reference>/referees/<int:referee_id>/interview", methods=["GET", "POST"])
@requires(P.RECORD_CHECK)
@records_view("referee")
@writes
def book_interview(reference: str, referee_id: int) -> Response:
    """Note when a referee is talked with."""
    looking = look(reference)
    found = referees.referee_of(looking.case, referee_id)
    booked = found.booked_for
    form = BookTalkForm(
        seen=str(looking.case.version),
        on=london(booked).date() if booked else None,
        starts=london(booked).time() if booked else None,
        how=found.booked_how,
    )
    if form.is_sent_and_right():
        starts = form.starts.data
        try:
            referees.book_interview(
                looking.case,
                found,
                booked_for=london_to_utc(form.on.data, starts.hour * 60 + starts.minute),
                how=form.how.data,
                seen=seen_of(form),
                **looking.doing,
            )
        except Refusal as refusal:
            if refusal.status == 403:
                raise
            form.take_refusal(refusal)
        else:
            tell(
                f"Booked for {day(form.on.data)}. The referee is told by {'email' if found.email else 'text'}, "
                "and it goes into the calendar of whose case it is."
            )
            return see_other(_address(looking, found))
    return _page(
        "assessments/book_interview.html",
        looking,
        found,
        form,
        has_talk=referees.has_talk_ahead(found, now=looking.now),
    )


@assessments.post("/cases/<reference>/referees/<int:referee_id>/interview/off")
@requires(P.RECORD_CHECK)
@writes
def call_off_interview(reference: str, referee_id: int) -> Response:
    """Call a booked talk off."""
    looking = look(reference)
    found = referees.referee_of(looking.case, referee_id)
    referees.call_off_interview(looking.case, found, seen=seen_of(ConfirmForm()), **looking.doing)
    tell("The talk is off. The referee is told, and it comes out of both calendars.")
    return see_other(_address(looking, found))


@assessments.route("/cases/<reference>/referees/<int:referee_id>/account", methods=["GET", "POST"])
@requires(P.RECORD_CHECK)
@records_view("referee")
@writes
def write_up_interview(reference: str, referee_id: int) -> Response:
    """Write up what a referee said: the interview check is in."""
    looking = look(reference)
    found = referees.referee_of(looking.case, referee_id)
    shows = shows_reference(looking, found.person_id)
    form = WriteUpForm(
        seen=str(looking.case.version),
        held_on=found.held_on,
        account=found.account if shows else None,
        view=found.view if shows else None,
    )
    if form.is_sent_and_right():
        try:
            referees.write_up_interview(
                looking.case,
                found,
                held_on=form.held_on.data,
                account=form.account.data,
                view=form.view.data,
                seen=seen_of(form),
                **looking.doing,
            )
        except Refusal as refusal:
            if refusal.status == 403:
                raise
            form.take_refusal(refusal)
        else:
            tell("Written up, and the interview is recorded as in.")
            return see_other(_address(looking, found))
    return _page("assessments/write_up_interview.html", looking, found, form)
