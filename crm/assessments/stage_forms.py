"""Forms of Stage 2."""

from __future__ import annotations

from typing import Any

from wtforms import IntegerField

from crm.assessments.models import KIND_OF_CARE_WORDS, REPORT_SECTIONS
from crm.assessments.terms import Terms
from crm.web.choice_fields import RadioField, SelectField
from crm.web.forms import BaseForm, Between, DateField, LongTextField, Needed, Optional, TextField

CARE_CHOICES = [("", "Not limited"), *((str(kind), words) for kind, words in KIND_OF_CARE_WORDS.items())]


class TermsForm(BaseForm):
    """The part of a form in which terms of approval are written. Everything empty: no terms."""

    terms_children = IntegerField("Children at once", [Optional(), Between(1, 10)])
    terms_youngest = IntegerField("Youngest", [Optional(), Between(0, 17)])
    terms_oldest = IntegerField("Oldest", [Optional(), Between(0, 17)])
    terms_care = SelectField("Kind of care", choices=CARE_CHOICES, default="")
    other_terms = TextField("Anything else, such as a named child", longest=300)

    def terms(self) -> Terms:
        return Terms(
            children=self.terms_children.data,
            youngest=self.terms_youngest.data,
            oldest=self.terms_oldest.data,
            care=self.terms_care.data or None,
            other=self.other_terms.data or None,
        )


class AssessorForm(BaseForm):
    """Who assesses."""

    assessor_id = SelectField("Assessor", [Needed("Choose who assesses")], choices=[], coerce=str)


class ReportForm(TermsForm):
    """The report; ``report_form`` adds a box for each section."""

    kind = RadioField(
        "Kind of report",
        [Needed("Choose the kind of report")],
        choices=[("full", "Full report"), ("brief", "Brief report: they look unlikely to be suitable")],
        default="full",
    )

    def sections(self) -> dict[str, str]:
        return {name: self[f"section_{name}"].data or "" for name in REPORT_SECTIONS}


def report_form(**defaults: Any) -> ReportForm:
    """The form with its sections, in the order of Schedule 3 Part 2."""
    fields = {
        f"section_{name}": LongTextField(heading, longest=20_000) for name, (heading, _hint) in REPORT_SECTIONS.items()
    }
    return type("SectionedReportForm", (ReportForm,), fields)(**defaults)


class ConfirmForm(BaseForm):
    """Nothing to type: the person confirms."""


class HandBackForm(BaseForm):
    """What has to change in the report."""

    words = LongTextField("What has to change", [Needed("Say what has to change")], longest=2000)


class ObservationsForm(BaseForm):
    """What the household said about the report."""

    received_on = DateField(
        "Day they answered", [Needed("Give the day they answered")], whole="the day they answered", earliest=2011
    )
    text = LongTextField("What they said", longest=20_000)
