"""Panel: the central list, meetings, who is on which agenda, who took part, and what the panel recommends.

Source: Fostering Services (England) Regulations 2011, regs 23 to 25 and 27; National Minimum Standards 2011, 14.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy import func, select

from crm.access.queries import names_of, user_with
from crm.assessments import packs
from crm.assessments.endings import close_papers
from crm.assessments.minutes_signing import tell_chair
from crm.assessments.models import (
    TOOK_PART,
    CentralListMember,
    PanelAttendance,
    PanelItem,
    PanelMeeting,
    PanelMember,
    Presence,
    Recommendation,
)
from crm.assessments.pack_models import WhyWithdrawn
from crm.assessments.queries import (
    assessor_ids_of,
    attendance_rows,
    dossier_of,
    item_shortfalls,
    items_of,
    recommended_item,
    sits_at,
    stored_evidence,
    waiting_item,
)
from crm.assessments.steps import begin_step, end_step, not_after_today, not_before, note
from crm.assessments.terms import Terms, put_terms
from crm.audit import record
from crm.cases import clocks, timeline
from crm.cases.assignment import assign, release
from crm.cases.change_stage import change_stage
from crm.cases.models import AssignmentRole, Case, StageChange
from crm.db import db
from crm.delivery.wording import and_list
from crm.rules import transitions
from crm.rules.panel import Seat
from crm.rules.permissions import Actor, Permission, require
from crm.rules.refusal import Refusal
from crm.rules.rulebook import Rulebook
from crm.rules.stages import TrackName


class NotAPanelMember(Refusal):
    """Somebody who can't sit, or is not on the central list."""

    default_status = 422


class MeetingNotPossible(Refusal):
    """A meeting that can't be held as it is put down."""

    default_status = 422


class NotOnThisAgenda(Refusal):
    """The household is not waiting on this agenda."""


class MeetingNotYet(Refusal):
    """The meeting has not taken place."""


class ReasonForLatenessMissing(Refusal):
    """After the 8 months, or with late papers, a household is listed only with the reason kept."""

    default_status = 422


# --- The central list and meetings ------------------------------------------------------------------------------------


def put_on_central_list(
    *,
    user_id: int,
    seat: str,
    is_independent: bool,
    is_qualifying_social_worker: bool,
    background: str | None,
    actor: Actor,
    now: datetime,
    until_on: date | None = None,
) -> CentralListMember:
    """Put somebody on the central list, or change what they are on it (reg 23)."""
    require(actor, Permission.MANAGE_PANEL)
    user = user_with(user_id)
    if not user.as_actor().has(Permission.SIT_ON_PANEL):
        raise NotAPanelMember(
            f"{user.name} does not have the role of a panel member. An administrator can give it to them.",
            field="user_id",
        )
    member = db.session.scalars(select(CentralListMember).where(CentralListMember.user_id == user_id)).first()
    if member is None:
        member = CentralListMember(user_id=user_id)
        db.session.add(member)
    member.seat = Seat(seat)
    member.is_independent = is_independent
    member.is_qualifying_social_worker = is_qualifying_social_worker
    member.background = background or None
    member.until_on = until_on
    db.session.flush()
    record("panel.central_list", actor=actor, at=now, subject=f"user:{user_id}", detail={"seat": str(member.seat)})
    return member


@dataclass(frozen=True, kw_only=True)
class NewMeeting:
    """A meeting as it is put down. ``meets_on`` is the London date of ``meets_at``."""

    meets_at: datetime
    meets_on: date
    place: str | None = None
    link: str | None = None
    is_joint: bool = False
    member_ids: tuple[int, ...] = ()


def make_meeting(new: NewMeeting, *, actor: Actor, now: datetime, today: date) -> PanelMeeting:
    """Put down a meeting with its members, each with what they are on the central list today."""
    require(actor, Permission.MANAGE_PANEL)
    if new.meets_on < today:
        raise MeetingNotPossible("Choose a day that is still to come.", field="meets_on")
    if not (new.place or new.link):
        raise MeetingNotPossible("Say where it meets, or give a link to join.", field="place")
    meeting = PanelMeeting(
        meets_at=new.meets_at,
        meets_on=new.meets_on,
        place=new.place or None,
        link=new.link or None,
        is_joint=new.is_joint,
    )
    db.session.add(meeting)
    db.session.flush()
    _seat_members(meeting, new.member_ids, today=today)
    record("panel.meeting_made", actor=actor, at=now, subject=f"meeting:{meeting.id}", detail={"on": new.meets_on})
    return meeting


