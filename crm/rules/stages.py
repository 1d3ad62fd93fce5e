"""Where a household stands: five small tracks instead of one long status.

Stage 1 and Stage 2 of an assessment may run side by side (statutory guidance, Children Act 1989 volume 4 as amended in
July 2013), so no single status could say where a household is. A track that has not started is absent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class TrackName(StrEnum):
    """The tracks of a case."""

    ENQUIRY = "enquiry"
    APPLICATION = "application"
    STAGE_ONE = "stage_one"
    STAGE_TWO = "stage_two"
    PANEL_ITEM = "panel_item"


class EnquiryStage(StrEnum):
    """From first hello to an application."""

    NEW = "new"
    CONTACTED = "contacted"
    VISIT_BOOKED = "visit_booked"
    VISITED = "visited"
    INVITED = "invited"
    APPLIED = "applied"
    NOT_NOW = "not_now"
    CLOSED = "closed"


class ApplicationStage(StrEnum):
    """From the application's receipt to its end."""

    RECEIVED = "received"
    IN_ASSESSMENT = "in_assessment"
    WITH_PANEL = "with_panel"
    WITH_ADM = "with_adm"
    APPROVED = "approved"
    WITHDRAWN = "withdrawn"
    STAGE_ONE_REFUSED = "stage_one_refused"
    QD_ISSUED = "qd_issued"
    REPRESENTATIONS = "representations"
    IRM = "irm"
    REFUSED = "refused"


class StageOneStage(StrEnum):
    """The statutory checks."""

    GATHERING = "gathering"
    COMPLETE = "complete"
    PASSED = "passed"
    REFUSED = "refused"


class StageTwoStage(StrEnum):
    """The assessment itself and its report."""

    ASSESSING = "assessing"
    REPORT_SHARED = "report_shared"
    READY_FOR_PANEL = "ready_for_panel"


class PanelItemStage(StrEnum):
    """The household on a panel's agenda."""

    LISTED = "listed"
    DEFERRED = "deferred"
    RECOMMENDED = "recommended"


Tracks = Mapping[TrackName, str]

STAGES: Mapping[TrackName, type[StrEnum]] = MappingProxyType(
    {
        TrackName.ENQUIRY: EnquiryStage,
        TrackName.APPLICATION: ApplicationStage,
        TrackName.STAGE_ONE: StageOneStage,
        TrackName.STAGE_TWO: StageTwoStage,
        TrackName.PANEL_ITEM: PanelItemStage,
    }
)

TRACK_WORDS: Mapping[TrackName, str] = MappingProxyType(
    {
        TrackName.ENQUIRY: "Enquiry",
        TrackName.APPLICATION: "Application",
        TrackName.STAGE_ONE: "Stage 1",
        TrackName.STAGE_TWO: "Stage 2",
        TrackName.PANEL_ITEM: "Panel",
    }
)

STAGE_WORDS: Mapping[tuple[TrackName, str], str] = MappingProxyType(
    {
        (TrackName.ENQUIRY, "new"): "New",
        (TrackName.ENQUIRY, "contacted"): "Contacted",
        (TrackName.ENQUIRY, "visit_booked"): "Visit booked",
        (TrackName.ENQUIRY, "visited"): "Visited",
        (TrackName.ENQUIRY, "invited"): "Invited to apply",
        (TrackName.ENQUIRY, "applied"): "Applied",
        (TrackName.ENQUIRY, "not_now"): "Not now",
        (TrackName.ENQUIRY, "closed"): "Closed",
        (TrackName.APPLICATION, "received"): "Application received",
        (TrackName.APPLICATION, "in_assessment"): "In assessment",
        (TrackName.APPLICATION, "with_panel"): "With panel",
        (TrackName.APPLICATION, "with_adm"): "With the decision maker",
        (TrackName.APPLICATION, "approved"): "Approved",
        (TrackName.APPLICATION, "withdrawn"): "Withdrawn",
        (TrackName.APPLICATION, "stage_one_refused"): "Refused at Stage 1",
        (TrackName.APPLICATION, "qd_issued"): "Told we propose not to approve",
        (TrackName.APPLICATION, "representations"): "Representations received",
        (TrackName.APPLICATION, "irm"): "With the Independent Review Mechanism",
        (TrackName.APPLICATION, "refused"): "Refused",
        (TrackName.STAGE_ONE, "gathering"): "Checks under way",
        (TrackName.STAGE_ONE, "complete"): "All checks in",
        (TrackName.STAGE_ONE, "passed"): "Passed",
        (TrackName.STAGE_ONE, "refused"): "Refused",
        (TrackName.STAGE_TWO, "assessing"): "Assessing",
        (TrackName.STAGE_TWO, "report_shared"): "Report shared",
        (TrackName.STAGE_TWO, "ready_for_panel"): "Ready for panel",
        (TrackName.PANEL_ITEM, "listed"): "On the agenda",
        (TrackName.PANEL_ITEM, "deferred"): "Put off",
        (TrackName.PANEL_ITEM, "recommended"): "Recommendation made",
    }
)

OPEN_ENQUIRY: frozenset[str] = frozenset({"new", "contacted", "visit_booked", "visited", "invited"})
OPEN_APPLICATION: frozenset[str] = frozenset(
    {"received", "in_assessment", "with_panel", "with_adm", "qd_issued", "representations", "irm"}
)
ENDED_APPLICATION: frozenset[str] = frozenset({"approved", "withdrawn", "stage_one_refused", "refused"})


