"""What a telephone does to speech: codec, gain, noise; and sounds that are no speech."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from inference.adaptation.waveform import RATE_HZ, Audio, as_audio, resample

BANDS = 2  # of pitch that are blotted out at once
SPAN_EVERY, LONGEST_SPAN = 200, 25  # frames of 10 ms


def alaw_round_trip(audio: Audio) -> Audio:
    """16 kHz -> 8 kHz -> G.711 A-law -> 16 kHz. The same length comes back."""
    narrow = resample(audio, 0.5)
    wide = resample(_alaw(narrow), 2.0)
    return as_audio(np.pad(wide, (0, max(0, len(audio) - len(wide))))[: len(audio)])


def _alaw(audio: Audio) -> Audio:
    """Quantise to the 256 values of G.711 A-law (13-bit segments with 16 steps each)."""
    size = np.minimum(np.abs(audio), 1.0) * 4096
    segment = np.clip(np.frexp(size)[1] - 6, 0, 6)
    step = np.exp2(segment + 1).astype(np.float32)
    return as_audio(np.sign(audio) * (np.floor(size / step) + 0.5) * step / 4096)


def encode_alaw(audio: Audio) -> bytes:
    """float32 (full scale 1.0) -> one G.711 A-law byte a sample."""
    size = np.minimum(np.abs(audio) * 4096, 4095).astype(np.int64)
    segment = np.clip(np.floor(np.log2(np.maximum(size, 1))) - 4, 0, 7).astype(np.int64)
    mantissa = np.where(segment < 2, size >> 1, size >> segment) & 0x0F
    code = (segment << 4) | mantissa | np.where(audio >= 0, 0x80, 0)
    return bytes((code ^ 0x55).astype(np.uint8).tobytes())


def at_level(audio: Audio, peak_db: float) -> Audio:
    """`audio` scaled so that its peak lies at `peak_db` dBFS; silence stays silence."""
    peak = float(np.max(np.abs(audio), initial=0.0))
    return audio if peak < 1e-6 else as_audio(audio * (10 ** (peak_db / 20) / peak))


def add_noise(audio: Audio, noise: Audio, snr_db: float) -> Audio:
    """`noise` (as long as `audio`) added `snr_db` below the speech."""
    power = float(np.mean(audio**2)) + 1e-12
    scale = np.sqrt(power / (float(np.mean(noise**2)) + 1e-12) / 10 ** (snr_db / 10))
    return as_audio(audio + noise * scale)


def reverberated(audio: Audio, rng: np.random.Generator, seconds: float) -> Audio:
    """As in a room whose echo dies within `seconds`, a quarter as strong as the voice at most."""
    samples = int(seconds * RATE_HZ)
    tail = rng.standard_normal(samples) * np.exp(-np.arange(samples) / (samples / 5))
    tail *= rng.uniform(0.05, 0.25) / np.sqrt(np.sum(tail**2))
    tail[0] = 1.0
    length = 1 << (len(audio) + samples).bit_length()
    heard = np.fft.irfft(np.fft.rfft(audio, length) * np.fft.rfft(tail, length), length)
    return as_audio(heard[: len(audio)])


def tilted(audio: Audio, share: float) -> Audio:
    """Each sample less a share of the one before: above 0 brighter, below it duller."""
    return as_audio(audio - share * np.concatenate(([0.0], audio[:-1])))


def mask(mel: npt.NDArray[np.float32], rng: np.random.Generator) -> None:
    """Blot out bands of pitch and short spans of time of [b, mels, frames], in place.

    SpecAugment (Park et al. 2019): what is left must do, so that no clip is learned by heart.
    """
    mels, frames = mel.shape[1:]
    for window in mel:
        usual = float(window.mean())
        for _ in range(BANDS):
            height = int(rng.integers(0, mels // 5))
            at = int(rng.integers(0, mels - height))
            window[at : at + height] = usual
        for _ in range(round(frames / SPAN_EVERY)):
            width = int(rng.integers(0, LONGEST_SPAN))
            at = int(rng.integers(0, max(1, frames - width)))
            window[:, at : at + width] = usual


def coloured_noise(rng: np.random.Generator, samples: int, slope: float) -> Audio:
    """Noise whose power falls with frequency to the `slope`: 0 white, 1 pink, 2 brown."""
    white = rng.standard_normal(samples // 2 + 1) + 1j * rng.standard_normal(samples // 2 + 1)
    shaped = white / np.maximum(np.arange(len(white)), samples / 800) ** (slope / 2)
    noise = np.fft.irfft(shaped, samples)
    return as_audio(noise / (np.max(np.abs(noise)) + 1e-9))


def _seconds(samples: int) -> npt.NDArray[np.float64]:
    return np.arange(samples) / RATE_HZ


def hum(rng: np.random.Generator, samples: int) -> Audio:
    """Mains hum at 50 Hz with harmonics, or a machine's tone."""
    base = 50.0 if rng.random() < 0.6 else rng.uniform(40, 700)
    wave = sum(
        rng.uniform(0.1, 1)
        / k
        * np.sin(2 * np.pi * base * k * _seconds(samples) + rng.uniform(0, 6))
        for k in range(1, 7)
    )
    return as_audio(np.asarray(wave) / 3)


