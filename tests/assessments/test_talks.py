"""A talk with a referee stands in two calendars, theirs and the officer's: both hear of its time, changes and end."""

from __future__ import annotations

import re
from datetime import datetime
from email import message_from_bytes
from typing import Any

import pytest
import sqlalchemy as sa
from icalendar import Calendar

from crm.access.queries import user_with
from crm.assessments import referees, withdrawal
from crm.assessments.referee_models import Referee
from crm.assessments.referees import NewReferee, RefereeAsItStands
from crm.cases.models import Case
from crm.clock import now_utc
from crm.db import db, transaction
from crm.delivery import OutboundMessage
from crm.delivery.texts import read_text
from tests.assessments.journey import LONDON, Journey, to_assessment
from tests.assessments.test_referees import GRACE, KEITH, again, asked, given, name

AT = datetime(2026, 3, 9, 14, tzinfo=LONDON)
LATER = datetime(2026, 3, 10, 11, tzinfo=LONDON)
TALKS = ("referee_talk", "referee_talk_off", "officer_talk", "officer_talk_off")


@pytest.fixture
def j(journey: Journey) -> Journey:
    return journey.walk(to_assessment)


def book(j: Journey, referee: Referee, at: datetime = AT, how: str = "phone", **more: Any) -> None:
    j.do(referees.book_interview, j.case, again(referee), booked_for=at, how=how, by=more.pop("by", j.cast.officer))


def told() -> list[OutboundMessage]:
    """Every letter about a talk, the oldest first."""
    db.session.rollback()
    return list(
        db.session.scalars(
            sa.select(OutboundMessage).where(OutboundMessage.kind.in_(TALKS)).order_by(OutboundMessage.id)
        )
    )


def kinds(since: int = 0) -> list[str]:
    return [one.kind for one in told()[since:]]


def event_of(message: OutboundMessage) -> tuple[str, Any]:
    """The method, and the one event of a message."""
    parts = [
        part for part in message_from_bytes(message.payload or b"").walk() if part.get_content_type() == "text/calendar"
    ]
    calendar = Calendar.from_ical(parts[0].get_payload(decode=True))
    [event] = calendar.walk("VEVENT")
    return str(calendar["METHOD"]), event


def test_both_are_invited_each_in_a_message_of_their_own(j):
    referee, _path = asked(j)
    book(j, referee)

    theirs, ours = told()
    assert (theirs.kind, theirs.recipient, theirs.user_id) == ("referee_talk", "grace@example.org", None)
    assert (ours.kind, ours.user_id) == ("officer_talk", j.cast.officer.id)
    for message in (theirs, ours):
        method, event = event_of(message)
        assert method == "REQUEST"
        assert event["DTSTART"].dt == AT
        assert str(event["ATTENDEE"]).lower() == f"mailto:{message.recipient}"
        assert str(event["LOCATION"]) == "By phone"
    assert event_of(theirs)[1]["UID"] != event_of(ours)[1]["UID"]


def test_the_referees_copy_does_not_say_whose_application_it_is(j):
    referee, _path = asked(j)
    book(j, referee)
    theirs, ours = told()
    raw = message_from_bytes(theirs.payload or b"")
    words = " ".join(
        part.get_payload(decode=True).decode() for part in raw.walk() if not part.is_multipart()
    ).replace("\r\n ", "")  # fmt: skip
    for secret in ("Priya", "Nair", "Sam", "Whitlock", j.case.reference, "Tannery", "foster parent"):
        assert secret not in words, secret
    assert re.fullmatch(r"Talk with [\w ]+", str(event_of(theirs)[1]["SUMMARY"]))
    assert "Grace" not in str(event_of(ours)[1].to_ical())
    assert "Grace" not in ours.subject


def test_moved_it_keeps_its_uid_and_its_sequence_rises(j):
    referee, _path = asked(j)
    book(j, referee)
    book(j, referee, LATER)

    first, second = told()[:2], told()[2:]
    assert [one.kind for one in second] == ["referee_talk", "officer_talk"]
    for before, after in zip(first, second, strict=True):
        (_, old), (method, new) = event_of(before), event_of(after)
        assert method == "REQUEST"
        assert new["UID"] == old["UID"]
        assert new["SEQUENCE"] > old["SEQUENCE"]
        assert new["DTSTART"].dt == LATER
    assert "another time" in message_from_bytes(second[0].payload or b"").as_string().replace("=\n", "")


def test_booked_again_as_it_is_nothing_is_sent(j):
    referee, _path = asked(j)
    book(j, referee)
    book(j, referee)
    assert len(told()) == 2


