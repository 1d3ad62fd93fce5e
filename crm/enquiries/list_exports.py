"""Rows of the queue as a file: the columns somebody chose and no others, within what they may see at that moment.

A way to reach somebody is left empty where they ruled it out. Above ``ALONE_UP_TO`` rows a second person looks first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import islice
from types import MappingProxyType

from sqlalchemy import or_, select

from crm.access.models import User
from crm.audit import record
from crm.cases import keys
from crm.cases.models import APPLICANT_ROLES, CHANNEL_WORDS, Case, Channel, Person
from crm.clock import london_date
from crm.db import db
from crm.enquiries import second_look
from crm.enquiries.models import ListExport
from crm.enquiries.queries import Filters, QueueLine, queue_page
from crm.rules import stages
from crm.rules.eligibility import OUTCOME_WORDS, Outcome
from crm.rules.permissions import Actor, Permission, require
from crm.rules.refusal import Refusal
from crm.web.spreadsheets import Cell, csv_file, xlsx_file

ALONE_UP_TO = 500
"""Rows that one person may take away alone."""
MOST = 20_000
"""Rows that one file holds."""
KEPT = timedelta(days=2)
"""How long a file may be fetched after it was asked for."""
BATCH = 500


class ExportRefused(second_look.SecondLookRefused):
    """The file can't be had."""


class NoSuchExport(Refusal):
    """There is no such export, or it is not this person's."""

    default_status = 404


@dataclass(frozen=True)
class _More:
    """What is said of a case beyond its line in the queue."""

    eligibility: str | None = None
    people: tuple[Person, ...] = field(default=())


@dataclass(frozen=True)
class Column:
    """One column that may be chosen."""

    name: str
    heading: str
    of: Callable[[QueueLine, _More], Cell]
    is_personal: bool = False


def _names(_line: QueueLine, more: _More) -> str:
    return "; ".join(person.full_name for person in more.people)


def _phones(_line: QueueLine, more: _More) -> str:
    allowed = (person for person in more.people if not (person.no_contact or person.no_calls))
    return "; ".join(person.phone for person in allowed if person.phone)


def _emails(_line: QueueLine, more: _More) -> str:
    allowed = (person for person in more.people if not (person.no_contact or person.no_emails))
    return "; ".join(person.email for person in allowed if person.email)


COLUMNS: Mapping[str, Column] = MappingProxyType(
    {
        column.name: column
        for column in (
            Column("reference", "Reference", lambda line, _more: line.reference),
            Column("place", "Stands at", lambda line, _more: stages.PLACE[line.place].label),
            Column("next_action", "Next", lambda line, _more: line.next_action),
            Column("due_on", "Due", lambda line, _more: line.due_on),
            Column("channel", "Came by", lambda line, _more: CHANNEL_WORDS[Channel(line.channel)]),
            Column("campaign", "Campaign", lambda line, _more: line.campaign),
            Column("opened_on", "Came in", lambda line, _more: london_date(line.opened_at)),
            Column("owner", "Owner", lambda line, _more: line.owner),
            Column("district", "Postcode district", lambda line, _more: keys.district(line.postcode)),
            Column(
                "eligibility",
                "Eligibility",
                lambda _line, more: OUTCOME_WORDS[Outcome(more.eligibility)] if more.eligibility else None,
            ),
            Column("names", "Names", _names, is_personal=True),
            Column("phones", "Phone", _phones, is_personal=True),
            Column("emails", "Email", _emails, is_personal=True),
        )
    }
)
"""What may be chosen. Addresses and anything sensitive are not among them."""
CHOSEN_FIRST = tuple(name for name, column in COLUMNS.items() if not column.is_personal)


def rows_in(actor: Actor, filters: Filters, *, today: date) -> int:
    """How many rows a file of this view would hold, counted no further than one beyond the most."""
    return sum(1 for _ in islice(_lines(actor, filters, today=today), MOST + 1))


def ask_for_export(
    *,
    query: str,
    row_count: int,
    columns: Sequence[str],
    format: str,
    reason: str | None,
    second: User | None,
    actor: Actor,
    now: datetime,
    today: date,
) -> ListExport:
    """Ask for the rows of a view as a file. A large one is put before a second person, with the reason for it.

    ``row_count`` as ``rows_in`` counts: apart, because counting is slow and this holds up other writers. Raises
    ExportRefused.
    """
    require(actor, Permission.EXPORT_LISTS)
    chosen = [name for name in COLUMNS if name in columns]
    if not chosen:
        raise ExportRefused("Choose at least one column.", field="columns")
    if row_count > MOST:
        raise ExportRefused(f"That is more than {MOST:,} rows. Filter the list first.")
    export = ListExport(
        query=query[:300],
        columns=",".join(chosen),
        format=format,
        row_count=row_count,
        asked_by_id=actor.user_id,
        asked_at=now,
        expires_at=now + KEPT,
    )
    if row_count > ALONE_UP_TO:
        second_look.need_second(
            export,
            how_many=f"{row_count:,} rows",
            second=second,
            reason=reason,
            why_asked="Say what the file is for.",
            actor=actor,
        )
    db.session.add(export)
    db.session.flush()
    detail = {"rows": row_count, "columns": chosen, "format": format}
    record("export.asked", actor=actor, at=now, subject=f"list_export:{export.id}", detail=detail)
    second_look.put_before(
        export,
        title=f"Look at an export of {row_count:,} rows that {actor.display_name} asks for (Enquiries, Exports)",
        actor=actor,
        now=now,
        today=today,
    )
    return export


