"""A household taken through its journey by the real operations, each on its own day.

``journey.on("2026-03-18")`` stops the clock; ``journey.do(operation, by=cast.manager, …)`` makes one step in one
transaction, as the edge does.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select

from crm import policy
from crm.assessments import (
    applications,
    checks,
    decisions,
    evidence,
    meetings,
    notices,
    pack_worker,
    packs,
    queries,
    reviews,
    sessions,
    stage_one,
    stage_two,
)
from crm.assessments.models import REPORT_SECTIONS, Check, PanelMeeting
from crm.assessments.pack_models import PanelPack
from crm.assessments.stage_two_models import AssessmentSession
from crm.cases import effects
from crm.cases.change_stage import change_stage
from crm.cases.models import Case, Channel, Deadline, PersonRole
from crm.cases.open_case import NewPerson, NewTouch, open_case
from crm.clock import now_utc, today_in_london
from crm.db import db, transaction
from crm.rules.permissions import Role
from crm.rules.transitions import Evidence
from tests.databases import Database
from tests.factories import Cast, Member, make_user

LONDON = ZoneInfo("Europe/London")

PANEL: tuple[tuple[str, str, str, bool, bool], ...] = (
    ("chair", "Ruth Adeyemi", "chair", True, False),
    ("social_worker", "Hannah Sutcliffe", "member", False, True),
    ("carer_member", "Bernard Wyeth", "member", True, False),
    ("teacher", "Parveen Dhillon", "member", True, False),
    ("care_experienced", "Toby Larkham", "member", True, False),
    ("vice_chair", "Anita Rowe", "vice_chair", False, False),
    ("councillor", "Maureen Steptoe", "member", True, False),
)

PRIYA = NewPerson(
    given_name="Priya", family_name="Nair", email="priya.nair@example.org", phone="07700 900162",
    role=PersonRole.APPLICANT_1,
)  # fmt: skip
SAM = NewPerson(
    given_name="Sam", family_name="Whitlock", email="sam.whitlock@example.org", phone="07700 900347",
    role=PersonRole.APPLICANT_2,
)  # fmt: skip
BORN = {"Priya": date(1985, 2, 10), "Sam": date(1982, 6, 4)}


Walk = Callable[["Journey"], object]


class Journey:
    """One household, its people here, and the steps."""

    def __init__(self, cast: Cast, freeze: Callable[[Any], datetime], database: Database | None = None) -> None:
        self.cast = cast
        self.freeze = freeze
        self.database = database
        self.case: Case = None  # type: ignore[assignment]
        self.panel: dict[str, Member] = {}
        self.second_manager: Member = None  # type: ignore[assignment]
        if effects.named_effects() - effects._BOUND.keys():
            effects.bind_effects({name: lambda *_, **__: None for name in effects.named_effects()})

    # --- time and steps

    def on(self, day: str | date, at: str = "10:00") -> Journey:
        self.freeze(f"{day} {at}")
        return self

    @property
    def today(self) -> date:
        return today_in_london()

    @property
    def rulebook(self):
        return policy.rulebook_on(self.today)

    def do(self, operation: Callable[..., Any], *args: Any, by: Member, rulebook: bool = True, **kwargs: Any) -> Any:
        with transaction():
            if rulebook:
                kwargs["rulebook"] = self.rulebook
            return operation(*args, actor=by.actor, now=now_utc(), today=self.today, **kwargs)

    def move(self, name: str, by: Member, **kwargs: Any) -> Any:
        return self.do(change_stage, self.case, name, by=by, **kwargs)

    # --- people of the service

    def people(self) -> Journey:
        with transaction():
            for key, name, *_ in PANEL:
                self.panel[key] = make_user(Member(key, name, frozenset({Role.PANEL_MEMBER})))
            self.second_manager = make_user(Member("second_manager", "Oluwaseun Bright", frozenset({Role.MANAGER})))
            for key, _name, seat, independent, social_worker in PANEL:
                meetings.put_on_central_list(
                    user_id=self.panel[key].id, seat=seat, is_independent=independent,
                    is_qualifying_social_worker=social_worker, background=None,
                    actor=self.cast.panel_administrator.actor, now=now_utc(),
                )  # fmt: skip
        return self

    # --- the household's steps

    def invited(self, *people: NewPerson, **changes: Any) -> Journey:
        """An enquiry today, talked to, visited and invited, all today."""
        cast = self.cast
        with transaction():
            self.case = open_case(
                people=list(people) or [PRIYA, SAM],
                touch=NewTouch(channel=Channel.EVENT, received_at=now_utc(), source="Information evening"),
                actor=cast.recruiter.actor, now=now_utc(), today=self.today, rulebook=self.rulebook,
                postcode="BR1 3KO",
                **{
                    "address": "8 Tannery Court, Bromley", "local_authority": "Bromley", "owner_id": cast.officer.id,
                    **changes,
                },
            )  # fmt: skip
        self.move("record_contact", cast.manager)
        self.move("book_visit", cast.manager)
        self.move("record_visit", cast.manager)
        self.move("invite_to_apply", cast.manager, evidence=Evidence(visit_signed_off=True))
        return self

    def applied(self, received_on: date | None = None, **changes: Any) -> Journey:
        answers, born = changes.pop("answers", {}), {**BORN, **changes.pop("born", {})}
        signed = tuple(
            applications.SignedBy(
                person_id=person.id, signed_on=received_on or self.today, agrees_to_checks=True,
                born_on=born.get(person.given_name, date(1980, 1, 1)), **answers.get(person.given_name, {}),
            )
            for person in self.case.household.people if person.is_applicant
        )  # fmt: skip
        received = applications.Received(
            received_on=received_on or self.today, accepted_on=self.today, signed=signed, **changes
        )
        self.do(applications.receive_application, self.case, received, by=self.cast.officer)
        return self

    def assessing(self) -> Journey:
        self.do(applications.decide_to_assess, self.case, by=self.cast.manager)
        return self

    def checks(self, *, needed: bool = True) -> list[Check]:
        self.look_again()
        application = queries.the_application(self.case)
        return [check for check in queries.checks_of(application) if check.is_needed or not needed]

    def check(self, item: str, person: str | None = None, number: int = 1) -> Check:
        found = [
            check
            for check in self.checks()
            if check.item == item and (person is None or (check.person and check.person.given_name == person))
        ]
        return found[number - 1]

    def obtain(self, check: Check, by: Member | None = None, **changes: Any) -> None:
        """Record that a check came in today, with nothing of concern."""
        fields: dict[str, Any] = {"received_on": self.today, "result": "clear"}
        if check.item in checks.DBS_ITEMS:
            fields |= {
                "dbs_number": "001234567890", "dbs_issued_on": self.today, "dbs_level": "enhanced",
                "dbs_barred_list_checked": True,
            }  # fmt: skip
        came_in = checks.CheckCameIn(**{**fields, **changes})
        self.do(checks.record_check, self.case, check, came_in, by=by or self.cast.officer)

    def obtain_all(self, *, but: tuple[str, ...] = ()) -> Journey:
        """Record every statutory check that is still missing, but for these items."""
        for check in self.checks():
            is_due = check.is_statutory and not check.is_obtained and check.needed_from_on <= self.today
            if is_due and check.item not in but:
                self.obtain(check)
        return self

    def passed(self) -> Journey:
        self.do(stage_one.pass_stage_one, self.case, by=self.cast.manager)
        return self

    def stage_two(self, assessor: Member | None = None) -> Journey:
        assessor = assessor or self.cast.officer
        self.do(stage_two.start_stage_two, self.case, by=self.cast.manager, assessor_id=assessor.id)
        return self

    def report(self, kind: str = "full", by: Member | None = None) -> Journey:
        from crm.assessments.terms import Terms

        sections = {name: f"About {heading.lower()}." for name, (heading, _) in REPORT_SECTIONS.items()}
        if kind == "brief":
            sections = {"suitability": "Why we think they are not suitable."}
        self.do(stage_two.save_report, self.case, by=by or self.cast.officer, kind=kind, sections=sections,
                terms=Terms(children=2, youngest=4, oldest=11, care="short_and_long"))  # fmt: skip
        if kind == "full":
            self.evidence(by=by)
        self.do(stage_two.countersign, self.case, by=self.cast.manager)
        return self

    def evidence(self, *sections: str, source: str = "other", words: str = "Seen at their home.",
                 by: Member | None = None) -> Journey:  # fmt: skip
        """Link one thing to each of these headings, or to all of them."""
        for section in sections or REPORT_SECTIONS:
            new = evidence.NewEvidence(
                section=section, source=source, said_as="fact", words=words,
                other_source="A letter from the school" if source == "other" else "",
            )  # fmt: skip
            self.do(evidence.add_evidence, self.case, new, by=by or self.cast.officer)
        return self

    def looked_at_from_outside(self, words: str = "As open as I was told.") -> Journey:
        """A midway review and a second opinion, both by a manager who does not assess."""
        midway = reviews.NewReview(held_on=self.today, words=words, outcome="go_on")
        self.do(reviews.record_midway, self.case, midway, by=self.cast.manager)
        opinion = reviews.NewReview(held_on=self.today, words=words)
        self.do(reviews.record_second_opinion, self.case, opinion, by=self.cast.manager)
        return self

    def session(self, *headings: str, notes: str | None = None, by: Member | None = None) -> AssessmentSession:
        """Plan one session for this month and, with notes, hold it today."""
        by, who = by or self.cast.officer, tuple(one.id for one in self.case.household.people if one.is_applicant)
        headings = headings or ("personality",)
        plan = sessions.SessionPlan(month=self.today.replace(day=1), on=None, person_ids=who, headings=headings)
        session: AssessmentSession = self.do(sessions.plan_session, self.case, plan, by=by)
        if notes is not None:
            held = sessions.SessionHeld(
                held_on=self.today, minutes=120, person_ids=who, also_there="", headings=headings, notes=notes
            )
            self.do(sessions.record_session, self.case, session, held, by=by)
        return session

    def shared(self) -> Journey:
        self.do(stage_two.share_report, self.case, by=self.cast.officer)
        return self

    def observed(self) -> Journey:
        self.do(stage_two.record_observations, self.case, by=self.cast.officer, received_on=self.today, text="Fine.")
        return self

    def ready(self) -> Journey:
        self.do(stage_two.ready_for_panel, self.case, by=self.cast.officer)
        return self

    def meeting(
        self, day: str | date, members: tuple[str, ...] | None = None, *, is_joint: bool = False
    ) -> PanelMeeting:
        day = date.fromisoformat(str(day))
        new = meetings.NewMeeting(
            meets_at=datetime.combine(day, time(10), LONDON), meets_on=day, place="Kestrel House", is_joint=is_joint,
            member_ids=tuple(self.panel[key].id for key in members or tuple(self.panel)[:5]),
        )  # fmt: skip
        return self.do(meetings.make_meeting, new, by=self.cast.panel_administrator, rulebook=False)

    def listed(self, meeting: PanelMeeting, late_reason: str | None = None) -> Any:
        return self.do(
            meetings.list_case, self.case, meeting, by=self.cast.panel_administrator, late_reason=late_reason
        )

    def papers_made(self) -> PanelPack:
        """The papers of the item that waits, asked for and put together by the worker."""
        self.do(packs.ask_for_papers, self.case, self.item(), by=self.cast.panel_administrator)
        self.look_again()
        assert pack_worker.make_next(now_utc())
        self.look_again()
        return packs.packs_of(self.item())[0]

    def papers_given(self, late_reason: str | None = None) -> PanelPack:
        """And given to the members of the meeting."""
        pack = self.papers_made()
        self.do(
            meetings.send_papers, self.case, self.item(), by=self.cast.panel_administrator, late_reason=late_reason
        )
        return pack

    def look_again(self) -> None:
        """Let go of what this test's own session read, so that what a page wrote since is seen."""
        db.session.rollback()

    def item(self):
        self.look_again()
        return meetings.waiting_item_of(self.case)

    def everyone_here(self, item, but: tuple[int, ...] = ()) -> None:
        self.do(
            meetings.record_attendance, self.case, item,
            {m.user_id: "present" for m in item.meeting.members if m.user_id not in but},
            presiding_id=None, by=self.cast.panel_administrator, rulebook=False,
        )  # fmt: skip

    def recommended(self, recommendation: str = "suitable", item=None) -> Any:
        item = item or self.item()
        self.everyone_here(item)
        return self.do(
            meetings.record_recommendation, self.case, item,
            meetings.Recommended(recommendation=recommendation, reasons="The panel was impressed by their openness."),
            by=self.cast.panel_administrator,
        )  # fmt: skip

    def minutes(self, received_on: date | None = None) -> Journey:
        item = queries.recommended_item(queries.items_of(self.case))
        self.do(meetings.send_minutes, self.case, item, minutes="The panel talked about their home.",
                received_on=received_on or self.today, by=self.cast.panel_administrator)  # fmt: skip
        return self

    def considered(self, kind: str = "approve", **changes: Any) -> decisions.Considered:
        fields: dict[str, Any] = {
            "kind": kind, "material": "The report, the checks and the minutes.", "arguments": "For and against.",
            "adopts_panel_reasons": True, "why": "They weigh what matters.",
            "reasons": None if kind == "approve" else "We are not sure of the support around them.",
        }  # fmt: skip
        return decisions.Considered(**{**fields, **changes})

    def decided(self, kind: str = "approve", by: Member | None = None, **changes: Any) -> Any:
        return self.do(decisions.decide, self.case, self.considered(kind, **changes), by=by or self.cast.decision_maker)

    def told(self) -> Journey:
        self.do(notices.tell_by_voice, self.case, by=self.cast.decision_maker, told_on=self.today, method="phone",
                words=None)  # fmt: skip
        return self

    def written(self, by: str = "email") -> Any:
        """Send the written notice by ``by``: email or post."""
        return self.do(notices.send_written_notice, self.case, by=self.cast.decision_maker, channel=by)

    # --- quick ways to a place

    def walk(self, way: Walk) -> Journey:
        """Be where this way leads, before anything else has happened here.

        The first test of the run to ask goes it, by the real operations. Every other is given a copy of the database as
        it was when that one arrived.
        """
        assert self.database is not None
        assert self.case is None, "a copied walk begins where nothing has happened"
        here = (self.cast, self.panel, self.second_manager)

        def go() -> tuple[Any, datetime, int]:
            way(self)
            return here, now_utc(), self.case.id

        db.session.rollback()
        who, at, case_id = self.database.made_once(f"{way.__module__}.{way.__qualname__}", go)
        assert who == here, f"{way.__qualname__} was gone by other people"
        self.freeze(at)
        self.case = db.session.get_one(Case, case_id)
        return self

    def in_assessment(self, *people: NewPerson, **changes: Any) -> Journey:
        return self.invited(*people).applied(**changes).assessing()

    def at_panel(self, recommendation: str = "suitable", meets: date | None = None) -> Journey:
        """Stage 1 passed, report shared and answered, listed and recommended at a meeting a month on."""
        self.in_assessment().obtain_all().passed().stage_two().report().shared().observed().ready()
        meeting_on = meets or self.today + timedelta(days=28)
        meeting = self.meeting(meeting_on)
        self.listed(meeting)
        self.on(meeting_on)
        self.recommended(recommendation)
        return self

    def with_decision_maker(self, recommendation: str = "suitable") -> Journey:
        return self.at_panel(recommendation).minutes()

    # --- what is on file

    def due(self, rule: str, subject: str | None = None) -> date | None:
        """When the running clock of a rule ends; None when none runs."""
        self.look_again()
        query = select(Deadline).where(
            Deadline.case_id == self.case.id, Deadline.rule == rule, Deadline.stopped_on.is_(None)
        )
        if subject is not None:
            query = query.where(Deadline.subject == subject)
        found = db.session.scalars(query).first()
        return found.due_on if found else None

    def stage(self, track: str) -> str | None:
        self.look_again()
        return self.case.stages.get(track)  # type: ignore[call-overload]


# --- Ways that many tests begin with ----------------------------------------------------------------------------------


def to_the_invitation(j: Journey) -> None:
    j.on("2026-03-02").invited()


def to_assessment(j: Journey) -> None:
    j.on("2026-03-02").in_assessment()


def to_panel(j: Journey) -> None:
    """Ready for panel, and not on any agenda yet."""
    j.walk(to_assessment).obtain_all().passed().stage_two().report().shared().observed().ready()


def to_the_decision_maker(j: Journey) -> None:
    j.on("2026-03-02").with_decision_maker()


def to_the_decision_maker_against(j: Journey) -> None:
    """As the panel does not recommend them."""
    j.on("2026-03-02").with_decision_maker("not_suitable")
