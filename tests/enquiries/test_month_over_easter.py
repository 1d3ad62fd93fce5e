"""A month over Easter, hour by hour: enquiries on every channel, people on leave, a leaver, holidays, a new promise.

At no tick is an open case nobody's, without something to do, or without a day to do it by; and every first contact's
date is the one that a person would count on a calendar with a pencil.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from crm import policy
from crm.access import leave
from crm.access import people as accounts
from crm.access.models import User
from crm.cases import contact
from crm.cases.models import Case, Channel, Deadline, EnquiryTurn, Escalation, TimelineEntry
from crm.cases.open_case import NewPerson, NewTouch, open_case
from crm.db import db, transaction
from crm.delivery import OutboundMessage
from crm.enquiries import escalation, triage
from crm.policy import changing
from crm.rules.permissions import PUBLIC, Role
from tests.factories import Member, make_user

LONDON = ZoneInfo("Europe/London")
FIRST, LAST = date(2027, 3, 15), date(2027, 4, 15)
GOOD_FRIDAY, EASTER_MONDAY = date(2027, 3, 26), date(2027, 3, 29)
CHANGED_ON = date(2027, 4, 1)
CLOSES_AT = {FIRST: 24, CHANGED_ON: 18}
"""The hour from which an enquiry counts as the next day's: none at first, six in the evening from April."""
DAYS = {(FIRST, "email"): 1, (CHANGED_ON, "email"): 2}
CHANNELS = [*[Channel.WEB] * 8, *[Channel.PHONE] * 4, *[Channel.EVENT] * 3, Channel.EMAIL, Channel.EMAIL,
            Channel.REFERRAL, Channel.HUB, Channel.OTHER]  # fmt: skip


def by_pencil(arrived: datetime, channel: str) -> date:
    """By when they are rung, counted day by day: knows nothing of the product's own calendar."""
    local = arrived.astimezone(LONDON)
    since = CHANGED_ON if local.date() >= CHANGED_ON else FIRST
    day = local.date() + timedelta(days=1) if local.hour >= CLOSES_AT[since] else local.date()
    left = DAYS.get((since, channel), 1)
    while left:
        day += timedelta(days=1)
        is_worked = day.weekday() < 5 and day not in (GOOD_FRIDAY, EASTER_MONDAY)
        left -= is_worked
    return day


@dataclass
class Arrival:
    at: datetime
    channel: Channel
    postcode: str


class Month:
    """Plays the month: whoever owns a case works it in office hours, well or badly."""

    def __init__(self, cast, seed: int) -> None:
        self.cast, self.chance = cast, random.Random(seed)
        self.now = datetime.combine(FIRST, datetime.min.time(), LONDON).astimezone(UTC)
        self.recruiters: list[Member] = []
        self.promised: dict[int, date] = {}

    @property
    def local(self) -> datetime:
        return self.now.astimezone(LONDON)

    @property
    def given(self) -> dict:
        today = self.local.date()
        return {"now": self.now, "today": today, "rulebook": policy.rulebook_on(today)}

    def begin(self) -> None:
        with transaction():
            policy.ensure_defaults(now=self.now)
            self.recruiters = [
                make_user(Member(f"rota{n}", f"Rota {n}", frozenset({Role.RECRUITER})), now=self.now) for n in range(5)
            ]
            given = {"actor": self.cast.administrator.actor, "now": self.now, "today": FIRST}
            ids = [one.id for one in self.recruiters]
            areas = [
                {"name": "North", "districts": ["BR1", "BR2"], "owner_ids": ids[:3]},
                {"name": "South", "districts": ["ME1"], "owner_ids": ids[3:]},
            ]
            changing.change_setting(name="areas", value=areas, **given)
            changing.change_setting(name="fallback_owner_id", value=self.cast.manager.id, **given)
            changing.change_response(
                changes={"closes_minutes": 18 * 60, "lengths": {"email": 2}}, in_force_from=CHANGED_ON, **given
            )
            self.away(self.recruiters[0], date(2027, 3, 22), date(2027, 4, 2), cover=self.recruiters[1])
            self.away(self.recruiters[3], date(2027, 4, 5), date(2027, 4, 9), cover=None)
            db.session.get(User, ids[2]).enquiries_at_once = 40

    def away(self, member, first_on, last_on, cover) -> None:
        leave.note_leave(
            db.session.get(User, member.id), first_on=first_on, last_on=last_on,
            cover=db.session.get(User, cover.id) if cover else None, actor=self.cast.manager.actor, now=self.now,
            today=self.local.date(),
        )  # fmt: skip

    def arrive(self, arrival: Arrival, number: int) -> None:
        today = self.local.date()
        case = open_case(
            people=[NewPerson(given_name=f"Jo{number}", phone=f"01632 96{number % 10000:04d}")],
            touch=NewTouch(channel=arrival.channel, received_at=arrival.at, source="As it came"),
            actor=PUBLIC,
            now=self.now,
            today=today,
            rulebook=policy.rulebook_on(today),
            postcode=arrival.postcode,
        )
        self.promised[case.id] = by_pencil(arrival.at, arrival.channel)

    def work(self) -> None:
        """An hour in the office: each open case whose owner is here may be tried, spoken to, rested or closed."""
        today = self.local.date()
        ill = self.chance.choice(self.recruiters)
        rows = db.session.execute(
            sa.select(Case.id, Case.owner_id, Case.place)
            .where(Case.is_open, Case.place.in_(["new", "contacted", "not_now"]), Case.next_action_due_on <= today)
            .order_by(Case.id)
        ).all()
        people = {one.id: one for one in [*self.recruiters, self.cast.manager, self.cast.recruiter]}
        for row in rows:
            owner = people[row.owner_id]
            if owner is ill or self.chance.random() > 0.25:
                continue
            self.act(db.session.get(Case, row.id), owner)

    def act(self, case: Case, owner: Member) -> None:
        given, person = {**self.given, "actor": owner.actor}, case.household.people[0]
        what = self.chance.random()
        if case.place == "not_now":
            triage.reopen_enquiry(case, note="As agreed", **given)
        elif what < 0.4:
            contact.log_attempt(case, person, how=self.chance.choice(["no_answer", "text"]), note=None, **given)
        elif case.place == "new" and what < 0.8:
            triage.record_talk(case, person, note="A talk", **given)
        elif what < 0.9:
            triage.rest_until(
                case, back_on=self.local.date() + timedelta(days=self.chance.randrange(1, 20)), reason_code="call_back",
                words="", write_to_them=False, **given,
            )  # fmt: skip
        else:
            triage.close_enquiry(case, reason_code="withdrew", words="", write_to_them=False, **given)

    def leave_for_good(self, member: Member, to: Member) -> None:
        accounts.leave(
            user=db.session.get(User, member.id), handed_to=db.session.get(User, to.id),
            actor=self.cast.administrator.actor, now=self.now, today=self.local.date(),
        )  # fmt: skip

    def tick(self, arrivals: list[tuple[int, Arrival]]) -> None:
        with transaction():
            for number, arrival in arrivals:
                self.arrive(arrival, number)
        if self.local.weekday() < 5 and 9 <= self.local.hour < 17:
            with transaction():
                self.work()
        with transaction():
            escalation.tell_managers(
                now=self.now, today=self.local.date(), rulebook=policy.rulebook_on(self.local.date()),
                queue_url="https://kestrel.example.org/enquiries",
            )  # fmt: skip
        if self.now == datetime(2027, 4, 7, 10, tzinfo=UTC):
            with transaction():
                self.leave_for_good(self.recruiters[1], self.recruiters[2])


