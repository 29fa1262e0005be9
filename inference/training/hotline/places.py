"""Voices that no training heard say where they are: for `lingting eval places`.

python -m inference.training.hotline.places --out DIR --kokoro SITE_PACKAGES VOICES [--count N]

Writes list.tsv (file, text, place, speaker) and the recordings, 16 kHz. The places are the pack's:
communities and villages, half of them with their district or town, compounds and landmarks.
Of names that two places have none is said: there the right answer is a question.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from inference.training.hotline.sentences import column
from inference.training.hotline.speak import HELD_OUT
from inference.training.kokoro import Kokoro
from inference.training.recordings import write_list, write_wav

KINDS = ("compound", "landmark")
SENTENCES = (
    *("我住在{}。", "我在{}这边。", "就是{}，你记一下。", "地址是{}。", "{}附近。", "{}旁边。"),
    *("我是{}的居民，想反映个事。", "{}门口那条路坏了。", "{}停水两天了。", "{}晚上没有路灯。"),
    *("麻烦派人到{}看一下。", "我家在{}三号楼二单元。", "{}六号楼暖气不热。"),
)


def said(seed: int) -> Iterator[tuple[str, str]]:
    """Sentence and place, without end: a community or village, and one of the others, in turn."""
    rng = random.Random(seed)
    named = dict(zip(column("divisions.csv", "code"), column("divisions.csv", "name"), strict=True))
    listed = column("places.csv", "name")
    often = Counter([*named.values(), *listed])
    places = [
        (name, _before(named, code, rng))
        for code, name in named.items()
        if _is_last(code) and often[name] == 1
    ]
    kinds = zip(listed, column("places.csv", "kind"), strict=True)
    some = [(name, "") for name, kind in kinds if kind in KINDS and often[name] == 1]
    while True:
        rng.shuffle(places)
        rng.shuffle(some)
        for community, other in zip(places, some, strict=False):
            for name, before in (community, other):
                yield rng.choice(SENTENCES).format(before + name), name


def _is_last(code: str) -> bool:
    """A community or village, twelve digits long; all that is larger ends in three noughts."""
    return not code.endswith("000")


def _before(named: dict[str, str], code: str, rng: random.Random) -> str:
    larger = rng.choice(("", "", code[:6] + "0" * 6, code[:9] + "0" * 3))
    return named.get(larger, "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--kokoro", nargs=2, type=Path, required=True)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    kokoro, rng, rows = Kokoro(*given.kokoro), random.Random(given.seed), []
    for (text, place), _ in zip(said(given.seed), range(given.count), strict=False):
        voice = rng.choice(HELD_OUT)
        file = f"{len(rows):04d}.wav"
        audio = kokoro.say(text, {voice: 1.0}, round(rng.uniform(0.9, 1.15), 2))
        write_wav(given.out / file, audio)
        rows.append((file, text, place, voice))
    write_list(given.out, ("file", "text", "place", "speaker"), rows)


if __name__ == "__main__":
    main()
