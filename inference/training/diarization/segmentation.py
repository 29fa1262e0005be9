"""Trains the segmentation: in ten seconds of a call, which of up to three voices speaks when.

pyannote's PyanNet with a small recurrent part, its filters left as they are built: learning them is
most of the cost and gains little. Answers are powerset classes; which voice is called first does
not matter, so the cheapest order counts.

    python -m inference.training.diarization.segmentation --work DIR --steps 1500
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from pyannote.audio.models.segmentation import PyanNet
from pyannote.audio.utils.powerset import Powerset
from torch import nn
from torch.utils.data import DataLoader, IterableDataset

from inference.diarization.networks import segmentation_network
from inference.training import augment
from inference.training.diarization.demo import RECIPE, TOGETHER, VOICES, WINDOW_S
from inference.training.diarization.dialogue import (
    STEP_S,
    Dialogue,
    Turn,
    by_telephone,
    draw_gap,
    lay_out,
)
from inference.training.diarization.schedule import run, warmth
from inference.training.diarization.speakers import Pool
from inference.training.voice import RATE_HZ, as_audio

BATCH = 32
PEAK_RATE = 2e-3
HELD_OUT = 40  # speakers of the pool that only the figures use
LEVEL_DB = 6.0  # by which two speakers of a call may differ


def draw_window(pool: Pool, speakers: range, rng: random.Random) -> Dialogue:
    """Ten seconds out of a call of one to three."""
    count = rng.choices([1, 2, 3], [2, 7, 1])[0]
    who = rng.sample(speakers, count)
    levels = [rng.uniform(-LEVEL_DB, 0) for _ in who]
    turns, length_s, last = list[Turn](), 0.0, -1
    while length_s < WINDOW_S + 4:
        speaker = rng.randrange(count) if count < 2 or rng.random() < 0.25 else -1
        while speaker < 0 or (speaker == last and rng.random() < 0.7 and count > 1):
            speaker = rng.randrange(count)
        audio = augment.at_level(pool.draw(who[speaker], rng), levels[speaker])
        if rng.random() < 0.35:  # a short answer
            audio = audio[: int(rng.uniform(0.4, 1.6) * RATE_HZ)]
        turns.append(Turn(speaker, audio, draw_gap(rng)))
        length_s += len(audio) / RATE_HZ + turns[-1].gap_s
        last = speaker
    whole = by_telephone(lay_out(turns, count), rng, narrow=0.5, noisy=0.6)
    step, steps = int(STEP_S * RATE_HZ), round(WINDOW_S / STEP_S)
    at = rng.randrange(max(1, whole.active.shape[1] - steps))
    audio = whole.audio[at * step : (at + steps) * step]
    active = np.zeros((VOICES, steps), np.bool_)
    cut = whole.active[:, at : at + steps]
    active[:count, : cut.shape[1]] = cut
    return Dialogue(as_audio(np.pad(audio, (0, steps * step - len(audio)))), active)


class Windows(IterableDataset[tuple[torch.Tensor, torch.Tensor]]):
    """Endless (audio [1, samples], active [frames, VOICES])."""

    def __init__(self, folder: Path, seed: int, frames: int) -> None:
        self._folder, self._seed, self._frames = folder, seed, frames

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        info = torch.utils.data.get_worker_info()
        rng = random.Random(f"{self._seed}-{info.id if info else 0}")
        pool = Pool.load(self._folder)
        while True:
            window = draw_window(pool, range(HELD_OUT, len(pool.clips)), rng)
            yield as_tensors(window, self._frames)


def as_tensors(window: Dialogue, frames: int) -> tuple[torch.Tensor, torch.Tensor]:
    at = (np.arange(frames) + 0.5) * window.active.shape[1] / frames
    active = window.active[:, at.astype(int)].T.astype(np.float32)
    return torch.from_numpy(window.audio)[None], torch.from_numpy(active)


ORDERS = list(itertools.permutations(range(VOICES)))


def loss(scores: torch.Tensor, active: torch.Tensor, powerset: Powerset) -> torch.Tensor:
    """Negative log likelihood under the order of voices that suits each window best.

    Args:
        scores: log probabilities [batch, frames, classes].
        active: [batch, frames, VOICES].
    """
    costs = []
    for order in ORDERS:
        classes = powerset.to_powerset(active[..., list(order)]).argmax(-1)
        costs.append(nn.functional.nll_loss(scores.mT, classes, reduction="none").mean(-1))
    return torch.stack(costs).min(dim=0).values.mean()


@torch.no_grad()
def frame_accuracy(
    net: PyanNet, windows: list[tuple[torch.Tensor, torch.Tensor]], powerset: Powerset
) -> float:
    """Share of frames whose class is right, in the best order of each window."""
    net.eval()
    right = []
    for audio, active in windows:
        found = net(audio[None]).argmax(-1)[0]
        orders = (powerset.to_powerset(active[None, :, list(o)]).argmax(-1)[0] for o in ORDERS)
        right.append(max(float((found == classes).float().mean()) for classes in orders))
    net.train()
    return float(np.mean(right))


def train(work: Path, steps: int, workers: int, resume: bool) -> None:
    """Write `work`/segmentation.pt whenever unseen speakers are told better than before."""
    net = segmentation_network(RECIPE)
    if resume:
        net.load_state_dict(torch.load(work / "segmentation.pt", weights_only=True))
    frames = net.num_frames(int(WINDOW_S * RATE_HZ))
    powerset = Powerset(VOICES, TOGETHER)
    net.sincnet.requires_grad_(False)
    learnt = [p for p in net.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(learnt, lr=PEAK_RATE)
    pool, rng = Pool.load(work / "pool"), random.Random("held out")
    known = [as_tensors(draw_window(pool, range(HELD_OUT), rng), frames) for _ in range(64)]
    windows = DataLoader(Windows(work / "pool", 1 + resume, frames), BATCH, num_workers=workers)
    best, losses = frame_accuracy(net, known, powerset), list[float]()
    for step, (audio, active) in enumerate(windows):
        done = step / steps
        if done >= 1:
            break
        optimizer.param_groups[0]["lr"] = PEAK_RATE * warmth(step, steps, 100)
        cost = loss(net(audio), active, powerset)
        optimizer.zero_grad()
        cost.backward()
        nn.utils.clip_grad_norm_(learnt, 1.0)
        optimizer.step()
        losses.append(cost.item())
        if step % 100 == 99:
            accuracy = frame_accuracy(net, known, powerset)
            said = f"loss {np.mean(losses[-100:]):.3f}, frame accuracy {accuracy:.1%}"
            print(f"step {step + 1}, {done:.0%}: {said}", flush=True)
            if accuracy > best:
                best = accuracy
                torch.save(net.state_dict(), work / "segmentation.pt")
    print(f"best frame accuracy: {best:.1%}")


if __name__ == "__main__":
    run(train)
