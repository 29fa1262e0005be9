"""Neural voices speak the city pack's quality cases, and the box hears them:

python -m inference.training.hotline.dialogues --out H.jsonl --wav DIR --kokoro SITE_PACKAGES VOICES

Agent and citizen have a leg and a voice each, neither heard in training, with the silences, paces
and interruptions that a case states, through 8 kHz A-law. What `lingting transcribe` hears of them
is what is kept, a JSON object a line, for `lingting eval quality --heard`. It goes on where it was
stopped. Voices have no moods: a heard turn carries the remark of the one that was spoken (`how`).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import re
import subprocess
import sys
import time
import tomllib
import wave
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from inference.adaptation import augment
from inference.adaptation.waveform import RATE_HZ, Audio
from inference.training.hotline.sentences import PACK

CASES = PACK / "quality_cases.toml"
ROLES = {"坐席": "agent", "市民": "citizen"}  # in the order of their legs
PACE, PAUSE_S, TAIL_S = (0.9, 1.0), (0.3, 0.8), 0.4
SLOWEST, FASTEST = 0.25, 2.5  # of what the voices can
NOISE_DB, PEAK_DB = (22.0, 35.0), (-12.0, -3.0)
DIGITS = str.maketrans("0123456789", "零幺二三四五六七八九")
_LINE = re.compile(r"(?P<role>坐席|市民)(?:（(?P<how>[^）]*)）)?[：:](?P<text>.*)")
_SILENCE = re.compile(r"（静音(\d+(?:\.\d+)?)秒）")
_PER_MINUTE = re.compile(r"每分钟(\d+)字")
_OVER = re.compile(r"抢话(\d+(?:\.\d+)?)秒")

Say = Callable[[str, str, float], Audio]  # text, voice, speed
Speak = Callable[[str, float], Audio]


@dataclass(frozen=True, slots=True)
class VoicedTurn:
    """A turn of a case, and when it is spoken."""

    role: str
    how: str
    text: str
    start_ms: int
    end_ms: int


def dialogues(path: Path = CASES) -> Iterator[tuple[str, str]]:
    """Name and lines of each; names as `lingting eval quality` gives them."""
    counts = Counter[str]()
    for case in tomllib.loads(path.read_text(encoding="utf-8"))["case"]:
        for kind in (f"{case['rule']}/violated", f"{case['rule']}/kept"):
            for text in case[kind.rpartition("/")[2]]:
                counts[kind] += 1
                yield f"{kind}/{counts[kind]}", text


def perform(
    text: str, say: Say, voices: Sequence[str], rng: random.Random
) -> tuple[list[VoicedTurn], list[Audio]]:
    """What is spoken when, and the audio of both legs, equally long."""
    voice, speed = dict(zip(ROLES, rng.sample(voices, 2), strict=True)), rng.choice(PACE)
    turns, pieces, at = list[VoicedTurn](), list[tuple[str, int, Audio]](), 0
    pause = 0
    for line in filter(None, (each.strip() for each in text.splitlines())):
        if silence := _SILENCE.fullmatch(line):
            at += round(float(silence[1]) * RATE_HZ)
            continue
        if not (match := _LINE.fullmatch(line)):
            raise ValueError(f"{line!r} is no turn")
        role, how, words = match["role"], match["how"] or "", match["text"].strip()
        audio = _said(words, _by(say, voice[role]), how, speed)
        over = _OVER.search(how)
        start = max(0, at - pause - round(float(over[1]) * RATE_HZ)) if over else at
        end = start + len(audio)
        pieces.append((role, start, audio))
        turns.append(VoicedTurn(ROLES[role], how, words, _ms(start), _ms(end)))
        pause = round(rng.uniform(*PAUSE_S) * RATE_HZ)
        at = max(at, end) + pause
    length = at - pause + round(TAIL_S * RATE_HZ)
    return turns, [_leg(role, pieces, length, rng) for role in ROLES]


def _by(say: Say, voice: str) -> Speak:
    return lambda text, speed: say(text, voice, speed)


def _said(text: str, speak: Speak, how: str, speed: float) -> Audio:
    """At the pace that the case states, by what the voice makes of it at its own."""
    spoken = text.translate(DIGITS)
    if pace := _PER_MINUTE.search(how):
        seconds = len(speak(spoken, 1.0)) / RATE_HZ
        own = len(re.sub(r"\W", "", spoken)) / seconds * 60
        speed = round(min(FASTEST, max(SLOWEST, float(pace[1]) / own)), 2)
    return speak(spoken, speed)


def _leg(
    role: str, pieces: Sequence[tuple[str, int, Audio]], length: int, rng: random.Random
) -> Audio:
    leg = np.zeros(length, np.float32)
    for whose, start, audio in pieces:
        if whose == role:
            leg[start : start + len(audio)] += audio
    noise = augment.coloured_noise(np.random.default_rng(rng.getrandbits(32)), length, 1.0)
    leg = augment.at_level(leg, rng.uniform(*PEAK_DB))
    return augment.alaw_round_trip(augment.add_noise(leg, noise, rng.uniform(*NOISE_DB)))


def _ms(samples: int) -> int:
    return round(samples / RATE_HZ * 1000)


def write_legs(path: Path, legs: Sequence[Audio]) -> None:
    both = np.clip(np.stack(legs, axis=1), -1, 1)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(len(legs))
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes((both * 32767).astype("<i2").tobytes())


def kept_by(folder: Path, say: Say) -> Say:
    """Says the same only once: most cases begin alike."""
    folder.mkdir(parents=True, exist_ok=True)

    def saying(text: str, voice: str, speed: float) -> Audio:
        name = hashlib.sha256(f"{text}|{voice}|{speed}".encode()).hexdigest()[:24]
        path = folder / f"{name}.npy"
        if not path.exists():
            np.save(path, say(text, voice, speed))
        audio: Audio = np.load(path)
        return audio

    return saying


def heard(lingting: str, paths: Sequence[Path]) -> dict[str, Any]:
    """What `lingting transcribe` makes of recordings, by their names without an ending."""
    command = [lingting, "transcribe", "-q", "-f", "json", *map(str, paths)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    if len(paths) == 1:
        return {paths[0].stem: json.loads(done)}
    rows = map(json.loads, done.splitlines())
    return {Path(row["file"]).stem: row for row in rows}


def line_of(name: str, text: str, spoken: Sequence[VoicedTurn], told: Any) -> dict[str, Any]:
    """As `lingting eval quality --heard` reads it."""
    return {
        "case": name,
        "text": text,
        "duration_ms": round(told["duration"] * 1000),
        "model": told["model"],
        "turns": [_turn(each, spoken) for each in told["utterances"]],
    }


def _turn(said: Any, spoken: Sequence[VoicedTurn]) -> dict[str, Any]:
    role = [*ROLES.values()][said["leg"]]
    start_ms: int = round(said["start"] * 1000)
    end_ms: int = round(said["end"] * 1000)

    def shared(turn: VoicedTurn) -> int:
        return min(end_ms, turn.end_ms) - max(start_ms, turn.start_ms)

    same = max((turn for turn in spoken if turn.role == role), key=shared, default=None)
    words = [
        (each["word"], round(each["start"] * 1000), round(each["end"] * 1000), each["confidence"])
        for each in said["words"]
    ]
    return {
        "role": role,
        "text": said["text"],
        "start_ms": start_ms,
        "end_ms": end_ms,
        "confidence": said["confidence"],
        "words": words,
        "how": same.how if same and shared(same) > 0 else "",
    }


def run(given: argparse.Namespace, say: Say, voices: Sequence[str]) -> None:
    """In an order that makes any beginning a fair sample."""
    out: Path = given.out
    lines = out.read_text(encoding="utf-8").splitlines() if out.exists() else []
    done, every = {json.loads(line)["case"] for line in lines}, list(dialogues())
    random.Random(given.seed).shuffle(every)
    left = [each for each in every if each[0] not in done][: given.count]
    begun = time.monotonic()
    for at in range(0, len(left), given.batch):
        batch, spoken, paths = left[at : at + given.batch], {}, []
        for name, text in batch:
            turns, legs = perform(text, say, voices, random.Random(f"{given.seed}-{name}"))
            path = given.wav / f"{name.replace('/', '-')}.wav"
            write_legs(path, legs)
            spoken[path.stem] = (name, text, turns)
            paths.append(path)
        told = heard(given.lingting, paths)
        with out.open("a", encoding="utf-8") as file:
            for stem, row in told.items():
                file.write(json.dumps(line_of(*spoken[stem], row), ensure_ascii=False) + "\n")
        state = f"{len(done) + at + len(batch)} of {len(every)}, {time.monotonic() - begun:.0f} s"
        print(state, file=sys.stderr, flush=True)


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="JSON lines; appended to")
    parser.add_argument("--wav", type=Path, required=True, help="folder for the recordings")
    parser.add_argument("--kokoro", nargs=2, type=Path, required=True)
    parser.add_argument("--lingting", default="lingting", help="command that hears them")
    parser.add_argument("--count", type=int, help="at most; else all that are left")
    parser.add_argument("--batch", type=int, default=20, help="spoken before they are heard")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args(given)


def main() -> None:
    given = arguments()
    # In the environment of requirements/voice.txt alone.
    from inference.training.hotline.speak import HELD_OUT
    from inference.training.kokoro import Kokoro

    run(given, kept_by(given.wav / "said", Kokoro(*given.kokoro).say), HELD_OUT)


if __name__ == "__main__":
    main()
