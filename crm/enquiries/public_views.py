"""The public form. Looking at a page writes nothing; each answer is kept before the next page is shown.

The draft is what makes sending twice harmless: it knows the case it became, and whether its answers changed since.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, time
from typing import Any

from flask import Blueprint, Response, current_app, request, url_for
from werkzeug.exceptions import NotFound

from crm import policy
from crm.access.guards import public_page
from crm.clock import now_utc, today_in_london
from crm.enquiries import drafts, queries
from crm.enquiries import questions as pages
from crm.enquiries.public_forms import RingForm, SendForm, form_of
from crm.enquiries.submitting import news_channels, send_draft
from crm.rules.permissions import PUBLIC
from crm.web.filters import clock_time, date_only
from crm.web.forms import BaseForm
from crm.web.limits import limited
from crm.web.pages import render, see_other
from crm.web.writes import writes

bp = Blueprint("enquire", __name__)

SENDINGS_A_WINDOW = 1000
WINDOW_SECONDS = 300


@bp.get("/")
@public_page
def start() -> str:
    """The first page. It asks the database for nothing but how the service speaks of itself."""
    rulebook = policy.rulebook_on(today_in_london())
    return render(
        "enquire/start.html",
        question_count=len(pages.asked(rulebook.criteria)),
        first_contact=rulebook.deadline("first_contact"),
        usual_age=_usual_age(rulebook.criteria),
        begun=_cookie_name() in request.cookies,
    )


@bp.get("/privacy")
@public_page
def privacy() -> str:
    return render("enquire/privacy.html", notice=policy.wording("privacy_notice", today_in_london()))


@bp.get("/accessibility")
@public_page
def accessibility() -> str:
    return render("enquire/accessibility.html")


@bp.get("/enquire/later")
@public_page
def later() -> str:
    return render("enquire/later.html")


@bp.route("/enquire/<step>", methods=["GET", "POST"])
@public_page
@writes
def step(step: str) -> Response | tuple[str, int]:
    """One question."""
    now, today = now_utc(), today_in_london()
    criteria = policy.rulebook_on(today).criteria
    question = pages.question_of(step)
    if question is None or question not in pages.asked(criteria):
        raise NotFound
    draft = drafts.draft_of(_token(), now=now, lock=request.method == "POST")
    answers = drafts.answers_of(draft)
    asks_a_criterion = question.criterion not in (None, "age")
    form = form_of(step, question.criterion, criteria)(**_typed(answers))
    if step == "news":
        _offer_news(form, answers, today=today)
    if form.is_sent_and_right():
        new_token = None
        if draft is None:
            draft, new_token = drafts.begin_draft(now=now)
        drafts.keep_answers(draft, _given(form, question.answers), now=now)
        back_to_check = request.args.get("from") == "check"
        response = see_other(url_for("enquire.check") if back_to_check else _address(pages.page_after(step, criteria)))
        if new_token is not None:
            _give_cookie(response, new_token)
        return response
    return (
        render(
            "enquire/criterion.html" if asks_a_criterion else f"enquire/{step.replace('-', '_')}.html",
            form=form,
            steps=_steps(question.step),
            back=_back(step, criteria),
            answers=answers,
            field=form[question.criterion] if question.criterion in form._fields else None,
            criterion=next((one for one in criteria if one.name == question.criterion), None),
        ),
        form.status,
    )


@bp.route("/enquire/where-you-stand", methods=["GET", "POST"])
@public_page
@writes
def where_you_stand() -> Response | tuple[str, int]:
    """A first look at the answers: yes, yes with something to talk about, or not just yet, with a date."""
    now, today = now_utc(), today_in_london()
    rulebook = policy.rulebook_on(today)
    draft = drafts.draft_of(_token(), now=now, lock=request.method == "POST")
    answers = drafts.answers_of(draft)
    if draft is None or not answers:
        return see_other(url_for("enquire.start"))
    advice = pages.advice_on(answers, rulebook.criteria, on=today, districts=policy.service().districts)
    is_later = advice.outcome in ("not_now", "not_eligible")
    form = RingForm(ring="then" if answers.get("ring_on") else "soon" if "ring_on" in answers else None)
    if request.method == "POST" and (not is_later or form.is_sent_and_right()):
        ring_on = advice.come_back_on if is_later and form.ring.data == "then" else None
        drafts.keep_answers(draft, {"ring_on": ring_on.isoformat() if ring_on else ""}, now=now)
        return see_other(_address(pages.page_after(pages.RESULT, rulebook.criteria)))
    return (
        render(
            "enquire/not_just_yet.html" if is_later else "enquire/yes.html",
            form=form,
            advice=advice,
            fits=pages.what_fits(answers, advice),
            answers=answers,
            back=_back(pages.RESULT, rulebook.criteria),
        ),
        form.status if is_later else 200,
    )


@bp.route("/enquire/check", methods=["GET", "POST"])
@public_page
@limited("enquiry form", at_most=SENDINGS_A_WINDOW, seconds=WINDOW_SECONDS)
@writes
def check() -> Response | str:
    """Check the answers, then send them: once, however often the button is pressed."""
    now, today = now_utc(), today_in_london()
    rulebook = policy.rulebook_on(today)
    draft = drafts.draft_of(_token(), now=now, lock=request.method == "POST")
    if draft is None:
        return see_other(url_for("enquire.start"))
    answers = drafts.answers_of(draft)
    gap = pages.first_gap(answers)
    if gap is not None:
        return see_other(_address(gap))
    form = SendForm()
    if form.is_sent_and_right():
        send_draft(draft, actor=PUBLIC, now=now, today=today, rulebook=rulebook)
        return see_other(url_for("enquire.done"))
    return render(
        "enquire/check.html",
        form=form,
        steps=_steps(pages.CHECK),
        back=_back("check", rulebook.criteria),
        cards=_cards(answers, rulebook.criteria),
        sent_before=draft.case_id is not None,
        privacy=policy.wording("privacy_notice", today),
    )


@bp.get("/enquire/done")
@public_page
def done() -> Response | str:
    """Who rings, by when, and from which number. Shown to the browser that sent it, and to no other."""
    draft = drafts.draft_of(_token(), now=now_utc())
    if draft is None or draft.case_id is None:
        return see_other(url_for("enquire.start"))
    return render(
        "enquire/done.html",
        promise=queries.promise_of(draft.case_id),
        answers=drafts.answers_of(draft),
        until=clock_time(time(*divmod(policy.service().safe_until_minutes, 60))),
    )


# --- The browser's token ----------------------------------------------------------------------------------------------


def _cookie_name() -> str:
    return "__Host-enquiry" if current_app.extensions["crm_settings"].cookie_secure else "enquiry"


def _token() -> str | None:
    return request.cookies.get(_cookie_name())


def _give_cookie(response: Response, token: str) -> None:
    response.set_cookie(
        _cookie_name(),
        token,
        max_age=int(drafts.KEPT_FOR.total_seconds()),
        secure=current_app.extensions["crm_settings"].cookie_secure,
        httponly=True,
        samesite="Lax",
        path="/",
    )


# --- Pages ------------------------------------------------------------------------------------------------------------


def _address(slug: str) -> str:
    if slug == "check":
        return "/enquire/check"
    if slug == pages.RESULT:
        return "/enquire/where-you-stand"
    return f"/enquire/{slug}"


def _back(slug: str, criteria: Any) -> str:
    if request.args.get("from") == "check":
        return "/enquire/check"
    before = pages.page_before(slug, criteria)
    return _address(before) if before else "/"


def _steps(current: str) -> list[tuple[str, str]]:
    at = pages.STEPS.index(current)
    return [(name, "done" if i < at else "now" if i == at else "") for i, name in enumerate(pages.STEPS)]


def _typed(answers: Mapping[str, Any]) -> dict[str, Any]:
    """What was answered before, as a form takes it."""
    typed = dict(answers)
    typed["born_on"] = date.fromisoformat(answers["born_on"]) if answers.get("born_on") else None
    return typed


def _given(form: BaseForm, names: tuple[str, ...]) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for name in names:
        value = form[name].data
        given[name] = value.isoformat() if isinstance(value, date) else value or ""
    if given.get("second") in ("no", "dont_know"):
        for name in names:
            if name.startswith("second_"):
                given[name] = ""
    return given


def _offer_news(form: Any, answers: Mapping[str, Any], *, today: date) -> None:
    channels = news_channels(answers)
    form.news.choices = [(channel, policy.wording(f"consent.{channel}", today).text) for channel in channels]
    if form.news.data:
        form.news.data = [channel for channel in form.news.data if channel in channels or form.is_sent]


def _usual_age(criteria: Any) -> int:
    age = next((one for one in criteria if one.is_about_age), None)
    return max(age.usual_minimum_age or 18, age.hard_minimum_age or 18) if age else 18


Row = tuple[str, str, str, str]


def _cards(answers: Mapping[str, Any], criteria: Any) -> list[tuple[str, list[Row]]]:
    def row(label: str, value: str, slug: str, second: str = "") -> Row:
        return label, value or "Not answered", second, url_for("enquire.step", step=slug) + "?from=check"

    names = {question.criterion for question in pages.asked(criteria)}
    born_on = answers.get("born_on")
    second = answers.get("second") or ""
    second_name = f"{answers.get('second_given_name', '')} {answers.get('second_family_name', '')}".strip()
    second_reach = ", ".join(part for part in (answers.get("second_phone"), answers.get("second_email")) if part)
    home = [row("Postcode", answers.get("postcode", ""), "postcode")]
    if "spare_room" in names:
        home.append(
            row("Spare room", pages.label_of(criteria, "spare_room", answers.get("spare_room")) or "", "spare-room")
        )
    household = [
        row(
            "Fostering with you",
            second_name or pages.SECOND_WORDS.get(second, ""),
            "second-adult",
            second_reach if second_name else "",
        )
    ]
    for name, label, slug in (
        ("smoking", "Smoking or vaping", "smoking"),
        ("life_changes", "Big changes now", "changes"),
    ):
        if name in names:
            household.append(row(label, pages.label_of(criteria, name, answers.get(name)) or "", slug))
    you = [
        row("Name", f"{answers.get('given_name', '')} {answers.get('family_name', '')}".strip(), "name"),
        row("Born", date_only(date.fromisoformat(born_on)) if born_on else "", "age"),
    ]
    if "right_to_live" in names:
        label = pages.label_of(criteria, "right_to_live", answers.get("right_to_live")) or ""
        you.append(row("Right to live and work in the UK", label, "right-to-work"))
    reach = [
        row("Phone", answers.get("phone", ""), "contact"),
        row("Email", answers.get("email", ""), "contact"),
        row("Best time", pages.TIMES_WORDS.get(answers.get("contact_times") or "", ""), "contact"),
        row(
            "Leaving a message",
            pages.SAFE_WORDS.get(answers.get("safe") or "", ""),
            "safe-contact",
            answers.get("safe_note") or "",
        ),
    ]
    ways = {"email": "email", "text": "text", "phone": "phone", "post": "post"}
    chosen = [ways[channel] for channel in answers.get("news") or ()]
    touch = [row("News and events", ("By " + " and ".join(chosen)) if chosen else "No, thank you", "news")]
    return [
        (pages.HOME, home),
        (pages.HOUSEHOLD, household),
        (pages.YOU, you),
        (pages.REACH, reach),
        (pages.TOUCH, touch),
    ]
