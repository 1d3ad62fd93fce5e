"""One example of every letter, with fictional people: what the tests render and send."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from crm.delivery import Channel, Invitation, NewMessage, Recipient
from crm.delivery.letters import LETTERS, Audience

NOW = datetime(2026, 7, 8, 17, 22, tzinfo=UTC)


@dataclass(frozen=True)
class Service:
    name: str = "Kestrel Fostering"
    short_name: str = "Kestrel"
    phone: str = "01632 960 140"
    email: str = "hello@kestrel.example.org"
    hours: str = "Monday to Friday, 9am to 5pm"
    website: str = "https://kestrel.example.org"
    address: str = "12 Harbour Row\nDeptford\nLondon\nSE8 3OV"


SERVICE = Service()
VISIT_AT = datetime(2026, 7, 14, 16, 30, tzinfo=UTC)
OLD_VISIT_AT = datetime(2026, 7, 13, 9, 0, tzinfo=UTC)
PANEL_AT = datetime(2026, 11, 5, 10, 0, tzinfo=UTC)
REASONS = (
    "You told us that you are moving house in the autumn.\n\nA child needs a home that stays the same for a while."
)
LINK = "https://kestrel.example.org/my"

PLACE_LINK = "https://kestrel.example.org/events/my-place/abc"
EVENT = {"event_name": "Coffee and questions", "starts_at": VISIT_AT}
EVENT_PLACE = {
    **EVENT,
    "ends_at": datetime(2026, 7, 14, 18, 0, tzinfo=UTC),
    "where": "St Aldwyn’s Hall, 2 Canopy Road, Catford",
}
WATCH_LINK = "https://kestrel.example.org/visits/7/watch"
COURSE = {"course_name": "Skills to Foster, autumn", "starts_at": VISIT_AT}
COURSE_PLAN = {
    **COURSE,
    "where": "Kestrel House, Bromley",
    "sessions": ["Session 1: Tuesday 14 July, 5:30pm to 8pm", "Session 2: Tuesday 21 July, 5:30pm to 8pm. Attachment"],
}

FIELDS: dict[str, dict[str, Any]] = {
    "morning_digest": {
        "on": date(2026, 7, 14),
        "visits": [(VISIT_AT, "KF-7Q3M9X")],
        "over": ["KF-7Q3M9X, was due Fri 10 July", "A task of the service, was due Mon 13 July"],
        "over_count": "14",
        "over_more": "12 more",
        "due": ["KF-2B8T4C"],
        "due_count": "1",
        "due_more": "",
        "my_day_url": "https://kestrel.example.org/my-day",
    },
    "report_ready": {"which": "Journey", "report_url": "https://kestrel.example.org/reports/saved/7"},
    "enquiry_acknowledgement": {"call_by": date(2026, 7, 9), "call_time": "in the evening"},
    "enquiry_saved": {
        "return_url": "https://kestrel.example.org/enquire/return/abc",
        "ends_at": datetime(2026, 7, 22, 17, 22, tzinfo=UTC),
    },
    "information_pack": {},
    "event_thank_you": {
        "event_name": "Lewisham Market",
        "event_on": date(2026, 7, 4),
        "met_name": "Priya Nair",
        "call_by": date(2026, 7, 6),
        "start_url": "https://kestrel.example.org/enquire",
    },
    **{
        kind: {**EVENT_PLACE, "getting_in": "No steps. Free parking behind the hall.", "place_url": PLACE_LINK}
        for kind in ("event_place", "event_waiting", "event_place_free", "event_reminder")
    },
    "event_changed": {**EVENT_PLACE, "is_waiting": False, "old_starts_at": OLD_VISIT_AT, "place_url": PLACE_LINK},
    "event_cancelled": {**EVENT, "reason": "The hall has no heating this week."},
    "event_given_up": EVENT,
    "event_thanks": {**EVENT, "start_url": "https://kestrel.example.org/"},
    "event_missed": {**EVENT, "events_url": "https://kestrel.example.org/events"},
    "event_staff_cancelled": {**EVENT, "event_url": "https://kestrel.example.org/events/7"},
    **{
        kind: {**COURSE_PLAN, "getting_in": "No steps. Lunch is ours.", "both_go": True}
        for kind in ("course_place", "course_place_free")
    },
    "course_waiting": COURSE_PLAN,
    "course_changed": {
        **COURSE_PLAN,
        "changes": ["Session 2 is now on Tuesday 21 July, 5:30pm to 8pm. It was to be on Monday 20 July, 5pm to 8pm"],
    },
    "course_staff": {**COURSE_PLAN, "course_url": "https://kestrel.example.org/courses/7"},
    "course_cancelled": {**COURSE, "reason": "The hall has no heating this week."},
    "course_given_up": COURSE,
    "course_reminder": {
        **COURSE,
        "ends_at": datetime(2026, 7, 14, 19, 0, tzinfo=UTC),
        "where": "Kestrel House, Bromley",
        "session_number": "1",
    },
    "not_now": {"reasons": REASONS, "back_on": date(2027, 1, 11)},
    "enquiry_closed": {"reasons": "We tried to ring you three times and could not reach you."},
    "visit_choose": {
        "choose_url": "https://kestrel.example.org/visit/abc",
        "minutes": 90,
        "officers": ["Sam"],
        "expires_at": datetime(2026, 7, 22, 17, 22, tzinfo=UTC),
    },
    "visit_invitation": {
        "starts_at": VISIT_AT,
        "minutes": 120,
        "officers": ["Sam Adeyemi"],
        "partner_name": "Daniel",
        "visit_url": LINK,
    },
    "visit_changed": {
        "starts_at": VISIT_AT,
        "minutes": 90,
        "officers": ["Sam Adeyemi", "Priya Nair"],
        "old_starts_at": OLD_VISIT_AT,
    },
    "visit_stays": {"starts_at": VISIT_AT, "minutes": 90, "officers": ["Sam Adeyemi"]},
    "visit_cancelled": {"starts_at": VISIT_AT, "reason": "Sam is not well today."},
    "tried_to_ring": {},
    "news_to_many": {},
    "word_to_many": {},
    "address_check": {"confirm_url": "https://kestrel.example.org/confirm-email/abc"},
    "visit_reminder": {"starts_at": VISIT_AT, "officers": ["Sam Adeyemi"]},
    "visit_no_access": {"starts_at": OLD_VISIT_AT, "ring_by": date(2026, 7, 20)},
    "officer_visit_invitation": {
        "reference": "KF-7Q3M9X",
        "starts_at": VISIT_AT,
        "minutes": 120,
        "town": "Lewisham",
        "case_url": "https://kestrel.example.org/cases/KF-7Q3M9X",
    },
    "officer_visit_changed": {
        "reference": "KF-7Q3M9X",
        "starts_at": VISIT_AT,
        "minutes": 120,
        "town": "Lewisham",
        "old_starts_at": OLD_VISIT_AT,
        "case_url": "https://kestrel.example.org/cases/KF-7Q3M9X",
    },
    "officer_visit_stays": {
        "reference": "KF-7Q3M9X",
        "starts_at": VISIT_AT,
        "minutes": 120,
        "town": "Lewisham",
        "case_url": "https://kestrel.example.org/cases/KF-7Q3M9X",
        "why": "Sam Adeyemi has another visit then.",
        "instead": ["Tuesday 14 July, 4pm"],
    },
    "officer_event_booked": {
        "reference": "KF-7Q3M9X",
        "starts_at": VISIT_AT,
        "minutes": 120,
        "town": "Lewisham",
        "case_url": "https://kestrel.example.org/cases/KF-7Q3M9X",
    },
    "officer_event_refused": {
        "starts_at": VISIT_AT,
        "why": "Sam Adeyemi has another visit then.",
        "instead": ["Tuesday 14 July, 4pm"],
        "settle_url": "https://kestrel.example.org/visits/from-calendar",
    },
    "officer_visit_cancelled": {
        "reference": "KF-7Q3M9X",
        "starts_at": VISIT_AT,
        "town": "Lewisham",
        "case_url": "https://kestrel.example.org/cases/KF-7Q3M9X",
    },
    "lone_buddy": {
        "officers": ["Sam Adeyemi"],
        "starts_at": VISIT_AT,
        "ends_at": VISIT_AT,
        "watch_url": WATCH_LINK,
    },
    "lone_not_in": {"starts_at": VISIT_AT, "watch_url": WATCH_LINK},
    "lone_not_out": {"ends_at": VISIT_AT, "watch_url": WATCH_LINK},
    "lone_overdue": {
        "officers": ["Sam Adeyemi"],
        "ends_at": VISIT_AT,
        "call_number": "07700 900812",
        "watch_url": WATCH_LINK,
    },
    "lone_help": {"officers": ["Sam Adeyemi"], "call_number": "07700 900812", "watch_url": WATCH_LINK},
    "lone_safe": {"officers": ["Sam Adeyemi"], "watch_url": WATCH_LINK},
    "running_late": {
        "over": ["KF-7Q3M9X"],
        "due": ["KF-2M4T8P", "KF-9C1V5R"],
        "queue_url": "https://kestrel.example.org/enquiries?view=new",
    },
    "portal_code": {"code": "204 816"},
    "document_wanted": {"list_url": LINK},
    "invitation_to_apply": {"application_url": LINK, "apply_by": date(2026, 8, 14)},
    "application_acknowledgement": {"received_on": date(2026, 7, 8), "recommendation_by": date(2027, 3, 8)},
    "assessment_plan": {"assessor_name": "Sam Adeyemi"},
    "check_request": {
        "about_names": "Maya Okafor and Daniel Okafor",
        "check_title": "A reference from somebody who knows them",
        "reply_by": date(2026, 7, 29),
    },
    **{
        kind: {
            "applicants": ["Ruth", "Carl"],
            "reply_url": "https://kestrel.example.org/reference/N3qv0Wc7aJt5nVd2mXh8RkLs1ZyPuB4E",
            "reply_by": date(2026, 9, 23),
            "expires_at": datetime(2026, 8, 19, 17, 22, tzinfo=UTC),
        }
        for kind in ("reference_request", "reference_reminder")
    },
    "reference_thanks": {},
    "referee_talk": {"starts_at": VISIT_AT, "old_starts_at": VISIT_AT, "how_we_talk": "By phone"},
    "referee_talk_off": {"starts_at": VISIT_AT},
    "officer_talk": {
        "reference": "KF-7Q3M9X",
        "starts_at": VISIT_AT,
        "old_starts_at": VISIT_AT,
        "how_we_talk": "By phone",
        "case_url": "https://kestrel.example.org/cases/KF-7Q3M9X/referees/4",
    },
    "officer_talk_off": {
        "reference": "KF-7Q3M9X",
        "starts_at": VISIT_AT,
        "case_url": "https://kestrel.example.org/cases/KF-7Q3M9X/referees/4",
    },
    "stage_one_passed": {"decided_on": date(2026, 9, 4)},
    "stage_one_refusal": {"decided_on": date(2026, 9, 4), "reasons": REASONS},
    "report_shared": {"observations_by": date(2026, 10, 16)},
    "panel_papers": {
        "meets_at": PANEL_AT,
        "open_until": date(2026, 9, 17),
        "papers_url": "https://kestrel.example.org/panel/4?item=9",
    },
    "minutes_to_sign": {
        "meets_at": PANEL_AT,
        "minutes_url": "https://kestrel.example.org/panel/minutes/9",
        "is_again": True,
    },
    "panel_invitation": {"meets_at": PANEL_AT, "place": "12 Harbour Row, Deptford, London SE8 3OV"},
    "panel_deferred": {"reasons": "The panel would like to hear from your school.", "meets_at": PANEL_AT},
    "approval_notice": {"decided_on": date(2026, 11, 12), "terms": "one child or two siblings, aged 5 to 12"},
    "qualifying_determination": {
        "decided_on": date(2026, 11, 12),
        "notice_on": date(2026, 11, 16),
        "reasons": REASONS,
        "panel_recommendation": "The panel recommended, all agreeing, that you are not suitable to foster at present.",
        "respond_by": date(2026, 12, 14),
        "is_disqualified": False,
    },
    "final_decision": {
        "decided_on": date(2026, 12, 16),
        "is_approved": False,
        "reasons": REASONS,
        "nothing_received": True,
    },
    "withdrawal_confirmation": {"withdrawn_on": date(2026, 7, 8)},
    "staff_invitation": {
        "invited_by": "Grace Okoro",
        "accept_url": "https://kestrel.example.org/invitation/abc",
        "expires_at": OLD_VISIT_AT,
    },
    "password_reset": {"reset_url": "https://kestrel.example.org/reset/abc", "expires_at": OLD_VISIT_AT},
}


def context_of(kind: str, **changes: Any) -> dict[str, Any]:
    """The merge fields of the example of a kind."""
    common: dict[str, Any] = {"service": SERVICE, "first_name": "Maya"}
    if LETTERS[kind].audience in (Audience.HOUSEHOLD, Audience.REFEREE):
        common |= {"reference": "KF-7Q3M9X", "owner_name": "Dionne Clarke"}
    return {**common, **FIELDS[kind], **changes}


def invitation_bytes(
    *,
    method: str = "REQUEST",
    attendee: str = "maya@example.org",
    uid: str = "visit-1@kestrel.example.org",
    sequence: int = 0,
) -> bytes:
    """A calendar object as the product makes them: one event, from the service, for one attendee."""
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Doorstep//Visits//EN",
        f"METHOD:{method}",
        "BEGIN:VEVENT",
        f"UID:{uid}",
        f"SEQUENCE:{sequence}",
        "DTSTAMP:20260708T172200Z",
        "DTSTART:20260714T163000Z",
        "DTEND:20260714T183000Z",
        "SUMMARY:Kestrel visit KF-7Q3M9X",
        "ORGANIZER;CN=Kestrel Fostering:mailto:visits@kestrel.example.org",
        f"ATTENDEE;RSVP=TRUE;PARTSTAT=NEEDS-ACTION:mailto:{attendee}",
        f"STATUS:{'CANCELLED' if method == 'CANCEL' else 'CONFIRMED'}",
        "END:VEVENT",
        "END:VCALENDAR",
    ]
    return "".join(f"{line}\r\n" for line in lines).encode()


def new_message(
    kind: str = "information_pack", *, to: str = "maya@example.org", key: str | None = None, **changes: Any
) -> NewMessage:
    """A letter by email to one address."""
    context = context_of(kind, **changes.pop("context", {}))
    return NewMessage(
        kind=kind,
        channel=Channel.EMAIL,
        to=Recipient(email=to),
        dedupe_key=key or f"{kind}|{to}",
        context=context,
        **changes,
    )


def invitation_message(
    sequence: int = 0, *, method: str = "REQUEST", to: str = "maya@example.org", stream: str = "visit-1", **changes: Any
) -> NewMessage:
    """A letter about one visit, with its calendar object."""
    kind = {"REQUEST": "visit_changed" if sequence else "visit_invitation", "CANCEL": "visit_cancelled"}[method]
    ics = invitation_bytes(method=method, attendee=to, uid=f"{stream}@kestrel.example.org", sequence=sequence)
    return new_message(
        kind,
        to=to,
        key=f"{stream}|{to}|{method}|{sequence}",
        stream=f"{stream}|{to}",
        sequence=sequence,
        invitation=Invitation(ics, method),
        **changes,
    )
