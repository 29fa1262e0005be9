"""Every kind of event there is: one a file, found here by being here."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from pydantic import TypeAdapter

from appliance.feed.kind import EventKind, Json
from appliance.messages import Event, Lasting, NumberedEvent
from appliance.proto.convert import resource
from appliance.proto.lingting.hotline.v1 import hotline_pb2 as pb


def _found() -> Iterator[EventKind[Any]]:
    for module in pkgutil.iter_modules(__path__):
        yield import_module(f"{__name__}.{module.name}").KIND


KINDS: dict[type, EventKind[Any]] = {kind.event: kind for kind in _found()}
_STORED = {kind.stored or kind.name: kind for kind in KINDS.values() if kind.lasts}
_BODIES = {kind.event: TypeAdapter(kind.event) for kind in _STORED.values()}


def kind_of(event: Event) -> EventKind[Any]:
    """Raises KeyError for a class that no file here tells of: a bug, and a test finds it."""
    return KINDS[type(event)]


def pack(event: Lasting) -> bytes:
    """For a journal: the kind, a newline, and the event's JSON."""
    kind = kind_of(event)
    return (kind.stored or kind.name).encode() + b"\n" + _BODIES[kind.event].dump_json(event)


def unpack(packed: bytes) -> Lasting:
    """Raises ValueError for what this release cannot read."""
    head, _, body = packed.partition(b"\n")
    name = head[:40].decode(errors="replace")
    kind = _STORED.get(name)
    if kind is None:
        raise ValueError(f"no kind of event is named {name!r}")
    event: Lasting = _BODIES[kind.event].validate_json(body)
    return event


def as_json(told: NumberedEvent) -> Json:
    """Its kind, its number, and what it says."""
    kind = kind_of(told.event)
    return {"sequence": told.sequence, "kind": kind.name, **kind.as_json(told.event)}


def as_grpc(call_id: str, told: NumberedEvent) -> pb.CallEvent:
    message = pb.CallEvent(name=resource(call_id), sequence=told.sequence)
    kind_of(told.event).fill(told.event, message)
    return message
