"""Leave, and whose turn it is: one's own page, and the manager's page of everybody who takes enquiries."""

from __future__ import annotations

from collections.abc import Iterable

from flask import Response, make_response

from crm import policy
from crm.access import leave as absences
from crm.access.guards import current_actor, requires, requires_staff
from crm.access.models import StaffLeave, User
from crm.access.queries import leave_ahead, leave_of, names_of, staff_with_role, user_with
from crm.cases import owners
from crm.clock import now_utc, today_in_london
from crm.rules.permissions import Permission
from crm.rules.refusal import Refusal
from crm.staff.leave_forms import NOBODY, LeaveForm, LimitForm
from crm.staff.views import bp
from crm.web.filters import day_year, many
from crm.web.notices import tell
from crm.web.pages import render, see_other
from crm.web.writes import writes


class NotOnTheTeam(Refusal):
    """Whose leave or limit this is does not take enquiries, or has left."""

    default_status = 404


@bp.route("/account/leave", methods=["GET", "POST"])
@requires_staff
@writes
def my_leave() -> Response:
    """When I am away, and who covers for me."""
    user = user_with(current_actor().user_id or 0)
    form = _leave_form(user)
    if _note(user, form):
        return see_other("/account/leave")
    rows = leave_ahead(today=today_in_london(), user_id=user.id)
    body = render(
        "staff/my_leave.html", here=None, form=form, rows=rows, names=_names(rows), has_cases=_has_cases(user)
    )
    return make_response(body, form.status)


@bp.post("/account/leave/<int:leave_id>/withdraw")
@requires_staff
@writes
def withdraw_leave(leave_id: int) -> Response:
    """Take leave back: one's own, or anybody's for a manager."""
    actor = current_actor()
    noted = leave_of(actor, leave_id)
    absences.withdraw_leave(noted, actor=actor, now=now_utc())
    is_mine = noted.user_id == actor.user_id
    tell("That leave is taken back. Calls, turns and visits go on as if it had not been.")
    return see_other("/account/leave" if is_mine else f"/team/{noted.user_id}")


@bp.get("/team")
@requires(Permission.ASSIGN_CASES)
def team() -> str:
    """Who takes enquiries, how many each has, who is away, and whose turn is next in each area."""
    now, today = now_utc(), today_in_london()
    people = staff_with_role(*sorted(owners.OWNING_ROLES))
    rows = leave_ahead(today=today)
    service = policy.service()
    areas = []
    for area in service.areas:
        standings = owners.standings_in(area.name, area.owner_ids, now=now, today=today)
        free = sorted((one for one in standings if one.is_free), key=lambda one: one.order)
        areas.append((area.name, standings, free[0].user_id if free else None))
    return render(
        "staff/team.html",
        here="enquiries",
        people=people,
        has_now=owners.enquiries_now([user.id for user in people]),
        leave={user.id: [row for row in rows if row.user_id == user.id] for user in people},
        names=_names(rows),
        areas=areas,
        today=today,
        recent_days=owners.RECENT.days,
        fallback_id=service.fallback_owner_id,
    )


@bp.get("/team/<int:user_id>")
@requires(Permission.ASSIGN_CASES)
def colleague(user_id: int) -> Response:
    """One person who takes enquiries: their limit and their leave."""
    user = _on_the_team(user_id)
    return _colleague_page(user, LimitForm(at_once=user.enquiries_at_once), _leave_form(user))


@bp.post("/team/<int:user_id>/limit")
@requires(Permission.ASSIGN_CASES)
@writes
def set_limit(user_id: int) -> Response:
    """How many open enquiries somebody has at most before their turn passes on."""
    user = _on_the_team(user_id)
    form = LimitForm()
    if form.is_sent_and_right():
        owners.set_limit(user, at_once=form.at_once.data, actor=current_actor(), now=now_utc())
        limit = many(form.at_once.data, "enquiry", "enquiries") if form.at_once.data is not None else "as many as come"
        tell(f"{user.name} has {limit} at once, from the next one on.")
        return see_other(f"/team/{user.id}")
    return _colleague_page(user, form, _leave_form(user, takes_answers=False))


@bp.post("/team/<int:user_id>/leave")
@requires(Permission.ASSIGN_CASES)
@writes
def note_leave(user_id: int) -> Response:
    """Note leave for somebody."""
    user = _on_the_team(user_id)
    form = _leave_form(user)
    if _note(user, form):
        return see_other(f"/team/{user.id}")
    return _colleague_page(user, LimitForm(takes_answers=False, at_once=user.enquiries_at_once), form)


def _on_the_team(user_id: int) -> User:
    user = user_with(user_id)
    if not user.active or not user.roles & owners.OWNING_ROLES:
        raise NotOnTheTeam("There is nobody on the team by that number.")
    return user


def _colleague_page(user: User, limit: LimitForm, form: LeaveForm) -> Response:
    rows = leave_ahead(today=today_in_london(), user_id=user.id)
    body = render(
        "staff/colleague.html", here="enquiries", user=user, limit=limit, form=form, rows=rows, names=_names(rows)
    )
    return make_response(body, limit.status if limit.problems else form.status)


def _leave_form(user: User, *, takes_answers: bool = True) -> LeaveForm:
    form = LeaveForm(takes_answers=takes_answers, cover=NOBODY)
    others = [one for one in staff_with_role(*sorted(owners.OWNING_ROLES)) if one.id != user.id]
    form.cover.choices = [(NOBODY, "Nobody"), *((one.id, one.name) for one in others)]
    return form


def _note(user: User, form: LeaveForm) -> bool:
    """Note the leave that was sent. False where there is none, or it has to be put right."""
    if not form.is_sent_and_right():
        return False
    cover = user_with(form.cover.data) if form.cover.data != NOBODY else None
    try:
        absences.note_leave(
            user,
            first_on=form.first_day.data,
            last_on=form.last_day.data,
            cover=cover,
            actor=current_actor(),
            now=now_utc(),
            today=today_in_london(),
        )
    except Refusal as refusal:
        form.take_refusal(refusal)
        return False
    minded = f" {cover.name} covers." if cover else ""
    tell(f"{user.name} is away from {day_year(form.first_day.data)} to {day_year(form.last_day.data)}.{minded}")
    return True


def _has_cases(user: User) -> bool:
    return bool(user.roles & owners.OWNING_ROLES)


def _names(rows: Iterable[StaffLeave]) -> dict[int, str]:
    return names_of([row.cover_id for row in rows])
