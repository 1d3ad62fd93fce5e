"""The ``crm`` command. Each part has ``--help``, says plainly what went wrong, and exits non-zero when it did."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
from flask import Flask

from crm.clock import now_utc, today_in_london
from crm.settings import Settings, UnsafeSettings, new_encryption_key


def _settings() -> Settings:
    try:
        return Settings.from_environ()
    except UnsafeSettings as fault:
        raise click.ClickException(f"These settings are not safe to run with:\n{fault}") from fault


@contextlib.contextmanager
def _application(app: Flask | None = None, *, migrated: bool = True) -> Iterator[Flask]:
    """The application (a new one, unless given), with its context. Refuses a database this release does not know."""
    from crm import migrations
    from crm.app import create_app
    from crm.db import db

    app = app or create_app(_settings(), with_screens=False)
    with app.app_context():
        try:
            if migrated:
                _refuse_other_revision(migrations.current(db.engine), migrations.known(), migrations.head())
            yield app
        finally:
            db.session.remove()
            db.engine.dispose()


def _look_at_database(settings: Settings) -> None:
    """Refuse a database that can't be served, without loading the product: the processes to come do that."""
    from crm import migrations
    from crm.db import db, init_db

    app = Flask("crm")
    init_db(app, settings)
    with app.app_context():
        try:
            _refuse_other_revision(migrations.current(db.engine), migrations.known(), migrations.head())
        finally:
            db.engine.dispose()


def _refuse_other_revision(present: str | None, known: frozenset[str], head: str) -> None:
    if present == head:
        return
    if present is not None and present not in known:
        raise click.ClickException(
            f"The database is at revision {present}, which this release does not know. Start the newer release."
        )
    raise click.ClickException("The database is not at this release's revision. Run: crm migrate")


class PlainCommands(click.Group):
    """Says in a line what an operator can do something about: a database or a file that is not there."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Exception as fault:
            line = _plain(fault)
            if line is None:
                raise
            raise click.ClickException(line) from fault


def _plain(fault: Exception) -> str | None:
    """What went wrong in a line, without the statement or its values; None for a fault of ours."""
    from sqlalchemy.exc import DatabaseError, OperationalError

    from crm.db import SealedValueDamaged, is_lock_timeout

    if isinstance(fault, OperationalError) or type(fault) is DatabaseError:
        if is_lock_timeout(fault):
            return "The database is busy with something else. Try again in a moment."
        said = str(fault.orig).strip().splitlines()
        return f"The database can't be used: {said[0] if said else 'it does not answer'}"
    if isinstance(fault, SealedValueDamaged):
        return f"{fault}. Are these the keys of this database?"
    if isinstance(fault, OSError) and fault.errno != errno.EPIPE and fault.strerror:
        return f"{fault.filename}: {fault.strerror}" if fault.filename else fault.strerror
    return None


@click.group(cls=PlainCommands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def main() -> None:
    """Doorstep: from a first hello to an approved foster carer."""


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=int, default=lambda: int(os.environ.get("PORT", "8000")), help="PORT, else 8000.")
@click.option("--workers", type=int, default=lambda: min(os.cpu_count() or 2, 4), help="Web processes.")
@click.option("--no-worker", is_flag=True, help="Web only: the worker runs elsewhere.")
def serve(host: str, port: int, workers: int, no_worker: bool) -> None:
    """Serve the web pages and run the worker, until stopped."""
    from crm import serving

    os.environ["PORT"] = str(port)
    settings = _settings()
    if not settings.is_production and host not in ("127.0.0.1", "::1", "localhost"):
        raise click.ClickException("Only CRM_ENV=production may listen on another address than this machine's own.")
    _refuse_taken_port(host, port)
    if settings.is_demo:
        _greet_demo(settings)
    else:
        _look_at_database(settings)
        click.echo(f"Doorstep is at {settings.base_url}")
    serving.become_parent(host=host, port=port, workers=workers, with_worker=not no_worker)


def _greet_demo(settings: Settings) -> None:
    from crm.demo import sign_ins

    with _application():
        click.echo(f"\nDoorstep is at {settings.base_url}\n")
        for line in sign_ins():
            click.echo(f"  {line}")
        click.echo("\nCtrl-C stops it.\n")


def _refuse_taken_port(host: str, port: int) -> None:
    """The web server shares a port with whoever has it: half the people would reach the other program."""
    try:
        socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OverflowError as fault:
        raise click.ClickException(f"{port} is not a port: it goes up to 65535.") from fault
    except OSError as fault:
        raise click.ClickException(f"Can't listen on {host} port {port}: {os.strerror(fault.errno or 0)}.") from fault


@main.command()
def worker() -> None:
    """Send letters and do what the timetable says, until stopped. Several may run at once."""
    work()


def work(app: Flask | None = None) -> None:
    """Be the worker, with this application or a new one."""
    from crm.jobs.runner import run

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with _application(app) as ready:
        run(ready, stop)


@main.command()
@click.option("--to", "to", default="head", show_default=True, help="The revision to reach.")
@click.option("--down", is_flag=True, help="Go back to an earlier revision instead.")
def migrate(to: str, down: bool) -> None:
    """Bring the database to this release's revision, keeping every row."""
    from alembic.util import CommandError

    from crm import migrations
    from crm.db import db, transaction

    if down and to == "head":
        raise click.UsageError("Say how far down: --to base, or --to and a revision.")
    with _application(migrated=False):
        before = migrations.current(db.engine)
        try:
            if down:
                migrations.downgrade(db.engine, to)
            else:
                migrations.upgrade(db.engine, to)
        except (migrations.UnknownRevision, migrations.DanglingReferences, CommandError) as fault:
            raise click.ClickException(str(fault)) from fault
        after = migrations.current(db.engine)
        if not down and to == "head":
            from crm import policy
            from crm.cases import journeys

            with transaction():
                policy.ensure_defaults(now=now_utc())
                calendar = policy.rulebook_on(today_in_london()).calendar
                journeys.fill_missing(calendar=calendar, said=lambda line: click.echo(line, err=True))
        click.echo(f"Database: {'already at' if before == after else 'now at'} revision {after or 'none'}")


