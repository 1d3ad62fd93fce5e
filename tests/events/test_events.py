"""Events: made, found, and people logged at the stall while a queue waits."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import func, select

from crm import policy
from crm.cases.consents import consents_in_force
from crm.cases.models import Campaign, Case, Deadline, Enquiry, LikenessPair, Person, Track
from crm.cases.open_case import NewConsent, NewPerson
from crm.clock import london_date
from crm.db import transaction
from crm.events.door import log_enquirer
from crm.events.models import EventKind, RecruitmentEvent
from crm.rules.refusal import Refusal
from crm.rules.stages import TrackName
from tests.case_factory import make_case
from tests.events.conftest import at

STALL = {"given_name": "Kofi", "family_name": "Mensah", "reach": "07700 900745"}


def log(cast, event, *people, now, **more):
    today = london_date(now)
    return log_enquirer(
        event,
        people=people,
        actor=cast.recruiter.actor,
        now=now,
        today=today,
        rulebook=policy.rulebook_on(today),
        **more,
    )


def test_an_event_is_made_with_the_campaign_it_is_counted_by(session, make_event):
    with transaction():
        event = make_event(cost_pence=8600)

    campaign = session.get(Campaign, event.campaign_id)
    assert (campaign.name, campaign.cost_pence) == ("The Glades stall, 16 May 2026", 8600)


def test_an_event_ends_after_it_starts(session, make_event):
    with pytest.raises(Refusal, match="end after it starts"), transaction():
        make_event(starts="2026-05-16 16:00", ends="2026-05-16 10:00")


def test_two_events_and_one_household(session, cast, make_event):
    """S7: a stall on Saturday and an online session on Wednesday, with the same mobile."""
    consent = NewConsent("email", True, "1")
    with transaction():
        stall = make_event()
        online = make_event(
            "Evening online",
            "2026-05-20 19:00",
            "2026-05-20 20:30",
            EventKind.ONLINE,
            place=None,
            link="https://example.org/x",
        )
        first = log(
            cast,
            stall,
            NewPerson(given_name="Priya", family_name="Osei", phone="07700 900118", consents=(consent,)),
            now=at("2026-05-16 11:00"),
            postcode="BR1 3KO",
        )
        second = log(
            cast,
            online,
            NewPerson(
                given_name="Tom", family_name="Osei", phone="07700900118", consents=(NewConsent("text", True, "1"),)
            ),
            now=at("2026-05-20 19:30"),
            postcode="BR1 3KO",
        )

    assert (first.joined, second.joined) == (False, False), "one mobile and two names is a question"
    pair = session.scalars(select(LikenessPair)).one()
    assert (pair.one_id, pair.other_id) == (first.case.household_id, second.case.household_id)
    assert pair.reason_list[:2] == ["same mobile", "same postcode"]
    case = session.get(Case, first.case.id)
    due = dict(session.execute(select(Deadline.rule, Deadline.due_on).where(Deadline.case_id == case.id)).all())
    assert due == {"first_contact": date(2026, 5, 18), "initial_visit": date(2026, 6, 1)}
    assert case.campaign_id == stall.campaign_id
    assert session.scalar(select(func.count()).select_from(Enquiry)) == 2
    (priya,), (tom,) = case.household.people, session.get(Case, second.case.id).household.people
    held = consents_in_force([priya.id, tom.id])
    assert (set(held[priya.id]), set(held[tom.id])) == ({"email"}, {"text"})


def test_a_name_typed_up_after_the_event_counts_from_the_event(session, cast, make_event):
    with transaction():
        logged = log(cast, make_event(), NewPerson(given_name="Kofi", phone="07700 900745"), now=at("2026-05-19 09:00"))

    assert logged.case.next_action_due_on == date(2026, 5, 18)


def test_the_same_press_of_the_button_logs_once(session, cast, make_event):
    with transaction():
        event = make_event()
        kofi = NewPerson(given_name="Kofi", phone="07700 900745")
        first = log(cast, event, kofi, now=at("2026-05-16 11:00"), one_time_id="door:1234567890123456")
        second = log(cast, event, kofi, now=at("2026-05-16 11:01"), one_time_id="door:1234567890123456")

    assert first.case.id == second.case.id
    assert session.scalar(select(func.count()).select_from(Enquiry)) == 1


def test_somebody_whose_enquiry_was_closed_is_open_again_and_somebody_has_to_act(app, session, cast, make_event):
    with transaction():
        event = make_event()
        case = make_case(cast, stage="closed", now=at("2026-04-01 10:00"))
        logged = log(
            cast,
            event,
            NewPerson(given_name="Priya", family_name="Osei", phone="07700 900118"),
            now=at("2026-05-16 11:00"),
        )

    assert logged.case.id == case.id
    assert case.stages[TrackName.ENQUIRY] == "contacted"
    assert case.is_open
    assert case.next_action_due_on is not None


def test_a_case_the_recruiter_may_not_open_is_joined_without_its_name(client, session, cast, make_event, freeze):
    freeze("2026-05-16 11:00")
    with transaction():
        event_id = make_event().id
        case = make_case(cast, now=at("2026-04-01 10:00"), owner=cast.officer)
        case.tracks.append(Track(name="application", stage="received", since_on=date(2026, 4, 20)))
    client.sign_in(cast.recruiter)
    page = client.get(f"/events/{event_id}/log").page

    answer = client.submit(
        page, field="given_name", given_name="Priya", family_name="Osei", reach="07700 900118", follow=True
    )

    assert case.reference not in answer.text
    assert "We know that phone or email already" in answer.text


# --- On screen --------------------------------------------------------------------------------------------------------


def test_a_recruiter_makes_an_event_and_logs_one_person_after_another(client, session, cast, freeze):
    freeze("2026-05-16 10:30")
    client.sign_in(cast.recruiter)
    made = client.submit(
        client.get("/events/new").page,
        button="Keep this event",
        name="The Glades stall",
        kind="stall",
        **{"on-day": "16", "on-month": "5", "on-year": "2026"},
        starts="10am",
        ends="4pm",
        place="The Glades, BR1",
        cost="86",
    )
    assert made.status_code == 303

    page = client.get(f"{made.location}/log").page
    first = client.submit(page, field="given_name", **STALL, news=["email"], follow=True)
    second = client.submit(
        first.page,
        field="given_name",
        given_name="June",
        family_name="Abara",
        reach="june@example.org",
        follow=True,
    )

    assert "Kofi is saved as KF-" in first.text
    assert "Monday 18 May" in first.text
    assert "June is saved as KF-" in second.text
    assert "2 names so far" in second.text
    with client.application.app_context():
        kofi = session.scalars(select(Person).where(Person.given_name == "Kofi")).one()
        held = consents_in_force([kofi.id])[kofi.id]
        assert {channel: (one.given, one.wording_version) for channel, one in held.items()} == {"email": (True, "1")}


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"given_name": ""}, "Write their first name"),
        ({"reach": ""}, "Write one way to reach them"),
        ({"reach": "07700 9002"}, "UK numbers have 11"),
        ({"reach": "kofi@"}, "Check this email address"),
        ({"postcode": "nowhere"}, "Check the postcode"),
        ({"given_name": "x" * 101}, "100 characters or fewer"),
    ],
)
def test_the_stall_form_says_how_to_put_it_right_and_keeps_what_was_typed(
    client, session, cast, make_event, typed, said
):
    with transaction():
        event_id = make_event().id
    client.sign_in(cast.recruiter)
    page = client.get(f"/events/{event_id}/log").page

    answer = client.submit(page, field="given_name", **{**STALL, "note": "likes dogs", **typed})

    assert answer.status_code == 422
    assert said in answer.text
    assert "likes dogs" in answer.text
    assert session.scalar(select(func.count()).select_from(Enquiry)) == 0


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"name": ""}, "Give the event a name"),
        ({"starts": "later"}, "Write the time like 2pm"),
        ({"ends": "9am"}, "end after it starts"),
        ({"place": ""}, "Say where it is"),
        ({"link": "example"}, "beginning with https"),
        ({"capacity": "-2"}, "Write a number from 1"),
        ({"cost": "lots"}, "Write this as a number"),
        ({"on-day": "31", "on-month": "2"}, "does not have 31 days"),
    ],
)
def test_the_event_form_says_how_to_put_it_right(client, session, cast, typed, said):
    client.sign_in(cast.recruiter)
    good = {
        "name": "Stall",
        "kind": "stall",
        "on-day": "16",
        "on-month": "5",
        "on-year": "2026",
        "starts": "10am",
        "ends": "4pm",
        "place": "The Glades",
    }

    answer = client.submit(client.get("/events/new").page, button="Keep this event", **{**good, **typed})

    assert answer.status_code == 422
    assert said in answer.text
    assert session.scalar(select(func.count()).select_from(RecruitmentEvent)) == 0


def test_the_sheet_is_looked_at_before_it_is_loaded(client, session, cast, make_event, sample, freeze):
    import io

    freeze("2026-05-17 20:00")
    with transaction():
        event_id = make_event().id
    client.sign_in(cast.recruiter)
    page = client.get(f"/events/{event_id}/import").page
    lines = sample.decode("utf-8-sig").splitlines(keepends=True)[:10]
    sent = client.submit(page, button="Look at it first", sheet=(io.BytesIO("".join(lines).encode()), "sheet.csv"))
    assert sent.status_code == 303
    look = client.get(sent.location)
    assert "Nothing is loaded yet" in look.text
    assert session.scalar(select(func.count()).select_from(Enquiry)) == 0

    columns = client.get(f"{sent.location}/columns").page
    assert client.submit(columns, button="Use these columns").status_code == 303
    wrong = client.submit(client.get(f"{sent.location}/columns").page, button="Use these columns", name="")
    assert wrong.status_code == 422
    assert "Say which column holds the name" in wrong.text
    errors = client.get(f"{sent.location}/errors.csv")
    assert errors.mimetype == "text/csv"

    loaded = client.submit(look.page, button="Load 7 lines", follow=True)

    assert "6 new households and 1 joined" in loaded.text
    session.rollback()
    assert session.scalar(select(func.count()).select_from(Case)) == 6


def test_the_pages_ask_the_database_the_same_however_many_there_are(client, session, cast, make_event, queries, freeze):
    freeze("2026-05-16 15:00")
    counts = []
    with transaction():
        event = make_event()
        event_id = event.id
    client.sign_in(cast.recruiter)
    for number in range(3, 33):
        if number in (6, 30):
            for path in ("/events/all", f"/events/{event_id}", f"/events/{event_id}/log"):
                with queries() as sent:
                    client.get(path)
                counts.append(len(sent))
        with transaction():
            log(
                cast,
                session.get(RecruitmentEvent, event_id),
                NewPerson(given_name=f"Guest{number}", phone=f"07700 900{number:03d}"),
                now=at("2026-05-16 11:00"),
            )

    assert counts[:3] == counts[3:]


def test_the_figures_of_an_event_count_what_became_of_it(session, cast, make_event):
    from crm.events.queries import event_figures
    from tests.case_factory import reach

    with transaction():
        event = make_event()
        kofi = log(cast, event, NewPerson(given_name="Kofi", phone="07700 900745"), now=at("2026-05-16 11:00"))
        log(cast, event, NewPerson(given_name="June", phone="07700 900746"), now=at("2026-05-16 11:05"))
        reach(kofi.case, "not_now", cast, now=at("2026-05-18 11:00"))

    figures = event_figures(event)

    assert (figures.names_left, figures.first_heard_here, figures.not_called, figures.closed) == (2, 2, 1, 1)
    assert figures.undecided == 1


def test_an_event_that_is_over_is_not_asked_to_be_published(client, cast, freeze):
    freeze("2026-05-18 10:30")
    client.sign_in(cast.recruiter)
    answers = {"name": "The Glades stall", "kind": "stall", "starts": "10am", "ends": "4pm", "place": "The Glades"}
    day = {"on-day": "16", "on-month": "5", "on-year": "2026"}

    made = client.submit(client.get("/events/new").page, button="Keep this event", follow=True, **answers, **day)

    assert "It is over: load its sign-up sheet" in made.text
    assert "Publish it" not in made.text
