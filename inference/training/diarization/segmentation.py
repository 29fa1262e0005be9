"""Trains the segmentation: in ten seconds of a call, which of up to three voices speaks when.

pyannote's PyanNet with a small recurrent part, its filters left as they are built: learning them is
most of the cost and gains little, so what they make of the windows is kept on the disk (0.9 MB a
window). Answers are powerset classes; which voice is called first does
not matter, so the cheapest order counts.

    python -m inference.training.diarization.segmentation --work DIR --steps 2400
"""

from __future__ import annotations

import itertools
import random
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from pyannote.audio.models.segmentation import PyanNet
from pyannote.audio.utils.powerset import Powerset
from torch import nn
from torch.utils.data import DataLoader, Dataset

from inference.adaptation import augment
from inference.adaptation.waveform import RATE_HZ, as_audio
from inference.diarization.networks import segmentation_network
from inference.training.diarization.demo import RECIPE, TOGETHER, VOICES, WINDOW_S
from inference.training.diarization.dialogue import (
    STEP_S,
    Dialogue,
    DialogueTurn,
    by_telephone,
    draw_gap,
    lay_out,
)
from inference.training.diarization.schedule import run, warmth
from inference.training.diarization.speakers import VoicePool

BATCH = 32
PEAK_RATE = 2e-3
HELD_OUT = 40  # speakers of the pool that only the figures use
WINDOWS, KNOWN = 6000, 100  # to learn from, and for the figures
PART = 50  # windows a process makes at a time
LEVEL_DB = 6.0  # by which two speakers of a call may differ


def draw_window(pool: VoicePool, speakers: range, rng: random.Random) -> Dialogue:
    """Ten seconds out of a call of one to three."""
    count = rng.choices([1, 2, 3], [2, 7, 1])[0]
    who = rng.sample(speakers, count)
    levels = [rng.uniform(-LEVEL_DB, 0) for _ in who]
    turns, length_s, last = list[DialogueTurn](), 0.0, -1
    while length_s < WINDOW_S + 4:
        speaker = rng.randrange(count) if count < 2 or rng.random() < 0.25 else -1
        while speaker < 0 or (speaker == last and rng.random() < 0.7 and count > 1):
            speaker = rng.randrange(count)
        audio = augment.at_level(pool.draw(who[speaker], rng), levels[speaker])
        if rng.random() < 0.35:  # a short answer
            audio = audio[: int(rng.uniform(0.4, 1.6) * RATE_HZ)]
        turns.append(DialogueTurn(speaker, audio, draw_gap(rng)))
        length_s += len(audio) / RATE_HZ + turns[-1].gap_s
        last = speaker
    whole = by_telephone(lay_out(turns, count), rng, narrow=0.5, noisy=0.5)
    step, steps = int(STEP_S * RATE_HZ), round(WINDOW_S / STEP_S)
    at = rng.randrange(max(1, whole.active.shape[1] - steps))
    audio = whole.audio[at * step : (at + steps) * step]
    active = np.zeros((VOICES, steps), np.bool_)
    cut = whole.active[:, at : at + steps]
    active[:count, : cut.shape[1]] = cut
    return Dialogue(as_audio(np.pad(audio, (0, steps * step - len(audio)))), active)


def at_frames(active: npt.NDArray[np.bool_], frames: int) -> npt.NDArray[np.float32]:
    """[frames, VOICES] of [VOICES, steps]."""
    at = (np.arange(frames) + 0.5) * active.shape[1] / frames
    return active[:, at.astype(int)].T.astype(np.float32)


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


def filtered(net: PyanNet, audio: torch.Tensor) -> torch.Tensor:
    """[windows, filters, steps] of audio [windows, 1, samples]: what is never learnt."""
    sinc = net.sincnet
    bands: torch.Tensor = sinc.pool1d[0](sinc.conv1d[0](sinc.wav_norm1d(audio)).abs())
    return bands


