"""Live calls of the bench: play N in real time, measure, find how many a box carries."""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import quantiles

from appliance.engine.process import leash
from appliance.errors import EngineUnavailable
from appliance.load.client import CHUNK_S, HeardCall, Plan
from appliance.load.host import Host
from appliance.load.probe import Figures, ProcessWatch, Scrape, batches, figures_of_use, quantile
from appliance.load.running import RunningBox
from appliance.settings.section import PROJECT

MOST_LATE_S = 0.1
CALL = PROJECT / "bundles" / "demo-call"
CHANNELS = {"agent": 1, "citizen": 2}  # channel_tag
ALAW_HZ = 8000
CALLS_PER_CLIENT = 8
CLIENT_START_S = 2.0  # for the client processes to import their libraries
STAGGER_S = 4.0  # the calls' starts are spread over this
WARM_UP_S = 4.0
PAUSE_S = 1.2  # silence around a sentence that tells its partials and finals from its neighbours'
LATE_FINAL_S = 15.0
FAULTS = ("refused", "errors", "sentences_unheard")  # figures that are 0 where all was well
GOLDEN = 0.618034  # spreads the calls' places in the recording evenly


@dataclass(frozen=True, slots=True)
class ScriptedSentence:
    """One sentence of the reference, and whether silence stands before and after it."""

    leg: int
    start_s: float
    end_s: float
    clear_before: bool
    clear_after: bool


@dataclass(frozen=True, slots=True)
class Recording:
    """The bundled call as raw A-law files, and what is said in it when."""

    files: Mapping[int, Path]  # legs 2: the stereo file; 1 and -1: either leg alone
    duration_s: float
    sentences: tuple[ScriptedSentence, ...]


