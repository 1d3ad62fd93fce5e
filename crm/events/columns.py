"""Which column of a sheet holds what: guessed from the headings and what stands under them, put right by a person."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from crm.cases import keys
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
        "partner_name": "Second adult’s name",
        "partner_phone": "Second adult’s phone",
        "partner_email": "Second adult’s email",
        "postcode": "Postcode",
        "address": "Address",
        "born_on": "Date of birth",
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

_SECOND = r"(partner|spouse|husband|wife|second|other (adult|applicant|person)|(adult|applicant|person) ?(2|two)|2nd)"
# The first pattern that fits a heading names it; the more particular ones stand first.
_GUESSES: tuple[tuple[str, str], ...] = (
    ("ok_email", r"(ok|okay|may we|can we|happy|consent|opt).*(e-?mail)|e-?mail.*(ok|consent|opt)|^news by e-?mail"),
    ("ok_text", r"(ok|okay|may we|can we|happy|consent|opt).*(text|sms)|(text|sms).*(ok|consent|opt)"),
    ("ok_phone", r"(ok|okay|may we|can we|happy|consent|opt).*(ring|call|phone)|(ring|call|phone).*(ok|consent|opt)"),
    ("contact_times", r"when to (ring|call|phone)|best time|good time|time to (ring|call)|when.*(ring|call)"),
    ("partner_email", rf"{_SECOND}.*e-?mail|e-?mail.*{_SECOND}"),
    ("partner_phone", rf"{_SECOND}.*(phone|mobile|tel)|(phone|mobile|tel).*{_SECOND}"),
    ("partner_name", rf"\b{_SECOND}\b"),
    ("born_on", r"\bdob\b|\bd\.o\.b|date of birth|\bborn\b|birthday|birth date"),
    ("spare_room", r"spare|bed ?room|\broom"),
    ("over_21", r"over 2?1|\b21\b|\bage\b"),
    ("given_name", r"first ?name|given ?name|forename"),
    ("family_name", r"last ?name|family ?name|surname"),
    ("postcode", r"post ?code|\bzip"),
    ("email", r"e-?mail"),
    ("phone", r"phone|mobile|\btel|\bcontact (no|number)|\bnumber"),
    ("address", r"\baddress\b|\bstreet\b|where.*live"),
    ("interest", r"how (ready|keen|interested)|interest|readiness|\bready"),
    ("notes", r"notes?\b|comment|remarks|anything else"),
    ("name", r"\bnames?\b|who are you|^who$|\bname\("),
)
LONGEST_HEADING = 60


def guess_columns(header: Sequence[str]) -> dict[str, int]:
    """What each column seems to hold: its meaning and its position. Each meaning is given to one column only."""
    found: dict[str, int] = {}
    for position, heading in enumerate(header):
        words = plain(heading)
        if not words or len(words) > LONGEST_HEADING:
            continue
        for meaning, pattern in _GUESSES:
            if meaning not in found and re.search(pattern, words):
                found[meaning] = position
                break
    return found


def guess_from_contents(columns: Mapping[str, int], rows: Sequence[Sequence[str]]) -> dict[str, int]:
    """The columns guessed so far, and the missing ones found by what stands in them: emails, numbers, postcodes, names.

    For sheets whose headings say nothing, or that have none.
    """
    found = dict(columns)
    taken = set(found.values())
    width = max((len(row) for row in rows), default=0)
    for meaning in ("email", "phone", "postcode", "name"):
        if meaning in found or (meaning == "name" and "given_name" in found):
            continue
        best, most = None, 0.5
        for at in range(width):
            cells = [row[at] for row in rows if at < len(row) and row[at]]
            if at in taken or not cells:
                continue
            share = sum(_looks_like(meaning, cell) for cell in cells) / len(cells)
            if share > most:
                best, most = at, share
        if best is not None:
            found[meaning] = best
            taken.add(best)
    return found


def _looks_like(meaning: str, cell: str) -> bool:
    if meaning == "email":
        return "@" in cell and " " not in cell.strip()
    if meaning == "phone":
        digits = re.sub(r"\D", "", cell)
        return 9 <= len(digits) <= 14 and not re.search(r"[A-Za-z]{3}", cell)
    if meaning == "postcode":
        return keys.is_whole_postcode(cell)
    return bool(re.fullmatch(r"[^\W\d_][^\d@]{1,60}", cell)) and " " in cell.strip()


def plain(heading: str) -> str:
    """A heading as it is compared: lower case, single spaces."""
    return " ".join(heading.casefold().split())


def shape_of(header: Sequence[str]) -> str:
    """What sheets with the same headings in the same order have in common."""
    return hashlib.sha256("\x1f".join(plain(heading) for heading in header).rstrip("\x1f").encode()).hexdigest()


def check_columns(columns: Mapping[str, int], *, width: int) -> dict[str, int]:
    """The columns a person chose, when rows can be made of them. Raises ColumnsNotRight."""
    chosen = {meaning: at for meaning, at in columns.items() if meaning in COLUMN_WORDS and 0 <= at < width}
    if "name" not in chosen and "given_name" not in chosen:
        raise ColumnsNotRight("Say which column holds the name.", field="name")
    if "phone" not in chosen and "email" not in chosen:
        raise ColumnsNotRight("Say which column holds the phone number or the email address.", field="phone")
    twice = [at for at in set(chosen.values()) if list(chosen.values()).count(at) > 1]
    if twice:
        first, second = [meaning for meaning, at in chosen.items() if at == twice[0]][:2]
        raise ColumnsNotRight(
            f"{COLUMN_WORDS[first]} and {COLUMN_WORDS[second]} can’t be the same column.", field=second
        )
    return chosen


def to_text(columns: Mapping[str, int]) -> str:
    """The columns as they are kept with an upload."""
    return json.dumps(dict(columns), sort_keys=True)


def from_text(text: str) -> dict[str, int]:
    """The columns back from what was kept."""
    return {str(meaning): int(at) for meaning, at in json.loads(text).items()}
