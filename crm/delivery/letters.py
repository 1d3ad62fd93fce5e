"""The catalogue of letters."""

from dataclasses import dataclass, field
from collections.abc import Mapping
from typing import Any
from crm.delivery.models import Channel


@dataclass(frozen=True, kw_only=True)
class LetterKind:
    kind: str
    title: str
    audience: str
    fields: tuple[str, ...] = ()
    optional: Mapping[str, Any] = field(default_factory=dict)
    channels: tuple[Channel, ...] = (Channel.EMAIL, Channel.POST)
    contains_sensitive: bool = False
    marketing: bool = False
    statutory: bool = False


LETTERS: dict[str, LetterKind] = {}
