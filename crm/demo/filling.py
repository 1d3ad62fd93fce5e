"""Filling an empty database: the team, two years of panels and events, then one life after another."""

from __future__ import annotations

import gc
import random
import secrets
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import sqlalchemy as sa

from crm import policy
from crm.access import passwords
from crm.access.envelopes import new_key_pair
from crm.access.models import User
from crm.access.people import new_user
from crm.assessments import meetings
from crm.assessments.models import PanelMeeting
from crm.audit import record
from crm.cases.models import PersonRole, Task
from crm.cases.open_case import NewConsent, NewPerson, campaign_for
from crm.clock import LONDON, london
from crm.db import db, transaction
from crm.delivery import Channel, MessageStatus, OutboundMessage
from crm.demo import people as cast
from crm.demo.courses import lay_courses
from crm.demo.districts import BASES, CENTRES
from crm.demo.handed_in import hand_in_documents, photograph
from crm.demo.lives import Fate, Life, Team
from crm.demo.needed import write_needs
from crm.demo.on_the_desk import lay_on_desks
from crm.demo.own_choice import let_them_choose
from crm.demo.twice import enter_twice
from crm.demo.why_late import say_why
from crm.enquiries import intake, mailings
from crm.enquiries.mailing_readers import people_on_list
from crm.enquiries.models import Mailing, MailingPurpose, MailingReader, MailingStep
from crm.enquiries.saved_views import save_view
from crm.enquiries.submitting import Sent, take_in
from crm.events import kit, places, planning, publishing
from crm.events.kit_entries import NotTaken, keep_aside
from crm.events.kit_models import AsideReason
from crm.events.models import EventKind, RecruitmentEvent
from crm.rules.permissions import PUBLIC, SYSTEM, Actor
from crm.rules.refusal import Refusal
from crm.visits.districts import keep_centres
from crm.visits.models import OfficerDiary

SEED = 20260714
DAYS = 730
PRINTED_FOR_DAYS = 4
"""Letters by post younger than this still wait at the printer (days)."""


class LifeToldWrongly(Exception):
    """An operation refused a step of a made-up life."""


FATES: tuple[tuple[str, int], ...] = (
    ("closed", 56),
    ("not_now", 14),
    ("no_access", 4),
    ("declined", 4),
    ("invited", 9),
    ("withdrawn", 3),
    ("stage_one_refused", 2),
    ("proposed_no", 1),
    ("approved", 7),
)
"""What becomes of a hundred households. Kinder than England's average, so that every place has somebody in it."""


PAUSED: tuple[tuple[str, str, int, int], ...] = (
    ("new", "approved", 5, 3),
    ("new", "closed", 1, 6),
    ("contacted", "approved", 9, 6),
    ("visited", "approved", 17, 4),
    ("received", "approved", 32, 4),
    ("with_decision_maker", "approved", 215, 3),
    ("with_decision_maker", "proposed_no", 215, 1),
    ("", "proposed_no", 235, 2),
    ("stage_two", "approved", 262, 1),
    ("stage_two", "approved", 300, 1),
)
"""Where some households stand still today, what is in store for them, how many days ago they came, and how many."""


def is_empty() -> bool:
    """Whether nobody works here yet."""
    return db.session.scalar(sa.select(User.id).limit(1)) is None


def sign_ins() -> list[str]:
    """The lines that say how to sign in to the demo."""
    width = max(len(f"{key}@demo.example.org") for key, _name, _roles in cast.STAFF)
    lines = [
        f"{f'{key}@demo.example.org':<{width}}  {name}, {' and '.join(role.words.split(' ', 1)[1] for role in roles)}"
        for key, name, roles in cast.STAFF
    ]
    return [*lines, "", f"Password: {cast.PASSWORD}"]


