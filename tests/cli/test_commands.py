"""The `crm` command says plainly what went wrong, exits with a number that says so, and never shows a traceback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import flask
import pytest
from click.testing import CliRunner, Result

from crm.cli import main
from crm.settings import new_encryption_key
from tests.databases import SECRETS, Database

SAFE = {
    "CRM_ENV": "production",
    "CRM_BASE_URL": "https://foster.example.org",
    "CRM_SECRET_KEY": SECRETS["CRM_SECRET_KEY"],
    "CRM_ENCRYPTION_KEYS": new_encryption_key("k1"),
    "CRM_SMTP_HOST": "mail.example.org",
    "CRM_MAIL_FROM": "hello@example.org",
    "CRM_VISITS_MAILBOX": "visits@example.org",
}


def run(*arguments: str, **environ: str | None) -> Result:
    """The command in an environment that says nothing else to it."""
    nothing = dict.fromkeys(("CRM_ENV", "CRM_BASE_URL", "DATABASE_URL", "PORT", *SAFE))
    return CliRunner().invoke(main, list(arguments), env={**nothing, **environ})


def is_plain(result: Result) -> bool:
    """Whether it ended by saying a line or two, not by falling over."""
    return isinstance(result.exception, SystemExit | None) and "Traceback" not in result.output


def commands(group: click.Group = main, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name)


def test_there_are_the_commands_that_the_guide_names() -> None:
    assert {path[0] for path in commands() if path} >= {
        "serve", "worker", "migrate", "demo", "users", "import", "check", "audit", "backup", "restore", "outbox",
        "keys", "bench",
    }  # fmt: skip


@pytest.mark.parametrize("path", list(commands()), ids=" ".join)
def test_every_command_explains_itself(path: tuple[str, ...]) -> None:
    for flag in ("--help", "-h"):
        explained = run(*path, flag)
        assert explained.exit_code == 0
        assert "Usage: " in explained.output
        assert len(explained.output.splitlines()) >= 4


@pytest.mark.parametrize("path", [path for path in commands() if path], ids=" ".join)
def test_a_word_that_is_not_known_is_a_plain_error(path: tuple[str, ...]) -> None:
    refused = run(*path, "--no-such-option")

    assert refused.exit_code == 2
    assert "--no-such-option" in refused.output or "Missing" in refused.output


# --- Settings that must not run ---------------------------------------------------------------------------------------

UNSAFE = [
    ({"CRM_ENV": "prod"}, "CRM_ENV is 'prod'"),
    ({**SAFE, "CRM_SECRET_KEY": None}, "CRM_SECRET_KEY must be at least 32"),
    ({**SAFE, "CRM_SECRET_KEY": "short"}, "CRM_SECRET_KEY must be at least 32"),
    ({**SAFE, "CRM_ENCRYPTION_KEYS": None}, "CRM_ENCRYPTION_KEYS is needed"),
    ({**SAFE, "CRM_ENCRYPTION_KEYS": "k1:c2hvcnQ"}, "CRM_ENCRYPTION_KEYS must be id:base64"),
    ({**SAFE, "CRM_BASE_URL": None}, "CRM_BASE_URL must be the https address"),
    ({**SAFE, "CRM_BASE_URL": "http://foster.example.org"}, "CRM_BASE_URL must be the https address"),
    ({**SAFE, "CRM_SMTP_HOST": None}, "letters can't go to files in production"),
    ({**SAFE, "CRM_MAIL_TRANSPORT": "files"}, "letters can't go to files in production"),
    ({**SAFE, "CRM_MAIL_TRANSPORT": "pigeon"}, "CRM_MAIL_TRANSPORT must be smtp or files"),
    ({**SAFE, "CRM_MAIL_TRANSPORT": "smtp", "CRM_SMTP_HOST": None}, "CRM_SMTP_HOST is needed"),
    ({**SAFE, "CRM_SMTP_TLS": "none"}, "CRM_SMTP_TLS=none is allowed only"),
    ({**SAFE, "CRM_SMTP_TLS": "maybe"}, "CRM_SMTP_TLS must be none, starttls or tls"),
    ({**SAFE, "CRM_SMTP_PORT": "smtp"}, "CRM_SMTP_PORT must be a whole number"),
    ({**SAFE, "CRM_PROXIES": "-1"}, "CRM_PROXIES must be a whole number"),
    ({**SAFE, "CRM_MAIL_FROM": None}, "CRM_MAIL_FROM must be an email address"),
    ({**SAFE, "CRM_VISITS_MAILBOX": "visits"}, "CRM_VISITS_MAILBOX must be an email address"),
    ({**SAFE, "DATABASE_URL": "mysql://here/doorstep"}, "DATABASE_URL must start with"),
    ({"CRM_ENV": "demo", "CRM_BASE_URL": "http://foster.example.org"}, "only CRM_ENV=production may be served"),
    ({"CRM_ENV": "development", "CRM_BASE_URL": "https://foster.example.org"}, "only CRM_ENV=production may be served"),
]


@pytest.mark.parametrize(("environ", "words"), UNSAFE, ids=[words[:44] for _environ, words in UNSAFE])
def test_unsafe_settings_are_refused_with_what_is_wrong(
    tmp_path: Path, environ: dict[str, str | None], words: str
) -> None:
    for command in ("serve", "worker", "migrate"):
        refused = run(command, CRM_DATA=str(tmp_path), **environ)
        assert refused.exit_code == 1
        assert "These settings are not safe to run with" in refused.output
        assert words in refused.output
        assert is_plain(refused)
    assert not (tmp_path / "doorstep.sqlite3").exists()


def test_every_fault_is_named_at_once_and_no_secret_is_shown(tmp_path: Path) -> None:
    refused = run(
        "serve",
        CRM_DATA=str(tmp_path),
        CRM_ENV="production",
        CRM_SECRET_KEY="a short secret",
        CRM_ENCRYPTION_KEYS="k1:bm90IHRoaXJ0eS10d28gYnl0ZXM",
    )

    assert len(refused.output.splitlines()) >= 6
    assert "a short secret" not in refused.output
    assert "bm90IHRoaXJ0" not in refused.output


def test_safe_settings_are_taken(tmp_path: Path) -> None:
    safe = run("migrate", CRM_DATA=str(tmp_path), **SAFE)

    assert safe.exit_code == 0, safe.output
    assert "now at revision" in safe.output


def test_the_demo_is_refused_in_production(tmp_path: Path) -> None:
    assert run("migrate", CRM_DATA=str(tmp_path), **SAFE).exit_code == 0

    refused = run("demo", CRM_DATA=str(tmp_path), **SAFE)

    assert refused.exit_code == 1
    assert refused.output == "Error: The demo is refused where CRM_ENV=production.\n"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "foster.example.org"])
@pytest.mark.parametrize("env", ["demo", "development", "test"])
def test_only_production_listens_beyond_this_machine(tmp_path: Path, host: str, env: str) -> None:
    refused = run("serve", "--host", host, CRM_ENV=env, CRM_DATA=str(tmp_path))

    assert refused.exit_code == 1
    assert refused.output == "Error: Only CRM_ENV=production may listen on another address than this machine's own.\n"


# --- Files and databases that are not there ---------------------------------------------------------------------------


@pytest.fixture
def crm(database: Database, tmp_path: Path) -> Callable[..., Result]:
    """The command on the test's database."""
    return lambda *arguments, **environ: run(
        *arguments, **{**database.environ, "CRM_DATA": str(tmp_path / "data"), **environ}
    )


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_file_that_is_not_there_is_a_plain_error(crm: Callable[..., Result], tmp_path: Path) -> None:
    for arguments in (("import", "gone.csv", "--event", "1"), ("restore", "gone.zip"), ("restore", str(tmp_path))):
        refused = crm(*arguments)
        assert refused.exit_code == 2
        assert "does not exist" in refused.output or "is a directory" in refused.output
        assert is_plain(refused)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_place_where_nothing_can_be_written_is_a_plain_error(crm: Callable[..., Result], tmp_path: Path) -> None:
    refused = crm("backup", str(tmp_path / "no" / "such" / "folder" / "copy.zip"))

    assert refused.exit_code == 1
    assert "No such file or directory" in refused.output
    assert is_plain(refused)


