"""The events of the trail, and the words in which staff read them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

EVENTS: Mapping[str, str] = MappingProxyType(
    {
        # a household's journey
        "case.opened": "Opened the case",
        "case.assigned": "Changed who has the case",
        "case.unassigned": "Took somebody off the case",
        "case.merged": "Joined two cases",
        "stage.changed": "Moved the case on",
        "stage.corrected": "Corrected where the case stands",
        "clock.started": "Started a clock",
        "clock.stopped": "Stopped a clock",
        "fact.stated": "Recorded an answer",
        "consent.given": "Recorded consent",
        "consent.refused": "Recorded a refusal of consent",
        "task.added": "Added a task",
        "task.done": "Ticked off a task",
        "task.reopened": "Reopened a task",
        "note.added": "Added a note",
        # the service's policy
        "policy.changed": "Changed the service's policy",
        "policy.holiday_added": "Entered a one-off holiday",
        "policy.holiday_withdrawn": "Took back a one-off holiday",
        # accounts
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
        "access.roles_changed": "Changed somebody's roles",
        "access.user_disabled": "Switched an account off",
        "access.user_enabled": "Switched an account on",
        "access.user_left": "Recorded that somebody left",
        # letters
        "letter.queued": "Wrote a letter",
        "letter.given_up": "A letter could not be delivered",
        "letter.dispatched": "Posted a letter",
        "letter.released": "Let held letters go out",
        "letter.resent": "Sent a letter again",
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
