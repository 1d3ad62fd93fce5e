"""Screens about officers' time: times held for households, calendars of their own, how long the road took, mileage."""

from __future__ import annotations

from datetime import date, timedelta

from flask import Blueprint, make_response, request, url_for

from crm import policy
from crm.access.guards import current_actor, requires
from crm.calendars import busy_calendars
from crm.clock import now_utc, today_in_london
from crm.db import db
from crm.rules.permissions import Permission
from crm.rules.refusal import Refusal
from crm.visits import attendance, holds, mileage, queries, roads
from crm.visits import diary_forms as forms
from crm.visits.staff_views import Page, Present
from crm.web.filters import clock_time, day
from crm.web.notices import tell
from crm.web.pages import render, see_other
from crm.web.spreadsheets import CSV_TYPE, csv_file
from crm.web.writes import writes

bp = Blueprint("diary", __name__)


def _here() -> Present:
    return Present(current_actor(), now_utc(), today_in_london())


# --- Times held -------------------------------------------------------------------------------------------------------


@bp.post("/visits/holds/<int:hold_id>/book")
@requires(Permission.BOOK_VISIT)
@writes
def book_held(hold_id: int) -> Page:
    here = _here()
    held, case = holds.hold_for(here.actor, hold_id, today=here.today, now=here.now)
    visit = holds.book_held(held, case, **here.given)
    tell(f"Visit booked for {day(visit.starts_at)}, {clock_time(visit.starts_at)}. Invitations are sent.")
    return see_other(url_for("visits.show", visit_id=visit.id))


@bp.post("/visits/holds/<int:hold_id>/let-go")
@requires(Permission.BOOK_VISIT)
@writes
def let_go(hold_id: int) -> Page:
    here = _here()
    held, case = holds.hold_for(here.actor, hold_id, today=here.today, now=here.now)
    said = f"{day(held.starts_at)}, {clock_time(held.starts_at)}"
    holds.let_go(held, case, actor=here.actor, now=here.now)
    tell(f"{said} is free again.")
    return see_other(url_for("visits.case_visits", reference=case.reference))


# --- Calendars of one's own -------------------------------------------------------------------------------------------


@bp.route("/account/busy-calendars", methods=["GET", "POST"])
@requires(Permission.RECORD_VISIT)
@writes
def calendars() -> Page:
    """The calendars that are read for this officer's busy times, and how the last reading went."""
    here = _here()
    officer_id = here.actor.user_id or 0
    form = forms.CalendarForm()
    if form.is_sent_and_right():
        try:
            busy_calendars.add_calendar(
                officer_id,
                address=form.address.data or "",
                user_name=form.user_name.data or "",
                password=form.password.data or "",
                actor=here.actor,
                now=here.now,
            )
        except Refusal as refusal:
            db.session.rollback()
            form.take_refusal(refusal)
        else:
            tell("Kept. It is read within a minute, and every quarter of an hour from then on.")
            return see_other(url_for("diary.calendars"))
    return (
        render(
            "visits/busy_calendars.html",
            here="visits",
            form=form,
            calendars=busy_calendars.calendars_of(officer_id),
            most=busy_calendars.MOST_OF_ONE,
        ),
        form.status,
    )


@bp.post("/account/busy-calendars/<int:calendar_id>/read")
@requires(Permission.RECORD_VISIT)
@writes
def read_calendar(calendar_id: int) -> Page:
    here = _here()
    if busy_calendars.read_soon(here.actor.user_id or 0, calendar_id, now=here.now):
        tell("It is read within a minute. Look at this page again then.")
    return see_other(url_for("diary.calendars"))


@bp.post("/account/busy-calendars/<int:calendar_id>/remove")
@requires(Permission.RECORD_VISIT)
@writes
def remove_calendar(calendar_id: int) -> Page:
    here = _here()
    if busy_calendars.remove_calendar(here.actor.user_id or 0, calendar_id, actor=here.actor, now=here.now):
        tell("It is not read any more, and what it said is forgotten.")
    return see_other(url_for("diary.calendars"))


# --- The road ---------------------------------------------------------------------------------------------------------


@bp.route("/visits/<int:visit_id>/travel", methods=["GET", "POST"])
@requires(Permission.RECORD_VISIT)
@writes
def travel(visit_id: int) -> Page:
    """How long the way to a visit took an officer, where we had worked something else out."""
    here = _here()
    visit, case = queries.visit_for(here.actor, visit_id, today=here.today)
    attendance.check_may_record(visit, here.actor)
    goes = here.actor.user_id if here.actor.user_id in visit.officer_ids else visit.officer_ids[0]
    way = queries.way_to(visit, case, goes, now=here.now)
    form = forms.HowLongForm()
    if form.is_sent_and_right():
        try:
            roads.say_how_long(way.one, way.other, way.by, form.minutes.data, actor=here.actor, now=here.now)
        except Refusal as refusal:
            db.session.rollback()
            form.take_refusal(refusal)
            visit, case = queries.visit_for(here.actor, visit_id, today=here.today)
        else:
            tell(f"Kept: {form.minutes.data} minutes between {way.one} and {way.other} from now on.")
            return see_other(url_for("visits.show", visit_id=visit.id))
    return (
        render(
            "visits/travel.html",
            here="visits",
            head=here.head(case),
            visit=visit,
            way=way,
            form=form,
        ),
        form.status,
    )


# --- Mileage ----------------------------------------------------------------------------------------------------------


@bp.get("/visits/mileage")
@requires(Permission.RECORD_VISIT)
def month() -> Page:
    """What was driven in a month: one's own, and everybody's for whoever manages them."""
    here = _here()
    first_day = _month_of(request.args.get("month"), here.today)
    return render(
        "visits/mileage.html",
        here="visits",
        months=_months(here, first_day),
        first_day=first_day,
        earlier=f"{first_day - timedelta(days=1):%Y-%m}",
        later=f"{_next_month(first_day):%Y-%m}" if _next_month(first_day) <= here.today else None,
        pence=policy.service(first_day).mileage_pence,
        winding=policy.service().winding_percent - 100,
        sees_all=here.actor.has(Permission.SIGN_OFF_VISIT),
    )


@bp.post("/visits/mileage/file")
@requires(Permission.RECORD_VISIT)
@writes
def month_file() -> Page:
    """The month as a file for payroll."""
    here = _here()
    first_day = _month_of(request.form.get("month"), here.today)
    months = _months(here, first_day)
    mileage.record_export(months, first_day=first_day, actor=here.actor, now=here.now)
    response = make_response(csv_file(mileage.HEADER, mileage.file_rows(months)))
    response.headers["Content-Type"] = CSV_TYPE
    response.headers["Content-Disposition"] = f'attachment; filename="mileage-{first_day:%Y-%m}.csv"'
    return response


def _months(here: Present, first_day: date) -> list[mileage.OfficerMonth]:
    everybody = queries.visiting_officers()
    if not here.actor.has(Permission.SIGN_OFF_VISIT):
        everybody = [user for user in everybody if user.id == here.actor.user_id]
    return mileage.mileage_of(everybody, first_day=first_day, last_day=_next_month(first_day) - timedelta(days=1))


def _month_of(text: str | None, today: date) -> date:
    try:
        found = date.fromisoformat(f"{text}-01")
    except ValueError:
        return today.replace(day=1)
    return found if 2020 <= found.year <= today.year + 1 else today.replace(day=1)


def _next_month(first_day: date) -> date:
    return (first_day + timedelta(days=32)).replace(day=1)
