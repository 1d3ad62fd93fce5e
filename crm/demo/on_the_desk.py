"""What waits on desks this week: a colleague on leave, a message that nobody can place, a sheet of names to look at."""

from __future__ import annotations

import csv
import io
from datetime import date, datetime, time, timedelta
from email.message import EmailMessage

import sqlalchemy as sa

from crm.access.leave import note_leave
from crm.access.models import User
from crm.cases import replies
from crm.cases.models import Case
from crm.clock import LONDON
from crm.db import db
from crm.events.models import RecruitmentEvent
from crm.events.sheet_import import keep_upload

HEADINGS = ("Name", "Phone", "Email", "Postcode", "Spare bedroom", "When to ring", "Notes")
LINES: tuple[tuple[str, ...], ...] = (
    ("Wilhelmina Stroud", "01632 960811", "w.stroud@example.org", "BR3 4KV", "yes", "after 6", ""),
    ("Femi & Sade Adesanya", "01632 960812", "", "SE9 2IM", "yes", "any", "Two teens at home"),
    ("Jolyon Stroud", "01632 960811", "", "", "not yet", "", "Works shifts"),
    ("Perpetua Vane", "0770", "perpetua.vane@example.org", "DA5 1KO", "2", "am", ""),
    ("Cosmo Ferrar", "", "", "BR1 3CO", "yes", "", "Will come back with his number"),
    ("Wilhelmina Stroud", "01632 960811", "w.stroud@example.org", "BR3 4KV", "yes", "after 6", ""),
)
"""Who wrote themselves down at the stall: most are plain, and the others are what every sheet holds some of."""


def lay_on_desks(users: dict[str, User], events: list[RecruitmentEvent], *, now: datetime, today: date) -> None:
    """Lay it all there, as of this morning."""
    note_leave(
        users["imani"],
        first_on=today - timedelta(days=1),
        last_on=today + timedelta(days=5),
        cover=users["officer"],
        actor=users["imani"].as_actor(),
        now=now - timedelta(days=12),
        today=today,
    )
    replies.take_in(_message(today), now=now - timedelta(hours=3), today=today)
    event = max((one for one in events if one.ends_at < now), key=lambda one: one.starts_at)
    keep_upload(
        event, content=_sheet(), filename="Sign-ups from the stall.csv", actor=users["recruiter"].as_actor(),
        now=now - timedelta(minutes=25), today=today,
    )  # fmt: skip


def _message(today: date) -> bytes:
    """An email to the mailbox for answers that answers no letter of ours."""
    mail = EmailMessage()
    mail["From"] = "Perdita Lamb <perdita.lamb@example.org>"
    mail["To"] = "reply@example.org"
    mail["Subject"] = "The leaflet at the library"
    mail["Date"] = datetime.combine(today, time(7, 40), LONDON)
    mail["Message-ID"] = "<leaflet@example.org>"
    mail.set_content(
        "Hello, I picked up your leaflet and my neighbour says you rang her last week. Could somebody ring me as well? "
        "Evenings are best, on 01632 960813.\n\nPerdita"
    )
    return mail.as_bytes()


def _sheet() -> bytes:
    """The sheet as typed from the paper, with one more line: the surname and postcode of a household we know."""
    known = db.session.scalars(sa.select(Case).where(Case.place == "new").order_by(Case.id.desc()).limit(1)).first()
    lines = list(LINES)
    if known is not None and known.household.people[0].family_name:
        name = f"Marguerite {known.household.people[0].family_name}"
        lines.append((name, "01632 960814", "", known.household.postcode or "", "yes", "weekends", ""))
    out = io.StringIO(newline="")
    csv.writer(out).writerows([HEADINGS, *lines])
    return out.getvalue().encode()