def ring_back(rng: np.random.Generator, samples: int) -> Audio:
    """The Chinese ring-back tone: 450 Hz, 1 s on and 4 s off; or busy: 0.35 s on and off."""
    on_s, off_s = (1.0, 4.0) if rng.random() < 0.5 else (0.35, 0.35)
    time = _seconds(samples) + rng.uniform(0, on_s + off_s)
    gate = (time % (on_s + off_s)) < on_s
    return as_audio(np.sin(2 * np.pi * 450 * time) * gate)


def dtmf(rng: np.random.Generator, samples: int) -> Audio:
    """Keys pressed on a telephone: two tones, 60-200 ms each."""
    out, at = np.zeros(samples, dtype=np.float32), 0
    while at < samples:
        length, gap = int(rng.uniform(0.06, 0.2) * RATE_HZ), int(rng.uniform(0.05, 0.6) * RATE_HZ)
        low, high = rng.choice([697, 770, 852, 941]), rng.choice([1209, 1336, 1477, 1633])
        time = _seconds(min(length, samples - at))
        out[at : at + length] = np.sin(2 * np.pi * low * time) + np.sin(2 * np.pi * high * time)
        at += length + gap
    return as_audio(out / 2)


def music(rng: np.random.Generator, samples: int) -> Audio:
    """Music on hold: a random pentatonic tune over chords, with decaying harmonics."""
    out, at = np.zeros(samples, dtype=np.float32), 0
    beat = int(rng.uniform(0.15, 0.5) * RATE_HZ)
    scale = rng.uniform(110, 330) * 2 ** (np.array([0, 2, 4, 7, 9, 12, 14, 16]) / 12)
    harmonics = rng.uniform(0, 1, 5) / np.arange(1, 6)
    while at < samples:
        length = min(beat * int(rng.integers(1, 4)), samples - at)
        time = _seconds(length)
        for pitch in rng.choice(scale, int(rng.integers(1, 4)), replace=False):
            tone = sum(
                h * np.sin(2 * np.pi * pitch * (k + 1) * time) for k, h in enumerate(harmonics)
            )
            out[at : at + length] += (tone * np.exp(-time * rng.uniform(0.5, 6))).astype(np.float32)
        at += length
    return as_audio(out / (float(np.max(np.abs(out))) + 1e-9))


def clicks(rng: np.random.Generator, samples: int) -> Audio:
    """Handling noise: short decaying bursts."""
    out = np.zeros(samples, dtype=np.float32)
    for _ in range(int(rng.integers(1, 10))):
        at, length = int(rng.integers(0, samples)), int(rng.uniform(0.005, 0.15) * RATE_HZ)
        burst = rng.standard_normal(length) * np.exp(-np.arange(length) / (length / 5))
        out[at : at + length] += burst[: samples - at].astype(np.float32)
    return as_audio(out / (float(np.max(np.abs(out))) + 1e-9))


def silence(rng: np.random.Generator, samples: int) -> Audio:
    """Nothing, or a faint hiss."""
    return as_audio(rng.standard_normal(samples) * rng.choice([0, 1e-5, 1e-4, 5e-4]))


NON_SPEECH: dict[str, Callable[[np.random.Generator, int], Audio]] = {
    "silence": silence,
    "white": lambda rng, samples: coloured_noise(rng, samples, 0.0),
    "pink": lambda rng, samples: coloured_noise(rng, samples, 1.0),
    "brown": lambda rng, samples: coloured_noise(rng, samples, 2.0),
    "hum": hum,
    "music": music,
    "ring_back": ring_back,
    "dtmf": dtmf,
    "clicks": clicks,
}


def non_speech(kind: str, rng: np.random.Generator, samples: int) -> Audio:
    """A sound of `kind` (a key of NON_SPEECH), float32 at 16 kHz."""
    return NON_SPEECH[kind](rng, samples)
