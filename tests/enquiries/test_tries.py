"""Trying to reach somebody in one tap, and giving up only after two tries and a manager's word."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import func, select

from crm.cases.models import Case, ClosingRequest, ContactAttempt, StageChange, TimelineEntry
from crm.db import transaction
from crm.delivery import OutboundMessage
from crm.rules.stages import TrackName
from tests.case_factory import PRIYA, make_case

MORNING = "2026-07-14 09:00"


@pytest.fixture
def reference(session, cast, freeze):
    freeze(MORNING)
    with transaction():
        return make_case(cast).reference


def stage(session, reference):
    session.rollback()
    return session.scalars(select(Case).where(Case.reference == reference)).one().stages[TrackName.ENQUIRY]


def tap(client, reference, button="No answer: rang Priya Osei"):
    """One of the buttons on the page of the case."""
    return client.submit(client.get(f"/cases/{reference}").page, button=button, follow=True)


def tap_on_queue(client, reference, how, address="/enquiries"):
    """One of the buttons of a line of the queue: each sends the one form of the page to the line's own address."""
    page = client.get(address).page
    button = page.find("button", formaction=f"/cases/{reference}/tried", value=how)
    assert button.get("form") == "take"
    take = next(form for form in page.forms if form.element.get("id") == "take")
    return client.post(button.get("formaction"), data={**take.filled(), "how": how})


def tries(session):
    session.rollback()
    return session.scalars(select(ContactAttempt.how).where(ContactAttempt.undone_at.is_(None))).all()


def test_one_tap_logs_a_try_and_one_takes_it_back(client, session, cast, reference):
    client.sign_in(cast.recruiter)

    page = tap(client, reference)
    assert "Rang, no answer: Priya Osei, 9am. The clock runs on: Wednesday 15 July." in page.text
    assert tries(session) == ["no_answer"]

    undone = client.submit(page.page, button="Undo", follow=True)

    assert tries(session) == []
    assert stage(session, reference) == "new"
    assert "Rang, no answer: Priya Osei (taken back)" in undone.text


def test_a_tap_on_the_queue_goes_back_to_where_it_was(client, session, cast, reference):
    client.sign_in(cast.recruiter)

    sent = tap_on_queue(client, reference, "text", "/enquiries?view=new")

    assert sent.location == "/enquiries?view=new"
    assert tries(session) == ["text"]


def test_a_second_tap_at_once_is_the_same_try(client, session, cast, reference, freeze):
    client.sign_in(cast.recruiter)
    for _ in range(2):
        tap_on_queue(client, reference, "text")
    assert tries(session) == ["text"]

    freeze("2026-07-14 09:05")
    tap_on_queue(client, reference, "text")

    assert tries(session) == ["text", "text"]


def test_no_voicemail_is_left_for_somebody_who_asked_for_none(client, session, cast, freeze):
    from dataclasses import replace

    freeze(MORNING)
    with transaction():
        careful = make_case(cast, people=(replace(PRIYA, no_voicemail=True),)).reference
    client.sign_in(cast.recruiter)

    refused = tap_on_queue(client, careful, "voicemail")

    assert refused.status_code == 422
    assert "Priya Osei asked us not to leave a voicemail" in refused.text
    assert "Left a voicemail" not in client.get(f"/cases/{careful}").text
    assert tries(session) == []


def test_somebody_elses_try_and_yesterdays_stay(client, session, cast, reference, freeze):
    client.sign_in(cast.recruiter)
    tap(client, reference)
    freeze("2026-07-15 09:00")
    client.sign_in(cast.recruiter)

    page = client.get(f"/cases/{reference}")
    assert "/undo" not in page.text
    token = page.page.form(field="note").filled()["csrf_token"]
    session.rollback()
    attempt = session.scalars(select(ContactAttempt.id)).one()
    refused = client.post(f"/cases/{reference}/tries/{attempt}/undo", data={"csrf_token": token})

    assert refused.status_code == 409
    assert tries(session) == ["no_answer"]


def close(client, reference, **typed):
    return client.submit(
        client.get(f"/cases/{reference}/close").page,
        button="Close this enquiry",
        **{"reason": "no_response", "write_to_them": "y", **typed},
    )


def test_nobody_is_given_up_on_before_two_tries_and_a_managers_word(client, session, cast, reference, freeze):
    client.sign_in(cast.recruiter)
    tap(client, reference)
    freeze("2026-07-14 09:20")
    tap(client, reference)
    early = close(client, reference)
    assert early.status_code == 422
    assert "needs 2 tries on different days or at different times of the day, and one is on the timeline" in early.text

    freeze("2026-07-16 18:00")
    client.sign_in(cast.recruiter)
    tap(client, reference)
    asked = close(client, reference)
    assert asked.status_code == 303
    assert stage(session, reference) == "new"
    assert "A manager is asked to agree" in client.get(f"/cases/{reference}/close").text

    client.sign_in(cast.manager)
    page = client.get(f"/cases/{reference}/close")
    assert "Marcus Bello asked on Thursday 16 July" in page.text
    assert "We tried to reach you a few times" in page.text
    client.submit(page.page, button="Agree, and close it : Priya Osei")

    assert stage(session, reference) == "closed"
    letter = session.scalars(select(OutboundMessage).where(OutboundMessage.kind == "enquiry_closed")).one()
    assert letter.recipient == PRIYA.email
    request = session.scalars(select(ClosingRequest)).one()
    assert (request.agreed, request.settled_by_id) == (True, cast.manager.id)


def tried_twice_and_asked(client, reference, cast, freeze):
    client.sign_in(cast.recruiter)
    tap(client, reference)
    freeze("2026-07-15 09:00")
    client.sign_in(cast.recruiter)
    tap(client, reference)
    assert close(client, reference).status_code == 303


