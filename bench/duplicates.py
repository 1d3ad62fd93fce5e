"""Households of which some were entered twice, and some only look it: how many of the first are found, and how surely.

Everything is drawn from a seed. What happened to an entry between the first time and the second is its *story*; who looks
like somebody else and isn't is a *trap*. Both are listed below, each with how often it comes.
"""

from __future__ import annotations

import random
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from bench.load import DISTRICTS, FAMILY, SYLLABLES
from crm.cases import keys
from crm.cases.duplicates import look_alikes
from crm.cases.models import Band, Case, Household, LikenessPair, Person, PersonKey
from crm.cases.person_keys import key_rows
from crm.cases.suggest_pairs import has_people_to_compare, suggest_pairs
from crm.db import db, transaction
from crm.rules import reference
from crm.rules.likeness import SUGGESTED, mailbox

HOUSEHOLDS = 100_000
RECALL, PRECISION, LOOK_UP_MS = 0.97, 0.98, 30.0
"""The bounds: of what was entered twice, so much is found; of what is suggested, so much is right; a look-up's time."""

# How people are called, written apart from the product's own list, which it is to be held against.
GIVEN = (
    "John David Michael Peter Paul Andrew James Robert Stephen Mark Richard Christopher Ian Simon Daniel Matthew Anthony "
    "Thomas Kevin Gary William Martin Philip Alan Jonathan Joseph Benjamin Adam Luke Samuel Edward Gareth Rhys Owen Sean "
    "Liam Patrick Brendan Callum Hamish Alasdair Mohammed Ahmed Yusuf Tariq Imran Rajesh Sanjay Harpreet Gurpreet Piotr "
    "Tomasz Krzysztof Marek Oluwaseun Emeka Kwame Kofi Femi Tunde Chidi Obinna Delroy Winston Trevor Nigel Dennis Neil "
    "Susan Margaret Sarah Karen Julie Jane Elizabeth Christine Helen Jacqueline Linda Patricia Deborah Tracey Joanne Emma "
    "Claire Nicola Rachel Rebecca Laura Louise Lisa Amanda Samantha Victoria Michelle Charlotte Hannah Amy Jessica Lauren "
    "Gemma Catherine Katherine Anna Sophie Emily Mary Ann Siobhan Niamh Aoife Bethan Carys Angharad Fiona Morag Fatima "
    "Aisha Khadija Zainab Priya Anita Sunita Parveen Agnieszka Magdalena Malgorzata Joanna Ngozi Chioma Folasade Yetunde "
    "Abena Akosua Grace Ruth Esther Maureen Doreen Beverley Yvonne Sharon Gillian Wendy Hazel Ivy Poppy Freya Isla Zoe"
).split()
SHORT = {
    "John": ("Jack", "Johnny", "Jon"), "David": ("Dave", "Davey"), "Michael": ("Mike", "Mick"), "Peter": ("Pete",),
    "Andrew": ("Andy", "Drew"), "James": ("Jim", "Jamie"), "Robert": ("Bob", "Rob"), "Stephen": ("Steve", "Steven"),
    "Richard": ("Rick", "Dick"), "Christopher": ("Chris",), "Daniel": ("Dan", "Danny"), "Matthew": ("Matt",),
    "Anthony": ("Tony",), "Thomas": ("Tom", "Tommy"), "William": ("Bill", "Will"), "Philip": ("Phil", "Phillip"),
    "Jonathan": ("Jon", "Jonny"), "Joseph": ("Joe",), "Benjamin": ("Ben",), "Samuel": ("Sam",), "Edward": ("Ted", "Ed"),
    "Patrick": ("Paddy", "Pat"), "Mohammed": ("Muhammad", "Mohamed", "Mo"), "Ahmed": ("Ahmad",), "Yusuf": ("Yousuf",),
    "Piotr": ("Peter",), "Tomasz": ("Tomek", "Thomas"), "Krzysztof": ("Krzys", "Chris"), "Oluwaseun": ("Seun",),
    "Susan": ("Sue", "Susie"), "Margaret": ("Maggie", "Peggy", "Meg"), "Sarah": ("Sara", "Sally"), "Julie": ("Jules",),
    "Elizabeth": ("Liz", "Beth", "Betty"), "Christine": ("Chris", "Tina"), "Helen": ("Nell",), "Patricia": ("Pat", "Trish"),
    "Jacqueline": ("Jackie", "Jacqui"), "Deborah": ("Debbie", "Debra"), "Tracey": ("Tracy",), "Joanne": ("Jo",),
    "Claire": ("Clare",), "Nicola": ("Nicky", "Nikki"), "Rachel": ("Rachael",), "Rebecca": ("Becky", "Becca"),
    "Amanda": ("Mandy",), "Samantha": ("Sam",), "Victoria": ("Vicky", "Tori"), "Michelle": ("Shelley", "Shell"),
    "Charlotte": ("Lottie", "Charlie"), "Catherine": ("Cath", "Kate", "Katherine"), "Katherine": ("Kate", "Kathy"),
    "Emily": ("Em", "Emmy"), "Mary": ("Molly", "Marie"), "Ann": ("Anne", "Annie"), "Siobhan": ("Shivaun", "Chevonne"),
    "Niamh": ("Neve",), "Bethan": ("Beth",), "Fatima": ("Fatimah",), "Aisha": ("Ayesha",), "Agnieszka": ("Aga",),
    "Magdalena": ("Magda",), "Malgorzata": ("Gosia",), "Joanna": ("Asia", "Jo"), "Folasade": ("Sade",),
    "Gillian": ("Gill", "Jill"), "Beverley": ("Bev", "Beverly"), "Zoe": ("Zoë",), "Yvonne": ("Evonne",),
}  # fmt: skip
COMMON = (
    "Smith Jones Taylor Brown Williams Wilson Johnson Davies Patel Khan Wright Thompson Evans Walker White Roberts Green "
    "Hall Wood Jackson Clarke Begum Ahmed Hussain Singh Kaur Ali Murphy Kelly O’Connor O’Brien MacDonald Campbell"
).split()
STREETS = "High Street;Station Road;Church Lane;Mill Road;Park Avenue;Queens Road;The Green;Victoria Road".split(";")
DOMAINS = "gmail.com gmail.com gmail.com hotmail.co.uk outlook.com yahoo.co.uk icloud.com btinternet.com".split()


