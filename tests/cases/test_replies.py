"""What families and mail servers send back is on the case, on somebody's list, and nowhere it does not belong."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any

import pytest
import sqlalchemy as sa

from crm import policy
from crm.cases import contact, letters, replies
from crm.cases.models import Case, Person, Task, TimelineEntry
from crm.clock import london_date
from crm.db import db, transaction
from crm.delivery import Channel, MessageStatus, OutboundMessage, signed_addresses
from crm.delivery.models import IncomingMessage, IncomingOutcome
from crm.policy import changing
from crm.rules.permissions import PUBLIC
from tests.case_factory import make_case
from tests.delivery.test_incoming import report
from tests.factories import Cast

NOW = datetime(2026, 7, 14, 10, 0, tzinfo=UTC)


@pytest.fixture
def case(session: Any, cast: Cast) -> Case:
    with transaction():
        policy.ensure_defaults(now=NOW)
        changing.change_setting(
            name="fallback_owner_id",
            value=cast.manager.id,
            actor=cast.administrator.actor,
            now=NOW,
            today=london_date(NOW),
        )
        made = make_case(cast, now=NOW, address="4 Hill Top Road\nBromley")
        session.execute(sa.update(OutboundMessage).values(status=MessageStatus.SENT, sent_at=NOW))
    return made


@pytest.fixture
def priya(case: Case) -> Person:
    return case.household.people[0]


Write = Callable[..., IncomingMessage]


@pytest.fixture
def write(case: Case, priya: Person) -> Write:
    """An answer to the address of Priya's file, or another."""
    number = iter(range(1000))

    def send(text: str = "Tuesday is fine.", *, to: str | None = None, now: datetime = NOW, **headers: str) -> Any:
        message = EmailMessage()
        own = signed_addresses.reply_address(case_id=case.id, person_id=priya.id)
        message["From"] = headers.pop("sender", "Priya Osei <priya.osei@example.org>")
        message["To"] = to or own
        message["Message-ID"] = f"<{next(number)}@example.org>"
        for name, value in headers.items():
            message[name.replace("_", "-")] = value
        message.set_content(text)
        with transaction():
            return replies.take_in(message.as_bytes(), now=now, today=london_date(now))

    return send


def lines() -> list[tuple[str, str | None]]:
    return [(e.title, e.detail) for e in db.session.scalars(sa.select(TimelineEntry).order_by(TimelineEntry.id))]


def tasks() -> list[tuple[str, str]]:
    return [(task.title, str(task.due_on)) for task in db.session.scalars(sa.select(Task).order_by(Task.id))]


def test_an_answer_is_on_the_timeline_and_on_the_owners_list_by_the_next_working_day(write: Write) -> None:
    taken = write()

    assert taken.outcome == IncomingOutcome.FILED
    assert lines()[-1] == ("Priya Osei wrote back by email", "Tuesday is fine.")
    assert tasks()[-1] == ("Priya Osei wrote back. Read it and answer", "2026-07-15")


def test_its_words_are_sealed_and_stand_in_one_place(session: Any, write: Write) -> None:
    write("Canaryword")

    for table in ("incoming_message", "timeline_entry", "task", "audit_entry"):
        kept = str(session.execute(sa.text(f"SELECT * FROM {table}")).all())
        assert "Canaryword" not in kept, table
    assert db.session.scalar(sa.select(IncomingMessage.text_sealed)) is None


def test_the_same_message_again_changes_nothing(case: Case, priya: Person) -> None:
    to = signed_addresses.reply_address(case_id=case.id, person_id=priya.id)
    raw = f"From: priya.osei@example.org\r\nTo: {to}\r\nMessage-ID: <1@example.org>\r\n\r\nHello".encode()
    for _ in range(3):
        with transaction():
            replies.take_in(raw, now=NOW, today=london_date(NOW))

    assert len([title for title, _ in lines() if "wrote back" in title]) == 1


def test_ten_answers_in_a_row_are_one_thing_to_do(write: Write) -> None:
    for n in range(10):
        write(f"And {n}")

    assert len([title for title, _ in tasks() if "wrote back" in title]) == 1
    assert len([title for title, _ in lines() if "wrote back" in title]) == 10


def test_an_answer_from_another_address_says_so(write: Write) -> None:
    write(sender="somebody@else.example.org")

    title, detail = lines()[-1]
    assert title == "An answer to a letter to Priya Osei came by email from another address"
    assert "It says that it is from somebody@else.example.org" in (detail or "")


