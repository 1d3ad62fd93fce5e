"""Two entries of one household become one, and come apart again as if nothing had been."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from crm import policy
from crm.calendars.models import CalendarObject
from crm.cases import breaches, queries
from crm.cases.change_stage import CaseHasMovedOn
from crm.cases.clocks import running_clocks
from crm.cases.consents import consents_in_force, record_consent
from crm.cases.duplicates import look_alikes
from crm.cases.facts import current_facts, state_fact
from crm.cases.merge import CannotMerge, CannotMove, merge_households, merge_people, move_person
from crm.cases.merge_choices import MergeChoices
from crm.cases.models import (
    AssignmentRole,
    BreachReason,
    Case,
    Channel,
    Deadline,
    Enquiry,
    FormerCase,
    Household,
    HouseholdMerge,
    MergeRow,
    Person,
    PersonRole,
    StageChange,
    Task,
    TimelineEntry,
)
from crm.cases.open_case import NewConsent, NewPerson, NewTouch, add_person, campaign_for, open_case
from crm.cases.pairing import pair_people
from crm.cases.search import search_households
from crm.cases.tasks import add_task
from crm.cases.unmerge import CannotUndo, outlook, undo_merge
from crm.clock import now_utc, today_in_london
from crm.db import db, transaction
from crm.delivery import OutboundMessage
from crm.delivery.models import MessageStatus
from crm.enquiries import triage
from crm.reconcile import find_faults
from crm.visits.models import Visit
from tests.case_factory import make_case, reach
from tests.cases.whole_database import everything
from tests.visits.conftest import Verbs

PRIYA = NewPerson(
    given_name="Priya",
    family_name="Osei",
    phone="07700 900118",
    consents=(NewConsent("email", True, "stall-1"), NewConsent("phone", True, "stall-1")),
)
TOM = NewPerson(
    given_name="Tom",
    family_name="Hale",
    phone="07700 900118",
    email="tom.hale@example.org",
    consents=(NewConsent("email", False, "online-2"),),
)


def by(member):
    today = today_in_london()
    return {"actor": member.actor, "now": now_utc(), "today": today, "rulebook": policy.rulebook_on(today)}


def open_one(cast, person, *, channel=Channel.EVENT, postcode="BR1 3KO", campaign=None, **changes):
    return open_case(
        people=[person] if isinstance(person, NewPerson) else list(person),
        touch=NewTouch(
            channel=channel,
            received_at=now_utc(),
            source=campaign or "Phone call",
            campaign_id=campaign_for(campaign, name=campaign).id if campaign else None,
            said="We have a room to spare",
        ),
        owner_id=cast.recruiter.id,
        postcode=postcode,
        **by(cast.recruiter),
        **changes,
    )


def merge(one, other, cast, *, member=None, **changes):
    choices = changes.pop("choices", None)
    if choices is None:
        kept = min((one, other), key=lambda case: case.opened_at)
        gone = other if kept is one else one
        choices = MergeChoices(pairs=pair_people(kept.household.people, gone.household.people))
    return merge_households(one, other, choices=choices, **by(member or cast.recruiter), **changes)


@pytest.fixture
def stall_and_online(session, cast, freeze):
    """Priya at a stall on Saturday 16 May 2026; Tom, her partner, at an online session on Wednesday 20 May."""
    freeze("2026-05-16 11:00")
    with transaction():
        priya = open_one(cast, PRIYA, campaign="The Glades")
    freeze("2026-05-20 19:30")
    with transaction():
        tom = open_one(cast, TOM, campaign="Online session")
    return priya, tom


def test_a_couple_met_at_two_events_is_one_household_with_the_clock_of_the_first(stall_and_online, cast):
    priya, tom = stall_and_online

    with transaction():
        merge(tom, priya, cast)

    kept = db.session.scalars(sa.select(Case)).one()
    assert kept.reference == priya.reference
    assert [person.full_name for person in kept.household.people] == ["Priya Osei", "Tom Hale"]
    assert [person.role for person in kept.household.people] == ["applicant_1", "applicant_2"]
    assert kept.household.name == "Priya Osei and Tom Hale"
    assert queries.first_source(kept) == "The Glades"
    assert [touch.received_at.date() for touch in queries.enquiries_of(kept)] == [date(2026, 5, 16), date(2026, 5, 20)]
    clocks = {clock.rule: clock.due_on for clock in running_clocks(kept)}
    assert clocks == {"first_contact": date(2026, 5, 18), "initial_visit": date(2026, 6, 1)}
    said = {person.given_name: consents_in_force([person.id])[person.id] for person in kept.household.people}
    assert {channel: consent.given for channel, consent in said["Priya"].items()} == {"email": True, "phone": True}
    assert {channel: consent.given for channel, consent in said["Tom"].items()} == {"email": False}
    opened = db.session.scalars(sa.select(StageChange).where(StageChange.move == "open_enquiry")).all()
    assert [change.effective_on for change in opened] == [date(2026, 5, 16)]


def test_what_was_merged_comes_apart_as_if_it_had_never_been(stall_and_online, cast, freeze):
    before = everything()
    with transaction():
        made = merge(*stall_and_online, cast)
    assert everything() != before
    freeze("2026-05-22 10:00")

    with transaction():
        undo_merge(made, **by(cast.manager))

    assert everything() == before
    assert find_faults(today=today_in_london()) == []


def test_the_reference_and_the_number_of_the_other_case_lead_to_the_one_that_goes_on(stall_and_online, cast):
    priya, tom = stall_and_online
    old, number = tom.reference, tom.id
    with transaction():
        made = merge(priya, tom, cast)

    found = queries.case_for(cast.recruiter.actor, old.lower(), today=today_in_london())
    assert found.reference == priya.reference
    assert queries.case_by_id(number).reference == priya.reference
    matches = search_households(cast.recruiter.actor, old, today=today_in_london())
    assert [match.reference for match in matches] == [priya.reference]

    with transaction():
        undo_merge(made, **by(cast.recruiter))
    assert queries.case_for(cast.recruiter.actor, old, today=today_in_london()).id == number


def test_a_case_opened_meanwhile_never_gets_the_number_of_one_that_was_taken_up(stall_and_online, cast):
    priya, tom = stall_and_online
    number, household, people = tom.id, tom.household_id, {person.id for person in tom.household.people}
    with transaction():
        made = merge(
            priya, tom, cast, choices=MergeChoices(pairs={tom.household.people[0].id: priya.household.people[0].id})
        )
        other = open_one(cast, NewPerson(given_name="Ola", family_name="Bello", phone="07700 900555"))
    assert other.id != number
    assert other.household_id != household
    assert other.household.people[0].id not in people

    with transaction():
        undo_merge(made, **by(cast.recruiter))

    assert queries.case_by_id(number).reference != other.reference


def test_the_further_case_goes_on_and_the_first_touch_still_says_when_it_began(session, cast, freeze):
    freeze("2026-05-16 11:00")
    with transaction():
        first = open_one(cast, PRIYA, campaign="The Glades")
    freeze("2026-05-20 10:00")
    with transaction():
        second = open_one(cast, replace(PRIYA, consents=()), channel=Channel.PHONE)
        reach(second, "contacted", cast, now=now_utc())
    kept_reference = second.reference

    with transaction():
        merge(
            first,
            second,
            cast,
            choices=MergeChoices(pairs={first.household.people[0].id: second.household.people[0].id}),
        )

    kept = db.session.scalars(sa.select(Case)).one()
    assert (kept.reference, kept.place) == (kept_reference, "contacted")
    assert queries.first_source(kept) == "The Glades"
    assert kept.opened_at.date() == date(2026, 5, 16)
    contact = queries.deadline_of(kept, "first_contact")
    assert (contact.counted_from_on, contact.due_on) == (date(2026, 5, 16), date(2026, 5, 18))
    assert (contact.stopped_on, contact.stopped_how) == (date(2026, 5, 20), "met")
    assert len(kept.household.people) == 1


def test_a_later_touch_that_nobody_answered_becomes_a_task_and_no_new_clock(session, cast, freeze):
    freeze("2026-05-16 11:00")
    with transaction():
        first = open_one(cast, PRIYA)
        reach(first, "contacted", cast, now=now_utc())
    freeze("2026-05-20 10:00")
    with transaction():
        second = open_one(cast, replace(PRIYA, consents=()))
        merge(first, second, cast)

    kept = db.session.scalars(sa.select(Case)).one()
    assert "first_contact" not in {clock.rule for clock in running_clocks(kept)}
    task = db.session.scalars(sa.select(Task).where(Task.title.startswith("In touch again"))).one()
    assert (task.due_on, task.assigned_to_id) == (date(2026, 5, 21), cast.recruiter.id)


def test_a_warning_or_a_no_of_either_entry_holds_for_the_person_who_stays(session, cast, freeze):
    freeze("2026-05-16 11:00")
    with transaction():
        one = open_one(cast, replace(PRIYA, no_calls=True, safe_contact="Only her own phone"))
    freeze("2026-05-20 11:00")
    with transaction():
        other = open_one(
            cast,
            replace(
                PRIYA,
                no_voicemail=True,
                safe_contact="Never after six",
                consents=(NewConsent("email", False, "form-3"),),
            ),
        )
        record_consent(
            one.household.people[0],
            channel="email",
            given=True,
            wording_version="form-3",
            source="Web form",
            actor=cast.recruiter.actor,
            now=now_utc() + timedelta(minutes=5),
        )
    freeze("2026-05-20 12:00")

    with transaction():
        merge(one, other, cast)

    person = db.session.scalars(sa.select(Person).where(Person.given_name == "Priya")).one()
    assert (person.no_calls, person.no_voicemail, person.no_contact) == (True, True, False)
    assert "Only her own phone" in person.safe_contact
    assert "Never after six" in person.safe_contact
    assert consents_in_force([person.id])[person.id]["email"].given is False


def test_a_second_number_and_a_former_surname_are_kept_beside_the_first(session, cast):
    with transaction():
        one = open_one(cast, PRIYA)
        other = open_one(
            cast,
            NewPerson(given_name="Priya", family_name="Nair", phone="07700 900222", email="priya.osei@example.org"),
        )
        pairs = {other.household.people[0].id: one.household.people[0].id}
        merge(one, other, cast, choices=MergeChoices(pairs=pairs))

    person = db.session.scalars(sa.select(Person).where(Person.given_name == "Priya")).one()
    kept = db.session.scalars(sa.select(Case)).one()
    beside = {fact.key: fact.value for fact in current_facts(kept)}
    assert (person.family_name, person.phone, person.email) == ("Osei", "07700 900118", "priya.osei@example.org")
    assert beside == {"other_phone": "07700 900222"}
    assert [(other.kind, other.words) for other in person.other_names] == [("former", "Priya Nair")]
    assert [m.reference for m in look_alikes(given_name="Priya", family_name="Nair", phone="07700 900118")] == [
        kept.reference
    ]


def test_the_other_side_of_each_field_can_be_chosen(session, cast):
    with transaction():
        one = open_one(cast, replace(PRIYA, born_on=date(1990, 3, 1)), address="1 Elm Row")
        other = open_one(cast, replace(PRIYA, phone="07700 900222", born_on=date(1990, 1, 3)), address="2 Oak Road")
        gone = other.household.people[0].id
        choices = MergeChoices(
            pairs={gone: one.household.people[0].id},
            fields={f"{gone}.phone": "gone", f"{gone}.born_on": "gone", "household.address": "gone"},
        )
        merge(one, other, cast, choices=choices)

    person = db.session.scalars(sa.select(Person).where(Person.given_name == "Priya")).one()
    assert (person.phone, person.phone_key, person.born_on) == ("07700 900222", "+447700900222", date(1990, 1, 3))
    assert person.household.address == "2 Oak Road"
    assert current_facts(db.session.scalars(sa.select(Case)).one()) == []


def test_of_two_answers_the_newer_stands_and_what_is_sensitive_stays_so(session, cast, freeze):
    freeze("2026-05-16 11:00")
    with transaction():
        one = open_one(cast, PRIYA, facts={"pets": "A cat"})
    freeze("2026-05-20 11:00")
    with transaction():
        other = open_one(cast, replace(TOM, facts={"health": "Asthma"}), facts={"pets": "Two cats"})
        merge(one, other, cast)

    kept = db.session.scalars(sa.select(Case)).one()
    facts = {fact.key: fact for fact in current_facts(kept)}
    assert facts["pets"].value == "Two cats"
    assert facts["health"].sensitivity == "health"
    assert db.session.get(Person, facts["health"].person_id).given_name == "Tom"


def test_an_ended_case_stays_as_an_earlier_journey_of_the_household(session, cast, freeze):
    freeze("2025-03-03 11:00")
    with transaction():
        earlier = open_one(cast, PRIYA)
        reach(earlier, "closed", cast, now=now_utc())
    freeze("2026-05-16 11:00")
    with transaction():
        again = open_one(cast, replace(PRIYA, consents=()))
    before = everything()
    with transaction():
        made = merge(earlier, again, cast, choices=MergeChoices(
            pairs={earlier.household.people[0].id: again.household.people[0].id}
        ))  # fmt: skip

    cases = db.session.scalars(sa.select(Case).order_by(Case.opened_at)).all()
    assert [case.is_open for case in cases] == [False, True]
    assert len({case.household_id for case in cases}) == 1
    assert made.is_case_taken_up is False
    assert queries.changes_of(cases[0]) != []

    with transaction():
        undo_merge(made, **by(cast.recruiter))
    assert everything() == before


def test_two_who_have_applied_are_not_merged_and_the_way_out_is_named(session, cast, monkeypatch):
    with transaction():
        one, other = open_one(cast, PRIYA), open_one(cast, TOM)
        for case in (one, other):
            apply_by_hand(case)

    with pytest.raises(CannotMerge, match="only one can"), transaction():
        merge(one, other, cast, member=cast.manager)


def apply_by_hand(case):
    """The rows of an application, where how a household came to apply is of no matter."""
    from crm.cases.models import Track

    db.session.add(Track(case_id=case.id, name="application", stage="received", since_on=today_in_london()))
    db.session.flush()
    db.session.expire(case)


def test_an_officer_merges_nothing(stall_and_online, cast):
    with pytest.raises(Exception, match="recruiter or a manager"), transaction():
        merge(*stall_and_online, cast, member=cast.officer)


def test_of_two_who_merge_at_once_one_wins_and_the_other_is_told(stall_and_online, cast):
    priya, tom = stall_and_online
    seen = {priya.id: priya.version, tom.id: tom.version}
    with transaction():
        queries.case_by_id(tom.id).version += 1

    with pytest.raises(CaseHasMovedOn), transaction():
        merge(priya, tom, cast, seen=seen)

    assert db.session.scalar(sa.select(sa.func.count(Case.id))) == 2


def test_a_letter_that_waits_for_both_goes_once_and_comes_back_if_neither_has_gone(session, cast, freeze):
    freeze("2026-05-16 11:00")
    with transaction():
        one = open_one(cast, replace(PRIYA, email="priya@example.org"))
    freeze("2026-05-16 11:30")
    with transaction():
        other = open_one(cast, replace(PRIYA, email="priya@example.org", consents=()))
    before = everything()
    with transaction():
        made = merge(one, other, cast)

    statuses = db.session.scalars(sa.select(OutboundMessage.status).order_by(OutboundMessage.id)).all()
    assert statuses == ["queued", "superseded"]

    with transaction():
        undo_merge(made, **by(cast.recruiter))
    assert everything() == before


def test_a_letter_whose_twin_has_gone_out_stays_here_when_the_merge_is_undone(session, cast, freeze):
    freeze("2026-05-16 11:00")
    with transaction():
        one = open_one(cast, replace(PRIYA, email="priya@example.org"))
        other = open_one(cast, replace(PRIYA, email="priya@example.org", consents=()))
        made = merge(one, other, cast)
    freeze("2026-05-17 11:00")
    with transaction():
        db.session.execute(
            sa.update(OutboundMessage)
            .where(OutboundMessage.status == MessageStatus.QUEUED)
            .values(status="sent", sent_at=now_utc())
        )

    with transaction():
        done = undo_merge(made, **by(cast.recruiter))

    statuses = db.session.scalars(sa.select(OutboundMessage.status).order_by(OutboundMessage.id)).all()
    assert sorted(statuses) == ["sent", "superseded"]
    assert any("letter" in line.lower() for line in done.kept_as_it_is)


def test_nothing_more_goes_to_somebody_who_asked_us_to_stop_on_one_of_the_two(session, cast):
    with transaction():
        one = open_one(cast, replace(PRIYA, email="priya@example.org"))
        other = open_one(cast, replace(PRIYA, consents=()))
        other.household.people[0].no_contact = True
        merge(one, other, cast)

    assert db.session.scalars(sa.select(OutboundMessage.status)).all() == ["superseded"]
    assert db.session.scalars(sa.select(Person).where(Person.given_name == "Priya")).one().no_contact


def test_what_happened_since_stays_where_it_belongs(stall_and_online, cast, freeze):
    priya, tom = stall_and_online
    tom_id, tom_case, priya_case = tom.household.people[0].id, tom.id, priya.id
    with transaction():
        made = merge(priya, tom, cast)
    freeze("2026-05-21 10:00")
    with transaction():
        kept = queries.case_by_id(priya_case)
        triage.record_talk(kept, kept.household.people[0], note="A good talk", **by(cast.recruiter))
        state_fact(kept, key="work", value="Nurse", source="Phone", stated_on=today_in_london(),
                   actor=cast.recruiter.actor, now=now_utc(), person_id=tom_id)  # fmt: skip
        db.session.get(Person, tom_id).phone = "07700 900999"
    expected = outlook(made)

    with transaction():
        undo_merge(made, **by(cast.recruiter))

    priya, tom = queries.case_by_id(priya_case), queries.case_by_id(tom_case)
    assert (priya.place, tom.place) == ("contacted", "new")
    assert [fact.value for fact in current_facts(tom) if fact.key == "work"] == ["Nurse"]
    assert [clock.rule for clock in running_clocks(tom)] == ["first_contact", "initial_visit"]
    assert "first_contact" not in {clock.rule for clock in running_clocks(priya)}
    assert db.session.get(Person, tom_id).phone == "07700 900999"
    assert any(line.title == "First talk" and not line.goes_back for line in expected.since)
    assert find_faults(today=today_in_london()) == []


def test_the_clock_of_the_household_that_went_in_is_met_for_the_one_that_was_rung(session, cast, freeze):
    """The first touch was the other's: its clock ran for both, and was met. Taken apart, each has what is its own."""
    freeze("2026-05-16 11:00")
    with transaction():
        first = open_one(cast, TOM)
    freeze("2026-05-18 09:00")
    with transaction():
        second = open_one(cast, PRIYA)
        reach(second, "contacted", cast, now=now_utc())
        made = merge(first, second, cast, choices=MergeChoices())

    with transaction():
        undo_merge(made, **by(cast.recruiter))

    first, second = (queries.case_by_id(number) for number in sorted((first.id, second.id)))
    assert [clock.rule for clock in running_clocks(first)] == ["first_contact", "initial_visit"]
    assert queries.deadline_of(second, "first_contact").stopped_how == "met"
    assert find_faults(today=today_in_london()) == []


