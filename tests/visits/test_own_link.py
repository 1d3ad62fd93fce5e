"""A household's own link: it picks, changes and calls off its visit, asks for others or says no. Nobody signs in."""

from __future__ import annotations

import re
from typing import Any

import pytest
import sqlalchemy as sa

from crm import policy
from crm.audit import AuditEntry
from crm.calendars.models import CalendarObject
from crm.cases.change_stage import change_stage
from crm.cases.models import Case, Task, TimelineEntry
from crm.clock import LONDON, now_utc, today_in_london
from crm.db import db, transaction
from crm.delivery import MessageStatus, OutboundMessage, worker
from crm.delivery.queries import email_parts
from crm.delivery.texts import read_text
from crm.policy import changing
from crm.portal import visit_views
from crm.rules.stages import TrackName
from crm.visits import choosing, home_notes, hours, offers
from crm.visits.choosing import NobodyToSend, TimeGone
from crm.visits.day_models import NoteKind
from crm.visits.models import Place, Purpose, Visit, VisitHold, VisitLink, VisitOffer
from crm.visits.staff_forms import read_slot
from tests.visits.conftest import at
from tests.visits.test_holds import hold

LINK = re.compile(r"/visit/([A-Za-z0-9_-]{32})")
DEAD = "/visit/" + "x" * 32


def afresh() -> None:
    db.session.rollback()
    db.session.expire_all()


def send(verbs: Any, case: Case, *officers: Any, **changes: Any) -> VisitOffer:
    with transaction():
        return choosing.send_offer(
            case,
            **verbs.given(
                **{
                    "purpose": Purpose.FIRST_VISIT,
                    "place": Place.HOME,
                    "length_minutes": 90,
                    "officer_ids": [one.id for one in officers or (verbs.cast.officer,)],
                    "actor": verbs.cast.recruiter.actor,
                    **changes,
                }
            ),
        )


def letters(kind: str = "", *, unsent: bool = False) -> list[OutboundMessage]:
    afresh()
    query = sa.select(OutboundMessage).order_by(OutboundMessage.id)
    if kind:
        query = query.where(OutboundMessage.kind == kind)
    if unsent:
        query = query.where(OutboundMessage.status == MessageStatus.QUEUED)
    return list(db.session.scalars(query))


def words_of(message: OutboundMessage) -> str:
    return read_text(message.payload)[1] if message.channel == "text" else email_parts(message).text


def leave() -> None:
    """Every letter that is due leaves."""
    for _ in range(20):
        worker.deliver_once(clock=now_utc)


def path_in(message: OutboundMessage) -> str:
    return LINK.search(words_of(message))[0]


def tasks() -> list[str]:
    afresh()
    return list(db.session.scalars(sa.select(Task.title).where(Task.done_at.is_(None)).order_by(Task.id)))


def times_on(page: Any) -> list[str]:
    return [box.get("value") for box in page.all("input", name="at") if box.get("value") != "none"]


@pytest.fixture
def case(verbs: Any) -> Case:
    return verbs.household()


@pytest.fixture
def path(verbs: Any, case: Case) -> str:
    """The address of Maya's link."""
    send(verbs, case)
    return path_in(letters("visit_choose")[0])


def choose(client: Any, path: str, number: int = 0) -> Any:
    """From the link to a time that is taken: three pages."""
    page = client.get(path).page
    confirm = client.submit(page, button="Carry on", at=times_on(page)[number])
    assert confirm.status_code == 200
    return client.submit(confirm.page, button="Yes, book it", follow=True)


def the_visit() -> Visit:
    afresh()
    return db.session.scalars(sa.select(Visit)).one()


