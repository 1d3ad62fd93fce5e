"""The screens of visits, as people use them: found by their words, filled in, sent."""

import pytest
import sqlalchemy as sa

from crm.db import db
from crm.delivery import OutboundMessage
from crm.visits.models import Outcome, Visit, VisitReport, VisitStatus
from tests.visits.conftest import at


@pytest.fixture
def case(verbs):
    return verbs.household()


def afresh():
    """End the reading that this test began, so that it sees what the page has kept since."""
    db.session.rollback()
    db.session.expire_all()


def count(model):
    afresh()
    return db.session.scalar(sa.select(sa.func.count()).select_from(model))


def test_a_recruiter_books_a_visit_from_the_week(client, verbs, case):
    cast = verbs.cast
    client.sign_in(cast.recruiter)

    week = client.get("/visits?week=2026-07-13")
    assert week.page.h1 == "Visits: 13 to 18 July"
    free = week.page.links["9am Free, book with Nadia Rahman, Monday 13 July"]
    whom = client.get(free)
    assert whom.page.h1 == "Who is the visit with?"
    booking = client.get(whom.page.links[f"Book a visit to {case.household.name}"])
    done = client.submit(booking.page, button="Book and send invitations", follow=True)

    assert "Visit booked for Monday 13 July, 9am." in done.page.text
    assert done.page.h1 == "First home visit: Monday 13 July, 9am"
    assert count(Visit) == 1


def test_a_chosen_officer_and_length_are_kept_while_looking_for_times(client, verbs, case):
    cast = verbs.cast
    client.sign_in(cast.recruiter)

    both = [str(cast.officer.id), str(cast.other_officer.id)]

    page = client.get(f"/cases/{case.reference}/visits/new").page
    looked = client.submit(page, button="Look for times", officer=both, length="60").page
    assert (
        "Nadia Rahman and Iqbal Chaudhry are both free" in looked.text
        or "Iqbal Chaudhry and Nadia Rahman" in looked.text
    )
    times = [box.get("value") for box in looked.all("input", name="starts_at")]
    done = client.submit(looked, button="Book and send invitations", starts_at=times[0], officers=both, follow=True)

    assert done.status_code == 200
    afresh()
    visit = db.session.scalars(sa.select(Visit)).one()
    assert visit.length_minutes == 60
    assert set(visit.officer_ids) == {cast.officer.id, cast.other_officer.id}


def test_a_time_that_went_meanwhile_is_refused_with_the_page_as_it_was_and_other_times(client, verbs, case):
    cast = verbs.cast
    other = verbs.household(2)
    client.sign_in(cast.recruiter)
    page = client.get(f"/cases/{case.reference}/visits/new?officer={cast.officer.id}&from=2026-07-13").page
    times = [box.get("value") for box in page.all("input", name="starts_at")]
    verbs.book(other, "2026-07-13 09:00")

    refused = client.submit(page, button="Book and send invitations", starts_at=times[0], note="Ring twice")

    assert refused.status_code == 409
    assert "Nadia Rahman has another visit then" in refused.page.errors[0]
    assert "Monday 13 July" in refused.page.text
    assert refused.page.find("textarea", name="note").text == "Ring twice"
    assert count(Visit) == 1


def test_nothing_chosen_is_said_beside_its_box(client, verbs, case):
    client.sign_in(verbs.cast.recruiter)
    page = client.get(f"/cases/{case.reference}/visits/new?officer={verbs.cast.officer.id}").page

    refused = client.submit(page, button="Book and send invitations")

    assert refused.status_code == 422
    assert refused.page.errors == ["Choose a time"]


def test_a_visit_is_moved_and_called_off(client, verbs, case):
    visit = verbs.book(case, "2026-07-14 14:00")
    client.sign_in(verbs.cast.recruiter)

    page = client.get(f"/visits/{visit.id}/move?from=2026-07-15").page
    times = [box.get("value") for box in page.all("input", name="starts_at")]
    moved = client.submit(page, button="Move and send the change", starts_at=times[0], follow=True)
    assert "Visit moved to Wednesday 15 July, 9am. Maya and Daniel will be sent the change." in moved.page.text
    off = client.get(f"/visits/{visit.id}/cancel")
    done = client.submit(off.page, button="Call it off and tell everybody", reason="They are away", follow=True)

    assert "The visit of Wednesday 15 July is off." in done.page.text
    afresh()
    assert db.session.get(Visit, visit.id).status == VisitStatus.CANCELLED