def test_a_merge_on_which_another_rests_is_undone_after_it(session, cast, freeze):
    freeze("2026-05-16 11:00")
    with transaction():
        a = open_one(cast, PRIYA)
    freeze("2026-05-17 11:00")
    with transaction():
        b = open_one(cast, replace(PRIYA, no_calls=True))
    freeze("2026-05-18 11:00")
    with transaction():
        c = open_one(cast, replace(PRIYA, consents=()))
    before = everything()
    with transaction():
        inner = merge(a, b, cast)
    with transaction():
        outer = merge(a, c, cast)

    with pytest.raises(CannotUndo, match=c.reference), transaction():
        undo_merge(inner, **by(cast.recruiter))
    for made in (outer, inner):
        with transaction():
            undo_merge(made, **by(cast.recruiter))

    assert everything() == before


def test_merges_that_do_not_touch_each_other_come_apart_in_either_order(session, cast, freeze):
    freeze("2026-05-16 11:00")
    with transaction():
        a = open_one(cast, PRIYA)
    freeze("2026-05-17 11:00")
    with transaction():
        b, c = (
            open_one(cast, TOM),
            open_one(cast, replace(TOM, given_name="Zara", email="zara@example.org", consents=())),
        )
    before = everything()
    with transaction():
        one = merge(a, b, cast, choices=MergeChoices()).id
    with transaction():
        two = merge(a, c, cast, choices=MergeChoices()).id

    for number in (one, two):
        with transaction():
            undo_merge(db.session.get_one(HouseholdMerge, number), **by(cast.recruiter))
        assert find_faults(today=today_in_london()) == []

    assert everything() == before


