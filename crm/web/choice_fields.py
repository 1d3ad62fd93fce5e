"""Fields with answers to choose from: a list, radio buttons, boxes to tick.

``RadioField("How", choices=[("post", "By post"), ("hand", "By hand")])``. Choices are written and read as pairs of a
value and its words; a dict of such lists puts each under a heading.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import wtforms
from wtforms.fields.choices import SelectChoice

Pair = tuple[Any, str]
Choices = Iterable[Pair] | Mapping[str, Iterable[Pair]] | None


class Choice(SelectChoice):
    """A choice as WTForms wants it, which comes apart into its value and its words."""

    def __iter__(self) -> Iterator[Any]:
        return iter((self.value, self.label))


def choices_of(choices: Choices) -> list[Choice] | None:
    if isinstance(choices, Mapping):
        return [Choice(value, words, optgroup=heading) for heading, pairs in choices.items() for value, words in pairs]
    return None if choices is None else [Choice(value, words) for value, words in choices]


class _TakesPairs:
    """WTForms takes no pairs from 3.4 on, and until then warns of each field that is given them."""

    def __init__(self, *args: Any, choices: Choices = None, **kwargs: Any) -> None:
        super().__init__(*args, choices=choices_of(choices), **kwargs)

    @property
    def choices(self) -> list[Choice] | None:
        return self._choices

    @choices.setter
    def choices(self, choices: Choices) -> None:
        self._choices = choices_of(choices)


class SelectField(_TakesPairs, wtforms.SelectField):
    """One of a list that drops down."""


class RadioField(_TakesPairs, wtforms.RadioField):
    """One of a few, each with a button of its own."""


class SelectMultipleField(_TakesPairs, wtforms.SelectMultipleField):
    """Any of them."""
