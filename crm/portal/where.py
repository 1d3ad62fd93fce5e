"""Where a household is, as it reads it itself: the steps of the whole way, whose turn it is, and the days used.

Never what a check found, nor that it found anything: only what was asked for and what has come.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from crm.access.models import User
from crm.access.queries import away_on, names_of
from crm.assessments import course_queries, documents, parts
from crm.assessments.models import Check
from crm.assessments.queries import Dossier, dossier_of, waiting_item
from crm.assessments.stage_two import observations_ends
from crm.clock import london_date
from crm.db import db
from crm.portal.me import Me
from crm.rules.application import PARTS
from crm.rules.stages import TrackName
from crm.rules.waiting import OnWhom, check_waits_for
from crm.visits.models import Purpose, Visit, VisitStatus
from crm.visits.queries import visits_of
from crm.web.filters import clock_time, day, day_year, many, names

CHECK_WORDS: dict[str, str] = {
    "identity": "who you are",
    "health_report": "the report of your medical",
    "other_adults": "the other adults at home",
    "children": "your children",
    "accommodation": "your home",
    "past_applications": "earlier requests to foster or adopt",
    "previous_service": "your last fostering service",
    "referees": "your referees",
    "dbs": "your police check (DBS)",
    "relationships": "your relationships",
    "previous_service_reference": "a reference from your last service",
    "referee_interviews": "talks with your referees",
    "local_authority_views": "a letter from your council",
    "medical_advice": "our medical adviser’s view",
    "home_safety": "the safety check of your home",
    "employer_reference": "a reference from your work",
    "former_partner_reference": "a talk with a former partner",
    "overseas_police": "a police check from abroad",
    "landlord_consent": "a letter from your landlord",
    "pets": "a look at your pets",
    "support_carer_dbs": "a check of whoever helps you",
}
"""What a check is called to the one whom it is about."""


DECIDED = ("approved", "qd_issued", "representations", "irm", "refused")


@dataclass(frozen=True)
class Step:
    """One step of the whole way. ``how`` is done, now, or empty for what is to come."""

    title: str
    words: str
    how: str = ""
    icon: str = "talk"
    when: str = ""


@dataclass(frozen=True)
class Turn:
    """Whose turn it is, and for what."""

    title: str
    things: tuple[str, ...]


@dataclass(frozen=True)
class Days:
    """How many of the days that the standard gives are used."""

    used: int
    of: int
    from_on: date
    until_on: date


@dataclass(frozen=True)
class Way:
    """The whole of it."""

    headline: str
    steps: tuple[Step, ...]
    yours: Turn | None
    ours: Turn | None
    others: Turn | None
    days: Days | None
    worker: str
    worker_away: str


def way_of(mine: Me) -> Way:
    """Work out what an applicant's first page shows. A fixed number of queries."""
    known = dossier_of(mine.case)
    visits = visits_of(mine.case)
    ours, others = _turns(mine, known)
    return Way(
        headline=_headline(mine, known),
        steps=tuple(_steps(mine, known, visits)),
        yours=_yours(mine, known),
        ours=ours,
        others=others,
        days=_days(mine, known),
        **_worker(mine, known),
    )


def _is_told(known: Dossier) -> bool:
    """Whether the household has had notice of the newest decision: nobody learns of it from a web page first."""
    newest = max(known.decisions, key=lambda one: one.id, default=None)
    return newest is not None and any(notice.decision_id == newest.id for notice in known.notices)


def _headline(mine: Me, known: Dossier) -> str:
    stages, partner = mine.case.stages, mine.partner
    you = f"You and {partner.given_name} are" if partner else "You are"
    application = stages.get(TrackName.APPLICATION)
    if application in DECIDED and not _is_told(known):
        application = "with_adm"
    said = {
        None: f"{you} invited to apply",
        "received": "We have your application",
        "in_assessment": f"{you} in the middle of the checks"
        if stages.get(TrackName.STAGE_ONE) in ("gathering", "complete")
        else f"{you} in the assessment",
        "with_panel": "Your report is with the panel",
        "with_adm": "Your decision is being made",
        "approved": f"{you} approved foster carers",
        "withdrawn": "Your application was withdrawn",
    }
    return said.get(application, "We have written to you")


