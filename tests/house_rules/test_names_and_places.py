"""Where things are done: pure rules, Flask at the edge, one clock, one place to commit, one way out for mail."""

from __future__ import annotations

import ast
import sys

import pytest

from tests.house_rules.sources import Module, called, dotted, modules, planted

# --- Pure rules -------------------------------------------------------------------------------------------------------

RULES_MAY_USE = {"crm.rules.likeness": {"rapidfuzz"}, "crm.rules.working_days": {"holidays"}}
WRITES_THE_HANDBOOK = "crm.rules.handbook"  # run by hand; no rule imports it


def impurities(module: Module) -> list[str]:
    """What a module of `rules` uses beyond the standard library: the law must be readable and testable by itself."""
    if module.package != "rules" or module.name == WRITES_THE_HANDBOOK:
        return []
    allowed = set(sys.stdlib_module_names) | {"crm"} | RULES_MAY_USE.get(module.name, set())
    found = [
        f"{module.name}:{line} imports {name}" for line, name in module.imports if name.split(".")[0] not in allowed
    ]
    outside = {"os", "pathlib", "socket", "sqlite3", "subprocess", "random", "secrets", "urllib", "threading", "io"}
    found += [
        f"{module.name}:{line} imports {name}, which reaches outside"
        for line, name in module.imports
        if name.split(".")[0] in outside
    ]
    found += [
        f"{module.name}:{call.lineno} calls {called(call)}"
        for call in module.calls()
        if called(call) in ("open", "print", "input")
    ]
    return found


def test_rules_are_pure() -> None:
    assert not [module.name for module in modules() for _, name in module.imports if WRITES_THE_HANDBOOK in name]
    assert [fault for module in modules() for fault in impurities(module)] == []


@pytest.mark.parametrize("source", ["import flask", "from sqlalchemy import select", "import os", "open('law.txt')"])
def test_an_impure_rule_is_caught(source: str) -> None:
    assert impurities(planted("crm.rules.deadlines", source))


# --- Flask at the edge ------------------------------------------------------------------------------------------------

FRAMEWORK = {"flask", "flask_login", "werkzeug", "wtforms"}
EDGE_PACKAGES = {"web", "app", "cli", "wsgi", "health", "timetable", "bench"}
EDGE_MODULES = {
    "crm.db",  # binds the session to the application
    "crm.access.guards",  # puts the Actor on g
    "crm.access.sessions",  # what flask-login calls a signed-in person
    "crm.jobs.runner",  # gives timed jobs the application
}


def framework_uses(module: Module) -> list[str]:
    """Flask where it isn't an edge: an operation that knows the request can't be called by a command or a job."""
    if module.package in EDGE_PACKAGES or module.name in EDGE_MODULES or module.is_edge:
        return []
    return [f"{module.name}:{line} imports {name}" for line, name in module.imports if name.split(".")[0] in FRAMEWORK]


def test_flask_is_known_at_the_edge_only() -> None:
    assert [fault for module in modules() for fault in framework_uses(module)] == []


@pytest.mark.parametrize("source", ["from flask import g", "import flask_login", "def f():\n    import flask"])
def test_an_operation_that_knows_the_request_is_caught(source: str) -> None:
    assert framework_uses(planted("crm.visits.booking", source))


# --- One clock --------------------------------------------------------------------------------------------------------

CLOCK_CALLS = ("datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.time_ns")
READS_OF_THE_CLOCK = ("crm.clock.now_utc", "crm.clock.today_in_london")
CLOCK_PACKAGES = {"web", "cli", "jobs", "health", "bench", "demo", "timetable"}
CLOCK_MODULES = {
    "crm.access.guards",
    "crm.calendars.unchanged",
    "crm.delivery.worker",
}