@dataclass
class Entry:
    """One person as they were entered."""

    given: str
    family: str | None
    phone: str | None = None
    email: str | None = None
    born_on: date | None = None


@dataclass
class Home:
    """One household as it was entered. ``family_of`` is the number of the household that it really is."""

    people: list[Entry]
    postcode: str | None
    address: str | None
    family_of: int
    story: str = ""
    trap: str = ""


@dataclass
class Town:
    """Everything that was drawn."""

    homes: list[Home] = field(default_factory=list)

    @property
    def truth(self) -> dict[tuple[int, int], str]:
        """Pairs of entries of one household, by their places, with the story of the second."""
        first: dict[int, int] = {}
        pairs = {}
        for at, home in enumerate(self.homes):
            if home.story:
                pairs[first[home.family_of], at] = home.story
            else:
                first[home.family_of] = at
        return pairs


class Maker:
    """Draws households, what happens to them, and who looks like them."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        made = [f"{a}{b}{c}".capitalize() for a in SYLLABLES for b in SYLLABLES for c in SYLLABLES[:10]]
        self.rare = [*FAMILY, *self.draw.sample(made, 6000)]
        self.taken: set[str | None] = set()
        self.numbers = iter(self.draw.sample(range(10**8), 600_000))

    # --- What people have ---------------------------------------------------------------------------------------------

    def given(self) -> str:
        # Some names are borne by many: the square of an even draw leans to the front of the list.
        return GIVEN[int(self.draw.random() ** 1.3 * len(GIVEN))]

    def family(self) -> str:
        if self.draw.random() < 0.25:
            return self.draw.choice(COMMON)
        return self.rare[int(self.draw.random() ** 1.5 * len(self.rare))]

    def mobile(self) -> str:
        return f"07{next(self.numbers):09d}"

    def landline(self) -> str:
        return f"01{next(self.numbers):09d}"

    def postcode(self) -> str:
        letters = "ABDEFGHJLNPQRSTUWXYZ"
        return f"{self.draw.choice(DISTRICTS)} {self.draw.randrange(1, 9)}{self.draw.choice(letters)}{self.draw.choice(letters)}"

    def address(self) -> str:
        flat = f"Flat {self.draw.randrange(1, 30)}, " if self.draw.random() < 0.3 else ""
        return f"{flat}{self.draw.randrange(1, 220)} {self.draw.choice(STREETS)}"

    def email(self, given: str, family: str) -> str:
        words = [keys.name_key(given) or "x", (keys.name_key(family) or "y").replace(" ", "")]
        form = self.draw.choice(["{0}.{1}{2}", "{0}{1}{2}", "{1}.{0}{2}", "{0}{2}{1}"])
        number = self.draw.choice(["", str(self.draw.randrange(1, 99)), str(self.draw.randrange(1950, 2005))])
        domain = self.draw.choice(DOMAINS)
        # A mailbox has one owner: whoever comes second takes a number.
        while (box := mailbox(address := form.format(*words, number).replace(" ", "") + "@" + domain)) in self.taken:
            number = str(self.draw.randrange(1, 9999))
        self.taken.add(box)
        return address

    def birthday(self, *, years: tuple[int, int] = (24, 68)) -> date:
        return date(2026, 1, 1) - timedelta(days=self.draw.randrange(years[0] * 365, years[1] * 365))

    def person(self, family: str, *, born: float = 0.5) -> Entry:
        given = self.given()
        return Entry(
            given,
            family,
            self.mobile() if self.draw.random() < 0.9 else None,
            self.email(given, family) if self.draw.random() < 0.75 else None,
            self.birthday() if self.draw.random() < born else None,
        )

    def home(self, number: int) -> Home:
        family = self.family()
        people = [self.person(family)]
        if self.draw.random() < 0.5:
            other = family if self.draw.random() < 0.6 else self.family()
            people.append(self.person(other))
        if not any(one.phone or one.email for one in people):
            people[0].phone = self.mobile()
        return Home(
            people,
            self.postcode() if self.draw.random() < 0.9 else None,
            self.address() if self.draw.random() < 0.4 else None,
            number,
        )

    # --- What happens between the first time and the second -----------------------------------------------------------

    def typo(self, word: str) -> str:
        at = self.draw.randrange(1, max(2, len(word) - 1))
        kind = self.draw.randrange(4)
        if kind == 0 and len(word) > 4:
            return word[:at] + word[at + 1 :]
        if kind == 1 and at + 1 < len(word):
            return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        if kind == 2:
            return word[:at] + word[at] + word[at:]
        return word[:at] + self.draw.choice("aeiourtnslm") + word[at + 1 :]

    def digit(self, number: str) -> str:
        at = self.draw.randrange(5, len(number))
        return number[:at] + str((int(number[at]) + self.draw.randrange(1, 9)) % 10) + number[at + 1 :]

    def again(self, home: Home, story: str) -> Home:
        """The same household entered a second time, as its story has it."""
        people = [replace(one) for one in home.people]
        at = self.draw.randrange(len(people))
        if self.draw.random() < 0.4:
            people, at = [people[at]], 0
        second = Home(people, home.postcode, home.address, home.family_of, story=story)
        one = people[at]
        if story != "a partner came":
            self.keep_one_way(one, home)
        STORIES[story][1](self, second, one)
        if self.draw.random() < 0.25 and story not in ("a partner came", "first name alone"):
            one.given = self.called(one.given)
        return second

    def keep_one_way(self, one: Entry, home: Home) -> None:
        """Everybody who comes twice can be reached the second time; often they leave less than the first."""
        if not one.phone and not one.email:
            one.phone = self.mobile()
            twin = next(person for person in home.people if person.given == one.given)
            twin.phone = one.phone
        if one.phone and one.email and self.draw.random() < 0.4:
            if self.draw.random() < 0.5:
                one.phone = None
            else:
                one.email = None
        if self.draw.random() < 0.4:
            one.born_on = None

    def called(self, given: str) -> str:
        return self.draw.choice(SHORT[given]) if given in SHORT else given

    def misspelled(self, _home: Home, one: Entry) -> None:
        if self.draw.random() < 0.5 and one.family:
            one.family = self.typo(one.family)
        else:
            one.given = self.typo(one.given)

    def short_name(self, _home: Home, one: Entry) -> None:
        one.given = self.called(one.given)

    def moved_house(self, home: Home, _one: Entry) -> None:
        home.postcode, home.address = self.postcode(), self.address() if home.address else None

    def new_number(self, home: Home, one: Entry) -> None:
        one.phone = self.mobile()
        if not one.email and not home.postcode:
            one.email = None
            home.postcode = self.postcode()

    def new_email(self, _home: Home, one: Entry) -> None:
        if one.phone:
            one.email = self.email(one.given, one.family or "x")

    def email_written_otherwise(self, _home: Home, one: Entry) -> None:
        if one.email and one.email.endswith("gmail.com"):
            local, _, domain = one.email.partition("@")
            one.email = self.draw.choice([f"{local}+fostering@{domain}", f"{local[:2]}.{local[2:]}@googlemail.com"])
        elif one.email:
            local, _, domain = one.email.partition("@")
            one.email = f"{self.typo(local)}@{domain}"

    def number_misheard(self, _home: Home, one: Entry) -> None:
        if one.phone:
            one.phone = self.digit(one.phone)

    def married(self, home: Home, one: Entry) -> None:
        one.family = self.family()
        if self.draw.random() < 0.4:
            home.postcode, home.address = self.postcode(), None

    def swapped(self, _home: Home, one: Entry) -> None:
        if one.family:
            one.given, one.family = one.family, one.given

    def birthday_turned(self, home: Home, one: Entry) -> None:
        if one.born_on is None:
            one.born_on = self.birthday()
            for person in home.people:
                if person is one:
                    person.born_on = one.born_on
        if one.born_on.day <= 12:
            one.born_on = date(one.born_on.year, one.born_on.day, one.born_on.month)

    def little_said(self, home: Home, one: Entry) -> None:
        home.people = [one]
        home.postcode = (home.postcode or "BR1 1AA").split()[0] if self.draw.random() < 0.5 else None
        home.address, one.born_on = None, None

    def first_name_alone(self, home: Home, one: Entry) -> None:
        home.people, one.family, home.address = [one], None, None

    def double_name(self, _home: Home, one: Entry) -> None:
        if one.family and self.draw.random() < 0.6:
            one.family = f"{one.family}-{self.family()}"
        else:
            one.given = f"{one.given} {self.given()}"

    def a_partner_came(self, home: Home, one: Entry) -> None:
        """The one at a stall, the other online, with one mobile between them."""
        phone = next(person.phone for person in home.people if person.phone)
        home.people = [Entry(self.other_than(one.given), one.family, phone, None, None)]

    def other_than(self, given: str) -> str:
        while (name := self.given()) == given:
            pass
        return name


Story = tuple[int, Callable[[Maker, Home, Entry], None]]
STORIES: dict[str, Story] = {
    "misspelled": (16, Maker.misspelled),
    "called by a short name": (16, Maker.short_name),
    "moved house": (12, Maker.moved_house),
    "new number": (8, Maker.new_number),
    "new email": (4, Maker.new_email),
    "email written otherwise": (5, Maker.email_written_otherwise),
    "number misheard": (6, Maker.number_misheard),
    "married name": (6, Maker.married),
    "names the other way round": (5, Maker.swapped),
    "day and month changed about": (5, Maker.birthday_turned),
    "little said": (6, Maker.little_said),
    "first name alone": (3, Maker.first_name_alone),
    "double name": (4, Maker.double_name),
    "a partner came": (4, Maker.a_partner_came),
}
"""What happened, and how many in a hundred."""


# --- Who looks like somebody and isn't --------------------------------------------------------------------------------


def siblings_at_home(maker: Maker, home: Home, number: int) -> Iterator[Home]:
    """Brothers and sisters under one roof who give the one landline, and a birthday or none."""
    line, family = maker.landline(), maker.family()
    one = Entry(maker.given(), family, line, None, maker.birthday() if maker.draw.random() < 0.5 else None)
    other = Entry(
        maker.other_than(one.given), family, line, None, maker.birthday() if maker.draw.random() < 0.5 else None
    )
    yield from _two(one, other, maker.postcode(), maker.address(), number)


def parent_and_child(maker: Maker, home: Home, number: int) -> Iterator[Home]:
    """A mother and her grown-up daughter at one address with one landline, each with an email of her own."""
    line, family = maker.landline(), maker.family()
    one = Entry(maker.given(), family, line, None, maker.birthday(years=(48, 68)))
    other = Entry(maker.other_than(one.given), family, line, None, maker.birthday(years=(22, 28)))
    for each in (one, other):
        each.email = maker.email(each.given, family)
    yield from _two(one, other, maker.postcode(), maker.address(), number)


def twins(maker: Maker, home: Home, number: int) -> Iterator[Home]:
    """Two people with one birthday, one surname, one address and one landline."""
    line, family, born = maker.landline(), maker.family(), maker.birthday()
    one = Entry(maker.given(), family, line, None, born)
    yield from _two(
        one, Entry(maker.other_than(one.given), family, line, None, born), maker.postcode(), maker.address(), number
    )


def father_and_son(maker: Maker, home: Home, number: int) -> Iterator[Home]:
    """Two people of one name at one address, a generation apart."""
    given, family, line = maker.given(), maker.family(), maker.landline()
    one = Entry(given, family, line, None, maker.birthday(years=(50, 70)))
    other = Entry(given, family, line, None, maker.birthday(years=(22, 29)))
    yield from _two(one, other, maker.postcode(), maker.address(), number)


def one_name_elsewhere(maker: Maker, home: Home, number: int) -> Iterator[Home]:
    """A common name twice in one town: two strangers."""
    given, family = maker.draw.choice(GIVEN[:40]), maker.draw.choice(COMMON)
    district = maker.draw.choice(DISTRICTS)
    for offset in range(2):
        one = maker.person(family)
        one.given, one.email = given, None
        one.phone = one.phone or maker.mobile()
        code = f"{district} {maker.draw.randrange(1, 9)}{maker.draw.choice('ABDEF')}{maker.draw.choice('GHJLN')}"
        yield Home([one], code, None, number + offset)


def neighbours(maker: Maker, home: Home, number: int) -> Iterator[Home]:
    """Two flats of one house, with one surname: cousins, or chance."""
    family, code, house = maker.family(), maker.postcode(), maker.draw.randrange(1, 220)
    one, other = maker.person(family), maker.person(family)
    other.given = maker.other_than(one.given)
    for offset, each in enumerate((one, other)):
        each.phone = each.phone or maker.mobile()
        yield Home([each], code, f"Flat {offset + 1}, {house} Station Road", number + offset)


def students(maker: Maker, home: Home, number: int) -> Iterator[Home]:
    """Strangers who rent one house, and its landline."""
    code, address, line = maker.postcode(), maker.address(), maker.landline()
    for offset in range(3):
        one = maker.person(maker.family())
        one.phone = line if maker.draw.random() < 0.5 else maker.mobile()
        yield Home([one], code, address, number + offset)


def a_workers_phone(maker: Maker, home: Home, number: int) -> Iterator[Home]:
    """A number that a hostel's worker gave for everybody there; some live at its postcode."""
    phone, code = maker.mobile(), maker.postcode()
    for offset in range(maker.draw.randrange(5, 12)):
        one = maker.person(maker.family())
        one.phone, one.email = phone, None
        yield Home([one], code if maker.draw.random() < 0.5 else maker.postcode(), None, number + offset)


