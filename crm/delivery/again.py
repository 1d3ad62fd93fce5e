"""Trying a letter again that was given up on, once whatever was wrong has been put right."""

from __future__ import annotations

from datetime import datetime

from crm.audit import record
from crm.delivery.models import MessageStatus, OutboundMessage
from crm.rules.permissions import Actor
from crm.rules.refusal import Refusal


class NotGivenUp(Refusal):
    """Only a letter that could not be delivered can be tried again."""


def try_again(letter: OutboundMessage, *, actor: Actor, now: datetime) -> None:
    """Queue the very same bytes to the very same address again. Raises NotGivenUp, or when its time has passed."""
    if letter.status != MessageStatus.GIVEN_UP:
        raise NotGivenUp("That letter is not one that failed, so there is nothing to try again.")
    if letter.not_after is not None and letter.not_after <= now:
        raise NotGivenUp("That letter would come too late to be of use.")
    letter.status, letter.settled_at = MessageStatus.QUEUED, None
    letter.next_attempt_at, letter.first_attempt_at, letter.refusals = now, None, 0
    record("letter.resent", actor=actor, at=now, case_id=letter.case_id, subject=f"letter:{letter.id}")
