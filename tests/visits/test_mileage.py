"""Miles of the visits that were made: from where the day begins, in order, and back."""

from __future__ import annotations

import csv
import io
from datetime import date

import pytest

from crm import policy
from crm.access.models import User
from crm.clock import now_utc, today_in_london
from crm.db import db, transaction
from crm.policy import changing
from crm.rules.travel import Centre, TravelBy
from crm.visits import hours, mileage
from crm.visits.districts import keep_centres
from crm.visits.models import Place

JULY = {"first_day": date(2026, 7, 1), "last_day": date(2026, 7, 31)}
CENTRES = {"BR1": Centre(51.411, 0.022), "SE6": Centre(51.440, -0.016), "ME14": Centre(51.278, 0.533)}


@pytest.fixture
def driven(verbs, freeze):
    """On 14 July to SE6, then to ME14 where nobody was in, a video call and a visit that was called off."""
    first = verbs.book(verbs.household(1), "2026-07-14 09:30")
    second = verbs.book(verbs.household(2, postcode="ME14 1XX"), "2026-07-14 14:00")
    call = verbs.book(verbs.household(3), "2026-07-15 10:00", place=Place.VIDEO)
    verbs.cancel(verbs.book(verbs.household(4), "2026-07-16 10:00"))
    with transaction():
        keep_centres(CENTRES)
    freeze("2026-07-20 09:00")
    verbs.hold(first)
    verbs.nobody_in(second)
    verbs.hold(call)
    return verbs


def month(verbs, member=None):
    officer = db.session.get_one(User, (member or verbs.cast.officer).id)
    return mileage.mileage_of([officer], **JULY)[0]


def test_a_day_is_driven_from_the_base_by_way_of_each_visit_and_back(driven):
    found = month(driven)

    assert [(one.one, one.other) for one in found.journeys] == [("BR1", "SE6"), ("SE6", "ME14"), ("ME14", "BR1")]
    assert [one.miles for one in found.journeys] == pytest.approx([3.4, 33.8, 31.1], abs=0.6)
    assert (found.visits, found.not_known) == (2, 0)
    assert found.pence == sum(round(one.miles * 45) for one in found.journeys)
    assert month(driven, driven.cast.other_officer).journeys == []


def test_without_a_base_only_the_ways_between_visits_count_and_what_is_not_known_is_not_guessed(driven):
    with transaction():
        hours.set_travel(
            driven.cast.officer.id, base_postcode="", travels_by=TravelBy.CAR, actor=driven.cast.officer.actor,
            now=now_utc(),
        )  # fmt: skip
    assert [(one.one, one.other) for one in month(driven).journeys] == [("SE6", "ME14")]

    with transaction():
        hours.set_travel(
            driven.cast.officer.id, base_postcode="ZE1", travels_by=TravelBy.CAR, actor=driven.cast.officer.actor,
            now=now_utc(),
        )  # fmt: skip
    found = month(driven)
    assert [one.miles is None for one in found.journeys] == [True, False, True]
    assert found.not_known == 2


def test_whoever_takes_the_train_drives_no_miles(driven):
    with transaction():
        hours.set_travel(
            driven.cast.officer.id, base_postcode="BR1", travels_by=TravelBy.PUBLIC_TRANSPORT,
            actor=driven.cast.officer.actor, now=now_utc(),
        )  # fmt: skip

    found = month(driven)

    assert (found.drives, found.visits, found.journeys) == (False, 2, [])


def test_what_was_driven_before_a_rate_changed_is_paid_as_it_was(driven):
    with transaction():
        changing.change_setting(
            name="mileage_pence", value=55, actor=driven.cast.administrator.actor, now=now_utc(),
            today=today_in_london(),
        )  # fmt: skip

    assert policy.service().mileage_pence == 55
    assert {one.pence_a_mile for one in month(driven).journeys} == {45}


def test_an_officer_takes_their_own_month_away_and_a_manager_everybodys(driven, client):
    for member, officers in ((driven.cast.officer, {"Nadia Rahman"}), (driven.cast.manager, {"Nadia Rahman"})):
        client.sign_in(member)
        page = client.get("/visits/mileage?month=2026-07").page
        assert "45p a mile" in page.text
        answer = client.submit(page, to="/visits/mileage/file")
        rows = list(csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig"))))
        assert {row["Officer"] for row in rows} == officers
        assert len(rows) == 3
        assert "Thompson" not in answer.text
    client.sign_in(driven.cast.other_officer)
    page = client.get("/visits/mileage?month=2026-07").page
    assert "Nadia Rahman" not in page.text