def a_mothers_mobile(maker: Maker, home: Home, number: int) -> Iterator[Home]:
    """A grown-up child who gives the mobile of a mother who enquired herself, from another address."""
    family, phone = maker.family(), maker.mobile()
    one = Entry(maker.given(), family, phone, None, None)
    other = Entry(maker.other_than(one.given), family, phone, None, None)
    yield Home([one], maker.postcode(), None, number)
    yield Home([other], maker.postcode(), None, number + 1)


def names_near_each_other(maker: Maker, home: Home, number: int) -> Iterator[Home]:
    """Paul and Paula of one surname in one street: a brother and a sister, or nobody to each other."""
    first, second = maker.draw.choice(
        [("Paul", "Paula"), ("Daniel", "Danielle"), ("Christine", "Christina"), ("Jean", "Joan"), ("Andrew", "Andrea"),
         ("Carol", "Carl"), ("Louis", "Louise"), ("Amina", "Amira"), ("Martin", "Martina"), ("Simon", "Simone")]
    )  # fmt: skip
    family, code = maker.family(), maker.postcode()
    for offset, given in enumerate((first, second)):
        one = maker.person(family, born=0.2)
        one.given, one.email = given, None
        one.phone = one.phone or maker.mobile()
        yield Home([one], code, None, number + offset)