def test_somebody_entered_twice_in_one_household_becomes_one(session, cast):
    with transaction():
        case = open_one(cast, PRIYA)
        add_person(case, NewPerson(given_name="Pria", family_name="Osei", email="pria@example.org", no_calls=True),
                   source="Phone", stated_on=today_in_london(), actor=cast.recruiter.actor, now=now_utc())  # fmt: skip
        for person in case.household.people:
            state_fact(case, key="work", value=f"Work of {person.given_name}", source="Phone",
                       stated_on=today_in_london(), actor=cast.recruiter.actor, now=now_utc(),
                       person_id=person.id)  # fmt: skip
    before = everything()
    kept, gone = case.household.people
    with transaction():
        made = merge_people(case, kept, gone, choices=MergeChoices(), **by(cast.recruiter))

    person = db.session.scalars(sa.select(Person).where(Person.household_id == case.household_id)).one()
    assert (person.given_name, person.email, person.no_calls) == ("Priya", "pria@example.org", True)
    assert [f.value for f in current_facts(case) if f.key == "work"] == ["Work of Pria"]

    with transaction():
        undo_merge(made, **by(cast.recruiter))
    assert everything() == before


def test_somebody_put_into_the_wrong_household_is_moved_with_what_is_theirs(session, cast):
    with transaction():
        wrong = open_one(cast, [PRIYA, replace(TOM, role=PersonRole.APPLICANT_2, facts={"work": "Nurse"})])
        right = open_one(cast, NewPerson(given_name="Ida", family_name="Hale", phone="07700 900333"))
    before = everything()
    tom = wrong.household.people[1]
    with transaction():
        made = move_person(wrong, tom, to=right, **by(cast.recruiter))

    roles = {person.given_name: person.role for person in right.household.people}
    assert roles == {"Ida": "applicant_1", "Tom": "applicant_2"}
    assert [fact.value for fact in current_facts(right)] == ["Nurse"]
    assert current_facts(wrong) == []
    assert wrong.household.name == "Priya Osei"

    with transaction():
        undo_merge(made, **by(cast.recruiter))
    assert everything() == before


