"""The application as staff see it: how far each is, what they wrote, and a code for whoever has no way of their own."""

from __future__ import annotations

from flask import Blueprint, Response

import crm.assessments.views  # noqa: F401  (its pages are defined in one go, before any is used here)
from crm.access.guards import requires
from crm.assessments import parts
from crm.assessments.overview_views import Looking, case_page, look
from crm.assessments.parts import applicants_of, lines_for
from crm.cases.models import Person
from crm.cases.queries import CaseNotFound, is_on_case
from crm.delivery import Channel
from crm.portal import signing_in
from crm.rules.permissions import Permission, Sensitivity, may_see
from crm.web.forms import BaseForm
from crm.web.sightings import records_view, saw
from crm.web.writes import writes

bp = Blueprint("their_application", __name__)

P = Permission
WAY_WORDS = {Channel.EMAIL: "email", Channel.TEXT: "text"}


@bp.get("/cases/<reference>/application")
@requires(P.RECORD_APPLICATION)
@records_view("application")
def show(reference: str) -> Response:
    """How far the household is with its application, and what it says."""
    return _page(look(reference))


@bp.post("/cases/<reference>/application/<int:person_id>/code")
@requires(P.RECORD_APPLICATION)
@records_view("application")
@writes
def hand_over(reference: str, person_id: int) -> Response:
    """Make a code for somebody to be given face to face. It is shown this once."""
    looking = look(reference)
    person = next((one for one in applicants_of(looking.case) if one.id == person_id), None)
    if person is None:
        raise CaseNotFound
    code = signing_in.hand_over_code(looking.case, person, actor=looking.actor, now=looking.now)
    return _page(looking, handed=(person, code))


def _page(looking: Looking, handed: tuple[Person, str] | None = None) -> Response:
    case, on_case = looking.case, is_on_case(looking.actor, looking.case, today=looking.today)
    kinds: set[str] = set()

    def read(person: Person | None) -> list[tuple[parts.PartLine, list[tuple[str, str]] | None]]:
        """Each part with its answers; None where they are not for this person to read."""
        lines = []
        for line in lines_for(case, person):
            close = line.part.sensitivity
            shows = may_see(looking.actor, close, subject_person_id=person.id if person else None, on_case=on_case)
            if shows and line.row is not None and close is not Sensitivity.PERSONAL:
                kinds.add(close)
            lines.append((line, parts.shown(line.part, parts.answers_of(line.row)) if shows else None))
        return lines

    people = [
        (
            person,
            read(person),
            parts.has_signed(case, person),
            [WAY_WORDS[channel] for channel in signing_in.own_ways(case, person, now=looking.now)],
        )
        for person in applicants_of(case)
    ]
    shared = read(None)
    saw(case_id=case.id, subject=f"case:{case.reference}", kinds=tuple(sorted(kinds)))
    return case_page(
        "portal/their_application.html",
        looking,
        BaseForm(takes_answers=False),
        people=people,
        shared=shared,
        handed=handed,
        may_fill_in=parts.may_fill_in(case),
        may_sign_in=any(signing_in.may_sign_in(case, person) for person, *_ in people),
    )
