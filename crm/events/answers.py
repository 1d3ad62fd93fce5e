"""What guests of an event answer to its invitation in their calendar."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import select

from crm.calendars import itip
from crm.cases.models import Case, Person
from crm.cases.replies import Placed
from crm.db import db
from crm.delivery.incoming import IncomingMail
from crm.delivery.models import IncomingOutcome
from crm.events.models import EventGuest


def take_answer(mail: IncomingMail, *, whose: tuple[Case, Person] | None, now: datetime, today: date) -> Placed | None:
    """A yes tells us nothing that we don't know: they have a place. A no is for a person, who gives the place away."""
    uid = itip.uid_of_yes(mail.calendar or "", now=now)
    known = uid is not None and db.session.scalar(select(EventGuest.id).where(EventGuest.calendar_uid == uid).limit(1))
    return Placed(outcome=IncomingOutcome.AUTOMATIC) if known else None