TRAPS: dict[str, tuple[int, Callable[[Maker, Home, int], Iterator[Home]]]] = {
    "brothers and sisters at home": (16, siblings_at_home),
    "parent and child at home": (12, parent_and_child),
    "twins": (10, twins),
    "father and son of one name": (8, father_and_son),
    "one common name elsewhere": (18, one_name_elsewhere),
    "neighbours of one surname": (10, neighbours),
    "students in one house": (8, students),
    "a worker’s phone": (4, a_workers_phone),
    "a mother’s mobile": (8, a_mothers_mobile),
    "names near each other": (6, names_near_each_other),
}
"""Who looks like somebody else, and how many in a hundred."""


def _two(one: Entry, other: Entry, postcode: str, address: str, number: int) -> Iterator[Home]:
    yield Home([one], postcode, address, number)
    yield Home([other], postcode, address, number + 1)


def make_town(households: int, duplicates: int, traps: int, *, seed: int = 20261129) -> Town:
    """So many entries in all, of which so many are second entries, and so many traps (each of two entries or more)."""
    maker = Maker(seed)
    town = Town()
    homes = [maker.home(number) for number in range(households - duplicates)]
    kinds = maker.draw.choices(list(TRAPS), [share for share, _ in TRAPS.values()], k=traps)
    number = len(homes)
    trapped: list[Home] = []
    for kind in kinds:
        made = list(TRAPS[kind][1](maker, homes[0], number))
        for home in made:
            home.trap = kind
        number += len(made)
        trapped += made
    homes = homes[: households - duplicates - len(trapped)]
    stories = maker.draw.choices(list(STORIES), [share for share, _ in STORIES.values()], k=duplicates)
    twice = maker.draw.sample(homes, duplicates)
    second = [maker.again(home, _possible(home, story)) for home, story in zip(twice, stories, strict=True)]
    town.homes = [*homes, *trapped, *second]
    return town


