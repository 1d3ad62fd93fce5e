"""Which column of a sheet holds what: guessed from the words of the header, put right by a person."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from crm.rules.refusal import Refusal


class ColumnsNotRight(Refusal):
    """Without a name and a way to reach people there is nothing to load."""

    default_status = 422


COLUMN_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "name": "Name",
        "given_name": "First name",
        "family_name": "Last name",
        "phone": "Phone",
        "email": "Email",
        "postcode": "Postcode",
        "spare_room": "Spare bedroom",
        "over_21": "Over 21",
        "contact_times": "When to ring",
        "ok_email": "OK to email",
        "ok_text": "OK to text",
        "ok_phone": "OK to ring",
        "interest": "How ready",
        "notes": "Notes",
    }
)
"""What a column can hold, in the words the screen uses."""

# The first pattern that fits a heading names it; the more particular ones stand first.
_GUESSES: tuple[tuple[str, str], ...] = (
    ("ok_email", r"(ok|okay|may we|can we|happy|consent|opt).*(e-?mail)|e-?mail.*(ok|consent|opt)|^news by e-?mail"),
    ("ok_text", r"(ok|okay|may we|can we|happy|consent|opt).*(text|sms)|(text|sms).*(ok|consent|opt)"),
    ("ok_phone", r"(ok|okay|may we|can we|happy|consent|opt).*(ring|call|phone)|(ring|call|phone).*(ok|consent|opt)"),
    ("contact_times", r"when to (ring|call|phone)|best time|good time|time to (ring|call)|when.*(ring|call)"),
    ("spare_room", r"spare|bed ?room|\broom"),
    ("over_21", r"over 2?1|\b21\b|\bage"),
    ("given_name", r"first name|given name|forename"),
    ("family_name", r"last name|family name|surname"),
    ("postcode", r"post ?code|\bzip"),
    ("email", r"e-?mail"),
    ("phone", r"phone|mobile|\btel"),
    ("interest", r"how (ready|keen|interested)|interest|readiness|\bready"),
    ("notes", r"notes?\b|comment|remarks|anything else"),
    ("name", r"\bname|who are you|^who$"),
)


def guess_columns(header: Sequence[str]) -> dict[str, int]:
    """What each column seems to hold: its meaning and its position. Each meaning is given to one column only."""
    found: dict[str, int] = {}
    for position, heading in enumerate(header):
        words = " ".join(heading.casefold().split())
        if not words or len(words) > 60:
            continue
        for meaning, pattern in _GUESSES:
            if meaning not in found and re.search(pattern, words):
                found[meaning] = position
                break
    return found


def check_columns(columns: Mapping[str, int], *, width: int) -> dict[str, int]:
    """The columns a person chose, when rows can be made of them. Raises ColumnsNotRight."""
    chosen = {meaning: at for meaning, at in columns.items() if meaning in COLUMN_WORDS and 0 <= at < width}
    if "name" not in chosen and "given_name" not in chosen:
        raise ColumnsNotRight("Say which column holds the name.")
    if "phone" not in chosen and "email" not in chosen:
        raise ColumnsNotRight("Say which column holds the phone number or the email address.")
    return chosen


def to_text(columns: Mapping[str, int]) -> str:
    """The columns as they are kept with an upload."""
    return json.dumps(dict(columns), sort_keys=True)


def from_text(text: str) -> dict[str, int]:
    """The columns back from what was kept."""
    return {str(meaning): int(at) for meaning, at in json.loads(text).items()}
