"""The register of foster carers: who is on it, what it says, and what its list leaves out."""

from __future__ import annotations

from datetime import date

import pytest

from crm.assessments import carer_register
from crm.assessments.carer_register import entry_of, register_page
from crm.assessments.queries import NothingThere
from crm.assessments.terms import Terms
from crm.audit import AuditEntry
from crm.cases.facts import state_fact
from crm.cases.models import Case, Household
from crm.cases.open_case import NewPerson
from crm.clock import now_utc
from crm.db import db, transaction
from tests.assessments.journey import Journey, to_the_decision_maker

TERMS = Terms(children=2, youngest=5, oldest=12)
ADDRESS = "8 Tannery Court"


def to_the_register(j: Journey) -> None:
    j.walk(to_the_decision_maker).decided(terms=TERMS)


@pytest.fixture
def approved(journey):
    return journey.walk(to_the_register)


def lines(j, member=None, **asked):
    db.session.rollback()
    return register_page((member or j.cast.manager).actor, today=j.today, **asked)


def another(j, *people):
    """A household with these people that stands on the register: the same place on the board, without the journey."""
    other = Journey(j.cast, j.freeze, j.database)
    other.panel = j.panel
    other.invited(*people)
    with transaction():
        db.session.get_one(Case, other.case.id).place = carer_register.PLACE
    return other.case


def test_an_approved_household_is_on_it_with_its_terms_and_the_day_of_its_review(approved):
    [line], more = lines(approved)
    assert more is None
    assert line.reference == approved.case.reference
    assert line.carers == ("Priya Nair", "Sam Whitlock")
    assert line.approved_on == approved.today
    assert line.terms == "up to 2 children at once, aged 5 to 12"
    assert line.review_by == approved.due("first_review")
    assert line.where == "BR1, Bromley"


def test_before_the_decision_nobody_is_on_it(journey, client):
    j = journey.walk(to_the_decision_maker)
    assert lines(j) == ([], None)
    with pytest.raises(NothingThere):
        entry_of(j.case)
    client.sign_in(j.cast.manager)
    assert client.get(f"/register/{j.case.reference}").status_code == 404
    assert "Nobody is approved yet" in client.get("/register").page.text


def test_the_list_says_where_and_the_entry_the_address(approved, client):
    client.sign_in(approved.cast.panel_administrator)
    page = client.get("/register").page
    assert "BR1, Bromley" in page.text
    assert ADDRESS not in page.text
    assert "1985" not in page.text

    entry = client.get(f"/register/{approved.case.reference}").page

    for words in (
        ADDRESS, "Born Sunday 10 February 1985", "Up to 2 children at once, aged 5 to 12", "3 children",
        approved.cast.decision_maker.name,
    ):  # fmt: skip
        assert words in entry.text, words
    approved.look_again()
    looked = db.session.query(AuditEntry).filter_by(event="view.register_entry").one()
    assert (looked.case_id, looked.actor_id) == (approved.case.id, approved.cast.panel_administrator.id)


def test_what_the_register_must_hold_and_nobody_wrote_down_is_named(approved):
    assert entry_of(approved.case).missing == ("Priya Nair’s sex", "Sam Whitlock’s sex")
    with transaction():
        case = db.session.get_one(Case, approved.case.id)
        priya, _sam = (one for one in case.household.people if one.is_applicant)
        state_fact(
            case, key="sex", value="Female", source="told us", stated_on=approved.today,
            actor=approved.cast.manager.actor, now=now_utc(), person_id=priya.id,
        )  # fmt: skip
        db.session.get_one(Household, case.household_id).address = None
        db.session.get_one(Household, case.household_id).postcode = None
    approved.look_again()
    assert entry_of(approved.case).missing == ("the address", "Sam Whitlock’s sex")
    assert [one.sex for one in entry_of(approved.case).carers] == ["Female", None]


@pytest.mark.parametrize("words", ["nair", "PRI", "sam nair", "whit"])
def test_it_is_found_by_the_beginnings_of_its_carers_names(approved, words):
    assert len(lines(approved, words=words)[0]) == 1


@pytest.mark.parametrize("words", ["air", "sam ellis", "zz", "%"])
def test_it_is_not_found_by_other_words(approved, words):
    found = lines(approved, words=words)[0]
    assert found == ([] if words != "%" else lines(approved)[0])


def test_it_is_paged_by_name_and_no_name_stands_in_the_address(approved, client):
    for given, family in (("Ada", "Quill"), ("Zoe", "Ash"), ("Ada", "Quill")):
        another(approved, NewPerson(given_name=given, family_name=family, email=f"{given}@example.org".lower()))
    everybody = [line.case_id for line in lines(approved)[0]]
    assert len(everybody) == 4
    paged, after = [], None
    while True:
        found, after = lines(approved, after=after, limit=1)
        paged += [line.case_id for line in found]
        if after is None:
            break
    assert paged == everybody
    names = [line.household for line in lines(approved)[0]]
    assert names == sorted(names)
    client.sign_in(approved.cast.manager)
    assert "end of the register" in client.get(f"/register?after={everybody[-1]}").page.text
    assert client.get("/register?after=x").page.text == client.get("/register").page.text


def test_it_is_read_in_the_same_number_of_queries_however_many_there_are(approved, queries):
    with queries() as few:
        lines(approved)
    for number in range(5):
        another(approved, NewPerson(given_name=f"Ada{number}", family_name="Quill", email=f"ada{number}@example.org"))
    with queries() as many:
        assert len(lines(approved)[0]) == 6
    assert len(few) == len(many)


@pytest.mark.parametrize("who", ["officer", "recruiter", "decision_maker", "panel_member", "administrator"])
def test_it_is_for_those_who_see_every_household_after_panel(approved, client, who):
    client.sign_in(getattr(approved.cast, who))
    assert client.get("/register").status_code == 403
    assert client.get(f"/register/{approved.case.reference}").status_code == 403


def test_the_day_of_approval_is_the_day_it_takes_effect(journey):
    j = journey.walk(to_the_decision_maker)
    j.decided(terms=TERMS, effective_on=date(2026, 5, 1))
    assert lines(j)[0][0].approved_on == date(2026, 5, 1)
