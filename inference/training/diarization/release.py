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
from safetensors.torch import save_file
from torch import nn

from inference.bundles import seal
from inference.diarization.fbank import fbank
from inference.diarization.load import KIND
from inference.diarization.networks import embedding_network, segmentation_network
from inference.training.diarization.demo import RECIPE, VOICES, WINDOW_S
from inference.training.voice import RATE_HZ

OPSET = 17


class Embedder(nn.Module):
    """Features [windows, frames, mels] and weights [windows, voices, frames] -> embeddings."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, features: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        embedded: torch.Tensor = self.net(features, weights=weights)[1]
        return embedded


def release(work: Path, out: Path, threshold: float, least_size: int) -> None:
    """Write the bundle; `threshold` and `least_size` are the clustering's."""
    recipe = replace(RECIPE, threshold=threshold, least_size=least_size)
    listener = segmentation_network(recipe).eval()
    speaker = embedding_network(recipe).resnet.eval()
    listener.load_state_dict(torch.load(work / "segmentation.pt", weights_only=True))
    speaker.load_state_dict(torch.load(work / "embedding.pt", weights_only=True))
    out.mkdir(parents=True, exist_ok=True)
    save_file(listener.state_dict(), out / "segmentation.safetensors")
    save_file(speaker.state_dict(), out / "embedding.safetensors")
    samples = int(WINDOW_S * RATE_HZ)
    frames = listener.num_frames(samples)
    audio = torch.zeros(2, 1, samples)
    _export(listener, (audio,), out / "segmentation.onnx", {"audio": "windows"}, "scores")
    mels = torch.from_numpy(fbank(np.zeros(samples, np.float32), recipe.mels))
    given = (torch.stack([mels] * 2), torch.ones(2, VOICES, frames))
    names = {"features": "windows", "weights": "windows"}
    _export(Embedder(speaker), given, out / "embedding.onnx", names, "embeddings")
    text = json.dumps(asdict(recipe), indent=1)
    (out / "config.json").write_text(text + "\n", encoding="utf-8")
    for path in out.glob("*.safetensors"):
        path.chmod(0o644)  # which safetensors writes for its owner alone
    seal(
        out,
        name="diarization-demo",
        version="0.1.0",
        kind=KIND,
        licence="Apache-2.0",
        demo=True,
        description="Synthetic voices only: for demonstration and tests, not for human speech",
        languages=[],
        tasks=["diarize"],
    )


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
    parser.add_argument("--threshold", type=float, default=RECIPE.threshold)
    parser.add_argument("--least-size", type=int, default=RECIPE.least_size)
    options = parser.parse_args()
    release(options.work, options.out, options.threshold, options.least_size)


if __name__ == "__main__":
    main()
