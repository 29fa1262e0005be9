"""What it costs a call to be followed: by a webhook, a watcher, and subscribers that derive events.

`python -m tools.bench.followed serve` is the gateway of it: it has SUBSCRIBERS more, and each tells
something of every final.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import http.server
import json
import secrets
import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx

from appliance.cli import serve
from appliance.engine.build import build_engine
from appliance.feed.subscriber import FollowedCall, Listener, Subscriber
from appliance.gateway import BuildEngine, Gateway
from appliance.load.host import Host
from appliance.load.live import CLIENT_START_S, Recording, make_plans, percentile, play, warm_up
from appliance.load.probe import Figures, ProcessWatch
from appliance.messages import Attribution, Final, Lasting, NumberedEvent, SpeakerTurn
from appliance.settings import Settings
from appliance.webhooks.delivery import SECRET_PREFIX

PROGRAM = ("-m", "tools.bench.followed", "serve")
SUBSCRIBERS = 3
LOOK_EVERY_S = 0.5  # for calls that have begun


class Deriving(Subscriber):
    """Tells of each final that somebody has said it."""

    def __init__(self, number: int) -> None:
        self.name = f"bench-{number}"

    def listen(self, call: FollowedCall) -> Listener | None:
        return DerivingListener()


class DerivingListener:
    async def hear(self, told: NumberedEvent) -> Sequence[Lasting]:
        final = told.event
        if not isinstance(final, Final):
            return ()
        turn = SpeakerTurn(0, final.start_ms, final.end_ms)
        return (Attribution(final.leg, (turn,), final.end_ms, False, "bench", True),)

    def leave(self) -> None:
        pass


class Watchers(threading.Thread):
    """One watcher for each live call; notes when a final came, and what was derived of it."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._url = url
        self._over = threading.Event()
        self._known: set[str] = set()
        self.derived_s: list[float] = []  # from the final to each derived event
        self._error: Exception | None = None

    def run(self) -> None:
        try:
            asyncio.run(self._run())
        except Exception as error:
            self._error = error

    def stop(self) -> None:
        """Raises what a watcher met."""
        self._over.set()
        self.join()
        if self._error:
            raise self._error

    async def _run(self) -> None:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=self._url, timeout=None, limits=limits) as client:
            watching: list[asyncio.Task[None]] = []
            while not self._over.is_set():
                found = await client.get("/api/v1/calls", params={"state": "running"})
                for call in found.json()["calls"]:
                    if call["id"] not in self._known:
                        self._known.add(call["id"])
                        watching.append(asyncio.create_task(self._watch(client, call["id"])))
                await asyncio.sleep(LOOK_EVERY_S)
            for each in watching:
                each.cancel()
            for ended in await asyncio.gather(*watching, return_exceptions=True):
                if isinstance(ended, Exception):
                    raise ended

    async def _watch(self, client: httpx.AsyncClient, call: str) -> None:
        came: dict[tuple[int, int], float] = {}  # finals, by leg and end
        async with client.stream("GET", f"/api/v1/calls/{call}/events") as events:
            async for line in events.aiter_lines():
                if not line.startswith("data:"):
                    continue
                told: dict[str, Any] = json.loads(line.removeprefix("data:"))
                now = time.monotonic()
                if told["kind"] == "final":
                    came[told["leg"], told["end_ms"]] = now
                elif told["kind"] == "speakers":
                    for turn in told["turns"]:
                        if (begun := came.get((told["leg"], turn["end_ms"]))) is not None:
                            self.derived_s.append(now - begun)


@contextlib.contextmanager
def receiver() -> Iterator[str]:
    """Takes webhooks; its URL."""

    class Takes(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Takes)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def told_by_webhook(folder: Path) -> Iterator[dict[str, str]]:
    """Settings of a box that tells a receiver of every call."""
    secret = folder / "secret"
    secret.write_text(SECRET_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode())
    secret.chmod(0o600)
    with receiver() as url:
        endpoint = {"url": url, "secret_file": str(secret)}
        yield {
            "LINGTING_WEBHOOKS__ENDPOINTS": json.dumps([endpoint]),
            "LINGTING_WEBHOOKS__ALLOW": '["127.0.0.0/8"]',
        }


def cores(host: Host, audio: Recording, calls: int, seconds: float) -> float:
    """What the box uses on average while it hears calls, engine and all."""
    box = host.box(lambda fresh: warm_up(fresh, audio))
    plans = make_plans(calls, 2, seconds, audio, time.time() + CLIENT_START_S)
    with ProcessWatch(box.process.pid) as watch:
        play(box.address, plans)
    return sum(watch.cores.values())


def trial(
    alone: Host, followed: Host, audio: Recording, calls: int, seconds: float, rounds: int
) -> Figures:
    """The same calls on both, in turns; keys as in docs/bench.md."""
    without, with_all = list[float](), list[float]()
    derived_s: list[float] = []

    def watched() -> None:
        watchers = Watchers(followed.box(lambda fresh: warm_up(fresh, audio)).url)
        watchers.start()
        with_all.append(cores(followed, audio, calls, seconds))
        watchers.stop()
        derived_s.extend(watchers.derived_s)

    def unwatched() -> None:
        without.append(cores(alone, audio, calls, seconds))

    for number in range(rounds):
        for turn in (watched, unwatched) if number % 2 else (unwatched, watched):
            turn()
    costs = [b / a - 1 for a, b in zip(without, with_all, strict=True)]
    return {
        "calls": calls,
        "subscribers": SUBSCRIBERS,
        "rounds": rounds,
        "alone_cores": round(statistics.median(without), 3),
        "followed_cores": round(statistics.median(with_all), 3),
        "following_cpu_share": round(statistics.median(costs), 3),
        "following_cpu_share_least": round(min(costs), 3),
        "following_cpu_share_most": round(max(costs), 3),
        "derived_events": len(derived_s),
        "derived_p50_s": percentile(derived_s, 50),
        "derived_p95_s": percentile(derived_s, 95),
    }


def main() -> None:
    from appliance.cli.app import app

    def followed(settings: Settings, build: BuildEngine = build_engine) -> Gateway:
        return Gateway(settings, build, [Deriving(number) for number in range(SUBSCRIBERS)])

    setattr(serve, "Gateway", followed)  # noqa: B010
    app()


if __name__ == "__main__":
    main()
