"""What an engine heard -> what a call publishes: times, numbers, punctuation."""

from __future__ import annotations

from appliance.call import itn
from appliance.messages import CallConfig, SpokenWord
from inference.tensors import Hypothesis

PUNCTUATION = "，。？！、；：,.?!;:"
_STRIP = str.maketrans("", "", PUNCTUATION)


def spoken_words(heard: Hypothesis, offset_ms: int) -> tuple[SpokenWord, ...]:
    """Words with times from the start of the call."""
    return tuple(
        SpokenWord(w.text, offset_ms + w.start_ms, offset_ms + w.end_ms, w.confidence)
        for w in heard.words
    )


def dressed(text: str, config: CallConfig) -> str:
    """Text as the caller wants it: numbers written or spoken, with or without punctuation."""
    if config.itn:
        text = itn.written(text)
    return text if config.punctuation else text.translate(_STRIP)


def dressed_words(words: tuple[SpokenWord, ...], config: CallConfig) -> tuple[SpokenWord, ...]:
    if config.itn:
        words = itn.written_words(words)
    if config.punctuation:
        return words
    bare = (SpokenWord(w.text.translate(_STRIP), w.start_ms, w.end_ms, w.confidence) for w in words)
    return tuple(word for word in bare if word.text)
