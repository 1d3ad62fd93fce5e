"""Final minutes: sent to the decision maker, put right, and signed by whoever chaired."""

from __future__ import annotations

from typing import Any

from flask import Response, make_response

from crm.access.guards import current_actor, requires
from crm.access.queries import names_of
from crm.assessments import meetings, minutes_signing, queries
from crm.assessments.minutes_forms import CorrectionForm, MinutesForm, PaperSignatureForm, PutRightForm, SignMinutesForm
from crm.assessments.minutes_words import minutes_shown
from crm.assessments.models import RECOMMENDATION_WORDS, TOOK_PART, PanelItem, Recommendation
from crm.assessments.overview_views import Looking, case_page, look, seen_of
from crm.assessments.terms import terms_of
from crm.assessments.views import panel
from crm.cases.models import Case
from crm.clock import now_utc, today_in_london
from crm.db import db
from crm.policy import rulebook_on
from crm.rules.permissions import Permission
from crm.rules.refusal import Refusal
from crm.web.filters import day, day_year, names
from crm.web.notices import tell
from crm.web.pages import render, see_other
from crm.web.sightings import records_view, saw
from crm.web.writes import writes

P = Permission


# --- Whoever runs the panel -------------------------------------------------------------------------------------------


@panel.route("/cases/<reference>/panel/minutes", methods=["GET", "POST"])
@requires(P.MANAGE_PANEL)
@records_view("panel")
@writes
def minutes(reference: str) -> Response:
    """The final minutes, and the day the decision maker had them."""
    looking = look(reference)
    item = queries.recommended_item(queries.items_of(looking.case))
    form = MinutesForm(seen=str(looking.case.version))
    if form.is_sent_and_right():
        try:
            if item is None:
                raise meetings.NotOnThisAgenda("The panel has not made its recommendation.")
            meetings.send_minutes(
                looking.case,
                item,
                minutes=form.minutes.data,
                received_on=form.received_on.data,
                seen=seen_of(form),
                **looking.doing,
            )
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            due = looking.rulebook.due_on("adm_decision", form.received_on.data)
            tell(f"With the decision maker, who decides by {day(due)}. The chair has been asked to sign.")
            return see_other(looking.base)
    return _minutes_page(looking, item, form, sending=form)


def _minutes_page(looking: Looking, item: PanelItem | None, form: Any, **forms: Any) -> Response:
    case = looking.case
    saw(case_id=case.id, subject=f"meeting:{item.meeting_id}" if item else f"case:{case.reference}")
    seen = {"takes_answers": False, "seen": str(case.version)}
    earlier = minutes_signing.earlier_minutes_of(item) if item else []
    return case_page(
        "panel/minutes.html",
        looking,
        form,
        item=item,
        sat=_who_sat(item) if item else "",
        said=RECOMMENDATION_WORDS[Recommendation(item.recommendation)] if item else "",
        shown=minutes_shown(item) if item else None,
        earlier=earlier,
        names=names_of([one.replaced_by_id for one in earlier]),
        sending=forms.get("sending") or MinutesForm(**seen),
        put_right=forms.get("put_right") or PutRightForm(**seen, minutes=item.minutes if item else ""),
        on_paper=forms.get("on_paper") or PaperSignatureForm(**seen),
    )


def _who_sat(item: PanelItem) -> str:
    return names(sorted(names_of(row.user_id for row in item.attendances if row.presence in TOOK_PART).values()))


@panel.post("/cases/<reference>/panel/minutes/put-right")
@requires(P.MANAGE_PANEL)
@records_view("panel")
@writes
def put_minutes_right(reference: str) -> Response:
    """Change final minutes; the chair is asked to sign them anew."""
    looking = look(reference)
    form = PutRightForm()
    if form.is_sent_and_right():
        try:
            minutes_signing.put_right(looking.case, minutes=form.minutes.data, seen=seen_of(form), **looking.doing)
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            tell("The minutes are put right. What they said before is kept, and the chair has been asked to sign.")
            return see_other(f"{looking.base}/panel/minutes")
    item = queries.recommended_item(queries.items_of(looking.case))
    return _minutes_page(looking, item, form, put_right=form)


@panel.post("/cases/<reference>/panel/minutes/on-paper")
@requires(P.MANAGE_PANEL)
@records_view("panel")
@writes
def minutes_signed_on_paper(reference: str) -> Response:
    """Note that the chair has signed on paper."""
    looking = look(reference)
    form = PaperSignatureForm()
    if form.is_sent_and_right():
        try:
            minutes_signing.record_paper_signature(
                looking.case, signed_on=form.signed_on.data, seen=seen_of(form), **looking.doing
            )
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            tell(f"Kept: the chair signed on paper on {day_year(form.signed_on.data)}.")
            return see_other(f"{looking.base}/panel/minutes")
    item = queries.recommended_item(queries.items_of(looking.case))
    return _minutes_page(looking, item, form, on_paper=form)


# --- Whoever chaired --------------------------------------------------------------------------------------------------


@panel.route("/panel/minutes/<int:item_id>", methods=["GET", "POST"])
@requires(P.SIT_ON_PANEL)
@records_view("minutes")
@writes
def sign_minutes(item_id: int) -> Response:
    """The minutes of an item, for whoever chaired it to read and sign; to others they are not there."""
    actor = current_actor()
    item = minutes_signing.own_minutes(item_id, actor=actor)
    form = SignMinutesForm(seen=minutes_signing.digest_of_minutes(item.minutes or ""))
    if form.is_sent_and_right():
        try:
            minutes_signing.sign_minutes(
                item, read=form.seen.data or "", actor=actor, now=now_utc(), today=today_in_london()
            )
        except Refusal as refusal:
            form.take_refusal(refusal)
            form.seen.data, form.is_right.data = minutes_signing.digest_of_minutes(item.minutes or ""), False
        else:
            tell("You have signed these minutes.")
            return see_other(f"/panel/minutes/{item_id}")
    return _signing_page(item_id, form, signing=form)


@panel.post("/panel/minutes/<int:item_id>/correction")
@requires(P.SIT_ON_PANEL)
@records_view("minutes")
@writes
def ask_for_correction(item_id: int) -> Response:
    """Have something put right before signing."""
    actor, today = current_actor(), today_in_london()
    item = minutes_signing.own_minutes(item_id, actor=actor)
    form = CorrectionForm()
    if form.is_sent_and_right():
        try:
            minutes_signing.ask_for_correction(
                item, words=form.words.data, actor=actor, now=now_utc(), today=today, rulebook=rulebook_on(today)
            )
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            tell("Whoever runs the panel has been asked. You will have an email when the minutes are put right.")
            return see_other(f"/panel/minutes/{item_id}")
    return _signing_page(item_id, form, correction=form)


def _signing_page(item_id: int, form: Any, **forms: Any) -> Response:
    item = minutes_signing.own_minutes(item_id, actor=current_actor())
    case = db.session.get_one(Case, item.case_id)
    saw(case_id=case.id, subject=f"meeting:{item.meeting_id}")
    words = item.minutes or ""
    body = render(
        "panel/sign_minutes.html",
        here="panel",
        form=form,
        item=item,
        case=case,
        sat=_who_sat(item),
        said=RECOMMENDATION_WORDS[Recommendation(item.recommendation)],
        terms=terms_of(item).words,
        shown=minutes_shown(item),
        signing=forms.get("signing") or SignMinutesForm(
            takes_answers=False, seen=minutes_signing.digest_of_minutes(words)
        ),
        correction=forms.get("correction") or CorrectionForm(takes_answers=False),
    )  # fmt: skip
    return make_response(body, form.status)
