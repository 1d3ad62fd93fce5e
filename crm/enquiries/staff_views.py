"""The staff's side of the front door: the queue, logging, talks, screening, resting, closing."""

from __future__ import annotations

from datetime import date, datetime, time
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, request
from markupsafe import Markup

from crm import policy
from crm.access.guards import current_actor, requires
from crm.access.queries import staff_with_role, user_with
from crm.cases import contact, facts
from crm.cases.add_touch import may_take_a_touch
from crm.cases.duplicates import LookAlike, look_alikes
from crm.cases.hand_over import Given, give_many, may_take
from crm.cases.models import CHANNEL_WORDS, Case, Channel, Person, PersonRole
from crm.cases.open_case import NewConsent, NewPerson, NewTouch
from crm.cases.owners import OWNING_ROLES
from crm.cases.queries import case_for, case_head, is_on_case
from crm.clock import LONDON, now_utc, today_in_london
from crm.enquiries import queries, saved_views, screening, triage
from crm.enquiries.list_filters import POOL_WORDS, VIEW_WORDS, filters_in, query_of
from crm.enquiries.questions import SAFE_WORDS, TIMES_WORDS
from crm.enquiries.script import SCRIPT
from crm.enquiries.staff_forms import (
    CloseForm,
    ContactForm,
    DecisionForm,
    DeclineForm,
    NewEnquiryForm,
    NotNowForm,
    ReopenForm,
    screening_form,
)
from crm.rules import stages
from crm.rules.eligibility import OUTCOME_WORDS, Outcome
from crm.rules.permissions import Actor, Permission
from crm.rules.reasons import CLOSING_REASONS, NOT_NOW_REASONS
from crm.rules.refusal import Refusal
from crm.rules.rulebook import Rulebook
from crm.rules.transitions import MoveNotOpen
from crm.web.filters import clock_time, day, day_short, initials, many
from crm.web.forms import BaseForm
from crm.web.notices import tell
from crm.web.pages import render, safe_path, see_other
from crm.web.sightings import records_view, saw
from crm.web.writes import writes

bp = Blueprint("enquiries", __name__)

NEWS_CHANNELS = ("email", "text", "phone", "post")
MOST_GIVEN = queries.QUEUE_PAGE


# --- The queue --------------------------------------------------------------------------------------------------------


@bp.get("/enquiries")
@requires(any_of=(Permission.LOG_ENQUIRY, Permission.VIEW_ALL_ENQUIRIES))
def queue() -> str:
    actor, today = current_actor(), today_in_london()
    rulebook = policy.rulebook_on(today)
    filters, after = filters_in(request.args), _after()
    lines, more = queries.queue_page(actor, filters, today=today, after=after)
    beside = queries.beside_the_queue(actor, today=today, rulebook=rulebook)
    return render(
        "enquiries/queue.html",
        here="enquiries",
        lines=_said(lines, rulebook, actor=actor, today=today),
        here_address=request.full_path.rstrip("?"),
        filters=filters,
        views=_views(beside.counts, filters.view),
        kept_views=[
            (name, f"/enquiries?{query}", query == query_of(filters)) for _, name, query in saved_views.views_of(actor)
        ],
        filters_query=query_of(filters),
        title=VIEW_WORDS[filters.view],
        filter_lists=_filter_lists(filters, beside.owners),
        untouched=beside.untouched,
        untouched_days=rulebook.response.untouched_days,
        owners=beside.owners if actor.has(Permission.ASSIGN_CASES) else (),
        promise=rulebook.deadline("first_contact").length_words,
        next_address=_address(filters, after=f"{more[0].isoformat()}.{more[1]}") if more else "",
        first_address=_address(filters) if after else "",
    )


