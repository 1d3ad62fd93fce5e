"""What the delivery of letters needs to know about this installation, taken up once for each process."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from crm.settings import Settings, SmtpSettings, TextGateway


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
    reply_mailbox: str | None = None
    reply_keys: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    """Key id to key: the first signs the addresses that answers come back to, all of them are believed."""
    mail_server: str | None = None
    """How our own mail server names itself where it says who a message is from (RFC 8601, authserv-id)."""
    texts: str = "off"
    text_gateway: TextGateway | None = None
    takes_texts: bool = False
    """Whether what people text back comes in here: then STOP works."""

    @property
    def can_text(self) -> bool:
        """Whether text messages leave from here at all."""
        return self.texts != "off"

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
        reply_mailbox=settings.reply_mailbox,
        reply_keys={
            key_id: hmac.digest(key, b"doorstep reply address 1", "sha256")
            for key_id, key in settings.encryption_keys.items()
        },
        mail_server=settings.mail_server,
        texts=settings.texts,
        text_gateway=settings.text_gateway,
        takes_texts=settings.text_answers,
    )
    return _post_room


def post_room() -> PostRoom:
    """The post room of this process. Raises RuntimeError before ``configure``."""
    if _post_room is None:
        raise RuntimeError("the post room has not been configured")
    return _post_room
