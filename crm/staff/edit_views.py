"""What is changed from the page of a case: facts, people and how to reach them, tasks, the owner, a wrong stage."""

from __future__ import annotations

from typing import Any

from flask import Response, make_response, request

from crm import policy
from crm.access.guards import current_actor, requires
from crm.access.models import User
from crm.cases import change_stage, contact, facts, summary, tasks
from crm.cases import hand_over as ownership
from crm.cases.merge_queries import person_behind
from crm.cases.models import OTHER_NAME_WORDS, Case, OtherNameKind, Person, PersonRole
from crm.cases.open_case import NewPerson, add_person
from crm.cases.other_names import add_other_name, remove_other_name
from crm.cases.people import PersonDetails, change_address, change_person
from crm.cases.queries import case_for, case_head, is_on_case
from crm.clock import now_utc, today_in_london
from crm.db import db
from crm.rules.permissions import Permission, Sensitivity, may_see
from crm.rules.refusal import Refusal
from crm.rules.stages import STAGES, TRACK_WORDS, TrackName, stage_words
from crm.staff import case_page as pages
from crm.staff.case_forms import (
    AddressForm,
    ContactRulesForm,
    CorrectStageForm,
    FactForm,
    OtherNameForm,
    OwnerForm,
    PersonForm,
    TaskForm,
    choose,
)
from crm.staff.views import bp, case_path
from crm.web.forms import BaseForm
from crm.web.notices import tell
from crm.web.pages import render, safe_path, see_other
from crm.web.sightings import records_view, saw
from crm.web.writes import writes

WHOLE_HOUSEHOLD = 0


class NobodyThere(Refusal):
    """The person is not in this household."""

    default_status = 404


def _case(reference: str) -> Case:
    return case_for(current_actor(), reference, today=today_in_london())


def _page(template: str, found: Case, form: BaseForm, **context: Any) -> Response:
    today = today_in_london()
    head = case_head(found, today=today, rulebook=policy.rulebook_on(today))
    body = render(template, head=head, form=form, base=case_path(found.reference), **context)
    return make_response(body, form.status)


def _person(found: Case, person_id: int) -> Person:
    for person in found.household.people:
        if person.id == person_id:
            return person
    if (now := person_behind(person_id)) is not None:  # entered twice, and made one since
        return _person(found, now)
    raise NobodyThere("We can’t find that person in this household.")


# --- Facts ------------------------------------------------------------------------------------------------------------


@bp.route("/cases/<reference>/facts", methods=["GET", "POST"])
@requires(Permission.WRITE_NOTE)
@records_view("facts")
@writes
def change_facts(reference: str) -> Response:
    """Write down what we have learnt. A newer answer takes the old one's place, and the old one is kept."""
    found, actor, today, now = _case(reference), current_actor(), today_in_london(), now_utc()
    people = [person for person in found.household.people if person.left_household_on is None]
    form = FactForm(
        key=request.args.get("key", ""), person=request.args.get("person", WHOLE_HOUSEHOLD, type=int), stated_on=today
    )
    choose(form.person, [(WHOLE_HOUSEHOLD, "The household"), *((person.id, person.full_name) for person in people)])
    on_case = is_on_case(actor, found, today=today)
    if form.is_sent_and_right():
        person_id = form.person.data or None
        sensitivity = facts.FACT_SENSITIVITY.get(form.key.data, Sensitivity.ORDINARY)
        if form.stated_on.data > today:
            form.stated_on.errors = ["The day we were told can’t be still to come"]
        elif not may_see(actor, sensitivity, subject_person_id=person_id, on_case=on_case):
            form.refused.append("This is kept closely. Ask someone who works with this household to write it down.")
        else:
            facts.state_fact(
                found,
                key=form.key.data,
                value=form.value.data,
                source=form.source.data,
                stated_on=form.stated_on.data,
                actor=actor,
                now=now,
                person_id=person_id,
            )
            tell(f"{pages.fact_label(form.key.data)} was written down.")
            return see_other(case_path(found.reference))
    shown, seen = pages.sections_of(found, actor, on_case=on_case)
    saw(case_id=found.id, subject=f"case:{found.reference}", kinds=seen)
    return _page("staff/facts.html", found, form, sections=shown)


