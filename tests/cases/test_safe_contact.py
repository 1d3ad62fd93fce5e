"""What a person asked of us holds on every channel, when a letter is written and again when it is about to leave."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from crm import policy
from crm.cases import contact, letters, stopping
from crm.cases.consents import record_consent
from crm.cases.models import Case, Person, Task, TimelineEntry
from crm.cases.people import PersonDetails, change_person
from crm.clock import london_date
from crm.db import db, transaction
from crm.delivery import Channel, MessageStatus, OutboundMessage, worker
from crm.delivery.letters import LETTERS
from crm.rules.permissions import PUBLIC
from tests.case_factory import PRIYA, make_case
from tests.delivery.examples import FIELDS
from tests.factories import Cast

NOW = datetime(2026, 7, 14, 10, 0, tzinfo=UTC)  # a Tuesday, 11am in London
HOUSEHOLD = [kind for kind, letter in LETTERS.items() if letter.audience == "household" and not letter.names_nobody]
ORDINARY = [kind for kind in HOUSEHOLD if not LETTERS[kind].statutory and not LETTERS[kind].marketing]
STATUTORY = [kind for kind in HOUSEHOLD if LETTERS[kind].statutory]


@pytest.fixture
def case(session: Any, cast: Cast) -> Case:
    """Priya's enquiry; its own letter has gone."""
    with transaction():
        policy.ensure_defaults(now=NOW)
        made = make_case(cast, now=NOW, address="4 Hill Top Road\nBromley")
        session.execute(sa.update(OutboundMessage).values(status=MessageStatus.SENT, sent_at=NOW))
    return made


@pytest.fixture
def priya(case: Case) -> Person:
    return case.household.people[0]


@pytest.fixture
def set_rules(case: Case, priya: Person, cast: Cast) -> Callable[..., None]:
    def set_them(**changes: Any) -> None:
        with transaction():
            rules = replace(contact.contact_rules_of(priya), **changes)
            contact.set_contact_rules(
                priya, rules, case=case, actor=cast.manager.actor, now=NOW, today=london_date(NOW)
            )

    return set_them


def send(case: Case, kind: str = "tried_to_ring", *, now: datetime = NOW, **changes: Any) -> OutboundMessage | None:
    with transaction():
        return letters.send_letter(
            kind,
            case=case,
            person=case.household.people[0],
            context=FIELDS[kind],
            actor=PUBLIC,
            now=now,
            today=london_date(now),
            **changes,
        )


def deliver(*, now: datetime = NOW, channel: Channel = Channel.EMAIL) -> worker.Tally:
    db.session.rollback()
    return worker.deliver_once(clock=lambda: now, channel=channel)


def tasks() -> list[str]:
    return [task.title for task in db.session.scalars(sa.select(Task).order_by(Task.id))]


def fresh(message: OutboundMessage | None) -> OutboundMessage:
    assert message is not None
    found = db.session.get(OutboundMessage, message.id, populate_existing=True)
    assert found is not None
    return found


# --- Which way, and when ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "kind", "goes"),
    [
        ({}, "tried_to_ring", "email"),
        ({"prefers": "text"}, "tried_to_ring", "text"),
        ({"prefers": "text"}, "information_pack", "email"),
        ({"prefers": "text", "no_texts": True}, "tried_to_ring", "email"),
        ({"prefers": "post"}, "information_pack", "post"),
        ({"no_emails": True}, "tried_to_ring", "text"),
        ({"no_emails": True}, "information_pack", "post"),
        ({"no_emails": True}, "stage_one_refusal", "post"),
        ({"no_emails": True, "no_texts": True}, "tried_to_ring", None),
        ({"no_emails": True, "no_letters": True}, "stage_one_refusal", None),
        ({"no_contact": True}, "tried_to_ring", None),
        ({"no_contact": True}, "stage_one_refusal", "email"),
    ],
)
def test_a_letter_goes_the_way_that_is_liked_among_those_allowed(
    case: Case, set_rules: Callable[..., None], rules: dict[str, Any], kind: str, goes: str | None
) -> None:
    set_rules(**rules)

    message = send(case, kind)

    assert (message.channel if message else None) == goes


