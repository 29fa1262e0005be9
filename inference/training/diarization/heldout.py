"""The fixed dialogues that diarization is measured on: recipes in dialogues.json, spoken anew.

    python -m inference.training.diarization.heldout               # draws the recipes again
    python -m inference.training.diarization.heldout --write DIR   # speaks them: WAV and RTTM

Voices are of variants that no training speaker has. A fifth each: plain, two voices alike, by
8 kHz telephone, much spoken over, with long silences.
"""

from __future__ import annotations

import argparse
import json
import random
import wave
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from inference.adaptation import augment
from inference.adaptation.waveform import RATE_HZ
from inference.training.diarization.dialogue import STEP_S, Dialogue, DialogueTurn, lay_out
from inference.training.diarization.speakers import draw_speaker, wander
from inference.training.text import Sentences
from inference.training.voice import HELD_OUT_VOICES, Voice, say_apart, trim

RECIPES = Path(__file__).with_name("dialogues.json")
SEED = 2026
KINDS = ("plain", "alike", "telephone", "overlap", "silence")
COUNT = 20
LENGTH_S = (55.0, 95.0)


@dataclass(frozen=True, slots=True)
class ScriptLine:
    """One turn of a recipe."""

    speaker: int
    text: str
    gap_s: float
    voice: Voice


@dataclass(frozen=True, slots=True)
class HeldOutRecipe:
    """One dialogue, of two speakers."""

    id: str
    kind: str
    snr_db: float
    peak_db: float
    levels_db: tuple[float, ...]
    seed: int
    lines: tuple[ScriptLine, ...]


def load() -> list[HeldOutRecipe]:
    """The committed recipes."""
    raw = json.loads(RECIPES.read_text(encoding="utf-8"))
    return [
        HeldOutRecipe(
            **{
                **entry,
                "levels_db": tuple(entry["levels_db"]),
                "lines": tuple(
                    ScriptLine(**{**line, "voice": Voice(**line["voice"])})
                    for line in entry["lines"]
                ),
            }
        )
        for entry in raw
    ]


def render(recipe: HeldOutRecipe) -> Dialogue:
    """The audio and who speaks when, the same every time."""
    turns = []
    for line in recipe.lines:
        audio = trim(say_apart(line.text, line.voice)).audio
        level = augment.at_level(audio, recipe.levels_db[line.speaker])
        turns.append(DialogueTurn(line.speaker, level, line.gap_s))
    dialogue = lay_out(turns, len(recipe.levels_db))
    audio = augment.at_level(dialogue.audio, recipe.peak_db)
    noise = augment.coloured_noise(np.random.default_rng(recipe.seed), len(audio), 1.0)
    audio = augment.add_noise(audio, noise, recipe.snr_db)
    if recipe.kind == "telephone":
        audio = augment.alaw_round_trip(audio)
    return Dialogue(audio, dialogue.active)


def _draw(number: int) -> HeldOutRecipe:
    rng = random.Random(f"{SEED}-{number}")
    kind = KINDS[number % len(KINDS)]
    first = draw_speaker(rng, HELD_OUT_VOICES)
    if kind == "alike":  # the same variant, another throat
        pitch = min(95, max(5, first.pitch + rng.choice([-14, 14])))
        size = round(first.size + rng.choice([-0.08, 0.08]), 3)
        second = replace(first, pitch=pitch, size=size)
    else:
        others = [name for name in HELD_OUT_VOICES if name != first.variant]
        second = draw_speaker(rng, others)
    speakers, sentences = (first, second), Sentences(70_000 + number)
    lines, length_s, speaker, wanted_s = list[ScriptLine](), 0.0, 0, rng.uniform(*LENGTH_S)
    while length_s < wanted_s:
        voice = wander(speakers[speaker], rng)
        line = ScriptLine(speaker, sentences.draw(), round(_gap(kind, rng), 2), voice)
        audio = trim(say_apart(line.text, line.voice)).audio
        length_s += max(0.0, line.gap_s) + len(audio) / RATE_HZ
        lines.append(line)
        speaker = 1 - speaker if rng.random() < 0.85 else speaker
    levels = (round(rng.uniform(-4, 0), 1), round(rng.uniform(-4, 0), 1))
    snr_db, peak_db = round(rng.uniform(15, 35), 1), round(rng.uniform(-12, -1), 1)
    return HeldOutRecipe(
        f"{kind}-{number:02d}", kind, snr_db, peak_db, levels, number, tuple(lines)
    )


def _gap(kind: str, rng: random.Random) -> float:
    over = {"overlap": 0.6, "silence": 0.1}.get(kind, 0.3)
    if rng.random() < over:
        return -rng.uniform(0.3, 2.2)
    return rng.uniform(1.0, 5.0) if kind == "silence" and rng.random() < 0.4 else rng.uniform(0, 1)


def write(folder: Path) -> None:
    """Each dialogue as `<id>.wav` (16 kHz, 16 bit) and `<id>.rttm`."""
    recipes = load()
    for done, recipe in enumerate(recipes, 1):
        dialogue = render(recipe)
        with wave.open(str(folder / f"{recipe.id}.wav"), "wb") as file:
            file.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
            samples = np.clip(dialogue.audio, -1, 1) * 32767
            file.writeframes(np.round(samples).astype("<i2").tobytes())
        lines = "\n".join(rttm(recipe.id, dialogue))
        (folder / f"{recipe.id}.rttm").write_text(lines + "\n", encoding="utf-8")
        print(f"spoken: {done} of {len(recipes)}", flush=True)


def rttm(name: str, dialogue: Dialogue) -> Iterator[str]:
    """Who speaks when, one line a stretch: the field's format."""
    for speaker, active in enumerate(dialogue.active):
        edges = np.flatnonzero(np.diff(np.pad(active.astype(np.int8), 1))).reshape(-1, 2)
        for first, after in edges:
            start_s, length_s = first * STEP_S, (after - first) * STEP_S
            yield f"SPEAKER {name} 1 {start_s:.2f} {length_s:.2f} <NA> <NA> R{speaker} <NA> <NA>"


def main() -> None:
    """Write the recipes, or what they sound like."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--write", type=Path, help="folder for WAV and RTTM files")
    given = parser.parse_args()
    if given.write:
        write(given.write)
        return
    recipes = [asdict(_draw(number)) for number in range(COUNT)]
    text = json.dumps(recipes, ensure_ascii=False, indent=1)
    RECIPES.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
