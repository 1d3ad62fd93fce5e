"""Writing to the people of a list: the words, who would get them and who not, a second person, and how far it is."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Response, make_response, request, url_for

from crm import policy
from crm.access.guards import current_actor, requires
from crm.access.models import User
from crm.access.queries import names_of, staff_who_may
from crm.clock import now_utc, today_in_london
from crm.db import db, end_read, transaction
from crm.delivery import Channel
from crm.delivery.failures import FAILURE_WORDS
from crm.delivery.letter_words import WordsNotKept, example_of
from crm.delivery.merge_fields import FORMATS, MERGE_FIELDS, SERVICE_PARTS
from crm.delivery.post_room import post_room
from crm.delivery.texts import length_of
from crm.enquiries import mailing_queries, mailing_readers, mailings, second_look
from crm.enquiries.list_filters import POOL_WORDS, filters_in, filters_of, part_of, query_of, words_of
from crm.enquiries.mailing_forms import EmailToManyForm, SendForm, TextToManyForm
from crm.enquiries.models import Mailing, MailingPurpose, MailingStep
from crm.enquiries.staff_views import bp
from crm.rules.permissions import Actor, Permission
from crm.rules.refusal import Refusal
from crm.web.filters import many
from crm.web.notices import tell
from crm.web.pages import render, see_other
from crm.web.writes import writes, writes_by_itself

PURPOSE_WORDS = {MailingPurpose.NEWS: "News", MailingPurpose.SERVICE: "About their enquiry"}
BY = {Channel.EMAIL: "by email", Channel.TEXT: "by text"}
STEP_STATES = {
    MailingStep.DRAFT: ("none", "Draft"),
    MailingStep.WAITING: ("waiting", "Waits for a yes"),
    MailingStep.REFUSED: ("over", "Refused"),
    MailingStep.SENDING: ("waiting", "On its way"),
    MailingStep.SENT: ("ok", "Sent"),
    MailingStep.STOPPED: ("closed", "Stopped"),
}


def _words_of_list(source: str, query: str, author: str = "") -> str:
    """The list in words. ``author`` is whose "mine" is meant, where somebody else reads it."""
    if source == "pool":
        return f"Not now, {POOL_WORDS[part_of(query)].lower()}"
    filters = filters_of(query)
    words = words_of(filters)
    return f"{words} ({author})" if author and filters.view == "mine" else words


def _address_of_list(source: str, query: str) -> str:
    path = "/enquiries/not-now" if source == "pool" else "/enquiries"
    return f"{path}?{query}" if query else path


@bp.get("/enquiries/mailings")
@requires(any_of=(Permission.WRITE_TO_MANY, Permission.APPROVE_EXPORT))
def all_mailings() -> str:
    """What was written to many, and what waits for me."""
    actor = current_actor()
    found = mailing_queries.mailings_of(actor)
    names = names_of(one.asked_by_id for one in found)
    return render(
        "enquiries/all_mailings.html",
        here="enquiries",
        mailings=[
            (one, _title(one), _words_of_list(one.source, one.query, names.get(one.asked_by_id, "")), _state(one))
            for one in found
        ],
        names=names,
        me=actor.user_id,
    )


def _title(mailing: Mailing) -> str:
    return f"{PURPOSE_WORDS[MailingPurpose(mailing.purpose)]}, {BY[Channel(mailing.channel)]}"


def _state(mailing: Mailing) -> tuple[str, str]:
    return STEP_STATES[MailingStep(mailing.step)]


# --- The words --------------------------------------------------------------------------------------------------------


@bp.route("/enquiries/mailings/new", methods=["GET", "POST"])
@requires(Permission.WRITE_TO_MANY)
@writes
def new_mailing() -> Response:
    """Choose what sort of message it is, then write it."""
    source = "pool" if request.args.get("list") == "pool" else "queue"
    query = (
        query_of(filters_in(request.args)) if source == "queue" else f"part={part_of(request.query_string.decode())}"
    )
    purpose, channel = request.args.get("sort"), request.args.get("by")
    if (
        purpose not in set(MailingPurpose)
        or channel not in BY
        or (channel == Channel.TEXT and not post_room().can_text)
    ):
        ways = [one for one in BY if one != Channel.TEXT or post_room().can_text]
        address = f"/enquiries/mailings/new?list={source}{'&' if query else ''}{query}"
        return make_response(
            render(
                "enquiries/new_mailing.html",
                here="enquiries",
                words=_words_of_list(source, query),
                back=_address_of_list(source, query),
                choices=[
                    (purpose, [(BY[way], f"{address}&sort={purpose}&by={way}") for way in ways])
                    for purpose in MailingPurpose
                ],
            )
        )
    kind, way = MailingPurpose(purpose), Channel(str(channel))
    subject, words = mailings.first_words(kind, way, today=today_in_london())
    return _write(None, source=source, query=query, purpose=kind, channel=way, subject=subject, words=words)


@bp.route("/enquiries/mailings/<int:mailing_id>/words", methods=["GET", "POST"])
@requires(Permission.WRITE_TO_MANY)
@writes
def mailing_words(mailing_id: int) -> Response:
    """Change the words of a draft."""
    mailing = mailings.draft_of(current_actor(), mailing_id)
    return _write(
        mailing,
        source=mailing.source,
        query=mailing.query,
        purpose=MailingPurpose(mailing.purpose),
        channel=Channel(mailing.channel),
        subject=mailing.subject,
        words=mailing.words or "",
    )


def _write(
    mailing: Mailing | None,
    *,
    source: str,
    query: str,
    purpose: MailingPurpose,
    channel: Channel,
    subject: str,
    words: str,
) -> Response:
    form: Any = (
        TextToManyForm(words=words) if channel == Channel.TEXT else EmailToManyForm(subject=subject, words=words)
    )
    if form.is_sent_and_right():
        try:
            kept = mailings.write_mailing(
                mailing,
                source=source,
                query=query,
                purpose=purpose,
                channel=channel,
                subject=form.subject.data if channel == Channel.EMAIL else "",
                words=form.words.data,
                actor=current_actor(),
                now=now_utc(),
                today=today_in_london(),
            )
        except (WordsNotKept, mailings.MailingRefused) as refusal:
            if refusal.status != 422:
                raise
            refusal.field = "words" if refusal.field in ("body", "text") else refusal.field
            form.take_refusal(refusal)
        else:
            return see_other(f"/enquiries/mailings/{kept.id}")
    body = render(
        "enquiries/mailing_words.html",
        here="enquiries",
        form=form,
        mailing=mailing,
        title=f"{PURPOSE_WORDS[purpose]}, {BY[channel]}",
        is_news=purpose is MailingPurpose.NEWS,
        is_text=channel == Channel.TEXT,
        words=_words_of_list(source, query),
        back=f"/enquiries/mailings/{mailing.id}" if mailing is not None else _address_of_list(source, query),
        fields=_fields(),
    )
    return make_response(body, form.status)


def _fields() -> list[tuple[str, str]]:
    """What can be merged into a message to many: about its reader, the service, and who looks after them."""
    kind = mailing_readers.LETTERS[mailing_readers.KIND[MailingPurpose.NEWS]]
    rows = [
        (f"{{{{ {name} }}}}", MERGE_FIELDS[name].means)
        for name in kind.common_fields
        if not FORMATS[MERGE_FIELDS[name].type] and name != "service"
    ]
    return rows + [(f"{{{{ service.{part} }}}}", means) for part, means in SERVICE_PARTS.items()]


# --- One mailing ------------------------------------------------------------------------------------------------------


@bp.route("/enquiries/mailings/<int:mailing_id>", methods=["GET", "POST"])
@requires(any_of=(Permission.WRITE_TO_MANY, Permission.APPROVE_EXPORT))
@writes_by_itself("it reads the list before the transaction, which would hold up everybody's writing")
def mailing(mailing_id: int) -> Response:
    """A mailing: who would get it and who not, or what became of it. Its author sends it from here."""
    actor, now, today = current_actor(), now_utc(), today_in_london()
    found = mailings.mailing_for(actor, mailing_id)
    if request.method == "POST" and found.asked_by_id == actor.user_id and found.step != MailingStep.DRAFT:
        return see_other(f"/enquiries/mailings/{mailing_id}")  # pressed twice
    form = SendForm(second=0)
    seconds = [(user.id, user.name) for user in staff_who_may(Permission.APPROVE_EXPORT) if user.id != actor.user_id]
    form.second.choices = [(0, "Choose somebody"), *seconds]
    if form.is_sent_and_right():
        people = mailing_readers.people_on_list(found, today=today)
        end_read()
        try:
            with transaction():
                mailings.ask_to_send(
                    mailings.draft_of(actor, mailing_id),
                    people=people,
                    reason=form.reason.data,
                    second=db.session.get(User, form.second.data) if form.second.data else None,
                    actor=actor,
                    now=now,
                    today=today,
                )
        except second_look.SecondLookRefused as refusal:
            if refusal.status != 422:
                raise
            form.take_refusal(refusal)
        else:
            return see_other(f"/enquiries/mailings/{mailing_id}")
        found = mailings.mailing_for(actor, mailing_id)
    return make_response(_page(found, form, actor=actor, now=now), form.status)


def _page(found: Mailing, form: SendForm, *, actor: Actor, now: datetime) -> str:
    today = today_in_london()
    names = names_of((found.asked_by_id, found.second_id, found.stopped_by_id))
    is_ahead = found.step in mailings.AHEAD
    outlook = mailing_readers.look_ahead(found, now=now, today=today) if is_ahead else None
    results = mailing_queries.results_of(found) if outlook is None else []
    counts = {one.code: one.count for one in results}
    example = example_of(
        mailing_readers.letter_of(found),
        mailings.sources_of(found, today=today),
        Channel(found.channel),
        service=policy.service(),
    )
    return render(
        "enquiries/mailing.html",
        here="enquiries",
        mailing=found,
        form=form,
        title=_title(found),
        list_words=_words_of_list(found.source, found.query, names.get(found.asked_by_id, "")),
        list_address=_address_of_list(found.source, found.query),
        state_of_it=_state(found),
        outlook=outlook,
        why_words=mailing_readers.WHY_WORDS,
        results=results,
        done=found.people_count - counts.get(mailing_queries.NOT_YET, 0),
        is_moving=found.step == MailingStep.SENDING or bool(counts.get(mailing_queries.ON_ITS_WAY)),
        may_stop=found.step in (MailingStep.SENDING, MailingStep.SENT)
        and bool(counts.get(mailing_queries.NOT_YET) or counts.get(mailing_queries.ON_ITS_WAY)),
        example=example,
        length=length_of(example.text) if found.channel == Channel.TEXT else None,
        is_large=outlook is not None and len(outlook.judged) > mailings.ALONE_UP_TO,
        alone=mailings.ALONE_UP_TO,
        most=mailing_readers.MOST,
        is_mine=found.asked_by_id == actor.user_id,
        is_for_me=found.second_id == actor.user_id and second_look.is_waiting(found),
        names=names,
    )


@bp.get("/enquiries/mailings/<int:mailing_id>/people")
@requires(Permission.WRITE_TO_MANY)
def mailing_people(mailing_id: int) -> str:
    """Whose letter something became of, or would: their references."""
    actor, now, today = current_actor(), now_utc(), today_in_london()
    found = mailings.mailing_for(actor, mailing_id)
    first = mailing_queries.TO_WRITE if found.step in mailings.AHEAD else mailing_queries.SENT
    code, start = request.args.get("of", first), request.args.get("from", "")
    after = int(start) if start.isascii() and start.isdigit() and len(start) < 7 else 0
    if code not in mailing_queries.RESULT_WORDS and code not in FAILURE_WORDS:
        raise mailings.NoSuchMailing("There is no such thing to become of a letter.")
    if found.step in mailings.AHEAD:
        judged = mailing_readers.look_ahead(found, now=now, today=today).judged
        people, more = mailing_queries.judged_shown(judged, code, actor, today=today, after=after)
    else:
        people, more = mailing_queries.people_with(found, code, actor, today=today, after=after)
    address = url_for("enquiries.mailing_people", mailing_id=mailing_id, of=code)
    return render(
        "enquiries/mailing_people.html",
        here="enquiries",
        mailing=found,
        title=mailing_queries.words_of_result(code),
        people=people,
        next_address=f"{address}&from={after + mailing_queries.PEOPLE_SHOWN}" if more else "",
        first_address=address if after else "",
    )


@bp.post("/enquiries/mailings/<int:mailing_id>/test")
@requires(Permission.WRITE_TO_MANY)
@writes
def test_mailing(mailing_id: int) -> Response:
    """Send it to oneself, with made-up names."""
    actor = current_actor()
    mailings.send_test(mailings.mailing_for(actor, mailing_id), actor=actor, now=now_utc())
    tell("A test is on its way to you. The names in it are made up.")
    return see_other(f"/enquiries/mailings/{mailing_id}")


@bp.post("/enquiries/mailings/<int:mailing_id>/throw-away")
@requires(Permission.WRITE_TO_MANY)
@writes
def throw_away_mailing(mailing_id: int) -> Response:
    """Throw a draft away."""
    actor = current_actor()
    mailings.throw_away(mailings.draft_of(actor, mailing_id), actor=actor, now=now_utc())
    tell("The draft is thrown away. Nobody was written to.")
    return see_other("/enquiries/mailings")


@bp.post("/enquiries/mailings/<int:mailing_id>/answer")
@requires(Permission.APPROVE_EXPORT)
@writes
def answer_mailing(mailing_id: int) -> Response:
    """Say yes or no, as the second person."""
    actor = current_actor()
    found = mailings.mailing_for(actor, mailing_id)
    answer = request.form.get("answer")
    if answer not in ("yes", "no"):
        raise Refusal("Say yes or no.", status=422)
    mailings.answer_mailing(found, yes=answer == "yes", actor=actor, now=now_utc(), today=today_in_london())
    tell(
        f"It goes out to {many(found.people_count, 'person', 'people')} now, as far as each may be written to."
        if answer == "yes"
        else "Told them no. Nobody is written to."
    )
    return see_other(f"/enquiries/mailings/{mailing_id}")


@bp.post("/enquiries/mailings/<int:mailing_id>/stop")
@requires(Permission.WRITE_TO_MANY)
@writes
def stop_mailing(mailing_id: int) -> Response:
    """Stop it where it is."""
    actor = current_actor()
    mailings.stop_mailing(mailings.mailing_for(actor, mailing_id), actor=actor, now=now_utc())
    tell("Stopped. What has not left stays here.")
    return see_other(f"/enquiries/mailings/{mailing_id}")