def answer_export(export: ListExport, *, yes: bool, actor: Actor, now: datetime, today: date) -> None:
    """Say yes or no to a large export, as its second person. Raises second_look.SecondLookRefused."""
    second_look.answer(
        export,
        yes=yes,
        event="export",
        subject=f"list_export:{export.id}",
        words="yes to your file: fetch it" if yes else "no to your file",
        actor=actor,
        now=now,
        today=today,
    )
    if yes:
        export.expires_at = now + KEPT


@dataclass(frozen=True)
class ExportFile:
    """A file that was made, and how many rows it holds."""

    content: bytes
    rows: int


def make_file(export: ListExport, filters: Filters, *, actor: Actor, now: datetime, today: date) -> ExportFile:
    """The file, of what its reader may see now. Raises ExportRefused while a second person has not said yes, and when
    its time is over."""
    require(actor, Permission.EXPORT_LISTS)
    if actor.user_id != export.asked_by_id:
        raise NoSuchExport("There is no such export.")
    if export.second_id is not None and export.answer != "yes":
        raise ExportRefused("This waits for a second person.", status=409)
    if now >= export.expires_at:
        raise ExportRefused("The time to fetch this file is over. Ask for it again.", status=409)
    columns = [COLUMNS[name] for name in export.columns.split(",") if name in COLUMNS]
    # Rows that came in since it was looked at are not smuggled past whoever looked.
    most = export.row_count if export.second_id is not None else ALONE_UP_TO
    rows = [
        [column.of(line, more) for column in columns]
        for line, more in _with_more(islice(_lines(actor, filters, today=today), most), columns)
    ]
    header = [column.heading for column in columns]
    content = xlsx_file(header, rows) if export.format == "xlsx" else csv_file(header, rows)
    return ExportFile(content, len(rows))


def record_fetched(export: ListExport, made: ExportFile, *, actor: Actor, now: datetime) -> None:
    """Put in the trail that a file is handed out; before it is."""
    detail = {"rows": made.rows, "columns": export.columns.split(","), "format": export.format}
    record("export.fetched", actor=actor, at=now, subject=f"list_export:{export.id}", detail=detail)


def export_for(actor: Actor, export_id: int) -> ListExport:
    """An export that this person asked for or is to look at. Raises NoSuchExport."""
    export = db.session.get(ListExport, export_id)
    if export is None or actor.user_id not in (export.asked_by_id, export.second_id):
        raise NoSuchExport("There is no such export.")
    return export


def exports_of(actor: Actor) -> list[ListExport]:
    """What somebody asked for or is to look at, the newest first."""
    mine = or_(ListExport.asked_by_id == actor.user_id, ListExport.second_id == actor.user_id)
    return list(db.session.scalars(select(ListExport).where(mine).order_by(ListExport.id.desc()).limit(50)))


def _lines(actor: Actor, filters: Filters, *, today: date) -> Iterator[QueueLine]:
    """Every line of the view, as the list itself reads them."""
    after = None
    while True:
        lines, after = queue_page(actor, filters, today=today, after=after, size=BATCH)
        yield from lines
        if after is None:
            return


def _with_more(lines: Iterable[QueueLine], columns: Sequence[Column]) -> Iterator[tuple[QueueLine, _More]]:
    """Each line with what its columns need beside it, read for many at once."""
    wants_more = any(column.is_personal or column.name == "eligibility" for column in columns)
    lines = iter(lines)
    while batch := list(islice(lines, BATCH)):
        more = _more_of([line.id for line in batch]) if wants_more else {}
        for line in batch:
            yield line, more.get(line.id, _More())


def _more_of(case_ids: Sequence[int]) -> dict[int, _More]:
    cases = db.session.execute(
        select(Case.id, Case.household_id, Case.eligibility_outcome).where(Case.id.in_(case_ids))
    ).all()
    people: dict[int, list[Person]] = defaultdict(list)
    rows = db.session.scalars(
        select(Person)
        .where(
            Person.household_id.in_([case.household_id for case in cases]),
            Person.role.in_(APPLICANT_ROLES),
            Person.left_household_on.is_(None),
        )
        .order_by(Person.id)
    )
    for person in rows:
        people[person.household_id].append(person)
    return {case.id: _More(case.eligibility_outcome, tuple(people[case.household_id])) for case in cases}
