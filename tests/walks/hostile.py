"""Text that tries to be more than words: sixty payloads, how they are put into everything stored, and how a page is
looked at for one that got its way."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from crm.db import EncryptedText, metadata, seal, sealed_columns, unseal
from tests.page import Page

MARK = "zqx"
EVALUATED = f"49{MARK}"
"""What `{{7*7}}zqx` becomes where somebody computes it."""
POLYGLOT = "'\"><zqx zqx=1>{{7*7}}zqx"
"""Gets its way in an element, in an attribute of either quotes, and in a template: for where only one fits."""
LINE = "X-ZQX"
"""A line of a calendar, or a header, by this name is one that somebody put in."""

PAYLOADS = (
    POLYGLOT,
    # Elements
    "<zqx>",
    "</p></div></main><zqx>",
    "<script>zqx()</script>",
    "<ScRiPt>zqx()</sCrIpT>",
    "<script src=//zqx.example.org></script>",
    "<script/zqx>zqx()</script >",
    "<<script>zqx()//<</script>",
    "<img src=x onerror=zqx()>",
    "<img src=x onerror=zqx() zqx",
    "<body onload=zqx()>",
    "<iframe srcdoc='<script>parent.zqx()</script>'>",
    "<iframe src=javascript:zqx()>",
    "<object data=javascript:zqx()>",
    "<embed src=javascript:zqx()>",
    "<base href=//zqx.example.org>",
    "<meta http-equiv=refresh content=0;url=//zqx.example.org>",
    "<link rel=stylesheet href=//zqx.example.org>",
    "<style>*{background:url(//zqx.example.org)}</style>",
    "<form action=//zqx.example.org><button zqx>",
    "<details open ontoggle=zqx()>",
    "<input autofocus onfocus=zqx()>",
    "<a href=javascript:zqx()>zqx</a>",
    "<!-- zqx -->",
    "--><zqx>",
    "]]><zqx>",
    "<![CDATA[<zqx>]]>",
    "<?zqx ?>",
    # Out of an element's own text
    "</title><zqx>",
    "</textarea><zqx>",
    "</option></select><zqx>",
    "</script><zqx>",
    "</style><zqx>",
    "</noscript><zqx>",
    # Attributes
    '" zqx="',
    "' zqx='",
    '" onmouseover="zqx()',
    "' onfocus='zqx()' autofocus='",
    "` zqx=`",
    " zqx=1 ",
    '"style="background:url(//zqx.example.org)',
    "&quot;&gt;&lt;zqx&gt;",
    "&#34;&#62;&#60;zqx&#62;",
    # Addresses
    "javascript:zqx()",
    "jav\tascript:zqx()",
    " JaVaScRiPt:zqx()",
    "data:text/html,<script>zqx()</script>",
    "vbscript:zqx()",
    "//zqx.example.org/",
    # SVG, MathML and what a parser mends into something else
    "<svg onload=zqx()>",
    "<svg><script>zqx()</script></svg>",
    "<svg><animate onbegin=zqx()>",
    "<math><mi xlink:href=javascript:zqx()>zqx",
    "<math><mtext><table><mglyph><style><img src=x onerror=zqx()>",
    "<svg></p><style><a id='</style><img src=1 onerror=zqx()>'>",
    "<noscript><p title='</noscript><img src=x onerror=zqx()>'>",
    # Templates
    "{{7*7}}zqx",
    "{%set a=7*7%}{{a}}zqx",
    "${7*7}zqx #{7*7}zqx <%=7*7%>zqx",
    "{{''.__class__.__mro__}}zqx",
    # Markdown, and letters that turn a line round
    "[zqx](javascript:zqx())",
    '![zqx](x" onerror="zqx())',
    "\u202ezqx\u2066zqx",
    # Formulas
    "=1+1",
    "+zqx",
    "-zqx",
    "@SUM(zqx)",
    "\t=zqx",
    '=HYPERLINK("//zqx.example.org")',
    # Lines of a calendar or a letter
    "zqx\r\nX-ZQX: 1\r\n",
    "zqx\nEND:VEVENT\nX-ZQX:1",
)

NOBODYS_TABLES = {
    "alembic_version": "the product's own",
    "audit_entry": "written by the product alone, from a list of names",
    "audit_seal": "digests",
    "one_time_id": "digests, and where an answer led",
    "rate_window": "digests",
    "web_session": "who is signed in while the pages are opened",
}
"""Tables into which nobody's words come, and why."""
NOBODYS_NAMES = frozenset({"row_key", "edition", "wording_version", "privacy_version"})
"""Columns into which nobody's words come, in whatever table."""
NOBODYS_COLUMNS = frozenset(
    """
    job_run.lease_token outbound_message.lease_token outbound_message.kind outbound_message.message_id
    report_answer.body report_answer.stamp saved_report.report saved_report.query journey.ended_why
    outbound_message.calendar_method outbound_message.last_failure outbound_message.dispatch_method
    notice.dispatch_method staff_user.password_hash case_file.place case_file.next_action_turn
    case_file.next_action_rule case_file.eligibility_outcome case_file.closed_reason contact_link.serial deadline.rule
    deadline.subject list_export.columns stage_one_check.item fact.key
    held_enquiry.signs intake_receipt.body_digest kit_device.signing_key kit_key.public_key
    stage_change.from_stage stage_change.to_stage stage_change.actor_kind stage_change.reason_code track.stage
    enquiry_draft.sent_digest stage_one_check.chase_rule prep_course_session.calendar_uid
    report_section.name report_evidence.section assessment_session_heading.name application_part.name document.kind
    stage_one_check.result_sealed mailing.subject mailing.words_sealed
    """.split()
)
"""Columns that hold words of our own lists, digests, keys and seals of the product's own making; and the words of a
mailing, which are in a small language of their own that is looked at by its tree when they are kept."""


