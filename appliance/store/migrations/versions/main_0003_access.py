"""Whose each call is, and who may come in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "main_0003"
down_revision = "main_0002"


def upgrade() -> None:
    tenant = sa.Column("tenant", sa.String(64), nullable=False, server_default="local")
    op.add_column("calls", tenant)
    op.create_index("calls_by_tenant", "calls", ["tenant", "created_at", "id"])
    op.create_table(
        "credentials",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False, unique=True),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("roles", sa.String(200), nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("created_by", sa.String(64), nullable=False),
        sa.Column("expires_at", sa.Float),
        sa.Column("per_minute", sa.Integer, nullable=False),
        sa.Column("certificate", sa.String(64), nullable=False),
        sa.Column("revoked_at", sa.Float),
        sa.Column("approved_by", sa.String(64), nullable=False),
        sa.Column("pending", sa.Boolean, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("credentials")
    op.drop_index("calls_by_tenant", "calls")
    op.drop_column("calls", "tenant")
