"""One household's journey, day by day, until it ends or reaches the present.

A life is a string of steps, each on a later day. The first step that would fall after today stops it there, and so
households come to stand in every place: some waiting, some late, some with a visit in next week's diary.
"""

from __future__ import annotations

import random
from dataclasses import InitVar, dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from crm import policy
from crm.access.models import User
from crm.access.queries import user_with
from crm.assessments import (
    answers,
    applications,
    checks,
    decisions,
    meetings,
    minutes_signing,
    notices,
    packs,
    queries,
    stage_one,
    stage_two,
)
from crm.assessments.household import NewMember
from crm.assessments.models import REPORT_SECTIONS, PanelMeeting
from crm.assessments.pack_contents import contents_of, digest_of, lay_out
from crm.assessments.terms import Terms
from crm.assessments.withdrawal import withdraw
from crm.cases import keys
from crm.cases.assignment import assign
from crm.cases.contact import log_attempt
from crm.cases.models import AssignmentRole, Case, Channel, PersonRole
from crm.cases.open_case import NewConsent, NewPerson, NewTouch, open_case
from crm.clock import LONDON
from crm.demo import people as cast
from crm.demo import references, talks
from crm.enquiries import triage
from crm.events import door
from crm.events.models import RecruitmentEvent
from crm.rules.permissions import PUBLIC, Actor
from crm.rules.rulebook import Rulebook
from crm.visits import attendance, availability, booking, home_notes, report, sign_off
from crm.visits.models import Outcome, Place, Purpose, Visit
from crm.visits.questions import PARTS

USUAL_WAIT: dict[str, int] = {
    "dbs": 24,
    "health_report": 28,
    "medical_advice": 34,
    "local_authority_views": 20,
    "referee_interviews": 18,
    "employer_reference": 12,
}
"""What has to be asked for, and how many working days it usually takes. The rest is seen at the kitchen table."""


class NotYet(Exception):
    """The next step of this life lies in the future."""


@dataclass
class Team:
    """Who does what in the fictional service. Every life asks, and every life's end would have it all read anew: what
    is asked for most is kept beside."""

    users: InitVar[dict[str, User]]
    panels: InitVar[list[PanelMeeting]]
    events: InitVar[list[RecruitmentEvent]]
    ids: dict[str, int] = field(init=False)
    meetings: list[tuple[date, PanelMeeting]] = field(init=False)
    stalls: list[tuple[datetime, RecruitmentEvent]] = field(init=False)
    """When each event begins, and the event."""

    def __post_init__(self, users: dict[str, User], panels: list[PanelMeeting], events: list[RecruitmentEvent]) -> None:
        self.ids = {key: user.id for key, user in users.items()}
        self._actors = {key: user.as_actor() for key, user in users.items()}
        self.meetings = [(meeting.meets_on, meeting) for meeting in panels]
        self.stalls = [(event.starts_at, event) for event in events]

    def actor(self, key: str) -> Actor:
        return self._actors[key]

    def meeting_after(self, day: date) -> PanelMeeting:
        return next(meeting for meets_on, meeting in self.meetings if meets_on >= day)


@dataclass
class Fate:
    """What is in store for a household."""

    ending: str
    """closed, not_now, no_access, declined, invited, withdrawn, stage_one_refused, proposed_no, approved."""
    pace: float
    """1 is as the service promises; more is slower."""
    pause: str | None = None
    """Where it stands still, waiting for somebody here: so that today has something in every place."""
    panel: PanelMeeting | None = None
    """The meeting it goes to, where that is settled."""


