"""Trains the network for a given time on the CPU or a GPU; goes on where a checkpoint left off.

First CTC alone on clean speech, so that the encoder hears phones; then text, with the attention
guided to each character; telephone, noise and cut windows from then on.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
import torch.distributed
from torch.utils.data import DataLoader, IterableDataset

from inference.training import corpus, vocabulary
from inference.training.network import Batch, Network, NetworkShape, losses


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """How to train; times are of training itself, pauses between runs not counted."""

    hours: float
    warm_up_utterances: int = 24_000
    peak_rate: float = 1.2e-3
    frames_per_batch: int = 4500  # at 20 ms: 90 s of audio for each process
    drop: float = 0.0
    averaging: float = 0.998  # of the weights that are exported
    save_every_s: float = 240.0


@dataclass(frozen=True, slots=True)
class PoolPlan:
    """Utterances made before training, kept at most, and the pause between two fresh shards."""

    start: int
    keep: int
    pause_s: float


@dataclass(frozen=True, slots=True)
class Team:
    """Processes that train together, each on one thread: two of them do twice what two threads of
    one process do, and a core taken by somebody else stops them once a step, not once an operator.
    """

    size: int = 1
    rank: int = 0
    meeting: str = ""  # init_method of torch.distributed

    def join(self) -> None:
        """Meet the others."""
        torch.set_num_threads(1)
        if self.size > 1:
            torch.distributed.init_process_group(
                "gloo", init_method=self.meeting, world_size=self.size, rank=self.rank
            )


@dataclass(slots=True)
class TrainingProgress:
    """Where training stands."""

    seconds: float = 0.0
    steps: int = 0
    utterances: int = 0
    curve: list[dict[str, float]] = field(default_factory=list)


class _Stream(IterableDataset[Batch]):
    """Batches from the pool, collated, in a loader process."""

    def __init__(self, pool: Path, mix: corpus.Mix, seed: int, frames_per_batch: int) -> None:
        self._arguments = (pool, mix, seed, frames_per_batch)

    def __iter__(self) -> Iterator[Batch]:
        torch.set_num_threads(1)
        folder, mix, seed, frames = self._arguments
        info = torch.utils.data.get_worker_info()
        seed += 1_000_003 * (info.id if info else 0)
        rng = random.Random(seed)
        for examples in corpus.batches(corpus.Pool(folder, seed, mix), mix, seed, frames):
            yield collate(examples, rng)


def collate(examples: list[corpus.Example], rng: random.Random) -> Batch:
    """Pad a batch as servers do: with the floor of silence or with zeros; sometimes to 30 s."""
    longest = max(one.features.shape[1] for one in examples)
    draw = rng.random()
    if draw < 0.012:
        examples, frames = examples[:10], 3000 if draw < 0.004 else 1500
    else:
        frames = longest + rng.choice([0, 0, rng.randint(0, 60)])
    rows = max(len(one.inputs) for one in examples)
    mel = np.zeros((len(examples), 80, frames + frames % 2), np.float32)
    inputs = np.full((len(examples), rows), vocabulary.EOT, np.int64)
    targets = np.full((len(examples), rows), -100, np.int64)
    spans = np.full((len(examples), rows, 2), -1.0, np.float32)
    for index, one in enumerate(examples):
        if rng.random() < 0.7:
            mel[index] = max(one.features.max() - 2.0, one.features.min())
        mel[index, :, : one.features.shape[1]] = one.features
        count = len(one.inputs)
        inputs[index, :count], targets[index, :count] = one.inputs, one.targets
        spans[index, :count] = np.array(one.spans_s) / (2 * corpus.FRAME_S)
    return Batch(
        mel=torch.from_numpy(mel),
        inputs=torch.from_numpy(inputs),
        targets=torch.from_numpy(targets),
        spans=torch.from_numpy(spans),
        phones=torch.tensor([label for one in examples for label in one.phones]),
        phone_counts=torch.tensor([len(one.phones) for one in examples]),
        frames=torch.tensor([(one.features.shape[1] + 1) // 2 for one in examples]),
    )


class Trainer:
    """One training, kept in `folder`: checkpoint.pt, curve.json, and the pool of speech."""

    def __init__(
        self, folder: Path, shape: NetworkShape, plan: TrainingPlan, team: Team, device: str = "cpu"
    ) -> None:
        self._folder, self._plan, self._team, self._device = folder, plan, team, device
        torch.manual_seed(1)
        self._network = Network(shape).to(device)  # float32, what the optimiser moves
        self._worker = copy.deepcopy(self._network).bfloat16()  # what computes
        self._average = {k: v.detach().clone() for k, v in self._network.state_dict().items()}
        self._optimiser = torch.optim.AdamW(
            [p for p in self._network.parameters() if p.requires_grad],
            lr=plan.peak_rate,
            betas=(0.9, 0.98),
            weight_decay=0.02,
            fused=True,
        )
        self.progress = TrainingProgress()
        self._last = time.monotonic()
        self._resume()

    @property
    def _checkpoint(self) -> Path:
        return self._folder / "checkpoint.pt"

    def _resume(self) -> None:
        if not self._checkpoint.exists():
            return
        saved = torch.load(self._checkpoint, map_location=self._device, weights_only=True)
        self._network.load_state_dict(saved["network"])
        self._average = saved["average"]
        self._optimiser.load_state_dict(saved["optimiser"])
        self.progress = TrainingProgress(**saved["progress"])
        self._hand_over(gradients=False)

    def save(self) -> None:
        """Write the checkpoint (the first of a team does); a crash leaves the old one whole."""
        if self._team.rank != 0:
            return
        state = {
            "network": self._network.state_dict(),
            "average": self._average,
            "optimiser": self._optimiser.state_dict(),
            "progress": asdict(self.progress),
            "shape": asdict(self._network.shape),
        }
        torch.save(state, self._checkpoint.with_suffix(".tmp"))
        self._checkpoint.with_suffix(".tmp").replace(self._checkpoint)
        curve = json.dumps(self.progress.curve, indent=0)
        (self._folder / "curve.json").write_text(curve, encoding="utf-8")

    def rate(self) -> float:
        """Learning rate now: a ramp, then a plateau, then down to nothing at the end."""
        plan, done = self._plan, self.progress.seconds / (self._plan.hours * 3600)
        ramp = min(1.0, (self.progress.steps + 1) / 300)
        fall = (
            1.0 if done < 0.35 else max(0.02, 0.5 + 0.5 * math.cos(math.pi * (done - 0.35) / 0.65))
        )
        return plan.peak_rate * ramp * min(1.0, fall)

    def run(self, report: Callable[[str], None] = print) -> None:
        """Train until the plan's hours are used; an interrupt saves and leaves."""
        try:
            while self.progress.seconds < self._plan.hours * 3600:
                warming = self.progress.utterances < self._plan.warm_up_utterances
                self._stage(warming, report)
        finally:
            self.save()

    def _stage(self, warming: bool, report: Callable[[str], None]) -> None:
        mix = corpus.WARM_UP if warming else corpus.Mix()
        seed = self.progress.utterances + 17 + self._team.rank
        stream = _Stream(self._folder / "pool", mix, seed, self._plan.frames_per_batch)
        loader = DataLoader(stream, batch_size=None, num_workers=1, prefetch_factor=24)
        saved = began = self._last = time.monotonic()
        sums = np.zeros(4)
        for batch in loader:
            sums += self._step(batch, warming)
            now = time.monotonic()
            if self.progress.steps % 100 == 0 and self._team.rank == 0:
                self._note(sums / 100, report)
                sums[:] = 0
            if now - saved > self._plan.save_every_s:
                self.save()
                saved = now
            over = self.progress.seconds > self._plan.hours * 3600
            if over or (warming and self.progress.utterances >= self._plan.warm_up_utterances):
                break
        report(f"stage {'warm-up' if warming else 'main'} ended after {self._last - began:.0f} s")

    def _step(self, batch: Batch, warming: bool) -> np.ndarray:
        """One update; returns text, CTC and guide loss and the gradient's norm."""
        for group in self._optimiser.param_groups:
            group["lr"] = self.rate()
        batch.mel = batch.mel.bfloat16()
        parts = losses(self._worker, batch, not warming, self._plan.drop)
        total = parts.text + (1.0 if warming else 0.3) * parts.ctc + 0.35 * parts.guide
        self._worker.zero_grad(set_to_none=True)
        self._network.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        self._hand_over(gradients=True)
        self._share(len(batch.frames))
        norm = torch.nn.utils.clip_grad_norm_(self._network.parameters(), 2.0)
        self._optimiser.step()
        self._hand_over(gradients=False)
        self.progress.steps += 1
        if self.progress.steps % 4 == 0:
            self._blend()
        return np.array([x.item() for x in (parts.text, parts.ctc, parts.guide, norm)])

    @torch.no_grad()
    def _share(self, utterances: int) -> None:
        """Average the gradients over the team, and agree on the progress made."""
        now = time.monotonic()
        elapsed = now - self._last if self._team.rank == 0 else 0.0
        self._last = now
        gradients = [p.grad for p in self._network.parameters() if p.grad is not None]
        counts = torch.tensor([float(utterances), elapsed])
        flat = torch.cat([counts, *(gradient.flatten() for gradient in gradients)])
        if self._team.size > 1:
            torch.distributed.all_reduce(flat)
        self.progress.utterances += round(flat[0].item())
        self.progress.seconds += flat[1].item()
        sizes = [one.numel() for one in gradients]
        parts = torch.split(flat[2:] / self._team.size, sizes)
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    @torch.no_grad()
    def _hand_over(self, gradients: bool) -> None:
        """Gradients from the bfloat16 worker to the float32 network, or weights the other way."""
        for mine, its in zip(self._network.parameters(), self._worker.parameters(), strict=True):
            if not gradients:
                its.copy_(mine)
            elif its.grad is not None:
                mine.grad = its.grad.float()

    @torch.no_grad()
    def _blend(self) -> None:
        """Move the averaged weights towards the present ones."""
        kept = min(self._plan.averaging, 1 - 1 / (1 + self.progress.steps / 4)) ** 4
        for name, value in self._network.state_dict().items():
            self._average[name].lerp_(value, 1 - kept)

    def _note(self, means: np.ndarray, report: Callable[[str], None]) -> None:
        p = self.progress
        names = ("text", "ctc", "guide", "norm")
        values = {name: round(float(mean), 3) for name, mean in zip(names, means, strict=True)}
        p.curve.append({"utterances": p.utterances, "seconds": round(p.seconds), **values})
        speed = p.utterances / max(p.seconds, 1)
        report(
            f"{p.seconds / 60:6.1f} min  {p.utterances:7d} utterances ({speed:.0f}/s)  "
            + "  ".join(f"{name} {value:.3f}" for name, value in values.items())
            + f"  rate {self.rate():.1e}"
        )


