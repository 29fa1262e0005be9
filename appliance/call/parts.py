"""One final, part by part: who said which of its words."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from appliance.call.timeline import Timeline
from appliance.messages import Final, SpokenWord

LEAST_WORDS = 2  # of a part; a word or two between others' do not make one


@dataclass(frozen=True, slots=True)
class Part:
    """What one person said without another in between; times from the start of the call."""

    speaker: int  # number on a leg that several people share, else the leg's
    text: str
    words: tuple[SpokenWord, ...]
    start_ms: int
    end_ms: int


def parts_of(final: Final, timeline: Timeline | None) -> list[Part]:
    """At least one.

    Args:
        timeline: who speaks on its leg; None if that is one person's.
    """
    if timeline is None:
        return [_whole(final, final.leg)]
    speaker = timeline.speaker_of(final.start_ms, final.end_ms)
    if not final.words:
        return [_whole(final, speaker)]
    named = [(timeline.speaker_of(w.start_ms, w.end_ms), w) for w in final.words]
    runs = [(who, [w for _, w in run]) for who, run in groupby(named, key=lambda pair: pair[0])]
    kept: list[tuple[int, list[SpokenWord]]] = []
    waiting: list[SpokenWord] = []  # too few to stand alone at the beginning
    for who, words in runs:
        if len(words) < LEAST_WORDS and len(runs) > 1:
            (kept[-1][1] if kept else waiting).extend(words)
        elif kept and kept[-1][0] == who:
            kept[-1][1].extend(words)
        else:
            kept.append((who, waiting + words))
            waiting = []
    if len(kept) < 2:
        return [_whole(final, kept[0][0] if kept else speaker)]
    return [_part(who, words) for who, words in kept]


def _whole(final: Final, speaker: int) -> Part:
    start_ms = final.words[0].start_ms if final.words else final.start_ms
    end_ms = final.words[-1].end_ms if final.words else final.end_ms
    return Part(speaker, final.text, final.words, start_ms, end_ms)


def _part(speaker: int, words: list[SpokenWord]) -> Part:
    text = "".join(word.text for word in words)
    return Part(speaker, text, tuple(words), words[0].start_ms, words[-1].end_ms)
