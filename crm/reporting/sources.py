"""What each source brought, what it cost, and what each approval came to.

A household counts once, at the channel of its first touch. The cost of a campaign is shared evenly among all the
households that it ever brought, so that the parts that fall to a year, an area or a channel add up to what was spent.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from sqlalchemy import ColumnElement, and_, func, select

from crm.cases.models import CHANNEL_WORDS, Campaign, Channel, Journey
from crm.db import db, is_among
from crm.reporting.figures import NOTHING, Column, Figure, Line, Mode, Question, Table, unknown, whole
from crm.reporting.populations import CohortGroup, between, day_of, stands, with_area
from crm.reporting.waits import likely_range
from crm.rules.progress import MILESTONE_WORDS, MILESTONES, Milestone, Standing

COUNTED = (Milestone.VISITED, Milestone.APPLIED, Milestone.APPROVED)
FEW = 20
"""Under so many approvals, what each came to is said as a range."""
UNDER_WAY = "on_the_way"


@dataclass(frozen=True, slots=True)
class Source:
    """What one channel brought."""

    asked: int
    reached: Mapping[Milestone, int]
    on_the_way: int
    pence: int


def counted_here(column: str, question: Question) -> ColumnElement[bool]:
    """Whether a household counts in a column of the table: asked, one of COUNTED, or on the way."""
    if column == UNDER_WAY:
        asked = between(Journey.asked_on, question)
        return and_(stands((Standing.ON_THE_WAY,)), asked)
    place = Milestone(column)
    if question.mode is Mode.ASKED:
        return and_(between(Journey.asked_on, question), day_of(place).is_not(None))
    return between(day_of(place), question)


def sources_of(question: Question, groups: Sequence[CohortGroup]) -> dict[Channel, Source]:
    """What each channel brought, of those that brought anybody. ``groups``: those of the cohort, where it is one."""
    counts = _of_cohort(groups) if question.mode is Mode.ASKED else _of_activity(question)
    pence = _shared_cost(question)
    found = {
        Channel(channel): Source(asked, reached, on_the_way, pence.get(Channel(channel), 0))
        for channel, (asked, reached, on_the_way) in counts.items()
        if asked or any(reached.values())
    }
    return dict(sorted(found.items(), key=lambda one: (-one[1].asked, one[0])))


_Counts = dict[str, tuple[int, dict[Milestone, int], int]]


def _of_cohort(groups: Sequence[CohortGroup]) -> _Counts:
    found: _Counts = {}
    for group in groups:
        asked, reached, on_the_way = found.get(group.channel, (0, dict.fromkeys(COUNTED, 0), 0))
        for place in COUNTED:
            if group.furthest >= MILESTONES.index(place):
                reached[place] += group.count
        waits = group.count if group.standing == Standing.ON_THE_WAY else 0
        found[group.channel] = (asked + group.count, reached, on_the_way + waits)
    return found


def _of_activity(question: Question) -> _Counts:
    counts = [func.count().filter(counted_here(column, question)) for column in ("asked", *COUNTED, UNDER_WAY)]
    rows = db.session.execute(select(Journey.channel, *counts).where(*with_area(question)).group_by(Journey.channel))
    return {
        channel: (asked, dict(zip(COUNTED, reached, strict=True)), on_the_way)
        for channel, asked, *reached, on_the_way in rows
    }


def _shared_cost(question: Question) -> dict[Channel, int]:
    """In pence, by channel: for each campaign, the share of those of its households that asked in the period."""
    asked = func.coalesce(Journey.asked_on, Journey.asked_on)  # few have a campaign: they are in an index of their own
    theirs = db.session.execute(
        select(Journey.campaign_id, Journey.channel, func.count())
        .where(Journey.campaign_id.is_not(None), *with_area(question, between(asked, question)))
        .group_by(Journey.campaign_id, Journey.channel)
    ).all()
    costs = {
        campaign_id: (pence, count)
        for campaign_id, pence, count in db.session.execute(
            select(Campaign.id, Campaign.cost_pence, func.count())
            .join(Journey, Journey.campaign_id == Campaign.id)
            .where(Campaign.cost_pence > 0, is_among(Campaign.id, {row.campaign_id for row in theirs}))
            .group_by(Campaign.id, Campaign.cost_pence)
        )
    }
    exact: dict[Channel, Fraction] = defaultdict(Fraction)
    for campaign_id, channel, count in theirs:
        if campaign_id in costs:
            pence, everybody = costs[campaign_id]
            exact[Channel(channel)] += Fraction(pence * count, everybody)
    return _whole_pence(exact)


def _whole_pence(exact: Mapping[Channel, Fraction]) -> dict[Channel, int]:
    """Whole pence that add up to the whole, by largest remainder."""
    found = {channel: int(part) for channel, part in exact.items()}
    short = round(sum(exact.values(), Fraction())) - sum(found.values())
    for channel in sorted(exact, key=lambda one: (-(exact[one] - found[one]), one))[: max(short, 0)]:
        found[channel] += 1
    return found


def pounds(pence: int) -> str:
    """Whole pounds: what a campaign cost is not known to the penny."""
    return f"£{(pence + 50) // 100:,}"


def for_each(pence: int, approvals: int) -> Figure:
    """What each approval came to. Under FEW, with the range in which it may as well lie (90% sure), because three
    approvals might have been one or seven."""
    if not pence:
        return NOTHING
    if not approvals:
        return unknown("None yet")
    each = round(pence / approvals)
    if approvals >= FEW:
        return Figure(each / 100, pounds(each))
    low, high = likely_range(approvals)
    return Figure(each / 100, f"{pounds(each)} ({pounds(round(pence / high))} to {pounds(round(pence / low))})")


def table_of(question: Question, found: Mapping[Channel, Source]) -> Table:
    """The table, the source that brought most first, and all of them together last."""
    most = max((one.asked for one in found.values()), default=0)
    lines = [
        _line(f"source.{channel}", str(channel), CHANNEL_WORDS[channel], one, most) for channel, one in found.items()
    ]
    lines.append(_line("source", "all", "All", _together(list(found.values())), 0))
    happened = question.mode is Mode.ACTIVITY
    return Table(
        name="sources",
        caption="What each source brought",
        about="Came from",
        columns=(
            Column("asked", "Enquiries", "Households that first asked in the period, by how they first came"),
            *(
                Column(
                    str(place),
                    MILESTONE_WORDS[place],
                    f"Of them, {MILESTONE_WORDS[place].lower()} by today"
                    if not happened
                    else f"{MILESTONE_WORDS[place]} in the period, whenever they asked",
                )
                for place in COUNTED
            ),
            Column(UNDER_WAY, "Still on the way", "Of those who asked in the period, undecided today"),
            Column("cost", "Cost", "Pounds: the share of campaigns' cost that falls to those who asked in the period"),
            Column("each", "For each approval", "Pounds: cost divided by approvals, with a range where they are few"),
        ),
        lines=tuple(lines),
        note="A household counts once, at the first source that brought it. What a campaign cost is shared evenly "
        "among all it brought. Where approvals are few, the range says what might as well have come of the same money.",
        link=("By campaign and event", "/campaigns"),
    )


def _together(several: Sequence[Source]) -> Source:
    return Source(
        sum(one.asked for one in several),
        {place: sum(one.reached[place] for one in several) for place in COUNTED},
        sum(one.on_the_way for one in several),
        sum(one.pence for one in several),
    )


def _line(rows: str, key: str, label: str, one: Source, most: int) -> Line:
    return Line(
        key,
        label,
        (
            whole(one.asked, f"{rows}.asked", bar=one.asked / most if most else None),
            *(whole(one.reached[place], f"{rows}.{place}") for place in COUNTED),
            whole(one.on_the_way, f"{rows}.{UNDER_WAY}"),
            Figure(one.pence / 100, pounds(one.pence)),
            for_each(one.pence, one.reached[Milestone.APPROVED]),
        ),
        is_total=key == "all",
    )
