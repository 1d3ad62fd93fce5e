"""Reads of midway reviews and second opinions, and which of them the service still waits for."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from crm import policy
from crm.access.queries import staff_who_may
from crm.assessments.models import Application
from crm.assessments.queries import assessor_ids_of
from crm.assessments.stage_two_models import MIDWAY_WORDS, AssessmentReview, MidwayOutcome, ReviewKind
from crm.cases.models import Case
from crm.db import db
from crm.rules.permissions import Permission


def reviews_of(application: Application) -> list[AssessmentReview]:
    """Every review and second opinion of an application, the first one first."""
    return list(
        db.session.scalars(
            select(AssessmentReview)
            .where(AssessmentReview.application_id == application.id)
            .order_by(AssessmentReview.held_on, AssessmentReview.id)
        )
    )


def visitors(case: Case) -> list[tuple[str, str]]:
    """Who may have given a second opinion, for a list."""
    assessors = assessor_ids_of(case)
    return [(str(user.id), user.name) for user in staff_who_may(Permission.RECORD_VISIT) if user.id not in assessors]


def outcome_words(review: AssessmentReview) -> str:
    """How a midway review says to go on; empty for a second opinion."""
    return MIDWAY_WORDS[MidwayOutcome(review.outcome)] if review.outcome else ""


@dataclass(frozen=True)
class Wanted:
    """A look from outside that the service asks for and that is not on file. ``is_needed``: signing waits for it."""

    kind: ReviewKind
    is_needed: bool

    @property
    def words(self) -> str:
        return "a midway review" if self.kind is ReviewKind.MIDWAY else "a second-opinion visit"


def wanted_still(application: Application) -> list[Wanted]:
    """What the service's own policy asks for before a full report is countersigned, and is not there."""
    service = policy.service()
    asked = {ReviewKind.MIDWAY: service.asks_midway, ReviewKind.SECOND_OPINION: service.asks_second_opinion}
    there = {one.kind for one in reviews_of(application)}
    return [Wanted(kind, is_needed=how == "needed") for kind, how in asked.items() if how != "no" and kind not in there]