def fill(
    *, households: int, now: datetime, progressed: Callable[[int], object] = lambda _n: None, strict: bool = False
) -> None:
    """Make the whole service up to ``now``.

    A life that meets a refusal is one this package told wrongly: it is left out whole, or, when ``strict``, raised.
    """
    draw = random.Random(SEED)
    today = london(now).date()
    began = datetime.combine(today - timedelta(days=DAYS), time(9), LONDON).astimezone(UTC)
    with transaction():
        users = _hire(began)
        policy.changing.change_setting(
            name="fallback_owner_id", value=users["recruiter"].id, actor=_administrator(users), now=began, today=today
        )
        areas = [
            {"name": name, "districts": districts.split(), "owner_ids": [users[owner].id for owner in owners.split()]}
            for name, districts, owners in cast.AREAS
        ]
        policy.changing.change_setting(name="areas", value=areas, actor=_administrator(users), now=began, today=today)
        keep_centres(CENTRES)
        for key, district in BASES.items():
            users[key].base_postcode = district
        for key, car in cast.CARS.items():
            db.session.add(OfficerDiary(user_id=users[key].id, car=car))
    with transaction():
        events = _events(users, began, now, draw)
        team = Team(users, _panels(users, began, today), events)
    # Two hundred thousand short-lived rows: collecting them a few at a time costs more than collecting them at the end.
    gc.disable()
    for number in range(households):
        life = _life(draw, team, now, today, number)
        try:
            with transaction():
                life.live()
        except Refusal as refusal:
            if strict:
                raise LifeToldWrongly(f"household {number} ({life.fate.ending}) on {life.day}: {refusal}") from refusal
        db.session.expire_all()
        progressed(1)
    gc.enable()
    with transaction():
        enter_twice(db.session.get_one(User, users["recruiter"].id), now=now)
        _front_door(users, now, today)
    with transaction():
        lay_courses(users, now=now, today=today)
    with transaction():
        let_them_choose(users, now=now)
    with transaction():
        write_needs(users["manager"].as_actor(), now=now)
    photos = photograph()
    with transaction():
        hand_in_documents(users, photos, now=now)
    with transaction():
        say_why(users["manager"].as_actor(), now=now, today=today)
    with transaction():
        _write_to_many(users, now=now)
    with transaction():
        _settle_letters(now)
        _tick_off_old_tasks(now)
        # This morning's letters have been thought of: nothing goes out because somebody looks at a demonstration.
        db.session.execute(sa.update(User).values(digest_on=today))
        save_view(name="Late from the web", query="view=over&channel=web", actor=users["recruiter"].as_actor(), now=now)
        _plan_a_rule(_administrator(users), now=now, today=today)
        _stand_at_the_door(events, users["recruiter"].as_actor(), now=now)
        lay_on_desks(users, events, now=now, today=today)
        record("demo.filled", actor=SYSTEM, at=now, detail={"households": households})


def _plan_a_rule(administrator: Actor, *, now: datetime, today: date) -> None:
    """A change of the eligibility rules that is to come, to be seen tried on last year."""
    policy.changing.change_criterion(
        name="spare_room",
        changes={"options": {"not_yet": {"outcome": "conversation", "reason": "Let’s talk about when."}}},
        in_force_from=(today.replace(day=1) + timedelta(days=62)).replace(day=1),
        actor=administrator,
        now=now,
        today=today,
    )


FORMS: tuple[tuple[int, dict[str, Any], dict[str, str], tuple[str, ...]], ...] = (
    (
        26,
        {
            "given_name": "Rosalind", "family_name": "Achebe", "phone": "07700 900671", "email": "rosalind@example.org",
            "postcode": "BR1 3KO", "spare_room": "yes", "approved_elsewhere": "no", "safe": "yes", "prefers": "text",
            "quiet_times": ["morning"], "heard": "leaflet", "heard_detail": "The one with the council tax",
            "said": "I am a teaching assistant, and the children have left home.",
        },
        {"code": "LEAF7", "source": "council", "medium": "leaflet", "campaign": "spring"},
        (),
    ),
    (
        5,
        {
            "given_name": "Best", "family_name": "Prices", "email": "offers@example.org",
            "said": "Is your website on the first page? We can put it there by Friday.",
        },
        {"source": "unknown"},
        ("website",),
    ),
)  # fmt: skip
"""What the service's own website handed in lately: how many hours ago, the answers, the link they came by, and what its
own check thought of it."""


