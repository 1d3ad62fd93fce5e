"""Everything that runs by itself: its name, how often, and the function."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

from flask import current_app

from crm import policy
from crm.access import sessions
from crm.assessments import course_timed, document_worker, documents, pack_worker, referees
from crm.assessments.checks import work_out_after_birthdays
from crm.audit import chain
from crm.calendars import busy_worker, caldav_reading, caldav_writing
from crm.cases import contact_links, journeys, mail_worker, replies
from crm.cases import suggest_pairs as pairs
from crm.clock import london_date, now_utc
from crm.db import db
from crm.delivery import Channel
from crm.delivery import worker as delivery_worker
from crm.delivery.post_room import post_room
from crm.enquiries import drafts, escalation, held, intake, mailings
from crm.events import after, kit, sheet_import, sheet_worker
from crm.jobs import Job, Timetable
from crm.portal import signing_in
from crm.reporting import answers, saved
from crm.rules.permissions import SYSTEM
from crm.settings import Settings
from crm.staff import digest
from crm.visits import choosing, from_calendar, holds, offers, phones, reminding, watching
from crm.web import limits, once

SESSIONS_KEPT = timedelta(days=30)
"""Ended and forgotten sessions are kept this long, so that a person can still see where they were signed in."""
ONE_TIME_IDS_KEPT = timedelta(days=30)
"""A form sent again within this time shows the first result."""
TRIES_KEPT = timedelta(days=1)
ANCHORS_FILE = "audit-anchors.txt"


def seal_audit(now: datetime) -> int:
    """Chain the newest audit entries."""
    return chain.seal_new_entries(now)


def seal_stragglers(now: datetime) -> int:
    """Chain entries of any age that have no seal, and note outside the database where the chain stands."""
    sealed = chain.seal_new_entries(now, everything=True)
    db.session.flush()
    settings: Settings = current_app.extensions["crm_settings"]
    chain.write_anchor(settings.data_dir / chain.ANCHORS_FILE, now)
    return sealed


def forget_sessions(now: datetime) -> int:
    """Drop sessions, and codes to open one, that nobody can use any more."""
    return sessions.forget_ended_before(now - SESSIONS_KEPT) + signing_in.forget_ended_before(now - SESSIONS_KEPT)


def forget_one_time_ids(now: datetime) -> int:
    """Drop the ids of forms sent long ago."""
    return once.forget_received_before(now - ONE_TIME_IDS_KEPT)


def forget_tries(now: datetime) -> int:
    """Drop old counts of tries."""
    return limits.forget_windows_before(now - TRIES_KEPT)


def waits_need_counting(now: datetime) -> bool:
    """Whether the calendar of working days has changed since waits were counted; a cheap look."""
    today = london_date(now)
    return not journeys.is_counted_by(policy.rulebook_on(today).calendar, today=today)


def count_waits(now: datetime) -> int:
    """Count the waits of a batch of households by today's calendar."""
    today = london_date(now)
    return journeys.count_by(policy.rulebook_on(today).calendar, today=today)


def forget_answers(now: datetime) -> int:
    """Drop answers of reports that are not given again."""
    return answers.forget_old(now)


def forget_sheets(now: datetime) -> int:
    """Drop uploaded sign-up sheets past their time."""
    return sheet_import.forget_old_uploads(now=now)


def close_doors(now: datetime) -> int:
    """End the devices of events that are over, and destroy the keys of those long past."""
    return kit.close_and_forget(now=now)


def forget_drafts(now: datetime) -> int:
    """Drop public forms that were begun and not sent, past their time."""
    return drafts.forget_old_drafts(now=now)


def forget_held(now: datetime) -> int:
    """Drop what was kept aside and decided a month ago."""
    return held.forget_put_away(now=now)


def forget_receipts(now: datetime) -> int:
    """Drop the ids of enquiries that websites handed in long ago."""
    return intake.forget_received_before(now - ONE_TIME_IDS_KEPT)


def checks_after_birthdays(now: datetime) -> int:
    """Work out Stage 1 checks again where somebody has turned 18."""
    today = london_date(now)
    return work_out_after_birthdays(actor=SYSTEM, now=now, today=today, rulebook=policy.rulebook_on(today))


def suggest_pairs(now: datetime) -> int:
    """Compare those who are new or changed with everybody on file."""
    return pairs.suggest_pairs(now=now)


def tell_of_late_enquiries(now: datetime) -> int:
    """Tell the managers which first contacts are due and not tried, or over."""
    today = london_date(now)
    settings: Settings = current_app.extensions["crm_settings"]
    return escalation.tell_managers(
        now=now,
        today=today,
        rulebook=policy.rulebook_on(today),
        queue_url=f"{settings.base_url}/enquiries?view=new",
    )


