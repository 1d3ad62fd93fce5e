"""The annual return, in Ofsted's shape: a year of enquiries, applications, carers and limits, each number with its
rows, and what to look at before it is sent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time
from itertools import pairwise

from sqlalchemy import ColumnElement, and_, func, or_, select

from crm.cases.models import APPLICANT_ROLES, Case, Enquiry, Journey, Person
from crm.clock import LONDON
from crm.db import db, our_word
from crm.reporting import promises
from crm.reporting.applications import (
    CARERS,
    ENDINGS,
    FLOW,
    LOOK,
    LOOKS,
    NO_CODE,
    Held,
    Year,
    applications_in,
    band_in,
    is_in,
)
from crm.reporting.behind import Behind, clocks, households
from crm.reporting.figures import (
    NOTHING,
    Answer,
    Column,
    Figure,
    Line,
    NoSuchReport,
    Question,
    Table,
    share,
    text,
    whole,
)
from crm.reporting.frozen import Difference, Frozen, differences, frozen_in_force
from crm.reporting.return_rows import applications, contacts, people
from crm.rules.outcomes import AW_CODES
from crm.rules.reasons import WITHDRAWAL_REASONS
from crm.rules.return_years import (
    BANDS,
    CERTAINTY_WORDS,
    DEFINITIONS,
    NOT_RECORDED,
    Measure,
    ReturnYear,
    definition_of,
)
from crm.rules.rulebook import Rulebook
from crm.web.filters import date_only, many

LIMITS: tuple[str, ...] = (
    "panel_recommendation",
    "stage_one_decision",
    "adm_decision",
    "oral_notice",
    "written_notice",
)
"""The clocks whose keeping is told: panel, Stage 1 decision, decision, and that told by word and in writing."""
NOT_REAL = ("duplicate", "spam")
"""Closed as logged twice, or as no enquiry at all."""
BESIDE = ("checks", "changed", "definitions")
"""Tables that are about the return; the others are what is sent, and what a freeze compares."""
BAND_WORDS = {**{name: words for name, words, _ in BANDS}, NOT_RECORDED: "Not recorded"}


# --- Enquiries --------------------------------------------------------------------------------------------------------


def came_in(year: ReturnYear) -> ColumnElement[bool]:
    """Touches of a year, by the day in London."""
    first, after = (
        datetime.combine(day, time(), tzinfo=LONDON) for day in (year.first_on, ReturnYear(year.begins + 1).first_on)
    )
    return and_(Enquiry.received_at >= first, Enquiry.received_at < after)


def was_in_touch(year: ReturnYear) -> ColumnElement[bool]:
    """Households that got in touch in a year, whenever they first did."""
    return Journey.household_id.in_(
        select(Case.household_id).join(Enquiry, Enquiry.case_id == Case.id).where(came_in(year))
    )


def first_asked(year: ReturnYear) -> ColumnElement[bool]:
    """Households that first asked in a year."""
    return and_(Journey.asked_on >= year.first_on, Journey.asked_on <= year.last_on)


def is_not_real() -> ColumnElement[bool]:
    """Households whose enquiry was closed as logged twice, or as none."""
    return and_(Journey.standing == our_word("ended"), or_(*(Journey.ended_why == our_word(one) for one in NOT_REAL)))


def is_real() -> ColumnElement[bool]:
    """The others. A reason that is not known is no reason to leave them out."""
    return or_(
        Journey.standing != our_word("ended"),
        Journey.ended_why.is_(None),
        and_(*(Journey.ended_why != our_word(one) for one in NOT_REAL)),
    )


def is_applicant() -> ColumnElement[bool]:
    return or_(*(Person.role == our_word(str(one)) for one in APPLICANT_ROLES))


def _enquiries(year: ReturnYear) -> Table:
    definition = definition_of(year)
    count = func.count()
    in_touch, asked, not_real, real = db.session.execute(
        select(
            select(count).select_from(Journey).where(was_in_touch(year)).scalar_subquery(),
            select(count).select_from(Journey).where(first_asked(year)).scalar_subquery(),
            select(count).select_from(Journey).where(first_asked(year), is_not_real()).scalar_subquery(),
            select(count).select_from(Journey).where(first_asked(year), is_real()).scalar_subquery(),
        )
    ).one()
    touches = db.session.scalars(select(count).select_from(Enquiry).where(came_in(year))).one()
    asking = db.session.scalars(
        select(count)
        .select_from(Person)
        .join(Journey, Journey.household_id == Person.household_id)
        .where(first_asked(year), is_applicant())
    ).one()
    sent, key = (touches, "contacts") if definition.measure is Measure.CONTACTS else (real, "real")
    lines = (
        Line("contacts", "Contacts: every form, call and word at a stall", (whole(touches, "contacts"),)),
        Line("in_touch", "Households that got in touch, for the first time or again", (whole(in_touch, "in_touch"),)),
        Line("asked", "Households that first asked", (whole(asked, "asked"),)),
        Line("not_real", "Of these, logged twice or not real", (whole(not_real, "not_real"),)),
        Line("people", "People: applicants of the households that first asked", (whole(asking, "people"),)),
        Line("initial", "Initial enquiries, by the definition of the year", (whole(sent, key),), is_total=True),
    )
    return Table(
        name="enquiries",
        caption="Enquiries",
        about="What is counted",
        columns=(Column("count", "In the year", "By the day in London"),),
        lines=lines,
        note=f"Definition used: {definition.words.lower()}. {definition.source}. "
        f"{CERTAINTY_WORDS[definition.certainty]}.",
    )


def _definitions(year: ReturnYear) -> Table:
    """Every definition there is, and which one is used."""
    used = definition_of(year)
    ends = {one.name: after.from_year for one, after in pairwise(DEFINITIONS)}
    return Table(
        name="definitions",
        caption="What counts as an enquiry, by year",
        about="Years",
        columns=(
            Column("used", "Used here", is_text=True),
            Column("counts", "What is counted", is_text=True),
            Column("source", "Source", is_text=True),
            Column("sure", "How sure", is_text=True),
        ),
        lines=tuple(
            Line(
                one.name,
                _years_words(one.from_year, ends.get(one.name)),
                (
                    text("Yes" if one is used else "No"),
                    text(one.words),
                    text(one.source),
                    text(CERTAINTY_WORDS[one.certainty]),
                ),
            )
            for one in DEFINITIONS
        ),
        note="Ofsted may change what counts from year to year. All the counts above stay, whichever of them is sent.",
    )


def _years_words(first: int, until: int | None) -> str:
    """ "2011–12 to 2022–23", "2023–24", "From 2024–25"; ``until`` is the first year that is counted otherwise."""
    begins = f"{first}–{(first + 1) % 100:02d}"
    if until is None:
        return f"From {begins}"
    return begins if until == first + 1 else f"{begins} to {until - 1}–{until % 100:02d}"


# --- Applications -----------------------------------------------------------------------------------------------------


def _flow_words(year: ReturnYear) -> dict[str, str]:
    return {
        "start": f"In progress on {date_only(year.first_on)}",
        "received": "+ Received",
        "approved": "− Approved",
        "not_approved": "− Not approved",
        **{
            f"withdrawn_{code}": f"− Withdrawn by the applicant, {code}: {WITHDRAWAL_REASONS[code]}"
            for code in AW_CODES
        },
        f"withdrawn_{NO_CODE}": "− Withdrawn by the applicant, no code recorded",
        "by_service": "− Withdrawn by the service",
        "end": f"= In progress on {date_only(year.last_on)}",
    }


def _flow(found: Year, *, today: date) -> Table:
    year, words = found.year, _flow_words(found.year)
    counts = {line: sum(is_in(line, one, year) for one in found.held) for line in FLOW}
    left = counts["start"] + counts["received"] - sum(counts[line] for line in ENDINGS)
    went = " − ".join(f"{counts[line]:,}" for line in ENDINGS if counts[line]) or "0"
    sum_words = f"{counts['start']:,} + {counts['received']:,} − {went} = {left:,}"
    if left == counts["end"]:
        said = f"It reconciles: {sum_words}, and as many are in progress. "
    else:
        said = f"It does not reconcile: {sum_words}, and {counts['end']:,} are in progress. "
    so_far = "" if year.is_over(today) else "The year is not over: these are the figures so far. "
    return Table(
        name="applications",
        caption="Applications",
        about="Households",
        columns=(Column("count", "Applications", "Of a household; a couple who apply together are one"),),
        lines=tuple(
            Line(line, words[line], (whole(counts[line], f"flow.{line}"),), is_total=line in ("start", "end"))
            for line in FLOW
        ),
        note=f"{said}{so_far}A household that came back after an ending has another application. Told that we propose "
        "not to approve, representations and the IRM are still in progress. Refused and refused at Stage 1 are not "
        "approved.",
    )


def _carers(found: Year) -> Table:
    approved = found.where(lambda one: is_in("approved", one, found.year))
    counts = {
        (band, carer): sum(band_in(one, found, carer) == band for one in approved)
        for band in BAND_WORDS
        for carer in range(len(CARERS))
    }
    lines = [
        Line(
            band,
            words,
            tuple(whole(counts[band, carer], f"carer.{name}.{band}") for carer, name in enumerate(CARERS)),
        )
        for band, words in BAND_WORDS.items()
    ]
    everybody = [sum(counts[band, carer] for band in BAND_WORDS) for carer in range(len(CARERS))]
    lines.append(
        Line(
            "all",
            "All",
            tuple(whole(everybody[carer], f"carer.{name}.all") for carer, name in enumerate(CARERS)),
            is_total=True,
        )
    )
    return Table(
        name="carers",
        caption="Carers of households approved in the year, by age",
        about="Age on the day of approval",
        columns=(
            Column("one", "Carer 1", "The first applicant of each household approved in the year"),
            Column("two", "Carer 2", "The second applicant, where two applied together"),
        ),
        lines=tuple(lines),
        note="A date of birth that is missing, or that no carer can have, is not recorded. The band of 18 to 19 is "
        "Ofsted’s; the others are tens, to be compared with the guidance.",
    )


# --- Limits -----------------------------------------------------------------------------------------------------------


def _question_of(year: ReturnYear) -> Question:
    return Question("return", year.first_on, year.last_on)


def _limits(year: ReturnYear, *, today: date, rulebook: Rulebook) -> Table:
    found = promises.kept_promises(LIMITS, _question_of(year), today=today)
    lines = []
    for rule in LIMITS:
        kept, clock = found[rule], rulebook.deadline(rule)
        lines.append(
            Line(
                rule,
                f"{clock.what}, {clock.length_words} from {clock.counted_from}",
                (
                    share(kept.kept, kept.settled),
                    whole(kept.kept, f"kept.{rule}"),
                    whole(kept.missed, f"missed.{rule}"),
                    whole(kept.settled, f"settled.{rule}"),
                    whole(kept.running, f"running.{rule}"),
                ),
            )
        )
    return Table(
        name="limits",
        caption="Limits kept",
        about="Limit",
        columns=(
            Column("percent", "Kept, of settled", "Percent of the settled clocks that were met in time"),
            Column("kept", "Kept", "Clocks counted from a day in the year that were met in time"),
            Column("missed", "Missed", "Clocks that were or are over their day"),
            Column("settled", "Settled", "Kept and missed together"),
            Column("running", "Running", "Clocks that are not over yet"),
        ),
        lines=tuple(lines),
        note="Clocks counted from a day in the year, each by the rules its household came under. One that ended "
        "because the household left is in none of these.",
    )


# --- Before it is sent ------------------------------------------------------------------------------------------------


def _checks(found: Year, frozen: Frozen | None, *, today: date) -> tuple[Table, str]:
    counts = {look.key: len(look.find(found)) for look in LOOKS}
    to_see = sum(1 for count in counts.values() if count)
    is_over = found.year.is_over(today)
    if to_see:
        words = f"{many(to_see, 'thing')} to look at first"
    else:
        words = "Ready to send" if is_over else "Nothing to look at so far"
    if is_over and frozen is None:
        link = ("Freeze this year", f"/reports/return/{found.year.begins}/freeze")
    elif is_over:
        link = ("The frozen figures", f"/reports/return/{found.year.begins}/frozen")
    else:
        link = None
    table = Table(
        name="checks",
        caption="Before it is sent",
        about="Look for",
        lede="" if is_over else f"The year is over on {date_only(found.year.last_on)}",
        columns=(
            Column("count", "Found", "Applications of the year"),
            *((Column("what", "What to do", is_text=True),) if to_see else ()),
        ),
        lines=tuple(
            Line(
                look.key,
                look.label,
                (
                    whole(counts[look.key], f"check.{look.key}", state="due" if counts[look.key] else ""),
                    *((text(look.what_to_do) if counts[look.key] else NOTHING,) if to_see else ()),
                ),
            )
            for look in LOOKS
        ),
        link=link,
    )
    return table, words


def things_to_look_at(answer: Answer) -> list[tuple[str, int]]:
    """What an answer found to look at: words and how many."""
    table = answer.table("checks")
    found = [(line.label, line.figures[0].value) for line in table.lines]
    return [(label, count) for label, count in found if isinstance(count, int) and count]


def _changed(frozen: Frozen, tables: Sequence[Table]) -> tuple[Table, str]:
    found = differences(frozen.answer.tables, tables, but=BESIDE)
    since = f"Frozen on {date_only(frozen.frozen_at)}"
    words = f"{since}: {many(len(found), 'figure')} changed since" if found else f"{since}: nothing has changed since"
    if found:
        lines = tuple(Line(f"{one.key}", one.label, _figures_of(one)) for one in found)
    else:
        lines = (Line("none", "Every figure is as it was", (NOTHING, NOTHING, NOTHING)),)
    table = Table(
        name="changed",
        caption="What has changed since it was frozen",
        about="Figure",
        columns=(
            Column("was", "Was", "As it was frozen"),
            Column("now", "Is", "As it is known today"),
            Column("difference", "Difference", "What came or went since"),
        ),
        lines=lines,
        note=f"{_defined(frozen)}What was recorded or put right since it was frozen makes these differ.",
    )
    return table, words


def _defined(frozen: Frozen) -> str:
    """Says the definition that a return was frozen with, where it is not today's."""
    if frozen.definition == definition_of(frozen.year).name:
        return ""
    words = next((f"{one.words.lower()}. {one.source}. " for one in DEFINITIONS if one.name == frozen.definition), "")
    return f"Frozen with another definition of an enquiry: {words}" if words else ""


