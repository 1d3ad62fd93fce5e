"""People found by how they may be called and reached, and pairs of households that a person is asked about."""

from __future__ import annotations

from datetime import date, datetime

import pytest
import sqlalchemy as sa

from bench import duplicates as town_of
from crm import policy, reconcile
from crm.cases.duplicates import look_alikes
from crm.cases.merge import merge_households, move_person
from crm.cases.merge_choices import MergeChoices
from crm.cases.models import Case, HouseholdMerge, LikenessPair, OtherName, Person, PersonKey, PersonRole
from crm.cases.open_case import NewPerson
from crm.cases.pairing import pair_people
from crm.cases.suggest_pairs import (
    SaidAlready,
    ask_again,
    has_people_to_compare,
    say_not_the_same,
    suggest_pairs,
)
from crm.cases.unmerge import undo_merge
from crm.clock import now_utc
from crm.db import db, transaction
from tests.case_factory import make_case

TODAY = date(2026, 7, 14)
NOW = datetime(2026, 7, 14, 9).astimezone()
KATE = NewPerson(given_name="Katherine", family_name="Osei", phone="07700 900118", email="kate.osei@gmail.com")


def keys_of(session, given: str) -> set[tuple[str, str]]:
    person = session.scalars(sa.select(Person.id).where(Person.given_name == given)).one()
    rows = session.execute(sa.select(PersonKey.kind, PersonKey.key).where(PersonKey.person_id == person))
    return {(row.kind, row.key) for row in rows}


def test_whoever_is_added_or_changed_has_the_keys_that_fit(session, cast):
    with transaction():
        make_case(cast, people=[KATE])
    assert ("names", "AS KTRN") in keys_of(session, "Katherine")
    assert ("mailbox", "kateosei@gmail.com") in keys_of(session, "Katherine")

    with transaction():
        kate = session.scalars(sa.select(Person).where(Person.given_name == "Katherine")).one()
        kate.family_name, kate.family_key, kate.born_on = "Mensah", "mensah", date(1984, 4, 20)
        kate.other_names.append(OtherName(kind="former", family_name="Osei"))

    held = keys_of(session, "Katherine")
    assert {("names", "KTRN MNS"), ("names", "AS KTRN"), ("word", "osei"), ("born", "1984-04-20 KTRN")} <= held
    with transaction():
        session.scalars(sa.select(Person).where(Person.given_name == "Katherine")).one().other_names.clear()
    assert ("word", "osei") not in keys_of(session, "Katherine")


def test_keys_that_were_changed_behind_our_back_are_reported(session, cast):
    with transaction():
        make_case(cast, people=[KATE])
    assert reconcile.find_faults(today=TODAY) == []

    with transaction():
        session.execute(sa.delete(PersonKey).where(PersonKey.kind == "names"))

    assert any("is not found by what they are called" in fault for fault in reconcile.find_faults(today=TODAY))


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ({"given_name": "Kate", "family_name": "Osei"}, "Kate is short for Katherine"),
        ({"given_name": "Cathryn", "family_name": "Osey"}, "Osei and Osey are spelled nearly alike"),
        ({"given_name": "Osei", "family_name": "Katherine"}, "first and last name the other way round"),
        ({"phone": "+44 7700 900 118"}, "same mobile"),
        ({"email": "kateosei+stall@googlemail.com"}, "same mailbox, written another way"),
        ({"given_name": "Katherine", "postcode": "br13ko"}, "same postcode"),
        ({"given_name": "Kate", "born_on": date(1984, 12, 4)}, "born the same day, with day and month changed about"),
        ({"given_name": "Katherine", "family_name": "Mensah"}, "was called Mensah"),
    ],
)  # fmt: skip
def test_somebody_is_found_however_they_are_described(session, cast, typed, reason):
    with transaction():
        case = make_case(cast, people=[KATE], postcode="BR1 3KO")
        person = case.household.people[0]
        person.born_on = date(1984, 4, 12)
        person.other_names.append(OtherName(kind="former", family_name="Mensah"))
        make_case(cast, people=[NewPerson(given_name="Leila", family_name="Haddad", phone="07700 900631")])

    found = look_alikes(**typed)

    assert [alike.reference for alike in found] == [case.reference]
    assert reason in found[0].reasons


