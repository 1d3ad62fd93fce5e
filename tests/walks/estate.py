"""A service in the middle of its work: a household at every point of the journey, each with words of its own, so that
every form of the product has a page where it stands and every leak has a word to be known by.

Made once for many walks, on Tuesday 14 July 2026 at four in the afternoon.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

import flask
import sqlalchemy as sa

from crm import policy
from crm.access import app_passwords, links, people
from crm.access.envelopes import new_key_pair
from crm.access.leave import note_leave
from crm.access.models import User
from crm.assessments import (
    answers,
    checks,
    course_places,
    course_planning,
    course_register,
    document_worker,
    documents,
    meetings,
    minutes_signing,
    queries,
    referees,
    stage_two,
    withdrawal,
)
from crm.assessments.course_models import CourseSession, PrepCourse
from crm.assessments.course_planning import CoursePlan, SessionPlan
from crm.assessments.course_register import Mark, Seen
from crm.assessments.household import NewMember
from crm.assessments.models import REPORT_SECTIONS
from crm.assessments.part_models import ApplicationPart
from crm.assessments.referee_models import Referee
from crm.assessments.referee_questions import QUESTIONS
from crm.assessments.referees import NewReferee
from crm.assessments.terms import Terms
from crm.calendars import busy_calendars, feeds
from crm.calendars.invitations import objects_of_visit
from crm.calendars.itip import Answer
from crm.cases import breaches, contact, contact_links, replies
from crm.cases.campaigns import create_campaign
from crm.cases.facts import state_fact
from crm.cases.merge_choices import MergeChoices
from crm.cases.merge_requests import merge_or_ask
from crm.cases.models import Case, Channel, LikenessPair, OtherName, PairState, Person, PersonRole
from crm.cases.open_case import NewPerson
from crm.cases.tasks import add_task, complete_task
from crm.clock import LONDON, now_utc, today_in_london
from crm.db import db, transaction
from crm.delivery import Channel as PostChannel
from crm.delivery import MessageStatus, OutboundMessage
from crm.delivery.queries import email_parts
from crm.enquiries import drafts, intake, mailings, submitting, triage
from crm.enquiries.list_exports import ALONE_UP_TO, ask_for_export
from crm.enquiries.mailing_readers import people_on_list
from crm.enquiries.models import MailingPurpose, MailingStep
from crm.enquiries.saved_views import save_view
from crm.events import kit
from crm.events.attendance import check_in, walk_in
from crm.events.kit_entries import NotTaken, keep_aside
from crm.events.kit_models import AsideReason, KitAside
from crm.events.models import EventKind
from crm.events.places import NewSignUp, cancel_sign_up, sign_up
from crm.events.planning import create_event
from crm.events.publishing import publish
from crm.events.sheet_import import keep_upload, start_loading
from crm.events.sheet_loading import load_chunk
from crm.policy import changing
from crm.portal import signing_in, visit_views
from crm.rules.application import PARTS
from crm.rules.permissions import PUBLIC, Sensitivity
from crm.rules.preparation import How
from crm.rules.travel import Centre
from crm.visits import choosing, holds, hours
from crm.visits.districts import keep_centres
from crm.visits.models import BusyKind, Place, Purpose, Visit, VisitAnswer
from tests.access.objects_visits import lay_aside
from tests.assessments.journey import Journey
from tests.calendars.programs import put_event
from tests.case_factory import make_case
from tests.factories import Cast, Member, make_cast, make_user
from tests.journeys.begun import Calendar
from tests.samples.pictures import SMALL_PNG
from tests.visits.conftest import Verbs, at

TODAY = "2026-07-14"
NOW = f"{TODAY} 16:00"
SHEET = b"Name,Phone,Email\nKofi Mensah,07700 900745,\nEfua Boateng,07700 900745,\nNobody,,\n"
CLOSELY_HELD = ("dbs", "medical", "reference", "offence")
OF_STAGE_TWO = ("session", "evidence", "opinion")
KINDS = ("name", "address", *CLOSELY_HELD, *OF_STAGE_TWO, "note")
"""The kinds of thing that a household's words are about."""


COUPLES = ("invited", "gathering", "listed")


def word(kind: str, household: str) -> str:
    """The word of one kind by which one household is known: it stands nowhere else, and begins no other."""
    return f"Zq{kind}{''.join(part.capitalize() for part in household.split('_'))}Qz"


@dataclass
class Home:
    """One household of the estate, by plain values that outlive any session."""

    key: str
    owner: str
    reference: str = ""
    case_id: int = 0
    values: dict[str, Any] = field(default_factory=dict)
    """What else stands in addresses about it: visit_id, check_id, letter_id, meeting_id, person_id."""

    def word(self, kind: str) -> str:
        return word(kind, self.key)


@dataclass
class Estate:
    """``estate.homes["listed"].reference``; ``estate.things`` holds what belongs to no household."""

    cast: Cast
    members: dict[str, Member] = field(default_factory=dict)
    homes: dict[str, Home] = field(default_factory=dict)
    things: dict[str, int] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)

    def home_of(self, reference: str) -> Home:
        return next(home for home in self.homes.values() if home.reference == reference)


