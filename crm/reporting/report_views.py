"""Reports on screen, the rows behind each number, and reports as files."""

from __future__ import annotations

from urllib.parse import urlencode

from flask import Blueprint, Response, make_response, render_template, request
from markupsafe import Markup
from sqlalchemy.exc import OperationalError

from crm import policy
from crm.access.guards import current_actor, requires
from crm.audit import record
from crm.clock import now_utc, today_in_london
from crm.db import end_read, is_lock_timeout, transaction
from crm.reporting import answers, drawings, saved
from crm.reporting.catalogue import REPORTS, Report
from crm.reporting.figures import Answer, NoSuchReport, PeriodNotReadable, Question
from crm.reporting.models import MORNING_WORDS, Morning
from crm.reporting.populations import NoSuchArea
from crm.reporting.questions import areas_of, chips_of, question_in
from crm.reporting.report_files import TYPES, file_of, name_of
from crm.reporting.report_forms import KeepReportForm
from crm.rules.permissions import Actor, Permission, require
from crm.rules.refusal import Refusal
from crm.web.notices import tell
from crm.web.pages import render, see_other
from crm.web.writes import writes, writes_by_itself

bp = Blueprint("reporting", __name__)

ROWS_SHOWN = 50


@bp.get("/reports")
@requires(Permission.VIEW_REPORTS)
def index() -> Response:
    """The first report this person may read."""
    actor = current_actor()
    return see_other(next(path_of(report) for report in REPORTS.values() if actor.has(report.permission)))


@bp.get("/reports/<name>")
@requires(Permission.VIEW_REPORTS)
def report(name: str) -> Response:
    """One report. What was counted is kept for whoever asks the same next, beside the page: it never waits for that."""
    actor, now, today = current_actor(), now_utc(), today_in_london()
    found = report_for(actor, name)
    try:
        question = question_in(found, request.args, today=today)
    except (PeriodNotReadable, NoSuchArea) as refusal:
        return _asked_wrongly(actor, found, refusal)
    stamp = answers.stamp()
    drawn = answers.kept_page(question, stamp=stamp, now=now, today=today)
    if drawn is not None:
        return make_response(_page(actor, found, question, drawn))
    answer = answers.count_answer(question, now=now, today=today, rulebook=policy.rulebook_on(today))
    drawn = answers.Drawn(answer.title, answer.lede, _figures(found, question, answer), now)
    body = _page(actor, found, question, drawn)
    _keep(question, answer, drawn, stamp)
    return make_response(body)


def _keep(question: Question, answer: Answer, drawn: answers.Drawn, stamp: str) -> None:
    """Whoever writes at this moment goes first: then the next who asks counts again."""
    end_read()
    try:
        with transaction():
            answers.keep_answer(question, answer, drawn, stamp=stamp, today=today_in_london())
    except OperationalError as fault:
        if not is_lock_timeout(fault):
            raise


def _figures(found: Report, question: Question, answer: Answer) -> str:
    """The part of the page with the figures: for everybody the same, so that it is drawn once."""
    return render_template(
        "reporting/_figures.html",
        answer=answer,
        path=path_of(found),
        query=urlencode(question.query),
        funnel=drawings.funnel,
        waits_chart=drawings.waits_chart,
    )


def _page(actor: Actor, found: Report, question: Question, drawn: answers.Drawn) -> str:
    today = today_in_london()
    return render(
        "reporting/report.html",
        here="reports",
        report=found,
        question=question,
        drawn=drawn,
        figures=Markup(drawn.page),  # noqa: S704  (drawn by the template above, which escapes what people wrote)
        tabs=tabs_of(actor, found.name),
        chips=[(words, path_of(found, one), chosen) for words, one, chosen in chips_of(found, question, today=today)],
        areas=[(words, path_of(found, one), chosen) for words, one, chosen in areas_of(question)]
        if found.has_area
        else [],
        path=path_of(found),
        query=urlencode(question.query),
        wrong=None,
    )


def _asked_wrongly(actor: Actor, found: Report, refusal: Refusal) -> Response:
    """The page with what was typed, what is wrong with it, and the chips that lead on."""
    today = today_in_london()
    usual = question_in(found, {}, today=today)
    body = render(
        "reporting/report.html",
        here="reports",
        report=found,
        question=usual,
        drawn=None,
        tabs=tabs_of(actor, found.name),
        chips=[(words, path_of(found, one), False) for words, one, _ in chips_of(found, usual, today=today)],
        areas=[],
        path=path_of(found),
        typed=request.args,
        wrong=refusal,
    )
    return make_response(body, refusal.status)


