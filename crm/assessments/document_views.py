"""Staff screens of a household's documents: the list, and one document with its files."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from flask import Response, current_app, g, request
from sqlalchemy import select

from crm.access.guards import requires
from crm.access.queries import names_of
from crm.assessments import documents
from crm.assessments.document_forms import (
    AcceptDocumentForm,
    AskForDocumentForm,
    HandInForm,
    HandInOtherForm,
    SendBackForm,
)
from crm.assessments.document_models import Document, DocumentFile
from crm.assessments.documents import DocumentLine, DocumentNotFound, Taken
from crm.assessments.overview_views import Looking, case_page, look
from crm.assessments.queries import live_people
from crm.assessments.views import assessments
from crm.cases.queries import is_on_case
from crm.db import db, end_read
from crm.files.models import StoredFile
from crm.rules.documents import KINDS_BY_NAME, STANDING_WORDS, Standing
from crm.rules.permissions import Permission, Sensitivity, may_see
from crm.rules.refusal import Refusal
from crm.web.attachments import attachment
from crm.web.forms import BaseForm
from crm.web.notices import tell
from crm.web.pages import see_other
from crm.web.sightings import records_view, saw
from crm.web.uploads import accepts_upload
from crm.web.writes import writes

P = Permission
LARGEST_MEGABYTES = 40
"""Of everything that is handed in at once."""


def takes_documents(view: Callable[..., Any]) -> Callable[..., Any]:
    """Make the files of a form anew before its transaction begins: that is slow, and would keep all others waiting."""

    @functools.wraps(view)
    def inside(**given: Any) -> Any:
        g.documents_taken = []
        if request.method == "POST":
            end_read()
            handed_in = [file.read() for file in request.files.getlist("files") if file.filename]
            g.documents_taken = documents.take_each(handed_in)
        return view(**given)

    return inside


def documents_taken() -> list[Taken]:
    """The files of this form, made anew."""
    taken: list[Taken] = g.documents_taken
    return taken


def hand_in_form(line: DocumentLine, **given: Any) -> HandInForm:
    """The form for one document; what has no name of its own is named."""
    is_named = line.kind.name != "other" or (line.document is not None and line.document.words)
    return HandInForm(**given) if is_named else HandInOtherForm(**given)


def has_scanner() -> bool:
    """Whether a virus scanner is set up. Without one, what comes in stays held."""
    return current_app.extensions["crm_settings"].clamd is not None


def shows_document(looking: Looking, line: DocumentLine) -> bool:
    """Whether what is in it is for whoever looks."""
    return may_see(
        looking.actor,
        Sensitivity(line.kind.sensitivity),
        subject_person_id=line.person.id if line.person else None,
        on_case=is_on_case(looking.actor, looking.case, today=looking.today),
    )


@assessments.get("/cases/<reference>/documents")
@requires(P.RECORD_CHECK)
@records_view("documents")
def list_documents(reference: str) -> Response:
    """What is asked of whom, and how each stands."""
    looking = look(reference)
    return _list_page(looking, AskForDocumentForm.of(live_people(looking.case)))


@assessments.post("/cases/<reference>/documents")
@requires(P.RECORD_CHECK)
@records_view("documents")
@writes
def ask_for_document(reference: str) -> Response:
    """Ask for one."""
    looking = look(reference)
    people = live_people(looking.case)
    form = AskForDocumentForm.of(people)
    if form.is_sent_and_right():
        person = next((one for one in people if str(one.id) == form.whose.data), None)
        try:
            documents.ask_for(
                looking.case, KINDS_BY_NAME[form.kind.data], person, form.words.data or None, **looking.doing
            )
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            tell("It is on their list, and a letter says that something waits there. The letter does not say what.")
            return see_other(f"{looking.base}/documents")
    return _list_page(looking, form)


def _list_page(looking: Looking, form: AskForDocumentForm) -> Response:
    case = looking.case
    saw(case_id=case.id, subject=f"case:{case.reference}")
    lines = documents.lines_of(case, today=looking.today)
    people = {person.id: person for person in case.household.people}
    return case_page(
        "assessments/documents.html",
        looking,
        form,
        groups=[
            (
                people[person_id].full_name if person_id is not None else "The household",
                [(line, shows_document(looking, line)) for line in group],
            )
            for person_id, group in lines.items()
            if group
        ],
        words=STANDING_WORDS,
        is_open=documents.is_open(case),
        no_scanner=not has_scanner(),
        held=any(line.standing is Standing.HELD for group in lines.values() for line in group),
    )


@assessments.get("/cases/<reference>/documents/<key>")
@requires(P.RECORD_CHECK)
@records_view("document")
def show_document(reference: str, key: str) -> Response:
    """One document: its files, who handed them in, what was said of them."""
    looking = look(reference)
    return _page(looking, _line(looking, key))


@assessments.post("/cases/<reference>/documents/<key>/hand-in")
@requires(P.RECORD_CHECK)
@accepts_upload(megabytes=LARGEST_MEGABYTES)
@records_view("document")
@takes_documents
@writes
def hand_in_for_them(reference: str, key: str) -> Response:
    """Take a document in that came another way: by post, by email, or scanned at their table."""
    looking = look(reference)
    line = _line(looking, key)
    form = hand_in_form(line)
    if form.is_sent_and_right():
        try:
            version = documents.hand_in(
                looking.case,
                line,
                documents_taken(),
                words=form["words"].data if "words" in form else None,
                **looking.doing,
            )
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            tell("Taken in. It can be opened once it has been looked through for viruses.")
            return see_other(f"{looking.base}/documents/{version.document.public_id}")
    return _page(looking, line, hand_in=form)


@assessments.post("/cases/<reference>/documents/<key>/accept")
@requires(P.RECORD_CHECK)
@records_view("document")
@writes
def accept_document(reference: str, key: str) -> Response:
    """Say that it is good."""
    looking = look(reference)
    line = _line(looking, key)
    form = AcceptDocumentForm()
    if form.is_sent_and_right():
        try:
            documents.accept(
                looking.case,
                _document(line),
                seen=_seen(form),
                original_seen_on=form.original_seen_on.data,
                ends_on=form.ends_on.data,
                actor=looking.actor,
                now=looking.now,
                today=looking.today,
            )
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            tell(f"{line.kind.title}: accepted.")
            return see_other(f"{looking.base}/documents")
    return _page(looking, line, accept=form)


@assessments.post("/cases/<reference>/documents/<key>/back")
@requires(P.RECORD_CHECK)
@records_view("document")
@writes
def send_document_back(reference: str, key: str) -> Response:
    """Ask for it again."""
    looking = look(reference)
    line = _line(looking, key)
    form = SendBackForm()
    if form.is_sent_and_right():
        try:
            documents.send_back(looking.case, _document(line), form.why.data or "", seen=_seen(form), **looking.doing)
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            tell("Sent back. What they had sent is gone, and your reason stands on their list.")
            return see_other(f"{looking.base}/documents")
    return _page(looking, line, back=form)


@assessments.post("/cases/<reference>/documents/<key>/not-needed")
@requires(P.RECORD_CHECK)
@records_view("document")
@writes
def document_not_needed(reference: str, key: str) -> Response:
    """Say that it is not needed."""
    looking = look(reference)
    line = _line(looking, key)
    documents.not_needed(looking.case, line, actor=looking.actor, now=looking.now, today=looking.today)
    tell(f"{line.kind.title}: not needed. It is off their list.")
    return see_other(f"{looking.base}/documents")


@assessments.get("/cases/<reference>/documents/<key>/files/<file_key>")
@requires(P.RECORD_CHECK)
@records_view("document_file")
def fetch_file(reference: str, key: str, file_key: str) -> Response:
    """One file, to be saved or drawn on its page: never opened in the product's own place."""
    looking = look(reference)
    line = _line(looking, key)
    document = _document(line)
    pages = {page.public_id: page for version in document.versions for page in version.pages}
    page = pages.get(file_key)
    if page is None or page.scan != "clean":
        raise DocumentNotFound  # one that is held is not there for anybody
    stored = db.session.get_one(StoredFile, page.file_id)
    saw(case_id=looking.case.id, subject=documents.subject_of(document), kinds=_kinds(line))
    return attachment(stored.content or b"", stored.media, _file_name(looking, page, stored))