def test_only_what_somebody_may_open_is_found(session, cast):
    with transaction():
        case = make_case(cast, people=[KATE], officer=cast.officer)

    def found_by(member) -> list[str]:
        return [one.reference for one in look_alikes(phone=KATE.phone, actor=member.actor, today=date.today())]

    assert found_by(cast.officer) == [case.reference]
    assert found_by(cast.recruiter) == [case.reference]
    assert found_by(cast.other_officer) == []
    assert found_by(cast.administrator) == []


def test_how_many_there_are_makes_no_difference_to_how_often_is_asked(session, cast, queries):
    with transaction():
        make_case(cast, people=[KATE])
    with queries() as few:
        look_alikes(given_name="Kate", family_name="Osei", phone=KATE.phone, postcode="BR1 3KO")

    with transaction():
        for number in range(5):
            make_case(cast, people=[NewPerson(given_name="Kate", family_name="Osei", phone=f"07700 90030{number}")])
    with queries() as more:
        look_alikes(given_name="Kate", family_name="Osei", phone=KATE.phone, postcode="BR1 3KO")

    assert len(few) == len(more) <= 2


# --- Pairs ------------------------------------------------------------------------------------------------------------


def two_of_one(cast, owner=None, **second):
    one = make_case(cast, people=[KATE], postcode="BR1 3KO")
    described = {"given_name": "Kate", "family_name": "Osei", "phone": KATE.phone, **second}
    other = make_case(cast, people=[NewPerson(**described)], postcode="BR1 3KO", owner=owner)
    return one, other


def test_a_pair_is_found_by_itself_once(session, cast):
    with transaction():
        one, other = two_of_one(cast)
    assert has_people_to_compare()

    with transaction():
        assert suggest_pairs(now=NOW) >= 2
    with transaction():
        assert suggest_pairs(now=NOW) == 0

    pair = session.scalars(sa.select(LikenessPair)).one()
    assert (pair.one_id, pair.other_id, pair.state) == (one.household_id, other.household_id, "open")
    assert "Kate is short for Katherine" in pair.reason_list
    assert not has_people_to_compare()


def test_a_pair_goes_when_what_made_it_is_put_right(session, cast):
    with transaction():
        _one, other = two_of_one(cast)
        suggest_pairs(now=NOW)
    with transaction():
        person = session.get(Case, other.id).household.people[0]
        person.given_name, person.given_key = "Tom", "tom"
        person.phone, person.phone_key = "07700 900631", "+447700900631"
        session.flush()
        suggest_pairs(now=NOW)

    assert session.scalars(sa.select(LikenessPair)).all() == []


def test_what_somebody_said_is_not_asked_again_until_they_take_it_back(session, cast):
    with transaction():
        _one, other = two_of_one(cast)
        suggest_pairs(now=NOW)
        pair = session.scalars(sa.select(LikenessPair)).one()
        say_not_the_same(pair, actor=cast.recruiter.actor, now=NOW)
        with pytest.raises(SaidAlready):
            say_not_the_same(pair, actor=cast.manager.actor, now=NOW)
    with transaction():
        session.get(Case, other.id).household.people[0].born_on = date(1984, 4, 20)
        session.flush()
        suggest_pairs(now=NOW)
    assert session.scalars(sa.select(LikenessPair.state)).all() == ["not_same"]

    with transaction():
        ask_again(session.scalars(sa.select(LikenessPair)).one(), actor=cast.recruiter.actor, now=NOW)

    assert session.scalars(sa.select(LikenessPair.state)).all() == ["open"]


# --- Merged, and taken apart again ------------------------------------------------------------------------------------


def by(member):
    return {"actor": member.actor, "now": NOW, "today": TODAY, "rulebook": policy.rulebook_on(TODAY)}


def compare_all():
    with transaction():
        while suggest_pairs(now=NOW):
            pass


def pairs_now(session):
    """Each pair by the two households, with what was said."""
    session.rollback()
    rows = session.scalars(sa.select(LikenessPair)).all()
    return {frozenset((row.one_id, row.other_id)): str(row.state) for row in rows}


