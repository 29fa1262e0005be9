"""Open pages of the bench: how soon they show what is said, and what they cost the gateway."""

from __future__ import annotations

import asyncio
import html
import statistics
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import grpc
import httpx

from appliance.load.host import Host
from appliance.load.live import (
    CLIENT_START_S,
    Recording,
    make_plans,
    percentile,
    play,
    warm_up,
)
from appliance.load.probe import WATCHING, Figures, ProcessWatch, Scrape, figures_of_use
from appliance.load.running import RunningBox
from appliance.proto.lingting.hotline.v1 import hotline_pb2 as pb

STREAM = "/lingting.hotline.v1.Hotline/StreamCall"
PROBE = "bench-probe"  # the call whose lines are timed
CHUNK_S, BYTES_PER_S = 0.1, 16_000
SCRAPE_EVERY_S = 1.0
SCRAPE_S = 15.0  # as monitoring/prometheus.yml does


@dataclass
class PageUpdates:
    """When the probe's lines came: to its caller, and to each page. Monotonic s."""

    told: dict[str, float] = field(default_factory=dict)  # by text
    shown: list[tuple[str, float]] = field(default_factory=list)  # text of a row, when
    scrapes_s: list[float] = field(default_factory=list)

    def waits_s(self) -> list[float]:
        """From the caller's event to each page's; partials that no page came to show are none."""
        return [max(0.0, at - self.told[text]) for text, at in self.shown if text in self.told]


class Pages(threading.Thread):
    """So many open pages, a Prometheus that scrapes, and one call whose lines are timed."""

    def __init__(self, address: str, url: str, pages: int, audio: bytes) -> None:
        super().__init__(daemon=True)
        self._address, self._url, self._pages, self._audio = address, url, pages, audio
        self.seen = PageUpdates()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over = asyncio.Event()

    def run(self) -> None:
        asyncio.run(self._run())

    def stop(self) -> None:
        if self._loop:
            self._loop.call_soon_threadsafe(self._over.set)
        self.join()

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        async with httpx.AsyncClient(base_url=self._url, timeout=None) as client:
            work = [self._page(client) for _ in range(self._pages)]
            tasks = [asyncio.ensure_future(each) for each in (*work, self._scrape(client))]
            tasks.append(asyncio.ensure_future(self._call()))
            await self._over.wait()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _page(self, client: httpx.AsyncClient) -> None:
        async with client.stream("GET", "/console/events") as events:
            own, known = False, set[str]()  # whether the row being read is the probe's; its lines
            async for line in events.aiter_lines():
                if 'class="name"' in line:
                    own = PROBE in line
                elif own and 'class="text' in line:
                    text = html.unescape(line.partition('">')[2].rpartition("</span>")[0])
                    if text not in known:  # a mood draws the row again
                        known.add(text)
                        self.seen.shown.append((text, time.monotonic()))

    async def _scrape(self, client: httpx.AsyncClient) -> None:
        while True:
            begun = time.monotonic()
            await client.get("/metrics")
            self.seen.scrapes_s.append(time.monotonic() - begun)
            await asyncio.sleep(SCRAPE_EVERY_S)

    async def _call(self) -> None:
        async with grpc.aio.insecure_channel(self._address) as channel:
            stream = channel.stream_stream(
                STREAM, pb.StreamCallRequest.SerializeToString, pb.CallEvent.FromString
            )
            async for event in stream(self._requests()):
                kind = event.WhichOneof("event")
                if kind in ("partial", "final"):
                    text = getattr(event, kind).text
                    self.seen.told.setdefault(text, time.monotonic())

    async def _requests(self) -> AsyncIterator[pb.StreamCallRequest]:
        encoding = pb.AUDIO_ENCODING_ALAW
        config = pb.CallConfig(
            encoding=encoding, sample_rate_hertz=8000, channels=2, call_id=PROBE, partials=True
        )
        yield pb.StreamCallRequest(config=config)
        step, begun = int(CHUNK_S * BYTES_PER_S), time.monotonic()
        for number, at in enumerate(range(0, len(self._audio), step), start=1):
            content = self._audio[at : at + step]
            yield pb.StreamCallRequest(audio=pb.Audio(content=content))
            await asyncio.sleep(begun + number * CHUNK_S - time.monotonic())


def trial(host: Host, audio: Recording, calls: int, pages: int, seconds: float) -> Figures:
    """The same calls without a page and with some; keys as in docs/bench.md."""
    box = host.box(lambda fresh: warm_up(fresh, audio))

    def load() -> ProcessWatch:
        plans = make_plans(calls, 1, seconds, audio, time.time() + CLIENT_START_S)
        with ProcessWatch(box.process.pid) as watch:
            play(box.address, plans)
        return watch

    without = load()
    watching = Pages(box.address, box.url, pages, audio.files[2].read_bytes())
    watching.start()
    watched = load()
    watching.stop()
    seen, cost = watching.seen, watched.cores["gateway"] - without.cores["gateway"]
    return {
        "calls": calls,
        "pages": pages,
        "updates": len(seen.waits_s()),
        "update_p50_s": percentile(seen.waits_s(), 50),
        "update_p95_s": percentile(seen.waits_s(), 95),
        "metrics_p50_s": round(statistics.median(seen.scrapes_s), 4),
        "pages_cpu_cores": round(max(0.0, cost), 3),
        "pages_cpu_share": round(max(0.0, cost) / max(without.cores["gateway"], 1e-3), 3),
        **figures_of_use(watched),
    }


def watching_share(host: Host, audio: Recording, calls: int, seconds: float) -> float:
    """Of the CPU time of the gateway and its engine, what goes into being watched: 0..1.

    By a gateway that times itself, scraped every SCRAPE_S.
    """
    box = host.box(lambda fresh: warm_up(fresh, audio))
    over = threading.Event()

    def scrape() -> None:
        while not over.wait(SCRAPE_S):
            httpx.get(f"{box.url}/metrics")

    scraper = threading.Thread(target=scrape, daemon=True)
    scraper.start()
    spent_s, begun = _watching_s(box), time.monotonic()
    with ProcessWatch(box.process.pid) as watch:
        play(box.address, make_plans(calls, 1, seconds, audio, time.time() + CLIENT_START_S))
    spent_s, wall_s = _watching_s(box) - spent_s, time.monotonic() - begun
    over.set()
    return round(spent_s / max(sum(watch.cores.values()) * wall_s, 1e-3), 4)


def _watching_s(box: RunningBox) -> float:
    return Scrape(httpx.get(f"{box.url}/metrics").text).total(WATCHING)
