"""The eligibility rules: what is asked, what an answer means, from when; and what a change would have meant."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from flask import Response, make_response, url_for

from crm import policy
from crm.access.guards import current_actor, requires
from crm.administration.eligibility_forms import OWN_ANSWERS, changes_of, criterion_form, own_question_form
from crm.administration.views import bp
from crm.cases.facts import OWN
from crm.clock import now_utc, today_in_london
from crm.enquiries.rule_trial import Trial, try_rules
from crm.policy import changing, reading
from crm.policy.models import PolicyKind
from crm.policy.reading import Edition
from crm.rules.eligibility import CRITERIA, OUTCOME_WORDS, ROUTE_WORDS, Criterion
from crm.rules.permissions import Permission
from crm.rules.refusal import Refusal
from crm.web.forms import BaseForm
from crm.web.notices import tell
from crm.web.pages import render, see_other
from crm.web.writes import writes

PRODUCT: Mapping[str, Criterion] = {one.name: one for one in CRITERIA}
KINDS = {"eligible": "ok", "conversation": "due", "not_now": "waiting", "not_eligible": "over"}


class NoSuchCriterion(Refusal):
    """There is no criterion of that name, or no such edition of it."""

    default_status = 404


@dataclass(frozen=True)
class RuleLine:
    """One criterion on the list: as it stands today, and what is set for later."""

    name: str
    criterion: Criterion | None
    """None where it is not asked today."""
    words: str
    until: date | None
    later: tuple[Edition, ...]


@bp.get("/admin/settings/eligibility")
@requires(Permission.TRY_RULES)
def eligibility() -> str:
    """Every criterion as it stands, with its source, and what is set for later."""
    today = today_in_london()
    in_force = {one.name: one for one in policy.rulebook_on(today).criteria}
    editions = reading.criterion_editions()
    names = [*PRODUCT, *(name for name in editions if name not in PRODUCT)]
    lines = []
    for name in names:
        criterion, own = in_force.get(name), editions.get(name, ())
        counting = next((one for one in own if one.counts_on(today)), None)
        words = criterion.staff_words if criterion is not None else _staff_words(name, own)
        until = counting.in_force_until if counting is not None else None
        later = tuple(one for one in own if one.in_force_from > today and _is_to_come(one))
        lines.append(RuleLine(name, criterion, words, until, later))
    return render(
        "administration/eligibility.html",
        here="admin",
        lines=lines,
        outcome_words=OUTCOME_WORDS,
        route_words=ROUTE_WORDS,
        kinds=KINDS,
    )


@bp.route("/admin/settings/eligibility/new", methods=["GET", "POST"])
@requires(Permission.MANAGE_SETTINGS)
@writes
def new_criterion() -> Response:
    """Add a question of the service's own."""
    form = own_question_form(None, today=today_in_london())(seen=str(policy.policy_version()))
    return _edit(form, None, None)


@bp.route("/admin/settings/eligibility/<name>", methods=["GET", "POST"])
@requires(Permission.MANAGE_SETTINGS)
@writes
def criterion(name: str) -> Response:
    """Change a criterion from a day on; try the change on last year's enquiries first."""
    today = today_in_london()
    present = _criterion(name, today)
    kind = own_question_form if present.is_own else criterion_form
    form = kind(present, today=today)(seen=str(policy.policy_version()))
    return _edit(form, name, present)


@bp.get("/admin/settings/eligibility/<name>/trial/<int:version>")
@requires(Permission.TRY_RULES)
def trial(name: str, version: int) -> str:
    """What an edition that was kept would have meant for last year's enquiries. Who may open them finds them there."""
    edition = _edition(name, version)
    return render(
        "administration/eligibility_trial.html",
        here="admin",
        name=name,
        edition=edition,
        is_to_come=edition.in_force_from > today_in_london() and _is_to_come(edition),
        words=_staff_words(name, (edition,)),
        trial=_try(name, edition.value, edition.in_force_from),
        outcome_words=OUTCOME_WORDS,
        kinds=KINDS,
        may_open=current_actor().has(Permission.VIEW_ALL_CASES),
    )


@bp.post("/admin/settings/eligibility/<name>/take-back/<int:version>")
@requires(Permission.MANAGE_SETTINGS)
@writes
def take_back_criterion(name: str, version: int) -> Response:
    """Take a change back before its day. What counts until then goes on counting."""
    edition = _edition(name, version)
    changing.take_back_criterion(
        name=name, version=version, actor=current_actor(), now=now_utc(), today=today_in_london()
    )
    day = edition.in_force_from
    tell(f"Taken back. Nothing changes on {day:%A} {day.day} {day:%B %Y}.")
    return see_other(url_for("administration.eligibility"))