def seat_members(
    meeting: PanelMeeting, member_ids: Sequence[int], *, actor: Actor, now: datetime, today: date
) -> PanelMeeting:
    """Change who sits at a meeting. Whoever took part in an item already stays; to whoever sits there no more, the
    households of its agenda are closed at once."""
    require(actor, Permission.MANAGE_PANEL)
    for user_id in _seat_members(meeting, member_ids, today=today):
        for item in meeting.items:
            release(
                _case_of(item), user_id=user_id, role=AssignmentRole.PANEL_MEMBER, actor=actor, now=now, today=today
            )
    for item in meeting.items:
        if item.outcome is None:
            _open_papers(_case_of(item), item, actor=actor, now=now, today=today)
            packs.follow_seats(_case_of(item), item, actor=actor, now=now, today=today)
    record("panel.members_changed", actor=actor, at=now, subject=f"meeting:{meeting.id}")
    return meeting


def _seat_members(meeting: PanelMeeting, member_ids: Sequence[int], *, today: date) -> list[int]:
    """Seat these. Returns who had a seat and has none now."""
    listed = {
        member.user_id: member
        for member in db.session.scalars(select(CentralListMember))
        if member.until_on is None or member.until_on >= meeting.meets_on
    }
    seated = {member.user_id: member for member in meeting.members}
    took_part = {row.user_id for item in meeting.items for row in item.attendances}
    for user_id in member_ids:
        if user_id in seated:
            continue
        if user_id not in listed:
            raise NotAPanelMember("Choose members from the central list.", field="member_ids")
        one = listed[user_id]
        meeting.members.append(
            PanelMember(
                user_id=user_id,
                seat=one.seat,
                background=one.background,
                is_independent=one.is_independent,
                is_qualifying_social_worker=one.is_qualifying_social_worker,
            )
        )
    unseated = [user_id for user_id in seated if user_id not in member_ids and user_id not in took_part]
    for user_id in unseated:
        meeting.members.remove(seated[user_id])
        db.session.delete(seated[user_id])
    db.session.flush()
    return unseated


# --- The agenda -------------------------------------------------------------------------------------------------------


def listing_warnings(case: Case, meeting: PanelMeeting, *, actor: Actor, today: date, rulebook: Rulebook) -> list[str]:
    """What to know before a household goes on this agenda: past the 8 months, papers late."""
    evidence = replace(stored_evidence(case, today), panel_meeting_on=meeting.meets_on, panel_papers_sent_on=None)
    return list(
        transitions.warnings_for(
            "list_for_panel", tracks=case.stages, evidence=evidence, actor=actor, today=today, rulebook=rulebook
        )
    )


def list_case(
    case: Case,
    meeting: PanelMeeting,
    *,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    late_reason: str | None = None,
    seen: int | None = None,
) -> PanelItem:
    """Put a household on a meeting's agenda. Its members may open the household until the day after the meeting.

    Back from representations it goes to panel again (reg 27(9)). Raises ReasonForLatenessMissing after the 8 months or
    with late papers.
    """
    require(actor, Permission.MANAGE_PANEL)
    if meeting.meets_on < today:
        raise MeetingNotPossible("That meeting is over. Choose one that is still to come.", field="meeting_id")
    warnings = listing_warnings(case, meeting, actor=actor, today=today, rulebook=rulebook)
    if warnings and not (late_reason or "").strip():
        raise ReasonForLatenessMissing(f"{' '.join(warnings)} Say why.", field="late_reason")
    known = dossier_of(case)
    if any(item.meeting_id == meeting.id for item in known.items):
        raise NotOnThisAgenda("This household was on that meeting’s agenda already. Choose another meeting.")
    back_again = case.stages.get(TrackName.APPLICATION) == "representations"
    if back_again:
        change_stage(
            case,
            "return_to_panel",
            actor=actor,
            now=now,
            today=today,
            rulebook=rulebook,
            evidence=stored_evidence(case, today, dossier=known),
            seen=seen,
        )
        seen = None
    evidence = replace(
        stored_evidence(case, today, dossier=known), panel_meeting_on=meeting.meets_on, panel_papers_sent_on=None
    )
    change_stage(
        case,
        "list_for_panel",
        actor=actor,
        now=now,
        today=today,
        rulebook=rulebook,
        evidence=evidence,
        seen=seen,
        due_on={"panel_papers": rulebook.due_on("panel_papers", meeting.meets_on)},
        letter_context={
            "meets_at": meeting.meets_at,
            "place": meeting.place or "By video",
            "join_url": meeting.link,
        },
    )
    assert known.application is not None
    assert known.report is not None
    item = PanelItem(
        case_id=case.id,
        application_id=known.application.id,
        report_id=known.report.id,
        position=1
        + (db.session.scalar(select(func.max(PanelItem.position)).where(PanelItem.meeting_id == meeting.id)) or 0),
        about="representations" if back_again else "application",
        listed_on=today,
        papers_due_on=rulebook.due_on("panel_papers", meeting.meets_on),
    )
    item.late_reason = (late_reason or "").strip() or None
    meeting.items.append(item)
    db.session.flush()
    _open_papers(case, item, actor=actor, now=now, today=today)
    note("panel.listed", case, actor=actor, now=now, subject=f"meeting:{meeting.id}", on=meeting.meets_on)
    return item


