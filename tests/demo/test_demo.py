"""The fictional service, made by the product's own operations."""

import csv
import io
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from crm import demo, reconcile
from crm.access.models import User
from crm.access.queries import leave_between
from crm.cases.breaches import missed_clocks
from crm.cases.keys import phone_key
from crm.cases.models import Case, Household, Person
from crm.cases.replies import tray
from crm.delivery import MessageStatus, OutboundMessage
from crm.demo.people import MOBILES
from crm.events.sheet_models import SheetLine
from crm.rules.breaches import STATUTORY_CLOCKS
from crm.visits.models import VisitOffer


def test_a_small_service_can_be_made_and_nothing_of_it_goes_out(app, session, rounds):
    now = datetime(2027, 1, 2, 23, 30, tzinfo=UTC)  # a Saturday night between two bank holidays

    demo.fill(households=(many := rounds(31, 400)), now=now, strict=True)

    some_more = 10  # entered twice and not merged, handed in by the website: a few that no life is told of
    assert many <= session.scalar(sa.select(sa.func.count(Case.id))) <= many + some_more
    waiting = sa.select(OutboundMessage.id).where(
        OutboundMessage.status.in_([MessageStatus.QUEUED, MessageStatus.SENDING])
    )
    assert session.scalars(waiting).all() == []
    assert reconcile.find_faults(today=now.date()) == []
    places = set(session.scalars(sa.select(Case.place)))
    assert {"new", "contacted", "visited", "received", "with_decision_maker"} <= places
    late = missed_clocks(STATUTORY_CLOCKS, today=now.date(), limit=100)
    assert {row.code is None for row in late} == {True, False}, "some have their reason, some have not"
    assert any(row.stopped_on is None for row in late)
    choosing = session.scalars(sa.select(VisitOffer).where(VisitOffer.is_asked).order_by(VisitOffer.id)).all()
    assert [one.asked_at is not None for one in choosing] == [False, False, True]


def test_everybody_in_it_is_made_up(app, session):
    demo.fill(households=6, now=datetime(2026, 7, 14, 9, tzinfo=UTC), strict=True)

    for email in session.scalars(sa.select(Person.email).where(Person.email.is_not(None))):
        assert email.endswith("@example.org")
    for phone in session.scalars(sa.select(Person.phone_key).where(Person.phone_key.is_not(None))):
        assert phone.startswith("+447700900")
    for postcode in session.scalars(sa.select(Household.postcode)):
        assert set(postcode.split()[1]) & set("CIKMOV")
    for email in session.scalars(sa.select(User.email)):
        assert email.endswith("@demo.example.org")


def test_there_is_something_on_the_desks(app, session):
    now = datetime(2026, 7, 14, 9, tzinfo=UTC)

    demo.fill(households=6, now=now, strict=True)

    verdicts = Counter(session.scalars(sa.select(SheetLine.verdict)))
    assert {"new", "look", "refused", "repeat"} <= set(verdicts)
    assert verdicts["look"] == 2, "a number that two share, and a surname at the postcode of somebody we know"
    (message,) = tray()
    assert "neighbour" in message.text
    (leave,) = session.scalars(leave_between(now.date(), now.date()))
    assert session.get_one(User, leave.cover_id).email == "officer@demo.example.org"


def test_nobody_in_it_has_a_number_of_the_sample_sheet():
    sheet = (Path(__file__).parent.parent / "samples" / "signup-sheet.csv").read_text(encoding="utf-8-sig")
    named = {phone_key(cell) for row in csv.reader(io.StringIO(sheet)) for cell in row} - {None}

    assert len(named) > 40
    assert named.isdisjoint(phone_key(number) for number in MOBILES)
    assert len(MOBILES) > 900
