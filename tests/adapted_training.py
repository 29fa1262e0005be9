"""Training that is cut off, that learns no more, and that cannot go on; in a Python with torch:

python -m tests.adapted_training BUNDLE
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from unittest.mock import patch

import numpy as np

from inference.adaptation.job import (
    DONE,
    AdaptationJob,
    AdaptationPlan,
    ClipSource,
    PromptTokens,
    TrainingClip,
    look_file,
    write_clip,
)
from inference.adaptation.training import Training

STEPS, EVERY = 9, 3
VOCABULARY = PromptTokens((1, 2), 3, 4, (5,), (6,), ())


class CutOff(Exception):
    """As a kill would."""


def job(folder: Path, bundle: Path, patience: int = 99) -> None:
    """Three clips of noise to be learned by heart."""
    rng, clips = np.random.default_rng(1), list[TrainingClip]()
    for number in range(3):
        file = f"{number}.npy"
        write_clip(folder / file, rng.normal(0, 0.1, 16_000).astype(np.float32))
        clips.append(TrainingClip(file, (7, 8, 9), "s", 1.0, True))
    plan = AdaptationPlan(STEPS, rank=2, frames=1000, check_every=EVERY, patience=patience)
    one = (ClipSource("a", 1.0, tuple(clips)),)
    AdaptationJob(str(bundle), plan, VOCABULARY, one, tuple(clips[:1])).save(folder)


def steps(folder: Path) -> list[int]:
    return [point["step"] for point in json.loads((folder / DONE).read_text())["curve"]]


def check_goes_on(folder: Path, bundle: Path) -> None:
    """From the last look, with what had been learned by then."""
    job(folder, bundle)
    first, step = Training(folder), Training._step

    def cut_off(training: Training, batch: object) -> float:
        if training.progress.step == 2 * EVERY + 1:
            raise CutOff
        return step(training, batch)  # type: ignore[arg-type]

    with patch.object(Training, "_step", cut_off):
        try:
            first.run()
        except CutOff:
            pass
        else:
            raise AssertionError("it was not cut off")
    assert not (folder / DONE).exists()
    second = Training(folder)
    assert second.progress.step == 2 * EVERY
    ups = [p for p in second._average if p.abs().sum() > 0]
    assert len(ups) == len(second._average)  # untrained, half of them are nought
    second.run()
    assert steps(folder) == [0, EVERY, 2 * EVERY, STEPS]
    assert (folder / look_file(STEPS)).exists()


def check_stops(folder: Path, bundle: Path) -> None:
    """When what is held out has fitted no better for as many looks as it has patience."""
    job(folder, bundle, patience=2)
    losses: Sequence[float] = (3.0, 2.0, 2.5, 2.5, 2.5)
    with patch.object(Training, "_held_out_loss", side_effect=losses):
        Training(folder).run()
    assert steps(folder) == [0, EVERY, 2 * EVERY, STEPS]
    job(folder, bundle, patience=1)
    (folder / "checkpoint.pt").unlink()
    with patch.object(Training, "_held_out_loss", side_effect=losses):
        Training(folder).run()
    assert steps(folder) == [0, EVERY, 2 * EVERY]


def check_says_what_it_cannot_read(folder: Path, bundle: Path) -> None:
    job(folder, bundle)
    training = Training(folder)
    for number in range(1, 3):
        (folder / f"{number}.npy").unlink()
    try:
        training.run()
    except FileNotFoundError:
        return
    raise AssertionError("it went on without its clips")


if __name__ == "__main__":
    for check in (check_goes_on, check_stops, check_says_what_it_cannot_read):
        with tempfile.TemporaryDirectory() as made:
            check(Path(made), Path(sys.argv[1]).resolve())
