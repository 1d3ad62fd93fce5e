"""Forms about Stage 1 checks and the Stage 1 decision."""

from __future__ import annotations

from typing import Any

from wtforms import BooleanField
from wtforms.validators import ValidationError

from crm.assessments.checks import (
    DBS_ITEMS,
    ISSUE_NEEDED,
    LEVEL_NEEDED,
    NUMBER_NEEDED,
    CheckCameIn,
    is_certificate_number,
)
from crm.assessments.models import CHECK_RESULT_WORDS, Check, CheckResult
from crm.web.choice_fields import RadioField, SelectField
from crm.web.forms import BaseForm, DateField, LongTextField, Needed, Optional, TextField

DBS_LEVELS = (("", "Choose"), ("enhanced", "Enhanced"), ("standard", "Standard"), ("basic", "Basic"))


class AskForm(BaseForm):
    """A check was asked for."""

    requested_on = DateField("Day we asked", [Needed("Give the day we asked")], whole="the day we asked", earliest=2011)
    asked_of = TextField("Whom we asked", longest=200)


class ChaseForm(BaseForm):
    """A check was chased."""

    words = TextField("What was said", longest=500)


class CheckForm(BaseForm):
    """A check came in."""

    is_of_certificate = False

    received_on = DateField(
        "Day it came in", [Needed("Give the day it came in")], whole="the day it came in", earliest=2011
    )
    result = RadioField("What it came to", [Needed("Say what it came to")], choices=[])
    outcome = LongTextField("What it said, and what was made of it", longest=5000)
    verified_on = DateField(
        "Checked against the original on", [Optional()], whole="the day it was checked", earliest=2011
    )
    expires_on = DateField("To be renewed by", [Optional()], whole="the day it is to be renewed", earliest=2011)
    dbs_number = TextField("Certificate number", longest=20)
    dbs_issued_on = DateField("Issued on", whole="the day it was issued", earliest=2002)
    dbs_level = SelectField("Level", choices=DBS_LEVELS, default="")
    dbs_barred_list_checked = BooleanField("The children’s barred list was checked")

    @classmethod
    def of(cls, check: Check, **defaults: Any) -> CheckForm:
        """The form with the answers that are possible for this check."""
        form = cls(**defaults)
        left_out = set()
        if check.item not in (*DBS_ITEMS, "overseas_police"):
            left_out.add(CheckResult.DISQUALIFIED)
        if check.is_statutory and check.item != "previous_service_reference":
            left_out.add(CheckResult.NOT_GIVEN)
        form.result.choices = [(one, CHECK_RESULT_WORDS[one]) for one in CheckResult if one not in left_out]
        form.is_of_certificate = check.item in DBS_ITEMS
        return form

    def validate_dbs_number(self, field: Any) -> None:
        self._needed_of_certificate(field, NUMBER_NEEDED, is_given=is_certificate_number(field.data))

    def validate_dbs_issued_on(self, field: Any) -> None:
        self._needed_of_certificate(field, ISSUE_NEEDED, is_given=bool(field.data))

    def validate_dbs_level(self, field: Any) -> None:
        self._needed_of_certificate(field, LEVEL_NEEDED, is_given=bool(field.data))

    def _needed_of_certificate(self, field: Any, message: str, *, is_given: bool) -> None:
        """What is missing of a certificate is said all at once, not one thing at each try."""
        if self.is_of_certificate and self.result.data != CheckResult.NOT_GIVEN and not is_given:
            raise ValidationError(message)

    def came_in(self) -> CheckCameIn:
        return CheckCameIn(
            received_on=self.received_on.data,
            result=self.result.data,
            outcome=self.outcome.data,
            verified_on=self.verified_on.data,
            expires_on=self.expires_on.data,
            # The box is only on the page of a certificate.
            dbs_number=(self.dbs_number.data or "").replace(" ", ""),
            dbs_issued_on=self.dbs_issued_on.data,
            dbs_level=self.dbs_level.data or None,
            dbs_barred_list_checked=self.dbs_barred_list_checked.data,
        )


class StageOneForm(BaseForm):
    """The Stage 1 decision."""

    outcome = RadioField(
        "Decision",
        [Needed("Say whether they go on")],
        choices=[("pass", "They go on to Stage 2"), ("refuse", "Refuse at Stage 1")],
    )
    reasons = LongTextField("Reasons, if the answer is no", longest=5000)

    def validate_reasons(self, field: Any) -> None:
        if self.outcome.data == "refuse" and not field.data:
            raise ValidationError("Write the reasons: the law asks for them in the notice")