def test_a_letter_stopped_by_a_rule_says_why_on_the_case_and_to_the_owner(
    case: Case, set_rules: Callable[..., None]
) -> None:
    set_rules(no_emails=True, no_texts=True)

    assert send(case) is None

    said = "We tried to ring you was not sent to Priya Osei: they asked us not to write to them that way"
    assert said in [entry.title for entry in db.session.scalars(sa.select(TimelineEntry))]
    assert "Tell Priya Osei another way: we tried to ring you" in tasks()


def test_somebody_who_asked_us_to_stop_gets_nothing_ordinary_on_any_channel(
    case: Case, set_rules: Callable[..., None]
) -> None:
    set_rules(no_contact=True)

    for kind in ORDINARY:
        for channel in LETTERS[kind].channels:
            assert send(case, kind, channel=channel, occasion=str(channel)) is None


def test_a_message_waits_for_the_hours_that_are_safe_for_them(case: Case, set_rules: Callable[..., None]) -> None:
    set_rules(quiet_times=("morning", "afternoon"))

    message = send(case)

    assert fresh(message).not_before == datetime(2026, 7, 14, 16, 0, tzinfo=UTC)
    assert deliver().sent == 0


def test_a_text_waits_for_the_hours_of_the_service_and_an_email_does_not(
    case: Case, set_rules: Callable[..., None]
) -> None:
    night = datetime(2026, 7, 14, 22, 30, tzinfo=UTC)
    by_email = send(case, now=night, channel=Channel.EMAIL, occasion="a")
    by_text = send(case, now=night, channel=Channel.TEXT, occasion="b")

    assert fresh(by_email).not_before == night
    assert fresh(by_text).not_before == datetime(2026, 7, 15, 8, 0, tzinfo=UTC)


def test_a_reminder_whose_only_safe_hour_comes_too_late_is_a_task(case: Case, set_rules: Callable[..., None]) -> None:
    set_rules(quiet_times=("morning", "afternoon"))

    assert send(case, "visit_reminder", not_after=NOW + timedelta(hours=2)) is None

    assert "Tell Priya Osei another way: reminder of the visit" in tasks()


# --- A rule set after the letter was written --------------------------------------------------------------------------


def test_a_way_forbidden_later_takes_back_what_waits_and_tells_the_owner(
    case: Case, set_rules: Callable[..., None]
) -> None:
    message = send(case, not_before=NOW + timedelta(hours=1))

    set_rules(no_emails=True)

    assert (fresh(message).status, fresh(message).last_failure) == (MessageStatus.STOPPED, "way_forbidden")
    assert "Tell Priya Osei another way: we tried to ring you" in tasks()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"no_contact": True}, "asked_to_stop"),
        ({"no_emails": True}, "way_forbidden"),
        ({"email": "priya@elsewhere.example.org"}, "address_changed"),
        ({"email": None}, "address_changed"),
    ],
)
def test_what_changed_without_anybody_minding_the_queue_stops_a_letter_as_it_leaves(
    case: Case, priya: Person, change: dict[str, Any], code: str
) -> None:
    message = send(case)
    with transaction():
        for name, value in change.items():
            setattr(priya, name, value)

    tally = deliver()

    assert (tally.sent, tally.stopped) == (0, 1)
    assert (fresh(message).status, fresh(message).last_failure) == (MessageStatus.STOPPED, code)


def test_hours_set_later_put_a_letter_off_without_counting_as_a_try(case: Case, priya: Person) -> None:
    message = send(case)
    with transaction():
        priya.quiet_times = "morning,afternoon"

    assert deliver().put_off == 1
    assert (fresh(message).attempts, fresh(message).not_before) == (0, datetime(2026, 7, 14, 16, 0, tzinfo=UTC))
    assert deliver(now=datetime(2026, 7, 14, 16, 0, tzinfo=UTC)).sent == 1


