"""What both trainings share: their command line, and how their rate rises and falls."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path


def warmth(step: int, steps: int, warm_up: int) -> float:
    """Share of the peak rate at `step` of `steps`: up in a line, down along a cosine."""
    return min(1.0, (step + 1) / warm_up) * (0.02 + 0.98 * math.cos(step / steps * math.pi / 2))


def run(train: Callable[[Path, int, int, bool], None]) -> None:
    """Train on the pool of `record_all`, as the command line says."""
    parser = argparse.ArgumentParser(description=run.__doc__)
    parser.add_argument("--work", type=Path, required=True, help="holds the pool; weights go there")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--workers", type=int, default=1, help="processes that make windows")
    parser.add_argument("--resume", action="store_true", help="go on from the weights there")
    options = parser.parse_args()
    train(options.work, options.steps, options.workers, options.resume)
