"""Forms of the sessions of Stage 2."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from wtforms import IntegerField

from crm.assessments.models import REPORT_SECTIONS
from crm.assessments.sessions import SessionHeld, SessionPlan
from crm.cases.models import Person
from crm.web.choice_fields import SelectField, SelectMultipleField
from crm.web.forms import BaseForm, Between, DateField, LongTextField, Needed, Optional, TextField

MONTHS_BACK, MONTHS_AHEAD = 3, 11
HEADING_CHOICES = [(name, heading) for name, (heading, _hint) in REPORT_SECTIONS.items()]


def months_around(today: date, *also: date) -> list[tuple[str, str]]:
    """The months that a session can be planned for, and any that one is planned for already."""
    first = today.year * 12 + today.month - 1
    months = {date(number // 12, number % 12 + 1, 1) for number in range(first - MONTHS_BACK, first + MONTHS_AHEAD)}
    return [(f"{month:%Y-%m}", f"{month:%B %Y}") for month in sorted(months | set(also))]


class SessionPlanForm(BaseForm):
    """What is planned for one session."""

    month = SelectField("Month", [Needed("Choose the month")], choices=[], coerce=str)
    on = DateField("Day, once it is set", whole="the day", earliest=2011)
    people = SelectMultipleField("Who takes part", choices=[], coerce=str)
    headings = SelectMultipleField("What it will cover", choices=HEADING_CHOICES)

    def plan(self) -> SessionPlan:
        """What was filled in."""
        year, month = (int(part) for part in self.month.data.split("-"))
        return SessionPlan(
            month=date(year, month, 1),
            on=self.on.data,
            person_ids=tuple(int(one) for one in self.people.data or ()),
            headings=tuple(self.headings.data or ()),
        )


class SessionHeldForm(BaseForm):
    """What became of one."""

    held_on = DateField("Day it was held", [Needed("Give the day it was held")], whole="the day it was held",
                        earliest=2011)  # fmt: skip
    minutes = IntegerField("How long, in minutes", [Needed("Say how long it took"), Between(1, 720)])
    people = SelectMultipleField("Who was there", choices=[], coerce=str)
    also_there = TextField("Anybody else who was there", [Optional()], longest=300)
    headings = SelectMultipleField("What you talked about", choices=HEADING_CHOICES)
    notes = LongTextField("What was said and seen", [Needed("Write down what was said and seen")], longest=20_000)

    def held(self) -> SessionHeld:
        """What was filled in."""
        return SessionHeld(
            held_on=self.held_on.data,
            minutes=self.minutes.data,
            person_ids=tuple(int(one) for one in self.people.data or ()),
            also_there=self.also_there.data or "",
            headings=tuple(self.headings.data or ()),
            notes=self.notes.data or "",
        )


def people_choices(people: Iterable[Person]) -> list[tuple[str, str]]:
    """The people of a household to tick."""
    return [(str(person.id), person.given_name) for person in people]
