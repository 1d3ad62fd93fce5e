"""What goes to others once all is decided: the approval as data for another system, and the papers of a review."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from crm import policy
from crm.access.queries import names_of
from crm.assessments.models import AnswerKind, Check, Decision, DecisionKind, PanelItem
from crm.assessments.pack_contents import contents_for_review
from crm.assessments.queries import dossier_of, live_people, recommended_item
from crm.assessments.terms import terms_of
from crm.cases.clocks import running_clocks
from crm.cases.models import Case, Person
from crm.rules.refusal import Refusal
from crm.rules.stages import TrackName

FORMAT, VERSION = "doorstep.approval", 1
"""Another system reads these first; what is added later leaves them, what changes its meaning raises the version."""
USUAL_FOSTERING_LIMIT = 3
"""Children Act 1989, Schedule 7: a limit of its own, beside the terms of approval."""


class NothingToHandOn(Refusal):
    """The household is not approved, or there is no review to send papers to."""


def approval_of(case: Case, *, today: date) -> dict[str, Any]:
    """An approval as plain data: what the register of foster parents holds (reg 31), the terms, who lives there, the
    days that follow, and which checks run out when; not what any check found.

    Days are ISO 8601. Raises NothingToHandOn.
    """
    known = dossier_of(case)
    decision = next((one for one in known.decisions if one.kind == DecisionKind.APPROVE), None)
    if decision is None or known.application is None or case.stages.get(TrackName.APPLICATION) != "approved":
        raise NothingToHandOn("This household is not approved, so there is nothing to hand on.")
    people = live_people(case)
    item = recommended_item(known.items)
    review = next(iter(running_clocks(case, ("first_review",))), None)
    return {
        "format": FORMAT,
        "version": VERSION,
        "made_on": today.isoformat(),
        "service": str(policy.service().name),
        "reference": case.reference,
        "carers": [_person(one) for one in people if one.is_applicant],
        "others": [{**_person(one), "part": one.role} for one in people if not one.is_applicant],
        "home": {
            "address": case.household.address,
            "postcode": case.household.postcode,
            "local_authority": case.household.local_authority,
        },
        "application_received_on": known.application.received_on.isoformat(),
        "panel": None
        if item is None
        else {"met_on": item.meeting.meets_on.isoformat(), "recommendation": item.recommendation},
        "decision": {
            "decided_on": decision.decided_on.isoformat(),
            "decided_by": names_of([decision.decided_by_id]).get(decision.decided_by_id, ""),
            "effective_on": decision.effective_on.isoformat() if decision.effective_on else None,
        },
        "terms": _terms(decision),
        "usual_fostering_limit": USUAL_FOSTERING_LIMIT,
        "agreement_signed_on": _iso(known.application.agreement_signed_on),
        "first_review_by": _iso(review.due_on if review is not None else None),
        "checks": [_check(one) for one in known.needed_checks if one.is_obtained],
    }


def papers_for_review(case: Case, *, now: datetime) -> dict[str, Any]:
    """What goes to the Independent Review Mechanism, as the papers' data. Raises NothingToHandOn."""
    known = dossier_of(case)
    answer, determination = known.answer, known.determination
    notice = known.notice(determination, "written") if determination is not None else None
    item = _item_of(known.items, determination)
    if answer is None or answer.kind != AnswerKind.IRM or determination is None or notice is None or item is None:
        raise NothingToHandOn("The household has not asked for an independent review, so no papers go to one.")
    return contents_for_review(case, item, decision=determination, notice=notice, asked_on=answer.received_on, now=now)


def _item_of(items: list[PanelItem], determination: Decision | None) -> PanelItem | None:
    """The item whose recommendation was before the decision maker."""
    if determination is None:
        return None
    return next((one for one in items if one.id == determination.panel_item_id), None)


def _person(person: Person) -> dict[str, Any]:
    return {
        "given_name": person.given_name,
        "family_name": person.family_name,
        "born_on": _iso(person.born_on),
    }


def _terms(decision: Decision) -> dict[str, Any]:
    terms = terms_of(decision)
    return {
        "children": terms.children,
        "youngest": terms.youngest,
        "oldest": terms.oldest,
        "kind_of_care": terms.care,
        "other": terms.other,
        "in_words": terms.words,
    }


def _check(check: Check) -> dict[str, Any]:
    whose = check.person
    return {
        "item": check.item,
        "about": None if whose is None else f"{whose.given_name} {whose.family_name or ''}".strip(),
        "received_on": _iso(check.received_on),
        "verified_on": _iso(check.verified_on),
        "holds_until": _iso(check.expires_on),
    }


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day is not None else None