def _open_papers(case: Case, item: PanelItem, *, actor: Actor, now: datetime, today: date) -> None:
    """Let the members of the meeting open the household, but for those with a part in it."""
    assessed = assessor_ids_of(case) | ({case.owner_id} if case.owner_id else set())
    rows = attendance_rows(item)
    for member in item.meeting.members:
        if member.user_id in assessed and member.user_id not in rows:
            _declare(item, member.user_id, "Has worked with this household", now=now)
        elif rows.get(member.user_id) is None or rows[member.user_id].presence != Presence.CONFLICT:
            assign(
                case,
                user_id=member.user_id,
                role=AssignmentRole.PANEL_MEMBER,
                actor=actor,
                now=now,
                today=today,
                until_on=packs.open_until(item),
            )


def send_papers(
    case: Case,
    item: PanelItem,
    *,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    late_reason: str | None = None,
    seen: int | None = None,
) -> None:
    """Give the papers to the members by name. Less than 5 working days before the meeting, the reason is kept.

    Papers that were put together again after some had gone take their place: the first day stays the day they went.
    """
    begin_step(case, Permission.MANAGE_PANEL, actor=actor, seen=seen)
    _refuse_ended(item)
    is_first = item.papers_sent_on is None
    newest = next(iter(packs.packs_of(item)), None)
    if newest is not None and newest.copies:
        raise NotOnThisAgenda("The members have these papers already.")
    if is_first and today > item.papers_due_on and not (late_reason or item.late_reason or "").strip():
        raise ReasonForLatenessMissing(
            "Members should have the papers 5 working days before the meeting. Say why they are late.",
            field="late_reason",
        )
    pack = packs.give_out(case, item, actor=actor, now=now, today=today)
    if late_reason:
        item.late_reason = late_reason.strip()
    if is_first:
        item.papers_sent_on = today
        clocks.stop(case, ("panel_papers",), on=today)
    title = "Papers given to the panel’s members" if is_first else "Newer papers given to the panel’s members"
    timeline.add(case, kind="system", title=title, actor=actor, occurred_at=now)
    note("panel.papers_sent", case, actor=actor, now=now, subject=packs.subject_of(pack), on=today)
    end_step(case, today=today, rulebook=rulebook)


# --- Who took part ----------------------------------------------------------------------------------------------------


def declare_conflict(
    case: Case, item: PanelItem, *, user_id: int, what: str, actor: Actor, now: datetime, today: date
) -> None:
    """Note a member's interest in a household: they leave for the item, and its papers are closed to them."""
    if actor.user_id != user_id or not actor.has(Permission.SIT_ON_PANEL):
        require(actor, Permission.MANAGE_PANEL)
    _refuse_ended(item)
    if not sits_at(item.meeting, user_id):
        raise NotAPanelMember("They do not sit at this meeting.")
    if not what.strip():
        raise NotAPanelMember("Say what the interest is.", field="what")
    _declare(item, user_id, what.strip(), now=now)
    release(case, user_id=user_id, role=AssignmentRole.PANEL_MEMBER, actor=actor, now=now, today=today)
    packs.take_back(item, WhyWithdrawn.INTEREST, now=now, user_ids=(user_id,))
    note("panel.conflict", case, actor=actor, now=now, subject=f"user:{user_id}")
    db.session.flush()