def test_a_manager_may_say_what_to_try_first(client, session, cast, reference, freeze):
    tried_twice_and_asked(client, reference, cast, freeze)
    client.sign_in(cast.manager)
    page = client.get(f"/cases/{reference}/close").page

    empty = client.submit(page, button="Not yet")
    assert empty.status_code == 422
    assert "Say what to try first" in empty.text
    client.submit(empty.page, button="Not yet", why="Try her in the evening, as she asked.")

    assert stage(session, reference) == "new"
    assert session.scalars(select(TimelineEntry.title).where(TimelineEntry.kind == "note")).all() == [
        "Not to be closed yet"
    ]
    client.sign_in(cast.recruiter)
    assert close(client, reference).status_code == 303


def test_asking_twice_is_asking_once_and_reaching_them_ends_it(client, session, cast, reference, freeze):
    tried_twice_and_asked(client, reference, cast, freeze)
    again = close(client, reference)
    assert again.status_code == 409 or "has been asked already" in again.text

    page = client.get(f"/cases/{reference}/contact").page
    client.submit(page, button="Keep this", how="spoke", note="She rang back")

    assert stage(session, reference) == "contacted"
    assert session.scalars(select(ClosingRequest.agreed)).all() == [None]
    client.sign_in(cast.manager)
    assert "Agree, and close it" not in client.get(f"/cases/{reference}/close").text


def test_after_it_is_opened_again_the_tries_of_before_count_no_more(client, session, cast, reference, freeze):
    tried_twice_and_asked(client, reference, cast, freeze)
    client.sign_in(cast.manager)
    client.submit(client.get(f"/cases/{reference}/close").page, button="Agree, and close it : Priya Osei")
    freeze("2026-09-01 09:00")
    client.sign_in(cast.recruiter)
    client.submit(client.get(f"/cases/{reference}/reopen").page, button="Open it again", note="They rang.")

    refused = close(client, reference)

    assert refused.status_code == 422
    assert "none is on the timeline" in refused.text


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ({"reason": "information_only"}, "You asked us for information"),
        ({"reason": "information_only", "words": "Come to our open day."}, "Come to our open day."),
        ({"reason": "counselled_out"}, None),
        ({"reason": "spam"}, ""),
    ],
)
def test_each_reason_has_its_words_or_asks_for_them(client, session, cast, reference, typed, told):
    client.sign_in(cast.recruiter)

    answer = close(client, reference, **typed)

    session.rollback()
    letters = session.scalar(
        select(func.count()).select_from(OutboundMessage).where(OutboundMessage.kind == "enquiry_closed")
    )
    if told is None:
        assert "Write what the letter says" in answer.text
        return
    assert answer.status_code == 303
    assert letters == bool(told)
    change = session.scalars(select(StageChange).where(StageChange.move == "close_enquiry")).one()
    assert told in (change.reason or "")
    assert change.effective_on == date(2026, 7, 14)


def word_that_we_rang(session):
    session.rollback()
    kind = OutboundMessage.kind == "tried_to_ring"
    return session.scalars(select(OutboundMessage).where(kind).order_by(OutboundMessage.id)).all()


def test_after_a_call_that_nobody_answered_word_of_it_is_offered_and_sent_once_a_day(
    client, session, cast, reference, freeze
):
    client.sign_in(cast.recruiter)

    offered = tap(client, reference)
    nothing_yet = word_that_we_rang(session)
    told = client.submit(offered.page, to=f"/cases/{reference}/tries/1/write", follow=True)
    freeze("2026-07-14 09:10")
    again = client.submit(client.get(f"/cases/{reference}").page, to=f"/cases/{reference}/tries/1/write", follow=True)

    assert nothing_yet == []
    assert "Priya Osei is sent an email that we tried to ring." in told.page.text
    assert "has had an email about it today already" in again.page.text
    (message,) = word_that_we_rang(session)
    assert message.channel == "email"
    assert tries(session) == ["no_answer"]  # the call counts, the word of it does not count again
    freeze("2026-07-15 10:00")
    next_day = client.get(f"/cases/{reference}").text
    assert f"/cases/{reference}/tries/1/write" not in next_day


def test_no_word_goes_to_whoever_ruled_its_ways_out(client, session, cast, reference):
    client.sign_in(cast.recruiter)
    offered = tap(client, reference)
    with transaction():
        person = session.scalars(select(Case)).one().household.people[0]
        person.no_emails = person.no_texts = True

    answer = client.submit(offered.page, to=f"/cases/{reference}/tries/1/write", follow=True)

    assert "Nothing was sent to Priya Osei: they asked us not to write to them that way." in answer.page.text
    assert word_that_we_rang(session) == []


@pytest.mark.parametrize("how", ["text", "email", "wrong_number"])
def test_it_is_offered_after_calls_alone(client, session, cast, reference, how):
    client.sign_in(cast.recruiter)
    tap_on_queue(client, reference, "no_answer")
    page = client.get(f"/cases/{reference}").page
    button = next(one for one in page.all("button", name="how") if one["value"] == how)
    client.submit(page, button=button.text)

    page = client.get(f"/cases/{reference}")

    assert f"/cases/{reference}/tries/1/write" in page.text
    assert f"/cases/{reference}/tries/2/write" not in page.text
    form = page.page.form(action=f"/cases/{reference}/tries/1/write").filled()
    assert client.post(f"/cases/{reference}/tries/2/write", data=form).status_code == 409
    assert client.post(f"/cases/{reference}/tries/999/write", data=form).status_code == 404
