"""`lingting adapt` from end to end: recordings in, a sealed bundle that hears, and a report."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from appliance.settings.section import PROJECT
from inference.asr.whisper import WhisperModel
from inference.bundles import load_manifest, read_canary, verify
from inference.tensors import Hypothesis, Window

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SPOKEN = PROJECT / "tools" / "evaluation" / "spoken_names"  # 48 clips of a synthetic voice or more
TORCH = PROJECT / ".venv-pyannote" / "bin" / "python"
STEPS = 4  # enough to see that all of it works, too few to learn from


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings with one wrong text, one that is not there, and one in English."""
    folder = tmp_path_factory.mktemp("speech")
    with (SPOKEN / "list.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    kept = [(str(SPOKEN / row["file"]), row["text"], row["speaker"]) for row in rows]
    kept[3] = (kept[3][0], kept[20][1], kept[3][2])
    kept += [("not-there.wav", "您好", "甲"), (kept[0][0], "hello there", "甲")]
    with (folder / "list.tsv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, delimiter="\t", lineterminator="\n")
        table.writerow(("file", "text", "speaker"))
        table.writerows(kept)
    return folder / "list.tsv"


def command(listed: Path, out: Path) -> list[str]:
    return [
        *(sys.executable, "-m", "appliance", "adapt", "--data", str(listed), "--out", str(out)),
        *("--steps", str(STEPS), "--no-curve", "--name", "local", "--version", "1", "--json"),
        *("--general", str(listed), "--torch", str(TORCH)),
    ]


def test_killed_in_the_middle_it_goes_on_and_brings_a_bundle(listed: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = subprocess.Popen(command(listed, out), stdout=subprocess.DEVNULL)
    while not (out / "looked_at.json").exists() and first.poll() is None:
        time.sleep(0.2)
    first.send_signal(signal.SIGKILL)
    first.wait()
    looked_at = (out / "looked_at.json").stat().st_mtime_ns
    done = subprocess.run(command(listed, out), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (out / "looked_at.json").stat().st_mtime_ns == looked_at  # nothing was heard twice
    told = json.loads(done.stdout)
    reasons = {Path(each["name"]).name: each["reason"] for each in told["set_aside"]}
    assert "No such file" in reasons["not-there.wav"]
    assert any("fits it as well" in reason for reason in reasons.values()), reasons
    assert len(reasons) <= 5, reasons
    assert told["learned_s"] > 30 and told["after"]["local_alaw"]["clips"] > 1
    assert told["after"]["general"]["clips"] > 1
    assert told["curve"][0]["steps"] == STEPS and told["cost"]["core_hours"] > 0
    assert "<svg" in (out / "report.html").read_text(encoding="utf-8")
    manifest = verify(out / "bundle")
    assert (manifest.name, manifest.version) == ("local", "1") and manifest.canary
    model = WhisperModel(out / "bundle", threads=2, compute_type="int8")
    clip = read_canary(out / "bundle", load_manifest(out / "bundle"))
    assert clip is not None
    (heard,) = model.listen([Window(clip, language="zh")])
    assert isinstance(heard, Hypothesis) and heard.text == manifest.canary.text


@pytest.mark.parametrize("module", ["tests.adapted_network", "tests.adapted_training"])
def test_networks_and_training_in_the_python_that_has_torch(module: str) -> None:
    bundle = PROJECT / "tests" / "stock_whisper_bundle"
    done = subprocess.run([str(TORCH), "-m", module, str(bundle)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