FORGOTTEN = (
    sa.select(sa.func.count())
    .select_from(Case)
    .outerjoin(User, User.id == Case.owner_id)
    .where(
        Case.is_open,
        sa.or_(
            Case.owner_id.is_(None), User.active.is_not(True), Case.next_action.is_(None),
            Case.next_action_due_on.is_(None),
        ),
    )
)  # fmt: skip


def test_at_no_hour_of_a_month_over_easter_is_anybody_forgotten(app, session, cast, freeze, rounds):
    enquiries = rounds(60, 2000)
    month = Month(cast, seed=20270328)
    hours = int(
        (datetime.combine(LAST, datetime.min.time(), LONDON).astimezone(UTC) - month.now).total_seconds() // 3600
    )
    by_hour: dict[int, list[tuple[int, Arrival]]] = {}
    for number in range(enquiries):
        hour = month.chance.randrange(hours)
        at = month.now + timedelta(hours=hour, minutes=-month.chance.randrange(60) if hour else 0)
        postcode = month.chance.choice(["BR1 3KO", "BR2 4KO", "ME1 1AO", "ZE1 0AA"])
        by_hour.setdefault(hour, []).append((number, Arrival(at, month.chance.choice(CHANNELS), postcode)))
    freeze(month.local.strftime("%Y-%m-%d %H:%M"))
    month.begin()

    for hour in range(hours):
        month.tick(by_hour.get(hour, []))
        db.session.expunge_all()
        assert db.session.scalar(FORGOTTEN) == 0, f"somebody is forgotten at {month.local}"
        db.session.rollback()
        month.now += timedelta(hours=1)

    first = dict(
        db.session.execute(sa.select(Deadline.case_id, Deadline.due_on).where(Deadline.rule == "first_contact")).all()
    )
    assert len(first) == enquiries
    assert first == month.promised
    told = Counter(db.session.execute(sa.select(Escalation.case_id, Escalation.kind, Escalation.due_on)).all())
    assert told
    assert max(told.values()) == 1
    runs = db.session.scalar(sa.select(sa.func.count(sa.distinct(Escalation.told_at))))
    letters = sa.select(sa.func.count()).select_from(OutboundMessage).where(OutboundMessage.kind == "running_late")
    assert db.session.scalar(letters) == runs  # one manager, one letter each time there was something to tell
    turns = Counter(db.session.scalars(sa.select(EnquiryTurn.user_id)))
    assert set(turns) <= {one.id for one in month.recruiters}
    assert db.session.scalar(sa.select(sa.func.count()).where(TimelineEntry.title.contains("next in turn for"))) > 0
