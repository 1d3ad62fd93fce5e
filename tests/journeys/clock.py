"""The calendar of a journey: the service believes that it is the day we say, and time runs on from there."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

LONDON = ZoneInfo("Europe/London")


class Clock:
    """``clock.to("2026-03-03 18:40")`` moves the service to that London time; it ticks on by itself."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "clock"
        self.at = ""
        self.to("2026-03-02 09:00")

    def to(self, moment: str) -> None:
        at = datetime.fromisoformat(moment).replace(tzinfo=LONDON)
        self.at = moment
        # Renamed into place: the service may read it at any instant.
        draft = self.file.with_suffix(".new")
        draft.write_text(str((at - datetime.now(UTC)).total_seconds()))
        draft.replace(self.file)

    @property
    def environ(self) -> dict[str, str]:
        """What `crm serve` needs to read this clock."""
        root = Path(__file__).parents[2]
        return {
            "PYTHONPATH": f"{Path(__file__).with_name('moved_clock')}:{root}",
            "DOORSTEP_TEST_CLOCK": str(self.file),
        }
