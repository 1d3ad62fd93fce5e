"""Reads of mailings: which there are, what became of each letter, and whose they were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Any

from sqlalchemy import ColumnElement, case, func, or_, select

from crm.cases.models import Case, Household, Person
from crm.cases.queries import visible_cases
from crm.db import db
from crm.delivery import MessageStatus, OutboundMessage
from crm.delivery.failures import failure_words
from crm.enquiries.mailing_readers import WHY_WORDS, Judged
from crm.enquiries.models import Mailing, MailingReader, MailingStep, ReaderState
from crm.rules.permissions import Actor, Permission

SHOWN = 50
PEOPLE_SHOWN = 100

SENT, ON_ITS_WAY, NOT_YET, BOUNCED, TO_WRITE = "sent", "on_its_way", "not_yet", "bounced", "to_write"
RESULT_WORDS: Mapping[str, str] = MappingProxyType(
    {
        TO_WRITE: "Will be written to",
        SENT: "Sent",
        ON_ITS_WAY: "Written, waiting to leave",
        NOT_YET: "Not written yet",
        BOUNCED: "Could not be delivered",
        **WHY_WORDS,
    }
)
"""What became of each person's letter, in the order in which it is shown; other words are those of ``failures``."""
RESULT_MARKS: Mapping[str, str] = MappingProxyType(
    {TO_WRITE: "ok", SENT: "ok", ON_ITS_WAY: "waiting", NOT_YET: "waiting", BOUNCED: "over"}
)


@dataclass(frozen=True)
class Result:
    """How many people something became of."""

    code: str
    count: int

    @property
    def words(self) -> str:
        return words_of_result(self.code)

    @property
    def mark(self) -> str:
        return RESULT_MARKS.get(self.code, "closed")


@dataclass(frozen=True)
class Reader:
    """One person of a mailing, as a list shows them. Nothing of whom one may not open is in it."""

    reference: str | None
    household: str
    name: str


def words_of_result(code: str) -> str:
    """What became of it, in words."""
    return RESULT_WORDS.get(code) or failure_words(code)


def mailings_of(actor: Actor) -> list[Mailing]:
    """What somebody wrote or is to look at; for those who may write to many, all but others' drafts. The newest
    first."""
    mine: list[ColumnElement[bool]] = [Mailing.asked_by_id == actor.user_id, Mailing.second_id == actor.user_id]
    if actor.has(Permission.WRITE_TO_MANY):
        mine.append(Mailing.step != MailingStep.DRAFT)
    return list(db.session.scalars(select(Mailing).where(or_(*mine)).order_by(Mailing.id.desc()).limit(SHOWN)))


# What became of one person's letter: why nothing was written, why it stayed here, or how far it is.
_CODE = case(
    (MailingReader.state == ReaderState.WAITING, NOT_YET),
    (MailingReader.state == ReaderState.NOT_WRITTEN, MailingReader.why),
    (OutboundMessage.status == MessageStatus.SENT, SENT),
    (OutboundMessage.status == MessageStatus.GIVEN_UP, BOUNCED),
    (
        OutboundMessage.status.in_((MessageStatus.STOPPED, MessageStatus.SUPERSEDED)),
        OutboundMessage.last_failure,
    ),
    else_=ON_ITS_WAY,
)


def results_of(mailing: Mailing) -> list[Result]:
    """What became of the people of a mailing that is on its way or over: every one of them is counted once."""
    code = _CODE.label("code")
    rows = db.session.execute(
        select(code, func.count())
        .select_from(MailingReader)
        .outerjoin(OutboundMessage, OutboundMessage.id == MailingReader.message_id)
        .where(MailingReader.mailing_id == mailing.id)
        .group_by(code)
    )
    order = list(RESULT_WORDS)
    found = [Result(row[0], row[1]) for row in rows]
    return sorted(found, key=lambda one: (order.index(one.code) if one.code in order else len(order), one.code))


def people_with(mailing: Mailing, code: str, actor: Actor, *, today: date, after: int = 0) -> tuple[list[Reader], bool]:
    """The people of whose letter something became, from one place on; and whether there are more."""
    rows = db.session.execute(
        select(MailingReader.case_id, Household.name, Person)
        .select_from(MailingReader)
        .join(Person, Person.id == MailingReader.person_id)
        .join(Household, Household.id == Person.household_id)
        .outerjoin(OutboundMessage, OutboundMessage.id == MailingReader.message_id)
        .where(MailingReader.mailing_id == mailing.id, _CODE.in_([code]))
        .order_by(MailingReader.id)
        .offset(after)
        .limit(PEOPLE_SHOWN + 1)
    ).all()
    shown = [(row[0], row[1], row[2].full_name) for row in rows[:PEOPLE_SHOWN]]
    return _shown(shown, actor, today=today), len(rows) > PEOPLE_SHOWN


def judged_shown(
    judged: Sequence[Judged], code: str, actor: Actor, *, today: date, after: int = 0
) -> tuple[list[Reader], bool]:
    """The same of people who were judged and not written to yet."""
    wanted = [one for one in judged if (one.why or TO_WRITE) == code][after : after + PEOPLE_SHOWN + 1]
    shown = [(one.case.id, one.case.household.name, one.person.full_name) for one in wanted[:PEOPLE_SHOWN]]
    return _shown(shown, actor, today=today), len(wanted) > PEOPLE_SHOWN


def _shown(rows: Sequence[tuple[int, Any, str]], actor: Actor, *, today: date) -> list[Reader]:
    ids = {row[0] for row in rows}
    mine: dict[int, str] = {
        row[0]: row[1]
        for row in db.session.execute(
            select(Case.id, Case.reference).where(Case.id.in_(ids), visible_cases(actor, today=today))
        )
    }
    return [
        Reader(mine[case_id], household, name) if case_id in mine else Reader(None, "", "")
        for case_id, household, name in rows
    ]
