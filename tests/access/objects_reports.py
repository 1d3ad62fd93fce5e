"""Reports and their figures as they stand in addresses, and a report that somebody keeps."""

from __future__ import annotations

from typing import Any

from crm.clock import now_utc, today_in_london
from crm.reporting.models import Morning
from crm.reporting.saved import keep_report
from tests.access.world import World


def report(world: World) -> dict[str, dict[str, Any]]:
    return {"own": {"name": "journey"}, "missing": {"name": "nothing"}}


def report_figure(world: World) -> dict[str, dict[str, Any]]:
    missing = {"name": "journey", "key": "got.nowhere"}
    return {"own": {"name": "journey", "key": "got.asked"}, "missing": missing}


def saved_report(world: World) -> dict[str, dict[str, Any]]:
    with world.writing():
        made = keep_report(
            name="Every Monday",
            report="journey",
            query="by=asked",
            morning=Morning.NEVER,
            actor=world.cast.recruiter.actor,
            now=now_utc(),
            today=today_in_london(),
        )
        return {"own": {"saved_id": made.id}, "missing": {"saved_id": 999_999}}


OBJECTS = {"report": report, "report_figure": report_figure, "saved_report": saved_report}