def _front_door(users: dict[str, User], now: datetime, today: date) -> None:
    """A website of the service's own, a leaflet, and what came by them: an enquiry, and one that is held back."""
    website, _key = intake.make_website(name="Kestrel’s website", actor=_administrator(users), now=now)
    campaign_for("LEAF7", name="Spring leaflet")
    rulebook = policy.rulebook_on(today)
    for number, (hours_ago, answers, link, signs) in enumerate(FORMS):
        at = now - timedelta(hours=hours_ago)
        sent = Sent(
            answers=answers,
            arrivals=[{**link, "at": at.isoformat()}],
            received_at=at,
            one_time_id=intake.one_time_id_for(website.id, f"demo-{number}"),
            source=f"Website: {website.name}",
            website_id=website.id,
            signs=signs,
        )
        take_in(sent, actor=PUBLIC, now=now, today=today, rulebook=rulebook)
        website.last_used_at = at


NEWS = (
    "Our open evenings",
    """# Hello {{ first_name }}

Come and meet foster carers who live near you. Bring whoever you live with, and every question that you have.

>> The first Thursday of each month, 6:30pm
> Kestrel House, Bromley

There is nothing to sign, and nobody will ask you to decide.

{% include "email/_close.txt" %}""",
)
NEW_NUMBER = (
    "A new phone number",
    """# Hello {{ first_name }}

Our phone number is new. From today, ring us on **{{ service.phone }}**. Your reference is still {{ reference }}.

{% include "email/_close.txt" %}""",
)
"""What is written to many: a subject, and the letter."""


def _write_to_many(users: dict[str, User], *, now: datetime) -> None:
    """News that went out three days ago, and a word to everybody that waits for a second person."""
    for purpose, query, (subject, words), days in (
        (MailingPurpose.NEWS, "view=new", NEWS, 3),
        (MailingPurpose.SERVICE, "", NEW_NUMBER, 0),
    ):
        author, at = users["recruiter"].as_actor(), now - timedelta(days=days, hours=2)
        today = london(at).date()
        mailing = mailings.write_mailing(
            None,
            source="queue",
            query=query,
            purpose=purpose,
            channel=Channel.EMAIL,
            subject=subject,
            words=words,
            actor=author,
            now=at,
            today=today,
        )
        people = people_on_list(mailing, today=today)[: mailings.ALONE_UP_TO if days else None]
        if not people or (not days and len(people) <= mailings.ALONE_UP_TO):
            continue  # too few to need a second person: it stays a draft
        mailings.ask_to_send(
            mailing,
            people=people,
            reason="They all have the old number on their letters",
            second=users["manager"],
            actor=author,
            now=at,
            today=today,
        )
        while days and mailing.step == MailingStep.SENDING:
            mailings.write_letters(at)
            at += timedelta(minutes=1)
            _let_leave(mailing, at)


def _let_leave(mailing: Mailing, at: datetime) -> None:
    """The worker of three days ago took what was written."""
    written = sa.select(MailingReader.message_id).where(MailingReader.mailing_id == mailing.id)
    db.session.execute(
        sa.update(OutboundMessage)
        .where(OutboundMessage.id.in_(written), OutboundMessage.status == MessageStatus.QUEUED)
        .values(status=MessageStatus.SENT, sent_at=at, attempts=1)
    )


def _administrator(users: dict[str, User]) -> Actor:
    return users["admin"].as_actor()


def _life(draw: random.Random, team: Team, now: datetime, today: date, number: int) -> Life:
    # Half arrive in the last four months, so that the present is busy; the rest over the two years before.
    back = draw.randrange(0, 120) if draw.random() < 0.5 else draw.randrange(0, DAYS)
    ending = draw.choices([name for name, _ in FATES], [share for _, share in FATES])[0]
    event = None
    day = today - timedelta(days=back)
    if draw.random() < 0.3:
        near = [one for at, one in team.stalls if abs((london(at).date() - day).days) <= 30 and at < now]
        event = draw.choice(near) if near else None
    fate = Fate(ending, draw.choice([0.6, 0.8, 0.9, 1.0, 1.0, 1.1, 1.3, 1.8]))
    if number < len(paused := _paused()):
        place, ending, days = paused[number]
        day, event = today - timedelta(days=days + draw.randrange(0, 3)), None
        fate = Fate(ending, 0.7, place or None, _panel_before(team, today, meetings_ago=1 if place else 2))
    life = Life(draw, team, now, day, fate, number, event, minute=draw.randrange(8 * 60, 19 * 60))
    if life.instant > now:
        life.day -= timedelta(days=1)
    return life


