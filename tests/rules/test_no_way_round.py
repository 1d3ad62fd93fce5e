"""G16 at the level of rules: whoever does what in whatever order, nobody is approved without the law's steps.

The walk is hostile. At each step somebody, perhaps with every role at once, tries any move, on facts made up at random.
What was really done is kept apart from those facts, and judged by the law's own list.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from crm.rules.permissions import Permission, Role
from crm.rules.refusal import Refusal
from crm.rules.rulebook import default_rulebook
from crm.rules.stages import ENDED_APPLICATION, TrackName, is_open, place_of, standing_words
from crm.rules.transitions import MOVES, Evidence, Move, moves_in_call, open_moves, shut_moves
from tests.rules.journey import EVERYBODY, staff

START = date(2026, 3, 2)
RULEBOOK = default_rulebook(START)
ACTORS = (*EVERYBODY, staff(20, *Role), staff(21, Role.MANAGER, Role.DECISION_MAKER))
STATUTORY = (
    "receive_application",
    "decide_to_assess",
    "start_stage_one",
    "complete_stage_one",
    "start_stage_two",
    "share_report",
    "ready_for_panel",
    "list_for_panel",
    "send_to_panel",
    "record_recommendation",
    "send_to_decision_maker",
    "approve",
)


@dataclass
class Walk:
    seed: int
    tracks: dict[TrackName, str] = field(default_factory=dict)
    done: list[tuple[Move, object, Evidence, date]] = field(default_factory=list)

    def go(self, steps: int) -> Walk:
        chance = random.Random(self.seed)
        today = START
        for _ in range(steps):
            if self.stage in ENDED_APPLICATION and chance.random() < 0.2:
                break
            today += timedelta(days=chance.choice((0, 0, 1, 3, 12, 30)))
            evidence = made_up(chance, today)
            fitting = [move for move in MOVES if self.tracks.get(move.track) in move.from_]
            ending = {"withdraw", "close_enquiry", "set_not_now", "refuse_stage_one", "confirm_refusal", "issue_qd"}
            tame = [move for move in fitting if move.name not in ending]
            move = chance.choice(tame if tame and chance.random() < 0.97 else fitting or list(MOVES))
            willing = [actor for actor in ACTORS if actor.has(move.permission)]
            actor = chance.choice(willing if chance.random() < 0.8 else ACTORS)
            self.attempt(move, actor, evidence, today)
        return self

    def attempt(self, move: Move, actor, evidence: Evidence, today: date) -> None:
        try:
            made = moves_in_call(
                move.name,
                tracks=self.tracks,
                evidence=evidence,
                actor=actor,
                today=today,
                rulebook=RULEBOOK,
                reason="AW0",
            )
        except Refusal:
            return
        for one in made:
            assert self.tracks.get(one.track) in one.from_
            assert actor.has(one.permission)
            self.tracks[one.track] = one.to
            self.done.append((one, actor, evidence, today))

    @property
    def stage(self) -> str | None:
        return self.tracks.get(TrackName.APPLICATION)

    @property
    def names(self) -> list[str]:
        return [move.name for move, *_ in self.done]


def made_up(chance: random.Random, today: date) -> Evidence:
    """Facts of any kind, mostly such as open doors: a walk that never gets anywhere would prove nothing."""

    def likely(value, other, share=0.93):
        return value if chance.random() < share else other

    past = today - timedelta(days=chance.choice((0, 1, 10, 40)))
    return Evidence(
        received_on=likely(past, None),
        eligibility_outcome=likely("eligible", "not_eligible"),
        visit_signed_off=likely(True, False),
        disqualified=likely(False, True),
        approved_elsewhere=likely(False, True),
        approved_elsewhere_until=likely(None, past, 0.5),
        stage_one_outstanding=likely((), ("a DBS certificate",)),
        stage_one_completed_on=likely(past, None),
        report_kind=likely("full", chance.choice(("brief", None))),
        report_countersigned=likely(True, False),
        report_countersigned_by=chance.choice((3, 20)),
        report_shared_on=likely(past, None),
        observations_received_on=likely(past, None),
        assessor_ids=frozenset({chance.choice((2, 20))}),
        panel_meeting_on=likely(today, None),
        panel_quorate=likely(True, False),
        panel_member_ids=frozenset({chance.choice((5, 6))} if chance.random() < 0.7 else {5}),
        panel_recommendation=likely("suitable", chance.choice(("not_suitable", "full_report_needed", None))),
        recommendation_on=likely(past, None),
        minutes_final_received_on=likely(past, None),
        reasons_given=likely(True, False),
        panel_recommendation_attached=likely(True, False),
        qd_notice_on=likely(None, past, 0.5),
        response_kind=likely(None, chance.choice(("representations", "irm"))),
        response_received_on=likely(None, past),
        irm_recommendation_received_on=likely(past, None),
    )


def test_no_walk_reaches_approval_without_every_step_of_the_law(rounds):
    approved = 0
    for seed in range(rounds(200, 20_000)):
        walk = Walk(seed).go(300)
        if walk.stage == "approved":
            judge(walk)
            approved += 1

    assert approved >= 50, "the walks must get somewhere, or this proves nothing"


def judge(walk: Walk) -> None:
    names = walk.names
    for step in STATUTORY:
        assert step in names, f"approved without {step}: {names}"
    # Stage 2 may run beside Stage 1, so only these have one order.
    beside = {"start_stage_two", "share_report"}
    firsts = [names.index(step) for step in STATUTORY if step not in beside]
    assert firsts == sorted(firsts), f"the steps came out of order: {names}"
    assert names.index("start_stage_two") < names.index("share_report") < names.index("ready_for_panel")

    move, actor, evidence, today = walk.done[-1] if names[-1] == "approve" else walk.done[names.index("approve")]
    assert move.name == "approve"
    assert actor.has(Permission.MAKE_DECISION)
    assert actor.user_id not in evidence.panel_member_ids | evidence.assessor_ids
    assert not evidence.disqualified
    assert evidence.report_kind == "full"
    assert not evidence.approved_elsewhere or evidence.approved_elsewhere_until <= today
    assert evidence.panel_recommendation in {"suitable", "not_suitable"}

    if "pass_stage_one" not in names:
        assert names.index("complete_stage_one") < names.index("ready_for_panel")
    if "receive_representations" in names:
        back = len(names) - 1 - names[::-1].index("receive_representations")
        assert "record_recommendation" in names[back:], "the panel never saw the representations"


@given(st.integers(0, 2**32))
def test_wherever_a_walk_stands_it_can_be_shown_and_what_has_ended_stays_ended(seed):
    walk = Walk(seed)
    for _ in range(12):
        before = walk.stage
        walk.go(10)
        walk.seed += 1
        assert standing_words(walk.tracks)
        assert place_of(walk.tracks)
        if before in ENDED_APPLICATION:
            assert walk.stage == before
            assert not is_open(walk.tracks)


@given(st.integers(0, 2**32))
def test_an_open_household_always_has_somebody_who_can_move_it_on(seed):
    walk = Walk(seed).go(60)
    if not walk.tracks or not is_open(walk.tracks):
        return
    evidence = made_up(random.Random(seed), START + timedelta(days=400))
    asked = {"tracks": walk.tracks, "evidence": evidence, "today": START + timedelta(days=400), "rulebook": RULEBOOK}

    assert any(open_moves(actor=actor, **asked) or shut_moves(actor=actor, **asked) for actor in EVERYBODY)
    assert any(open_moves(actor=actor, **asked) for actor in EVERYBODY)