def _said(lines: list[queries.QueueLine], rulebook: Rulebook, *, actor: Actor, today: date) -> list[tuple[Any, ...]]:
    """Each line as it is shown. A page is mostly a few due dates and a few owners, so each is put in words once.

    Its last words: whom this person would take the household from (None where they can't, or have it), whether a try
    to reach them may be logged here, and what stands for it when several are given to somebody.
    """
    takes = actor.has(Permission.RECORD_CONTACT)
    clocks: dict[tuple[str | None, date], tuple[str, str, str]] = {}
    people: dict[str | None, tuple[str, str]] = {None: ("", "")}
    said = []
    for line in lines:
        clock = clocks.get((line.rule, line.due_on))
        if clock is None:
            reading = rulebook.say_due(line.rule or "first_contact", line.due_on, today=today)
            what = rulebook.deadlines[line.rule].what.lower() if line.rule else ""
            by = f" by {day_short(line.due_on)}" if reading.state == "over" else ""
            kind = "none" if reading.state == "ok" else str(reading.state)
            clock = clocks[line.rule, line.due_on] = (kind, reading.words, what + by)
        owner = people.get(line.owner)
        if owner is None:
            name = line.owner or ""
            owner = people[line.owner] = (initials(name), name.split(" ")[0])
        said.append(
            (
                line.household,
                f"{line.reference}, {line.postcode}" if line.postcode else line.reference,
                f"/cases/{line.reference}",
                line.alike,
                stages.PLACE[line.place].label,
                clock,
                line.next_action or "",
                line.turn == "household",
                CHANNEL_WORDS[Channel(line.channel)],
                line.campaign or _opened(line.opened_at),
                owner,
                (line.owner_id or "")
                if takes and line.owner_id != actor.user_id and line.place in queries.OPEN_PLACES
                else None,
                takes and line.rule in queries.TRIED_FOR,
                f"{line.reference}.{line.owner_id or ''}",
            )
        )
    return said


@lru_cache(maxsize=1024)
def _opened(at: datetime) -> str:
    return day_short(at)


def _views(counts: dict[str, int], open_view: str) -> list[tuple[str, str, bool, str, bool]]:
    """The saved views: words, address, whether it is this one, how many it holds, whether that is late."""
    return [
        (
            words,
            _VIEW_ADDRESSES.get(view) or f"/enquiries?view={view}",
            view == open_view,
            f"{counts[view]}+" if counts[view] >= queries.COUNTED_UP_TO else str(counts[view]),
            view == "over" and counts[view] > 0,
        )
        for view, words in VIEW_WORDS.items()
    ]


_VIEW_ADDRESSES = {"open": "/enquiries", "not_now": "/enquiries/not-now"}


def _after() -> tuple[date, int] | None:
    on, _, number = request.args.get("after", "").partition(".")
    try:
        return (date.fromisoformat(on), int(number)) if len(number) < 19 else None
    except ValueError:
        return None


def _address(filters: queries.Filters, **changes: Any) -> str:
    """The address of the queue with some filters changed; None takes one away."""
    query = query_of(filters, **changes)
    return "/enquiries" + (f"?{query}" if query else "")


@lru_cache(maxsize=256)
def _filter_lists(filters: queries.Filters, owners: tuple[tuple[int, str], ...]) -> Markup:
    """The filters at the side. They hold a link for everybody who works here, and are the same for all who look."""
    return Markup(render("enquiries/queue_filters.html", groups=_filter_groups(filters, owners)))  # noqa: S704


def _filter_groups(
    filters: queries.Filters, owners: tuple[tuple[int, str], ...]
) -> list[tuple[str, list[tuple[str, str, bool, None]]]]:
    places = [("All", None), *((stages.PLACE[name].label, name) for name in queries.OPEN_PLACES)]
    channels: list[tuple[str, Any]] = [("All", None), *((CHANNEL_WORDS[one], one.value) for one in Channel)]
    people: list[tuple[str, Any]] = [("Anyone", None), *((name, number) for number, name in owners)]
    return [
        (
            title,
            [(words, _address(filters, **{name: value}), value == chosen, None) for words, value in values],
        )
        for title, name, chosen, values in (
            ("Where it stands", "place", filters.place, places),
            ("Came from", "channel", filters.channel, channels),
            ("Owner", "owner", filters.owner_id, people),
        )
    ]


