"""The panel: its meetings, a meeting's agenda item by item, and what came of each."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import Response, make_response, request

from crm import policy
from crm.access.guards import current_actor, requires
from crm.access.queries import names_of, staff_who_may
from crm.assessments import meetings, queries
from crm.assessments.check_views import why_shut
from crm.assessments.minutes_signing import signed_ids, waiting_for
from crm.assessments.minutes_words import minutes_shown
from crm.assessments.models import (
    PRESENCE_WORDS,
    RECOMMENDATION_WORDS,
    PanelItem,
    PanelMeeting,
    Presence,
    Recommendation,
)
from crm.assessments.overview_views import Looking, case_page, look, seen_of
from crm.assessments.pack_views import papers_shown
from crm.assessments.panel_forms import (
    SEAT_WORDS,
    CentralListForm,
    ConflictForm,
    DeferForm,
    ListCaseForm,
    MeetingForm,
    MembersForm,
    PapersForm,
    RecommendationForm,
    attendance_form,
)
from crm.assessments.terms import terms_of
from crm.assessments.views import panel
from crm.cases.models import Case
from crm.clock import now_utc, today_in_london
from crm.rules.panel import Seat
from crm.rules.permissions import Permission
from crm.rules.refusal import Refusal
from crm.web.filters import day, day_year
from crm.web.notices import tell
from crm.web.pages import render, see_other
from crm.web.sightings import records_view, saw
from crm.web.writes import writes

P = Permission
LONDON = ZoneInfo("Europe/London")
MAY_LOOK = (P.MANAGE_PANEL, P.VIEW_PANEL_CASES, P.SIT_ON_PANEL)


# --- Meetings ---------------------------------------------------------------------------------------------------------


@panel.get("/panel")
@requires(any_of=(P.MANAGE_PANEL, P.SIT_ON_PANEL, P.MAKE_DECISION, P.VIEW_PANEL_CASES))
def index() -> str:
    """Meetings to come and past, who is ready for one, and what waits for a decision."""
    actor, today = current_actor(), today_in_london()
    ahead: list[PanelMeeting] = []
    past: list[PanelMeeting] = []
    if any(actor.has(one) for one in MAY_LOOK):
        ahead, past = queries.meetings_ahead(today), queries.meetings_past(today)
        if not (actor.has(P.MANAGE_PANEL) or actor.has(P.VIEW_PANEL_CASES)):
            ahead = [one for one in ahead if queries.sits_at(one, actor.user_id)]
            past = [one for one in past if queries.sits_at(one, actor.user_id)]
    ready = queries.cases_ready_for_panel(actor, today=today) if actor.has(P.MANAGE_PANEL) else []
    waiting, _more = (
        queries.applications_page(actor, today=today, place="with_decision_maker")
        if actor.has(P.MAKE_DECISION) or actor.has(P.VIEW_PANEL_CASES)
        else ([], None)
    )
    rulebook = policy.rulebook_on(today)
    return render(
        "panel/index.html",
        here="panel",
        ahead=ahead,
        past=past,
        ready=[(case, _limit(case, rulebook, today)) for case in ready],
        waiting=[(row, rulebook.say_due("adm_decision", row.due_on, today=today)) for row in waiting if row.due_on],
        shows_meetings=any(actor.has(one) for one in MAY_LOOK),
        shows_waiting=actor.has(P.MAKE_DECISION) or actor.has(P.VIEW_PANEL_CASES),
        papers_by={one.id: rulebook.due_on("panel_papers", one.meets_on) for one in ahead},
        to_sign=waiting_for(actor) if actor.has(P.SIT_ON_PANEL) else [],
    )


def _limit(case: Case, rulebook: Any, today: Any) -> Any:
    if case.application_received_on is None:
        return None
    limit = rulebook.due_on("panel_recommendation", case.application_received_on)
    return rulebook.say_due("panel_recommendation", limit, today=today)


def _member_choices() -> list[tuple[str, str]]:
    return [
        (str(user.id), f"{user.name}: {_sits_as(member)}") for member, user in queries.central_list(today_in_london())
    ]


def _sits_as(member: Any) -> str:
    words = [SEAT_WORDS[Seat(member.seat)].lower()]
    if member.is_independent:
        words.append("independent")
    if member.is_qualifying_social_worker:
        words.append("social worker, 3 years or more")
    if member.background:
        words.append(member.background)
    return ", ".join(words)


@panel.route("/panel/new", methods=["GET", "POST"])
@requires(P.MANAGE_PANEL)
@writes
def new_meeting() -> Response:
    """Put down a meeting."""
    actor, now, today = current_actor(), now_utc(), today_in_london()
    form = MeetingForm()
    form.member_ids.choices = _member_choices()
    if form.is_sent_and_right():
        new = meetings.NewMeeting(
            meets_at=datetime.combine(form.meets_on.data, form.starts_at.data, LONDON),
            meets_on=form.meets_on.data,
            place=form.place.data or None,
            link=form.link.data or None,
            is_joint=form.is_joint.data,
            member_ids=tuple(int(one) for one in form.member_ids.data or ()),
        )
        try:
            meeting = meetings.make_meeting(new, actor=actor, now=now, today=today)
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            papers_by = policy.rulebook_on(today).due_on("panel_papers", meeting.meets_on)
            tell(
                f"The panel meets on {day(meeting.meets_on)}. "
                f"Papers {'were' if papers_by < today else 'are'} due by {day(papers_by)}."
            )
            return see_other(f"/panel/{meeting.id}")
    return make_response(
        render("panel/new_meeting.html", here="panel", form=form, has_list=bool(form.member_ids.choices)), form.status
    )


@panel.route("/panel/central-list", methods=["GET", "POST"])
@requires(P.MANAGE_PANEL)
@writes
def central_list() -> Response:
    """The central list: who may sit on panel, and as what."""
    actor, now, today = current_actor(), now_utc(), today_in_london()
    form = CentralListForm()
    form.user_id.choices = [("", "Choose"), *((str(one.id), one.name) for one in staff_who_may(P.SIT_ON_PANEL))]
    if form.is_sent_and_right():
        try:
            meetings.put_on_central_list(
                user_id=int(form.user_id.data),
                seat=form.seat.data,
                is_independent=form.is_independent.data,
                is_qualifying_social_worker=form.is_qualifying_social_worker.data,
                background=form.background.data or None,
                until_on=form.until_on.data,
                actor=actor,
                now=now,
            )
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            tell("Kept on the central list.")
            return see_other("/panel/central-list")
    listed = [(user, _sits_as(member), member.until_on) for member, user in queries.central_list(today)]
    return make_response(render("panel/central_list.html", here="panel", form=form, listed=listed), form.status)


# --- One meeting ------------------------------------------------------------------------------------------------------


def _meeting(meeting_id: int) -> PanelMeeting:
    """A meeting, for those who run the panel and those who sit at it. To others it is not there."""
    actor = current_actor()
    found = queries.meeting_with(meeting_id)
    if not (actor.has(P.MANAGE_PANEL) or actor.has(P.VIEW_PANEL_CASES) or queries.sits_at(found, actor.user_id)):
        raise queries.NothingThere("We can’t find that meeting.")
    return found


@panel.get("/panel/<int:meeting_id>")
@requires(any_of=MAY_LOOK)
@records_view("panel")
def meeting(meeting_id: int) -> Response:
    """The agenda, and one item of it."""
    found = _meeting(meeting_id)
    wanted = request.args.get("item", "")
    item = next((one for one in found.items if wanted and str(one.id) == wanted), None)
    return _meeting_page(found, item)


def _meeting_page(found: PanelMeeting, item: PanelItem | None, form: Any = None, **forms: Any) -> Response:
    actor, today = current_actor(), today_in_london()
    rulebook = policy.rulebook_on(today)
    households = queries.households_of(found.items)
    openable = queries.openable_ids(actor, households, today=today)
    shown = [one for one in found.items if one.case_id in openable]
    if item is None:
        item = next((one for one in shown if one.outcome is None), shown[0] if shown else None)
    if item is not None and item.case_id not in openable:
        raise queries.NothingThere("That item is closed to you.")
    for one in shown:
        saw(case_id=one.case_id, subject=f"meeting:{found.id}")
    if not shown:
        saw(case_id=None, subject=f"meeting:{found.id}")
    people = names_of([member.user_id for member in found.members])
    case = households[item.case_id] if item is not None else None
    rows = queries.attendance_rows(item) if item is not None else {}
    limits = {
        one.id: rulebook.due_on("panel_recommendation", households[one.case_id].application_received_on)
        for one in found.items
        if households[one.case_id].application_received_on
    }
    seen = str(case.version) if case else ""
    report = queries.report_with(item.report_id) if item is not None else None
    is_waiting = item is not None and item.outcome is None
    present = [user_id for user_id, row in rows.items() if row.presence in (Presence.PRESENT, Presence.BY_VIDEO)]
    context = {
        "meeting": found,
        "item": item,
        "case": case,
        "households": households,
        "openable": openable,
        "limits": limits,
        "seats": [
            {
                "id": member.user_id,
                "name": people.get(member.user_id, ""),
                "sits_as": _sits_as(member),
                "presence": rows[member.user_id].presence if member.user_id in rows else None,
                "words": PRESENCE_WORDS[Presence(rows[member.user_id].presence)] if member.user_id in rows else "",
                "conflict": rows[member.user_id].conflict if member.user_id in rows and case else None,
                "presides": member.user_id in rows and rows[member.user_id].presides,
            }
            for member in queries.members_of(found)
        ],
        "chair": next((people.get(m.user_id) for m in found.members if m.seat == Seat.CHAIR), None),
        "shortfalls": queries.item_shortfalls(item, figures=rulebook.quorum) if item is not None else (),
        "present_count": len(present),
        "quorum": rulebook.quorum.members_of_joint_panel if found.is_joint else rulebook.quorum.members,
        "recommendation_words": RECOMMENDATION_WORDS,
        "terms": terms_of(item).words if item is not None and item.recommendation else None,
        "report_kind": report.kind if report else "full",
        "today": today,
        "is_waiting": is_waiting,
        "is_held": found.meets_on <= today,
        "can_manage": actor.has(P.MANAGE_PANEL),
        "can_record": actor.has(P.RECORD_RECOMMENDATION) and is_waiting,
        "is_seated": queries.sits_at(found, actor.user_id),
        "actor_id": actor.user_id,
        "members_form": forms.get("members") or _members_form(found),
        "papers_form": forms.get("papers") or PapersForm(takes_answers=False, seen=seen),
        "conflict_form": forms.get("conflict") or _conflict_form(found, people),
        "attendance_form": forms.get("attendance") or _attendance_form(found, item, people, takes_answers=False),
        "recommendation_form": forms.get("recommendation")
        or (_blank_recommendation(report, seen) if is_waiting else None),
        "defer_form": forms.get("defer") or DeferForm(takes_answers=False, seen=seen),
        "papers": papers_shown(case, item) if item is not None and case is not None else None,
        "minutes": minutes_shown(item) if item is not None else None,
        "signed": signed_ids(shown),
        "to_sign": {one.id for one in waiting_for(actor)} if actor.has(P.SIT_ON_PANEL) else set(),
        "form": form,
    }
    return make_response(
        render("panel/meeting.html", here="panel", **context), form.status if form is not None else 200
    )


def _members_form(found: PanelMeeting) -> MembersForm:
    form = MembersForm(takes_answers=False, member_ids=[str(member.user_id) for member in found.members])
    form.member_ids.choices = _member_choices()
    return form


def _conflict_form(found: PanelMeeting, people: dict[int, str]) -> ConflictForm:
    form = ConflictForm(takes_answers=False)
    actor = current_actor()
    form.user_id.choices = [
        (str(member.user_id), people.get(member.user_id, ""))
        for member in queries.members_of(found)
        if actor.has(P.MANAGE_PANEL) or member.user_id == actor.user_id
    ]
    return form


def _attendance_form(
    found: PanelMeeting, item: PanelItem | None, people: dict[int, str], *, takes_answers: bool = True
) -> Any:
    if item is None:
        return None
    rows = queries.attendance_rows(item)
    members = [
        (
            member.user_id,
            people.get(member.user_id, ""),
            rows[member.user_id].presence if member.user_id in rows else None,
        )
        for member in queries.members_of(found)
        if member.user_id not in rows or rows[member.user_id].presence != Presence.CONFLICT
    ]
    presiding = next((row.user_id for row in rows.values() if row.presides), None)
    return attendance_form(members, presiding, takes_answers=takes_answers)


def _blank_recommendation(report: Any, seen: str) -> RecommendationForm:
    terms = terms_of(report)
    return RecommendationForm.of(
        report.kind,
        takes_answers=False,
        seen=seen,
        terms_children=terms.children,
        terms_youngest=terms.youngest,
        terms_oldest=terms.oldest,
        terms_care=terms.care or "",
        other_terms=terms.other,
    )


def _waiting(reference: str) -> tuple[Looking, PanelItem]:
    looking = look(reference)
    return looking, meetings.waiting_item_of(looking.case)


def _back(item: PanelItem) -> Response:
    return see_other(f"/panel/{item.meeting_id}?item={item.id}")


@panel.post("/panel/<int:meeting_id>/members")
@requires(P.MANAGE_PANEL)
@records_view("panel")
@writes
def members(meeting_id: int) -> Response:
    """Change who sits at a meeting."""
    found = _meeting(meeting_id)
    form = MembersForm()
    form.member_ids.choices = _member_choices()
    if form.is_sent_and_right():
        try:
            meetings.seat_members(
                found,
                [int(one) for one in form.member_ids.data or ()],
                actor=current_actor(),
                now=now_utc(),
                today=today_in_london(),
            )
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            tell("Kept. Members can open the households on the agenda.")
            return see_other(f"/panel/{meeting_id}")
    return _meeting_page(found, None, form, members=form)


@panel.post("/cases/<reference>/panel/papers")
@requires(P.MANAGE_PANEL)
@records_view("panel")
@writes
def papers(reference: str) -> Response:
    """Give the papers to the members."""
    looking, item = _waiting(reference)
    form = PapersForm()
    if form.is_sent_and_right():
        try:
            meetings.send_papers(
                looking.case, item, late_reason=form.late_reason.data or None, seen=seen_of(form), **looking.doing
            )
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            tell("The members have the papers. Each has been written to.")
            return _back(item)
    return _meeting_page(queries.meeting_with(item.meeting_id), item, form, papers=form)


@panel.post("/cases/<reference>/panel/conflict")
@requires(any_of=(P.MANAGE_PANEL, P.SIT_ON_PANEL))
@records_view("panel")
@writes
def conflict(reference: str) -> Response:
    """A member declares an interest: they leave for the item, and its papers close to them."""
    looking, item = _waiting(reference)
    found = queries.meeting_with(item.meeting_id)
    people = names_of([member.user_id for member in found.members])
    form = ConflictForm()
    form.user_id.choices = _conflict_form(found, people).user_id.choices
    if form.is_sent_and_right():
        try:
            meetings.declare_conflict(
                looking.case,
                item,
                user_id=int(form.user_id.data),
                what=form.what.data,
                actor=looking.actor,
                now=looking.now,
                today=looking.today,
            )
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            tell(f"{people[int(form.user_id.data)]} takes no part in this item, and its papers are closed to them.")
            is_own = str(looking.actor.user_id) == form.user_id.data and not looking.actor.has(P.MANAGE_PANEL)
            return see_other(f"/panel/{found.id}") if is_own else _back(item)
    return _meeting_page(found, item, form, conflict=form)


@panel.post("/cases/<reference>/panel/attendance")
@requires(P.RECORD_RECOMMENDATION)
@records_view("panel")
@writes
def attendance(reference: str) -> Response:
    """Who is there for this item."""
    looking, item = _waiting(reference)
    found = queries.meeting_with(item.meeting_id)
    people = names_of([member.user_id for member in found.members])
    form = _attendance_form(found, item, people)
    if form.is_sent_and_right():
        try:
            missing = meetings.record_attendance(
                looking.case,
                item,
                form.presences(),
                presiding_id=int(form.presiding_id.data) if form.presiding_id.data else None,
                actor=looking.actor,
                now=looking.now,
                today=looking.today,
            )
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            tell(
                " ".join(missing) if missing else "The panel is quorate for this item.",
                "warning" if missing else "success",
            )
            return _back(item)
    return _meeting_page(found, item, form, attendance=form)


@panel.route("/cases/<reference>/panel/recommendation", methods=["GET", "POST"])
@requires(P.RECORD_RECOMMENDATION)
@records_view("panel")
@writes
def recommendation(reference: str) -> Response:
    """Record what the panel recommends; the form stands on the meeting's page."""
    looking, item = _waiting(reference)
    if request.method == "GET":
        saw(case_id=looking.case.id)
        return _back(item)
    report = queries.report_with(item.report_id)
    form = RecommendationForm.of(report.kind)
    if form.is_sent_and_right():
        try:
            meetings.record_recommendation(looking.case, item, form.recommended(), seen=seen_of(form), **looking.doing)
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            said = RECOMMENDATION_WORDS[Recommendation(form.recommendation.data)].lower()
            follows = (
                "The household goes back to its assessor."
                if form.recommendation.data == Recommendation.FULL_REPORT_NEEDED
                else "Next: the final minutes to the decision maker, whose 7 working days begin with them."
            )
            tell(f"Recorded: {said}. {follows}")
            return _back(item)
    return _meeting_page(queries.meeting_with(item.meeting_id), item, form, recommendation=form)


