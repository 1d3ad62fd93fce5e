"""What the delivery of letters needs to know about this installation, taken up once for each process."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from pathlib import Path

from crm.settings import Settings, SmtpSettings


@dataclass(frozen=True)
class PostRoom:
    """Where letters come from and how they leave."""

    mail_from: str
    visits_mailbox: str
    """The organiser of every visit: answers to invitations come here."""
    base_url: str
    transport: str
    smtp: SmtpSettings | None
    files_dir: Path
    recipient_secret: bytes

    @property
    def mail_domain(self) -> str:
        return self.mail_from.rpartition("@")[2]


_post_room: PostRoom | None = None


def configure(settings: Settings) -> PostRoom:
    """Take up the settings. Called once for each process, by the application factory."""
    global _post_room
    _post_room = PostRoom(
        mail_from=settings.mail_from,
        visits_mailbox=settings.visits_mailbox,
        base_url=settings.base_url,
        transport=settings.mail_transport,
        smtp=settings.smtp,
        files_dir=settings.data_dir / "outbox",
        recipient_secret=hmac.digest(settings.secret_key.encode(), b"doorstep recipient key 1", "sha256"),
    )
    return _post_room


def post_room() -> PostRoom:
    """The post room of this process. Raises RuntimeError before ``configure``."""
    if _post_room is None:
        raise RuntimeError("the post room has not been configured")
    return _post_room
