"""A gateway in a thread of its own, whose calls a test makes up: for what no model would say."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

from appliance.console.board import Line, Lines
from appliance.feed.kept import KeptCall
from appliance.messages import CallConfig, Partial
from appliance.metrics import Metrics
from tests.integration.gateway import gateway


class Crowd:
    """Live calls of a box; its thread alone touches them."""

    def __init__(self) -> None:
        self.url = ""
        self._metrics = Metrics()
        self._lines: list[Line] = []
        self._loop = asyncio.new_event_loop()

    def add(self, count: int, name: str = "n-{}", system: str = "local") -> None:
        def make() -> None:
            first = len(self._lines)
            for number in range(first, first + count):
                config = CallConfig(call_id=name.format(number), tenant=system)
                line = Lines().listen(KeptCall(f"id{number}", config, self._metrics))
                assert isinstance(line, Line)
                self._lines.append(line)

        self._do(make)

    def say(self, number: int, text: str) -> None:
        def show() -> None:
            line = self._lines[number]
            line.call.log.show(Partial(0, 0, text, "", 0, 1000))
            line.news += 1

        self._do(show)

    def _do(self, work: object) -> None:
        done = threading.Event()
        self._loop.call_soon_threadsafe(lambda: (work(), done.set()))  # type: ignore[operator]
        assert done.wait(30)

    async def run(self, folder: Path, ready: threading.Event, over: asyncio.Event) -> None:
        async with gateway(folder) as made:
            made.whole.lines.live = lambda: self._lines  # type: ignore[method-assign]
            self.url = made.http
            ready.set()
            await over.wait()


@contextlib.contextmanager
def crowd(folder: Path) -> Iterator[Crowd]:
    made, ready, over = Crowd(), threading.Event(), asyncio.Event()
    thread = threading.Thread(
        target=lambda: made._loop.run_until_complete(made.run(folder, ready, over)), daemon=True
    )
    thread.start()
    assert ready.wait(60)
    yield made
    made._loop.call_soon_threadsafe(over.set)
    thread.join(30)