def test_a_sheet_of_nonsense_or_for_no_event_is_a_plain_error(
    crm: Callable[..., Result], app: flask.Flask, cast: Any, tmp_path: Path
) -> None:
    nonsense = tmp_path / "sheet.csv"
    nonsense.write_bytes(b"\x00\xff\xfe nonsense \x00")

    refused = crm("import", str(nonsense), "--event", "999")

    assert refused.exit_code == 1, refused.output
    assert refused.output.startswith("Error: ")
    assert is_plain(refused)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://nobody:hunter2hunter2@127.0.0.1:9/doorstep",
        "sqlite:////nonexistent-folder/deeper/doorstep.sqlite3",
    ],
)
def test_a_database_that_is_not_there_is_a_plain_error(tmp_path: Path, url: str) -> None:
    for command in (("migrate",), ("check",), ("serve",)):
        refused = run(*command, CRM_ENV="test", CRM_DATA=str(tmp_path), DATABASE_URL=url, **SECRETS)
        assert refused.exit_code == 1, refused.output
        assert refused.output.startswith("Error: The database can't be used: ")
        assert "hunter2" not in refused.output
        assert is_plain(refused)


def test_a_file_that_is_no_database_is_a_plain_error(tmp_path: Path) -> None:
    file = tmp_path / "holiday.jpg"
    file.write_bytes(b"this is a photograph, not a database" * 50)

    refused = run("check", CRM_ENV="test", CRM_DATA=str(tmp_path), DATABASE_URL=f"sqlite:///{file}", **SECRETS)

    assert refused.exit_code == 1
    assert refused.output.startswith("Error: The database can't be used: ")
    assert is_plain(refused)


