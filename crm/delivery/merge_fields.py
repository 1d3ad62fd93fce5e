"""What can be merged into letters: a closed list. Each kind of letter declares which of these it has.

A field means one thing wherever it is used, has a type that says how it may be written, and is about somebody: the one
who reads the letter, the service, or another person whom the letter is for (a referee's letter names the applicants).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any


class FieldType(StrEnum):
    """What a field holds."""

    WORDS = "words"
    LONG_WORDS = "long words"
    DAY = "a day"
    MOMENT = "a day and a time"
    MINUTES = "a length of time"
    NAMES = "names"
    POINTS = "points, one a line"
    LINK = "a web address"
    YES_NO = "yes or no"
    SERVICE = "the service"


class About(StrEnum):
    """Whose a field is."""

    READER = "the reader"
    SERVICE = "the service"
    STAFF = "a member of staff"
    BUSINESS = "the business in hand"
    OTHER_PERSON = "somebody else"
    """Another person of the household or the applicants: only in the kinds that can't do without."""


@dataclass(frozen=True)
class MergeField:
    """One thing that can be merged in."""

    name: str
    means: str
    """What it is, as the person who edits a letter reads it."""
    type: FieldType = FieldType.WORDS
    about: About = About.BUSINESS
    example: str = ""
    """What stands for it in a preview, for words; the other types have an example of their own."""


SERVICE_PARTS: Mapping[str, str] = MappingProxyType(
    {
        "name": "the name of the service",
        "short_name": "its short name",
        "phone": "its phone number",
        "email": "its email address",
        "hours": "when its phones are open",
        "website": "its website",
        "address": "its address",
    }
)

FORMATS: Mapping[FieldType, tuple[str, ...]] = MappingProxyType(
    {
        FieldType.WORDS: (),
        FieldType.LONG_WORDS: ("paragraphs",),
        FieldType.DAY: ("day", "day_year", "date_year"),
        FieldType.MOMENT: ("day", "day_year", "date_year", "time"),
        FieldType.MINUTES: ("length",),
        FieldType.NAMES: ("and_list",),
        FieldType.POINTS: ("bullets",),
        FieldType.LINK: (),
        FieldType.YES_NO: (),
        FieldType.SERVICE: (),
    }
)
"""How a field of each type may be written; of those with formats, one must be chosen."""

_D, _M, _L, _Y = FieldType.DAY, FieldType.MOMENT, FieldType.LINK, FieldType.YES_NO