def test_an_answer_to_a_letters_own_message_id_is_filed_too(case: Case, write: Write) -> None:
    letter = db.session.scalars(sa.select(OutboundMessage)).first()
    assert letter is not None

    assert write(to="hello@kestrel.example.org", In_Reply_To=letter.message_id).outcome == IncomingOutcome.FILED


@pytest.mark.parametrize(
    ("to", "why"),
    [
        ("reply@kestrel.example.org", "no_address"),
        ("someone@else.example.org", "no_address"),
        ("reply+k1-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@kestrel.example.org", "forged"),
    ],
)
def test_what_came_to_no_address_of_ours_touches_no_case(case: Case, write: Write, to: str, why: str) -> None:
    before = lines()

    taken = write(to=to)

    assert (taken.outcome, taken.why, taken.case_id, taken.text) == ("tray", why, None, "Tuesday is fine.")
    assert lines() == before
    assert [title for title, _ in tasks() if "belongs to no household" in title] != []


def test_an_address_made_for_a_case_that_is_not_there_is_nobodys(write: Write) -> None:
    to = signed_addresses.reply_address(case_id=999_999, person_id=1)

    assert write(to=to).outcome == IncomingOutcome.TRAY


def test_an_address_that_joins_one_household_with_anothers_person_is_nobodys(
    cast: Cast, case: Case, write: Write
) -> None:
    from tests.case_factory import couple

    with transaction():
        other = make_case(cast, now=NOW, people=couple("Reid", number=119))

    to = signed_addresses.reply_address(case_id=case.id, person_id=other.household.people[0].id)

    assert write(to=to).outcome == IncomingOutcome.TRAY


def test_a_machines_answer_is_noted_and_asks_nothing_of_anybody(write: Write) -> None:
    before = tasks()

    assert write(Auto_Submitted="auto-replied").outcome == IncomingOutcome.AUTOMATIC

    assert tasks() == before
    assert "automatic answer" in lines()[-1][0]


def test_a_flood_is_laid_aside(write: Write) -> None:
    outcomes = [write(f"{n}").outcome for n in range(replies.MOST_IN_AN_HOUR + 5)]

    assert outcomes.count(IncomingOutcome.TRAY) == 5
    assert write("later", now=NOW + timedelta(hours=2)).outcome == IncomingOutcome.FILED


@pytest.mark.parametrize(("text", "stops"), [("STOP", True), (" Stop. \n\nSent", True), ("Please don't stop", False)])
def test_stop_in_an_answer_stops_us(priya: Person, write: Write, text: str, stops: bool) -> None:
    write(text)

    assert priya.no_contact is stops


# --- Texts ------------------------------------------------------------------------------------------------------------


def text_in(words: str, *, sender: str = "+447700900118", reference: str = "1") -> IncomingMessage:
    with transaction():
        return replies.take_in_text(sender=sender, words=words, reference=reference, now=NOW, today=london_date(NOW))


@pytest.mark.parametrize("words", ["STOP", "stop", "Stop.", "UNSUBSCRIBE", "stop all"])
def test_stop_by_text_stops_everything(case: Case, priya: Person, words: str) -> None:
    text_in(words)

    assert priya.no_contact is True
    assert "Priya Osei asked us to stop contacting them, by text" in [title for title, _ in lines()]


def test_stop_from_a_number_that_two_people_share_stops_both(case: Case, priya: Person) -> None:
    with transaction():
        case.household.people.append(
            Person(role="applicant_2", given_name="Sam", given_key="sam", phone=priya.phone, phone_key=priya.phone_key)
        )

    text_in("STOP")

    assert [person.no_contact for person in case.household.people] == [True, True]


def test_an_answer_to_a_text_is_filed_and_a_strangers_text_is_not(case: Case, priya: Person) -> None:
    assert text_in("Hello?").why == "unknown_number"
    with transaction():
        letters.send_letter(
            "tried_to_ring", case=case, person=priya, context={}, actor=PUBLIC, now=NOW, today=london_date(NOW),
            channel=Channel.TEXT,
        )  # fmt: skip

    assert text_in("Ring me at 5", reference="2").outcome == IncomingOutcome.FILED
    assert lines()[-1] == ("Priya Osei wrote back by text", "Ring me at 5")


# --- Letters that come back -------------------------------------------------------------------------------------------


