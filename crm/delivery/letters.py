"""The catalogue of letters: what each is, whom it is for, and what must be merged into it.

The words are in ``templates/email/<kind>/subject.txt`` and ``body.txt`` (see ``markup`` for how they are written); the
same words make the plain text, the HTML and the printed page. A kind that can go as a text message has ``text.txt``
too, in one line. The administrator may put other words in their place, from a day. To add a letter: a row here, those
files, new merge fields in ``merge_fields``, and an example in ``examples.py``; a test renders every one in every
channel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from crm.delivery.models import Channel


class Audience(StrEnum):
    """For whom a letter is written."""

    HOUSEHOLD = "household"
    OFFICER = "officer"
    STAFF = "staff"
    REFEREE = "referee"
    VISITOR = "visitor"
    """A guest of an event, who has no case."""


HOUSEHOLD_FIELDS = ("service", "first_name", "reference", "owner_name")
STAFF_FIELDS = ("service", "first_name")
BOTH = (Channel.EMAIL, Channel.POST)
EMAIL_ONLY = (Channel.EMAIL,)
WITHOUT_CASE = frozenset({Audience.OFFICER, Audience.STAFF, Audience.VISITOR})
EMAIL_OR_TEXT = (Channel.EMAIL, Channel.TEXT)
ALL_WAYS = (Channel.EMAIL, Channel.POST, Channel.TEXT)


@dataclass(frozen=True, kw_only=True)
class LetterKind:
    """One kind of letter."""

    kind: str
    title: str
    """What staff call it."""
    audience: Audience = Audience.HOUSEHOLD
    fields: tuple[str, ...] = ()
    """Merge fields that must be given, besides the common ones of the audience."""
    optional: Mapping[str, Any] = field(default_factory=dict)
    """Merge fields that may be given, and what stands for them otherwise."""
    channels: tuple[Channel, ...] = BOTH
    contains_sensitive: bool = False
    """Says why, or says something about a person: goes by post or to that person's own address, to nobody else's."""
    marketing: bool = False
    """Goes only to people who said that they want such letters (domain.md 8.4)."""
    calls_off: bool = False
    """Takes back an earlier letter of its stream: goes nowhere when that one never left."""
    statutory: bool = False
    """The law or a national standard requires it and sets what it says: its dispatch is evidence."""
    fixed_words: bool = False
    """Lays out rows, so that its words are the product's and nobody edits them."""
    to_many: bool = False
    """A person writes its words to a whole list: whom it does not reach stands there, and is no task of an owner's."""
    unasked: bool = False
    """To a guest of an event, who did not ask for it: says how to stop."""
    has_calendar: bool = False
    """Brings an entry for the calendar, which a text can't: goes by text only where neither email nor post will do."""
    asked_for: bool = False
    """Its reader asked for it this moment and waits for it: goes at once whatever the hour, only to where they alone
    are reached, and is no line of the household's story."""
    names_nobody: bool = False
    """Goes where a stranger may read it: says neither who is meant nor which case."""
    must_say: tuple[str, ...] = ()
    """Merge fields that its words must hold whatever else they say: what makes a notice a notice."""
    must_include: tuple[str, ...] = ()
    """Fixed passages (see ``PASSAGES``) that its words must hold."""
    must_mention: tuple[str, ...] = ()
    """Words of the law that must stand in it."""
    must_not_mention: tuple[str, ...] = ()
    """Words that would offer something the law does not give here."""
    not_where: Mapping[str, str] = field(default_factory=dict)
    """Of ``must_mention``: words that must not stand in it where this merge field says yes."""
    goes_as_file: bool = False
    """A notice that its reader keeps and shows to others: by email it comes with itself as a tagged PDF."""

    @property
    def common_fields(self) -> tuple[str, ...]:
        """Merge fields that every letter to this audience has."""
        if self.names_nobody:
            return ("service",)
        return STAFF_FIELDS if self.audience in WITHOUT_CASE else HOUSEHOLD_FIELDS

    @property
    def known_fields(self) -> frozenset[str]:
        """Every merge field that its words may use: nothing else can be merged into it, whoever wrote the words."""
        return frozenset((*self.common_fields, *self.fields, *self.optional))

    @property
    def may_be_stopped(self) -> bool:
        """Whether its reader may tell us to stop such letters: not what the law makes us send, nor staff's own, nor
        what a guest of an event asked for."""
        return self.unasked or (self.audience is Audience.HOUSEHOLD and not self.statutory and not self.names_nobody)

    @property
    def may_be_stopped_by_one_click(self) -> bool:
        """Whether a mail program's own button stops them (RFC 8058)."""
        return self.marketing or self.unasked

    @property
    def all_fields(self) -> tuple[str, ...]:
        """Every merge field that must be given."""
        return (*self.common_fields, *self.fields)


