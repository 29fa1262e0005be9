"""What a whole call costs: one recording through our own API, in two channels and mixed to one."""

from __future__ import annotations

import numpy as np

from appliance.load.host import Host
from appliance.load.live import CALL
from appliance.load.probe import Figures
from tools.recorded import RATE_HZ, as_wav, heard, read_alaw


def trial(host: Host, minutes: float) -> Figures:
    """Keys as in docs/bench.md."""
    box = host.box(lambda box: None)
    legs = read_alaw(CALL / "call.wav")
    samples = round(minutes * 60 * RATE_HZ)
    legs = np.tile(legs, (-(-samples // len(legs)), 1))[:samples]
    stereo, mono = as_wav(legs), as_wav(legs.sum(axis=1, keepdims=True))
    one = {"max_speakers": "2"}
    words = {"diarize": "false", "moods": "false"}
    heard(box.url, mono, **one)  # warms all models
    stereo_s = heard(box.url, stereo)[1]
    stereo_words_s = heard(box.url, stereo, **words)[1]
    mono_s = heard(box.url, mono, **one)[1]
    mono_words_s = heard(box.url, mono, **words)[1]
    mono_speakers_s = heard(box.url, mono, **one, moods="false")[1]
    return {
        "audio_s": minutes * 60,
        "stereo_s": round(stereo_s, 2),
        "stereo_words_s": round(stereo_words_s, 2),
        "mono_s": round(mono_s, 2),
        "mono_words_s": round(mono_words_s, 2),
        "mono_speakers_s": round(mono_speakers_s, 2),
        "diarization_ratio": round(mono_speakers_s / mono_words_s, 2),
        "diarization_share": round(1 - mono_words_s / mono_speakers_s, 3),
        "moods_ratio": round(stereo_s / stereo_words_s, 2),
    }