def words_columns() -> Iterator[tuple[sa.Table, sa.Column[Any]]]:
    """Every column in which somebody's words may stand, sealed or not."""
    sealed = {(model.__tablename__, column) for model, column, kind in sealed_columns() if kind is EncryptedText}
    for table in metadata.sorted_tables:
        if table.name in NOBODYS_TABLES:
            continue
        known = " ".join(str(c.sqltext) for c in table.constraints if isinstance(c, sa.CheckConstraint))
        for column in table.columns:
            if column.name in NOBODYS_NAMES or f"{table.name}.{column.name}" in NOBODYS_COLUMNS:
                continue
            if (table.name, column.name) in sealed or (
                isinstance(column.type, sa.String)
                and not is_key(column)
                and not column.name.endswith("_sealed")
                and not column.primary_key
                and not column.foreign_keys
                and not re.search(rf"\b{column.name} IN \(", known)
            ):
                yield table, column


def is_key(column: sa.Column[Any]) -> bool:
    """Whether a column is text of our own making, looked up byte by byte (``KeyText``)."""
    return getattr(column.type.dialect_impl(postgresql.dialect()), "collation", None) == "C"


def fitting(length: int | None) -> list[str]:
    return [one for one in PAYLOADS if length is None or len(one) <= length]


def put_everywhere(connection: sa.Connection, shift: int, *, but_not: str = "") -> int:
    """Write payloads over everybody's words; how many cells. The first row of a column gets the one that fits most
    places, the others take turns, beginning with another for each ``shift``. ``but_not`` is a table to leave alone."""
    written = 0
    person, link = metadata.tables["person"], metadata.tables["visit_link"]
    referee = metadata.tables["referee"]
    spoken_for = sa.select(person.c.household_id).where(person.c.id.in_(sa.select(referee.c.person_id)))
    with_link = sa.or_(person.c.id.in_(sa.select(link.c.person_id)), person.c.household_id.in_(spoken_for))
    own = connection.execute(sa.select(person.c.id, person.c.email, person.c.phone).where(with_link)).all()
    sealed = {(model.__tablename__, column) for model, column, _ in sealed_columns()}
    for number, (table, column) in enumerate(words_columns()):
        is_sealed = (table.name, column.name) in sealed
        choices = fitting(None if is_sealed else getattr(column.type, "length", None))
        if not choices or table.name == but_not:
            continue
        keys = list(table.primary_key.columns)
        wanted = [*keys, column, *([table.c.row_key] if is_sealed else [])]
        for turn, row in enumerate(connection.execute(sa.select(*wanted).where(column.is_not(None))).all()):
            payload = choices[0] if turn == shift else choices[(turn * 7 + number + shift) % len(choices)]
            old = unseal(table.name, column.name, row.row_key, row[len(keys)]) if is_sealed else row[len(keys)]
            new = with_payload(old, payload)
            if is_sealed:
                new = seal(table.name, column.name, row.row_key, new)
            where = sa.and_(*(key == row[place] for place, key in enumerate(keys)))
            connection.execute(sa.update(table).where(where).values({column.name: new}))
            written += 1
    # A link to a visit ends with the address it was sent to, and one to a referee where the household has that address:
    # their pages are to be read here.
    for row in own:
        connection.execute(sa.update(person).where(person.c.id == row.id).values(email=row.email, phone=row.phone))
    return written


