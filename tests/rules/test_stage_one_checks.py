"""Which checks Stage 1 needs of whom, and when the last of them came."""

from __future__ import annotations

from datetime import date

from crm.rules.rulebook import default_rulebook
from crm.rules.stage_one_checks import (
    Circumstances,
    HouseholdPerson,
    Obtained,
    Part,
    completed_on,
    outstanding,
    requirements,
)

ON = date(2026, 7, 14)
PRIYA = HouseholdPerson(1, "Priya", Part.APPLICANT_1, date(1984, 3, 1))
SAM = HouseholdPerson(2, "Sam", Part.APPLICANT_2, date(1982, 9, 9))
GRAN = HouseholdPerson(3, "Gran", Part.HOUSEHOLD_ADULT, date(1950, 1, 1))
TEEN = HouseholdPerson(4, "Kit", Part.CHILD, date(2008, 10, 2))  # 17 in July 2026
CHILD = HouseholdPerson(5, "Bo", Part.CHILD, date(2016, 1, 1))
GROWN_UP = HouseholdPerson(6, "Ada", Part.CHILD_ELSEWHERE, date(1999, 1, 1))


def needed(*people, on=ON, **circumstances):
    return requirements(people, Circumstances(**circumstances), default_rulebook(on))


def of(item, found):
    return {one.person_id for one in found if one.item == item}


def everything(found, on):
    return [Obtained(one.item, one.person_id, on) for one in found for _ in range(one.count)]


def test_the_law_asks_these_of_a_single_applicant_and_no_more():
    statutory = {one.item for one in needed(PRIYA) if one.is_statutory}

    assert statutory == {
        "identity",
        "health_report",
        "accommodation",
        "past_applications",
        "referees",
        "dbs",
        "relationships",
        "referee_interviews",
        "local_authority_views",
    }


def test_both_of_a_couple_are_asked_and_the_home_once():
    found = needed(PRIYA, SAM)

    assert of("health_report", found) == {1, 2}
    assert of("accommodation", found) == {None}


def test_every_adult_at_home_has_a_dbs_certificate_and_children_do_not():
    assert of("dbs", needed(PRIYA, GRAN, CHILD, GROWN_UP)) == {1, 3}


def test_an_adult_at_home_is_asked_neither_for_health_nor_for_referees():
    found = needed(PRIYA, GRAN)

    assert of("health_report", found) == {1}
    assert of("referee_interviews", found) == {1}


def test_somebody_of_17_is_listed_ahead_with_the_day_it_counts_from():
    dbs = next(one for one in needed(PRIYA, TEEN) if one.item == "dbs" and one.person_id == 4)

    assert dbs.needed_from == date(2026, 10, 2)
    assert not dbs.is_needed_on(date(2026, 10, 1))
    assert dbs.is_needed_on(date(2026, 10, 2))


def test_a_forecast_does_not_hold_stage_one_up_until_the_birthday():
    found = needed(PRIYA, TEEN)
    got = [one for one in everything(found, date(2026, 7, 1)) if one.person_id != 4]

    assert completed_on(found, got, on=ON) == date(2026, 7, 1)
    assert completed_on(found, got, on=date(2026, 10, 2)) is None


def test_a_child_at_home_who_has_turned_18_is_an_adult_whatever_the_form_calls_them():
    assert 4 in of("dbs", needed(PRIYA, TEEN, on=date(2026, 10, 2)))


def test_particulars_of_others_are_asked_only_where_there_are_others():
    assert of("other_adults", needed(PRIYA)) == set()
    assert of("other_adults", needed(PRIYA, GRAN)) == {None}
    assert of("children", needed(PRIYA, GROWN_UP)) == {None}


def test_of_a_couple_only_the_one_who_was_approved_elsewhere_needs_that_services_reference():
    found = needed(PRIYA, SAM, approved_within_year=frozenset({2}), previous_reference_received=frozenset({2}))

    assert of("previous_service_reference", found) == {2}
    assert of("referee_interviews", found) == {1}


def test_one_of_two_interviews_is_not_enough_and_the_second_sets_the_day():
    found = [one for one in needed(PRIYA) if one.item == "referee_interviews"]
    first = Obtained("referee_interviews", 1, date(2026, 7, 1))
    second = Obtained("referee_interviews", 1, date(2026, 7, 8))

    assert completed_on(found, [first], on=ON) is None
    assert completed_on(found, [second, first], on=ON) == date(2026, 7, 8)


def test_the_last_day_is_that_of_the_last_statutory_item():
    found = needed(PRIYA, rents=True)
    got = everything([one for one in found if one.is_statutory and one.item != "dbs"], date(2026, 6, 1))
    got.append(Obtained("dbs", 1, date(2026, 7, 10)))

    assert completed_on(found, got, on=ON) == date(2026, 7, 10)


def test_the_services_own_checks_hold_up_no_statutory_clock_and_are_never_called_law():
    found = needed(PRIYA, rents=True, has_pets=True, lived_abroad=frozenset({1}))
    local = [one for one in found if not one.is_statutory]

    assert {"landlord_consent", "pets", "overseas_police"} <= {one.item for one in local}
    assert all("regulation" not in one.source.lower() or "not required" in one.source.lower() for one in local)
    got = everything([one for one in found if one.is_statutory], ON)
    assert outstanding(found, got, on=ON) == ()
    assert len(outstanding(found, got, on=ON, statutory_only=False)) == len(local)


def test_the_laws_checks_come_first_each_with_its_source_and_edition():
    found = needed(PRIYA, SAM, GRAN)

    bases = [one.basis for one in found]
    assert bases == sorted(bases, reverse=True)
    assert all(one.source and one.edition for one in found)


def test_with_nothing_obtained_stage_one_is_not_complete():
    assert completed_on(needed(PRIYA), [], on=ON) is None


def test_each_check_of_each_person_is_stored_under_a_key_of_its_own():
    found = needed(PRIYA, SAM, GRAN, TEEN, CHILD, GROWN_UP, rents=True, has_pets=True)

    assert len({one.key for one in found}) == len(found)
