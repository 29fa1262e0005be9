"""Speech bundles beside the one from the start, in every engine, while questions are answered."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio

from appliance.engine.cpu_service import CpuService, listen
from appliance.engine.lineup import with_base
from appliance.engine.protocol import ManagedEngine
from appliance.errors import BundleError, EngineUnavailable
from appliance.settings import Settings
from appliance.settings.section import PROJECT
from inference.bundles import load_manifest
from inference.tensors import Priority
from tests.contract.test_engine import make, served_by_socket, window

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]

OTHER = PROJECT / "bundles" / "asr-demo"
NAME = load_manifest(OTHER).name


@dataclass
class ServedEngine:
    """An engine, and what its service would be told to serve."""

    engine: ManagedEngine
    settings: Settings
    variants: dict[str, Path] = field(default_factory=dict)

    async def serve(self, variants: dict[str, Path]) -> None:
        self.variants = variants
        await self.engine.serve(variants)

    async def rebase(self, bundle: Path) -> None:
        self.settings = with_base(self.settings, bundle)
        await self.engine.rebase(bundle)


@pytest.fixture(params=["fake", "cpu", "cpu service", "triton", "failover"], scope="module")
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(
    kind: str, tiny_settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[ServedEngine]:
    async with contextlib.AsyncExitStack() as stack:
        settings = tiny_settings
        if kind == "cpu service":
            folder = tmp_path_factory.mktemp("cpu")
            settings = served_by_socket(settings, folder / "cpu.sock")
        made = ServedEngine(make(kind, settings), settings)
        if kind == "cpu service":
            alone = settings.model_copy(
                update={"cpu": settings.cpu.model_copy(update={"socket": None})}
            )
            assert settings.cpu.socket
            service = CpuService(
                alone, listen(settings.cpu.socket), lambda: (made.settings, made.variants)
            )
            serving = asyncio.create_task(service.serve())
            stack.callback(serving.cancel)
        await made.engine.start()
        yield made
        await made.engine.close()


async def hear(engine: ManagedEngine, variant: str = "") -> str:
    """Which bundle heard it."""
    answer = await engine.ask(window(1.2, variant=variant), Priority.FINAL, 60)
    return answer.model.partition(" ")[0]


@contextlib.asynccontextmanager
async def asked_all_the_while(engine: ManagedEngine) -> AsyncIterator[list[str]]:
    """Whatever is loaded or let go of, the bundle from the start answers."""
    answers: list[str] = []

    async def ask() -> None:
        while True:
            answers.append(await hear(engine))
            await asyncio.sleep(0)

    asking = asyncio.create_task(ask())
    yield answers
    while not answers and not asking.done():
        await asyncio.sleep(0.01)
    asking.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asking
    assert answers


async def test_another_is_served_beside_and_let_go_of(served: ServedEngine, kind: str) -> None:
    engine, own = served.engine, served.engine.card().name
    async with asked_all_the_while(engine) as answers:
        await served.serve({"other-1": OTHER})
        if kind != "fake":
            assert engine.card("asr.other-1").name == NAME
            assert await hear(engine, "other-1") == NAME
        heard = await asyncio.gather(*(hear(engine, name) for name in ("", "other-1", "")))
        assert heard[0] == heard[2] == own
        await served.serve({})
        if kind == "failover":  # answers with what it has
            assert await hear(engine, "other-1") == own
        else:
            with pytest.raises(EngineUnavailable):
                await hear(engine, "other-1")
    assert set(answers) == {own}


async def test_one_that_is_not_whole_is_refused_and_the_old_goes_on(
    served: ServedEngine, kind: str, tmp_path: Path
) -> None:
    if kind == "fake":
        return  # it loads nothing
    broken = tmp_path / "broken"
    shutil.copytree(OTHER, broken)
    flipped = bytearray((broken / "model.bin").read_bytes())
    flipped[1000] ^= 1
    (broken / "model.bin").write_bytes(flipped)
    own = served.engine.card().name
    async with asked_all_the_while(served.engine) as answers:
        with pytest.raises((BundleError, EngineUnavailable)) as refused:
            await served.serve({"broken": broken})
        if kind != "cpu service":  # whose reason is in its own log
            assert "model.bin" in str(refused.value)
        served.variants = {}
    assert set(answers) == {own} and await hear(served.engine) == own


async def test_it_takes_the_place_of_the_one_from_the_start(
    served: ServedEngine, kind: str
) -> None:
    """Last: the engine is another one afterwards."""
    own = served.engine.card().name
    async with asked_all_the_while(served.engine) as answers:
        await served.rebase(OTHER)
    if kind != "fake":
        assert served.engine.card().name == NAME and await hear(served.engine) == NAME
        assert set(answers) <= {own, NAME}


async def test_a_broken_variant_keeps_no_service_from_starting(
    tiny_settings: Settings, tmp_path: Path
) -> None:
    """Its worker ends over it, and the next one begins without."""
    broken = tmp_path / "broken"
    shutil.copytree(OTHER, broken)
    model = broken / "model.bin"
    model.write_bytes(model.read_bytes()[:-1] + b"\x7f")
    settings = served_by_socket(tiny_settings, tmp_path / "cpu.sock")
    assert settings.cpu.socket
    served = tiny_settings, {"other-1": broken}
    engine = make("cpu service", settings)
    with contextlib.closing(listen(settings.cpu.socket)) as listener:
        service = CpuService(tiny_settings, listener, lambda: served)
        serving = asyncio.create_task(service.serve())
        try:
            async with asyncio.timeout(120):
                while not engine.health().ok:
                    with contextlib.suppress(EngineUnavailable):
                        await engine.start()
            assert await hear(engine) == engine.card().name
        finally:
            await engine.close()
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
