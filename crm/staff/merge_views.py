"""Merging two entries of one household or person, the second look at a doubtful merge, and taking it apart again."""

from __future__ import annotations

from typing import Any

from flask import Response, make_response, request, url_for
from werkzeug.datastructures import MultiDict

from crm import policy
from crm.access.guards import current_actor, requires
from crm.cases import comparing, merge_queries, merge_requests, unmerge
from crm.cases.comparing import Comparison
from crm.cases.duplicates import LookAlike, look_alikes
from crm.cases.merge import move_person as move_them
from crm.cases.merge_choices import MergeChoices
from crm.cases.merge_models import HouseholdMerge, MergeKind, MergeState
from crm.cases.models import Case, Person
from crm.cases.queries import CaseNotFound, case_for, case_head, is_on_case
from crm.clock import now_utc, today_in_london
from crm.db import db
from crm.rules.permissions import Permission
from crm.rules.refusal import Refusal
from crm.staff.merge_forms import MergeForm, MovePersonForm, RefuseMergeForm, SamePersonForm, WhichHouseholdForm
from crm.staff.views import bp, case_path
from crm.web.forms import BaseForm
from crm.web.notices import tell
from crm.web.pages import render, see_other
from crm.web.sightings import records_view, saw
from crm.web.writes import writes

WHO, PICK = "who.", "pick."
"""What the choices of the page are called in its address: who is who, and which value. Numbers and sides, no words."""


class NobodyThere(Refusal):
    """The person is not in this household."""

    default_status = 404


def _given() -> dict[str, Any]:
    today = today_in_london()
    return {"actor": current_actor(), "now": now_utc(), "today": today, "rulebook": policy.rulebook_on(today)}


def _case(reference: str) -> Case:
    return case_for(current_actor(), reference, today=today_in_london())


def _page(template: str, found: Case, form: BaseForm | None = None, **context: Any) -> Response:
    today = today_in_london()
    head = case_head(found, today=today, rulebook=policy.rulebook_on(today))
    body = render(template, head=head, form=form, base=case_path(found.reference), **context)
    return make_response(body, form.status if form is not None else 200)


# --- Two households ---------------------------------------------------------------------------------------------------


@bp.get("/cases/<reference>/compare")
@requires(Permission.MERGE_CASES)
def compare_with(reference: str) -> Response:
    """Which household to compare this one with: those that look alike, or one by its reference."""
    found = _case(reference)
    form = WhichHouseholdForm(request.args if "other" in request.args else None)
    if form.is_sent_and_right():
        try:
            other = _case(form.other.data or "")
        except CaseNotFound:
            form.other.errors = ["We can’t find a household with this reference that you can open. Check it"]
        else:
            return see_other(url_for("staff.compare", reference=found.reference, other=other.reference))
    return _page("staff/compare_with.html", found, form, alike=_alike(found))


def _alike(found: Case) -> list[LookAlike]:
    """Households that may be the same, of those that this person may open; the likeliest first."""
    best: dict[str, LookAlike] = {}
    for person in found.household.people:
        for alike in look_alikes(
            email=person.email,
            phone=person.phone,
            given_name=person.given_name,
            family_name=person.family_name,
            postcode=found.household.postcode,
            born_on=person.born_on,
            actor=current_actor(),
            today=today_in_london(),
            but_not=found.reference,
        ):
            known = best.get(alike.reference)
            if known is None or alike.score > known.score:
                best[alike.reference] = alike
    return sorted(best.values(), key=lambda alike: -alike.score)[:10]


@bp.get("/cases/<reference>/compare/<other>")
@requires(Permission.MERGE_CASES)
@records_view("case")
def compare(reference: str, other: str) -> Response:
    """Two households side by side, with a choice for each field in which they differ."""
    return _compared("staff/compare.html", reference, other)


@bp.get("/cases/<reference>/compare/<other>/check")
@requires(Permission.MERGE_CASES)
@records_view("case")
def check_merge(reference: str, other: str) -> Response:
    """What will happen, before it does."""
    return _compared("staff/check_merge.html", reference, other)


