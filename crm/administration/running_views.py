"""What runs by itself, what waits to go out, and the trail of who did what. Nothing here opens a household's story."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from flask import Response, current_app, make_response, request, url_for
from sqlalchemy import func, select

from crm import audit, delivery, policy
from crm.access.guards import current_actor, requires
from crm.access.queries import names_of
from crm.administration.views import bp
from crm.assessments.documents import files_held
from crm.audit import chain
from crm.audit import queries as trail
from crm.audit.event_names import EVENTS, words_for
from crm.audit.models import AuditEntry
from crm.cases.models import Case
from crm.clock import now_utc, today_in_london
from crm.db import db, end_read, transaction
from crm.delivery import queries as outbox
from crm.delivery.again import try_again
from crm.delivery.failures import failure_words
from crm.delivery.letters import LETTERS
from crm.delivery.models import CHANNEL_WORDS, STATUS_MARKS, STATUS_WORDS, MessageStatus
from crm.files import scanning
from crm.jobs import queries as jobs_kept
from crm.jobs import runner
from crm.rules.panel import PANEL_EDITIONS
from crm.rules.permissions import Permission
from crm.rules.reforms import REFORMS
from crm.rules.refusal import Refusal
from crm.rules.transitions import MOVES
from crm.web.notices import tell
from crm.web.pages import render, see_other
from crm.web.writes import writes, writes_by_itself

SHOWN = {
    "": ("All", ()),
    "waiting": ("Waiting to go", (MessageStatus.QUEUED, MessageStatus.SENDING)),
    "held": ("Held", (MessageStatus.HELD,)),
    "to_print": ("To print", (MessageStatus.TO_PRINT,)),
    "given_up": ("Not delivered", (MessageStatus.GIVEN_UP,)),
}
CERTAINTY_WORDS = {
    "L": "Law",
    "L*": "Law, read at second hand",
    "NMS": "National standard",
    "NMS*": "National standard, read at second hand",
    "SG": "Statutory guidance",
    "CP": "Common practice of services",
}
CASES_TO_CHECK_HERE = 5_000
ENTRIES_TO_VERIFY_HERE = 100_000


class TooManyToDoHere(Refusal):
    """The whole takes too long for a page."""


def letter_name(kind: str) -> str:
    found = LETTERS.get(kind)
    return found.title if found is not None else kind.replace("_", " ").capitalize()


# --- Letters ----------------------------------------------------------------------------------------------------------


@bp.get("/admin/letters")
@requires(Permission.VIEW_OUTBOX)
def letters() -> str:
    """The outbox: what kind, where it is, since when. Never to whom, and never what it says."""
    show = request.args.get("show", "")
    show = show if show in SHOWN else ""
    page = outbox.outbox_page(statuses=SHOWN[show][1], before=request.args.get("before", type=int))
    return render(
        "administration/letters.html",
        here="admin",
        page=page,
        show=show,
        shown=SHOWN,
        totals=outbox.counts(),
        waited=outbox.oldest_unsent_age(now=now_utc()),
        letter_name=letter_name,
        status_words=STATUS_WORDS,
        states=STATUS_MARKS,
        channel_words=CHANNEL_WORDS,
        failure_words=failure_words,
    )


@bp.post("/admin/letters/release")
@requires(Permission.VIEW_OUTBOX, Permission.MANAGE_SETTINGS)
@writes
def release_letters() -> Response:
    """Let the held letters go, in their old order."""
    count = delivery.release_held(now=now_utc())
    audit.record("letter.released", actor=current_actor(), at=now_utc(), detail={"letters": count})
    tell(f"{count:,} letters are let go. They leave in their old order." if count else "No letter was held.")
    return see_other(url_for("administration.letters"))


@bp.post("/admin/letters/<int:letter_id>/retry")
@requires(Permission.VIEW_OUTBOX, Permission.MANAGE_SETTINGS)
@writes
def retry_letter(letter_id: int) -> Response:
    """Try a letter again that could not be delivered."""
    letter = outbox.message_by_id(letter_id)
    if letter is None:
        raise Refusal("We can’t find that letter.", status=404)
    try_again(letter, actor=current_actor(), now=now_utc())
    tell("The letter is tried again now.")
    return see_other(url_for("administration.letters", show="given_up"))


# --- Jobs, checks, rules ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class JobShown:
    """One timed job: what it does, how often, and how it stands."""

    title: str
    every: str
    state: str
    words: str
    last_good_at: datetime | None
    count: int | None


@bp.get("/admin/jobs")
@requires(Permission.RUN_CHECKS)
def jobs() -> str:
    """What runs by itself: when it last went well, and whether the worker is alive."""
    now = now_utc()
    kept = {row.name: row for row in jobs_kept.job_runs()}
    rows = []
    for job in current_app.extensions[runner.EXTENSION].jobs:
        row = kept.get(job.name)
        if row is None:
            state, words = "none", "Has not run yet"
        elif row.failures_in_a_row:
            state, words = "over", f"Failed {row.failures_in_a_row} times: {row.last_fault or 'unknown'}"
        else:
            state, words = "ok", "Went well"
        rows.append(
            JobShown(
                title=job.title,
                every=_every(job.every.total_seconds()),
                state=state,
                words=words,
                last_good_at=row.last_good_at if row else None,
                count=row.last_count if row else None,
            )
        )
    return render(
        "administration/jobs.html",
        here="admin",
        rows=rows,
        workers=jobs_kept.workers_seen(),
        now=now,
        scanner=_scanner(),
    )


def _scanner() -> tuple[str, str, str, int]:
    """How the virus scanner stands, in a mark, a word and a sentence; and how many files wait for it."""
    at = current_app.extensions["crm_settings"].clamd
    held = files_held()
    if at is None:
        return "over" if held else "none", "None", "Set one up with CRM_CLAMD.", held
    end_read()
    try:
        return "ok", "Answers", scanning.version(at), held
    except scanning.ScannerDown:
        return "over", "No answer", "It is asked again and again.", held


def _every(seconds: float) -> str:
    for size, name in ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")):
        if seconds >= size:
            number = int(seconds // size)
            return f"every {name}" if number == 1 else f"every {number} {name}s"
    return "all the time"


@bp.route("/admin/checks", methods=["GET", "POST"])
@requires(Permission.RUN_CHECKS)
@writes_by_itself("it reads every case with a connection of its own, and changes nothing")
def checks() -> Response:
    """Compare what is stored with what it should be. Reports, and mends nothing."""
    faults: list[str] | None = None
    if request.method == "POST":
        if (db.session.scalar(select(func.max(Case.id))) or 0) > CASES_TO_CHECK_HERE:
            raise TooManyToDoHere("There are too many cases to check on a page. Run “crm check” on the server.")
        faults = list(current_app.extensions["crm_check"](today=today_in_london()))
    return make_response(render("administration/checks.html", here="admin", faults=faults))


@bp.get("/admin/rules")
@requires(Permission.TRY_RULES)
def rules() -> str:
    """Every rule, with its source, its edition, and how certain we are of it."""
    rulebook = policy.rulebook_on(today_in_london())
    return render(
        "administration/rules.html",
        here="admin",
        edition=rulebook.edition,
        clocks=list(rulebook.deadlines.values()),
        checks=list(rulebook.check_rules),
        criteria=list(rulebook.criteria),
        retention=list(rulebook.retention.values()),
        panels=PANEL_EDITIONS,
        reforms=REFORMS,
        moves=MOVES,
        certainty=CERTAINTY_WORDS,
    )


# --- The trail --------------------------------------------------------------------------------------------------------


@bp.route("/admin/audit", methods=["GET", "POST"])
@requires(Permission.VIEW_AUDIT)
@writes_by_itself("it reads the whole trail in a transaction of its own, and changes nothing")
def audit_trail() -> Response:
    """Who did what, the newest first; on a POST, whether any of it was touched."""
    event = request.args.get("event") or None
    event = event if event in EVENTS else None
    report = _verify() if request.method == "POST" else None
    page = trail.recent_entries(
        before=request.args.get("before", type=int),
        actor_id=request.args.get("who", type=int),
        actor_kind="staff" if request.args.get("who", type=int) else None,
        event=event,
    )
    names = names_of(entry.actor_id for entry in page.entries if entry.actor_kind == "staff")
    body = render(
        "administration/audit.html",
        here="admin",
        page=page,
        staff_names=names,
        words_for=words_for,
        events=EVENTS,
        event=event,
        who=request.args.get("who", type=int),
        report=report,
    )
    return make_response(body)


def _verify() -> chain.VerifyReport:
    if (db.session.scalar(select(func.max(AuditEntry.id))) or 0) > ENTRIES_TO_VERIFY_HERE:
        raise TooManyToDoHere(
            "The trail is too long to check on a page. Run “crm audit verify” on the server.",
        )
    # One transaction, so that the trail can't grow while it is read; PostgreSQL's cursor needs one too.
    with transaction():
        return chain.verify(chain.read_anchors(current_app.extensions["crm_settings"].data_dir / chain.ANCHORS_FILE))
