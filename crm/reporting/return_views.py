"""The annual return of a year: freezing it, what was frozen, and thawing it."""

from __future__ import annotations

from flask import Blueprint, Response, make_response, request

from crm import policy
from crm.access.guards import current_actor, requires
from crm.audit import record
from crm.clock import now_utc, today_in_london
from crm.reporting import drawings
from crm.reporting.annual_return import BESIDE, answer_of_year, things_to_look_at
from crm.reporting.catalogue import REPORTS
from crm.reporting.figures import Answer, NoSuchReport, Question
from crm.reporting.freezing import check_may_freeze, freeze_return, thaw_return
from crm.reporting.frozen import Frozen, NotFrozen, frozen_in_force, frozen_returns, mark_of
from crm.reporting.questions import EARLIEST
from crm.reporting.report_files import TYPES, file_of
from crm.reporting.report_views import path_of, tabs_of
from crm.reporting.return_forms import FreezeForm, ThawForm
from crm.rules.permissions import Permission
from crm.rules.refusal import Refusal
from crm.rules.return_years import DEFINITIONS, ReturnYear, definition_of
from crm.web.notices import tell
from crm.web.pages import render, see_other
from crm.web.writes import writes

bp = Blueprint("annual_return", __name__)

REPORT = REPORTS["return"]
FORMATS = ("csv", "xlsx")


@bp.route("/reports/return/<int:begins>/freeze", methods=["GET", "POST"])
@requires(Permission.ANSWER_FOR_CLOCKS)
@writes
def freeze(begins: int) -> Response:
    """Look at the figures of a finished year once more, and freeze them."""
    actor, now, today = current_actor(), now_utc(), today_in_london()
    rulebook, year = policy.rulebook_on(today), _year(begins)
    check_may_freeze(year, today=today)
    answer = answer_of_year(year, today=today, rulebook=rulebook)
    mark = mark_of(answer.tables, but=BESIDE)
    form = FreezeForm(seen=mark)
    if form.is_sent_and_right():
        try:
            freeze_return(year, actor=actor, now=now, today=today, rulebook=rulebook, seen=form.seen.data or "")
        except Refusal as refusal:
            form.take_refusal(refusal)
            form.seen.data = mark
        else:
            tell(f"Frozen: the annual return {year.words}. What changes from now on shows beside it.")
            return see_other(path_of(REPORT, _question(year)))
    return _page(
        "freeze",
        year,
        form=form,
        tables=_sent(answer),
        to_look_at=things_to_look_at(answer),
        definition=definition_of(year),
        before=frozen_returns(year),
    )


@bp.route("/reports/return/<int:begins>/thaw", methods=["GET", "POST"])
@requires(Permission.ANSWER_FOR_CLOCKS)
@writes
def thaw(begins: int) -> Response:
    """Say why a frozen return is thawed. It is kept, and another may be frozen."""
    actor, now, year = current_actor(), now_utc(), _year(begins)
    frozen = _in_force(year)
    form = ThawForm(seen=str(frozen.id))
    if form.is_sent_and_right():
        try:
            thaw_return(year, why=form.why.data or "", actor=actor, now=now, seen=_seen(form))
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            tell(f"Thawed: the annual return {year.words}. What was frozen is kept.")
            return see_other(path_of(REPORT, _question(year)))
    return _page("thaw", year, form=form, frozen=frozen)


@bp.get("/reports/return/<int:begins>/frozen")
@requires(Permission.ANSWER_FOR_CLOCKS)
def frozen_figures(begins: int) -> Response:
    """The figures as they were frozen, and every return of the year that was frozen before."""
    year = _year(begins)
    everything = frozen_returns(year)
    frozen = next((one for one in everything if one.thawed_at is None), None)
    if not everything:
        raise NotFrozen(f"The return {year.words} was never frozen.")
    return _page(
        "frozen",
        year,
        frozen=frozen,
        tables=_sent(frozen.answer) if frozen else (),
        before=[one for one in everything if one.thawed_at is not None],
        definition=_definition(frozen) if frozen else None,
        formats=FORMATS,
    )


@bp.post("/reports/return/<int:begins>/frozen/file")
@requires(Permission.ANSWER_FOR_CLOCKS)
@writes
def frozen_file(begins: int) -> Response:
    """The frozen figures as a file. That it was taken is in the trail before it leaves."""
    actor, now, year = current_actor(), now_utc(), _year(begins)
    frozen, format = _in_force(year), request.form.get("format", "")
    if format not in FORMATS:
        raise Refusal("Choose CSV or XLSX.", status=422)
    content = file_of(_question(year), frozen.answer, format)
    detail = {"year": year.begins, "format": format, "frozen_at": frozen.frozen_at.isoformat()}
    record("report.taken", actor=actor, at=now, subject="report:return", detail=detail)
    response = make_response(content)
    response.headers["Content-Type"] = TYPES[format]
    response.headers["Content-Disposition"] = f'attachment; filename="return-{year.begins}-frozen.{format}"'
    return response


def _page(name: str, year: ReturnYear, **more: object) -> Response:
    form = more.get("form")
    body = render(
        f"reporting/return_{name}.html",
        here="reports",
        report=REPORT,
        year=year,
        back=path_of(REPORT, _question(year)),
        tabs=tabs_of(current_actor(), REPORT.name),
        funnel=drawings.funnel,
        waits_chart=drawings.waits_chart,
        answer=Answer(title="", lede="", tables=()),
        **more,
    )
    return make_response(body, form.status if isinstance(form, FreezeForm | ThawForm) else 200)


def _sent(answer: Answer) -> tuple[object, ...]:
    """The tables that are sent, without what leads to today's rows: those may be others."""
    return tuple(table.without_rows() for table in answer.tables if table.name not in BESIDE)


def _year(begins: int) -> ReturnYear:
    if not EARLIEST.year <= begins <= today_in_london().year:
        raise NoSuchReport
    return ReturnYear(begins)


def _question(year: ReturnYear) -> Question:
    return Question("return", year.first_on, year.last_on, REPORT.modes[0])


def _in_force(year: ReturnYear) -> Frozen:
    frozen = frozen_in_force(year)
    if frozen is None:
        raise NotFrozen(f"The return {year.words} is not frozen.")
    return frozen


def _definition(frozen: Frozen) -> object:
    return next((one for one in DEFINITIONS if one.name == frozen.definition), None)


def _seen(form: ThawForm) -> int:
    text = form.seen.data or ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
