"""For whom an open application waits, and for what: the one answer that every screen gives.

Two stages may run side by side. What has to come first is what a household waits for: the checks before the decision on
them, both before a report may be shared, and of the checks the one that was asked for longest ago.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from types import MappingProxyType

from crm.rules.stages import TrackName, Tracks


class OnWhom(StrEnum):
    """Whose turn it is."""

    APPLICANT = "applicant"
    REFEREE = "referee"
    MEDICAL = "medical"
    COUNCIL = "council"
    DBS = "dbs"
    SOMEBODY_ELSE = "somebody_else"
    ASSESSOR = "assessor"
    MANAGER = "manager"
    PANEL = "panel"
    DECISION_MAKER = "decision_maker"


ON_WHOM_WORDS: Mapping[OnWhom, str] = MappingProxyType(
    {
        OnWhom.APPLICANT: "The applicants",
        OnWhom.REFEREE: "Referees",
        OnWhom.MEDICAL: "GP or medical adviser",
        OnWhom.COUNCIL: "Councils",
        OnWhom.DBS: "DBS",
        OnWhom.SOMEBODY_ELSE: "Somebody else",
        OnWhom.ASSESSOR: "Our assessor",
        OnWhom.MANAGER: "A manager",
        OnWhom.PANEL: "Panel",
        OnWhom.DECISION_MAKER: "Decision maker",
    }
)

MADE_BY_US = frozenset({"identity", "other_adults", "children", "accommodation", "relationships", "referees",
                        "home_safety", "pets", "past_applications", "previous_service"})  # fmt: skip
"""Checks that we make ourselves; the others wait for somebody else once they are asked for."""

_ANSWERED_BY: Mapping[str, OnWhom] = MappingProxyType(
    {
        "dbs": OnWhom.DBS,
        "support_carer_dbs": OnWhom.DBS,
        "health_report": OnWhom.MEDICAL,
        "medical_advice": OnWhom.MEDICAL,
        "local_authority_views": OnWhom.COUNCIL,
        "referee_interviews": OnWhom.REFEREE,
    }
)
"""Who answers a check; of the others it is enough to know that it is neither us nor the household."""


def check_waits_for(item: str, *, is_asked_for: bool) -> OnWhom:
    """Whose turn a check is that is not in: ours until it was asked for, and always where we make it ourselves."""
    if not is_asked_for or item in MADE_BY_US:
        return OnWhom.ASSESSOR
    return _ANSWERED_BY.get(item, OnWhom.SOMEBODY_ELSE)


@dataclass(frozen=True, slots=True)
class OpenCheck:
    """A check that is needed today and not in. ``words``: whose it is and what."""

    id: int
    item: str
    words: str
    requested_on: date | None


@dataclass(frozen=True, slots=True)
class Standing:
    """What it depends on for whom an application waits. ``since``: the day each track came to where it stands."""

    tracks: Tracks
    since: Mapping[TrackName, date]
    received_on: date
    open_checks: Sequence[OpenCheck]
    report_is_whole: bool = False
    countersigned_on: date | None = None
    observations_received_on: date | None = None
    observations_end_on: date | None = None
    panel_on: date | None = None
    """The meeting whose agenda it is on."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Whose turn it is, for what, and since when. ``step``: what is done about it, as a move of ``transitions`` or
    one of check, report and observations."""

    on: OnWhom
    what: str
    since: date
    step: str
    check_id: int | None = None


def waits_for(one: Standing, *, today: date) -> Waiting:
    """The single thing that an open application waits for."""
    application = one.tracks.get(TrackName.APPLICATION)
    since = one.since.get(TrackName.APPLICATION, one.received_on)
    if application == "received":
        return Waiting(OnWhom.MANAGER, "The decision to assess", since, "decide_to_assess")
    if application == "with_adm":
        return Waiting(OnWhom.DECISION_MAKER, "The decision", since, "approve")
    if application == "qd_issued":
        return Waiting(OnWhom.APPLICANT, "Their answer to our proposal", since, "receive_representations")
    if application == "irm":
        return Waiting(OnWhom.SOMEBODY_ELSE, "The independent review", since, "record_irm_recommendation")
    if one.panel_on is not None:
        began = one.since.get(TrackName.PANEL_ITEM, since)
        return Waiting(OnWhom.PANEL, "The panel meeting", began, "record_recommendation")
    if application == "representations":
        return Waiting(OnWhom.PANEL, "A place on an agenda, with their representations", since, "return_to_panel")
    if application == "with_panel":
        return _with_panel(one, since)
    return _first_stage(one, since) or _second_stage(one, today=today)


def _with_panel(one: Standing, since: date) -> Waiting:
    stage = one.tracks.get(TrackName.PANEL_ITEM)
    began = one.since.get(TrackName.PANEL_ITEM, since)
    if stage == "recommended":
        return Waiting(OnWhom.PANEL, "The final minutes", began, "send_to_decision_maker")
    what = "Another meeting" if stage == "deferred" else "A place on an agenda"
    return Waiting(OnWhom.PANEL, what, began, "list_for_panel")


def _first_stage(one: Standing, since: date) -> Waiting | None:
    stage = one.tracks.get(TrackName.STAGE_ONE)
    began = one.since.get(TrackName.STAGE_ONE, since)
    if stage == "complete":
        return Waiting(OnWhom.MANAGER, "The Stage 1 decision", began, "pass_stage_one")
    if stage != "gathering":
        return None
    others = [
        (check.requested_on, check)
        for check in one.open_checks
        if check.requested_on is not None and check_waits_for(check.item, is_asked_for=True) is not OnWhom.ASSESSOR
    ]
    if others:
        asked_on, oldest = min(others, key=lambda pair: pair[0])
        return Waiting(check_waits_for(oldest.item, is_asked_for=True), oldest.words, asked_on, "check", oldest.id)
    if one.open_checks:
        first = one.open_checks[0]
        return Waiting(OnWhom.ASSESSOR, first.words, first.requested_on or began, "check", first.id)
    return Waiting(OnWhom.ASSESSOR, "The last of the checks", began, "complete_stage_one")


_READY = "The step to panel"


def _second_stage(one: Standing, *, today: date) -> Waiting:
    stage = one.tracks.get(TrackName.STAGE_TWO)
    began = one.since.get(TrackName.STAGE_TWO, one.since.get(TrackName.STAGE_ONE, one.received_on))
    if stage is None:
        return Waiting(OnWhom.MANAGER, "An assessor to be named", began, "start_stage_two")
    if stage == "ready_for_panel":
        put_off = one.tracks.get(TrackName.PANEL_ITEM) == "deferred"
        return Waiting(
            OnWhom.PANEL,
            "Another meeting" if put_off else "A place on an agenda",
            one.since.get(TrackName.PANEL_ITEM, began) if put_off else began,
            "list_for_panel",
        )
    if stage == "report_shared":
        if one.observations_received_on is not None:
            return Waiting(OnWhom.ASSESSOR, _READY, one.observations_received_on, "ready_for_panel")
        if one.observations_end_on is not None and one.observations_end_on < today:
            return Waiting(OnWhom.ASSESSOR, _READY, one.observations_end_on, "ready_for_panel")
        return Waiting(OnWhom.APPLICANT, "What they say about the report", began, "observations")
    if one.countersigned_on is not None:
        return Waiting(OnWhom.ASSESSOR, "The report to be shared with them", one.countersigned_on, "share_report")
    if one.report_is_whole:
        return Waiting(OnWhom.MANAGER, "The report to be countersigned", began, "report")
    return Waiting(OnWhom.ASSESSOR, "The assessment report", began, "report")
