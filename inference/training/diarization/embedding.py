"""Trains the speaker embedding: who speaks, whatever is said, through a telephone or not.

A small ResNet of pyannote's own making over 80 mel bands, taught to tell the training speakers
apart with an additive angular margin.

    python -m inference.training.diarization.embedding --work DIR --steps 1500
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from pyannote.audio.models.embedding.wespeaker.resnet import ResNet
from torch import nn
from torch.utils.data import DataLoader, IterableDataset

from inference.adaptation import augment
from inference.adaptation.waveform import RATE_HZ, Audio
from inference.diarization.fbank import fbank
from inference.diarization.networks import embedding_network
from inference.training.diarization.demo import DIMENSION, MEL_STEP_MS, MELS, RECIPE
from inference.training.diarization.schedule import run, warmth
from inference.training.diarization.speakers import VoicePool, draw_speaker, wander
from inference.training.text import Sentences
from inference.training.voice import HELD_OUT_VOICES, Espeak, trim

CROP_S = 2.4
BATCH = 48
PEAK_RATE = 3e-3
MARGIN, SCALE = 0.2, 30.0
NARROW, NOISY = 0.5, 0.5  # shares of crops
TRIALS = 24  # held-out speakers of a trial list


def dress(audio: Audio, rng: random.Random) -> Audio:
    """As a telephone brings it, or nearly."""
    noises = np.random.default_rng(rng.getrandbits(32))
    audio = augment.at_level(audio, rng.uniform(-25, -1))
    if rng.random() < NOISY:
        noise = augment.coloured_noise(noises, len(audio), rng.uniform(0, 2))
        audio = augment.add_noise(audio, noise, rng.uniform(8, 35))
    return augment.alaw_round_trip(audio) if rng.random() < NARROW else audio


def crop(audio: Audio, seconds: float, rng: random.Random) -> Audio:
    """A piece of that length; what is shorter goes round again."""
    wanted = int(seconds * RATE_HZ)
    if len(audio) < wanted:
        audio = np.tile(audio, math.ceil(wanted / len(audio)))
    at = rng.randrange(len(audio) - wanted + 1)
    return audio[at : at + wanted]


class Crops(IterableDataset[tuple[torch.Tensor, int]]):
    """Endless (features [frames, 80], speaker)."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder, self._seed = folder, seed

    def __iter__(self) -> Iterator[tuple[torch.Tensor, int]]:
        info = torch.utils.data.get_worker_info()
        rng = random.Random(f"{self._seed}-{info.id if info else 0}")
        pool = VoicePool.load(self._folder)
        while True:
            speaker = rng.randrange(len(pool.clips))
            audio = dress(crop(pool.draw(speaker, rng), CROP_S, rng), rng)
            yield torch.from_numpy(fbank(audio, MELS, MEL_STEP_MS)), speaker


class Margin(nn.Module):
    """Logits of speakers on the sphere; the right one has to win by MARGIN radians."""

    def __init__(self, speakers: int) -> None:
        super().__init__()
        self.centres = nn.Parameter(torch.randn(speakers, DIMENSION))

    def forward(self, embedded: torch.Tensor, speaker: torch.Tensor) -> torch.Tensor:
        cosine = nn.functional.linear(
            nn.functional.normalize(embedded), nn.functional.normalize(self.centres)
        ).clamp(-1 + 1e-6, 1 - 1e-6)
        right = torch.cos(torch.acos(cosine) + MARGIN)
        hot = nn.functional.one_hot(speaker, len(self.centres)).bool()
        return SCALE * torch.where(hot, right, cosine)


def trials() -> tuple[list[npt.NDArray[np.float32]], list[int]]:
    """Features of unseen variants, half of them by telephone, and who speaks."""
    features, speakers = list[npt.NDArray[np.float32]](), list[int]()
    for number in range(TRIALS):
        rng = random.Random(f"trial-{number}")
        speaker = draw_speaker(rng, HELD_OUT_VOICES)
        sentences, espeak = Sentences(90_000 + number), Espeak()
        for turn in range(6):
            speech = trim(espeak.say(sentences.draw(), wander(speaker, rng)))
            audio = augment.at_level(crop(speech.audio, CROP_S, rng), -6.0)
            heard = augment.alaw_round_trip(audio) if turn % 2 else audio
            features.append(fbank(heard, MELS, MEL_STEP_MS))
            speakers.append(number)
    return features, speakers


@torch.no_grad()
def equal_error_rate(
    net: ResNet, features: list[npt.NDArray[np.float32]], speakers: list[int]
) -> float:
    """Where as many pairs of one speaker are told apart as pairs of two are taken for one."""
    net.eval()
    embedded = nn.functional.normalize(net(torch.from_numpy(np.stack(features)))[1])
    net.train()
    alike = (embedded @ embedded.T).numpy()
    same = np.equal.outer(speakers, speakers)
    upper = np.triu(np.ones_like(same), 1).astype(bool)
    ours, others = np.sort(alike[same & upper]), np.sort(alike[~same & upper])
    misses = np.arange(len(ours)) / len(ours)
    alarms = 1 - np.searchsorted(others, ours) / len(others)
    at = int(np.argmin(np.abs(misses - alarms)))
    return float((misses[at] + alarms[at]) / 2)


def train(work: Path, steps: int, workers: int, resume: bool) -> None:
    """Write `work`/embedding.pt whenever the trials say it is better than before."""
    pool = VoicePool.load(work / "pool")
    net, margin = embedding_network(RECIPE).resnet, Margin(len(pool.clips))
    if resume:
        net.load_state_dict(torch.load(work / "embedding.pt", weights_only=True))
    parameters = [*net.parameters(), *margin.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=PEAK_RATE, weight_decay=1e-4)
    crops = DataLoader(Crops(work / "pool", 1 + resume), BATCH, num_workers=workers)
    known = trials()
    best, losses = 1.0, list[float]()
    for step, (features, speaker) in enumerate(crops):
        done = step / steps
        if done >= 1:
            break
        optimizer.param_groups[0]["lr"] = PEAK_RATE * warmth(step, steps, 200)
        loss = nn.functional.cross_entropy(margin(net(features)[1], speaker), speaker)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 5.0)
        optimizer.step()
        losses.append(loss.item())
        if step % 100 == 99:
            error = equal_error_rate(net, *known)
            said = f"loss {np.mean(losses[-100:]):.2f}, equal error rate {error:.1%}"
            print(f"step {step + 1}, {done:.0%}: {said}", flush=True)
            if error < best:
                best = error
                torch.save(net.state_dict(), work / "embedding.pt")
    print(f"best equal error rate: {best:.1%}")


if __name__ == "__main__":
    run(train)
