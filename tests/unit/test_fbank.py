"""Our filter bank beside Kaldi's own."""

from __future__ import annotations

import kaldi_native_fbank as knf
import numpy as np
import numpy.typing as npt
import pytest

from inference.diarization.fbank import fbank
from inference.tensors import SAMPLE_RATE_HZ, Audio
from tests.daemon import DEMO_CALL, read_call


def kaldi(audio: Audio, mels: int, step_ms: float) -> npt.NDArray[np.float32]:
    options = knf.FbankOptions()
    options.frame_opts.dither = 0.0
    options.frame_opts.window_type = "hamming"
    options.frame_opts.frame_shift_ms = step_ms
    options.mel_opts.num_bins = mels
    computer = knf.OnlineFbank(options)
    computer.accept_waveform(SAMPLE_RATE_HZ, (audio * 32768).tolist())
    computer.input_finished()
    frames = np.stack([computer.get_frame(i) for i in range(computer.num_frames_ready)])
    return np.asarray(frames - frames.mean(axis=0), np.float32)


@pytest.mark.parametrize(("mels", "step_ms"), [(40, 10.0), (80, 10.0), (80, 20.0)])
@pytest.mark.parametrize("kind", ["speech", "noise", "silence"])
def test_it_gives_what_kaldi_gives(kind: str, mels: int, step_ms: float) -> None:
    noise = 0.05 * np.random.default_rng(0).standard_normal(5 * SAMPLE_RATE_HZ)
    speech = np.repeat(read_call(DEMO_CALL)[:40_000, 0], 2)
    audio = {"speech": speech, "noise": noise, "silence": 0 * noise}[kind].astype(np.float32)
    np.testing.assert_allclose(fbank(audio, mels, step_ms), kaldi(audio, mels, step_ms), atol=2e-3)
