"""Find the calls that have been kept long enough without reading all."""

from __future__ import annotations

from alembic import op

revision = "main_0002"
down_revision = "main_0001"


def upgrade() -> None:
    op.create_index("calls_by_end", "calls", ["ended_at"])


def downgrade() -> None:
    op.drop_index("calls_by_end", "calls")