def test_a_time_is_picked_in_three_pages_and_everybody_is_told_once(
    client: Any, verbs: Any, case: Case, path: str
) -> None:
    done = choose(client, path)

    assert done.status_code == 200
    assert done.page.h1 == "See you on Monday 6 July"
    assert "Nadia" in done.page.text
    for secret in ("Rahman", "Maya", "Daniel", "Thompson", "Rowan Close", "SE6", case.reference):
        assert secret not in done.page.text
    visit = the_visit()
    assert visit.booked_by_id is None
    assert db.session.get(Case, case.id).stages[TrackName.ENQUIRY] == "visit_booked"
    line = db.session.scalars(
        sa.select(TimelineEntry).where(TimelineEntry.title.contains("by the household itself"))
    ).one()
    assert line.actor_name == case.household.people[0].full_name
    noted = db.session.scalars(sa.select(AuditEntry).where(AuditEntry.event == "visit.booked")).one()
    assert (noted.actor_kind, noted.actor_id) == ("applicant", case.household.people[0].id)
    told = letters("visit_invitation")
    assert len(told) == 2
    assert {path_in(one) for one in told} == {path_in(one) for one in letters("visit_choose")}
    assert len(letters("officer_visit_invitation")) == 1


def test_who_thinks_again_within_a_minute_gets_one_letter_that_says_how_it_is(client, verbs, case, path, freeze):
    choose(client, path, -1)
    page = client.get(client.get(path).page.links["Change the time"]).page
    at_last = times_on(page)[-2]
    confirm = client.submit(page, button="Carry on", at=at_last)
    done = client.submit(confirm.page, button="Yes, move it", follow=True)
    freeze("2026-07-06 09:32")

    assert done.status_code == 200
    left = [one for one in letters(unsent=True) if one.kind != "visit_choose" and one.not_before]
    assert sorted(one.kind for one in left if "visit" in one.kind) == [
        "officer_visit_invitation", "visit_invitation", "visit_invitation",
    ]  # fmt: skip
    assert the_visit().sequence == 1
    assert {one.sequence for one in db.session.scalars(sa.select(CalendarObject))} == {1}
    assert len({one.uid for one in db.session.scalars(sa.select(CalendarObject))}) == 3


def test_a_change_after_the_letters_left_keeps_the_uid_and_is_one_change(client, verbs, case, path, freeze):
    choose(client, path, -1)
    freeze("2026-07-06 09:45")
    leave()
    uids = {one.uid for one in db.session.scalars(sa.select(CalendarObject))}
    for number in (-3, -2):
        page = client.get(path + "/times").page
        confirm = client.submit(page, button="Carry on", at=times_on(page)[number])
        client.submit(confirm.page, button="Yes, move it")

    waiting = [one for one in letters("visit_changed") if one.status == MessageStatus.QUEUED]
    assert len(waiting) == 2  # one each
    assert {one.uid for one in db.session.scalars(sa.select(CalendarObject))} == uids
    assert the_visit().sequence == 2


def test_looking_changes_nothing_and_a_made_up_time_is_never_answered(client, verbs, case, path):
    page = client.get(path).page
    value = times_on(page)[0]
    before = the_state()
    for address in (path, f"{path}/times", f"{path}/confirm?at={value}", f"{path}/cancel", f"{path}/other-times"):
        assert client.get(address).status_code == 200
        assert client.head(address).status_code == 200
    assert the_state() == before

    when, _, mark = value.partition(".")
    made_up = f"{when[:-5]}1345Z.{mark}"
    for address in (f"{path}/confirm?at={made_up}", f"{path}/confirm?at=", f"{path}/confirm"):
        assert client.get(address).status_code == 422
    confirm = client.get(f"{path}/confirm?at={value}").page
    assert client.submit(confirm, button="Yes, book it", at=made_up).status_code == 422
    afresh()
    assert db.session.scalars(sa.select(Visit)).all() == []


def the_state() -> list[Any]:
    afresh()
    counted = [db.session.scalar(sa.select(sa.func.count()).select_from(one)) for one in (Visit, Task, TimelineEntry)]
    return [*counted, db.session.scalar(sa.select(Case.version)), db.session.scalar(sa.select(VisitOffer.asked_at))]


def test_a_time_that_went_costs_nothing_and_the_nearest_are_shown(client, verbs, case, path):
    page = client.get(path).page
    confirm = client.submit(page, button="Carry on", at=times_on(page)[2])
    verbs.book(verbs.household(2), "2026-07-06 14:00")  # over the time that is being looked at

    refused = client.submit(confirm.page, button="Yes, book it")

    assert refused.status_code == 409
    assert "That time has just gone" in refused.page.text
    assert "another visit" not in refused.page.text
    again = client.submit(refused.page, button="Carry on", at=times_on(refused.page)[0])
    done = client.submit(again.page, button="Yes, book it", follow=True)
    assert done.page.h1.startswith("See you on")


