"""How long the road takes: worked out, said by somebody, or assumed and said to be so."""

from __future__ import annotations

import pytest

from crm.rules.travel import (
    Basis,
    Centre,
    Roads,
    Speeds,
    Stop,
    TravelBy,
    TravelPolicy,
    door_to_door_minutes,
    straight_km,
)

BROMLEY, CATFORD, CANTERBURY = Centre(51.411, 0.022), Centre(51.440, -0.016), Centre(51.276, 1.078)
POLICY = TravelPolicy(
    winding_percent=130,
    speeds={TravelBy.CAR: Speeds(28, 75, 10), TravelBy.PUBLIC_TRANSPORT: Speeds(15, 40, 15)},
    unknown_minutes=30,
)
CENTRES = {"BR1": BROMLEY, "SE6": CATFORD, "CT1": CANTERBURY}


def road(one: Stop, other: Stop, by: TravelBy = TravelBy.CAR, **said: int):
    kept = {("BR1", "SE6", by): minutes for by, minutes in said.items()}
    return Roads(POLICY, CENTRES, kept).between(one, other, by)


def test_the_straight_line_is_that_of_the_map():
    assert straight_km(BROMLEY, CATFORD) == pytest.approx(4.2, abs=0.1)
    assert straight_km(BROMLEY, CANTERBURY) == pytest.approx(75, abs=1)


@pytest.mark.parametrize(("km", "minutes"), [(0, 10), (1, 15), (5.46, 25), (10, 35), (97.5, 105)])
def test_streets_are_slow_and_what_is_beyond_them_is_not(km, minutes):
    assert door_to_door_minutes(km, POLICY.speeds[TravelBy.CAR]) == minutes


def test_there_and_back_take_the_same_and_a_bus_takes_longer():
    there = road(Stop("BR1"), Stop("SE6"))

    assert there == road(Stop("SE6"), Stop("BR1"))
    assert (there.minutes, there.basis) == (25, Basis.WORKED_OUT)
    assert road(Stop("BR1"), Stop("SE6"), TravelBy.PUBLIC_TRANSPORT).minutes == 40


def test_what_an_officer_said_counts_for_those_who_travel_as_they_did():
    by_car = road(Stop("SE6"), Stop("BR1"), car=40)

    assert (by_car.minutes, by_car.basis) == (40, Basis.SAID)
    assert road(Stop("SE6"), Stop("BR1"), TravelBy.PUBLIC_TRANSPORT, car=55).basis == Basis.WORKED_OUT


@pytest.mark.parametrize("other", [Stop(None), Stop("ZE1"), Stop(None, is_desk=True)])
def test_a_district_that_is_not_known_is_an_assumption_and_says_so(other):
    there = road(Stop("BR1"), other)

    assert (there.minutes, there.basis, there.km) == (30, Basis.ASSUMED, None)


def test_two_homes_of_one_district_are_apart_and_a_desk_is_not_from_itself():
    assert road(Stop("BR1"), Stop("BR1")).minutes == 15
    assert road(Stop("BR1", is_desk=True), Stop("BR1")).minutes == 15
    assert road(Stop("BR1", is_desk=True), Stop("BR1", is_desk=True)).minutes == 0
