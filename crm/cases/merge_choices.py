"""What a person chose when two households, or two rows of one person, are put together."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from crm.cases.models import Person

KEPT, GONE, BOTH = "kept", "gone", "both"
"""The value of the side that goes on, of the other, or both: one in force and the other written down beside it."""

PERSON_FIELDS = {
    "name": "Name",
    "born_on": "Date of birth",
    "phone": "Phone",
    "email": "Email",
    "prefers": "Best way to reach them",
    "contact_times": "Good times",
}
HOUSEHOLD_FIELDS = {"address": "Address", "postcode": "Postcode", "local_authority": "Council"}
MAY_BE_BOTH = {"name": "other_name", "phone": "other_phone", "email": "other_email"}
"""Fields of which the second value is kept beside the first: another name of theirs, or an answer so called."""
BESIDE_WORDS = {"name": "another name", "phone": "another phone", "email": "another email"}


@dataclass(frozen=True, kw_only=True)
class MergeChoices:
    """``pairs``: the number of each person who is somebody we have, to the number of that one. ``fields``: which
    side's value, by ``12.phone`` (12 is the person of the other side), ``household.address`` or ``owner``; and the
    number of the answer that is to be in force, by ``fact.12.pets``."""

    pairs: Mapping[int, int] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)

    def of(self, name: str, default: str = KEPT) -> str:
        chosen = self.fields.get(name, default)
        return chosen if chosen in (KEPT, GONE, BOTH) else default

    def as_json(self) -> str:
        return json.dumps({"pairs": {str(k): v for k, v in self.pairs.items()}, "fields": dict(self.fields)})

    @staticmethod
    def from_json(text: str | None) -> MergeChoices:
        held: dict[str, Any] = json.loads(text or "{}")
        return MergeChoices(
            pairs={int(gone): int(kept) for gone, kept in held.get("pairs", {}).items()},
            fields={str(name): str(side) for name, side in held.get("fields", {}).items()},
        )


def value_of(person: Person, name: str) -> Any:
    """What one person has in a field, as it is compared: names, numbers and addresses by their keys."""
    if name == "name":
        return (person.given_key, person.family_key)
    if name in ("phone", "email"):
        return getattr(person, f"{name}_key")
    return getattr(person, name)


def default_side(name: str, kept: Any, gone: Any) -> str:
    """Which value is chosen until somebody chooses: what is there, else the side that goes on, both numbers kept."""
    if kept in (None, ""):
        return GONE if gone not in (None, "") else KEPT
    if gone in (None, "") or kept == gone:
        return KEPT
    if name == "name":
        # Another surname may be a former one; another spelling of a first name is one name.
        return BOTH if kept[1] and gone[1] and kept[1] != gone[1] else KEPT
    return BOTH if name in MAY_BE_BOTH else KEPT