@pytest.fixture
def three(session, cast):
    """Kate twice, and once more as somebody who is like the second entry alone: numbers of their cases and homes."""
    with transaction():
        one = make_case(cast, people=[KATE], postcode="BR1 3KO")
        other = make_case(
            cast, people=[NewPerson(given_name="Kate", family_name="Osei", phone="07700 900631", email=KATE.email)],
            postcode="BR1 3KO",
        )  # fmt: skip
        third = make_case(
            cast, people=[NewPerson(given_name="Kathleen", family_name="Ossei", phone="07700 900631")],
            postcode="DA1 1AA",
        )  # fmt: skip
        ids = [(case.id, case.household_id) for case in (one, other, third)]
    compare_all()
    return ids


def merge(session, cast, first, second, *, choices=None):
    with transaction():
        one, other = session.get(Case, first), session.get(Case, second)
        pairs = pair_people(one.household.people, other.household.people)
        choices = MergeChoices(pairs=pairs) if choices is None else choices
        made = merge_households(one, other, choices=choices, **by(cast.recruiter))
        return made.id


def undo(session, cast, merge_id):
    with transaction():
        undo_merge(session.get(HouseholdMerge, merge_id), **by(cast.recruiter))


def test_after_a_merge_no_pair_names_who_is_gone_and_whoever_goes_on_is_compared_anew(session, cast, three):
    (one, one_home), (other, other_home), (_, third_home) = three
    before = pairs_now(session)
    assert before[frozenset((one_home, other_home))] == "open"
    assert before[frozenset((other_home, third_home))] == "open"
    assert frozenset((one_home, third_home)) not in before

    merged = merge(session, cast, one, other, choices=MergeChoices())
    compare_all()

    assert pairs_now(session) == {frozenset((one_home, third_home)): "open"}
    undo(session, cast, merged)
    assert pairs_now(session)[frozenset((one_home, other_home))] == "open"
    compare_all()
    assert pairs_now(session) == before


def test_that_two_are_two_is_not_asked_again_because_one_of_them_was_merged(session, cast, three):
    (one, one_home), (other, other_home), (_, third_home) = three
    with transaction():
        pair = session.scalars(
            sa.select(LikenessPair).where(LikenessPair.one_id == other_home, LikenessPair.other_id == third_home)
        ).one()
        say_not_the_same(pair, actor=cast.recruiter.actor, now=NOW)
    before = pairs_now(session)

    merged = merge(session, cast, one, other, choices=MergeChoices())
    compare_all()

    assert pairs_now(session) == {frozenset((one_home, third_home)): "not_same"}
    undo(session, cast, merged)
    compare_all()
    assert pairs_now(session) == before


def test_whoever_is_moved_takes_what_spoke_for_them_along(session, cast):
    with transaction():
        first = make_case(
            cast, people=[KATE, NewPerson(given_name="Tom", family_name="Hale", role=PersonRole.APPLICANT_2)]
        )
        second = make_case(cast, people=[NewPerson(given_name="Ama", family_name="Boateng", phone="07700 900745")])
        third = make_case(cast, people=[NewPerson(given_name="Kate", family_name="Osei", phone=KATE.phone)])
        homes = [case.household_id for case in (first, second, third)]
        ids = [case.id for case in (first, second)]
    compare_all()
    assert pairs_now(session) == {frozenset((homes[0], homes[2])): "open"}

    with transaction():
        here, there = (session.get(Case, one) for one in ids)
        kate = next(person for person in here.household.people if person.given_name == "Katherine")
        move_person(here, kate, to=there, **by(cast.recruiter))
    compare_all()

    assert pairs_now(session) == {frozenset((homes[1], homes[2])): "open"}


def test_a_small_town_is_sorted_out_within_the_bounds(session, cast):
    """The bench does this with a hundred thousand households (``crm bench --only duplicates``)."""
    town = town_of.make_town(2_000, 200, 100)
    with transaction():
        ids = town_of.store(town, owner_id=cast.recruiter.id, now=now_utc())

    town_of.find_all(now_utc(), batch=1000)

    result = town_of.score(town, ids)
    assert result.recall >= town_of.RECALL, result.missed
    assert result.precision >= town_of.PRECISION, result.wrong
    db.session.rollback()


# --- On screen --------------------------------------------------------------------------------------------------------