@contextlib.contextmanager
def recording() -> Iterator[Recording]:
    """The demo call without its header, as a stereo file and as one file a leg."""
    wav = (CALL / "call.wav").read_bytes()
    data = wav[wav.index(b"data") + 8 :]
    data = data[: len(data) // 2 * 2]
    with tempfile.TemporaryDirectory(prefix="lingting-bench-") as folder:
        files = {2: Path(folder) / "call", 1: Path(folder) / "agent", -1: Path(folder) / "citizen"}
        for key, content in ((2, data), (1, data[0::2]), (-1, data[1::2])):
            files[key].write_bytes(content)
        duration_s = len(data) / 2 / ALAW_HZ
        text = (CALL / "call.json").read_text(encoding="utf-8")
        yield Recording(files, duration_s, tuple(_sentences(json.loads(text), duration_s)))


def _sentences(said: list[dict[str, object]], duration_s: float) -> Iterator[ScriptedSentence]:
    for leg, channel in CHANNELS.items():
        times = sorted(
            (float(str(s["start_ms"])) / 1000, float(str(s["end_ms"])) / 1000)
            for s in said
            if s["leg"] == leg
        )
        for i, (start, end) in enumerate(times):
            before = start - times[i - 1][1] + (duration_s if i == 0 else 0)
            after = times[(i + 1) % len(times)][0] - end
            after += duration_s if i == len(times) - 1 else 0
            yield ScriptedSentence(channel, start, end, before >= PAUSE_S, after >= PAUSE_S)


@dataclass(frozen=True, slots=True)
class Load:
    """What is played to a box."""

    calls: int
    legs: int  # of each
    seconds: float
    partials: bool = True
    kill_triton_s: float | None = None  # after the calls have begun, by -9


def make_plans(
    calls: int,
    legs: int,
    seconds: float,
    audio: Recording,
    start_at: float,
    *,
    partials: bool = True,
) -> list[Plan]:
    """Calls that begin one after another, each at another place of the recording."""
    plans = []
    for i in range(calls):
        side = 2 if legs == 2 else 1 - 2 * (i % 2)
        chunks = int(audio.duration_s / CHUNK_S)
        offset = int((i * GOLDEN) % 1 * chunks) * int(CHUNK_S * ALAW_HZ) * legs
        begin = start_at + i * STAGGER_S / calls
        plans.append(Plan(i, str(audio.files[side]), legs, offset, begin, seconds, partials))
    return plans


def play(address: str, plans: Sequence[Plan]) -> list[HeardCall]:
    """Run the calls in client processes; what each heard. Leaves no process behind."""
    count = max(1, min(os.cpu_count() or 1, math.ceil(len(plans) / CALLS_PER_CLIENT)))
    with tempfile.TemporaryDirectory(prefix="lingting-bench-") as folder:
        clients = []
        try:
            for i in range(count):
                path = Path(folder) / f"{i}.json"
                path.write_text(json.dumps([asdict(plan) for plan in plans[i::count]]))
                command = [sys.executable, "-m", "appliance.load.client", address, str(path)]
                clients.append(
                    subprocess.Popen([*leash("run the bench"), *command], stdout=subprocess.PIPE)
                )
            lines = [line for client in clients for line in client.communicate()[0].splitlines()]
        finally:
            for client in clients:
                client.kill()
                client.wait()
    heard = [HeardCall(**json.loads(line)) for line in lines]
    if len(heard) < len(plans):
        raise EngineUnavailable("run the bench", "a client process has died", "see above for why")
    return heard


def warm_up(box: RunningBox, audio: Recording) -> None:
    """One short call: libraries that load with the first window are no part of the figures."""
    play(box.address, make_plans(1, 2, WARM_UP_S, audio, time.time()))


def trial(host: Host, audio: Recording, load: Load) -> Figures:
    """Play calls and measure; keys as in docs/bench.md."""
    box = host.box(lambda fresh: warm_up(fresh, audio))
    before = host.pages()
    start_at = time.time() + CLIENT_START_S
    plans = make_plans(load.calls, load.legs, load.seconds, audio, start_at, partials=load.partials)
    with ProcessWatch(box.process.pid) as watch, _killing(box, load.kill_triton_s):
        heard = play(box.address, plans)
    after = host.pages()
    for error in (errors := sorted({h.error for h in heard if h.error})):
        print(f"a call ended with {error}", file=sys.stderr)
    if errors:
        print(box.last_words()[-1500:], file=sys.stderr)
    return {
        "calls": load.calls,
        "legs": load.calls * load.legs,
        "seconds": load.seconds,
        "partials_wanted": load.partials,
        **_clients_view(plans, heard, audio),
        **_gateways_view(before[0], after[0]),
        **batches(before[1], after[1]),
        **figures_of_use(watch),
    }


@contextlib.contextmanager
def _killing(box: RunningBox, after_s: float | None) -> Iterator[None]:
    """Kill its Triton `after_s` seconds after the calls have begun."""
    if after_s is None:
        yield
        return

    def kill() -> None:
        if pid := box.triton_pid():
            os.kill(pid, signal.SIGKILL)

    timer = threading.Timer(CLIENT_START_S + after_s, kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _clients_view(plans: Sequence[Plan], heard: Sequence[HeardCall], audio: Recording) -> Figures:
    firsts: list[float] = []
    waits: list[float] = []
    missed = 0
    by_call = {h.call: h for h in heard}
    for plan in plans:
        own = by_call[plan.call]
        for sentence in said_in(plan, audio):
            first = _first_partial(sentence, own)
            if sentence.clear_before and first is not None:
                firsts.append(first)
            if sentence.clear_after:
                wait = _final_wait(sentence, own)
                missed += wait is None
                waits += [] if wait is None else [wait]
    return {
        "first_partial_p50_s": percentile(firsts, 50),
        "first_partial_p95_s": percentile(firsts, 95),
        "speech_end_to_final_p50_s": percentile(waits, 50),
        "speech_end_to_final_p95_s": percentile(waits, 95),
        "sentences_unheard": missed,
        "refused": sum(h.refused for h in heard),
        "errors": sum(bool(h.error) for h in heard),
        "client_late_s": round(max((h.late_s for h in heard), default=0.0), 3),
    }


def said_in(plan: Plan, audio: Recording) -> Iterator[ScriptedSentence]:
    """The sentences a call holds in full, timed from its first chunk."""
    offset_s = plan.offset / plan.legs / ALAW_HZ
    only = {"agent": 1, "citizen": 2}.get(Path(plan.audio).name)
    rounds = math.ceil((plan.seconds + offset_s) / audio.duration_s)
    for number in range(rounds):
        shift = number * audio.duration_s - offset_s
        for s in audio.sentences:
            inside = s.start_s + shift >= 0 and s.end_s + shift <= plan.seconds
            if inside and only in (None, s.leg):
                leg = s.leg if only is None else 1
                times = (s.start_s + shift, s.end_s + shift)
                yield ScriptedSentence(leg, *times, s.clear_before, s.clear_after)


def _first_partial(sentence: ScriptedSentence, heard: HeardCall) -> float | None:
    came = (t for leg, t in heard.partials if leg == sentence.leg and t > sentence.start_s)
    first = next(came, None)
    return None if first is None or first > sentence.end_s + PAUSE_S else first - sentence.start_s


def _final_wait(sentence: ScriptedSentence, heard: HeardCall) -> float | None:
    """From the end of a sentence to the final that holds its end."""
    for leg, came, end_s in heard.finals:
        late = came - sentence.end_s
        if leg == sentence.leg and 0 < late < LATE_FINAL_S and end_s > sentence.end_s - PAUSE_S:
            return late
    return None


def percentile(values: Sequence[float], percent: int) -> float | None:
    if not values:
        return None
    if len(values) == 1:
        return round(values[0], 3)
    return round(quantiles(values, n=100, method="inclusive")[percent - 1], 3)


def _gateways_view(before: Scrape, after: Scrape) -> Figures:
    figures: Figures = {}
    for name in ("endpoint_to_final", "first_partial"):
        key = name if name == "endpoint_to_final" else f"gateway_{name}"
        for percent in (50, 95):
            value = quantile(before, after, f"lingting_{name}_seconds", percent / 100)
            figures[f"{key}_p{percent}_s"] = None if value is None else round(value, 3)

    def gained(name: str, **labels: str) -> int:
        return round(after.total(name, **labels) - before.total(name, **labels))

    for engine in ("triton", "cpu", "naive"):
        figures[f"finals_{engine}"] = gained("lingting_finals_total", engine=engine)
    figures["partials"] = gained("lingting_partials_total")
    figures["partials_dropped"] = gained("lingting_partials_dropped_total")
    figures["partials_paused"] = bool(after.total("lingting_partials_paused"))
    figures["partial_interval_s"] = round(after.total("lingting_partial_interval_seconds"), 3)
    return figures


def sustained(figures: Figures, within_s: float) -> bool:
    """Whether a trial's calls were served as they should be."""
    latency = figures["endpoint_to_final_p95_s"]
    flawless = not any(figures[key] for key in FAULTS)
    return (
        flawless
        and not is_disturbed(figures)
        and isinstance(latency, float)
        and latency <= within_s
    )


def is_disturbed(figures: Figures) -> bool:
    """Whether the clients were late themselves: then they played no real time, and nothing is said
    of who was measured."""
    late_s = figures.get("client_late_s")
    return isinstance(late_s, float) and late_s > MOST_LATE_S


def largest(holds: Callable[[int], bool], most: int) -> int:
    """The largest count that holds, by doubling, then bisecting to one part in eight; 0 if none."""
    good, bad = 0, 1
    while bad <= most and holds(bad):
        good, bad = bad, 2 * bad
    bad = min(bad, most + 1)
    while bad - good > max(1, good // 8):
        middle = (good + bad) // 2
        if holds(middle):
            good = middle
        else:
            bad = middle
    return good