def _declare(item: PanelItem, user_id: int, what: str, *, now: datetime) -> None:
    row = attendance_rows(item).get(user_id)
    if row is None:
        row = PanelAttendance(user_id=user_id, presence=Presence.CONFLICT)
        item.attendances.append(row)
    row.conflict = what
    row.presence, row.presides, row.declared_at = Presence.CONFLICT, False, now
    db.session.flush()


def record_attendance(
    case: Case,
    item: PanelItem,
    presences: Mapping[int, str],
    *,
    presiding_id: int | None,
    actor: Actor,
    now: datetime,
    today: date,
) -> tuple[str, ...]:
    """Note who is there for one item. Returns what is missing to be quorate; empty when nothing is.

    Every member needs an answer, now or from before: nobody is taken to be there. Whoever declared an interest stays
    out of it, and whoever assessed the household can't take part. ``presiding_id`` None: the chair, where here.
    """
    require(actor, Permission.RECORD_RECOMMENDATION)
    _refuse_ended(item)
    if item.meeting.meets_on > today:
        raise MeetingNotYet(f"The meeting is on {_day(item.meeting.meets_on)}. Note who is there on the day.")
    _refuse_unsaid(item, said=presences)
    if presiding_id is not None and presences.get(presiding_id) not in set(TOOK_PART):
        raise MeetingNotPossible("Whoever presides must be here.", field="presiding_id")
    rows = attendance_rows(item)
    assessed = assessor_ids_of(case) | ({case.owner_id} if case.owner_id else set())
    for member in item.meeting.members:
        said = presences.get(member.user_id)
        if said is None:
            continue
        presence = Presence(said)
        row = rows.get(member.user_id)
        if row is not None and row.presence == Presence.CONFLICT:
            continue
        if presence is Presence.CONFLICT:
            raise NotAPanelMember("Say what the interest is, under “Declare an interest”.")
        if presence in TOOK_PART and member.user_id in assessed:
            raise NotAPanelMember("Somebody who worked with this household can’t sit on its item.", status=409)
        if row is None:
            row = PanelAttendance(user_id=member.user_id, presence=presence)
            item.attendances.append(row)
        row.presence = presence
        row.presides = presence in TOOK_PART and member.user_id == presiding_id
    db.session.flush()
    note("panel.attendance", case, actor=actor, now=now, subject=f"meeting:{item.meeting_id}")
    return item_shortfalls(item)


def _refuse_unsaid(item: PanelItem, *, said: Mapping[int, str]) -> None:
    """Refuse while nobody has said of some member whether they are here, naming them."""
    rows = attendance_rows(item)
    unsaid = [
        member.user_id for member in item.meeting.members if not said.get(member.user_id) and member.user_id not in rows
    ]
    if unsaid:
        known = names_of(unsaid)
        raise MeetingNotPossible(
            f"Say first whether {and_list(sorted(known.values()))} {'is' if len(unsaid) == 1 else 'are'} here.",
            field=f"presence_{unsaid[0]}",
        )


# --- What came of it --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Recommended:
    """What the panel recommends, and why."""

    recommendation: str
    reasons: str
    terms: Terms = Terms()
    is_of_one_mind: bool = True
    dissent: str | None = None