def _possible(home: Home, story: str) -> str:
    """A story that can have happened: a partner comes with a mobile and from a postcode."""
    if story == "a partner came" and not (home.postcode and all(person.phone for person in home.people)):
        return "moved house"
    return story


# --- In the database --------------------------------------------------------------------------------------------------


def store(town: Town, *, owner_id: int, now: datetime) -> list[int]:
    """Write everybody, each waiting to be compared; the ids of the households, in order."""
    from crm.db import new_row_key, seal

    homes, people, cases, person_keys = [], [], [], []
    first_home = (db.session.scalar(sa.select(sa.func.max(Household.id))) or 0) + 1
    first_person = (db.session.scalar(sa.select(sa.func.max(Person.id))) or 0) + 1
    first_case = (db.session.scalar(sa.select(sa.func.max(Case.id))) or 0) + 1
    person_id = first_person
    for at, home in enumerate(town.homes):
        key = new_row_key()
        sealed = seal("household", "address_sealed", key, home.address) if home.address else None
        homes.append(
            {
                "id": first_home + at, "row_key": key, "name": home.people[0].given, "postcode": home.postcode,
                "postcode_key": keys.postcode_key(home.postcode), "address_sealed": sealed, "created_at": now,
            }
        )  # fmt: skip
        cases.append(
            {
                "id": first_case + at, "reference": reference.new_reference("KF", 20_000_000 + at),
                "household_id": first_home + at, "opened_at": now, "channel": "web", "edition": "default",
                "owner_id": owner_id, "is_open": False, "place": "closed", "band": Band.ENDED, "version": 1,
            }
        )  # fmt: skip
        for number, one in enumerate(home.people):
            given, family = keys.name_key(one.given) or "", keys.name_key(one.family)
            people.append(
                {
                    "id": person_id, "row_key": key, "household_id": first_home + at,
                    "role": f"applicant_{number + 1}", "given_name": one.given, "family_name": one.family,
                    "given_key": given, "family_key": family, "born_on": one.born_on, "email": one.email,
                    "email_key": keys.email_key(one.email), "phone": one.phone, "phone_key": keys.phone_key(one.phone),
                    "is_to_compare": True,
                }
            )  # fmt: skip
            person_keys += key_rows(person_id, given_key=given, family_key=family, email=one.email, born_on=one.born_on)
            person_id += 1
    connection = db.session.connection()
    for model, rows in ((Household, homes), (Person, people), (Case, cases), (PersonKey, person_keys)):
        for start in range(0, len(rows), 5000):
            connection.execute(model.__table__.insert(), rows[start : start + 5000])
    return [home["id"] for home in homes]