def _edition(name: str, version: int) -> Edition:
    found = next((one for one in reading.editions_of(PolicyKind.CRITERION, name) if one.version == version), None)
    if found is None:
        raise NoSuchCriterion("There is no such edition of that rule.")
    return found


def _is_to_come(edition: Edition) -> bool:
    """Whether it will count on its first day, and say something else than the day before."""
    first = edition.in_force_from
    counting = reading.criterion_on(edition.name, first)
    if counting is None or counting.version != edition.version:
        return False
    before = reading.criteria_without(edition.name, first)
    after = reading.criteria_with(edition.name, edition.value, first)
    return _said(before) != _said(after)


def _said(criteria: Iterable[Criterion]) -> list[Criterion]:
    """What the criteria say, whenever they began to."""
    return [replace(one, in_force_from=date.min) for one in criteria]


def _edit(form: BaseForm, name: str | None, present: Criterion | None) -> Response:
    """Show the form, or keep what it says; what starts later is then shown tried on last year."""
    today = today_in_london()
    if form.is_sent_and_right():
        name_of_it = name or _new_name(form)
        try:
            version = changing.change_criterion(
                name=name_of_it,
                changes=changes_of(
                    form,
                    _answers(form, present),
                    is_own=name_of_it not in PRODUCT,
                    is_about_age=present is not None and present.is_about_age,
                ),
                in_force_from=form["in_force_from"].data,
                in_force_until=form["in_force_until"].data,
                actor=current_actor(),
                now=now_utc(),
                today=today,
                seen=int(form.seen.data) if form.seen.data and form.seen.data.isdigit() else None,
            )
        except changing.PolicyNotChanged as refusal:
            form.take_refusal(refusal)
        else:
            day = form["in_force_from"].data
            tell(f"Kept, from {day:%A} {day.day} {day:%B %Y}. Enquiries that come in from then go by it.")
            return see_other(url_for("administration.trial", name=name_of_it, version=version))
    body = render(
        "administration/criterion.html",
        here="admin",
        form=form,
        criterion=present,
        answers=list(enumerate(present.options)) if present is not None and not present.is_own else None,
        rows=range(OWN_ANSWERS),
        history=reading.editions_of(PolicyKind.CRITERION, name) if name else (),
    )
    return make_response(body, form.status)


def _try(name: str, value: Mapping[str, Any], on: date) -> Trial:
    """Last year's enquiries under the rules of the day before a change, and under those with it."""
    before = reading.criteria_without(name, on)
    after = reading.criteria_with(name, value, on)
    changed = next((one for one in (*after, *before) if one.name == name), None)
    return try_rules(before, after, changed=changed, today=today_in_london(), districts=policy.service().districts)


def _criterion(name: str, today: date) -> Criterion:
    """The criterion as its newest edition has it, whether or not that counts today."""
    editions = reading.editions_of(PolicyKind.CRITERION, name)
    if name not in PRODUCT and not editions:
        raise NoSuchCriterion("There is no such rule. Go back and choose one.")
    if not editions:
        return PRODUCT[name]
    found = reading.criterion_of(editions[0], PRODUCT.get(name), even_unasked=True)
    assert found is not None
    return found


def _staff_words(name: str, editions: tuple[Edition, ...]) -> str:
    said = next((one.value["staff_words"] for one in editions if one.value.get("staff_words")), None)
    return said or (PRODUCT[name].staff_words if name in PRODUCT else name)


def _answers(form: BaseForm, present: Criterion | None) -> list[tuple[str, int]]:
    """The answers on the form: those of the criterion, or those that have been written in."""
    if present is not None and not present.is_own:
        return [(option.value, number) for number, option in enumerate(present.options)]
    known = [option.value for option in present.options] if present is not None else []
    values = [*known, *(f"answer_{number + 1}" for number in range(len(known), OWN_ANSWERS))]
    return [(values[number], number) for number in range(OWN_ANSWERS) if form[f"label_{number}"].data]


def _new_name(form: BaseForm) -> str:
    """A name for a question of the service's own, out of what staff read."""
    slug = re.sub(r"[^a-z0-9]+", "_", form["staff_words"].data.casefold()).strip("_")[:26]
    name = f"{OWN}{slug if len(slug) > 1 else 'question'}"
    taken = reading.criterion_editions()
    if name not in taken:
        return name
    return next(f"{name}_{number}" for number in range(2, 100) if f"{name}_{number}" not in taken)
