"""Speech from espeak-ng, in this process, with the time of every syllable.

The library is GPL: it is loaded from the system when data are made, never shipped or linked.
espeak's `cmn` voice cannot read most characters, so text goes in as pinyin (`cmn-latn-pinyin`), its
syllables apart: then espeak reports each as a word, with its place in the audio.
"""

from __future__ import annotations

import ctypes
import json
import os
import random
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from pypinyin import Style, lazy_pinyin

from inference.adaptation.waveform import RATE_HZ, Audio, resample

LANGUAGE = "cmn-latn-pinyin"
HELD_OUT_VOICES = ("m4", "f2", "Jacky", "steph2", "rob", "iven2")
_words = str.split
TRAINING_VOICES = _words(
    "m1 m2 m3 m5 m6 m7 m8 f1 f3 f4 f5 Alex Alicia Andrea Andy Annie Denis Diogo Gene Henrique Hugo "
    "Lee Marco Mario Michael Mike Nguyen Storm Tweaky adam anika antonio aunty belinda benjamin "
    "boris caleb david ed edward grandma gustave john kaukovalta klatt klatt2 klatt4 linda marcelo "
    "max michel norbert pablo paul pedro quincy robert sandro shelby steph travis"
)
_ESPEAK_RATE_HZ = 22_050
_INITIALS = _words("zh ch sh b p m f d t n l g k h j q x r z c s y w")


@dataclass(frozen=True, slots=True)
class Voice:
    """How espeak is to speak: a variant, words per minute, pitch and its range (0-99)."""

    variant: str
    rate_wpm: int = 175
    pitch: int = 50
    pitch_range: int = 50
    size: float = 1.0  # of the vocal tract: above 1 is a bigger, deeper speaker


def draw_voice(rng: random.Random, variants: list[str] | tuple[str, ...] | None = None) -> Voice:
    """A speaker drawn from `variants` (the training voices unless given)."""
    return Voice(
        variant=rng.choice(variants or TRAINING_VOICES),
        rate_wpm=rng.randint(130, 240),
        pitch=rng.randint(15, 85),
        pitch_range=rng.randint(30, 75),
        size=round(rng.uniform(0.92, 1.08), 3),
    )


@dataclass(frozen=True, slots=True)
class Speech:
    """`audio` float32 16 kHz; `starts_s` when each character of the text begins (marks have none
    of their own: they begin where the character before them ends); `phones` per character."""

    text: str
    audio: Audio
    starts_s: list[float]
    end_s: float
    syllables: list[str]


def syllables(text: str) -> list[str]:
    """One entry a character: pinyin with tone ("lou4"), or the mark itself."""
    spoken: list[str] = lazy_pinyin(
        text,
        style=Style.TONE3,
        neutral_tone_with_five=True,
        errors=lambda unknown: list(unknown),  # type: ignore[arg-type, return-value]
    )
    return spoken


def phones(syllable: str) -> list[str]:
    """Initial and toned final of a pinyin syllable: "zhong1" -> ["zh", "ong1"]."""
    for initial in _INITIALS:
        if syllable.startswith(initial):
            return [initial, syllable[len(initial) :]]
    return [syllable]


