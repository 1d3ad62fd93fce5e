"""Whether a panel is needed, and when it is quorate."""

from __future__ import annotations

from datetime import date

from crm.rules.panel import PANEL_EDITIONS, Attendance, PanelEdition, Seat, panel_required, quorum_shortfalls

CHAIR = Attendance(Seat.CHAIR, independent=True, presides=True)
WORKER = Attendance(Seat.MEMBER, qualifying_social_worker=True)
OTHER = Attendance(Seat.MEMBER)
INDEPENDENT = Attendance(Seat.MEMBER, independent=True)
VICE = Attendance(Seat.VICE_CHAIR, presides=True)


def test_five_with_the_chair_and_a_social_worker_are_a_quorum():
    assert quorum_shortfalls((CHAIR, WORKER, OTHER, OTHER, OTHER)) == ()


def test_four_are_not():
    assert quorum_shortfalls((CHAIR, WORKER, OTHER, OTHER)) == ("5 members must be present; 4 are.",)


def test_a_joint_panel_needs_six():
    assert quorum_shortfalls((CHAIR, WORKER, OTHER, OTHER, OTHER), is_joint=True)
    assert quorum_shortfalls((CHAIR, WORKER, OTHER, OTHER, OTHER, OTHER), is_joint=True) == ()


def test_without_chair_vice_chair_or_social_worker_there_is_no_quorum():
    assert len(quorum_shortfalls((OTHER,) * 5)) == 2


def test_a_vice_chair_of_the_service_presides_only_beside_another_independent_member():
    assert "independent" in quorum_shortfalls((VICE, WORKER, OTHER, OTHER, OTHER))[0]
    assert quorum_shortfalls((VICE, WORKER, INDEPENDENT, OTHER, OTHER)) == ()


def test_an_independent_vice_chair_needs_nobody_beside_them():
    vice = Attendance(Seat.VICE_CHAIR, independent=True, presides=True)

    assert quorum_shortfalls((vice, WORKER, OTHER, OTHER, OTHER)) == ()


def test_a_panel_is_needed_until_a_dated_reform_says_otherwise():
    reform = (*PANEL_EDITIONS, PanelEdition(date(2027, 4, 1), False, "a reform"))

    assert panel_required(reform, date(2027, 3, 31))
    assert not panel_required(reform, date(2027, 4, 1))
    assert panel_required((), date(2026, 1, 1))
