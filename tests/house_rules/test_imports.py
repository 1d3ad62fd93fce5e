"""Who may import whom. Without it a small convenience becomes a knot, and a feature can't be changed alone."""

from __future__ import annotations

import pytest

from tests.house_rules.sources import Module, modules, planted

# From the top: a package imports only from rows below its own, and packages of one row don't import each other.
ROWS: tuple[tuple[str, ...], ...] = (
    ("wsgi",),
    ("cli",),
    ("app", "bench"),
    ("timetable", "health", "demo", "serving", "backup", "reconcile", "rekey"),
    ("migrations",),
    ("staff", "portal", "reporting", "administration"),
    ("enquiries", "events", "visits", "assessments"),
    ("cases", "calendars", "files"),
    ("access",),
    ("web",),
    ("delivery", "jobs", "policy"),
    ("audit",),
    ("db",),
    ("clock", "settings", "typeset"),
    ("rules",),
)
ROW_OF = {package: row for row, packages in enumerate(ROWS) for package in packages}
# A case has an owner with a name, so its row may read who works here; not how they sign in, nor what they see.
WHO_WORKS_HERE = ("crm.access.models", "crm.access.queries")
CASES_ROW = ROW_OF["cases"]


def faults(module: Module) -> list[str]:
    """What one module imports and may not."""
    found = []
    for line, name in module.imports:
        where = f"{module.name}:{line}"
        if name.startswith("."):
            found.append(f"{where} imports {name}: absolute imports only")
        elif name == "crm" or not name.startswith("crm."):
            continue
        else:
            reason = forbidden(module, name)
            if reason:
                found.append(f"{where} imports {name}: {reason}")
    return found


def forbidden(module: Module, name: str) -> str | None:
    mine, theirs = module.package, name.split(".")[1]
    if mine in (theirs, "crm"):
        return None
    if mine not in ROW_OF or theirs not in ROW_OF:
        unplaced = mine if mine not in ROW_OF else theirs
        return f"{unplaced} has no row; give it one in {__name__}"
    if ROW_OF[mine] == ROW_OF[theirs]:
        return "packages of one row don't know each other"
    if ROW_OF[mine] > ROW_OF[theirs]:
        return f"{theirs} stands above {mine}"
    is_door = mine == "calendars" and module.is_edge
    serves_features = ROW_OF[mine] == CASES_ROW and not is_door
    if serves_features and theirs in ("access", "web") and not name.startswith(WHO_WORKS_HERE):
        return f"{mine} serves the features, and knows nothing of screens or of how people sign in"
    return None


def test_every_package_has_a_row() -> None:
    unplaced = sorted({module.package for module in modules()} - set(ROW_OF) - {"crm"})

    assert unplaced == []


def test_imports_go_downwards() -> None:
    found = [fault for module in modules() for fault in faults(module)]

    assert found == []


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("crm.cases.open_case", "from crm.visits.booking import book_visit"),
        ("crm.visits.booking", "from crm.events.models import RecruitmentEvent"),
        ("crm.cases.open_case", "def later():\n    from crm.staff import board"),
        ("crm.cases.open_case", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from crm.web import forms"),
        ("crm.cases.queries", "from crm.access.guards import current_actor"),
        ("crm.rules.stages", "import crm.db"),
        ("crm.rules.stages", "from crm import clock"),
        ("crm.delivery.worker", "from importlib import import_module\nimport_module('crm.cases.tasks')"),
        ("crm.staff.board", "from . import queries"),
        ("crm.misplaced.thing", "from crm.db import db"),
    ],
)
def test_an_import_that_goes_up_or_sideways_is_caught(name: str, source: str) -> None:
    assert len(faults(planted(name, source))) == 1


def test_an_import_that_goes_down_is_let_be() -> None:
    allowed = planted("crm.calendars.calendar_views", "from crm.access.guards import requires\nfrom crm.db import db")

    assert faults(allowed) == []
