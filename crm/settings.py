"""Settings, read once from the environment into a frozen dataclass; the product refuses to start on nonsense."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

_MAILBOX = re.compile(r"[A-Za-z0-9._-]{1,20}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")

ENVIRONMENTS = ("development", "demo", "test", "production")


class UnsafeSettings(Exception):
    """The environment asks for something that must not run. The message lists every fault, one a line."""


@dataclass(frozen=True)
class SmtpSettings:
    """How letters leave by email. ``tls`` is none, starttls or tls; ``timeout`` is in seconds."""

    host: str
    port: int
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: str = "starttls"
    timeout: float = 30.0


@dataclass(frozen=True)
class TextGateway:
    """Where text messages are handed over (README, "Text messages"). ``sender``: the name or number they come from."""

    url: str
    token: str = field(repr=False)
    sender: str = ""
    timeout: float = 20.0


@dataclass(frozen=True)
class Mailbox:
    """A mailbox that is read over IMAP. ``tls`` is tls, starttls or none; ``timeout`` is in seconds."""

    host: str
    port: int
    username: str
    password: str = field(repr=False)
    folder: str = "INBOX"
    tls: str = "tls"
    timeout: float = 30.0


@dataclass(frozen=True)
class Settings:
    """Everything that differs from one installation to the next. Secrets never appear in its repr."""

    env: str
    data_dir: Path
    database_url: str
    base_url: str
    secret_key: str = field(repr=False)
    encryption_keys: Mapping[str, bytes] = field(repr=False)
    """Key id to 32 bytes; the first is used to seal, all are used to open."""
    mail_transport: str = "files"
    mail_from: str = "hello@kestrel.example.org"
    visits_mailbox: str = "visits@kestrel.example.org"
    smtp: SmtpSettings | None = None
    reply_mailbox: str | None = None
    """Where answers and bounces come in. ``reply+token@`` this domain is one person's own address in one case."""
    incoming: Mailbox | None = None
    mail_server: str | None = None
    """What our own mail server calls itself in Authentication-Results; only its word on a sender is believed."""
    text_gateway: TextGateway | None = None
    text_answers: bool = False
    """What people text back is handed to `crm mail text`: then a text may say that STOP stops us."""
    texts: str = "off"
    """off, files or http: how text messages leave."""
    clamd: str | None = None
    """Where the virus scanner listens, as ``clamd_address`` reads it; None where there is none."""
    cookie_secure: bool = True
    trusted_hosts: tuple[str, ...] = ()
    proxies: int = 0
    """How many reverse proxies in front are ours, so that the client's address can be believed."""
    argon2_cheap: bool = False
    lock_wait_ms: int = 10_000
    """How long somebody's change waits for another's before they are told that we are busy (milliseconds)."""
    quickest_form_seconds: int = 0
    """A public form filled in faster than this is looked at by a person before it is taken; 0 asks nothing."""
    step_up_after: int = 30
    """How many public forms may come from one address in five minutes before a browser is asked for a little work."""

    @property
    def is_demo(self) -> bool:
        return self.env == "demo"

    @property
    def is_production(self) -> bool:
        return self.env == "production"

    @property
    def is_sqlite(self) -> bool:
        return self.database_url.startswith("sqlite")

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read and check the environment. Raises UnsafeSettings naming every fault at once."""
        env = dict(os.environ if environ is None else environ)
        faults: list[str] = []
        name = env.get("CRM_ENV", "development")
        if name not in ENVIRONMENTS:
            raise UnsafeSettings(f"CRM_ENV is {name!r}; it must be one of {', '.join(ENVIRONMENTS)}")
        production = name == "production"
        data_dir = Path(env.get("CRM_DATA", "./var")).resolve()
        secret_key, keys = _keys(env, data_dir, production, faults)
        port = env.get("PORT", "8000")
        base_url = env.get("CRM_BASE_URL", "" if production else f"http://localhost:{port}").rstrip("/")
        database_url = env.get("DATABASE_URL") or f"sqlite:///{data_dir / 'doorstep.sqlite3'}"
        if database_url.startswith("postgres://"):
            database_url = "postgresql://" + database_url.removeprefix("postgres://")
        if not database_url.startswith(("sqlite:///", "postgresql://", "postgresql+psycopg://")):
            faults.append("DATABASE_URL must start with postgresql:// or sqlite:///")
        smtp = _smtp(env, production, faults)
        transport = env.get("CRM_MAIL_TRANSPORT", "smtp" if smtp else "files")
        if transport not in ("smtp", "files"):
            faults.append("CRM_MAIL_TRANSPORT must be smtp or files")
        if transport == "smtp" and smtp is None:
            faults.append("CRM_MAIL_TRANSPORT is smtp, so CRM_SMTP_HOST is needed")
        reply_mailbox = env.get("CRM_REPLY_MAILBOX") or (None if production else "reply@kestrel.example.org")
        if reply_mailbox is not None and not _MAILBOX.fullmatch(reply_mailbox):
            faults.append("CRM_REPLY_MAILBOX must be a plain address, such as reply@foster.example.org")
        incoming = _incoming(env, production, faults)
        mail_server = env.get("CRM_MAIL_SERVER_ID", "").lower() or None
        if mail_server is not None and not re.fullmatch(r"[a-z0-9._-]{1,253}", mail_server):
            faults.append("CRM_MAIL_SERVER_ID must be the name that your mail server gives in Authentication-Results")
        texts, text_gateway = _texts(env, production, faults)
        text_answers = env.get("CRM_TEXT_ANSWERS", "1" if texts == "files" else "0") == "1"
        clamd = env.get("CRM_CLAMD") or None
        if clamd is not None:
            try:
                clamd_address(clamd)
            except ValueError as fault:
                faults.append(f"CRM_CLAMD {fault}")
        url = urlsplit(base_url)
        hosts = tuple(h.strip() for h in env.get("CRM_TRUSTED_HOSTS", url.hostname or "").split(",") if h.strip())
        proxies = _whole_number(env, "CRM_PROXIES", 0, faults)
        lock_wait_ms = _whole_number(env, "CRM_LOCK_WAIT_MS", 10_000, faults)
        quickest = _whole_number(env, "CRM_QUICKEST_FORM_SECONDS", 0 if name == "test" else 12, faults)
        step_up_after = _whole_number(env, "CRM_STEP_UP_AFTER", 1_000_000 if name == "test" else 30, faults)
        if production:
            if url.scheme != "https":
                faults.append(
                    "CRM_BASE_URL must be the https address people type, for example https://foster.example.org"
                )
            if transport != "smtp":
                faults.append("letters can't go to files in production: set CRM_SMTP_HOST")
            for key in ("CRM_MAIL_FROM", "CRM_VISITS_MAILBOX"):
                if "@" not in env.get(key, ""):
                    faults.append(f"{key} must be an email address of the service")
        elif url.hostname and not _is_loopback(url.hostname):
            faults.append("only CRM_ENV=production may be served on an address other than this machine's own")
        if faults:
            raise UnsafeSettings("\n".join(faults))
        return cls(
            env=name,
            data_dir=data_dir,
            database_url=database_url,
            base_url=base_url,
            secret_key=secret_key,
            encryption_keys=keys,
            mail_transport=transport,
            mail_from=env.get("CRM_MAIL_FROM", "hello@kestrel.example.org"),
            visits_mailbox=env.get("CRM_VISITS_MAILBOX", "visits@kestrel.example.org"),
            smtp=smtp,
            reply_mailbox=reply_mailbox,
            incoming=incoming,
            mail_server=mail_server,
            texts=texts,
            text_gateway=text_gateway,
            text_answers=text_answers,
            clamd=clamd,
            cookie_secure=production,
            trusted_hosts=hosts if production else (),
            proxies=proxies,
            argon2_cheap=name == "test",
            lock_wait_ms=lock_wait_ms,
            quickest_form_seconds=quickest,
            step_up_after=step_up_after,
        )


def _whole_number(env: Mapping[str, str], key: str, default: int, faults: list[str]) -> int:
    raw = env.get(key)
    if not raw:
        return default
    if not raw.isdigit():
        faults.append(f"{key} must be a whole number")
        return default
    return int(raw)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _smtp(env: Mapping[str, str], production: bool, faults: list[str]) -> SmtpSettings | None:
    host = env.get("CRM_SMTP_HOST")
    if not host:
        return None
    tls = env.get("CRM_SMTP_TLS", "starttls" if production else "none")
    if tls not in ("none", "starttls", "tls"):
        faults.append("CRM_SMTP_TLS must be none, starttls or tls")
    if production and tls == "none" and not _is_loopback(host):
        faults.append("CRM_SMTP_TLS=none is allowed only to a mail server on this machine")
    default_port = {"tls": 465, "starttls": 587}.get(tls, 25)
    return SmtpSettings(
        host=host,
        port=_whole_number(env, "CRM_SMTP_PORT", default_port, faults),
        username=env.get("CRM_SMTP_USERNAME") or None,
        password=env.get("CRM_SMTP_PASSWORD") or None,
        tls=tls,
    )


def _incoming(env: Mapping[str, str], production: bool, faults: list[str]) -> Mailbox | None:
    host = env.get("CRM_IMAP_HOST")
    if not host:
        return None
    tls = env.get("CRM_IMAP_TLS", "tls")
    if tls not in ("none", "starttls", "tls"):
        faults.append("CRM_IMAP_TLS must be none, starttls or tls")
    if production and tls == "none" and not _is_loopback(host):
        faults.append("CRM_IMAP_TLS=none is allowed only to a mail server on this machine")
    if not env.get("CRM_IMAP_USERNAME") or not env.get("CRM_IMAP_PASSWORD"):
        faults.append("CRM_IMAP_HOST is set, so CRM_IMAP_USERNAME and CRM_IMAP_PASSWORD are needed")
    return Mailbox(
        host=host,
        port=_whole_number(env, "CRM_IMAP_PORT", 993 if tls == "tls" else 143, faults),
        username=env.get("CRM_IMAP_USERNAME", ""),
        password=env.get("CRM_IMAP_PASSWORD", ""),
        folder=env.get("CRM_IMAP_FOLDER", "INBOX"),
        tls=tls,
    )


def _texts(env: Mapping[str, str], production: bool, faults: list[str]) -> tuple[str, TextGateway | None]:
    """How text messages leave: not at all, into files, or to a gateway over HTTPS."""
    url, token = env.get("CRM_TEXT_URL"), env.get("CRM_TEXT_KEY", "")
    if not url:
        return ("off" if production else "files"), None
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(parts.hostname or "")):
        faults.append("CRM_TEXT_URL must be an https address")
    if not token:
        faults.append("CRM_TEXT_URL is set, so CRM_TEXT_KEY is needed")
    return "http", TextGateway(url=url, token=token, sender=env.get("CRM_TEXT_SENDER", ""))


def clamd_address(at: str) -> str | tuple[str, int]:
    """The path of a socket, from "unix:/path", or a host and a port, from "tcp:host:port" ("tcp:[::1]:3310").

    Raises ValueError, which goes on after the name of the setting.
    """
    way, _, where = at.partition(":")
    if way == "unix" and where.startswith("/") and len(where.encode()) < 108 and "\0" not in where:
        return where
    host, _, port = where.rpartition(":")
    host = host[1:-1] if re.fullmatch(r"\[[0-9A-Fa-f:.]+\]", host) else host if ":" not in host else ""
    is_port = re.fullmatch(r"[0-9]{1,5}", port) is not None and 0 < int(port) < 65_536
    if way == "tcp" and re.fullmatch(r"[A-Za-z0-9:._-]+", host) and is_port:
        return host, int(port)
    raise ValueError("must be unix:/path/of/the/socket or tcp:host:port, of clamd")


def _keys(
    env: Mapping[str, str], data_dir: Path, production: bool, faults: list[str]
) -> tuple[str, Mapping[str, bytes]]:
    """The signing secret and the field-encryption keys: given in production, made once and kept otherwise.

    CRM_ENCRYPTION_KEYS is ``id:base64,id:base64``; the first seals, the rest still open what they sealed.
    """
    secret_key = env.get("CRM_SECRET_KEY", "")
    raw_keys = env.get("CRM_ENCRYPTION_KEYS", "")
    if not production and not (secret_key and raw_keys):
        kept_secret, kept_keys = _kept_keys(data_dir)
        secret_key, raw_keys = secret_key or kept_secret, raw_keys or kept_keys
    if len(secret_key) < 32:
        faults.append("CRM_SECRET_KEY must be at least 32 characters of randomness")
    keys: dict[str, bytes] = {}
    for part in filter(None, (p.strip() for p in raw_keys.split(","))):
        key_id, _, encoded = part.partition(":")
        try:
            value = base64.urlsafe_b64decode(encoded.encode() + b"=" * (-len(encoded) % 4))
        except (binascii.Error, ValueError):
            value = b""
        if not key_id.isalnum() or len(value) != 32:
            faults.append("CRM_ENCRYPTION_KEYS must be id:base64 of 32 bytes, separated by commas")
            continue
        keys[key_id] = value
    if not keys:
        faults.append("CRM_ENCRYPTION_KEYS is needed: `crm keys new k1` makes one")
    return secret_key, keys


def new_encryption_key(key_id: str) -> str:
    """A fresh entry for CRM_ENCRYPTION_KEYS."""
    return f"{key_id}:{base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip('=')}"


def _kept_keys(data_dir: Path) -> tuple[str, str]:
    """Keys of a demo or a developer's own copy, made at the first start and kept beside the data."""
    path = data_dir / "keys.env"
    if not path.exists():
        data_dir.mkdir(parents=True, exist_ok=True)
        fresh = f"{secrets.token_urlsafe(48)}\n{new_encryption_key('k1')}\n"
        try:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
                handle.write(fresh)
        except FileExistsError:  # another process of the same start made it first
            pass
    secret_key, raw_keys = path.read_text().split()
    return secret_key, raw_keys