def test_the_only_one_of_a_household_is_not_moved_out_of_it(session, cast):
    with transaction():
        one, other = open_one(cast, PRIYA), open_one(cast, TOM)

    with pytest.raises(CannotMove, match="only one"), transaction():
        move_person(one, one.household.people[0], to=other, **by(cast.recruiter))


def test_the_owner_who_stays_has_the_tasks_and_the_other_part_ends(session, cast, freeze):
    freeze("2026-05-16 11:00")
    with transaction():
        one = make_case(cast, people=[PRIYA], officer=cast.officer)
        other = make_case(cast, people=[TOM], owner=cast.manager)
        add_task(title="Send the brochure", assigned_to_id=cast.manager.id, due_on=today_in_london(),
                 actor=cast.manager.actor, now=now_utc(), case=other)  # fmt: skip
    freeze("2026-05-18 11:00")
    before = everything()
    with transaction():
        made = merge(one, other, cast, choices=MergeChoices())
    kept = db.session.scalars(sa.select(Case)).one()
    today = today_in_london()

    assert kept.owner_id == cast.recruiter.id
    assert db.session.scalars(sa.select(Task.assigned_to_id)).all() == [cast.recruiter.id]
    assert queries.has_part(kept, cast.officer.id, AssignmentRole.VISITING_OFFICER, today=today)
    assert not queries.has_part(kept, cast.manager.id, AssignmentRole.OWNER, today=today)

    with transaction():
        undo_merge(made, **by(cast.recruiter))
    assert everything() == before


