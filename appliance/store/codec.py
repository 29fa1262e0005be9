"""Messages as JSON and back: what is sealed into the database."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from appliance.messages import Alert, Attribution, CallConfig, CallRecord, Final, Lasting, Mood

_EVENTS: dict[str, TypeAdapter[Any]] = {
    "final": TypeAdapter(Final),
    "attribution": TypeAdapter(Attribution),
    "mood": TypeAdapter(Mood),
    "alert": TypeAdapter(Alert),
}
_CONFIG, _RECORD = TypeAdapter(CallConfig), TypeAdapter(CallRecord)


def pack_event(event: Lasting) -> bytes:
    """The kind, a newline, and the event's JSON."""
    kind = type(event).__name__.lower()
    return kind.encode() + b"\n" + _EVENTS[kind].dump_json(event)


def unpack_event(packed: bytes) -> Lasting:
    kind, _, body = packed.partition(b"\n")
    event: Lasting = _EVENTS[kind.decode()].validate_json(body)
    return event


def pack_config(config: CallConfig) -> bytes:
    return _CONFIG.dump_json(config)


def unpack_config(packed: bytes) -> CallConfig:
    return _CONFIG.validate_json(packed)


def pack_record(record: CallRecord) -> bytes:
    return _RECORD.dump_json(record)


def unpack_record(packed: bytes) -> CallRecord:
    return _RECORD.validate_json(packed)