def _compared(template: str, reference: str, other: str) -> Response:
    one, two = _case(reference), _case(other)
    if one.id == two.id:
        tell("These two are one household already.")
        return see_other(case_path(one.reference))
    compared = _comparison(one, two, request.args)
    for case in (one, two):
        saw(case_id=case.id, subject=f"case:{case.reference}")
    form = MergeForm(choices=compared.choices.as_json(), seen=_say_seen(one, two))
    again = url_for("staff.compare", reference=one.reference, other=two.reference)
    return _page(
        template,
        one,
        form,
        it=compared,
        waiting=merge_queries.waiting_merge(compared.kept.case.id, compared.gone.case.id),
        other=two.reference,
        here=again,
        back=f"{again}?{request.query_string.decode()}",
    )


def _comparison(one: Case, two: Case, said: MultiDict[str, str]) -> Comparison:
    today, actor = today_in_london(), current_actor()
    pairs = {
        int(name.removeprefix(WHO)): int(value)
        for name, value in said.items()
        if name.startswith(WHO) and _is_number(name.removeprefix(WHO)) and _is_number(value)
    }
    return comparing.compare(
        one,
        two,
        actor=actor,
        pairs={gone: kept for gone, kept in pairs.items() if kept} if pairs else None,
        fields={name.removeprefix(PICK): value for name, value in said.items() if name.startswith(PICK)},
        on_case=all(is_on_case(actor, case, today=today) for case in (one, two)),
        today=today,
        rulebook=policy.rulebook_on(today),
    )


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10


@bp.post("/cases/<reference>/compare/<other>/merge")
@requires(Permission.MERGE_CASES)
@writes
def merge(reference: str, other: str) -> Response:
    """Merge them; or, where that is doubtful, ask a second person."""
    one, two = _case(reference), _case(other)
    if one.id == two.id:
        tell("Somebody else has just merged these two.", "warning")
        return see_other(case_path(one.reference))
    form = MergeForm()
    made = merge_requests.merge_or_ask(one, two, choices=_choices(form), seen=_read_seen(form), **_given())
    return _after(made)


def _choices(form: MergeForm) -> MergeChoices:
    try:
        return MergeChoices.from_json(form.choices.data)
    except (ValueError, AttributeError, TypeError) as fault:
        raise Refusal("What was chosen can’t be read. Compare the two again.", status=422) from fault


def _after(made: HouseholdMerge) -> Response:
    if made.state == MergeState.ASKED:
        tell("Nothing is merged yet. A manager is asked to look at it, and sees it on their My day.")
        return see_other(url_for("staff.merge_page", merge_id=made.id))
    tell(f"Merged. {made.kept_reference} goes on. You can take it apart again from here.")
    return see_other(url_for("staff.merge_page", merge_id=made.id))


def _say_seen(*cases: Case) -> str:
    return ",".join(f"{case.id}:{case.version}" for case in cases)


def _read_seen(form: BaseForm) -> dict[int, int] | None:
    pairs = [part.partition(":") for part in (form.seen.data or "").split(",")]
    seen = {int(number): int(version) for number, _, version in pairs if _is_number(number) and _is_number(version)}
    return seen or None


# --- One person, twice; or in the wrong household ---------------------------------------------------------------------


@bp.get("/cases/<reference>/people/<int:person_id>/same-as")
@requires(Permission.MERGE_CASES)
@records_view("case")
def same_person(reference: str, person_id: int) -> Response:
    """Somebody who was entered twice in one household: who it really is, and which values are right."""
    found = _case(reference)
    gone = _person(found, person_id)
    saw(case_id=found.id, subject=f"case:{found.reference}")
    others = [person for person in found.household.people if person.id != gone.id]
    form = SamePersonForm(request.args if "other" in request.args else None)
    form.other.choices = [(person.id, person.full_name) for person in others]
    pair, merging = None, None
    if form.is_sent_and_right():
        kept = _person(found, form.other.data)
        pair, choices = comparing.compare_people(kept, gone, fields=_picked())
        merging = MergeForm(None, takes_answers=False, choices=choices.as_json(), seen=_say_seen(found))
        doubts = merge_requests.doubts_about_people(kept, gone)
        return _page("staff/same_person.html", found, form, person=gone, others=others, pair=pair, merging=merging,
                     doubts=doubts)  # fmt: skip
    return _page("staff/same_person.html", found, form, person=gone, others=others, pair=None, merging=None, doubts=())