def find_all(now: datetime, *, batch: int = 500) -> float:
    """Compare everybody who waits, as the timed job does; the seconds it took."""
    began = time.monotonic()
    while has_people_to_compare():
        with transaction():
            suggest_pairs(now=now, limit=batch)
        db.session.expunge_all()
    return time.monotonic() - began


@dataclass(frozen=True)
class Score:
    """How the suggestions stand against the truth."""

    recall: float
    precision: float
    suggested: int
    questions: int
    missed: Counter[str]
    wrong: Counter[str]
    found: Counter[str]


def score(town: Town, ids: list[int]) -> Score:
    """Compare what was suggested with what was planted."""
    at = {household_id: place for place, household_id in enumerate(ids)}
    rows = db.session.execute(sa.select(LikenessPair.one_id, LikenessPair.other_id, LikenessPair.standing)).all()
    pairs = {(at[one], at[other]): standing for one, other, standing in rows}
    suggested = {pair for pair, standing in pairs.items() if standing in {str(s) for s in SUGGESTED}}
    truth = town.truth
    hits = suggested & set(truth)
    # A family that came three times makes three true pairs, of which the truth names two.
    right = {p for p in suggested if town.homes[p[0]].family_of == town.homes[p[1]].family_of}
    wrong = Counter(
        town.homes[pair[0]].trap if town.homes[pair[0]].trap == town.homes[pair[1]].trap and town.homes[pair[0]].trap
        else "chance"
        for pair in suggested - right
    )  # fmt: skip
    return Score(
        recall=len(hits) / len(truth),
        precision=len(right) / len(suggested) if suggested else 1.0,
        suggested=len(suggested),
        questions=len(pairs) - len(suggested),
        missed=Counter(truth[pair] for pair in set(truth) - hits),
        wrong=wrong,
        found=Counter(truth[pair] for pair in hits),
    )


