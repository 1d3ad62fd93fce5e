"""The form of what a heading of a report rests on."""

from __future__ import annotations

from collections.abc import Iterable

from crm.assessments.evidence import OTHER, NewEvidence, Source
from crm.assessments.stage_two_models import EVIDENCE_WORDS, SAID_AS_WORDS
from crm.web.choice_fields import RadioField, SelectField
from crm.web.filters import day_year
from crm.web.forms import BaseForm, LongTextField, Needed, TextField


class EvidenceForm(BaseForm):
    """One piece of evidence."""

    source = SelectField("Where it is on file", [Needed("Choose where it is on file")], choices=[], coerce=str)
    other_source = TextField("Where else it comes from", longest=200)
    words = LongTextField("What it shows", [Needed("Say what it shows")], longest=4000)
    said_as = RadioField(
        "This is",
        [Needed("Say which of the three it is")],
        choices=[(str(one), SAID_AS_WORDS[one]) for one in SAID_AS_WORDS],
    )

    def offer(self, sources: Iterable[Source]) -> None:
        """Let one of these be chosen, each under its kind."""
        groups: dict[str, list[tuple[str, str]]] = {"Records of this household": [("", "Choose one")]}
        for one in sources:
            words = f"{one.title}, {day_year(one.on)}" if one.on is not None else one.title
            groups.setdefault(EVIDENCE_WORDS[one.kind], []).append((one.key, words))
        groups["Not on file here"] = [(OTHER, "Something else: say where from")]
        self.source.choices = groups

    def new(self, section: str) -> NewEvidence:
        """What was filled in."""
        return NewEvidence(
            section=section,
            source=self.source.data,
            said_as=self.said_as.data,
            words=self.words.data or "",
            other_source=self.other_source.data or "",
        )
