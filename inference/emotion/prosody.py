"""How something is said, in numbers that a person can name: pitch, pace, loudness, voice.

Of the kind that eGeMAPS collects, written anew; all are free of the recording's level.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from inference.tensors import SAMPLE_RATE_HZ, Audio

Vector = npt.NDArray[np.float32]

NAMES = (
    "pitch",  # median, semitones above 55 Hz
    "pitch_range",  # between the 10th and the 90th percentile, semitones
    "pitch_slope",  # over the utterance, semitones per s
    "pitch_tremor",  # mean change from frame to frame, semitones
    "loudness_range",  # between the 10th and the 90th percentile of voiced frames, dB
    "loudness_tremor",  # mean change from frame to frame, dB
    "brightness",  # energy above 1 kHz over energy below, dB
    "sharpness",  # energy above 2.4 kHz over energy below, dB
    "voice_clarity",  # mean height of the autocorrelation's peak: breathy voices are low
    "voiced_share",  # of frames with speech
    "pace",  # syllable nuclei per s
    "pause_share",  # of frames without speech
    "crest",  # peak over mean, dB: shouting into a telephone flattens it
)
FRAME, HOP = 640, 160  # samples: 40 ms, 10 ms
LOWEST_HZ, HIGHEST_HZ = 65.0, 420.0
BASE_HZ = 55.0
SPEECH_DB = -35.0  # below the loudest frames there is no speech
VOICED = 0.45  # autocorrelation from which a frame is voiced
SPLIT_HZ, SHARP_HZ = 1000.0, 2400.0
TOP_HZ = 3400.0  # of a telephone
NUCLEUS_DB = 2.0  # by which a syllable rises above the dips around it
LEAST_FRAMES = 10


def prosody(audio: Audio) -> Vector:
    """[len(NAMES)] of one utterance, float32 [n] at 16 kHz; zeros where there is no speech."""
    if len(audio) < FRAME + LEAST_FRAMES * HOP:
        return np.zeros(len(NAMES), np.float32)
    audio = audio - audio.mean()  # some sound cards have an offset
    frames = np.lib.stride_tricks.sliding_window_view(audio, FRAME)[::HOP]
    spectrum = np.abs(np.fft.rfft(frames * np.hanning(FRAME), 2 * FRAME)) ** 2
    level = 10 * np.log10(spectrum.sum(axis=1) + 1e-10)
    speech = level > np.percentile(level, 98) + SPEECH_DB
    height, pitch = _pitch(spectrum)
    voiced = speech & (height > VOICED)
    if voiced.sum() < LEAST_FRAMES:
        return np.zeros(len(NAMES), np.float32)
    values = (
        *_of_pitch(pitch, voiced),
        *_of_loudness(level, voiced),
        *_of_colour(spectrum, voiced),
        float(height[voiced].mean()),
        float(voiced.sum() / speech.sum()),
        _pace(level, speech),
        float(1 - speech.mean()),
        float(20 * np.log10(np.abs(audio).max() / (np.sqrt(np.mean(audio**2)) + 1e-9) + 1e-9)),
    )
    return np.nan_to_num(np.asarray(values, np.float32))


def _pitch(spectrum: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], ...]:
    """Height of the autocorrelation's peak, and pitch in semitones above BASE_HZ, per frame."""
    correlation = np.fft.irfft(spectrum, axis=1)[:, :FRAME]
    window = np.fft.irfft(np.abs(np.fft.rfft(np.hanning(FRAME), 2 * FRAME)) ** 2)[:FRAME]
    correlation = correlation / (correlation[:, :1] + 1e-10) * (window[0] / (window + 1e-3))
    first, last = int(SAMPLE_RATE_HZ / HIGHEST_HZ), int(SAMPLE_RATE_HZ / LOWEST_HZ)
    candidates = correlation[:, first:last]
    # Of nearly equal peaks the shortest period is the pitch; the others are its multiples.
    near = candidates >= 0.92 * candidates.max(axis=1, keepdims=True)
    period = first + near.argmax(axis=1)
    for _ in range(8):  # walk up to the top of that peak
        longer = np.minimum(period + 1, last - 1)
        rows = np.arange(len(period))
        period = np.where(correlation[rows, longer] > correlation[rows, period], longer, period)
    height = correlation[np.arange(len(period)), period]
    return height, 12 * np.log2(SAMPLE_RATE_HZ / period / BASE_HZ)


def _of_pitch(
    pitch: npt.NDArray[np.float64], voiced: npt.NDArray[np.bool_]
) -> tuple[float, float, float, float]:
    heard = pitch[voiced]
    low, middle, high = np.percentile(heard, (10, 50, 90))
    seconds = np.flatnonzero(voiced) * HOP / SAMPLE_RATE_HZ
    slope = np.polyfit(seconds - seconds.mean(), heard, 1)[0] if np.ptp(seconds) > 0 else 0.0
    both = voiced[1:] & voiced[:-1]
    steps = np.abs(np.diff(pitch))[both]
    tremor = float(np.mean(np.minimum(steps, 3.0))) if len(steps) else 0.0
    return float(middle), float(high - low), float(slope), tremor


def _of_loudness(
    level: npt.NDArray[np.float64], voiced: npt.NDArray[np.bool_]
) -> tuple[float, float]:
    low, high = np.percentile(level[voiced], (10, 90))
    both = voiced[1:] & voiced[:-1]
    steps = np.abs(np.diff(level))[both]
    return float(high - low), float(steps.mean()) if len(steps) else 0.0


def _of_colour(
    spectrum: npt.NDArray[np.float64], voiced: npt.NDArray[np.bool_]
) -> tuple[float, float]:
    mean = spectrum[voiced].mean(axis=0)
    hz = np.fft.rfftfreq(2 * FRAME, 1 / SAMPLE_RATE_HZ)

    def over(split_hz: float) -> float:
        above = mean[(hz >= split_hz) & (hz < TOP_HZ)].sum()
        below = mean[(hz >= 200) & (hz < split_hz)].sum()
        return float(10 * np.log10((above + 1e-10) / (below + 1e-10)))

    return over(SPLIT_HZ), over(SHARP_HZ)


def _pace(level: npt.NDArray[np.float64], speech: npt.NDArray[np.bool_]) -> float:
    """Peaks of the smoothed loudness, per second of speech."""
    smooth = np.convolve(level, np.hanning(9) / np.hanning(9).sum(), mode="same")
    nuclei, dip, top = 0, smooth[0], smooth[0]
    rising = True
    for value, spoken in zip(smooth, speech, strict=True):
        if rising:
            top = max(top, value)
            if value < top - NUCLEUS_DB:
                nuclei += 1 if spoken or top > np.median(smooth) else 0
                rising, dip = False, value
        else:
            dip = min(dip, value)
            if value > dip + NUCLEUS_DB:
                rising, top = True, value
    seconds = max(speech.sum() * HOP / SAMPLE_RATE_HZ, 0.1)
    return float(nuclei / seconds)
