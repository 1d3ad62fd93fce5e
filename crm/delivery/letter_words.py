"""Whether the words that somebody wrote for a letter may be kept: what they merge in, and what they must say.

The words are a small part of Jinja and nothing more: text, the merge fields that the kind declares in a format of their
type, whether a field is there, and the passages that letters share. Everything else is refused by its kind, not by its
name, so that what nobody thought of is refused too. What is kept is run in a sandbox all the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from jinja2 import TemplateSyntaxError, UndefinedError, nodes
from jinja2.exceptions import SecurityError

from crm.delivery import merge_fields, render
from crm.delivery.letters import PASSAGES, LetterKind
from crm.delivery.merge_fields import BY_POST, FORMATS, MERGE_FIELDS, SERVICE_PARTS, FieldType
from crm.delivery.message import Recipient
from crm.delivery.models import Channel
from crm.delivery.render import Sources
from crm.delivery.texts import MOST_SEGMENTS, length_of
from crm.rules.refusal import Refusal

_CANT_BE_WRITTEN = (UndefinedError, SecurityError, TypeError, ValueError, AttributeError)
LONGEST = {"subject": 150, "body": 12_000, "text": 600}
_WITH_ARGUMENTS = {"replace": ((" ", ""),)}
"""Formats that take something: what is allowed between the brackets."""
_IN_SUBJECTS = frozenset(
    {"service", "reference", "starts_at", "old_starts_at", "meets_at", "received_on", "decided_on"}
)
"""A subject is read on a locked phone by whoever sits beside it: no name, no reason, no place."""


class WordsNotKept(Refusal):
    """The words can't be those of the letter; the message says what to put right, ``field`` where."""

    default_status = 422


@dataclass(frozen=True)
class Used:
    """What some words merge in, and which passages they include."""

    fields: frozenset[str]
    passages: frozenset[str]


def check_words(letter: LetterKind, sources: Sources, *, service: Any) -> None:
    """Raise WordsNotKept unless these may be the words of the letter. ``service`` is the service's profile."""
    subject = _check_source(letter, sources.subject, where="subject")
    if wrong := subject.fields - _IN_SUBJECTS - {BY_POST}:
        raise WordsNotKept(
            f"Leave {_names(wrong)} out of the subject: anybody can read it on the screen of a phone.", field="subject"
        )
    body = _check_source(letter, sources.body, where="body")
    for name in letter.must_say:
        if name not in body.fields:
            raise WordsNotKept(
                f"This letter must say {MERGE_FIELDS[name].means}: put {{{{ {name} }}}} back in.", field="body"
            )
    for passage in letter.must_include:
        if passage not in body.passages:
            raise WordsNotKept(
                f'This letter must have “{PASSAGES[passage]}”: put {{% include "{passage}" %}} back in.', field="body"
            )
    if (Channel.TEXT in letter.channels) != bool(sources.text):
        raise WordsNotKept(
            "Write the text message too." if Channel.TEXT in letter.channels else "This letter has no text message.",
            field="text",
        )
    if sources.text:
        _check_source(letter, sources.text, where="text")
    _check_written(letter, sources, service=service)


def context_of(letter: LetterKind, *, service: Any, is_full: bool = True) -> dict[str, Any]:
    """The merge fields of a letter to somebody of the fictional cast: all of them, or (not ``is_full``) only those that
    are always there, with every question answered no."""
    names = letter.known_fields if is_full else letter.all_fields
    context = {name: merge_fields.example_of(name) for name in names if name != "service"}
    if not is_full:
        context |= {name: False for name in names if MERGE_FIELDS[name].type is FieldType.YES_NO}
    if "place" in letter.optional and is_full:
        context["place"] = letter.optional["place"]
    return {**context, "service": service}


def example_of(letter: LetterKind, sources: Sources, channel: Channel, *, service: Any) -> render.Words:
    """The letter to somebody of the fictional cast, as it would be written. Raises WordsNotKept."""
    stop_url = "https://kestrel.example.org/stop/example" if letter.may_be_stopped and channel != Channel.POST else None
    try:
        context = context_of(letter, service=service)
        return render.write_words(letter, context, channel, sources=sources, stop_url=stop_url)
    except _CANT_BE_WRITTEN as fault:
        raise WordsNotKept("These words can’t be put together. Look at what stands in the brackets.") from fault


def example_page(letter: LetterKind, sources: Sources, *, service: Any, now: datetime) -> bytes:
    """The letter to somebody of the fictional cast as it would be printed: a PDF. Raises WordsNotKept."""
    if Channel.POST not in letter.channels:
        raise WordsNotKept("This letter is never printed.", status=404)
    words = example_of(letter, sources, Channel.POST, service=service)
    to = Recipient(postal=("Maya Okafor", "4 Hill Top Road", "Bromley", "BR1 3KO"))
    return render.write_page(letter, words, context_of(letter, service=service), to, now)