def _paused() -> list[tuple[str, str, int]]:
    return [(place, ending, days) for place, ending, days, count in PAUSED for _ in range(count)]


def _panel_before(team: Team, today: date, *, meetings_ago: int) -> PanelMeeting:
    """The last panel but so many before today, whose minutes are just out."""
    return [meeting for meets_on, meeting in team.meetings if meets_on < today - timedelta(days=1)][-meetings_ago]


def _hire(began: datetime) -> dict[str, User]:
    hashed = passwords.hash_password(cast.PASSWORD)
    users = {}
    for key, name, roles in (*cast.STAFF, *cast.COLLEAGUES):
        user = new_user(email=f"{key}@demo.example.org", name=name, roles=roles, now=began)
        user.password_hash, user.password_set_at, user.active = hashed, began, True
        user.mobile = cast.MOBILES_OF_STAFF.get(key)
        users[key] = user
    db.session.flush()
    return users


def _panels(users: dict[str, User], began: datetime, today: date) -> list[PanelMeeting]:
    """The central list, and a panel every other Wednesday from then until two months from now."""
    administrator = users["panel"].as_actor()
    for key, seat, independent, social_worker, background in cast.CENTRAL_LIST:
        meetings.put_on_central_list(
            user_id=users[key].id,
            seat=seat,
            is_independent=independent,
            is_qualifying_social_worker=social_worker,
            background=background,
            actor=administrator,
            now=began,
        )
    members = tuple(users[key].id for key, *_ in cast.CENTRAL_LIST)
    day = london(began).date()
    day += timedelta(days=(2 - day.weekday()) % 7)
    calendar = policy.rulebook_on(today).calendar
    made = []
    while day <= today + timedelta(days=70):
        if calendar.is_working_day(day):
            meets_at = datetime.combine(day, time(10), LONDON)
            new = meetings.NewMeeting(
                meets_at=meets_at, meets_on=day, place="Kestrel House, Bromley", member_ids=members
            )
            made_on = min(day - timedelta(days=60), today)
            made.append(
                meetings.make_meeting(
                    new,
                    actor=administrator,
                    now=datetime.combine(made_on, time(9, 30), LONDON).astimezone(UTC),
                    today=made_on,
                )
            )
        day += timedelta(days=14)
    return made


def _events(users: dict[str, User], began: datetime, now: datetime, draw: random.Random) -> list[RecruitmentEvent]:
    """An event every three weeks or so, and three still to come, the next two with people who signed up."""
    today = london(now).date()
    recruiter, signed_up = users["recruiter"].as_actor(), 0
    day = london(began).date() + timedelta(days=9)
    recruiters = (users["recruiter"].id, users["tomasz"].id)
    made = []
    while day <= today + timedelta(days=56):
        kind, name, place, town, postcode, summary = cast.EVENTS[len(made) % len(cast.EVENTS)]
        weekend = kind == "stall"
        on = day + timedelta(days=(5 - day.weekday()) % 7) if weekend else day + timedelta(days=(1 - day.weekday()) % 7)
        hour = {"stall": 10, "information_evening": 18, "drop_in": 10}.get(kind, 19)
        starts_at = datetime.combine(on, time(hour), LONDON).astimezone(UTC)
        planned_at = min(starts_at - timedelta(days=40), datetime.combine(today, time(8), LONDON).astimezone(UTC))
        event = planning.create_event(
            name=name,
            kind=EventKind("online" if kind == "online_session" else kind),
            starts_at=starts_at,
            ends_at=starts_at + timedelta(hours=6 if weekend else 2),
            place=place or None,
            town=town or None,
            postcode=postcode or None,
            summary=summary,
            meet=None if kind == "online_session" else "June and Tony, foster carers",
            getting_in=None if kind == "online_session" else "No steps and wide doors. Children are welcome.",
            link="https://meet.example.org/kestrel" if kind == "online_session" else None,
            capacity={"stall": None, "drop_in": 8}.get(kind, 40),
            cost_pence=draw.choice([0, 4_500, 12_000, 28_000]),
            staff_ids=recruiters,
            actor=recruiter,
            now=planned_at,
        )
        publishing.publish(event, actor=recruiter, now=planned_at)
        if starts_at < now - timedelta(days=2):
            event.followed_up_at = event.ends_at + timedelta(days=2)
        elif event.takes_sign_ups and starts_at > now and signed_up < 2:
            signed_up += 1
            _guests(event, number=signed_up, now=now)
        made.append(event)
        day += timedelta(days=21)
    return made