@bp.get("/enquiries/not-now")
@requires(any_of=(Permission.LOG_ENQUIRY, Permission.VIEW_ALL_ENQUIRIES))
def pool() -> str:
    """Who rests until a day, by when they are to be rung again."""
    actor, today = current_actor(), today_in_london()
    part = request.args.get("part", "due")
    part = part if part in POOL_WORDS else "due"
    lines, more = queries.pool_page(actor, part, today=today, after=_after())
    counts = queries.pool_counts(actor, today=today)
    address = {one: "/enquiries/not-now" + ("" if one == "due" else f"?part={one}") for one in POOL_WORDS}
    joint = "&" if "?" in address[part] else "?"
    return render(
        "enquiries/pool.html",
        here="enquiries",
        lines=[(line, NOT_NOW_REASONS.get(line.reason_code or "", "")) for line in lines],
        title=POOL_WORDS[part],
        part=part,
        parts=[
            (
                words,
                address[one],
                one == part,
                f"{counts[one]}+" if counts[one] >= queries.COUNTED_UP_TO else str(counts[one]),
                one == "due" and counts[one] > 0,
            )
            for one, words in POOL_WORDS.items()
        ],
        today=today,
        next_address=f"{address[part]}{joint}after={more[0].isoformat()}.{more[1]}" if more else "",
        first_address=address[part] if request.args.get("after") else "",
    )


@bp.post("/cases/<reference>/again")
@requires(Permission.RECORD_CONTACT)
@writes
def take_up_again(reference: str) -> Response:
    """Somebody who rested until a day is taken up again, in one step."""
    actor, now, today = current_actor(), now_utc(), today_in_london()
    case = case_for(actor, reference, today=today)
    triage.reopen_enquiry(
        case, note="Taken up again", actor=actor, now=now, today=today, rulebook=policy.rulebook_on(today)
    )
    due = f" Next: {case.next_action}, by {day(case.next_action_due_on)}." if case.next_action_due_on else ""
    tell(f"{case.household.name} is open again.{due}")
    return see_other(f"/cases/{case.reference}")


@bp.get("/enquiries/untouched")
@requires(Permission.ASSIGN_CASES)
def untouched() -> str:
    """The wall: open households that nobody has touched for long, by whose they are."""
    today = today_in_london()
    rulebook = policy.rulebook_on(today)
    people = queries.untouched_by_owner(today=today, rulebook=rulebook)
    said = request.args.get("owner", "")
    chosen = next((one for one in people if str(one[0]) == said), people[0] if people else None)
    lines, more = (
        queries.untouched_page(chosen[0], today=today, rulebook=rulebook, after=_after_moment())
        if chosen is not None
        else ([], None)
    )
    goes_on = {"owner": chosen[0], "after": f"{more[0].isoformat()}_{more[1]}"} if chosen and more else {}
    return render(
        "enquiries/untouched.html",
        here="enquiries",
        people=people,
        chosen=chosen,
        lines=[(line, stages.PLACE[line.place].label) for line in lines],
        days=rulebook.response.untouched_days,
        counted_up_to=queries.COUNTED_UP_TO,
        owners=owners_there_are(),
        here_address=request.full_path.rstrip("?"),
        next_address=f"/enquiries/untouched?{urlencode(goes_on)}" if goes_on else "",
        first_address=f"/enquiries/untouched?owner={chosen[0]}" if chosen and request.args.get("after") else "",
    )


def owners_there_are() -> list[tuple[int, str]]:
    return [(user.id, user.name) for user in staff_with_role(*sorted(OWNING_ROLES))]


def _after_moment() -> tuple[datetime, int] | None:
    moment, _, number = request.args.get("after", "").partition("_")
    try:
        at = datetime.fromisoformat(moment)
        return (at, int(number)) if at.tzinfo is not None and len(number) < 16 else None
    except ValueError:
        return None


@bp.post("/enquiries/give")
@requires(Permission.ASSIGN_CASES)
@writes
def give() -> Response:
    """Give the households ticked on the queue to somebody, or each to whoever is next in turn."""
    actor, now, today = current_actor(), now_utc(), today_in_london()
    back = safe_path(request.form.get("back"), "/enquiries")
    chosen, said = request.form.getlist("chosen")[:MOST_GIVEN], request.form.get("to", "")
    to = user_with(int(said)) if said.isascii() and said.isdigit() and len(said) < 10 else None
    if not chosen or (to is None and said != "turn"):
        tell("Tick the households, and choose who gets them.", "warning")
        return see_other(back)
    cases = []
    for one in dict.fromkeys(chosen):
        reference, _, owner = one.partition(".")
        owner_id = int(owner) if owner.isascii() and owner.isdigit() and len(owner) < 10 else None
        cases.append((case_for(actor, reference, today=today), owner_id))
    done = give_many(cases, to=to, actor=actor, now=now, today=today, rulebook=policy.rulebook_on(today))
    tell(_what_was_given(done, asked=len(cases)), "success" if done.given else "information")
    return see_other(back)


