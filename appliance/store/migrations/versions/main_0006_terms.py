"""Hotline systems' lists of terms."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "main_0006"
down_revision = "main_0005"


def upgrade() -> None:
    op.create_table(
        "term_lists",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("terms", sa.Text, nullable=False),
        sa.Column("changed_at", sa.Float, nullable=False),
        sa.Column("changed_by", sa.String(64), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("term_lists")
