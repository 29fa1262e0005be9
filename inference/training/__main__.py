"""Rebuilds the demo bundle from nothing: speech, training, conversion, scores, card.

    python -m inference.training --out bundles/asr-demo --work DIR

Stop it at any time; the same command goes on from the last checkpoint. Every --score-minutes the
model so far is scored and put into --out.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
from pathlib import Path

from inference.training import train
from inference.training.release import release, release_now_and_then


def main() -> None:
    """Train, scoring and exporting on the way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the bundle folder to write")
    parser.add_argument("--score-minutes", type=float, default=25.0)
    train.add_arguments(parser)
    options = parser.parse_args()
    arguments = (options.work, options.out, options.score_minutes)
    context = multiprocessing.get_context("spawn")
    scorer = context.Process(target=release_now_and_then, args=arguments, daemon=True)
    scorer.start()
    train.from_arguments(options)
    scorer.terminate()
    found = release(options.work / "checkpoint.pt", options.out, options.work / "scores.json")
    print(json.dumps({"bundle": str(options.out), **found}))


if __name__ == "__main__":
    main()
