"""Histories of booking, moving, swapping, calling off and answering, over a post that mixes up, loses and repeats.

Whatever the order in which messages come, every calendar ends where the visit is, and every answer that stands here is
the last that was given to the invitation as it stands. By day 500 histories of the messages alone, and some through the
whole product on both databases; at night 500 through the whole product.
"""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from crm.calendars import ical, itip
from crm.calendars.ical import EventFacts, Mailbox
from crm.calendars.itip import Answer, Said, Stand
from crm.calendars.models import CalendarObject
from crm.clock import now_utc
from crm.db import db, transaction
from crm.delivery import OutboundMessage
from crm.rules.refusal import Refusal
from crm.visits.answers import guests_of
from crm.visits.models import VisitStatus
from tests.calendars.attendee import AttendeesCalendar
from tests.conftest import IS_NIGHT
from tests.visits.mail import VISITS, arrives, event_in, ics, letters, message

HISTORIES = 500
THROUGH_EVERYTHING = HISTORIES if IS_NIGHT else 6
SERVICE = Mailbox(VISITS, "Kestrel")
BEGIN = datetime(2026, 7, 6, 9, 0, tzinfo=UTC)


def badly_carried(chance: random.Random, messages: list[bytes]) -> list[bytes]:
    """As they arrive: each at least once in the end (what is lost is sent again), some twice, in any order."""
    arriving = [*messages, *(one for one in messages if chance.random() < 0.3)]
    chance.shuffle(arriving)
    return arriving


# --- The messages alone -----------------------------------------------------------------------------------------------


@dataclass
class OneVisit:
    """The states of one visit as its messages carry them: who goes, when, and each mailbox under its own UID."""

    chance: random.Random
    now: datetime = BEGIN
    sequence: int = 0
    starts_at: datetime = BEGIN + timedelta(days=7)
    is_off: bool = False
    invited: dict[str, bool] = field(default_factory=dict)
    """Mailbox to whether the visit stands in it."""
    sent: dict[str, list[bytes]] = field(default_factory=dict)
    said: dict[str, tuple[Stand, Answer]] = field(default_factory=dict)
    answers: list[tuple[str, bytes]] = field(default_factory=list)

    def tell(self, mailbox: str, method: str) -> None:
        facts = EventFacts(
            uid=f"{mailbox}-of-it",
            sequence=self.sequence,
            starts_at=self.starts_at,
            ends_at=self.starts_at + timedelta(minutes=90),
            summary="A visit",
            location="At your home",
            description=[],
            url="https://kestrel.example.org/",
            cancelled=method == "CANCEL",
        )
        raw = ical.message(
            facts, method=method, stamp=self.now, organiser=SERVICE, attendee=Mailbox(f"{mailbox}@example.org", "")
        )
        self.sent.setdefault(mailbox, []).append(raw)
        self.invited[mailbox] = method == "REQUEST"

    def step(self) -> None:
        self.now += timedelta(seconds=self.chance.randrange(1, 4000))
        what = self.chance.choices(("move", "swap", "answer", "cancel"), (4, 2, 5, 1))[0]
        if self.is_off and what != "answer":
            return
        if what == "answer":
            self.answer(self.chance.choice(list(self.invited)))
            return
        self.sequence += 1
        here = [one for one, stands in self.invited.items() if stands]
        if what == "cancel":
            self.is_off = True
        elif what == "move":
            self.starts_at += timedelta(hours=self.chance.randrange(1, 40))
        else:
            leaving = next(one for one in here if one.startswith("officer"))
            coming = self.chance.choice([one for one in ("officer1", "officer2", "officer3") if one != leaving])
            self.tell(leaving, "CANCEL")
            here = [one for one in here if one != leaving] + [coming]
        for mailbox in here:
            self.tell(mailbox, "CANCEL" if self.is_off else "REQUEST")

    def answer(self, mailbox: str) -> None:
        """To an invitation that they were sent, perhaps an old one."""
        sequence = self.chance.randrange(self.sequence + 1)
        answer = self.chance.choice(["ACCEPTED", "DECLINED", "TENTATIVE"])
        text = ics(
            "REPLY",
            f"{mailbox}-of-it",
            attendee=f"{mailbox}@example.org",
            partstat=answer,
            sequence=sequence,
            at=self.now,
        )
        self.answers.append((mailbox, text.encode()))
        stand = Stand(sequence, self.now)
        if mailbox not in self.said or stand >= self.said[mailbox][0]:
            self.said[mailbox] = (stand, Answer(answer.lower()))


