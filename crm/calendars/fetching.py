"""Fetching a calendar from an address that an officer gave, so that it reaches nothing but the public internet.

The address is looked up once, every answer must be public, and the connection goes to the very address that was looked
at: a name that answers otherwise the second time leads nowhere. Each redirect goes through the same. Only https, only
its usual ports, so many seconds and bytes in all, nothing unpacked.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

LONGEST_S = 10.0
"""From the first look-up to the last byte, redirects included."""
MOST_BYTES = 5 * 1024 * 1024
MOST_REDIRECTS = 3
PORTS = (443, 8443)
LONGEST_ADDRESS = 2000
TOO_LONG = "The server took too long to answer."
_CHUNK = 64 * 1024
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_REDIRECTS = (301, 302, 303, 307, 308)


class NotFetched(Exception):
    """The calendar could not be fetched. The words are for the officer whose calendar it is."""


@dataclass(frozen=True)
class Address:
    """An address taken apart."""

    host: str
    port: int
    target: str
    """Path and query, as the request line has them."""

    @property
    def whole(self) -> str:
        port = "" if self.port == 443 else f":{self.port}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"https://{host}{port}{self.target}"


def look_up(host: str, port: int) -> Sequence[str]:
    """The addresses of a host by the system's own resolver."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public internet, whatever it is wrapped in."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is None and ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


@dataclass(frozen=True)
class Outside:
    """How the world outside is reached. Tests put a resolver and a certificate of their own here."""

    look_up: Callable[[str, int], Sequence[str]] = look_up
    is_public: Callable[[str], bool] = is_public
    ports: tuple[int, ...] = PORTS
    longest_s: float = LONGEST_S
    context: ssl.SSLContext = field(default_factory=ssl.create_default_context)


def read_address(text: str, *, ports: tuple[int, ...] = PORTS) -> Address:
    """An address as somebody typed or pasted it; ``webcal:`` means ``https:``. Raises NotFetched, in words."""
    text = text.strip()
    if len(text) > LONGEST_ADDRESS or any(ord(letter) <= 32 or ord(letter) == 127 for letter in text):
        raise NotFetched("That is not an address. Copy it again, without spaces or line breaks.")
    try:
        parts = urlsplit(text)
        scheme, host, port = parts.scheme.lower(), parts.hostname, parts.port
    except ValueError as fault:
        raise NotFetched("That is not an address. Copy it again.") from fault
    if scheme not in ("https", "webcal", "webcals"):
        raise NotFetched("Only addresses that begin with https:// or webcal:// are read.")
    if parts.username is not None or parts.password is not None or "\\" in text:
        raise NotFetched("Leave the user name and password out of the address.")
    if not host:
        raise NotFetched("That address has no name of a server in it.")
    if (port or 443) not in ports:
        raise NotFetched("Calendars are only read from the usual ports of https.")
    try:
        name = host if ":" in host else host.encode("idna").decode("ascii")
    except UnicodeError as fault:
        raise NotFetched("That address has no name of a server in it.") from fault
    path = parts.path or "/"
    try:
        target = (path + (f"?{parts.query}" if parts.query else "")).encode("ascii").decode("ascii")
    except UnicodeEncodeError as fault:
        raise NotFetched("That is not an address. Copy it again.") from fault
    return Address(name, port or 443, target)


def fetch(
    address: str,
    *,
    method: str = "GET",
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    outside: Outside | None = None,
) -> bytes:
    """What stands at an address. Raises NotFetched, in words.

    ``Authorization`` among the headers goes to the host that was asked first, and to no other.
    """
    world = outside or Outside()
    ends_at = time.monotonic() + world.longest_s
    here = read_address(address, ports=world.ports)
    sent = {"Accept-Encoding": "identity", "User-Agent": "Doorstep calendar reader", **(headers or {})}
    first_host = (here.host, here.port)
    for _ in range(MOST_REDIRECTS + 1):
        if (here.host, here.port) != first_host:
            sent.pop("Authorization", None)
        found = _ask(here, method, body, sent, world, ends_at)
        if isinstance(found, bytes):
            return found
        here = read_address(urljoin(here.whole, found), ports=world.ports)
    raise NotFetched("That address sends on to another one too many times.")


