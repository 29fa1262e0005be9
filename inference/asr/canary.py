"""What weights hear in a bundle's canary, to be asked of them again whenever they are started."""

from __future__ import annotations

from pathlib import Path

from inference.asr.whisper import WhisperModel
from inference.bundles import BundleInvalid, load_manifest, read_canary
from inference.tensors import Hypothesis, Window


def heard_in_canary(folder: Path) -> str:
    """What a bundle's weights hear in its canary, asked as a gateway's probe asks it.

    Raises BundleInvalid if that is nothing.
    """
    clip = read_canary(folder, load_manifest(folder))
    assert clip is not None
    model = WhisperModel(folder, threads=1, compute_type="int8")
    (heard,) = model.listen([Window(clip, word_times=False, retries=False)])
    if not isinstance(heard, Hypothesis) or not heard.text:
        raise BundleInvalid(f"{folder} hears nothing in its canary: {heard}")
    return heard.text
