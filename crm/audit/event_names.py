"""The events of the trail, and the words in which staff read them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

EVENTS: Mapping[str, str] = MappingProxyType(
    {
        # a household's journey
        "case.opened": "Opened the case",
        "case.assigned": "Changed who has the case",
        "case.released": "Took somebody off the case",
        "case.joined": "Joined two cases",
        "case.merged": "Merged two households",
        "case.unmerged": "Took a merge apart",
        "person.merged": "Made one of two entries of a person",
        "person.moved": "Moved somebody to another household",
        "merge.asked": "Asked for a merge to be looked at",
        "merge.refused": "Said no to a merge",
        "merge.withdrawn": "Took back a merge that was asked for",
        "stage.changed": "Moved the case on",
        "stage.corrected": "Corrected where the case stands",
        "enquiry.amended": "Corrected an enquiry",
        "contact.attempted": "Tried to reach the household",
        "eligibility.decided": "Decided on eligibility",
        "pair.not_the_same": "Said that two households are not the same",
        "pair.asked_again": "Asked again whether two households are the same",
        "person.other_name_added": "Added another name of somebody",
        "person.other_name_removed": "Removed another name of somebody",
        "fact.stated": "Recorded an answer",
        "consent.given": "Recorded consent",
        "consent.refused": "Recorded a refusal of consent",
        "task.added": "Added a task",
        "task.done": "Ticked off a task",
        "task.reopened": "Reopened a task",
        "note.added": "Added a note",
        "household.joined": "Added somebody to the household",
        "household.left": "Recorded that somebody left the household",
        "person.changed": "Changed somebody’s details",
        "household.address_changed": "Changed where a household lives",
        "person.born_on": "Entered a date of birth",
        "person.contact_rules": "Changed how somebody may be reached",
        # rows taken away as a file
        "export.asked": "Asked for rows as a file",
        "export.approved": "Said yes to a large file",
        "export.refused": "Said no to a large file",
        "export.fetched": "Fetched rows as a file",
        "view.saved": "Kept a view of the enquiries",
        "view.forgotten": "Took a view of the enquiries away",
        # events and sign-up sheets
        "event.created": "Planned an event",
        "event.changed": "Changed an event",
        "event.check_in": "Checked somebody in at an event",
        "event.undo": "Took a check-in at an event back",
        "event.walk_in": "Logged somebody who walked in at an event",
        "sheet.uploaded": "Uploaded a sign-up sheet",
        "sheet.columns_set": "Said what the columns of a sheet hold",
        "sheet.loaded": "Loaded a sign-up sheet",
        # the door kit
        "kit.device_set_up": "Set a device up for the door",
        "kit.device_withdrawn": "Withdrew a device from the door",
        "kit.closed": "Closed the door of an event",
        "kit.opened_again": "Opened the door of an event again",
        "kit.entry_aside": "Kept an entry from the door aside",
        "kit.aside_settled": "Saw to an entry that was kept aside",
        "kit.file_loaded": "Loaded a file of entries from the door",
        "kit.key_destroyed": "Destroyed the key of an event’s door",
        # visits and calendars
        "visit.booked": "Booked a visit",
        "visit.moved": "Moved a visit",
        "visit.cancelled": "Called a visit off",
        "visit.held": "Recorded that a visit took place",
        "visit.made_unbooked": "Recorded a visit that was not booked",
        "visit.no_access": "Recorded that nobody was in",
        "visit.abandoned": "Broke a visit off",
        "visit.report_begun": "Began a visit report",
        "visit.report_sent": "Sent a visit report to be signed off",
        "visit.report_sent_back": "Sent a visit report back",
        "visit.signed_off": "Signed a visit report off",
        "hours.set": "Set somebody’s working hours",
        "time_away.added": "Entered time away",
        "time_away.removed": "Took time away back",
        "feed.made": "Made a calendar feed",
        "feed.ended": "Ended a calendar feed",
        # the assessment
        "application.received": "Recorded an application",
        "application.ended": "Ended an application",
        "check.requested": "Asked for a check",
        "check.chased": "Chased a check",
        "check.recorded": "Recorded the answer to a check",
        "transfer.recorded": "Recorded an approval elsewhere",
        "report.saved": "Saved an assessment report",
        "report.countersigned": "Countersigned an assessment report",
        "report.handed_back": "Handed an assessment report back",
        "report.shared": "Shared the report with the household",
        "report.observations": "Recorded what the household says of the report",
        # panel and decision
        "panel.central_list": "Changed the panel’s central list",
        "panel.meeting_made": "Planned a panel meeting",
        "panel.members_changed": "Changed who sits on a panel",
        "panel.papers_sent": "Sent the panel papers",
        "panel.listed": "Put a case before the panel",
        "panel.attendance": "Recorded who was at the panel",
        "panel.conflict": "Recorded a conflict of interest",
        "panel.deferred": "Recorded that the panel put a case off",
        "panel.recommended": "Recorded the panel’s recommendation",
        "decision.made": "Made the decision",
        "notice.oral": "Told the household of the decision",
        "notice.written": "Wrote the notice of the decision",
        "notice.posted": "Posted the notice of the decision",
        "answer.received": "Recorded the household’s answer to a proposal",
        "answer.irm_papers": "Sent papers to the independent review",
        "answer.irm_recommendation": "Recorded the independent review’s recommendation",
        "agreement.signed": "Recorded the signed foster care agreement",
        # the service's policy
        "policy.changed": "Changed the service’s policy",
        "policy.holiday_added": "Entered a one-off holiday",
        "policy.holiday_withdrawn": "Took back a one-off holiday",
        # accounts
        "access.digest_chosen": "Chose whether to get a morning letter",
        "access.signed_in": "Signed in",
        "access.signed_out": "Signed out",
        "access.sign_in_failed": "Failed to sign in",
        "access.sign_in_slowed": "Tried to sign in too often",
        "access.session_ended": "Signed another browser out",
        "access.refused": "Was refused a page",
        "access.reset_asked": "Asked for a new password",
        "access.password_reset": "Set a new password by a link",
        "access.password_changed": "Changed the password",
        "access.user_invited": "Invited somebody to join",
        "access.user_invited_again": "Sent an invitation again",
        "access.invitation_accepted": "Took up an invitation",
        "access.roles_changed": "Changed somebody’s roles",
        "access.user_disabled": "Switched an account off",
        "access.user_enabled": "Switched an account on",
        "access.user_left": "Recorded that somebody left",
        # letters
        "letter.queued": "Wrote a letter",
        "letter.not_sent": "A letter had no way to go",
        "letter.given_up": "A letter could not be delivered",
        "letter.dispatched": "Posted a letter",
        "letter.released": "Let held letters go out",
        "letter.resent": "Sent a letter again",
        # a demonstration
        "demo.filled": "Filled the demonstration service",
    }
)


def words_for(event: str) -> str:
    """The event in words; an old name that is no longer in use reads as itself."""
    if event in EVENTS:
        return EVENTS[event]
    thing, _, done = event.partition(".")
    if thing == "view":
        return f"Looked at the {done.replace('_', ' ')}"
    return f"{thing.replace('_', ' ').capitalize()}: {done.replace('_', ' ')}"
