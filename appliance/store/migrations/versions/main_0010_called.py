"""When the citizen called, whenever the order was made."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "main_0010"
down_revision = "main_0009"


def upgrade() -> None:
    called = sa.Column("called_at", sa.Float, nullable=False, server_default="0")
    op.add_column("orders", called)
    op.execute("UPDATE orders SET called_at = created_at")


def downgrade() -> None:
    op.drop_column("orders", "called_at")
