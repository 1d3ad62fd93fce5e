"""Search: anything somebody may know of a household, in any order, the best first."""

from __future__ import annotations

from datetime import date

import pytest
import sqlalchemy as sa

from crm.cases.models import OtherName, Person, PersonRole
from crm.cases.open_case import NewPerson
from crm.cases.search import read_words, search_households
from crm.clock import today_in_london
from crm.db import transaction
from tests.case_factory import make_case

ZOE = NewPerson(
    given_name="Zoë Margaret",
    family_name="Fitzgerald-Hughes",
    phone="07700 900377",
    email="zoe.fh@gmail.com",
    born_on=date(1984, 4, 12),
)
SIOBHAN = NewPerson(given_name="Siobhan", family_name="O’Connell", role=PersonRole.APPLICANT_2)
OTHERS = (("Maya", "Thompson", "SE6 1AA"), ("Daniel", "Reid", "DA14 6LZ"), ("Zane", "Okoro", "ME7 1AA"))


@pytest.fixture
def zoe(session, cast):
    with transaction():
        case = make_case(cast, people=[ZOE, SIOBHAN], postcode="DA14 6LZ", address="7 Secret Street")
        person = session.scalars(sa.select(Person).where(Person.family_name == "Fitzgerald-Hughes")).one()
        person.other_names.append(OtherName(kind="former", family_name="Papadopoulos"))
        for number, (given, family, postcode) in enumerate(OTHERS):
            one = NewPerson(given_name=given, family_name=family, phone=f"07700 90063{number}")
            make_case(cast, people=[one], postcode=postcode)
    return case


def found(cast, words: str) -> list[str]:
    return [match.reference for match in search_households(cast.recruiter.actor, words, today=today_in_london())]


@pytest.mark.parametrize(
    "words",
    [
        "zoe", "ZOË", "zoe fitz", "fitzgerald hughes zoe", "hughes", "hughes zoe", "margaret", "zoe hughes",
        "fitzgerald-hughes", "papadopoulos", "zoe papadopoulos", "papadopoulos zoe", "oconnell", "o'connell",
        "shivaun", "shivaun oconel", "o’conell siobhan", "peggy hughes",
        "07700 900377", "+44 7700 900377", "07700900377", "0770090037", "(07700) 900-377", "zoe 07700 900377",
        "zoe.fh@gmail.com", "ZoeFH@googlemail.com", "zoe.fh@", "da146lz zoe", "zoe da14 6lz", "zoe da14", "zoe DA14 6",
        "12/4/1984", "1984-04-12", "4.12.1984 zoe", "zoe and siobhan", "zoe bexley and greenwich", "zoe greenwich",
    ],
)  # fmt: skip
def test_a_household_is_found_by_whatever_is_known_of_it(zoe, cast, words):
    assert found(cast, words) == [zoe.reference]


@pytest.mark.parametrize(
    "words",
    ["zo zo", "secret", "secret street", "zoe se6", "zoe maidstone", "zzz", "maya fitz", "07700 900999",
     "zoe@example.org", "31/2/1984", "maya 07700 900377", "%", "_", "'", "\\", "  ", "a" * 300],
)  # fmt: skip
def test_what_does_not_belong_together_finds_nothing(zoe, cast, words):
    assert found(cast, words) == []


def test_whole_names_come_before_begun_ones_and_those_before_names_like_it(session, cast):
    with transaction():
        cases = {
            family: make_case(cast, people=[NewPerson(given_name="Bo", family_name=family, email=f"{at}@example.org")])
            for at, family in enumerate(("Smyth", "Smithson", "Smith"))
        }

    assert found(cast, "smith") == [cases["Smith"].reference, cases["Smithson"].reference, cases["Smyth"].reference]
    assert found(cast, "bo smith") == [cases[name].reference for name in ("Smith", "Smithson", "Smyth")]


def test_a_district_is_not_the_one_it_begins(zoe, cast):
    assert found(cast, "da14") == found(cast, "da14 6lz")
    assert len(found(cast, "da14")) == 2
    assert len(found(cast, "bexley")) == 2


def test_how_many_there_are_makes_no_difference_to_how_often_is_asked(zoe, cast, queries):
    words = ("hughes", "zoe hughes", "zoe da14", "07700 900377", "shivaun")
    few = []
    for one in words:
        with queries() as sent:
            found(cast, one)
        few.append(len(sent))

    with transaction():
        for number in range(30):
            make_case(
                cast,
                people=[NewPerson(given_name="Zoe", family_name="Hughes", email=f"z{number}@example.org")],
                postcode="DA14 6LZ",
            )
    more = []
    for one in words:
        with queries() as sent:
            assert found(cast, one)
        more.append(len(sent))

    assert all(after <= before for before, after in zip(few, more, strict=True)), (few, more)
    assert max(few) <= 7


def test_what_was_typed_is_taken_apart(app, session):
    typed = read_words("Osei-Mensah BR1 3ko 07700 900 118 priya@example.org 1/2/1980")

    assert typed.words == ["osei", "mensah"]
    assert (typed.postcode, typed.phones, typed.emails) == ("BR13ko", ["07700900118"], ["priya@example.org"])
    assert typed.born_on == date(1980, 2, 1)
