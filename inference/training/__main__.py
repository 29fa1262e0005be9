"""Rebuilds the demo bundle from nothing: speech, training, conversion, scores, card.

    python -m inference.training --out bundles/asr-demo --work DIR

Stop it at any time; the same command goes on from the last checkpoint. Every --score-minutes the
model so far is scored, and the best one is what --out holds.
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import tempfile
import time
from pathlib import Path

import torch

from inference.training import train
from inference.training.card import Facts
from inference.training.evaluate import score
from inference.training.export import bundle, convert, read


def release(checkpoint: Path, out: Path, report_path: Path) -> dict[str, float]:
    """Score `checkpoint` through CTranslate2 int8, write it as bundle `out`, note the figures."""
    logging.getLogger("transformers").setLevel(logging.ERROR)
    weights, shape = read(checkpoint)
    progress = torch.load(checkpoint, map_location="cpu", weights_only=True)["progress"]
    with tempfile.TemporaryDirectory() as scratch:
        convert(weights, shape, Path(scratch) / "model")
        found = score(Path(scratch) / "model")
    known = json.loads(report_path.read_text(encoding="utf-8")) if report_path.exists() else []
    known.append({"utterances": progress["utterances"], "figures": found})
    report_path.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    curve = [(point["utterances"], point["figures"]) for point in known]
    facts = Facts(progress["seconds"] / 3600, progress["utterances"], found, curve)
    bundle(weights, shape, out, facts)
    return found


def _release_now_and_then(work: Path, out: Path, minutes: float) -> None:
    while True:
        time.sleep(minutes * 60)
        if (work / "checkpoint.pt").exists():
            found = release(work / "checkpoint.pt", out, work / "scores.json")
            print("scores:", json.dumps({k: round(v, 3) for k, v in found.items()}), flush=True)


def main() -> None:
    """Train, scoring and exporting on the way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the bundle folder to write")
    parser.add_argument("--score-minutes", type=float, default=25.0)
    train.add_arguments(parser)
    options = parser.parse_args()
    arguments = (options.work, options.out, options.score_minutes)
    context = multiprocessing.get_context("spawn")
    scorer = context.Process(target=_release_now_and_then, args=arguments, daemon=True)
    scorer.start()
    train.from_arguments(options)
    scorer.terminate()
    found = release(options.work / "checkpoint.pt", options.out, options.work / "scores.json")
    print(json.dumps({"bundle": str(options.out), **found}))


if __name__ == "__main__":
    main()