def _picked() -> dict[str, str]:
    return {name.removeprefix(PICK): value for name, value in request.args.items() if name.startswith(PICK)}


@bp.post("/cases/<reference>/people/<int:person_id>/same-as")
@requires(Permission.MERGE_CASES)
@writes
def merge_person(reference: str, person_id: int) -> Response:
    """Make one of the two."""
    found = _case(reference)
    gone = _person(found, person_id)
    form = MergeForm()
    choices = _choices(form)
    kept_id = choices.pairs.get(gone.id)
    if kept_id is None:
        raise Refusal("Choose who it really is first.", status=422)
    seen = (_read_seen(form) or {}).get(found.id)
    made = merge_requests.merge_people_or_ask(
        found, _person(found, kept_id), gone, choices=choices, seen=seen, **_given()
    )
    return _after(made)


@bp.route("/cases/<reference>/people/<int:person_id>/move", methods=["GET", "POST"])
@requires(Permission.MERGE_CASES)
@writes
def move_person(reference: str, person_id: int) -> Response:
    """Move somebody who was put into the wrong household."""
    found = _case(reference)
    person = _person(found, person_id)
    form = MovePersonForm(seen=str(found.version), other=request.args.get("to", ""))
    if form.is_sent_and_right():
        try:
            to = _case(form.other.data or "")
            seen = int(form.seen.data) if form.seen.data and _is_number(form.seen.data) else None
            made = move_them(found, person, to=to, seen=seen, **_given())
        except CaseNotFound:
            form.other.errors = ["We can’t find a household with this reference that you can open. Check it"]
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            tell(f"{person.full_name} is now in the household of {to.reference}.")
            return see_other(url_for("staff.merge_page", merge_id=made.id))
    return _page("staff/move_person.html", found, form, person=person)


def _person(found: Case, person_id: int) -> Person:
    for person in found.household.people:
        if person.id == person_id:
            return person
    raise NobodyThere("We can’t find that person in this household.")


# --- What was merged --------------------------------------------------------------------------------------------------


@bp.get("/cases/<reference>/merges")
@requires(Permission.MERGE_CASES)
def merges(reference: str) -> Response:
    """What was merged into this household, asked for, or taken apart again."""
    found = _case(reference)
    theirs = [merge for merge in merge_queries.merges_of(found) if _may_open(merge)]
    return _page("staff/merges.html", found, lines=merge_queries.merge_lines(theirs))


def _may_open(merge: HouseholdMerge) -> bool:
    try:
        _merge(merge.id)
    except merge_queries.MergeNotFound:
        return False
    return True


@bp.get("/merges/<int:merge_id>")
@requires(Permission.MERGE_CASES)
@records_view("case")
def merge_page(merge_id: int) -> Response:
    """One merge: what is asked for and by whom, or what was done and what undoing it would do."""
    return _merge_page(merge_id, RefuseMergeForm())


def _merge_page(merge_id: int, form: RefuseMergeForm) -> Response:
    found, kept, gone = _merge(merge_id)
    actor, today = current_actor(), today_in_london()
    (line,) = merge_queries.merge_lines([found])
    compared = outlook = pair = None
    if found.state == MergeState.ASKED:
        choices = MergeChoices.from_json(found.choices)
        if gone is not None:
            compared = comparing.compare(
                kept,
                gone,
                actor=actor,
                pairs=choices.pairs,
                fields=choices.fields,
                on_case=all(is_on_case(actor, case, today=today) for case in (kept, gone)),
                today=today,
                rulebook=policy.rulebook_on(today),
            )
        else:
            people = {person.id: person for person in kept.household.people}
            pairs = [(people[k], people[g]) for g, k in choices.pairs.items() if g in people and k in people]
            pair = comparing.compare_people(*pairs[0], fields=choices.fields)[0] if pairs else None
    elif found.state == MergeState.MADE:
        outlook = unmerge.outlook(found)
    for case in filter(None, (kept, gone)):
        saw(case_id=case.id, subject=f"case:{case.reference}")
    seen = _say_seen(*filter(None, (kept, gone))) if found.state == MergeState.ASKED else str(kept.version)
    return _page(
        "staff/merge_page.html",
        kept,
        form,
        line=line,
        it=compared,
        pair=pair,
        outlook=outlook,
        first=merge_queries.merge_lines([m for m in (_get(number) for number in outlook.first) if m])
        if outlook
        else [],
        acting=MergeForm(None, takes_answers=False, seen=seen),
        table_words=TABLE_WORDS,
        is_asker=line.asked_by_id == actor.user_id,
    )


