"""Letters: rows written with the business they are about, their bytes built once, sent later by a worker."""

from crm.delivery.enqueue import (
    enqueue,
    hold_everything,
    letters_that_left,
    release_held,
    supersede,
    withdraw_letters,
)
from crm.delivery.message import Attachment, Invitation, NewMessage, Recipient, UnsendableAddress
from crm.delivery.models import Channel, MessageStatus, OutboundMessage
from crm.delivery.post_room import configure

__all__ = [
    "Attachment",
    "Channel",
    "Invitation",
    "MessageStatus",
    "NewMessage",
    "OutboundMessage",
    "Recipient",
    "UnsendableAddress",
    "configure",
    "enqueue",
    "hold_everything",
    "letters_that_left",
    "release_held",
    "supersede",
    "withdraw_letters",
]
