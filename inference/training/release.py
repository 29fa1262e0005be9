"""A checkpoint becomes a bundle whose card carries its own measured figures.

python -m inference.training.release --work DIR --out bundles/asr-demo
"""

from __future__ import annotations

import argparse
import json
import logging
import tempfile
import time
from pathlib import Path

import torch

from inference.training.card import Facts
from inference.training.evaluate import score
from inference.training.export import bundle, read


def release(checkpoint: Path, out: Path, report_path: Path) -> dict[str, float]:
    """Score `checkpoint` as it will be served, write it as bundle `out`, note the figures."""
    logging.getLogger("transformers").setLevel(logging.ERROR)
    weights, shape = read(checkpoint)
    progress = torch.load(checkpoint, map_location="cpu", weights_only=True)["progress"]
    with tempfile.TemporaryDirectory() as scratch:
        bundle(weights, shape, Path(scratch) / "bundle")
        found = score(Path(scratch) / "bundle")
    known = json.loads(report_path.read_text(encoding="utf-8")) if report_path.exists() else []
    now = progress["utterances"]
    known = [point for point in known if point["utterances"] != now]
    known.append({"utterances": now, "figures": found})
    report_path.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    curve = [(point["utterances"], point["figures"]) for point in known]
    facts = Facts(progress["seconds"] / 3600, now, found, curve)
    bundle(weights, shape, out, facts)
    return found


def release_now_and_then(work: Path, out: Path, minutes: float) -> None:
    """Release for ever, in a process of its own beside the training."""
    while True:
        time.sleep(minutes * 60)
        if (work / "checkpoint.pt").exists():
            found = release(work / "checkpoint.pt", out, work / "scores.json")
            print("scores:", json.dumps({k: round(v, 3) for k, v in found.items()}), flush=True)


def main() -> None:
    """Release the checkpoint of a training as it is now."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder of the training")
    parser.add_argument("--out", type=Path, required=True, help="the bundle folder to write")
    options = parser.parse_args()
    found = release(options.work / "checkpoint.pt", options.out, options.work / "scores.json")
    print(json.dumps({name: round(value, 4) for name, value in found.items()}))


if __name__ == "__main__":
    main()
