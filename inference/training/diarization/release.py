"""Two trained networks become a diarization bundle: safetensors for pyannote, ONNX without torch.

python -m inference.training.diarization.release --work DIR --out bundles/diarization-demo
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from pyannote.audio.models.segmentation import PyanNet
from safetensors.torch import save_file
from torch import nn

from inference.adaptation.waveform import RATE_HZ
from inference.bundles import seal
from inference.diarization.fbank import fbank
from inference.diarization.load import KIND
from inference.diarization.networks import embedding_network, segmentation_network
from inference.diarization.recipe import Recipe
from inference.training.diarization.demo import RECIPE

OPSET = 17


class Embedder(nn.Module):
    """Features [windows, frames, mels] and weights [windows, voices, frames] -> embeddings."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, features: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        embedded: torch.Tensor = self.net(features, weights=weights)[1]
        return embedded


def release(work: Path, out: Path, alike: float) -> None:
    """Write the demo bundle; `alike` is the clustering's."""
    recipe = replace(RECIPE, alike=alike)
    listener, speaker = segmentation_network(recipe), embedding_network(recipe).resnet
    listener.load_state_dict(torch.load(work / "segmentation.pt", weights_only=True))
    speaker.load_state_dict(torch.load(work / "embedding.pt", weights_only=True))
    write_networks(recipe, listener, speaker, out)
    seal(
        out,
        name="diarization-demo",
        version="0.2.0",
        kind=KIND,
        licence="Apache-2.0",
        demo=True,
        description="Synthetic voices only: for demonstration and tests, not for human speech",
        languages=[],
        tasks=["diarize"],
    )


def write_networks(recipe: Recipe, listener: PyanNet, speaker: nn.Module, out: Path) -> None:
    """Both as safetensors and as ONNX, and the recipe, into the folder `out`; not sealed yet."""
    out.mkdir(parents=True, exist_ok=True)
    save_file(listener.eval().state_dict(), out / "segmentation.safetensors")
    save_file(speaker.eval().state_dict(), out / "embedding.safetensors")
    for path in out.glob("*.safetensors"):
        path.chmod(0o644)  # which safetensors writes for its owner alone
    silence = np.zeros(int(recipe.window_s * RATE_HZ), np.float32)
    audio = torch.from_numpy(silence)[None, None]
    _export(listener, (audio,), out / "segmentation.onnx", {"audio": "windows"}, "scores")
    weights = torch.ones(1, recipe.voices, listener.num_frames(len(silence)))
    given = (torch.from_numpy(fbank(silence, recipe.mels, recipe.mel_step_ms))[None], weights)
    names = {"features": "windows", "weights": "windows"}
    _export(Embedder(speaker), given, out / "embedding.onnx", names, "embeddings")
    text = json.dumps(asdict(recipe), indent=1)
    (out / "config.json").write_text(text + "\n", encoding="utf-8")


def _export(
    net: nn.Module, given: tuple[torch.Tensor, ...], path: Path, names: dict[str, str], gives: str
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / path.name
        torch.onnx.export(
            net,
            given,
            draft,
            dynamo=False,
            opset_version=OPSET,
            input_names=list(names),
            output_names=[gives],
            dynamic_axes={
                **{name: {0: axis} for name, axis in names.items()},
                gives: {0: "windows"},
            },
        )
        path.write_bytes(draft.read_bytes())


def main() -> None:
    """Release what `DIR` holds."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--alike", type=float, default=RECIPE.alike)
    options = parser.parse_args()
    release(options.work, options.out, options.alike)


if __name__ == "__main__":
    main()
