"""A call's configuration and record as JSON and back: what is sealed into the database."""

from __future__ import annotations

from pydantic import TypeAdapter

from appliance.messages import CallConfig, CallRecord

_CONFIG, _RECORD = TypeAdapter(CallConfig), TypeAdapter(CallRecord)


def pack_config(config: CallConfig) -> bytes:
    return _CONFIG.dump_json(config)


def unpack_config(packed: bytes) -> CallConfig:
    return _CONFIG.validate_json(packed)


def pack_record(record: CallRecord) -> bytes:
    return _RECORD.dump_json(record)


def unpack_record(packed: bytes) -> CallRecord:
    return _RECORD.validate_json(packed)