def test_a_household_whose_owner_has_left_comes_back_to_somebody(session, cast, freeze):
    from crm.access.models import User

    freeze("2026-05-16 11:00")
    with transaction():
        one = make_case(cast, people=[PRIYA])
        other = make_case(cast, people=[TOM], owner=cast.officer)
        number = other.id
        made = merge(one, other, cast, choices=MergeChoices())
        db.session.get(User, cast.officer.id).active = False

    with transaction():
        undo_merge(made, **by(cast.manager))

    assert queries.case_by_id(number).owner_id == cast.recruiter.id


def test_a_journal_that_does_not_fit_the_rows_is_found(stall_and_online, cast):
    with transaction():
        merge(*stall_and_online, cast)
    assert find_faults(today=today_in_london()) == []

    with transaction():
        line = db.session.scalars(sa.select(MergeRow).where(MergeRow.table_name == "former_case")).one()
        db.session.delete(line)
        db.session.execute(sa.delete(FormerCase))

    faults = find_faults(today=today_in_london())
    assert any("leads nowhere" in fault for fault in faults)
    assert any("lines" in fault for fault in faults)


def test_the_story_of_both_is_told_in_one(stall_and_online, cast):
    with transaction():
        merge(*stall_and_online, cast)

    titles = db.session.scalars(sa.select(TimelineEntry.title)).all()
    assert "What they said: The Glades" in titles
    assert "What they said: Online session" in titles
    assert any(title.startswith("Merged with") for title in titles)
    assert db.session.scalar(sa.select(sa.func.count(Enquiry.id))) == 2
    assert db.session.scalar(sa.select(sa.func.count()).select_from(Household)) == 2  # theirs, and the cast's couple


