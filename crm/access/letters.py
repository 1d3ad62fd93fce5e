"""The letters that accounts need. They go to the address of the account and to nowhere else."""

from __future__ import annotations

from datetime import datetime

from crm import policy
from crm.access.models import PasswordReset, StaffInvitation, User
from crm.delivery import Channel, NewMessage, Recipient, enqueue


def send_invitation(*, invitation: StaffInvitation, user: User, link: str, invited_by: str, now: datetime) -> None:
    """Write to somebody who has been asked to join."""
    enqueue(
        NewMessage(
            kind="staff_invitation",
            channel=Channel.EMAIL,
            to=Recipient(email=user.email),
            dedupe_key=f"staff_invitation:{invitation.id}",
            context={
                "service": policy.service(),
                "first_name": first_name(user),
                "invited_by": invited_by,
                "accept_url": link,
                "expires_at": invitation.ends_at,
            },
            user_id=user.id,
            not_after=invitation.ends_at,
        ),
        now=now,
    )


def send_reset(*, reset: PasswordReset, user: User, link: str, now: datetime) -> None:
    """Write to somebody who asked for a new password."""
    enqueue(
        NewMessage(
            kind="password_reset",
            channel=Channel.EMAIL,
            to=Recipient(email=user.email),
            dedupe_key=f"password_reset:{reset.id}",
            context={
                "service": policy.service(),
                "first_name": first_name(user),
                "reset_url": link,
                "expires_at": reset.ends_at,
            },
            user_id=user.id,
            not_after=reset.ends_at,
        ),
        now=now,
    )


def first_name(user: User) -> str:
    """How a letter greets somebody."""
    return (user.name.split() or [user.name])[0]
