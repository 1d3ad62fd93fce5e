"""The last look at a notice before it is a letter: what the law wants said is said, and nothing is that it forbids.

The words of a kind are looked at when somebody keeps them (``letter_words``), on made-up people. This looks at the one
letter: an empty reason, words kept under an older rule, or an offer of a review that somebody typed into the reasons.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from crm.delivery import wording
from crm.delivery.letters import LetterKind
from crm.delivery.merge_fields import MERGE_FIELDS
from crm.delivery.render import Words
from crm.rules.refusal import Refusal


class NoticeNotWhole(Refusal):
    """A notice that can't be issued: something that the law requires is not in it, or something is that it forbids."""

    default_status = 422


def check_notice(letter: LetterKind, context: Mapping[str, Any], words: Words) -> None:
    """Raise NoticeNotWhole unless this letter says all that its kind must say, and nothing that it must not."""
    said = _plain(words.text)
    for name in letter.must_say:
        value = context.get(name)
        if value is None and name in letter.optional:
            continue
        if not any(all(part in said for part in way) for way in _ways_to_say(value)):
            raise NoticeNotWhole(
                f"This notice can’t go: it does not say {MERGE_FIELDS[name].means}, which it has to by law. "
                "Somebody who may change the words of letters has to put it back in."
            )
    for phrase in letter.must_mention:
        if phrase not in words.text and not context.get(letter.not_where.get(phrase, ""), False):
            raise NoticeNotWhole(f"This notice can’t go: by law it speaks of “{phrase}”, and it does not.")
    for phrase in (*letter.must_not_mention, *(p for p, field in letter.not_where.items() if context.get(field))):
        if re.search(rf"\b{re.escape(phrase)}\b", words.text, re.IGNORECASE):
            raise NoticeNotWhole(
                f"This notice can’t go: it speaks of “{phrase}”, and the law gives none here. Take it out of the "
                "reasons, or have the words of the letter changed."
            )


def _ways_to_say(value: Any) -> Iterable[list[str]]:
    """How a value may stand in a letter: the parts that must all be there, for each way."""
    if isinstance(value, bool):
        return [[]]
    if isinstance(value, date):
        return [[_plain(way(value))] for way in (wording.day, wording.day_year, wording.date_year)]
    lines = [line for line in (_plain(one) for one in str(value or "").splitlines()) if line]
    return [lines] if lines else []


def _plain(text: str) -> str:
    return " ".join(text.split())