def test_a_visit_is_moved_by_one_of_two_who_look_at_it_together(client, verbs, case):
    visit = verbs.book(case, "2026-07-14 14:00")
    client.sign_in(verbs.cast.recruiter)
    page = client.get(f"/visits/{visit.id}/move?from=2026-07-15").page
    times = [box.get("value") for box in page.all("input", name="starts_at")]
    verbs.move(visit, "2026-07-16 10:00")

    refused = client.submit(page, button="Move and send the change", starts_at=times[0])

    assert refused.status_code == 409
    assert "now booked for Thursday 16 July, 10am with Nadia Rahman" in refused.page.text


def test_an_officer_writes_a_visit_up_and_a_manager_signs_it_off(client, verbs, case, freeze):
    cast = verbs.cast
    visit = verbs.book(case, "2026-07-14 14:00")
    freeze("2026-07-14 16:00")
    client.sign_in(cast.officer)
    page = client.get(f"/visits/{visit.id}/report").page
    assert page.h1 == "The visit went ahead"
    page = client.submit(page, button="Keep, and write it up", follow=True).page
    for title in ("Who was there", "Family and support", "Safety at home", "Home and bedrooms",
                  "Why foster, and what they bring", "Work, money and health", "Anything that worries us"):  # fmt: skip
        assert page.h1 == title
        typed = {box["name"]: "Talked it through" for box in page.all("textarea") if not box["name"].endswith("_todo")}
        if title == "Safety at home":
            typed = {"smoke_alarms_state": "ok", "co_alarm_state": "to_do", "co_alarm_todo": "Buy one"}
        page = client.submit(page, field="one_time_id", **typed, follow=True).page
    assert page.h1 == "What you recommend"
    page = client.submit(
        page, button="Send to a manager", assessment="Warm and steady", recommendation="invite", follow=True
    ).page
    assert "Report sent" in page.text

    client.sign_in(cast.manager)
    page = client.get(f"/visits/{visit.id}/sign-off").page
    assert "Buy one" in page.text
    done = client.submit(page, button="Sign off and tell them", outcome="invite", decision="Agreed")

    assert done.status_code == 303
    afresh()
    assert case.stages["enquiry"] == "invited"
    kinds = set(db.session.scalars(sa.select(OutboundMessage.kind)))
    assert "invitation_to_apply" in kinds


def test_a_report_is_not_sent_half_written(client, verbs, case, freeze):
    visit = verbs.book(case, "2026-07-14 14:00")
    freeze("2026-07-14 16:00")
    verbs.hold(visit)
    client.sign_in(verbs.cast.officer)

    page = client.get(f"/visits/{visit.id}/report?part=8").page
    refused = client.submit(page, button="Send to a manager", assessment="Fine", recommendation="invite")

    assert refused.status_code == 422
    assert "Some parts are not written yet." in refused.page.errors
    assert "Go to “Who was there”." in refused.page.text


def test_a_manager_sends_a_report_back(client, verbs, case, freeze):
    visit = verbs.book(case, "2026-07-14 14:00")
    freeze("2026-07-14 16:00")
    verbs.hold(visit)
    verbs.write_up(visit)
    client.sign_in(verbs.cast.manager)

    page = client.get(f"/visits/{visit.id}/sign-off").page
    empty = client.submit(page, button="Send it back")
    assert empty.status_code == 422
    done = client.submit(page, button="Send it back", decision="What about the garden?")

    assert done.status_code == 303
    afresh()
    assert db.session.scalars(sa.select(VisitReport)).one().submitted_at is None


def test_a_visit_where_nobody_was_in_is_kept_on_a_page(client, verbs, case, freeze):
    visit = verbs.book(case, "2026-07-14 14:00")
    freeze("2026-07-14 14:20")
    client.sign_in(verbs.cast.officer)

    page = client.get(f"/visits/{visit.id}/no-access").page
    done = client.submit(page, button="Keep this", what="no_access", note="Rang twice, card left", follow=True)

    assert "Kept that nobody was in." in done.page.text
    assert "Nobody was in once" in done.page.text


def test_the_report_of_a_visit_is_not_for_everybody_who_may_open_the_household(client, verbs, case, freeze):
    cast = verbs.cast
    visit = verbs.book(case, "2026-07-14 14:00")
    freeze("2026-07-14 16:00")
    verbs.hold(visit)
    verbs.write_up(visit)

    for member, status in ((cast.recruiter, 403), (cast.other_officer, 404), (cast.officer, 200), (cast.manager, 200)):
        client.sign_in(member)
        assert client.get(f"/visits/{visit.id}/report").status_code == status
    client.sign_in(cast.recruiter)
    shown = client.get(f"/visits/{visit.id}").page.text
    assert "Warm and steady" not in shown
    assert "The report waits for a manager" in shown


