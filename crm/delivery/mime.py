"""The only place where the bytes of an email are made, and where they are checked before they are believed.

Python's email package decodes encoded words in a header's value and writes out what it finds, newlines and all, so a
form field can add a recipient (CVE-2024-6923); folding a long name, it can lose the address. A library's version is not
enough to rely on. So what goes into a header passes a gate on the way in, the headers that hold any of it are written
here, and the finished bytes are read back, line by line, against what was meant.
"""

from __future__ import annotations

import base64
import hashlib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage, Message
from email.utils import format_datetime, getaddresses

from crm.delivery.message import Attachment, Invitation, UnsendableAddress, sendable_address

LONGEST_HEADER_TEXT = 200
"""Characters of a subject or a name; longer is cut, never refused: a letter must not be lost to a long name."""

HEADERS = ("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type")
ONE_CLICK = "List-Unsubscribe=One-Click"
"""What a mail program posts to the address in List-Unsubscribe when its reader says so (RFC 8058)."""
METHODS = ("REQUEST", "CANCEL", "REPLY", "COUNTER", "DECLINECOUNTER")
AS_ATTENDEE = ("REPLY", "COUNTER")
"""What we say about an event of somebody else's, to which we are invited."""

_ENCODED_WORD_BYTES = 42
"""Bytes in one encoded word: 56 characters in base64, 68 with its frame, under the 75 that RFC 2047 allows."""
_PLAIN_NAME = re.compile(r"[A-Za-z0-9 !#$%&'*+/=?^_`{|}~-]+")
_LINK = re.compile(r"https?://[A-Za-z0-9._:/?=&%~-]{1,300}")
_MIME_TYPE = re.compile(r"[a-z]+/[a-z0-9.+-]+")
_HEADER_LINE = re.compile(rb"([A-Za-z][A-Za-z-]*): ?([\x20-\x7e]*)")
_FOLDED_LINE = re.compile(rb"[ \t][\x20-\x7e\t]*")


class MessageNotAsMeant(Exception):
    """The bytes of a message differ from what was asked for. Nothing is sent; somebody has to look."""


@dataclass(frozen=True)
class Email:
    """All that goes into one email. ``text`` and ``html`` say the same."""

    sender: str
    sender_name: str
    to: str
    subject: str
    message_id: str
    date: datetime
    text: str
    html: str
    invitation: Invitation | None = None
    attachment: Attachment | None = None
    reply_to: str | None = None
    """Where answers come in, if not to the sender."""
    unsubscribe_url: str | None = None
    """For marketing: where one click, or the mail program by itself, ends it."""


def header_text(value: str) -> str:
    """A value that may stand in a header: on one line, with nothing in it that a mail reader acts upon.

    Control and formatting characters become spaces, and the opening of an encoded word is broken.
    """
    plain = "".join(" " if _is_control(character) else character for character in value)
    while "=?" in plain:
        plain = plain.replace("=?", "= ?")
    plain = " ".join(plain.split())
    return plain[:LONGEST_HEADER_TEXT].rstrip()


def message_id_for(dedupe_key: str, domain: str) -> str:
    """The Message-ID of the letter with this key: the same for every copy of it, and telling nothing about it."""
    return f"<{hashlib.sha256(dedupe_key.encode()).hexdigest()[:40]}@{domain}>"


def build(email: Email) -> bytes:
    """The finished bytes of one email to one recipient, checked. Raises UnsendableAddress or MessageNotAsMeant."""
    to = sendable_address(email.to)
    sender = sendable_address(email.sender)
    message = EmailMessage(policy=policy.SMTP)
    message.set_content(_body_text(email.text), cte="quoted-printable")
    message.add_alternative(_body_text(email.html), subtype="html", cte="quoted-printable")
    if email.invitation is not None:
        _add_invitation(message, email.invitation, sender=sender, to=to)
    if email.attachment is not None:
        _add_attachment(message, email.attachment)
    headers = [
        ("From", _mailbox(sender, email.sender_name)),
        ("To", to),
        ("Subject", _encoded(header_text(email.subject))),
        ("Date", format_datetime(email.date.astimezone(UTC))),
        ("Message-ID", email.message_id),
        ("Auto-Submitted", "auto-generated"),
    ]
    if email.reply_to is not None:
        headers.append(("Reply-To", sendable_address(email.reply_to)))
    if email.unsubscribe_url is not None:
        if not _LINK.fullmatch(email.unsubscribe_url):
            raise MessageNotAsMeant("the address for unsubscribing can't stand in a header")
        headers += [("List-Unsubscribe", f"<{email.unsubscribe_url}>"), ("List-Unsubscribe-Post", ONE_CLICK)]
    head = "".join(f"{name}: {value}\r\n" for name, value in headers)
    raw = head.encode("ascii") + message.as_bytes()
    check(raw, email, sender=sender, to=to)
    return raw


