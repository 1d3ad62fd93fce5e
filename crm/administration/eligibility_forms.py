"""The forms of the eligibility rules: one for a criterion as it is, one for a question of the service's own."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from wtforms import BooleanField, IntegerField

from crm.rules.eligibility import OUTCOME_WORDS, ROUTE_WORDS, Criterion, Option, Outcome
from crm.web.choice_fields import SelectField
from crm.web.forms import BaseForm, Between, DateField, Needed, Optional, TextField

OWN_ANSWERS = 5
"""So many answers a question of the service's own may be given on one page."""
OUTCOMES = [(one.value, words) for one, words in OUTCOME_WORDS.items() if one is not Outcome.NOT_ELIGIBLE]
ROUTES = [(one.value or "ordinary", words) for one, words in ROUTE_WORDS.items()]


def criterion_form(criterion: Criterion, *, today: date) -> type[BaseForm]:
    """What the service may say about a criterion of the product's."""
    fields = _words(criterion)
    if criterion.is_about_age:
        fields["usual_minimum_age"] = IntegerField(
            "The age we usually ask",
            [Needed("Write an age"), Between(18, 30, "Write an age from 18, the law’s minimum, to 30")],
            default=criterion.usual_minimum_age,
        )
        fields["below_usual"] = SelectField(
            "Between 18 and that age",
            choices=[(one.value, OUTCOME_WORDS[one]) for one in (Outcome.CONVERSATION, Outcome.NOT_NOW)],
            default=criterion.below_usual.value,
        )
    for number, option in enumerate(criterion.options):
        fields |= _answer(number, option)
    if not criterion.is_law:
        fields["is_asked"] = BooleanField("Ask this", default=True)
    return type("CriterionForm", (BaseForm,), fields | _days(today))


def own_question_form(criterion: Criterion | None, *, today: date) -> type[BaseForm]:
    """A question of the service's own, and its answers."""
    fields = _words(criterion)
    given = criterion.options if criterion is not None else ()
    for number in range(OWN_ANSWERS):
        option = given[number] if number < len(given) else None
        fields[f"label_{number}"] = TextField(
            f"Answer {number + 1}", longest=120, default=option.label if option is not None else ""
        )
        fields |= _answer(number, option or Option("", ""))
    if criterion is not None:
        fields["is_asked"] = BooleanField("Ask this", default=True)
    return type("OwnQuestionForm", (BaseForm,), fields | _days(today))


def _words(criterion: Criterion | None) -> dict[str, Any]:
    return {
        "question": TextField(
            "The question, as people read it",
            [Needed("Write the question")],
            longest=200,
            default=criterion.question if criterion is not None else "",
        ),
        "hint": TextField(
            "Why we ask", [Optional()], longest=300, default=criterion.hint if criterion is not None else ""
        ),
        "staff_words": TextField(
            "What staff read",
            [Needed("Write what staff read")],
            longest=160,
            default=criterion.staff_words if criterion is not None else "",
        ),
    }


def _answer(number: int, option: Option) -> dict[str, Any]:
    outcomes = [(Outcome.NOT_ELIGIBLE.value, "Stop, by law")] if option.outcome is Outcome.NOT_ELIGIBLE else OUTCOMES
    return {
        f"outcome_{number}": SelectField("What it means", choices=outcomes, default=option.outcome.value),
        f"reason_{number}": TextField("What we say", [Optional()], longest=300, default=option.reason),
        f"change_{number}": TextField(
            "What would change it", [Optional()], longest=300, default=option.what_would_change
        ),
        f"months_{number}": IntegerField(
            "Be in touch again after", [Optional(), Between(1, 36, "Write from 1 to 36 months")], default=option.months
        ),
        f"route_{number}": SelectField("Which way it leads", choices=ROUTES, default=option.route.value or "ordinary"),
    }


def _days(today: date) -> dict[str, Any]:
    return {
        "in_force_from": DateField(
            "From which day",
            [Needed("Give the day it counts from")],
            whole="the day",
            earliest=2020,
            default=(today.replace(day=1) + timedelta(days=32)).replace(day=1),  # time to see it tried first
        ),
        "in_force_until": DateField("Until which day", [Optional()], whole="the last day", earliest=2020),
    }


def changes_of(form: BaseForm, options: list[tuple[str, int]], *, is_own: bool, is_about_age: bool) -> dict[str, Any]:
    """What the form says, as policy takes it. ``options``: each answer's value and its number on the form."""
    changes: dict[str, Any] = {name: form[name].data for name in ("question", "hint", "staff_words")}
    if "is_asked" in form and not form["is_asked"].data:
        changes["is_asked"] = False
    if is_about_age:
        changes["usual_minimum_age"] = form["usual_minimum_age"].data
        changes["below_usual"] = form["below_usual"].data
    said = {}
    for value, number in options:
        answer: dict[str, Any] = {
            "outcome": form[f"outcome_{number}"].data,
            "reason": form[f"reason_{number}"].data or "",
            "what_would_change": form[f"change_{number}"].data or "",
            "months": form[f"months_{number}"].data,
        }
        route = form[f"route_{number}"].data
        answer["route"] = "" if route == "ordinary" else route
        if is_own:
            answer["label"] = form[f"label_{number}"].data
        said[value] = answer
    if said:
        changes["options"] = said
    return changes