def _yours(mine: Me, known: Dossier) -> Turn | None:
    things: list[str] = []
    to_send = documents.undone_for(mine.case, mine.person, today=mine.today)
    if parts.may_fill_in(mine.case):
        undone = parts.undone_for(mine.case, mine.person)
        things += [part.title for part in undone[:3]]
        if len(undone) > 3:
            things.append(f"and {len(undone) - 3} more, with no rush")
        count = len(undone)
        if not undone and not parts.has_signed(mine.case, mine.person):
            things, count = ["Sign your application"], 1
        if to_send:
            things, count = [*things, f"Send us {many(len(to_send), 'document')}"], count + 1
        return Turn(f"Your turn: {many(count, 'thing')}", tuple(things)) if count else None
    report = known.report
    if report is not None and report.shared_on and report.observations_received_on is None:
        by = observations_ends(report.shared_on, mine.rulebook)[0]
        if by >= mine.today:
            things.append(f"Read your report and tell us what you think, by {day(by)}")
    if to_send:
        things.append(f"Send us {many(len(to_send), 'document')}")
    return Turn(f"Your turn: {many(len(things), 'thing')}", tuple(things)) if things else None


def _turns(mine: Me, known: Dossier) -> tuple[Turn | None, Turn | None]:
    """What waits for us, and what waits for somebody else."""
    stages = mine.case.stages
    application = stages.get(TrackName.APPLICATION)
    ours: list[str] = []
    others: list[str] = []
    if application == "received":
        ours.append("A manager looks at your application and decides whether to go on")
    if application == "in_assessment":
        waiting = [check for check in known.needed_checks if check.received_on is None and _is_mine(mine, check)]
        waiting = [check for check in waiting if check.needed_from_on <= mine.today]
        for check in waiting:
            whose = check_waits_for(check.item, is_asked_for=check.requested_on is not None)
            words = CHECK_WORDS.get(check.item, check.what)
            (ours if whose is OnWhom.ASSESSOR else others).append(words)
        ours = [f"We see to {names(list(dict.fromkeys(ours)))}"] if ours else []
        if stages.get(TrackName.STAGE_ONE) == "complete":
            ours.append("We tell you in writing if we can’t go on. If you hear nothing, we go on")
    if application == "with_panel":
        ours.append("We prepare the panel meeting")
    if application == "with_adm":
        ours.append("Our decision maker reads everything and decides")
    if application is None and parts.has_signed(mine.case, mine.person):
        partner = mine.partner
        if partner is not None and not parts.has_signed(mine.case, partner):
            others.append(f"{partner.given_name} still has to sign")
    them = list(dict.fromkeys(others))
    return (
        Turn("Our turn", tuple(ours)) if ours else None,
        Turn("Somebody else’s turn", (f"{names(them)[0].upper()}{names(them)[1:]}",)) if them else None,
    )


def _is_mine(mine: Me, check: Check) -> bool:
    return check.person_id in (None, mine.person.id)


def _days(mine: Me, known: Dossier) -> Days | None:
    application = known.application
    if application is None or application.ended_on is not None:
        return None
    until = mine.rulebook.due_on("panel_recommendation", application.received_on)
    of = (until - application.received_on).days
    return Days(min(of, (mine.today - application.received_on).days), of, application.received_on, until)


def _worker(mine: Me, known: Dossier) -> dict[str, str]:
    """Whoever looks after the household; who helps while they are away."""
    user_id = next(iter(sorted(known.assessor_ids)), None) or mine.case.owner_id
    user = db.session.get(User, user_id) if user_id else None
    if user is None:
        return {"worker": "", "worker_away": ""}
    leave = away_on([user.id], mine.today).get(user.id)
    away = ""
    if leave is not None:
        cover = names_of([leave.cover_id]).get(leave.cover_id or 0, "")
        back = mine.rulebook.calendar.add(leave.last_on, 1)
        away = f"Away now, and back on {day(back)}." + (f" Until then, {cover} will help." if cover else "")
    return {"worker": user.name, "worker_away": away}


# --- The whole way ----------------------------------------------------------------------------------------------------


def _steps(mine: Me, known: Dossier, visits: list[Visit]) -> list[Step]:
    return [
        Step("Hello", f"Done. You got in touch on {day(london_date(mine.case.opened_at))}.", "done", "talk"),
        _first_visit(visits),
        _application(mine, known),
        _stage_one(mine, known),
        _stage_two(mine, known, visits),
        _training(mine),
        _panel(mine, known),
        _decision(mine, known),
    ]


def _first_visit(visits: list[Visit]) -> Step:
    first = [visit for visit in visits if visit.purpose == Purpose.FIRST_VISIT]
    held = next((visit for visit in first if visit.status == VisitStatus.DONE), None)
    if held is not None:
        return Step("First visit", f"Done. We met on {day(london_date(held.starts_at))}.", "done", "home")
    booked = next((visit for visit in first if visit.status == VisitStatus.BOOKED), None)
    if booked is not None:
        return Step("First visit", f"On {day(booked.starts_at)}, {clock_time(booked.starts_at)}.", "now", "home")
    return Step("First visit", "Done.", "done", "home")


