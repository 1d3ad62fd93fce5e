"""The letters that accounts need. They go to the address of the account and to nowhere else."""

from __future__ import annotations

from datetime import datetime

from crm.access.models import PasswordReset, StaffInvitation, User
from crm.delivery import Channel, NewMessage, Recipient, enqueue


def send_invitation(*, invitation: StaffInvitation, user: User, link: str, service_name: str, now: datetime) -> None:
    """Write to somebody who has been asked to join."""
    enqueue(
        NewMessage(
            kind="staff_invitation",
            channel=Channel.EMAIL,
            to=Recipient(email=user.email),
            dedupe_key=f"staff_invitation:{invitation.id}",
            context={
                "name": user.name,
                "link": link,
                "ends_at": invitation.ends_at,
                "service_name": service_name,
            },
            user_id=user.id,
            not_after=invitation.ends_at,
        ),
        now=now,
    )


def send_reset(*, reset: PasswordReset, user: User, link: str, service_name: str, now: datetime) -> None:
    """Write to somebody who asked for a new password."""
    enqueue(
        NewMessage(
            kind="password_reset",
            channel=Channel.EMAIL,
            to=Recipient(email=user.email),
            dedupe_key=f"password_reset:{reset.id}",
            context={"name": user.name, "link": link, "ends_at": reset.ends_at, "service_name": service_name},
            user_id=user.id,
            not_after=reset.ends_at,
        ),
        now=now,
    )
