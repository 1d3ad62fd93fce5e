"""The house's way of writing a letter once, so that the email, its plain-text twin and the page that is printed agree.

A letter's ``body.txt`` is plain text in blocks, with a blank line between two blocks::

    # Hello Maya, see you on Tuesday          the greeting
    ## Before we come                         a heading
    - Please both be there.                   a list; each line one point
    >> Tuesday 14 July, 5:30pm                a box: >> a strong line, > an ordinary one
    > About 2 hours, at your home
    [See or change the visit](https://…)      alone in its block: a button
    ~ We send this because …                  small print
    Dionne Clarke \\                           a backslash ends the line where the words must break
    Kestrel Fostering

Inside a block ``**strong**`` and ``[words](https://…)`` work. What is merged in never counts as markup: ``hide`` makes
the characters that mean something here mean nothing, and ``parse`` brings them back at the end. So a household's own
words can't become a button, and the words of a statutory notice exist once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_MEANINGFUL = "#-~>[]()*\\"
_HIDDEN = {ord(character): 0xE000 + place for place, character in enumerate(_MEANINGFUL)}
_SHOWN = {hidden: ord(_MEANINGFUL[hidden - 0xE000]) for hidden in _HIDDEN.values()}
_LINE_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_INLINE = re.compile(r"\*\*(?P<strong>[^*]+)\*\*|\[(?P<words>[^\]]+)\]\((?P<url>[^)\s]+)\)")
_SCHEMES = ("https://", "http://", "tel:", "mailto:")
_ALONE = re.compile(r"\[(?P<words>[^\]]+)\]\((?P<url>[^)\s]+)\)")


@dataclass(frozen=True)
class Run:
    """Some words, all alike."""

    text: str
    strong: bool = False
    url: str | None = None
    breaks: bool = False
    """The line ends after this."""


@dataclass(frozen=True)
class Block:
    """A paragraph, greeting, heading, list, box, button or small print. ``lines`` holds one tuple of runs a line."""

    kind: str
    lines: tuple[tuple[Run, ...], ...]
    strong_lines: frozenset[int] = frozenset()


class Written(str):
    """Text that is already safe to stand in a letter's source."""

    __slots__ = ()


def hide(value: object) -> Written:
    """A merged-in value on one line, with nothing in it that could be read as markup."""
    if isinstance(value, Written):
        return value
    text = "".join(character for character in str(value) if not "\ue000" <= character <= "\uf8ff")
    return Written(_LINE_BREAKS.sub(" ", text).translate(_HIDDEN))


def paragraphs(value: object) -> Written:
    """A merged-in text of several paragraphs, such as the reasons for a decision: its own blocks, and no markup."""
    parts = [part for part in re.split(r"(?:\r\n|\r|\n)\s*", str(value).strip()) if part.strip()]
    return Written("\n\n".join(hide(part.strip()) for part in parts))


def bullets(values: object) -> Written:
    """Merged-in points, one a line of a list."""
    if isinstance(values, str):
        values = values.splitlines()
    return Written("\n".join(f"- {hide(value)}" for value in values if str(value).strip()))  # type: ignore[attr-defined]


def parse(source: str) -> list[Block]:
    """The blocks of a letter."""
    blocks: list[Block] = []
    for chunk in re.split(r"\n[ \t]*(?:\n[ \t]*)+", source.strip("\n \t")):
        lines = [line.strip(" \t") for line in chunk.split("\n") if line.strip(" \t")]
        if lines:
            blocks.extend(_blocks_of(lines))
    return blocks


def _blocks_of(lines: list[str]) -> list[Block]:
    first = lines[0]
    if first.startswith("## "):
        return [_block("heading", [first[3:]]), *(_blocks_of(lines[1:]) if lines[1:] else [])]
    if first.startswith("# "):
        return [_block("greeting", [first[2:]]), *(_blocks_of(lines[1:]) if lines[1:] else [])]
    if first.startswith("- "):
        return [_block("list", _points(lines))]
    if first.startswith(">"):
        strong = frozenset(place for place, line in enumerate(lines) if line.startswith(">>"))
        return [Block("box", tuple(_runs(line.lstrip("> ")) for line in lines), strong)]
    if first.startswith("~ "):
        return [_block("small", [" ".join(line.removeprefix("~ ") for line in lines)])]
    if len(lines) == 1 and (alone := _ALONE.fullmatch(first)) and _show(alone["url"]).startswith(_SCHEMES):
        return [Block("button", ((Run(_show(alone["words"]), url=_show(alone["url"])),),))]
    runs: list[Run] = []
    words: list[str] = []
    for line in lines:
        words.append(line.removesuffix("\\").rstrip())
        if line.endswith("\\"):
            runs.extend(_runs(" ".join(words)))
            runs.append(Run("", breaks=True))
            words = []
    return [Block("paragraph", ((*runs, *_runs(" ".join(words))),))]


def _points(lines: list[str]) -> list[str]:
    points: list[str] = []
    for line in lines:
        if line.startswith("- "):
            points.append(line[2:])
        else:
            points[-1] += f" {line}"
    return points


def _block(kind: str, lines: list[str]) -> Block:
    return Block(kind, tuple(_runs(line) for line in lines))


def _runs(text: str) -> tuple[Run, ...]:
    runs: list[Run] = []
    place = 0
    for match in _INLINE.finditer(text):
        if match.start() > place:
            runs.append(Run(_show(text[place : match.start()])))
        if match["strong"] is not None:
            runs.append(Run(_show(match["strong"]), strong=True))
        elif not _show(match["url"]).startswith(_SCHEMES):
            runs.append(Run(_show(match["words"])))
        else:
            runs.append(Run(_show(match["words"]), url=_show(match["url"])))
        place = match.end()
    if place < len(text):
        runs.append(Run(_show(text[place:])))
    return tuple(runs)


def _show(text: str) -> str:
    return text.translate(_SHOWN)


def as_text(blocks: list[Block]) -> str:
    """The plain-text twin: everything that the other forms say, with addresses written out."""
    return "\n\n".join(_text_of(block) for block in blocks) + "\n"


def _text_of(block: Block) -> str:
    lines = ["".join(_text_of_run(run) for run in line) for line in block.lines]
    if block.kind == "list":
        return "\n".join(f"* {line}" for line in lines)
    if block.kind == "box":
        return "\n".join(f"    {line}" for line in lines)
    if block.kind == "button":
        run = block.lines[0][0]
        return f"{run.text}:\n{run.url}"
    return "\n".join(lines)


def _text_of_run(run: Run) -> str:
    if run.breaks:
        return "\n"
    if run.url and run.url.removeprefix("tel:").removeprefix("mailto:").replace(" ", "") != run.text.replace(" ", ""):
        return f"{run.text} ({run.url})"
    return run.text


def as_data(blocks: list[Block]) -> list[dict[str, object]]:
    """The blocks as plain data, for the page that is printed."""
    return [
        {
            "kind": block.kind,
            "lines": [
                {
                    "strong": place in block.strong_lines,
                    "runs": [
                        {"text": run.text, "strong": run.strong, "url": run.url or "", "breaks": run.breaks}
                        for run in line
                    ],
                }
                for place, line in enumerate(block.lines)
            ],
        }
        for block in blocks
    ]
