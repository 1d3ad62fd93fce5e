"""The letter with a link to answers that were kept. It says nothing about anybody: not even a name."""

from __future__ import annotations

from datetime import datetime

from crm import policy
from crm.delivery import Channel, NewMessage, Recipient, enqueue
from crm.delivery.message import UnsendableAddress
from crm.enquiries.models import EnquiryDraft

KIND = "enquiry_saved"


def send_link(draft: EnquiryDraft, *, to: str, address: str, now: datetime) -> bool:
    """Write to an address with the link. False where no letter can go there, which the page says nothing of: what it
    says never depends on whose address it is."""
    try:
        enqueue(
            NewMessage(
                kind=KIND,
                channel=Channel.EMAIL,
                to=Recipient(email=to),
                dedupe_key=f"{KIND}:{draft.link_hash}",
                context={"service": policy.service(), "return_url": address, "ends_at": draft.link_ends_at},
                not_after=draft.link_ends_at,
            ),
            now=now,
        )
    except UnsendableAddress:
        return False
    return True
