"""README.md of this package, made from the tables so that it can't fall behind them.

`python -m crm.rules.handbook > crm/rules/README.md` renews it; a test demands that it is current.
"""
# ruff: noqa: E501  (rows of a table can't be broken)

from __future__ import annotations

from collections.abc import Sequence

from crm.rules.deadlines import DEADLINE_RULES
from crm.rules.eligibility import CRITERIA, OUTCOME_WORDS, Outcome
from crm.rules.panel import PANEL_EDITIONS, QuorumFigures
from crm.rules.retention import RETENTION_RULES
from crm.rules.stage_one_checks import CHECK_RULES, LOCAL_CHECK_RULES
from crm.rules.stages import TRACK_WORDS
from crm.rules.transitions import MOVES, REQUIREMENTS, Move, mermaid

_HEAD = """# The rules

The law and the service's policy as tables and small pure functions. Nothing here reads a clock, opens a database or
knows about the web: *today* and the facts of a case are arguments. This page is made from the tables by
`python -m crm.rules.handbook > crm/rules/README.md`, and a test keeps it current.

How sure we are of each rule: **L** law, read in the source; **L\\*** law, read at second hand (read the regulation
before relying on it); **SG** statutory guidance; **NMS** National Minimum Standards, **NMS\\*** likewise at second hand;
**CP** common practice, which each service sets for itself. "Regs" are the Fostering Services (England) Regulations 2011.

| ask | with | in | tested in `tests/rules/` |
|---|---|---|---|
| may this move be made, what is open, what is shut and why | `check_move`, `moves_in_call`, `open_moves`, `shut_moves`, `warnings_for` | `transitions.py` | `test_moves.py`, `test_no_way_round.py` |
| where a household stands | `place_of`, `is_open`, `standing_words` | `stages.py` | `test_stages.py` |
| when something is due, and how the clock reads | `due_on`, `say_due`, `observations_end`, `add_months` | `deadlines.py` | `test_dated_scenarios.py` |
| which days count | `WorkingDays`, `england` | `working_days.py` | `test_working_days.py` |
| whether fostering may be for somebody | `assess` | `eligibility.py` | `test_eligibility.py` |
| which checks, of whom, and when the last came | `requirements`, `outstanding`, `completed_on` | `stage_one_checks.py` | `test_stage_one_checks.py` |
| whether the panel is quorate, and needed at all | `quorum_shortfalls`, `panel_required` | `panel.py` | `test_panel.py` |
| who goes on a preparation course, and has been through it | `why_no_place`, `progress` | `preparation.py` | `test_preparation.py` |
| for whom an open application waits | `waits_for`, `check_waits_for` | `waiting.py` | `test_waiting.py` |
| which clocks a service answers for, and whether one was missed | `is_missed`, `days_over` | `breaches.py` | `test_waiting.py` |
| how far a household has come, over all its journeys | `progress_of` | `progress.py` | `test_progress.py` |
| what homes an area needs, and whether a household would be one by its terms | `fits` | `need.py` | `tests/assessments/test_need.py` |
| what an application came to, and when | `applications_of` | `outcomes.py` | `test_outcomes.py` |
| how long a record is kept | `retain_until`, `dbs_content_until` | `retention.py` | `test_refusal_and_retention.py` |
| who may do and see what | `Actor.has`, `require`, `may_see` | `permissions.py` | `test_permissions.py` |
| free times for a visit | `slots`, `subtract`, `intersect` | `intervals.py` | `test_intervals.py` |
| a reference | `new_reference`, `parse` | `reference.py` | `test_reference.py` |
| all of it as it stands on a day | `Rulebook`, `default_rulebook` | `rulebook.py` | all of them |

**To add a move:** a row in `MOVES`; what must be true first as a function in `REQUIREMENTS` with words for the person who
wants to make it; its clocks in `deadlines.py`; then run the handbook.
**To change a law:** a further row with its `in_force_from`. The old row stays, since cases begun under it remember it.
"""


