"""Forms about referees, for staff."""

from __future__ import annotations

import re
from collections.abc import Mapping

from wtforms import IntegerField

from crm.assessments.referee_models import (
    HOW_WORDS,
    LEAVES_BY_STAFF,
    RELATION_WORDS,
    VIEW_WORDS,
    WHY_OUT_WORDS,
    How,
    Referee,
    Relation,
    View,
)
from crm.assessments.referees import NewReferee
from crm.web.choice_fields import RadioField, SelectField
from crm.web.forms import (
    BaseForm,
    Between,
    DateField,
    EmailField,
    LongTextField,
    Needed,
    Optional,
    PhoneField,
    TextField,
    TimeField,
)


class RefereeForm(BaseForm):
    """Who somebody is, and how they are reached."""

    name = TextField("Their name", [Needed("Write the referee’s name")], longest=120)
    relation = SelectField(
        "How they know each other",
        [Needed("Choose how they know each other")],
        choices=[("", "Choose"), *((str(one), RELATION_WORDS[one]) for one in Relation)],
        default="",
    )
    known_since = IntegerField("Since which year", [Optional(), Between(1900, 2200, "Write a year, like 2012")])
    email = EmailField("Email", [Optional()])
    phone = PhoneField("Mobile number", [Optional()])

    @classmethod
    def of(cls, referee: Referee, *, seen: str) -> RefereeForm:
        """The form as a referee is on file."""
        return cls(
            seen=seen,
            name=referee.name,
            relation=referee.relation,
            known_since=referee.known_since,
            email=referee.email,
            phone=referee.phone,
        )

    @classmethod
    def named_before(cls, told: Mapping[str, str], *, seen: str) -> RefereeForm:
        """The form with what the applicant wrote of this referee in the application, to be looked over."""
        reach = told.get("reach", "")
        since = re.search(r"\b(19|20)\d\d\b", told.get("since", ""))
        return cls(
            seen=seen,
            name=told.get("name"),
            relation=told.get("known_as", ""),
            known_since=int(since[0]) if since else None,
            email=reach if "@" in reach else None,
            phone=None if "@" in reach else reach,
        )

    def given(self) -> NewReferee:
        return NewReferee(
            name=self.name.data,
            relation=self.relation.data,
            known_since=self.known_since.data,
            email=self.email.data or None,
            phone=self.phone.data or None,
        )


class OutForm(BaseForm):
    """Taking a referee out."""

    why = RadioField(
        "Why",
        [Needed("Say why they are taken out")],
        choices=[(str(one), WHY_OUT_WORDS[one]) for one in LEAVES_BY_STAFF],
    )


class BookTalkForm(BaseForm):
    """When a referee is talked with."""

    on = DateField("Day", [Needed("Give the day")], whole="the day", earliest=2011)
    starts = TimeField("Time", [Needed("Give the time, like 2pm")])
    how = RadioField("How", [Needed("Choose how you talk")], choices=[(str(one), HOW_WORDS[one]) for one in How])


class WriteUpForm(BaseForm):
    """What a referee said."""

    held_on = DateField(
        "Day you talked", [Needed("Give the day you talked")], whole="the day you talked", earliest=2011
    )
    account = LongTextField("What they said", [Needed("Write down what was said")], longest=5000)
    view = RadioField(
        "What it came to", [Needed("Say what it came to")], choices=[(str(one), VIEW_WORDS[one]) for one in View]
    )