PASSAGES: Mapping[str, str] = MappingProxyType(
    {
        "email/_close.txt": "How to ask us something, and who looks after them",
        "email/_complain.txt": "How to complain",
        "email/_signature_formal.txt": "The formal ending, with a name",
    }
)
"""Passages that several letters share, and what each is called. Their own words are the product's."""

_EVENT = ("event_name", "starts_at")
_EVENT_PLACE = (*_EVENT, "ends_at", "where")
_VISIT = ("starts_at", "minutes", "officers")
_COURSE = ("course_name", "starts_at")
_COURSE_PLAN = (*_COURSE, "sessions", "where")
_OFFICER_VISIT = ("reference", "starts_at", "minutes", "town", "case_url")

_CATALOGUE = (
    # --- the enquiry
    LetterKind(
        kind="enquiry_saved",
        title="A link to come back by",
        fields=("return_url", "ends_at"),
        channels=EMAIL_ONLY,
        names_nobody=True,
        must_say=("return_url",),
    ),
    LetterKind(
        kind="enquiry_acknowledgement",
        title="Thank you for your enquiry",
        fields=("call_by",),
        optional={"call_time": None},
    ),
    LetterKind(kind="information_pack", title="Information about fostering", optional={"pack_url": None}),
    LetterKind(kind="tried_to_ring", title="We tried to ring you", channels=EMAIL_OR_TEXT),
    LetterKind(
        kind="event_thank_you",
        title="Thank you for coming to our event",
        fields=("event_name", "event_on", "met_name"),
        optional={"call_by": None, "call_time": None, "start_url": None},
        marketing=True,
    ),
    # --- the guests of an event
    LetterKind(
        kind="event_place",
        title="A place at an event",
        audience=Audience.VISITOR,
        fields=_EVENT_PLACE,
        optional={"getting_in": None, "join_url": None, "place_url": None},
        channels=EMAIL_ONLY,
    ),
    LetterKind(
        kind="event_waiting",
        title="On the waiting list of an event",
        audience=Audience.VISITOR,
        fields=_EVENT_PLACE,
        optional={"getting_in": None, "place_url": None},
        channels=EMAIL_ONLY,
    ),
    LetterKind(
        kind="event_place_free",
        title="A place has come free",
        audience=Audience.VISITOR,
        fields=_EVENT_PLACE,
        optional={"getting_in": None, "join_url": None, "place_url": None},
        channels=EMAIL_ONLY,
    ),
    LetterKind(
        kind="event_changed",
        title="The event has changed",
        audience=Audience.VISITOR,
        fields=(*_EVENT_PLACE, "is_waiting"),
        optional={"join_url": None, "place_url": None, "old_starts_at": None, "old_where": None},
        channels=EMAIL_ONLY,
    ),
    LetterKind(
        kind="event_cancelled",
        title="The event is off",
        audience=Audience.VISITOR,
        fields=_EVENT,
        optional={"reason": None},
        channels=EMAIL_ONLY,
    ),
    LetterKind(
        kind="event_given_up",
        title="A place was given back",
        audience=Audience.VISITOR,
        fields=_EVENT,
        channels=EMAIL_ONLY,
        calls_off=True,
    ),
    LetterKind(
        kind="event_reminder",
        title="The event is tomorrow",
        audience=Audience.VISITOR,
        fields=_EVENT_PLACE,
        optional={"getting_in": None, "join_url": None, "place_url": None},
        channels=EMAIL_OR_TEXT,
    ),
    LetterKind(
        kind="event_thanks",
        title="Thank you for coming",
        audience=Audience.VISITOR,
        fields=_EVENT,
        optional={"start_url": None},
        channels=EMAIL_ONLY,
        unasked=True,
    ),
    LetterKind(
        kind="event_missed",
        title="Sorry that we missed you",
        audience=Audience.VISITOR,
        fields=(*_EVENT, "events_url"),
        channels=EMAIL_ONLY,
        unasked=True,
    ),
    LetterKind(
        kind="event_staff_cancelled",
        title="An event of yours is off",
        audience=Audience.STAFF,
        fields=(*_EVENT, "event_url"),
        channels=EMAIL_ONLY,
    ),
    # --- what came of the enquiry
    LetterKind(
        kind="not_now",
        title="Not the right time",
        fields=("reasons",),
        optional={"back_on": None},
        contains_sensitive=True,
    ),
    LetterKind(
        kind="enquiry_closed",
        title="We have closed your enquiry",
        fields=("reasons",),
        contains_sensitive=True,
    ),
    # --- to many at once, in words of their own; those in force are what a writer begins with
    LetterKind(
        kind="news_to_many",
        title="News to many",
        channels=EMAIL_OR_TEXT,
        marketing=True,
        to_many=True,
    ),
    LetterKind(
        kind="word_to_many",
        title="A word to many about their enquiry",
        channels=EMAIL_OR_TEXT,
        to_many=True,
    ),
    LetterKind(
        kind="address_check",
        title="Is this your email address?",
        fields=("confirm_url",),
        channels=EMAIL_ONLY,
        names_nobody=True,
    ),
    # --- the first visit, and every visit after it
    LetterKind(
        kind="visit_choose",
        title="Choose a time for the visit",
        fields=("choose_url", "minutes", "officers", "expires_at"),
        optional={"place": "at your home"},
        channels=EMAIL_OR_TEXT,
        must_say=("choose_url",),
    ),
    LetterKind(
        kind="visit_invitation",
        title="Invitation to a home visit",
        fields=_VISIT,
        channels=ALL_WAYS,
        has_calendar=True,
        optional={"partner_name": None, "visit_url": None, "purpose": None, "place": "at your home"},
    ),
    LetterKind(
        kind="visit_changed",
        title="The home visit has moved",
        fields=(*_VISIT, "old_starts_at"),
        channels=ALL_WAYS,
        has_calendar=True,
        optional={"visit_url": None, "reason": None, "place": "at your home"},
    ),
    LetterKind(
        kind="visit_stays",
        title="The home visit stays where it is",
        fields=_VISIT,
        optional={"place": "at your home"},
    ),
    LetterKind(
        kind="visit_cancelled",
        title="The home visit is off",
        fields=("starts_at",),
        channels=ALL_WAYS,
        has_calendar=True,
        optional={"rebook_url": None, "reason": None},
        calls_off=True,
    ),
    LetterKind(kind="visit_no_access", title="We missed you", fields=("starts_at",), optional={"ring_by": None}),
    LetterKind(
        kind="visit_reminder",
        title="Reminder of the visit",
        fields=("starts_at", "officers"),
        optional={"place": "at your home"},
        channels=EMAIL_OR_TEXT,
    ),
    LetterKind(
        kind="officer_visit_invitation",
        title="Visit for your calendar",
        audience=Audience.OFFICER,
        fields=_OFFICER_VISIT,
        channels=EMAIL_ONLY,
    ),
    LetterKind(
        kind="officer_visit_changed",
        title="Visit moved in your calendar",
        audience=Audience.OFFICER,
        fields=(*_OFFICER_VISIT, "old_starts_at"),
        optional={"is_own_event": False},
        channels=EMAIL_ONLY,
    ),
    LetterKind(
        kind="officer_visit_stays",
        title="Visit stays where it is in your calendar",
        audience=Audience.OFFICER,
        fields=(*_OFFICER_VISIT, "why"),
        optional={"instead": ()},
        channels=EMAIL_ONLY,
    ),
    LetterKind(
        kind="officer_event_booked",
        title="Visit booked from your calendar",
        audience=Audience.OFFICER,
        fields=_OFFICER_VISIT,
        channels=EMAIL_ONLY,
    ),
    LetterKind(
        kind="officer_event_refused",
        title="Event in your calendar not booked",
        audience=Audience.STAFF,
        fields=("starts_at", "why", "settle_url"),
        optional={"instead": ()},
        channels=EMAIL_ONLY,
    ),
    LetterKind(
        kind="officer_visit_cancelled",
        title="Visit taken out of your calendar",
        audience=Audience.OFFICER,
        fields=("reference", "starts_at", "town", "case_url"),
        optional={"is_own_event": False},
        channels=EMAIL_ONLY,
        calls_off=True,
    ),
    # --- the application
    LetterKind(
        kind="portal_code",
        title="A code to sign in by",
        fields=("code",),
        channels=EMAIL_OR_TEXT,
        asked_for=True,
        names_nobody=True,
        must_say=("code",),
    ),
    LetterKind(
        kind="document_wanted",
        title="A document is wanted",
        fields=("list_url",),
        channels=ALL_WAYS,
        must_say=("list_url",),
    ),
    LetterKind(
        kind="invitation_to_apply",
        title="Invitation to apply",
        optional={"application_url": None, "apply_by": None},
    ),
    LetterKind(
        kind="application_acknowledgement",
        title="We have your application",
        fields=("received_on", "recommendation_by"),
    ),
    LetterKind(
        kind="assessment_plan",
        title="Your assessment plan",
        fields=("assessor_name",),
        optional={"checks": ()},
    ),
    LetterKind(
        kind="check_request",
        title="Request for a reference or a check",
        audience=Audience.REFEREE,
        fields=("about_names", "check_title", "reply_by"),
        optional={"to_referee": True, "about_address": None, "about_born_on": None, "reply_url": None},
        contains_sensitive=True,
    ),
    LetterKind(
        kind="reference_request",
        title="Request for a reference",
        audience=Audience.REFEREE,
        fields=("applicants", "reply_url", "reply_by", "expires_at"),
        channels=EMAIL_OR_TEXT,
        must_say=("reply_url",),
    ),
    LetterKind(
        kind="reference_reminder",
        title="Reminder to a referee",
        audience=Audience.REFEREE,
        fields=("applicants", "reply_url", "reply_by", "expires_at"),
        channels=EMAIL_OR_TEXT,
        must_say=("reply_url",),
    ),
    LetterKind(
        kind="reference_thanks",
        title="Thank you to a referee",
        audience=Audience.REFEREE,
        channels=EMAIL_ONLY,
    ),
    LetterKind(
        kind="referee_talk",
        title="When we talk, to a referee",
        audience=Audience.REFEREE,
        fields=("starts_at", "how_we_talk"),
        optional={"old_starts_at": None},
        channels=EMAIL_OR_TEXT,
        must_say=("starts_at",),
    ),
    LetterKind(
        kind="referee_talk_off",
        title="A talk is off, to a referee",
        audience=Audience.REFEREE,
        fields=("starts_at",),
        channels=EMAIL_OR_TEXT,
        must_say=("starts_at",),
    ),
    LetterKind(
        kind="officer_talk",
        title="Talk with a referee, for your calendar",
        audience=Audience.OFFICER,
        fields=("reference", "starts_at", "how_we_talk", "case_url"),
        optional={"old_starts_at": None},
        channels=EMAIL_ONLY,
    ),
    LetterKind(
        kind="officer_talk_off",
        title="A talk with a referee is off",
        audience=Audience.OFFICER,
        fields=("reference", "starts_at", "case_url"),
        channels=EMAIL_ONLY,
    ),
    LetterKind(
        kind="stage_one_passed",
        title="Stage 1 complete",
        fields=("decided_on",),
        statutory=True,
        must_say=("decided_on",),
    ),
    LetterKind(
        kind="stage_one_refusal",
        title="Notice: Stage 1 decision",
        fields=("decided_on", "reasons"),
        contains_sensitive=True,
        statutory=True,
        must_say=("decided_on", "reasons"),
        must_include=("email/_complain.txt",),
        must_not_mention=("Independent Review Mechanism", "IRM", "representations"),
        goes_as_file=True,
    ),
    LetterKind(
        kind="report_shared",
        title="Your assessment report",
        fields=("observations_by",),
        optional={"is_brief": False, "report_url": None},
        contains_sensitive=True,
        statutory=True,
        must_say=("observations_by", "is_brief"),
    ),
    # --- the preparation course
    LetterKind(
        kind="course_place",
        title="A place on a preparation course",
        fields=_COURSE_PLAN,
        optional={"getting_in": None, "join_url": None, "both_go": False},
    ),
    LetterKind(
        kind="course_waiting",
        title="On the waiting list of a course",
        fields=_COURSE_PLAN,
        optional={"getting_in": None},
    ),
    LetterKind(
        kind="course_place_free",
        title="A place on a course has come free",
        fields=_COURSE_PLAN,
        optional={"getting_in": None, "join_url": None, "both_go": False},
    ),
    LetterKind(
        kind="course_changed",
        title="The course has changed",
        fields=(*_COURSE_PLAN, "changes"),
        optional={"join_url": None, "is_waiting": False},
    ),
    LetterKind(
        kind="course_cancelled",
        title="The course is off",
        fields=_COURSE,
        optional={"reason": None},
    ),
    LetterKind(
        kind="course_given_up",
        title="Off the course",
        fields=_COURSE,
        calls_off=True,
    ),
    LetterKind(
        kind="course_reminder",
        title="Reminder of the course",
        fields=(*_COURSE, "ends_at", "where", "session_number"),
        optional={"join_url": None},
        channels=EMAIL_OR_TEXT,
    ),
    LetterKind(
        kind="course_staff",
        title="A course that you run",
        audience=Audience.STAFF,
        fields=(*_COURSE_PLAN, "course_url"),
        optional={"is_off": False},
        channels=EMAIL_ONLY,
    ),
    # --- panel and decision
    LetterKind(
        kind="panel_invitation",
        title="Invitation to panel",
        fields=("meets_at", "place"),
        optional={"join_url": None},
    ),
    LetterKind(
        kind="panel_papers",
        title="Papers for panel",
        audience=Audience.STAFF,
        fields=("meets_at", "open_until", "papers_url"),
        channels=EMAIL_ONLY,
        must_say=("papers_url",),
    ),
    LetterKind(
        kind="minutes_to_sign",
        title="Panel minutes to sign",
        audience=Audience.STAFF,
        fields=("meets_at", "minutes_url"),
        optional={"is_again": False},
        channels=EMAIL_ONLY,
        must_say=("minutes_url",),
    ),
    LetterKind(
        kind="panel_deferred",
        title="Panel has put off your case",
        fields=("reasons",),
        optional={"meets_at": None},
        contains_sensitive=True,
    ),
    LetterKind(
        kind="approval_notice",
        title="Notice of approval",
        fields=("decided_on",),
        optional={"terms": None},
        contains_sensitive=True,
        statutory=True,
        must_say=("decided_on", "terms"),
        goes_as_file=True,
    ),
    LetterKind(
        kind="qualifying_determination",
        title="Qualifying determination",
        fields=("decided_on", "notice_on", "reasons", "panel_recommendation", "respond_by", "is_disqualified"),
        contains_sensitive=True,
        statutory=True,
        must_say=("decided_on", "notice_on", "reasons", "panel_recommendation", "respond_by", "is_disqualified"),
        must_mention=("representations", "Independent Review Mechanism", "28 days"),
        not_where={"Independent Review Mechanism": "is_disqualified"},
        goes_as_file=True,
    ),
    LetterKind(
        kind="final_decision",
        title="Final decision",
        fields=("decided_on", "is_approved", "reasons"),
        optional={"terms": None, "nothing_received": False},
        contains_sensitive=True,
        statutory=True,
        must_say=("decided_on", "is_approved", "reasons", "terms"),
        goes_as_file=True,
        must_include=("email/_complain.txt",),
    ),
    LetterKind(
        kind="withdrawal_confirmation",
        title="You have withdrawn",
        fields=("withdrawn_on",),
        optional={"was_application": True},
    ),
    # --- staff
    LetterKind(
        kind="morning_digest",
        title="Your day",
        fixed_words=True,
        audience=Audience.STAFF,
        fields=("on", "visits", "over", "over_count", "over_more", "due", "due_count", "due_more", "my_day_url"),
        channels=EMAIL_ONLY,
    ),
    LetterKind(
        kind="report_ready",
        title="A report you keep",
        fixed_words=True,
        audience=Audience.STAFF,
        fields=("which", "report_url"),
        channels=EMAIL_ONLY,
    ),
    # --- officers out alone
    LetterKind(
        kind="lone_buddy",
        title="You look out for an officer",
        audience=Audience.STAFF,
        fields=("officers", "starts_at", "ends_at", "watch_url"),
        channels=EMAIL_OR_TEXT,
    ),
    LetterKind(
        kind="lone_not_in",
        title="You have not checked in",
        audience=Audience.STAFF,
        fields=("starts_at", "watch_url"),
        channels=EMAIL_OR_TEXT,
    ),
    LetterKind(
        kind="lone_not_out",
        title="You have not checked out",
        audience=Audience.STAFF,
        fields=("ends_at", "watch_url"),
        channels=EMAIL_OR_TEXT,
    ),
    LetterKind(
        kind="lone_overdue",
        title="An officer has not checked out",
        audience=Audience.STAFF,
        fields=("officers", "ends_at", "call_number", "watch_url"),
        channels=EMAIL_OR_TEXT,
    ),
    LetterKind(
        kind="lone_help",
        title="An officer asks for help",
        audience=Audience.STAFF,
        fields=("officers", "call_number", "watch_url"),
        channels=EMAIL_OR_TEXT,
    ),
    LetterKind(
        kind="lone_safe",
        title="An officer is safe",
        audience=Audience.STAFF,
        fields=("officers", "watch_url"),
        channels=EMAIL_OR_TEXT,
    ),
    LetterKind(
        kind="running_late",
        title="Nobody has got in touch yet",
        fixed_words=True,
        audience=Audience.STAFF,
        fields=("over", "due", "queue_url"),
        channels=EMAIL_ONLY,
    ),
    # --- staff accounts
    LetterKind(
        kind="staff_invitation",
        title="Invitation to sign in",
        audience=Audience.STAFF,
        fields=("invited_by", "accept_url", "expires_at"),
        channels=EMAIL_ONLY,
    ),
    LetterKind(
        kind="password_reset",
        title="Choose a new password",
        audience=Audience.STAFF,
        fields=("reset_url", "expires_at"),
        channels=EMAIL_ONLY,
    ),
)

LETTERS: Mapping[str, LetterKind] = MappingProxyType({letter.kind: letter for letter in _CATALOGUE})