def _file_name(looking: Looking, page: DocumentFile, stored: StoredFile) -> str:
    """Says whose case and which sheet, and nothing of what is in it: it may stay in somebody's folder of downloads."""
    return f"{looking.case.reference}-{page.public_id[:6]}.{'pdf' if stored.media == 'application/pdf' else 'jpg'}"


def _kinds(line: DocumentLine) -> tuple[str, ...]:
    return () if line.kind.sensitivity is Sensitivity.PERSONAL else (line.kind.sensitivity,)


def _line(looking: Looking, key: str) -> DocumentLine:
    line = documents.line_of(looking.case, key, today=looking.today)
    if not shows_document(looking, line):
        raise DocumentNotFound
    return line


def _document(line: DocumentLine) -> Document:
    if line.document is None:
        raise DocumentNotFound
    return line.document


def _seen(form: BaseForm) -> int:
    text = form.seen.data or ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _page(
    looking: Looking,
    line: DocumentLine,
    *,
    hand_in: HandInForm | None = None,
    accept: AcceptDocumentForm | None = None,
    back: SendBackForm | None = None,
) -> Response:
    document = line.document
    saw(
        case_id=looking.case.id,
        subject=documents.subject_of(document) if document is not None else f"case:{looking.case.reference}",
        kinds=_kinds(line),
    )
    sent: BaseForm | None = next((one for one in (hand_in, accept, back) if one is not None), None)
    versions = list(reversed(document.versions)) if document is not None else []
    seen = str(versions[0].number) if versions else "0"
    ids = [one for version in versions for one in (version.looked_at_by_id, version.taken_in_by_id) if one]
    ids += [one for one in (document.asked_by_id, document.not_needed_by_id) if one] if document is not None else []
    files = {
        row.id: row.media
        for row in db.session.execute(
            select(StoredFile.id, StoredFile.media).where(
                StoredFile.id.in_([page.file_id for version in versions for page in version.pages])
            )
        )
    }
    people = {person.id: person.full_name for person in looking.case.household.people}
    return case_page(
        "assessments/document.html",
        looking,
        sent or BaseForm(takes_answers=False),
        line=line,
        document=document,
        versions=versions,
        files=files,
        people=people,
        names=names_of(ids),
        words=STANDING_WORDS,
        page=f"{looking.base}/documents/{line.key}",
        hand_in=hand_in or hand_in_form(line, takes_answers=False),
        accept=accept or AcceptDocumentForm(takes_answers=False, seen=seen),
        back=back or SendBackForm(takes_answers=False, seen=seen),
        is_open=documents.is_open(looking.case),
        no_scanner=not has_scanner(),
        largest=LARGEST_MEGABYTES,
        most=documents.MOST_FILES,
    )