def has_late_enquiries(now: datetime) -> bool:
    """Whether the managers have to be told of something."""
    today = london_date(now)
    return escalation.has_something_to_tell(now=now, today=today, rulebook=policy.rulebook_on(today))


def deliver(stop: threading.Event) -> None:
    """Send letters, all the time."""
    delivery_worker.run_worker(stop)


def deliver_texts(stop: threading.Event) -> None:
    """Send text messages, all the time, where there is a way for them to leave."""
    if post_room().can_text:
        delivery_worker.run_worker(stop, channel=Channel.TEXT)
    else:
        stop.wait()


def fetch_answers(stop: threading.Event) -> None:
    """Take in what families write back, all the time, where a mailbox is set up for it."""
    settings: Settings = current_app.extensions["crm_settings"]
    if settings.incoming is None:
        stop.wait()
    else:
        mail_worker.fetch_answers(settings.incoming, stop, clock=now_utc)


def read_calendars(stop: threading.Event) -> None:
    """Read officers' own calendars for their busy times, all the time."""
    busy_worker.keep_reading(stop, clock=now_utc)


def forget_laid_aside(now: datetime) -> int:
    """Dismiss messages that have lain too long where nobody could place them."""
    return replies.forget_old(now=now)


def forget_contact_links(now: datetime) -> int:
    """Drop links in letters that have ended."""
    return contact_links.forget_ended(now=now)


def forget_visit_links(now: datetime) -> int:
    """Drop links to visits that have long opened nothing."""
    return offers.forget_ended(now=now)


def forget_reference_drafts(now: datetime) -> int:
    """Drop what referees wrote and never sent, long after their links ended."""
    return referees.forget_drafts(now=now)


def scan_documents(stop: threading.Event) -> None:
    """Look files through that were handed in, all the time, where there is a scanner."""
    settings: Settings = current_app.extensions["crm_settings"]
    if settings.clamd is None:
        stop.wait()
    else:
        document_worker.keep_scanning(settings.clamd, stop, clock=now_utc)


def make_papers(stop: threading.Event) -> None:
    """Put panel papers together as they are asked for, all the time."""
    pack_worker.keep_making(stop, clock=now_utc)


def call_off_taken_out(now: datetime) -> int:
    """Call off the visits that officers took out of their calendars, once it is plain that none was being moved."""
    today = london_date(now)
    return from_calendar.call_off_taken_out(now, today=today, rulebook=policy.rulebook_on(today))


def go_on_with_sheets(stop: threading.Event) -> None:
    """Read, check, load and undo long sign-up sheets, as they come."""
    sheet_worker.run(stop, clock=now_utc)


