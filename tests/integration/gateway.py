"""The box, its archive and both doors in this process, over the fake engine."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from appliance.access.access import Access
from appliance.archive.archive import Archive
from appliance.call.box import Box
from appliance.gateway import Gateway as Appliance
from appliance.settings import Settings
from appliance.settings.calls import LimitsSettings
from appliance.settings.doors import AccessSettings, GrpcSettings, HttpSettings, LocalSettings
from appliance.settings.engines import ModelsSettings, TritonSettings
from appliance.settings.keeping import OrdersSettings, StoreSettings, WebhooksSettings
from appliance.settings.section import PROJECT
from tests.fakes import FakeEngine

CALL = PROJECT / "tests" / "espeak_call" / "call.wav"
BYTES_PER_S = 16_000  # two legs of A-law


@dataclass
class RunningGateway:
    settings: Settings
    engine: FakeEngine
    box: Box
    archive: Archive
    access: Access
    http: str
    grpc: str
    whole: Appliance


MakeGateway = Callable[..., contextlib.AbstractAsyncContextManager[RunningGateway]]


@contextlib.asynccontextmanager
async def gateway(
    folder: Path,
    webhooks: WebhooksSettings | None = None,
    *,
    access: AccessSettings | None = None,
    doors: dict[str, Any] | None = None,
    local: Path | None = None,
    orders: OrdersSettings | None = None,
    models: ModelsSettings | None = None,
    **store: Any,
) -> AsyncIterator[RunningGateway]:
    tls = doors or {}
    grpc_only = {"mtls_port": tls["mtls_port"]} if "mtls_port" in tls else {}
    both = {name: value for name, value in tls.items() if name != "mtls_port"}
    settings = Settings(
        grpc=GrpcSettings(port=0, **both, **grpc_only),
        http=HttpSettings(port=0, share=folder / "share", **both),
        access=access or AccessSettings(),
        local=LocalSettings(folder=local),
        store=StoreSettings(folder=folder / "store", reserve_mib=0, **store),
        limits=LimitsSettings(live_legs=64),
        webhooks=webhooks or WebhooksSettings(),
        orders=orders or OrdersSettings(),
        models=models or ModelsSettings(library=folder / "models"),
        triton=TritonSettings(mode="off"),
    )
    engine = FakeEngine()
    whole = Appliance(settings, lambda settings, metrics: engine)
    grpc, http = await whole.start()
    try:
        scheme = "https" if tls else "http"
        addresses = f"{scheme}://127.0.0.1:{http}", f"127.0.0.1:{grpc}"
        yield RunningGateway(
            settings, engine, whole.box, whole.archive, whole.access, *addresses, whole
        )
    finally:
        await whole.stop(0)


def alaw(seconds: float) -> bytes:
    """The head of the demo call, without a header: two legs, 8 kHz."""
    data = CALL.read_bytes()
    return data[data.index(b"data") + 8 :][: int(seconds * BYTES_PER_S)]


def silence(seconds: float) -> bytes:
    return bytes(np.full(int(seconds * BYTES_PER_S), 0xD5, np.uint8))