# --- People -----------------------------------------------------------------------------------------------------------


@bp.route("/cases/<reference>/people/new", methods=["GET", "POST"])
@requires(Permission.WRITE_NOTE)
@writes
def new_person(reference: str) -> Response:
    """Add somebody to the household."""
    found, today = _case(reference), today_in_london()
    form = PersonForm(role=PersonRole.HOUSEHOLD_ADULT)
    if form.is_sent_and_right():
        if form.born_on.data is not None and form.born_on.data > today:
            form.born_on.errors = ["Check the date of birth: it is still to come"]
        else:
            person = add_person(
                found,
                NewPerson(
                    given_name=form.given_name.data,
                    family_name=form.family_name.data or None,
                    role=PersonRole(form.role.data),
                    email=form.email.data or None,
                    phone=form.phone.data or None,
                    born_on=form.born_on.data,
                ),
                source=f"Added by {current_actor().display_name}",
                stated_on=today,
                actor=current_actor(),
                now=now_utc(),
            )
            tell(f"{person.full_name} is now in this household.")
            return see_other(case_path(found.reference) + "#people")
    return _page("staff/person.html", found, form, person=None)


@bp.route("/cases/<reference>/people/<int:person_id>", methods=["GET", "POST"])
@requires(Permission.WRITE_NOTE)
@writes
def edit_person(reference: str, person_id: int) -> Response:
    """Put right a name, a birth date, a number or an address."""
    found = _case(reference)
    person = _person(found, person_id)
    form = PersonForm(
        given_name=person.given_name,
        family_name=person.family_name,
        role=person.role,
        born_on=person.born_on,
        phone=person.phone,
        email=person.email,
    )
    if form.is_sent_and_right():
        details = PersonDetails(
            given_name=form.given_name.data,
            family_name=form.family_name.data or None,
            role=PersonRole(form.role.data),
            born_on=form.born_on.data,
            email=form.email.data or None,
            phone=form.phone.data or None,
        )
        try:
            change_person(found, person, details, actor=current_actor(), now=now_utc(), today=today_in_london())
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            tell(f"Details of {person.full_name} are kept.")
            return see_other(case_path(found.reference) + "#people")
    return _page("staff/person.html", found, form, person=person)


@bp.route("/cases/<reference>/people/<int:person_id>/names", methods=["GET", "POST"])
@requires(Permission.WRITE_NOTE)
@writes
def other_names(reference: str, person_id: int) -> Response:
    """Names that somebody had or goes by: they are found by each of them."""
    found = _case(reference)
    person = _person(found, person_id)
    form = OtherNameForm()
    if form.is_sent_and_right():
        try:
            name = add_other_name(
                found,
                person,
                kind=OtherNameKind(form.kind.data),
                given_name=form.given_name.data,
                family_name=form.family_name.data,
                actor=current_actor(),
                now=now_utc(),
            )
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            tell(f"{person.given_name} is found as {name.words}, too.")
            return see_other(f"{case_path(found.reference)}/people/{person.id}/names")
    return _page("staff/other_names.html", found, form, person=person, kind_words=OTHER_NAME_WORDS)


@bp.post("/cases/<reference>/people/<int:person_id>/names/<int:name_id>/remove")
@requires(Permission.WRITE_NOTE)
@writes
def remove_name(reference: str, person_id: int, name_id: int) -> Response:
    """Take another name off."""
    found = _case(reference)
    person = _person(found, person_id)
    name = next((one for one in person.other_names if one.id == name_id), None)
    if name is not None:
        words = name.words
        remove_other_name(found, person, name, actor=current_actor(), now=now_utc())
        tell(f"{words} is taken off.")
    return see_other(f"{case_path(found.reference)}/people/{person.id}/names")