@main.command()
@click.option("--if-empty", is_flag=True, help="Do nothing where there is something already.")
@click.option("--households", type=int, default=400, show_default=True, help="About how many.")
def demo(if_empty: bool, households: int) -> None:
    """Fill a fictional service, dated back from today. Refused in production."""
    if _settings().is_production:
        raise click.ClickException("The demo is refused where CRM_ENV=production.")
    with _application():
        from crm import demo as fictional

        if not fictional.is_empty():
            if if_empty:
                return
            raise click.ClickException("There is something in this database already; the demo fills an empty one.")
        with click.progressbar(length=households, label="Filling a fictional service") as bar:
            fictional.fill(households=households, now=now_utc(), progressed=bar.update)


@main.group()
def users() -> None:
    """People who sign in."""


@users.command("invite")
@click.argument("email")
@click.option("--name", required=True, help="Their name, as others see it.")
@click.option("--role", "roles", multiple=True, required=True, help="A role; may be given more than once.")
def users_invite(email: str, name: str, roles: tuple[str, ...]) -> None:
    """Invite somebody: how the first administrator of an installation is made."""
    from crm.access import people
    from crm.db import transaction
    from crm.rules.permissions import Actor, ActorKind, Role
    from crm.rules.refusal import Refusal

    try:
        wanted = frozenset(Role(role) for role in roles)
    except ValueError as fault:
        raise click.ClickException(f"Roles are: {', '.join(Role)}") from fault
    with _application() as app:
        address = app.extensions["crm_settings"].base_url + "/invitation/"
        operator = Actor(ActorKind.STAFF, display_name="Whoever runs the server", roles=frozenset({Role.ADMINISTRATOR}))
        try:
            with transaction():
                people.invite_user(
                    email=email,
                    name=name,
                    roles=wanted,
                    link_for=lambda token: address + token,
                    actor=operator,
                    now=now_utc(),
                )
        except Refusal as refusal:
            raise click.ClickException(refusal.message) from refusal
        click.echo(f"An invitation to {email} is in the outbox; the worker sends it.")


