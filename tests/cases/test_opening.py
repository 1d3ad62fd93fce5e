"""The only way in, and what follows from it."""

from datetime import date

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from crm import policy
from crm.access.models import User
from crm.audit import AuditEntry
from crm.cases import letters, queries
from crm.cases.change_stage import CaseHasMovedOn, change_stage, correct_stage
from crm.cases.clocks import running_clocks
from crm.cases.models import Case, Channel, Deadline, StageChange, TimelineEntry
from crm.cases.open_case import NewPerson, NewTouch, NobodyToOwnIt, NoWayToReachThem, join_case, open_case
from crm.cases.search import search_households
from crm.cases.timeline import MOVE_WORDS
from crm.clock import now_utc, today_in_london
from crm.db import db, transaction
from crm.delivery import OutboundMessage
from crm.rules.permissions import PUBLIC
from crm.rules.stages import TrackName
from crm.rules.transitions import MOVES, MoveNotOpen

PRIYA = NewPerson(given_name="Priya", family_name="Osei", email="priya.osei@example.org", phone="07700 900118")


@pytest.fixture
def opened(app, session, cast, freeze):
    """Priya's case, from a word at a stall on Saturday 16 May 2026, written down at the stall."""
    freeze("2026-05-16 11:00")
    with transaction():
        return open_priya(cast)


def open_priya(cast, *people, **changes):
    today = today_in_london()
    arguments = {
        "people": list(people) or [PRIYA],
        "touch": NewTouch(channel=Channel.EVENT, received_at=now_utc(), source="The Glades"),
        "actor": cast.recruiter.actor,
        "now": now_utc(),
        "today": today,
        "rulebook": policy.rulebook_on(today),
        "owner_id": cast.recruiter.id,
        "postcode": "br13ko",
        **changes,
    }
    return open_case(**arguments)


def move(case, name, user, **changes):
    today = today_in_london()
    return change_stage(
        case, name, actor=user.actor, now=now_utc(), today=today, rulebook=policy.rulebook_on(today), **changes
    )


def test_an_enquiry_has_an_owner_a_next_action_and_a_clock_from_the_day_it_came(opened, cast):
    clocks = {clock.rule: clock.due_on for clock in running_clocks(opened)}

    assert clocks == {"first_contact": date(2026, 5, 18), "initial_visit": date(2026, 6, 1)}
    assert opened.owner_id == cast.recruiter.id
    assert opened.next_action_due_on == date(2026, 5, 18)
    assert opened.place == "new"
    assert opened.is_open
    assert opened.reference.startswith("KF-")


def test_a_second_touch_does_not_restart_the_clock(opened, cast, freeze):
    freeze("2026-05-20 19:00")
    today = today_in_london()

    with transaction():
        join_case(
            opened,
            NewTouch(channel=Channel.EVENT, received_at=now_utc(), source="Online session"),
            actor=cast.recruiter.actor,
            now=now_utc(),
            today=today,
            rulebook=policy.rulebook_on(today),
        )

    assert [enquiry.channel for enquiry in queries.enquiries_of(opened)] == ["event", "event"]
    assert running_clocks(opened)[0].due_on == date(2026, 5, 18)


def test_an_enquiry_at_half_past_eleven_on_a_july_night_belongs_to_the_london_day(app, session, cast, freeze):
    freeze("2026-07-15 00:30")  # 23:30 UTC on the 14th
    with transaction():
        case = open_priya(cast)

    assert queries.deadline_of(case, "first_contact").counted_from_on == date(2026, 7, 15)


def test_without_a_way_to_reach_them_nothing_is_stored(app, session, cast):
    with pytest.raises(NoWayToReachThem), transaction():
        open_priya(cast, NewPerson(given_name="Jo"))

    assert session.scalar(sa.select(sa.func.count(Case.id))) == 0


