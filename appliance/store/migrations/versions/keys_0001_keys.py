"""Wrapped keys of calls."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "keys_0001"
down_revision = None
branch_labels = ("keys",)


def upgrade() -> None:
    op.create_table(
        "keys",
        sa.Column("call_id", sa.String(40), primary_key=True),
        sa.Column("cipher", sa.String(16), nullable=False),
        sa.Column("wrapped", sa.LargeBinary, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("keys")