class Builder:
    """Makes the estate, one household after the other, by the operations that people use."""

    def __init__(self) -> None:
        self.clock = Calendar()
        self.clock("2026-03-02 09:00")
        with transaction():
            cast = make_cast()
            policy.ensure_defaults(now=now_utc())
        self.estate = Estate(cast)
        self.cast = cast
        self.first = Journey(cast, self.clock).people()
        self.verbs = Verbs(cast)
        self.serial = 0
        self.journeys: dict[str, Journey] = {}

    # --- people

    def person(self, key: str, *, by_post: bool = False, role: PersonRole = PersonRole.APPLICANT_1) -> NewPerson:
        self.serial += 1
        return NewPerson(
            given_name=f"Given{self.serial}", family_name=word("name", key), role=role,
            email=None if by_post else f"{word('name', key).lower()}{self.serial}@example.org",
            phone=f"07700 900{self.serial:03d}",
        )  # fmt: skip

    def keep(self, key: str, case: Case, owner: Member, **values: Any) -> Home:
        """Write down where a household is, and give it facts of every kind."""
        home = self.estate.homes.setdefault(key, Home(key, owner.key))
        home.reference, home.case_id = case.reference, case.id
        first = case.household.people[0]
        with transaction():
            case = db.session.get_one(Case, home.case_id)
            stating = {"source": "First talk", "stated_on": today_in_london(), "actor": self.cast.manager.actor}
            for kind, fact, person in (
                ("offence", "offences", first.id), ("medical", "health", first.id), ("note", "motivation", None),
            ):  # fmt: skip
                state_fact(case, key=fact, value=home.word(kind), person_id=person, now=now_utc(), **stating)
            contact.add_note(
                case, text=home.word("reference"), kind="note", sensitivity=Sensitivity.REFERENCE,
                actor=self.cast.manager.actor, now=now_utc(),
            )  # fmt: skip
        letter = db.session.scalars(
            sa.select(OutboundMessage.id).where(OutboundMessage.case_id == home.case_id).order_by(OutboundMessage.id)
        ).first()
        home.values |= {"person_id": first.id, **({"letter_id": letter} if letter else {}), **values}
        db.session.rollback()
        return home

    # --- enquiries

    def enquiry(self, key: str, *, stage: str = "new", owner: Member | None = None, by_post: bool = False) -> Case:
        owner = owner or self.cast.officer
        with transaction():
            case = make_case(
                self.cast, stage=stage, owner=owner, people=[self.person(key, by_post=by_post)],
                address=f"{self.serial} {word('address', key)} Road", said=word("note", key), channel=Channel.WEB,
            )  # fmt: skip
        self.keep(key, case, owner)
        return case

    def enquiries(self) -> None:
        other = self.cast.other_officer
        self.enquiry("new")
        self.enquiry("other_new", owner=other)
        self.enquiry("by_post", by_post=True)
        self.enquiry("other_by_post", owner=other, by_post=True)
        self.enquiry("contacted", stage="contacted")
        self.enquiry("other_contacted", stage="contacted", owner=other)
        self.enquiry("not_now", stage="not_now")
        self.enquiry("closed", stage="closed")
        self.enquiry("other_closed", stage="closed", owner=other)
        self.unanswered()

    def unanswered(self) -> None:
        """Tried twice without an answer: a manager is asked to agree to close it."""
        case = self.enquiry("unanswered")
        given: dict[str, Any] = {"today": today_in_london(), "rulebook": policy.rulebook_on(today_in_london())}
        with transaction():
            case = db.session.get_one(Case, case.id)
            for hours in (0, 9):
                contact.log_attempt(
                    case, case.household.people[0], how="no_answer", note=None, actor=self.cast.officer.actor,
                    now=now_utc() + timedelta(hours=hours), **given,
                )  # fmt: skip
            triage.ask_to_close(
                case, words="", write_to_them=True, actor=self.cast.recruiter.actor, now=now_utc(), **given
            )

    # --- visits

    def visit(self, key: str, when: str, officer: Member | None = None) -> Visit:
        officer = officer or self.cast.officer
        case = self.enquiry(key, stage="contacted", owner=officer)
        visit = self.verbs.book(db.session.get_one(Case, case.id), when, officer)
        self.estate.homes[key].values["visit_id"] = visit.id
        return visit

    def visits(self) -> None:
        self.visit("visit_ahead", "2026-07-21 10:00")
        self.visit("other_visit", "2026-07-21 10:00", self.cast.other_officer)
        held = self.visit("visit_held", "2026-07-14 09:00")
        written = self.visit("visit_written", "2026-07-14 11:30")
        self.visit("visit_today", "2026-07-14 14:30")
        self.clock(NOW)
        self.verbs.hold(held)
        self.verbs.hold(written)
        self.verbs.write_up(written)
        home = self.estate.homes["contacted"]
        with transaction():
            hold = holds.hold_slot(
                db.session.get_one(Case, home.case_id),
                **self.verbs.given(
                    purpose=Purpose.FIRST_VISIT, place=Place.HOME, starts_at=at("2026-07-23 14:00"), length_minutes=90,
                    officer_ids=[self.cast.officer.id], actor=self.cast.officer.actor,
                ),
            )  # fmt: skip
            keep_centres({"BR1": Centre(51.412, 0.022), "SE6": Centre(51.437, -0.016)})
        home.values["hold_id"] = hold.id
        with transaction():
            lay_aside(held, self.cast.officer)
        self.own_links(home)
        self.another_time_asked_for()

    def own_links(self, home: Home) -> None:
        """A household that is asked to choose a time, and one whose invitation has a link to its visit."""
        case = db.session.get_one(Case, home.case_id)
        with transaction():
            offer = choosing.send_offer(
                case, **self.verbs.given(
                    purpose=Purpose.FIRST_VISIT, place=Place.HOME, length_minutes=90,
                    officer_ids=[self.cast.officer.id], actor=self.cast.officer.actor,
                ),
            )  # fmt: skip
            home.values["offer_id"] = offer.id
            self.estate.secrets["visit"] = self.link_in(case, "visit_choose")
            ahead = db.session.get_one(Case, self.estate.homes["visit_ahead"].case_id)
            self.estate.secrets["booked_visit"] = self.link_in(ahead, "visit_invitation")
            self.estate.things["time_on_offer"] = visit_views.time_value(offer.id, at("2026-07-24 14:00"))

    def link_in(self, case: Case, kind: str) -> str:
        """The secret of the link to its visit in the newest letter of a kind to a household."""
        letter = db.session.scalars(
            sa.select(OutboundMessage)
            .where(OutboundMessage.case_id == case.id, OutboundMessage.kind == kind)
            .order_by(OutboundMessage.id.desc())
        ).first()
        assert letter is not None
        found = re.search(r"/visit/([A-Za-z0-9_-]{32})", email_parts(letter).text)
        assert found is not None
        return found[1]

    def another_time_asked_for(self) -> None:
        """The household of the visit ahead asks for another time in their calendar."""
        values = self.estate.homes["visit_ahead"].values
        with transaction():
            visit = db.session.get_one(Visit, values["visit_id"])
            event = next(one for one in objects_of_visit(visit.id) if one.person_id is not None)
            asked = VisitAnswer(
                visit_id=visit.id, calendar_object_id=event.id, answer=Answer.COUNTER, sequence=visit.sequence,
                stamp_at=now_utc(), received_at=now_utc(), proposed_from_at=visit.starts_at + timedelta(days=1),
                proposed_until_at=visit.ends_at + timedelta(days=1),
            )  # fmt: skip
            asked.words = word("words", "visit_ahead")
            db.session.add(asked)
            db.session.flush()
            values["answer_id"] = asked.id

    # --- assessments

    def journey(self, key: str, owner: Member | None = None, *, by_post: bool = False) -> Journey:
        """A household that has been invited to apply."""
        owner = owner or self.cast.officer
        made = Journey(self.cast, self.clock)
        made.panel, made.second_manager = self.first.panel, self.first.second_manager
        people = [self.person(key, by_post=by_post)]
        if key in COUPLES:
            people.append(self.person(key, by_post=by_post, role=PersonRole.APPLICANT_2))
        made.invited(*people, owner_id=owner.id, address=f"{self.serial} {word('address', key)} Road")
        self.keep(key, made.case, owner)
        self.journeys[key] = made
        return made

    def in_assessment(self, key: str, owner: Member | None = None, **more: Any) -> Journey:
        grown_up = NewMember(
            given_name="Kezia", family_name=word("name", key), role=PersonRole.HOUSEHOLD_ADULT, born_on=date(2000, 5, 5)
        )
        made = self.journey(key, owner, **more).applied(members=(grown_up,)).assessing()
        self._checks_with_words(key, made)
        return made

    def _checks_with_words(self, key: str, made: Journey) -> None:
        for item, kind in (("dbs", "dbs"), ("health_report", "medical"), ("referee_interviews", "reference")):
            check = made.check(item)
            more = {"result": "discussed"} if item != "referee_interviews" else {}
            made.obtain(check, outcome=word(kind, key), **more)
        waiting = next(one for one in made.checks() if not one.is_obtained)
        made.do(checks.ask_for_check, made.case, waiting, requested_on=made.today, by=self.cast.manager)
        self.estate.homes[key].values["check_id"] = waiting.id
        grown_up = next(one for one in made.case.household.people if one.given_name == "Kezia")
        self.estate.homes[key].values |= {
            "dbs_id": made.check("dbs").id, "medical_id": made.check("health_report").id,
            "reference_id": made.check("referee_interviews").id, "adult_id": grown_up.id,
        }  # fmt: skip

    def referee(self, made: Journey, person: str | None = None, number: int = 1, *, asks: bool = True) -> Referee:
        """Somebody who speaks for an applicant, and was asked."""
        self.serial += 1
        new = NewReferee(
            name=f"Grace Whitlock{self.serial}", relation="friend", email=f"grace{self.serial}@example.org",
            phone=f"07700 90{self.serial:04d}", known_since=2012,
        )  # fmt: skip
        place = made.check("referees", person, number)
        named: Referee = made.do(referees.name_referee, made.case, place, new, by=self.cast.manager)
        if asks:
            made.do(referees.ask_referee, made.case, named, by=self.cast.manager)
        return named

    def referees(self) -> None:
        """Of the couple: one who wrote, one whose answers are all there and not sent, one who has opened nothing. And
        one who is only named."""
        made = self.journeys["gathering"]
        owner, partner = (one.given_name for one in made.case.household.people if one.is_applicant)
        values = self.estate.homes["gathering"].values
        wrote, begun, asked = (
            self.referee(made, person, number) for person, number in ((owner, 2), (partner, 1), (partner, 2))
        )
        values |= {"referee_id": wrote.id, "asked_id": asked.id, "place_id": made.check("referees", owner).id}
        for referee in (wrote, begun):
            answers = {
                question.key: question.choices[-1][0] if question.choices else word("reference", "gathering")
                for question in QUESTIONS
            } | {"known_since": "2012", "share": "no"}
            with transaction():
                given = {"now": now_utc(), "today": today_in_london(), "rulebook": made.rulebook}
                found = referees.opened(referees.token_of(db.session.get_one(Referee, referee.id)), now=now_utc())
                referees.choose(found, "yes", **given)
                referees.save_draft(found, answers, step="check", now=now_utc())
                if referee is wrote:
                    referees.submit(found, **given)
        made.do(
            referees.book_interview, made.case, db.session.get_one(Referee, asked.id), how="phone",
            booked_for=now_utc() + timedelta(days=60), by=self.cast.officer,
        )  # fmt: skip
        self.estate.secrets |= {
            "reference": referees.token_of(db.session.get_one(Referee, asked.id)),
            "reference_begun": referees.token_of(db.session.get_one(Referee, begun.id)),
        }
        single = self.journeys["other_gathering"]
        named = self.referee(single, number=2, asks=False)
        self.estate.homes["other_gathering"].values["referee_id"] = named.id

    def documents(self, key: str) -> None:
        """Two of an applicant: one that was sent back and came again, and one that is asked for in words of our own."""
        made = self.journeys[key]
        person = next(one for one in made.case.household.people if one.is_applicant)
        given: dict[str, Any] = {"by": self.cast.manager}
        for kind in ("identity", "other"):
            line = documents.line_of(made.case, f"{kind}-{person.id}", today=made.today)
            words = word("note", key) if kind == "other" else None
            version = made.do(
                documents.hand_in, made.case, line, documents.take_each([SMALL_PNG]), words=words, **given
            )
            document = version.document
            made.do(documents.send_back, made.case, document, word("note", key), seen=1, **given)
            if kind == "identity":
                again = documents.line_of(made.case, document.public_id, today=made.today)
                version = made.do(documents.hand_in, made.case, again, documents.take_each([SMALL_PNG]), **given)
                self.estate.homes[key].values |= {
                    "document_key": document.public_id, "document_file": version.pages[0].public_id,
                }  # fmt: skip
        while document_worker.scan_next(now_utc(), by=lambda _content: None):
            pass

    def ready(self, key: str, owner: Member | None = None, **more: Any) -> Journey:
        assessor = owner or self.cast.officer
        made = self.in_assessment(key, owner, **more).obtain_all().passed().stage_two(assessor)
        talk = made.session(notes=word("session", key), by=assessor)
        for heading, source, kind in (
            ("personality", f"session:{talk.id}", "evidence"),
            ("caring", f"check:{made.check('referee_interviews').id}", "reference"),
            ("suitability", f"check:{made.check('dbs').id}", "dbs"),
        ):
            made.evidence(heading, source=source, words=word(kind, key), by=assessor)
        self.estate.homes[key].values["session_id"] = talk.id
        made.looked_at_from_outside(word("opinion", key))
        return made.report(by=assessor).shared().observed().ready()

    def assessments(self) -> None:
        other = self.cast.other_officer
        self.clock("2026-03-09 10:00")
        couple = [person for person in self.journey("invited").case.household.people if person.is_applicant]
        self.estate.cast = replace(
            self.cast,
            applicant=replace(self.cast.applicant, person_id=couple[0].id),
            partner=replace(self.cast.partner, person_id=couple[1].id),
        )
        self.estate.things["applicant_id"] = couple[0].id
        # The partner has only to sign.
        with transaction():
            for part in PARTS:
                theirs = {"shared_name": part.name} if part.is_shared else {"person_id": couple[1].id}
                row = ApplicationPart(
                    case_id=self.journeys["invited"].case.id, name=part.name, sensitivity=part.sensitivity,
                    state="done", saved_at=now_utc(), done_at=now_utc(), saved_by_id=couple[1].id, **theirs,
                )  # fmt: skip
                row.answers = "{}"
                db.session.add(row)
        self.journey("applied").applied()
        self.in_assessment("gathering")
        self.in_assessment("other_gathering", other)
        self.in_assessment("withdrawn")
        self.in_assessment("stage_one_done").obtain_all()
        self.in_assessment("writing").stage_two()
        self.written(self.in_assessment("written").stage_two())
        self.in_assessment("to_share").stage_two().report()
        self.in_assessment("shared").stage_two().report().shared()
        self.in_assessment("observed").obtain_all().passed().stage_two().report().shared().observed()
        self.ready("ready")
        self.ready("other_ready", other)

    def written(self, made: Journey) -> None:
        """A report that nobody has countersigned."""
        made.do(
            stage_two.save_report, made.case, kind="full", terms=Terms(children=2, youngest=4, oldest=11),
            sections=dict.fromkeys(REPORT_SECTIONS, "About them."), by=self.cast.officer,
        )  # fmt: skip
        made.evidence()
        held, planned = made.session(notes=word("note", "written")), made.session("caring")
        self.estate.homes["written"].values |= {"session_id": held.id, "planned_id": planned.id}

    # --- panel and after

    def meeting(self, day: str, *more: str) -> Any:
        return self.first.meeting(day, (*tuple(self.first.panel)[:5], *more))

    def heard(self, key: str, recommendation: str, **more: Any) -> Journey:
        """A household that panel dealt with on Monday 6 July, before the decision maker today."""
        made = self.ready(key, **more)
        made.listed(self.past)
        self.clock("2026-07-06 12:00")
        made.recommended(recommendation)
        self.estate.homes[key].values["meeting_id"] = self.past.id
        return made

    def panels(self) -> None:
        other = self.cast.other_officer
        self.clock("2026-05-11 10:00")
        self.put_cast_on_central_list()
        self.past, self.today = self.meeting("2026-07-06", "cast"), self.meeting(TODAY, "cast")
        self.ahead, self.without = self.meeting("2026-08-11", "cast"), self.meeting("2026-08-12")
        for key, meeting, owner in (
            ("listed_today", self.today, None), ("listed", self.ahead, None), ("other_listed", self.without, other),
        ):  # fmt: skip
            made = self.ready(key, owner)
            made.listed(meeting)
            self.estate.homes[key].values["meeting_id"] = meeting.id
            if key != "other_listed":
                pack = made.papers_given() if key == "listed" else made.papers_made()
                self.estate.homes[key].values["pack_id"] = pack.id
        self.documents("gathering")
        self.documents("other_listed")
        for key, recommendation, more in (
            ("recommended", "suitable", {}),
            ("to_decide", "suitable", {}),
            ("approved", "suitable", {}),
            ("approved_by_post", "suitable", {"by_post": True}),
            ("proposed_no", "not_suitable", {}),
            ("at_irm", "not_suitable", {}),
        ):
            self.clock("2026-05-11 10:00")
            made = self.heard(key, recommendation, **more)
            if key != "recommended":
                made.minutes()
                self.estate.homes[key].values["item_id"] = queries.items_of(made.case)[0].id
            self.clock("2026-07-08 10:00")
            if key.startswith("approved"):
                made.decided()
            if key in ("proposed_no", "at_irm"):
                made.decided("propose_no")
                made.written()
            if key == "approved_by_post":
                made.told().written("post")
            if key == "at_irm":
                made.do(
                    answers.receive_answer, made.case, kind="irm", received_on=made.today, said="We ask for a review.",
                    by=self.cast.panel_administrator,
                )  # fmt: skip
            self._newest_letter(key)
        self.clock("2026-07-09 10:00")
        # The chair signed one household's minutes, asked for another's to be put right, and they were; a third waits.
        by, chair = self.cast.panel_administrator, self.first.panel["chair"]
        made = self.journeys["proposed_no"]
        item = queries.items_of(made.case)[0]
        made.do(
            minutes_signing.sign_minutes, item, read=minutes_signing.digest_of_minutes(item.minutes or ""), by=chair,
            rulebook=False,
        )  # fmt: skip
        made = self.journeys["approved"]
        made.do(
            minutes_signing.ask_for_correction, queries.items_of(made.case)[0], words="They saw the garden too.",
            by=chair,
        )  # fmt: skip
        made.do(minutes_signing.put_right, made.case, minutes="The panel talked about their garden.", by=by)
        self.clock(NOW)
        made = self.journeys["listed_today"]
        made.everyone_here(made.item())
        withdrawn = self.journeys["withdrawn"]
        withdrawn.do(
            withdrawal.withdraw, withdrawn.case, code="AW3", withdrawn_on=withdrawn.today, by=self.cast.manager
        )

    def missed(self) -> None:
        """A Stage 1 decision that is late and nobody said why, and late papers with the reason."""
        for key, rule in (("stage_one_done", "stage_one_decision"), ("listed_today", "panel_papers")):
            made = self.journeys[key]
            clock = next(one for one in breaches.missed_of(made.case, today=made.today) if one.rule == rule)
            self.estate.homes[key].values["clock_id"] = clock.id
            if key == "listed_today":
                made.do(
                    breaches.give_reason, made.case, clock, code="other", words=word("words", key), by=self.cast.manager
                )

    def _newest_letter(self, key: str) -> None:
        home = self.estate.homes[key]
        home.values["letter_id"] = db.session.scalars(
            sa.select(OutboundMessage.id).where(OutboundMessage.case_id == home.case_id).order_by(-OutboundMessage.id)
        ).first()
        db.session.rollback()

    def put_cast_on_central_list(self) -> None:
        with transaction():
            meetings.put_on_central_list(
                user_id=self.cast.panel_member.id, seat="member", is_independent=True,
                is_qualifying_social_worker=False, background=None, actor=self.cast.panel_administrator.actor,
                now=now_utc(),
            )  # fmt: skip
        self.first.panel["cast"] = self.cast.panel_member

    # --- preparation courses

    def courses(self) -> None:
        """One course that was held, with marks, notes and certificates of its officer's households; one that another
        officer runs; and one to come that is full and waited for."""
        cast, things = self.cast, self.estate.things
        held = self._course("Skills to Foster, July", cast.officer, ("2026-07-02 10:00", "2026-07-09 10:00"), 8)
        theirs = self._course("Skills to Foster, evenings", cast.other_officer, ("2026-07-03 18:00",), 8)
        ahead = self._course("Skills to Foster, autumn", cast.officer, ("2026-09-05 10:00", "2026-09-12 10:00"), 2)
        with transaction():
            for key, course in (("gathering", held), ("listed", held), ("other_gathering", theirs), ("listed", ahead),
                                ("gathering", ahead)):  # fmt: skip
                self._put_on(course, key)
            first, second = held.sessions
            (ana, ben), (cy, di) = (self._applicants(key) for key in ("gathering", "listed"))
            came, missed = Mark(How.CAME), Mark(How.MISSED)
            for session, marks in (
                (first, {ana: came, ben: came, cy: came, di: came}),
                (second, {ana: came, ben: missed, cy: came, di: missed}),
            ):
                self._mark(held, session, marks)
            given = {"actor": cast.officer.actor, "now": now_utc()}
            certificate = course_register.issue_certificates(held, today=today_in_london(), **given)[0]
            self._mark(held, second, {di: Mark(How.MADE_UP, date(2026, 7, 10), "Spring course, session 2")})
            for key in ("gathering", "listed"):
                case = db.session.get_one(Case, self.estate.homes[key].case_id)
                said = {None: Seen(word("note", key), "What they make of loss")}
                course_register.write_notes(held, case, said, actor=cast.manager.actor, now=now_utc())
        things |= {
            "course_id": held.id, "course_session_id": first.id, "certificate_id": certificate.id,
            "course_ahead_id": ahead.id, "other_course_id": theirs.id,
        }  # fmt: skip

    def _course(self, name: str, officer: Member, starts: tuple[str, ...], capacity: int) -> PrepCourse:
        begin = [datetime.fromisoformat(one).replace(tzinfo=LONDON) for one in starts]
        plan = CoursePlan(
            name=name, capacity=capacity, place="Kestrel House, Bromley", facilitator_ids=(officer.id,),
            sessions=[SessionPlan(starts_at=one, ends_at=one + timedelta(hours=3)) for one in begin],
        )  # fmt: skip
        with transaction():
            return course_planning.plan_course(plan, actor=self.cast.manager.actor, now=begin[0] - timedelta(days=60))

    def _applicants(self, key: str) -> list[int]:
        case = db.session.get_one(Case, self.estate.homes[key].case_id)
        return [person.id for person in case.household.people if person.is_applicant]

    def _put_on(self, course: PrepCourse, key: str) -> None:
        today = today_in_london()
        course_places.give_place(
            course, db.session.get_one(Case, self.estate.homes[key].case_id), person_ids=self._applicants(key),
            needs=None, actor=self.cast.manager.actor, now=course.first_starts_at - timedelta(days=30), today=today,
            rulebook=policy.rulebook_on(today),
        )  # fmt: skip

    def _mark(self, course: PrepCourse, session: CourseSession, marks: dict[int, Mark]) -> None:
        course_register.mark_session(
            course, session.id, marks, actor=self.cast.officer.actor, now=now_utc(), today=today_in_london()
        )

    # --- what belongs to no household

    def others(self) -> None:
        cast, things, secrets = self.cast, self.estate.things, self.estate.secrets
        admin = cast.administrator.actor
        with transaction():
            now, today = now_utc(), today_in_london()
            invited = make_user(Member("invited", "Ines Neu", cast.officer.roles, active=False))
            db.session.get_one(User, invited.id).password_hash = None
            colleague = make_user(Member("colleague", "Corin Leaf", cast.officer.roles))
            note_leave(
                db.session.get_one(User, colleague.id), first_on=date(2026, 12, 21), last_on=date(2026, 12, 23),
                cover=None, actor=cast.manager.actor, now=now_utc(), today=today_in_london(),
            )  # fmt: skip
            switched_off = make_user(Member("switched_off", "Olive Stone", cast.officer.roles))
            user = db.session.get_one(User, switched_off.id)
            people.disable_user(user=user, actor=admin, now=now)
            secrets["invitation"] = links.new_invitation(
                user=db.session.get_one(User, invited.id), made_by_id=cast.administrator.id, now=now
            )[1]
            secrets["reset"] = links.new_reset(user=db.session.get_one(User, cast.officer.id), now=now)[1]
            secrets["sign_in_code"] = signing_in.ask_for_code(None, now=now)
            secrets["feed"] = feeds.make_address(user_id=cast.officer.id, actor=cast.officer.actor, now=now)
            person = self.letter_of("new").person_id
            reader = db.session.get_one(Person, person)
            secrets["stop"] = contact_links.stop_link(reader, now=now).rpartition("/")[2]
            secrets["confirm"] = contact_links.confirm_link(reader, address_key="x", now=now).rpartition("/")[2]
            things |= {"colleague": colleague.id, "invited_colleague": invited.id, "switched_off": switched_off.id}
            day_off = changing.add_one_off_holiday(day=date(2027, 9, 15), name="A day of thanks", actor=admin, now=now)
            things["holiday_id"] = day_off.id
            save_view(name="Late", query="view=over", actor=cast.recruiter.actor, now=now)
            rung = db.session.get_one(Case, self.estate.homes["unanswered"].case_id)
            contact.log_attempt(
                rung, rung.household.people[0], how="no_answer", note=None, actor=cast.officer.actor,
                now=now, today=today, rulebook=policy.rulebook_on(today),
            )  # fmt: skip
            for name, rows, second in (("export_id", 3, None), ("large_export_id", ALONE_UP_TO + 1, cast.manager.id)):
                asked = ask_for_export(
                    query="", row_count=rows, columns=["reference"], format="csv", reason="A count",
                    second=db.session.get(User, second) if second else None,
                    actor=cast.recruiter.actor, now=now, today=today,
                )  # fmt: skip
                things[name] = asked.id
            for name in ("mailing_id", "waiting_mailing_id", "moving_mailing_id"):
                mailing = mailings.write_mailing(
                    None, source="queue", query="view=new", purpose=MailingPurpose.SERVICE, channel=PostChannel.EMAIL,
                    subject="Your enquiry with {{ service.name }}", words="Hello {{ first_name }}, our office moved.",
                    actor=cast.recruiter.actor, now=now, today=today,
                )  # fmt: skip
                things[name] = mailing.id
                if name != "mailing_id":
                    mailings.ask_to_send(
                        mailing, people=people_on_list(mailing, today=today), reason=None, second=None,
                        actor=cast.recruiter.actor, now=now, today=today,
                    )  # fmt: skip
                if name == "waiting_mailing_id":
                    mailing.step, mailing.started_at = MailingStep.WAITING, None
                    mailing.second_id, mailing.reason = cast.manager.id, "The old address is on their letters"
            things["rule_version"] = changing.change_criterion(
                name="driving", changes={"options": {"no": {"outcome": "eligible"}}}, in_force_from=date(2027, 9, 15),
                actor=admin, now=now, today=today,
            )  # fmt: skip
            busy = hours.add_time_away(
                cast.officer.id, first_day=today + timedelta(days=90), last_day=today + timedelta(days=91),
                kind=BusyKind.LEAVE, actor=cast.officer.actor, now=now,
            )  # fmt: skip
            things["busy_id"] = busy.id
            things["calendar_id"] = busy_calendars.add_calendar(
                cast.officer.id, address="https://calendar.example.org/nadia.ics", actor=cast.officer.actor, now=now
            ).id
            device, _ = app_passwords.make_password(
                user_id=cast.officer.id, name="My phone", actor=cast.officer.actor, now=now
            )
            things["device_id"] = device.id
            things["to_settle_id"] = put_event(cast.officer, "Visit KF-000000").id
            made = create_event(
                name="The Glades stall", kind=EventKind.STALL, place="The Glades", starts_at=now - timedelta(hours=2),
                ends_at=now + timedelta(hours=2), actor=cast.recruiter.actor, now=now,
            )  # fmt: skip
            upload = keep_upload(
                made, content=SHEET, filename="sheet.csv", actor=cast.recruiter.actor, now=now, today=today
            )
            things |= {"event_id": made.id, "upload_id": upload.id}
            for name, number in (("loading", "07700 900746"), ("loaded", "07700 900747")):
                sheet = keep_upload(
                    made, content=f"Name,Phone\nAma {name},{number}\n".encode(), filename=f"{name}.csv",
                    actor=cast.recruiter.actor, now=now, today=today,
                )  # fmt: skip
                start_loading(sheet, sends_letters=False, actor=cast.recruiter.actor, now=now)
                while name == "loaded" and sheet.is_on_its_way:
                    load_chunk(sheet, now=now, today=today)
                things[f"{name}_upload_id"] = sheet.id
            evening, evening_ends = now + timedelta(days=9), now + timedelta(days=9, hours=2)
            open_to_all, drafted = (
                create_event(
                    name=name, kind=EventKind.INFORMATION_EVENING, place="St Aldwyn’s Hall", town="Catford", capacity=1,
                    starts_at=evening, ends_at=evening_ends, actor=cast.recruiter.actor, now=now,
                )
                for name in ("Coffee and questions", "Tea and answers")
            )  # fmt: skip
            publish(open_to_all, actor=cast.recruiter.actor, now=now)
            guests = [
                sign_up(
                    open_to_all, NewSignUp(people=[NewPerson(given_name=name, email=f"{name.lower()}@example.org")]),
                    actor=PUBLIC, now=now,
                )
                for name in ("Ottoline", "Peregrine", "Quentin")
            ]  # fmt: skip
            cancel_sign_up(guests[2], actor=PUBLIC, now=now)
            check_in(
                open_to_all, guests[0].guests[0].id, entry_id="estate", happened_at=now, actor=cast.recruiter.actor,
                now=now,
            )  # fmt: skip
            things |= {"open_event_id": open_to_all.id, "draft_event_id": drafted.id, "event_slug": open_to_all.slug}
            secrets["place"] = guests[1].link_token or ""
            secrets["place_given_up"] = guests[2].link_token or ""
            things["waiting_sign_up_id"] = guests[1].id
            leaflet = create_campaign(
                name="Leaflet", code="leaflet-1", cost_pence=12_000, actor=cast.recruiter.actor, now=now
            )
            things["campaign_id"] = leaflet.id
            closed = create_event(
                name="The market stall", kind=EventKind.STALL, place="The market", starts_at=now - timedelta(hours=2),
                ends_at=now + timedelta(hours=2), actor=cast.recruiter.actor, now=now,
            )  # fmt: skip
            for event in (made, closed):
                device, _key, _token = kit.set_up_device(
                    event, name="Blue tablet", signing_key=new_key_pair()[0], proof_digest="0" * 64, skew_ms=0,
                    actor=cast.recruiter.actor, now=now,
                )  # fmt: skip
            kit.close_door(closed, actor=cast.recruiter.actor, now=now)
            keep_aside({"id": "broken"}, NotTaken(AsideReason.SHAPE), event=made, device=None, now=now)
            aside = db.session.scalars(sa.select(KitAside)).one()
            walk_in(
                made, entry_id="estate walks in", people=[NewPerson(given_name="Rosalind")], happened_at=now,
                actor=cast.recruiter.actor, now=now, today=today, rulebook=policy.rulebook_on(today),
            )  # fmt: skip
            things |= {"closed_event_id": closed.id, "device_id": device.id, "aside_id": aside.id}
            draft, _browser = drafts.begin_draft(now=now)
            drafts.keep_answers(draft, {"given_name": "Ada", "safe_note": "Zqsafe"}, now=now)
            secrets["come_back"] = drafts.make_link(draft, now=now)
            kept_aside = submitting.take_in(
                submitting.Sent(
                    answers={"given_name": "Bo", "family_name": "Quick", "email": "bo@example.org"}, arrivals=(),
                    received_at=now, one_time_id="web:held", signs=("quick",),
                ),
                actor=PUBLIC, now=now, today=today, rulebook=policy.rulebook_on(today),
            )  # fmt: skip
            website, secrets["website"] = intake.make_website(name="Our website", actor=admin, now=now)
            things |= {"held_id": kept_aside.id, "website_id": website.id}
            for member in (cast.officer, cast.other_officer):
                for name in ("task", "done_task"):
                    task = add_task(
                        title="Ring the school", assigned_to_id=member.id, due_on=today, actor=member.actor, now=now
                    )
                    if name == "done_task":
                        complete_task(task, actor=member.actor, now=now)
                    things[f"{member.key}_{name}_id"] = task.id
            failed = self.letter_of("new")
            failed.status, failed.settled_at, failed.last_failure = MessageStatus.GIVEN_UP, now, "refused"
            held = self.letter_of("other_new")
            held.status = MessageStatus.HELD
            things |= {"failed_letter_id": failed.id, "held_letter_id": held.id}

    # --- households that were entered twice

    def merges(self) -> None:
        """One merge that a recruiter asked for, one that was made, and two households that nobody has compared yet."""
        given = {"actor": self.cast.recruiter.actor, "now": now_utc(), "today": today_in_london()}
        given["rulebook"] = policy.rulebook_on(today_in_london())
        things = self.estate.things
        with transaction():
            first, second, third, fourth, fifth, sixth = (
                self.twin(name) for name in ("Ash", "Elm", "Oak", "Fir", "Yew", "Box")
            )
            pairs = {second.household.people[0].id: first.household.people[0].id}
            for one, other, state in ((first, fifth, PairState.OPEN), (second, sixth, PairState.NOT_SAME)):
                low, high = sorted((one.household_id, other.household_id))
                db.session.add(LikenessPair(
                    one_id=low, other_id=high, standing="shared", score=14.0, reasons="same mobile", state=state,
                    found_at=now_utc(), decided_at=None if state is PairState.OPEN else now_utc(),
                ))  # fmt: skip
            message = b"From: someone@example.org\r\nTo: nobody@example.org\r\nMessage-ID: <m@example.org>\r\n\r\nHello"
            things["message_id"] = replies.take_in(message, now=now_utc(), today=today_in_london()).id
            things["asked_merge_id"] = merge_or_ask(first, second, choices=MergeChoices(pairs=pairs), **given).id
            things["made_merge_id"] = merge_or_ask(third, fourth, choices=MergeChoices(), **given).id
            self.estate.homes |= {
                key: Home(key, "officer", case.reference, case.id, {"person_id": case.household.people[0].id})
                for key, case in (("twin", fifth), ("other_twin", sixth))
            }
            named = self.estate.homes["contacted"].values["person_id"]
            db.session.add(OtherName(person_id=named, kind="former", family_name="Maiden"))
            things["twin_again_id"] = fifth.household.people[1].id

    def twin(self, name: str) -> Case:
        """Two people who share one phone with every other household of this kind."""
        return make_case(
            self.cast, owner=self.cast.officer, people=[
                NewPerson(given_name=name, family_name="Twice", phone="07700 900777"),
                NewPerson(given_name=f"{name}ley", family_name="Twice", role=PersonRole.APPLICANT_2),
            ],
        )  # fmt: skip

    def letter_of(self, key: str) -> OutboundMessage:
        """The first letter to a household."""
        to_them = OutboundMessage.case_id == self.estate.homes[key].case_id
        return db.session.scalars(sa.select(OutboundMessage).where(to_them).order_by(OutboundMessage.id)).all()[0]


def build(app: flask.Flask) -> Estate:
    """The whole of it, in a few seconds. Ends with the clock of this process let go."""
    with app.app_context():
        builder = Builder()
        try:
            builder.clock("2026-07-06 10:00")
            builder.enquiries()
            builder.visits()
            builder.assessments()
            builder.clock("2026-07-06 10:00")
            builder.referees()
            builder.panels()
            builder.missed()
            builder.courses()
            builder.others()
            builder.merges()
            cast = builder.estate.cast
            builder.estate.members = {
                **cast.everyone,
                **builder.first.panel,
                "second_manager": builder.first.second_manager,
            }
        finally:
            builder.clock.let_go()
            db.session.remove()
    return builder.estate
