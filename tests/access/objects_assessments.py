"""Households in assessment, on an agenda and before the decision maker, with their checks, people and meetings."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import flask
from sqlalchemy import select

from crm import policy
from crm.assessments import (
    course_places,
    course_planning,
    course_register,
    document_worker,
    documents,
    evidence,
    meetings,
    queries,
    referees,
    withdrawal,
)
from crm.assessments.course_planning import CoursePlan, SessionPlan
from crm.assessments.course_register import Mark
from crm.assessments.referee_models import Referee
from crm.cases.models import Case, Deadline
from crm.clock import now_utc, today_in_london
from crm.db import db, transaction
from crm.portal import signing_in
from crm.rules.preparation import How
from tests.access.world import World
from tests.assessments.journey import PANEL, PRIYA, SAM, Journey
from tests.factories import Cast
from tests.samples.pictures import SMALL_PNG

MISSING = "KF-000000"


def _journey(world: World) -> Journey:
    """A journey of today, on the panel that the world has once."""
    journey = Journey(world.cast, lambda _: now_utc())
    first = world.made.setdefault("_panel", {})
    if first:
        journey.panel, journey.second_manager = first["panel"], first["second_manager"]
        return journey
    journey.people()
    journey.panel["cast"] = world.cast.panel_member
    with transaction():
        meetings.put_on_central_list(
            user_id=world.cast.panel_member.id, seat="member", is_independent=True, is_qualifying_social_worker=False,
            background=None, actor=world.cast.panel_administrator.actor, now=now_utc(),
        )  # fmt: skip
    first["panel"], first["second_manager"] = journey.panel, journey.second_manager
    return journey


def _ready(world: World, relation: str) -> Journey:
    owner = world.cast.officer if relation == "own" else world.cast.other_officer
    journey = _journey(world)
    journey.invited(PRIYA, owner_id=owner.id)
    journey.applied().assessing().obtain_all().passed().stage_two(owner)
    session = journey.session(notes="We talked.", by=owner)
    journey.report(by=owner).shared().observed().ready()
    world.made[f"_of_stage_two_{journey.case.reference}"] = {"session_id": session.id}
    return journey


def _stage_two(world: World, journey: Journey) -> dict[str, Any]:
    """A session, a heading and what it rests on."""
    report = queries.report_of(queries.the_application(journey.case))
    assert report is not None
    row = evidence.evidence_of(report)[0]
    return {
        "evidence_id": row.id, "section": row.section, **world.made[f"_of_stage_two_{journey.case.reference}"],
    }  # fmt: skip


def _listed(world: World) -> dict[str, dict[str, Any]]:
    """Both on an agenda; the panel member of the cast sits at the meeting of the officer's own."""
    found: dict[str, dict[str, Any]] = {}
    with world.app.app_context():
        for relation in ("own", "other"):
            journey = _ready(world, relation)
            keys = tuple(key for key, *_ in PANEL[:5])
            day = journey.rulebook.calendar.add(today_in_london(), 20 if relation == "own" else 21)
            meeting = journey.meeting(day, (*keys, "cast") if relation == "own" else keys)
            journey.listed(meeting)
            pack = journey.papers_given()
            found[relation] = {
                "pack_id": pack.id,
                "reference": journey.case.reference,
                "meeting_id": meeting.id,
                "check_id": journey.checks()[0].id,
                "person_id": journey.case.household.people[0].id,
                **_referee(journey),
                **_document(journey),
                **_stage_two(world, journey),
                **_missed_clock(journey),
            }
        journey = _journey(world)
        journey.invited(PRIYA, owner_id=world.cast.officer.id)
        journey.applied().assessing().stage_two().evidence("personality")
        session = journey.session(notes="We talked.")
        world.made[f"_of_stage_two_{journey.case.reference}"] = {"session_id": session.id}
        found["closed"] = {
            "reference": journey.case.reference,
            "meeting_id": 999_998,
            "pack_id": 999_998,
            "check_id": journey.checks()[0].id,
            "person_id": journey.case.household.people[0].id,
            **_referee(journey),
            **_document(journey),
            **_stage_two(world, journey),
            **_missed_clock(journey),
        }
        journey.do(withdrawal.withdraw, journey.case, code="AW3", withdrawn_on=today_in_london(), by=world.cast.manager)
    found["missing"] = {
        "reference": MISSING, "meeting_id": 999_999, "check_id": 999_999, "person_id": 999_999, "referee_id": 999_999,
        "key": "x" * 22, "file_key": "x" * 22, "pack_id": 999_999,
        "session_id": 999_999, "evidence_id": 999_999, "section": "personality",
        "clock_id": 999_999,
    }  # fmt: skip
    return found


