"""A letter is written with its business, once, and the newest news of a visit takes the place of the old."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from crm.db import transaction
from crm.delivery import (
    Attachment,
    Channel,
    Invitation,
    MessageStatus,
    NewMessage,
    OutboundMessage,
    Recipient,
    UnsendableAddress,
    enqueue,
    hold_everything,
    mime,
    queries,
    release_held,
    supersede,
)
from crm.delivery.posting import CannotDispatch, print_pdf, record_dispatch
from crm.rules.permissions import Actor, ActorKind
from tests.delivery.examples import NOW, context_of, invitation_bytes, invitation_message, new_message
from tests.delivery.right_recipient import assert_right_recipient

MINUTE = timedelta(minutes=1)
STAFF = Actor(kind=ActorKind.STAFF, user_id=7, display_name="Dionne Clarke")


def write(message, now=NOW):
    with transaction():
        return enqueue(message, now=now).id


def letter(session, row_id):
    return session.get(OutboundMessage, row_id, populate_existing=True)


def by_post(kind="qualifying_determination", key="post-1", **changes):
    return NewMessage(
        kind=kind,
        channel=Channel.POST,
        to=Recipient(postal=("Maya Okafor", "4 Hill Top Road", "London", "SE13 5KO")),
        dedupe_key=key,
        context=context_of(kind),
        case_id=1,
        **changes,
    )


def test_a_letter_is_stored_as_the_very_bytes_that_will_leave(session):
    row = letter(session, write(new_message(case_id=3, person_id=4)))

    assert row.status == MessageStatus.QUEUED
    assert row.payload.startswith(b"From: Kestrel Fostering <hello@kestrel.example.org>\r\nTo: maya@example.org\r\n")
    assert f"Message-ID: {row.message_id}".encode() in row.payload
    assert b"Date: Wed, 08 Jul 2026 17:22:00 +0000" in row.payload
    assert_right_recipient(row.payload, "maya@example.org")


def test_the_address_and_the_words_are_sealed_in_the_database(session):
    write(new_message(key="k"))

    stored = session.execute(sa.text("SELECT * FROM outbound_message")).one()

    kept = b"".join(bytes(v) if isinstance(v, bytes | memoryview) else str(v).encode() for v in stored)
    for canary in (b"maya@example.org", b"Maya", b"spare bedroom"):
        assert canary not in kept


def test_an_invitation_leaves_from_the_mailbox_that_answers_come_back_to(session):
    row = letter(session, write(invitation_message()))

    assert row.payload.startswith(b"From: Kestrel Fostering <visits@kestrel.example.org>\r\n")
    assert row.calendar_method == "REQUEST"
    parts = queries.email_parts(row)
    assert parts.ics == invitation_bytes(uid="visit-1@kestrel.example.org")
    assert_right_recipient(row.payload, "maya@example.org")


def test_the_calendar_part_stands_where_every_mail_reader_looks_for_it(session):
    from email import message_from_bytes

    message = message_from_bytes(letter(session, write(invitation_message())).payload)

    assert message.get_content_type() == "multipart/mixed"
    alternative, attached = message.get_payload()
    assert alternative.get_content_type() == "multipart/alternative"
    plain, html, calendar = alternative.get_payload()
    assert [plain.get_content_type(), html.get_content_type()] == ["text/plain", "text/html"]
    assert calendar.get_content_type() == "text/calendar"
    assert calendar.get_param("method") == "REQUEST"
    assert calendar.get_param("charset") == "utf-8"
    assert calendar["Content-Disposition"] is None
    assert attached.get_content_type() == "application/ics"
    assert attached.get_filename() == "invite.ics"


def test_what_is_rolled_back_is_not_written(session):
    def fails():
        with transaction():
            enqueue(new_message(), now=NOW)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()

    assert queries.outbox_page().messages == []


def test_the_same_business_told_twice_writes_one_letter(session):
    first = write(new_message(key="enquiry-1"))
    second = write(new_message(key="enquiry-1", context={"pack_url": "https://kestrel.example.org/pack"}))

    assert first == second
    assert len(queries.outbox_page().messages) == 1


def test_two_letters_have_two_message_ids_and_one_letter_always_the_same():
    assert mime.message_id_for("a", "example.org") == mime.message_id_for("a", "example.org")
    assert mime.message_id_for("a", "example.org") != mime.message_id_for("b", "example.org")


def test_an_address_that_is_not_one_is_refused_and_nothing_is_written(session):
    with pytest.raises(UnsendableAddress):
        write(new_message(to="maya@example.org, daniel@example.org"))

    assert queries.outbox_page().messages == []


def test_a_letter_that_goes_only_by_email_can_not_be_asked_for_by_post(session):
    with pytest.raises(UnsendableAddress):
        write(by_post("password_reset"))


@pytest.mark.parametrize(
    ("ics", "method"),
    [
        (invitation_bytes(attendee="daniel@example.org"), "REQUEST"),
        (invitation_bytes(method="CANCEL"), "REQUEST"),
        (invitation_bytes(), "PUBLISH"),
        (invitation_bytes().replace(b"SUMMARY:", b"X-A:1\rSUMMARY:"), "REQUEST"),
        (invitation_bytes().replace(b"END:VEVENT\r\n", b"END:VEVENT\r\nBEGIN:VEVENT\r\nEND:VEVENT\r\n"), "REQUEST"),
        (invitation_bytes().replace(b"STATUS:", b"ATTENDEE:mailto:daniel@example.org\r\nSTATUS:"), "REQUEST"),
        (invitation_bytes().replace(b"mailto:visits@", b"mailto:sam@"), "REQUEST"),
        (invitation_bytes().replace(b"visit KF", "visit\u2028KF".encode()), "REQUEST"),
        (invitation_bytes()[:-2], "REQUEST"),
    ],
)
def test_an_invitation_that_is_not_for_this_recipient_alone_never_gets_into_a_letter(session, ics, method):
    with pytest.raises(mime.MessageNotAsMeant):
        write(new_message("visit_invitation", invitation=Invitation(ics, method)))


def test_one_attachment_arrives_byte_for_byte_under_a_plain_name(session):
    content = bytes(range(256)) * 50

    row = letter(
        session,
        write(new_message(attachment=Attachment("../Bericht\r\nBcc: x \u202egpj.pdf", content, "application/pdf"))),
    )

    parts = queries.email_parts(row)
    assert parts.attachment_name == "Bericht-Bcc-x-gpj.pdf"
    assert_right_recipient(row.payload, "maya@example.org")


# --- Newest news only -------------------------------------------------------------------------------------------------


def test_a_newer_time_takes_the_place_of_one_that_has_not_left(session):
    first = write(invitation_message(0, not_before=NOW + MINUTE))
    second = write(invitation_message(1, not_before=NOW + MINUTE))

    assert letter(session, first).status == MessageStatus.SUPERSEDED
    assert letter(session, first).last_failure == "overtaken"
    assert letter(session, second).status == MessageStatus.QUEUED


def test_what_has_left_is_not_taken_back(session):
    first = write(invitation_message(0))
    with transaction():
        row = letter(session, first)
        row.status, row.sent_at = MessageStatus.SENT, NOW
    second = write(invitation_message(1))

    assert letter(session, first).status == MessageStatus.SENT
    assert letter(session, second).status == MessageStatus.QUEUED


def test_a_visit_called_off_before_anyone_heard_of_it_sends_nothing_at_all(session):
    first = write(invitation_message(0, not_before=NOW + MINUTE))
    cancel = write(invitation_message(1, method="CANCEL"))

    assert [letter(session, row).status for row in (first, cancel)] == [MessageStatus.SUPERSEDED] * 2
    assert letter(session, cancel).last_failure == "first_never_left"


def test_a_visit_called_off_before_its_letter_was_posted_leaves_nothing_to_print(session):
    def visit_by_post(kind, sequence):
        return by_post(kind, key=f"{kind}-{sequence}", stream="visit-1|post", sequence=sequence)

    write(visit_by_post("visit_invitation", 0))
    write(visit_by_post("visit_cancelled", 1))

    assert queries.letters_to_print() == []


@pytest.mark.parametrize("how", ["sent", "sending", "in_doubt"])
def test_a_visit_called_off_is_called_off_to_whoever_may_have_heard(session, how):
    first = write(invitation_message(0))
    with transaction():
        row = letter(session, first)
        if how == "sent":
            row.status, row.sent_at = MessageStatus.SENT, NOW
        elif how == "sending":
            row.status, row.lease_token, row.lease_until = MessageStatus.SENDING, "t", NOW + MINUTE
        else:
            row.may_have_left = True

    cancel = write(invitation_message(1, method="CANCEL"))

    assert letter(session, cancel).status == MessageStatus.QUEUED


def test_one_mailboxs_news_does_not_overtake_anothers(session):
    maya = write(invitation_message(0, to="maya@example.org"))
    write(invitation_message(1, to="daniel@example.org"))

    assert letter(session, maya).status == MessageStatus.QUEUED


def test_superseding_by_hand_counts_what_it_dropped(session):
    write(invitation_message(0))

    with transaction():
        assert supersede("visit-1|maya@example.org", 5, now=NOW) == 1
        assert supersede("visit-1|maya@example.org", 5, now=NOW) == 0


# --- A restored copy sends nothing ------------------------------------------------------------------------------------


def test_a_restored_outbox_is_held_until_somebody_lets_it_go(session):
    waiting, leased, sent = (write(new_message(key=key)) for key in "abc")
    with transaction():
        row = letter(session, leased)
        row.status, row.lease_token, row.lease_until = MessageStatus.SENDING, "t", NOW + MINUTE
        row = letter(session, sent)
        row.status, row.sent_at = MessageStatus.SENT, NOW

    with transaction():
        assert hold_everything() == 2
    held = [letter(session, row).status for row in (waiting, leased, sent)]
    with transaction():
        assert release_held(now=NOW + MINUTE) == 2

    assert held == [MessageStatus.HELD, MessageStatus.HELD, MessageStatus.SENT]
    assert letter(session, leased).status == MessageStatus.QUEUED
    assert letter(session, leased).may_have_left


# --- Post -------------------------------------------------------------------------------------------------------------


def test_a_letter_by_post_waits_for_the_printer_and_is_a_pdf(session):
    row = letter(session, write(by_post()))

    assert row.status == MessageStatus.TO_PRINT
    assert row.recipient == "Maya Okafor\n4 Hill Top Road\nLondon\nSE13 5KO"
    assert print_pdf(row).startswith(b"%PDF-")
    assert [waiting.id for waiting in queries.letters_to_print()] == [row.id]


def test_posting_is_recorded_with_the_date_the_way_and_the_person(session):
    row_id = write(by_post())

    with transaction():
        record_dispatch(
            letter(session, row_id), on=date(2026, 7, 9), method="signed_for", actor=STAFF, now=NOW + 2 * 720 * MINUTE
        )

    row = letter(session, row_id)
    assert (row.status, row.dispatched_on, row.dispatch_method, row.dispatched_by_id) == (
        MessageStatus.DISPATCHED, date(2026, 7, 9), "signed_for", 7
    )  # fmt: skip
    assert queries.letters_to_print() == []


@pytest.mark.parametrize(
    ("on", "method"),
    [(date(2026, 7, 7), "first_class"), (date(2026, 7, 9), "first_class"), (date(2026, 7, 8), "by_pigeon")],
)
def test_a_posting_that_can_not_have_been_is_refused(session, on, method):
    row_id = write(by_post())

    with pytest.raises(CannotDispatch):
        record_dispatch(letter(session, row_id), on=on, method=method, actor=STAFF, now=NOW)


def test_a_letter_is_not_posted_twice_and_an_email_not_at_all(session):
    posted, email = write(by_post()), write(new_message())
    with transaction():
        record_dispatch(letter(session, posted), on=NOW.date(), method="by_hand", actor=STAFF, now=NOW)

    with pytest.raises(CannotDispatch, match="8 July 2026"):
        record_dispatch(letter(session, posted), on=NOW.date(), method="by_hand", actor=STAFF, now=NOW)
    with pytest.raises(CannotDispatch):
        record_dispatch(letter(session, email), on=NOW.date(), method="by_hand", actor=STAFF, now=NOW)
    with pytest.raises(CannotDispatch):
        print_pdf(letter(session, email))


# --- Reading ----------------------------------------------------------------------------------------------------------


def test_the_outbox_is_read_in_pages_newest_first(session):
    ids = [write(new_message(key=str(number))) for number in range(7)]

    first = queries.outbox_page(limit=3)
    second = queries.outbox_page(limit=3, before=first.before)
    third = queries.outbox_page(limit=3, before=second.before)

    seen = [row.id for page in (first, second, third) for row in page.messages]
    assert seen == ids[::-1]
    assert third.before is None


def test_the_outbox_can_be_read_by_where_letters_are(session):
    waiting, printed = write(new_message()), write(by_post())

    assert [row.id for row in queries.outbox_page(statuses=[MessageStatus.QUEUED]).messages] == [waiting]
    assert [row.id for row in queries.outbox_page(statuses=[MessageStatus.TO_PRINT]).messages] == [printed]
    assert queries.counts() == queries.OutboxCounts(queued=1, to_print=1)


def test_the_oldest_letter_that_should_have_left_is_timed_and_one_put_off_is_not(session):
    assert queries.oldest_unsent_age(now=NOW) is None

    write(new_message(key="later", not_before=NOW + 60 * MINUTE))
    assert queries.oldest_unsent_age(now=NOW + MINUTE) is None

    write(new_message(key="now"))
    assert queries.oldest_unsent_age(now=NOW + 5 * MINUTE) == 5 * MINUTE


def test_a_cases_letters_are_its_own(session):
    mine = write(new_message(key="1", case_id=1))
    write(new_message(key="2", case_id=2))

    assert [row.id for row in queries.messages_of_case(1)] == [mine]
    assert queries.message_by_id(mine, case_id=1) is not None
    assert queries.message_by_id(mine, case_id=2) is None


def test_the_database_refuses_half_made_states(session):
    row_id = write(new_message())

    for half_made in (
        "status = 'sent'",
        "status = 'sending'",
        "status = 'to_print'",
        "status = 'lost'",
        "lease_token = 'x'",
        "channel = 'fax'",
        "stream = 'x'",
        "sent_at = queued_at",
    ):
        with pytest.raises(sa.exc.IntegrityError), transaction():
            session.execute(sa.text(f"UPDATE outbound_message SET {half_made} WHERE id = {row_id}"))
