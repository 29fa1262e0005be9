"""The tables. What callers said is sealed under a key of each call; what is listed by is not."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

main = MetaData()
keys_only = MetaData()

# One row per call. `name` is the caller's own id. Times are s since 1970.
calls = Table(
    "calls",
    main,
    Column("id", String(40), primary_key=True),
    Column("name", String(128), nullable=False, default=""),
    Column("tenant", String(64), nullable=False, server_default="local"),  # whose call it is
    Column("door", String(32), nullable=False),
    Column("live", Boolean, nullable=False),
    Column("state", String(16), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("ended_at", Float),
    Column("duration_ms", BigInteger, nullable=False, default=0),
    Column("peak_emotion", String(16), nullable=False, default=""),  # of the citizen
    Column("peak_level", Integer, nullable=False, default=0),  # 0 none, 1 low, 2 medium, 3 high
    Column("config", LargeBinary, nullable=False),  # sealed
    Column("record", LargeBinary),  # sealed; once the call is over
    Column("error", String(500), nullable=False, default=""),
    Column("gateway", String(40), nullable=False, server_default=""),  # that hears a live call
    Column("ended_for", String(40), nullable=False, server_default="-"),  # by another gateway
    Index("calls_by_time", "created_at", "id"),
    Index("calls_by_name", "name", "created_at"),
    Index("calls_by_state", "state"),
    Index("calls_by_end", "ended_at"),
    Index("calls_by_tenant", "tenant", "created_at", "id"),
)

# The journal: what a call's record is made of, in order.
events = Table(
    "events",
    main,
    Column("call_id", ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True),
    Column("sequence", Integer, primary_key=True),
    Column("at", Float, nullable=False),
    Column("body", LargeBinary, nullable=False),  # sealed
)

jobs = Table(
    "jobs",
    main,
    Column("id", String(40), primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("call_id", String(40), nullable=False, default=""),
    Column("state", String(16), nullable=False),
    Column("priority", Integer, nullable=False, default=5),  # 0 is first
    Column("created_at", Float, nullable=False),
    Column("due_at", Float, nullable=False),
    Column("lease_owner", String(64), nullable=False, default=""),
    Column("lease_until", Float, nullable=False, default=0.0),
    Column("attempts", Integer, nullable=False, default=0),
    Column("progress", Float, nullable=False, default=0.0),  # 0..1
    Column("payload", LargeBinary, nullable=False),
    Column("error", String(500), nullable=False, default=""),
    Column("ended_at", Float),
    Index("jobs_next", "state", "kind", "priority", "due_at"),
    Index("jobs_of_call", "call_id"),
)

# Who shares this database; see gateways.py.
gateways = Table(
    "gateways",
    main,
    Column("id", String(40), primary_key=True),
    Column("version", String(32), nullable=False),
    Column("audio", String(40), nullable=False),  # what is written in the folder of its audio
    Column("master", String(40), nullable=False),  # what its master key is known by
    Column("beats", BigInteger, nullable=False),
    Column("joined_at", Float, nullable=False),
)

# What a caller's Idempotency-Key was answered with.
idempotency = Table(
    "idempotency",
    main,
    Column("owner", String(64), primary_key=True),
    Column("key", String(128), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("call_id", String(40), nullable=False),
    Column("created_at", Float, nullable=False),
)

# Who may come in; of keys only what recognises them.
credentials = Table(
    "credentials",
    main,
    Column("id", String(40), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("digest", String(64), nullable=False, unique=True),
    Column("name", String(64), nullable=False),
    Column("tenant", String(64), nullable=False),
    Column("roles", String(200), nullable=False),  # separated by spaces
    Column("created_at", Float, nullable=False),
    Column("created_by", String(64), nullable=False),
    Column("expires_at", Float),
    Column("per_minute", Integer, nullable=False),
    Column("certificate", String(64), nullable=False),
    Column("revoked_at", Float),
    Column("approved_by", String(64), nullable=False),
    Column("pending", Boolean, nullable=False),
    Column("unit", String(64), nullable=False, server_default=""),  # a clerk's
)

# Work orders. What they say is sealed under a key of each.
orders = Table(
    "orders",
    main,
    Column("id", String(40), primary_key=True),
    Column("number", String(40), nullable=False, unique=True),
    Column("tenant", String(64), nullable=False),
    Column("call_id", String(40), nullable=False),
    Column("matter", Integer, nullable=False),  # of that call, from 0
    Column("channel", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("version", Integer, nullable=False),  # of the row: the ETag
    Column("pack", String(80), nullable=False),  # that it was made with
    Column("category", String(16), nullable=False),
    Column("division", String(12), nullable=False),
    Column("appeal", String(16), nullable=False),
    Column("tier", String(32), nullable=False),
    Column("unit", String(64), nullable=False),  # the main one
    Column("created_at", Float, nullable=False),
    Column("called_at", Float, nullable=False, server_default="0"),
    Column("changed_at", Float, nullable=False),
    Column("due_at", Float),
    Column("ended_at", Float),
    Column("merged_into", String(40), nullable=False),
    Column("phone", String(64), nullable=False),  # a keyed hash
    Column("solved", Boolean),
    Column("satisfaction", Integer),
    Column("returns", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),  # sealed
    UniqueConstraint("call_id", "matter"),
    Index("orders_by_time", "created_at", "id"),
    Index("orders_by_state", "state", "created_at", "id"),
    Index("orders_by_phone", "phone", "created_at"),
    Index("orders_by_place", "category", "division", "created_at"),
    Index("orders_by_end", "ended_at"),
)

order_units = Table(
    "order_units",
    main,
    Column("order_id", ForeignKey("orders.id", ondelete="CASCADE"), primary_key=True),
    Column("unit", String(64), primary_key=True),
    Column("main", Boolean, nullable=False),
    Column("state", String(16), nullable=False),
    Column("given_at", Float, nullable=False),
    Column("sign_by", Float, nullable=False),
    Column("due_at", Float, nullable=False),
    Column("signed_at", Float),
    Column("ended_at", Float),  # answered or returned
    Column("asked_days", Float, nullable=False),  # of an extension that nobody has decided on
    Index("order_units_of", "unit", "state"),
)

# Whatever happened to an order, by whom.
order_events = Table(
    "order_events",
    main,
    Column("order_id", ForeignKey("orders.id", ondelete="CASCADE"), primary_key=True),
    Column("sequence", Integer, primary_key=True),
    Column("at", Float, nullable=False),
    Column("who", String(64), nullable=False),
    Column("actor", String(16), nullable=False),
    Column("action", String(24), nullable=False),
    Column("state", String(16), nullable=False),  # afterwards
    Column("unit", String(64), nullable=False),
    Column("category", String(16), nullable=False),
    Column("body", LargeBinary, nullable=False),  # sealed
    Index("order_events_by_action", "action", "category", "unit"),
)

order_timers = Table(
    "order_timers",
    main,
    Column("order_id", ForeignKey("orders.id", ondelete="CASCADE"), primary_key=True),
    Column("unit", String(64), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("due_at", Float, nullable=False),
    Index("order_timers_by_time", "due_at"),
)

# A hotline system's names and words that are to be heard right; JSON.
term_lists = Table(
    "term_lists",
    main,
    Column("tenant", String(64), primary_key=True),
    Column("terms", Text, nullable=False),
    Column("changed_at", Float, nullable=False),
    Column("changed_by", String(64), nullable=False),
)

# The knowledge base: no citizen's words. `sequence` counts the changes of all entries.
knowledge = Table(
    "knowledge",
    main,
    Column("id", String(40), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("changed_at", Float, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("taken", Integer, nullable=False),  # by agents, and how often they would not have it
    Column("rejected", Integer, nullable=False),
    Column("body", Text, nullable=False),  # JSON
    Index("knowledge_by_change", "sequence"),
)

# Each version of an entry as it stood.
knowledge_events = Table(
    "knowledge_events",
    main,
    Column("entry_id", String(40), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("at", Float, nullable=False),
    Column("who", String(64), nullable=False),
    Column("action", String(16), nullable=False),
    Column("body", Text, nullable=False),
)

# What citizens asked and no entry answered, sealed under their call's key: it goes with the call.
questions = Table(
    "questions",
    main,
    Column("call_id", ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True),
    Column("matter", Integer, primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("at", Float, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("questions_by_time", "at"),
)

# What agents said of an entry that was proposed to them, with the question, sealed as above.
verdicts = Table(
    "verdicts",
    main,
    Column("call_id", ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True),
    Column("entry_id", String(40), primary_key=True),
    Column("taken", Boolean, nullable=False),
    Column("who", String(64), nullable=False),
    Column("at", Float, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("verdicts_by_time", "at"),
)

# How calls were scored by the city's rules; the words that show it are sealed under the call's key.
inspections = Table(
    "inspections",
    main,
    Column("call_id", ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("agent", String(64), nullable=False),
    Column("at", Float, nullable=False),
    Column("total", Float),  # none: no agent spoke
    Column("pack", String(80), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("inspections_by_time", "at"),
    Index("inspections_by_agent", "agent", "at"),
)

inspection_findings = Table(
    "inspection_findings",
    main,
    Column("call_id", ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True),
    Column("rule", String(32), primary_key=True),
    Column("finding", String(12), nullable=False),  # as it stands now
    Column("points", Float, nullable=False),
    Column("first", String(12), nullable=False),  # as the rule had it
    Column("appeal", String(12), nullable=False),  # empty, open, upheld, overridden
    Index("inspection_findings_by_rule", "rule", "finding"),
)

# Appeals, and what inspectors made of them; the reasons are sealed.
inspection_events = Table(
    "inspection_events",
    main,
    Column("call_id", ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True),
    Column("sequence", Integer, primary_key=True),
    Column("at", Float, nullable=False),
    Column("who", String(64), nullable=False),
    Column("action", String(12), nullable=False),
    Column("rule", String(32), nullable=False),
    Column("body", LargeBinary, nullable=False),
)

# Early warnings, without a word of what was said; the reasons of what was done are sealed.
warnings = Table(
    "warnings",
    main,
    Column("id", String(48), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("kind", String(12), nullable=False),  # burst, emergency
    Column("state", String(12), nullable=False),
    Column("category", String(16), nullable=False),  # or its head
    Column("place", String(12), nullable=False),  # or one above
    Column("begun_at", Float, nullable=False),
    Column("told_at", Float, nullable=False),
    Column("last_at", Float, nullable=False),
    Column("voices", Integer, nullable=False),
    Column("contacts", Integer, nullable=False),
    Column("expected", Float, nullable=False),
    Column("surprise", Float, nullable=False),
    Column("name", String(64), nullable=False),  # of the danger, as the city pack has it
    Column("call_id", String(40), nullable=False),  # of an emergency
    Index("warnings_by_time", "last_at"),
    Index("warnings_by_state", "state", "last_at"),
)

warning_members = Table(
    "warning_members",
    main,
    Column("warning_id", ForeignKey("warnings.id", ondelete="CASCADE"), primary_key=True),
    Column("order_id", String(40), primary_key=True),
)

warning_events = Table(
    "warning_events",
    main,
    Column("warning_id", ForeignKey("warnings.id", ondelete="CASCADE"), primary_key=True),
    Column("sequence", Integer, primary_key=True),
    Column("at", Float, nullable=False),
    Column("who", String(64), nullable=False),
    Column("action", String(12), nullable=False),
    Column("state", String(12), nullable=False),
    Column("body", LargeBinary, nullable=False),
)

warning_mutes = Table(
    "warning_mutes",
    main,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("tenant", String(64), nullable=False),
    Column("category", String(16), nullable=False),
    Column("place", String(12), nullable=False),
    Column("until", Float, nullable=False),
    Column("who", String(64), nullable=False),
    Column("reason", String(200), nullable=False),  # of a cell: no citizen's word
)

# Wrapped keys, in a database of their own: deleting one shreds its call.
keys = Table(
    "keys",
    keys_only,
    Column("call_id", String(40), primary_key=True),
    Column("cipher", String(16), nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("created_at", Float, nullable=False),
)
