"""Stage 2: sessions against the headings of the report, and what each statement rests on."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from crm.assessments import evidence, queries, sessions, stage_two
from crm.assessments.evidence import EvidenceNotPossible, NewEvidence
from crm.assessments.models import REPORT_SECTIONS, AssessmentReport
from crm.assessments.sessions import SessionHeld, SessionNotPossible, SessionPlan
from crm.assessments.stage_two_models import AssessmentSession, ReportEvidence
from crm.assessments.steps import DayNotPossible
from crm.assessments.terms import Terms
from crm.audit import AuditEntry
from crm.cases.home_visits import HeldVisit
from crm.clock import now_utc
from crm.db import db, transaction
from crm.rules.permissions import NotPermitted
from crm.visits.models import Visit
from tests.assessments.journey import LONDON, Journey, to_assessment

WORDS = dict.fromkeys(REPORT_SECTIONS, "Words.")


def in_stage_two(j: Journey) -> None:
    """Assessed by the officer, with a first talk about their personality behind them."""
    j.walk(to_assessment).obtain_all().stage_two()
    j.session("personality", notes="They listened to each other.")


@pytest.fixture
def writing(journey):
    return journey.walk(in_stage_two)


def report_of(j: Journey) -> AssessmentReport:
    j.look_again()
    found = queries.report_of(queries.the_application(j.case))
    assert found is not None
    return found


def sessions_of(j: Journey) -> list[AssessmentSession]:
    j.look_again()
    return sessions.sessions_of(queries.the_application(j.case))


def link(j: Journey, source: str, section: str = "skills", words: str = "Seen.", other: str = "") -> ReportEvidence:
    new = NewEvidence(section=section, source=source, said_as="opinion", words=words, other_source=other)
    return j.do(evidence.add_evidence, j.case, new, by=j.cast.officer)


# --- What a statement rests on ----------------------------------------------------------------------------------------


def test_a_full_report_is_countersigned_once_every_heading_rests_on_something(writing):
    j = writing
    j.do(stage_two.save_report, j.case, kind="full", sections=WORDS, terms=Terms(), by=j.cast.officer)
    j.evidence(*[name for name in REPORT_SECTIONS if name not in ("religion", "caring")])

    with pytest.raises(stage_two.ReportNotWhole, match="Religious persuasion, Caring for children"):
        j.do(stage_two.countersign, j.case, by=j.cast.manager)

    j.evidence("religion", "caring")
    j.do(stage_two.countersign, j.case, by=j.cast.manager)
    assert report_of(j).countersigned_on == j.today


def test_a_brief_report_gives_its_reasons_in_its_own_words(writing):
    writing.report("brief")

    assert report_of(writing).countersigned_on == writing.today


def test_evidence_points_at_what_is_on_file_for_this_household(writing, cast):
    j = writing
    check, talk = j.check("local_authority_views"), sessions_of(j)[0]
    for source in (f"check:{check.id}", f"session:{talk.id}"):
        link(j, source)
    other = Journey(cast, j.freeze)
    other.panel = j.panel
    other.in_assessment().obtain_all().stage_two()
    theirs = other.session("personality", notes="Another home.")

    for source in (f"session:{theirs.id}", f"check:{other.check('dbs').id}", "session:999999", "visit:1", "session:x",
                   "nothing:1", ""):  # fmt: skip
        with pytest.raises(EvidenceNotPossible):
            link(j, source)
    with pytest.raises(EvidenceNotPossible, match="where it comes from"):
        link(j, "other")

    assert [row.kind for row in evidence.evidence_of(report_of(j))] == ["check", "session"]


def test_what_has_nothing_in_it_yet_is_no_evidence(journey):
    j = journey.walk(to_assessment).stage_two()
    planned = j.session("caring")

    for source in (f"session:{planned.id}", f"check:{j.check('dbs').id}"):
        with pytest.raises(EvidenceNotPossible, match="nothing in that yet"):
            link(j, source)


def test_only_an_assessor_links_evidence_and_only_while_the_report_is_open(writing):
    j = writing
    new = NewEvidence(section="skills", source="other", said_as="fact", words="Seen.", other_source="A letter")
    for member, refusal in (
        (j.cast.other_officer, stage_two.NotAnAssessor), (j.cast.manager, stage_two.NotAnAssessor),
        (j.cast.panel_administrator, NotPermitted), (j.cast.recruiter, NotPermitted),
    ):  # fmt: skip
        with pytest.raises(refusal):
            j.do(evidence.add_evidence, j.case, new, by=member)

    j.report()
    row = evidence.evidence_of(report_of(j))[0]
    with pytest.raises(stage_two.ReportNotOpen, match="countersigned"):
        j.do(evidence.add_evidence, j.case, new, by=j.cast.officer)
    with pytest.raises(stage_two.ReportNotOpen, match="countersigned"):
        j.do(evidence.remove_evidence, j.case, row, by=j.cast.officer)


def test_evidence_is_taken_away_and_its_record_stays(writing, client):
    j = writing
    talk = sessions_of(j)[0]
    link(j, f"session:{talk.id}", "personality")
    client.sign_in(j.cast.officer)
    path = f"/cases/{j.case.reference}/assessment/report/evidence/personality"

    page = client.get(path).page
    assert "Seen." in page.text
    client.submit(page, button="Take it away from personality, 1")

    assert evidence.evidence_of(report_of(j)) == []
    assert sessions_of(j)[0].notes == "They listened to each other."
    events = db.session.scalars(sa.select(AuditEntry.event).where(AuditEntry.event.like("evidence.%"))).all()
    assert events == ["evidence.added", "evidence.removed"]


def test_a_full_report_that_follows_a_brief_one_begins_with_what_that_rested_on(journey):
    j = journey.walk(to_assessment).obtain_all().passed().stage_two()
    j.evidence("suitability", words="Of the brief one.")
    j.report("brief").shared().observed().ready()
    j.listed(j.meeting("2026-04-08"))
    j.on("2026-04-08").recommended("full_report_needed")

    j.do(stage_two.save_report, j.case, kind="full", sections=WORDS, terms=Terms(), by=j.cast.officer)

    report = report_of(j)
    assert report.kind == "full"
    assert [(row.section, row.words) for row in evidence.evidence_of(report)] == [("suitability", "Of the brief one.")]
    old = db.session.scalars(sa.select(ReportEvidence).where(ReportEvidence.report_id != report.id)).one()
    with pytest.raises(queries.NothingThere):
        j.do(evidence.remove_evidence, j.case, old, by=j.cast.officer)


def test_the_database_refuses_evidence_that_points_at_nothing(writing):
    j = writing
    link(j, f"session:{sessions_of(j)[0].id}")

    for change in ({"session_id": None}, {"kind": "check"}, {"kind": "other"}, {"said_as": "rumour"}):
        with pytest.raises(IntegrityError), transaction():
            db.session.execute(sa.update(ReportEvidence).values(**change))
        db.session.rollback()


# --- Sessions ---------------------------------------------------------------------------------------------------------


def test_the_usual_plan_has_seven_sessions_and_every_heading(journey):
    j = journey.on("2026-12-07").in_assessment().stage_two()

    made = j.do(sessions.plan_usual, j.case, by=j.cast.officer)

    assert [one.planned_month for one in made[:5]] == [date(2026, 12, 1)] * 2 + [date(2027, 1, 1)] * 2 + [
        date(2027, 2, 1)
    ]
    coverage = sessions.coverage_of(sessions_of(j), {})
    assert len(made) == 7
    assert all(one.is_planned for one in coverage)
    with pytest.raises(SessionNotPossible, match="planned already"):
        j.do(sessions.plan_usual, j.case, by=j.cast.officer)


def test_what_is_not_covered_yet_is_listed_on_its_own(writing, client):
    j = writing
    j.session("caring")
    client.sign_in(j.cast.officer)

    page = client.get(f"/cases/{j.case.reference}/assessment/sessions").page

    still = page.find("section", **{"aria-labelledby": "h-open"}).text
    assert "Personality" not in still
    assert "Caring for childrenPlanned" in still
    assert "Religious persuasionIn no session yet" in still
    assert "1 of 2 held" in page.text


def test_a_session_is_planned_and_written_up_on_its_page(writing, client):
    j = writing
    client.sign_in(j.cast.officer)
    base = f"/cases/{j.case.reference}/assessment/sessions"
    page = client.get(f"{base}/new").page
    client.submit(page, button="Keep the plan", month="2026-03", headings=["skills"])
    session = sessions_of(j)[-1]
    assert (session.number, session.planned_headings) == (2, ["skills"])

    page = client.get(f"{base}/{session.id}").page
    client.submit(page, button="Keep this", minutes="90", headings=["skills", "caring"], notes="Quick to laugh.",
                  **{"held_on-day": "2", "held_on-month": "3", "held_on-year": "2026"})  # fmt: skip

    session = sessions_of(j)[-1]
    assert (session.held_on, session.minutes, session.notes) == (date(2026, 3, 2), 90, "Quick to laugh.")
    assert session.covered_headings == ["skills", "caring"]
    assert session.led_by_id == j.cast.officer.id
    assert "Quick to laugh." in client.get(f"{base}/{session.id}").page.text


def test_a_visit_for_a_session_is_the_session_that_was_planned_for_it(writing):
    j = writing
    march, april = date(2026, 3, 1), date(2026, 4, 1)
    who = tuple(one.id for one in j.case.household.people if one.is_applicant)
    for month, on in ((march, None), (april, date(2026, 4, 9)), (april, None)):
        j.do(sessions.plan_session, j.case, SessionPlan(month, on, who, ("skills",)), by=j.cast.officer)

    held = {}
    j.on("2026-05-04")
    for number, on in enumerate(("2026-04-09", "2026-03-20", "2026-05-02", "2026-05-03"), start=1):
        visit_made(j, number, date.fromisoformat(on))
        held[on] = next(one.number for one in sessions_of(j) if one.visit_id == number)

    assert held == {"2026-04-09": 3, "2026-03-20": 2, "2026-05-02": 4, "2026-05-03": 5}
    assert all(one.is_held and not one.is_written_up for one in sessions_of(j)[1:])


def visit_made(j: Journey, number: int, on: date) -> None:
    """A visit for a session that was made on a day, and that the assessment hears of."""
    begins = datetime.combine(on, time(10), LONDON)
    with transaction():
        db.session.add(
            Visit(
                id=number, case_id=j.case.id, purpose="stage_two_session", place="home", starts_at=begins,
                ends_at=begins + timedelta(minutes=100), status="done", booked_at=begins, settled_at=begins,
            )  # fmt: skip
        )
        db.session.flush()
        held = HeldVisit(visit_id=number, purpose="stage_two_session", held_on=on, minutes=100,
                         officer_ids=(j.cast.officer.id,))  # fmt: skip
        sessions.note_visit_held(
            j.case, held, actor=j.cast.officer.actor, now=now_utc(), today=j.today, rulebook=j.rulebook
        )


def test_the_day_of_a_session_that_was_a_visit_is_the_visits(writing):
    j = writing
    visit_made(j.on("2026-03-20"), 1, date(2026, 3, 20))
    session = sessions_of(j)[-1]
    who = tuple(one.id for one in j.case.household.people)
    written = SessionHeld(date(2026, 3, 10), 5, who, "", ("skills",), "Said.")

    j.do(sessions.record_session, j.case, session, written, by=j.cast.officer)

    session = sessions_of(j)[-1]
    assert (session.held_on, session.minutes, session.is_written_up) == (date(2026, 3, 20), 100, True)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"held_on": date(2026, 3, 3)}, "held_on"),
        ({"held_on": date(2026, 2, 1)}, "held_on"),
        ({"person_ids": ()}, "people"),
        ({"person_ids": (999_999,)}, "people"),
        ({"headings": ()}, "headings"),
        ({"notes": "  "}, "notes"),
    ],
)
def test_a_session_that_says_too_little_is_not_written_up(writing, change, field):
    j = writing
    planned = j.session("caring")
    who = tuple(one.id for one in j.case.household.people if one.is_applicant)
    fields = {"held_on": date(2026, 3, 2), "minutes": 60, "person_ids": who, "also_there": "",
              "headings": ("caring",), "notes": "Said."}  # fmt: skip

    with pytest.raises((SessionNotPossible, DayNotPossible)) as refused:
        j.do(sessions.record_session, j.case, planned, SessionHeld(**{**fields, **change}), by=j.cast.officer)

    assert refused.value.field == field
    assert not sessions_of(j)[-1].is_held


def test_only_an_assessor_plans_and_writes_up(writing):
    j = writing
    plan = SessionPlan(date(2026, 3, 1), None, (), ("caring",))

    for member, refusal in (
        (j.cast.other_officer, stage_two.NotAnAssessor), (j.cast.manager, stage_two.NotAnAssessor),
        (j.cast.panel_administrator, NotPermitted), (j.cast.recruiter, NotPermitted),
    ):  # fmt: skip
        with pytest.raises(refusal):
            j.do(sessions.plan_session, j.case, plan, by=member)


def test_a_session_that_was_held_stays_in_the_record(writing):
    j = writing
    held, planned = sessions_of(j)[0], j.session("caring")

    with pytest.raises(SessionNotPossible, match="stays in the record"):
        j.do(sessions.drop_session, j.case, held, by=j.cast.officer)
    j.do(sessions.drop_session, j.case, planned, by=j.cast.officer)

    assert [one.number for one in sessions_of(j)] == [1]


def test_sessions_of_a_report_that_is_shared_can_not_be_changed(writing):
    j = writing
    j.report().shared()
    who = tuple(one.id for one in j.case.household.people if one.is_applicant)

    with pytest.raises(stage_two.ReportNotOpen):
        j.do(sessions.plan_session, j.case, SessionPlan(date(2026, 3, 1), None, who, ()), by=j.cast.officer)
    written, talk = SessionHeld(j.today, 60, who, "", ("caring",), "Changed."), sessions_of(j)[0]
    with pytest.raises(stage_two.ReportNotOpen):
        j.do(sessions.record_session, j.case, talk, written, by=j.cast.officer)


# --- Many -------------------------------------------------------------------------------------------------------------


def questions_asked(client, path: str) -> int:
    """How many statements a page sends to the database."""
    client.get(path)
    sent: list[int] = []

    def note(*_args: object) -> None:
        sent.append(1)

    sa.event.listen(db.engine, "before_cursor_execute", note)
    try:
        assert client.get(path).status_code == 200
    finally:
        sa.event.remove(db.engine, "before_cursor_execute", note)
    return len(sent)


def test_the_pages_ask_no_more_of_the_database_as_evidence_and_sessions_grow(writing, client):
    j = writing
    check, talk = f"check:{j.check('local_authority_views').id}", sessions_of(j)[0]
    for source in (check, f"session:{talk.id}"):
        j.evidence(source=source)
    client.sign_in(j.cast.officer)
    pages = [f"/cases/{j.case.reference}/assessment{page}" for page in ("", "/report", "/sessions",
                                                                        "/report/evidence/skills")]  # fmt: skip
    few = [questions_asked(client, page) for page in pages]

    for _ in range(4):
        talk = j.session("skills", notes="More.")
        for source in (check, f"session:{talk.id}"):
            j.evidence(source=source)

    assert [questions_asked(client, page) for page in pages] == few
