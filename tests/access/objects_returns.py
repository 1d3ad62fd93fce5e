"""Years of the annual return that stand in addresses. They are of no household; only managers have a part in them."""

from __future__ import annotations

from typing import Any

from crm import policy
from crm.clock import now_utc, today_in_london
from crm.reporting.freezing import freeze_return
from crm.rules.return_years import ReturnYear
from tests.access.world import World


def return_year(world: World) -> dict[str, dict[str, Any]]:
    return {"own": {"begins": 2024}, "missing": {"begins": 2010}}


def frozen_return(world: World) -> dict[str, dict[str, Any]]:
    with world.writing():
        today = today_in_london()
        freeze_return(
            ReturnYear(2023),
            actor=world.cast.manager.actor,
            now=now_utc(),
            today=today,
            rulebook=policy.rulebook_on(today),
        )
    return {"own": {"begins": 2023}, "missing": {"begins": 2010}}


OBJECTS = {"return_year": return_year, "frozen_return": frozen_return}