def test_in_500_histories_every_calendar_and_every_answer_ends_as_it_truly_is():
    overtaken = moved = 0
    for number in range(HISTORIES):
        visit = OneVisit(random.Random(number))
        for mailbox in ("maya", "daniel", "officer1"):
            visit.tell(mailbox, "REQUEST")
        for _ in range(visit.chance.randrange(1, 9)):
            visit.step()

        for mailbox, messages in visit.sent.items():
            calendar = AttendeesCalendar()
            for raw in badly_carried(visit.chance, messages):
                calendar.receive(raw)
            stands = visit.invited[mailbox]
            start = f"{visit.starts_at:%Y%m%dT%H%M%SZ}".encode()
            assert calendar.shown == ({f"{mailbox}-of-it": start} if stands else {}), (number, mailbox)
            moved += len(messages) > 1

        kept: dict[str, tuple[Stand, Said]] = {}
        for _, raw in badly_carried(visit.chance, visit.answers):
            said = itip.read(raw.decode(), now=visit.now)
            assert said is not None
            mailbox = said.uid.removesuffix("-of-it")
            if itip.is_news(said.stand, kept[mailbox][0] if mailbox in kept else None):
                kept[mailbox] = (said.stand, said)
            else:
                overtaken += 1
        for mailbox, (stand, answer) in visit.said.items():
            assert (kept[mailbox][0], kept[mailbox][1].answer_of(f"{mailbox}@example.org")) == (stand, answer), number
    assert overtaken > 100, "the histories have to hold what came too late"
    assert moved > 500


# --- Through the whole product ----------------------------------------------------------------------------------------


def test_through_the_whole_product_every_mailbox_ends_in_the_true_state(verbs, freeze):
    cast = verbs.cast
    days = itertools.cycle(["2026-07-14", "2026-07-15", "2026-07-16", "2026-07-17", "2026-07-21", "2026-07-22"])
    for number in range(THROUGH_EVERYTHING):
        chance = random.Random(f"whole {number}")
        case = verbs.household(number + 1)
        visit = verbs.book(case, f"{next(days)} 10:00", length_minutes=30)
        answers = []
        for _ in range(chance.randrange(2, 6)):
            freeze(now_utc() + timedelta(seconds=chance.randrange(5, 200)))
            if chance.random() < 0.5:
                carry(chance)
            what = chance.choices(("move", "swap", "answer", "cancel"), (4, 2, 4, 1))[0]
            if what == "answer" or not visit.is_booked:
                for _ in range(3):
                    freeze(now_utc() + timedelta(seconds=20))
                    answers.append(answer(chance, visit, number))
                continue
            with_whom = cast.other_officer if what == "swap" else cast.officer
            try:
                if what == "cancel":
                    verbs.cancel(visit)
                else:
                    verbs.move(visit, f"{next(days)} {chance.choice(['10:00', '12:00', '15:00'])}", with_whom)
            except Refusal:
                db.session.expire_all()
        for _, _, raw in badly_carried(chance, answers):
            arrives(raw)
        carry(chance)
        shown = calendars_after(chance, case)
        db.session.expire_all()
        stands = f"{visit.starts_at.astimezone(UTC):%Y%m%dT%H%M%SZ}".encode()
        goes = {f"maya{number + 1}@example.org", f"daniel{number + 1}@example.org"}
        goes |= {member.email for member in (cast.officer, cast.other_officer) if member.id in visit.officer_ids}
        for mailbox, calendar in shown.items():
            is_there = visit.is_booked and mailbox in goes
            assert list(calendar.shown.values()) == ([stands] if is_there else []), (number, mailbox)
        assert not visit.is_booked or goes <= shown.keys()
        last = {}
        for (sequence, _stamp), said, _ in sorted(answers, key=lambda one: one[0]):
            last = {"said": said} if sequence == visit.sequence else last
        if visit.is_booked:
            maya = next(guest for guest in guests_of(visit) if guest.name.startswith("Maya"))
            assert maya.answer == last.get("said"), number
        if visit.status == VisitStatus.BOOKED:
            verbs.cancel(visit)  # the next history needs the officers


def carry(chance):
    """The outbox leaves: what was overtaken before it left does not."""
    with transaction():
        db.session.execute(
            sa.update(OutboundMessage)
            .where(OutboundMessage.status == "queued")
            .values(status="sent", sent_at=now_utc())
        )


def calendars_after(chance, case):
    """What each mailbox shows once all that left has arrived, somehow."""
    by_mailbox: dict[str, list[bytes]] = {}
    for letter in letters():
        inside = event_in(letter) if letter.case_id == case.id and letter.status == "sent" else None
        if inside is not None:
            by_mailbox.setdefault(letter.recipient, []).append(object_of(letter))
    found = {}
    for mailbox, messages in by_mailbox.items():
        found[mailbox] = AttendeesCalendar()
        for raw in badly_carried(chance, messages):
            found[mailbox].receive(raw)
    return found


def object_of(letter):
    from email import message_from_bytes

    parsed = message_from_bytes(letter.payload)
    return next(part for part in parsed.walk() if part.get_content_type() == "text/calendar").get_payload(decode=True)


def answer(chance, visit, number):
    """Maya answers an invitation that she was sent, perhaps an old one."""
    mailbox = f"maya{number + 1}@example.org"
    event = db.session.scalars(
        sa.select(CalendarObject)
        .where(CalendarObject.visit_id == visit.id, CalendarObject.person_id > 0)
        .order_by(CalendarObject.id)
    ).first()
    sequence = chance.choice([visit.sequence, chance.randrange(visit.sequence + 1)])
    said = chance.choice([Answer.ACCEPTED, Answer.DECLINED, Answer.TENTATIVE])
    calendar = ics("REPLY", event.uid, attendee=mailbox, partstat=said.upper(), sequence=sequence)
    return (sequence, now_utc()), said, message(calendar, sender=mailbox)
