"""Who shares the database, and which of them hears a call."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "main_0004"
down_revision = "main_0003"


def upgrade() -> None:
    gateway = sa.Column("gateway", sa.String(40), nullable=False, server_default="")
    op.add_column("calls", gateway)
    ended_for = sa.Column("ended_for", sa.String(40), nullable=False, server_default="-")
    op.add_column("calls", ended_for)
    op.create_table(
        "gateways",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("version", sa.String(32), nullable=False),
        sa.Column("audio", sa.String(40), nullable=False),
        sa.Column("master", sa.String(40), nullable=False),
        sa.Column("beats", sa.BigInteger, nullable=False),
        sa.Column("joined_at", sa.Float, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("gateways")
    op.drop_column("calls", "ended_for")
    op.drop_column("calls", "gateway")