@pytest.fixture
def come_back(case: Case) -> Callable[..., OutboundMessage]:
    def bounce(status: str, *, action: str = "failed", by_address: bool = False) -> OutboundMessage:
        letter = db.session.scalars(sa.select(OutboundMessage).order_by(OutboundMessage.id)).first()
        assert letter is not None
        raw = report(status, action=action, original="<x@example.org>" if by_address else letter.message_id)
        if by_address:
            raw = raw.replace(b"reply@kestrel.example.org", (signed_addresses.bounce_address(letter.id) or "").encode())
        with transaction():
            replies.take_in(raw, now=NOW, today=london_date(NOW))
        found = db.session.get(OutboundMessage, letter.id, populate_existing=True)
        assert found is not None
        return found

    return bounce


@pytest.mark.parametrize("by_address", [False, True])
def test_a_letter_that_came_back_is_not_delivered_and_its_owner_is_told(
    priya: Person, come_back: Callable[..., OutboundMessage], by_address: bool
) -> None:
    letter = come_back("5.1.1", by_address=by_address)

    assert (letter.status, letter.last_failure) == (MessageStatus.GIVEN_UP, "no_such_mailbox")
    assert priya.email_fails_since == NOW
    assert any("could not be delivered" in title for title, _ in tasks())


@pytest.mark.parametrize("status", ["5.2.2", "5.7.1", "4.4.7"])
def test_a_full_mailbox_or_a_rule_says_nothing_against_the_address(
    priya: Person, come_back: Callable[..., OutboundMessage], status: str
) -> None:
    assert come_back(status).last_failure == "came_back"
    assert priya.email_fails_since is None


def test_a_delay_asks_nothing_of_anybody(priya: Person, come_back: Callable[..., OutboundMessage]) -> None:
    before = tasks()

    assert come_back("4.2.2", action="delayed").status == MessageStatus.SENT
    assert tasks() == before


def test_nothing_more_goes_to_an_address_that_does_not_work_until_a_person_says_so(
    cast: Cast, case: Case, priya: Person, come_back: Callable[..., OutboundMessage]
) -> None:
    come_back("5.1.1")

    def channel_of(occasion: str) -> str | None:
        with transaction():
            sent = letters.send_letter(
                "information_pack", case=case, person=priya, context={}, actor=PUBLIC, now=NOW, today=london_date(NOW),
                occasion=occasion,
            )  # fmt: skip
        return sent.channel if sent else None

    assert channel_of("1") == "post"
    with transaction():
        rules = contact.contact_rules_of(priya)
        from dataclasses import replace

        contact.set_contact_rules(
            priya,
            replace(rules, email_works=True),
            case=case,
            actor=cast.manager.actor,
            now=NOW,
            today=london_date(NOW),
        )
    assert channel_of("2") == "email"


def test_a_forged_report_about_a_letter_of_nobody_marks_nothing(case: Case, priya: Person) -> None:
    with transaction():
        taken = replies.take_in(
            report("5.1.1", original="<made-up@kestrel.example.org>"), now=NOW, today=london_date(NOW)
        )

    assert taken.outcome == IncomingOutcome.TRAY
    assert priya.email_fails_since is None


# --- The tray ---------------------------------------------------------------------------------------------------------


def test_a_person_puts_a_message_on_its_household(
    client: Any, cast: Cast, case: Case, write: Write, freeze: Any
) -> None:
    freeze("2026-07-14 11:30")
    reference = case.reference
    write("<script>alert(1)</script> It is me, Priya.", to="reply@kestrel.example.org", Subject="<b>Hello</b>")
    db.session.rollback()
    client.sign_in(cast.recruiter)
    page = client.get("/messages").page
    place = next(to for to in page.links.values() if to.startswith("/messages/"))

    found = client.submit(client.get(place).page, button="Find the household", reference=reference.lower())
    person = found.page.form(field="person").names
    assert "person" in person
    answer = client.submit(
        found.page, button="Put it on this household", person=str(case.household.people[0].id), reference=reference
    )

    assert answer.status_code == 303
    assert "It is me, Priya." in client.get(f"/cases/{reference}/timeline").text
    assert "Nothing to place" in client.get("/messages").text


def test_what_is_nothing_to_us_is_dropped_with_its_words(
    client: Any, cast: Cast, case: Case, write: Write, freeze: Any
) -> None:
    freeze("2026-07-14 11:30")
    taken = write(to="reply@kestrel.example.org")
    db.session.rollback()
    client.sign_in(cast.manager)

    number = taken.id
    db.session.rollback()
    client.submit(client.get("/messages").page, to=f"/messages/{number}/dismiss")

    kept = db.session.get(IncomingMessage, number, populate_existing=True)
    assert kept is not None
    assert (kept.outcome, kept.text, kept.sender) == ("dismissed", None, None)