@dataclass
class Life:
    """A household on its way. ``day`` and ``minute`` are its present."""

    draw: random.Random
    team: Team
    now: datetime
    day: date
    fate: Fate
    number: int
    event: RecruitmentEvent | None = None
    minute: int = 600
    case: Case = field(init=False)
    owner: str = "recruiter"
    officer: str = "officer"
    deeds: list[references.Deed] = field(default_factory=list)
    """What their referees will do, the next first."""

    @property
    def snag(self) -> str:
        """What goes wrong for some: a limit of law or standards that is missed by a few days."""
        return ("", "papers", "stage_one", "telling")[self.number % 4]

    # --- time

    @property
    def instant(self) -> datetime:
        return datetime.combine(self.day, time(self.minute // 60, self.minute % 60), LONDON).astimezone(UTC)

    @property
    def rulebook(self) -> Rulebook:
        return policy.rulebook_on(self.day)

    @property
    def given(self) -> dict[str, Any]:
        return {"now": self.instant, "today": self.day, "rulebook": self.rulebook}

    def later(self, working_days: float, *, at_least: int = 0) -> None:
        """Go on by so many working days, at this household's pace."""
        days = max(at_least, round(working_days * self.fate.pace))
        self.go_to(self.rulebook.calendar.add(self.day, days) if days else self.day)

    def go_to(self, day: date) -> None:
        """Go on to a day; a little later in the same day where it is the same."""
        if day > self.day:
            self.day, self.minute = day, self.draw.randrange(9 * 60 + 5, 16 * 60 + 30)
        else:
            self.minute = min(self.minute + self.draw.randrange(5, 40), 23 * 60 + 50)
        if self.instant > self.now:
            raise NotYet

    def pause(self, place: str) -> None:
        """Stand still here, where that is this household's lot."""
        if self.fate.pause == place:
            raise NotYet

    # --- the journey

    def live(self) -> None:
        """Go as far as time allows."""
        try:
            self.arrive()
            self.enquire()
            self.be_visited()
            self.apply()
            self.be_assessed()
            self.be_decided()
        except NotYet:
            pass

    def arrive(self) -> None:
        given, consents = self.draw.choice, self._consents()
        family = given(cast.FAMILY)
        alone = self.draw.random() < 0.4
        district, town, council = given(cast.HOMES)
        one = self._person(given(cast.GIVEN), family, PersonRole.APPLICANT_1, consents)
        household = [one]
        if not alone:
            surname = family if self.draw.random() < 0.7 else given(cast.FAMILY)
            household.append(self._person(given(cast.GIVEN), surname, PersonRole.APPLICANT_2, ()))
        address = f"{self.draw.randrange(1, 140)} {given(cast.STREETS)}\n{town}"
        postcode = f"{district} {given(cast.INWARD)}"
        self.owner = given(["recruiter", "recruiter", "tomasz"])
        self.officer = given(["officer", "officer", "imani", "rhys", "shanthi"])
        facts = {
            "spare_room": "Yes" if self.draw.random() < 0.85 else "Not yet",
            "motivation": given(cast.SAID[:6]),
        }
        if self.event is not None:
            self.day = self.event.starts_at.astimezone(LONDON).date()
            start = self.event.starts_at.astimezone(LONDON)
            self.minute = start.hour * 60 + start.minute + self.draw.randrange(10, 80)
            if self.instant > self.now:
                raise NotYet
            self.case = door.log_enquirer(
                self.event,
                people=household,
                actor=self.team.actor(self.owner),
                owner_for=lambda _postcode: self.team.ids[self.owner],
                postcode=postcode,
                interest=given(["ready", "ready", "thinking", "looking"]),
                said=given(cast.SAID),
                facts=facts,
                **self.given,
            ).case
            self.case.household.address = address
        else:
            channel = given([Channel.WEB] * 6 + [Channel.PHONE] * 3 + [Channel.EMAIL, Channel.REFERRAL])
            self.minute = self.draw.randrange(7 * 60, 23 * 60) if channel == Channel.WEB else self.minute
            if self.instant > self.now:
                raise NotYet
            self.case = open_case(
                people=household,
                touch=NewTouch(
                    channel=channel,
                    received_at=self.instant,
                    source={"web": "Web form", "phone": "Phone call", "email": "Email"}.get(channel, "Referral"),
                    interest=given(["ready", "ready", "thinking"]),
                    said=given(cast.SAID),
                ),
                actor=PUBLIC if channel == Channel.WEB else self.team.actor(self.owner),
                owner_id=self.team.ids[self.owner],
                postcode=postcode,
                address=address,
                facts=facts,
                **self.given,
            )
        self.case.household.local_authority = council

    def enquire(self) -> None:
        person = self.case.household.people[0]
        self.pause("new")
        self.go_to(self._call_day())
        for _ in range(self.draw.choice([0, 0, 0, 1, 1, 2])):
            how = self.draw.choice(["no_answer", "no_answer", "text"])
            log_attempt(self.case, person, how=how, note=None, actor=self.team.actor(self.owner), **self.given)
            self.later(1, at_least=1)
        if self.fate.ending == "closed" and self.draw.random() < 0.3:
            for how in ("no_answer", "text"):
                self.later(2, at_least=1)
                log_attempt(self.case, person, how=how, note=None, actor=self.team.actor(self.owner), **self.given)
            self.later(4, at_least=2)
            self._close(
                "no_response", "We tried to reach you a few times. The door stays open: ring us whenever suits."
            )
            raise NotYet
        triage.record_talk(
            self.case, person, note=self.draw.choice(cast.TALKED), actor=self.team.actor(self.owner), **self.given
        )
        self._screen()
        if self.fate.ending == "closed":
            self.later(2, at_least=1)
            code, words = self.draw.choice(
                [
                    (
                        "information_only",
                        "You asked for information, and have it. Ring us if you would like to talk more.",
                    ),
                    ("withdrew", "You told us that now is not the time. Thank you for thinking about it."),
                    ("out_of_area", "You live further away than we can support well. A service nearer you can."),
                    ("counselled_out", "We talked it through, and agreed that fostering is not for you just now."),
                ]
            )
            self._close(code, words)
            raise NotYet
        if self.fate.ending == "not_now":
            self.later(2)
            code, words = self.draw.choice(
                [
                    ("no_room", "You expect to have a room free later on. We will ring you then."),
                    ("work", "Your new job comes first. We will ring you when it has settled."),
                    ("new_baby", "Congratulations on the baby. We will ring you when you asked us to."),
                ]
            )
            back_on = self.day + timedelta(days=self.draw.randrange(60, 420))
            triage.rest_until(
                self.case, back_on=back_on, reason_code=code, words=words, write_to_them=True,
                actor=self.team.actor(self.owner), **self.given,
            )  # fmt: skip
            self.go_to(self.rulebook.calendar.add(back_on, self.draw.choice([0, 0, 1])))
            self._close("withdrew", "You told us that it is still not the time. The door stays open.")
            raise NotYet

    def be_visited(self) -> None:
        self.pause("contacted")
        self.later(2)
        visit = self._book(Purpose.FIRST_VISIT, days_ahead=self.draw.choice([3, 4, 5, 6, 8]))
        self._note_the_home()
        if self.draw.random() < 0.15:
            self.go_to(self.day)
            self._move(visit)
        if self.fate.ending == "no_access":
            self._to_end_of(visit)
            attendance.record_no_access(
                visit, self.case, note="Nobody in. Rang the bell, waited ten minutes, left a card.",
                actor=self.team.actor(self.officer), **self.given,
            )  # fmt: skip
            self.later(2)
            visit = self._book(Purpose.FIRST_VISIT, days_ahead=3)
        self._hold(visit)
        self.pause("visited")
        self.later(1.5, at_least=1)
        self._write_up(visit, Outcome.DECLINE if self.fate.ending == "declined" else Outcome.INVITE)
        self.later(2, at_least=1)
        declined = self.fate.ending == "declined"
        sign_off.sign_off_visit(
            visit,
            self.case,
            outcome=Outcome.DECLINE if declined else Outcome.INVITE,
            decision="Read and agreed with the officer."
            if not declined
            else "Agreed. Not a safe time for this family.",
            reasons="With so much going on at home, a child would not get the time they need." if declined else "",
            reason_code="declined_after_visit" if declined else None,
            actor=self.team.actor("manager"),
            **self.given,
        )
        if declined:
            raise NotYet

    def apply(self) -> None:
        if self.fate.ending == "invited":
            self.later(self.draw.choice([22, 25, 28]))
            self._close("withdrew", "You told us that now is not the time. Thank you for all the time you gave us.")
            raise NotYet
        self.later(self.draw.choice([5, 8, 10, 14]), at_least=2)
        signed = tuple(
            applications.SignedBy(
                person_id=person.id,
                signed_on=self.day,
                agrees_to_checks=True,
                born_on=date(self.draw.randrange(1962, 1994), self.draw.randrange(1, 13), self.draw.randrange(1, 28)),
                works_with_children=self.draw.random() < 0.3,
            )
            for person in self.case.household.people
            if person.is_applicant
        )
        members = ()
        if self.draw.random() < 0.55:
            members = tuple(
                somebody_at_home(self.draw, self.day, self.case.household.people[0].family_name)
                for _ in range(self.draw.choice([1, 1, 2]))
            )
        assign(
            self.case, user_id=self.team.ids[self.officer], role=AssignmentRole.OWNER,
            actor=self.team.actor("manager"), now=self.instant, today=self.day,
        )  # fmt: skip
        applications.receive_application(
            self.case,
            applications.Received(
                received_on=self.day,
                accepted_on=self.day,
                signed=signed,
                members=members,
                home_council=self.case.household.local_authority,
                rents=self.draw.random() < 0.3,
                has_pets=self.draw.random() < 0.4,
            ),
            actor=self.team.actor(self.officer),
            **self.given,
        )
        self.pause("received")
        self.later(3, at_least=1)
        applications.decide_to_assess(
            self.case,
            assessor_name=self.team.actor(self.officer).display_name,
            actor=self.team.actor("manager"),
            **self.given,
        )

    def be_assessed(self) -> None:
        officer = self.team.actor(self.officer)
        waiting = self._ask_for_checks(officer)
        beside = self.draw.random() < 0.6
        begun = self.rulebook.calendar.add(self.day, self.draw.randrange(15, 25)) if beside else None
        sessions: list[date] = []
        for arrives_on, check_id in waiting:
            if begun is not None and arrives_on >= begun:
                self.go_to(begun)
                self._start_stage_two()
                begun = None
            self._hear_referees(arrives_on)
            self.go_to(arrives_on)
            if self.fate.ending == "withdrawn" and self.draw.random() < 0.12:
                self._withdraw()
            self._check_came_in(check_id, officer)
        if self.fate.ending == "stage_one_refused":
            self.later(4, at_least=1)
            stage_one.refuse_stage_one(
                self.case,
                reasons="What your references and the health report told us means that we can’t go on. "
                "We would be glad to talk it through with you.",
                actor=self.team.actor("manager"),
                **self.given,
            )
            raise NotYet
        self._gather_the_rest(officer)
        self.later(4, at_least=1)
        if self.snag == "stage_one":
            self.go_to(self.rulebook.calendar.add(self.day, 9))
        stage_one.pass_stage_one(self.case, actor=self.team.actor("manager"), **self.given)
        if "stage_two" not in self.case.stages:
            self.later(2, at_least=1)
            self._start_stage_two()
        for _ in range(self.draw.choice([2, 3])):
            self.later(8, at_least=4)
            if self.fate.ending == "withdrawn" and self.draw.random() < 0.3:
                self._withdraw()
            visit = self._book(Purpose.STAGE_TWO_SESSION, days_ahead=self.draw.choice([3, 4, 6]))
            self._hold(visit)
            sessions.append(self.day)
            self.later(2, at_least=1)
            talks.write_up_talk(self.case, officer, self.draw, self.given)
        if self.fate.ending == "withdrawn":
            self._withdraw()
        self.pause("stage_two")
        self.later(6, at_least=3)
        talks.look_from_outside(self.case, self.team.actor("manager"), self.draw, self.given)
        talks.hold_the_rest(self.case, officer, self.draw, self.given)
        self.later(4, at_least=1)
        stage_two.save_report(
            self.case,
            kind="full",
            sections={
                name: f"{heading}. {self.draw.choice(cast.WORDS_OF_REPORT)}"
                for name, (heading, _hint) in REPORT_SECTIONS.items()
            },
            terms=Terms(
                children=self.draw.choice([1, 2, 2, 3]), youngest=self.draw.choice([0, 4, 5]), oldest=17, care="any"
            ),
            actor=officer,
            **self.given,
        )
        talks.link_evidence(self.case, officer, self.draw, self.given)
        self.later(3, at_least=1)
        stage_two.countersign(self.case, actor=self.team.actor("manager"), **self.given)
        self.later(1)
        stage_two.share_report(self.case, actor=officer, **self.given)
        self.later(6, at_least=3)
        stage_two.record_observations(
            self.case,
            received_on=self.day,
            text="We recognise ourselves in it. One date put right.",
            actor=officer,
            **self.given,
        )
        self.later(1)
        stage_two.ready_for_panel(self.case, actor=officer, **self.given)

    def be_decided(self) -> None:
        administrator = self.team.actor("panel")
        self.later(1)
        meeting = self.team.meeting_after(self.rulebook.calendar.add(self.day, 8))
        if self.fate.panel is not None and self.fate.panel.meets_on > meeting.meets_on:
            meeting = self.fate.panel
            self.go_to(self.rulebook.calendar.back(meeting.meets_on, 10))
        item = meetings.list_case(
            self.case, meeting, late_reason="The health report came late.", actor=administrator, **self.given
        )
        before = self.draw.choice([6, 7, 5])
        self.go_to(self.rulebook.calendar.back(meeting.meets_on, 3 if self.snag == "papers" else before))
        pack = packs.ask_for_papers(self.case, item, actor=administrator, **self.given)
        contents = contents_of(self.case, item, now=self.now)
        content, pages = lay_out(contents, service=policy.service().name, now=self.now)
        packs.keep_made(pack, content, pages=pages, digest=digest_of(contents), now=self.now)
        meetings.send_papers(
            self.case, item, late_reason="A page was put right at the last minute.", actor=administrator, **self.given
        )
        self.go_to(meeting.meets_on)
        self.minute = 12 * 60 + self.draw.randrange(0, 50)
        if self.instant > self.now:
            raise NotYet
        meetings.record_attendance(
            self.case, item, {member.user_id: "present" for member in meeting.members}, presiding_id=None,
            actor=administrator, now=self.instant, today=self.day,
        )  # fmt: skip
        suitable = self.fate.ending != "proposed_no"
        meetings.record_recommendation(
            self.case,
            item,
            meetings.Recommended(
                recommendation="suitable" if suitable else "not_suitable",
                reasons="Open, warm and well supported; the panel had no doubts."
                if suitable
                else "The panel was not sure that there is enough support for a child who has been hurt.",
                terms=Terms(children=2, youngest=0, oldest=17, care="any") if suitable else Terms(),
            ),
            actor=administrator,
            **self.given,
        )
        self.later(5, at_least=2)
        meetings.send_minutes(
            self.case, item, minutes="Present, considered, asked and answered, as noted item by item.",
            received_on=self.day, actor=administrator, **self.given,
        )  # fmt: skip
        self.pause("with_decision_maker")
        chair_id = minutes_signing.chair_id_of(item)
        assert chair_id is not None
        minutes_signing.sign_minutes(
            item, read=minutes_signing.digest_of_minutes(item.minutes or ""), actor=user_with(chair_id).as_actor(),
            now=self.instant, today=self.day,
        )  # fmt: skip
        self.later(4, at_least=1)
        decider = self.team.actor("decision")
        decisions.decide(
            self.case,
            decisions.Considered(
                kind="approve" if suitable else "propose_no",
                material="The report, the checks, the household’s observations and the panel’s minutes.",
                arguments="Strengths and open questions as the panel weighed them.",
                adopts_panel_reasons=True,
                why="They rest on what was seen and said.",
                reasons=None
                if suitable
                else "There is not yet enough support around you for a child who has been hurt.",
                terms=Terms(children=2, youngest=0, oldest=17, care="any") if suitable else Terms(),
            ),
            actor=decider,
            **self.given,
        )
        self.later(1)
        if self.snag == "telling":
            self.go_to(self.rulebook.calendar.add(self.day, 4))
        notices.tell_by_voice(
            self.case, told_on=self.day, method="phone", words=None, actor=self.team.actor(self.officer), **self.given
        )
        self.later(1.5, at_least=1)
        notice = notices.send_written_notice(self.case, channel="email", actor=decider, **self.given)
        if notice.method == "post":
            self.later(1, at_least=1)
            notices.record_posting(
                self.case, posted_on=self.day, method="first_class", actor=self.team.actor(self.officer), **self.given
            )
        if suitable:
            self.later(6, at_least=2)
            notices.sign_agreement(self.case, signed_on=self.day, actor=self.team.actor(self.officer), **self.given)
        elif self.draw.random() < 0.5:
            self.later(8)
            answers.receive_answer(
                self.case, kind="representations", received_on=self.day,
                said="We would like the panel to hear from my sister, who lives next door.",
                actor=self.team.actor(self.officer), **self.given,
            )  # fmt: skip

    # --- pieces

    def _person(self, given: str, family: str, role: PersonRole, consents: tuple[NewConsent, ...]) -> NewPerson:
        plain = (keys.name_key(given) or "someone").replace(" ", "")
        who = 1 if role == PersonRole.APPLICANT_1 else 2
        has_email = self.draw.random() < 0.93 if who == 1 else self.draw.random() < 0.75
        careful = self.draw.random() < 0.06
        mobile = cast.MOBILES[(self.number * 2 + who) % len(cast.MOBILES)]
        return NewPerson(
            given_name=given,
            family_name=family,
            role=role,
            email=f"{plain}.{self.number}{'ab'[who - 1]}@example.org" if has_email else None,
            phone=mobile if self.draw.random() < 0.9 or who == 1 else None,
            prefers=self.draw.choice(["phone", "phone", "text", "email"]),
            contact_times=self.draw.choice(cast.TIMES) or None,
            no_voicemail=careful,
            safe_contact="Asked us not to leave a message: the family does not know yet." if careful else None,
            consents=consents,
        )

    def _consents(self) -> tuple[NewConsent, ...]:
        version = policy.wording("consent.email", self.day).version
        return (NewConsent("email", self.draw.random() < 0.5, str(version)),)

    def _call_day(self) -> date:
        due = self.rulebook.due_on("first_contact", self.day)
        if self.draw.random() < 0.85 / max(self.fate.pace, 1):
            return due
        return self.rulebook.calendar.add(due, self.draw.choice([1, 1, 2, 4]))

    def _screen(self) -> None:
        self.case.eligibility_outcome = "eligible"

    def _close(self, code: str, words: str) -> None:
        triage.close_enquiry(
            self.case, reason_code=code, words=words, write_to_them=True, actor=self.team.actor("manager"), **self.given
        )

    def _withdraw(self) -> None:
        withdraw(
            self.case, code=self.draw.choice(["AW1", "AW2", "AW3", "AW3", "AW4", "AW0"]), withdrawn_on=self.day,
            actor=self.team.actor(self.officer), **self.given,
        )  # fmt: skip
        raise NotYet

    def _book(self, purpose: Purpose, *, days_ahead: int) -> Visit:
        """Book the first free time that suits, some working days ahead."""
        officer = self.team.ids[self.officer]
        minutes = 90 if purpose == Purpose.FIRST_VISIT else 120
        first = self.rulebook.calendar.add(self.day, days_ahead)
        for start in (first, first + timedelta(days=7), first + timedelta(days=14)):
            diaries = availability.read_diaries(
                [officer], first_day=start, last_day=start + timedelta(days=6), now=self.instant,
                wanted=availability.wanted_by(self.case, length_minutes=minutes),
            )  # fmt: skip
            free = availability.free_slots(diaries, not_before=availability.earliest(self.instant))
            if free:
                slot = free[self.draw.randrange(min(len(free), 12))]
                return booking.book_visit(
                    self.case, purpose=purpose, place=Place.HOME, starts_at=slot.starts_at, length_minutes=minutes,
                    officer_ids=[officer], actor=self.team.actor(self.officer), **self.given,
                )  # fmt: skip
        raise NotYet

    def _note_the_home(self) -> None:
        """What somebody wrote down when they arranged the visit, at some homes."""
        words = cast.NOTES_OF_HOMES[self.case.id % len(cast.NOTES_OF_HOMES)]
        if words:
            home_notes.set_notes(self.case, words, actor=self.team.actor(self.owner), now=self.instant, today=self.day)

    def _move(self, visit: Visit) -> None:
        officer = self.team.ids[self.officer]
        minutes = int((visit.ends_at - visit.starts_at).total_seconds() // 60)
        near = availability.nearest_slots(
            [officer], to=visit.starts_at + timedelta(days=1), now=self.instant, today=self.day,
            wanted=availability.wanted_by(self.case, length_minutes=minutes), but_for_visit=visit.id,
        )  # fmt: skip
        if near:
            booking.move_visit(
                visit, self.case, starts_at=near[0].starts_at, length_minutes=minutes, officer_ids=[officer],
                actor=self.team.actor(self.officer), **self.given,
            )  # fmt: skip

    def _to_end_of(self, visit: Visit) -> None:
        end = visit.ends_at.astimezone(LONDON)
        self.day, self.minute = end.date(), min(end.hour * 60 + end.minute + 5, 23 * 60 + 50)
        if self.instant > self.now:
            raise NotYet

    def _hold(self, visit: Visit) -> None:
        self._to_end_of(visit)
        attendance.record_visit(
            visit, self.case, held_from_at=visit.starts_at, held_until_at=visit.ends_at,
            actor=self.team.actor(self.officer), **self.given,
        )  # fmt: skip

    def _write_up(self, visit: Visit, outcome: Outcome) -> None:
        writer = self.team.actor(self.officer)
        for part in PARTS:
            report.save_part(
                visit,
                number=part.number,
                answers={question.key: self.draw.choice(cast.WORDS_OF_REPORT) for question in part.questions},
                items={
                    item.key: {"state": "ok"}
                    if self.draw.random() < 0.9
                    else {"state": "to_do", "todo": "To be seen to", "by": self.day + timedelta(days=28)}
                    for item in part.items
                },
                actor=writer,
                now=self.instant,
            )
        report.submit_report(
            visit,
            self.case,
            recommendation=outcome,
            reasons="" if outcome == Outcome.INVITE else "Too much is going on at home for them to take this on now.",
            assessment=self.draw.choice(cast.WORDS_OF_REPORT),
            **{**self.given, "actor": writer},
        )

    def _start_stage_two(self) -> None:
        stage_two.start_stage_two(
            self.case, assessor_id=self.team.ids[self.officer], actor=self.team.actor("manager"), **self.given
        )
        talks.plan_talks(self.case, self.team.actor(self.officer), self.given)

    def _ask_for_checks(self, officer: Actor) -> list[tuple[date, int]]:
        """Ask for every check at once, and say on which day each will come in."""
        self.later(2)
        application = queries.the_application(self.case)
        coming = []
        for check in queries.checks_of(application):
            if not check.is_needed or check.needed_from_on > self.day:
                continue
            usual = {
                "dbs": 24,
                "health_report": 28,
                "local_authority_views": 20,
                "referees": 4,
                "referee_interviews": 18,
            }
            days = max(1, round(usual.get(check.item, 8) * self.fate.pace * self.draw.uniform(0.5, 1.5)))
            arrives_on = self.rulebook.calendar.add(self.day, days)
            coming.append((arrives_on, check.id))
            if check.item == "referees":
                references.name_one(self, check)
            if check.item == "referee_interviews":
                self.deeds += references.ask_one(self, check, arrives_on)
            else:
                checks.ask_for_check(self.case, check, requested_on=self.day, actor=officer, **self.given)
        self.deeds.sort()
        return sorted(coming)

    def _hear_referees(self, until: date) -> None:
        """What those who speak for them do up to a day."""
        while self.deeds and self.deeds[0].on <= until:
            self.go_to(self.deeds[0].on)
            references.do_deed(self, self.deeds.pop(0))

    def _gather_the_rest(self, officer: Actor) -> None:
        """What came to be needed on the way, such as a check on a child who has turned 18."""
        while self.case.stages["stage_one"] == "gathering":
            application = queries.the_application(self.case)
            missing = [
                check.id
                for check in queries.checks_of(application)
                if check.is_statutory and check.is_needed and not check.is_obtained and check.needed_from_on <= self.day
            ]
            if not missing:
                raise NotYet
            self.later(5, at_least=3)
            for check_id in missing:
                self._check_came_in(check_id, officer)

    def _check_came_in(self, check_id: int, officer: Actor) -> None:
        check = queries.check_of(self.case, check_id)
        if check.received_on is not None or not check.is_needed or references.came_in(self, check):
            return
        dbs = check.item in checks.DBS_ITEMS
        checks.record_check(
            self.case,
            check,
            checks.CheckCameIn(
                received_on=self.day,
                result="clear",
                outcome="Nothing of concern.",
                verified_on=self.day,
                dbs_number=f"{self.draw.randrange(10**11, 10**12)}" if dbs else None,
                dbs_issued_on=self.day if dbs else None,
                dbs_level="enhanced" if dbs else None,
                dbs_barred_list_checked=dbs,
            ),
            actor=officer,
            **self.given,
        )


def somebody_at_home(draw: random.Random, today: date, family: str | None) -> NewMember:
    """A child, or now and then a grown-up child, who lives there."""
    age = draw.choice([3, 6, 9, 12, 15, 17, 20])
    return NewMember(
        given_name=draw.choice(cast.CHILDREN),
        family_name=family,
        role=PersonRole.HOUSEHOLD_ADULT if age >= 18 else PersonRole.CHILD,
        born_on=today - timedelta(days=age * 365 + draw.randrange(10, 350)),
    )
