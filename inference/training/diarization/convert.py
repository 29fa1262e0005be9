"""pyannote's own checkpoints become a diarization bundle, where there is a network to fetch them.

Takes a PyanNet segmentation with powerset classes (as pyannote/segmentation-3.0) and a WeSpeaker
ResNet (as pyannote/wespeaker-voxceleb-resnet34-LM). A checkpoint is a pickle: only tensors and the
few classes named here are let out of it.

    python -m inference.training.diarization.convert --segmentation A/pytorch_model.bin \\
        --embedding B/pytorch_model.bin --name diarization-pyannote --version 3.1 --licence MIT \\
        --out bundles/diarization-pyannote
"""

from __future__ import annotations

import argparse
from itertools import combinations
from pathlib import Path
from typing import Any

import torch
from pyannote.audio.core.task import Problem, Resolution, Specifications
from torch.torch_version import TorchVersion

from inference.adaptation.waveform import RATE_HZ
from inference.bundles import seal
from inference.diarization.load import KIND
from inference.diarization.networks import embedding_network, segmentation_network
from inference.diarization.recipe import Recipe
from inference.training.diarization.release import write_networks

HARMLESS = [Problem, Resolution, Specifications, TorchVersion, set]
STAGES = 4  # of a ResNet


def checkpoint(path: Path) -> dict[str, Any]:
    """What pyannote saved; raises ValueError if it holds anything that could run."""
    try:
        with torch.serialization.safe_globals(HARMLESS):
            loaded: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # torch has no class of its own for what it refuses
        raise ValueError(f"{path} is no checkpoint of pyannote's, or holds code: {error}") from None
    return loaded


def recipe_of(
    listener: dict[str, Any], speaker: dict[str, Any], hop_s: float, alike: float
) -> Recipe:
    """The shapes of both networks, read from their checkpoints."""
    specifications = listener["pyannote.audio"]["specifications"]
    voices, together = len(specifications.classes), specifications.powerset_max_classes
    hyper = listener["hyper_parameters"]
    weights = speaker["state_dict"]
    sizes = {name: dict(hyper[name]) for name in ("sincnet", "lstm", "linear") if name in hyper}
    stride = sizes.get("sincnet", {}).get("stride", 10)
    return Recipe(
        window_s=float(specifications.duration),
        hop_s=hop_s,
        frame_step_s=27 * stride / RATE_HZ,  # three poolings by three
        frame_centre_s=(251 + 74 * stride) / 2 / RATE_HZ,  # middle of what one frame hears
        powerset=[list(g) for n in range(together + 1) for g in combinations(range(voices), n)],
        together=together,
        mels=int(speaker["hyper_parameters"].get("num_mel_bins", 80)),
        mel_step_ms=float(speaker["hyper_parameters"].get("frame_shift", 10.0)),
        alike=alike,
        segmentation=sizes,
        embedding={
            "blocks": [_blocks(weights, stage) for stage in range(1, STAGES + 1)],
            "channels": weights["resnet.conv1.weight"].shape[0],
            "dimension": weights["resnet.seg_1.weight"].shape[0],
        },
    )


def _blocks(weights: dict[str, Any], stage: int) -> int:
    prefix = f"resnet.layer{stage}."
    return len({name.split(".")[2] for name in weights if name.startswith(prefix)})


def convert(segmentation: Path, embedding: Path, out: Path, recipe: dict[str, Any]) -> None:
    """Write the networks of two checkpoints; `recipe` holds hop_s and alike."""
    heard, spoken = checkpoint(segmentation), checkpoint(embedding)
    made = recipe_of(heard, spoken, **recipe)
    listener, speaker = segmentation_network(made), embedding_network(made)
    for network, loaded in ((listener, heard), (speaker, spoken)):
        missing = network.load_state_dict(loaded["state_dict"], strict=False).missing_keys
        if missing:
            raise ValueError(f"not the network it is taken for: {', '.join(missing)} missing")
    write_networks(made, listener, speaker.resnet, out)


def main() -> None:
    """Turn two checkpoints of pyannote into a bundle."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--segmentation", type=Path, required=True, help="checkpoint of a PyanNet")
    parser.add_argument("--embedding", type=Path, required=True, help="of a WeSpeaker ResNet")
    parser.add_argument("--out", type=Path, required=True, help="folder of the bundle")
    parser.add_argument("--name", required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--licence", required=True, help="of the weights")
    parser.add_argument("--hop", type=float, default=2.0, help="seconds between windows")
    parser.add_argument(
        "--alike", type=float, default=0.65, help="cosine of two speakers' means that are one"
    )
    options = parser.parse_args()
    if options.out.exists():
        parser.error(f"{options.out} is there already")
    recipe = {"hop_s": options.hop, "alike": options.alike}
    try:
        convert(options.segmentation, options.embedding, options.out, recipe)
    except (OSError, ValueError, KeyError) as error:
        parser.error(f"cannot convert: {error}")
    seal(
        options.out,
        name=options.name,
        version=options.version,
        kind=KIND,
        licence=options.licence,
        demo=False,
        description=f"{options.segmentation.parent.name} with {options.embedding.parent.name}",
        languages=[],
        tasks=["diarize"],
    )


if __name__ == "__main__":
    main()