def test_without_somebody_to_own_it_nothing_is_stored(app, session, cast):
    with transaction():
        session.execute(sa.update(User).values(active=False))

    with pytest.raises(NobodyToOwnIt), transaction():
        open_priya(cast, owner_id=None)

    assert session.scalar(sa.select(sa.func.count(Case.id))) == 0


@pytest.mark.parametrize("column", ["owner_id", "next_action", "next_action_due_on"])
def test_the_database_refuses_an_open_case_that_is_nobodys(opened, column):
    with pytest.raises(IntegrityError), transaction():
        db.session.execute(sa.update(Case).values({column: None}))


def test_a_move_writes_history_timeline_audit_clocks_and_letter_together(opened, cast):
    with transaction():
        change = move(opened, "record_contact", cast.recruiter, reason="Wants to know about respite")

    assert (change.from_stage, change.to_stage, change.reason) == ("new", "contacted", "Wants to know about respite")
    assert [clock.rule for clock in running_clocks(opened)] == ["book_visit", "initial_visit"]
    titles = db.session.scalars(sa.select(TimelineEntry.title)).all()
    assert "First talk" in titles
    events = db.session.scalars(sa.select(AuditEntry.event).where(AuditEntry.case_id == opened.id)).all()
    assert events.count("stage.changed") == 2
    kinds = db.session.scalars(sa.select(OutboundMessage.kind).order_by(OutboundMessage.id)).all()
    assert kinds == ["enquiry_acknowledgement", "information_pack"]


def test_a_move_that_is_refused_leaves_nothing_behind(opened, cast):
    before = counts()

    with pytest.raises(MoveNotOpen), transaction():
        move(opened, "invite_to_apply", cast.manager)

    assert counts() == before


def counts():
    tables = (StageChange, TimelineEntry, Deadline, AuditEntry, OutboundMessage)
    return [db.session.scalar(sa.select(sa.func.count()).select_from(table)) for table in tables]


def test_a_change_made_on_an_old_view_is_refused_with_how_things_stand(opened, cast):
    seen = opened.version
    with transaction():
        move(opened, "record_contact", cast.recruiter, seen=seen)

    with pytest.raises(CaseHasMovedOn, match="Contacted"), transaction():
        move(opened, "set_not_now", cast.recruiter, seen=seen, reason="work", due_on={"recontact": date(2027, 1, 4)})


def test_not_now_keeps_the_case_somebodys_until_the_day_it_is_rung_again(opened, cast):
    with transaction():
        move(
            opened,
            "set_not_now",
            cast.recruiter,
            reason_code="work",
            due_on={"recontact": date(2027, 1, 4)},
            letter_context={"reasons": "After the new year suits you better."},
        )

    assert opened.is_open
    assert opened.next_action_due_on == date(2027, 1, 4)
    assert [clock.rule for clock in running_clocks(opened)] == ["recontact"]


def test_a_closed_enquiry_keeps_why_and_until_when_its_record_is_kept(opened, cast):
    with transaction():
        move(
            opened,
            "close_enquiry",
            cast.recruiter,
            reason_code="out_of_area",
            letter_context={"reasons": "You live too far away for us."},
        )

    assert not opened.is_open
    assert (opened.closed_on, opened.closed_reason) == (date(2026, 5, 16), "out_of_area")
    assert opened.retain_until_on == date(2028, 5, 16)
    assert running_clocks(opened) == []


def test_a_stage_is_put_right_only_by_a_manager_with_a_reason(opened, cast):
    today = today_in_london()
    about = {"now": now_utc(), "today": today, "rulebook": policy.rulebook_on(today)}

    with pytest.raises(Exception, match="Only a manager"), transaction():
        correct_stage(
            opened,
            TrackName.ENQUIRY,
            "contacted",
            actor=cast.recruiter.actor,
            reason="Spoke at the stall",
            **about,
        )
    with pytest.raises(Exception, match="Say why"), transaction():
        correct_stage(opened, TrackName.ENQUIRY, "contacted", actor=cast.manager.actor, reason=" ", **about)
    with transaction():
        correct_stage(
            opened, TrackName.ENQUIRY, "contacted", actor=cast.manager.actor, reason="Spoke at the stall", **about
        )

    assert opened.stages[TrackName.ENQUIRY] == "contacted"
    assert queries.changes_of(opened)[-1].is_correction


