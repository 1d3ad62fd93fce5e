"""Forms about the application and who lives there."""

from __future__ import annotations

from typing import Any

from wtforms import BooleanField
from wtforms.validators import ValidationError

from crm.assessments.applications import Received, SignedBy
from crm.assessments.household import NewMember
from crm.assessments.transfer import TransferFacts
from crm.cases.models import Person, PersonRole
from crm.rules.reasons import WITHDRAWAL_REASONS
from crm.web.choice_fields import RadioField, SelectField
from crm.web.forms import BaseForm, DateField, LongTextField, Needed, Optional, TextField

MEMBER_ROWS = (1, 2, 3, 4)
MEMBER_ROLES = (
    ("", "Choose"),
    (PersonRole.HOUSEHOLD_ADULT, "Adult at home (18 or over)"),
    (PersonRole.CHILD, "Child at home"),
    (PersonRole.CHILD_ELSEWHERE, "Child of the family, living elsewhere"),
)


class ApplicationForm(BaseForm):
    """The fixed part of the application; ``application_form`` adds what there is of each person."""

    received_on = DateField(
        "Day we received it", [Needed("Give the day we received it")], whole="the day we received it", earliest=2011
    )
    accepted_on = DateField(
        "Day it was found complete", [Optional()], whole="the day it was found complete", earliest=2011
    )
    home_council = TextField("Council where they live", [Needed("Name the council where they live")], longest=120)
    is_home_council = BooleanField("We are that council, so there is nobody to consult")
    rents = BooleanField("They rent their home")
    has_pets = BooleanField("They have pets")
    approved_elsewhere = BooleanField("Another service approves them as foster carers now")
    other_service = TextField("That other service", longest=160)
    household_confirmed = BooleanField("This is everybody in the household and family")

    people: tuple[Person, ...] = ()

    def validate_household_confirmed(self, field: Any) -> None:
        if not field.data:
            raise ValidationError("Go through who lives there with them, then tick this")

    def validate_member_names(self) -> bool:
        """A row of somebody new is either empty or whole."""
        whole = True
        for row in MEMBER_ROWS:
            given, role, born = self[f"given_{row}"], self[f"role_{row}"], self[f"member_born_{row}"]
            if not (given.data or role.data or any(born.typed.values())):
                continue
            for field, words in (
                (given, "Write their first name"),
                (role, "Choose who they are"),
                (born, "Give their date of birth"),
            ):
                if not field.data and not field.errors:
                    field.errors = [words]
                    whole = False
        return whole

    def validate(self, extra_validators: Any = None) -> bool:
        good = super().validate(extra_validators)
        return self.validate_member_names() and good

    def received(self) -> Received:
        """What was typed, as the operation takes it."""
        applicants = [person for person in self.people if person.is_applicant]
        others = [person for person in self.people if not person.is_applicant]
        return Received(
            received_on=self.received_on.data,
            accepted_on=self.accepted_on.data,
            signed=tuple(
                SignedBy(
                    person_id=person.id,
                    signed_on=self[f"signed_on_{person.id}"].data,
                    agrees_to_checks=self[f"agrees_{person.id}"].data,
                    born_on=self[f"born_on_{person.id}"].data,
                    approved_within_year=self[f"approved_{person.id}"].data,
                    lived_abroad=self[f"abroad_{person.id}"].data,
                    has_former_partner=self[f"former_{person.id}"].data,
                    works_with_children=self[f"works_{person.id}"].data,
                )
                for person in applicants
            ),
            members=tuple(
                NewMember(
                    given_name=self[f"given_{row}"].data,
                    family_name=self[f"family_{row}"].data or None,
                    role=PersonRole(self[f"role_{row}"].data),
                    born_on=self[f"member_born_{row}"].data,
                    field=f"member_born_{row}",
                )
                for row in MEMBER_ROWS
                if self[f"given_{row}"].data
            ),
            known_members={person.id: self[f"born_on_{person.id}"].data for person in others},
            home_council=self.home_council.data,
            is_home_council=self.is_home_council.data,
            rents=self.rents.data,
            has_pets=self.has_pets.data,
            approved_elsewhere=self.approved_elsewhere.data,
            other_service=self.other_service.data,
        )


