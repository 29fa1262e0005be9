"""Work orders: their rows, their units, what happened to them, and what is to be done when."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "main_0005"
down_revision = "main_0004"


def _order() -> sa.Column[str]:
    parent = sa.ForeignKey("orders.id", ondelete="CASCADE")
    return sa.Column("order_id", sa.String(40), parent, primary_key=True)


def upgrade() -> None:
    _add_orders()
    _add_units()
    _add_events()
    op.add_column(
        "credentials", sa.Column("unit", sa.String(64), nullable=False, server_default="")
    )


def _add_orders() -> None:
    op.create_table(
        "orders",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("number", sa.String(40), nullable=False, unique=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("call_id", sa.String(40), nullable=False),
        sa.Column("matter", sa.Integer, nullable=False),
        sa.Column("channel", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("pack", sa.String(80), nullable=False),
        sa.Column("category", sa.String(16), nullable=False),
        sa.Column("division", sa.String(12), nullable=False),
        sa.Column("appeal", sa.String(16), nullable=False),
        sa.Column("tier", sa.String(32), nullable=False),
        sa.Column("unit", sa.String(64), nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("changed_at", sa.Float, nullable=False),
        sa.Column("due_at", sa.Float),
        sa.Column("ended_at", sa.Float),
        sa.Column("merged_into", sa.String(40), nullable=False),
        sa.Column("phone", sa.String(64), nullable=False),
        sa.Column("solved", sa.Boolean),
        sa.Column("satisfaction", sa.Integer),
        sa.Column("returns", sa.Integer, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("call_id", "matter"),
    )
    op.create_index("orders_by_time", "orders", ["created_at", "id"])
    op.create_index("orders_by_state", "orders", ["state", "created_at", "id"])
    op.create_index("orders_by_phone", "orders", ["phone", "created_at"])
    op.create_index("orders_by_place", "orders", ["category", "division", "created_at"])
    op.create_index("orders_by_end", "orders", ["ended_at"])


def _add_units() -> None:
    op.create_table(
        "order_units",
        _order(),
        sa.Column("unit", sa.String(64), primary_key=True),
        sa.Column("main", sa.Boolean, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("given_at", sa.Float, nullable=False),
        sa.Column("sign_by", sa.Float, nullable=False),
        sa.Column("due_at", sa.Float, nullable=False),
        sa.Column("signed_at", sa.Float),
        sa.Column("ended_at", sa.Float),
        sa.Column("asked_days", sa.Float, nullable=False),
    )
    op.create_index("order_units_of", "order_units", ["unit", "state"])


def _add_events() -> None:
    op.create_table(
        "order_events",
        _order(),
        sa.Column("sequence", sa.Integer, primary_key=True),
        sa.Column("at", sa.Float, nullable=False),
        sa.Column("who", sa.String(64), nullable=False),
        sa.Column("actor", sa.String(16), nullable=False),
        sa.Column("action", sa.String(24), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("unit", sa.String(64), nullable=False),
        sa.Column("category", sa.String(16), nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_index("order_events_by_action", "order_events", ["action", "category", "unit"])
    op.create_table(
        "order_timers",
        _order(),
        sa.Column("unit", sa.String(64), primary_key=True),
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("due_at", sa.Float, nullable=False),
    )
    op.create_index("order_timers_by_time", "order_timers", ["due_at"])


def downgrade() -> None:
    op.drop_column("credentials", "unit")
    for table in ("order_timers", "order_events", "order_units", "orders"):
        op.drop_table(table)
