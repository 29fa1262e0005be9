"""Of which call and request a log line tells, wherever it is written. Never what was said in it."""

from __future__ import annotations

from contextvars import ContextVar

CALL_ID: ContextVar[str] = ContextVar("CALL_ID", default="")  # the box's own
CALL_NAME: ContextVar[str] = ContextVar("CALL_NAME", default="")  # its caller's
TRACE_ID: ContextVar[str] = ContextVar("TRACE_ID", default="")  # of a call that is traced
REQUEST_ID: ContextVar[str] = ContextVar("REQUEST_ID", default="")


def log_fields() -> dict[str, str]:
    """Those that are known here, by their name in the journal."""
    known = {field.name: field.get() for field in (CALL_ID, CALL_NAME, TRACE_ID, REQUEST_ID)}
    return {name: value for name, value in known.items() if value}