def test_a_statutory_letter_leaves_all_the_same(case: Case, priya: Person) -> None:
    send(case, "stage_one_refusal")
    with transaction():
        priya.no_contact = True

    assert deliver().sent == 1


def test_a_letter_that_became_shared_by_two_is_stopped_when_it_is_sensitive(case: Case, priya: Person) -> None:
    message = send(case, "not_now", channel=Channel.EMAIL)
    with transaction():
        case.household.people.append(
            Person(role="applicant_2", given_name="Sam", given_key="sam", email=priya.email, email_key=priya.email_key)
        )

    deliver()

    assert fresh(message).last_failure == "shared_address"


# --- News and events --------------------------------------------------------------------------------------------------


@pytest.fixture
def agree(priya: Person, cast: Cast) -> Callable[[str, bool], None]:
    def say(channel: str, given: bool) -> None:
        with transaction():
            record_consent(
                priya,
                channel=channel,
                given=given,
                wording_version="1",
                source="Phone",
                actor=cast.recruiter.actor,
                now=NOW,
            )

    return say


MARKETING = [kind for kind in HOUSEHOLD if LETTERS[kind].marketing]


@pytest.mark.parametrize("kind", MARKETING[:1])
def test_news_goes_only_with_a_yes_on_that_channel(case: Case, agree: Callable[[str, bool], None], kind: str) -> None:
    assert send(case, kind, occasion="1") is None
    agree("phone", True)
    assert send(case, kind, occasion="2") is None
    agree("email", True)
    assert send(case, kind, occasion="3") is not None
    agree("email", False)
    assert send(case, kind, occasion="4") is None


@pytest.mark.parametrize("kind", MARKETING[:1])
def test_a_yes_taken_back_after_it_was_written_stops_news_at_the_door(
    case: Case, agree: Callable[[str, bool], None], kind: str
) -> None:
    agree("email", True)
    message = send(case, kind)
    agree("email", False)

    deliver()

    assert fresh(message).last_failure == "no_consent"


@pytest.mark.parametrize("kind", MARKETING)
def test_news_can_be_ended_with_one_click(case: Case, agree: Callable[[str, bool], None], kind: str) -> None:
    agree("email", True)

    raw = fresh(send(case, kind)).payload or b""

    assert b"\r\nList-Unsubscribe: <http://localhost" in raw
    assert b"\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in raw


# --- Stop -------------------------------------------------------------------------------------------------------------


def stop(priya: Person, how: str = "link") -> bool:
    with transaction():
        return stopping.stop_contact(priya, how=how, actor=PUBLIC, now=NOW, today=london_date(NOW))


def test_stop_takes_back_all_that_waits_but_what_the_law_makes_us_send(case: Case, priya: Person) -> None:
    later = NOW + timedelta(hours=1)
    waiting = [
        send(case, "tried_to_ring", channel=Channel.EMAIL, not_before=later, occasion="a"),
        send(case, "tried_to_ring", channel=Channel.TEXT, not_before=later, occasion="b"),
        send(case, "information_pack", channel=Channel.POST, occasion="c"),
    ]
    notice = send(case, "stage_one_refusal", channel=Channel.POST, occasion="d")

    stop(priya)

    assert [fresh(one).last_failure for one in waiting] == ["asked_to_stop"] * 3
    assert fresh(notice).status == MessageStatus.TO_PRINT


def test_stop_shows_on_the_case_and_its_owner_is_told_once(case: Case, priya: Person) -> None:
    assert stop(priya) is True
    assert stop(priya, how="text") is False

    titles = [entry.title for entry in db.session.scalars(sa.select(TimelineEntry))]
    assert "Priya Osei asked us to stop contacting them, by the link in a letter" in titles
    assert len([title for title in tasks() if "asked us to stop" in title]) == 1