@pytest.fixture
def visited_twice(session, cast, freeze):
    """One household entered twice, both spoken to, and a first visit booked on the later entry."""
    freeze("2026-05-16 11:00")
    with transaction():
        one = open_one(cast, replace(PRIYA, email="priya@example.org"))
        reach(one, "contacted", cast, now=now_utc())
    freeze("2026-05-18 09:00")
    with transaction():
        other = open_one(cast, replace(PRIYA, email="priya@example.org", consents=()))
        reach(other, "contacted", cast, now=now_utc())
    return one, other


def test_a_visit_comes_along_with_its_uid_sequence_and_officers(visited_twice, cast):
    one, other = visited_twice
    verbs = Verbs(cast)
    visit = verbs.book(other, "2026-05-21 10:00", cast.officer).id
    before = everything()
    held = calendars()
    with transaction():
        made = merge(one, other, cast, choices=MergeChoices(
            pairs={one.household.people[0].id: other.household.people[0].id}
        ))  # fmt: skip

    assert db.session.get_one(Visit, visit).case_id == other.id
    assert queries.case_by_id(other.id).place == "visit_booked"
    assert calendars() == held

    with transaction():
        undo_merge(made, **by(cast.recruiter))
    assert everything() == before


def calendars():
    rows = db.session.execute(sa.select(CalendarObject.uid, CalendarObject.sequence, CalendarObject.user_id))
    return sorted(tuple(row) for row in rows)