def test_their_partner_was_quicker_and_they_see_the_visit(client, verbs, case, path):
    theirs = path_in(letters("visit_choose")[1])
    page = client.get(path).page
    confirm = client.submit(page, button="Carry on", at=times_on(page)[4])
    choose(client, theirs)

    booked = the_visit().starts_at
    late = client.submit(confirm.page, button="Yes, book it", follow=True)

    assert late.page.h1 == "See you on Monday 6 July"
    assert "nothing was done" in late.page.text
    assert the_visit().starts_at == booked


def test_until_the_cut_off_they_change_and_cancel_themselves_and_then_they_ring(client, verbs, case, path, freeze):
    page = client.get(f"{path}/times?from=2026-07-08").page
    confirm = client.submit(page, button="Carry on", at=times_on(page)[0])
    client.submit(confirm.page, button="Yes, book it")
    visit = the_visit()
    old = client.get(f"{path}/cancel").page
    freeze("2026-07-07 09:30")

    page = client.get(path).page
    assert "Cancel the visit" not in page.links
    assert "too near" in page.text
    refused = client.submit(old, button="Yes, cancel it", follow=True)
    assert refused.page.h1 == "See you on Wednesday 8 July"
    assert the_visit().is_booked

    with transaction():
        changing.change_setting(
            name="change_hours", value=1, actor=verbs.cast.administrator.actor, now=now_utc(), today=today_in_london(),
        )  # fmt: skip
    off = client.submit(
        client.get(f"{path}/cancel").page, button="Yes, cancel it", reason="My mother is ill", follow=True
    )
    assert off.page.h1 == "When shall we come round?"
    visit = the_visit()
    assert (visit.status, visit.settled_note) == ("cancelled", "My mother is ill")
    assert any("They called off the visit" in one for one in tasks())
    assert all("ill" not in words_of(one) for one in letters() if one.user_id)
    # and they choose again, by the same link
    choose(client, path)
    afresh()
    assert len([one for one in db.session.scalars(sa.select(Visit)) if one.is_booked]) == 1


def test_asking_for_other_times_is_a_task_of_the_owner_and_shows_on_the_case(client, verbs, case, path):
    page = client.get(path).page
    asked = client.submit(page, button="Carry on", at="none", follow=True)
    assert asked.page.h1 == "What would suit you?"
    empty = client.submit(asked.page, button="Send this")
    assert empty.status_code == 422
    sent = {"days": ["sat"], "parts": ["evening"], "words": "Not in half term"}
    for _ in range(2):
        done = client.submit(client.get(f"{path}/other-times").page, button="Send this", follow=True, **sent)

    assert "You hear from us by Tuesday 7 July" in done.page.text
    assert [one for one in tasks() if "other times" in one] == [
        "They asked for other times for the visit. Ring them, or send other times"
    ]
    client.sign_in(verbs.cast.recruiter)
    shown = client.get(f"/cases/{case.reference}/visits").page
    assert "They asked for other times" in shown.text
    assert "Saturday. Evenings. Not in half term" in shown.text


def test_saying_no_ends_nothing_and_is_heard(client, verbs, case, path):
    no = client.submit(client.get(f"{path}/cancel").page, button="No visit for now", reason="Too much on", follow=True)

    assert "You told us: no visit for now" in no.page.text
    assert any("no visit for now" in one for one in tasks())
    assert db.session.get(Case, case.id).stages[TrackName.ENQUIRY] == "contacted"
    assert choose(client, path).page.h1.startswith("See you on")


