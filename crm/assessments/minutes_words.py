"""What pages say of the minutes of an item."""

from __future__ import annotations

from typing import Any

from crm.access.queries import names_of
from crm.assessments.minutes_models import SignedHow
from crm.assessments.minutes_signing import standing_of
from crm.assessments.models import PanelItem
from crm.delivery.wording import day_year


def minutes_shown(item: PanelItem) -> dict[str, Any]:
    """What pages say of the minutes of an item: whether they are final, and signed by whoever chaired."""
    standing = standing_of(item)
    signature = standing.signature
    known = names_of([standing.chair_id, *((signature.chair_id, signature.recorded_by_id) if signature else ())])
    chair = known.get(standing.chair_id or 0, "")
    words, kind = "", "none"
    if signature is not None:
        words = f"Signed by {known.get(signature.chair_id, '')}, {day_year(signature.signed_on)}"
        if signature.how == SignedHow.ON_PAPER:
            words += f", on paper: recorded by {known.get(signature.recorded_by_id, '')}"
        kind = "ok"
    elif standing.correction is not None:
        words, kind = f"Not signed: {chair or 'the chair'} asked for a correction", "due"
    elif standing.is_final:
        again = ": they were put right, so they need signing again" if standing.has_changed else ""
        words, kind = f"Not signed by {chair or 'the chair'} yet{again}", "waiting"
    return {
        "is_final": standing.is_final,
        "is_signed": signature is not None,
        "words": words,
        "kind": kind,
        "chair": chair,
        "asked": standing.correction,
    }
