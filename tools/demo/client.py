"""The demo's customer: streams a stereo call through the stock riva.client and draws the answers.

`python -m tools.demo.client CALL_FOLDER GRPC_ADDRESS HTTP_URL [--speed N] [--fail]`
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from inference.cer import cer
from tools.demo.after import (
    CALL_ID,
    follow_moods,
    mood_text,
    show_matrix,
    show_speakers,
)
from tools.demo.desks import show_quality, show_suggestion, show_warning, teach
from tools.demo.order import show_order

LEGS = {1: ("坐席", "cyan"), 2: ("市民", "green")}  # channel_tag -> name and colour
NAMES = {"agent": 1, "citizen": 2}
CHUNK_S = 0.1
BYTES_PER_S = 16_000  # two legs of 8 kHz A-law
POLL_S = 0.5  # between looks at which engine answers
MOODS_WITHIN_S = 5.0  # of the end of the call


@dataclass(frozen=True)
class ReferenceLine:
    """One sentence of the reference."""

    leg: int
    start_s: float
    end_s: float
    text: str


@dataclass
class ScreenLine:
    """One final, as it came."""

    leg: int
    begin_s: float
    end_s: float
    text: str
    came_s: float  # since the call began
    engine: str

    @property
    def clock(self) -> str:
        return f"{int(self.begin_s) // 60}:{self.begin_s % 60:04.1f}"


@dataclass
class Screen:
    """What is known so far, and how it looks."""

    reference: list[ReferenceLine]
    speed: float
    lines: list[ScreenLine] = field(default_factory=list)
    partials: dict[int, tuple[str, float]] = field(default_factory=dict)  # leg -> text, stability
    first_partials_s: list[float] = field(default_factory=list)
    spoken: set[int] = field(default_factory=set)  # sentences that have had a partial
    engine: str = "triton"
    notes: list[str] = field(default_factory=list)
    counts: dict[str, float] = field(default_factory=dict)  # finals by engine so far
    moods: dict[tuple[int, int], dict[str, Any]] = field(
        default_factory=dict
    )  # by leg, start in ms
    begun: float = 0.0
    weights: str = ""  # name and arithmetic of the speech model
    notice: str = ""  # what its readers should know

    @property
    def elapsed_s(self) -> float:
        return (time.monotonic() - self.begun) * self.speed if self.begun else 0.0

    def partial(self, leg: int, text: str, stability: float) -> None:
        self.partials[leg] = (text, stability)
        now = self.elapsed_s
        for i, said in enumerate(self.reference):
            if said.leg == leg and i not in self.spoken and said.start_s <= now <= said.end_s + 1:
                self.spoken.add(i)
                self.first_partials_s.append((now - said.start_s) / self.speed)

    def felt(self, leg: int, start_ms: int, mood: dict[str, Any]) -> None:
        """The mood of the final that begins there."""
        self.moods[leg, start_ms] = mood

    def __rich__(self) -> Group:
        table = Table.grid(padding=(0, 1))
        for _ in ("clock", "name"):
            table.add_column(no_wrap=True)
        table.add_column(overflow="fold", ratio=1)
        for line in self.lines[-14:]:
            name, colour = LEGS[line.leg]
            table.add_row(
                Text(line.clock, "dim"),
                Text(name, f"bold {colour}"),
                Text(line.text),
                mood_text(self.moods.get((line.leg, round(line.begin_s * 1000)))),
                Text(line.engine, "yellow" if line.engine == "cpu" else "dim"),
            )
        speaking = Table.grid(padding=(0, 1))
        for leg, (name, colour) in LEGS.items():
            text, stability = self.partials.get(leg, ("", 0.0))
            settled = round(len(text) * stability)
            words = Text(text[:settled]) + Text(text[settled:], "dim italic") + Text("▌", "dim")
            speaking.add_row(Text(name, colour), words if text else Text("", "dim"))
        who = f"应答引擎 engine: {self.engine}   模型 weights: {self.weights}"
        status = Text(f"{self.elapsed_s:5.1f} s   {who}", "bold")
        notes = [Text(note, "bold red") for note in self.notes]
        return Group(
            Panel(table, title="定稿 finals", border_style="dim"),
            Panel(speaking, title="正在说 being said", border_style="dim"),
            *notes,
            status,
            Text(self.notice, "yellow"),
        )


def samples(url: str, metric: str) -> dict[str, float]:
    """A metric of the box by its `engine` label; empty if it does not answer."""
    try:
        with urllib.request.urlopen(f"{url}/metrics", timeout=1) as answer:
            lines = answer.read().decode().splitlines()
    except OSError:
        return {}
    found = (line for line in lines if line.startswith(f"{metric}{{engine="))
    return {line.split('"')[1]: float(line.rpartition(" ")[2]) for line in found}


def weights_of(url: str) -> tuple[str, str]:
    """Name and arithmetic of the speech model, and what its readers should know."""
    try:
        with urllib.request.urlopen(f"{url}/v1/models", timeout=2) as answer:
            model = json.loads(answer.read())["data"][0]
    except (OSError, ValueError, LookupError):
        return "?", ""
    about = model["lingting"]
    return f"{model['id']} ({about['compute_type']})", about.get("notice", "")


def engine_in_use(url: str) -> str:
    """Which engine the box says answers now; "" if it does not say."""
    usable = [e for e, is_open in samples(url, "lingting_breaker_open").items() if not is_open]
    return "triton" if "triton" in usable else (usable or [""])[0]


def who_answered(url: str, screen: Screen) -> str:
    """The engine whose count of finals has grown since the last final."""
    before, screen.counts = screen.counts, samples(url, "lingting_finals_total") or screen.counts
    grown = [e for e, count in screen.counts.items() if count > before.get(e, 0)]
    return grown[0] if grown else screen.engine


def chunks(call: Path, screen: Screen) -> Iterator[bytes]:
    """The file in real time, header first."""
    data = call.read_bytes()
    step = int(CHUNK_S * BYTES_PER_S)
    screen.begun = time.monotonic()
    for i, at in enumerate(range(0, len(data), step)):
        time.sleep(max(0.0, screen.begun + i * CHUNK_S / screen.speed - time.monotonic()))
        yield data[at : at + step]


def stream(address: str, call: Path, screen: Screen) -> Iterator[Any]:
    """Responses of the stock client."""
    import riva.client

    service = riva.client.ASRService(
        riva.client.Auth(uri=address, metadata_args=[["x-call-id", CALL_ID]])
    )
    config = riva.client.StreamingRecognitionConfig(
        config=riva.client.RecognitionConfig(
            language_code="zh-CN",
            audio_channel_count=2,
            enable_separate_recognition_per_channel=True,
            enable_word_time_offsets=True,
            enable_automatic_punctuation=True,
            verbatim_transcripts=True,
        ),
        interim_results=True,
    )
    yield from service.streaming_response_generator(chunks(call, screen), config)


class CallLog:
    """The screen of those who do not look at a terminal: a line for each final and each note."""

    def __init__(self, console: Console, screen: Screen) -> None:
        self._console, self._screen = console, screen
        self._lines = self._notes = 0

    def refresh(self) -> None:
        for note in self._screen.notes[self._notes :]:
            self._console.print(note, soft_wrap=True, markup=False)
        for line in self._screen.lines[self._lines :]:
            name, _ = LEGS[line.leg]
            self._console.print(
                f"{line.clock} {name} {line.text} {line.engine}", soft_wrap=True, markup=False
            )
        self._notes, self._lines = len(self._screen.notes), len(self._screen.lines)


@contextlib.contextmanager
def shown(console: Console, screen: Screen) -> Iterator[Live | CallLog]:
    """The screen, kept up to date by `refresh`."""
    if console.is_terminal:
        with Live(screen, console=console, refresh_per_second=8, transient=False) as live:
            yield live
            screen.partials.clear()
    else:
        console.print(f"{screen.weights}: {screen.notice}", soft_wrap=True)
        yield CallLog(console, screen)


def follow(
    address: str, url: str, call: Path, screen: Screen, view: Live | CallLog, failing: bool
) -> None:
    looked = 0.0
    for response in stream(address, call, screen):
        now = time.monotonic()
        if now - looked > POLL_S:
            looked, before = now, screen.engine
            screen.engine = engine_in_use(url) or screen.engine
            if before == "triton" and screen.engine == "cpu":
                at = f"{screen.elapsed_s:.0f} s"
                screen.notes.append(
                    f"{at}: Triton 已被 kill -9，CPU 接手。 Triton was killed; the CPU goes on."
                    if failing
                    else f"{at}: CPU 接手。 The CPU has taken over."
                )
        for result in response.results:
            take(result, screen, url)
        view.refresh()


def take(result: Any, screen: Screen, url: str) -> None:
    leg = result.channel_tag or 1
    best = result.alternatives[0]
    if not result.is_final:
        screen.partial(leg, best.transcript.lstrip(), result.stability)
        return
    screen.partials.pop(leg, None)
    if best.transcript.strip():
        words = best.words
        begin, end = (words[0].start_time, words[-1].end_time) if words else (0, 0)
        engine = who_answered(url, screen)
        screen.lines.append(
            ScreenLine(
                leg, begin / 1000, end / 1000, best.transcript.strip(), screen.elapsed_s, engine
            )
        )


def summary(screen: Screen) -> Table:
    table = Table(title="结果 result", show_header=False, title_justify="left")
    for leg, (name, _) in LEGS.items():
        known = "".join(s.text for s in screen.reference if s.leg == leg)
        heard = "".join(line.text for line in screen.lines if line.leg == leg)
        table.add_row(f"{name} CER", f"{cer(known, heard):.1%}")
    if screen.first_partials_s:
        middle = statistics.median(screen.first_partials_s)
        table.add_row("开口到首个中间结果 speech to first partial, median", f"{middle:.2f} s")
    waits = [w for line in screen.lines if (w := _wait_s(line, screen)) is not None]
    if waits:
        table.add_row(
            "说完到定稿 end of speech to final, median", f"{statistics.median(waits):.2f} s"
        )
    engines = {line.engine for line in screen.lines}
    counts = ", ".join(f"{e}: {sum(x.engine == e for x in screen.lines)}" for e in sorted(engines))
    table.add_row("定稿由谁给出 finals by engine", counts)
    return table


def _wait_s(line: ScreenLine, screen: Screen) -> float | None:
    """From the end of the sentence (by the reference) to its final, wall time."""
    ends = [s.end_s for s in screen.reference if s.leg == line.leg and s.end_s <= line.came_s]
    return (line.came_s - max(ends)) / screen.speed if ends else None


def load(folder: Path) -> list[ReferenceLine]:
    sentences = json.loads((folder / "call.json").read_text(encoding="utf-8"))
    return [
        ReferenceLine(NAMES[s["leg"]], s["start_ms"] / 1000, s["end_ms"] / 1000, s["text"])
        for s in sentences
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("address")
    parser.add_argument("url")
    parser.add_argument("--speed", type=float, default=1.0)
    parser.add_argument("--fail", action="store_true")
    given = parser.parse_args()
    console = Console(highlight=False)
    screen = Screen(load(given.folder), given.speed, engine=engine_in_use(given.url))
    screen.weights, screen.notice = weights_of(given.url)
    teach(given.url)
    moods = follow_moods(given.url, screen.felt)
    try:
        with shown(console, screen) as view:
            follow(given.address, given.url, given.folder / "call.wav", screen, view, given.fail)
            moods.join(MOODS_WITHIN_S)
        console.print()
        console.print(summary(screen))
        show_matrix(console, given.url)
        show_order(console, given.url)
        show_suggestion(console, given.url)
        show_speakers(console, given.url, given.folder / "call.wav")
        show_quality(console, given.url)
        show_warning(console, given.url, given.folder / "call.wav")
    except KeyboardInterrupt:
        return 130
    return 0 if screen.lines else 1


if __name__ == "__main__":
    sys.exit(main())