def application_form(people: list[Person], **defaults: Any) -> ApplicationForm:
    """The form for this household: each applicant signs, everybody has a date of birth."""
    fields: dict[str, Any] = {"people": tuple(people)}
    for person in people:
        name = person.given_name
        fields[f"born_on_{person.id}"] = DateField(
            f"{name}’s date of birth", [Needed(f"Give {name}’s date of birth")], whole=f"{name}’s date of birth"
        )
        defaults.setdefault(f"born_on_{person.id}", person.born_on)
        if not person.is_applicant:
            continue
        fields[f"signed_on_{person.id}"] = DateField(
            f"Day {name} signed", [Needed(f"Give the day {name} signed")], whole=f"the day {name} signed", earliest=2011
        )
        fields[f"agrees_{person.id}"] = BooleanField(f"{name} agrees to the checks")
        fields[f"approved_{person.id}"] = BooleanField("Approved by another service in the last 12 months")
        fields[f"abroad_{person.id}"] = BooleanField("Lived abroad in the last 10 years")
        fields[f"former_{person.id}"] = BooleanField("Brought up children with a former partner")
        fields[f"works_{person.id}"] = BooleanField("Works or volunteers with children")
    for row in MEMBER_ROWS:
        fields[f"given_{row}"] = TextField("First name", longest=120)
        fields[f"family_{row}"] = TextField("Last name", longest=120)
        fields[f"role_{row}"] = SelectField("Who they are", choices=MEMBER_ROLES, default="")
        fields[f"member_born_{row}"] = DateField("Date of birth", [Optional()], whole="the date of birth")
    return type("HouseholdApplicationForm", (ApplicationForm,), fields)(**defaults)


class DecideToAssessForm(BaseForm):
    """Nothing to type: the manager confirms."""


class MemberForm(BaseForm):
    """Somebody moved in."""

    given_name = TextField("First name", [Needed("Write their first name")], longest=120)
    family_name = TextField("Last name", longest=120)
    role = RadioField("Who they are", [Needed("Choose who they are")], choices=MEMBER_ROLES[1:])
    born_on = DateField("Date of birth", [Needed("Give their date of birth")], whole="the date of birth")

    def member(self) -> NewMember:
        return NewMember(
            given_name=self.given_name.data,
            family_name=self.family_name.data or None,
            role=PersonRole(self.role.data),
            born_on=self.born_on.data,
        )


class MovedOutForm(BaseForm):
    """Somebody left."""

    left_on = DateField("Day they left", [Needed("Give the day they left")], whole="the day they left", earliest=2011)


class TransferForm(BaseForm):
    """An approval by another service."""

    approved_elsewhere = BooleanField("Another service approves them as foster carers now")
    other_service = TextField("That other service", longest=160)
    told_other_service_on = DateField("They told it in writing on", [Optional()], whole="the day they told it")
    records_asked_on = DateField("We asked it for its records on", [Optional()], whole="the day we asked")
    records_received_on = DateField("The records came on", [Optional()], whole="the day the records came")
    resignation_received_on = DateField(
        "It received their resignation on", [Optional()], whole="the day it received it"
    )
    approved_elsewhere_until = DateField("The approval there ends on", [Optional()], whole="the day it ends")

    def facts(self) -> TransferFacts:
        return TransferFacts(
            approved_elsewhere=self.approved_elsewhere.data,
            other_service=self.other_service.data,
            told_other_service_on=self.told_other_service_on.data,
            records_asked_on=self.records_asked_on.data,
            records_received_on=self.records_received_on.data,
            resignation_received_on=self.resignation_received_on.data,
            approved_elsewhere_until=self.approved_elsewhere_until.data,
        )


class WithdrawForm(BaseForm):
    """The application is withdrawn."""

    code = RadioField(
        "Why",
        [Needed("Choose why")],
        choices=[(code, f"{words} ({code})") for code, words in WITHDRAWAL_REASONS.items()],
    )
    withdrawn_on = DateField(
        "Day they told us", [Needed("Give the day they told us")], whole="the day they told us", earliest=2011
    )
    words = LongTextField("In their words, if they gave any", longest=2000)
