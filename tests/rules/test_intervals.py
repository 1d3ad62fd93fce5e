"""Spans of time, free slots, and the two nights on which the clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.rules.intervals import (
    LONDON,
    Engagement,
    Span,
    intersect,
    london_span,
    london_to_utc,
    merge,
    slots,
    subtract,
)

DAY = date(2026, 7, 14)
NINE_TO_FIVE = [(9 * 60, 17 * 60)]


def at(hour: int, minute: int = 0, day: date = DAY) -> datetime:
    return london_to_utc(day, hour * 60 + minute)


def span(start: int, end: int) -> Span:
    return Span(at(start), at(end))


def starts(found) -> list[str]:
    return [f"{one.start.astimezone(LONDON):%H:%M}" for one in found]


def test_spans_that_meet_do_not_overlap():
    assert not span(9, 10).overlaps(span(10, 11))
    assert span(9, 10).overlaps(Span(at(9, 59), at(11)))


def test_a_span_needs_aware_times_in_order():
    with pytest.raises(ValueError, match="aware"):
        Span(datetime(2026, 7, 14, 9), datetime(2026, 7, 14, 10))
    with pytest.raises(ValueError, match="after"):
        span(10, 9)


def test_what_is_busy_is_cut_out():
    assert subtract([span(9, 17)], [span(8, 10), span(12, 13)]) == (span(10, 12), span(13, 17))


def test_what_two_officers_share_is_the_common_time():
    assert intersect([span(9, 12), span(13, 17)], [span(11, 14)]) == (span(11, 12), span(13, 14))


def test_a_free_day_offers_a_start_each_quarter_that_leaves_time_for_the_visit():
    found = slots(day=DAY, working=NINE_TO_FIVE, engagements=[], length_minutes=120)

    assert (starts(found)[0], starts(found)[-1], len(found)) == ("09:00", "15:00", 25)


def test_travel_is_kept_free_on_both_sides_of_what_is_booked():
    found = slots(day=DAY, working=NINE_TO_FIVE, engagements=[Engagement(span(12, 13), 30)], length_minutes=60)

    assert "10:30" in starts(found)
    assert "10:45" not in starts(found)
    assert "13:15" not in starts(found)
    assert "13:30" in starts(found)


def test_nothing_is_offered_before_the_time_given():
    found = slots(day=DAY, working=NINE_TO_FIVE, engagements=[], length_minutes=60, not_before=at(15, 5))

    assert starts(found) == ["15:15", "15:30", "15:45", "16:00"]


def test_nine_in_the_morning_is_nine_in_summer_and_in_winter():
    assert london_to_utc(date(2026, 7, 14), 540) == datetime(2026, 7, 14, 8, tzinfo=UTC)
    assert london_to_utc(date(2026, 1, 14), 540) == datetime(2026, 1, 14, 9, tzinfo=UTC)


def test_the_day_the_clocks_go_forward_is_an_hour_short_and_offers_no_hour_that_is_not_there():
    forward = date(2026, 3, 29)
    found = slots(day=forward, working=[(0, 180)], engagements=[], length_minutes=30)

    assert london_span(forward, 0, 1440).minutes == 23 * 60
    assert starts(found) == ["00:00", "00:15", "00:30", "00:45", "02:00", "02:15", "02:30"]


def test_the_day_the_clocks_go_back_is_an_hour_longer_and_offers_no_start_twice():
    back = date(2026, 10, 25)
    found = slots(day=back, working=[(0, 180)], engagements=[], length_minutes=30)

    assert london_span(back, 0, 1440).minutes == 25 * 60
    assert len({one.start for one in found}) == len(found)
    assert all(one.minutes == 30 for one in found)


@st.composite
def some_spans(draw):
    pieces = draw(st.lists(st.tuples(st.integers(0, 90), st.integers(0, 20)), max_size=8))
    zero = datetime(2026, 7, 14, tzinfo=UTC)
    return [Span(zero + timedelta(minutes=a), zero + timedelta(minutes=a + length)) for a, length in pieces]


def minutes_of(spans) -> set[datetime]:
    found = set()
    for one in spans:
        moment = one.start
        while moment < one.end:
            found.add(moment)
            moment += timedelta(minutes=1)
    return found


@given(some_spans(), some_spans())
def test_cutting_out_and_sharing_agree_with_sets_of_minutes(one, other):
    assert minutes_of(subtract(one, other)) == minutes_of(one) - minutes_of(other)
    assert minutes_of(intersect(one, other)) == minutes_of(one) & minutes_of(other)
    merged = merge(one)
    assert minutes_of(merged) == minutes_of(one)
    assert all(left.end < right.start for left, right in zip(merged, merged[1:], strict=False))


@given(some_spans(), st.integers(15, 180), st.integers(0, 60))
def test_no_slot_touches_what_is_busy_or_the_travel_around_it(busy, length, travel):
    engagements = [Engagement(one, travel) for one in busy]
    for slot in slots(day=DAY, working=[(0, 300)], engagements=engagements, length_minutes=length):
        assert slot.minutes == length
        assert not any(slot.overlaps(one.padded(travel)) for one in busy if one.minutes)
