"""One contract, every engine: the fake, the CPU workers, a real Triton, and failover over one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from appliance.engine.build import build_engine
from appliance.engine.cpu import CpuEngine
from appliance.engine.cpu_service import CpuService, listen
from appliance.engine.process import SHARED_MEMORY, shm_prefix, sweep_orphans
from appliance.engine.protocol import ManagedEngine
from appliance.engine.triton import TritonEngine
from appliance.errors import EngineUnavailable, InvalidRequest, Overloaded
from appliance.metrics import Metrics
from appliance.settings import Settings
from inference.tensors import SAMPLE_RATE_HZ, Hypothesis, Priority, Window
from tests.fakes import FakeEngine

pytestmark = pytest.mark.asyncio(loop_scope="module")

TIMEOUT_S = 30.0


def sound(seconds: float, seed: int = 0) -> np.ndarray:
    """Sweeping, never constant: a bridge that repeats the first element cannot pass it off."""
    n = int(seconds * SAMPLE_RATE_HZ)
    noise = np.random.default_rng(seed).standard_normal(n)
    sweep = np.sin(np.cumsum(np.linspace(0.02, 1.2, n)) + seed)
    return (0.2 * sweep + 0.05 * noise).astype(np.float32)


def window(seconds: float = 1.0, seed: int = 0, **options: object) -> Window:
    return Window(sound(seconds, seed), **{"language": "zh", "retries": False, **options})


def make(kind: str, settings: Settings) -> ManagedEngine:
    if kind == "fake":
        return FakeEngine(queue=settings.cpu.queue, started=False)
    if kind == "failover":
        off = settings.triton.model_copy(update={"mode": "off"})
        return build_engine(settings.model_copy(update={"triton": off}), Metrics())
    return CpuEngine(settings) if kind.startswith("cpu") else TritonEngine(settings, Metrics())


def served_by_socket(settings: Settings, path: Path) -> Settings:
    return settings.model_copy(update={"cpu": settings.cpu.model_copy(update={"socket": path})})


def make_narrow(kind: str, settings: Settings, **more: int) -> ManagedEngine:
    """One that works on one window at a time.

    Args:
        more: settings of the CPU's.
    """
    queue = {"queue_recording": more["queue"]} if "queue" in more else {}
    triton = settings.triton.model_copy(update={"max_batch": 1, **queue})
    cpu = settings.cpu.model_copy(update={"max_batch": 1, "workers": 1, **more})
    made = make(kind, settings.model_copy(update={"triton": triton, "cpu": cpu}))
    if isinstance(made, FakeEngine):
        made.at_once = 1
        slow_down(made, 0.1)
    return made


def slow_down(engine: ManagedEngine, delay_s: float) -> None:
    """The fake answers at once unless told otherwise; the others are slow enough by nature."""
    if isinstance(engine, FakeEngine):
        engine.delay_s = delay_s


@pytest.fixture(params=["fake", "cpu", "cpu service", "triton", "failover"], scope="module")
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(kind: str, tiny_settings: Settings) -> AsyncIterator[ManagedEngine]:
    async with contextlib.AsyncExitStack() as stack:
        if kind == "cpu service":
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            tiny_settings = served_by_socket(tiny_settings, Path(folder) / "cpu.sock")
            service = CpuService(tiny_settings, listen(tiny_settings.cpu.socket))
            serving = asyncio.create_task(service.serve())
            stack.callback(serving.cancel)
        made = make(kind, tiny_settings)
        await made.start()
        yield made
        await made.close()


async def test_it_answers_as_if_each_window_came_alone(engine: ManagedEngine) -> None:
    asks = [
        window(0.5 + 0.4 * i, seed=i, beam_size=1 + i % 2, prompt="平城区" * (i % 3))
        for i in range(9)
    ]
    alone = [await engine.ask(w, Priority.FINAL, TIMEOUT_S) for w in asks]
    crowd = await asyncio.gather(*(engine.ask(w, Priority.PARTIAL, TIMEOUT_S) for w in asks))
    assert [h.text for h in crowd] == [h.text for h in alone]
    assert [h.words for h in crowd] == [h.words for h in alone]
    assert len({h.text for h in alone}) > 1, "different sounds must not all sound the same"


async def test_its_card_tells_demo_weights(engine: ManagedEngine) -> None:
    card = engine.card()
    assert card.demo and card.name and "zh" in card.languages
    heard = await engine.ask(window(), Priority.FINAL, TIMEOUT_S)
    assert heard.demo and heard.model == f"{card.name} {card.version}"


async def test_silence_is_no_text(engine: ManagedEngine) -> None:
    silence = Window(np.zeros(SAMPLE_RATE_HZ, np.float32), language="zh")
    assert (await engine.ask(silence, Priority.FINAL, TIMEOUT_S)).text == ""


async def test_a_bad_window_costs_its_neighbours_nothing(engine: ManagedEngine) -> None:
    broken = sound(1.0)
    broken[100] = np.nan
    asks = [window(seed=1), Window(broken, language="zh"), window(seed=2)]
    heard = await asyncio.gather(
        *(engine.ask(w, Priority.FINAL, TIMEOUT_S) for w in asks), return_exceptions=True
    )
    assert isinstance(heard[1], InvalidRequest) and "NaN" in str(heard[1])
    assert heard[0].language == heard[2].language == "zh"


async def test_times_are_ordered_and_inside_the_window(engine: ManagedEngine) -> None:
    heard = await engine.ask(window(3.0), Priority.FINAL, TIMEOUT_S)
    times = [t for word in heard.words for t in (word.start_ms, word.end_ms)]
    assert times == sorted(times) and all(0 <= t <= 3000 for t in times)
    assert all(0 <= word.confidence <= 1 for word in heard.words)


async def test_too_little_time_is_an_unavailable_engine(engine: ManagedEngine) -> None:
    slow_down(engine, 1.0)
    with pytest.raises(EngineUnavailable) as caught:
        await engine.ask(window(20.0), Priority.FINAL, 0.001)
    slow_down(engine, 0.0)
    assert caught.value.retryable


async def test_cancelling_frees_the_place(engine: ManagedEngine) -> None:
    slow_down(engine, 1.0)
    tasks = [
        asyncio.create_task(engine.ask(window(5.0, i), Priority.RECORDING, TIMEOUT_S))
        for i in range(20)
    ]
    await asyncio.sleep(0.01)
    for task in tasks:
        task.cancel()
    slow_down(engine, 0.0)
    assert all(
        isinstance(r, asyncio.CancelledError)
        for r in await asyncio.gather(*tasks, return_exceptions=True)
    )
    assert (await engine.ask(window(), Priority.FINAL, TIMEOUT_S)).language == "zh"


async def test_what_is_cancelled_is_not_worked_on(kind: str, tiny_settings: Settings) -> None:
    """Who asks after a cancelled queue does not wait for it."""
    made = make_narrow(kind, tiny_settings)
    await made.start()
    loop = asyncio.get_running_loop()

    def queue() -> list[asyncio.Task[Hypothesis]]:
        asks = (made.ask(window(20.0, i), Priority.RECORDING, TIMEOUT_S) for i in range(24))
        return [asyncio.create_task(ask) for ask in asks]

    await made.ask(window(20.0), Priority.RECORDING, TIMEOUT_S)  # warm
    begun = loop.time()
    await asyncio.gather(*queue())
    worked_s = loop.time() - begun
    cancelled = queue()
    await asyncio.sleep(0.05)
    for task in cancelled:
        task.cancel()
    begun = loop.time()
    await made.ask(window(20.0), Priority.RECORDING, TIMEOUT_S)
    assert loop.time() - begun < worked_s / 2
    await made.close()


async def test_closed_is_unavailable(kind: str, tiny_settings: Settings) -> None:
    made = make(kind, tiny_settings)
    with pytest.raises(EngineUnavailable):
        await made.ask(window(), Priority.FINAL, TIMEOUT_S)
    assert not made.health().ok and made.health().reason
    await made.close()
    await made.close()


SMALL = 3  # windows that may wait


async def test_a_full_queue_refuses_at_once_and_recovers(
    kind: str, tiny_settings: Settings
) -> None:
    made = make_narrow(kind, tiny_settings, queue=SMALL)
    await made.start()
    asks = [window(10.0, seed=i, beam_size=5) for i in range(4 * SMALL)]
    answers = await asyncio.gather(
        *(made.ask(ask, Priority.RECORDING, TIMEOUT_S) for ask in asks), return_exceptions=True
    )
    refused = [a for a in answers if isinstance(a, Overloaded)]
    assert refused and all(a.retryable for a in refused)
    assert len(refused) + sum(isinstance(a, Hypothesis) for a in answers) == len(asks)
    assert (await made.ask(window(), Priority.FINAL, TIMEOUT_S)).language == "zh"
    await made.close()


async def test_a_queue_full_of_recordings_refuses_no_final(
    kind: str, tiny_settings: Settings
) -> None:
    made = make_narrow(kind, tiny_settings, queue=SMALL)
    await made.start()
    recordings = [
        asyncio.create_task(made.ask(window(10.0, i), Priority.RECORDING, TIMEOUT_S))
        for i in range(4 * SMALL)
    ]
    await asyncio.sleep(0.05)
    assert (await made.ask(window(), Priority.FINAL, TIMEOUT_S)).language == "zh"
    for task in recordings:  # given up, they free their places
        task.cancel()
    await asyncio.gather(*recordings, return_exceptions=True)
    async with asyncio.timeout(10):
        while True:  # Triton hears of it a moment later
            try:
                await made.ask(window(), Priority.RECORDING, TIMEOUT_S)
                break
            except Overloaded:
                await asyncio.sleep(0.05)
    await made.close()


async def test_finals_go_before_recordings(kind: str, tiny_settings: Settings) -> None:
    made = make_narrow(kind, tiny_settings)
    await made.start()
    order: list[str] = []

    async def ask(name: str, priority: Priority) -> None:
        await made.ask(window(5.0), priority, TIMEOUT_S)
        order.append(name)

    recordings = [asyncio.create_task(ask("recording", Priority.RECORDING)) for _ in range(20)]
    await asyncio.sleep(0.01)
    before = len(order)  # answered already, on a busy machine
    await asyncio.gather(ask("final", Priority.FINAL), *recordings)
    assert order.index("final") - before < 8, order  # in the order of asking it would be 20
    await made.close()


def regions_of(port: int) -> list[Path]:
    return list(SHARED_MEMORY.glob(f"{shm_prefix(port)}*"))


async def test_what_was_asked_does_not_stay_in_tritons_memory(tiny_settings: Settings) -> None:
    """Sound and prompts pass through /dev/shm, and so do answers until the next takes their
    place; nobody else may look."""
    made = TritonEngine(tiny_settings, Metrics())
    await made.start()
    asked = window(2.0, seed=5, prompt="平城区机密")
    await made.ask(asked, Priority.FINAL, TIMEOUT_S)
    assert made.server
    regions = regions_of(made.server.grpc_port)
    assert regions and all(region.stat().st_mode & 0o077 == 0 for region in regions)
    held = b"".join(region.read_bytes() for region in regions)
    assert asked.audio[1000:1050].tobytes() not in held and "平城区机密".encode() not in held
    await made.close()
    assert not any(region.exists() for region in regions)


async def test_regions_of_the_dead_are_cleared_away() -> None:
    gone = await asyncio.create_subprocess_exec(sys.executable, "-c", "")
    await gone.wait()
    dead, alive = (SHARED_MEMORY / f"lingting-{pid}-1-test" for pid in (gone.pid, os.getpid()))
    for region in (dead, alive):
        region.write_bytes(b"x")
    sweep_orphans()
    assert not dead.exists() and alive.exists()
    alive.unlink()
