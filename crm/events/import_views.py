"""Sign-up sheets: upload one, say which column holds what, look at every line, load it, undo it."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, make_response, request, url_for

from crm.access.guards import current_actor, requires
from crm.clock import now_utc, today_in_london
from crm.events import columns as columns_
from crm.events import queries, sheet_import, sheet_loading, sheet_queries, sheet_undo
from crm.events.import_forms import (
    HEADINGS_HINT,
    DecideForm,
    LoadForm,
    PressForm,
    SheetForm,
    column_words,
    columns_form,
    layout_form,
)
from crm.events.models import RecruitmentEvent
from crm.events.sheet_models import Decision, ImportStep, SheetImport
from crm.events.sheets import LARGEST_BYTES, MOST_LINES, SheetNotRead
from crm.rules.permissions import Permission
from crm.rules.refusal import Refusal
from crm.web.filters import many, number
from crm.web.forms import tidy
from crm.web.notices import tell
from crm.web.pages import render, see_other
from crm.web.uploads import accepts_upload
from crm.web.writes import writes

bp = Blueprint("imports", __name__)

STAGE_WORDS = {
    ImportStep.READING: ("waiting", "Being read"),
    ImportStep.UNREADABLE: ("over", "Can’t be read"),
    ImportStep.COLUMNS: ("due", "Which column holds what?"),
    ImportStep.CHECKING: ("waiting", "Being checked"),
    ImportStep.CHECKED: ("due", "To be looked at and loaded"),
    ImportStep.LOADING: ("waiting", "Being loaded"),
    ImportStep.STOPPED: ("due", "Stopped"),
    ImportStep.LOADED: ("ok", "Loaded"),
    ImportStep.UNDOING: ("waiting", "Being undone"),
    ImportStep.UNDONE: ("closed", "Undone"),
    ImportStep.DISCARDED: ("closed", "Thrown away"),
}
"""The shape and the words of each stage."""
DOING_WORDS = {
    ImportStep.READING: "read",
    ImportStep.CHECKING: "checked",
    ImportStep.LOADING: "loaded",
    ImportStep.UNDOING: "looked at",
}
MEGABYTES = LARGEST_BYTES // 1_000_000


@bp.route("/events/<int:event_id>/import", methods=["GET", "POST"], endpoint="import_sheet")
@requires(Permission.IMPORT_SHEET)
@accepts_upload(megabytes=MEGABYTES + 1)
@writes
def upload_sheet(event_id: int) -> Response | tuple[str, int]:
    """Upload a sheet, or go on with one. Nothing is stored of it but the sealed file and its lines, until a person has
    looked at what would happen."""
    actor, now = current_actor(), now_utc()
    event = queries.event_by_id(event_id)
    form = SheetForm()
    if form.is_sent_and_right():
        file = form.sheet.data
        try:
            upload = sheet_import.keep_upload(
                event,
                content=file.read(),
                filename=tidy(file.filename),
                actor=actor,
                now=now,
                today=today_in_london(),
            )
        except SheetNotRead as refusal:
            form.take_refusal(refusal)
        else:
            return see_other(_address(upload))
    return render(
        "events/import_sheet.html",
        here="events",
        event=event,
        form=form,
        uploads=sheet_queries.uploads_of(event),
        stage_words=STAGE_WORDS,
        address=_address,
        megabytes=MEGABYTES,
        most_lines=number(MOST_LINES),
    ), form.status


def _address(upload: SheetImport, **more: Any) -> str:
    return url_for("imports.look_at_sheet", event_id=upload.event_id, upload_id=upload.id, **more)


@bp.get("/events/<int:event_id>/import/<int:upload_id>")
@requires(Permission.IMPORT_SHEET)
def look_at_sheet(event_id: int, upload_id: int) -> Response | str:
    """How far the sheet is, and what each line comes to. While the worker is at it: how far that has come."""
    event = queries.event_by_id(event_id)
    upload = sheet_queries.upload_of(event, upload_id)
    if request.headers.get("HX-Request"):
        return _progress(event, upload)
    return _show(event, upload, LoadForm())


def _progress(event: RecruitmentEvent, upload: SheetImport) -> Response:
    """The bar alone; once the work is done, the word to fetch the page."""
    if upload.is_on_its_way:
        return make_response(render("events/_sheet_progress.html", **_frame(event, upload)))
    answer = make_response("", 200)
    answer.headers["HX-Refresh"] = "true"
    return answer


def _frame(event: RecruitmentEvent, upload: SheetImport) -> dict[str, Any]:
    return {
        "event": event,
        "upload": upload,
        "address": _address(upload),
        "stage": STAGE_WORDS[ImportStep(upload.step)],
        "doing": DOING_WORDS.get(ImportStep(upload.step), ""),
        "press": PressForm(),
        "event_address": url_for("events.show", event_id=event.id),
        "columns_address": url_for("imports.sheet_columns", event_id=event.id, upload_id=upload.id),
    }


def _show(event: RecruitmentEvent, upload: SheetImport, form: LoadForm, asked: DecideForm | None = None) -> str:
    now = now_utc()
    frame = _frame(event, upload)
    if upload.is_on_its_way or upload.step in (ImportStep.UNREADABLE, ImportStep.COLUMNS, ImportStep.DISCARDED):
        return render("events/sheet_on_its_way.html", here="events", form=form, **frame)
    show = request.args.get("show", "")
    counts = sheet_queries.verdict_counts(upload)
    if show not in sheet_queries.SHOWS:
        show = "look" if counts.get("look") and upload.step == ImportStep.CHECKED else "all"
    after = request.args.get("after", "")
    lines, more = sheet_queries.lines_page(
        upload, show=show, after=int(after) if after.isascii() and after.isdigit() and len(after) < 10 else 0
    )
    foreseen = sheet_queries.foreseen(upload)
    if not form.is_sent:
        form.letters.data = foreseen.opened <= sheet_import.FEW_ENOUGH_TO_WRITE_TO
    return render(
        "events/look_at_sheet.html",
        here="events",
        form=form,
        asked=asked or frame["press"],
        head=sheet_import.head_of(upload),
        counts=counts,
        outcomes=sheet_queries.outcome_counts(upload),
        words=sheet_queries.VERDICT_WORDS,
        outcome_words=sheet_queries.OUTCOME_WORDS,
        foreseen=foreseen,
        lines=lines,
        show=show,
        next_address=_address(upload, show=show, after=more) if more else "",
        first_address=_address(upload, show=show) if after else "",
        undoable=sheet_queries.is_undoable(upload, now=now),
        undo_until=(upload.loaded_at or upload.uploaded_at) + sheet_queries.UNDO_WITHIN,
        decisions=Decision,
        decision_address=lambda line: url_for(
            "imports.decide_line", event_id=event.id, upload_id=upload.id, number=line, show=show, after=after or None
        ),
        **frame,
    )


@bp.route("/events/<int:event_id>/import/<int:upload_id>/columns", methods=["GET", "POST"])
@requires(Permission.IMPORT_SHEET)
@writes
def sheet_columns(event_id: int, upload_id: int) -> Response | tuple[str, int]:
    """Say which column holds what."""
    event = queries.event_by_id(event_id)
    upload = sheet_queries.upload_of(event, upload_id)
    if upload.head is None or upload.step not in (ImportStep.COLUMNS, ImportStep.CHECKED):
        return see_other(_address(upload))
    head = sheet_import.head_of(upload)
    held = columns_.from_text(upload.columns or "{}")
    form = columns_form(head.headings)(**{meaning: str(at) for meaning, at in held.items()})
    if form.is_sent_and_right():
        chosen = {meaning: int(form[meaning].data) for meaning in columns_.COLUMN_WORDS if form[meaning].data}
        try:
            sheet_import.set_columns(upload, chosen, actor=current_actor(), now=now_utc(), today=today_in_london())
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            return see_other(_address(upload))
    return _columns_page(event, upload, form, _layout(upload)), form.status


def _layout(upload: SheetImport) -> Any:
    head = sheet_import.head_of(upload)
    return layout_form(head.sheet_names)(sheet_at=str(upload.sheet_at), headings_at=upload.headings_at)


def _columns_page(event: RecruitmentEvent, upload: SheetImport, form: Any, layout: Any) -> str:
    head = sheet_import.head_of(upload)
    held = columns_.from_text(upload.columns or "{}")
    return render(
        "events/sheet_columns.html",
        here="events",
        form=form,
        layout=layout,
        layout_address=url_for("imports.sheet_layout", event_id=event.id, upload_id=upload.id),
        meanings=tuple(columns_.COLUMN_WORDS),
        head=head,
        column_words=column_words,
        examples={
            meaning: [row[at] for row in head.examples if row[at]]
            for meaning, at in held.items()
            if at < len(head.headings)
        },
        holds={at: columns_.COLUMN_WORDS[meaning] for meaning, at in held.items() if meaning in columns_.COLUMN_WORDS},
        headings_hint=HEADINGS_HINT,
        **_frame(event, upload),
    )


@bp.post("/events/<int:event_id>/import/<int:upload_id>/layout")
@requires(Permission.IMPORT_SHEET)
@writes
def sheet_layout(event_id: int, upload_id: int) -> Response | tuple[str, int]:
    """Read another sheet of the workbook, or take another line for the headings."""
    event = queries.event_by_id(event_id)
    upload = sheet_queries.upload_of(event, upload_id, with_content=True)
    if upload.head is None:
        return see_other(_address(upload))
    layout = _layout(upload)
    if layout.is_sent_and_right():
        try:
            sheet_import.read_again(
                upload,
                sheet_at=int(layout.sheet_at.data) if "sheet_at" in layout else 0,
                headings_at=layout.headings_at.data,
                actor=current_actor(),
                now=now_utc(),
                today=today_in_london(),
            )
        except Refusal as refusal:
            refusal.field = "headings_at"
            layout.take_refusal(refusal)
        else:
            return see_other(url_for("imports.sheet_columns", event_id=event.id, upload_id=upload.id))
    head = sheet_import.head_of(upload)
    form = columns_form(head.headings)(
        formdata=None, **{meaning: str(at) for meaning, at in columns_.from_text(upload.columns or "{}").items()}
    )
    return _columns_page(event, upload, form, layout), layout.status


@bp.post("/events/<int:event_id>/import/<int:upload_id>/lines/<int:number>")
@requires(Permission.IMPORT_SHEET)
@writes
def decide_line(event_id: int, upload_id: int, number: int) -> Response | tuple[str, int]:
    """Say what is to be done with a line that needs a look."""
    event = queries.event_by_id(event_id)
    upload = sheet_queries.upload_of(event, upload_id)
    form = DecideForm()
    back = _address(upload, show=request.args.get("show"), after=request.args.get("after"), _anchor=f"line-{number}")
    if form.is_sent_and_right():
        sheet_import.decide_line(upload, number, Decision(form.decision.data), actor=current_actor(), now=now_utc())
        return see_other(back)
    return _show(event, upload, LoadForm(formdata=None), form), form.status


@bp.post("/events/<int:event_id>/import/<int:upload_id>/load")
@requires(Permission.IMPORT_SHEET)
@writes
def load_sheet(event_id: int, upload_id: int) -> Response | tuple[str, int]:
    """Load what was shown. A small sheet is loaded at once, a long one by the worker."""
    event = queries.event_by_id(event_id)
    upload = sheet_queries.upload_of(event, upload_id)
    form = LoadForm()
    if not form.is_sent_and_right():
        return _show(event, upload, form), form.status
    sheet_loading.load_now_or_later(
        upload,
        sends_letters=form.letters.data,
        actor=current_actor(),
        now=now_utc(),
        today=today_in_london(),
    )
    if upload.step == ImportStep.LOADED:
        tell(
            f"{many(upload.loaded_count, 'new household')} and {upload.joined_count} joined to one we know. "
            f"{many(upload.refused_count, 'line')} refused."
        )
    return see_other(_address(upload))


@bp.post("/events/<int:event_id>/import/<int:upload_id>/stop")
@requires(Permission.IMPORT_SHEET)
@writes
def stop_loading(event_id: int, upload_id: int) -> Response:
    """Stop after what is in hand."""
    upload = sheet_queries.upload_of(queries.event_by_id(event_id), upload_id)
    sheet_import.stop_loading(upload, actor=current_actor(), now=now_utc())
    tell("The loading has stopped. What was loaded stays: go on with the rest, or undo it all.")
    return see_other(_address(upload))


@bp.post("/events/<int:event_id>/import/<int:upload_id>/discard")
@requires(Permission.IMPORT_SHEET)
@writes
def discard_sheet(event_id: int, upload_id: int) -> Response:
    """Throw away a sheet of which nothing was loaded."""
    event = queries.event_by_id(event_id)
    upload = sheet_queries.upload_of(event, upload_id)
    name = upload.filename
    sheet_import.discard(upload, actor=current_actor(), now=now_utc())
    tell(f"{name} is thrown away. Nothing of it was loaded.")
    return see_other(url_for("imports.import_sheet", event_id=event.id))


@bp.route("/events/<int:event_id>/import/<int:upload_id>/undo", methods=["GET", "POST"])
@requires(Permission.IMPORT_SHEET)
@writes
def undo_sheet(event_id: int, upload_id: int) -> Response | tuple[str, int]:
    """Undo a whole import, once it has been said what that means."""
    event = queries.event_by_id(event_id)
    upload = sheet_queries.upload_of(event, upload_id)
    if not sheet_queries.is_undoable(upload, now=now_utc()) and request.method == "GET":
        return see_other(_address(upload))
    form = PressForm()
    if form.is_sent_and_right():
        sheet_undo.undo_now_or_later(upload, actor=current_actor(), now=now_utc(), today=today_in_london())
        if upload.step == ImportStep.UNDONE:
            outcomes = sheet_queries.outcome_counts(upload)
            kept = outcomes.get("kept", 0)
            tell(
                f"The import is undone: {many(outcomes.get('taken_back', 0), 'line')} taken back"
                + (f", {kept} kept. The list below says why." if kept else ".")
            )
        return see_other(_address(upload))
    return render("events/undo_sheet.html", here="events", form=form, **_frame(event, upload)), form.status


@bp.get("/events/<int:event_id>/import/<int:upload_id>/errors.csv")
@requires(Permission.IMPORT_SHEET)
def error_file(event_id: int, upload_id: int) -> Response:
    """The lines to put right, to download."""
    event = queries.event_by_id(event_id)
    upload = sheet_queries.upload_of(event, upload_id)
    if upload.head is None:
        raise sheet_queries.UploadNotFound
    response = make_response(b"".join(sheet_queries.mend_file(upload)))
    response.headers["Content-Type"] = "text/csv; charset=utf-8"
    response.headers["Content-Disposition"] = f'attachment; filename="event-{event.id}-to-put-right.csv"'
    return response
