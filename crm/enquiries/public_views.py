"""The public form. Looking at a page writes nothing; each answer is kept before the next page is shown.

The draft is what makes sending twice harmless: it knows what it became, and whether its answers changed since.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, time, timedelta
from typing import Any, TypeVar
from urllib.parse import urlencode

from flask import Blueprint, Response, current_app, g, make_response, redirect, request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import NotFound

from crm import policy
from crm.access.guards import public_page
from crm.cases.owners import whose_turn
from crm.clock import now_utc, today_in_london
from crm.enquiries import campaigns, drafts, queries
from crm.enquiries import questions as pages
from crm.enquiries.models import EnquiryDraft
from crm.enquiries.public_answers import cards
from crm.enquiries.public_forms import LinkForm, NewsForm, RingForm, SendForm, form_of
from crm.enquiries.return_link import send_link
from crm.enquiries.submitting import news_channels, send_draft
from crm.rules.permissions import PUBLIC
from crm.rules.quiet_times import keep_quiet, say_quiet
from crm.web import forgery, robots
from crm.web.filters import clock_time
from crm.web.forms import BaseForm, tidy
from crm.web.keyed import digest
from crm.web.limits import count_try, limited
from crm.web.pages import render, see_other
from crm.web.writes import writes

bp = Blueprint("enquire", __name__)

SENDINGS_A_WINDOW = 1000
BEGINNINGS_A_WINDOW = 1000
LINKS_A_WINDOW = 60
LETTERS_TO_A_MAILBOX = 3
AN_HOUR = 3600
WINDOW_SECONDS = robots.STEP_UP_SECONDS
SENDINGS, BEGINNINGS = "enquiry form", "enquiry begun"


View = TypeVar("View", bound=Callable[..., Any])


def counts_letters(view: View) -> View:
    """Above ``@writes``: nobody's mailbox is filled from our page, whoever asks for links to it and from wherever. The
    page says the same when no further letter goes."""

    @functools.wraps(view)
    def inside(*args: Any, **kwargs: Any) -> Any:
        address = str(tidy(request.form.get("email", ""))).casefold() if request.method == "POST" else ""
        if address:
            waits = count_try("enquiry link to", address, at_most=LETTERS_TO_A_MAILBOX, seconds=AN_HOUR)
            g.mailbox_has_enough = waits is not None
        return view(*args, **kwargs)

    return inside  # type: ignore[return-value]


def _begins_one() -> bool:
    """Whether a post begins a draft: those are counted, and not each page of a form that somebody is filling in."""
    return drafts.draft_of(_token(), now=now_utc()) is None


@bp.get("/")
@public_page
def start() -> str:
    """The first page. It asks the database for nothing but how the service speaks of itself."""
    rulebook = policy.rulebook_on(today_in_london())
    return render(
        "enquire/start.html",
        question_count=len(pages.asked(rulebook.criteria)),
        first_contact=rulebook.response_promise("web"),
        usual_age=_usual_age(rulebook.criteria),
        begun=_cookie_name() in request.cookies,
        came_by=_query(_came_by()),
    )


@bp.get("/c/<code>")
@public_page
def short_link(code: str) -> Response:
    """The short address of a leaflet or a poster: the first page, with its code."""
    return make_response(redirect(url_for("enquire.start", c=code, **_utm()), code=302))


@bp.get("/enquire/carry-on")
@public_page
def carry_on() -> Response:
    """Where somebody stopped: the first page without an answer."""
    answers = drafts.answers_of(drafts.draft_of(_token(), now=now_utc()))
    asked = pages.asked(policy.rulebook_on(today_in_london()).criteria)
    page = next((one.slug for one in asked if not any(name in answers for name in one.answers)), "check")
    return see_other(_address(page) + _query(_came_by()))


@bp.get("/privacy")
@public_page
def privacy() -> str:
    return render("enquire/privacy.html", notice=policy.wording("privacy_notice", today_in_london()))


@bp.get("/accessibility")
@public_page
def accessibility() -> str:
    return render("enquire/accessibility.html")


@bp.route("/enquire/<step>", methods=["GET", "POST"])
@public_page
@limited(BEGINNINGS, at_most=BEGINNINGS_A_WINDOW, seconds=WINDOW_SECONDS, counts=_begins_one)
@writes
def step(step: str) -> Response | tuple[str, int]:
    """One question."""
    now, today = now_utc(), today_in_london()
    criteria = policy.rulebook_on(today).criteria
    question = _question(step, criteria)
    draft = drafts.draft_of(_token(), now=now, lock=request.method == "POST")
    answers = drafts.answers_of(draft)
    is_hidden = question.closely_held and _is_answered(question, answers) and drafts.came_by_link(draft, _token())
    form = _form(question, criteria, draft, {} if is_hidden else answers, reads_typed=not is_hidden)
    if step == "news":
        _offer_news(form, answers, today=today)
    if step == "heard" and "heard" not in answers and not form.is_sent:
        form.heard.data = form.heard.data or campaigns.heard_from(drafts.arrivals_of(draft) or [_came_by()])
    keeps_as_it_was = is_hidden and form.is_sent and not any(request.form.get(name) for name in _boxes(form))
    if keeps_as_it_was or form.is_sent_and_right():
        new_token = None
        if draft is None:
            draft, new_token = drafts.begin_draft(now=now, page=_secret_of_page())
        drafts.keep_arrival(draft, campaigns.read_arrival(request.args), now=now)
        if not keeps_as_it_was:
            drafts.keep_answers(draft, _given(form, question, answers), now=now, of_page=step)
        back_to_check = request.args.get("from") == "check"
        response = see_other(url_for("enquire.check") if back_to_check else _address(pages.page_after(step, criteria)))
        if new_token is not None:
            _give_cookie(response, new_token)
        return response
    return (
        render(
            "enquire/criterion.html" if question.is_choice else f"enquire/{step.replace('-', '_')}.html",
            form=form,
            steps=_steps(question.step),
            back=_back(step, criteria),
            answers=answers,
            is_hidden=is_hidden,
            slug=step,
            field=form[question.criterion] if question.criterion in form._fields else None,
            criterion=next((one for one in criteria if one.name == question.criterion), None),
        ),
        form.status,
    )


@bp.post("/enquire/<step>/typed")
@public_page
@limited(BEGINNINGS, at_most=BEGINNINGS_A_WINDOW, seconds=WINDOW_SECONDS, counts=_begins_one)
@writes
def keep_typed(step: str) -> Response:
    """What stands on a page that somebody is still at. A page left open, or a phone that ran out, loses nothing."""
    now = now_utc()
    question = _question(step, policy.rulebook_on(today_in_london()).criteria)
    draft, new_token = drafts.draft_of(_token(), now=now, lock=True), None
    if draft is None:
        draft, new_token = drafts.begin_draft(now=now, page=_secret_of_page())
    typed = {
        name: [str(tidy(value)) for value in values]
        for name, values in request.form.lists()
        if name.partition("-")[0] in question.answers
    }
    drafts.keep_arrival(draft, campaigns.read_arrival(request.args), now=now)
    drafts.keep_typed(draft, step, typed, now=now)
    response = make_response("", 204, {"Content-Type": "text/plain; charset=utf-8"})
    if new_token is not None:
        _give_cookie(response, new_token)
    return response


@bp.route("/enquire/where-you-stand", methods=["GET", "POST"])
@public_page
@writes
def where_you_stand() -> Response | tuple[str, int]:
    """A first look at the answers: yes, yes with something to talk about, or not just yet, with a date."""
    now, today = now_utc(), today_in_london()
    rulebook, service = policy.rulebook_on(today), policy.service()
    draft = drafts.draft_of(_token(), now=now, lock=request.method == "POST")
    answers = drafts.answers_of(draft)
    if draft is None or not answers:
        return see_other(url_for("enquire.start"))
    hides = drafts.came_by_link(draft, _token())
    advice = pages.advice_on(answers, rulebook.criteria, on=today, districts=service.districts, hides=hides)
    if advice.come_back_on is not None:  # nobody is at their desk to ring on a Saturday or a Sunday
        days_on = (7 - advice.come_back_on.weekday()) % 7 if advice.come_back_on.weekday() >= 5 else 0
        advice = replace(advice, come_back_on=advice.come_back_on + timedelta(days=days_on))
    is_later = advice.outcome in ("not_now", "not_eligible")
    form = RingForm(ring="then" if answers.get("ring_on") else "soon" if "ring_on" in answers else None)
    if request.method == "POST" and (not is_later or form.is_sent_and_right()):
        if is_later or not hides:  # what they wished may rest on an answer that is not looked at here
            ring_on = advice.come_back_on if is_later and form.ring.data == "then" else None
            drafts.keep_answers(draft, {"ring_on": ring_on.isoformat() if ring_on else ""}, now=now)
        return see_other(_address(pages.page_after(pages.RESULT, rulebook.criteria)))
    turn = whose_turn(answers.get("postcode") or None, now=now, today=today)
    return (
        render(
            "enquire/not_just_yet.html" if is_later else "enquire/yes.html",
            form=form,
            advice=advice,
            about=pages.ABOUT_WORDS,
            fits=pages.what_fits(answers, advice),
            answers=answers,
            is_hidden=hides,
            person=turn.name.split(" ")[0] if turn is not None else None,
            back=_back(pages.RESULT, rulebook.criteria),
        ),
        form.status if is_later else 200,
    )


@bp.route("/enquire/check", methods=["GET", "POST"])
@public_page
@limited(SENDINGS, at_most=SENDINGS_A_WINDOW, seconds=WINDOW_SECONDS)
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
    notice = policy.wording("privacy_notice", today)
    work = f"draft:{draft.token_hash}" if robots.is_crowded(SENDINGS) else None
    form = SendForm()
    if form.is_sent_and_right():
        send_draft(
            draft,
            actor=PUBLIC,
            now=now,
            today=today,
            rulebook=rulebook,
            signs=_signs(draft, work),
            notice=_known_version("privacy_notice", form.notice.data),
        )
        return see_other(url_for("enquire.done"))
    form.notice.data = notice.version
    return render(
        "enquire/check.html",
        form=form,
        steps=_steps(pages.CHECK),
        back=_back("check", rulebook.criteria),
        cards=cards(answers, rulebook.criteria, hides=drafts.came_by_link(draft, _token())),
        sent_before=bool(draft.sent_count),
        privacy=notice,
        stamp=robots.stamp(now),
        puzzle=robots.puzzle_for(work) if work else None,
        puzzle_bits=robots.WORK_BITS,
    )


@bp.get("/enquire/done")
@public_page
def done() -> Response | str:
    """Who rings, by when, and from which number. Shown to the browser that sent it, and to no other."""
    draft = drafts.draft_of(_token(), now=now_utc())
    if draft is None or not draft.sent_count:
        return see_other(url_for("enquire.start"))
    answers, hides = drafts.answers_of(draft), drafts.came_by_link(draft, _token())
    if draft.case_id is None:
        return render("enquire/being_looked_at.html", answers=answers)
    return render(
        "enquire/done.html",
        promise=queries.promise_of(draft.case_id),
        answers=answers,
        is_hidden=hides,
        first_way=pages.first_way(answers),
        not_then=say_quiet(keep_quiet(answers.get("quiet_times") or ())),
        ring_on=date.fromisoformat(answers["ring_on"]) if answers.get("ring_on") and not hides else None,
        until=clock_time(time(*divmod(policy.service().safe_until_minutes, 60))),
    )


# --- Save, and come back by a link ------------------------------------------------------------------------------------


@bp.route("/enquire/later", methods=["GET", "POST"])
@public_page
@limited("enquiry link", at_most=LINKS_A_WINDOW, seconds=AN_HOUR)
@counts_letters
@writes
def later() -> Response | tuple[str, int]:
    """Stop here and come back: in this browser, or by a link, sent or shown. Says the same of every address."""
    now = now_utc()
    draft = drafts.draft_of(_token(), now=now, lock=request.method == "POST")
    answers = drafts.answers_of(draft)
    is_open = draft is not None and not draft.sent_count
    form = LinkForm(email=answers.get("email"))
    if form.is_sent_and_right() and draft is not None and is_open:
        token = drafts.make_link(draft, now=now)
        address = url_for("enquire.come_back", token=token, _external=True)
        if form.email.data and not g.get("mailbox_has_enough"):
            send_link(draft, to=form.email.data, address=address, now=now)
        return (
            render(
                "enquire/link_made.html",
                address=None if form.email.data else address,
                email=form.email.data,
                ends_on=draft.link_ends_at,
            ),
            200,
        )
    return render("enquire/later.html", form=form, can_have_link=is_open), form.status


@bp.route("/enquire/return/<token>", methods=["GET", "POST"])
@public_page
@limited("enquiry link opened", at_most=LINKS_A_WINDOW, seconds=WINDOW_SECONDS)
@writes
def come_back(token: str) -> Response | str:
    """A link to answers that were kept. The page shows none of them; its button takes them up in this browser."""
    now = now_utc()
    draft = drafts.draft_behind(token, now=now, lock=request.method == "POST")
    if request.method == "POST":
        browser = drafts.take_up(draft, own_token=_token())
        response = see_other(url_for("enquire.carry_on"))
        if browser is not None:
            _give_cookie(response, browser)
        return response
    return render("enquire/come_back.html", ends_on=draft.link_ends_at)


# --- The browser's token ----------------------------------------------------------------------------------------------


def _cookie_name() -> str:
    return "__Host-enquiry" if current_app.extensions["crm_settings"].cookie_secure else "enquiry"


def _token() -> str | None:
    return request.cookies.get(_cookie_name())


def _secret_of_page() -> str:
    """What every request of one drawing of a page has in common, and nobody else can make: from the token of its form,
    which was looked at before any view ran."""
    return digest("enquiry draft", request.form.get(forgery.FIELD, ""))


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


# --- Where they came from, and whether a program did ------------------------------------------------------------------


def _came_by() -> campaigns.Arrival:
    return campaigns.read_arrival(request.args)


def _utm() -> dict[str, str]:
    return {name: value for name, value in request.args.items() if name in campaigns.NAMES and name != "c"}


def _query(arrival: campaigns.Arrival) -> str:
    """The same words in the address of the next page."""
    named = {name: arrival[kept_as] for name, kept_as in campaigns.NAMES.items() if kept_as in arrival}
    return f"?{urlencode(named)}" if named else ""


def _signs(draft: EnquiryDraft, work: str | None) -> tuple[str, ...]:
    if draft.sent_count:
        return ()  # a person who changes an answer is quick, and has been looked at
    at_least = current_app.extensions["crm_settings"].quickest_form_seconds
    signs = robots.signs(request.form, began_at=draft.began_at, now=now_utc(), at_least=at_least)
    if work is not None and not robots.is_solved(work, request.form.get(robots.WORK, "")):
        signs += ("many",)
    return signs


def _known_version(name: str, version: str | None) -> str | None:
    """The version that stood on the page, where there ever was such a one."""
    try:
        return policy.wording_of_version(name, version).version if version else None
    except KeyError:
        return None


# --- Pages ------------------------------------------------------------------------------------------------------------


def _question(step: str, criteria: Any) -> pages.Question:
    question = pages.question_of(step)
    if question is None or question not in pages.asked(criteria):
        raise NotFound
    return question


def _is_answered(question: pages.Question, answers: Mapping[str, Any]) -> bool:
    return any(answers.get(name) for name in question.answers)


def _form(
    question: pages.Question,
    criteria: Any,
    draft: EnquiryDraft | None,
    answers: Mapping[str, Any],
    *,
    reads_typed: bool,
) -> Any:
    """The form of a page: as it was sent; else as it was left half-typed; else as it was answered."""
    kind = form_of(question.slug, question.criterion, criteria)
    typed = drafts.typed_on(draft, question.slug) if reads_typed and request.method != "POST" else None
    if typed is None:
        return kind(**_typed(answers))
    form = kind(MultiDict([(name, value) for name, values in typed.items() for value in values]))
    form.is_sent = False
    return form


def _boxes(form: BaseForm) -> list[str]:
    """The names under which a page's answers come."""
    names = [field.name for field in form if field.name not in ("one_time_id", "seen", "wordings")]
    return names + [f"{name}-{part}" for name in names for part in ("day", "month", "year")]


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


