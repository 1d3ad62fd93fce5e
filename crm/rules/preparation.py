"""Preparation for fostering before approval (NMS 13.3): who goes on a course, and when somebody has been through it.

Skills to Foster is training, not marketing: it is for households that have applied, and both of two joint applicants
come to every session.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from crm.rules.stages import OPEN_APPLICATION, TrackName, Tracks, is_open

REMIND_AFTER_A_GAP = timedelta(hours=36)
"""A session that begins within this of the one before needs no reminder of its own: they were there yesterday."""


class How(StrEnum):
    """How somebody took part in one session."""

    CAME = "came"
    PART = "part"
    MISSED = "missed"
    MADE_UP = "made_up"


HOW_WORDS = {
    How.CAME: "Came",
    How.PART: "Came late or left early",
    How.MISSED: "Missed",
    How.MADE_UP: "Made up elsewhere",
}
HOW_STATES = {How.CAME: "ok", How.PART: "ok", How.MISSED: "over", How.MADE_UP: "ok"}
"""The look of each, by the names of states on screen."""
COUNTS = frozenset({How.CAME, How.PART, How.MADE_UP})
"""What counts as having done a session. Whoever missed too much of one is put down as having missed it."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one person is through a course."""

    sessions: int
    done: int
    missed: tuple[int, ...]
    """Numbers of the sessions that are still to be made up, from 1."""
    unmarked: int

    @property
    def is_complete(self) -> bool:
        """Whether they have been through all of it: what a certificate says."""
        return self.sessions > 0 and self.done == self.sessions

    @property
    def words(self) -> str:
        """ "5 of 6 sessions, session 4 to be made up"."""
        said = f"{self.done} of {self.sessions} session{'' if self.sessions == 1 else 's'}"
        if self.missed:
            numbers = [str(number) for number in self.missed]
            listed = " and ".join([", ".join(numbers[:-1]), numbers[-1]]) if len(numbers) > 1 else numbers[0]
            said += f", session{'' if len(numbers) == 1 else 's'} {listed} to be made up"
        return said


def progress(marks: Sequence[str | None]) -> Progress:
    """How far somebody is: one mark for each session in order, None where nobody has said yet."""
    return Progress(
        sessions=len(marks),
        done=sum(1 for mark in marks if mark in COUNTS),
        missed=tuple(number for number, mark in enumerate(marks, start=1) if mark == How.MISSED),
        unmarked=sum(1 for mark in marks if mark is None),
    )


def why_no_place(tracks: Tracks, *, may_choose_early: bool) -> str | None:
    """Why a household can't be taken on a course as it stands; None when it can.

    From the application on. Earlier where whoever decides to assess chooses it: some services let people come before
    they apply.
    """
    application = tracks.get(TrackName.APPLICATION)
    if application in OPEN_APPLICATION:
        return None
    if not is_open(tracks):
        return "Their journey has ended, so there is nothing to prepare for."
    if may_choose_early:
        return None
    return "They have not applied yet. A manager can take them on a course sooner."


def needs_reminder(starts: Sequence[datetime], number: int) -> bool:
    """Whether a session, by its number from 1, is reminded of the day before: the first, and each after a gap."""
    return number == 1 or starts[number - 1] - starts[number - 2] > REMIND_AFTER_A_GAP