def _figures_of(one: Difference) -> tuple[Figure, ...]:
    was, now = one.was, one.now
    if isinstance(was.value, int | float) and isinstance(now.value, int | float):
        by = now.value - was.value
        difference = Figure(by, f"{'+' if by > 0 else '−'}{abs(by):,}")
    else:
        difference = NOTHING
    return Figure(was.value, was.words), Figure(now.value, now.words, now.rows), difference


# --- The report -------------------------------------------------------------------------------------------------------


def answer(question: Question, *, today: date, rulebook: Rulebook) -> Answer:
    """The return of the year that the first day of the question lies in: a fixed number of statements."""
    year = ReturnYear.of(question.first_on)
    frozen = frozen_in_force(year)
    found = applications_in(year)
    checks, to_see = _checks(found, frozen, today=today)
    sent = (
        _enquiries(year),
        _flow(found, today=today),
        _carers(found),
        _limits(year, today=today, rulebook=rulebook),
    )
    headlines = {"checks": to_see}
    tables = [checks, *sent, _definitions(year)]
    if frozen is not None:
        changed, headlines["changed"] = _changed(frozen, sent)
        tables.insert(1, changed)
    lede = f"The year to Ofsted, {date_only(year.first_on)} to {date_only(year.last_on)}. Households are counted, and a"
    lede += " couple who apply together are one."
    if (question.first_on, question.last_on) != (year.first_on, year.last_on):
        lede += (
            f" You asked for {date_only(question.first_on)} to {date_only(question.last_on)}: the return is by whole"
            " years, and this is the one in which the first of those days lies."
        )
    return Answer(title=f"Annual return {year.words}", lede=lede, tables=tuple(tables), headlines=headlines)


