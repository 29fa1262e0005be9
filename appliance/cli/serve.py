"""`lingting serve`: the gateway, from start-up to drain."""

from __future__ import annotations

import asyncio
import logging
import math
import signal
import ssl
import time
from collections.abc import Coroutine
from typing import Annotated, Any, TypeVar

import typer

from appliance.cli.logs import set_up_logs
from appliance.cli.supervised import Supervisor
from appliance.engine.build import build_engine
from appliance.errors import BundleError, EngineUnavailable, LingtingError
from appliance.gateway import BuildEngine, Gateway
from appliance.messages import DEMO_NOTICE
from appliance.models.serving import library_of, serving_settings
from appliance.models.slots import SLOTS
from appliance.settings import Settings
from appliance.traces import set_up_traces

log = logging.getLogger("lingting")
T = TypeVar("T")


async def run_gateway(settings: Settings, build: BuildEngine = build_engine) -> None:
    """Until SIGTERM or SIGINT; a second signal does not wait for the calls."""
    begun = time.monotonic()
    asyncio.get_running_loop().set_exception_handler(_unless_a_client_left)
    gateway, supervisor = Gateway(settings, build), Supervisor()
    stop, hurry = stop_signals()
    pinging: asyncio.Task[None] | None = None
    try:
        bound = await unless(stop, gateway.start())
        if bound is not None:
            await asyncio.to_thread(_prove, settings)
            _announce(gateway, *bound, time.monotonic() - begun)
            supervisor.ready(f"serving by {gateway.box.health()['engine'].in_use}")
            pinging = asyncio.create_task(supervisor.keep_alive(gateway.progress))
            await stop.wait()
            log.info("draining: running calls may end, new ones are refused")
            supervisor.stopping("draining: running calls may end")
            await unless(hurry, gateway.drain())
    finally:
        await gateway.stop()
        if pinging:
            pinging.cancel()


def stop_signals() -> tuple[asyncio.Event, asyncio.Event]:
    """Events set by the first and by the second signal to stop."""
    stop, hurry = asyncio.Event(), asyncio.Event()

    def heard() -> None:
        (hurry if stop.is_set() else stop).set()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup means it
            asyncio.get_running_loop().add_signal_handler(number, heard)
    return stop, hurry


async def unless(event: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """The result of `work`, or None if `event` comes first."""
    task = asyncio.ensure_future(work)
    waiting = asyncio.ensure_future(event.wait())
    await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if task.done():
        return task.result()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return None


def _unless_a_client_left(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """A connection that breaks off in the middle of TLS is a client's affair, and no traceback."""
    error = context.get("exception")
    if isinstance(error, ssl.SSLError | ConnectionError):
        log.debug("a connection broke off: %s", error)
        return
    loop.default_exception_handler(context)


def _announce(gateway: Gateway, grpc_port: int, http_port: int, seconds: float) -> None:
    """One line that people and scripts can wait for, then what they should know."""
    settings, health = gateway.settings, gateway.box.health()["engine"]
    log.info(
        "ready in %.1f s: gRPC %s:%d, HTTP %s:%d, engine %s",
        *(seconds, settings.grpc.host, grpc_port, settings.http.host, http_port),
        health.in_use,
    )
    if health.in_use == "cpu":
        for name, state in health.parts.items():
            if name != "cpu":
                log.warning("calls are served on the CPU; %s: %s", name, state)
    for model in gateway.box.models():
        told = (model.name, model.version, model.device, model.compute_type)
        log.info("model %s %s on %s, %s", *told)
        if model.demo:
            log.warning(DEMO_NOTICE)
        elif model.notice:
            log.info(model.notice)


def serve(
    keep_audio: Annotated[
        str,
        typer.Option(help="Keep calls' audio: off, on (as long as the calls), or days."),
    ] = "",
) -> None:
    """Serve calls: Riva on gRPC, OpenAI audio on HTTP; Triton as a child, the CPU behind it."""
    settings = serving_settings()
    if keep_audio:
        days = _days(keep_audio, settings.store.keep_calls_days)
        store = settings.store.model_copy(update={"keep_audio_days": days})
        settings = settings.model_copy(update={"store": store})
    set_up_logs(settings.log)
    send_last_spans = set_up_traces(settings.traces)
    try:
        asyncio.run(run_gateway(settings))
    except (BundleError, EngineUnavailable):
        _take_back(settings)
        raise
    finally:
        send_last_spans()


def _prove(settings: Settings) -> None:
    """What was activated has come up."""
    folders = [folder for slot in SLOTS if (folder := getattr(settings.models, slot))]
    try:
        library_of(settings).prove(folders)
    except (LingtingError, OSError) as error:
        log.error("%s", error)


def _take_back(settings: Settings) -> None:
    """What was activated has not come up: what did before serves from the next start on."""
    try:
        for ref in library_of(settings).take_back():
            log.error("the box did not come up with %s, just activated: it is taken back", ref)
    except (LingtingError, OSError) as error:
        log.error("%s", error)


def _days(keep_audio: str, calls_days: float) -> float:
    if keep_audio in ("off", "on"):
        return calls_days if keep_audio == "on" else 0.0
    try:
        days = float(keep_audio)
    except ValueError:
        days = -1.0
    if not 0 <= days < math.inf:
        raise typer.BadParameter("off, on, or a number of days", param_hint="--keep-audio")
    return days
