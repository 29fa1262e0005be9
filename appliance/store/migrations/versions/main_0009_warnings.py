"""Early warnings: what belongs to one, where it stands, which cells are muted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "main_0009"
down_revision = "main_0008"


def _warning() -> sa.Column[str]:
    of_warning = sa.ForeignKey("warnings.id", ondelete="CASCADE")
    return sa.Column("warning_id", sa.String(48), of_warning, primary_key=True)


def _cell() -> tuple[sa.Column[str], ...]:
    return (
        sa.Column("category", sa.String(16), nullable=False),
        sa.Column("place", sa.String(12), nullable=False),
    )


def upgrade() -> None:
    op.create_table(
        "warnings",
        sa.Column("id", sa.String(48), primary_key=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        *_cell(),
        sa.Column("begun_at", sa.Float, nullable=False),
        sa.Column("told_at", sa.Float, nullable=False),
        sa.Column("last_at", sa.Float, nullable=False),
        sa.Column("voices", sa.Integer, nullable=False),
        sa.Column("contacts", sa.Integer, nullable=False),
        sa.Column("expected", sa.Float, nullable=False),
        sa.Column("surprise", sa.Float, nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("call_id", sa.String(40), nullable=False),
        sa.Index("warnings_by_time", "last_at"),
        sa.Index("warnings_by_state", "state", "last_at"),
    )
    op.create_table(
        "warning_members",
        _warning(),
        sa.Column("order_id", sa.String(40), primary_key=True),
    )
    op.create_table(
        "warning_events",
        _warning(),
        sa.Column("sequence", sa.Integer, primary_key=True),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("who", sa.String(64), nullable=False),
        sa.Column("action", sa.String(12), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "warning_mutes",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        *_cell(),
        sa.Column("until", sa.Float, nullable=False),
        sa.Column("who", sa.String(64), nullable=False),
        sa.Column("reason", sa.String(200), nullable=False),
    )


def downgrade() -> None:
    for table in ("warning_mutes", "warning_events", "warning_members", "warnings"):
        op.drop_table(table)
