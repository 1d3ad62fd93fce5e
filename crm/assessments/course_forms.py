"""Forms of preparation courses: shape and words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from wtforms import HiddenField, IntegerField
from wtforms.validators import ValidationError

from crm.assessments.course_models import CourseSession, PrepCourse
from crm.assessments.course_planning import CoursePlan, SessionPlan
from crm.assessments.course_queries import Adult
from crm.assessments.course_register import Mark, Seen
from crm.clock import LONDON, london
from crm.rules.preparation import HOW_WORDS, How
from crm.web.choice_fields import RadioField, SelectField, SelectMultipleField
from crm.web.forms import BaseForm, Between, DateField, LongTextField, Needed, Optional, TextField, TimeField

NEW_ROWS, FURTHER_ROWS = 7, 2
"""Empty rows for sessions: six evenings and a Saturday at first, and a few more each time that a plan is changed."""
MOST_PEOPLE = 60


class CourseForm(BaseForm):
    """What a course is to be; ``course_form`` adds a row of boxes for each session."""

    name = TextField("Name", [Needed("Give the course a name that people will know it by")], longest=160)
    place = TextField("Place", longest=200)
    link = TextField("Link, if it is held online", longest=300)
    getting_in = TextField("Getting in, food and what to bring", longest=300)
    capacity = IntegerField(
        "Room for how many?", [Needed("Say how many adults there is room for"), Between(1, MOST_PEOPLE)]
    )
    facilitators = SelectMultipleField("Who runs it?", coerce=int)
    outside_facilitators = TextField("Who else runs it", longest=200)

    rows: Sequence[str] = ()
    """The ends of the names of each row's boxes: a session's number, or new1, new2 …"""

    def validate_link(self, field: Any) -> None:
        if field.data and not re.match(r"https?://[^\s/]+\.[^\s]+$", field.data):
            raise ValidationError("Write the whole link, beginning with https://")

    def validate(self, extra_validators: Any = None) -> bool:
        good = super().validate(extra_validators)
        for row in self.rows:
            good = self._row_is_whole(row) and good
        return good

    def _row_is_whole(self, row: str) -> bool:
        """A session has a date and two times, or its row is empty."""
        on, starts, ends = (self[f"{name}_{row}"] for name in ("on", "starts", "ends"))
        wanted = any(self[f"{name}_{row}"].data for name in ("topics", "place"))
        wanted = wanted or any(field.raw_data and any(field.raw_data) for field in (on, starts, ends))
        good = True
        for field, message in (
            (on, "Give the date of this session, or empty its row"),
            (starts, "Give the time it starts, like 10am"),
            (ends, "Give the time it ends, like 4pm"),
        ):
            if wanted and field.data is None and not field.errors:
                field.errors = [message]
                good = False
        return good

    def plan(self) -> CoursePlan:
        return CoursePlan(
            name=self.name.data,
            capacity=self.capacity.data,
            place=self.place.data or None,
            link=self.link.data or None,
            getting_in=self.getting_in.data or None,
            facilitator_ids=self.facilitators.data or (),
            outside_facilitators=self.outside_facilitators.data or None,
            sessions=[
                SessionPlan(
                    starts_at=datetime.combine(self[f"on_{row}"].data, self[f"starts_{row}"].data, LONDON),
                    ends_at=datetime.combine(self[f"on_{row}"].data, self[f"ends_{row}"].data, LONDON),
                    topics=self[f"topics_{row}"].data or None,
                    place=self[f"place_{row}"].data or None,
                    session_id=int(row) if row.isdigit() else None,
                    field=f"on_{row}",
                )
                for row in self.rows
                if self[f"on_{row}"].data is not None
            ],
        )


def course_form(sessions: Sequence[CourseSession] = (), **defaults: Any) -> CourseForm:
    """The form with a row for each session that there is, and empty rows for further ones."""
    empty = FURTHER_ROWS if sessions else NEW_ROWS
    rows = [*(str(session.id) for session in sessions), *(f"new{number}" for number in range(1, empty + 1))]
    return _with_rows(rows)(**{**_said(rows, sessions), **defaults})


def of_course(course: PrepCourse) -> dict[str, Any]:
    """What the form holds of a course, its sessions aside."""
    return {
        "seen": str(course.version),
        "name": course.name,
        "place": course.place,
        "link": course.link,
        "getting_in": course.getting_in,
        "capacity": course.capacity,
        "facilitators": list(course.facilitator_ids),
        "outside_facilitators": course.outside_facilitators,
    }


def _with_rows(rows: Sequence[str]) -> type[CourseForm]:
    fields: dict[str, Any] = {"rows": tuple(rows)}
    for number, row in enumerate(rows, start=1):
        fields |= {
            f"on_{row}": DateField("Date", whole=f"the date of session {number}", earliest=2011),
            f"starts_{row}": TimeField("Starts", [Optional()]),
            f"ends_{row}": TimeField("Ends", [Optional()]),
            f"topics_{row}": TextField("What it is about", longest=200),
            f"place_{row}": TextField("Place, if it is another", longest=200),
        }
    return type("CourseFormWithSessions", (CourseForm,), fields)


def _said(rows: Sequence[str], sessions: Sequence[CourseSession]) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for row, session in zip(rows, sessions, strict=False):
        starts, ends = london(session.starts_at), london(session.ends_at)
        said |= {f"on_{row}": starts.date(), f"starts_{row}": starts.time(), f"ends_{row}": ends.time()}
        said |= {f"topics_{row}": session.topics, f"place_{row}": session.place}
    return said


class CopyForm(BaseForm):
    """When a course like this one begins."""

    on = DateField("First day", [Needed("Give the first day of the new course")], whole="the first day", earliest=2011)


class CancelForm(BaseForm):
    """Calling a course off."""

    why = TextField("What to say to those who are on it", longest=200)


class GivePlaceForm(BaseForm):
    """Taking a household on a course."""

    course = SelectField("Course", [Needed("Choose a course")], coerce=str, choices=[])
    who = SelectMultipleField("Who goes?", [Needed("Choose who goes")], coerce=int, choices=[])
    needs = LongTextField("What would help them to take part?", longest=1000)


class TakeOffForm(BaseForm):
    """Taking a household off a course."""

    who = SelectMultipleField("Who comes off?", [Needed("Choose who comes off")], coerce=int, choices=[])
    why = LongTextField("Why?", [Needed("Say why they are taken off")], longest=1000)


NOT_SAID = ("", "Not marked")


class RegisterForm(BaseForm):
    """Who came to a session; ``register_form`` adds the boxes of each person."""

    people: Sequence[int] = ()

    rest = HiddenField()
    """By the button that says so: whoever is not marked came."""

    def marks(self) -> dict[int, Mark | None]:
        found: dict[int, Mark | None] = {}
        unmarked = Mark(How.CAME) if self.rest.data == "came" else None
        for person_id in self.people:
            how = self[f"how_{person_id}"].data
            made_up = how == How.MADE_UP
            found[person_id] = (
                Mark(
                    How(how),
                    self[f"made_up_on_{person_id}"].data if made_up else None,
                    self[f"made_up_where_{person_id}"].data or None if made_up else None,
                )
                if how
                else unmarked
            )
        return found


def register_form(adults: Sequence[Adult], number: int) -> RegisterForm:
    """The form with each person's boxes, as they are marked for a session by its number."""
    fields: dict[str, Any] = {"people": tuple(adult.person.id for adult in adults)}
    said: dict[str, Any] = {}
    for adult in adults:
        person, mark = adult.person, adult.marks[number - 1]
        fields |= {
            f"how_{person.id}": RadioField(
                person.given_name,
                [Optional()],
                choices=[*((str(how), words) for how, words in HOW_WORDS.items()), NOT_SAID],
                default="",
            ),
            f"made_up_on_{person.id}": DateField("Made up on", whole="the day it was made up", earliest=2011),
            f"made_up_where_{person.id}": TextField("Made up where", longest=160),
        }
        if mark is not None:
            said |= {
                f"how_{person.id}": mark.how,
                f"made_up_on_{person.id}": mark.made_up_on,
                f"made_up_where_{person.id}": mark.made_up_where,
            }
    return type("RegisterFormOfSession", (RegisterForm,), fields)(**said)


class NotesForm(BaseForm):
    """A facilitator's notes; ``notes_form`` adds two boxes for each adult and two for the household."""

    subjects: Sequence[tuple[str, int | None, str]] = ()
    """The end of the names of their boxes, whom they are about, and the words over them."""

    def seen_of_each(self) -> dict[int | None, Seen]:
        return {
            person_id: Seen(self[f"strengths_{key}"].data or None, self[f"to_explore_{key}"].data or None)
            for key, person_id, _ in self.subjects
        }


def notes_form(subjects: Sequence[tuple[int | None, str]], **defaults: Any) -> NotesForm:
    """The form with its boxes. Each subject: a person's id or None for the household, and the words over it."""
    keyed = tuple((str(person_id or "home"), person_id, words) for person_id, words in subjects)
    fields: dict[str, Any] = {"subjects": keyed}
    for key, _person_id, words in keyed:
        fields[f"strengths_{key}"] = LongTextField(f"Strengths: {words}", longest=4000)
        fields[f"to_explore_{key}"] = LongTextField(f"To explore: {words}", longest=4000)
    return type("NotesFormOfHousehold", (NotesForm,), fields)(**defaults)
