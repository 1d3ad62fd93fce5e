"""The database's own history: each revision goes up and comes down, with the rows that are there."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

FOLDER = Path(__file__).parent


class UnknownRevision(Exception):
    """The database was made by a release that this one does not know."""


class DanglingReferences(Exception):
    """A migration would leave rows that point at nothing. Nothing was changed."""


def config_for(engine: sa.Engine) -> Config:
    """Alembic's configuration for one database, made here so that no ini file can disagree with the settings."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.attributes["engine"] = engine
    return config


def head() -> str:
    """The newest revision of this release."""
    script = ScriptDirectory(str(FOLDER))
    revision = script.get_current_head()
    if revision is None:
        raise RuntimeError("this release has no migrations")
    return revision


def known() -> frozenset[str]:
    """Every revision of this release."""
    return frozenset(revision.revision for revision in ScriptDirectory(str(FOLDER)).walk_revisions())


def current(engine: sa.Engine) -> str | None:
    """The revision a database is at, or None when it is empty."""
    with engine.connect() as connection:
        return revision_seen_by(connection)


def revision_seen_by(connection: sa.Connection) -> str | None:
    """The same, within a transaction that is open."""
    return MigrationContext.configure(connection).get_current_revision()


def upgrade(engine: sa.Engine, to: str = "head") -> None:
    """Bring a database up to a revision. Raises UnknownRevision for one that a newer release made."""
    present = current(engine)
    if present is not None and present not in known():
        raise UnknownRevision(
            f"The database is at revision {present}, which this release does not know. Start the newer release."
        )
    command.upgrade(config_for(engine), to)


def downgrade(engine: sa.Engine, to: str) -> None:
    """Take a database back to an earlier revision."""
    command.downgrade(config_for(engine), to)
