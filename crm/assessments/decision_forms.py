"""Forms of the decision, its notices and the household's answer."""

from __future__ import annotations

from typing import Any

from crm.assessments.decisions import Considered
from crm.assessments.models import DECISION_WORDS
from crm.assessments.stage_forms import TermsForm
from crm.delivery.posting import DISPATCH_METHODS
from crm.web.choice_fields import RadioField
from crm.web.forms import BaseForm, DateField, LongTextField, Needed, Optional

VOICE_METHODS = (("phone", "By phone"), ("in_person", "In person"), ("video", "By video"))
POSTING_METHODS = tuple(DISPATCH_METHODS.items())


class DecisionForm(TermsForm):
    """A considered decision."""

    kind = RadioField("Decision", [Needed("Choose your decision")], choices=[])
    material = LongTextField("What I considered", [Needed("List what you considered")], longest=10_000)
    arguments = LongTextField("The key arguments", [Needed("Set out the key arguments")], longest=10_000)
    adopts = RadioField(
        "Do you adopt the panel’s reasons?",
        [Needed("Say whether you adopt the panel’s reasons")],
        choices=[("yes", "Yes"), ("no", "No")],
    )
    why = LongTextField("Why, or why not", [Needed("Say why, or why not")], longest=10_000)
    consulted = LongTextField("Senior colleague consulted, and what they said", longest=5000)
    reasons = LongTextField("Reasons, as the household reads them", longest=10_000)
    effective_on = DateField("Approval begins on", [Optional()], whole="the day approval begins", earliest=2011)

    @classmethod
    def of(cls, kinds: tuple[str, ...], **defaults: Any) -> DecisionForm:
        """The form with the decisions that are open."""
        form = cls(**defaults)
        form.kind.choices = [(kind, DECISION_WORDS[kind]) for kind in kinds]  # type: ignore[index]
        return form

    def considered(self) -> Considered:
        return Considered(
            kind=self.kind.data,
            material=self.material.data,
            arguments=self.arguments.data,
            adopts_panel_reasons=self.adopts.data == "yes",
            why=self.why.data,
            consulted=self.consulted.data,
            reasons=self.reasons.data,
            terms=self.terms(),
            effective_on=self.effective_on.data,
        )


class VoiceForm(BaseForm):
    """Told by voice."""

    told_on = DateField(
        "Day they were told",
        [Needed("Give the day they were told")],
        whole="the day they were told",
        earliest=2011,
    )
    method = RadioField("How", [Needed("Say how they were told")], choices=VOICE_METHODS)
    words = LongTextField("What was said", longest=2000)


class WrittenForm(BaseForm):
    """The written notice."""

    channel = RadioField(
        "How it goes",
        [Needed("Choose how it goes")],
        choices=[("email", "By email, where they have one of their own"), ("post", "By post: a letter to print")],
    )


class PostedForm(BaseForm):
    """The printed notice was posted."""

    posted_on = DateField(
        "Day it was posted",
        [Needed("Give the day it was posted")],
        whole="the day it was posted",
        earliest=2011,
    )
    posting_method = RadioField("How", [Needed("Say how it was posted")], choices=POSTING_METHODS)


class AgreementForm(BaseForm):
    """The foster care agreement is signed."""

    signed_on = DateField(
        "Day it was signed",
        [Needed("Give the day it was signed")],
        whole="the day it was signed",
        earliest=2011,
    )


class AnswerForm(BaseForm):
    """The household's answer."""

    kind = RadioField("What they did", [Needed("Choose what they did")], choices=[])
    received_on = DateField("Day it came", [Needed("Give the day it came")], whole="the day it came", earliest=2011)
    said = LongTextField("What they say", longest=20_000)

    @classmethod
    def of(cls, *, irm_is_open: bool, **defaults: Any) -> AnswerForm:
        form = cls(**defaults)
        form.kind.choices = [("representations", "They wrote to us: representations")]
        if irm_is_open:
            form.kind.choices = [*form.kind.choices, ("irm", "They applied to the Independent Review Mechanism")]
        return form


class IrmPapersForm(BaseForm):
    """The papers have gone to the Independent Review Mechanism."""

    sent_on = DateField("Day they went", [Needed("Give the day they went")], whole="the day they went", earliest=2011)


class IrmForm(BaseForm):
    """What the independent panel recommends."""

    recommendation = RadioField(
        "It recommends",
        [Needed("Choose what it recommends")],
        choices=[("suitable", "Suitable to foster"), ("not_suitable", "Not suitable")],
    )
    received_on = DateField(
        "Day we had it, with its minutes",
        [Needed("Give the day we had it")],
        whole="the day we had it",
        earliest=2011,
    )
    reasons = LongTextField("Its reasons", longest=10_000)