def scores(net: PyanNet, bands: torch.Tensor) -> torch.Tensor:
    """Log probabilities [windows, frames, classes], from the filters' output on."""
    sinc, x = net.sincnet, nn.functional.leaky_relu(net.sincnet.norm1d[0](bands))
    for convolve, pool, norm in zip(sinc.conv1d[1:], sinc.pool1d[1:], sinc.norm1d[1:], strict=True):
        x = nn.functional.leaky_relu(norm(pool(convolve(x))))
    x = net.lstm(x.mT)[0]
    for linear in net.linear:
        x = nn.functional.leaky_relu(linear(x))
    found: torch.Tensor = net.activation(net.classifier(x))
    return found


def render(folder: Path, numbers: range, speakers: range) -> list[npt.NDArray[np.bool_]]:
    """Windows by number, filtered, into `folder`; what is true of them."""
    torch.set_num_threads(1)
    net, pool = segmentation_network(RECIPE), VoicePool.load(folder.parent / "pool")
    truths = []
    for number in numbers:
        window = draw_window(pool, speakers, random.Random(f"window-{number}"))
        with torch.no_grad():
            bands = filtered(net, torch.from_numpy(window.audio)[None, None])[0]
        np.save(folder / f"{number:05d}.npy", bands.half().numpy())
        truths.append(window.active)
    return truths


class Windows(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """(filtered [filters, steps], active [frames, VOICES]): the filters cost more than the rest,
    so each window goes through them once."""

    def __init__(self, folder: Path, numbers: range, speakers: range, frames: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._numbers, self._frames = folder, numbers, frames
        parts = [numbers[at : at + PART] for at in range(0, len(numbers), PART)]
        self._active = list[npt.NDArray[np.bool_]]()
        with ProcessPoolExecutor() as processes:
            made = processes.map(partial(render, folder, speakers=speakers), parts)
            for truths in made:
                self._active += truths
                print(f"windows: {len(self._active)} of {len(numbers)}", flush=True)

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        bands = np.load(self._folder / f"{self._numbers[index]:05d}.npy")
        active = at_frames(self._active[index], self._frames)
        return torch.from_numpy(bands).float(), torch.from_numpy(active)


@torch.no_grad()
def frame_accuracy(net: PyanNet, windows: Windows, powerset: Powerset) -> float:
    """Share of frames whose class is right, in the best order of each window."""
    net.eval()
    right = []
    for bands, active in windows:
        found = scores(net, bands[None]).argmax(-1)[0]
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
    net.sincnet.conv1d[0].requires_grad_(False)
    learnt = [p for p in net.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(learnt, lr=PEAK_RATE)
    speakers = len(VoicePool.load(work / "pool").clips)
    known = Windows(work / "known", range(KNOWN), range(HELD_OUT), frames)
    drawn = range(KNOWN, KNOWN + WINDOWS)
    windows = Windows(work / "windows", drawn, range(HELD_OUT, speakers), frames)
    batches = DataLoader(windows, BATCH, shuffle=True, num_workers=workers, drop_last=True)
    endless = itertools.chain.from_iterable(itertools.repeat(batches))
    best, losses = frame_accuracy(net, known, powerset), list[float]()
    for step, (bands, active) in enumerate(itertools.islice(endless, steps)):
        optimizer.param_groups[0]["lr"] = PEAK_RATE * warmth(step, steps, 100)
        cost = loss(scores(net, bands), active, powerset)
        optimizer.zero_grad()
        cost.backward()
        nn.utils.clip_grad_norm_(learnt, 1.0)
        optimizer.step()
        losses.append(cost.item())
        if step % 100 == 99:
            accuracy = frame_accuracy(net, known, powerset)
            said = f"loss {np.mean(losses[-100:]):.3f}, frame accuracy {accuracy:.1%}"
            print(f"step {step + 1}, {(step + 1) / steps:.0%}: {said}", flush=True)
            if accuracy > best:
                best = accuracy
                torch.save(net.state_dict(), work / "segmentation.pt")
    print(f"best frame accuracy: {best:.1%}")


if __name__ == "__main__":
    run(train)