def _referee(journey: Journey) -> dict[str, Any]:
    """Somebody named, and a place for a referee that nobody has."""
    first, second = journey.check("referees"), journey.check("referees", number=2)
    named = journey.do(
        referees.name_referee,
        journey.case,
        first,
        referees.NewReferee(name="Grace Whitlock", relation="friend", email="grace.whitlock@example.org"),
        by=journey.cast.manager,
    )
    return {"referee_id": named.id, "place_id": second.id}


def _document(journey: Journey) -> dict[str, Any]:
    """A photo of a tenancy agreement, taken in by staff and found clean."""
    line = documents.line_of(journey.case, "home", today=today_in_london())
    files = documents.take_each([SMALL_PNG])
    version = journey.do(documents.hand_in, journey.case, line, files, by=journey.cast.manager)
    while document_worker.scan_next(now_utc(), by=lambda _content: None):
        pass
    return {"key": version.document.public_id, "file_key": version.pages[0].public_id}


def _missed_clock(journey: Journey) -> dict[str, Any]:
    """A household that was told a decision three weeks late."""
    today = today_in_london()
    with transaction():
        clock = Deadline(
            case_id=journey.case.id, rule="oral_notice", edition="1", counted_from_on=today - timedelta(days=30),
            due_on=today - timedelta(days=28), stopped_on=today - timedelta(days=7), stopped_how="met", turn="service",
        )  # fmt: skip
        db.session.add(clock)
        db.session.flush()
        return {"clock_id": clock.id}


def _some(world: World, *names: str) -> dict[str, dict[str, Any]]:
    if "_listed" not in world.made:
        world.made["_listed"] = _listed(world)
    return {relation: {name: values[name] for name in names} for relation, values in world.made["_listed"].items()}


def with_couple(app: flask.Flask, cast: Cast) -> Cast:
    """The cast with two applicants who are invited to apply, so that there is something of theirs to open."""
    with app.app_context():
        journey = Journey(cast, lambda _: now_utc())
        first, second = journey.invited(PRIYA, SAM, owner_id=cast.officer.id).case.household.people
        return replace(
            cast,
            applicant=replace(cast.applicant, person_id=first.id),
            partner=replace(cast.partner, person_id=second.id),
        )


def own_document(world: World) -> dict[str, dict[str, Any]]:
    return {"own": {"key": "home"}, "missing": {"key": "nothing"}}


def document_of_case(world: World) -> dict[str, dict[str, Any]]:
    return _some(world, "reference", "key", "file_key")


def application_part(world: World) -> dict[str, dict[str, Any]]:
    return {"own": {"name": "health"}, "missing": {"name": "nothing"}}


def sign_in_page(world: World) -> dict[str, dict[str, Any]]:
    with world.writing():
        token = signing_in.ask_for_code(None, now=now_utc())
    return {"own": {"token": token}, "missing": {"token": "x" * 43}}


def assessed_case(world: World) -> dict[str, dict[str, Any]]:
    return _some(world, "reference")


def panel_pack(world: World) -> dict[str, dict[str, Any]]:
    """Withdrawn, a household was on no agenda here, so it has none."""
    return {key: values for key, values in _some(world, "reference", "pack_id").items() if key != "closed"}


def assessed_report(world: World) -> dict[str, dict[str, Any]]:
    """Those whose report is countersigned."""
    return {relation: values for relation, values in assessed_case(world).items() if relation != "closed"}


