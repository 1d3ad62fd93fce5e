"""The database's own history: each revision goes up and comes down, with the rows that are there.

Every process asks at its start whether the database is at this release's revision. Alembic is loaded only by those that
change that: it would make up a sixth of what a worker weighs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

if TYPE_CHECKING:
    from alembic.config import Config

FOLDER = Path(__file__).parent


class UnknownRevision(Exception):
    """The database was made by a release that this one does not know."""


class DanglingReferences(Exception):
    """A migration would leave rows that point at nothing. Nothing was changed."""


def config_for(engine: sa.Engine) -> Config:
    """Alembic's configuration for one database, made here so that no ini file can disagree with the settings."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.attributes["engine"] = engine
    return config


def head() -> str:
    """The newest revision of this release."""
    return max(known())


def known() -> frozenset[str]:
    """Every revision of this release. They follow each other in the order of their numbers, as their files do."""
    return frozenset(path.name.partition("_")[0] for path in (FOLDER / "versions").glob("[0-9]*.py"))


def current(engine: sa.Engine) -> str | None:
    """The revision a database is at, or None when it is empty."""
    with engine.connect() as connection:
        return revision_seen_by(connection)


def revision_seen_by(connection: sa.Connection) -> str | None:
    """The same, within a transaction that is open."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    return found


def upgrade(engine: sa.Engine, to: str = "head") -> None:
    """Bring a database up to a revision. Raises UnknownRevision for one that a newer release made."""
    present = current(engine)
    if present is not None and present not in known():
        raise UnknownRevision(
            f"The database is at revision {present}, which this release does not know. Start the newer release."
        )
    from alembic import command

    command.upgrade(config_for(engine), to)


def downgrade(engine: sa.Engine, to: str) -> None:
    """Take a database back to an earlier revision."""
    from alembic import command

    command.downgrade(config_for(engine), to)