def test_an_officer_sees_the_week_of_others_without_their_households(client, verbs, case):
    cast = verbs.cast
    verbs.book(case, "2026-07-14 14:00", cast.officer)
    client.sign_in(cast.other_officer)

    text = client.get("/visits?week=2026-07-13").page.text

    assert "2pm A visit SE6" in text
    assert "Thompson" not in text


def test_hours_are_set_and_leave_is_kept_free(client, verbs):
    client.sign_in(verbs.cast.officer)
    page = client.get("/account/hours").page

    kept = client.submit(page, button="Keep my week", from_0="9am", until_0="12:30", from_1="", until_1="", follow=True)
    assert "Your hours are kept" in kept.page.text
    wrong = client.submit(kept.page, button="Keep my week", from_2="9am", until_2="")
    assert wrong.status_code == 422
    assert wrong.page.errors == ["Give both times for Wednesday, or neither"]
    away = client.submit(
        kept.page,
        button="Keep this time free",
        kind="leave",
        **{"first_day-day": "15", "first_day-month": "7", "first_day-year": "2026"},
        follow=True,  # noqa: E501
    )
    assert "Nobody can book you then" in away.page.text
    week = client.get("/visits?week=2026-07-13").page.text
    assert "On leave" in week
    gone = client.submit(away.page, button="Remove from Wed 15 July", follow=True)
    assert "can be booked again" in gone.page.text


def test_the_address_of_a_feed_is_shown_once(client, verbs):
    client.sign_in(verbs.cast.officer)

    made = client.submit(client.get("/account/calendar").page, button="Make my address")
    address = made.page.find("input", id="address")["value"]
    assert "/feed/" in address
    assert made.headers["Referrer-Policy"] == "no-referrer"
    again = client.get("/account/calendar").page
    assert address not in again.text
    assert not again.all("input", id="address")
    path = address.partition("localhost")[2].partition("/")[2]
    assert client.get(f"/{path}").status_code == 200
    client.submit(again, button="Switch it off")
    assert client.get(f"/{path}").status_code == 404


def test_a_week_of_households_costs_the_same_number_of_queries(client, verbs, queries):
    client.sign_in(verbs.cast.recruiter)
    verbs.book(verbs.household(1), "2026-07-14 09:00")
    client.get("/visits?week=2026-07-13")
    with queries() as few:
        client.get("/visits?week=2026-07-13")
    for number, hour in enumerate((12, 15), start=2):
        verbs.book(verbs.household(number), f"2026-07-14 {hour:02d}:00")
    with queries() as many:
        client.get("/visits?week=2026-07-13")

    assert len(many) == len(few)


def test_a_visit_nobody_may_see_is_a_visit_that_does_not_exist(client, verbs, case):
    visit = verbs.book(case, "2026-07-14 14:00", verbs.cast.officer)
    client.sign_in(verbs.cast.other_officer)

    theirs = client.get(f"/visits/{visit.id}")
    nobodys = client.get("/visits/999999")

    assert theirs.status_code == nobodys.status_code == 404
    assert theirs.page.text == nobodys.page.text


def test_a_letter_without_an_address_says_so_on_the_visit(client, verbs):
    case = verbs.household(3, email=False)
    visit = verbs.book(case, "2026-07-14 14:00")
    client.sign_in(verbs.cast.recruiter)

    page = client.get(f"/visits/{visit.id}").page

    assert "Invitation to a home visitMaya, by post" in page.text
    assert "To print" in page.text
    assert visit.starts_at == at("2026-07-14 14:00")


def test_signing_off_as_not_now_needs_a_date_and_reasons(client, verbs, case, freeze):
    visit = verbs.book(case, "2026-07-14 14:00")
    freeze("2026-07-14 16:00")
    verbs.hold(visit)
    verbs.write_up(visit, Outcome.NOT_NOW)
    client.sign_in(verbs.cast.manager)
    page = client.get(f"/visits/{visit.id}/sign-off").page

    refused = client.submit(page, button="Sign off and tell them", outcome="not_now", reasons="")
    assert refused.status_code == 422
    dated = {"recontact_on-day": "1", "recontact_on-month": "2", "recontact_on-year": "2027"}
    done = client.submit(refused.page, button="Sign off and tell them", outcome="not_now", reasons="A new job", **dated)

    assert done.status_code == 303
    afresh()
    assert case.stages["enquiry"] == "not_now"