def answer_of_year(year: ReturnYear, *, today: date, rulebook: Rulebook) -> Answer:
    """The return of one year, counted now."""
    return answer(_question_of(year), today=today, rulebook=rulebook)


def behind(question: Question, key: str, *, today: date) -> Behind:
    """The rows of one number. Raises NoSuchReport."""
    year = ReturnYear.of(question.first_on)
    kind, _, rest = key.partition(".")
    if not rest:
        return _behind_enquiries(year, kind)
    if kind == "flow" and rest in FLOW:
        words = _flow_words(year)[rest].lstrip("+−= ")
        return applications(words, lambda: applications_in(year).where(lambda one: is_in(rest, one, year)))
    if kind == "carer":
        return _behind_carers(year, rest)
    if kind == "check" and rest in LOOK:
        look = LOOK[rest]
        return applications(look.label, lambda: look.find(applications_in(year)))
    if rest in LIMITS and kind in ("kept", "missed", "settled", "running"):
        which = {
            "kept": promises.is_kept(),
            "missed": promises.is_missed(today),
            "settled": or_(promises.is_kept(), promises.is_missed(today)),
            "running": promises.is_running(today),
        }[kind]
        return clocks(kind.capitalize(), rest, [*promises.clocks_of(rest, _question_of(year)), which])
    raise NoSuchReport


