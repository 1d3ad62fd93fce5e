"""The words of letters: edited, looked at on the fictional cast, put in force from a day, put back.

What is shown here is made up: no household's letter is on these pages.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Response, make_response, request, url_for

from crm import policy
from crm.access.guards import current_actor, requires
from crm.administration.letters_forms import LetterWordsForm, RestoreWordsForm
from crm.administration.views import bp
from crm.cases import letter_words as words
from crm.clock import now_utc, today_in_london
from crm.delivery import letter_words, render
from crm.delivery.letters import LETTERS, PASSAGES, Audience, LetterKind
from crm.delivery.merge_fields import FORMATS, MERGE_FIELDS, SERVICE_PARTS, FieldType
from crm.delivery.models import CHANNEL_WORDS, Channel
from crm.delivery.render import Sources
from crm.delivery.texts import Length, length_of
from crm.rules.permissions import Permission
from crm.rules.refusal import Refusal
from crm.web.notices import tell
from crm.web.pages import render as draw
from crm.web.pages import see_other
from crm.web.writes import writes, writes_by_itself

GROUPS = {
    Audience.HOUSEHOLD: "To households",
    Audience.VISITOR: "To guests of events",
    Audience.REFEREE: "To referees and others who are asked",
    Audience.OFFICER: "To officers, for their calendars",
    Audience.STAFF: "To people who work here",
}


@dataclass(frozen=True)
class Preview:
    """A letter to somebody of the fictional cast, in each form that it has."""

    email: render.Words | None
    text: str | None
    length: Length | None
    can_print: bool


@bp.get("/admin/settings/letters")
@requires(Permission.MANAGE_SETTINGS)
def letter_wordings() -> str:
    """Every letter that the product writes, and whose words it has now."""
    in_force = words.words_in_force(today_in_london())
    groups = [
        (title, [one for one in LETTERS.values() if one.audience is who and not one.fixed_words])
        for who, title in GROUPS.items()
    ]
    return draw(
        "administration/letter_wordings.html",
        here="admin",
        groups=groups,
        in_force=in_force,
        channel_words=CHANNEL_WORDS,
    )


@bp.route("/admin/settings/letters/<kind>", methods=["GET", "POST"])
@requires(Permission.MANAGE_SETTINGS)
@writes
def letter_wording(kind: str) -> Response:
    """The words of one letter: kept, they are in force from a day."""
    letter, today = words.letter_kind(kind), today_in_london()
    present = words.words_of_letter(kind, today) or render.default_sources(letter)
    form = LetterWordsForm(
        subject=present.subject.strip(),
        body=present.body.strip(),
        text=present.text or "",
        in_force_from=today,
        seen=str(policy.policy_version()),
    )
    if form.is_sent_and_right():
        try:
            words.publish_words(
                kind,
                _sources(form, letter),
                in_force_from=form.in_force_from.data,
                actor=current_actor(),
                now=now_utc(),
                today=today,
                seen=int(form.seen.data) if (form.seen.data or "").isdigit() else None,
            )
        except Refusal as refusal:
            if refusal.status != 422:
                raise
            form.take_refusal(refusal)
        else:
            day = form.in_force_from.data
            tell(f"“{letter.title}” has these words from {day:%A} {day.day} {day:%B %Y}.")
            return see_other(url_for("administration.letter_wording", kind=kind))
    return _editor(letter, form, preview=_preview(letter, form))


@bp.post("/admin/settings/letters/<kind>/preview")
@requires(Permission.MANAGE_SETTINGS)
@writes_by_itself("draws what was typed and keeps nothing, so that the form can still be sent")
def preview_letter_wording(kind: str) -> Response | str:
    """The words in the form on the fictional cast, with what is wrong with them; asked for as somebody types, too."""
    letter, form = words.letter_kind(kind), LetterWordsForm()
    preview = _preview(letter, form, says=True)
    if request.headers.get("HX-Request"):
        return draw("administration/_letter_preview.html", letter=letter, preview=preview, form=form)
    return _editor(letter, form, preview=preview)


@bp.post("/admin/settings/letters/<kind>/print")
@requires(Permission.MANAGE_SETTINGS)
@writes_by_itself("draws what was typed and keeps nothing, so that the form can still be sent")
def print_letter_wording(kind: str) -> Response:
    """The words in the form, as they would be printed."""
    letter, form = words.letter_kind(kind), LetterWordsForm()
    sources = _sources(form, letter)
    letter_words.check_words(letter, sources, service=policy.service())
    response = make_response(letter_words.example_page(letter, sources, service=policy.service(), now=now_utc()))
    response.mimetype = "application/pdf"
    response.headers["Content-Disposition"] = f'inline; filename="{kind}.pdf"'
    return response


@bp.get("/admin/settings/letters/<kind>/versions/<int:version>")
@requires(Permission.MANAGE_SETTINGS)
def letter_version(kind: str, version: int) -> str:
    """An edition as it was; 0 is the product's own."""
    letter = words.letter_kind(kind)
    found = next((one for one in words.editions_of(kind) if one.version == version), None)
    if found is None and version != 0:
        raise words.NoSuchLetter("There is no such version. Go back and choose one.")
    sources = (found.sources if found else None) or render.default_sources(letter)
    return draw(
        "administration/letter_version.html",
        here="admin",
        letter=letter,
        edition=found,
        sources=sources,
        preview=_preview_of(letter, sources),
    )


