"""What somebody does in a race for visits: books, moves or calls off one."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from tests.racers import Job, Result


def act(job: Job) -> Result:
    from crm.visits.booking import SlotTaken
    from crm.visits.choosing import TimeGone

    try:
        if job["op"] == "calendar":
            return _write_into_calendar(job)
        if job["op"] == "mail":
            return _invite_us(job)
        return {"what": "done", "visit_id": _choose(job) if job["op"] == "choose" else _do(job)}
    except (SlotTaken, TimeGone) as taken:
        return {"what": "taken", "alternatives": taken.alternatives, "words": taken.message}


def _choose(job: Job) -> int:
    """A household presses the button behind its own link."""
    from crm import policy
    from crm.db import transaction
    from crm.visits import choosing, offers

    now, today = datetime.fromisoformat(job["now"]), date.fromisoformat(job["today"])
    with transaction():
        visit = choosing.choose(
            offers.opened(job["token"], now=now),
            starts_at=datetime.fromisoformat(job["starts_at"]),
            now=now,
            today=today,
            rulebook=policy.rulebook_on(today),
        )
        return int(visit.id)


def _write_into_calendar(job: Job) -> Result:
    """An officer's own program writes an event with the household's reference."""
    from crm import policy
    from crm.access.queries import user_with
    from crm.calendars import caldav_writing
    from crm.cases.models import Case
    from crm.db import db, transaction
    from tests.calendars.programs import event

    now, today = datetime.fromisoformat(job["now"]), date.fromisoformat(job["today"])
    starts = datetime.fromisoformat(job["starts_at"])
    (officer_id,) = job["officers"]
    with transaction():
        name = f"race-{job['case_id']}-{starts:%Y%m%d}"
        reference = db.session.get(Case, job["case_id"]).reference
        kept = caldav_writing.put(
            user_id=officer_id,
            name=f"{name}.ics",
            body=event(name, f"Visit {reference}", f"{starts:%Y%m%dT%H%M%S}", job["length"]),
            condition=caldav_writing.Condition(),
            actor=user_with(officer_id).as_actor(),
            now=now,
            today=today,
            rulebook=policy.rulebook_on(today),
        )
        return _told_of(kept.entry)


def _invite_us(job: Job) -> Result:
    """An officer's own program invites the address that is theirs to an event with the household's reference."""
    from crm.access.queries import user_with
    from crm.calendars import caldav_reading, mailed
    from crm.cases import mail_worker
    from crm.cases.models import Case
    from crm.db import db
    from tests.visits.mail import ics, message

    starts = datetime.fromisoformat(job["starts_at"])
    (officer_id,) = job["officers"]
    officer, own = user_with(officer_id).email, mailed.own_address(officer_id)
    title, uid = f"Visit {db.session.get(Case, job['case_id']).reference}", f"race-{job['case_id']}-{starts:%Y%m%d}"
    db.session.rollback()
    calendar = ics(
        "REQUEST", uid, attendee=own, partstat="NEEDS-ACTION", organiser=officer, start=starts, minutes=job["length"],
        lines=(f"SUMMARY:{title}",),
    )  # fmt: skip
    mail_worker.deal_with(
        message(calendar, sender=officer, to=own, number=uid, Subject=title), now=datetime.fromisoformat(job["now"])
    )
    told = _told_of(caldav_reading.entry_with_uid(officer_id, uid))
    db.session.rollback()
    return told


def _told_of(entry: Any) -> Result:
    """What became of an event that was to be a visit."""
    if entry is None:
        return {"what": "fault", "alternatives": [], "words": "it is not in the calendar"}
    if entry.visit_id is not None:
        return {"what": "done", "visit_id": entry.visit_id}
    why, *instead = (entry.problem_said or "").split("\n")
    return {"what": "taken" if entry.problem == "clash" else "fault", "alternatives": instead, "words": why}


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
