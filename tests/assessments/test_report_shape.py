"""The report round its headings: who else looked, what is filled in from what is known, and who reads which words."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from crm import policy
from crm.assessments import queries, referees, review_queries, reviews, sessions, stage_two
from crm.assessments.models import Check
from crm.assessments.referee_models import Referee
from crm.assessments.referees import NewReferee
from crm.assessments.reviews import NewReview, ReviewNotPossible
from crm.assessments.stage_two_models import AssessmentReview
from crm.assessments.terms import Terms
from crm.audit import AuditEntry
from crm.clock import now_utc
from crm.db import db, transaction
from crm.policy import changing
from crm.rules.permissions import NotPermitted
from crm.visits import report
from crm.visits.models import Purpose, Visit
from tests.assessments.journey import Journey, to_assessment
from tests.assessments.test_stage_two import WORDS
from tests.visits.conftest import Verbs

NOTES, OPEN, CLOSED, OPINION = "CANARY-NOTES", "CANARY-EVIDENCE", "CANARY-REFERENCE", "CANARY-OPINION"


def on_the_agenda(j: Journey) -> None:
    """Words of every kind in the report, which is before a panel."""
    j.walk(to_assessment).obtain_all().passed().stage_two()
    talk = j.session("personality", notes=NOTES)
    j.evidence("personality", source=f"session:{talk.id}", words=OPEN)
    j.evidence("caring", source=f"check:{j.check('referee_interviews', 'Sam').id}", words=CLOSED)
    j.looked_at_from_outside(OPINION)
    j.report().shared().observed().ready()
    j.listed(j.meeting("2026-04-08"))


@pytest.fixture
def written(journey):
    return journey.walk(on_the_agenda)


@pytest.fixture
def assessing(journey):
    return journey.walk(to_assessment).obtain_all().passed().stage_two()


def texts(j: Journey, client, *pages: str) -> str:
    base = f"/cases/{j.case.reference}/assessment"
    return "\n".join(
        answer.text for answer in (client.get(base + page) for page in pages) if answer.status_code == 200
    )


PAGES = ("", "/report", "/report/copy", "/report/evidence/caring", "/report/evidence/personality", "/sessions",
         "/midway", "/second-opinion")  # fmt: skip


@pytest.mark.parametrize(
    ("who", "reads"),
    [
        ("officer", {NOTES, OPEN, CLOSED, OPINION}),
        ("manager", {NOTES, OPEN, CLOSED, OPINION}),
        ("panel_administrator", {OPEN, OPINION}),
        ("chair", {OPEN, CLOSED, OPINION}),
        ("panel_member", set()),
        ("decision_maker", set()),
        ("other_officer", set()),
        ("recruiter", set()),
        ("administrator", set()),
    ],
)
def test_each_reads_what_is_for_them(written, client, who, reads):
    j = written
    talk = db.session.scalar(sa.text("SELECT id FROM assessment_session"))
    client.sign_in(j.panel.get(who) or getattr(j.cast, who))

    text = texts(j, client, *PAGES, f"/sessions/{talk}")

    assert {canary for canary in (NOTES, OPEN, CLOSED, OPINION) if canary in text} == reads


def test_an_applicant_reads_none_of_it(written, client):
    j = written
    first, second = (one for one in j.case.household.people if one.is_applicant)
    for member, person in ((j.cast.applicant, first), (j.cast.partner, second)):
        client.sign_in(replace(member, person_id=person.id))
        everything = texts(j, client, *PAGES) + client.get("/my").text + client.get("/my/list").text
        assert not [canary for canary in (NOTES, OPEN, CLOSED, OPINION) if canary in everything]


def test_whoever_may_not_read_a_reference_is_not_told_whose_it_is(written, client):
    j = written
    client.sign_in(j.cast.panel_administrator)

    page = client.get(f"/cases/{j.case.reference}/assessment/report").page

    assert "open to those who work on this household" in page.text
    assert f"/checks/{j.check('referee_interviews', 'Sam').id}" not in page.links.values()


def test_references_are_summed_up_for_those_who_may_read_them(written, client):
    j = written
    new = NewReferee(name="Grace CANARY-NAME", relation="friend", email="grace@example.org", known_since=2012)
    place = j.check("referees", "Sam")
    with transaction():
        db.session.execute(sa.update(Check).where(Check.id == place.id).values(received_on=None))
    named = j.do(referees.name_referee, j.case, place, new, by=j.cast.manager)
    with transaction():
        spoken = db.session.get_one(Referee, named.id)
        spoken.held_on, spoken.interviewer_id = j.today, j.cast.officer.id
        spoken.account, spoken.view = "Kind.", "supports"
    path = f"/cases/{j.case.reference}/assessment/report"

    client.sign_in(j.cast.officer)
    assert "Grace CANARY-NAME, for Sam: friend, since 2012. Talked to on" in client.get(path).page.text
    client.sign_in(j.cast.panel_administrator)
    text = client.get(path).page.text
    assert "CANARY-NAME" not in text
    assert "0 references on file, 1 referee talked to" in text


def test_the_households_copy_has_the_reports_own_words_and_no_others(written, client):
    j = written
    client.sign_in(j.cast.officer)

    text = client.get(f"/cases/{j.case.reference}/assessment/report/copy").text

    assert "About personality." in text
    assert "Tell us what you think of it within 10 working days" in text
    kept_back = (NOTES, OPEN, CLOSED, OPINION, "evidence", "Seen at their home", "school")
    assert not [word for word in kept_back if word in text]


def test_reading_what_a_reference_shows_is_recorded_as_that(written, client):
    j = written
    client.sign_in(j.panel["chair"])
    client.get(f"/cases/{j.case.reference}/assessment/report")

    j.look_again()
    seen = db.session.scalars(sa.select(AuditEntry.event).where(AuditEntry.actor_id == j.panel["chair"].id)).all()
    assert {"view.report", "view.reference"} <= set(seen)


def test_the_words_are_sealed(written):
    for table, column in (("report_evidence", "words_sealed"), ("assessment_session", "notes_sealed"),
                          ("assessment_review", "words_sealed")):  # fmt: skip
        for (value,) in db.session.execute(sa.text(f"SELECT {column} FROM {table}")):
            assert "CANARY" not in value


# --- Who else looked --------------------------------------------------------------------------------------------------


def test_a_second_opinion_is_somebody_elses_than_the_assessors(assessing):
    j = assessing
    mine = NewReview(held_on=j.today, words="Warm.")

    with pytest.raises(stage_two.NotAnAssessor):
        j.do(reviews.record_second_opinion, j.case, mine, by=j.cast.officer)
    with pytest.raises(ReviewNotPossible, match="assesses this household"):
        j.do(reviews.record_second_opinion, j.case, replace(mine, by_id=j.cast.officer.id), by=j.cast.manager)
    with pytest.raises(ReviewNotPossible, match="Only a manager"):
        j.do(reviews.record_second_opinion, j.case, replace(mine, by_id=j.cast.manager.id), by=j.cast.other_officer)
    with pytest.raises(ReviewNotPossible, match="makes no visits"):
        j.do(reviews.record_second_opinion, j.case, replace(mine, by_id=j.cast.recruiter.id), by=j.cast.manager)
    j.do(reviews.record_second_opinion, j.case, mine, by=j.cast.other_officer)

    j.look_again()
    found = review_queries.reviews_of(queries.the_application(j.case))
    assert [(one.by_id, one.words) for one in found] == [(j.cast.other_officer.id, "Warm.")]


def test_a_midway_review_is_a_managers_who_does_not_assess_and_says_how_to_go_on(assessing):
    j = assessing
    new = NewReview(held_on=j.today, words="Much is known.", outcome="go_on")
    with pytest.raises(NotPermitted):
        j.do(reviews.record_midway, j.case, new, by=j.cast.officer)
    with pytest.raises(ReviewNotPossible, match="how to go on"):
        j.do(reviews.record_midway, j.case, replace(new, outcome=None), by=j.cast.manager)
    j.do(reviews.record_midway, j.case, new, by=j.cast.manager)
    with pytest.raises(IntegrityError), transaction():
        db.session.execute(sa.update(AssessmentReview).values(outcome=None))
    db.session.rollback()

    j.do(stage_two.add_assessor, j.case, assessor_id=j.cast.manager.id, by=j.cast.manager)
    with pytest.raises(stage_two.NotAnAssessor):
        j.do(reviews.record_midway, j.case, new, by=j.cast.manager)
    j.do(reviews.record_midway, j.case, replace(new, outcome="brief_report"), by=j.second_manager)


def test_a_missing_look_from_outside_warns_or_stops_as_the_service_has_set_it(assessing, client):
    j = assessing
    j.do(stage_two.save_report, j.case, kind="full", sections=WORDS, terms=Terms(), by=j.cast.officer)
    j.evidence()
    client.sign_in(j.cast.manager)
    path = f"/cases/{j.case.reference}/assessment/report"

    page = client.get(path).page
    assert "There is no midway review on file. You may sign all the same." in page.text
    assert "There is no second-opinion visit on file." in page.text

    setting(j, "asks_midway", "needed")
    setting(j, "asks_second_opinion", "no")
    page = client.get(path).page
    assert "This service signs no full report without it." in page.text
    assert "second-opinion visit on file" not in page.text
    with pytest.raises(stage_two.ReportNotWhole, match="a midway review"):
        j.do(stage_two.countersign, j.case, by=j.cast.manager)
    j.do(reviews.record_midway, j.case, NewReview(j.today, "Good.", "go_on"), by=j.second_manager)
    j.do(stage_two.countersign, j.case, by=j.cast.manager)


def setting(j: Journey, name: str, value: str) -> None:
    with transaction():
        changing.change_setting(
            name=name, value=value, actor=j.cast.administrator.actor, now=now_utc(), today=j.today
        )


def test_an_administrator_sets_what_is_asked_before_signing(journey, client):
    client.sign_in(journey.cast.administrator)
    page = client.get("/admin/settings/assessment").page

    client.submit(page, button="Keep this", asks_midway="needed", asks_second_opinion="no")

    journey.look_again()
    assert (policy.service().asks_midway, policy.service().asks_second_opinion) == ("needed", "no")


# --- The shape --------------------------------------------------------------------------------------------------------


def test_the_report_is_filled_in_from_what_is_known(written, client):
    j = written
    client.sign_in(j.cast.manager)

    text = client.get(f"/cases/{j.case.reference}/assessment/report").page.text

    for words in ("Front sheet", "A. Checks of Stage 1", "B. The household", "C. What supports it",
                  "Priya Nair and Sam Whitlock", "Application received Monday 2 March 2026", "Midway review",
                  "No checklist is on file from a visit", "Go on with the assessment"):  # fmt: skip
        assert words in text, words
    assert text.index("A. Checks") < text.index("B. The household") < text.index("C. What supports")




def test_a_visit_is_a_session_and_its_checklist_is_in_the_report(assessing, client):
    j = assessing
    verbs = Verbs(j.cast)
    j.session("skills")
    visit = verbs.book(
        j.case, "2026-03-20 10:00", by=j.cast.officer, purpose=Purpose.STAGE_TWO_SESSION, length_minutes=120
    )
    j.on("2026-03-20", "12:30")
    verbs.hold(visit)
    with transaction():
        report.save_part(
            db.session.get_one(Visit, visit.id), number=3, answers={}, actor=j.cast.officer.actor, now=now_utc(),
            items={"smoke_alarms": {"state": "ok"}, "co_alarm": {"state": "not_seen"},
                   "water": {"state": "to_do", "todo": "Cover the pond", "by": date(2026, 4, 20)}},
        )  # fmt: skip
    client.sign_in(j.cast.officer)

    page = client.get(f"/cases/{j.case.reference}/assessment/report").page
    talks = client.get(f"/cases/{j.case.reference}/assessment/sessions").page

    assert "Smoke alarms tested in front of our officer on Friday 20 March 2026" in page.text
    assert "Carbon monoxide alarm not seen tested" in page.text
    assert "Cover the pond, by Monday 20 April 2026" in page.text
    assert "Session 1 To write up" in talks.text
    assert "Friday 20 March 2026, 2 hours" in talks.text


def test_another_visit_is_no_session(assessing):
    j = assessing
    verbs = Verbs(j.cast)
    visit = verbs.book(j.case, "2026-03-20 10:00", by=j.cast.officer, purpose=Purpose.RE_VISIT)
    j.on("2026-03-20", "12:30")
    verbs.hold(visit)

    j.look_again()
    assert sessions.sessions_of(queries.the_application(j.case)) == []