def test_called_off_it_comes_out_of_both_calendars(j, client):
    referee, _path = asked(j)
    book(j, referee)
    client.sign_in(j.cast.officer)
    path = f"/cases/{j.case.reference}/referees/{referee.id}"
    page = client.get(f"{path}/interview").page
    done = client.submit(page, to=f"{path}/interview/off", button="Call the talk off", follow=True)

    assert "The talk is off" in done.page.text
    assert again(referee).booked_for is None
    off = told()[2:]
    assert [one.kind for one in off] == ["referee_talk_off", "officer_talk_off"]
    for before, after in zip(told()[:2], off, strict=True):
        method, event = event_of(after)
        assert (method, str(event["STATUS"])) == ("CANCEL", "CANCELLED")
        assert event["UID"] == event_of(before)[1]["UID"]
        assert event["SEQUENCE"] > event_of(before)[1]["SEQUENCE"]
    with pytest.raises(RefereeAsItStands):
        j.do(referees.call_off_interview, j.case, again(referee), by=j.cast.officer)


def test_a_referee_with_a_mobile_alone_has_a_text_and_no_invitation(j):
    referee, _path = asked(j, KEITH)
    book(j, referee)
    theirs, ours = told()
    assert theirs.channel == "text"
    assert theirs.calendar_method is None
    assert "Monday 9 March, 2pm" in read_text(theirs.payload)[1]
    assert event_of(ours)[0] == "REQUEST"


def test_taken_out_or_the_application_over_it_is_off(j):
    referee, _path = asked(j)
    book(j, referee)
    j.do(referees.withdraw_referee, j.case, again(referee), why="replaced", by=j.cast.officer)
    assert kinds(2) == ["referee_talk_off", "officer_talk_off"]

    other = name(j, NewReferee(name="Rosa Marsh", relation="friend", email="rosa@example.org"))
    book(j, other)
    j.look_again()
    j.do(withdrawal.withdraw, j.case, code="AW3", withdrawn_on=j.today, by=j.cast.manager)
    assert kinds(4) == ["referee_talk", "officer_talk", "referee_talk_off", "officer_talk_off"]
    assert again(other).booked_for is None


def test_what_takes_it_out_of_their_calendar_leaves_though_they_are_no_referee_any_more(j):
    referee, _path = asked(j)
    book(j, referee)
    j.do(referees.withdraw_referee, j.case, again(referee), why="replaced", by=j.cast.officer)
    request, _ours, off, _also = told()
    check = {"now": now_utc(), "today": j.today, "actor": j.cast.officer.actor}
    assert referees.may_it_leave(off, **check) is None
    assert referees.may_it_leave(request, **check).code == "not_wanted"


def test_whoever_says_they_are_somebody_else_is_sent_nothing_more(j):
    referee, path = asked(j)
    book(j, referee)
    with transaction():
        found = referees.opened(path.rpartition("/")[2], now=now_utc())
        referees.choose(found, "wrong", **given())
    assert kinds(2) == ["officer_talk_off"]


def test_at_another_address_they_hear_of_it_there_and_the_old_one_of_nothing(j):
    referee, _path = asked(j)
    book(j, referee)
    moved = NewReferee(name=GRACE.name, relation="friend", email="grace.new@example.org", phone=GRACE.phone)
    j.do(referees.change_referee, j.case, again(referee), moved, by=j.cast.officer)
    old, _ours, new = told()[:3]
    assert (new.kind, new.recipient) == ("referee_talk", "grace.new@example.org")
    check = {"now": now_utc(), "today": j.today, "actor": j.cast.officer.actor}
    assert referees.may_it_leave(old, **check).code == "address_changed"
    assert referees.may_it_leave(new, **check) is None


def test_in_other_hands_it_leaves_one_officers_calendar_and_enters_the_others(j):
    referee, _path = asked(j)
    book(j, referee)
    with transaction():
        db.session.get_one(Case, j.case.id).owner_id = j.cast.other_officer.id
    book(j, referee, LATER, by=j.cast.manager)
    _referees, off, on = told()[2:]
    assert (off.kind, off.user_id) == ("officer_talk_off", j.cast.officer.id)
    assert event_of(off)[1]["DTSTART"].dt == AT
    assert (on.kind, on.user_id) == ("officer_talk", j.cast.other_officer.id)
    assert user_with(on.user_id).active


def test_talked_with_before_its_time_it_is_in_nobodys_calendar(j):
    referee, _path = asked(j)
    book(j, referee)
    j.do(referees.write_up_interview, j.case, again(referee), held_on=j.today, account="She would.", view="supports",
         by=j.cast.officer)  # fmt: skip
    assert kinds(2) == ["referee_talk_off", "officer_talk_off"]