def handbook() -> str:
    """The whole page."""
    parts = [_HEAD, _clocks(), _moves(), _requirements(), _checks(), _criteria(), _panel(), _retention(), _diagram()]
    return "\n".join(parts)


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(cell.replace("|", "/").replace("*", "\\*") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _clocks() -> str:
    rows = [
        (
            f"`{rule.name}`",
            rule.what,
            f"{rule.length_words} {rule.counting.replace('_', ' ')} {rule.counted_from}"
            if rule.length
            else rule.counted_from,
            rule.kind,
            rule.source,
            rule.certainty,
            rule.in_force_from.isoformat() if rule.kind != "promise" else "",
        )
        for rule in DEADLINE_RULES
    ]
    return "## Clocks\n\n`deadlines.py: due_on`, proved in `test_dated_scenarios.py`.\n\n" + _table(
        ("clock", "what", "limit", "set by", "source", "sure", "in force from"), rows
    )


def _moves() -> str:
    def row(move: Move) -> tuple[str, ...]:
        from_ = ", ".join(sorted(stage or "(not started)" for stage in move.from_))
        return (
            f"`{move.name}`",
            TRACK_WORDS[move.track],
            f"{from_} → {move.to}",
            move.permission,
            ", ".join(move.requires),
            ", ".join(move.starts),
            ", ".join((*move.letters, *move.effects)),
            ", ".join(move.and_also),
            move.source,
        )

    return "## Moves\n\n`transitions.py: MOVES`, proved in `test_moves.py`.\n\n" + _table(
        ("move", "track", "from → to", "permission", "requires", "starts", "letters and effects", "and also", "source"),
        [row(move) for move in MOVES],
    )


def _requirements() -> str:
    rows = [(f"`{name}`", ", ".join(move.name for move in MOVES if name in move.requires)) for name in REQUIREMENTS]
    return "## What must be true first\n\n`transitions.py: REQUIREMENTS`.\n\n" + _table(("requirement", "of"), rows)


def _checks() -> str:
    rows = [
        (
            f"`{rule.item}`",
            rule.what,
            rule.who.replace("_", " "),
            rule.when.replace("_", " "),
            str(rule.count),
            rule.basis,
            rule.source,
            rule.certainty,
        )
        for rule in CHECK_RULES + LOCAL_CHECK_RULES
    ]
    return "## Stage 1 checks\n\n`stage_one_checks.py`, proved in `test_stage_one_checks.py`.\n\n" + _table(
        ("item", "what", "of whom", "when", "how many", "basis", "source", "sure"), rows
    )


def _criteria() -> str:
    rows = []
    for criterion in CRITERIA:
        answers = "; ".join(
            f"{option.label}: {OUTCOME_WORDS[option.outcome].lower()}"
            for option in criterion.options
            if option.outcome is not Outcome.ELIGIBLE
        )
        if criterion.is_about_age:
            answers = (
                f"under {criterion.hard_minimum_age}: not eligible; under {criterion.usual_minimum_age}: "
                f"{OUTCOME_WORDS[criterion.below_usual].lower()} (the service's to set)"
            )
        rows.append(
            (
                f"`{criterion.name}`",
                criterion.staff_words,
                answers or "never a bar",
                criterion.source,
                criterion.certainty,
            )
        )
    return "## Eligibility\n\n`eligibility.py: CRITERIA`, proved in `test_eligibility.py`.\n\n" + _table(
        ("criterion", "what", "answers that matter", "source", "sure"), rows
    )


def _panel() -> str:
    figures = QuorumFigures()
    rows = [
        (
            "Needed for a first approval",
            "yes" if edition.required else "no",
            edition.source,
            edition.in_force_from.isoformat(),
        )
        for edition in PANEL_EDITIONS
    ]
    rows.append(
        (
            "Quorum",
            f"{figures.members}; {figures.members_of_joint_panel} for a joint panel",
            figures.source,
            "2011-04-01",
        )
    )
    return "## Panel\n\n`panel.py`, proved in `test_panel.py`.\n\n" + _table(
        ("rule", "says", "source", "in force from"), rows
    )


def _retention() -> str:
    rows = [
        (
            rule.kind.replace("_", " "),
            f"{'at least' if rule.is_minimum else 'until'} {rule.months} months from {rule.counted_from}",
            rule.source,
            rule.certainty,
        )
        for rule in RETENTION_RULES
    ]
    return "## How long records are kept\n\n`retention.py`, proved in `test_refusal_and_retention.py`.\n\n" + _table(
        ("record", "kept", "source", "sure"), rows
    )


def _diagram() -> str:
    return f"## The moves as a picture\n\n```mermaid\n{mermaid()}```\n"


if __name__ == "__main__":
    print(handbook(), end="")
