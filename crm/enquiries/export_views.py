"""Taking rows of the queue away as a file, and keeping a view of it under a name."""

from __future__ import annotations

from flask import Response, make_response, request

from crm.access.guards import current_actor, requires
from crm.access.models import User
from crm.access.queries import names_of, staff_with_role
from crm.clock import now_utc, today_in_london
from crm.db import db, end_read, transaction
from crm.enquiries import list_exports, saved_views, second_look
from crm.enquiries.export_forms import ExportForm, SaveViewForm
from crm.enquiries.list_filters import filters_in, filters_of, query_of, words_of
from crm.enquiries.models import ListExport
from crm.enquiries.staff_views import bp
from crm.rules.permissions import ROLE_PERMISSIONS, Permission, Role
from crm.rules.refusal import Refusal
from crm.web.notices import tell
from crm.web.pages import render, see_other
from crm.web.spreadsheets import CSV_TYPE, XLSX_TYPE
from crm.web.writes import writes, writes_by_itself

SECONDS = [role for role in Role if Permission.APPROVE_EXPORT in ROLE_PERMISSIONS[role]]
SEEING_ENQUIRIES = (Permission.LOG_ENQUIRY, Permission.VIEW_ALL_ENQUIRIES)


@bp.route("/enquiries/export", methods=["GET", "POST"])
@requires(Permission.EXPORT_LISTS)
@writes_by_itself("it counts the rows before the transaction, which would hold up everybody's writing")
def export_list() -> Response:
    """Choose the columns and the sort of file for the rows of a view."""
    actor, now, today = current_actor(), now_utc(), today_in_london()
    filters = filters_in(request.args)
    rows = list_exports.rows_in(actor, filters, today=today)
    form = ExportForm(second=0)
    people = [(user.id, user.name) for user in staff_with_role(*SECONDS) if user.id != actor.user_id]
    form.second.choices = [(0, "Choose somebody"), *people]
    end_read()
    if form.is_sent_and_right():
        try:
            with transaction():
                export = list_exports.ask_for_export(
                    query=query_of(filters),
                    row_count=rows,
                    columns=form.columns.data or (),
                    format=form.format.data,
                    reason=form.reason.data,
                    second=db.session.get(User, form.second.data) if form.second.data else None,
                    actor=actor,
                    now=now,
                    today=today,
                )
                where = f"/enquiries/exports/{export.id}"
        except second_look.SecondLookRefused as refusal:
            form.take_refusal(refusal)
        else:
            return see_other(where)
    body = render(
        "enquiries/export_list.html",
        here="enquiries",
        form=form,
        rows=rows,
        most=list_exports.MOST,
        alone=list_exports.ALONE_UP_TO,
        words=words_of(filters),
        back="/enquiries" + (f"?{query_of(filters)}" if query_of(filters) else ""),
    )
    return make_response(body, form.status)


@bp.get("/enquiries/exports")
@requires(any_of=(Permission.EXPORT_LISTS, Permission.APPROVE_EXPORT))
def exports() -> str:
    """What I asked for, and what waits for me."""
    actor, now = current_actor(), now_utc()
    found = list_exports.exports_of(actor)
    return render(
        "enquiries/exports.html",
        here="enquiries",
        exports=[(one, words_of(filters_of(one.query)), _standing(one, now)) for one in found],
        names=names_of(one.asked_by_id for one in found),
        me=actor.user_id,
    )


@bp.get("/enquiries/exports/<int:export_id>")
@requires(any_of=(Permission.EXPORT_LISTS, Permission.APPROVE_EXPORT))
def export_asked_for(export_id: int) -> str:
    """One export: what is in it, and fetch it or say yes or no to it."""
    actor, now = current_actor(), now_utc()
    export = list_exports.export_for(actor, export_id)
    return render(
        "enquiries/export_asked_for.html",
        here="enquiries",
        export=export,
        words=words_of(filters_of(export.query)),
        columns=[list_exports.COLUMNS[name] for name in export.columns.split(",") if name in list_exports.COLUMNS],
        standing=_standing(export, now),
        names=names_of(one for one in (export.asked_by_id, export.second_id) if one is not None),
        is_mine=export.asked_by_id == actor.user_id,
    )


def _standing(export: ListExport, now: object) -> str:
    """One of: refused, over, waiting, ready."""
    if export.answer == "no":
        return "refused"
    if export.expires_at <= now:  # type: ignore[operator]
        return "over"
    return "waiting" if export.second_id is not None and export.answer is None else "ready"


@bp.post("/enquiries/exports/<int:export_id>/answer")
@requires(Permission.APPROVE_EXPORT)
@writes
def answer_export(export_id: int) -> Response:
    """Say yes or no, as the second person."""
    actor = current_actor()
    export = list_exports.export_for(actor, export_id)
    answer = request.form.get("answer")
    if answer not in ("yes", "no"):
        raise Refusal("Say yes or no.", status=422)
    list_exports.answer_export(export, yes=answer == "yes", actor=actor, now=now_utc(), today=today_in_london())
    tell("Told them yes." if answer == "yes" else "Told them no. The file can’t be fetched.")
    return see_other("/enquiries/exports")


@bp.post("/enquiries/exports/<int:export_id>/file")
@requires(Permission.EXPORT_LISTS)
@writes_by_itself("it makes the file before the transaction, which would hold up everybody's writing")
def fetch_export(export_id: int) -> Response:
    """The file. That it was fetched is in the trail before it leaves."""
    actor, now = current_actor(), now_utc()
    export = list_exports.export_for(actor, export_id)
    made = list_exports.make_file(export, filters_of(export.query), actor=actor, now=now, today=today_in_london())
    format, day = export.format, f"{today_in_london():%Y-%m-%d}"
    end_read()
    with transaction():
        list_exports.record_fetched(list_exports.export_for(actor, export_id), made, actor=actor, now=now)
    response = make_response(made.content)
    response.headers["Content-Type"] = XLSX_TYPE if format == "xlsx" else CSV_TYPE
    response.headers["Content-Disposition"] = f'attachment; filename="enquiries-{day}.{format}"'
    return response


# --- Views with a name ------------------------------------------------------------------------------------------------


@bp.route("/enquiries/views", methods=["GET", "POST"])
@requires(any_of=SEEING_ENQUIRIES)
@writes
def saved() -> Response:
    """Keep the filters one came with under a name; take kept ones away."""
    actor = current_actor()
    filters = filters_in(request.args)
    form = SaveViewForm()
    if form.is_sent_and_right():
        try:
            view = saved_views.save_view(name=form.name.data, query=query_of(filters), actor=actor, now=now_utc())
        except saved_views.ViewNotSaved as refusal:
            form.take_refusal(refusal)
        else:
            tell(f"“{view.name}” is kept beside the other views.")
            return see_other(f"/enquiries?{view.query}")
    body = render(
        "enquiries/saved.html",
        here="enquiries",
        form=form,
        words=words_of(filters),
        has_filters=bool(query_of(filters)),
        views=[
            (number, name, query, words_of(filters_of(query))) for number, name, query in saved_views.views_of(actor)
        ],
    )
    return make_response(body, form.status)


@bp.post("/enquiries/views/<int:view_id>/forget")
@requires(any_of=SEEING_ENQUIRIES)
@writes
def forget_view(view_id: int) -> Response:
    """Take a view away."""
    name = saved_views.forget_view(view_id, actor=current_actor(), now=now_utc())
    tell(f"“{name}” is taken away.")
    return see_other("/enquiries/views")