@bp.route("/cases/<reference>/address", methods=["GET", "POST"])
@requires(Permission.WRITE_NOTE)
@writes
def address(reference: str) -> Response:
    """Where the household lives, and is written to by post."""
    found = _case(reference)
    form = AddressForm(address=found.household.address or "", postcode=found.household.postcode or "")
    if form.is_sent_and_right():
        change_address(
            found,
            address=form.address.data or None,
            postcode=form.postcode.data or None,
            actor=current_actor(),
            now=now_utc(),
        )
        tell("Where they live is kept. Letters by post go there.")
        return see_other(case_path(found.reference) + "#people")
    return _page("staff/address.html", found, form)


@bp.route("/cases/<reference>/people/<int:person_id>/reach", methods=["GET", "POST"])
@requires(Permission.WRITE_NOTE)
@writes
def contact_rules(reference: str, person_id: int) -> Response:
    """How somebody may be reached. Every letter, call list and calendar obeys it from now on."""
    found, today = _case(reference), today_in_london()
    person = _person(found, person_id)
    on_case = is_on_case(current_actor(), found, today=today)
    may_read = may_see(current_actor(), Sensitivity.SAFETY, subject_person_id=person.id, on_case=on_case)
    before = contact.contact_rules_of(person)
    form = ContactRulesForm(
        no_contact=before.no_contact,
        no_calls=before.no_calls,
        no_voicemail=before.no_voicemail,
        no_texts=before.no_texts,
        no_emails=before.no_emails,
        no_letters=before.no_letters,
        prefers=before.prefers or "",
        quiet_times=list(before.quiet_times),
        email_is_confirmed=before.email_is_confirmed,
        email_works=before.email_works,
        contact_times=before.contact_times,
        safe_contact=before.safe_contact if may_read else None,
    )
    if form.is_sent_and_right():
        rules = contact.ContactRules(
            no_calls=form.no_calls.data,
            no_voicemail=form.no_voicemail.data,
            no_texts=form.no_texts.data,
            no_emails=form.no_emails.data,
            no_letters=form.no_letters.data,
            quiet_times=tuple(form.quiet_times.data or ()),
            no_contact=form.no_contact.data,
            prefers=form.prefers.data or None,
            email_is_confirmed=before.email_is_confirmed or form.email_is_confirmed.data,
            email_works=before.email_works or form.email_works.data,
            contact_times=form.contact_times.data,
            safe_contact=form.safe_contact.data if may_read else before.safe_contact,
        )
        taken = contact.set_contact_rules(person, rules, case=found, actor=current_actor(), now=now_utc(), today=today)
        back = " What was waiting to go there was taken back." if taken else ""
        tell(f"How to reach {person.full_name} is kept, and in force from now.{back}")
        return see_other(case_path(found.reference) + "#people")
    return _page("staff/contact_rules.html", found, form, person=person, may_read=may_read)


# --- Tasks, owner, stage ----------------------------------------------------------------------------------------------


@bp.route("/cases/<reference>/tasks/new", methods=["GET", "POST"])
@requires(Permission.WRITE_NOTE)
@writes
def new_task(reference: str) -> Response:
    """Put something on somebody's My day."""
    found, actor, today = _case(reference), current_actor(), today_in_london()
    form = TaskForm(owner=actor.user_id)
    people = pages.people_who_may_own()
    if actor.user_id is not None and actor.user_id not in {user_id for user_id, _ in people}:
        people.append((actor.user_id, actor.display_name))
    choose(form.owner, [(user_id, "Me" if user_id == actor.user_id else name) for user_id, name in people])
    if form.is_sent_and_right():
        if form.due_on.data < today:
            form.due_on.errors = ["Choose today or a later day"]
        else:
            tasks.add_task(
                title=form.title.data,
                assigned_to_id=form.owner.data,
                due_on=form.due_on.data,
                actor=actor,
                now=now_utc(),
                case=found,
            )
            summary.refresh(found, today=today, rulebook=policy.rulebook_on(today))
            tell("The task is on " + ("your" if form.owner.data == actor.user_id else "their") + " list.")
            return see_other(case_path(found.reference))
    return _page("staff/task.html", found, form)