def test_two_booked_first_visits_are_not_merged_until_one_is_called_off(visited_twice, cast):
    one, other = visited_twice
    verbs = Verbs(cast)
    verbs.book(one, "2026-05-21 10:00", cast.officer)
    verbs.book(other, "2026-05-22 10:00", cast.other_officer)

    with pytest.raises(CannotMerge, match="Call one of them off"), transaction():
        merge(one, other, cast, choices=MergeChoices())

    assert find_faults(today=today_in_london()) == []


def test_who_may_open_the_household_is_right_at_the_next_request(session, cast, freeze):
    """An officer had one entry; taken up by one that is somebody else's, it is open to whoever has a part in that."""
    freeze("2026-05-16 11:00")
    with transaction():
        one = make_case(cast, people=[PRIYA])
        other = make_case(cast, people=[TOM], officer=cast.other_officer, owner=cast.officer)
        old = other.reference
        made = merge(one, other, cast, choices=MergeChoices())
    today = today_in_london()

    assert queries.case_for(cast.other_officer.actor, old, today=today).reference == one.reference
    with pytest.raises(queries.CaseNotFound):
        queries.case_for(cast.officer.actor, old, today=today)

    with transaction():
        undo_merge(made, **by(cast.recruiter))
    assert queries.case_for(cast.officer.actor, old, today=today).reference == old
    with pytest.raises(queries.CaseNotFound):
        queries.case_for(cast.other_officer.actor, one.reference, today=today)