def _what_was_given(done: Given, *, asked: int) -> str:
    by_name: dict[str, int] = {}
    for _, name in done.given:
        by_name[name] = by_name.get(name, 0) + 1
    words = [f"{many(count, 'household')} to {name}" for name, count in by_name.items()]
    said = [f"Given: {'; '.join(words)}, with the open tasks on them."] if words else []
    said += [f"{case.household.name} stays: {name} was a moment sooner." for case, name in done.late]
    if asked > len(done.given) + len(done.late):
        said.append(f"{many(asked - len(done.given) - len(done.late), 'household')} stay with whoever has them.")
    return " ".join(said)


# --- Logging ----------------------------------------------------------------------------------------------------------


@bp.route("/enquiries/new", methods=["GET", "POST"])
@requires(Permission.LOG_ENQUIRY)
@writes
def new() -> Response | tuple[str, int]:
    """Log an enquiry while talking. When we may know them already, a person says so before anything is stored."""
    actor, now, today = current_actor(), now_utc(), today_in_london()
    rulebook = policy.rulebook_on(today)
    form = NewEnquiryForm()
    form.news.choices = [(channel, policy.wording(f"consent.{channel}", today).text) for channel in NEWS_CHANNELS]
    alike: list[LookAlike] = []
    if form.is_sent_and_right():
        people = _people(form, today=today)
        alike = _alike(people, form.postcode.data, actor=actor, today=today)
        form.join.choices = [
            *((one.reference, f"Yes: {one.household}, {one.reference}") for one in alike),
            ("new", "No, a household we do not know"),
        ]
        same_as, said = None, form.join.data
        if any(one.is_strong for one in alike) and said not in {value for value, _ in form.join.choices}:
            form.join.errors = ["We may know them already. Compare them, then choose one of the answers"]
        else:
            try:
                if said and said != "new":
                    same_as = case_for(actor, said, today=today)
                    if not may_take_a_touch(same_as):
                        raise Refusal("That household’s journey has ended. Log them as a new one.", field="join")
                case = triage.log_enquiry(
                    people=people,
                    touch=_touch(form, now=now, today=today),
                    postcode=form.postcode.data or None,
                    facts={"sent_by": form.sent_by.data} if form.sent_by.data else {},
                    actor=actor,
                    now=now,
                    today=today,
                    rulebook=rulebook,
                    same_as=same_as,
                    is_mine=form.is_mine.data,
                    talked=form.talked.data,
                )
            except Refusal as refusal:
                form.take_refusal(refusal)
            else:
                due = f" First call by {day(case.next_action_due_on)}." if case.next_action_due_on else ""
                tell(
                    f"Added to {case.household.name}: what they said is on the timeline."
                    if same_as
                    else f"{case.household.name} is logged as {case.reference}.{due}"
                )
                return see_other(f"/cases/{case.reference}" + ("/screening" if form.talked.data else ""))
    return render(
        "enquiries/new.html",
        script=SCRIPT,
        here="enquiries",
        form=form,
        alike=alike,
        today=today,
        promise=rulebook.response_promise(form.channel.data),
    ), form.status


def _people(form: Any, *, today: date) -> list[NewPerson]:
    safe = form.safe.data or "yes"
    warning = ". ".join(part for part in (SAFE_WORDS[safe] if safe != "yes" else "", form.safe_note.data) if part)
    people = [
        NewPerson(
            given_name=form.given_name.data,
            family_name=form.family_name.data or None,
            phone=form.phone.data or None,
            email=form.email.data or None,
            contact_times=TIMES_WORDS.get(form.contact_times.data or ""),
            prefers="text" if safe == "text_first" else None,
            no_calls=safe == "text_first",
            no_voicemail=safe != "yes",
            safe_contact=warning or None,
            consents=tuple(
                NewConsent(channel, True, policy.wording(f"consent.{channel}", today).version)
                for channel in form.news.data or ()
            ),
        )
    ]
    if form.second_given_name.data:
        people.append(
            NewPerson(
                given_name=form.second_given_name.data,
                family_name=form.second_family_name.data or None,
                role=PersonRole.APPLICANT_2,
                phone=form.second_phone.data or None,
                email=form.second_email.data or None,
                no_voicemail=safe != "yes",
            )
        )
    return people


