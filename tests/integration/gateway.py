"""The box, its archive and both doors in this process, over the fake engine."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from appliance.api.grpc.server import GrpcServer
from appliance.api.http.server import HttpServer
from appliance.archive.archive import Archive
from appliance.call.box import Box
from appliance.metrics import Metrics
from appliance.settings import PROJECT, Grpc, Http, Limits, Settings, Store, Webhooks
from tests.fakes import FakeEngine

CALL = PROJECT / "bundles" / "demo-call" / "call.wav"
BYTES_PER_S = 16_000  # two legs of A-law


@dataclass
class Gateway:
    settings: Settings
    engine: FakeEngine
    box: Box
    archive: Archive
    http: str
    grpc: str


@contextlib.asynccontextmanager
async def gateway(
    folder: Path, webhooks: Webhooks | None = None, **store: Any
) -> AsyncIterator[Gateway]:
    settings = Settings(
        grpc=Grpc(port=0),
        http=Http(port=0, share=folder / "share"),
        store=Store(folder=folder / "store", reserve_mib=0, **store),
        limits=Limits(live_legs=64),
        webhooks=webhooks or Webhooks(),
    )
    metrics, engine = Metrics(), FakeEngine()
    archive = Archive(settings, metrics)
    box = Box(settings, engine, metrics, archive.keep)
    await archive.start()
    await box.start()
    archive.attach(box)
    doors = GrpcServer(box, archive), HttpServer(box, archive)
    grpc, http = await doors[0].start(), await doors[1].start()
    try:
        addresses = f"http://127.0.0.1:{http}", f"127.0.0.1:{grpc}"
        yield Gateway(settings, engine, box, archive, *addresses)
    finally:
        await doors[0].stop(0)
        await doors[1].stop(1)
        await box.close()
        await archive.close()


def alaw(seconds: float) -> bytes:
    """The head of the demo call, without a header: two legs, 8 kHz."""
    data = CALL.read_bytes()
    return data[data.index(b"data") + 8 :][: int(seconds * BYTES_PER_S)]


def silence(seconds: float) -> bytes:
    return bytes(np.full(int(seconds * BYTES_PER_S), 0xD5, np.uint8))