def record_recommendation(
    case: Case,
    item: PanelItem,
    recommended: Recommended,
    *,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
) -> PanelItem:
    """Record a quorate panel's recommendation with its reasons. On a brief report only two are possible.

    Where the panel asks for a full report the household goes back to its assessor in the same step.
    """
    _refuse_ended(item)
    if item.meeting.meets_on > today:
        raise MeetingNotYet(f"The meeting is on {_day(item.meeting.meets_on)}. Nothing can be recommended before it.")
    _refuse_unsaid(item, said={})
    if not recommended.reasons.strip():
        raise MeetingNotPossible("Write the panel’s reasons.", field="reasons")
    if not recommended.is_of_one_mind and not (recommended.dissent or "").strip():
        raise MeetingNotPossible("Note who differed, and why.", field="dissent")
    shortfalls = item_shortfalls(item, figures=rulebook.quorum)
    sat = frozenset(row.user_id for row in item.attendances if row.presence in set(TOOK_PART))
    held_on = item.meeting.meets_on
    evidence = replace(
        stored_evidence(case, today),
        panel_meeting_on=held_on,
        panel_quorate=not shortfalls,
        panel_shortfalls=shortfalls,
        panel_member_ids=sat,
        panel_recommendation=recommended.recommendation,
        recommendation_on=held_on,
        minutes_final_received_on=None,
    )
    change_stage(
        case,
        "record_recommendation",
        actor=actor,
        now=now,
        today=today,
        rulebook=rulebook,
        evidence=evidence,
        seen=seen,
        effective_on=held_on,
    )
    item.recommendation = Recommendation(recommended.recommendation)
    item.reasons = recommended.reasons
    item.is_of_one_mind = recommended.is_of_one_mind
    item.dissent = None if recommended.is_of_one_mind else recommended.dissent
    if recommended.recommendation == Recommendation.SUITABLE:
        put_terms(item, recommended.terms)
    item.outcome, item.ended_on = "recommended", held_on
    db.session.flush()
    note("panel.recommended", case, actor=actor, now=now, subject=f"meeting:{item.meeting_id}",
         recommendation=str(item.recommendation))  # fmt: skip
    if item.recommendation == Recommendation.FULL_REPORT_NEEDED:
        change_stage(
            case,
            "ask_for_full_report",
            actor=actor,
            now=now,
            today=today,
            rulebook=rulebook,
            evidence=stored_evidence(case, today),
        )
    return item


def defer_item(
    case: Case,
    item: PanelItem,
    *,
    reasons: str,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
) -> StageChange:
    """Put an item off because the panel needs to know more. There is no recommendation, so no decision clock starts,
    and the 8 months run on."""
    _refuse_ended(item)
    change = change_stage(
        case,
        "defer_item",
        actor=actor,
        now=now,
        today=today,
        rulebook=rulebook,
        evidence=stored_evidence(case, today),
        seen=seen,
        reason=reasons,
        letter_context={"reasons": reasons},
    )
    item.reasons = reasons
    item.outcome, item.ended_on = "deferred", today
    db.session.flush()
    if today < item.meeting.meets_on:
        close_papers(case, item, actor=actor, now=now, today=today)
    note("panel.deferred", case, actor=actor, now=now, subject=f"meeting:{item.meeting_id}")
    return change


def send_minutes(
    case: Case,
    item: PanelItem,
    *,
    minutes: str,
    received_on: date,
    actor: Actor,
    now: datetime,
    today: date,
    rulebook: Rulebook,
    seen: int | None = None,
) -> StageChange:
    """Put recommendation and final minutes before the decision maker: 7 working days from the day both were there."""
    require(actor, Permission.MANAGE_PANEL)
    if item.outcome != "recommended" or recommended_item(items_of(case)) is not item:
        raise NotOnThisAgenda("The panel’s recommendation is not recorded yet, so its minutes can’t be final.")
    if not minutes.strip():
        raise MeetingNotPossible("Write the final minutes of this item.", field="minutes")
    not_after_today(received_on, today=today, field="received_on", what="The day the decision maker had them")
    not_before(
        received_on,
        item.meeting.meets_on,
        field="received_on",
        message="The minutes can’t be there before the meeting.",
    )
    item.minutes = minutes
    item.minutes_received_on = received_on
    db.session.flush()
    tell_chair(case, item, is_again=False, actor=actor, now=now, today=today)
    return change_stage(
        case,
        "send_to_decision_maker",
        actor=actor,
        now=now,
        today=today,
        rulebook=rulebook,
        evidence=stored_evidence(case, today),
        seen=seen,
        effective_on=received_on,
    )


def _refuse_ended(item: PanelItem) -> None:
    if item.outcome is not None:
        raise NotOnThisAgenda("The panel has dealt with this household at that meeting.")


def _case_of(item: PanelItem) -> Case:
    case = db.session.get(Case, item.case_id)
    assert case is not None
    return case


def _day(day: date) -> str:
    return f"{day:%A} {day.day} {day:%B %Y}"


def waiting_item_of(case: Case) -> PanelItem:
    """The item of this household that panel has not dealt with. Raises NotOnThisAgenda."""
    item = waiting_item(items_of(case))
    if item is None:
        raise NotOnThisAgenda(f"{case.household.name} is on no agenda.")
    return item
