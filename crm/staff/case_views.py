"""The page of one case, the heart of the product: what to do now, what is known, and the story so far."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any

from flask import Response, current_app, make_response, request, url_for

from crm import policy
from crm.access.guards import current_actor, declared_for, requires
from crm.assessments import queries as assessments
from crm.cases import contact, summary, tasks
from crm.cases.hand_over import may_take
from crm.cases.models import Case
from crm.cases.queries import case_by_id, case_for, case_head, is_on_case, timeline_page, was_taken_up
from crm.clock import london_date, now_utc, today_in_london
from crm.enquiries import queries as enquiries
from crm.rules import transitions
from crm.rules.permissions import Actor, Permission, Sensitivity, permissions_of
from crm.rules.preparation import why_no_place
from crm.rules.refusal import Refusal
from crm.rules.rulebook import Rulebook
from crm.rules.stages import OPEN_ENQUIRY, EnquiryStage, TrackName
from crm.rules.transitions import Evidence
from crm.staff import case_page as pages
from crm.staff.case_forms import NoteForm
from crm.staff.move_pages import MOVE_PAGES, MovePage
from crm.staff.my_day import task_of
from crm.staff.views import address_of, bp, case_path
from crm.visits import queries as visits
from crm.web.notices import tell
from crm.web.pages import render, safe_path, see_other
from crm.web.sightings import records_view, saw
from crm.web.writes import writes

SHUT_SHOWN = 4
OPEN = "Open"
_EVIDENCE_FIELDS = frozenset(field.name for field in fields(Evidence))


@dataclass(frozen=True)
class Button:
    """Something that can be done now: its words and where it is done. ``task_id``: a task, ticked off on the spot."""

    label: str
    href: str | None
    task_id: int | None = None


@dataclass(frozen=True)
class Now:
    """ "What to do now": the one next thing, the other open moves, and those that are shut, with the reason."""

    what: str
    rule: str
    state: str
    state_words: str
    button: Button | None
    others: tuple[Button, ...]
    shut: tuple[tuple[str, str], ...]
    shut_more: tuple[tuple[str, str], ...]


@bp.get("/cases/<reference>")
@requires(Permission.VIEW_CASES)
@records_view("case")
def case(reference: str) -> Response:
    """The overview of a case."""
    return _overview(reference, NoteForm())


@bp.post("/cases/<reference>/notes")
@requires(Permission.WRITE_NOTE)
@records_view("case")
@writes
def add_note(reference: str) -> Response:
    """Keep a note on the timeline. A note that can't be kept comes back with everything that was typed."""
    form = NoteForm()
    if not form.is_sent_and_right():
        return _overview(reference, form)
    found = case_for(current_actor(), reference, today=today_in_london())
    contact.add_note(
        found,
        text=form.note.data or "",
        kind=form.kind.data,
        sensitivity=Sensitivity(form.readers.data),
        actor=current_actor(),
        now=now_utc(),
    )
    tell(f"Note kept on {found.household.name}.")
    return see_other(case_path(found.reference) + "#timeline")


@bp.get("/cases/<reference>/timeline")
@requires(Permission.VIEW_CASES)
@records_view("case")
def timeline(reference: str) -> str:
    """The story of a case, page by page; only its lines when a script asks for the next ones."""
    actor, today = current_actor(), today_in_london()
    found = case_for(actor, reference, today=today)
    saw(case_id=found.id, subject=f"case:{found.reference}")
    kind = _kind()
    lines, goes_on = timeline_page(
        found, actor, on_case=is_on_case(actor, found, today=today), kind=kind, before=_before()
    )
    parts: dict[str, Any] = {
        "lines": lines,
        "kind": kind,
        "earlier": _earlier(found.reference, kind, goes_on),
        "base": case_path(found.reference),
    }
    if request.headers.get("HX-Request"):
        return render("staff/_timeline_lines.html", **parts)
    head = case_head(found, today=today, rulebook=policy.rulebook_on(today))
    return render("staff/timeline.html", here=None, head=head, kinds=pages.TIMELINE_KINDS, **parts)


