"""What somebody brings to adapt to: recordings with text, each looked at before it is learned.

A wrong text teaches wrong words. So each text is laid along its recording, and others' texts beside
it: one that another's text fits as well is set aside and listed, with what was heard. A strong
accent is not: badly as its own text fits, another's fits worse.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from inference.adaptation.spread import spread
from inference.adaptation.waveform import RATE_HZ, Audio
from inference.asr.whisper import WhisperModel
from inference.cer import cer, normalise
from inference.tensors import Hypothesis, Window

CHINESE = "zh"
SHORTEST_S, LONGEST_S = 0.4, 14.0
SILENT_PEAK = 0.003  # of full scale
FASTEST = 12.0  # characters a second that nobody speaks
UNDERSTOOD = 0.4  # characters wrong, below which a text needs no further look
OTHERS = 8  # texts of other recordings, of like length, that must fit worse
SPEAKERS_APART = 4  # from so many on, whole speakers are held out
TOGETHER = 8  # windows
_HAN = re.compile(r"[㐀-鿿]")
_MARK = re.compile(r"[，。？！、；：,.?!]")


@dataclass(frozen=True, slots=True)
class SpeechClip:
    """One recording of one person, trimmed."""

    name: str  # as whoever brought it knows it
    audio: Audio
    text: str
    speaker: str
    file: str = ""  # where its samples lie: .npy, int16, 16 kHz
    heard: str = ""  # by the weights that are to be adapted
    whole: str = ""  # of a piece: the recording it was cut from, whose text it has

    @property
    def seconds(self) -> float:
        return len(self.audio) / RATE_HZ

    @property
    def marked(self) -> bool:
        """Whether its text has punctuation."""
        return bool(_MARK.search(self.text))


@dataclass(frozen=True, slots=True)
class SetAside:
    """A recording that is not learned from, and why."""

    name: str
    reason: str


Look = Callable[[int, int], None]  # so many done, of so many


def looked_at(clip: SpeechClip, language: str = CHINESE) -> str:
    """Why a clip cannot be learned from, before it is heard; empty if it can."""
    characters = len(normalise(clip.text))
    if not characters:
        return "no text"
    if language == CHINESE and not _HAN.search(clip.text):
        return "no Chinese text"
    if unknown := [c for c in clip.text if unicodedata.category(c) in ("Cc", "Co", "Cn", "Cs")]:
        return f"its text holds {unknown[0]!r}"
    if clip.seconds < SHORTEST_S:
        return f"{clip.seconds:.1f} s of speech, {SHORTEST_S:g} s are the least"
    if clip.seconds > LONGEST_S:
        return f"{clip.seconds:.0f} s of speech, {LONGEST_S:g} s without a pause are the most"
    if float(abs(clip.audio).max()) < SILENT_PEAK:
        return "silence"
    if characters / clip.seconds > FASTEST:
        return f"{characters} characters in {clip.seconds:.1f} s: more text than was said"
    return ""


def usable(
    clips: Sequence[SpeechClip], model: WhisperModel, language: str, look: Look
) -> tuple[list[SpeechClip], list[SetAside]]:
    """What may be learned from by its look alone; pieces are heard for their part of the text."""
    clips = _with_their_texts(clips, model, language, look)
    reasons = [looked_at(clip, language) for clip in clips]
    aside = [SetAside(c.name, why) for c, why in zip(clips, reasons, strict=True) if why]
    return [clip for clip, why in zip(clips, reasons, strict=True) if not why], aside


def heard_right(
    clips: Sequence[SpeechClip], model: WhisperModel, language: str, look: Look
) -> tuple[list[SpeechClip], list[SetAside]]:
    """Those whose text is their own, with what the model hears in them now, and the others."""
    kept, aside = list[SpeechClip](), list[SetAside]()
    for clip, heard in zip(clips, listened(clips, model, language, look), strict=True):
        if right(clip.text, heard) or fits(clip, clips, model, language):
            kept.append(replace(clip, heard=heard))
        else:
            why = f"another recording's text fits it as well; {heard[:40] or 'nothing'} is heard"
            aside.append(SetAside(clip.name, why))
    return kept, aside


def _with_their_texts(
    clips: Sequence[SpeechClip], model: WhisperModel, language: str, look: Look
) -> list[SpeechClip]:
    """Pieces of a recording with the part of its text that each says."""
    cut = [clip for clip in clips if clip.whole]
    heard = dict(zip((c.name for c in cut), listened(cut, model, language, look), strict=True))
    parts: dict[str, str] = {}
    for whole in dict.fromkeys(clip.whole for clip in cut):
        mine = [clip for clip in cut if clip.whole == whole]
        texts = spread(mine[0].text, [heard[clip.name] for clip in mine])
        parts |= {clip.name: text for clip, text in zip(mine, texts, strict=True)}
    return [replace(clip, text=parts.get(clip.name, clip.text)) for clip in clips]


def right(text: str, heard: str) -> bool:
    """Whether most of a text is heard as it is."""
    return cer(text, heard) < UNDERSTOOD


def fits(clip: SpeechClip, among: Sequence[SpeechClip], model: WhisperModel, language: str) -> bool:
    """Whether its own text fits a recording better than others' do, or there are no others."""
    said = normalise(clip.text)
    others = {normalise(other.text): other.text for other in among}
    others.pop(said, None)
    alike = sorted(others, key=lambda text: abs(len(text) - len(said)))[:OTHERS]
    window = Window(clip.audio, language=language, word_times=False)
    own, *rest = model.fit(window, [clip.text, *(others[text] for text in alike)])
    return not rest or own > max(rest)


def listened(
    clips: Sequence[SpeechClip],
    model: WhisperModel,
    language: str,
    look: Look,
    margin_s: float | None = None,
) -> Iterable[str]:
    """The text of each, as it would be served, without word times."""
    for at in range(0, len(clips), TOGETHER):
        some = clips[at : at + TOGETHER]
        look(at, len(clips))
        windows = [
            Window(clip.audio, language=language, word_times=False, margin_s=margin_s)
            for clip in some
        ]
        for answer in model.listen(windows):
            yield answer.text if isinstance(answer, Hypothesis) else ""
    look(len(clips), len(clips))


def split(
    clips: Sequence[SpeechClip], share: float = 0.12
) -> tuple[list[SpeechClip], list[SpeechClip]]:
    """(to learn from, held out): whole speakers are held out where there are enough of them.

    With fewer than four, the last recordings of each.
    """
    speakers = sorted({clip.speaker for clip in clips})
    wanted_s = share * sum(clip.seconds for clip in clips)
    if len(speakers) < SPEAKERS_APART:
        return _tails(clips, speakers, share)
    held: set[str] = set()
    by_length = sorted(speakers, key=lambda s: sum(c.seconds for c in clips if c.speaker == s))
    for speaker in by_length:
        if sum(c.seconds for c in clips if c.speaker in held) >= wanted_s:
            break
        held.add(speaker)
    return [c for c in clips if c.speaker not in held], [c for c in clips if c.speaker in held]


def _tails(
    clips: Sequence[SpeechClip], speakers: Sequence[str], share: float
) -> tuple[list[SpeechClip], list[SpeechClip]]:
    learned, held = list[SpeechClip](), list[SpeechClip]()
    for speaker in speakers:
        own = [clip for clip in clips if clip.speaker == speaker]
        last = max(1, round(share * len(own))) if len(own) > 1 else 0
        learned += own[: len(own) - last]
        held += own[len(own) - last :]
    return learned, held
