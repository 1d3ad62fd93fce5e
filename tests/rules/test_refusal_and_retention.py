"""A no that people read, and how long records are kept."""

from __future__ import annotations

from datetime import date

from crm.rules.refusal import Refusal
from crm.rules.retention import RETENTION_RULES, RecordKind, retain_until, retention_in_force


def test_a_refusal_is_a_conflict_unless_it_says_otherwise():
    plain = Refusal("This slot has just been taken.", alternatives=("Tuesday 14 July, 4pm",))

    assert (plain.status, plain.alternatives, plain.field) == (409, ("Tuesday 14 July, 4pm",), None)
    assert str(plain) == plain.message
    assert Refusal("Not here.", status=404).status == 404


def test_an_approved_carers_record_is_kept_ten_years_and_a_refused_ones_three():
    assert retain_until(RecordKind.APPROVED_CARER, date(2026, 10, 1)) == date(2036, 10, 1)
    assert retain_until(RecordKind.APPLICATION_ENDED, date(2028, 2, 29)) == date(2031, 2, 28)


def test_an_enquiry_that_was_visited_is_kept_longer_than_one_that_was_not():
    assert retain_until(RecordKind.ENQUIRY, date(2026, 7, 14)) == date(2028, 7, 14)
    assert retain_until(RecordKind.ENQUIRY_VISITED, date(2026, 7, 14)) == date(2029, 7, 14)


def test_every_kind_of_record_has_a_length_and_the_laws_are_minimums():
    in_force = retention_in_force(RETENTION_RULES, date(2026, 7, 14))

    assert set(in_force) == set(RecordKind)
    assert all(rule.is_minimum for rule in RETENTION_RULES if rule.certainty == "L")
