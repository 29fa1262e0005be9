"""pyannote's own checkpoints, as its `Model` saves them, become a bundle both paths can load."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np

from appliance.settings import Settings
from inference.bundles import verify
from inference.diarization.load import load_diarization
from inference.tensors import Voices, VoiceWindow

SAVE = """
import sys, torch
from pyannote.audio.core.task import Problem, Resolution, Specifications
from pyannote.audio.models.embedding.wespeaker import WeSpeakerResNet34
from pyannote.audio.models.segmentation import PyanNet

def save(model, path):
    held = {"state_dict": model.state_dict(), "hyper_parameters": dict(model.hparams),
            "pytorch-lightning_version": "2.0.0"}
    model.on_save_checkpoint(held)
    torch.save(held, path)

torch.manual_seed(0)
listener = PyanNet(lstm={"hidden_size": 16, "num_layers": 3, "monolithic": True},
                   linear={"hidden_size": 16, "num_layers": 2})
listener.specifications = Specifications(
    problem=Problem.MONO_LABEL_CLASSIFICATION, resolution=Resolution.FRAME, duration=5.0,
    classes=["a", "b", "c"], powerset_max_classes=2, permutation_invariant=True)
listener.build()
save(listener, sys.argv[1])
speaker = WeSpeakerResNet34()
speaker.specifications = Specifications(
    problem=Problem.REPRESENTATION, resolution=Resolution.CHUNK, duration=5.0, classes=["a"])
save(speaker, sys.argv[2])
"""


def test_checkpoints_become_a_bundle(tmp_path: Path, pyannote_settings: Settings) -> None:
    assert pyannote_settings.triton.pyannote
    python = pyannote_settings.triton.pyannote / "bin" / "python"
    heard, spoken, out = (tmp_path / name for name in ("heard.bin", "spoken.bin", "bundle"))

    def run(*arguments: str | Path) -> None:
        done = subprocess.run([python, "-W", "ignore", *arguments], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    run("-c", SAVE, heard, spoken)
    named = ("--name", "diarization-test", "--version", "1", "--licence", "MIT")
    files = ("--segmentation", heard, "--embedding", spoken, "--out", out)
    run("-m", "inference.training.diarization.convert", *files, *named)
    assert not verify(out).demo
    model = load_diarization({"bundle": str(out)})
    noise = 0.1 * np.random.default_rng(0).standard_normal(5 * 16_000)
    [voices] = model.answer([VoiceWindow(noise.astype(np.float32))])
    assert isinstance(voices, Voices) and len(voices.active) == 293
    assert model.card.window_s == 5.0 and model.card.hop_s == 2.0


def test_a_checkpoint_that_would_run_code_is_refused(
    tmp_path: Path, pyannote_settings: Settings
) -> None:
    assert pyannote_settings.triton.pyannote
    python = pyannote_settings.triton.pyannote / "bin" / "python"
    bad, ran = tmp_path / "bad.bin", tmp_path / "ran"
    bad.write_bytes(b"cos\nsystem\n(S'touch " + str(ran).encode() + b"'\ntR.")
    module = "inference.training.diarization.convert"
    files = ("--segmentation", bad, "--embedding", bad, "--out", tmp_path / "bundle")
    command = [python, "-m", module, *files, "--name", "x", "--version", "1", "--licence", "MIT"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and "holds code" in done.stderr
    assert not ran.exists()