@panel.route("/cases/<reference>/panel/defer", methods=["GET", "POST"])
@requires(P.RECORD_RECOMMENDATION)
@records_view("panel")
@writes
def defer(reference: str) -> Response:
    """Put an item off because the panel needs to know more."""
    looking, item = _waiting(reference)
    form = DeferForm(seen=str(looking.case.version))
    if form.is_sent_and_right():
        try:
            meetings.defer_item(looking.case, item, reasons=form.reasons.data, seen=seen_of(form), **looking.doing)
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            limit = queries.application_limit(looking.case)
            tell(
                "Put off, and the household has been told why. The 8 months run on"
                + (f", to {day_year(limit)}" if limit else "")
                + ". Next: another meeting."
            )
            return see_other(f"/cases/{looking.case.reference}")
    saw(case_id=looking.case.id, subject=f"meeting:{item.meeting_id}")
    return case_page("panel/defer.html", looking, form, item=item, limit=queries.application_limit(looking.case))


@panel.route("/cases/<reference>/panel", methods=["GET", "POST"])
@requires(P.MANAGE_PANEL)
@writes
def list_case(reference: str) -> Response:
    """Put a household on the agenda of a meeting."""
    looking = look(reference)
    case, today = looking.case, looking.today
    ahead = queries.meetings_ahead(today)
    form = ListCaseForm(seen=str(case.version))
    form.meeting_id.choices = [
        (str(one.id), f"{day_year(one.meets_on)}, {len(one.items)} on the agenda") for one in ahead
    ]
    if form.is_sent_and_right():
        chosen = next(one for one in ahead if str(one.id) == form.meeting_id.data)
        try:
            item = meetings.list_case(
                case, chosen, late_reason=form.late_reason.data or None, seen=seen_of(form), **looking.doing
            )
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            tell(
                f"On the agenda of {day(chosen.meets_on)}, and the household has been invited. "
                f"Papers {'were' if item.papers_due_on < today else 'are'} due by {day(item.papers_due_on)}."
            )
            return see_other(f"/panel/{chosen.id}?item={item.id}")
    warnings = {
        str(one.id): " ".join(
            meetings.listing_warnings(case, one, actor=looking.actor, today=today, rulebook=looking.rulebook)
        )
        for one in ahead
    }
    return case_page(
        "panel/list_case.html",
        looking,
        form,
        warnings={key: words for key, words in warnings.items() if words},
        limit=queries.application_limit(case),
        why_not=_why_not_listed(looking),
        has_meetings=bool(ahead),
    )


def _why_not_listed(looking: Looking) -> str | None:
    if looking.case.stages.get("application") == "representations":  # type: ignore[call-overload]
        return None
    evidence = replace(queries.stored_evidence(looking.case, looking.today), panel_meeting_on=looking.today)
    return why_shut("list_for_panel", looking, evidence)
