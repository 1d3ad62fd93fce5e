"""What the page of one case shows, in as few queries as it takes.

Each part is read once, for the whole page: nothing here asks the database again for a row that it already has.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any
from typing import cast as taken_as

from sqlalchemy import Date, Integer, String, bindparam, cast, null, or_, select, union_all

from crm import policy
from crm.access.models import User, UserRole
from crm.cases.contact import not_wanted
from crm.cases.duplicates import AlikeCase, alike_cases
from crm.cases.facts import FACT_WORDS, OWN
from crm.cases.merge_models import HouseholdMerge
from crm.cases.models import (
    CHANNEL_WORDS,
    ROLE_WORDS,
    Case,
    Channel,
    Consent,
    Deadline,
    Fact,
    Person,
    PersonRole,
    Task,
)
from crm.cases.owners import OWNING_ROLES
from crm.cases.queries import clock_words, first_source, visible_cases
from crm.clock import london_date
from crm.db import db, read, unseal
from crm.rules import stages
from crm.rules.deadlines import ClockKind
from crm.rules.permissions import Actor, ActorKind, Permission, Role, Sensitivity, may_see
from crm.rules.rulebook import Rulebook
from crm.staff.move_pages import CLOCK_PAGES, MovePage
from crm.staff.my_day import ids_of
from crm.visits.models import PLACE_WORDS, PURPOSE_WORDS, Place, Purpose, Visit, VisitOfficer, VisitReport, VisitStatus

CLOCKS_SHOWN = 6
VISITS_READ = 8
TASKS_SHOWN = 6

TIMELINE_KINDS = {
    "contact": "Calls and messages",
    "letter": "Letters",
    "visit": "Visits",
    "check": "Checks",
    "move": "Moves",
    "note": "Notes",
}
"""The filters of the timeline: the kind of line, and what it is called."""


@dataclass(frozen=True, slots=True)
class Running:
    """A running clock as it is stored, without the row that holds it."""

    rule: str
    subject: str
    about: str | None
    due_on: date
    turn: str


@dataclass(frozen=True, slots=True)
class TaskShown:
    """An open task of the case."""

    id: int
    title: str
    due_on: date
    assigned_to_id: int


@dataclass(frozen=True, slots=True)
class ClockShown:
    """A running clock: what, how it stands, the date, and the rule with its source."""

    what: str
    state: str
    state_words: str
    when: str
    rule: str
    source: str
    action: str
    page: MovePage
    ids: dict[str, int]
    due_on: date
    turn: str

    @property
    def rule_and_source(self) -> str:
        """ "Our promise: 1 working day after the enquiry", or the rule with its instrument."""
        return f"{self.rule}. {self.source}" if self.source else self.rule


@dataclass(frozen=True, slots=True)
class FactShown:
    """One answer; ``value`` is None where this person may not read it."""

    key: str
    label: str
    value: str | None
    source: str
    stated_on: date
    person_id: int | None


@dataclass(frozen=True, slots=True)
class FactSection:
    """Facts that belong together: of the household, or of one person in it."""

    title: str
    facts: tuple[FactShown, ...]


@dataclass(frozen=True, slots=True)
class PersonShown:
    """Somebody in the household, with what to mind before how to reach them."""

    person: Person
    role: str
    heed: tuple[str, ...]
    heed_more: str | None
    """Why, in the words kept with the rule; None where there are none, or they are not for this person."""
    may_be_reached: bool
    news: str | None

    @property
    def number_is_for_calls(self) -> bool:
        return not self.person.no_calls and not self.person.no_contact


@dataclass(frozen=True, slots=True)
class VisitShown:
    """One visit of the case."""

    id: int
    purpose: str
    place: str
    starts_at: datetime
    ends_at: datetime
    officers: tuple[str, ...]
    is_booked: bool
    is_unsigned: bool


@dataclass(frozen=True, slots=True)
class JourneyShown:
    """Another case of the same household."""

    reference: str
    opened_at: datetime
    standing: str
    is_open: bool


@dataclass(frozen=True, slots=True)
class CasePage:
    """Everything on the page but its head, its moves and its timeline."""

    running: tuple[Running, ...]
    clocks: tuple[ClockShown, ...]
    tasks: tuple[TaskShown, ...]
    sections: tuple[FactSection, ...]
    people: tuple[PersonShown, ...]
    next_visits: tuple[VisitShown, ...]
    has_visits: bool
    visit_ids: dict[str, int]
    """For the moves that are about a visit: the one booked or, failing that, the one not signed off yet."""
    sensitive_seen: tuple[str, ...]
    """Kinds of closely held facts that this person was shown: recorded with the look."""
    other_journeys: tuple[JourneyShown, ...]
    """Further cases of this household that this person may open, the newest first."""
    was_merged: bool
    """Whether something was merged into it, asked for, or taken apart again."""
    alike: tuple[AlikeCase, ...] = ()
    """Other households that may be the same, for those who may say so."""


def case_page(case: Case, actor: Actor, *, on_case: bool, now: datetime, today: date, rulebook: Rulebook) -> CasePage:
    """All the parts of the page of a case. Seven queries at most."""
    people = [person for person in case.household.people if person.left_household_on is None]
    due = read(_DUE, {"case_id": case.id}).all()
    running = [
        Running(row.rule, row.subject, row.about, row.due_on, row.turn)
        for row in sorted(due, key=lambda one: (one.due_on, one.id))
        if row.rule is not None
    ]
    tasks = sorted((row for row in due if row.rule is None), key=lambda one: (one.due_on, one.id))
    sections, seen = sections_of(case, actor, on_case=on_case)
    given: dict[int, dict[str, bool]] = {}
    for row in read(_CONSENTS, {"household_id": case.household_id}):
        given.setdefault(row.person_id, {})[row.channel] = row.given
    visits = _visits(case)
    ahead = [visit for visit in reversed(visits) if visit.is_booked and visit.ends_at >= now][:2]
    subject = next((visit for visit in visits if visit.is_booked), None) or next(
        (visit for visit in visits if visit.is_unsigned), None
    )
    journeys, was_merged = _other_journeys(case, actor, today=today)
    return CasePage(
        running=tuple(running),
        clocks=tuple(clock_shown(clock, today=today, rulebook=rulebook, channel=case.channel) for clock in running),
        tasks=tuple(TaskShown(row.id, row.about, row.due_on, row.assigned_to_id) for row in tasks[:TASKS_SHOWN]),
        sections=sections,
        people=tuple(_person(person, given.get(person.id, {}), actor, on_case=on_case) for person in people),
        next_visits=_with_officers(ahead),
        has_visits=bool(visits),
        visit_ids={"visit_id": subject.id} if subject is not None else {},
        sensitive_seen=seen,
        alike=alike_cases(case, actor, today=today) if actor.has(Permission.MERGE_CASES) else (),
        other_journeys=journeys,
        was_merged=was_merged,
    )


def _other_journeys(case: Case, actor: Actor, *, today: date) -> tuple[tuple[JourneyShown, ...], bool]:
    """What else there is of this household, and whether anything was merged into this case. One query."""
    words = {"case_id": case.id, "household_id": case.household_id, "me": actor.user_id, "today": today}
    rows = read(_journeys(actor.kind, actor.roles), words).all()
    shown = [
        JourneyShown(row.reference, row.opened_at, stages.PLACE[row.place].label, row.is_open)
        for row in rows
        if row.reference is not None
    ]
    return tuple(sorted(shown, key=lambda one: one.opened_at, reverse=True)), any(row.reference is None for row in rows)


@lru_cache(maxsize=128)
def _journeys(kind: ActorKind, roles: frozenset[Role]) -> Any:
    """The statement of both, built once for everybody with these roles."""
    anybody = Actor(kind=kind, user_id=taken_as(int, bindparam("me", type_=Integer)), roles=roles)
    visible = visible_cases(anybody, today=taken_as(date, bindparam("today", type_=Date)))
    others = select(Case.reference, Case.opened_at, Case.place, Case.is_open).where(
        Case.household_id == bindparam("household_id"), Case.id != bindparam("case_id"), visible
    )
    merged = select(
        null().label("reference"), null().label("opened_at"), null().label("place"), null().label("is_open")
    ).where(
        select(HouseholdMerge.id)
        .where(or_(HouseholdMerge.kept_case_id == bindparam("case_id"),
                   HouseholdMerge.gone_case_id == bindparam("case_id")))
        .exists()
    )  # fmt: skip
    return union_all(others, merged)


# --- Clocks -----------------------------------------------------------------------------------------------------------


def clock_shown(clock: Running, *, today: date, rulebook: Rulebook, channel: str | None = None) -> ClockShown:
    """A clock in the words of the page. ``channel``: how they came, for the promise that differs by it."""
    rule = rulebook.response_promise(channel) if clock.rule == "first_contact" else rulebook.deadline(clock.rule)
    reading = rulebook.say_due(clock.rule, clock.due_on, today=today)
    state = {"over": "over", "due": "due", "ok": "ok"}[reading.state]
    left = _left(clock.due_on, today)
    if state == "over":
        when, state_words = f"Was due {_short(clock.due_on, today)}", reading.words
    elif clock.due_on == today:
        when, state_words = _short(clock.due_on, today), "Due today"
    else:
        when = reading.words
        state_words = left
    if clock.turn != "service" and state != "over":
        state = "waiting"
    return ClockShown(
        what=clock_words(clock, rulebook),
        state=state,
        state_words=state_words,
        when=when,
        rule=rule.words,
        source="" if rule.kind is ClockKind.PROMISE else rule.source,
        action=f"{rule.action}: {clock.about}" if clock.about else rule.action,
        page=CLOCK_PAGES[clock.rule],
        ids=ids_of(clock.subject),
        due_on=clock.due_on,
        turn=clock.turn,
    )


def _left(due_on: date, today: date) -> str:
    days = (due_on - today).days
    if days > 20:
        return f"{days // 7} weeks left"
    return f"{days} day{'' if days == 1 else 's'} left"


def _short(day: date, today: date) -> str:
    words = f"{day:%a} {day.day} {day:%B}"
    return words if day.year == today.year else f"{words} {day.year}"


# --- Facts ------------------------------------------------------------------------------------------------------------


def sections_of(case: Case, actor: Actor, *, on_case: bool) -> tuple[tuple[FactSection, ...], tuple[str, ...]]:
    """What is known, by section, and the kinds of closely held facts among it that this person was shown."""
    people = [person for person in case.household.people if person.left_household_on is None]
    rows = read(_FACTS, {"case_id": case.id}).all()
    by_person: dict[int | None, list[FactShown]] = {}
    seen: set[str] = set()
    for row in sorted(rows, key=lambda one: (_FACT_ORDER.get(one.key, len(_FACT_ORDER)), one.id)):
        sensitivity = Sensitivity(row.sensitivity)
        may = may_see(actor, sensitivity, subject_person_id=row.person_id, on_case=on_case)
        if may and sensitivity in (Sensitivity.HEALTH, Sensitivity.OFFENCE, Sensitivity.REFERENCE):
            seen.add(str(sensitivity))
        # What this person may not read is never opened, so that it can't slip onto the page.
        value = unseal("fact", "value_sealed", row.row_key, row.value_sealed) if may and row.value_sealed else None
        by_person.setdefault(row.person_id, []).append(
            FactShown(row.key, fact_label(row.key), value, row.source, row.stated_on, row.person_id)
        )
    sections = [FactSection("About the household", (*_home(case), *by_person.get(None, ())))]
    sections += [
        FactSection(f"About {person.given_name}", tuple(by_person[person.id]))
        for person in people
        if person.id in by_person
    ]
    return tuple(sections), tuple(sorted(seen))


_FACT_ORDER = {key: number for number, key in enumerate(FACT_WORDS)}


def _home(case: Case) -> list[FactShown]:
    household = case.household
    came_on = london_date(case.opened_at)
    rows = []
    where = ", ".join(part for part in (household.address, household.postcode) if part)
    if where:
        rows.append(FactShown("", "Address", where, "Enquiry", came_on, None))
    if household.local_authority:
        rows.append(FactShown("", "Council", household.local_authority, "From the postcode", came_on, None))
    channel = CHANNEL_WORDS[Channel(case.channel)]
    source = first_source(case)
    rows.append(
        FactShown("", "First heard of us", f"{channel}, {source}" if source else channel, "Enquiry", came_on, None)
    )
    return rows


def fact_label(key: str) -> str:
    """What a fact is called; one whose name is no longer in use reads as itself."""
    if key.startswith(OWN) and (editions := policy.editions_of(policy.PolicyKind.CRITERION, key)):
        return str(editions[0].value.get("staff_words", "")) or FACT_WORDS.get(key, key)
    return FACT_WORDS.get(key) or key.replace("_", " ").capitalize()


# --- People -----------------------------------------------------------------------------------------------------------


def _person(person: Person, given: dict[str, bool], actor: Actor, *, on_case: bool) -> PersonShown:
    heed = []
    if person.no_contact:
        heed.append("Do not contact.")
    else:
        if person.no_calls:
            heed.append("Do not call.")
        if person.no_voicemail:
            heed.append("Leave no voicemail.")
        heed += not_wanted(person)
    why = None
    if may_see(actor, Sensitivity.SAFETY, subject_person_id=person.id, on_case=on_case):
        why = person.safe_contact
    return PersonShown(
        person=person,
        role=ROLE_WORDS[PersonRole(person.role)],
        heed=tuple(heed),
        heed_more=why,
        may_be_reached=not person.no_contact and bool(person.phone or person.email),
        news=_news(given),
    )


def _news(given: dict[str, bool]) -> str | None:
    """ "Email and text yes, phone no", from the newest word on each channel; None where nothing was asked."""
    yes = [channel for channel, agreed in given.items() if agreed]
    no = [channel for channel, agreed in given.items() if not agreed]
    if not given:
        return None
    if not yes:
        return "No to all"
    words = f"{_and(yes)} yes" + (f", {_and(no)} no" if no else "")
    return words[0].upper() + words[1:]


def _and(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def age(person: Person, today: date) -> int | None:
    """How old somebody is."""
    born = person.born_on
    if born is None:
        return None
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


# --- Visits and tasks -------------------------------------------------------------------------------------------------


def _visits(case: Case) -> list[VisitShown]:
    rows = read(_VISITS, {"case_id": case.id})
    return [
        VisitShown(
            id=row.id,
            purpose=PURPOSE_WORDS[Purpose(row.purpose)],
            place=PLACE_WORDS[Place(row.place)],
            starts_at=row.starts_at,
            ends_at=row.ends_at,
            officers=(),
            is_booked=row.status == VisitStatus.BOOKED,
            is_unsigned=row.status == VisitStatus.DONE and row.signed_off_at is None,
        )
        for row in rows
    ]


def _with_officers(visits: list[VisitShown]) -> tuple[VisitShown, ...]:
    if not visits:
        return ()
    names: dict[int | None, list[str]] = {}
    for visit_id, name in db.session.execute(
        select(VisitOfficer.visit_id, User.name)
        .join(User, User.id == VisitOfficer.officer_id)
        .where(VisitOfficer.visit_id.in_([visit.id for visit in visits]))
        .order_by(VisitOfficer.id)
    ):
        names.setdefault(visit_id, []).append(name)
    return tuple(
        VisitShown(
            id=visit.id,
            purpose=visit.purpose,
            place=visit.place,
            starts_at=visit.starts_at,
            ends_at=visit.ends_at,
            officers=tuple(names.get(visit.id, ())),
            is_booked=visit.is_booked,
            is_unsigned=visit.is_unsigned,
        )
        for visit in visits
    )


# --- Statements, built once -------------------------------------------------------------------------------------------

_CLOCK, _TASK = Deadline.__table__.c, Task.__table__.c
_DUE = union_all(
    select(
        _CLOCK.id,
        _CLOCK.rule,
        _CLOCK.subject,
        _CLOCK.about,
        _CLOCK.due_on,
        _CLOCK.turn,
        cast(null(), Integer).label("assigned_to_id"),
    ).where(_CLOCK.case_id == bindparam("case_id"), _CLOCK.stopped_on.is_(None)),
    select(
        _TASK.id,
        cast(null(), String),
        cast(null(), String),
        _TASK.title,
        _TASK.due_on,
        cast(null(), String),
        _TASK.assigned_to_id,
    ).where(_TASK.case_id == bindparam("case_id"), _TASK.done_at.is_(None)),
)
"""What is due on a case: its running clocks, and its open tasks (those have no rule)."""

_FACT = Fact.__table__.c
_FACTS = select(
    _FACT.id,
    _FACT.person_id,
    _FACT.key,
    _FACT.value_sealed,
    _FACT.row_key,
    _FACT.sensitivity,
    _FACT.source,
    _FACT.stated_on,
).where(_FACT.case_id == bindparam("case_id"), _FACT.replaced_at.is_(None))

_CONSENT = Consent.__table__.c
_CONSENTS = (
    select(_CONSENT.person_id, _CONSENT.channel, _CONSENT.given)
    .join(Person.__table__, Person.__table__.c.id == _CONSENT.person_id)
    .where(Person.__table__.c.household_id == bindparam("household_id"))
    .order_by(_CONSENT.recorded_at, _CONSENT.id)
)

_VISIT, _REPORT = Visit.__table__.c, VisitReport.__table__.c
_VISITS = (
    select(
        _VISIT.id,
        _VISIT.purpose,
        _VISIT.place,
        _VISIT.starts_at,
        _VISIT.ends_at,
        _VISIT.status,
        _REPORT.signed_off_at,
    )
    .outerjoin(VisitReport.__table__, _REPORT.visit_id == _VISIT.id)
    .where(_VISIT.case_id == bindparam("case_id"))
    .order_by(_VISIT.starts_at.desc(), _VISIT.id.desc())
    .limit(VISITS_READ)
)


def people_who_may_own() -> list[tuple[int, str]]:
    """Those who may be given a case: (id, name), by name."""
    rows = db.session.execute(
        select(User.id, User.name)
        .where(
            User.active,
            select(UserRole.user_id)
            .where(UserRole.user_id == User.id, UserRole.role.in_(sorted(OWNING_ROLES)))
            .exists(),
        )
        .order_by(User.name, User.id)
    )
    return [(row.id, row.name) for row in rows]