def _alike(people: list[NewPerson], postcode: str | None, *, actor: Actor, today: date) -> list[LookAlike]:
    found: dict[int, LookAlike] = {}
    for person in people:
        for one in look_alikes(
            email=person.email,
            phone=person.phone,
            given_name=person.given_name,
            family_name=person.family_name,
            postcode=postcode,
            actor=actor,
            today=today,
        ):
            found.setdefault(one.case_id, one)
    return sorted(found.values(), key=lambda one: (not one.is_strong, -one.score))


def _touch(form: Any, *, now: datetime, today: date) -> NewTouch:
    channel = Channel(form.channel.data)
    on = form.received_on.data
    if on is not None and on > today:
        raise Refusal("That day is still to come. Give the day they reached us.", status=422, field="received_on")
    received_at = now if on is None or on == today else datetime.combine(on, time(12), LONDON)
    return NewTouch(
        channel=channel,
        received_at=received_at,
        source={"phone": "Phone call", "email": "Email", "referral": "Referral", "hub": "Hub"}.get(
            channel.value, "Logged by staff"
        ),
        said=form.said.data or None,
        one_time_id=f"log:{form.one_time_id.data}"[:80],
    )


# --- A case's enquiry -------------------------------------------------------------------------------------------------


@bp.route("/cases/<reference>/contact", methods=["GET", "POST"])
@requires(Permission.RECORD_CONTACT)
@records_view("case")
@writes
def record_contact(reference: str) -> Response | tuple[str, int]:
    """Spoke to them, or tried to."""
    actor, now, today = current_actor(), now_utc(), today_in_london()
    rulebook = policy.rulebook_on(today)
    case = case_for(actor, reference, today=today)
    people = [person for person in case.household.people if person.is_applicant and person.left_household_on is None]
    form = ContactForm(people, seen=str(case.version))
    if form.is_sent_and_right():
        person = next(one for one in people if str(one.id) == form.person.data)
        seen = _seen(form)
        try:
            if form.how.data == "spoke":
                first = triage.record_talk(
                    case,
                    person,
                    note=form.note.data,
                    on=form.on.data,
                    actor=actor,
                    now=now,
                    today=today,
                    rulebook=rulebook,
                    seen=seen,
                )
                tell(
                    f"The talk with {person.given_name} is on the timeline."
                    + (" The response clock has stopped. Screening comes next." if first else "")
                )
                return see_other(f"/cases/{case.reference}" + ("/screening" if first else ""))
            contact.log_attempt(
                case,
                person,
                how=form.how.data,
                note=form.note.data or None,
                on=form.on.data,
                actor=actor,
                now=now,
                today=today,
                rulebook=rulebook,
                seen=seen,
            )
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            due = f" The clock runs on: {day(case.next_action_due_on)}." if case.next_action_due_on else ""
            tell(f"The try to reach {person.given_name} is on the timeline.{due}")
            return see_other(f"/cases/{case.reference}")
    saw(case_id=case.id)
    return render(
        "enquiries/record_contact.html",
        here="enquiries",
        head=case_head(case, today=today, rulebook=rulebook),
        form=form,
        case=case,
        people=people,
        not_wanted=contact.not_wanted,
        tries=queries.tries_shown(case, actor, today=today),
        least_tries=rulebook.response.least_tries,
        now=now,
        today=today,
    ), form.status


@bp.post("/cases/<reference>/tried")
@requires(Permission.RECORD_CONTACT)
@writes
def tried(reference: str) -> Response:
    """A try that reached nobody, in one tap: of the person named, or of whoever would be rung first."""
    actor, now, today = current_actor(), now_utc(), today_in_london()
    rulebook = policy.rulebook_on(today)
    case = case_for(actor, reference, today=today)
    how, person = request.form.get("how", ""), _whom_to_try(case, request.form.get("person", ""))
    if how not in contact.ATTEMPT_WORDS or person is None:
        raise Refusal("Say how you tried to reach them, and whom.", status=422)
    attempt = contact.log_attempt(
        case, person, how=how, note=None, actor=actor, now=now, today=today, rulebook=rulebook
    )
    due = f" The clock runs on: {day(case.next_action_due_on)}." if case.next_action_due_on else ""
    tell(
        f"{contact.ATTEMPT_WORDS[how]}: {person.full_name}, {clock_time(now)}.{due}",
        undo=f"/cases/{case.reference}/tries/{attempt.id}/undo",
        offer=("Send “We tried to ring you”", f"/cases/{case.reference}/tries/{attempt.id}/write")
        if how in contact.RANG
        else None,
    )
    return see_other(safe_path(request.form.get("back"), f"/cases/{case.reference}"))


