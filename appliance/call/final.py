"""What an engine heard -> what a call publishes: times, numbers, punctuation."""

from __future__ import annotations

from dataclasses import replace

from appliance.call import itn
from appliance.messages import CallConfig, Final, SpokenWord, TermCorrection
from inference.tensors import Hypothesis

PUNCTUATION = "，。？！、；：,.?!;:"
_STRIP = str.maketrans("", "", PUNCTUATION)


def spoken_words(heard: Hypothesis, offset_ms: int) -> tuple[SpokenWord, ...]:
    """Words with times from the start of the call."""
    return tuple(
        SpokenWord(w.text, offset_ms + w.start_ms, offset_ms + w.end_ms, w.confidence)
        for w in heard.words
    )


def final_of(
    heard: Hypothesis,
    corrections: tuple[TermCorrection, ...],
    config: CallConfig,
    place: tuple[int, int],
    span_ms: tuple[int, int],
    loudness_db: float | None = None,
) -> Final:
    """What a leg said in one utterance.

    Args:
        corrections: made in what was heard, with times from the start of the utterance.
        place: number of the leg, and of the utterance in it.
        span_ms: of the utterance, from the start of the call.
        loudness_db: of its speech.
    """
    begin_ms, end_ms = span_ms
    words = spoken_words(heard, begin_ms)
    return Final(
        leg=place[0],
        utterance=place[1],
        text=dressed(heard.text, config),
        words=dressed_words(words, config) if config.word_times else (),
        start_ms=words[0].start_ms if words else begin_ms,
        end_ms=words[-1].end_ms if words else end_ms,
        confidence=heard.confidence,
        no_speech=heard.no_speech,
        temperature=heard.temperature,
        language=heard.language,
        engine=heard.engine,
        model=heard.model,
        demo=heard.demo,
        corrections=tuple(
            replace(each, start_ms=begin_ms + each.start_ms, end_ms=begin_ms + each.end_ms)
            for each in corrections
        ),
        loudness_db=loudness_db,
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
