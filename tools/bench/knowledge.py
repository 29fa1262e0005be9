"""`lingting bench knowledge`: a large knowledge base imported, searched, changed, and kept good."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import httpx
import numpy as np
import psutil
import typer
from fastapi import FastAPI
from rich.console import Console

from appliance.api.http.knowledge import knowledge_routes
from appliance.api.knowledge import KnowledgeService
from appliance.archive.archive import Archive
from appliance.assist.city.pack import CityPack
from appliance.assist.current import CurrentCity
from appliance.assist.knowledge.desk import KnowledgeDesk
from appliance.load.probe import Figures
from appliance.metrics import Metrics
from appliance.settings import Settings, load_settings
from appliance.settings.keeping import StoreSettings
from appliance.store.store import Store
from tools.bench import report
from tools.bench.knowledge_texts import MadeEntry, made_entries

PATH = "/api/v1/knowledge"
TOGETHER = 200  # entries in one request, as `lingting kb import` has it
MANY = 50_000  # entries, for which there are goals
QUESTIONS, EDITS = 500, 20
PATIENCE_S = 900.0  # until something is searched
PEER = "tools.peers.jieba_bm25"
MIB = 1 << 20
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class KnowledgeBox:
    """What is measured: the desk, and its door without a network."""

    desk: KnowledgeDesk
    web: httpx.AsyncClient


def knowledge(
    passages: Annotated[
        int, typer.Option(min=100, max=200_000, help="Entries; an answer has one or several.")
    ] = MANY,
    duplicates: Annotated[
        float,
        typer.Option(min=0, max=0.9, help="Share of them that ask what another asks."),
    ] = 0.1,
    pack: Annotated[
        Path | None,
        typer.Option(help="City pack with their words; else the settings'."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one flat JSON object.")] = False,
) -> None:
    """Import a large knowledge base, search it, change it, look for duplicates; and a peer's index.

    Keys are in docs/knowledge.md.
    """
    progress = Console(stderr=True, highlight=False)
    folder = pack or load_settings().city.pack
    with progress.status("a knowledge base is made …") as status:
        figures = measure(folder, passages, duplicates, lambda step: status.update(f"{step} …"))
    goals = [report.SEARCH, report.IMPORT, report.VISIBLE] if passages == MANY else []
    report.tell("Knowledge base", figures, goals, as_json=as_json)


def measure(pack: Path, entries: int, copies: float, say: Say) -> Figures:
    """Keys as in docs/knowledge.md."""
    city = CurrentCity(pack)
    say(f"{entries} entries are made")
    made = made_entries(city.pack, entries, copies)
    asked = _asked(made)
    with tempfile.TemporaryDirectory(prefix="lingting-bench-") as folder:
        figures = asyncio.run(_trial(Path(folder), city, made, asked, say))
        say("the peer")
        peer = _peer(Path(folder), made, [each.asked for each in asked])
    return {"entries": entries, **figures, **{f"jieba_{key}": peer[key] for key in peer}}


def _asked(made: Sequence[MadeEntry]) -> list[MadeEntry]:
    rng = np.random.default_rng(1)
    return [made[at] for at in rng.integers(len(made), size=QUESTIONS).tolist()]


async def _trial(
    folder: Path, city: CurrentCity, made: Sequence[MadeEntry], asked: Sequence[MadeEntry], say: Say
) -> Figures:
    async with _box(folder, city) as box:
        before = _memory()
        say("they are imported")
        figures, peak = await _imported(box, made)
        figures["memory_mib"] = round((_memory() - before) / MIB, 1)
        figures["memory_peak_mib"] = round((peak - before) / MIB, 1)
        say("they are searched")
        figures |= await asyncio.to_thread(_searched, box.desk, asked)
        say("they are changed")
        figures |= await _changed(box, city.pack)
        say("what is there twice is looked for")
        return figures | await _deduped(box)


@asynccontextmanager
async def _box(folder: Path, city: CurrentCity) -> AsyncIterator[KnowledgeBox]:
    metrics = Metrics()
    store = Store(StoreSettings(folder=folder / "store", reserve_mib=0), metrics)
    desk = KnowledgeDesk(store, city, metrics)
    app = FastAPI()
    service = KnowledgeService(desk, Archive(Settings(), store, metrics), None)
    app.include_router(knowledge_routes(service, None))
    await store.start()
    await desk.start()
    transport = httpx.ASGITransport(app)
    web = httpx.AsyncClient(transport=transport, base_url="http://box", timeout=PATIENCE_S)
    try:
        async with web:
            yield KnowledgeBox(desk, web)
    finally:
        await desk.close()
        await store.close()


async def _imported(box: KnowledgeBox, made: Sequence[MadeEntry]) -> tuple[Figures, int]:
    """And the most memory that it took, bytes."""
    begun, worked, told, peak = time.perf_counter(), time.process_time(), 0, 0
    for at in range(0, len(made), TOGETHER):
        body = {"entries": [each.fields() for each in made[at : at + TOGETHER]]}
        answer = await box.web.post(f"{PATH}/batch", params={"approve": True}, json=body)
        told += len(answer.raise_for_status().json()["contradictions"])
        peak = max(peak, _memory())
    kept_s = time.perf_counter() - begun
    await _until(lambda: len(box.desk.library) >= len(made))
    import_s = time.perf_counter() - begun
    passages = sum(row.shelf.searched for row in box.desk.library.rows)
    return {
        "passages": passages,
        "kept_s": round(kept_s, 2),
        "import_s": round(import_s, 2),
        "import_cpu_s": round(time.process_time() - worked, 2),
        "contradictions_told": told,
    }, max(peak, _memory())


def _searched(desk: KnowledgeDesk, asked: Sequence[MadeEntry]) -> Figures:
    """By one at a time; `cpu` counts no waiting for a busy machine."""
    took, cpu, first = [], [], 0
    for each in asked:
        begun, worked = time.perf_counter(), time.thread_time()
        found = desk.search([(each.asked, 1.0)])
        cpu.append(1000 * (time.thread_time() - worked))
        took.append(1000 * (time.perf_counter() - begun))
        first += each.title in [one.entry.title for one in found]
    return {
        "search_p50_ms": _share(took, 50),
        "search_p95_ms": _share(took, 95),
        "search_cpu_p95_ms": _share(cpu, 95),
        "found": round(first / len(asked), 3),
    }


async def _changed(box: KnowledgeBox, pack: CityPack) -> Figures:
    """How long it takes until what an approver wrote is found."""
    took = []
    for number, each in enumerate(made_entries(pack, EDITS, 0.0, seed=2)):
        fields = {**each.fields(), "questions": [f"{each.title}第{number}号"], "id": f"e{number}"}
        begun = time.perf_counter()
        answer = await box.web.post(
            f"{PATH}/batch", params={"approve": True}, json={"entries": [fields]}
        )
        answer.raise_for_status()
        await _until(partial(_is_searched, box.desk, f"e{number}"))
        took.append(1000 * (time.perf_counter() - begun))
    return {"visible_p50_ms": _share(took, 50), "visible_most_ms": _share(took, 100)}


def _is_searched(desk: KnowledgeDesk, entry: str) -> bool:
    return entry in desk.library.by_id


async def _deduped(box: KnowledgeBox) -> Figures:
    """As `lingting kb dedupe` asks."""
    before = _memory()
    peak, twice_s = await _watched(box.web.get(f"{PATH}/duplicates"))
    more, against_s = await _watched(box.web.get(f"{PATH}/contradictions"))
    return {
        "duplicates_s": round(twice_s, 2),
        "contradictions_s": round(against_s, 2),
        "dedupe_peak_mib": round((max(peak, more) - before) / MIB, 1),
    }


async def _watched(asking: Awaitable[httpx.Response]) -> tuple[int, float]:
    """The most memory meanwhile, bytes, and seconds."""
    begun, peak = time.perf_counter(), 0
    answer = asyncio.ensure_future(asking)
    while not answer.done():
        peak = max(peak, _memory())
        await asyncio.wait([answer], timeout=0.05)
    answer.result().raise_for_status()
    return peak, time.perf_counter() - begun


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            await asyncio.sleep(0.002)


def _peer(folder: Path, made: Sequence[MadeEntry], asked: Sequence[str]) -> dict[str, Any]:
    given = folder / "texts.json"
    texts = [f"{each.title}\n{each.answer}" for each in made]
    given.write_text(json.dumps({"texts": texts, "questions": list(asked)}), encoding="utf-8")
    command = [sys.executable, "-m", PEER, str(given)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def _memory() -> int:
    return int(psutil.Process().memory_info().rss)


def _share(values: Sequence[float], percent: float) -> float:
    return round(float(np.percentile(values, percent)), 2)