def check_of_case(world: World) -> dict[str, dict[str, Any]]:
    return _some(world, "reference", "check_id")


def session_of_case(world: World) -> dict[str, dict[str, Any]]:
    return _some(world, "reference", "session_id")


def heading_of_case(world: World) -> dict[str, dict[str, Any]]:
    return _some(world, "reference", "section")


def evidence_of_case(world: World) -> dict[str, dict[str, Any]]:
    return _some(world, "reference", "evidence_id")


def missed_clock_of_case(world: World) -> dict[str, dict[str, Any]]:
    return _some(world, "reference", "clock_id")


def referee_of_case(world: World) -> dict[str, dict[str, Any]]:
    return _some(world, "reference", "referee_id")


def referee_check_of_case(world: World) -> dict[str, dict[str, Any]]:
    found = {relation: dict(values) for relation, values in check_of_case(world).items()}
    for relation, values in found.items():
        values["check_id"] = world.made["_listed"][relation].get("place_id", values["check_id"])
    return found


def reference_link(world: World) -> dict[str, dict[str, Any]]:
    """The link of somebody who was asked and has said yes; its pages are asked with the first topic."""
    with world.app.app_context():
        journey = _journey(world)
        journey.invited(PRIYA, owner_id=world.cast.officer.id)
        journey.applied().assessing()
        named = db.session.get_one(Referee, _referee(journey)["referee_id"])
        journey.do(referees.ask_referee, journey.case, named, by=world.cast.officer)
        assert named.serial is not None
        token = referees.token_of(named)
        with transaction():
            today = today_in_london()
            referees.choose(
                referees.opened(token, now=now_utc()), "yes", now=now_utc(), today=today,
                rulebook=policy.rulebook_on(today),
            )  # fmt: skip
    return {"own": {"token": token, "step": "knowing"}, "missing": {"token": "x" * 32, "step": "knowing"}}


def assessed_person(world: World) -> dict[str, dict[str, Any]]:
    return _some(world, "reference", "person_id")


def panel_meeting(world: World) -> dict[str, dict[str, Any]]:
    return {relation: values for relation, values in _some(world, "meeting_id").items() if relation != "closed"}


def case_to_decide(world: World) -> dict[str, dict[str, Any]]:
    """Recommended today, with the decision maker today."""
    found: dict[str, dict[str, Any]] = {}
    with world.app.app_context():
        for relation in ("own", "other"):
            journey = _ready(world, relation)
            journey.listed(journey.meeting(today_in_london()), late_reason="A place became free today.")
            journey.recommended()
            journey.minutes()
            found[relation] = {"reference": journey.case.reference}
    return {**found, "missing": {"reference": MISSING}}


def approved_case(world: World) -> dict[str, dict[str, Any]]:
    """Recommended and approved today."""
    found: dict[str, dict[str, Any]] = {}
    with world.app.app_context():
        for relation in ("own", "other"):
            journey = _ready(world, relation)
            journey.listed(journey.meeting(today_in_london()), late_reason="A place became free today.")
            journey.recommended()
            journey.minutes().decided()
            found[relation] = {"reference": journey.case.reference}
    return {**found, "missing": {"reference": MISSING}}


def minutes_to_sign(world: World) -> dict[str, dict[str, Any]]:
    """Final minutes of today: the panel member of the cast chaired the officer's own, and sat at the other."""
    found: dict[str, dict[str, Any]] = {}
    with world.app.app_context():
        for relation, presides in (("own", "cast"), ("other", "chair")):
            journey = _ready(world, relation)
            keys = (*(key for key, *_ in PANEL[:5]), "cast")
            journey.listed(journey.meeting(today_in_london(), keys), late_reason="A place became free today.")
            item = journey.item()
            journey.do(
                meetings.record_attendance, journey.case, item,
                {member.user_id: "present" for member in item.meeting.members},
                presiding_id=journey.panel[presides].id, by=world.cast.panel_administrator, rulebook=False,
            )  # fmt: skip
            said = meetings.Recommended(recommendation="suitable", reasons="Open and warm.")
            journey.do(
                meetings.record_recommendation, journey.case, item, said, by=world.cast.panel_administrator
            )  # fmt: skip
            journey.minutes()
            found[relation] = {"item_id": queries.items_of(journey.case)[0].id}
    return {**found, "missing": {"item_id": 999_999}}


