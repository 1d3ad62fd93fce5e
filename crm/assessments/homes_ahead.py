"""The homes that are there and that come: what each household that was approved lately or has applied would offer, and
when its panel is likely. A fixed number of queries, however many there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import func, select

from crm import policy
from crm.assessments.caseload import open_applications
from crm.assessments.models import Application, AssessmentReport, Decision, DecisionKind, PanelItem, Recommendation
from crm.assessments.need_models import HomeNeed
from crm.cases.models import Case, Journey
from crm.clock import london_date
from crm.db import db, is_among, our_word
from crm.rules.deadlines import add_months
from crm.rules.need import IN_OWN_WORDS, Fit, NeedKind, Offer, Wanted, fits
from crm.rules.progress import Standing
from crm.rules.rulebook import Rulebook
from crm.rules.stages import TrackName

READ = 5_000
"""Open applications that are looked at."""
_AHEAD = frozenset({"received", "in_assessment", "with_panel", "with_adm"})


@dataclass(frozen=True, slots=True)
class Home:
    """A household that has applied. Of the two days, one is known: on which it was approved, or on which its panel is
    likely to meet (today, where it has met)."""

    case_id: int
    district: str | None
    offer: Offer
    approved_on: date | None = None
    panel_on: date | None = None


@dataclass(frozen=True, slots=True)
class HomesAhead:
    """Those approved on a day or since, and those on the way; ``more``: whether there are more on the way than read."""

    approved: tuple[Home, ...]
    coming: tuple[Home, ...]
    more: bool


def homes_ahead(*, since: date, today: date, rulebook: Rulebook) -> HomesAhead:
    """Who was approved since, and who is on the way. Whoever the panel or the decision maker means to refuse is not."""
    approved = _approved_since(since)
    found = open_applications(today=today, rulebook=rulebook, most=READ)
    rows = [
        one for one in found.rows if one.tracks.get(TrackName.APPLICATION) in _AHEAD and one.case_id not in approved
    ]
    case_ids = [*approved, *(one.case_id for one in rows)]
    offers, advised = _offers(case_ids)
    districts = _districts(case_ids)
    coming = tuple(
        Home(
            one.case_id,
            districts.get(one.case_id),
            offers.get(one.case_id, Offer()),
            panel_on=one.course.panel_on if one.course is not None else today,
        )
        for one in rows
        if advised.get(one.case_id) != Recommendation.NOT_SUITABLE
    )
    here = tuple(
        Home(case_id, districts.get(case_id), offers.get(case_id, Offer()), approved_on=on)
        for case_id, on in approved.items()
    )
    return HomesAhead(here, coming, found.more)


def early_by_district() -> Mapping[str | None, int]:
    """How many households were visited or invited, and have not applied: by postcode district."""
    rows = db.session.execute(
        select(Journey.district, func.count()).where(*has_not_applied()).group_by(Journey.district)
    )
    return {district: int(count) for district, count in rows}


def has_not_applied() -> list[Any]:
    """Households that were visited, are on the way, and have not applied."""
    return [
        Journey.visited_on.is_not(None),
        Journey.applied_on.is_(None),
        Journey.standing == our_word(Standing.ON_THE_WAY),
    ]


def _approved_since(since: date) -> dict[int, date]:
    """Cases with an approval of that day or later that stands, and its day."""
    rows = db.session.execute(
        select(Decision.case_id, Decision.decided_on)
        .join(Case, Case.id == Decision.case_id)
        .where(
            Decision.kind == our_word(DecisionKind.APPROVE),
            Decision.decided_on >= since,
            Case.place == our_word("approved"),
        )
        .order_by(Decision.id)
    )
    return {row.case_id: row.decided_on for row in rows}


def _offers(case_ids: Sequence[int]) -> tuple[dict[int, Offer], dict[int, str]]:
    """The terms that count for each case: of its newest application what was decided, else what the panel recommended,
    else what the report proposes; and what the panel recommended last."""
    newest = {
        row.case_id: row.newest
        for row in db.session.execute(
            select(Application.case_id, func.max(Application.id).label("newest"))
            .where(is_among(Application.case_id, case_ids))
            .group_by(Application.case_id)
        )
    }
    offers: dict[int, Offer] = {}
    advised: dict[int, str] = {}
    for table in (AssessmentReport, PanelItem, Decision):  # the weightier later
        columns = [
            table.case_id,
            table.application_id,
            table.terms_children,
            table.terms_youngest,
            table.terms_oldest,
            table.terms_care,
        ]
        if table is PanelItem:
            columns.append(PanelItem.recommendation)
        rows = db.session.execute(select(*columns).where(is_among(table.case_id, case_ids)).order_by(table.id))
        for row in rows:
            if row.application_id != newest.get(row.case_id):
                continue
            offer = Offer(row.terms_children, row.terms_youngest, row.terms_oldest, row.terms_care)
            if offer != Offer():
                offers[row.case_id] = offer
            if table is PanelItem and row.recommendation is not None:
                advised[row.case_id] = row.recommendation
    return offers, advised


def _districts(case_ids: Sequence[int]) -> dict[int, str | None]:
    rows = db.session.execute(
        select(Case.id, Journey.district)
        .join(Journey, Journey.household_id == Case.household_id)
        .where(is_among(Case.id, case_ids))
    )
    return {row.id: row.district for row in rows}


# --- What is needed against what comes --------------------------------------------------------------------------------

MONTHS = (3, 6, 12)
"""Within how many months from today a panel is likely to meet."""


@dataclass(frozen=True, slots=True)
class Against:
    """One need, and the households that stand against it. Whoever is told of in ``to_ask`` may fit, or not."""

    wanted: int
    is_asked: bool
    """Nobody can tell from terms: all stand in ``to_ask``."""
    approved: tuple[Home, ...]
    """Approved on the day it was written or since, and fit."""
    coming: tuple[Home, ...]
    """On the way, and would fit: all of them, whenever their panel is likely."""
    to_ask: tuple[Home, ...]
    """Approved since or on the way, where nothing tells whether they fit."""
    early: int
    """Visited or invited in its area and not applied yet."""
    likely_by: date
    """The day by which homes are wanted; a year from now where there is none."""
    today: date

    def within(self, months: int) -> tuple[Home, ...]:
        """Those on the way whose panel is likely in so many months."""
        return self._by(add_months(self.today, months))

    @property
    def likely(self) -> tuple[Home, ...]:
        """Those on the way whose panel is likely in time."""
        return self._by(self.likely_by)

    @property
    def gap(self) -> int | None:
        """Homes that neither are there nor likely in time; None where nobody can tell."""
        return None if self.is_asked else max(self.wanted - len(self.approved) - len(self.likely), 0)

    def _by(self, day: date) -> tuple[Home, ...]:
        return tuple(home for home in self.coming if home.panel_on is not None and home.panel_on <= day)


def against(need: HomeNeed, ahead: HomesAhead, early: Mapping[str | None, int], *, today: date) -> Against:
    """Set one need against the households there are. No query."""
    wanted = wanted_by(need)
    written_on = london_date(need.written_at)
    since = [home for home in ahead.approved if home.approved_on is not None and home.approved_on >= written_on]
    found: dict[Fit, list[Home]] = {fit: [] for fit in Fit}
    for home in (*since, *ahead.coming):
        found[fits(wanted, home.offer, home.district)].append(home)
    return Against(
        wanted=need.homes,
        is_asked=wanted.kind in IN_OWN_WORDS,
        approved=tuple(home for home in found[Fit.YES] if home.approved_on is not None),
        coming=tuple(home for home in found[Fit.YES] if home.approved_on is None),
        to_ask=(*found[Fit.ASK], *found[Fit.NOT_KNOWN]),
        early=sum(
            count for district, count in early.items() if wanted.districts is None or district in wanted.districts
        ),
        likely_by=need.by_on or add_months(today, MONTHS[-1]),
        today=today,
    )


def all_against(
    needs: Sequence[HomeNeed], *, today: date, rulebook: Rulebook
) -> tuple[list[tuple[HomeNeed, Against]], bool]:
    """Each need with what stands against it, and whether more are on the way than were read. Seventeen queries, none
    where nothing is needed."""
    if not needs:
        return [], False
    since = min(london_date(need.written_at) for need in needs)
    ahead, early = homes_ahead(since=since, today=today, rulebook=rulebook), early_by_district()
    return [(need, against(need, ahead, early, today=today)) for need in needs], ahead.more


def wanted_by(need: HomeNeed) -> Wanted:
    """What is needed, with the postcode districts that its area has today."""
    if need.area is None:
        return Wanted(NeedKind(need.kind))
    found = next((one for one in policy.service().areas if one.name == need.area), None)
    return Wanted(NeedKind(need.kind), frozenset(found.districts) if found is not None else frozenset())
