"""A call's configuration and record as JSON and back, and how they are sealed into the database."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from pydantic import TypeAdapter

from appliance.errors import StoreDamaged
from appliance.messages import CallConfig, CallRecord
from appliance.security.ciphers import Cipher

T = TypeVar("T")
_CONFIG, _RECORD = TypeAdapter(CallConfig), TypeAdapter(CallRecord)


def pack_config(config: CallConfig) -> bytes:
    return _CONFIG.dump_json(config)


def unpack_config(packed: bytes) -> CallConfig:
    return _CONFIG.validate_json(packed)


def pack_record(record: CallRecord) -> bytes:
    return _RECORD.dump_json(record)


def unpack_record(packed: bytes) -> CallRecord:
    return _RECORD.validate_json(packed)


def seal(cipher: Cipher, key: bytes, call_id: str, what: str, plain: bytes) -> bytes:
    """`what` of a call, so that it opens as nothing else."""
    return cipher.seal(key, plain, f"{call_id}:{what}".encode())


def unseal(
    cipher: Cipher,
    key: bytes,
    call_id: str,
    what: str,
    sealed: bytes,
    unpack: Callable[[bytes], T],
) -> T:
    """What `seal` gave; raises StoreDamaged."""
    try:
        return unpack(cipher.open(key, sealed, f"{call_id}:{what}".encode()))
    except ValueError as error:  # altered, or of a form we do not know
        raise StoreDamaged(
            "open a call", f"its {what} is damaged", "restore a backup, or delete the call"
        ) from error
