"""G16: whatever is tried, by whomever, in whatever order, nobody is approved without the steps of the law."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest

from crm import policy
from crm.assessments import answers, decisions, evidence, meetings, notices, queries, stage_one, stage_two, withdrawal
from crm.assessments.checks import CheckCameIn, record_check
from crm.assessments.models import REPORT_SECTIONS
from crm.assessments.terms import Terms
from crm.cases.models import Case
from crm.db import db, writing
from crm.rules.permissions import Actor
from crm.rules.refusal import Refusal
from tests.assessments.journey import LONDON, Journey, to_assessment

# In the order in which they lead to approval; a walk keeps to it more often than not.
ROAD = (
    "obtain_last", "pass_stage_one", "start_stage_two", "report", "countersign", "share", "observe", "ready", "list",
    "days", "attend", "recommend", "minutes", "decide", "tell", "write",
)  # fmt: skip
OFF_ROAD = (
    "refuse_stage_one", "brief", "attend_few", "recommend_no", "recommend_more", "defer", "decide_no", "confirm",
    "full_report", "represent", "irm", "irm_back", "withdraw", "days", "list_again",
)  # fmt: skip
RIGHT_ACTOR = {
    "obtain_last": "officer", "pass_stage_one": "manager", "start_stage_two": "manager", "report": "officer",
    "countersign": "manager", "share": "officer", "observe": "officer", "ready": "officer",
    "decide": "decision_maker", "decide_no": "decision_maker", "confirm": "decision_maker",
    "full_report": "decision_maker", "tell": "manager", "write": "manager", "represent": "manager", "irm": "manager",
    "withdraw": "manager", "refuse_stage_one": "manager", "brief": "officer",
}  # fmt: skip


class Walk:
    """One walk over the operations, inside one transaction that is undone at its end."""

    def __init__(self, journey: Journey, case_id: int, today: date, seed: int) -> None:
        self.journey, self.cast = journey, journey.cast
        self.case = db.session.get_one(Case, case_id)
        self.today = today
        self.dice = random.Random(seed)
        self.done: list[str] = []
        self.actors: list[Actor] = [member.actor for member in self.cast.staff.values()]

    @property
    def doing(self) -> dict[str, Any]:
        now = datetime.combine(self.today, time(12), UTC)
        return {"now": now, "today": self.today, "rulebook": policy.rulebook_on(self.today)}

    def take(self, steps: int) -> None:
        at, left = 0, steps
        while left:
            left -= 1
            on_road = self.dice.random() < 0.75
            name = ROAD[at] if on_road and at < len(ROAD) else self.dice.choice(OFF_ROAD + ROAD)
            right = getattr(self.cast, RIGHT_ACTOR.get(name, "panel_administrator")).actor
            actor = right if self.dice.random() < 0.85 else self.dice.choice(self.actors)
            savepoint = db.session.begin_nested()
            try:
                getattr(self, f"try_{name}")(actor)
                savepoint.commit()
                self.done.append(f"{name} by {actor.display_name} on {self.today}")
                if on_road and at < len(ROAD):
                    at += 1
            except (Refusal, IndexError):
                savepoint.rollback()
                db.session.expire_all()
                if on_road:
                    at = max(0, min(at + self.dice.choice((-1, 0, 1)), len(ROAD) - 1))
                continue
            self.hold()
            if self.is_over:
                at = len(ROAD) - 1
                left = min(left, 5)

    @property
    def is_over(self) -> bool:
        """Approved, refused or withdrawn: a few tries more, and the walk ends."""
        return not self.case.is_open

    # --- what must hold

    def hold(self) -> None:
        stage = self.case.stages.get("application")  # type: ignore[call-overload]
        if stage not in ("approved", "refused", "qd_issued"):
            return
        known = queries.dossier_of(self.case)
        told = f"{stage} after {self.done}"
        assert known.report is not None, told
        assert known.report.countersigned_by_id not in (None, known.report.written_by_id), told
        assert known.report.shared_on is not None, told
        item = queries.recommended_item(known.items)
        assert item is not None, told
        assert item.minutes_received_on is not None, told
        assert queries.item_shortfalls(item) == (), told
        evidence = queries.stored_evidence(self.case, self.today, dossier=known)
        for decision in known.decisions:
            assert decision.decided_by_id == self.cast.decision_maker.id, told
            assert decision.decided_by_id not in evidence.assessor_ids | evidence.panel_member_ids, told
        if stage == "approved":
            assert evidence.stage_one_outstanding == (), told
            assert known.report.kind == "full", told
            assert self.case.stages.get("stage_two") == "ready_for_panel", told  # type: ignore[call-overload]
            observed = known.report.observations_received_on
            longest = stage_two.observations_ends(known.report.shared_on, self.doing["rulebook"])[1]
            assert observed is not None or item.listed_on > longest, told
        if stage == "refused":
            notice = known.notice(known.determination, "written") if known.determination else None
            assert notice is not None, told
            assert known.answer is not None or self.today > notice.noticed_on + timedelta(days=28), told

    # --- what is tried

    def try_days(self, actor: Actor) -> None:
        self.today += timedelta(days=self.dice.choice((1, 5, 15, 29)))

    def try_obtain_last(self, actor: Actor) -> None:
        missing = [
            one
            for one in queries.checks_of(queries.the_application(self.case))
            if one.is_statutory and one.is_needed and not one.is_obtained
        ]
        check = missing[0]
        came_in = CheckCameIn(received_on=self.today, result="clear")
        record_check(self.case, check, came_in, actor=actor, **self.doing)

    def try_pass_stage_one(self, actor: Actor) -> None:
        stage_one.pass_stage_one(self.case, actor=actor, **self.doing)

    def try_refuse_stage_one(self, actor: Actor) -> None:
        stage_one.refuse_stage_one(self.case, reasons="No.", actor=actor, **self.doing)

    def try_start_stage_two(self, actor: Actor) -> None:
        stage_two.start_stage_two(self.case, assessor_id=self.cast.officer.id, actor=actor, **self.doing)

    def _write(self, kind: str, actor: Actor) -> None:
        sections = dict.fromkeys(REPORT_SECTIONS, "Words.") if self.dice.random() < 0.9 else {"skills": "Words."}
        stage_two.save_report(self.case, kind=kind, sections=sections, terms=Terms(), actor=actor, **self.doing)
        for section in REPORT_SECTIONS if self.dice.random() < 0.9 else ():
            new = evidence.NewEvidence(
                section=section, source="other", said_as="fact", words="Seen.", other_source="A letter"
            )
            evidence.add_evidence(self.case, new, actor=actor, **self.doing)

    def try_report(self, actor: Actor) -> None:
        self._write("full", actor)

    def try_brief(self, actor: Actor) -> None:
        self._write("brief", actor)

    def try_countersign(self, actor: Actor) -> None:
        stage_two.countersign(self.case, actor=actor, **self.doing)

    def try_share(self, actor: Actor) -> None:
        stage_two.share_report(self.case, actor=actor, **self.doing)

    def try_observe(self, actor: Actor) -> None:
        stage_two.record_observations(self.case, received_on=self.today, text=None, actor=actor, **self.doing)

    def try_ready(self, actor: Actor) -> None:
        stage_two.ready_for_panel(self.case, actor=actor, **self.doing)

    def try_list(self, actor: Actor) -> None:
        day = self.today + timedelta(days=self.dice.choice((0, 1, 14)))
        keys = tuple(self.journey.panel)[: self.dice.choice((5, 5, 6))]
        new = meetings.NewMeeting(
            meets_at=datetime.combine(day, time(10), LONDON), meets_on=day, place="Kestrel House",
            member_ids=tuple(self.journey.panel[key].id for key in keys),
        )  # fmt: skip
        now = self.doing["now"]
        meeting = meetings.make_meeting(new, actor=self.cast.panel_administrator.actor, now=now, today=self.today)
        meetings.list_case(self.case, meeting, late_reason="Said.", actor=actor, **self.doing)

    try_list_again = try_list

    def _attend(self, actor: Actor, here: int) -> None:
        item = meetings.waiting_item_of(self.case)
        said = {
            member.user_id: "present" if at < here else "apologies" for at, member in enumerate(item.meeting.members)
        }
        doing = self.doing
        meetings.record_attendance(
            self.case, item, said, presiding_id=None, actor=actor, now=doing["now"], today=doing["today"]
        )

    def try_attend(self, actor: Actor) -> None:
        self._attend(actor, 9)

    def try_attend_few(self, actor: Actor) -> None:
        self._attend(actor, 3)

    def _recommend(self, actor: Actor, recommendation: str) -> None:
        item = meetings.waiting_item_of(self.case)
        said = meetings.Recommended(recommendation=recommendation, reasons="Said.")
        meetings.record_recommendation(self.case, item, said, actor=actor, **self.doing)

    def try_recommend(self, actor: Actor) -> None:
        self._recommend(actor, "suitable")

    def try_recommend_no(self, actor: Actor) -> None:
        self._recommend(actor, "not_suitable")

    def try_recommend_more(self, actor: Actor) -> None:
        self._recommend(actor, "full_report_needed")

    def try_defer(self, actor: Actor) -> None:
        meetings.defer_item(self.case, meetings.waiting_item_of(self.case), reasons="More.", actor=actor, **self.doing)

    def try_minutes(self, actor: Actor) -> None:
        item = queries.recommended_item(queries.items_of(self.case))
        if item is None:
            raise IndexError
        meetings.send_minutes(self.case, item, minutes="Said.", received_on=self.today, actor=actor, **self.doing)

    def _decide(self, actor: Actor, kind: str) -> None:
        considered = decisions.Considered(
            kind=kind, material="All.", arguments="Some.", adopts_panel_reasons=False, why="Because.",
            consulted="Head of service.", reasons="Reasons.",
        )  # fmt: skip
        decisions.decide(self.case, considered, actor=actor, **self.doing)

    def try_decide(self, actor: Actor) -> None:
        self._decide(actor, "approve")

    def try_decide_no(self, actor: Actor) -> None:
        self._decide(actor, "propose_no")

    def try_confirm(self, actor: Actor) -> None:
        self._decide(actor, "confirm_no")

    def try_full_report(self, actor: Actor) -> None:
        self._decide(actor, "full_report")

    def try_tell(self, actor: Actor) -> None:
        notices.tell_by_voice(self.case, told_on=self.today, method="phone", words=None, actor=actor, **self.doing)

    def try_write(self, actor: Actor) -> None:
        notices.send_written_notice(self.case, channel="email", actor=actor, **self.doing)

    def _answer(self, actor: Actor, kind: str) -> None:
        answers.receive_answer(self.case, kind=kind, received_on=self.today, said=None, actor=actor, **self.doing)

    def try_represent(self, actor: Actor) -> None:
        self._answer(actor, "representations")

    def try_irm(self, actor: Actor) -> None:
        self._answer(actor, "irm")

    def try_irm_back(self, actor: Actor) -> None:
        answers.irm_recommends(
            self.case, recommendation="suitable", reasons="", received_on=self.today, actor=actor, **self.doing
        )

    def try_withdraw(self, actor: Actor) -> None:
        if self.dice.random() < 0.8:
            raise IndexError
        withdrawal.withdraw(self.case, code="AW0", withdrawn_on=self.today, actor=actor, **self.doing)


def to_the_last_check(j: Journey) -> None:
    j.walk(to_assessment).obtain_all(but=("relationships",))
    j.obtain(j.check("relationships", "Sam"))


def walks(journey: Journey, seeds: range) -> dict[str, int]:
    """Walk once for each seed, each time from the same place; how far they came."""
    j = journey.walk(to_the_last_check)
    case_id, today = j.case.id, j.today
    reached: dict[str, int] = {}
    for seed in seeds:
        db.session.rollback()
        with writing():
            walk = Walk(j, case_id, today, seed)
            walk.take(40)
            stage = walk.case.stages.get("application")  # type: ignore[call-overload]
            reached[stage] = reached.get(stage, 0) + 1
            db.session.rollback()
    return reached


@pytest.mark.parametrize("part", range(8))
def test_no_walk_over_the_operations_leads_round_the_law(journey, rounds: Callable[[int, int], int], database, part):
    """200 walks a day on SQLite and some on PostgreSQL, in eight parts; 20,000 by night."""
    count = rounds(25, 2_500) if database.kind == "sqlite" else rounds(3, 250)

    reached = walks(journey, range(part * count, (part + 1) * count))

    assert sum(reached.values()) == count
    # The walks do get somewhere: a guard that refused everything would prove nothing.
    assert reached.get("approved", 0) >= count // 8, reached