def _ask(
    here: Address, method: str, body: bytes | None, headers: Mapping[str, str], world: Outside, ends_at: float
) -> bytes | str:
    """One request: the body, or where it sends on to."""
    ip = _public_address(here, world, ends_at)
    connection = _Pinned(here, ip, world.context, max(0.1, ends_at - time.monotonic()))
    # Each byte alone may come in time: one timer ends the whole conversation.
    watch = threading.Timer(max(0.1, ends_at - time.monotonic()), connection.cut_off)
    watch.daemon = True
    watch.start()
    try:
        connection.request(method, here.target, body=body, headers=dict(headers))
        answer = connection.getresponse()
        if connection.was_cut_off:
            raise NotFetched(TOO_LONG)
        if answer.status in _REDIRECTS:
            onward = answer.getheader("Location")
            if not onward:
                raise NotFetched("The server sends on to nowhere.")
            return onward
        _refuse_status(answer.status)
        content = _read(answer)
        if connection.was_cut_off:  # what came so far looks like all of it
            raise NotFetched(TOO_LONG)
        return content
    except (OSError, http.client.HTTPException, ValueError, AttributeError) as fault:
        if connection.was_cut_off or isinstance(fault, TimeoutError):
            raise NotFetched(TOO_LONG) from fault
        if isinstance(fault, ssl.SSLCertVerificationError):
            raise NotFetched("The server’s certificate is not one that can be trusted.") from fault
        raise NotFetched("The server could not be reached, or broke off.") from fault
    finally:
        watch.cancel()
        connection.close()


def _public_address(here: Address, world: Outside, ends_at: float) -> str:
    found: list[str] = []

    def ask() -> None:
        with contextlib.suppress(OSError, UnicodeError, ValueError):
            found.extend(world.look_up(here.host, here.port))

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(max(0.1, ends_at - time.monotonic()))
    addresses = list(found)
    if not addresses:
        raise NotFetched("There is no server of that name.")
    if not all(world.is_public(one) for one in addresses):
        raise NotFetched("That address is not on the public internet.")
    return addresses[0]


def _refuse_status(status: int) -> None:
    if status in (200, 207):
        return
    if status in (401, 403):
        raise NotFetched("The server does not let us in. Is it the public or secret address, or the right password?")
    if status in (404, 410):
        raise NotFetched("There is no calendar at that address any more.")
    raise NotFetched(f"The server answered with a fault ({status}).")


def _read(answer: http.client.HTTPResponse) -> bytes:
    parts: list[bytes] = []
    size = 0
    while chunk := answer.read(_CHUNK):
        size += len(chunk)
        if size > MOST_BYTES:
            raise NotFetched("The calendar is larger than five megabytes, which is too large to read.")
        parts.append(chunk)
    return b"".join(parts)


class _Pinned(http.client.HTTPSConnection):
    """A connection to one IP address, with the certificate of the name that was asked for."""

    def __init__(self, here: Address, ip: str, context: ssl.SSLContext, timeout: float) -> None:
        super().__init__(here.host, here.port, timeout=timeout, context=context)
        self.ip, self.tls = ip, context
        self.was_cut_off = False

    def connect(self) -> None:
        plain = socket.create_connection((self.ip, self.port), self.timeout)
        # The handshake comes once the timer has hold of the socket: it can be drawn out like everything else.
        self.sock = self.tls.wrap_socket(plain, server_hostname=self.host, do_handshake_on_connect=False)
        self.sock.do_handshake()

    def cut_off(self) -> None:
        """End it from another thread: whatever waits for a byte wakes up."""
        self.was_cut_off = True
        if self.sock is not None:
            with contextlib.suppress(OSError):
                # Not TLS's own way of ending, which may not be used while another thread reads.
                socket.socket.shutdown(self.sock, socket.SHUT_RDWR)