def check(raw: bytes, email: Email, *, sender: str, to: str) -> None:
    """Read the finished bytes back as a mail server would. Raises MessageNotAsMeant; never relies on ``assert``."""
    fields = header_fields(raw)
    names = [name for name, _ in fields]
    meant = [*HEADERS]
    if email.reply_to is not None:
        meant.append("Reply-To")
    if email.unsubscribe_url is not None:
        meant += ["List-Unsubscribe", "List-Unsubscribe-Post"]
    if sorted(names) != sorted(meant):
        raise MessageNotAsMeant(f"the headers are {', '.join(names)}")
    parsed = message_from_bytes(raw)
    mailboxes = [("From", sender), ("To", to)]
    if email.reply_to is not None:
        mailboxes.append(("Reply-To", sendable_address(email.reply_to)))
    if email.unsubscribe_url is not None and parsed["List-Unsubscribe"] != f"<{email.unsubscribe_url}>":
        raise MessageNotAsMeant("the address for unsubscribing is not the one asked for")
    for header, address in mailboxes:
        found = getaddresses([str(parsed[header])])
        if [mailbox for _, mailbox in found] != [address]:
            raise MessageNotAsMeant(f"the {header} header does not hold exactly the one address")
    if parsed["Message-ID"].strip() != email.message_id:
        raise MessageNotAsMeant("the Message-ID is not the letter's own")
    expected = ["text/plain", "text/html"]
    if email.invitation is not None:
        expected += ["text/calendar", "application/ics"]
    if email.attachment is not None:
        expected.append(email.attachment.mime_type)
    leaves = [part for part in parsed.walk() if not part.is_multipart()]
    if [part.get_content_type() for part in leaves] != expected:
        raise MessageNotAsMeant("the parts of the message are not the ones asked for")
    for part in parsed.walk():
        if part is not parsed:
            _check_part(part)
    if email.invitation is not None:
        for part in leaves[2:4]:
            if part.get_payload(decode=True) != email.invitation.ics:
                raise MessageNotAsMeant("the invitation does not arrive byte for byte")
    if email.attachment is not None and leaves[-1].get_payload(decode=True) != email.attachment.content:
        raise MessageNotAsMeant("the attachment does not arrive byte for byte")


def header_fields(raw: bytes) -> list[tuple[str, bytes]]:
    """The header block as (name, unfolded value) pairs. Raises MessageNotAsMeant where a line is not a header's."""
    block, blank, _ = raw.partition(b"\r\n\r\n")
    if not blank:
        raise MessageNotAsMeant("the message has no end of headers")
    fields: list[tuple[str, bytes]] = []
    for line in block.split(b"\r\n"):
        if match := _HEADER_LINE.fullmatch(line):
            fields.append((match.group(1).decode("ascii"), match.group(2)))
        elif fields and _FOLDED_LINE.fullmatch(line) and line.strip():
            fields[-1] = (fields[-1][0], fields[-1][1] + line)
        else:
            raise MessageNotAsMeant("a line among the headers is not a header")
    return fields


def _mailbox(address: str, name: str) -> str:
    """``Name <address>``, the name rid of everything that could be read as another address."""
    shown = header_text(re.sub(r'[<>@,;:"()\[\]\\]', " ", name))
    return f"{_encoded(shown, is_name=True)} <{address}>" if shown else address


def _encoded(text: str, *, is_name: bool = False) -> str:
    """A text as it stands in a header: as it is where plain, else in encoded words (RFC 2047), folded."""
    if _PLAIN_NAME.fullmatch(text) if is_name else text.isascii():
        return text
    words, chunk = [], b""
    for character in text:
        letter = character.encode("utf-8")
        if len(chunk) + len(letter) > _ENCODED_WORD_BYTES:
            words.append(chunk)
            chunk = b""
        chunk += letter
    words.append(chunk)
    return "\r\n ".join(f"=?utf-8?b?{base64.b64encode(word).decode('ascii')}?=" for word in words)


def _is_control(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


# Control characters and lone surrogates (Unicode categories Cc and Cs), but for the tab.
_UNPRINTABLE = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\ud800-\udfff]")


def _body_text(text: str) -> str:
    """A body in which a line ends in one way only, and with nothing that a text can't hold."""
    lines = re.split(r"\r\n|[\r\n\x0b\x0c\x1c-\x1e\x85\u2028\u2029]", text)
    return "\n".join(_UNPRINTABLE.sub("", line).rstrip() for line in lines)


