"""An accent for neural voices: rules over their phonemes, as speakers of many dialects have them.

python -m inference.training.hotline.accent --out DIR --kokoro SITE_PACKAGES VOICES

Writes list.tsv (file, text, speaker) and the recordings, 16 kHz. No such speaker lives: it proves
that an accent can be learned, not how well a city's own will be.
"""

from __future__ import annotations

import argparse
import random
import re
from pathlib import Path

from inference.adaptation.waveform import RATE_HZ
from inference.training.hotline.sentences import HotlineSentences
from inference.training.hotline.speak import HELD_OUT, voice_of
from inference.training.kokoro import Kokoro
from inference.training.recordings import write_list, write_wav

RULES = (
    (re.compile(r"(?<![→↗↘↓ɐ-ʯa-zʰŋ])n(?=[iauyɤə])"), "l"),  # 南 as 蓝
    (re.compile(r"(?<=[iə][→↗↘↓])ŋ"), "n"),  # 英 as 因, 声 as 身
    (re.compile(r"ꭧ"), "ʦ"),  # 知 as 资, 吃 as 疵
    (re.compile(r"ʂ"), "s"),  # 师 as 思
    (re.compile(r"ɻ"), "l"),  # 人 as 棱
    (re.compile(r"jɛ"), "ja"),  # 天 broad
    (re.compile(r"f"), "xw"),  # 飞 as 灰
)
TONES = str.maketrans({"→": "↓", "↓": "↘", "↘": "→"})  # 阴平 low, 上声 falling, 去声 high


def accented(phonemes: str) -> str:
    """As Kokoro's phonemes write it: IPA with arrows for tones."""
    for pattern, sound in RULES:
        phonemes = pattern.sub(sound, phonemes)
    return phonemes.translate(TONES)


def write(out: Path, kokoro: Kokoro, minutes: float, held_out: bool, seed: int) -> None:
    """So many minutes by voices that training knows, or by the two that it does not."""
    out.mkdir(parents=True, exist_ok=True)
    rng, sentences, rows, seconds = random.Random(seed), HotlineSentences(seed), [], 0.0
    while seconds < minutes * 60:
        voice = {rng.choice(HELD_OUT): 1.0} if held_out else voice_of(rng)
        text, speed = sentences.draw(), round(rng.uniform(0.9, 1.15), 2)
        audio = kokoro.say(text, voice, speed, accented)
        file = f"{len(rows):04d}.wav"
        write_wav(out / file, audio)
        seconds += len(audio) / RATE_HZ
        rows.append((file, text, "+".join(sorted(voice))))
    write_list(out, ("file", "text", "speaker"), rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--kokoro", nargs=2, type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--held-out", action="store_true", help="by the voices not heard before")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    write(given.out, Kokoro(*given.kokoro), given.minutes, given.held_out, given.seed)


if __name__ == "__main__":
    main()