def test_what_a_merge_keeps_is_sealed(stall_and_online, cast):
    with transaction():
        merge(*stall_and_online, cast)

    text = " ".join(str(list(row)) for row in db.session.execute(sa.select(MergeRow.__table__)))
    text += " ".join(str(list(row)) for row in db.session.execute(sa.select(HouseholdMerge.__table__)))

    assert "Hale" not in text
    assert "900118" not in text


# --- Why a clock was missed -------------------------------------------------------------------------------------------


def give_reason(case, rule, cast, code="service_capacity", words=None):
    clock = queries.deadline_of(case, rule)
    breaches.give_reason(case, clock, code=code, words=words, **by(cast.manager))
    return clock


def reasons():
    db.session.rollback()
    rows = db.session.scalars(sa.select(BreachReason).order_by(BreachReason.id)).all()
    return [
        (row.code, row.words, row.replaced_at is None, db.session.get(Deadline, row.deadline_id).case_id)
        for row in rows
    ]


def test_reasons_for_missed_clocks_follow_the_household_and_go_back_with_it(stall_and_online, cast, freeze):
    priya, tom = stall_and_online
    freeze("2026-06-20 10:00")  # both first contacts and both visits are over
    with transaction():
        give_reason(priya, "first_contact", cast, words="Nobody was in the office.")
        give_reason(tom, "first_contact", cast, "other", "We took them for one household.")
        give_reason(tom, "initial_visit", cast, "applicant_break")
    apart = reasons()
    before = everything()
    with transaction():
        done = merge(priya, tom, cast)

    # The clock of the first touch runs on with its own reason; what was said of the other's is kept beside it.
    together = reasons()
    assert [(code, words, counts) for code, words, counts, _case in together] == [
        ("service_capacity", "Nobody was in the office.", True),
        ("other", "We took them for one household.", False),
        ("applicant_break", None, True),
    ]
    assert {case for *_, case in together} == {priya.id}
    with transaction():
        undo_merge(done, **by(cast.manager))
    assert reasons() == apart
    assert everything() == before


def test_a_reason_goes_back_to_its_clock_though_that_has_another_number_by_now(stall_and_online, cast, freeze):
    priya, tom = stall_and_online
    freeze("2026-06-20 10:00")
    with transaction():
        gone = give_reason(tom, "first_contact", cast, "other", "Lost among the letters.").id
        done = merge(priya, tom, cast)
    with transaction():  # SQLite gives the number of the newest row again
        db.session.add(
            Deadline(
                id=gone, case_id=priya.id, rule="recontact", edition="1", counted_from_on=date(2026, 6, 20),
                due_on=date(2026, 9, 1), turn="service",
            )
        )  # fmt: skip
    with transaction():
        undo_merge(done, **by(cast.manager))
    db.session.rollback()
    clock = db.session.get(Deadline, db.session.scalars(sa.select(BreachReason)).one().deadline_id)
    assert (clock.rule, clock.case_id) == ("first_contact", tom.id)
    assert clock.id != gone
