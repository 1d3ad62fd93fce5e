"""Referees: named, asked by a link of their own, heard, rung and written up; and what never happens on the way."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from crm import policy
from crm.assessments import checks, referees, withdrawal
from crm.assessments.referee_models import Referee
from crm.assessments.referee_questions import QUESTIONS, TOPICS
from crm.assessments.referees import LinkEnded, NewReferee, NotAReferee, RefereeAsItStands
from crm.audit import AuditEntry
from crm.cases.letters import WrongRecipient
from crm.cases.models import Person, Task, TimelineEntry
from crm.clock import LONDON, now_utc, today_in_london
from crm.db import db, transaction
from crm.delivery import OutboundMessage, worker
from crm.delivery.queries import email_parts
from crm.delivery.texts import read_text
from crm.rules.permissions import Actor, ActorKind, NotPermitted
from tests.assessments.journey import Journey, to_assessment

LINK = re.compile(r"/reference/([A-Za-z0-9_-]{32})")
DEAD = "/reference/" + "x" * 32
CANARY = "CANARY-SHE-SHOUTS-AT-TEA"
GRACE = NewReferee(
    name="Grace Ashdown", relation="friend", email="grace@example.org", phone="07700 900801", known_since=2009
)
KEITH = NewReferee(name="Keith Frost", relation="neighbour", phone="07700 900802")


@pytest.fixture
def j(journey: Journey) -> Journey:
    return journey.walk(to_assessment)


def name(j: Journey, new: NewReferee = GRACE, *, person: str = "Priya", number: int = 1, **more: Any) -> Referee:
    place = j.check("referees", person, number)
    return j.do(referees.name_referee, j.case, place, new, by=more.pop("by", j.cast.officer), **more)


def ask(j: Journey, referee: Referee) -> OutboundMessage:
    return j.do(referees.ask_referee, j.case, referee, by=j.cast.officer)


def asked(j: Journey, new: NewReferee = GRACE, **more: Any) -> tuple[Referee, str]:
    referee = name(j, new, **more)
    return referee, LINK.search(words_of(ask(j, referee)))[0]


def words_of(message: OutboundMessage) -> str:
    return read_text(message.payload)[1] if message.channel == "text" else email_parts(message).text


def given() -> dict[str, Any]:
    today = today_in_london()
    return {"now": now_utc(), "today": today, "rulebook": policy.rulebook_on(today)}


def all_answers(**changes: str) -> dict[str, str]:
    found = {one.key: one.choices[0][0] if one.choices else f"{CANARY} {one.key}" for one in QUESTIONS}
    return {**found, "known_since": "2009", "worry": "yes", **changes}


def write(path: str, **changes: str) -> None:
    """Everything that a referee does, without the pages."""
    token = path.rpartition("/")[2]
    with transaction():
        found = referees.opened(token, now=now_utc())
        referees.choose(found, "yes", **given())
        referees.save_draft(found, all_answers(**changes), step="check", now=now_utc())
        referees.submit(found, **given())
    db.session.rollback()


def again(referee: Referee) -> Referee:
    db.session.rollback()
    db.session.expire_all()
    return db.session.get_one(Referee, referee.id)


def tasks(j: Journey) -> list[str]:
    j.look_again()
    return list(db.session.scalars(sa.select(Task.title).where(Task.case_id == j.case.id, Task.done_at.is_(None))))


def lines(j: Journey) -> str:
    j.look_again()
    return "\n".join(db.session.scalars(sa.select(TimelineEntry.title).where(TimelineEntry.case_id == j.case.id)))


def letters(kind: str) -> list[OutboundMessage]:
    db.session.rollback()
    return list(db.session.scalars(sa.select(OutboundMessage).where(OutboundMessage.kind == kind)))


# --- Naming and asking ------------------------------------------------------------------------------------------------


def test_a_referee_is_asked_by_email_and_the_clock_of_their_interview_runs(j):
    referee, path = asked(j)

    letter = letters("reference_request")[0]
    assert letter.recipient == "grace@example.org"
    assert letter.person_id is None
    text = words_of(letter)
    assert "Priya and Sam" in text
    for secret in ("Nair", "Whitlock", "Tannery", "Bromley", "BR1", j.case.reference):
        assert secret not in text
    interview = j.check("referee_interviews", "Priya")
    assert again(referee).interview_check_id == interview.id
    assert interview.requested_on == j.today
    assert j.due("referee_reply", f"check:{interview.id}") == again(referee).reply_by
    assert path.rpartition("/")[2] not in str(
        [row for table in db.metadata.sorted_tables if table.name == "referee"
         for row in db.session.execute(sa.select(table)).all()]
    )  # fmt: skip
    assert "Grace" not in lines(j)


def test_a_referee_with_a_mobile_alone_is_asked_by_text_within_the_hours_for_texts(j):
    j.on("2026-03-02", "23:30")
    referee = name(j, KEITH)
    letter = ask(j, referee)

    assert (letter.channel, letter.recipient) == ("text", "+447700900802")
    assert LINK.search(words_of(letter))
    assert letter.not_before.astimezone(LONDON).date().isoformat() == "2026-03-03"


def test_a_reminder_brings_the_same_link_and_lets_it_live_longer(j):
    referee, path = asked(j)
    first_end = again(referee).link_ends_at
    j.on("2026-03-30")
    j.do(referees.chase, j.case, again(referee), by=j.cast.officer)

    reminder = letters("reference_reminder")[0]
    assert LINK.search(words_of(reminder))[0] == path
    assert again(referee).link_ends_at == first_end + timedelta(days=28) - timedelta(hours=1)  # the clocks went on
    assert j.check("referee_interviews", "Priya").chased_on == j.today


def test_nobody_is_reminded_who_was_not_asked(j):
    referee = name(j)

    with pytest.raises(RefereeAsItStands):
        j.do(referees.chase, j.case, referee, by=j.cast.officer)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": "Sam Whitlock"}, "name"),
        ({"name": "sam  whitlock"}, "name"),
        ({"email": "SAM.whitlock@example.org"}, "email"),
        ({"email": "priya.nair+ref@example.org"}, "email"),
        ({"phone": "+44 7700 900162"}, "phone"),
        ({"email": None, "phone": None}, "email"),
        ({"email": None, "phone": "01632 960140"}, "phone"),
        ({"relation": "enemy"}, "relation"),
    ],
)
def test_a_referee_is_from_outside_the_household_and_reached_where_nobody_of_it_is(j, changes, field):
    fields = {"name": GRACE.name, "relation": "friend", "email": GRACE.email, "phone": GRACE.phone, **changes}

    with pytest.raises((NotAReferee, WrongRecipient)) as refused:
        name(j, NewReferee(**fields))

    assert refused.value.field == field
    assert db.session.scalar(sa.select(sa.func.count()).select_from(Referee)) == 0


def test_two_referees_of_one_applicant_are_two_people_and_one_may_speak_for_both_applicants(j):
    name(j)
    name(j, GRACE, person="Sam")

    with pytest.raises(NotAReferee):
        name(j, GRACE, number=2)
    with pytest.raises(NotAReferee):
        name(j, NewReferee(name="Somebody Else", relation="friend", email="grace@example.org"), person="Sam", number=2)
    with pytest.raises(RefereeAsItStands):
        name(j, KEITH)


def test_an_applicant_names_their_own_and_nobody_elses(j):
    priya = next(one for one in j.case.household.people if one.given_name == "Priya")
    actor = Actor(kind=ActorKind.APPLICANT, person_id=priya.id, display_name="Priya Nair")
    with transaction():
        named = referees.name_referee(j.case, j.check("referees", "Priya"), GRACE, actor=actor, **given())
        assert named.named_by_id is None

    with pytest.raises(NotPermitted), transaction():
        referees.name_referee(j.case, j.check("referees", "Sam"), KEITH, actor=actor, **given())
    stranger = Actor(kind=ActorKind.APPLICANT, person_id=999_999)
    with pytest.raises(NotPermitted), transaction():
        referees.name_referee(j.case, j.check("referees", "Sam"), KEITH, actor=stranger, **given())
    with pytest.raises(NotPermitted), transaction():
        referees.ask_referee(j.case, again(named), actor=actor, **given())


def test_an_address_that_becomes_the_households_own_gets_nothing_more(j, client):
    referee, path = asked(j)
    with transaction():
        person = db.session.scalars(sa.select(Person).where(Person.given_name == "Sam")).one()
        person.email, person.email_key = "grace@example.org", "grace@example.org"
    worker.deliver_once(clock=now_utc)
    worker.deliver_once(clock=now_utc)

    assert {(one.status, one.last_failure) for one in letters("reference_request")} == {("stopped", "not_wanted")}
    assert client.get(path).status_code == 404
    with pytest.raises(WrongRecipient):
        j.do(referees.chase, j.case, again(referee), by=j.cast.officer)


def test_what_waits_for_an_old_address_does_not_leave(j):
    referee, path = asked(j)
    moved = NewReferee(name=GRACE.name, relation="friend", email="grace.new@example.org")
    ended = j.do(referees.change_referee, j.case, again(referee), moved, by=j.cast.officer)
    worker.deliver_once(clock=now_utc)
    worker.deliver_once(clock=now_utc)

    assert ended
    assert {one.last_failure for one in letters("reference_request")} == {"address_changed"}
    with pytest.raises(LinkEnded):
        referees.opened(path.rpartition("/")[2], now=now_utc())
    assert LINK.search(words_of(ask(j, again(referee))))[0] != path


# --- The link ---------------------------------------------------------------------------------------------------------


def replaced(j: Journey, referee: Referee) -> None:
    j.do(referees.withdraw_referee, j.case, referee, why="replaced", by=j.cast.officer)


def time_passes(j: Journey, referee: Referee) -> None:
    j.on("2026-04-13", "11:01")


def household_withdraws(j: Journey, referee: Referee) -> None:
    j.do(withdrawal.withdraw, j.case, code="AW3", withdrawn_on=j.today, by=j.cast.manager)


def applicant_leaves(j: Journey, referee: Referee) -> None:
    with transaction():
        db.session.get_one(Person, referee.person_id).left_household_on = j.today


def says_no(j: Journey, referee: Referee) -> None:
    choose(referee, "no")


def is_somebody_else(j: Journey, referee: Referee) -> None:
    choose(referee, "wrong")


def choose(referee: Referee, choice: str) -> None:
    with transaction():
        found = referees.opened(referees.token_of(db.session.get_one(Referee, referee.id)), now=now_utc())
        referees.choose(found, choice, **given())


WAYS_TO_END = (replaced, time_passes, household_withdraws, applicant_leaves, says_no, is_somebody_else)


@pytest.mark.parametrize("way", WAYS_TO_END)
def test_a_link_dies_and_every_page_of_it_answers_as_if_it_had_never_been(j, client, way):
    referee, path = asked(j)
    assert client.get(path).status_code == 200
    way(j, again(referee))
    db.session.remove()

    for page in ("", "/knowing", "/check", "/later"):
        ended, never = client.get(path + page), client.get(DEAD + page)
        assert ended.status_code == never.status_code == 404
        assert ended.page.text == never.page.text


def test_a_link_that_was_used_shows_a_thank_you_and_nothing_of_what_was_written(j, client):
    _, path = asked(j)
    write(path)

    for page in ("", "/knowing", "/check", "/later"):
        answer = client.get(path + page, follow_redirects=True)
        assert answer.page.h1 == "Thank you, Grace"
        assert CANARY not in answer.text
    assert letters("reference_thanks")[0].recipient == "grace@example.org"
    assert CANARY not in words_of(letters("reference_thanks")[0])


def test_looking_changes_nothing(j, client):
    referee, path = asked(j)
    before = {column: getattr(again(referee), column) for column in Referee.__table__.columns.keys()}  # noqa: SIM118
    for page in ("", "/knowing", "/check", "/later"):
        client.head(path + page)
        client.get(path + page)

    assert before == {column: getattr(again(referee), column) for column in before}


def test_saying_no_makes_a_task_and_leaves_no_reason_where_it_could_be_passed_on(j, client):
    referee, path = asked(j)
    page = client.get(path).page
    answer = client.submit(page, button="Continue", choice="no", follow=True)

    assert answer.page.h1 == "Thank you for telling us"
    assert "Priya" not in answer.page.text
    assert tasks(j) == ["Ask Priya for the name of another referee, and give no reason"]
    assert "rather not" not in lines(j)
    assert j.due("referee_reply") is None
    assert not j.check("referee_interviews", "Priya").requested_on
    assert name(j, KEITH).id != referee.id


def test_who_would_rather_talk_is_rung_and_may_still_write(j, client):
    _, path = asked(j)
    client.submit(client.get(path).page, button="Continue", choice="talk")

    assert tasks(j) == ["Ring the referee of Priya: they would rather talk than write"]
    assert client.get(path).page.h1 == "Thank you. We ring you instead"
    page = client.get(path + "?from=talk").page
    assert client.submit(page, button="Continue", choice="yes").headers["Location"].endswith("/knowing")


# --- The form ---------------------------------------------------------------------------------------------------------


def fill(client: Any, path: str, topic: Any, **more: Any) -> Any:
    page = client.get(f"{path}/{topic.key}").page
    answers = {one.key: all_answers()[one.key] for one in topic.questions}
    return client.submit(page, button=more.pop("button", "Continue"), **{**answers, **more})


def test_a_reference_is_written_page_by_page_left_come_back_to_and_sent(j, client):
    referee, path = asked(j)
    start = client.get(path).page
    assert start.h1 == "Priya and Sam would like to foster. Will you tell us about Priya?"
    for secret in ("Nair", "Tannery", "Bromley", j.case.reference):
        assert secret not in start.text
    client.submit(start, button="Continue", choice="yes")
    for topic in TOPICS[:3]:
        assert fill(client, path, topic).status_code == 303
    kept = fill(client, path, TOPICS[3], button="Save and come back later", home_known="")
    assert kept.headers["Location"].endswith("/later")
    assert referees.standing_of(again(referee), now=now_utc()).words == "Half done"

    back = client.get(path, follow_redirects=True)
    assert back.page.h1 == "What is life like at home?"
    assert f"{CANARY} home" in back.text
    for topic in TOPICS[3:]:
        fill(client, path, topic)
    check = client.get(path, follow_redirects=True).page
    assert check.h1 == "Check your answers, then send them"
    unsaid = client.submit(check, button="Send my answers")
    assert unsaid.status_code == 422
    done = client.submit(check, button="Send my answers", declares="y", follow=True)

    assert done.page.h1 == "Thank you, Grace"
    referee = again(referee)
    assert referee.is_submitted
    assert referee.is_confidential
    assert not referee.may_share
    assert referee.draft_sealed is None
    assert tasks(j) == ["Read the reference for Priya, then ring the referee to talk"]
    assert not j.check("referee_interviews", "Priya").is_obtained
    assert not j.check("referees", "Priya").is_obtained
    assert j.due("referee_reply") is None
    trail = db.session.scalars(sa.select(AuditEntry).where(AuditEntry.event == "referee.submitted")).one()
    assert trail.actor_kind == "referee"


def test_what_is_missing_is_said_and_what_was_typed_is_kept(j, client):
    _, path = asked(j)
    client.submit(client.get(path).page, button="Continue", choice="yes")
    page = client.get(f"{path}/worry").page
    answer = client.submit(page, button="Continue", worry="yes", worry_words="")
    knowing = client.get(f"{path}/knowing").page
    year = client.submit(knowing, button="Continue", known_since="last year", relation="friend")

    assert answer.status_code == 422
    assert "Write what worries you" in answer.page.errors[0]
    assert year.status_code == 422
    assert 'value="last year"' in year.text
    later = client.submit(knowing, button="Save and come back later", known_since="last year")
    assert later.status_code == 422
    assert len(later.page.errors) == 1
    early = client.get(f"{path}/check").page
    assert "Not quite done" in early.text
    assert client.submit(early, button="Send my answers", declares="y").status_code == 422


def test_what_is_sent_is_what_was_looked_at(j, client):
    referee, path = asked(j)
    with transaction():
        found = referees.opened(path.rpartition("/")[2], now=now_utc())
        referees.choose(found, "yes", **given())
        referees.save_draft(found, all_answers(), step="check", now=now_utc())
    check = client.get(f"{path}/check").page
    fill(client, path, TOPICS[1], person="Something else now")
    answer = client.submit(check, button="Send my answers", declares="y", follow=True)

    assert "Look at them again" in answer.page.text
    assert not again(referee).is_submitted


def test_a_referee_may_let_the_applicant_read_it(j):
    referee, path = asked(j)
    write(path, share="yes")

    assert again(referee).may_share
    assert not again(referee).is_confidential


def test_a_reference_is_sent_once(j):
    _, path = asked(j)
    write(path)
    found = referees.opened(path.rpartition("/")[2], now=now_utc())

    with pytest.raises(RefereeAsItStands):
        referees.submit(found, **given())
    with pytest.raises(RefereeAsItStands):
        referees.save_draft(found, {}, step="person", now=now_utc())


# --- Staff ------------------------------------------------------------------------------------------------------------


def test_the_interview_is_booked_and_written_up_and_stage_one_follows(j, client):
    referee, path = asked(j)
    write(path)
    j.obtain_all(but=("referee_interviews",))
    for check in [one for one in j.checks() if one.item == "referee_interviews"]:
        if check.id != referee.interview_check_id:
            j.obtain(check)
    client.sign_in(j.cast.officer)
    page = f"/cases/{j.case.reference}/referees/{referee.id}"
    assert CANARY in client.get(page).text
    book = client.get(f"{page}/interview").page
    client.submit(
        book, button="Book the talk", **{"on-day": "9", "on-month": "3", "on-year": "2026"}, starts="2pm", how="phone"
    )
    assert again(referee).booked_for == datetime(2026, 3, 9, 14, tzinfo=LONDON)
    j.on("2026-03-09", "15:00")
    client.sign_in(j.cast.officer)
    write_up = client.get(f"{page}/account").page
    done = client.submit(
        write_up, button="Record the interview", follow=True, account="She would do it again.", view="supports",
        **{"held_on-day": "9", "held_on-month": "3", "held_on-year": "2026"},
    )  # fmt: skip

    assert done.status_code == 200, done.page.errors
    assert "Written up" in done.page.text
    check = j.check("referee_interviews", "Priya")
    assert (check.received_on, check.result, check.outcome) == (j.today, "clear", "She would do it again.")
    assert j.stage("stage_one") == "complete"


def test_an_interview_can_not_be_held_before_anybody_was_asked_nor_tomorrow(j):
    referee = name(j)
    for held_on in (j.today + timedelta(days=1), j.today - timedelta(days=1)):
        with pytest.raises(checks.DayNotPossible):
            j.do(
                referees.write_up_interview, j.case, referee, held_on=held_on, account="Yes.", view="supports",
                by=j.cast.officer,
            )  # fmt: skip


def test_a_referees_words_are_for_those_on_the_case_and_looking_is_recorded(j, client):
    referee, path = asked(j)
    write(path)
    page = f"/cases/{j.case.reference}/referees/{referee.id}"
    for member in (j.cast.other_officer, j.cast.recruiter, j.cast.panel_member, j.cast.panel_administrator,
                   j.cast.decision_maker, j.cast.administrator):  # fmt: skip
        client.sign_in(member)
        for address in (page, f"{page}/account", f"/cases/{j.case.reference}/checks/{referee.check_id}"):
            answer = client.get(address)
            assert answer.status_code in (403, 404), member.key
            assert CANARY not in answer.text
    client.sign_in(j.cast.officer)
    client.get(page)

    db.session.rollback()
    looks = db.session.scalars(sa.select(AuditEntry.event).where(AuditEntry.subject == f"referee:{referee.id}")).all()
    assert {"view.referee", "view.reference"} <= set(looks)
    overview = client.get(f"/cases/{j.case.reference}/assessment").text
    assert CANARY not in overview
    assert "Grace" not in overview


def test_the_panel_administrator_sees_where_it_stands_and_neither_who_nor_what(j, client):
    referee, path = asked(j)
    write(path)
    j.obtain_all().passed().stage_two().report().shared().observed().ready()
    client.sign_in(j.cast.panel_administrator)
    answer = client.get(f"/cases/{j.case.reference}/referees/{referee.id}")

    assert answer.status_code == 200
    assert "Reference in" in answer.page.text
    for secret in (CANARY, "Grace", "grace@", "07700 900801"):
        assert secret not in answer.text


def test_no_letter_and_no_line_repeats_a_referees_words_or_their_link(j, client):
    _, path = asked(j)
    write(path)
    j.obtain_all().passed()

    client.sign_in(j.cast.manager)
    request = letters("reference_request")[0]
    assert client.get(f"/cases/{j.case.reference}/letters/{request.id}").status_code == 403
    for letter in db.session.scalars(sa.select(OutboundMessage)):
        assert CANARY not in str(letter.payload)
        if letter.person_id is not None:
            assert "grace" not in str(letter.payload).lower()
    for address in ("", "/timeline", "/assessment", "/letters"):
        text = client.get(f"/cases/{j.case.reference}{address}").text
        assert CANARY not in text
        assert path not in text


def test_unsent_answers_are_dropped_long_after_the_link_ended(j):
    referee, path = asked(j)
    with transaction():
        found = referees.opened(path.rpartition("/")[2], now=now_utc())
        referees.choose(found, "yes", **given())
        referees.save_draft(found, all_answers(), step="check", now=now_utc())
    with transaction():
        assert referees.forget_drafts(now=now_utc() + timedelta(days=100)) == 0
        assert referees.forget_drafts(now=now_utc() + timedelta(days=103)) == 1

    assert again(referee).draft is None


@pytest.mark.parametrize(
    "halves",
    [
        {"withdrawn_at": now_utc()},
        {"is_confidential": False},
        {"submitted_at": now_utc()},
        {"token_digest": "x" * 64},
        {"choice": "no", "opened_at": now_utc()},
        {"email_sealed": None, "phone_sealed": None},
        {"booked_for": now_utc()},
    ],
)
def test_half_made_states_are_refused_by_the_database(j, halves):
    referee = name(j)

    with pytest.raises(sa.exc.IntegrityError), transaction():
        db.session.execute(sa.update(Referee).where(Referee.id == referee.id).values(**halves))

