"""The application by the household itself: begun, left, come back to, signed by each, handed in once."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import func, select, text

from crm.assessments import parts, queries
from crm.assessments.models import Application, Signature
from crm.assessments.part_models import ApplicationPart
from crm.cases.facts import state_fact
from crm.cases.models import Fact
from crm.clock import now_utc
from crm.db import db, transaction
from crm.portal import household_views
from crm.rules.application import PARTS, PARTS_BY_NAME
from crm.rules.permissions import Sensitivity
from tests.portal.conftest import OWN, SHARED, browser_of, fill_in, people_of

AGREES = {"declares": "y", "agrees": "y"}


@pytest.fixture
def two(app, home):
    """Priya's browser and Sam's."""
    people = people_of(home.case)
    return browser_of(app, people["Priya"]), browser_of(app, people["Sam"])


def count(model):
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(model))


def test_two_adults_fill_in_sign_and_the_last_signature_begins_the_eight_months(app, home, two, freeze):
    priya, sam = two
    people = people_of(home.case)
    fill_in(priya, OWN | {"home": SHARED["home"]})
    assert "to go" in priya.get("/my/list").page.text  # Who lives with you is still to be done
    assert priya.get("/my/sign").page.text.count("Who lives with you") == 1
    fill_in(sam, OWN | {"people": SHARED["people"]})
    freeze("2026-03-04 22:10")
    priya = browser_of(app, people["Priya"])
    assert priya.submit(priya.get("/my/sign").page, button="Sign as Priya Nair", **AGREES).status_code == 303
    assert "once Sam has signed, too" in priya.get("/my").page.text
    db.session.rollback()
    db.session.expire_all()
    assert home.stage("application") is None
    freeze("2026-03-06 23:30")
    priya, sam = browser_of(app, people["Priya"]), browser_of(app, people["Sam"])
    sam.submit(sam.get("/my/sign").page, button="Sign as Sam Whitlock", **AGREES)
    db.session.rollback()
    db.session.expire_all()
    assert home.stage("application") == "received"
    application = queries.the_application(home.case)
    assert application.received_on == date(2026, 3, 6)
    assert (application.rents, application.has_pets, application.home_council) == (True, True, "Bromley")
    signed = {one.person_id: one for one in application.signatures}
    people = people_of(home.case)
    assert signed[people["Priya"].id].signed_on == date(2026, 3, 4)
    assert all(one.lived_abroad and not one.has_former_partner for one in signed.values())
    assert people["Kezia"].born_on == date(2015, 5, 5)
    assert people["Priya"].born_on == date(1985, 2, 10)
    assert home.due("panel_recommendation") == date(2026, 11, 6)
    # It stays as it is, and both can read what they wrote.
    assert "Your turn: 1 thing Send us 3 documents" in priya.get("/my").page.text
    assert "Nurse, three nights a week" in priya.get("/my/part/work").page.text
    assert priya.post("/my/part/work", data={}).status_code in (400, 403)
    assert count(Application) == 1


def test_half_done_is_kept_shown_on_another_phone_and_not_enough_to_sign(app, home, two):
    priya, _ = two
    page = priya.get("/my/part/work").page
    answer = priya.submit(page, button="Save, and come back later", work_now="Nurse, n")
    assert answer.headers["Location"] == "/my/list"
    other_phone = browser_of(app, people_of(home.case)["Priya"])
    assert "Half done" in other_phone.get("/my/list").page.text
    form = other_phone.get("/my/part/work").page.form(button="Save, and come back later")
    assert form.filled()["work_now"] == "Nurse, n"
    refused = other_phone.submit(other_phone.get("/my/part/work").page, button="Save, this part is done")
    assert refused.status_code == 422
    assert "Say whether you work or volunteer with children" in refused.page.text
    assert count(Signature) == 0


def test_each_sees_what_is_done_and_never_what_the_other_wrote(home, two):
    priya, sam = two
    fill_in(priya, OWN)
    listed = sam.get("/my/list").page.text
    assert "8 of 8 done" in listed
    pages = [sam.get(f"/my/part/{part.name}").page.text for part in PARTS] + [listed, sam.get("/my").page.text]
    for word in ("XqAsthmaWord", "XqCautionWord", "Nurse", "Lisbon", "Grace Whitlock"):
        assert not any(word in page for page in pages), word


def test_staff_read_what_their_part_in_the_case_opens_and_each_look_is_kept(app, home, two):
    priya, _ = two
    fill_in(priya, OWN)
    staff = app.test_client()
    at = f"/cases/{home.case.reference}/application"
    for member, reads in ((home.cast.officer, True), (home.cast.manager, True)):
        staff.sign_in(member)
        page = staff.get(at).page.text
        assert ("XqCautionWord" in page, "XqAsthmaWord" in page, "Nurse" in page) == (reads, reads, True)
    for member in (home.cast.recruiter, home.cast.other_officer, home.cast.panel_member, home.cast.administrator):
        staff.sign_in(member)
        assert staff.get(at).status_code in (403, 404)
    db.session.rollback()
    looks = db.session.execute(
        text("SELECT event FROM audit_entry WHERE event LIKE 'view.%'")
    ).scalars()
    assert {"view.application", "view.health", "view.offence"} <= set(looks)


def test_health_and_record_are_not_for_somebody_who_has_only_to_open_the_household(app, home, two, monkeypatch):
    fill_in(two[0], OWN)
    monkeypatch.setattr(household_views, "is_on_case", lambda *_, **__: False)
    staff = app.test_client()
    staff.sign_in(home.cast.officer)
    page = staff.get(f"/cases/{home.case.reference}/application").page.text
    assert "XqCautionWord" not in page
    assert "XqAsthmaWord" not in page
    assert "Open to those who work on this household." in page
    assert "Nurse, three nights a week" in page


def test_nobody_learns_a_decision_from_these_pages_before_they_have_had_notice(app, journey):
    journey.people().with_decision_maker()
    priya = people_of(journey.case)["Priya"]
    journey.decided()
    before = browser_of(app, priya).get("/my").page.text
    assert "Your decision is being made" in before
    assert "approved" not in before
    journey.told()
    assert "You and Sam are approved foster carers" in browser_of(app, priya).get("/my").page.text


def test_a_shared_part_saved_by_the_other_meanwhile_is_not_overwritten_and_nothing_typed_is_lost(home, two):
    priya, sam = two
    mine = priya.get("/my/part/home").page
    fill_in(sam, {"home": SHARED["home"]})
    refused = priya.submit(mine, button="Save, this part is done", **{**SHARED["home"], "bedrooms": "4"})
    assert refused.status_code == 422
    assert "Sam saved this a moment ago" in refused.page.text
    assert "What Sam has just saved" in refused.page.text
    form = refused.page.form(button="Save, this part is done").filled()
    assert form["bedrooms"] == "4"
    again = priya.submit(refused.page, button="Save, this part is done")
    assert again.status_code == 303
    db.session.rollback()
    db.session.expire_all()
    row = parts.parts_of(home.case)[("home", None)]
    assert (parts.answers_of(row)["bedrooms"], row.version) == ("4", 2)


def test_what_one_typed_is_never_kept_as_the_others(app, home, two):
    priya, sam = two
    typed = priya.get("/my/part/record").page.form(button="Save, this part is done").filled(**OWN["record"])
    theirs = sam.get("/my/part/record").page.form(button="Save, this part is done").filled()
    sent = {**typed, "csrf_token": theirs["csrf_token"], "one_time_id": theirs["one_time_id"]}
    answer = sam.post("/my/part/record", data=sent)
    assert answer.status_code in (409, 422)
    assert "opened by somebody else" in answer.page.text
    assert count(ApplicationPart) == 0


def test_a_change_after_signing_asks_for_the_signature_again(home, two):
    priya, sam = two
    fill_in(priya, OWN | SHARED)
    priya.submit(priya.get("/my/sign").page, button="Sign as Priya Nair", **AGREES)
    fill_in(sam, {"home": {**SHARED["home"], "bedrooms": "5"}})
    db.session.rollback()
    db.session.expire_all()
    assert not parts.has_signed(home.case, people_of(home.case)["Priya"])
    fill_in(sam, OWN)
    sam.submit(sam.get("/my/sign").page, button="Sign as Sam Whitlock", **AGREES)
    db.session.rollback()
    db.session.expire_all()
    assert home.stage("application") is None


def test_what_is_known_is_shown_with_its_source_to_be_confirmed_and_written_down_once_done(home, two):
    with transaction():
        for key, value, person in (("pets", "No", None), ("offences", "XqOldAnswer", None)):
            state_fact(
                home.case, key=key, value=value, source="Web form", stated_on=date(2026, 1, 12), person_id=person,
                actor=home.cast.recruiter.actor, now=now_utc(),
            )  # fmt: skip
    priya, _ = two
    page = priya.get("/my/part/home").page
    assert "Web form, Monday 12 January 2026" in page.text
    assert page.form(button="Save, this part is done").filled()["has_pets"] == "no"
    assert "XqOldAnswer" not in priya.get("/my/part/record").page.text, "somebody else may have told us"
    fill_in(priya, {"home": SHARED["home"], "health": OWN["health"]})
    facts = {one.key: one for one in db.session.scalars(select(Fact).where(Fact.replaced_at.is_(None)))}
    assert facts["pets"].value == "Yes: A greyhound, six, asleep"
    assert facts["pets"].source == "Their application"
    assert facts["health"].sensitivity == Sensitivity.HEALTH
    assert facts["health"].person_id == people_of(home.case)["Priya"].id


def test_rows_are_added_one_by_one_and_ages_are_told_while_they_can_be_put_right(home, two):
    priya, _ = two
    page = priya.get("/my/part/people").page
    more = priya.submit(page, button="Save, and add another person", members_1_given="Kezia")
    assert more.headers["Location"].startswith("/my/part/people?rows=2")
    page = priya.get("/my/part/people?rows=2").page
    wrong = priya.submit(page, button="Save, this part is done", **SHARED["people"], members_2_given="Ade",
                         members_2_kind="child", **{"members_2_born_on-day": "1", "members_2_born_on-month": "1",
                                                    "members_2_born_on-year": "1999"})  # fmt: skip
    assert wrong.status_code == 422
    assert "Put down somebody of 18 or over as an adult" in wrong.page.text
    young = priya.submit(priya.get("/my/part/about").page, button="Save, this part is done",
                         **{**OWN["about"], "born_on-year": "2015"})  # fmt: skip
    assert "An adult here is 18 or over" in young.page.text
    assert [one.name for one in db.session.scalars(select(ApplicationPart))] == ["people"]


def test_staff_are_not_asked_again_for_referees_that_the_applicant_named(app, home, two):
    priya, sam = two
    fill_in(priya, OWN | SHARED)
    fill_in(sam, OWN)
    for browser, name in ((priya, "Priya Nair"), (sam, "Sam Whitlock")):
        browser.submit(browser.get("/my/sign").page, button=f"Sign as {name}", **AGREES)
    db.session.rollback()
    db.session.expire_all()
    home.assessing()
    staff = app.test_client()
    staff.sign_in(home.cast.manager)
    second = home.check("referees", "Priya", 2)
    page = staff.get(f"/cases/{home.case.reference}/checks/{second.id}/referee").page
    form = page.form(button="Put them on the list").filled()
    assert (form["name"], form["relation"], form["known_since"]) == ("Tom Adeyemi", "colleague", "2015")
    assert (form["phone"], form["email"]) == ("07700 900555", "")


@pytest.mark.parametrize("rows", ["9" * 5000, "-3", "x", "9999"])
def test_nonsense_in_the_number_of_rows_is_no_fault(home, two, rows):
    assert two[0].get(f"/my/part/people?rows={rows}").status_code == 200


def test_the_pages_ask_the_same_number_of_questions_of_the_database_however_much_is_filled_in(home, two, queries):
    priya, sam = two

    def asked():
        with queries() as sent:
            for path in ("/my", "/my/list", "/my/part/health"):
                priya.get(path)
        return len(sent)

    before = asked()
    fill_in(priya, OWN | SHARED)
    fill_in(sam, OWN)
    assert asked() <= before + 1


def test_every_part_can_be_whole_and_says_where_the_law_asks_for_it():
    for part in PARTS:
        assert part.source
        assert all(part.question(one.if_yes) for one in part.questions if one.if_yes)
    assert {PARTS_BY_NAME[name].sensitivity for name in ("health", "record")} == {
        Sensitivity.HEALTH, Sensitivity.OFFENCE,
    }  # fmt: skip