REACHES = frozenset({"email", "phone", "mobile", "reach", "postcode", "base_postcode", "link", "website", "recipient"})
"""Columns that hold a way to reach somebody or something: not any letters are one."""
LONGEST_NAME = 100
"""Of a first or a last name: what every form takes."""


def fill_up(connection: sa.Connection) -> int:
    """Write over everybody's words with as many letters as there is room for; how many cells."""
    written = 0
    for table, column in words_columns():
        length = getattr(column.type, "length", None)
        if length is None or column.name in REACHES or column.name.endswith("_sealed"):
            continue
        as_long = ("Wilhelmina" * 60)[: min(length, LONGEST_NAME) if "_name" in column.name else length]
        plain = sa.and_(column.is_not(None), column.not_like("{%"), column.not_like("[%"))
        written += connection.execute(sa.update(table).where(plain).values({column.name: as_long})).rowcount
    return written


def with_payload(old: str, payload: str) -> str:
    """The payload in the place of some words; where a structure is kept as text, in the place of each of its words."""
    try:
        kept = json.loads(old)
    except ValueError:
        return payload
    return json.dumps(instead(kept, payload)) if isinstance(kept, dict | list) else payload


def instead(kept: Any, payload: str) -> Any:
    if isinstance(kept, dict):
        return {name: instead(value, payload) for name, value in kept.items()}
    if isinstance(kept, list):
        return [instead(value, payload) for value in kept]
    return payload if isinstance(kept, str) and " " in kept else kept


LEADS = ("href", "src", "action", "formaction", "data", "poster", "xlink:href", "hx-get", "hx-post", "srcdoc")
NEVER_OURS = ("script", "iframe", "object", "embed", "base")
RUNS_SOMETHING = ("javascript:", "vbscript:", "data:text")


def got_its_way(page: Page, *, is_letter: bool = False) -> list[str]:
    """What of a payload has become more than words, a sentence each. A letter brings its own styles."""
    found = list(page.mistakes)
    for element in page.root.walk():
        at = f"<{element.tag}>"
        if element.tag == MARK or MARK in element.attributes:
            found.append(f"{at} is of their making: {element.attributes}")
        found += [f"{at} has {name}" for name in element.attributes if name.startswith("on")]
        is_styled = "style" in element.attributes or element.tag == "style"
        is_ours = element.tag == "script" and element.get("src").startswith("/static/")
        if (is_styled and not is_letter) or (element.tag in NEVER_OURS and not is_ours):
            found.append(f"{at} on the page")
        if element.tag == "meta" and element.get("http-equiv") and "url" in element.get("content").lower():
            found.append("a meta that leads away")
        for name in LEADS:
            plain = re.sub(r"[\x00-\x20]", "", element.get(name)).lower()
            if plain.startswith((*RUNS_SOMETHING, "//")):
                found.append(f"{name} of {at} leads to {element.get(name)[:60]!r}")
        if any(EVALUATED in value for value in element.attributes.values()):
            found.append(f"a template was computed in {at}")
    if EVALUATED in page.text or EVALUATED in page.title:
        found.append("a template was computed")
    return found
