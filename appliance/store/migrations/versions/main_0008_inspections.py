"""Quality inspection: scores, findings, appeals."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "main_0008"
down_revision = "main_0007"


def _call() -> sa.Column[str]:
    of_call = sa.ForeignKey("calls.id", ondelete="CASCADE")
    return sa.Column("call_id", sa.String(40), of_call, primary_key=True)


def upgrade() -> None:
    op.create_table(
        "inspections",
        _call(),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("agent", sa.String(64), nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("total", sa.Float),
        sa.Column("pack", sa.String(80), nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Index("inspections_by_time", "at"),
        sa.Index("inspections_by_agent", "agent", "at"),
    )
    op.create_table(
        "inspection_findings",
        _call(),
        sa.Column("rule", sa.String(32), primary_key=True),
        sa.Column("finding", sa.String(12), nullable=False),
        sa.Column("points", sa.Float, nullable=False),
        sa.Column("first", sa.String(12), nullable=False),
        sa.Column("appeal", sa.String(12), nullable=False),
        sa.Index("inspection_findings_by_rule", "rule", "finding"),
    )
    op.create_table(
        "inspection_events",
        _call(),
        sa.Column("sequence", sa.Integer, primary_key=True),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("who", sa.String(64), nullable=False),
        sa.Column("action", sa.String(12), nullable=False),
        sa.Column("rule", sa.String(32), nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )


def downgrade() -> None:
    for table in ("inspection_events", "inspection_findings", "inspections"):
        op.drop_table(table)
