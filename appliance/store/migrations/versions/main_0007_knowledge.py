"""The knowledge base: entries, what became of them, and questions that nobody could answer."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "main_0007"
down_revision = "main_0006"


def upgrade() -> None:
    op.create_table(
        "knowledge",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("changed_at", sa.Float, nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("taken", sa.Integer, nullable=False),
        sa.Column("rejected", sa.Integer, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Index("knowledge_by_change", "sequence"),
    )
    op.create_table(
        "knowledge_events",
        sa.Column("entry_id", sa.String(40), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("who", sa.String(64), nullable=False),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_table(
        "questions",
        sa.Column(
            "call_id",
            sa.String(40),
            sa.ForeignKey("calls.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("matter", sa.Integer, primary_key=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Index("questions_by_time", "at"),
    )
    op.create_table(
        "verdicts",
        sa.Column(
            "call_id",
            sa.String(40),
            sa.ForeignKey("calls.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("entry_id", sa.String(40), primary_key=True),
        sa.Column("taken", sa.Boolean, nullable=False),
        sa.Column("who", sa.String(64), nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Index("verdicts_by_time", "at"),
    )


def downgrade() -> None:
    for table in ("verdicts", "questions", "knowledge_events", "knowledge"):
        op.drop_table(table)
