"""My day, the first page of everyone who works here."""

from __future__ import annotations

from crm import policy
from crm.access.guards import current_actor, requires_staff
from crm.assessments import queries as assessments
from crm.calendars.caldav_reading import count_to_settle
from crm.cases.merge_queries import merge_lines, merges_numbered
from crm.clock import now_utc, today_in_london
from crm.rules.permissions import Actor, Permission, Role
from crm.staff import my_day as days
from crm.staff.case_views import OPEN, may_open, page_for
from crm.staff.my_day import DueRow
from crm.staff.my_visits import agenda_of, to_write, visits_of
from crm.staff.views import bp, case_path
from crm.staff.wanted import wanted_from
from crm.visits.watching import alarms_for, watched_by
from crm.web.pages import render

WORKS_WITH_CASES = frozenset({Role.RECRUITER, Role.OFFICER, Role.MANAGER})


@bp.get("/my-day")
@requires_staff
def my_day() -> str:
    """What is due from me, where I am going, and whom I wait for."""
    actor, now, today = current_actor(), now_utc(), today_in_london()
    rulebook = policy.rulebook_on(today)
    day = days.my_day(actor, today=today, rulebook=rulebook)
    of_role = days.clocks_of_role(actor, today=today, rulebook=rulebook)
    wanted = wanted_from(actor, today=today, now=now)
    goes_out = actor.has(Permission.RECORD_VISIT) or actor.has(Permission.BOOK_VISIT)
    is_manager = days.sees_team(actor)
    return render(
        "staff/my_day.html",
        here="my_day",
        counts={"my_day": day.over.count},
        day=day,
        now=now,
        today=today,
        visits=visits_of(actor, now=now, today=today) if goes_out else None,
        to_settle=count_to_settle(actor.user_id or 0) if actor.has(Permission.RECORD_VISIT) else 0,
        decisions=of_role.get("decisions"),
        papers=of_role.get("papers"),
        ready=assessments.cases_ready_for_panel(actor, today=today) if actor.has(Permission.MANAGE_PANEL) else (),
        to_write=to_write(actor, today=today) if actor.has(Permission.RECORD_VISIT) else None,
        to_decide=of_role.get("to_decide"),
        to_merge=merge_lines(merges_numbered(wanted.merges)),
        agenda=agenda_of(actor, today=today) if actor.has(Permission.SIT_ON_PANEL) else None,
        team=days.team_of(today=today, rulebook=rulebook) if is_manager else None,
        covering=days.covering(wanted.away, today=today, rulebook=rulebook),
        alarms=alarms_for(actor, now=now) if wanted.looks_out else (),
        watched=watched_by(actor, now=now) if wanted.looks_out else (),
        late=wanted.late,
        untouched_days=rulebook.response.untouched_days,
        closings=wanted.closings,
        to_sign=wanted.to_sign if is_manager else None,
        to_countersign=wanted.to_countersign,
        works_with_cases=bool(actor.roles & WORKS_WITH_CASES),
        runs_the_system=actor.has(Permission.MANAGE_SETTINGS),
        link=_link_for(actor),
        label=_label_for(actor),
        case_path=case_path,
    )


def _label_for(actor: Actor) -> object:
    """What a row's button says: "Decide" only to somebody who may, "Open" to whoever only follows the household."""

    def label(row: DueRow) -> str:
        return row.label if row.page is None or may_open(actor, row.page.endpoint) else OPEN

    return label


def _link_for(actor: Actor) -> object:
    def link(row: DueRow) -> str | None:
        if row.page is None or row.reference is None:
            return None
        return page_for(row.page, row.reference, actor, **row.ids)

    return link
