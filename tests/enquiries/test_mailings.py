"""Writing to the people of a list: who gets it and who not, a second person, each once, stopping."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import flask
import pytest
import sqlalchemy as sa

from crm.access.models import User
from crm.audit import AuditEntry
from crm.cases import bounces, letters, stopping
from crm.cases.models import Case, Consent, Person, PersonRole, Task, TimelineEntry
from crm.cases.open_case import NewConsent
from crm.clock import now_utc, today_in_london
from crm.db import db, transaction
from crm.delivery import Channel, MessageStatus, OutboundMessage, worker
from crm.delivery.letters import LETTERS
from crm.delivery.texts import read_text
from crm.enquiries import mailing_readers, mailings
from crm.enquiries.models import Mailing, MailingReader
from crm.rules.permissions import SYSTEM
from tests.factories import Cast
from tests.page import Page
from tests.staff.conftest import as_member, make_household

__all__ = ["as_member", "make_household"]

Make = Callable[..., str]
Browser = Callable[..., Any]

YES = {channel: NewConsent(channel, True, "2026-03") for channel in ("email", "text")}
WORDS = (
    "# Hello {{ first_name }}\n\nOur new office is open. Your reference is {{ reference }}.\n\nAsk {{ owner_name }}."
)


@pytest.fixture(autouse=True)
def in_the_day(freeze: Any) -> None:
    freeze("2026-07-14 10:40")


def begin(client: Any, *, purpose: str = "news", channel: str = "email", query: str = "", **typed: str) -> str:
    """Write a mailing to a list; the address of the draft."""
    page = client.get(f"/enquiries/mailings/new?{query}&sort={purpose}&by={channel}").page
    typed = {"words": WORDS, **({"subject": "A new office"} if channel == "email" else {}), **typed}
    kept = client.submit(page, field="words", **typed)
    assert kept.status_code == 303, kept.page.text
    return str(kept.headers["Location"])


def send(client: Any, address: str, **choices: str) -> Any:
    return client.submit(client.get(address).page, to=address, **choices)


def write_all(app: flask.Flask) -> int:
    """What the worker does until nothing is left to write."""
    done = 0
    while True:
        with app.app_context(), transaction():
            count = mailings.write_letters(now_utc())
            done += count
            if not count:
                return done


def deliver(app: flask.Flask, channel: Channel = Channel.EMAIL) -> worker.Tally:
    with app.app_context():
        return worker.deliver_once(clock=now_utc, channel=channel)


def person_of(reference: str) -> Person:
    case = db.session.scalars(sa.select(Case).where(Case.reference == reference)).one()
    return case.household.people[0]


def letters_to_many() -> list[OutboundMessage]:
    return list(
        db.session.scalars(
            sa.select(OutboundMessage)
            .where(OutboundMessage.kind.in_(("news_to_many", "word_to_many")))
            .order_by(OutboundMessage.id)
        )
    )


def plain(message: OutboundMessage) -> str:
    """The words of an email as its reader gets them."""
    from crm.delivery.queries import email_parts

    parts = email_parts(message)
    assert parts is not None
    return parts.text


def people_behind(client: Any, page: Page, words: str) -> set[str]:
    """The references that open behind a number on the page of a mailing."""
    link = next(line for line in client.get(page.address).text.split("<li") if words in line)
    address = re.search(r'href="([^"]+/people\?of=[^"]+)"', link)
    assert address is not None, link
    return set(re.findall(r"/cases/(KF-[A-Z0-9]+)", client.get(address[1]).text))


# --- Who gets it ------------------------------------------------------------------------------------------------------


def test_before_anything_is_sent_each_reason_is_counted_and_opens_its_references(
    app: flask.Flask, make_household: Make, as_member: Browser, cast: Cast
) -> None:
    said_yes = {make_household(consents=(YES["email"],)) for _ in range(2)}
    said_nothing = {make_household(), make_household(consents=(YES["text"],))}
    no_emails = {make_household(consents=(YES["email"],), no_emails=True)}
    stopped = {make_household(consents=(YES["email"],))}
    bounced = {make_household(consents=(YES["email"],))}
    without = {make_household(consents=(YES["email"],))}
    with app.app_context(), transaction():
        person_of(*stopped).no_contact = True
        person_of(*bounced).email_fails_since = now_utc()
        person_of(*without).email = person_of(*without).email_key = None
    client = as_member(cast.recruiter)

    page = client.get(begin(client)).page

    assert "8 people of 8 households" in page.text
    assert "6 people will not be written to" in page.text
    assert people_behind(client, page, "Have not said yes to news this way") == said_nothing
    assert people_behind(client, page, "Asked us not to write this way") == no_emails
    assert people_behind(client, page, "Asked us to stop all contact") == stopped
    assert people_behind(client, page, "Letters to their email come back") == bounced
    assert people_behind(client, page, "We have no such address or number of theirs") == without
    listed = client.get(f"{page.address}/people?of=to_write").text
    assert set(re.findall(r"/cases/(KF-[A-Z0-9]+)", listed)) == said_yes
    with app.app_context():
        assert letters_to_many() == []


def test_each_message_holds_its_own_readers_fields_and_nobody_elses_and_says_how_to_stop(
    app: flask.Flask, make_household: Make, as_member: Browser, cast: Cast
) -> None:
    made = {
        make_household(given=name, consents=(YES["email"],)): name for name in ("Amalthea", "Bartholomew", "Cressida")
    }
    client = as_member(cast.recruiter)
    address = begin(client)

    send(client, address)
    write_all(app)

    with app.app_context():
        by_reference = {case.id: case.reference for case in db.session.scalars(sa.select(Case))}
        sent = letters_to_many()
        assert len(sent) == 3
        for message in sent:
            own = by_reference[message.case_id or 0]
            words = plain(message)
            assert f"Hello {made[own]}" in words
            assert own in words
            for reference, name in made.items():
                if reference != own:
                    assert reference not in words
                    assert name not in words
            assert re.search(r"Stop news and events, or all contact \(http\S+/stop/\S+\)", words)
            assert b"List-Unsubscribe:" in (message.payload or b"")
        titles = db.session.scalars(sa.select(TimelineEntry)).all()
        assert sum(entry.title.startswith("A new office: ") for entry in titles) == 3
    assert "3 people" in client.get(address).text


def test_a_word_about_their_enquiry_needs_no_consent_and_obeys_what_they_asked_of_us(
    app: flask.Flask, make_household: Make, as_member: Browser, cast: Cast
) -> None:
    goes = make_household()
    make_household(no_emails=True)
    client = as_member(cast.recruiter)

    address = begin(client, purpose="service")
    send(client, address)
    write_all(app)

    with app.app_context():
        (message,) = letters_to_many()
        assert message.person_id == person_of(goes).id
        assert "Ask us to stop contacting you" in plain(message)
        assert b"List-Unsubscribe:" not in (message.payload or b"")
    assert "Asked us not to write this way" in client.get(address).text


def test_two_people_of_one_address_get_one_message(
    app: flask.Flask, make_household: Make, as_member: Browser, cast: Cast
) -> None:
    first = make_household(given="Amalthea", consents=(YES["email"],))
    other = make_household(given="Bartholomew", consents=(YES["email"],))
    with app.app_context(), transaction():
        one, two = person_of(first), person_of(other)
        two.email, two.email_key = one.email, one.email_key
    client = as_member(cast.recruiter)
    address = begin(client)
    ahead = people_behind(client, client.get(address).page, "One message goes to this address already")

    send(client, address)
    write_all(app)

    with app.app_context():
        (message,) = letters_to_many()
        assert "Bartholomew" not in plain(message)
        assert other not in plain(message)
    assert ahead == {other}
    assert people_behind(client, client.get(address).page, "One message goes to this address already") == {other}


def test_nothing_goes_to_an_address_at_which_somebody_asked_us_to_stop(
    app: flask.Flask, make_household: Make, as_member: Browser, cast: Cast
) -> None:
    reader = make_household(consents=(YES["email"],))
    with app.app_context(), transaction():
        person = person_of(reader)
        db.session.add(
            Person(household_id=person.household_id, role=PersonRole.APPLICANT_2, given_name="Ida", given_key="ida",
                   email=person.email, email_key=person.email_key, no_contact=True)
        )  # fmt: skip
    client = as_member(cast.recruiter)

    page = client.get(begin(client)).page

    assert "Nobody on this list may be written to like this" in page.text
    assert people_behind(client, page, "Somebody who is reached at the same address asked us to stop") == {reader}


def test_a_text_goes_to_those_who_said_yes_to_texts(
    app: flask.Flask, make_household: Make, as_member: Browser, cast: Cast
) -> None:
    make_household(consents=(YES["email"],))
    goes = make_household(consents=(YES["text"],))
    client = as_member(cast.recruiter)
    address = begin(client, channel="text", words="{{ service.short_name }}: {{ first_name }}, our stall is up today.")

    send(client, address)
    write_all(app)

    with app.app_context():
        (message,) = letters_to_many()
        person = person_of(goes)
        number, words = read_text(message.payload or b"")
        assert (message.person_id, number) == (person.id, person.phone_key)
        assert f"{person.given_name}, our stall is up today." in words
        assert "stop" in words.lower()


def test_the_not_now_pool_can_be_written_to(make_household: Make, as_member: Browser, cast: Cast) -> None:
    make_household(consents=(YES["email"],))
    client = as_member(cast.recruiter)

    page = client.get(begin(client, query="list=pool&part=later")).page

    assert "Not now, after this month" in page.text
    assert "0 people of 0 households" in page.text


def test_a_list_that_was_asked_for_does_not_grow_and_whoever_left_it_gets_nothing(
    app: flask.Flask, make_household: Make, as_member: Browser, cast: Cast
) -> None:
    stays, closes = make_household(consents=(YES["email"],)), make_household(consents=(YES["email"],))
    client = as_member(cast.recruiter)
    address = begin(client, query="view=new")
    send(client, address)
    make_household(consents=(YES["email"],))
    page = client.get(f"/cases/{closes}/contact").page
    client.submit(page, field="how", how="spoke", note="Talked.")
    with app.app_context():
        assert db.session.scalars(sa.select(Case.place).where(Case.reference == closes)).one() == "contacted"

    write_all(app)

    with app.app_context():
        assert [message.person_id for message in letters_to_many()] == [person_of(stays).id]
    assert people_behind(client, client.get(address).page, "Are not on the list any more") == {closes}


def test_a_list_is_judged_in_as_few_statements_however_many_people(
    app: flask.Flask, make_household: Make, as_member: Browser, cast: Cast
) -> None:
    make_household(consents=(YES["email"],))
    client = as_member(cast.recruiter)
    number = int(begin(client).rpartition("/")[2])
    counts = []
    for _ in range(2):
        for _ in range(3):
            make_household(consents=(YES["email"],))
        with app.app_context():
            mailing = db.session.get_one(Mailing, number)
            sent: list[int] = []
            sa.event.listen(db.engine, "before_cursor_execute", lambda *_, sent=sent: sent.append(1))
            outlook = mailing_readers.look_ahead(mailing, now=now_utc(), today=today_in_london())
            counts.append((outlook.to_write, len(sent)))
    assert [people for people, _ in counts] == [4, 7]
    assert counts[0][1] == counts[1][1]


# --- A second person --------------------------------------------------------------------------------------------------


def test_many_wait_for_a_second_person_who_is_not_the_author(
    app: flask.Flask, make_household: Make, as_member: Browser, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailings, "ALONE_UP_TO", 1)
    for _ in range(2):
        make_household(consents=(YES["email"],))
    manager, recruiter = as_member(cast.manager), as_member(cast.recruiter)
    address = begin(manager)

    with app.app_context():
        admin, me = (db.session.get_one(User, one.id).id for one in (cast.administrator, cast.manager))
    alone = send(manager, address, reason="Our new office")
    page = manager.get(address).page
    to_oneself = manager.post(address, data={**page.form(action=address).filled(reason="So"), "second": str(me)})
    send(manager, address, reason="Our new office", second=str(admin))
    own_word = manager.post(f"{address}/answer", data={**page.form(action=address).filled(), "answer": "yes"})
    other = recruiter.get(address).page
    nothing_yet = write_all(app)
    reader = as_member(cast.administrator)
    seen = reader.get(address).page
    reader.submit(seen, button="Yes, send it")

    assert alone.status_code == to_oneself.status_code == 422
    assert "choose who looks at it with you" in alone.page.text
    assert own_word.status_code == 403
    assert "Yes, send it" not in other.text
    assert nothing_yet == 0
    assert "/people?of=" not in seen.text  # an administrator sees how many, and nobody's reference
    assert reader.get(f"{address}/people?of=to_write").status_code == 403
    assert write_all(app) == 2
    with app.app_context():
        events = db.session.scalars(sa.select(AuditEntry.event).order_by(AuditEntry.id)).all()
    assert [one for one in events if one.startswith("mailing.")] == [
        "mailing.begun",
        "mailing.asked",
        "mailing.approved",
        "mailing.finished",
    ]


def test_a_mailing_that_is_refused_writes_to_nobody(
    app: flask.Flask, make_household: Make, as_member: Browser, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailings, "ALONE_UP_TO", 0)
    make_household(consents=(YES["email"],))
    client, manager = as_member(cast.recruiter), as_member(cast.manager)
    address = begin(client)
    send(client, address, reason="Our new office", second=str(cast.manager.id))

    manager.submit(manager.get(address).page, button="No")

    assert write_all(app) == 0
    assert "said no. Nobody was written to." in client.get(address).page.text


# --- What happens between asking and leaving --------------------------------------------------------------------------


def test_whoever_stops_news_between_the_approval_and_the_sending_gets_nothing_and_it_says_so(
    app: flask.Flask, make_household: Make, as_member: Browser, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailings, "ALONE_UP_TO", 0)
    gets_it, stops = make_household(consents=(YES["email"],)), make_household(consents=(YES["email"],))
    client, manager = as_member(cast.recruiter), as_member(cast.manager)
    address = begin(client)
    send(client, address, reason="Our new office", second=str(cast.manager.id))
    manager.submit(manager.get(address).page, button="Yes, send it")
    with app.app_context(), transaction():
        stopping.stop_news(person_of(stops), how="link", actor=cast.recruiter.actor, now=now_utc())

    write_all(app)

    with app.app_context():
        assert [message.person_id for message in letters_to_many()] == [person_of(gets_it).id]
    assert people_behind(client, client.get(address).page, "Have not said yes to news this way") == {stops}


def test_the_link_in_the_message_stops_news_at_once_and_what_has_not_left_stays(
    app: flask.Flask, make_household: Make, as_member: Browser, cast: Cast
) -> None:
    stops = make_household(consents=(YES["email"],))
    client, stranger = as_member(cast.recruiter), app.test_client()
    first, second = begin(client), begin(client, words=f"{WORDS}\n\nMore news.")
    send(client, first)
    write_all(app)
    deliver(app)
    send(client, second)
    write_all(app)
    with app.app_context():
        link = re.search(r"(/stop/\S+)\)", plain(letters_to_many()[0]))
    assert link is not None

    page = stranger.get(link[1]).page
    stranger.submit(page, field="what", what="news")
    deliver(app)

    with app.app_context():
        assert [message.status for message in letters_to_many()] == [MessageStatus.SENT, MessageStatus.STOPPED]
        newest = db.session.scalars(sa.select(Consent).order_by(Consent.id.desc())).first()
        assert newest is not None
        assert not newest.given
        assert db.session.scalars(sa.select(Task)).all() == []
    assert people_behind(client, client.get(second).page, "Have not said yes to news this way") == {stops}


def test_a_worker_killed_in_the_middle_writes_to_each_once(
    app: flask.Flask, make_household: Make, as_member: Browser, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailings, "CHUNK", 3)
    for _ in range(7):
        make_household(consents=(YES["email"],))
    client = as_member(cast.recruiter)
    address = begin(client)
    send(client, address)
    write, calls = letters.send_letter, iter(range(100))

    def dies_now_and_then(*args: Any, **kwargs: Any) -> Any:
        message = write(*args, **kwargs)
        if next(calls) in (1, 5, 9):
            raise SystemExit("killed")
        return message

    monkeypatch.setattr(letters, "send_letter", dies_now_and_then)
    deaths = 0
    while True:
        try:
            write_all(app)
            break
        except SystemExit:
            deaths += 1
    deliver(app)

    assert deaths == 3
    with app.app_context():
        people = [message.person_id for message in letters_to_many()]
        entries = [
            one for one in db.session.scalars(sa.select(TimelineEntry)) if one.title.startswith("A new office: ")
        ]
        assert len(people) == len(set(people)) == len(entries) == 7
    assert "7 people" in client.get(address).text


def test_a_mailing_is_stopped_midway_and_nothing_more_leaves(
    app: flask.Flask, make_household: Make, as_member: Browser, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailings, "CHUNK", 1)
    references = [make_household(consents=(YES["email"],)) for _ in range(3)]
    client = as_member(cast.recruiter)
    address = begin(client)
    send(client, address)
    for leaves in (True, False):
        with app.app_context(), transaction():
            mailings.write_letters(now_utc())
        if leaves:
            deliver(app)

    client.submit(client.get(address).page, to=f"{address}/stop")
    deliver(app)

    assert write_all(app) == 0
    page = client.get(address).page
    assert people_behind(client, page, "Sent") == {references[0]}
    assert people_behind(client, page, "The mailing was stopped") == {references[1]}
    assert people_behind(client, page, "Stopped before it was written") == {references[2]}
    assert "A new office was stopped before it left" in client.get(f"/cases/{references[1]}").page.text


def test_what_comes_back_is_counted_there_and_is_nobodys_task(
    app: flask.Flask, make_household: Make, as_member: Browser, cast: Cast
) -> None:
    arrives, comes_back = make_household(consents=(YES["email"],)), make_household(consents=(YES["email"],))
    client = as_member(cast.recruiter)
    address = begin(client)
    send(client, address)
    write_all(app)
    deliver(app)
    with app.app_context(), transaction():
        message = next(one for one in letters_to_many() if one.person_id == person_of(comes_back).id)
        message.status, message.sent_at, message.settled_at = MessageStatus.GIVEN_UP, None, now_utc()
        message.last_failure = "no_such_mailbox"
        db.session.flush()
        bounces.note_given_up(message, now=now_utc(), today=today_in_london(), actor=SYSTEM)

    page = client.get(address).page

    assert people_behind(client, page, "Could not be delivered") == {comes_back}
    assert set(re.findall(r"/cases/(KF-[A-Z0-9]+)", client.get(f"{address}/people?of=sent").text)) == {arrives}
    with app.app_context():
        assert db.session.scalars(sa.select(Task)).all() == []
        assert person_of(comes_back).email_fails_since is not None


def test_letters_are_written_only_while_few_wait_to_leave(
    app: flask.Flask, make_household: Make, as_member: Browser, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailings, "IN_THE_OUTBOX", 2)
    for _ in range(3):
        make_household(consents=(YES["email"],))
    client = as_member(cast.recruiter)
    send(client, begin(client))

    before = write_all(app)
    with app.app_context():
        assert not mailings.has_letters_to_write(now_utc())
    deliver(app)

    assert (before, write_all(app)) == (2, 1)


def test_it_stops_when_its_author_may_not_write_to_many_any_more(
    app: flask.Flask, make_household: Make, as_member: Browser, cast: Cast
) -> None:
    make_household(consents=(YES["email"],))
    client = as_member(cast.recruiter)
    address = begin(client)
    send(client, address)
    with app.app_context(), transaction():
        db.session.get_one(User, cast.recruiter.id).active = False

    write_all(app)

    with app.app_context():
        assert letters_to_many() == []
        assert db.session.scalars(sa.select(Mailing.step)).all() == ["stopped"]
    assert "its author may not write to many any more" in as_member(cast.manager).get(address).page.text


# --- The words --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("Hello {{ reasons }}, here is our news of today.", "is not part of this letter"),
        ("Hello {{ person.email }}, here is our news of today.", "only fields, passages and questions"),
        ("# Hello {{ first_name }}\n\nHere is what is new at {{ service.name }}.\n\n{% include \"email/_close.txt\" %}",
         "these are the words that every mailing begins with"),
    ],
)  # fmt: skip
def test_only_fields_about_the_reader_can_be_merged_and_what_was_typed_is_kept(
    words: str, message: str, as_member: Browser, cast: Cast
) -> None:
    client = as_member(cast.recruiter)
    page = client.get("/enquiries/mailings/new?sort=news&by=email").page

    answer = client.submit(page, field="words", subject="News of the summer", words=words)

    assert answer.status_code == 422
    assert message in answer.page.text
    assert "News of the summer" in answer.text


def test_a_test_goes_to_oneself_with_made_up_names(
    app: flask.Flask, make_household: Make, as_member: Browser, cast: Cast
) -> None:
    make_household(given="Amalthea", consents=(YES["email"],))
    client = as_member(cast.recruiter)
    address = begin(client)

    client.submit(client.get(address).page, to=f"{address}/test")
    deliver(app)

    with app.app_context():
        (message,) = letters_to_many()
        assert message.recipient == db.session.get_one(User, cast.recruiter.id).email
        assert message.status == MessageStatus.SENT
        assert "Hello Maya" in plain(message)
        assert "Amalthea" not in plain(message)
        assert db.session.scalars(sa.select(MailingReader)).all() == []


def test_a_draft_is_its_authors_alone(make_household: Make, as_member: Browser, cast: Cast) -> None:
    make_household(consents=(YES["email"],))
    address = begin(as_member(cast.recruiter))

    other = as_member(cast.manager)

    assert other.get(address).status_code == 404
    assert other.get(f"{address}/words").status_code == 404
    assert other.get(f"{address}/people?of=to_write").status_code == 404
    assert address not in other.get("/enquiries/mailings").text


def test_whoever_moved_to_another_household_meanwhile_gets_nothing_of_the_old_one(
    app: flask.Flask, make_household: Make, as_member: Browser, cast: Cast
) -> None:
    moves, other = make_household(consents=(YES["email"],)), make_household()
    client = as_member(cast.recruiter)
    address = begin(client)
    send(client, address)
    with app.app_context(), transaction():
        person_of(moves).household_id = person_of(other).household_id

    write_all(app)

    with app.app_context():
        assert letters_to_many() == []
    assert "Are not part of the household any more" in client.get(address).page.text


def test_a_test_is_for_before_it_is_sent(
    app: flask.Flask, make_household: Make, as_member: Browser, cast: Cast
) -> None:
    make_household(consents=(YES["email"],))
    client = as_member(cast.recruiter)
    address = begin(client)
    test = client.get(address).page.form(action=f"{address}/test").filled()
    send(client, address)

    assert client.post(f"{address}/test", data=test).status_code == 409
    assert f"{address}/test" not in client.get(address).text


def test_sending_is_pressed_twice_and_done_once(
    app: flask.Flask, make_household: Make, as_member: Browser, cast: Cast
) -> None:
    make_household(consents=(YES["email"],))
    client = as_member(cast.recruiter)
    address = begin(client)
    page = client.get(address).page

    answers = [client.submit(page, to=address).status_code for _ in range(2)]
    write_all(app)

    assert answers == [303, 303]
    with app.app_context():
        assert len(letters_to_many()) == 1


def test_a_yes_counts_once_and_a_no_after_it_changes_nothing(
    app: flask.Flask, make_household: Make, as_member: Browser, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailings, "ALONE_UP_TO", 0)
    make_household(consents=(YES["email"],))
    client, manager = as_member(cast.recruiter), as_member(cast.manager)
    address = begin(client)
    send(client, address, reason="Our new office", second=str(cast.manager.id))
    page = manager.get(address).page

    manager.submit(page, button="Yes, send it")
    no = manager.submit(page, button="No")

    assert no.status_code == 409
    assert write_all(app) == 1


def test_the_kinds_are_what_they_say() -> None:
    assert LETTERS["news_to_many"].marketing
    assert not LETTERS["word_to_many"].marketing
    assert not any(letter.contains_sensitive for letter in LETTERS.values() if letter.to_many)
