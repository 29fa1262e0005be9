"""Whether a decoding can be believed, and why not. Pure functions over text and scores."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

from inference.bundles import Serving

MAX_COMPRESSION_RATIO = 2.4  # text that compresses better than this repeats itself (OpenAI's bound)
MIN_LOGPROB = -1.0  # mean per token
MOST_UNLIKE_ECHO = 0.4  # share of characters in which an echo differs from its prompt
LEAST_ECHO = 2  # letters of a piece of the bundle's prompt
LEAST_RECITED = 5  # letters of a piece of the caller's prompt
RECITED_SHARE = 0.6  # of a text, from which on it recites
MIN_REPEATS = 4  # of the same phrase, side by side
MIN_RUN = 12  # characters
MAX_PHRASE = 20  # characters of a phrase looked for
ECHO = "echo"  # the fault of a decoding that says its prompt
DOUBTFUL = "doubtful"  # the fault of a decoding whose words are all unlikely
EMPTY = "empty"  # the fault of a decoding without text where somebody speaks
SPARE_TOKENS = 8  # a short window may hold this many tokens whatever its length


@dataclass(frozen=True, slots=True)
class Decoding:
    """One decoding of one window."""

    text: str
    tokens: tuple[int, ...]
    logprob: float  # mean per token, natural log
    no_speech: float  # 0..1
    audio_s: float
    temperature: float = 0.0
    fault: str | None = None  # why it should be tried again, see `fault`


def compression_ratio(text: str) -> float:
    raw = text.encode()
    return len(raw) / len(zlib.compress(raw)) if raw else 0.0


def repeated(text: str) -> tuple[int, int] | None:
    """The stretch [begin, end) of needless repeats of a phrase, its first stand left out, or None.

    People do say 对对对对: only a run of MIN_RUN characters or more is a decoder's loop. Digits do
    not count: telephone and identity numbers repeat themselves.
    """
    for size in range(1, min(MAX_PHRASE, len(text) // MIN_REPEATS) + 1):
        repeats = max(MIN_REPEATS, -(-MIN_RUN // size))
        for start in range(len(text) - size * repeats + 1):
            phrase = text[start : start + size]
            if text.startswith(phrase * repeats, start) and not _is_number(phrase):
                end = start + size * repeats
                while text.startswith(phrase, end):
                    end += size
                return start + size, end
    return None


def _is_number(text: str) -> bool:
    return all(char in "零〇一二三四五六七八九幺0123456789" for char in text)


def max_tokens(audio_s: float, serving: Serving) -> int:
    """More tokens than this cannot have been said in `audio_s`."""
    spare = 0 if serving.forced_length else SPARE_TOKENS
    return max(1, spare + int(audio_s * serving.max_tokens_per_s))


def is_silence(decoding: Decoding, serving: Serving) -> bool:
    if serving.forced_length:
        return False
    return (
        decoding.no_speech > serving.no_speech_threshold
        and decoding.logprob < serving.no_speech_logprob
    )


def fault(decoding: Decoding, serving: Serving) -> str | None:
    """Why this decoding should be tried again, or None."""
    if serving.forced_length:
        return None
    if is_silence(decoding, serving):
        return None
    if not decoding.text:
        return EMPTY if decoding.no_speech <= serving.no_speech_threshold else None
    if repeated(decoding.text):
        return "repeats"
    if compression_ratio(decoding.text) > MAX_COMPRESSION_RATIO:
        return "compression"
    if len(decoding.tokens) >= max_tokens(decoding.audio_s, serving):
        return "too long"
    if decoding.logprob < MIN_LOGPROB:
        return DOUBTFUL
    return None


def is_phantom(text: str, phantoms: Sequence[str]) -> bool:
    """Whether a text is nothing but phrases that a model writes where nobody speaks.

    Stock Whisper learned them from subtitles; only what no caller would say belongs to them.
    """
    left = _letters(text)
    if not left:
        return False
    for phantom in sorted(map(_letters, phantoms), key=len, reverse=True):
        left = left.replace(phantom, "")
    return not left


def _letters(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalnum())


def echoes(text: str, prompt: str) -> bool:
    """Whether a text begins with the bundle's prompt, more or less, or holds it, or is a piece of
    it: nobody has said that."""
    told, said = _letters(prompt), _letters(text)
    if not told or not said:
        return False
    head = Levenshtein.normalized_distance(text[: len(prompt)], prompt) <= MOST_UNLIKE_ECHO
    return head or told in said or (len(said) >= LEAST_ECHO and said in told)


def recites(text: str, prompt: str) -> bool:
    """Whether a text is little else than pieces of what the caller said comes before."""
    told, said = _letters(prompt), _letters(text)
    if not told or len(said) < LEAST_RECITED:
        return False
    recited = at = 0
    while at < len(said):
        size = 0
        while at + size < len(said) and said[at : at + size + 1] in told:
            size += 1
        recited += size if size >= LEAST_RECITED else 0
        at += max(1, size)
    return recited >= RECITED_SHARE * len(said)


def better(old: Decoding, new: Decoding) -> Decoding:
    """Without a fault before with one, with text before empty, then the likelier."""
    if bool(old.fault) != bool(new.fault):
        return old if new.fault else new
    if old.fault and bool(old.text) != bool(new.text):
        return old if old.text else new
    return max(old, new, key=lambda decoding: decoding.logprob)