def _overview(reference: str, form: NoteForm) -> Response:
    actor, now, today = current_actor(), now_utc(), today_in_london()
    rulebook = policy.rulebook_on(today)
    found = case_for(actor, reference, today=today)
    if was_taken_up(reference, found):
        tell(f"{reference.strip().upper()} was merged into this household.")
        return see_other(case_path(found.reference))
    on_case = is_on_case(actor, found, today=today)
    page = pages.case_page(found, actor, on_case=on_case, now=now, today=today, rulebook=rulebook)
    lines, goes_on = timeline_page(found, actor, on_case=on_case, kind=_kind(), before=None)
    saw(case_id=found.id, subject=f"case:{found.reference}", kinds=page.sensitive_seen)
    body = render(
        "staff/case.html",
        here=None,
        head=case_head(found, today=today, rulebook=rulebook, running=page.running),
        page=page,
        owner_id=found.owner_id,
        is_open=found.is_open,
        may_take=may_take(found, actor),
        takes_courses=why_no_place(found.stages, may_choose_early=actor.has(Permission.DECIDE_TO_ASSESS)) is None,
        tries=_tries(found, page, actor, today=today),
        now=what_to_do_now(found, page, actor, today=today, rulebook=rulebook),
        screening=screening_of(found, actor),
        form=form,
        lines=lines,
        kinds=pages.TIMELINE_KINDS,
        kind=_kind(),
        earlier=_earlier(found.reference, _kind(), goes_on),
        base=case_path(found.reference),
        age=pages.age,
        today=today,
    )
    return make_response(body, form.status)


def _tries(found: Case, page: pages.CasePage, actor: Actor, *, today: date) -> enquiries.Tries | None:
    """What was tried to reach them, while somebody still has to and this person may say so."""
    still_to = {clock.rule for clock in page.running} & enquiries.TRIED_FOR
    if not still_to or not actor.has(Permission.RECORD_CONTACT):
        return None
    return enquiries.tries_shown(found, actor, today=today)


# --- What to do now ---------------------------------------------------------------------------------------------------


def what_to_do_now(found: Case, page: pages.CasePage, actor: Actor, *, today: date, rulebook: Rulebook) -> Now:
    """The next thing, and every move with its page, from what all features know of the case."""
    evidence = evidence_of(found, today=today, has_visits=page.has_visits)
    question: dict[str, Any] = {
        "tracks": found.stages,
        "evidence": evidence,
        "actor": actor,
        "today": today,
        "rulebook": rulebook,
    }
    shut = [(move.label, why) for move, why in transitions.shut_moves(**question)]
    what, rule, state, words, button = _next_thing(found, page, actor)
    others = []
    taken = {button.href} if button is not None and button.href else set()
    # What leads on comes first, what ends or pauses the journey last: those are the moves kept with a reason.
    opened = sorted(transitions.open_moves(**question), key=lambda move: move.needs_reason)
    leads_on = 0
    for move in opened:
        if move.name == "open_enquiry":
            continue
        target = page_for(MOVE_PAGES[move.name], found.reference, actor, **page.visit_ids)
        if target is not None and target not in taken:
            others.append(Button(move.label, target))
            leads_on += not move.needs_reason
            taken.add(target)
    # A clock of the whole journey has no page of its own: the move that leads on is what to do about it.
    is_whole = button is not None and (button.label, button.href) == (OPEN, f"{case_path(found.reference)}/assessment")
    if leads_on and words and (button is None or is_whole):
        button, others = others[0], others[1:]
    screening = screening_of(found, actor)
    if screening and found.eligibility_outcome is None and found.stages.get(TrackName.ENQUIRY) != EnquiryStage.NEW:
        others.insert(0, Button("Screen them", screening))
    return Now(what, rule, state, words, button, tuple(others), tuple(shut[:SHUT_SHOWN]), tuple(shut[SHUT_SHOWN:]))


def screening_of(found: Case, actor: Actor) -> str | None:
    """Where the household's answers are gone through, while it is an enquiry: what one call left open the next asks."""
    if found.stages.get(TrackName.ENQUIRY) not in OPEN_ENQUIRY or not may_open(actor, "enquiries.screening"):
        return None
    return url_for("enquiries.screening", reference=found.reference)


def _next_thing(found: Case, page: pages.CasePage, actor: Actor) -> tuple[str, str, str, str, Button | None]:
    """One's own task or the nearest clock, whichever is due first. A task of somebody else is theirs to do."""
    clock = page.clocks[0] if page.clocks else None
    task = next((task for task in page.tasks if task.assigned_to_id == actor.user_id), None)
    if task is not None and (clock is None or task.due_on < clock.due_on):
        words = f"Due {task.due_on:%a} {task.due_on.day} {task.due_on:%B}"
        return task.title, "", "due", words, Button("Done", None, task.id)
    if clock is not None:
        target = page_for(clock.page, found.reference, actor, **{**page.visit_ids, **clock.ids})
        label = clock.page.label if may_open(actor, clock.page.endpoint) else OPEN
        button = Button(label, target) if target is not None else None
        return clock.action, clock.rule_and_source, clock.state, f"{clock.state_words}. {clock.when}", button
    if found.is_open:
        return found.next_action or "Agree what happens next", "", "due", "", None
    return "Nothing more is to be done. This journey has ended.", "", "closed", "", None