TIMETABLE = Timetable(
    jobs=(
        Job(
            name="seal_audit",
            title="Seal the audit trail",
            every=timedelta(seconds=3),
            do=seal_audit,
            has_work=lambda _now: chain.has_unsealed(),
            again_when=chain.BATCH,
        ),
        Job(
            name="anchor_audit",
            title="Note where the audit trail stands",
            every=timedelta(days=1),
            do=seal_stragglers,
            again_when=chain.BATCH,
        ),
        Job(name="forget_sessions", title="Forget old sessions", every=timedelta(hours=1), do=forget_sessions),
        Job(name="forget_one_time_ids", title="Forget old form ids", every=timedelta(hours=6), do=forget_one_time_ids),
        Job(name="forget_tries", title="Forget old counts of tries", every=timedelta(hours=1), do=forget_tries),
        Job(name="forget_drafts", title="Forget forms never sent", every=timedelta(hours=1), do=forget_drafts),
        Job(name="close_doors", title="Close the doors of past events", every=timedelta(hours=1), do=close_doors),
        Job(
            name="queue_event_askers",
            title="Put those who asked at an event into the queue",
            every=timedelta(minutes=2),
            do=after.queue_those_who_asked,
            has_work=after.has_askers,
            again_when=after.BATCH,
        ),
        Job(
            name="follow_up_events",
            title="Follow events up on the next working day",
            every=timedelta(minutes=10),
            do=after.follow_up_events,
            has_work=after.has_event_to_follow_up,
            again_when=1,
        ),
        Job(
            name="remind_event_guests",
            title="Remind those who have a place tomorrow",
            every=timedelta(minutes=15),
            do=after.remind_for_tomorrow,
            again_when=after.BATCH,
        ),
        Job(
            name="remind_of_visits",
            title="Remind households of tomorrow’s visit",
            every=timedelta(minutes=15),
            do=reminding.remind_for_tomorrow,
            has_work=reminding.has_visits_to_remind_of,
            again_when=reminding.BATCH,
        ),
        Job(
            name="clear_held_times",
            title="Give held times back that have run out",
            every=timedelta(minutes=1),
            do=holds.clear_run_out,
            has_work=holds.has_run_out,
            again_when=holds.BATCH,
        ),
        Job(
            name="chase_unchosen",
            title="Tell owners who has not chosen a time",
            every=timedelta(minutes=15),
            do=choosing.chase_unchosen,
            has_work=choosing.has_unchosen,
            again_when=choosing.BATCH,
        ),
        Job(
            name="forget_reference_drafts",
            title="Forget references that were never sent",
            every=timedelta(days=1),
            do=forget_reference_drafts,
        ),
        Job(name="forget_visit_links", title="Forget links to visits", every=timedelta(days=1), do=forget_visit_links),
        Job(
            name="call_off_taken_out",
            title="Call off visits taken out of officers’ calendars",
            every=timedelta(seconds=30),
            do=call_off_taken_out,
            has_work=caldav_reading.has_taken_out,
        ),
        Job(
            name="roll_series_on",
            title="Work out officers’ busy times further ahead",
            every=timedelta(days=1),
            do=caldav_writing.roll_on,
        ),
        Job(
            name="look_out_for_officers",
            title="Look out for officers who are on visits",
            every=timedelta(seconds=20),
            do=watching.raise_alarms,
            has_work=watching.has_alarms_to_raise,
            lease=timedelta(minutes=1),  # a worker that dies at it holds no alarm up for longer
            again_when=watching.BATCH,
        ),
        Job(
            name="forget_event_guests",
            title="Forget guests of old events",
            every=timedelta(hours=6),
            do=after.forget_guests,
            again_when=after.BATCH,
        ),
        Job(
            name="remind_of_courses",
            title="Remind those who have a course tomorrow",
            every=timedelta(minutes=15),
            do=course_timed.remind_for_tomorrow,
            again_when=course_timed.BATCH,
        ),
        Job(
            name="ask_who_came",
            title="Ask who came to courses that are over",
            every=timedelta(minutes=15),
            do=course_timed.ask_who_came,
            again_when=course_timed.BATCH,
        ),
        Job(name="forget_phones", title="Forget phones of visits", every=timedelta(hours=1), do=phones.forget_phones),
        Job(name="forget_held", title="Forget forms put away", every=timedelta(hours=6), do=forget_held),
        Job(name="forget_receipts", title="Forget old ids of websites", every=timedelta(hours=6), do=forget_receipts),
        Job(
            name="count_waits",
            title="Count waits by the calendar as it is",
            every=timedelta(minutes=10),
            do=count_waits,
            has_work=waits_need_counting,
            again_when=journeys.BATCH,
        ),
        Job(name="forget_answers", title="Forget old answers of reports", every=timedelta(hours=1), do=forget_answers),
        Job(name="forget_sheets", title="Forget uploaded sheets", every=timedelta(hours=1), do=forget_sheets),
        Job(name="forget_laid_aside", title="Forget old messages", every=timedelta(days=1), do=forget_laid_aside),
        Job(name="forget_contact_links", title="Forget ended links", every=timedelta(days=1), do=forget_contact_links),
        Job(
            name="suggest_pairs",
            title="Find households that may be the same",
            every=timedelta(seconds=20),
            do=suggest_pairs,
            has_work=lambda _now: pairs.has_people_to_compare(),
            again_when=pairs.BATCH,
        ),
        Job(
            name="morning_digest",
            title="Write to staff about their day",
            every=timedelta(minutes=5),
            do=digest.send_digests,
            has_work=digest.anybody_to_write_to,
            again_when=digest.SO_MANY,
        ),
        Job(
            name="report_mornings",
            title="Tell staff that a report they keep is there",
            every=timedelta(minutes=5),
            do=saved.tell_mornings,
            has_work=saved.anybody_to_tell,
            again_when=saved.SO_MANY,
        ),
        Job(
            name="late_enquiries",
            title="Tell managers whom nobody has got in touch with",
            every=timedelta(minutes=5),
            do=tell_of_late_enquiries,
            has_work=has_late_enquiries,
            again_when=escalation.MOST_AT_ONCE,
        ),
        Job(
            name="write_mailings",
            title="Write letters to many",
            every=timedelta(seconds=5),
            do=mailings.write_letters,
            has_work=mailings.has_letters_to_write,
            again_when=mailings.CHUNK,
        ),
        Job(
            name="ask_for_documents_anew",
            title="Tell owners which documents run out",
            every=timedelta(hours=6),
            do=documents.ask_anew,
            again_when=documents.BATCH,
        ),
        Job(
            name="checks_after_birthdays",
            title="Work out checks where somebody has turned 18",
            every=timedelta(hours=6),
            do=checks_after_birthdays,
        ),
    ),
    loops={
        "letters": deliver,
        "texts": deliver_texts,
        "sheets": go_on_with_sheets,
        "answers": fetch_answers,
        "calendars": read_calendars,
        "documents": scan_documents,
        "papers": make_papers,
    },
)
