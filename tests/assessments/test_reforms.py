"""Changes of the law that may come, tried on last year’s cases: what falls away, what counts otherwise, what stays."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import sqlalchemy as sa

from crm import policy
from crm.assessments import reform_trial
from crm.assessments.reform_trial import try_reform
from crm.db import db
from crm.rules.reforms import REFORMS, REFORMS_BY_NAME, Reform, changed_clocks, needless_moves
from crm.rules.rulebook import default_rulebook
from crm.rules.stages import TrackName

NO_PANEL = REFORMS_BY_NAME["no-panel"]


def rulebook_on(day: date):
    db.session.rollback()
    return policy.rulebook_on(day)


def shorter(rulebook):
    """Five working days to decide Stage 1 instead of ten."""
    rule = rulebook.deadline("stage_one_decision")
    return replace(rulebook, deadlines={**rulebook.deadlines, "stage_one_decision": replace(rule, length=5)})


SHORTER = Reform("shorter", "Five days", "Stage 1 in five days.", "Made up", "Nobody’s", shorter)


def test_none_is_in_force_and_each_changes_something():
    today = date(2026, 7, 14)
    before = default_rulebook(today)
    assert before.panel_required
    for reform in REFORMS:
        after = reform.change(before)
        assert needless_moves(before, after) or changed_clocks(before, after)
        assert reform.source
        assert reform.standing
        assert default_rulebook(today) is before  # nothing else sees it
        assert before.panel_required


def test_without_a_panel_its_moves_have_no_reason_and_no_others():
    before = default_rulebook(date(2026, 7, 14))
    moves = needless_moves(before, NO_PANEL.change(before))
    assert {move.track for move in moves} == {TrackName.PANEL_ITEM, TrackName.APPLICATION}
    assert {move.to for move in moves if move.track is TrackName.APPLICATION} == {"with_panel"}
    assert {"list_for_panel", "record_recommendation", "defer_item"} <= {move.name for move in moves}
    assert not {"approve", "ready_for_panel", "share_report"} & {move.name for move in moves}
    assert needless_moves(NO_PANEL.change(before), before) == ()
    assert changed_clocks(before, NO_PANEL.change(before)) == frozenset()


def test_a_household_that_the_panel_saw_is_counted_with_its_steps_clocks_and_days(journey):
    journey.at_panel()
    ready_on = db.session.scalar(sa.text("SELECT effective_on FROM stage_change WHERE to_stage = 'ready_for_panel'"))
    journey.on(journey.today + timedelta(days=6)).minutes()
    reached = journey.today
    trial = try_reform(NO_PANEL, rulebook_on(journey.today))
    assert (trial.there_were, trial.looked_at, trial.changed) == (1, 1, 1)
    assert dict(trial.steps)["Record the panel's recommendation"] == 1
    (one,) = trial.others
    assert one.reference == journey.case.reference
    assert one.steps == sum(count for _words, count in trial.steps) >= 3
    ready = date.fromisoformat(str(ready_on))
    assert one.waited == (reached - ready).days == trial.usual_wait > 6
    papers = [clock for clock in trial.clocks if clock.falls_away]
    assert papers
    assert all(clock.ran >= 1 for clock in papers)
    assert (trial.put_off, trial.not_as_proposed) == (0, 0)


def test_what_the_panel_would_not_have_said_no_to_is_counted(journey):
    journey.at_panel("not_suitable")
    trial = try_reform(NO_PANEL, rulebook_on(journey.today))
    assert trial.not_as_proposed == 1
    assert trial.waits == ()  # it has not reached anybody who decides


def test_a_household_that_never_came_near_a_panel_is_looked_at_and_goes_the_same_way(journey):
    journey.in_assessment()
    trial = try_reform(NO_PANEL, rulebook_on(journey.today))
    assert (trial.looked_at, trial.changed, trial.steps, trial.others) == (1, 0, (), ())


def test_a_clock_that_counts_otherwise_says_how_many_would_have_been_missed(journey):
    journey.in_assessment().obtain_all()
    due = journey.due("stage_one_decision")
    early = try_reform(SHORTER, rulebook_on(journey.today))
    assert [(one.ran, one.late, one.would_be_late, one.falls_away) for one in early.clocks] == [(1, 0, 0, False)]
    assert early.changed == 0
    trial = try_reform(SHORTER, rulebook_on(due))
    assert [(one.ran, one.late, one.would_be_late) for one in trial.clocks] == [(1, 0, 1)]
    later = try_reform(SHORTER, rulebook_on(due + timedelta(days=1)))
    assert [(one.ran, one.late, one.would_be_late) for one in later.clocks] == [(1, 1, 1)]


def test_what_was_decided_before_the_year_is_not_looked_at(journey):
    journey.with_decision_maker().decided()
    on = journey.today
    assert try_reform(NO_PANEL, rulebook_on(on + timedelta(days=360))).there_were == 1
    assert try_reform(NO_PANEL, rulebook_on(on + timedelta(days=366))).there_were == 0


def test_a_long_year_is_looked_at_as_far_as_said(journey, monkeypatch):
    journey.in_assessment()
    monkeypatch.setattr(reform_trial, "MOST", 0)
    trial = try_reform(NO_PANEL, rulebook_on(journey.today))
    assert (trial.there_were, trial.looked_at) == (1, 0)


def test_who_may_open_households_finds_them_and_an_administrator_reads_numbers(app, journey, queries):
    journey.with_decision_maker()
    db.session.rollback()
    pages = {}
    before = db.session.execute(sa.text("SELECT count(*) FROM audit_entry")).scalar()
    for member in (journey.cast.manager, journey.cast.administrator):
        client = app.test_client()
        client.sign_in(member)
        listed = client.get("/admin/rules").page
        assert "No panel for first approvals" in listed.text
        client.get("/admin/rules/reforms/no-panel")
        with queries() as sent:
            pages[member.key] = client.get("/admin/rules/reforms/no-panel").page
        assert len(sent) < 25
        assert client.get("/admin/rules/reforms/other").status_code == 404
    reference = journey.case.reference
    assert pages["manager"].links[reference] == f"/cases/{reference}/assessment"
    assert reference not in pages["administrator"].links
    for page in pages.values():
        assert "Not in force" in page.text
        assert "would have gone another way" in page.text
        assert "Priya" not in page.text
    db.session.rollback()
    assert journey.stage("application") == "with_adm"
    kept = sa.text("SELECT count(*) FROM audit_entry WHERE event NOT LIKE 'access.%'")
    assert db.session.execute(kept).scalar() <= before
    client = app.test_client()
    client.sign_in(journey.cast.officer)
    assert client.get("/admin/rules/reforms/no-panel").status_code == 403