@bp.route("/admin/settings/letters/<kind>/restore", methods=["GET", "POST"])
@requires(Permission.MANAGE_SETTINGS)
@writes
def restore_letter_wording(kind: str) -> Response:
    """Put the product's own words back, from a day."""
    letter, today = words.letter_kind(kind), today_in_london()
    form = RestoreWordsForm(in_force_from=today, seen=str(policy.policy_version()))
    if form.is_sent_and_right():
        try:
            words.restore_default(
                kind, in_force_from=form.in_force_from.data, actor=current_actor(), now=now_utc(), today=today
            )
        except Refusal as refusal:
            if refusal.status != 422:
                raise
            form.take_refusal(refusal)
        else:
            day = form.in_force_from.data
            tell(f"“{letter.title}” has the product’s own words again from {day:%A} {day.day} {day:%B %Y}.")
            return see_other(url_for("administration.letter_wording", kind=kind))
    sources = render.default_sources(letter)
    body = draw(
        "administration/restore_letter_wording.html",
        here="admin",
        form=form,
        letter=letter,
        sources=sources,
        preview=_preview_of(letter, sources),
    )
    return make_response(body, form.status)


# --- What the pages show ----------------------------------------------------------------------------------------------


def _editor(letter: LetterKind, form: LetterWordsForm, *, preview: Preview | None) -> Response:
    body = draw(
        "administration/letter_wording.html",
        here="admin",
        form=form,
        letter=letter,
        fields=_field_rows(letter),
        passages={name: title for name, title in PASSAGES.items() if not letter.names_nobody},
        must_say=[MERGE_FIELDS[name] for name in letter.must_say],
        history=words.editions_of(letter.kind),
        today=today_in_london(),
        preview=preview,
    )
    return make_response(body, form.status)


def _field_rows(letter: LetterKind) -> list[tuple[str, str, str]]:
    """Each thing that can be merged into this letter: how it is written, what it is, and what stands for it below."""
    rows = [(f"{{{{ service.{part} }}}}", means, "") for part, means in SERVICE_PARTS.items()]
    for name in sorted(letter.known_fields - {"service"}):
        field = MERGE_FIELDS[name]
        if field.type is FieldType.YES_NO:
            rows.append((f"{{% if {name} %}} … {{% endif %}}", field.means, ""))
            continue
        formats = FORMATS[field.type] or ("",)
        note = "not always known" if name in letter.optional else ""
        rows.extend((f"{{{{ {name}{'|' if one else ''}{one} }}}}", field.means, note) for one in formats)
    return rows


def _sources(form: LetterWordsForm, letter: LetterKind) -> Sources:
    text = (form.text.data or "").strip() if Channel.TEXT in letter.channels else None
    return Sources(f"{form.subject.data or ''}\n", f"{form.body.data or ''}\n", text or None)


def _preview(letter: LetterKind, form: LetterWordsForm, *, says: bool = False) -> Preview | None:
    """The words in the form on the fictional cast; None where they can't be kept. ``says`` puts why into the form."""
    sources = _sources(form, letter)
    try:
        letter_words.check_words(letter, sources, service=policy.service())
        return _preview_of(letter, sources)
    except Refusal as refusal:
        if says:
            form.take_refusal(refusal)
        return None


def _preview_of(letter: LetterKind, sources: Sources) -> Preview:
    service: Any = policy.service()
    mailed = Channel.EMAIL in letter.channels
    text = None
    if Channel.TEXT in letter.channels:
        text = letter_words.example_of(letter, sources, Channel.TEXT, service=service).text
    return Preview(
        email=letter_words.example_of(letter, sources, Channel.EMAIL, service=service) if mailed else None,
        text=text,
        length=length_of(text) if text is not None else None,
        can_print=Channel.POST in letter.channels,
    )