@bp.route("/cases/<reference>/owner", methods=["GET", "POST"])
@requires(Permission.ASSIGN_CASES)
@writes
def change_owner(reference: str) -> Response:
    """Give the household to somebody else."""
    found, today = _case(reference), today_in_london()
    form = OwnerForm(owner=found.owner_id, seen=str(found.version))
    choose(form.owner, list(pages.people_who_may_own()))
    if form.is_sent_and_right():
        to = db.session.get(User, form.owner.data)
        try:
            if to is None:
                raise Refusal("Choose who will have this household.", status=422, field="owner")
            ownership.hand_over(
                found,
                to=to,
                actor=current_actor(),
                now=now_utc(),
                today=today,
                rulebook=policy.rulebook_on(today),
                seen=_seen(form),
            )
        except Refusal as refusal:
            if refusal.status != 422:
                raise
            form.take_refusal(refusal)
        else:
            tell(f"{to.name} now has {found.household.name}, with the open tasks on it.")
            return see_other(case_path(found.reference))
    return _page("staff/owner.html", found, form)


@bp.post("/cases/<reference>/take")
@requires(Permission.RECORD_CONTACT)
@writes
def take_case(reference: str) -> Response:
    """Make an enquiry one's own, in one tap. ``owner`` is who had it on the page: of two who tap, one gets it."""
    found, today, actor = _case(reference), today_in_london(), current_actor()
    said = request.form.get("owner", "")
    try:
        ownership.take_case(
            found,
            from_owner_id=int(said) if said.isascii() and said.isdigit() and len(said) < 10 else None,
            actor=actor,
            now=now_utc(),
            today=today,
            rulebook=policy.rulebook_on(today),
        )
    except ownership.TakenAlready as late:
        db.session.rollback()
        tell(late.message, "warning")
    else:
        following = f" Next: {found.next_action[0].lower()}{found.next_action[1:]}." if found.next_action else ""
        tell(f"You have {found.household.name} now.{following}")
    return see_other(safe_path(request.form.get("back"), case_path(reference)))


@bp.route("/cases/<reference>/correct", methods=["GET", "POST"])
@requires(Permission.CORRECT_STAGE)
@writes
def correct_stage(reference: str) -> Response:
    """Put right a stage that was recorded wrongly. Needs a reason; no letter, clock or effect follows."""
    found, today = _case(reference), today_in_london()
    form = CorrectStageForm(seen=str(found.version))
    form.place.choices = {
        TRACK_WORDS[track]: [
            (f"{track}:{stage}", f"{stage_words(track, stage)}{' (now)' if stage == stands else ''}")
            for stage in STAGES[track]
        ]
        for track, stands in found.stages.items()
    }
    if form.is_sent_and_right():
        track, _, stage = form.place.data.partition(":")
        try:
            change_stage.correct_stage(
                found,
                TrackName(track),
                stage,
                actor=current_actor(),
                now=now_utc(),
                today=today,
                rulebook=policy.rulebook_on(today),
                reason=form.reason.data,
                seen=_seen(form),
            )
        except Refusal as refusal:
            if refusal.status != 422:
                raise
            form.place.errors = [*form.place.errors, refusal.message]
        else:
            tell(
                f"Put right: {stage_words(TrackName(track), stage)}. No letter went out and no clock was changed: "
                "look over the clocks of this household."
            )
            return see_other(case_path(found.reference))
    return _page("staff/correct_stage.html", found, form)


def _seen(form: BaseForm) -> int | None:
    return int(form.seen.data) if form.seen.data and form.seen.data.isdigit() else None