@bp.get("/reports/<name>/rows/<key>")
@requires(Permission.VIEW_REPORTS)
def rows(name: str, key: str) -> str:
    """What stands behind one number."""
    actor, today = current_actor(), today_in_london()
    found = report_for(actor, name)
    question = question_in(found, request.args, today=today)
    after = request.args.get("after", "")
    if after and not (after.isascii() and after.isdigit() and len(after) < 18):
        raise NoSuchReport
    behind = found.behind(question, key, today=today)
    page = behind.page(actor, int(after) if after else None, ROWS_SHOWN, today)
    here = f"{path_of(found)}/rows/{key}?{urlencode(question.query)}"
    return render(
        "reporting/rows.html",
        here="reports",
        report=found,
        question=question,
        page=page,
        back=path_of(found, question),
        first_address=here if after else "",
        next_address=f"{here}&after={page.after}" if page.after else "",
    )


@bp.post("/reports/<name>/file")
@requires(Permission.VIEW_REPORTS)
@writes_by_itself("it counts before the transaction, which would hold up everybody's writing")
def report_file(name: str) -> Response:
    """A report as a file. That it was taken is in the trail before it leaves."""
    actor, now, today = current_actor(), now_utc(), today_in_london()
    found = report_for(actor, name)
    format = request.form.get("format", "")
    if format not in TYPES:
        raise Refusal("Choose CSV, XLSX or JSON.", status=422)
    question = question_in(found, request.args, today=today)
    stamp = answers.stamp()
    answer = answers.kept_answer(question, stamp=stamp, now=now, today=today) or answers.count_answer(
        question, now=now, today=today, rulebook=policy.rulebook_on(today)
    )
    content = file_of(question, answer, format)
    end_read()
    with transaction():
        detail = {**question.query, "format": format, "figures": sum(1 for _ in answer.every_figure())}
        record("report.taken", actor=actor, at=now, subject=f"report:{found.name}", detail=detail)
    response = make_response(content)
    response.headers["Content-Type"] = TYPES[format]
    response.headers["Content-Disposition"] = f'attachment; filename="{name_of(question, format)}"'
    return response


def report_for(actor: Actor, name: str) -> Report:
    """A report that this person may read. Raises NoSuchReport, NotPermitted."""
    found = REPORTS.get(name)
    if found is None:
        raise NoSuchReport
    require(actor, found.permission)
    return found


def tabs_of(actor: Actor, open_name: str) -> list[tuple[str, str, bool, None, bool]]:
    """The reports this person may read, as tabs."""
    return [
        (one.tab, path_of(one), one.name == open_name, None, False)
        for one in REPORTS.values()
        if actor.has(one.permission)
    ]


def path_of(report: Report, question: Question | None = None) -> str:
    """Where a report stands, and with what question."""
    path = f"/reports/{report.name}"
    return f"{path}?{urlencode(question.query)}" if question is not None else path


# --- Kept reports -----------------------------------------------------------------------------------------------------


@bp.route("/reports/<name>/keep", methods=["GET", "POST"])
@requires(Permission.VIEW_REPORTS)
@writes
def keep_report(name: str) -> Response:
    """Keep a report with its question under a name, and be sent a link to it on some mornings."""
    actor, now, today = current_actor(), now_utc(), today_in_london()
    found = report_for(actor, name)
    question = question_in(found, request.args, today=today)
    form = KeepReportForm()
    if form.is_sent_and_right():
        asked = question.query
        if form.days.data == "year":
            asked = {key: value for key, value in asked.items() if key not in ("from", "to")}
        try:
            kept = saved.keep_report(
                name=form.name.data or "",
                report=found.name,
                query=urlencode(asked),
                morning=Morning(form.morning.data),
                actor=actor,
                now=now,
                today=today,
            )
        except saved.ReportNotKept as refusal:
            form.take_refusal(refusal)
        else:
            tell(f"“{kept.name}” is kept.")
            return see_other("/reports/saved")
    body = render(
        "reporting/keep_report.html",
        here="reports",
        form=form,
        report=found,
        question=question,
        back=path_of(found, question),
    )
    return make_response(body, form.status)


@bp.get("/reports/saved")
@requires(Permission.VIEW_REPORTS)
def saved_reports() -> str:
    """What I keep, and on which mornings I am told of it."""
    actor = current_actor()
    return render(
        "reporting/saved_reports.html",
        here="reports",
        tabs=tabs_of(actor, ""),
        kept=saved.reports_of(actor),
        reports=REPORTS,
        mornings=MORNING_WORDS,
    )


@bp.get("/reports/saved/<int:saved_id>")
@requires(Permission.VIEW_REPORTS)
def saved_report(saved_id: int) -> Response:
    """Open a report that I keep: where the letter of a morning leads."""
    actor = current_actor()
    kept = saved.saved_report(actor, saved_id)
    found = report_for(actor, kept.report)
    return see_other(f"{path_of(found)}?{kept.query}")


@bp.post("/reports/saved/<int:saved_id>/forget")
@requires(Permission.VIEW_REPORTS)
@writes
def forget_report(saved_id: int) -> Response:
    """Take a kept report away, and its letters with it."""
    name = saved.forget_report(saved_id, actor=current_actor(), now=now_utc())
    tell(f"“{name}” is taken away.")
    return see_other("/reports/saved")
