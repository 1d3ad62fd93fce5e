"""Holding a time, saying how long the way took, giving a calendar, and the kinds of visit: as people do it."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from crm.calendars.busy import replace_busy
from crm.calendars.models import BusyCalendar
from crm.clock import now_utc
from crm.db import db, transaction
from crm.rules.intervals import Span
from crm.rules.travel import Centre
from crm.visits.districts import keep_centres
from crm.visits.models import TravelSaid, Visit, VisitHold
from tests.visits.conftest import at


def count(model):
    db.session.rollback()
    return db.session.scalar(sa.select(sa.func.count()).select_from(model))


def hold_id():
    db.session.rollback()
    return db.session.scalar(sa.select(VisitHold.id))


def test_a_time_is_held_seen_in_the_week_and_booked(client, verbs):
    case = verbs.household()
    client.sign_in(verbs.cast.recruiter)
    page = client.get(f"/cases/{case.reference}/visits/new?officer={verbs.cast.officer.id}&at=20260714T1300Z").page

    held = client.submit(page, button="Hold it while they decide", follow=True)

    assert "is held for them until Wednesday 8 July" in held.page.text
    assert (count(VisitHold), count(Visit)) == (1, 0)
    week = client.get("/visits?week=2026-07-13").page
    assert "Held until" in week.text
    done = client.submit(held.page, to=f"/visits/holds/{hold_id()}/book", follow=True)
    assert done.page.h1 == "First home visit: Tuesday 14 July, 2pm"
    assert (count(VisitHold), count(Visit)) == (0, 1)


def test_a_held_time_is_let_go(client, verbs):
    case = verbs.household()
    client.sign_in(verbs.cast.recruiter)
    page = client.get(f"/cases/{case.reference}/visits/new?officer={verbs.cast.officer.id}&at=20260714T1300Z").page
    held = client.submit(page, button="Hold it while they decide", follow=True)

    gone = client.submit(held.page, to=f"/visits/holds/{hold_id()}/let-go", follow=True)

    assert "Tuesday 14 July, 2pm is free again." in gone.page.text
    assert count(VisitHold) == 0


def test_a_kind_of_visit_brings_its_length_and_place(client, verbs):
    case = verbs.household()
    client.sign_in(verbs.cast.recruiter)
    page = client.get(f"/cases/{case.reference}/visits/new").page
    assert "First talk by video" in page.text

    looked = client.submit(page, button="Use this kind", kind="2").page

    assert looked.find("input", name="length")["value"] == "60"
    assert "checked" in looked.find("input", name="place", value="video").attributes


def test_times_that_they_asked_to_be_left_are_shown_only_when_asked_for(client, verbs):
    case = verbs.household()
    with transaction():
        case.household.people[0].quiet_times = "morning"
    client.sign_in(verbs.cast.recruiter)
    path = f"/cases/{case.reference}/visits/new?officer={verbs.cast.officer.id}"

    page = client.get(path).page

    first = page.all("input", name="starts_at")[0]["value"]
    assert first[9:] >= "1100Z"  # noon in London
    every = client.get(page.links["Show every time"]).page
    assert any(box["value"][9:] == "0800Z" for box in every.all("input", name="starts_at"))


def test_the_week_shows_what_an_own_calendar_takes_of_the_hours_of_work(client, verbs):
    with transaction():
        replace_busy(
            verbs.cast.officer.id,
            "caldav",
            [
                Span(at("2026-07-14 07:00"), at("2026-07-14 11:00")),
                Span(at("2026-07-14 21:00"), at("2026-07-14 22:00")),
            ],
        )
    client.sign_in(verbs.cast.recruiter)

    week = client.get("/visits?week=2026-07-13").page

    assert "9am to 11am Busy" in week.text
    assert "9pm" not in week.text


def test_an_officer_says_how_long_the_way_took(client, verbs):
    with transaction():
        keep_centres({"BR1": Centre(51.411, 0.022), "SE6": Centre(51.440, -0.016)})
    visit = verbs.book(verbs.household(), "2026-07-14 14:00")
    client.sign_in(verbs.cast.officer)
    page = client.get(f"/visits/{visit.id}/travel").page
    assert "From BR1, where your day begins, to SE6, by car. We count on 25 minutes" in page.text

    wrong = client.submit(page, button="Keep it", minutes="a while")
    assert wrong.status_code == 422
    done = client.submit(page, button="Keep it", minutes="40", follow=True)

    assert "40 minutes between BR1 and SE6 from now on" in done.page.text
    assert count(TravelSaid) == 1
    assert "as one of you said before" in client.get(f"/visits/{visit.id}/travel").page.text


def test_an_officer_gives_a_calendar_and_takes_it_away(client, verbs):
    client.sign_in(verbs.cast.officer)
    page = client.get("/account/busy-calendars").page

    refused = client.submit(page, button="Read this calendar", address="http://calendar.example.org/a.ics")
    assert refused.status_code == 422
    assert "https://" in refused.page.text
    given = client.submit(
        page, button="Read this calendar", address="webcal://calendar.example.org/s3cr3t/a.ics", follow=True
    )
    assert "calendar.example.org" in given.page.text
    assert "s3cr3t" not in given.page.text
    assert "Not read yet" in given.page.text
    again = client.submit(given.page, button="Read now calendar.example.org", follow=True)
    assert "within a minute" in again.page.text
    gone = client.submit(again.page, button="Take away calendar.example.org", follow=True)
    assert "forgotten" in gone.page.text
    assert count(BusyCalendar) == 0


def test_somebody_elses_calendar_is_left_alone(client, verbs):
    from crm.calendars import busy_calendars

    with transaction():
        given = busy_calendars.add_calendar(
            verbs.cast.officer.id,
            address="https://calendar.example.org/a.ics",
            actor=verbs.cast.officer.actor,
            now=now_utc(),
        )
    client.sign_in(verbs.cast.other_officer)
    page = client.get("/account/busy-calendars").page
    token = page.find("input", name="csrf_token")["value"]

    client.post(f"/account/busy-calendars/{given.id}/remove", data={"csrf_token": token})

    assert count(BusyCalendar) == 1


@pytest.mark.parametrize(
    ("postcode", "says"), [("nowhere", "Check the postcode"), ("br1 3ko", "Your hours are kept"), ("", "are kept")]
)
def test_where_the_day_begins_is_a_postcode_or_nothing(client, verbs, postcode, says):
    client.sign_in(verbs.cast.officer)
    page = client.get("/account/hours").page

    answer = client.submit(page, button="Keep my week", base_postcode=postcode, travels_by="transit", follow=True)

    assert says in answer.page.text


def test_an_administrator_keeps_the_kinds_of_visit_and_the_speeds(client, verbs):
    client.sign_in(verbs.cast.administrator)

    page = client.get("/admin/settings/visit-types/new").page
    bad = client.submit(page, button="Keep this kind", name="Tea", purpose="re_visit", minutes="50", officers="2",
                        place="home")  # fmt: skip
    assert "in quarters of an hour" in bad.page.text
    kept = client.submit(page, button="Keep this kind", name="Tea", purpose="re_visit", minutes="45", officers="2",
                         place="home", follow=True)  # fmt: skip
    assert "Tea" in kept.page.text
    one = client.get(kept.page.links["Tea"]).page
    gone = client.submit(one, button="Take this kind away", follow=True)
    assert "Tea is taken away" in gone.page.text
    speeds = client.get("/admin/settings/travel").page
    assert "No postcode districts are known yet" in speeds.text
    done = client.submit(speeds, button="Keep these", car_near_kmh="20", follow=True)
    assert "Kept. Everybody sees it from now." in done.page.text


def test_one_officers_week_stands_by_the_hour(client, verbs):
    verbs.book(verbs.household(), "2026-07-14 14:00", verbs.cast.officer)
    client.sign_in(verbs.cast.recruiter)

    page = client.get(f"/visits?week=2026-07-13&view=hours&officer={verbs.cast.officer.id}").page

    assert "2pm to 3:30pm" in page.text
    found = [item for item in page.all("li") if "ds-blk--visit" in item.get("class", "")]
    assert [item["class"].split()[-2:] for item in found] == [["ds-at-24", "ds-len-6"]]
