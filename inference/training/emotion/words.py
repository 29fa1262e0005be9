"""Writes a bundle that tells moods by words first: python -m inference.training.emotion.words --out

No labelled voices of people may be learned from here, and what was learned from synthetic ones is
at chance on people. So a mood is told where the city pack's lexicon finds words that carry one,
and else nothing is told. A voice that is livelier than the same speaker's own calm one speaks for
anger and worry (Scherer, "Vocal communication of emotion", 2003: pitch and its range, loudness,
pace), but never enough by itself.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import numpy as np

from inference.bundles import seal
from inference.emotion.load import KIND
from inference.emotion.prosody import NAMES
from inference.tensors import EMOTIONS

# Of the seven, how much likelier one is for each unit of its words' weight, in nats: words that
# plainly carry a mood (weight 1) are right about two times in three.
PER_WEIGHT = 2.7
LEAST = 0.5  # probability that is told: words of weight 0.7 and more
MEDIUM, HIGH = 0.9, 1.7  # weight of the words from which a mood is no longer low
# How much people vary who read aloud calmly: twice the deviation within two speakers of AISHELL-1's
# sample, for they read commands.
CALM_DEVIATION = {
    "pitch": 1.36,
    "pitch_range": 7.6,
    "pitch_tremor": 0.22,
    "loudness_range": 9.4,
    "loudness_tremor": 0.26,
    "pace": 1.0,
}
PER_DEVIATION = 0.25  # nats for each of them
AROUSED = ("annoyed", "furious", "anxious")


def write(out: Path) -> Path:
    """The sealed folder."""
    out.mkdir(parents=True, exist_ok=True)
    features, moods = 2 * len(NAMES) + 1, len(EMOTIONS)
    deviation, weight = np.ones(features), np.zeros((features, moods))
    for name, usual in CALM_DEVIATION.items():
        relative = len(NAMES) + NAMES.index(name)  # to the speaker's own calm
        deviation[relative] = usual
        weight[relative, [EMOTIONS.index(mood) for mood in AROUSED]] = PER_DEVIATION
    np.savez(
        out / "head.npz",
        mean=np.zeros(features),
        deviation=deviation,
        weight=weight,
        bias=np.zeros(moods),
        level_weight=np.zeros(features),
        level_bias=np.zeros(1),
        fusion=np.concatenate([np.eye(moods), PER_WEIGHT * np.eye(moods)]),
        fusion_bias=np.zeros(moods),
        level_fusion=np.array([0.0, 1.0, 0.0]),
        cuts=np.array([MEDIUM, HIGH]),
        threshold=np.array([LEAST]),
    )
    (out / "config.json").write_text(json.dumps({"encoder": ""}) + "\n", encoding="utf-8")
    shutil.copyfile(Path(__file__).with_suffix(".md"), out / "README.md")
    return seal(
        out,
        name="emotion-words",
        version="1",
        kind=KIND,
        licence="Apache-2.0",
        demo=False,
        tasks=["emotion"],
        languages=["zh"],
        description="moods by words, and how lively the voice is; silent where they tell nothing",
        origin="written by this project; nothing was learned from recordings",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    print(write(parser.parse_args().out))


if __name__ == "__main__":
    main()
