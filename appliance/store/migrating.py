"""The schema of a database, by branch: what it is at, what this release knows, up and down."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import alembic.command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.pool import NullPool

from appliance.errors import StoreUnavailable
from appliance.store.locking import one_at_a_time

MIGRATIONS = Path(__file__).parent / "migrations"
BRANCHES = ("main", "keys")
_ONE_AT_A_TIME = threading.Lock()  # Alembic's context is one for the process


def migrate(engine: Engine, branch: str) -> None:
    """Up to the newest revision of a branch; raises StoreUnavailable if it is newer already."""
    with _ONE_AT_A_TIME, engine.begin() as connection:
        one_at_a_time(connection, f"lingting {branch}")  # of several that start together
        _run(connection, branch, f"{branch}@head", alembic.command.upgrade)


def upgrade(url: str, branch: str) -> None:
    with _opened(url) as engine:
        migrate(engine, branch)


def downgrade(url: str, branch: str, revision: str) -> None:
    """Down to a revision that an older release knows; raises StoreUnavailable if there is none."""
    with _opened(url) as engine, engine.begin() as connection:
        if _at(connection, branch) != revision:
            _run(connection, branch, revision, alembic.command.downgrade)


def current(url: str) -> str:
    """The revision a database is at; empty if it is not made yet."""
    path = url.removeprefix("sqlite:///")
    if path != url and not Path(path).exists():
        return ""
    with _opened(url) as engine, engine.connect() as connection:
        return "".join(MigrationContext.configure(connection).get_current_heads())


def heads() -> dict[str, str]:
    """The newest revision of each branch that this release knows."""
    script = ScriptDirectory.from_config(_config())
    known = {}
    for branch in BRANCHES:
        revision = script.get_revision(f"{branch}@head")
        assert revision is not None
        known[branch] = revision.revision
    return known


def _run(
    connection: Connection, branch: str, revision: str, do: Callable[[Config, str], None]
) -> None:
    config = _config()
    config.attributes["connection"] = connection
    try:
        do(config, revision)
    except CommandError as error:
        at = _at(connection, branch)
        raise StoreUnavailable(
            "migrate the database",
            f"it is at revision {at}, which this release does not know",
            "a newer release made it: install that one again, or take it back with "
            "lingting-install rollback",
        ) from error


def _at(connection: Connection, branch: str) -> str:
    heads = MigrationContext.configure(connection).get_current_heads()
    return next((head for head in heads if head.startswith(branch)), "")


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


@contextmanager
def _opened(url: str) -> Iterator[Engine]:
    engine = create_engine(url, poolclass=NullPool)
    try:
        yield engine
    finally:
        engine.dispose()