def clock_reads(module: Module) -> list[str]:
    """Where the time is read. Below the edge `now` and `today` are arguments, so that any day can be asked about."""
    if module.name == "crm.clock":
        return []
    found = [
        f"{module.name}:{call.lineno} calls {called(call)}; crm.clock is the only reader of the clock"
        for call in module.calls()
        if called(call).endswith(CLOCK_CALLS)
    ]
    if module.package not in CLOCK_PACKAGES and module.name not in CLOCK_MODULES and not module.is_edge:
        found += [
            f"{module.name}:{line} imports {name}; take now or today as an argument"
            for line, name in module.imports
            if name in READS_OF_THE_CLOCK or name == "crm.clock"
        ]
    # In SQL it would be the database's clock, which no test can stop.
    found += [
        f"{module.name}:{call.lineno} calls {called(call)}: the database's clock"
        for call in module.calls()
        if called(call) in ("func.now", "sa.func.now", "func.current_timestamp", "sa.func.current_timestamp")
    ]
    return found


def test_the_clock_is_read_in_one_place() -> None:
    assert [fault for module in modules() for fault in clock_reads(module)] == []


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("crm.visits.booking", "from datetime import datetime\ndatetime.now()"),
        ("crm.web.filters", "import datetime\ndatetime.date.today()"),
        ("crm.cases.open_case", "from crm.clock import now_utc"),
        ("crm.cases.models", "import sqlalchemy as sa\nsa.func.now()"),
    ],
)
def test_a_second_reader_of_the_clock_is_caught(name: str, source: str) -> None:
    assert clock_reads(planted(name, source))


# --- One place to commit ----------------------------------------------------------------------------------------------

MAY_COMMIT = {"crm.db"}
TRANSACTION_PACKAGES = {"web", "cli", "jobs", "bench", "demo"}
TRANSACTION_MODULES = {
    "crm.access.guards",  # the record of a refused access survives the refusal
    "crm.delivery.worker",
    "crm.cases.mail_worker",
    "crm.calendars.busy_worker",
    "crm.assessments.document_worker",
    "crm.assessments.pack_worker",
    "crm.events.sheet_worker",
    "crm.events.sheet_command",  # the command line's way through the worker's stages
    "crm.backup",
    "crm.rekey",
}


def commits(module: Module) -> list[str]:
    """Commits, and transactions opened, where they may not be: inside an operation they would keep half of a change."""
    found = []
    for call in module.calls():
        name = called(call)
        if name.endswith("session.commit") and module.name not in MAY_COMMIT:
            found.append(f"{module.name}:{call.lineno} commits; the edge does that, once")
        if name.rpartition(".")[2] == "transaction" and not may_open_transaction(module):
            found.append(f"{module.name}:{call.lineno} opens a transaction; only the edge does")
    return found


def may_open_transaction(module: Module) -> bool:
    return module.name in MAY_COMMIT | TRANSACTION_MODULES or module.package in TRANSACTION_PACKAGES or module.is_edge


def test_work_is_committed_in_one_place() -> None:
    assert [fault for module in modules() for fault in commits(module)] == []


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("crm.visits.booking", "from crm.db import db\ndb.session.commit()"),
        ("crm.visits.staff_views", "from crm.db import db\ndb.session.commit()"),
        ("crm.cases.open_case", "from crm import db\nwith db.transaction():\n    pass"),
    ],
)
def test_a_commit_in_the_middle_is_caught(name: str, source: str) -> None:
    assert commits(planted(name, source))


# --- One writer of stages ---------------------------------------------------------------------------------------------

WRITERS_OF_STAGES = {"crm.cases.change_stage", "crm.cases.open_case"}
LOADERS = {"demo", "bench"}


def stage_writes(module: Module) -> list[str]:
    """Where a stage is set other than by the one writer: it would move a case without clocks, letters or history."""
    if module.name in WRITERS_OF_STAGES or module.package in ("rules", *LOADERS):
        return []
    found = []
    for node in ast.walk(module.tree):
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AugAssign | ast.AnnAssign):
            targets = [node.target]
        for target in targets:
            if isinstance(target, ast.Attribute) and target.attr == "stage" and dotted(target.value) != "self":
                found.append(f"{module.name}:{node.lineno} sets {dotted(target)}")
        if isinstance(node, ast.Call):
            name = called(node)
            names_track = any(dotted(argument).rpartition(".")[2] == "Track" for argument in node.args)
            if name.rpartition(".")[2] in ("update", "insert", "delete") and names_track:
                found.append(f"{module.name}:{node.lineno} writes tracks")
            if name.rpartition(".")[2] in ("Track", "StageChange"):
                found.append(f"{module.name}:{node.lineno} makes a {name}")
    return found