@pytest.mark.parametrize("how", ["withdrawn", "again", "expired", "merged", "stopped", "moved", "closed", "over"])
def test_a_link_that_is_over_says_the_same_as_one_that_never_was(client, verbs, case, path, how, freeze):
    never = client.get(DEAD)
    person = case.household.people[0]
    offer = db.session.scalars(sa.select(VisitOffer)).one()
    given = verbs.given(actor=verbs.cast.manager.actor)
    if how == "over":
        choose(client, path)
        freeze("2026-07-06 20:00")
    elif how == "expired":
        freeze("2026-07-20 09:31")
    with transaction():
        if how == "withdrawn":
            choosing.withdraw(offer, case, actor=given["actor"], now=given["now"])
        elif how == "again":
            choosing.send_again(offer, case, **given)
        elif how == "merged":
            offer.is_open = False  # as the rule for a merge leaves the one that is gone
        elif how == "stopped":
            person.no_contact = True
        elif how == "moved":
            person.email = "somebody.else@example.org"
        elif how == "closed":
            change_stage(
                case, "close_enquiry", reason_code="chose_another", letter_context={"reasons": "As you said."}, **given
            )

    for address in (path, f"{path}/times", f"{path}/cancel", f"{path}/other-times", f"{path}/asked"):
        ended = client.get(address)
        assert ended.status_code == never.status_code == 404
        assert ended.page.text == never.page.text
    assert "ring" in never.page.text.casefold()
    assert "no-store" in never.headers["Cache-Control"]


def test_times_keep_to_quiet_hours_notice_both_officers_and_what_is_held(client, verbs, case):
    cast = verbs.cast
    hold(verbs, verbs.household(3), "2026-07-08 14:00", cast.other_officer)
    with transaction():
        case.household.people[0].quiet_times = "morning"
    send(verbs, case, cast.officer, cast.other_officer)
    page = client.get(path_in(letters("visit_choose")[0])).page

    starts = [read_slot(one.partition(".")[0]) for one in times_on(page)]
    assert min(starts) >= at("2026-07-06 11:30")
    assert not [one for one in starts if one.astimezone(LONDON).hour < 12]
    assert [one for one in starts if at("2026-07-07 12:00") <= one < at("2026-07-07 18:00")]
    assert not [one for one in starts if at("2026-07-08 12:30") < one < at("2026-07-08 15:30")]
    assert "Nadia and Iqbal" in page.text or "Iqbal and Nadia" in page.text


def test_the_link_goes_by_text_where_there_is_no_email_and_so_does_the_answer(client, verbs, freeze):
    case = verbs.household(7, email=False, couple=False, address=None)
    send(verbs, case)
    (asked,) = letters("visit_choose")
    assert asked.channel == "text"

    choose(client, path_in(asked))

    (told,) = letters("visit_invitation")
    assert told.channel == "text"
    assert path_in(told) == path_in(asked)


def test_nobody_to_send_to_and_nothing_free_are_said(verbs):
    case = verbs.household(8, email=False, couple=False)
    with transaction():
        case.household.people[0].no_texts = True
    with pytest.raises(NobodyToSend, match="by email or by text"):
        send(verbs, case)
    afresh()
    with transaction():
        hours.set_hours(verbs.cast.officer.id, spans={}, visits_a_day=2, actor=verbs.cast.officer.actor, now=now_utc())
    with pytest.raises(NobodyToSend, match="Nothing is free"):
        send(verbs, verbs.household(9))


def test_the_owner_is_told_after_some_working_days_that_nothing_was_chosen_once(client, verbs, case, path, freeze):
    freeze("2026-07-08 09:31")
    assert not choosing.has_unchosen(now_utc())
    freeze("2026-07-09 09:31")
    assert choosing.has_unchosen(now_utc())
    with transaction():
        assert choosing.chase_unchosen(now_utc()) == 1
    assert [one for one in tasks() if "have not chosen" in one] == [
        "They have not chosen a time for the visit since Monday 6 July. Ring them"
    ]
    assert not choosing.has_unchosen(now_utc())


def test_a_visit_booked_by_staff_has_a_link_in_its_invitation_and_the_offer_is_taken_up(client, verbs, case, path):
    verbs.book(case, "2026-07-14 14:00")

    assert client.get(path).page.h1 == "See you on Tuesday 14 July"
    assert {path_in(one) for one in letters("visit_invitation")} == {path_in(one) for one in letters("visit_choose")}

    other = verbs.household(5)
    verbs.book(other, "2026-07-15 14:00")
    (theirs, _) = [one for one in letters("visit_invitation") if one.case_id == other.id]
    assert client.get(path_in(theirs)).page.h1 == "See you on Wednesday 15 July"