# --- People, letters, keys --------------------------------------------------------------------------------------------


def test_the_first_administrator_is_invited_from_the_command_line(crm: Callable[..., Result], app: flask.Flask) -> None:
    invited = crm("users", "invite", "lena@example.org", "--name", "Lena Kowalczyk", "--role", "administrator")
    again = crm("users", "invite", "lena@example.org", "--name", "Lena Kowalczyk", "--role", "administrator")
    listed = crm("users", "list")

    assert (invited.exit_code, listed.exit_code) == (0, 0), invited.output + listed.output
    assert "lena@example.org" in listed.output
    assert "Lena Kowalczyk" in listed.output
    assert again.exit_code in (0, 1)
    assert is_plain(again)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_role_or_an_address_that_does_not_exist_is_a_plain_error(crm: Callable[..., Result]) -> None:
    role = crm("users", "invite", "lena@example.org", "--name", "Lena", "--role", "emperor")
    address = crm("users", "invite", "not an address", "--name", "Lena", "--role", "officer")

    assert (role.exit_code, address.exit_code) == (1, 1)
    assert "administrator" in role.output
    assert is_plain(role)
    assert is_plain(address)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_release_of_letters_asks_first(crm: Callable[..., Result]) -> None:
    assert crm("outbox", "release").exit_code == 1
    assert crm("outbox", "release", "--yes").exit_code == 0


def test_a_new_key_is_one_that_the_settings_take(tmp_path: Path) -> None:
    made = run("keys", "new", "k7").output.strip()

    assert run("migrate", CRM_DATA=str(tmp_path), **{**SAFE, "CRM_ENCRYPTION_KEYS": made}).exit_code == 0


def test_all_is_well_with_a_new_database(crm: Callable[..., Result], app: flask.Flask) -> None:
    for command in (("check",), ("audit", "verify"), ("migrate",), ("keys", "rotate")):
        well = crm(*command)
        assert well.exit_code == 0, well.output