def evidence_of(found: Case, *, today: date, has_visits: bool = True) -> Evidence:
    """All that the features know of a case, as far as moves depend on it. One that has nothing on it isn't asked."""
    known: dict[str, Any] = {
        "received_on": london_date(found.opened_at),
        "eligibility_outcome": found.eligibility_outcome,
    }
    if has_visits:
        known.update(visits.evidence_for(found, today))
    if TrackName.APPLICATION in found.stages or found.stages.get(TrackName.ENQUIRY) in ("invited", "applied"):
        known.update(assessments.evidence_for(found, today))
    return Evidence(**{name: value for name, value in known.items() if name in _EVIDENCE_FIELDS})


def page_for(page: MovePage, reference: str, actor: Actor, **ids: int) -> str | None:
    """Where this person does it; None when none of its pages is theirs to open."""
    for endpoint in (page.endpoint, page.otherwise):
        if endpoint == "staff.case" or not may_open(actor, endpoint):
            continue
        target = address_of(MovePage(endpoint, "staff.case"), reference, **ids)
        if target != case_path(reference):
            return target
    return None


def may_open(actor: Actor, endpoint: str) -> bool:
    """Whether an endpoint exists and declares itself open to this person."""
    if endpoint not in current_app.view_functions:
        return False
    declared = declared_for(current_app, endpoint)
    if declared is None or declared.audience != "staff":
        return False
    held = permissions_of(actor.kind, actor.roles)
    return held.issuperset(declared.all_of) and (not declared.any_of or not held.isdisjoint(declared.any_of))


# --- Timeline ---------------------------------------------------------------------------------------------------------


def _kind() -> str | None:
    kind = request.args.get("show")
    return kind if kind in pages.TIMELINE_KINDS else None


def _before() -> tuple[datetime, int] | None:
    moment, _, number = request.args.get("before", "").partition("_")
    try:
        at = datetime.fromisoformat(moment)
        return (at, int(number)) if at.tzinfo is not None and len(number) < 16 else None
    except ValueError:
        return None


def _earlier(reference: str, kind: str | None, goes_on: tuple[datetime, int] | None) -> str | None:
    if goes_on is None:
        return None
    before = f"{goes_on[0].isoformat()}_{goes_on[1]}"
    return url_for("staff.timeline", reference=reference, show=kind, before=before)


# --- Tasks ------------------------------------------------------------------------------------------------------------


class NotYourTask(Refusal):
    """There is no such task on this person's day."""

    default_status = 404


@bp.post("/tasks/<int:task_id>/done")
@requires(any_of=(Permission.VIEW_CASES, Permission.MANAGE_SETTINGS))
@writes
def complete_task(task_id: int) -> Response:
    """Tick off one of one's own tasks."""
    actor = current_actor()
    task = task_of(actor, task_id)
    if task is None:
        raise NotYourTask("That task is not on your list any more.")
    tasks.complete_task(task, actor=actor, now=now_utc())
    _refresh(task.case_id)
    tell(f"Done: {task.title}. It is under “Done today” if you want it back.")
    return see_other(_back())


@bp.post("/tasks/<int:task_id>/undo")
@requires(any_of=(Permission.VIEW_CASES, Permission.MANAGE_SETTINGS))
@writes
def reopen_task(task_id: int) -> Response:
    """Put a ticked-off task back."""
    actor = current_actor()
    task = task_of(actor, task_id)
    if task is None or task.done_at is None:
        raise NotYourTask("That task is on your list already.")
    tasks.reopen_task(task, actor=actor, now=now_utc())
    _refresh(task.case_id)
    tell(f"Back on your list: {task.title}.")
    return see_other(_back())


def _refresh(case_id: int | None) -> None:
    if case_id is not None:
        today = today_in_london()
        summary.refresh(case_by_id(case_id), today=today, rulebook=policy.rulebook_on(today))


def _back() -> str:
    return safe_path(request.form.get("back"), "/my-day")
