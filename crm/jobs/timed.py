"""What a timed job is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass(frozen=True, kw_only=True)
class Job:
    """Something done every so often, by one worker at a time.

    ``do(now)`` runs inside one write transaction that the runner opens and commits, and says how many things it dealt
    with. ``has_work`` is a cheap look, without a lock, for jobs that are due often and usually idle. ``lease`` is how
    long one run may take before another worker may start it again.
    """

    name: str
    title: str
    every: timedelta
    do: Callable[[datetime], int]
    has_work: Callable[[datetime], bool] | None = None
    lease: timedelta = timedelta(minutes=5)
    again_when: int | None = None
    """Run again at once when a run dealt with this many: it was cut off at that number and there is more."""


@dataclass(frozen=True)
class Timetable:
    """Everything that runs by itself: timed jobs, and loops that run all the time in a thread of their own."""

    jobs: tuple[Job, ...] = ()
    loops: Mapping[str, Callable[[threading.Event], None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = [job.name for job in self.jobs]
        if len(names) != len(set(names)):
            raise ValueError("two timed jobs have the same name")