def test_every_move_of_the_table_has_words_for_the_timeline():
    assert MOVE_WORDS.keys() == {each.name for each in MOVES}


def test_a_letter_nobody_can_receive_becomes_a_task_for_the_owner(app, session, cast):
    with transaction():
        case = open_priya(cast, NewPerson(given_name="Carol", phone="01632 960871"))
    with transaction():
        move(case, "record_contact", cast.recruiter)

    assert session.scalar(sa.select(sa.func.count(OutboundMessage.id))) == 0
    assert any("Carol" in line for line in session.scalars(sa.text("SELECT title FROM task")))


def test_somebody_who_asked_us_to_stop_gets_no_letter(opened, cast):
    with transaction():
        opened.household.people[0].no_contact = True
    with transaction():
        move(opened, "record_contact", cast.recruiter)

    kinds = db.session.scalars(sa.select(OutboundMessage.kind)).all()
    assert "information_pack" not in kinds


def test_partners_who_share_an_email_get_an_ordinary_letter_once(app, session, cast):
    tom = NewPerson(given_name="Tom", family_name="Osei", role="applicant_2", email="Priya.Osei@example.org")

    with transaction():
        open_priya(cast, PRIYA, tom)

    assert session.scalar(sa.select(sa.func.count(OutboundMessage.id))) == 1


def test_nothing_sensitive_goes_to_an_email_that_two_people_share(app, session, cast):
    tom = NewPerson(given_name="Tom", family_name="Osei", role="applicant_2", email="Priya.Osei@example.org")
    with transaction():
        case = open_priya(cast, PRIYA, tom)

    for person in case.household.people:
        assert "shared" in letters.why_not_reachable("stage_one_refusal", case, person, now=now_utc())


def test_a_case_and_no_case_are_refused_alike(opened, cast):
    today = today_in_london()
    refused = []
    for reference in (opened.reference, "KF-000000", "nonsense"):
        with pytest.raises(queries.CaseNotFound) as refusal:
            queries.case_for(cast.other_officer.actor, reference, today=today)
        refused.append((refusal.value.message, refusal.value.status))

    assert len(set(refused)) == 1
    assert queries.case_for(cast.recruiter.actor, opened.reference.lower(), today=today).id == opened.id


@pytest.mark.parametrize(
    "words", ["priya ose", "osei priya", "osei", "pri", "07700 900118", "0770090", "br1 3ko", "BR1", "priya.osei@"]
)
def test_a_household_is_found_by_what_a_person_types(opened, cast, words):
    found = search_households(cast.recruiter.actor, words, today=today_in_london())

    assert [match.reference for match in found] == [opened.reference]


def test_search_finds_only_what_may_be_opened(opened, cast):
    today = today_in_london()

    assert search_households(cast.other_officer.actor, "osei", today=today) == []
    assert search_households(cast.administrator.actor, "osei", today=today) == []


def test_a_person_who_is_not_of_staff_opens_nothing(opened):
    assert search_households(PUBLIC, "osei", today=today_in_london()) == []


def test_what_the_law_gives_each_of_two_is_never_left_out_because_one_has_no_address(app, session, cast):
    tom = NewPerson(given_name="Tom", family_name="Osei", role="applicant_2", phone="07700 900119")
    with transaction():
        case = open_priya(cast, PRIYA, tom)
    with transaction():
        letters.send_to_applicants(
            "stage_one_passed",
            case=case,
            context={"decided_on": today_in_london()},
            actor=cast.manager.actor,
            now=now_utc(),
            today=today_in_london(),
        )

    assert any("Tom" in line for line in session.scalars(sa.text("SELECT title FROM task")))