_FIELDS = (
    MergeField("service", "the service", FieldType.SERVICE, About.SERVICE),
    MergeField("first_name", "the first name of the one who reads it", about=About.READER, example="Maya"),
    MergeField("reference", "our reference", about=About.READER, example="KF-7Q3M9X"),
    MergeField("owner_name", "who looks after the household", about=About.STAFF, example="Dionne Clarke"),
    MergeField("call_by", "the day by which we ring", _D),
    MergeField("call_time", "when they asked to be rung", example="in the evening"),
    MergeField("code", "the code to sign in by", about=About.READER, example="204 816"),
    MergeField("pack_url", "where the information pack is", _L),
    MergeField("event_name", "the name of the event", example="Lewisham Market"),
    MergeField("event_on", "the day of the event", _D),
    MergeField("met_name", "whom they met there", about=About.STAFF, example="Priya Nair"),
    MergeField("start_url", "where the form begins", _L),
    MergeField("reasons", "our reasons", FieldType.LONG_WORDS, About.READER),
    MergeField("back_on", "the day we are in touch again", _D),
    MergeField("starts_at", "when the visit, the event or the course begins", _M),
    MergeField("old_starts_at", "when it was to begin before", _M),
    MergeField("how_we_talk", "whether a talk is by phone, by video or in person", example="By phone"),
    MergeField("minutes", "how long the visit takes", FieldType.MINUTES),
    MergeField("officers", "who comes", FieldType.NAMES, About.STAFF),
    MergeField("partner_name", "the first name of the other applicant", about=About.OTHER_PERSON, example="Daniel"),
    MergeField("visit_url", "where the visit can be changed", _L, About.READER),
    MergeField("choose_url", "where a time for the visit can be chosen", _L, About.READER),
    MergeField("rebook_url", "where another time can be chosen", _L, About.READER),
    MergeField("purpose", "what the visit is for", example="We would like to see the spare room"),
    MergeField("place", "where it takes place", example="Kestrel House, Bromley"),
    MergeField("reason", "why it changed", example="Sam is not well today."),
    MergeField("ring_by", "the day by which they are asked to ring", _D),
    MergeField("is_own_event", "whether it stands in an event of the officer's own", _Y),
    MergeField("why", "why it could not be booked", example="Nadia Rahman has another visit then."),
    MergeField("instead", "times that are free instead", FieldType.POINTS),
    MergeField("settle_url", "where what came from a calendar is settled", _L),
    MergeField("town", "the town, for the officer", about=About.BUSINESS, example="Lewisham"),
    MergeField("case_url", "where the case is, for staff", _L),
    MergeField("application_url", "where the application form is", _L, About.READER),
    MergeField("list_url", "where the list of their documents is", _L, About.READER),
    MergeField("apply_by", "the day by which to apply", _D),
    MergeField("received_on", "the day the application came", _D),
    MergeField("recommendation_by", "the day by which the panel is to recommend", _D),
    MergeField("assessor_name", "who assesses", about=About.STAFF, example="Sam Adeyemi"),
    MergeField("checks", "the checks that are made", FieldType.POINTS, About.READER),
    MergeField(
        "about_names", "the names of the applicants", about=About.OTHER_PERSON, example="Maya Okafor and Daniel Okafor"
    ),
    MergeField(
        "about_address", "the address of the applicants", about=About.OTHER_PERSON, example="4 Hill Top Road, Bromley"
    ),
    MergeField("about_born_on", "the birth date of the applicant", _D, About.OTHER_PERSON),
    MergeField("applicants", "the first names of the applicants", FieldType.NAMES, About.OTHER_PERSON),
    MergeField("check_title", "what is asked for", example="A reference from somebody who knows them"),
    MergeField("reply_by", "the day by which to answer", _D),
    MergeField("reply_url", "where to answer", _L, About.READER),
    MergeField("to_referee", "whether it goes to a referee", _Y),
    MergeField("decided_on", "the day of the decision", _D),
    MergeField("observations_by", "the day by which to tell us what they think", _D),
    MergeField("is_brief", "whether the report is a brief one", _Y),
    MergeField("report_url", "where the report is", _L, About.READER),
    MergeField("meets_at", "when the panel meets", _M),
    MergeField("open_until", "the last day on which something is open to its reader", _D),
    MergeField("papers_url", "where a panel member reads the papers", _L),
    MergeField("minutes_url", "where the chair of a panel reads and signs its minutes", _L),
    MergeField("is_again", "that they were put right after somebody read them", _Y),
    MergeField("join_url", "where to join the meeting", _L),
    MergeField(
        "terms", "the terms of the approval", about=About.READER, example="one child or two siblings, aged 5 to 12"
    ),
    MergeField("notice_on", "the date of the notice", _D),
    MergeField("panel_recommendation", "what the panel recommended", FieldType.LONG_WORDS, About.READER),
    MergeField("respond_by", "the last day to respond", _D),
    MergeField("is_disqualified", "whether the law disqualifies them", _Y, About.READER),
    MergeField("is_approved", "whether they are approved", _Y, About.READER),
    MergeField("nothing_received", "whether nothing came from them", _Y, About.READER),
    MergeField("withdrawn_on", "the day they withdrew", _D),
    MergeField("was_application", "whether they had applied", _Y),
    MergeField("invited_by", "who invited them", about=About.STAFF, example="Grace Okoro"),
    MergeField("accept_url", "where to accept", _L, About.READER),
    MergeField("reset_url", "where to choose a new password", _L, About.READER),
    MergeField("ends_at", "when the event, or the session of a course, ends", _M),
    MergeField("where", "where the event or the course is", example="Lewisham Library"),
    MergeField("getting_in", "how to get in", example="There is a ramp at the side door."),
    MergeField("place_url", "where their place can be changed", _L, About.READER),
    MergeField("is_waiting", "whether they are on the waiting list", _Y, About.READER),
    MergeField("old_where", "where the event was to be before", example="Lewisham Town Hall"),
    MergeField("events_url", "where the events are", _L),
    MergeField("event_url", "where the event is, for staff", _L),
    MergeField("course_name", "the name of the course", example="Skills to Foster, autumn"),
    MergeField("sessions", "each session of the course, with its times", FieldType.POINTS),
    MergeField("changes", "what has changed of the course", FieldType.POINTS),
    MergeField("course_url", "where the course is, for staff", _L),
    MergeField("is_off", "whether it is off, or somebody else runs it now", _Y),
    MergeField("both_go", "whether both applicants go on the course", _Y),
    MergeField("session_number", "which session of the course it is", example="2"),
    MergeField("watch_url", "where the visit is looked after, for staff", _L),
    MergeField("call_number", "the number to ring", about=About.STAFF, example="07700 900812"),
    MergeField("return_url", "where their answers are kept", _L, About.READER),
    MergeField("expires_at", "when the link ends", _M),
    MergeField("confirm_url", "where they say that the address is theirs", _L, About.READER),
)

MERGE_FIELDS: Mapping[str, MergeField] = MappingProxyType({field.name: field for field in _FIELDS})

_EXAMPLES: Mapping[FieldType, Any] = MappingProxyType(
    {
        FieldType.LONG_WORDS: (
            "You told us that you are moving house in the autumn.\n\n"
            "A child needs a home that stays the same for a while."
        ),
        FieldType.DAY: date(2026, 7, 20),
        FieldType.MOMENT: datetime(2026, 7, 14, 16, 30, tzinfo=UTC),
        FieldType.MINUTES: 120,
        FieldType.NAMES: ("Sam Adeyemi", "Priya Nair"),
        FieldType.POINTS: ("Your health", "People who know you"),
        FieldType.LINK: "https://kestrel.example.org/my",
        FieldType.YES_NO: True,
    }
)


def example_of(name: str) -> Any:
    """What stands for a field in a preview on the fictional cast. KeyError for the service, which is the real one."""
    field = MERGE_FIELDS[name]
    return field.example if field.type is FieldType.WORDS else _EXAMPLES[field.type]


BY_POST = "by_post"
"""Whether it is printed. Every letter may ask it, and none prints it."""