def _behind_enquiries(year: ReturnYear, key: str) -> Behind:
    if key == "contacts":
        return contacts("Contacts", [came_in(year)])
    if key == "people":
        return people("People who first asked", [first_asked(year), is_applicant()])
    conditions = {
        "in_touch": ("Households that got in touch", [was_in_touch(year)]),
        "asked": ("Households that first asked", [first_asked(year)]),
        "not_real": ("Logged twice or not real", [first_asked(year), is_not_real()]),
        "real": ("Initial enquiries", [first_asked(year), is_real()]),
    }
    if key not in conditions:
        raise NoSuchReport
    return households(*conditions[key])


def _behind_carers(year: ReturnYear, rest: str) -> Behind:
    name, _, band = rest.partition(".")
    if name not in CARERS or (band != "all" and band not in BAND_WORDS):
        raise NoSuchReport
    carer = CARERS.index(name)

    def find() -> list[Held]:
        found = applications_in(year)

        def counted(one: Held) -> bool:
            theirs = band_in(one, found, carer)
            return is_in("approved", one, year) and theirs is not None and band in ("all", theirs)

        return found.where(counted)

    words = "all ages" if band == "all" else BAND_WORDS[band].lower()
    return applications(f"Carer {carer + 1} of households approved, {words}", find)
