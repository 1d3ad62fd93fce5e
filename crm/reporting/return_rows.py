"""Rows behind numbers of the annual return: applications, touches and people, each with the household to open."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, func, select

from crm.cases.models import CHANNEL_WORDS, Case, Channel, Enquiry, Household, Journey, Person, PersonRole
from crm.cases.queries import visible_cases
from crm.clock import london_date
from crm.db import db, is_among
from crm.reporting.applications import Held
from crm.reporting.behind import Behind, cases_of
from crm.reporting.figures import Row, Rows
from crm.rules.permissions import Actor
from crm.web.filters import day_short_year

CARER_WORDS = {PersonRole.APPLICANT_1: "First applicant", PersonRole.APPLICANT_2: "Second applicant"}


def applications(heading: str, find: Callable[[], list[Held]]) -> Behind:
    """Applications, the newest case first: when each was received, when it ended, and what it came to."""

    def count() -> int:
        return len(find())

    def page(actor: Actor, after: int | None, size: int, today: date) -> Rows:
        everything = find()
        found = [one for one in everything if after is None or one.key < after]
        shown = found[:size]
        cases = {
            row.id: row
            for row in db.session.execute(
                select(Case.id, Case.reference, Household.name, visible_cases(actor, today=today).label("may_open"))
                .join(Household, Household.id == Case.household_id)
                .where(is_among(Case.id, {one.case_id for one in shown}))
            )
        }
        rows = []
        for one in shown:
            ended = day_short_year(one.came.ended_on) if one.came.ended_on else "Not yet"
            cells = (day_short_year(one.came.received_on), ended, one.came.words)
            rows.append(_row(cases.get(one.case_id), cells))
        more = str(shown[-1].key) if len(found) > size else None
        note = "What each came to is as it is known today."
        return Rows(heading, ("Received", "Ended", "Came to"), tuple(rows), len(everything), more, note)

    return Behind(heading, count, page)


def contacts(heading: str, conditions: Sequence[ColumnElement[bool]]) -> Behind:
    """Touches, the newest first: the day and how they came."""

    def count() -> int:
        return db.session.scalars(select(func.count()).select_from(Enquiry).where(*conditions)).one()

    def page(actor: Actor, after: int | None, size: int, today: date) -> Rows:
        query = (
            select(
                Enquiry.id,
                Enquiry.received_at,
                Enquiry.channel,
                Case.reference,
                Household.name,
                visible_cases(actor, today=today).label("may_open"),
            )
            .join(Case, Case.id == Enquiry.case_id)
            .join(Household, Household.id == Case.household_id)
            .where(*conditions)
            .order_by(Enquiry.id.desc())
            .limit(size + 1)
        )
        found = db.session.execute(query.where(Enquiry.id < after) if after else query).all()
        rows = tuple(
            _row(row, (day_short_year(london_date(row.received_at)), CHANNEL_WORDS[Channel(row.channel)]))
            for row in found[:size]
        )
        more = str(found[size - 1].id) if len(found) > size else None
        return Rows(heading, ("Came", "By"), rows, count(), more)

    return Behind(heading, count, page)


def people(heading: str, conditions: Sequence[ColumnElement[bool]]) -> Behind:
    """People of households, by the household's name: somebody's own name is on the page of the household."""

    def count() -> int:
        query = select(func.count()).select_from(Person).join(Journey, Journey.household_id == Person.household_id)
        return db.session.scalars(query.where(*conditions)).one()

    def page(actor: Actor, after: int | None, size: int, today: date) -> Rows:
        query = (
            select(Person.id, Person.role, Person.household_id, Journey.asked_on)
            .join(Journey, Journey.household_id == Person.household_id)
            .where(*conditions)
            .order_by(Person.id.desc())
            .limit(size + 1)
        )
        found = db.session.execute(query.where(Person.id < after) if after else query).all()
        cases = cases_of([row.household_id for row in found[:size]], actor, today)
        rows = tuple(
            _row(cases[row.household_id], (day_short_year(row.asked_on), CARER_WORDS[PersonRole(row.role)]))
            for row in found[:size]
        )
        more = str(found[size - 1].id) if len(found) > size else None
        return Rows(heading, ("Asked", "Who"), rows, count(), more)

    return Behind(heading, count, page)


def _row(case: Any, cells: tuple[str, ...]) -> Row:
    may_open = case is not None and case.may_open
    return Row(case.reference if may_open else None, case.name if may_open else None, cells)
