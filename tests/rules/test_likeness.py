"""How alike two people are: the signs that count, and the people who only look like somebody else."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.rules import names
from crm.rules.likeness import (
    Name,
    Outcome,
    Sketch,
    Standing,
    compare,
    compare_households,
    mailbox,
)

BORN = date(1984, 4, 20)


def who(given_name: str | None, family: str | None = "osei", **known: object) -> Sketch:
    return Sketch(Name(given_name, family), **known)  # type: ignore[arg-type]


# --- Names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("smith", "smyth"), ("stephen", "steven"), ("siobhan", "shivaun"), ("catherine", "kathryn"),
        ("mohammed", "muhammad"), ("niamh", "neve"), ("chowdhury", "choudhury"), ("thompson", "thomson"),
        ("phillips", "philips"), ("macdonald", "mcdonald"), ("wright", "right"), ("knowles", "nowles"),
    ],
)  # fmt: skip
def test_names_that_are_heard_alike_have_one_sound(one: str, other: str) -> None:
    assert names.sound(one) == names.sound(other)


@pytest.mark.parametrize(("one", "other"), [("smith", "jones"), ("osei", "okafor"), ("kate", "mary"), ("ali", "khan")])
def test_names_that_are_not_heard_alike_have_two(one: str, other: str) -> None:
    assert names.sound(one) != names.sound(other)


def test_a_name_without_a_latin_letter_stands_for_itself() -> None:
    assert names.sound("Ольга") == "ОЛЬГА"
    assert names.sound("") == ""


@pytest.mark.parametrize(
    ("typed", "plain"),
    [("Zoë  O’Connell", "zoe oconnell"), ("Łukasz", "lukasz"), ("Anne-Marie", "anne marie"), (" ", None), (None, None)],
)
def test_a_plain_name_has_no_accents(typed: str | None, plain: str | None) -> None:
    assert names.plain(typed) == plain


def test_a_short_name_is_found_by_every_name_it_is_short_for() -> None:
    assert set(names.codes("sam")) == {names.sound("samuel"), names.sound("samantha")}
    assert set(names.codes("seun")) & set(names.codes("oluwaseun"))


# --- Reasons ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "reason"),
    [
        (who("kate"), who("katherine"), "Kate is short for Katherine"),
        (who("katie"), who("kate"), "Kate and Katie are both short for Katherine"),
        (who("mohammed"), who("muhammad"), "Mohammed and Muhammad are spellings of one name"),
        (who("priya"), who("pryia"), "Priya and Pryia are spelled nearly alike"),
        (who("p"), who("priya"), "P may stand for Priya"),
        (who("mary jane"), who("jane"), "both are called Jane"),
        (who("osei", "priya"), who("priya", "osei"), "first and last name the other way round"),
        (who("ann", "smith jones"), who("ann", "jones"), "Jones is part of both surnames"),
        (who("ann", "oconnell"), who("ann", "oconel"), "Oconel and Oconnell are spelled nearly alike"),
        (who("ann", "mensah", others=(Name(None, "osei"),)), who("ann"), "was called Osei"),
        (who("ann", phone="+447700900118"), who("ann", phone="+447700900118"), "same mobile"),
        (who("ann", phone="+447700900118"), who("ann", phone="+447700900119"), "phone numbers a digit apart"),
        (who("ann", email="ann.osei@gmail.com"), who("ann", email="annosei+x@googlemail.com"),
         "same mailbox, written another way"),
        (who("ann", email="ann.osei@example.org"), who("ann", email="ann.osie@example.org"), "emails a letter apart"),
        (who("ann", postcode="BR13KO"), who("ann", postcode="BR13KO"), "same postcode"),
        (who("ann", postcode="BR13KO"), who("ann", postcode="BR1"), "same postcode district"),
        (who("ann", postcode="BR13KO", address="1 High St"), who("ann", postcode="BR13KO", address="1, High Street"),
         "same address"),
        (who("ann", born_on=BORN), who("ann", born_on=BORN), "born the same day"),
        (who("ann", born_on=date(1984, 4, 2)), who("ann", born_on=date(1984, 2, 4)),
         "born the same day, with day and month changed about"),
    ],
)  # fmt: skip
def test_each_sign_is_said_in_plain_words(one: Sketch, other: Sketch, reason: str) -> None:
    assert reason in compare(one, other).reasons


# --- The same person, entered twice -----------------------------------------------------------------------------------

PRIYA = who("priya", phone="+447700900118", email="priya.osei@example.org", postcode="BR13KO", born_on=BORN)


@pytest.mark.parametrize(
    "again",
    [
        who("priya", phone="+447700900118"),
        who("priya", None, phone="+447700900118"),
        who("priya", "mensah", phone="+447700900118", postcode="SE61AA"),
        who("priya", postcode="BR13KO"),
        who("osei", "priya", postcode="BR13KO"),
        who("pryia", email="priya.osei@example.org"),
        who("priya", born_on=date(1984, 4, 20), postcode="SE61AA"),
        who("priya", phone="+447700900181", postcode="BR13KO"),
        who("priya", "mensah", others=(Name(None, "osei"),), postcode="BR13KO"),
    ],
)
def test_somebody_entered_twice_is_taken_to_be_the_same(again: Sketch) -> None:
    assert compare(PRIYA, again).outcome is Outcome.SAME


# --- People who are not ----------------------------------------------------------------------------------------------

LANDLINE, MOBILE = "+441632960245", "+447700900118"
HOME = {"postcode": "BR13KO", "address": "3 High Street"}


@pytest.mark.parametrize(
    ("why", "one", "other"),
    [
        ("brother and sister", who("sam", phone=LANDLINE, **HOME), who("ruth", phone=LANDLINE, **HOME)),
        ("mother and daughter", who("ann", phone=LANDLINE, born_on=date(1960, 1, 1), **HOME),
         who("beth", phone=LANDLINE, born_on=date(1999, 1, 1), **HOME)),
        ("twins", who("ann", phone=LANDLINE, born_on=BORN, **HOME), who("beth", phone=LANDLINE, born_on=BORN, **HOME)),
        ("a couple with one phone", who("priya", phone=MOBILE, **HOME), who("tom", phone=MOBILE, **HOME)),
        ("a couple with one email", who("priya", email="o@example.org"), who("tom", email="o@example.org")),
        ("one common name elsewhere", who("john", "smith", postcode="BR13KO"), who("john", "smith", postcode="BR14AA")),
        ("father and son", who("john", phone=LANDLINE, born_on=date(1955, 3, 2), **HOME),
         who("john", phone=LANDLINE, born_on=date(1984, 9, 14), **HOME)),
        ("neighbours", who("ann", postcode="BR13KO", address="Flat 1, 3 High Street"),
         who("amit", postcode="BR13KO", address="Flat 2, 3 High Street")),
        ("students", who("ann", "lee", phone=LANDLINE, **HOME), who("bo", "reid", phone=LANDLINE, **HOME)),
        ("names near each other", who("paul", postcode="BR13KO"), who("paula", postcode="BR13KO")),
        ("cousins of one surname", who("amina", postcode="BR13KO"), who("amira", postcode="BR13KO")),
    ],
)  # fmt: skip
def test_two_people_are_never_taken_to_be_one(why: str, one: Sketch, other: Sketch) -> None:
    assert compare(one, other).outcome is not Outcome.SAME, why


def test_a_phone_that_many_gave_says_nothing() -> None:
    one, other = who("ann", "lee", phone=MOBILE, postcode="BR13KO"), who("bo", "reid", phone=MOBILE, postcode="BR13KO")

    assert compare_households([one], [other]).standing is Standing.ONE_HOME
    assert compare_households([one], [other], phones_given_by={MOBILE: 6}).standing is Standing.DIFFERENT


@pytest.mark.parametrize(
    ("one", "other", "standing"),
    [
        ([who("priya", phone=MOBILE, **HOME)], [who("tom", phone=MOBILE, **HOME)], Standing.ONE_HOME),
        ([who("priya", phone=LANDLINE, **HOME)], [who("tom", phone=LANDLINE, **HOME)], Standing.DIFFERENT),
        ([who("priya", phone=MOBILE, **HOME)], [who("tom", phone=MOBILE, postcode="SE61AA")], Standing.SHARED),
        ([who("kate", "mensah"), who("tom", "mensah")], [who("thomas", "mensah"), who("katherine", "mensah")],
         Standing.DIFFERENT),
        ([who("kwame", "quarcoo"), who("akosua", "quarcoo")], [who("akosua", "quarcoo"), who("kwame", "quarcoo")],
         Standing.SAME_PEOPLE),
    ],
)  # fmt: skip
def test_two_households_stand_to_each_other_as_their_people_do(
    one: list[Sketch], other: list[Sketch], standing: Standing
) -> None:
    assert compare_households(one, other).standing is standing
    assert compare_households(other, one).standing is standing


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Priya.Osei@Gmail.com", "priyaosei+stall@googlemail.com", True),
        ("priya.osei@example.org", "priyaosei@example.org", False),
        ("priya+news@example.org", "priya@example.org", True),
        ("not an address", "NOT AN ADDRESS ", True),
    ],
)
def test_a_mailbox_is_known_however_it_is_written(one: str, other: str, same: bool) -> None:
    assert (mailbox(one) == mailbox(other)) is same


# --- What always holds ------------------------------------------------------------------------------------------------

GIVEN = st.sampled_from([None, "kate", "katherine", "sam", "osei", "paul", "paula", "mary jane", "p", "zoe", "seun"])
FAMILY = st.sampled_from([None, "osei", "smith", "smyth", "smith jones", "priya", "o", "kate"])
SKETCHES = st.builds(
    Sketch,
    name=st.builds(Name, GIVEN, FAMILY),
    others=st.lists(st.builds(Name, GIVEN, FAMILY), max_size=1).map(tuple),
    phone=st.sampled_from([None, MOBILE, "+447700900119", LANDLINE]),
    email=st.sampled_from(
        [None, "priya.osei@gmail.com", "priyaosei@gmail.com", "priya.osie@gmail.com", "a@example.org"]
    ),
    postcode=st.sampled_from([None, "BR13KO", "BR1", "SE61AA"]),
    address=st.sampled_from([None, "3 High Street", "Flat 1, 3 High Street"]),
    born_on=st.sampled_from([None, BORN, date(1984, 4, 2), date(1984, 2, 4), date(1950, 4, 20)]),
)


@given(SKETCHES, SKETCHES)
def test_the_order_of_two_people_makes_no_difference(one: Sketch, other: Sketch) -> None:
    there, back = compare(one, other), compare(other, one)

    assert (there.score, there.outcome, there.shares) == (back.score, back.outcome, back.shares)
    assert sorted(there.reasons) == sorted(back.reasons)


@given(SKETCHES)
def test_nobody_is_more_like_somebody_than_they_are_themselves(one: Sketch) -> None:
    itself = compare(one, one)

    assert itself.doubts == ()
    assert all(sign.bits > 0 for sign in itself.signs)


@given(SKETCHES, SKETCHES, st.sampled_from(["phone", "email", "postcode", "born_on"]))
def test_what_is_missing_never_counts_more_than_what_agrees(one: Sketch, other: Sketch, field: str) -> None:
    agreeing = replace(other, **{field: getattr(one, field), "address": one.address})
    missing = replace(agreeing, **{field: None})

    assert compare(one, missing).score <= compare(one, agreeing).score