def test_stop_ends_their_yes_to_news(case: Case, priya: Person, agree: Callable[[str, bool], None]) -> None:
    from crm.cases.consents import consents_in_force

    agree("email", True)
    agree("post", False)

    stop(priya)

    assert {name: one.given for name, one in consents_in_force([priya.id])[priya.id].items()} == {
        "email": False,
        "post": False,
    }


def test_stop_on_the_rules_page_is_the_same_stop(case: Case, priya: Person, set_rules: Callable[..., None]) -> None:
    message = send(case, not_before=NOW + timedelta(hours=1))

    set_rules(no_contact=True)

    assert fresh(message).last_failure == "asked_to_stop"


def test_every_letter_that_may_be_stopped_says_where_and_no_statutory_one_offers_it(case: Case) -> None:
    from crm.delivery import queries

    for kind in [*ORDINARY, *STATUTORY]:
        parts = queries.email_parts(fresh(send(case, kind, channel=Channel.EMAIL)))

        assert parts is not None
        assert ("/stop/" in parts.text, "/stop/" in parts.html) == (kind in ORDINARY, kind in ORDINARY), kind


# --- The pages behind the links ---------------------------------------------------------------------------------------


@pytest.fixture
def link(case: Case, priya: Person) -> str:
    from crm.cases.contact_links import stop_link

    with transaction():
        return "/stop/" + stop_link(priya, now=NOW).rpartition("/")[2]


def test_the_link_stops_everything_when_they_say_so_and_not_by_being_looked_at(
    client: Any, case: Case, priya: Person, link: str, freeze: Any
) -> None:
    freeze("2026-07-14 11:30")
    page = client.get(link).page
    db.session.expire_all()
    assert priya.no_contact is False
    db.session.rollback()

    answer = client.submit(page, button="Stop it now", what="everything")

    assert answer.page.h1 == "We have stopped"
    assert "the law makes us send you certain letters" in answer.text
    db.session.expire_all()
    assert priya.no_contact is True


def test_the_link_can_stop_news_alone(
    client: Any, case: Case, priya: Person, agree: Callable[[str, bool], None], link: str, freeze: Any
) -> None:
    freeze("2026-07-14 11:30")
    agree("email", True)

    answer = client.submit(client.get(link).page, button="Stop it now", what="news")

    assert answer.page.h1 == "No more news and events"
    db.session.expire_all()
    assert priya.no_contact is False
    assert stopping.withdraw_consents(priya, how="link", actor=PUBLIC, now=NOW) == []


def test_a_mail_program_ends_news_by_itself_with_no_page_of_ours(
    client: Any, case: Case, priya: Person, agree: Callable[[str, bool], None], link: str, freeze: Any
) -> None:
    freeze("2026-07-14 11:30")
    agree("email", True)

    answer = client.post(link, data={"List-Unsubscribe": "One-Click"}, headers={"Sec-Fetch-Site": "cross-site"})

    assert answer.status_code == 200
    db.session.expire_all()
    assert stopping.withdraw_consents(priya, how="link", actor=PUBLIC, now=NOW) == []


def test_what_is_not_said_is_asked_for(client: Any, case: Case, link: str, freeze: Any) -> None:
    freeze("2026-07-14 11:30")

    answer = client.submit(client.get(link).page, button="Stop it now")

    assert answer.status_code == 422
    assert "Choose what we should stop" in answer.text


def test_the_page_says_nothing_about_whose_link_it_is(client: Any, case: Case, link: str, freeze: Any) -> None:
    freeze("2026-07-14 11:30")

    text = client.get(link).text

    assert "Priya" not in text
    assert case.reference not in text