def _application(mine: Me, known: Dossier) -> Step:
    if known.application is not None:
        return Step("Your application", f"Done. We got it on {day(known.application.received_on)}.", "done", "page")
    undone = parts.undone_for(mine.case, mine.person)
    count = len(PARTS)
    words = f"{count - len(undone)} of {count} parts are done. The clock starts when all of you have signed."
    return Step("Your application", words, "now", "page", "You are here")


def _stage_one(mine: Me, known: Dossier) -> Step:
    stage = mine.case.stages.get(TrackName.STAGE_ONE)
    title = "Checks and references"
    if stage is None:
        return Step(title, "Police, health, referees, councils. We ask them; it takes about two months.", "", "page")
    if stage == "passed":
        return Step(title, "Done.", "done", "page")
    if stage == "refused":
        return Step(title, "We have written to you.", "done", "page")
    theirs = [check for check in known.needed_checks if _is_mine(mine, check) and check.needed_from_on <= mine.today]
    have = sum(1 for check in theirs if check.received_on is not None)
    words = f"{have} of {len(theirs)} things are in. "
    words += (
        "When the last one comes, we have 10 working days to tell you if we can’t go on."
        if stage == "gathering"
        else "If we can’t go on, we write to you within 10 working days."
    )
    return Step(title, words, "now", "page", "You are here")


def _stage_two(mine: Me, known: Dossier, visits: list[Visit]) -> Step:
    stage = mine.case.stages.get(TrackName.STAGE_TWO)
    title = "Getting to know you"
    if stage is None:
        return Step(title, "Six to eight talks at home, and a report that you read first.", "", "talk")
    if stage == "ready_for_panel":
        return Step(title, "Done. You have read your report.", "done", "talk")
    if stage == "report_shared":
        return Step(title, "Your report is with you. You can add to it before the panel reads it.", "now", "talk",
                    "You are here")  # fmt: skip
    talks = [visit for visit in visits if visit.purpose == Purpose.STAGE_TWO_SESSION]
    held = sum(1 for visit in talks if visit.status == VisitStatus.DONE)
    ahead = sorted(
        (visit for visit in talks if visit.status == VisitStatus.BOOKED and visit.starts_at > mine.now),
        key=lambda visit: visit.starts_at,
    )
    words = f"{many(held, 'talk')} done."
    if ahead:
        words += f" The next is on {day(ahead[0].starts_at)}, {clock_time(ahead[0].starts_at)}."
    beside = mine.case.stages.get(TrackName.STAGE_ONE) in ("gathering", "complete")
    when = "Started. It runs side by side with the checks" if beside else "You are here"
    return Step(title, words, "now", "talk", when)


def _training(mine: Me) -> Step:
    courses = course_queries.preparation_of(mine.case)
    prepared = course_queries.prepared(mine.case, courses, now=mine.now)
    own = next((one for one in prepared if one.person.id == mine.person.id), None)
    if own is None:
        return Step("Training: Skills to Foster", "A course before the panel.", "", "talk")
    return Step("Training: Skills to Foster", f"{own.words}.", "done" if own.state == "ok" else "", "talk")


def _panel(mine: Me, known: Dossier) -> Step:
    item = waiting_item(known.items)
    if item is not None:
        how = "now" if mine.case.stages.get(TrackName.APPLICATION) == "with_panel" else ""
        return Step("Panel", f"On {day_year(item.meeting.meets_on)}. You can come.", how, "people")
    done = next((one for one in known.items if one.outcome == "recommended"), None)
    if done is not None:
        return Step("Panel", f"Done. It met on {day_year(done.meeting.meets_on)}.", "done", "people")
    return Step("Panel", "You read your report first, and can add to it.", "", "people")


def _decision(mine: Me, known: Dossier) -> Step:
    stage = mine.case.stages.get(TrackName.APPLICATION)
    if stage in DECIDED and not _is_told(known):
        stage = "with_adm"
    if stage == "approved":
        return Step("The decision", "You are approved. Welcome.", "done", "home")
    if stage in DECIDED or stage == "stage_one_refused":
        return Step("The decision", "We have written to you.", "now", "home")
    if known.application is not None and known.application.ended_on is None:
        until = mine.rulebook.due_on("panel_recommendation", known.application.received_on)
        words = f"Soon after the panel, which should be by {day_year(until)}."
        return Step("The decision", words, "now" if stage == "with_adm" else "", "home")
    return Step("The decision", "Within 8 months of your application.", "", "home")
