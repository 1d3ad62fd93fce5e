"""The manager's view: the caseload, what stands still, what is late, and why."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from urllib.parse import urlencode

from flask import Response, make_response, request

from crm import policy
from crm.access.guards import current_actor, requires
from crm.assessments import queries as assessments
from crm.assessments.caseload import MOST, open_applications
from crm.cases import breaches
from crm.cases.breaches import Missed
from crm.cases.models import Case, Deadline
from crm.cases.queries import case_for, case_head, clock_words
from crm.clock import now_utc, today_in_london
from crm.rules.breaches import BREACH_WORDS, PROMISED_CLOCKS, STATUTORY_CLOCKS, days_over, return_year
from crm.rules.deadlines import say_about
from crm.rules.permissions import Permission
from crm.rules.refusal import Refusal
from crm.rules.rulebook import Rulebook
from crm.rules.waiting import ON_WHOM_WORDS, OnWhom
from crm.staff import caseload as loads
from crm.staff.case_views import page_for
from crm.staff.caseload_forms import BreachReasonForm, PeriodForm
from crm.staff.missed_file import file_of_missed
from crm.staff.views import bp, case_path
from crm.web.notices import tell
from crm.web.pages import render, see_other
from crm.web.sightings import records_view, saw
from crm.web.spreadsheets import CSV_TYPE
from crm.web.writes import writes

MISSED_SHOWN = 20
LISTED = 200
STUCK_SHOWN = 50


@bp.get("/caseload")
@requires(Permission.ANSWER_FOR_CLOCKS)
def caseload() -> str:
    """What is late or about to be, what was missed without a reason, what stands still, and who has how much."""
    actor, now, today = current_actor(), now_utc(), today_in_london()
    rulebook = policy.rulebook_on(today)
    found = open_applications(today=today, rulebook=rulebook)
    team = loads.officers(found, now=now, today=today)
    on, who, start = _on(), _number("who"), _number("start") or 0
    shows_promises = request.args.get("missed") == "promises"
    still = loads.stuck(found.rows, today=today, on=on, who_id=who, start=start, size=STUCK_SHOWN)
    missed = breaches.missed_clocks(
        PROMISED_CLOCKS if shows_promises else STATUTORY_CLOCKS,
        today=today,
        limit=LISTED + 1,
        without_reason=True,
    )
    return render(
        "staff/caseload.html",
        here="assessments",
        today=today,
        ahead=loads.breaches_ahead(found, today=today, rulebook=rulebook),
        ahead_shown=loads.AHEAD_SHOWN,
        missed=missed[:MISSED_SHOWN],
        missed_count=f"{LISTED}+" if len(missed) > LISTED else str(len(missed)),
        missed_is_all=len(missed) <= MISSED_SHOWN,
        missed_chips=[
            ("Law and standards", _address(missed=None, at="missed"), not shows_promises),
            ("Our promises", _address(missed="promises", at="missed"), shows_promises),
        ],
        still=still,
        on_words=ON_WHOM_WORDS[on] if on else "",
        whose=next((row.name for row in team if row.user_id == who), ""),
        on_chips=[("All", _address(on=None, start=None, at="still"), on is None)]
        + [
            (f"{ON_WHOM_WORDS[whom]} {count}", _address(on=str(whom), start=None, at="still"), whom == on)
            for whom, count in still.counts
        ],
        everybody=_address(who=None, start=None, at="still"),
        whose_address=lambda number: _address(who=str(number), on=None, start=None, at="still"),
        earlier=_address(start=None, at="still") if start else "",
        later=_address(start=str(start + STUCK_SHOWN), at="still") if still.count > start + STUCK_SHOWN else "",
        first_shown=start + 1,
        open_count=len(found.rows),
        most=MOST if found.more else None,
        team=team,
        link=lambda row: (
            page_for(row.page, row.reference, actor, **row.ids) or case_path(row.reference) + "/assessment"
        ),
        what=_what_of(rulebook),
        case_path=case_path,
    )


@bp.route("/caseload/missed", methods=["GET", "POST"])
@requires(Permission.ANSWER_FOR_CLOCKS)
@writes
def missed_clocks() -> Response:
    """The missed clocks of a return year with the reason of each; any period as a file."""
    actor, now, today = current_actor(), now_utc(), today_in_london()
    rulebook = policy.rulebook_on(today)
    years = [return_year(today)]
    years += [return_year(years[0][0] - timedelta(days=1))]
    chosen = years[1] if request.args.get("year") == "last" else years[0]
    form = PeriodForm(first_on=chosen[0], last_on=chosen[1])
    if form.is_sent_and_right():
        try:
            made = file_of_missed(
                first_on=form.first_on.data, last_on=form.last_on.data, actor=actor, now=now, today=today
            )
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            response = make_response(made)
            response.headers["Content-Type"] = CSV_TYPE
            name = f"missed-clocks-{form.first_on.data:%Y-%m-%d}-{form.last_on.data:%Y-%m-%d}.csv"
            response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
            return response
    rows = breaches.missed_clocks(
        STATUTORY_CLOCKS, today=today, limit=LISTED + 1, due_from=chosen[0], due_until=chosen[1]
    )
    body = render(
        "staff/missed_clocks.html",
        here="assessments",
        form=form,
        rows=rows[:LISTED],
        labels=BREACH_WORDS,
        more=len(rows) > LISTED,
        listed=LISTED,
        chosen=chosen,
        years=[
            (f"{first.year} to {last.year}", "/caseload/missed" + ("?year=last" if number else ""), chosen[0] == first)
            for number, (first, last) in enumerate(years)
        ],
        what=_what_of(rulebook),
        case_path=case_path,
    )
    return make_response(body, form.status)


@bp.route("/cases/<reference>/clocks/<int:clock_id>/reason", methods=["GET", "POST"])
@requires(Permission.ANSWER_FOR_CLOCKS)
@records_view("case")
@writes
def clock_reason(reference: str, clock_id: int) -> Response:
    """Say why a clock was missed, or put right what was said."""
    actor, now, today = current_actor(), now_utc(), today_in_london()
    rulebook = policy.rulebook_on(today)
    case = case_for(actor, reference, today=today)
    clock = breaches.missed_clock(case, clock_id, today=today)
    given = breaches.reasons_of([clock.id], with_words=True)
    in_force = next((one for one in given if one.is_in_force), None)
    form = BreachReasonForm(
        seen=str(case.version),
        code=str(in_force.code) if in_force else None,
        words=in_force.words if in_force else None,
    )
    if form.is_sent_and_right():
        try:
            breaches.give_reason(
                case,
                clock,
                code=form.code.data,
                words=form.words.data,
                actor=actor,
                now=now,
                today=today,
                rulebook=rulebook,
                seen=_seen(form),
            )
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            tell(f"Kept why this clock was missed: {case.household.name}, {clock_words(clock, rulebook)}.")
            return see_other("/caseload#missed")
    saw(case_id=case.id, subject=f"case:{case.reference}")
    body = render(
        "staff/clock_reason.html",
        here="assessments",
        head=case_head(case, today=today, rulebook=rulebook),
        case=case,
        form=form,
        clock=clock,
        what=clock_words(clock, rulebook),
        rule=rulebook.deadline(clock.rule),
        over=days_over(clock.due_on, clock.stopped_on, today=today),
        given=given,
        said_before=_said_at_panel(case, clock),
    )
    return make_response(body, form.status)


def _said_at_panel(case: Case, clock: Deadline) -> str | None:
    """What was said for being late when the household was put on an agenda: about the same clock, by somebody else."""
    if clock.rule not in ("panel_recommendation", "panel_papers"):
        return None
    return next((item.late_reason for item in assessments.items_of(case) if item.late_reason), None)


# --- What an address says ---------------------------------------------------------------------------------------------


def _on() -> OnWhom | None:
    name = request.args.get("on", "")
    return OnWhom(name) if name in set(OnWhom) else None


def _number(name: str) -> int | None:
    text = request.args.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _address(*, at: str, **changes: str | None) -> str:
    """This page with some of its filters changed, and the others as they are."""
    on, who, start = _on(), _number("who"), _number("start")
    present: dict[str, str | None] = {
        "on": str(on) if on else None,
        "who": str(who) if who else None,
        "missed": "promises" if request.args.get("missed") == "promises" else None,
        "start": str(start) if start else None,
    }
    query = urlencode({name: value for name, value in {**present, **changes}.items() if value})
    return f"/caseload{f'?{query}' if query else ''}#{at}"


def _what_of(rulebook: Rulebook) -> Callable[[Missed], str]:
    def what(row: Missed) -> str:
        said = rulebook.deadline(row.rule).what
        return say_about(row.about, said) if row.about else said

    return what


def _seen(form: BreachReasonForm) -> int | None:
    text = form.seen.data or ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
