"""The demo under load: many calls at once, as a hotline in its busy hour has them.

`python -m tools.demo.load CALL_FOLDER GRPC_ADDRESS HTTP_URL --calls N [--again]`
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import grpc
from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table

from appliance.proto.lingting.hotline.v1 import hotline_pb2 as pb

STREAM = "/lingting.hotline.v1.Hotline/StreamCall"
CHUNK_S = 0.1
BYTES_PER_S = 16_000  # two legs of 8 kHz A-law
STAGGER_S = 1.0  # between the beginnings of two calls
SHOWN = 12  # calls in the table
ROLES = (pb.ROLE_AGENT, pb.ROLE_CITIZEN)


@dataclass
class HeardLoad:
    """One call, as far as it has come."""

    name: str
    latest: str = ""
    finals: int = 0
    over: str = ""  # how it ended


@dataclass
class LoadScreen:
    url: str
    calls: dict[str, HeardLoad] = field(default_factory=dict)

    def __rich__(self) -> Group:
        table = Table(box=None, pad_edge=False, show_header=False)
        live = [each for each in self.calls.values() if not each.over]
        for each in live[:SHOWN]:
            table.add_row(each.name, each.latest[-40:])
        if len(live) > SHOWN:
            table.add_row("…", f"另有 {len(live) - SHOWN} 通 {len(live) - SHOWN} more")
        told = sum(each.finals for each in self.calls.values())
        ended = len(self.calls) - len(live)
        head = f"{len(live)} 通电话进行中，{ended} 通已结束，{told} 句定稿  live, over, finals"
        look = f"[bold]在浏览器中打开 Open in a browser:[/] [link={self.url}/]{self.url}/[/link]"
        return Group(Panel(look), head, table)


class DemoLoad:
    """Calls that begin one after the other and go on side by side."""

    def __init__(self, address: str, audio: bytes, screen: LoadScreen) -> None:
        self._audio, self.screen = audio, screen
        self._channel = grpc.aio.insecure_channel(address)
        self._day = time.strftime("%m%d")

    async def round(self, number: int, calls: int) -> None:
        await asyncio.gather(*(self._call(number, place) for place in range(calls)))

    async def _call(self, number: int, place: int) -> None:
        await asyncio.sleep(place * STAGGER_S)
        heard = HeardLoad(f"{self._day}-{number:02}{place:03}")
        self.screen.calls[heard.name] = heard
        stream = self._channel.stream_stream(
            STREAM, pb.StreamCallRequest.SerializeToString, pb.CallEvent.FromString
        )
        try:
            async for event in stream(self._requests(heard.name)):
                kind = event.WhichOneof("event")
                if kind == "partial":
                    heard.latest = event.partial.text
                elif kind == "final" and event.final.text:
                    heard.latest, heard.finals = event.final.text, heard.finals + 1
            heard.over = "whole"
        except grpc.aio.AioRpcError as error:
            heard.over = error.code().name

    async def _requests(self, name: str) -> AsyncIterator[pb.StreamCallRequest]:
        config = pb.CallConfig(
            encoding=pb.AUDIO_ENCODING_ALAW,
            sample_rate_hertz=8000,
            channels=2,
            call_id=name,
            partials=True,
            moods=True,
            leg_roles=ROLES,
        )
        yield pb.StreamCallRequest(config=config)
        begun, step = time.monotonic(), int(CHUNK_S * BYTES_PER_S)
        for at in range(0, len(self._audio), step):
            piece = self._audio[at : at + step]
            yield pb.StreamCallRequest(audio=pb.Audio(content=piece))
            await asyncio.sleep(begun + (at + step) / BYTES_PER_S - time.monotonic())


async def run(given: argparse.Namespace) -> int:
    wav = (Path(given.folder) / "call.wav").read_bytes()
    screen = LoadScreen(given.url)
    load = DemoLoad(given.address, wav[wav.index(b"data") + 8 :], screen)
    console = Console(highlight=False)
    if not console.is_terminal:
        console.print(screen)
    number = 0
    with Live(screen, console=console, refresh_per_second=4, transient=True):
        while number == 0 or given.again:
            await load.round(number, given.calls)
            number += 1
    ends = [each.over for each in screen.calls.values()]
    whole, finals = ends.count("whole"), sum(each.finals for each in screen.calls.values())
    console.print(
        f"{whole} / {len(ends)} 通电话完整结束，{finals} 句定稿。 "
        f"{whole} of {len(ends)} calls went to their end, {finals} finals."
    )
    for code in sorted(set(ends) - {"whole"}):
        console.print(f"[yellow]{code}: {ends.count(code)}[/]")
    return 0 if whole == len(ends) else 1


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.demo.load", description=__doc__)
    parser.add_argument("folder", help="of the bundled call")
    parser.add_argument("address", help="HOST:PORT of gRPC")
    parser.add_argument("url", help="of HTTP")
    parser.add_argument("--calls", type=int, default=20)
    parser.add_argument("--again", action="store_true", help="until Ctrl-C")
    with contextlib.suppress(KeyboardInterrupt):
        return asyncio.run(run(parser.parse_args()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
