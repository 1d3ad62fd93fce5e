"""What homes the service needs: written down, changed, closed."""

from __future__ import annotations

from flask import Response, make_response

from crm import policy
from crm.access.guards import current_actor, requires
from crm.access.queries import names_of
from crm.assessments import needs
from crm.assessments.need_forms import ALL_AREAS, NeedForm
from crm.assessments.need_models import HomeNeed
from crm.assessments.views import assessments
from crm.clock import now_utc, today_in_london
from crm.rules.permissions import Permission
from crm.web.notices import tell
from crm.web.pages import render, see_other
from crm.web.writes import writes


@assessments.get("/needs")
@requires(Permission.VIEW_REPORTS)
def homes_needed() -> Response:
    """What is needed now, and what was."""
    return _page(_form())


@assessments.post("/needs")
@requires(Permission.ANSWER_FOR_CLOCKS)
@writes
def write_need() -> Response:
    """Write down what is needed."""
    form = _form()
    if form.is_sent_and_right():
        try:
            need = needs.write_need(
                kind=form.kind.data or "",
                words=form.words.data,
                homes=form.homes.data,
                by_on=form.by.data,
                area=form.area.data or None,
                actor=current_actor(),
                now=now_utc(),
                today=today_in_london(),
            )
        except needs.NeedNotWritten as refusal:
            form.take_refusal(refusal)
        else:
            tell(f"{need.label}: written down. The report shows what is coming against it.")
            return see_other("/needs")
    return _page(form)


@assessments.route("/needs/<int:need_id>", methods=["GET", "POST"])
@requires(Permission.ANSWER_FOR_CLOCKS)
@writes
def change_need(need_id: int) -> Response:
    """Change what is needed."""
    need = needs.need_by_id(need_id)
    form = _form(need)
    if form.is_sent_and_right():
        try:
            needs.change_need(
                need,
                kind=form.kind.data or "",
                words=form.words.data,
                homes=form.homes.data,
                by_on=form.by.data,
                area=form.area.data or None,
                actor=current_actor(),
                now=now_utc(),
                today=today_in_london(),
            )
        except needs.NeedNotWritten as refusal:
            form.take_refusal(refusal)
        else:
            tell(f"{need.label}: changed.")
            return see_other("/needs")
    body = render("assessments/change_need.html", here="reports", form=form, need=need)
    return make_response(body, form.status)


@assessments.post("/needs/<int:need_id>/close")
@requires(Permission.ANSWER_FOR_CLOCKS)
@writes
def close_need(need_id: int) -> Response:
    """Close a need that is met, or is one no more."""
    need = needs.need_by_id(need_id)
    needs.close_need(need, actor=current_actor(), now=now_utc())
    tell(f"{need.label}: closed. It stays here with its days.")
    return see_other("/needs")


def _form(need: HomeNeed | None = None) -> NeedForm:
    names = [area.name for area in policy.service().areas]
    if need is None:
        form = NeedForm(area=ALL_AREAS)
    else:
        form = NeedForm(kind=need.kind, words=need.words, homes=need.homes, by=need.by_on, area=need.area or ALL_AREAS)
        if need.area is not None and need.area not in names:
            names.append(need.area)
    form.area.choices = [(ALL_AREAS, "All areas"), *((name, name) for name in names)]
    return form


def _page(form: NeedForm) -> Response:
    open_now, closed = needs.open_needs(), needs.closed_needs()
    body = render(
        "assessments/homes_needed.html",
        here="reports",
        form=form,
        needs=open_now,
        closed=closed,
        names=names_of([one for need in (*open_now, *closed) for one in (need.written_by_id, need.closed_by_id)]),
    )
    return make_response(body, form.status)
