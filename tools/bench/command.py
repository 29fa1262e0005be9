"""`lingting bench`: what this machine carries, and how much of that is our doing."""

from __future__ import annotations

import contextlib
import enum
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from appliance.engine.process import ONE_BLAS_THREAD
from appliance.errors import SettingsError
from appliance.load import live as bench_live
from appliance.load.host import Host
from appliance.load.probe import Figures
from appliance.load.search import Player, Search, player_of
from appliance.settings import load_settings
from tools.bench import calls as bench_calls
from tools.bench import followed as bench_followed
from tools.bench import idle as bench_idle
from tools.bench import knowledge as bench_knowledge
from tools.bench import orders as bench_orders
from tools.bench import page as bench_page
from tools.bench import recordings as bench_recordings
from tools.bench import report
from tools.peers import wyoming

NAIVE_PROGRAM = ("-m", "tools.peers.naive")
# Idle OpenBLAS threads spin: our model processes have one each, and the peer gets the same help.
NAIVE_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1"}
WATCHED = ("-m", "tools.bench.watched", "serve")
AUTO = "auto"
SERVED = "LINGTING_MODELS__ASR"
FIVE_MINUTES = 5.0  # the recording that has goals
app = typer.Typer(help="Measure what this machine carries with the bundled call.")
progress = Console(stderr=True, highlight=False)


class Peer(enum.StrEnum):
    NAIVE = "naive"
    BATCHED = "batched"
    WYOMING = "wyoming"


class ShapeOption(enum.StrEnum):
    TINY = "tiny"
    SMALL = "small"
    TURBO = "turbo"


