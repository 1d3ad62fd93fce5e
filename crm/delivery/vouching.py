"""Whether our own mail server vouches for who a message is from (Authentication-Results, RFC 8601).

A mail server writes its findings above what was there, so only the topmost such line counts, and only where it bears
the name of our own server. That server has to take out what others wrote under its name; most do by themselves.
"""

from __future__ import annotations

import re
from email.message import Message
from email.utils import getaddresses

from crm.delivery.post_room import post_room

LONGEST = 8_000
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_RESULT = re.compile(r"\s*([a-z0-9-]+)(?:/\d+)?\s*=\s*([a-z]+)\b(.*)", re.S)
_PROPERTY = re.compile(r"\b(smtp|header|policy)\.([a-z0-9_-]+)\s*=\s*([^\s;]+)")


def is_vouched_for(message: Message, sender: str) -> bool:
    """Whether our mail server found that the one address in From is where the message comes from.

    Believed are a DMARC pass, a DKIM pass of the very domain, and a sender who signed in with that address. SPF alone
    is not: it speaks of a server that many share.
    """
    ours = post_room().mail_server
    senders = getaddresses([str(value)[:LONGEST] for value in message.get_all("From", [])])
    if ours is None or len(senders) != 1 or senders[0][1].strip().lower() != sender or "@" not in sender:
        return False
    lines = message.get_all("Authentication-Results", [])
    if not lines:
        return False
    name, *results = _without_comments(str(lines[0])[:LONGEST]).lower().split(";")
    if name.split()[:1] != [ours]:
        return False
    return any(_vouches(result, sender) for result in results)


def _vouches(result: str, sender: str) -> bool:
    found = _RESULT.match(result)
    if found is None or found[2] != "pass":
        return False
    said = {f"{kind}.{name}": value.strip("<>") for kind, name, value in _PROPERTY.findall(found[3])}
    domain = sender.rpartition("@")[2]
    if found[1] == "dmarc":
        return said.get("header.from", "").rpartition("@")[2] == domain
    if found[1] == "dkim":
        return domain in (said.get("header.d"), said.get("header.i", "").rpartition("@")[2])
    return found[1] == "auth" and said.get("smtp.auth") == sender


def _without_comments(text: str) -> str:
    """What stands in brackets is a comment, however deep; a quoted text is its own words, without what would end it."""
    text = _QUOTED.sub(lambda found: re.sub(r"[();\s]", "", found[1]), text)
    kept, depth = [], 0
    for character in text:
        if character == "(":
            depth += 1
        elif character == ")":
            depth = max(0, depth - 1)
        elif not depth:
            kept.append(character)
    return "".join(kept)
