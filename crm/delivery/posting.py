"""Letters by post: printed by a person, who records when and how they went."""

from __future__ import annotations

from datetime import date, datetime
from email import message_from_bytes

from crm.clock import london_date
from crm.delivery.models import Channel, MessageStatus, OutboundMessage
from crm.rules.permissions import Actor
from crm.rules.refusal import Refusal

DISPATCH_METHODS = {
    "first_class": "First class post",
    "second_class": "Second class post",
    "signed_for": "Signed-for post",
    "special_delivery": "Special delivery",
    "by_hand": "By hand",
}
"""How a letter goes. By law the reader's time may run from the notice, so the date and the way are evidence."""


PDF = "application/pdf"


class CannotDispatch(Refusal):
    """The letter can't be recorded as posted like that."""


def print_pdf(message: OutboundMessage) -> bytes:
    """The letter as a PDF, the same each time it is printed; of a notice by email, the one that went with it. Raises
    CannotDispatch for any other email."""
    if message.channel == Channel.POST and message.payload is not None:
        return message.payload
    if message.channel == Channel.EMAIL and message.payload is not None:
        for part in message_from_bytes(message.payload).walk():
            content = part.get_payload(decode=True)
            if part.get_content_type() == PDF and isinstance(content, bytes):
                return content
    raise CannotDispatch("That letter goes by email, so there is nothing to print.")


def record_dispatch(message: OutboundMessage, *, on: date, method: str, actor: Actor, now: datetime) -> OutboundMessage:
    """Record that a printed letter was posted. Raises CannotDispatch."""
    if message.channel != Channel.POST:
        raise CannotDispatch("That letter goes by email, so it is not posted.")
    if message.status == MessageStatus.DISPATCHED:
        raise CannotDispatch(
            f"That letter was already recorded as posted on {message.dispatched_on:%-d %B %Y}.",
            alternatives=("Look at the letter to see how it went.",),
        )
    if message.status != MessageStatus.TO_PRINT:
        raise CannotDispatch("That letter is no longer needed: a newer one took its place.")
    if method not in DISPATCH_METHODS:
        raise CannotDispatch("Choose how the letter was posted.", status=422, field="method")
    if on > london_date(now):
        raise CannotDispatch("A letter can’t have been posted on a day to come.", status=422, field="on")
    if on < london_date(message.queued_at):
        raise CannotDispatch(
            f"The letter was only written on {london_date(message.queued_at):%-d %B %Y}.", status=422, field="on"
        )
    message.status, message.settled_at = MessageStatus.DISPATCHED, now
    message.dispatched_on, message.dispatch_method, message.dispatched_by_id = on, method, actor.user_id
    return message