def stages_of(track: TrackName) -> tuple[str, ...]:
    """The stages of a track, in order."""
    return tuple(stage.value for stage in STAGES[track])


def stage_words(track: TrackName, stage: str | None) -> str:
    """How a stage is said on screen."""
    return "Not started" if stage is None else STAGE_WORDS[(track, stage)]


class Band(StrEnum):
    """The board's two bands, and what is off the board."""

    ENQUIRY = "enquiry"
    APPLICATION = "application"
    OFF_BOARD = "off_board"


@dataclass(frozen=True, slots=True)
class Place:
    """A column of the board, or one of the places that are not on it."""

    name: str
    label: str
    band: Band
    when_empty: str = "Nobody here."

    @property
    def is_on_board(self) -> bool:
        """Whether the board has a column for it."""
        return self.band is not Band.OFF_BOARD


PLACES: tuple[Place, ...] = (
    Place("new", "New", Band.ENQUIRY, "Nobody here. Enquiries land here and stay until somebody has spoken to them."),
    Place("contacted", "Contacted", Band.ENQUIRY, "Nobody here. After a first talk, households wait for a visit."),
    Place("visit_booked", "Visit booked", Band.ENQUIRY, "Nobody here. Households with a date for a visit stay here."),
    Place("visited", "Visited", Band.ENQUIRY, "Nobody here. After a visit, households wait here for its outcome."),
    Place("invited", "Invited to apply", Band.ENQUIRY, "Nobody here. Households with an application form stay here."),
    Place(
        "received",
        "Received",
        Band.APPLICATION,
        "Nobody here. Applications land here the day they arrive, and stay until a manager decides to assess.",
    ),
    Place("in_assessment", "In assessment", Band.APPLICATION, "Nobody here. Stage 1 and Stage 2 happen here."),
    Place("with_panel", "With panel", Band.APPLICATION, "Nobody here. Households on an agenda stay here."),
    Place("with_decision_maker", "With decision maker", Band.APPLICATION, "Nobody here. No decision is waited for."),
    Place(
        "proposed_no",
        "Told we propose no",
        Band.APPLICATION,
        "Nobody here. Households told that we propose not to approve have 28 days to answer.",
    ),
    Place("approved", "Approved", Band.OFF_BOARD),
    Place("not_now", "Not now", Band.OFF_BOARD),
    Place("closed", "Closed", Band.OFF_BOARD),
    Place("withdrawn", "Withdrawn", Band.OFF_BOARD),
    Place("refused", "Refused", Band.OFF_BOARD),
)

PLACE: Mapping[str, Place] = MappingProxyType({place.name: place for place in PLACES})
BOARD_PLACES: tuple[Place, ...] = tuple(place for place in PLACES if place.is_on_board)

_APPLICATION_PLACE: Mapping[str, str] = MappingProxyType(
    {
        "received": "received",
        "in_assessment": "in_assessment",
        "with_panel": "with_panel",
        "with_adm": "with_decision_maker",
        "qd_issued": "proposed_no",
        "representations": "proposed_no",
        "irm": "proposed_no",
        "approved": "approved",
        "withdrawn": "withdrawn",
        "stage_one_refused": "refused",
        "refused": "refused",
    }
)


def place_of(tracks: Tracks) -> Place:
    """Where the household is on the board: its application decides once there is one."""
    application = tracks.get(TrackName.APPLICATION)
    if application is not None:
        return PLACE[_APPLICATION_PLACE[application]]
    enquiry = tracks.get(TrackName.ENQUIRY) or "new"
    return PLACE["received" if enquiry == "applied" else enquiry]


def is_open(tracks: Tracks) -> bool:
    """Whether the journey still goes on, so that somebody owns it and there is a next action.

    A household in the not-now pool is open: somebody has promised to be in touch again on a date.
    """
    application = tracks.get(TrackName.APPLICATION)
    if application is not None:
        return application in OPEN_APPLICATION
    return tracks.get(TrackName.ENQUIRY) != "closed"


def is_on_board(tracks: Tracks) -> bool:
    """Whether the household has a card on the board."""
    return place_of(tracks).is_on_board


def standing_words(tracks: Tracks) -> str:
    """Where the household stands, in one line: "In assessment: Stage 1 and Stage 2 together"."""
    application = tracks.get(TrackName.APPLICATION)
    if application is None:
        enquiry = tracks.get(TrackName.ENQUIRY)
        if enquiry is None:
            return "Not started"
        return "New enquiry" if enquiry == "new" else stage_words(TrackName.ENQUIRY, enquiry)
    words = stage_words(TrackName.APPLICATION, application)
    if application == "in_assessment":
        return f"{words}{_assessment_words(tracks)}"
    if application == "with_panel":
        item = tracks.get(TrackName.PANEL_ITEM)
        return words if item is None else f"{words}: {stage_words(TrackName.PANEL_ITEM, item).lower()}"
    return words


def _assessment_words(tracks: Tracks) -> str:
    one = tracks.get(TrackName.STAGE_ONE)
    two = tracks.get(TrackName.STAGE_TWO)
    if two == "ready_for_panel":
        return ", ready for panel"
    one_runs = one in {"gathering", "complete"}
    if one_runs and two is not None:
        return ": Stage 1 and Stage 2 together"
    if one_runs:
        return ": Stage 1, all checks in" if one == "complete" else ": Stage 1"
    if two is not None:
        return ": Stage 2, report shared" if two == "report_shared" else ": Stage 2"
    return ": Stage 1 passed" if one == "passed" else ""
