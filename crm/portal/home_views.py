"""An applicant's own pages: where they are, what is theirs to do, the parts of the application, a message to us."""

from __future__ import annotations

from flask import Blueprint, Response, make_response, request, url_for

from crm.access.guards import current_actor, requires_applicant
from crm.access.models import SessionKind
from crm.assessments import documents, parts
from crm.assessments.parts import NotWhole, SavedMeanwhile, may_fill_in, part_named
from crm.clock import now_utc, today_in_london
from crm.policy import wording
from crm.portal import messages, where
from crm.portal.me import Me, me_of
from crm.portal.part_forms import MessageForm, PartForm, SignForm, part_form, rows_wanted
from crm.rules.application import PARTS, Part
from crm.rules.refusal import Refusal
from crm.web.errors import SignInNeeded
from crm.web.notices import tell
from crm.web.pages import render, see_other
from crm.web.writes import writes

bp = Blueprint("our_home", __name__)


def me() -> Me:
    """Whoever is signed in. Raises SignInNeeded for somebody who has nothing to see here any more."""
    mine = me_of(current_actor(), now=now_utc(), today=today_in_london())
    if mine is None:
        raise SignInNeeded(SessionKind.APPLICANT)
    return mine


@bp.get("/my")
@requires_applicant
def home() -> str:
    """Where the household is, whose turn it is, and what comes next."""
    mine = me()
    return render("portal/home.html", me=mine, way=where.way_of(mine))


@bp.get("/my/list")
@requires_applicant
def my_list() -> str:
    """What is theirs to do, what is shared, and how far the other is: never what the other wrote."""
    mine = me()
    case, person, partner = mine.case, mine.person, mine.partner
    return render(
        "portal/my_list.html",
        me=mine,
        own=parts.lines_for(case, person),
        shared=parts.lines_for(case, None),
        theirs=parts.lines_for(case, partner) if partner else [],
        names={one.id: one.given_name for one in case.household.people},
        has_signed=parts.has_signed(case, person),
        partner_signed=partner is not None and parts.has_signed(case, partner),
        may_fill_in=may_fill_in(case),
        undone=parts.undone_for(case, person),
        to_send=documents.undone_for(case, person, today=mine.today),
        takes_documents=documents.is_open(case),
    )


@bp.route("/my/part/<name>", methods=["GET", "POST"])
@requires_applicant
@writes
def part(name: str) -> Response:
    """One part: filled in, left half done, or read again."""
    mine, asked = me(), part_named(name)
    row = parts.parts_of(mine.case).get(parts.key_of(asked, mine.person))
    answers = parts.answers_of(row) if row is not None else parts.known_answers(mine.case, asked, mine.person)
    known = parts.known_for(mine.case, asked, mine.actor)
    version = row.version if row is not None else 0
    if not may_fill_in(mine.case):
        return make_response(render("portal/part_read.html", me=mine, part=asked, lines=parts.shown(asked, answers)))
    form = part_form(asked, answers, known, rows=_rows(asked, answers), seen=f"{mine.person.id}:{version}")
    do = request.form.get("do", "done")
    if form.is_sent_and_right() and (do != "done" or form.is_whole()):
        try:
            seen = _seen(form, mine)
            parts.save_part(mine.case, asked, form.answers(), is_done=do == "done", seen=seen, **mine.doing)
        except SavedMeanwhile as refusal:
            form.take_refusal(refusal)
            form.seen.data = f"{mine.person.id}:{version}"
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            return _after_saving(mine, asked, form, do)
    saver = next((one for one in mine.case.household.people if row and one.id == row.saved_by_id), None)
    is_others = saver is not None and saver.id != mine.person.id
    return make_response(
        render(
            "portal/part.html",
            me=mine,
            part=asked,
            form=form,
            known={} if row is not None else known,
            row=row,
            saved_by=saver.given_name if saver is not None else "",
            theirs=parts.shown(asked, answers) if is_others and form.problems else None,
        ),
        form.status,
    )


def _rows(asked: Part, answers: dict[str, object]) -> int:
    if asked.rows is None:
        return 0
    kept = answers.get(asked.rows.name)
    wanted = request.form.get("rows") or request.args.get("rows") or "0"
    number = int(wanted) if wanted.isdecimal() and len(wanted) < 4 else 0
    return rows_wanted(asked.rows, len(kept) if isinstance(kept, list) else 0, number)


def _seen(form: PartForm, mine: Me) -> int:
    """The version that was looked at. What another person typed in this window is never kept as one's own."""
    whose, _, version = (form.seen.data or "").partition(":")
    if whose != str(mine.person.id) or not version.isdecimal() or len(version) > 9:
        raise NotWhole(
            "This page was opened by somebody else, or a while ago. Go back to your list and open it again.", status=409
        )
    return int(version)


def _after_saving(mine: Me, asked: Part, form: PartForm, do: str) -> Response:
    if do == "more" and asked.rows:
        at = len(form.answers().get(asked.rows.name) or ()) + 1
        return see_other(url_for("our_home.part", name=asked.name, rows=at) + f"#{asked.rows.name}_{at}")
    if do != "done":
        tell("Saved. Carry on whenever you like, here or on another phone.")
        return see_other(url_for("our_home.my_list"))
    tell(f"“{asked.title}” is done. You can still change it until you sign.")
    return see_other(url_for("our_home.my_list"))


@bp.route("/my/sign", methods=["GET", "POST"])
@requires_applicant
@writes
def sign() -> Response:
    """Declare, agree, and sign. The last of a household to sign hands the application in."""
    mine = me()
    form = SignForm()
    undone = parts.undone_for(mine.case, mine.person)
    if form.is_sent_and_right():
        try:
            application = parts.sign(mine.case, rulebook=mine.rulebook, **mine.doing)
        except Refusal as refusal:
            form.take_refusal(refusal)
        else:
            partner = mine.partner
            if application is not None:
                tell("Thank you. We have your application. A manager looks at it and decides whether to go on.")
            else:
                name = partner.given_name if partner else ""
                tell(f"Thank you. You have signed. It reaches us once {name} has signed, too.")
            return see_other(url_for("our_home.home"))
    return make_response(
        render(
            "portal/sign.html",
            me=mine,
            form=form,
            undone=undone,
            has_signed=parts.has_signed(mine.case, mine.person),
            may_fill_in=may_fill_in(mine.case),
            wordings=[wording(name, mine.today).text for name in parts.DECLARATIONS],
            count=len(PARTS),
        ),
        form.status,
    )


@bp.route("/my/message", methods=["GET", "POST"])
@requires_applicant
@writes
def message() -> Response:
    """Ask us something. It becomes a task of whoever looks after the household."""
    mine = me()
    form = MessageForm()
    if form.is_sent_and_right():
        answer_by = messages.ask(mine.case, form.words.data or "", rulebook=mine.rulebook, **mine.doing)
        tell(f"Your message has reached us. Somebody answers by {answer_by}.")
        return see_other(url_for("our_home.home"))
    return make_response(render("portal/message.html", me=mine, form=form), form.status)