@users.command("list")
def users_list() -> None:
    """Who may sign in, and as what."""
    from sqlalchemy import select

    from crm.access.models import User
    from crm.db import db

    with _application():
        for user in db.session.scalars(select(User).order_by(User.name)):
            standing = (
                "in" if user.active else "invited" if user.is_invited else "left" if user.has_left else "shut out"
            )
            click.echo(f"{user.email}  {user.name}  {', '.join(sorted(user.roles))}  {standing}")


@main.command("import")
@click.argument("sheet", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--event", "event_id", type=int, required=True, help="The id of the event the sheet is from.")
@click.option("--dry-run", is_flag=True, help="Say what would happen; load nothing.")
@click.option("--letters", is_flag=True, help="Thank each new household by email, an hour later.")
@click.option("--errors", type=click.Path(dir_okay=False, path_type=Path), help="Write the lines to mend here (CSV).")
def import_sheet(sheet: Path, event_id: int, dry_run: bool, letters: bool, errors: Path | None) -> None:
    """Load a sign-up sheet (CSV or XLSX). Good lines are stored once, however often it is run.

    Cut off in the middle, it goes on in the worker; run again, what is there is passed over.
    """
    from crm.events import sheet_command
    from crm.rules.refusal import Refusal

    with _application():
        try:
            with _line_by_line() as progressed:
                result = sheet_command.import_file(
                    sheet.read_bytes(),
                    filename=sheet.name,
                    event_id=event_id,
                    dry_run=dry_run,
                    clock=now_utc,
                    sends_letters=letters,
                    errors=errors,
                    progressed=progressed,
                )
        except Refusal as refusal:
            raise click.ClickException(refusal.message) from refusal
    for line in result.said:
        click.echo(line)
    if errors is not None:
        click.echo(f"Lines that need attention: {errors}")
    sys.exit(1 if result.refused else 0)


@main.command("import-postcodes")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def import_postcodes(files: tuple[Path, ...]) -> None:
    """Load where postcode districts are, for the time that travel takes (CSV files).

    Takes the ONS Postcode Directory, the National Statistics Postcode Lookup, Code-Point Open (all its files at once)
    or a list of districts with latitude and longitude. Downloading one is up to you: nothing is fetched.
    """
    from crm.audit import record
    from crm.db import transaction
    from crm.rules.permissions import SYSTEM
    from crm.rules.refusal import Refusal
    from crm.visits import districts

    with _application():
        try:
            with transaction():
                loaded = districts.load_directories(files)
                record(
                    "postcodes.loaded",
                    actor=SYSTEM,
                    at=now_utc(),
                    subject="postcode_district",
                    detail={"districts": loaded.districts, "lines": loaded.lines},
                )
        except Refusal as refusal:
            raise click.ClickException(refusal.message) from refusal
    click.echo(f"{loaded.districts:,} districts are known from {loaded.lines - loaded.passed_over:,} lines.")
    if loaded.passed_over:
        click.echo(f"{loaded.passed_over:,} lines were passed over: no position, or no longer in use.")


@contextlib.contextmanager
def _line_by_line() -> Iterator[Callable[[str, int, int], None]]:
    """How far a long sheet has come, on one line of a terminal; nothing where there is none."""
    shown = False

    def progressed(doing: str, done: int, of: int) -> None:
        nonlocal shown
        if sys.stderr.isatty() and of > 1000:
            shown = True
            click.echo(f"\r{doing}: {done:,} of {of:,} lines", nl=False, err=True)

    try:
        yield progressed
    finally:
        if shown:
            click.echo(err=True)


@main.command()
@click.argument("name")
@click.option("--from", "first", metavar="DAY", help="First day, as 2026-04-01; else the first of this return year.")
@click.option("--to", "last", metavar="DAY", help="Last day, as 2027-03-31; else the last of this return year.")
@click.option("--by", help="asked: households who first asked then. activity: what happened then.")
@click.option("--area", help="One of the service's areas by name; else all of them.")
@click.option("--format", "format", type=click.Choice(["json", "csv"]), default="json", show_default=True)
def report(name: str, first: str | None, last: str | None, by: str | None, area: str | None, format: str) -> None:
    """Print a report for another system: the same numbers as on screen, and no household's name.

    That it was taken is in the trail. `crm report list` names the reports there are.
    """
    from crm.audit import record
    from crm.db import db, transaction
    from crm.policy import rulebook_on
    from crm.reporting.answers import count_answer
    from crm.reporting.catalogue import REPORTS
    from crm.reporting.questions import question_in
    from crm.reporting.report_files import file_of
    from crm.rules.permissions import SYSTEM
    from crm.rules.refusal import Refusal

    if name == "list":
        for one in REPORTS.values():
            click.echo(f"{one.name:<12} {one.tab}")
        return
    if name not in REPORTS:
        raise click.ClickException(f"There is no report {name}. There are: {', '.join(REPORTS)}.")
    known = REPORTS[name]
    if by is not None and by not in known.modes:
        raise click.UsageError(f"{name} knows --by {' and '.join(known.modes)}.")
    if area is not None and not known.has_area:
        raise click.UsageError(f"{name} is of the whole service, and knows no --area.")
    said = {"from": first, "to": last, "by": by, "area": area}
    with _application():
        now, today = now_utc(), today_in_london()
        try:
            question = question_in(known, {key: value for key, value in said.items() if value}, today=today)
            answer = count_answer(question, now=now, today=today, rulebook=rulebook_on(today))
        except Refusal as refusal:
            raise click.ClickException(str(refusal)) from refusal
        content = file_of(question, answer, format)
        db.session.rollback()
        with transaction():
            detail = {**question.query, "format": format, "by_command": True}
            record("report.taken", actor=SYSTEM, at=now, subject=f"report:{name}", detail=detail)
    click.echo(content, nl=False)


@main.command()
def check() -> None:
    """Compare what is stored with what it should be. Reports, and mends nothing."""
    from crm import reconcile

    with _application():
        faults = reconcile.find_faults(today=today_in_london(), said=click.echo)
    for fault in faults:
        click.echo(f"FAULT  {fault}")
    click.echo("No faults found." if not faults else f"{len(faults)} faults found.")
    sys.exit(1 if faults else 0)


@main.group()
def audit() -> None:
    """The audit trail."""


@audit.command("verify")
def audit_verify() -> None:
    """Check the chain: exits 1, naming the first bad row, when a row was changed, removed or slipped in."""
    from crm.audit import chain

    with _application() as app:
        report = chain.verify(chain.read_anchors(app.extensions["crm_settings"].data_dir / chain.ANCHORS_FILE))
    for line in report.lines():
        click.echo(line)
    sys.exit(0 if report.is_whole else 1)


@main.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def backup(file: Path) -> None:
    """Write a copy of everything to FILE, while the service goes on. No key is in it: keep those apart."""
    from crm import backup as copies

    with _application():
        counts = copies.write_backup(file, now=now_utc(), said=click.echo)
    click.echo(f"{sum(counts.values()):,} rows in {file}")


@main.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--another-secret", is_flag=True, help="CRM_SECRET_KEY was lost: give up verifying the audit trail.")
def restore(file: Path, another_secret: bool) -> None:
    """Put a copy back into an empty database. Its outbox is held until it is released."""
    from crm import backup as copies
    from crm.audit import verify

    with _application(migrated=False):
        try:
            counts = copies.restore(file, said=click.echo, another_secret=another_secret)
        except copies.BackupRefused as refusal:
            raise click.ClickException(str(refusal)) from refusal
        report = verify()
    click.echo(f"{sum(counts.values()):,} rows restored.")
    for line in report.lines():
        click.echo(line)
    sys.exit(0 if report.is_whole or another_secret else 1)


@main.group()
def outbox() -> None:
    """Letters that wait."""


@outbox.command("release")
@click.confirmation_option(prompt="Let every held letter go out now?")
def outbox_release() -> None:
    """Let the letters of a restored copy go out."""
    from crm.db import transaction
    from crm.delivery import release_held

    with _application():
        with transaction():
            released = release_held(now=now_utc())
        click.echo(f"{released:,} letters go out as the worker comes to them.")


@main.group()
def mail() -> None:
    """What comes in: answers of families, bounces, texts."""


TRY_AGAIN_LATER = 75
"""EX_TEMPFAIL of sysexits.h: a mail server that pipes a message to us keeps it and tries again."""


@mail.command("receive")
@click.option(
    "--maildir",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Take in what is new in this folder instead of one message from standard input.",
)
def mail_receive(maildir: Path | None) -> None:
    """Take in answers and bounces: one message on standard input, or a maildir. The same message twice is one."""
    from crm.cases import mail_worker
    from crm.delivery import mailboxes

    def take_in(raw: bytes) -> None:
        mail_worker.deal_with(raw, now=now_utc())

    try:
        with _application():
            if maildir is None:
                take_in(sys.stdin.buffer.read(mailboxes.LARGEST_FETCHED + 1))
                return
            count = mailboxes.read_maildir(maildir, take_in, at_most=10_000)
            click.echo(f"{count:,} messages taken in.")
    except mailboxes.MailboxOutOfReach as fault:
        raise click.ClickException(str(fault)) from fault
    except Exception as fault:
        if maildir is not None or isinstance(fault, click.ClickException):
            raise
        click.echo(f"Not taken in: {type(fault).__name__}", err=True)
        sys.exit(TRY_AGAIN_LATER)


@mail.command("text")
@click.option("--from", "sender", required=True, help="The number it came from, as +447700900118.")
@click.option("--reference", required=True, help="What the gateway calls it: the same text twice is one.")
@click.argument("words")
def mail_text(sender: str, reference: str, words: str) -> None:
    """Take in a text message, as the gateway would hand it over."""
    from crm.cases import replies
    from crm.db import transaction

    with _application(), transaction():
        taken = replies.take_in_text(
            sender=sender, words=words, reference=reference, now=now_utc(), today=today_in_london()
        )
        click.echo(f"Taken in: {taken.outcome}")


@main.group()
def keys() -> None:
    """The keys that seal private fields."""


@keys.command("new")
@click.argument("key_id")
def keys_new(key_id: str) -> None:
    """Print a fresh entry for CRM_ENCRYPTION_KEYS. Put it first to seal with it."""
    click.echo(new_encryption_key(key_id))


@keys.command("rotate")
def keys_rotate() -> None:
    """Seal every private field again under the first key, while the service goes on.

    First put the new key first in CRM_ENCRYPTION_KEYS, keep the old one behind it, and restart every process.
    """
    from crm import rekey

    with _application():
        found = rekey.reseal_everything(said=click.echo)
    click.echo(f"{found.resealed:,} values were sealed again.")
    if found.damaged:
        click.echo(f"{len(found.damaged):,} can't be opened with any key here and were left as they are:")
        for place in found.damaged[:20]:
            click.echo(f"  {place}")
    if found.left:
        click.echo(
            f"{found.left:,} were sealed under an older key meanwhile: restart every process, then run this again."
        )
    if found.damaged or found.left:
        sys.exit(1)
    click.echo("Nothing is sealed under an older key any more; a backup made before today still needs it.")


BENCHES = (
    "load",
    "pages",
    "memory",
    "duplicates",
    "door",
    "import",
    "slots",
    "calendars",
    "booking",
    "papers",
    "reports",
)
"""The groups of figures that ``bench/run.py`` measures."""


@main.command()
@click.option("--only", type=click.Choice(BENCHES), help="One group of figures.")
@click.option("--json", "json_file", type=click.Path(dir_okay=False, path_type=Path), help="Keep the figures here.")
@click.option("--rows", "rows", multiple=True, type=int, help="Sizes to measure at (enquiries).")
@click.option("--keep", type=click.Path(file_okay=False, path_type=Path), help="Where loaded databases are kept.")
def bench(only: str | None, json_file: Path | None, rows: tuple[int, ...], keep: Path | None) -> None:
    """Measure: one line a figure, exit 1 where one is over its bound."""
    figures = _bench_module()
    sys.exit(figures.run(only=only, json_file=json_file, rows=rows, keep=keep))


def _bench_module() -> Any:
    """``bench/`` stands beside the package in a checkout and is no part of an installation."""
    root = Path(__file__).resolve().parent.parent
    if not (root / "bench").is_dir():
        raise click.ClickException("The benches are in the source tree: run this from a checkout.")
    sys.path.insert(0, str(root))
    from bench import run as figures

    return figures


if __name__ == "__main__":
    main()