def _whom_to_try(case: Case, said: str) -> Person | None:
    """The applicant named; where nobody was, the first with a number, else the first."""
    people = [person for person in case.household.people if person.is_applicant and person.left_household_on is None]
    if said:
        return next((person for person in people if str(person.id) == said), None)
    willing = [person for person in people if not person.no_contact]
    return next((person for person in willing if person.phone), willing[0] if willing else None)


@bp.post("/cases/<reference>/tries/<int:attempt_id>/undo")
@requires(Permission.RECORD_CONTACT)
@writes
def undo_try(reference: str, attempt_id: int) -> Response:
    """Take back a try that was tapped by mistake."""
    actor, now, today = current_actor(), now_utc(), today_in_london()
    case = case_for(actor, reference, today=today)
    attempt = queries.attempt_of(case, attempt_id)
    contact.undo_attempt(case, attempt, actor=actor, now=now, today=today, rulebook=policy.rulebook_on(today))
    tell(f"Taken back: {contact.ATTEMPT_WORDS[attempt.how][0].lower()}{contact.ATTEMPT_WORDS[attempt.how][1:]}.")
    return see_other(safe_path(request.form.get("back"), f"/cases/{case.reference}"))


@bp.post("/cases/<reference>/tries/<int:attempt_id>/write")
@requires(Permission.RECORD_CONTACT)
@writes
def write_after_try(reference: str, attempt_id: int) -> Response:
    """Send whoever did not answer word that we rang, by text or email as they wish."""
    actor, now, today = current_actor(), now_utc(), today_in_london()
    case = case_for(actor, reference, today=today)
    attempt = queries.attempt_of(case, attempt_id)
    person = next((one for one in case.household.people if one.id == attempt.person_id), None)
    if person is None or attempt.how not in contact.RANG or attempt.undone_at is not None:
        raise Refusal("That is for a call that nobody answered.", status=409)
    back = safe_path(request.form.get("back"), f"/cases/{case.reference}")
    try:
        message = contact.write_that_we_tried(case, person, actor=actor, now=now, today=today)
    except contact.TheyAskedUsNotTo as refusal:
        tell(refusal.message, "warning")
        return see_other(back)
    by = {"email": "an email", "text": "a text"}[message.channel]
    if message.queued_at < now:
        tell(f"{person.full_name} has had {by} about it today already.", "information")
    else:
        later = f", at {clock_time(message.not_before)} when they may be reached" if message.not_before > now else ""
        tell(f"{person.full_name} is sent {by} that we tried to ring{later}.")
    return see_other(back)


@bp.route("/cases/<reference>/screening", methods=["GET", "POST"], endpoint="screening")
@requires(Permission.RECORD_CONTACT)
@records_view("case")
@writes
def screening_page(reference: str) -> Response | tuple[str, int]:
    """What is known, what is still to ask, what it amounts to; and a person's decision."""
    actor, now, today = current_actor(), now_utc(), today_in_london()
    rulebook = policy.rulebook_on(today)
    case = case_for(actor, reference, today=today)
    on_case = is_on_case(actor, case, today=today)
    shown = screening.screening_of(case, actor, on_case=on_case, rulebook=rulebook)
    decides = request.form.get("do") == "decide"
    form = screening_form(shown.known, shown.applicants)(seen=str(case.version))
    decision = DecisionForm(outcome=case.eligibility_outcome)
    is_right = form.is_sent_and_right()
    if decides:
        is_right = decision.is_sent_and_right() and is_right
    if is_right:
        try:
            screening.keep_answers(
                case,
                answers={
                    one.criterion.name: form[f"answer_{one.criterion.name}"].data
                    for one in shown.known
                    if not one.is_hidden
                },
                born_on={person.id: form[f"born_{person.id}"].data for person in shown.applicants},
                note=form.note.data,
                actor=actor,
                now=now,
                today=today,
                rulebook=rulebook,
                seen=_seen(form),
            )
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            if not decides:
                tell("The answers are kept. Below is what they amount to: decide when you are ready.")
                return see_other(f"/cases/{case.reference}/screening#advice")
            could_decide = not shown.something_is_hidden
            shown = screening.screening_of(case, actor, on_case=on_case, rulebook=rulebook)
            if could_decide and shown.something_is_hidden:
                tell("The answers are kept. One is shown only to those who have this case, so its owner decides.")
                return see_other(f"/cases/{case.reference}/screening#advice")
            outcome = Outcome(decision.outcome.data)
            try:
                screening.decide_eligibility(
                    case,
                    outcome=outcome,
                    reason=decision.reason.data or None,
                    screening=shown,
                    actor=actor,
                    now=now,
                    today=today,
                    rulebook=rulebook,
                )
            except Refusal as refusal:
                decision.take_refusal(refusal)
            else:
                return _after_decision(case, outcome, shown)
    saw(case_id=case.id, kinds=shown.shows)
    return render(
        "enquiries/screening.html",
        here="enquiries",
        head=case_head(case, today=today, rulebook=rulebook),
        case=case,
        form=form,
        decision=decision,
        screening=shown,
        fact_words=facts.FACT_WORDS,
        outcome_words=OUTCOME_WORDS,
        criterion_words={one.name: one.staff_words for one in rulebook.criteria},
        may_take=may_take(case, actor),
    ), max(form.status, decision.status)