def used_in(source: str) -> Used:
    """What a source merges in and includes. Raises TemplateSyntaxError."""
    return _used_in(render.words_environment().parse(source))


def _used_in(tree: nodes.Template) -> Used:
    return Used(
        frozenset(node.name for node in tree.find_all(nodes.Name)),
        frozenset(
            str(node.template.value) for node in tree.find_all(nodes.Include) if isinstance(node.template, nodes.Const)
        ),
    )


# --- One source -------------------------------------------------------------------------------------------------------


def _check_source(letter: LetterKind, source: str, *, where: str) -> Used:
    if not source.strip():
        raise WordsNotKept("Write the words.", field=where)
    if len(source) > LONGEST[where]:
        raise WordsNotKept(f"Make this {LONGEST[where]:,} characters or fewer; it has {len(source):,}.", field=where)
    if where != "body" and "\n" in source.strip():
        raise WordsNotKept("Write this in one line.", field=where)
    try:
        tree = render.words_environment().parse(source)
    except RecursionError as fault:
        raise WordsNotKept("There are too many brackets inside one another.", field=where) from fault
    except TemplateSyntaxError as fault:
        raise WordsNotKept(
            f"Line {fault.lineno}: something in the brackets is not finished. A field stands in two curly brackets, "
            "like {{ first_name }}.",
            field=where,
        ) from fault
    for node in tree.body:
        _check_node(letter, node, where=where)
    return _used_in(tree)


def _check_node(letter: LetterKind, node: nodes.Node, *, where: str) -> None:
    if isinstance(node, nodes.Output):
        for part in node.nodes:
            if not isinstance(part, nodes.TemplateData):
                _check_printed(letter, part, where=where)
    elif isinstance(node, nodes.If):
        _check_question(letter, node.test, where=where)
        for inner in (*node.body, *node.elif_, *node.else_):
            _check_node(letter, inner, where=where)
    elif isinstance(node, nodes.Include) and where == "body":
        if not isinstance(node.template, nodes.Const) or node.template.value not in PASSAGES:
            raise WordsNotKept(f"Line {node.lineno}: there is no such passage.", field=where)
        for name in used_in(_passage(node.template.value)).fields - {BY_POST}:
            _known(letter, name, node.lineno, where=where)
    else:
        raise _not_ours(node, where)


def _check_printed(letter: LetterKind, node: nodes.Expr, *, where: str) -> None:
    """A field in a format of its type, a part of the service, or one of two words by a question."""
    if isinstance(node, nodes.CondExpr):
        _check_question(letter, node.test, where=where)
        for choice in (node.expr1, node.expr2):
            if choice is not None and not (isinstance(choice, nodes.Const) and isinstance(choice.value, str)):
                _check_printed(letter, choice, where=where)
        return
    formats: list[str] = []
    while isinstance(node, nodes.Filter):
        _check_format(node, where=where)
        formats.append(node.name)
        if node.node is None:
            raise _not_ours(node, where)
        node = node.node
    if isinstance(node, nodes.Getattr) and isinstance(node.node, nodes.Name) and node.node.name == "service":
        _known(letter, "service", node.lineno, where=where)
        if node.attr not in SERVICE_PARTS:
            raise WordsNotKept(
                f"Line {node.lineno}: there is no service.{node.attr}. There are: "
                f"{', '.join(f'service.{part}' for part in SERVICE_PARTS)}.",
                field=where,
            )
        if formats and formats != ["replace"]:
            raise WordsNotKept(f"Line {node.lineno}: service.{node.attr} is written as it is.", field=where)
        return
    if not isinstance(node, nodes.Name):
        raise _not_ours(node, where)
    _known(letter, node.name, node.lineno, where=where)
    _check_formats(node, formats, where=where)


def _check_formats(node: nodes.Name, formats: list[str], *, where: str) -> None:
    """A field has a format of its type, and each type that has formats needs one: a bare day reads as 2026-07-14."""
    if node.name == BY_POST:
        raise WordsNotKept(f"Line {node.lineno}: by_post can be asked about, and not written.", field=where)
    field = MERGE_FIELDS[node.name]
    allowed = FORMATS[field.type]
    if field.type in (FieldType.YES_NO, FieldType.SERVICE):
        raise WordsNotKept(f"Line {node.lineno}: {node.name} can be asked about, and not written.", field=where)
    if [name for name in formats if name not in allowed] or (allowed and len(formats) != 1):
        how = f" Write one of: {', '.join(f'{node.name}|{name}' for name in allowed)}." if allowed else ""
        raise WordsNotKept(f"Line {node.lineno}: {node.name} can’t be written like that.{how}", field=where)