Against = Annotated[
    Peer | None,
    typer.Option(
        help="Measure a peer too. naive: a faster-whisper call a window, behind our doors; "
        "batched, for recordings: faster-whisper's BatchedInferencePipeline at its best; wyoming, "
        "for live calls: wyoming-faster-whisper, a public server, told where sentences end."
    ),
]
OfShape = Annotated[
    ShapeOption | None,
    typer.Option(
        help="Random weights in the shape of another Whisper, which write nothing that means "
        "anything, but as many tokens as the speech would need: for its speed alone."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one flat JSON object.")]


@app.command()
def live(
    calls: Annotated[
        str, typer.Option(help="Calls at once; auto looks for the most that are served in time.")
    ] = "4",
    legs: Annotated[int, typer.Option(min=1, max=2, help="Legs of a call.")] = 2,
    seconds: Annotated[float, typer.Option(min=8, max=3600, help="Length of a call.")] = 30.0,
    runs: Annotated[int, typer.Option(min=1, max=20, help="Repeat; tell medians.")] = 1,
    most: Annotated[int, typer.Option(min=1, help="Most calls that the search tries.")] = 128,
    within: Annotated[
        float, typer.Option(min=0.05, help="Endpoint to final, p95, of sustained calls, s.")
    ] = 1.0,
    kill_triton: Annotated[
        float | None,
        typer.Option(min=0, help="Kill Triton (-9) so long after the calls have begun, s."),
    ] = None,
    finals_only: Annotated[
        bool, typer.Option("--finals-only", help="Ask for no partials.")
    ] = False,
    against: Against = None,
    shape: OfShape = None,
    as_json: AsJson = False,
) -> None:
    """Play calls in real time over gRPC: latencies, refusals, CPU, memory, batches."""
    count = _count(calls)
    _check_peer(against)
    if against is Peer.BATCHED:
        raise typer.BadParameter("batched hears recordings only", param_hint="--against")

    load = bench_live.Load(count or 0, legs, seconds, not finals_only, kill_triton)
    search = Search(most, within)
    searched = against is not None or count is None

    def measure(engine: str) -> Figures:
        measured = []
        for number in range(runs):
            doing = _doing(f"{engine}, run {number + 1} of {runs}")
            with doing as say, _player(engine, load, unlimited=searched) as player:
                measured.append(_live_run(player, load, search, say, searched=searched))
        return report.medians(measured)

    with _shaped(shape):
        figures = measure(_engine())
        if against:
            figures = report.against(figures, measure(against), ("sustained_calls",), against)
        goals = report.live_goals(legs * (count or 0), partials=not finals_only)
        goals += [report.CALLS[against]] if against else []
        report.tell("Live calls", _titled(figures), goals, as_json=as_json)


@contextlib.contextmanager
def _player(engine: str, load: bench_live.Load, *, unlimited: bool) -> Iterator[Player]:
    """Who hears the calls: a box, or a public server."""
    with bench_live.recording() as audio:
        if engine == Peer.WYOMING:
            with wyoming.Server(load_settings().models.asr) as server:
                yield Player(
                    lambda calls, seconds: server.trial(audio, calls, load.legs, seconds),
                    lambda: None,
                )
            return
        with _host(engine, unlimited=unlimited) as host:
            yield player_of(host, audio, load)


def _host(engine: str, *, unlimited: bool = False) -> Host:
    """The box with that engine, or the peer that stands behind our doors."""
    if engine == Peer.NAIVE:
        return Host(
            engine, unlimited=unlimited, program=NAIVE_PROGRAM, environment=NAIVE_ENVIRONMENT
        )
    return Host(engine, unlimited=unlimited)


def _live_run(
    player: Player,
    load: bench_live.Load,
    search: Search,
    say: Callable[[str], None],
    *,
    searched: bool,
) -> Figures:
    """Some calls measured, or the most that are sustained searched, or both."""
    figures: Figures = {}
    best = 0
    if load.calls:
        say(f"{load.calls} calls at once")
        figures = player.play(load.calls, load.seconds)
        best = load.calls if bench_live.sustained(figures, search.within_s) else 0
    if searched:
        best, trial = search.run(player, say)
        figures = figures or trial
    figures |= {"sustained_calls": best, "sustained_legs": best * load.legs}
    figures["sustained_within_s"] = search.within_s
    return figures


@app.command()
def recordings(
    files: Annotated[int, typer.Option(min=1, help="How often the recording is sent.")] = 8,
    concurrency: Annotated[int, typer.Option(min=1, max=64, help="How many at once.")] = 4,
    runs: Annotated[int, typer.Option(min=1, max=20, help="Repeat; tell medians.")] = 3,
    against: Against = None,
    shape: OfShape = None,
    as_json: AsJson = False,
) -> None:
    """Send recordings to the OpenAI door: seconds of audio a second, memory, batches."""
    _check_peer(against)
    if against is Peer.WYOMING:
        raise typer.BadParameter("wyoming hears live calls only", param_hint="--against")

    def measure(engine: str) -> Figures:
        with _doing(engine) as say, _host(engine) as host:
            measured = []
            for number in range(runs):
                say(f"run {number + 1} of {runs}")
                measured.append(bench_recordings.trial(host, files, concurrency))
            return report.medians(measured)

    with _shaped(shape):
        figures = measure(_engine())
        if against:
            peer = _batched(files) if against is Peer.BATCHED else measure(against)
            figures = report.against(figures, peer, ("audio_seconds_per_second",), against)
        goals = [report.RECORDINGS[against]] if against else []
        report.tell("Recordings", _titled(figures), goals, as_json=as_json)


@app.command()
def calls(
    minutes: Annotated[
        float, typer.Option(min=0.5, max=60, help="Length of the recording.")
    ] = FIVE_MINUTES,
    runs: Annotated[int, typer.Option(min=1, max=20, help="Repeat; tell medians.")] = 3,
    as_json: AsJson = False,
) -> None:
    """Turn one recording into a call, in two channels and in one: what speakers and moods cost."""
    host = Host(_engine())
    with _doing(host.engine) as say, host:
        measured = []
        for number in range(runs):
            say(f"run {number + 1} of {runs}")
            measured.append(bench_calls.trial(host, minutes))
    figures = report.medians(measured)
    goals = [report.STEREO, report.MONO] if minutes == FIVE_MINUTES else []
    report.tell("Calls", _titled(figures), [*goals, report.DIARIZATION], as_json=as_json)


@app.command()
def idle(
    streams: Annotated[int, typer.Option(min=1, max=1000, help="Streams held open.")] = 200,
    as_json: AsJson = False,
) -> None:
    """Hold idle streams open: memory of the gateway, and how long a box takes to be ready."""
    host = Host(_engine(), unlimited=True)
    with _doing(host.engine) as say, host, bench_live.recording() as audio:
        say(f"{streams} idle streams")
        figures = bench_idle.trial(host, audio, streams)
    goals = [report.MEMORY, report.READY]
    report.tell("Idle streams", _titled(figures), goals, as_json=as_json)


@app.command()
def page(
    calls: Annotated[int, typer.Option(min=1, max=500, help="Calls at once, of one leg.")] = 100,
    pages: Annotated[int, typer.Option(min=1, max=100, help="Open pages.")] = 10,
    seconds: Annotated[float, typer.Option(min=10, help="Length of a call.")] = 30.0,
    as_json: AsJson = False,
) -> None:
    """Open pages while calls are live: how soon they show a line, and what they cost.

    On a box of its own, some three minutes; goals are in docs/bench.md.
    """
    host = Host(_engine(), unlimited=True)
    with _doing(host.engine) as say, host, bench_live.recording() as audio:
        say(f"{calls} calls, without pages and with {pages}")
        figures = bench_page.trial(host, audio, calls, pages, seconds)
        host.drop()
        say(f"{calls} calls, and a gateway that times how it is watched")
        timing = Host(host.engine, unlimited=True, program=WATCHED)
        with timing:
            share = bench_page.watching_share(timing, audio, calls, seconds)
        figures["watching_cpu_share"] = share
    goals = [report.UPDATE, report.METRICS, report.PAGES, report.WATCHING]
    report.tell("Open pages", _titled(figures), goals, as_json=as_json)


@app.command()
def followed(
    calls: Annotated[int, typer.Option(min=1, max=100, help="Calls at once, of two legs.")] = 4,
    seconds: Annotated[float, typer.Option(min=10, help="Length of a call.")] = 30.0,
    runs: Annotated[int, typer.Option(min=1, max=20, help="Rounds; tell medians.")] = 5,
    as_json: AsJson = False,
) -> None:
    """Follow calls by a webhook, a watcher, three subscribers: what it costs, how soon they tell.

    Two boxes hear the same calls in turns, one that is followed and one that is not.
    """
    with (
        tempfile.TemporaryDirectory(prefix="lingting-bench-") as folder,
        bench_followed.told_by_webhook(Path(folder)) as settings,
        Host(_engine(), unlimited=True) as alone,
        Host(
            _engine(), unlimited=True, environment=settings, program=bench_followed.PROGRAM
        ) as box,
        _doing(alone.engine) as say,
        bench_live.recording() as audio,
    ):
        say(f"{calls} calls, {runs} rounds, followed and not")
        figures = bench_followed.trial(alone, box, audio, calls, seconds, runs)
    goals = [report.FOLLOWING, report.DERIVED]
    report.tell("Followed calls", _titled(figures), goals, as_json=as_json)


def _count(calls: str) -> int | None:
    """None: to be searched."""
    if calls == AUTO:
        return None
    if not calls.isdecimal() or not int(calls):
        raise typer.BadParameter("a number, or auto", param_hint="--calls")
    return int(calls)


def _check_peer(against: Peer | None) -> None:
    """Before minutes are spent on ours."""
    import importlib.util

    package = "wyoming_faster_whisper" if against is Peer.WYOMING else "faster_whisper"
    if against and importlib.util.find_spec(package) is None:
        hint = "run `make .venv/.dev`"
        raise SettingsError(f"run the {against} peer", f"{package} is not installed", hint)


@contextlib.contextmanager
def _shaped(shape: ShapeOption | None) -> Iterator[None]:
    """With random weights of that shape instead of what the settings name."""
    if shape is None:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="lingting-shape-") as folder:
        command = [sys.executable, "-m", "inference.training.shapes", shape, "--out", folder]
        with progress.status(f"random weights in the shape of Whisper {shape} …"):
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        before = os.environ.get(SERVED)
        os.environ[SERVED] = folder
        try:
            yield
        finally:
            os.environ.pop(SERVED)
            if before is not None:
                os.environ[SERVED] = before


def _batched(files: int) -> Figures:
    """In a process of its own, with our workers' one BLAS thread."""
    bundle = str(load_settings().models.asr)
    command = ["-m", "tools.peers.batched", bundle, str(bench_recordings.FILE), str(files)]
    with progress.status("faster-whisper, batched, every way …"):
        done = subprocess.run(
            [sys.executable, *command],
            env={**os.environ, **ONE_BLAS_THREAD},
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        )
    found: Figures = json.loads(done.stdout)
    return found


def _engine() -> str:
    """The engine of ours that is measured."""
    return "cpu" if load_settings().triton.mode == "off" else "triton"


@contextlib.contextmanager
def _doing(what: str) -> Iterator[Callable[[str], None]]:
    """A line on standard error that says what takes so long."""
    with progress.status(f"{what}: starting a box …") as status:

        def say(step: str) -> None:
            status.update(f"{what}: {step} …")
            if not progress.is_terminal:
                progress.print(f"{what}: {step}")

        yield say


def _titled(figures: Figures) -> Figures:
    return {**report.about(load_settings().models.asr), **figures}


@app.command()
def orders(
    count: Annotated[int, typer.Option(min=1, help="Open orders in the store.")] = 10_000,
    timers: Annotated[int, typer.Option(min=0, help="Timers in the store.")] = 100_000,
    pack: Annotated[Path | None, typer.Option(help="City pack; else the settings'.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one flat object.")] = False,
) -> None:
    """Work orders: what a final costs, a list of many open orders, many timers."""
    with progress.status("measuring"):
        figures = bench_orders.measure(pack or load_settings().city.pack, count, timers)
    if as_json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        progress.print(f"{name:>20}  {value:g}")


app.command("knowledge")(bench_knowledge.knowledge)
