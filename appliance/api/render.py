"""A finished call as text people and players read: txt, json, srt, vtt."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from appliance.messages import DEMO_NOTICE, Final, Transcript

LINE_CELLS = 40  # terminal cells of a subtitle line: 20 Chinese characters
CUE_LINES = 2

# A token is what must not be torn apart; closing punctuation stays with what it closes.
_TOKEN = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9.@:/_'%-]*|\s+|.)[，。！？、；：,.!?;:”’》）)]*")


def plain_text(transcript: Transcript) -> str:
    """One text. Of one leg Chinese runs on; who speaks next begins a line."""
    texts, last = [], None
    for final in transcript.finals:
        texts.append(separator(last, final) + final.text)
        last = final
    return "".join(texts)


def separator(before: Final | None, after: Final) -> str:
    """What belongs between two utterances: a line break between legs, a space between words."""
    if before is None or not before.text or not after.text:
        return ""
    if before.leg != after.leg:
        return "\n"
    end, begin = before.text[-1], after.text[0]
    return "" if end.isspace() or begin.isspace() or _wide(end) or _wide(begin) else " "


def to_txt(transcript: Transcript) -> str:
    """One utterance a line; with its leg in front if there are several."""
    lines = (
        _leg_mark(transcript, final.leg) + _one_line(final.text) for final in transcript.finals
    )
    return "".join(f"{line}\n" for line in lines)


def to_json(transcript: Transcript) -> str:
    return json.dumps(as_dict(transcript), ensure_ascii=False, indent=2) + "\n"


def to_srt(transcript: Transcript) -> str:
    blocks = []
    for number, cue in enumerate(_cues(transcript), start=1):
        span = f"{_clock(cue.start_ms, ',')} --> {_clock(cue.end_ms, ',')}"
        # An arrow in the text would read as a time line.
        text = "\n".join(cue.lines).replace("-->", "→")
        mark = _leg_mark(transcript, cue.leg)
        blocks.append(f"{number}\n{span}\n{mark}{text}\n")
    return "\n".join(blocks)


def to_vtt(transcript: Transcript) -> str:
    blocks = ["WEBVTT\n"]
    if transcript.demo:
        blocks.append(f"NOTE {DEMO_NOTICE} {_one_line(transcript.model)}\n".replace("-->", "→"))
    for cue in _cues(transcript):
        span = f"{_clock(cue.start_ms, '.')} --> {_clock(cue.end_ms, '.')}"
        text = "\n".join(_escape(line) for line in cue.lines)
        voice = f"<v 声道{cue.leg + 1}>" if transcript.legs > 1 else ""
        blocks.append(f"{span}\n{voice}{text}\n")
    return "\n".join(blocks)


FORMATS: dict[str, Callable[[Transcript], str]] = {
    "txt": to_txt,
    "json": to_json,
    "srt": to_srt,
    "vtt": to_vtt,
}


def as_dict(transcript: Transcript) -> dict[str, Any]:
    """The transcript as JSON values; times in seconds from the start of the call."""
    return {
        "model": transcript.model,
        "demo": transcript.demo,
        **({"notice": DEMO_NOTICE} if transcript.demo else {}),
        "language": transcript.language,
        "duration": transcript.duration_ms / 1000,
        "legs": transcript.legs,
        **({"cut_short": True} if transcript.cut_short else {}),
        "text": plain_text(transcript),
        "utterances": [_utterance(final) for final in transcript.finals],
    }


def _utterance(final: Final) -> dict[str, Any]:
    return {
        "leg": final.leg,
        "start": final.start_ms / 1000,
        "end": final.end_ms / 1000,
        "text": final.text,
        "language": final.language,
        "confidence": round(final.confidence, 4),
        "engine": final.engine,
        "model": final.model,
        "words": [
            {
                "word": word.text,
                "start": word.start_ms / 1000,
                "end": word.end_ms / 1000,
                "confidence": round(word.confidence, 4),
            }
            for word in final.words
        ],
    }


@dataclass(frozen=True, slots=True)
class _Cue:
    leg: int
    start_ms: int
    end_ms: int
    lines: tuple[str, ...]


def _cues(transcript: Transcript) -> list[_Cue]:
    """By their start: those of two legs that speak at once come between each other."""
    cues = (cue for final in transcript.finals for cue in _split(final))
    return sorted(cues, key=lambda cue: (cue.start_ms, cue.leg))


def _split(final: Final) -> Iterator[_Cue]:
    """Cut a long utterance into cues of two lines.

    Time is shared out by characters: after ITN and punctuation the words' own times no longer
    fit the text one to one.
    """
    lines = wrap(_one_line(final.text), LINE_CELLS)
    groups = [tuple(lines[i : i + CUE_LINES]) for i in range(0, len(lines), CUE_LINES)]
    total = sum(map(len, lines))
    span_ms = max(final.end_ms - final.start_ms, len(groups))
    said = 0
    for group in groups:
        start = final.start_ms + span_ms * said // total
        said += sum(map(len, group))
        yield _Cue(final.leg, start, final.start_ms + span_ms * said // total, group)


def wrap(text: str, cells: int) -> list[str]:
    """Break into lines of at most `cells` terminal cells, not inside words or before commas."""
    lines, line, width = [], "", 0
    for token in _tokens(text, cells):
        token_width = _width(token)
        if line and width + _width(token.rstrip()) > cells:
            lines.append(line.rstrip())
            line, width = "", 0
        if not line:
            token = token.lstrip()
            token_width = _width(token)
        line += token
        width += token_width
    if line.strip():
        lines.append(line.rstrip())
    return lines


def _tokens(text: str, cells: int) -> Iterator[str]:
    for token in _TOKEN.findall(text):
        if _width(token) <= cells:
            yield token
        else:  # longer than a line: no choice but to tear it
            step = max(1, cells // 2)
            yield from (token[i : i + step] for i in range(0, len(token), step))


def _width(text: str) -> int:
    return sum(2 if _wide(c) else 1 for c in text)


def _wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in "WF"


def _leg_mark(transcript: Transcript, leg: int) -> str:
    return f"声道{leg + 1}：" if transcript.legs > 1 else ""


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _clock(ms: int, point: str) -> str:
    seconds, ms = divmod(max(0, ms), 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{point}{ms:03}"