def _courses(world: World) -> dict[str, dict[str, Any]]:
    """Courses that both households went through last week, each run by their officer; and one each that is to come."""
    listed = assessed_person(world)
    found: dict[str, dict[str, Any]] = {}
    with world.writing():
        now, today = now_utc(), today_in_london()
        rulebook = policy.rulebook_on(today)
        manager = world.cast.manager.actor
        for relation, officer in (("own", world.cast.officer), ("other", world.cast.other_officer)):
            case = db.session.scalars(
                select(Case).where(Case.reference == listed[relation]["reference"])
            ).one()  # fmt: skip
            who = [person.id for person in case.household.people if person.is_applicant]
            made = {}
            for name, days in (("held", -7), ("ahead", 30), ("off", 60)):
                begins = now + timedelta(days=days)
                plan = CoursePlan(
                    name=f"Skills to Foster, {name}, {relation}", capacity=4, place="Kestrel House",
                    facilitator_ids=(officer.id,),
                    sessions=(SessionPlan(starts_at=begins, ends_at=begins + timedelta(hours=6)),),
                )  # fmt: skip
                before = begins - timedelta(days=40)
                made[name] = course_planning.plan_course(plan, actor=manager, now=before)
                if name != "off":
                    course_places.give_place(
                        made[name], case, person_ids=who, needs=None, actor=manager, now=before, today=today,
                        rulebook=rulebook,
                    )  # fmt: skip
            held = made["held"]
            course_register.mark_session(
                held, held.sessions[0].id, {who[0]: Mark(How.CAME)}, actor=officer.actor, now=now, today=today
            )
            certificate = course_register.issue_certificates(held, actor=officer.actor, now=now, today=today)[0]
            found[relation] = {
                "reference": case.reference, "course_id": held.id, "session_id": held.sessions[0].id,
                "certificate_id": certificate.id, "ahead": made["ahead"].id, "off": made["off"].id,
            }  # fmt: skip
    gone = dict.fromkeys(("course_id", "session_id", "certificate_id", "ahead", "off"), 999_999)
    return {**found, "missing": {"reference": MISSING, **gone}}


def _some_course(world: World, *names: str, course: str = "course_id") -> dict[str, dict[str, Any]]:
    if "_courses" not in world.made:
        world.made["_courses"] = _courses(world)
    return {
        relation: {"course_id": values[course], **{name: values[name] for name in names}}
        for relation, values in world.made["_courses"].items()
    }


def prep_course(world: World) -> dict[str, dict[str, Any]]:
    return _some_course(world, "reference", "session_id", "certificate_id")


def prep_course_ahead(world: World) -> dict[str, dict[str, Any]]:
    return _some_course(world, course="off")


def prep_course_place(world: World) -> dict[str, dict[str, Any]]:
    return _some_course(world, "reference", course="ahead")


OBJECTS = {
    "application_part": application_part,
    "own_document": own_document,
    "document_of_case": document_of_case,
    "sign_in_page": sign_in_page,
    "prep_course": prep_course,
    "prep_course_ahead": prep_course_ahead,
    "prep_course_place": prep_course_place,
    "assessed_case": assessed_case,
    "assessed_report": assessed_report,
    "panel_pack": panel_pack,
    "check_of_case": check_of_case,
    "assessed_person": assessed_person,
    "session_of_case": session_of_case,
    "heading_of_case": heading_of_case,
    "evidence_of_case": evidence_of_case,
    "missed_clock_of_case": missed_clock_of_case,
    "referee_of_case": referee_of_case,
    "referee_check_of_case": referee_check_of_case,
    "reference_link": reference_link,
    "panel_meeting": panel_meeting,
    "case_to_decide": case_to_decide,
    "minutes_to_sign": minutes_to_sign,
    "approved_case": approved_case,
}
