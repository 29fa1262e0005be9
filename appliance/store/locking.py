"""Gateways that share a database do some things one at a time."""

from __future__ import annotations

from sqlalchemy import Connection, text


def one_at_a_time(connection: Connection, name: str) -> None:
    """Whoever asks for the same name waits until this transaction is over. SQLite has one writer
    anyway."""
    if connection.dialect.name == "postgresql":
        alone = text("SELECT pg_advisory_xact_lock(hashtext(:name))")
        connection.execute(alone, {"name": name})