def test_letters_of_a_month_carry_one_link_and_it_is_good_for_a_year(case: Case, priya: Person) -> None:
    from crm.cases.contact_links import Purpose, link_with, stop_link

    with transaction():
        links = {stop_link(priya, now=NOW + timedelta(days=days)) for days in (0, 10, 29)}
        later = stop_link(priya, now=NOW + timedelta(days=40))

    assert len(links) == 1
    assert later not in links
    token = links.pop().rpartition("/")[2]
    assert link_with(token, Purpose.STOP, now=NOW + timedelta(days=366)) is not None
    assert link_with(token, Purpose.STOP, now=NOW + timedelta(days=401)) is None
    assert link_with(token, Purpose.CONFIRM, now=NOW) is None


# --- A new address ----------------------------------------------------------------------------------------------------


@pytest.fixture
def move_mail(case: Case, priya: Person, cast: Cast) -> Callable[[str | None], None]:
    def change(email: str | None) -> None:
        with transaction():
            change_person(
                case,
                priya,
                PersonDetails(given_name="Priya", family_name="Osei", phone=PRIYA.phone, email=email),
                actor=cast.recruiter.actor,
                now=NOW,
                today=london_date(NOW),
            )

    return change


def newest() -> OutboundMessage:
    return db.session.scalars(sa.select(OutboundMessage).order_by(OutboundMessage.id.desc())).first()  # type: ignore[return-value]


def confirm_path() -> str:
    import re

    from crm.delivery import queries

    parts = queries.email_parts(newest())
    assert parts is not None
    found = re.search(r"/confirm-email/[\w-]+", parts.text)
    assert found is not None
    return found[0]


def test_a_changed_address_gets_nothing_that_was_meant_for_the_old_one_and_is_asked_whose_it_is(
    case: Case, move_mail: Callable[[str | None], None]
) -> None:
    waiting = send(case, not_before=NOW + timedelta(hours=1))

    move_mail("priya@new.example.org")

    assert fresh(waiting).last_failure == "address_changed"
    assert (newest().kind, newest().recipient) == ("address_check", "priya@new.example.org")
    assert b"Priya" not in (newest().payload or b"")
    assert case.reference.encode() not in (newest().payload or b"")


def test_nothing_that_matters_goes_to_a_new_address_until_somebody_says_it_is_theirs(
    client: Any, case: Case, move_mail: Callable[[str | None], None], freeze: Any
) -> None:
    freeze("2026-07-14 11:30")
    move_mail("priya@new.example.org")
    path = confirm_path()
    assert getattr(send(case, "not_now", occasion="1"), "channel", None) == "post"
    assert getattr(send(case, "tried_to_ring", occasion="1"), "channel", None) == "email"
    db.session.rollback()

    answer = client.submit(client.get(path).page, button="Tell us", whose="mine")

    assert answer.page.h1 == "Thank you"
    db.session.expire_all()
    assert getattr(send(case, "not_now", occasion="2"), "channel", None) == "email"


def test_an_address_that_is_somebody_elses_is_taken_off_and_the_owner_told(
    client: Any, case: Case, priya: Person, move_mail: Callable[[str | None], None], freeze: Any
) -> None:
    freeze("2026-07-14 11:30")
    move_mail("stranger@new.example.org")
    path = confirm_path()
    db.session.rollback()

    client.submit(client.get(path).page, button="Tell us", whose="not_mine")

    db.session.expire_all()
    assert priya.email is None
    assert any("was somebody else’s" in title for title in tasks())
    db.session.rollback()
    assert client.get(path).status_code == 404


def test_a_link_about_an_address_that_changed_again_says_nothing(
    client: Any, case: Case, priya: Person, move_mail: Callable[[str | None], None], freeze: Any
) -> None:
    freeze("2026-07-14 11:30")
    move_mail("one@new.example.org")
    first = confirm_path()
    move_mail("two@new.example.org")
    db.session.rollback()

    assert client.get(first).status_code == 404
    assert priya.email_unconfirmed_since is not None


def test_an_address_only_written_otherwise_is_not_asked_about(
    case: Case, priya: Person, move_mail: Callable[[str | None], None]
) -> None:
    move_mail("Priya.Osei@Example.org")

    assert priya.email_unconfirmed_since is None
    assert newest().kind != "address_check"
