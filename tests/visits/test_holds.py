"""A time held while a household decides is taken, for everybody, until it is used, let go, or runs out."""

from __future__ import annotations

from datetime import date

import pytest
import sqlalchemy as sa

from crm.audit import AuditEntry
from crm.cases.models import TimelineEntry
from crm.clock import now_utc
from crm.db import db, transaction
from crm.delivery import OutboundMessage
from crm.rules.stages import TrackName
from crm.visits import booking, holds
from crm.visits.booking import SlotTaken
from crm.visits.models import Place, Purpose, Visit, VisitHold, VisitOfficer
from tests.visits.conftest import at


def hold(verbs, case, when="2026-07-14 14:00", *officers, **changes):
    with transaction():
        return holds.hold_slot(
            case,
            **verbs.given(
                **{
                    "purpose": Purpose.FIRST_VISIT,
                    "place": Place.HOME,
                    "starts_at": at(when),
                    "length_minutes": 90,
                    "officer_ids": [one.id for one in officers or (verbs.cast.officer,)],
                    "actor": verbs.cast.recruiter.actor,
                    **changes,
                }
            ),
        )


def count(table):
    return db.session.scalar(sa.select(sa.func.count()).select_from(table))


def test_a_held_time_is_taken_and_nobody_is_written_to(verbs):
    case = verbs.household(1)

    before = count(OutboundMessage)

    held = hold(verbs, case)

    assert held.runs_out_at == at("2026-07-08 09:30")
    assert case.stages[TrackName.ENQUIRY] == "contacted"
    assert count(OutboundMessage) == before
    with pytest.raises(SlotTaken) as refused:
        verbs.book(verbs.household(2), "2026-07-14 15:00")
    assert "a time held for another household" in refused.value.message
    assert refused.value.alternatives


def test_the_database_itself_keeps_a_held_time(verbs, monkeypatch):
    hold(verbs, verbs.household(1))
    monkeypatch.setattr(booking, "see_that_they_are_free", lambda *_args, **_kwargs: None)

    with pytest.raises(SlotTaken) as refused:
        verbs.book(verbs.household(2), "2026-07-14 15:00")

    assert "Somebody has just booked that time" in refused.value.message
    with pytest.raises(SlotTaken):
        hold(verbs, verbs.household(3), "2026-07-14 13:30")


def test_the_visit_it_was_held_for_takes_its_place(verbs):
    case = verbs.household()
    held = hold(verbs, case)

    with transaction():
        visit = holds.book_held(held, case, **verbs.given(actor=verbs.cast.recruiter.actor))

    assert (visit.starts_at, visit.officer_ids) == (at("2026-07-14 14:00"), (verbs.cast.officer.id,))
    assert case.stages[TrackName.ENQUIRY] == "visit_booked"
    assert (count(VisitHold), count(VisitOfficer)) == (0, 1)


def test_a_hold_that_ran_out_is_in_nobodys_way_before_it_is_cleared_and_after(verbs, freeze):
    first, second = verbs.household(1), verbs.household(2)
    hold(verbs, first)
    freeze("2026-07-08 09:31")

    visit = verbs.book(second, "2026-07-14 14:00")

    assert visit.officer_ids == (verbs.cast.officer.id,)
    assert holds.has_run_out(now_utc())
    with transaction():
        assert holds.clear_run_out(now_utc()) == 1
    assert (count(VisitHold), count(VisitOfficer)) == (0, 1)
    assert not holds.has_run_out(now_utc())
    titles = db.session.scalars(sa.select(TimelineEntry.title).where(TimelineEntry.case_id == first.id)).all()
    assert "Ran out: the time held for them: Tuesday 14 July, 2pm, Nadia Rahman" in titles
    events = db.session.scalars(sa.select(AuditEntry.event)).all()
    assert events.count("visit.hold_ran_out") == 1


def test_a_held_time_that_is_let_go_is_free_again(verbs):
    case = verbs.household(1)
    held = hold(verbs, case)

    with transaction():
        holds.let_go(held, case, actor=verbs.cast.recruiter.actor, now=now_utc())

    assert verbs.book(verbs.household(2), "2026-07-14 14:00").is_booked


def test_a_journey_that_ends_gives_the_time_back(verbs):
    case = verbs.household(1)
    hold(verbs, case)

    with transaction():
        booking.cancel_visits(
            case, type("Change", (), {"move": "close_enquiry"})(), **verbs.given(actor=verbs.cast.recruiter.actor)
        )

    assert (count(VisitHold), count(VisitOfficer), count(Visit)) == (0, 0, 0)


def test_three_times_are_held_for_a_household_and_no_more(verbs):
    case = verbs.household()
    for day in (14, 15, 16):
        hold(verbs, case, f"2026-07-{day} 14:00")

    with pytest.raises(holds.HoldNotMade):
        hold(verbs, case, "2026-07-17 14:00")


def test_a_hold_of_somebody_elses_household_is_not_found(verbs):
    held = hold(verbs, verbs.household(1))

    with pytest.raises(holds.HoldNotFound):
        holds.hold_for(verbs.cast.other_officer.actor, held.id, today=date(2026, 7, 6), now=now_utc())
    found, _ = holds.hold_for(verbs.cast.recruiter.actor, held.id, today=date(2026, 7, 6), now=now_utc())
    assert found.id == held.id