def _stand_at_the_door(events: list[RecruitmentEvent], recruiter: Actor, *, now: datetime) -> None:
    """Two devices at the last event, and an entry of one of them that waits for a person to look."""
    event = max((one for one in events if one.ends_at < now), key=lambda one: one.starts_at)
    before, during = event.starts_at - timedelta(minutes=25), event.starts_at + timedelta(minutes=70)
    for name, skew in (("Blue tablet", timedelta(minutes=4)), ("Tomasz’s phone", timedelta())):
        device, _key, _token = kit.set_up_device(
            event,
            name=name,
            signing_key=new_key_pair()[0],
            proof_digest=secrets.token_hex(32),
            skew_ms=skew // timedelta(milliseconds=1),
            actor=recruiter,
            now=before,
        )
        kit.note_heard(device, waiting=0, skew_ms=device.skew_ms, now=during)
    said = {"given_name": "Winifred", "family_name": "Aske", "reach": "0770", "note": "Came with her sister"}
    unread = NotTaken(AsideReason.REFUSED, why="The phone number can’t be read.", said=said)
    keep_aside({"event": event.id}, unread, event=event, device=device, now=during)


def _guests(event: RecruitmentEvent, *, number: int, now: datetime) -> None:
    """Some people have signed up, a few minutes apart; where there is little room, the last of them wait."""
    for place, (given, other, needs, question) in enumerate(cast.GUESTS):
        family = cast.FAMILY[(place * 7 + number * 3) % len(cast.FAMILY)]
        people = [
            NewPerson(
                given_name=given,
                family_name=family,
                email=f"{given}.{family}.{number}@example.org".lower(),
                phone=cast.MOBILES[-(place + 1)] if place % 2 else None,
                consents=(NewConsent("email", place % 3 == 0, "1"),),
            )
        ]
        if other:
            people.append(NewPerson(given_name=other, family_name=family, role=PersonRole.APPLICANT_2))
        places.sign_up(
            event,
            places.NewSignUp(people=people, needs=needs, question=question, wants_call=place % 4 == 0),
            actor=PUBLIC,
            now=now - timedelta(hours=30 - place),
        )


def _tick_off_old_tasks(now: datetime) -> None:
    """What was to be done weeks ago has been done; this week's tasks stay."""
    db.session.execute(
        sa.update(Task)
        .where(Task.done_at.is_(None), Task.created_at < now - timedelta(days=7))
        .values(done_at=Task.created_at, done_by_id=Task.assigned_to_id)
    )


def _settle_letters(now: datetime) -> None:
    """What was written has gone: emails as sent when they were due, post as posted the next day. Nothing leaves now."""
    db.session.execute(
        sa.update(OutboundMessage)
        .where(OutboundMessage.status == MessageStatus.QUEUED)
        .values(status=MessageStatus.SENT, sent_at=OutboundMessage.not_before, settled_at=OutboundMessage.not_before)
    )
    posted = db.session.scalars(
        sa.select(OutboundMessage).where(OutboundMessage.status == MessageStatus.TO_PRINT)
    ).all()
    for letter in posted:
        if letter.queued_at < now - timedelta(days=PRINTED_FOR_DAYS):
            letter.status = MessageStatus.DISPATCHED
            letter.dispatched_on = london(letter.queued_at).date() + timedelta(days=1)
            letter.dispatch_method = "first_class"