def _given(form: BaseForm, question: pages.Question, answers: Mapping[str, Any]) -> dict[str, Any]:
    given: dict[str, Any] = {}
    for name in question.answers:
        value = form[name].data
        given[name] = value.isoformat() if isinstance(value, date) else value or ""
    if given.get("second") in ("no", "dont_know"):
        for name in question.answers:
            if name.startswith("second_"):
                given[name] = ""
    if isinstance(form, NewsForm):
        shown = _wordings_shown(form)
        given["news_wordings"] = {channel: shown[channel] for channel in news_channels(answers)}
        given["second_news_wordings"] = {channel: shown[channel] for channel in news_channels(answers, second=True)}
    return given


def _wordings_shown(form: NewsForm) -> dict[str, str]:
    """Which version of the words stood beside each box: as the page says, where it names one that there was."""
    today = today_in_london()
    shown = {channel: policy.wording(f"consent.{channel}", today).version for channel in ("email", "text", "phone")}
    try:
        named = json.loads(form.wordings.data or "{}")
    except ValueError:
        named = {}
    for channel in shown if isinstance(named, dict) else ():
        known = _known_version(f"consent.{channel}", str(named.get(channel) or ""))
        shown[channel] = known or shown[channel]
    return shown


def _offer_news(form: Any, answers: Mapping[str, Any], *, today: date) -> None:
    versions = {}
    for field, second in ((form.news, False), (form.second_news, True)):
        channels = news_channels(answers, second=second) if not second or answers.get("second_given_name") else ()
        words = {channel: policy.wording(f"consent.{channel}", today) for channel in channels}
        field.choices = [(channel, wording.text) for channel, wording in words.items()]
        versions |= {channel: wording.version for channel, wording in words.items()}
        if field.data:
            field.data = [channel for channel in field.data if channel in channels or form.is_sent]
    if not form.is_sent:
        form.wordings.data = json.dumps(versions, sort_keys=True)


def _usual_age(criteria: Any) -> int:
    age = next((one for one in criteria if one.is_about_age), None)
    return max(age.usual_minimum_age or 18, age.hard_minimum_age or 18) if age else 18
