"""How a model runs best on this device: arithmetic, lanes and threads, measured when it is loaded.

CTranslate2's own default turns float16 weights into float32 on a CPU, several times slower than
int8. What was measured is written down, so that the next start need not measure again.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import ctranslate2

from inference.bundles import MANIFEST, sha256

log = logging.getLogger(__name__)

AUTO = "auto"
# In order of what is tried first; of those the device supports the fastest is taken.
ON_CPU = ("int8", "int8_bfloat16", "int8_float32")
ON_GPU = ("float16", "int8_float16", "bfloat16", "int8_bfloat16")
LAST_RESORT = "float32"
_AVX512 = {"avx512f", "avx512cd", "avx512vl", "avx512bw", "avx512dq"}
GAIN = 0.95  # a later candidate must take less than this share of the best one's time
ROUNDS = 2  # of which the faster counts

Model = TypeVar("Model")


@dataclass(frozen=True, slots=True)
class Tuning:
    compute_type: str
    lanes: int = 1  # groups of windows worked on at once
    threads: int = 1  # of each lane


def candidates(device: str, device_index: int, compute_type: str, cores: int) -> list[Tuning]:
    """What is worth measuring; one candidate needs no measuring."""
    types = [compute_type]
    if compute_type == AUTO:
        supported = ctranslate2.get_supported_compute_types(device, device_index)
        known = ON_CPU if device == "cpu" else ON_GPU
        types = [t for t in known if t in supported] or [LAST_RESORT]
        if "int8" in types and "int8_float32" in types:
            types.remove("int8_float32")  # the same by another name
    if device != "cpu":
        return [Tuning(t) for t in types]
    shapes = {(cores, 1), (1, cores)}
    return [Tuning(t, *shape) for t in types for shape in sorted(shapes, reverse=True)]


def use_widest_vectors() -> None:
    """AVX-512 wherever the processor has all of it; CTranslate2 would take it on Intel's alone.

    To be called before CTranslate2 is first used. What the environment says goes first.
    """
    if _flags() >= _AVX512:
        os.environ.setdefault("CT2_FORCE_CPU_ISA", "AVX512")


def tuned(
    folder: Path,
    given: list[Tuning],
    load: Callable[[Tuning], Model],
    listen: Callable[[Model], object],
    written: Path | None,
) -> Model:
    """The model loaded in the fastest of the given ways.

    Args:
        folder: its bundle.
        given: at least one candidate.
        load: makes the model.
        listen: some typical work for it.
        written: what was measured before; None: measured anew each time.
    """
    if len(given) == 1:
        return load(given[0])
    key = _key(folder, given)
    with _held(written) as known:
        best = _read(known.get(key))
        if best not in given:
            best = _fastest(given, load, listen)
            known[key] = asdict(best)
    return load(best)


def _read(entry: object) -> Tuning | None:
    """None: nobody has written that."""
    try:
        return Tuning(**entry) if isinstance(entry, dict) else None
    except TypeError:
        return None


def _fastest(
    given: list[Tuning], load: Callable[[Tuning], Model], listen: Callable[[Model], object]
) -> Tuning:
    """Never more than one copy of the weights is held meanwhile."""
    best, least_s = given[0], _time(load(given[0]), listen)
    for tuning in given[1:]:
        took_s = _time(load(tuning), listen)
        if took_s < GAIN * least_s:
            best, least_s = tuning, took_s
    return best


def _time(model: Model, listen: Callable[[Model], object]) -> float:
    """Seconds of the faster of some rounds, after one that warms up."""
    listen(model)
    rounds = []
    for _ in range(ROUNDS):
        begun = time.monotonic()
        listen(model)
        rounds.append(time.monotonic() - begun)
    return min(rounds)


def _key(folder: Path, given: list[Tuning]) -> str:
    """Another bundle, machine, library or choice is measured for itself."""
    parts = (
        *(sha256(folder / MANIFEST)[:16], ctranslate2.__version__, _processor(), *_cards()),
        *(str(os.cpu_count()), repr(given)),
    )
    return " | ".join(parts)


def _processor() -> str:
    return _told_of_cpu("model name") or platform.machine()


def _cards() -> list[str]:
    """What GPUs there are."""
    told = sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
    lines = (line for file in told for line in file.read_text(encoding="utf-8").splitlines())
    return [line.partition(":")[2].strip() for line in lines if line.startswith("Model")]


def _flags() -> set[str]:
    return set(_told_of_cpu("flags").split())


def _told_of_cpu(field: str) -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == field:
                return value.strip()
    return ""


@contextmanager
def _held(path: Path | None) -> Iterator[dict[str, Any]]:
    """What is written down, for one process at a time: others wait rather than measure beside it.

    A file that cannot be read or written costs nothing but another measurement.
    """
    if path is None:
        yield {}
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.with_suffix(".lock").open("w", encoding="utf-8")
    except OSError:
        yield {}
        return
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = _read_all(path)
        before = dict(known)
        yield known
        if known != before:
            _write_all(path, known)


def _read_all(path: Path) -> dict[str, Any]:
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _write_all(path: Path, known: dict[str, Any]) -> None:
    temporary = path.with_suffix(".tmp")
    with suppress(OSError):
        temporary.write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")
        temporary.replace(path)
