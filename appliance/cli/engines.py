"""`lingting triton` and `lingting cpu`: the models alone, as services for a gateway elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from functools import partial
from pathlib import Path

import typer

from appliance.cli.logs import set_up_logs
from appliance.cli.serve import stop_signals, unless
from appliance.cli.supervised import Supervisor, inherited_socket
from appliance.engine.canary import load_canary
from appliance.engine.cpu_service import CpuService, listen
from appliance.engine.lineup import Variants
from appliance.engine.triton import TritonEngine
from appliance.engine.triton_server import TritonServer
from appliance.errors import EngineUnavailable, SettingsError
from appliance.metrics import Metrics
from appliance.models.lineup import FILE as LINEUP
from appliance.models.serving import lineup_of, loaded_settings, serving_settings
from appliance.settings import Settings

log = logging.getLogger("lingting")

PROBE_TIMEOUT_S = 10.0
POLL_S = 0.2
FOLLOW_S = 1.0  # between looks at what is to be served


def triton() -> None:
    """Run Triton alone in the foreground, with this box's models, for a gateway elsewhere."""
    settings = serving_settings()
    set_up_logs(settings.log)
    raise typer.Exit(asyncio.run(_run_triton(settings)))


async def _run_triton(settings: Settings) -> int:
    server, supervisor = TritonServer(settings), Supervisor()
    stop, _ = stop_signals()
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(server.stop)
        await server.start(sys.stderr)
        log.info("Triton: gRPC %s, metrics 127.0.0.1:%d", server.address, server.metrics_port)
        ended = asyncio.create_task(server.wait())
        stack.callback(ended.cancel)
        probing = asyncio.create_task(_probe_triton(settings, server, supervisor))
        stack.callback(probing.cancel)
        following = asyncio.create_task(_follow(settings, server))
        stack.callback(following.cancel)
        code = await unless(stop, _first(ended, probing))
        supervisor.stopping()
        return 0 if code is None else 1


def _serving(since: Settings) -> tuple[Settings, Variants]:
    """What a service that began with those settings has to serve now."""
    settings = loaded_settings(since)
    return settings, lineup_of(settings).variants()


async def _follow(settings: Settings, server: TritonServer) -> None:
    """Load and let go of bundles as the gateway's line-up says."""
    seen, base = None, settings.models.asr
    path = settings.models.library / LINEUP
    while True:
        await asyncio.sleep(FOLLOW_S)
        found = _stamp(path)
        if found == seen:
            continue
        try:
            now, variants = await asyncio.to_thread(_serving, settings)
            if now.models.asr != base:
                await server.rebase(now.models.asr)
                base = now.models.asr
            await server.serve(variants)
            seen = found
        except Exception as error:  # it is tried again; nothing may end the following
            log.warning("what is served does not change: %r", error)


def _stamp(path: Path) -> int:
    """Changes whenever the file does."""
    with contextlib.suppress(OSError):
        return path.stat().st_mtime_ns
    return 0


async def _first(ended: asyncio.Task[int], probing: asyncio.Task[None]) -> int:
    """Until Triton is over; its models may also turn out never to answer."""
    while not ended.done():
        await asyncio.sleep(POLL_S)
        if probing.done() and (error := probing.exception()):
            raise error
    return ended.result()


async def _probe_triton(settings: Settings, server: TritonServer, supervisor: Supervisor) -> None:
    """Ready once the canary is answered, alive as long as it or other questions are."""
    remote = settings.triton.model_copy(update={"mode": "remote", "address": server.address})
    engine = TritonEngine(settings.model_copy(update={"triton": remote}), Metrics())
    base, canary = server.base, load_canary(server.base)
    heard = -1  # questions answered until the last look

    async def progress() -> bool:
        nonlocal heard, base, canary
        if server.base != base:
            base, canary = server.base, load_canary(server.base)
        verdict = await canary.probe(engine, PROBE_TIMEOUT_S)
        before, heard = heard, await engine.answered()
        if not verdict.ok:
            log.warning("the canary failed: %s", verdict.reason)
        return verdict.ok or (verdict.late and heard > before)  # busy is not dead

    try:
        await engine.start()
        verdict = await canary.probe(engine, settings.triton.start_timeout_s)
        if not verdict.ok:
            raise EngineUnavailable("start Triton", verdict.reason, "run `lingting doctor`")
        supervisor.ready(f"answering its canary in {verdict.seconds:.2f} s")
        log.info("Triton answers its canary in %.2f s", verdict.seconds)
        await supervisor.keep_alive(progress)
    finally:
        await engine.close()


def cpu() -> None:
    """Run the models on the CPU in the foreground, for a gateway that names cpu.socket."""
    settings = serving_settings()
    set_up_logs(settings.log)
    asyncio.run(_run_cpu(settings))


async def _run_cpu(settings: Settings) -> None:
    supervisor = Supervisor()
    listener = inherited_socket()
    if listener is None:
        if settings.cpu.socket is None:
            cause = "cpu.socket is not set, and systemd passed no socket"
            raise SettingsError("open the CPU service", cause, "set cpu.socket to a path")
        listener = listen(settings.cpu.socket)
    stop, _ = stop_signals()
    service = CpuService(settings, listener, partial(_serving, settings))
    pinging = asyncio.create_task(supervisor.keep_alive(service.progress))
    supervisor.ready("waiting for the gateway")
    log.info("ready: %d workers at most", settings.cpu.workers)
    try:
        await unless(stop, service.serve())
    finally:
        supervisor.stopping()
        pinging.cancel()
        listener.close()
