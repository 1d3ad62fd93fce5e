"""Stage 2 as a fictional household goes through it: talks planned, held, written up, and what the report rests on."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

from crm.assessments import evidence, queries, reviews, sessions
from crm.assessments.models import REPORT_SECTIONS
from crm.assessments.stage_two_models import EvidenceKind, SaidAs
from crm.cases.models import Case
from crm.rules.permissions import Actor

SAID = (
    "They talked about how they grew up and what they would do otherwise. Both listened to each other.",
    "We went through a usual week, hour by hour. There is room in it, and they know where it will pinch.",
    "They told me about a hard year, plainly. What helped them then is still there.",
    "We talked about a child who does not sleep. They asked good questions and did not have quick answers.",
    "I met the grown-up children on their own. They said much the same as their parents.",
)
SHOWN = {
    EvidenceKind.SESSION: ("How they spoke of it at this talk.", SaidAs.OPINION),
    EvidenceKind.REFERENCE: ("Somebody who has known them for years says the same.", SaidAs.THIRD_PARTY),
    EvidenceKind.CHECK: ("What came back of this check bears it out.", SaidAs.FACT),
    EvidenceKind.DOCUMENT: ("The document itself, seen beside the original.", SaidAs.FACT),
    EvidenceKind.COURSE: ("How they took part, as the facilitators saw it.", SaidAs.THIRD_PARTY),
    EvidenceKind.ANSWER: ("What they wrote in their application.", SaidAs.FACT),
    EvidenceKind.VISIT: ("What was seen at their home.", SaidAs.FACT),
}


def plan_talks(case: Case, officer: Actor, given: dict[str, Any]) -> None:
    """The usual plan, as soon as an assessor is named."""
    sessions.plan_usual(case, actor=officer, **given)


def write_up_talk(case: Case, officer: Actor, draw: random.Random, given: dict[str, Any]) -> None:
    """Write up the talk that was held as a visit, and that nobody has written up yet."""
    for session in sessions.sessions_of(queries.the_application(case)):
        if session.held_on is None or session.minutes is None or session.is_written_up:
            continue
        sessions.record_session(
            case,
            session,
            sessions.SessionHeld(
                held_on=session.held_on,
                minutes=session.minutes,
                person_ids=tuple(row.person_id for row in session.people),
                also_there="",
                headings=tuple(session.planned_headings or ("personality",)),
                notes=draw.choice(SAID),
            ),
            actor=officer,
            **given,
        )


def hold_the_rest(case: Case, officer: Actor, draw: random.Random, given: dict[str, Any]) -> None:
    """The talks of the plan that were held at the office, entered by hand."""
    waiting = [one for one in sessions.sessions_of(queries.the_application(case)) if not one.is_held]
    for left, session in zip(reversed(range(len(waiting))), waiting, strict=True):
        held = sessions.SessionHeld(
            held_on=given["today"] - timedelta(days=2 * left), minutes=draw.choice([90, 120, 150]),
            person_ids=tuple(row.person_id for row in session.people), also_there="",
            headings=tuple(session.planned_headings), notes=draw.choice(SAID),
        )  # fmt: skip
        sessions.record_session(case, session, held, actor=officer, **given)


def look_from_outside(case: Case, manager: Actor, draw: random.Random, given: dict[str, Any]) -> None:
    """A manager's midway review, and at most homes a second opinion by the same."""
    words = "What is known hangs together. Still to hear: the grown-up children, and how the nights would be covered."
    reviews.record_midway(
        case, reviews.NewReview(held_on=given["today"], words=words, outcome="go_on"), actor=manager, **given
    )
    if draw.random() < 0.7:
        words = "I asked about the bad days, and got plain answers. I would come to the same view as my colleague."
        reviews.record_second_opinion(
            case, reviews.NewReview(held_on=given["today"], words=words), actor=manager, **given
        )


def link_evidence(case: Case, officer: Actor, draw: random.Random, given: dict[str, Any]) -> None:
    """For every heading of the report, two or three things on file that it rests on."""
    on_file = [one for one in evidence.sources_of(case).values() if one.is_on_file]
    for section in REPORT_SECTIONS:
        for source in draw.sample(on_file, k=min(len(on_file), draw.choice([1, 2, 2, 3]))):
            words, said_as = SHOWN[source.kind]
            new = evidence.NewEvidence(section=section, source=source.key, said_as=said_as, words=words)
            evidence.add_evidence(case, new, actor=officer, **given)
