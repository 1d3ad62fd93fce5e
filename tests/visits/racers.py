"""What somebody does in a race for visits: books, moves or calls off one."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from tests.racers import Job, Result


def act(job: Job) -> Result:
    from crm.visits.booking import SlotTaken

    try:
        return {"what": "done", "visit_id": _do(job)}
    except SlotTaken as taken:
        return {"what": "taken", "alternatives": taken.alternatives, "words": taken.message}


def _do(job: Job) -> int:
    """One transaction, as the edge opens it."""
    from crm import policy
    from crm.access.queries import user_with
    from crm.cases.models import Case
    from crm.db import db, transaction
    from crm.visits import booking
    from crm.visits.models import Place, Purpose, Visit

    now, today = datetime.fromisoformat(job["now"]), date.fromisoformat(job["today"])
    with transaction():
        given: dict[str, Any] = {
            "actor": user_with(job["by"]).as_actor(),
            "now": now,
            "today": today,
            "rulebook": policy.rulebook_on(today),
        }
        if job["op"] == "book":
            visit = booking.book_visit(
                db.session.get(Case, job["case_id"]),
                purpose=Purpose.FIRST_VISIT,
                place=Place.HOME,
                starts_at=datetime.fromisoformat(job["starts_at"]),
                length_minutes=job["length"],
                officer_ids=job["officers"],
                **given,
            )
        else:
            visit = db.session.get(Visit, job["visit_id"])
            case = db.session.get(Case, visit.case_id)
            if job["op"] == "move":
                booking.move_visit(
                    visit,
                    case,
                    starts_at=datetime.fromisoformat(job["starts_at"]),
                    length_minutes=job["length"],
                    officer_ids=job["officers"],
                    **given,
                )
            else:
                booking.cancel_visit(visit, case, reason="They are away", **given)
        return int(visit.id)