TABLE_WORDS = {
    "timeline_entry": ("line of the timeline", "lines of the timeline"),
    "enquiry": ("touch", "touches"),
    "outbound_message": ("letter", "letters"),
    "visit": ("visit", "visits"),
    "task": ("task", "tasks"),
    "fact": ("answer", "answers"),
    "consent": ("consent", "consents"),
    "person": ("person", "people"),
    "deadline": ("clock", "clocks"),
    "case_assignment": ("part in the case", "parts in the case"),
}


def _get(merge_id: int) -> HouseholdMerge | None:
    return db.session.get(HouseholdMerge, merge_id)


def _merge(merge_id: int) -> tuple[HouseholdMerge, Case, Case | None]:
    """A merge with its cases, of those that this person may open. Raises MergeNotFound, which says no more."""
    found = _get(merge_id)
    if found is None:
        raise merge_queries.MergeNotFound
    try:
        kept = _case(found.kept_reference)
        # What was taken up is part of the case that goes on. Otherwise both have to be theirs to open.
        is_one = found.gone_reference is None or (found.is_case_taken_up and found.state == MergeState.MADE)
        gone = None if is_one else _case(found.gone_reference or "")
    except CaseNotFound as fault:
        raise merge_queries.MergeNotFound from fault
    return found, kept, gone


@bp.post("/merges/<int:merge_id>/agree")
@requires(Permission.AGREE_MERGE)
@writes
def agree_to_merge(merge_id: int) -> Response:
    """Make a merge that somebody else asked for."""
    found, kept, gone = _merge(merge_id)
    made = merge_requests.agree(found, kept=kept, gone=gone, seen=_read_seen(MergeForm()), **_given())
    return _after(made)


@bp.post("/merges/<int:merge_id>/refuse")
@requires(Permission.AGREE_MERGE)
@records_view("case")
@writes
def refuse_merge(merge_id: int) -> Response:
    """Say no to a merge that somebody else asked for."""
    form = RefuseMergeForm()
    found, kept, _ = _merge(merge_id)
    if not form.is_sent_and_right():
        return _merge_page(merge_id, form)
    merge_requests.refuse(found, why=form.why.data, actor=current_actor(), now=now_utc())
    tell("You said no. The two stay apart, and whoever asked sees why.")
    return see_other(case_path(kept.reference) + "/merges")


@bp.post("/merges/<int:merge_id>/withdraw")
@requires(Permission.MERGE_CASES)
@writes
def withdraw_merge(merge_id: int) -> Response:
    """Take back what one asked for."""
    found, kept, _ = _merge(merge_id)
    merge_requests.withdraw(found, actor=current_actor(), now=now_utc())
    tell("Taken back. The two stay apart.")
    return see_other(case_path(kept.reference) + "/merges")


@bp.post("/merges/<int:merge_id>/undo")
@requires(Permission.MERGE_CASES)
@writes
def undo_merge(merge_id: int) -> Response:
    """Take a merge apart."""
    found, kept, _ = _merge(merge_id)
    form = MergeForm()
    seen = int(form.seen.data) if form.seen.data and _is_number(form.seen.data) else None
    done = unmerge.undo_merge(found, seen=seen, **_given())
    if found.kind == MergeKind.HOUSEHOLDS:
        tell(f"Taken apart: {' and '.join(done.references)} are two again.")
    else:
        tell("Taken apart: everything is where it was.")
    if done.kept_as_it_is:
        tell("Look over these: " + "; ".join(dict.fromkeys(done.kept_as_it_is)) + ".", "warning")
    return see_other(case_path(kept.reference))