def _check_format(node: nodes.Filter, *, where: str) -> None:
    given = tuple(one.value for one in node.args if isinstance(one, nodes.Const))
    plain = len(given) == len(node.args) and not node.kwargs and node.dyn_args is None and node.dyn_kwargs is None
    if not plain or (given and given not in _WITH_ARGUMENTS.get(node.name, ())):
        raise _not_ours(node, where)
    if not given and node.name in _WITH_ARGUMENTS:
        raise _not_ours(node, where)


def _check_question(letter: LetterKind, node: nodes.Node, *, where: str) -> None:
    """Whether a field is there, or is some word; and, or, not."""
    if isinstance(node, nodes.Not):
        _check_question(letter, node.node, where=where)
    elif isinstance(node, nodes.And | nodes.Or):
        _check_question(letter, node.left, where=where)
        _check_question(letter, node.right, where=where)
    elif isinstance(node, nodes.Compare):
        is_plain = all(
            one.op in ("eq", "ne") and isinstance(one.expr, nodes.Const) and isinstance(one.expr.value, str)
            for one in node.ops
        )
        if not is_plain or not isinstance(node.expr, nodes.Name):
            raise _not_ours(node, where)
        _known(letter, node.expr.name, node.lineno, where=where)
    elif isinstance(node, nodes.Name):
        _known(letter, node.name, node.lineno, where=where)
    else:
        raise _not_ours(node, where)


def _known(letter: LetterKind, name: str, line: int, *, where: str) -> None:
    if name == BY_POST or name in letter.known_fields:
        return
    if name in MERGE_FIELDS:
        raise WordsNotKept(
            f"Line {line}: {name} ({MERGE_FIELDS[name].means}) is not part of this letter, so it can’t be merged into "
            "it.",
            field=where,
        )
    raise WordsNotKept(f"Line {line}: there is no field {name}. Choose one from the list.", field=where)


def _not_ours(node: nodes.Node, where: str) -> WordsNotKept:
    return WordsNotKept(
        f"Line {node.lineno}: only fields, passages and questions about fields can stand in brackets.", field=where
    )


def _passage(name: str) -> str:
    return (render.templates_dir() / name).read_text(encoding="utf-8")


# --- The words as they come out ---------------------------------------------------------------------------------------


def _check_written(letter: LetterKind, sources: Sources, *, service: Any) -> None:
    """Written to the fictional cast, with all that may be given and with only what must: there is something to read,
    and what the law wants said or unsaid is."""
    for is_full in (True, False):
        context = context_of(letter, service=service, is_full=is_full)
        for channel in letter.channels:
            try:
                words = render.write_words(letter, context, channel, sources=sources)
            except _CANT_BE_WRITTEN as fault:
                raise WordsNotKept(
                    "These words can’t be put together where something is not known. Ask about it first: "
                    "{% if … %} … {% endif %}.",
                    field="text" if channel == Channel.TEXT else "body",
                ) from fault
            if channel == Channel.TEXT:
                length = length_of(words.text)
                if length.segments > MOST_SEGMENTS:
                    raise WordsNotKept(f"That is too long for a text message: {length.words}.", field="text")
            else:
                _check_letter(letter, words, is_full=is_full)


def _check_letter(letter: LetterKind, words: render.Words, *, is_full: bool) -> None:
    if not 3 <= len(words.subject) <= LONGEST["subject"]:
        raise WordsNotKept("Write a subject of a few words.", field="subject")
    if re.search(r"\bNone\b", words.text):
        raise WordsNotKept(
            "Something that is not always known is merged in. Ask about it first: {% if … %} … {% endif %}.",
            field="body",
        )
    if len(words.text.split()) < 5:
        raise WordsNotKept("Write the letter: a few words at least.", field="body")
    for phrase in letter.must_not_mention:
        if re.search(rf"\b{re.escape(phrase)}\b", words.text):
            raise WordsNotKept(f"The law gives no “{phrase}” here, so this letter must not speak of it.", field="body")
    # With every question answered no, nobody is disqualified: then the law gives all of it.
    missing = [phrase for phrase in letter.must_mention if phrase not in words.text]
    if missing and not is_full:
        raise WordsNotKept(
            f"By law this letter speaks of {' and of '.join(f'“{phrase}”' for phrase in missing)}. Put that back in.",
            field="body",
        )


def _names(names: frozenset[str]) -> str:
    return ", ".join(sorted(names))