def test_stages_have_one_writer() -> None:
    assert [fault for module in modules() for fault in stage_writes(module)] == []


@pytest.mark.parametrize(
    "source",
    [
        "track.stage = 'approved'",
        "import sqlalchemy as sa\nsa.update(Track).values(stage='approved')",
        "db.session.add(Track(name='application', stage='approved'))",
    ],
)
def test_a_back_door_to_a_stage_is_caught(source: str) -> None:
    assert stage_writes(planted("crm.assessments.decisions", source))


# --- Mail leaves from one file ----------------------------------------------------------------------------------------

MAIL_LEAVES_FROM = "crm.delivery.transports"
# Reads calendars from addresses that officers give, and sees to it that they are of the public internet.
ASKED_OUTSIDE = "crm.calendars.fetching"
# Asks the service's own virus scanner about a file, at the address in its settings.
ASKS_THE_SCANNER = "crm.files.scanning"
# Sorts the errors of a mail conversation, so it knows their names.
KNOWS_THE_ERRORS = {"crm.delivery.failures"}
WAYS_OUT = {"smtplib", "aiosmtplib", "requests", "httpx", "urllib3", "ftplib", "http.client", "urllib.request"}
CONNECTS = ("SMTP", "SMTP_SSL", "LMTP", "create_connection", "socket.socket")


def ways_out(module: Module) -> list[str]:
    """Where something could leave this machine other than as a letter that was written down first."""
    if module.name in (MAIL_LEAVES_FROM, ASKED_OUTSIDE, ASKS_THE_SCANNER):
        return []
    found = [f"{module.name}:{call.lineno} connects" for call in module.calls() if called(call).endswith(CONNECTS)]
    if module.name not in KNOWS_THE_ERRORS:
        found += [
            f"{module.name}:{line} imports {name}"
            for line, name in module.imports
            if name in WAYS_OUT or any(name.startswith(f"{way}.") for way in WAYS_OUT)
        ]
    return found


def test_mail_leaves_from_one_file() -> None:
    assert [fault for module in modules() for fault in ways_out(module)] == []


@pytest.mark.parametrize(
    "source", ["import smtplib", "from urllib.request import urlopen", "socket.create_connection(to)"]
)
def test_another_way_out_is_caught(source: str) -> None:
    assert ways_out(planted("crm.visits.booking", source))


# --- Names that say nothing -------------------------------------------------------------------------------------------

EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "services", "service", "manager", "managers", "misc"}


def empty_names(module: Module) -> list[str]:
    """File names that say nothing: a file that can't be named is not understood yet."""
    return [f"{module.name}: {part} says nothing" for part in module.name.split(".") if part in EMPTY_NAMES]


def test_every_file_has_a_name_that_says_something() -> None:
    assert [fault for module in modules() for fault in empty_names(module)] == []


def test_a_name_that_says_nothing_is_caught() -> None:
    assert empty_names(planted("crm.cases.utils", ""))


# --- Models hold no reads, queries hold no writes ---------------------------------------------------------------------


def misplaced(module: Module) -> list[str]:
    """Writes in a file of reads, and domain operations in a file of tables."""
    found = []
    if module.file == "queries":
        found = [
            f"{module.name}:{call.lineno} calls {called(call)} in a file of reads"
            for call in module.calls()
            if called(call).endswith(("session.add", "session.add_all", "session.delete", "session.flush"))
            or called(call) in ("sa.insert", "sa.update", "sa.delete", "insert", "update", "delete")
        ]
    if module.file == "models":
        found = [
            f"{module.name}:{call.lineno} calls {called(call)} in a file of tables"
            for call in module.calls()
            if called(call).startswith("db.session")
        ]
    return found


def test_reads_and_writes_have_their_files() -> None:
    assert [fault for module in modules() for fault in misplaced(module)] == []


@pytest.mark.parametrize(
    ("name", "source"),
    [("crm.cases.queries", "db.session.add(row)"), ("crm.cases.models", "db.session.scalars(query)")],
)
def test_a_write_among_reads_is_caught(name: str, source: str) -> None:
    assert misplaced(planted(name, source))