class _Event(ctypes.Structure):
    """espeak_EVENT of speak_lib.h."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_ms", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    )


_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)
_SYNCHRONOUS, _CHARACTERS, _UTF8 = 2, 1, 1
_RATE, _PITCH, _RANGE = 1, 3, 4
_LIST_END, _WORD = 0, 1


class Espeak:
    """libespeak-ng, which has one global state: make one of these per process."""

    def __init__(self, library: str = "libespeak-ng.so.1") -> None:
        self._lib = ctypes.CDLL(library)
        self._chunks: list[npt.NDArray[np.int16]] = []
        self._words: list[tuple[int, int]] = []  # (text position from 0, sample)
        self._callback = _CALLBACK(self._receive)  # kept alive: espeak holds only the pointer
        if self._lib.espeak_Initialize(_SYNCHRONOUS, 200, None, 0) != _ESPEAK_RATE_HZ:
            raise RuntimeError(f"{library}: unexpected sample rate; need espeak-ng 1.51 or newer")
        self._lib.espeak_SetSynthCallback(self._callback)

    def say(self, text: str, voice: Voice, pauses: frozenset[int] = frozenset()) -> Speech:
        """`text` spoken by `voice`; it halts before the characters whose index is in `pauses`."""
        spoken = syllables(text)
        if len(spoken) != len(text):
            raise ValueError(f"cannot read {text!r}: {spoken}")
        written, positions = self._write(spoken, pauses)
        self._speak(written, voice)
        ratio = RATE_HZ / _ESPEAK_RATE_HZ * voice.size
        recorded: Audio = np.concatenate(self._chunks).astype(np.float32)
        audio = resample(recorded / np.float32(32768), ratio)
        starts_s, end_s = self._times(positions, voice.size, len(audio) / RATE_HZ)
        return Speech(text, audio, starts_s, end_s, spoken)

    @staticmethod
    def _write(spoken: list[str], pauses: frozenset[int]) -> tuple[str, list[int | None]]:
        """What espeak reads, and each character's place in it (None for a mark)."""
        written, positions = "", list[int | None]()
        for index, syllable in enumerate(spoken):
            if syllable in "，。？":
                positions.append(None)
                written = written.rstrip() + {"，": ", ", "。": ". ", "？": "? "}[syllable]
                continue
            if index in pauses and written:
                written = written.rstrip(" ,") + ", "
            positions.append(len(written))
            written += syllable + " "
        return written, positions

    def _speak(self, written: str, voice: Voice) -> None:
        self._chunks, self._words = [], []
        name = f"{LANGUAGE}+{voice.variant}" if voice.variant else LANGUAGE
        if self._lib.espeak_SetVoiceByName(name.encode()) != 0:
            raise ValueError(f"espeak-ng has no voice {name}")
        self._lib.espeak_SetParameter(_RATE, voice.rate_wpm, 0)
        self._lib.espeak_SetParameter(_PITCH, voice.pitch, 0)
        self._lib.espeak_SetParameter(_RANGE, voice.pitch_range, 0)
        data = written.encode("utf-8") + b"\0"
        self._lib.espeak_Synth(data, len(data), 0, _CHARACTERS, 0, _UTF8, None, None)
        self._lib.espeak_Synchronize()
        if not self._chunks:
            raise RuntimeError(f"espeak-ng said nothing for {written!r}")

    def _receive(self, samples: object, count: int, events: object) -> int:
        if samples and count > 0:
            heard = np.ctypeslib.as_array(samples, (count,))
            self._chunks.append(heard.copy())
        index = 0
        while events[index].type != _LIST_END:  # type: ignore[index]
            if events[index].type == _WORD:  # type: ignore[index]
                event = events[index]  # type: ignore[index]
                self._words.append((event.text_position - 1, event.sample))
            index += 1
        return 0

    def _times(
        self, positions: list[int | None], size: float, length_s: float
    ) -> tuple[list[float], float]:
        """Start of every character in seconds, and the end of speech."""
        known = {place: sample / _ESPEAK_RATE_HZ * size for place, sample in self._words}
        starts: list[float | None] = [
            None if place is None else known.get(place) for place in positions
        ]
        filled = list[float]()
        for index, start in enumerate(starts):
            following = next((s for s in starts[index:] if s is not None), length_s)
            filled.append(following if start is None else start)
        return filled, length_s


@cache
def _unspoken() -> Espeak:
    """An espeak that never speaks in this process."""
    return Espeak()


def say_apart(text: str, voice: Voice) -> Speech:
    """`text` by `voice`, the same samples every time.

    espeak keeps state from one sentence to the next, so each is said in a forked copy of one that
    has said nothing yet.
    """
    espeak = _unspoken()
    source, sink = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            speech = espeak.say(text, voice)
            times = json.dumps([speech.starts_s, speech.end_s]).encode()
            with os.fdopen(sink, "wb") as file:
                file.write(len(times).to_bytes(4, "big") + times + speech.audio.tobytes())
        finally:
            os._exit(0)
    os.close(sink)
    with os.fdopen(source, "rb") as file:
        data = file.read()
    os.waitpid(child, 0)
    if not data:
        raise RuntimeError(f"espeak-ng failed on {text!r} with {voice}")
    split = 4 + int.from_bytes(data[:4], "big")
    starts_s, end_s = json.loads(data[4:split])
    audio = np.frombuffer(data[split:], np.float32)
    return Speech(text, audio, starts_s, end_s, syllables(text))


def trim(speech: Speech, floor: float = 0.004) -> Speech:
    """`speech` without the silence around it; its times move with it."""
    loud = np.flatnonzero(np.abs(speech.audio) > floor)
    if len(loud) == 0:
        return speech
    first = max(0, int(loud[0]) - 160)
    last = min(len(speech.audio), int(loud[-1]) + 320)
    shift, end_s = first / RATE_HZ, (last - first) / RATE_HZ
    starts_s = [min(max(0.0, start - shift), end_s) for start in speech.starts_s]
    return Speech(speech.text, speech.audio[first:last], starts_s, end_s, speech.syllables)