def test_the_pairs_are_shown_side_by_side_and_said_to_be_two(client, session, cast):
    with transaction():
        one, other = two_of_one(cast)
        suggest_pairs(now=NOW)
        pair_id = session.scalars(sa.select(LikenessPair.id)).one()
    client.sign_in(cast.recruiter)

    page = client.get("/enquiries/look-alikes").page
    assert "Kate is short for Katherine" in page.text
    assert {one.reference, other.reference} <= {word.strip(",") for word in page.text.split()}

    said = client.submit(page, to=f"/enquiries/look-alikes/{pair_id}/not-the-same", follow=True)
    assert "kept as two households" in said.text
    assert "No two households look like one" in said.text
    kept = client.get("/enquiries/look-alikes?view=not_same").page
    assert (
        "among those to look at again"
        in client.submit(kept, to=f"/enquiries/look-alikes/{pair_id}/ask-again", follow=True).text
    )


def test_whoever_may_open_one_of_two_is_told_nothing_of_the_other(client, session, cast):
    with transaction():
        one, other = two_of_one(cast, owner=cast.officer)
        suggest_pairs(now=NOW)
        session.get(Case, other.id).band = "application"
        pair_id = session.scalars(sa.select(LikenessPair.id)).one()
    client.sign_in(cast.recruiter)

    assert other.reference not in client.get("/enquiries/look-alikes").text
    assert "May be the same" not in client.get(f"/cases/{one.reference}").text
    answer = client.submit(client.get("/enquiries/new").page, button="Log this enquiry", given_name="Zed", phone="")
    token = answer.page.form(button="Log this enquiry").filled("Log this enquiry")["csrf_token"]
    refused = client.post(f"/enquiries/look-alikes/{pair_id}/not-the-same", data={"csrf_token": token})
    assert refused.status_code == 404


def test_the_page_of_a_case_and_the_list_say_what_it_may_be_the_same_as(client, session, cast):
    with transaction():
        one, other = two_of_one(cast)
        suggest_pairs(now=NOW)
    client.sign_in(cast.manager)

    assert f"{other.reference}: same mobile" in client.get(f"/cases/{one.reference}").page.text


def test_who_is_being_typed_is_looked_up_and_a_stall_shows_no_name(client, session, cast):
    with transaction():
        case = make_case(cast, people=[KATE], postcode="BR1 3KO")
    client.sign_in(cast.recruiter)
    asked = {"HX-Request": "true"}

    shown = client.get("/enquiries/look-up?given_name=Kate&family_name=Osei&phone=07700+900118", headers=asked)
    assert "Katherine Osei" in shown.text
    assert "Same mobile" in shown.text
    at_stall = client.get("/enquiries/look-up?at_stall=1&reach=07700+900118", headers=asked)
    assert case.reference in at_stall.text
    assert "Katherine" not in at_stall.text
    nothing = client.get("/enquiries/look-up?given_name=Zo&born_on-year=x&born_on-day=²", headers=asked)
    assert nothing.text.strip() == ""
    themselves = client.get(f"/enquiries/look-up?phone=07700+900118&but_not={case.reference}", headers=asked)
    assert themselves.text.strip() == ""


def test_another_name_is_kept_on_the_page_of_a_person_and_found(client, session, cast):
    with transaction():
        case = make_case(cast, people=[KATE])
        person_id = case.household.people[0].id
    client.sign_in(cast.recruiter)
    address = f"/cases/{case.reference}/people/{person_id}/names"

    empty = client.submit(client.get(address).page, button="Add this name", kind="former")
    assert empty.status_code == 422
    assert "Write the other name" in empty.text
    added = client.submit(empty.page, button="Add this name", family_name="Papadopoulos", follow=True)
    assert "found as Papadopoulos" in added.text
    assert "Katherine Osei" in client.get("/search?q=papadopoulos").text
    again = client.submit(added.page, button="Add this name", kind="former", family_name="Papadopoulos")
    assert "already" in again.text

    gone = client.submit(added.page, to=f"{address}/{names_of(session, person_id)[0]}/remove", follow=True)
    assert "Papadopoulos is taken off" in gone.text
    assert "Katherine Osei" not in client.get("/search?q=papadopoulos").text


def names_of(session, person_id: int) -> list[int]:
    session.rollback()
    return list(session.scalars(sa.select(OtherName.id).where(OtherName.person_id == person_id)))
