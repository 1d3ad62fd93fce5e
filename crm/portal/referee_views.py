"""A referee's own link: what we ask, one topic a page, save and return, and thank you. Nobody signs in.

A GET only looks: programs that follow the links in mail change nothing. A page names the applicants by their first
names and says nothing else of the household: a link may be forwarded, and a mailbox shared. Once it is sent, the link
shows a thank-you and not a word of what was written.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request, url_for

from crm import policy
from crm.access.guards import public_page
from crm.assessments import referees
from crm.assessments.referee_models import Choice
from crm.assessments.referee_questions import BY_KEY, TOPICS, kept, read_reference, topics_missing
from crm.assessments.referees import LinkEnded, Opened
from crm.clock import london_date, now_utc, today_in_london
from crm.db import db
from crm.portal.referee_forms import ChooseForm, SendForm, topic_form
from crm.web.limits import TooOften, count_try, limited, sender_address
from crm.web.notices import tell
from crm.web.pages import render, see_other
from crm.web.writes import SAFE_METHODS, writes

bp = Blueprint("reference", __name__)

ACTS = "reference link"
ACTS_A_WINDOW = 200
MISSES_A_WINDOW = 300
WINDOW_SECONDS = 300

Page = Response | str | tuple[str, int]
acts = limited(ACTS, at_most=ACTS_A_WINDOW, seconds=WINDOW_SECONDS)


@bp.route("/reference/<token>", methods=["GET", "POST"])
@public_page
@acts
@writes
def start(token: str) -> Page:
    """Who asks for what, and whether they will; later on, where they were, or thank you."""
    found = _open(token)
    referee = found.referee
    if referee.is_submitted:
        return _thanks(found)
    form = ChooseForm(choice=referee.choice)
    if form.is_sent_and_right():
        today = today_in_london()
        referees.choose(found, form.choice.data, now=now_utc(), today=today, rulebook=policy.rulebook_on(today))
        if form.choice.data in (Choice.NO, Choice.WRONG):
            return see_other(url_for("reference.told"))
        return see_other(_where_they_were(found, token) if form.choice.data == Choice.YES else _start(token))
    if not form.is_sent and "from" not in request.args:
        if referee.choice == Choice.YES:
            return see_other(_where_they_were(found, token))
        if referee.choice == Choice.TALK:
            return render("portal/referee_talk.html", **_about(found, token))
    return render("portal/referee_start.html", form=form, **_about(found, token)), form.status


@bp.route("/reference/<token>/<step>", methods=["GET", "POST"])
@public_page
@acts
@writes
def step(token: str, step: str) -> Page:
    """One topic. Continue keeps it; so does coming back later, however much of it is done."""
    found = _open(token)
    if step not in BY_KEY:
        raise LinkEnded
    if found.referee.is_submitted or found.referee.choice != Choice.YES:
        return see_other(_start(token))
    topic = BY_KEY[step]
    answers = kept(found.referee.draft)
    name = found.person.given_name
    form = topic_form(topic, name=name, this_year=today_in_london().year, answers=answers)
    if form.is_sent and request.form.get("do") == "later":
        if form.can_be_kept():
            referees.save_draft(found, form.given(), step=step, now=now_utc())
            return see_other(url_for("reference.later", token=token))
    elif form.is_sent_and_right():
        to_check = request.args.get("from") == "check"
        after = "check" if to_check else _after(step)
        referees.save_draft(found, form.given(), step=after, now=now_utc())
        return see_other(_page(token, after))
    return (
        render(
            "portal/referee_step.html",
            form=form,
            topic=topic,
            title=topic.title.replace("{name}", name),
            lead=topic.lead.replace("{name}", name),
            back=_before(step, token),
            steps=_steps(step),
            **_about(found, token),
        ),
        form.status,
    )


@bp.route("/reference/<token>/check", methods=["GET", "POST"])
@public_page
@acts
@writes
def check(token: str) -> Page:
    """What they wrote, looked over once more, and sent."""
    found = _open(token)
    if found.referee.is_submitted or found.referee.choice != Choice.YES:
        return see_other(_start(token))
    answers = kept(found.referee.draft)
    missing = topics_missing(answers)
    form = SendForm(seen=referees.draft_mark(found.referee))
    if form.is_sent_and_right():
        if form.seen.data != referees.draft_mark(found.referee):
            tell(
                "Your answers were changed on another page, so nothing was sent yet. Look at them again.", "information"
            )
            return see_other(_page(token, "check"))
        if missing:
            form.form_errors.append("Something has still to be answered: it is marked below")
        else:
            today = today_in_london()
            referees.submit(found, now=now_utc(), today=today, rulebook=policy.rulebook_on(today))
            return see_other(_start(token))
    form.seen.data = referees.draft_mark(found.referee)
    return (
        render(
            "portal/referee_check.html",
            form=form,
            said=read_reference(answers, found.person.given_name),
            missing=missing,
            back=_page(token, TOPICS[-1].key),
            steps=_steps("check"),
            **_about(found, token),
        ),
        form.status,
    )


@bp.get("/reference/<token>/later")
@public_page
def later(token: str) -> Page:
    """What they wrote so far is kept, and how they come back to it."""
    found = _open(token)
    if found.referee.is_submitted or found.referee.choice != Choice.YES:
        return see_other(_start(token))
    return render("portal/referee_later.html", go_on=_where_they_were(found, token), **_about(found, token))


@bp.get("/reference/told")
@public_page
def told() -> Page:
    """Thank you for telling us; the link is gone, and so is every word about whom it was."""
    return render("portal/referee_told.html")


def _open(token: str) -> Opened:
    """What stands behind the link. Raises LinkEnded, the same for every link that opens nothing."""
    try:
        return referees.opened(token, now=now_utc(), lock=request.method not in SAFE_METHODS)
    except LinkEnded:
        if request.method in SAFE_METHODS:
            _count_miss()
        raise


def _count_miss() -> None:
    """Whoever tries one dead link after another is slowed down. A post is counted already."""
    db.session.rollback()
    wait = count_try("reference link miss", sender_address(), at_most=MISSES_A_WINDOW, seconds=WINDOW_SECONDS)
    if wait is not None:
        raise TooOften("A lot has been tried from your connection. Wait a few minutes, or ring us.", retry_after=wait)


def _thanks(found: Opened) -> str:
    assert found.referee.submitted_at is not None
    sent_on = london_date(found.referee.submitted_at)
    return render(
        "portal/referee_thanks.html",
        ring_by=policy.rulebook_on(sent_on).calendar.add(sent_on, referees.RING_WITHIN),
        officer=found.officer,
        officer_first=referees.first_of(found.officer.name) if found.officer else None,
        first=referees.first_of(found.referee.name),
    )


def _about(found: Opened, token: str) -> dict[str, Any]:
    """What a page says of the household: the first names of the applicants, and of ours who rings."""
    referee = found.referee
    assert referee.link_ends_at is not None
    everybody = referees.applicants_of(found.case)
    today = today_in_london()
    finish_by = (
        referee.reply_by if referee.reply_by and referee.reply_by >= today else london_date(referee.link_ends_at)
    )
    return {
        "token": token,
        "name": found.person.given_name,
        "everybody": everybody,
        "are_two": len(everybody) > 1,
        "referee_name": referee.name,
        "officer": found.officer,
        "officer_first": referees.first_of(found.officer.name) if found.officer else None,
        "finish_by": finish_by,
        "works_until": london_date(referee.link_ends_at),
    }


def _start(token: str) -> str:
    return url_for("reference.start", token=token)


def _page(token: str, step: str) -> str:
    if step == "check":
        return url_for("reference.check", token=token)
    return url_for("reference.step", token=token, step=step)


def _where_they_were(found: Opened, token: str) -> str:
    step = found.referee.step
    return _page(token, step if step == "check" or step in BY_KEY else TOPICS[0].key)


def _after(step: str) -> str:
    keys = [topic.key for topic in TOPICS]
    at = keys.index(step) + 1
    return keys[at] if at < len(keys) else "check"


def _before(step: str, token: str) -> str:
    if request.args.get("from") == "check":
        return _page(token, "check")
    keys = [topic.key for topic in TOPICS]
    at = keys.index(step)
    return _page(token, keys[at - 1]) if at else url_for("reference.start", token=token, **{"from": "form"})


def _steps(here: str) -> list[tuple[str, str]]:
    """The named steps: those before this page count as done."""
    found, is_past = [], True
    for key, words in (*((topic.key, topic.short) for topic in TOPICS), ("check", "Check and send")):
        if key == here:
            found.append((words, "now"))
            is_past = False
        else:
            found.append((words, "done" if is_past else ""))
    return found