def ensure_pool(pool: Path, utterances: int, report: Callable[[str], None] = print) -> None:
    """Synthesise until `pool` holds `utterances`."""
    pool.mkdir(parents=True, exist_ok=True)
    forbid = corpus.forbidden()
    while len(corpus.shards(pool)) * corpus.SHARD < utterances:
        corpus.write_shard(pool, max(corpus.shards(pool), default=-1) + 1, forbid)
        report(f"pool: {len(corpus.shards(pool)) * corpus.SHARD} utterances")


def member(folder: Path, shape: NetworkShape, plan: TrainingPlan, team: Team) -> None:
    """What each process of the team does."""
    team.join()
    Trainer(folder, shape, plan, team).run(print if team.rank == 0 else lambda line: None)


def train(
    folder: Path, shape: NetworkShape, plan: TrainingPlan, pool: PoolPlan, processes: int
) -> None:
    """Make the first utterances, then train while a process beside adds fresh ones."""
    ensure_pool(folder / "pool", pool.start)
    meeting = folder / "meeting"
    meeting.unlink(missing_ok=True)
    context = multiprocessing.get_context("spawn")
    teams = [Team(processes, rank, f"file://{meeting.resolve()}") for rank in range(processes)]
    growing = (folder / "pool", pool.keep // corpus.SHARD, pool.pause_s)
    beside = [context.Process(target=corpus.grow, args=growing, daemon=True)]
    beside += [
        context.Process(target=member, args=(folder, shape, plan, team)) for team in teams[1:]
    ]
    for process in beside:
        process.start()
    try:
        member(folder, shape, plan, teams[0])
    finally:
        for process in beside:
            process.terminate()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of training."""
    parser.add_argument("--work", type=Path, required=True, help="pool and checkpoint live here")
    parser.add_argument("--hours", type=float, default=2.0, help="of training, all runs together")
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--encoder-layers", type=int, default=4)
    parser.add_argument("--decoder-layers", type=int, default=2)
    parser.add_argument("--start", type=int, default=20_000, help="utterances made before training")
    parser.add_argument("--keep", type=int, default=60_000, help="utterances kept in the pool")
    parser.add_argument("--pause-s", type=float, default=45.0, help="between two fresh shards")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)


def from_arguments(options: argparse.Namespace) -> None:
    """Train as the command line says."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # saved as on Ctrl-C
    shape = NetworkShape(
        width=options.width,
        heads=options.width // 64,
        encoder_layers=options.encoder_layers,
        decoder_layers=options.decoder_layers,
    )
    pool = PoolPlan(options.start, options.keep, options.pause_s)
    train(options.work, shape, TrainingPlan(hours=options.hours), pool, options.processes)


if __name__ == "__main__":
    _parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(_parser)
    from_arguments(_parser.parse_args())