def people_to_look_up(households: int, *, rounds: int = 400, seed: int = 7) -> list[dict[str, Any]]:
    """People of a loaded service as they might be typed: some of what is known, some of it slightly wrong."""
    maker = Maker(seed)
    draw = maker.draw
    ids = [draw.randrange(1, households * 2 + 1) for _ in range(rounds)]
    found = []
    for person in db.session.scalars(sa.select(Person).where(Person.id.in_(ids))):
        typed: dict[str, Any] = {
            "given_name": draw.choice([person.given_name, maker.called(person.given_name)]),
            "family_name": draw.choice([person.family_name, maker.typo(person.family_name or "Lee")]),
            "phone": draw.choice([person.phone_key, maker.mobile(), None]),
            "email": draw.choice([person.email, None, None]),
            "postcode": draw.choice([person.household.postcode, maker.postcode(), None]),
            "born_on": draw.choice([maker.birthday(), None]),
        }
        for name in draw.sample(list(typed), 2):
            typed[name] = None
        found.append(typed)
    db.session.rollback()
    return found


def time_look_ups(people: list[dict[str, Any]]) -> list[float]:
    """Milliseconds that each look-up took."""
    took = []
    for typed in people:
        began = time.perf_counter()
        look_alikes(**typed)
        took.append((time.perf_counter() - began) * 1000)
    return took


def p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]
