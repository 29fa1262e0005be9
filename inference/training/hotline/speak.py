"""Neural voices say hotline sentences, on and on, until they are stopped:

python -m inference.training.hotline.speak --out DIR --kokoro SITE_PACKAGES VOICES [--seed N]

Two of the eight Mandarin voices are never heard in training; they speak what is measured. Half of
what is said is in a mixture of two voices, which is a voice of its own.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

import numpy as np

from inference.adaptation.job import write_clip
from inference.adaptation.waveform import RATE_HZ
from inference.training.hotline.sentences import HotlineSentences
from inference.training.kokoro import Kokoro

VOICES = ("zf_xiaobei", "zf_xiaoni", "zf_xiaoyi", "zm_yunxi", "zm_yunxia", "zm_yunyang")
HELD_OUT = ("zf_xiaoxiao", "zm_yunjian")
LIST = "list.jsonl"
SHORTEST_S, LONGEST_S = 0.3, 14.0
SPEEDS = (0.85, 1.3)


def voice_of(rng: random.Random) -> dict[str, float]:
    """One voice, or two mixed."""
    one, other = rng.sample(VOICES, 2)
    share = rng.choice((1.0, 1.0, rng.random()))
    return {one: share, other: 1 - share} if share < 1 else {one: 1.0}


def speak(out: Path, kokoro: Kokoro, seed: int, count: int) -> None:
    """Go on from where the list ends."""
    out.mkdir(parents=True, exist_ok=True)
    listed = out / LIST
    done = len(listed.read_text(encoding="utf-8").splitlines()) if listed.exists() else 0
    rng, sentences = random.Random(f"{seed}-{done}"), HotlineSentences(seed * 1_000_003 + done)
    while done < count:
        text, voice, speed = sentences.draw(), voice_of(rng), round(rng.uniform(*SPEEDS), 2)
        audio = kokoro.say(text, voice, speed)
        seconds = len(audio) / RATE_HZ
        if not SHORTEST_S <= seconds <= LONGEST_S:
            continue
        name = f"{done:06d}.npy"
        write_clip(out / name, audio / max(1.0, float(np.abs(audio).max())))
        told = {"file": name, "text": text, "voice": voice, "speed": speed, "s": round(seconds, 2)}
        with listed.open("a", encoding="utf-8") as file:
            file.write(json.dumps(told, ensure_ascii=False) + "\n")
        done += 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--kokoro", nargs=2, type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=10_000)
    given = parser.parse_args()
    speak(given.out, Kokoro(*given.kokoro), given.seed, given.count)


if __name__ == "__main__":
    main()