def _add_invitation(message: EmailMessage, invitation: Invitation, *, sender: str, to: str) -> None:
    """The calendar part twice, as every reader needs it (calendar.md 1b): as the last alternative, and as a file."""
    check_invitation(invitation, organiser=sender, attendee=to)
    text = invitation.ics.decode("utf-8")
    message.add_alternative(text, subtype="calendar", params={"method": invitation.method}, cte="base64")
    message.add_attachment(invitation.ics, maintype="application", subtype="ics", filename="invite.ics")


def check_invitation(invitation: Invitation, *, organiser: str, attendee: str) -> None:
    """That the calendar object is one event, for this recipient alone, from the service. Raises MessageNotAsMeant."""
    ics = invitation.ics
    if invitation.method not in METHODS:
        raise MessageNotAsMeant(f"{invitation.method!r} is not a method that we send")
    try:
        ics.decode("utf-8")
    except UnicodeDecodeError as fault:
        raise MessageNotAsMeant("the invitation is not UTF-8") from fault
    if not ics.endswith(b"\r\n") or re.search(rb"\r(?!\n)|(?<!\r)\n|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", ics):
        raise MessageNotAsMeant("the invitation holds a bare line break or a control character")
    unfolded = re.sub(rb"\r\n[ \t]", b"", ics).decode("utf-8")
    if re.search("[\x80-\x9f\u2028\u2029]", unfolded):
        raise MessageNotAsMeant("the invitation holds a line break of another kind")
    lines = unfolded.split("\r\n")
    for line, times in (("BEGIN:VCALENDAR", 1), ("BEGIN:VEVENT", 1), (f"METHOD:{invitation.method}", 1)):
        if lines.count(line) != times:
            raise MessageNotAsMeant(f"the invitation has not exactly one {line}")
    mailboxes: dict[str, list[str]] = {"ORGANIZER": [], "ATTENDEE": []}
    for line in lines:
        name = re.split("[:;]", line, maxsplit=1)[0].upper()
        if name in mailboxes:
            mailboxes[name].append(_calendar_address(line))
    if invitation.method in AS_ATTENDEE:
        organiser, attendee = attendee, organiser
        # Invited was an address of ours, whatever stands behind its plus sign.
        mailboxes["ATTENDEE"] = [re.sub(r"\+[a-z0-9-]+@", "@", one) for one in mailboxes["ATTENDEE"]]
    if mailboxes["ORGANIZER"] not in ([organiser.lower()], []) or mailboxes["ATTENDEE"] != [attendee.lower()]:
        raise MessageNotAsMeant("the invitation names somebody besides the service and this recipient")
    if not mailboxes["ORGANIZER"] and invitation.method not in AS_ATTENDEE:
        raise MessageNotAsMeant("the invitation has no organiser")


def _calendar_address(line: str) -> str:
    """The address of an ORGANIZER or ATTENDEE line: what follows the colon outside quotation marks."""
    value = re.sub('"[^"]*"', "", line).partition(":")[2]
    return value.lower().removeprefix("mailto:")


def _add_attachment(message: EmailMessage, attachment: Attachment) -> None:
    if not _MIME_TYPE.fullmatch(attachment.mime_type):
        raise MessageNotAsMeant("the attachment has no proper type")
    maintype, _, subtype = attachment.mime_type.partition("/")
    message.add_attachment(
        attachment.content, maintype=maintype, subtype=subtype, filename=safe_filename(attachment.filename)
    )


def safe_filename(name: str) -> str:
    """A file name that means the same in every mail reader: plain letters, digits, dots, hyphens and underscores."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", plain).strip("-._")[-80:].lstrip("-._")
    return plain or "document"


def _check_part(part: Message) -> None:
    headers = [name.lower() for name in part.keys()]  # noqa: SIM118  (a Message is not a dict: keys may repeat)
    known = {"content-type", "content-transfer-encoding", "content-disposition", "mime-version"}
    if len(headers) != len(set(headers)) or not set(headers) <= known:
        raise MessageNotAsMeant("a part of the message has a header that nobody asked for")
    disposition = part.get_content_disposition()
    if disposition == "attachment" and part.get_content_type() == "text/calendar":
        raise MessageNotAsMeant("the invitation would arrive as a mere file")


def only_recipient(raw: bytes) -> str:
    """The one address in a finished message's To header. Raises MessageNotAsMeant where there is not exactly one."""
    names: Sequence[str] = [name.lower() for name, _ in header_fields(raw)]
    if names.count("to") != 1 or {"cc", "bcc"} & set(names):
        raise MessageNotAsMeant("the message has not exactly one recipient")
    found = getaddresses([str(message_from_bytes(raw)["To"])])
    if len(found) != 1:
        raise MessageNotAsMeant("the message has not exactly one recipient")
    try:
        return sendable_address(found[0][1])
    except UnsendableAddress as fault:
        raise MessageNotAsMeant("the recipient is not an address") from fault
