"""Measure what a GPU makes of this box: text, speed, latencies, recordings, a kill.

`bash tools/gpu_check/start.sh KIT` on a bare machine; `python -m tools.gpu_check --device cpu
--shape tiny` proves the way on a CPU. Prints a table in Markdown, and writes it to --out as it
grows: a step that fails says so and costs the others nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from appliance.load.host import Host
from inference.cer import cer
from inference.training.shapes import SHAPES

ROOT = Path(__file__).resolve().parents[2]
BASE = ROOT / "bundles" / "whisper-base"
CALL = ROOT / "bundles" / "demo-call"
GOAL_S = 0.5  # endpoint to final, p95
LIVE_S = 20.0
STEP_TIMEOUT_S = 200.0


@dataclass
class GpuCheck:
    """What is measured with, and what was found so far."""

    device: str
    shape: str
    out: Path
    calls: list[int]
    deadline: float  # monotonic s
    compute_type: str = "auto"
    rows: list[tuple[str, str]] = field(default_factory=list)
    missing: int = 0  # steps that failed or were left out

    def tell(self, what: str, found: str) -> None:
        self.rows.append((what, found))
        print(f"{what}: {found}", flush=True)
        self.out.mkdir(parents=True, exist_ok=True)
        lines = ["| | |", "|---|---|", *(f"| {a} | {b} |" for a, b in self.rows)]
        (self.out / "table.md").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def step(self, name: str, measure: Callable[[], None]) -> None:
        begun = time.monotonic()
        if begun > self.deadline:
            self.missing += 1
            self.tell(name, "left out: no time")
            return
        try:
            measure()
        except Exception as error:  # one step must not cost the others theirs
            self.missing += 1
            self.tell(name, f"failed: {str(error)[-800:]}")
        print(f"  ({name}: {time.monotonic() - begun:.0f} s)", flush=True)

    @property
    def shaped(self) -> Path:
        return self.out / f"shape-{self.shape}"

    def environment(self, bundle: Path, **settings: str) -> dict[str, str]:
        """Of a box that measures: Triton on the device, base on the CPU behind it."""
        own = {
            "MODELS__ASR": str(bundle),
            "MODELS__ASR_STANDBY": str(BASE),
            "MODELS__DIARIZATION": "",
            "MODELS__EMOTION": "",
            "TRITON__KIND": "gpu" if self.device == "cuda" else "cpu",
            "TRITON__MAX_BATCH": "64",
            "TRITON__COMPUTE_TYPE": self.compute_type,
            "LIMITS__LIVE_LEGS": "100000",
            "STORE__FOLDER": str(self.out / "run" / "store"),
            **settings,
        }
        return {**os.environ, **{f"LINGTING_{key}": value for key, value in own.items()}}


def run(command: list[str], environment: dict[str, str] | None = None) -> str:
    """Standard output; raises RuntimeError with the last words of a program that failed."""
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=STEP_TIMEOUT_S,
    )
    if done.returncode:
        raise RuntimeError(done.stderr.strip()[-1500:] or f"exit {done.returncode}")
    if done.stderr.strip():
        print(done.stderr.strip()[-600:], file=sys.stderr, flush=True)
    return done.stdout


def last_json(output: str) -> dict[str, Any]:
    return dict(json.loads(output.strip().splitlines()[-1]))


def facts(check: GpuCheck) -> None:
    if check.device == "cuda":
        query = [
            "nvidia-smi",
            "--query-gpu=name,driver_version,memory.total",
            "--format=csv,noheader",
        ]
        check.tell("card", subprocess.run(query, capture_output=True, text=True).stdout.strip())
    check.tell("cores beside it", str(os.cpu_count()))


def text(check: GpuCheck) -> None:
    """The same call heard by Triton on the device and by a CPU worker."""
    command = ["-m", "appliance", "transcribe", "-q", "-f", "json", str(CALL / "call.wav")]
    heard = {"CPU": str(json.loads(run(command, check.environment(BASE)))["text"])}
    own = {name: value for name, value in check.environment(BASE).items() if name not in os.environ}
    with Host("triton", environment=own) as host:
        box = host.box()
        if not host.proven:
            raise RuntimeError(f"Triton has not proved itself: {box.last_words()}")
        served = run([*command, "--server", box.url], check.environment(BASE))
        heard["Triton"] = str(json.loads(served)["text"])
    said = sorted(json.loads((CALL / "call.json").read_text()), key=lambda s: s["start_ms"])
    reference = "".join(sentence["text"] for sentence in said)
    for name, words in heard.items():
        check.tell(f"base, {name}: CER on the demo call", f"{cer(reference, words):.1%}")
    apart = cer(heard["CPU"], heard["Triton"])
    check.tell("base: characters that Triton's text and the CPU's differ in", f"{apart:.1%}")


def make_shape(check: GpuCheck) -> None:
    command = ["-m", "inference.training.shapes", check.shape, "--out", str(check.shaped)]
    precision = "float16" if check.device == "cuda" else "int8_float32"
    run([*command, "--precision", precision])


def curve(check: GpuCheck, name: str, bundle: Path) -> None:
    batches = "1,4,16,32,64" if check.device == "cuda" else "1,2,4"
    command = ["-m", "tools.gpu_check.curve", str(bundle), "--device", check.device]
    command += ["--batches", batches, "--like", str(BASE), "--compute-type", check.compute_type]
    found = last_json(run(command))
    check.tell(
        f"{name}: arithmetic, time to load", f"{found['compute_type']}, {found['loaded_s']} s"
    )
    rates = ", ".join(f"{n}: {rate}" for n, rate in found["windows_per_s"].items())
    check.tell(f"{name}: 4 s windows a second, by batch", rates)
    rates = ", ".join(f"{n}: {rate}" for n, rate in found["encoder_tflops"].items())
    share = found["encoder_share_of_peak"]
    limit = f"; {share:.0%} of the {found['peak_tflops']} measured" if share else ""
    check.tell(f"{name}: encoder, TFLOP/s by batch of full windows", rates + limit)


def live(check: GpuCheck, name: str, bundle: Path) -> None:
    """Calls at once, more and more, while finals come in time."""
    best = 0
    for calls in check.calls:
        if time.monotonic() > check.deadline:
            break
        command = ["-m", "appliance", "bench", "live", "--json", "--calls", str(calls)]
        found = last_json(
            run(
                [*command, "--seconds", str(LIVE_S), "--within", str(GOAL_S)],
                check.environment(bundle),
            )
        )
        p95 = found["endpoint_to_final_p95_s"]
        check.tell(
            f"{name}: {found['legs']} live legs",
            f"final p50 {found['endpoint_to_final_p50_s']} s, p95 {p95} s, first partial p95 "
            f"{found['first_partial_p95_s']} s, interval {found['partial_interval_s']} s, batch "
            f"{found['triton_batch_mean']}, gateway {found['gateway_cpu_cores']} cores, "
            f"clients late {found['client_late_s']} s, errors {found['errors']}, unheard "
            f"{found['sentences_unheard']}, finals by the CPU {found['finals_cpu']}",
        )
        if not found["sustained_calls"] or found["finals_cpu"]:
            break
        best = found["legs"]
    check.tell(f"{name}: live legs at p95 <= {GOAL_S} s", str(best))


def recordings(check: GpuCheck, name: str, bundle: Path) -> None:
    command = ["-m", "appliance", "bench", "recordings", "--json", "--runs", "1"]
    many = ["--files", "64", "--concurrency", "16"] if check.device == "cuda" else ["--files", "2"]
    environment = check.environment(bundle, LIMITS__RECORDINGS="16")
    found = last_json(run([*command, *many], environment))
    check.tell(
        f"{name}: recordings, seconds of audio a second",
        f"{found['audio_seconds_per_second']} (two legs each), batch {found['triton_batch_mean']}, "
        f"gateway {found['gateway_cpu_cores']} cores, errors {found['errors']}",
    )


def kill(check: GpuCheck, name: str, bundle: Path) -> None:
    """Triton killed in the middle of calls; base on the CPU goes on."""
    calls = str(min(check.calls))
    command = ["-m", "appliance", "bench", "live", "--json", "--calls", calls]
    found = last_json(
        run(
            [*command, "--seconds", str(LIVE_S), "--kill-triton", str(LIVE_S / 2)],
            check.environment(bundle),
        )
    )
    check.tell(
        f"{name}: Triton killed (-9) under {found['legs']} legs",
        f"calls lost {found['errors']}, sentences unheard {found['sentences_unheard']}, finals by "
        f"Triton {found['finals_triton']}, by the CPU {found['finals_cpu']}, final p95 "
        f"{found['endpoint_to_final_p95_s']} s",
    )


def numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tools.gpu_check",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument(
        "--shape", default="turbo", choices=sorted(SHAPES), help="of the model beside base"
    )
    parser.add_argument(
        "--calls",
        default=[16, 32, 64, 96, 128],
        type=numbers,
        help="live calls tried, ascending: 16,32,64",
    )
    parser.add_argument(
        "--compute-type", default="auto", help="auto measures, which takes a large model a minute"
    )
    parser.add_argument("--minutes", type=float, default=9.0, help="no step begins after these")
    parser.add_argument("--out", type=Path, default=Path("/tmp/lingting-gpu-check"))
    given = parser.parse_args()
    deadline = time.monotonic() + given.minutes * 60
    try:
        given.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"--out {given.out}: {error.strerror}; name a folder that may be written to")
    check = GpuCheck(
        given.device, given.shape, given.out, given.calls, deadline, given.compute_type
    )
    shape = f"{given.shape}-shaped"
    check.step("machine", lambda: facts(check))
    check.step("base: text", lambda: text(check))
    check.step(f"{shape}: made", lambda: make_shape(check))
    check.step(f"{shape}: speed", lambda: curve(check, shape, check.shaped))
    check.step(f"{shape}: live", lambda: live(check, shape, check.shaped))
    check.step(f"{shape}: kill", lambda: kill(check, shape, check.shaped))
    check.step(f"{shape}: recordings", lambda: recordings(check, shape, check.shaped))
    check.step("base: speed", lambda: curve(check, "base", BASE))
    check.step("base: recordings", lambda: recordings(check, "base", BASE))
    check.step("base: live", lambda: live(check, "base", BASE))
    sys.exit(check.missing > 0)


if __name__ == "__main__":
    main()