def _after_decision(case: Case, outcome: Outcome, shown: screening.Screening) -> Response:
    tell(f"Decided: {OUTCOME_WORDS[outcome].lower()}. It is on the timeline.")
    if outcome is Outcome.NOT_NOW:
        back = shown.advice.come_back_on
        return see_other(f"/cases/{case.reference}/not-now" + (f"?on={back.isoformat()}" if back else ""))
    if outcome is Outcome.NOT_ELIGIBLE:
        return see_other(f"/cases/{case.reference}/close")
    return see_other(f"/cases/{case.reference}")


@bp.route("/cases/<reference>/not-now", methods=["GET", "POST"])
@requires(Permission.DECIDE_ELIGIBILITY)
@records_view("case")
@writes
def not_now(reference: str) -> Response | tuple[str, int]:
    """Let an enquiry rest until a day."""
    actor, now, today = current_actor(), now_utc(), today_in_london()
    rulebook = policy.rulebook_on(today)
    case = case_for(actor, reference, today=today)
    wish = queries.wish_to_be_rung(case.id, today=today)
    form = NotNowForm(seen=str(case.version), back_on=_day_asked_for() or wish, write_to_them=True)
    if form.is_sent_and_right():
        try:
            triage.rest_until(
                case,
                back_on=form.back_on.data,
                reason_code=form.reason.data,
                words=form.words.data,
                write_to_them=form.write_to_them.data,
                actor=actor,
                now=now,
                today=today,
                rulebook=rulebook,
                seen=_seen(form),
            )
        except Refusal as refusal:
            _take(form, refusal, {"recontact_on": "back_on"})
        else:
            tell(f"{case.household.name} rests until {day(form.back_on.data)}. The owner is reminded on that day.")
            return see_other(f"/cases/{case.reference}")
    saw(case_id=case.id)
    return render(
        "enquiries/not_now.html",
        here="enquiries",
        head=case_head(case, today=today, rulebook=rulebook),
        form=form,
        case=case,
        wish=wish,
    ), form.status


@bp.route("/cases/<reference>/close", methods=["GET", "POST"])
@requires(Permission.CLOSE_ENQUIRY)
@records_view("case")
@writes
def close(reference: str) -> Response | tuple[str, int]:
    """Close an enquiry, with a reason."""
    actor, now, today = current_actor(), now_utc(), today_in_london()
    rulebook = policy.rulebook_on(today)
    case = case_for(actor, reference, today=today)
    form = CloseForm(seen=str(case.version))
    if form.is_sent_and_right():
        given: dict[str, Any] = {"actor": actor, "now": now, "today": today, "rulebook": rulebook, "seen": _seen(form)}
        said = {"words": form.words.data, "write_to_them": form.write_to_them.data}
        asks = form.reason.data == "no_response" and not actor.has(Permission.AGREE_CLOSING)
        try:
            if asks:
                triage.ask_to_close(case, **said, **given)
            else:
                triage.close_enquiry(case, reason_code=form.reason.data, **said, **given)
        except Refusal as refusal:
            _take(form, refusal, {}, otherwise="reason" if isinstance(refusal, MoveNotOpen) else None)
        else:
            tell(
                f"A manager is asked to agree that {case.household.name} can’t be reached. "
                "It stays open, and its clocks run on, until then."
                if asks
                else f"{case.household.name} is closed. It can be opened again if they come back."
            )
            return see_other(f"/cases/{case.reference}")
    return _close_page(case, form, DeclineForm(takes_answers=False, seen=str(case.version))), form.status