def test_what_is_held_for_them_is_on_offer_and_becomes_the_visit(client, verbs, case, path):
    held = hold(verbs, case, "2026-07-07 14:00")
    assert held is not None
    page = client.get(f"{path}/times?from=2026-07-07").page
    (when,) = [one for one in times_on(page) if one.startswith("20260707T1300Z")]

    client.submit(client.submit(page, button="Carry on", at=when).page, button="Yes, book it")

    assert the_visit().starts_at == at("2026-07-07 14:00")
    assert db.session.scalars(sa.select(VisitHold)).all() == []


def test_only_digests_are_kept_and_who_tries_dead_links_is_slowed(client, verbs, case, path, monkeypatch):
    monkeypatch.setattr(visit_views, "MISSES_A_WINDOW", 5)
    token = path.rpartition("/")[2]
    assert token not in str(db.session.execute(sa.select(VisitLink.__table__)).all())

    answers = [client.get(DEAD[:-1] + str(number)).status_code for number in range(7)]

    assert answers == [404] * 5 + [429] * 2
    assert client.get(path).status_code == 200


def test_staff_send_it_see_how_it_stands_send_again_and_withdraw(client, verbs, case):
    client.sign_in(verbs.cast.recruiter)
    page = client.get(client.get(f"/cases/{case.reference}").page.links["Let them choose a time"]).page
    assert "By email" in page.text
    sent = client.submit(page, button="Send the link", officers=[str(verbs.cast.officer.id)], follow=True)
    assert "They can choose a time until Monday 20 July" in sent.page.text
    assert "They have not chosen yet" in sent.page.text

    again = client.submit(sent.page, button="Send it again the link to choose a time", follow=True)
    assert len(letters("visit_choose")) == 4
    withdrawn = client.submit(again.page, button="Withdraw it the link to choose a time", follow=True)
    assert "Withdrawn" in withdrawn.page.text
    with pytest.raises(offers.LinkEnded):
        offers.opened(path_in(letters("visit_choose")[-1]).rpartition("/")[2], now=now_utc())


def test_the_time_of_another_household_is_no_time_of_theirs(client, verbs, case, path):
    send(verbs, verbs.household(2))
    other = path_in(letters("visit_choose")[2])
    value = times_on(client.get(path).page)[0]

    assert client.get(f"{other}/confirm?at={value}").status_code == 422


def test_two_who_want_one_time_get_one_and_the_nearest(verbs, case):
    """The same through every door at once: test_race.py."""
    one, two = case, verbs.household(2)
    found = []
    for household in (one, two):
        offer = send(verbs, household)
        person = household.household.people[0]
        found.append(offers.Opened(offer, household, person, None))
    today = today_in_london()
    given = {"now": now_utc(), "today": today, "rulebook": policy.rulebook_on(today)}
    with transaction():
        choosing.choose(found[0], starts_at=at("2026-07-14 14:00"), **given)
    with pytest.raises(TimeGone) as gone, transaction():
        choosing.choose(found[1], starts_at=at("2026-07-14 14:00"), **given)
    assert gone.value.slots


def test_a_link_for_one_officer_offers_no_time_once_nobody_is_to_go_there_alone(
    client: Any, verbs: Any, case: Case, path: str, cast: Any
) -> None:
    confirm = client.submit(client.get(path).page, button="Carry on", at=times_on(client.get(path).page)[0])
    with transaction():
        home_notes.set_notes(
            db.session.get_one(Case, case.id),
            {NoteKind.NOT_ALONE: "Threats were made."},
            actor=cast.recruiter.actor,
            now=now_utc(),
            today=today_in_london(),
        )

    gone = client.submit(confirm.page, button="Yes, book it")
    page = client.get(path).page

    assert gone.status_code == 409
    assert "Tell us what would suit you, and we find a time" in gone.page.text
    assert "no free time just now" in page.text
    assert "alone" not in page.text + gone.page.text
    assert page.links["Tell us what would suit"].endswith("/other-times")
    assert [title for title in tasks() if title.startswith("Send a new link to choose a time, with two officers")]
