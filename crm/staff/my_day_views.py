"""My day, the first page of everyone who works here."""

from __future__ import annotations

from crm import policy
from crm.access.guards import current_actor, requires_staff
from crm.assessments import queries as assessments
from crm.cases.merge_queries import asked_merges, merge_lines
from crm.clock import now_utc, today_in_london
from crm.enquiries import queries as enquiries
from crm.rules.permissions import Actor, Permission, Role
from crm.staff import my_day as days
from crm.staff.case_views import OPEN, may_open, page_for
from crm.staff.my_day import DueRow
from crm.staff.my_visits import agenda_of, reports_to_countersign, reports_to_sign, to_write, visits_of
from crm.staff.views import bp, case_path
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
        decisions=of_role.get("decisions"),
        papers=of_role.get("papers"),
        ready=assessments.cases_ready_for_panel(actor, today=today) if actor.has(Permission.MANAGE_PANEL) else (),
        to_write=to_write(actor, today=today) if actor.has(Permission.RECORD_VISIT) else None,
        to_decide=of_role.get("to_decide"),
        to_merge=merge_lines(asked_merges(actor, today=today)) if actor.has(Permission.AGREE_MERGE) else None,
        agenda=agenda_of(actor, today=today) if actor.has(Permission.SIT_ON_PANEL) else None,
        team=days.team_overdue(today=today) if is_manager else None,
        covering=days.covering(actor, today=today, rulebook=rulebook) if actor.roles & WORKS_WITH_CASES else (),
        late=enquiries.told_and_waiting(today=today) if is_manager else (),
        untouched=enquiries.untouched_by_owner(today=today, rulebook=rulebook) if is_manager else (),
        untouched_days=rulebook.response.untouched_days,
        closings=enquiries.closings_to_agree() if actor.has(Permission.AGREE_CLOSING) else (),
        to_sign=reports_to_sign() if is_manager else None,
        to_countersign=reports_to_countersign(actor) if actor.has(Permission.COUNTERSIGN_REPORT) else None,
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