def _close_page(case: Case, form: CloseForm, decline: DeclineForm) -> str:
    actor, today = current_actor(), today_in_london()
    rulebook = policy.rulebook_on(today)
    saw(case_id=case.id)
    return render(
        "enquiries/close.html",
        here="enquiries",
        head=case_head(case, today=today, rulebook=rulebook),
        form=form,
        decline=decline,
        case=case,
        asked=queries.asked_to_close(case),
        tries=queries.tries_shown(case, actor, today=today),
        least_tries=rulebook.response.least_tries,
        reasons=CLOSING_REASONS.values(),
    )


@bp.post("/cases/<reference>/close/agree")
@requires(Permission.AGREE_CLOSING)
@records_view("case")
@writes
def agree_to_close(reference: str) -> Response:
    """A manager agrees that nobody answers."""
    actor, now, today = current_actor(), now_utc(), today_in_london()
    case = case_for(actor, reference, today=today)
    triage.agree_to_close(
        case,
        queries.waiting_request(case),
        actor=actor,
        now=now,
        today=today,
        rulebook=policy.rulebook_on(today),
    )
    tell(f"{case.household.name} is closed. It can be opened again if they come back.")
    return see_other(f"/cases/{case.reference}")


@bp.post("/cases/<reference>/close/decline")
@requires(Permission.AGREE_CLOSING)
@records_view("case")
@writes
def decline_to_close(reference: str) -> Response | tuple[str, int]:
    """A manager says what to try first."""
    actor, now, today = current_actor(), now_utc(), today_in_london()
    case = case_for(actor, reference, today=today)
    form = DeclineForm()
    if form.is_sent_and_right():
        triage.decline_to_close(
            case,
            queries.waiting_request(case),
            why=form.why.data,
            actor=actor,
            now=now,
            today=today,
            rulebook=policy.rulebook_on(today),
        )
        tell(f"{case.household.name} stays open. What to try first is on the timeline.")
        return see_other(f"/cases/{case.reference}")
    return _close_page(case, CloseForm(takes_answers=False, seen=str(case.version)), form), form.status


@bp.route("/cases/<reference>/reopen", methods=["GET", "POST"])
@requires(Permission.RECORD_CONTACT)
@records_view("case")
@writes
def reopen(reference: str) -> Response | tuple[str, int]:
    """Open a resting or closed enquiry again."""
    actor, now, today = current_actor(), now_utc(), today_in_london()
    rulebook = policy.rulebook_on(today)
    case = case_for(actor, reference, today=today)
    form = ReopenForm(seen=str(case.version))
    if form.is_sent_and_right():
        try:
            triage.reopen_enquiry(
                case, note=form.note.data, actor=actor, now=now, today=today, rulebook=rulebook, seen=_seen(form)
            )
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            due = f" Next: {case.next_action}, by {day(case.next_action_due_on)}." if case.next_action_due_on else ""
            tell(f"{case.household.name} is open again.{due}")
            return see_other(f"/cases/{case.reference}")
    saw(case_id=case.id)
    return render(
        "enquiries/reopen.html",
        here="enquiries",
        head=case_head(case, today=today, rulebook=rulebook),
        form=form,
        case=case,
    ), form.status


def _seen(form: BaseForm) -> int | None:
    seen = form.seen.data or ""
    return int(seen) if seen.isascii() and seen.isdigit() and len(seen) < 10 else None


def _take(form: BaseForm, refusal: Refusal, fields: dict[str, str], *, otherwise: str | None = None) -> None:
    """Show a refusal beside the field of this form that stands for the domain's, or beside ``otherwise``."""
    refusal.field = fields.get(refusal.field or "", refusal.field) or otherwise
    form.take_refusal(refusal)


def _day_asked_for() -> date | None:
    try:
        return date.fromisoformat(request.args.get("on", ""))
    except ValueError:
        return None


# The other pages: imported here so that whoever takes the blueprint has them all.
from crm.enquiries import export_views, mailing_views  # noqa: E402, F401
