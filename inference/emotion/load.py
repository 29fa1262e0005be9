"""How an emotion bundle is loaded, the same in Triton and in a CPU worker."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import ctranslate2
import numpy as np

from inference.asr.features import LogMel
from inference.bundles import BundleInvalid, verify
from inference.emotion.model import EmotionModel, Head, Matrix
from inference.tensors import Audio

KIND = "lingting-emotion"
# Below this size a second thread costs more in waiting than it computes.
SMALL_BYTES = 100_000_000
FRAME_SAMPLES = 320  # of audio in one step of a Whisper encoder's output


class WhisperEncoder:
    """The encoder of a CTranslate2 Whisper."""

    def __init__(self, folder: Path, threads: int, device: str, device_index: int) -> None:
        self.device = device
        sizes = json.loads((folder / "preprocessor_config.json").read_text(encoding="utf-8"))
        known = {field.name for field in dataclasses.fields(LogMel)}
        self._mel = LogMel(**{name: size for name, size in sizes.items() if name in known})
        self._model = ctranslate2.models.Whisper(
            str(folder), device=device, device_index=device_index, intra_threads=threads
        )

    def pooled(self, audio: Sequence[Audio]) -> Matrix:
        """One by one: what else is in a batch must change nothing, and its padding would."""
        return np.stack([self._pooled(each) for each in audio])

    def _pooled(self, audio: Audio) -> Matrix:
        samples = max(4, -(-len(audio) // FRAME_SAMPLES)) * FRAME_SAMPLES
        features = self._mel(np.pad(audio, (0, samples - len(audio)))[None])
        output = self._model.encode(ctranslate2.StorageView.from_array(features), to_cpu=True)
        states = np.array(output)[0].astype(np.float32)
        return np.concatenate([states.mean(axis=0), states.std(axis=0)])


class NoEncoder:
    """Of heads that go by prosody and words alone."""

    device = "cpu"

    def pooled(self, audio: Sequence[Audio]) -> Matrix:
        return np.zeros((len(audio), 0), np.float32)


def load_emotion(
    parameters: Mapping[str, str], device: str = "cpu", device_index: int = 0
) -> EmotionModel:
    """Load the bundle that `parameters` name, all strings.

    Its config.json names the encoder: a folder within the bundle, another bundle beside it, or "".

    Args:
        parameters: bundle (folder), threads.
        device: "cpu" or "cuda".
        device_index: which GPU.
    """
    folder = Path(parameters["bundle"])
    manifest = verify(folder)
    if manifest.kind != KIND:
        raise BundleInvalid(f"{folder} is a {manifest.kind} bundle, not {KIND}")
    head, encoder = load_head(folder), _encoder_folder(folder)
    if encoder is None:
        return EmotionModel(manifest, head, NoEncoder())
    small = (encoder / "model.bin").stat().st_size < SMALL_BYTES
    threads = 1 if small else int(parameters.get("threads", "0"))
    return EmotionModel(manifest, head, WhisperEncoder(encoder, threads, device, device_index))


def _encoder_folder(folder: Path) -> Path | None:
    """None: the head hears no encoder."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        name, version = str(config["encoder"]), str(config.get("encoder_version", ""))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BundleInvalid(f"{folder / 'config.json'}: {error!r}") from error
    if not name:
        return None
    if (folder / name).is_dir():
        return folder / name
    beside = folder.parent / name
    found = verify(beside)
    if found.version != version:
        raise BundleInvalid(f"{folder} wants {name} {version}, beside it is {found.version}")
    return beside


def load_head(folder: Path) -> Head:
    try:
        with np.load(folder / "head.npz", allow_pickle=False) as arrays:
            names = [field.name for field in dataclasses.fields(Head)]
            return Head(**{name: arrays[name].astype(np.float32) for name in names})
    except (OSError, ValueError, KeyError) as error:
        raise BundleInvalid(f"{folder / 'head.npz'}: {error}") from error
