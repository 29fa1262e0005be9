"""Trains a job's adapters: `python -m inference.adaptation.training JOB`, in a Python with torch.

It goes on from where it was cut off, stops when what is held out has long been heard no better,
keeps what was learned up to each look at it, and holds no more in memory than a few batches.
"""

from __future__ import annotations

import json
import math
import queue
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from inference.adaptation import whole
from inference.adaptation.adapters import Adapters
from inference.adaptation.batches import IGNORED, Batches, WindowBatch
from inference.adaptation.job import DONE, AdaptationJob, load, look_file
from inference.adaptation.network import WhisperNetwork
from inference.adaptation.precision import fastest_dtype
from inference.adaptation.weights import float_weights
from inference.asr import ct2
from inference.asr.features import LogMel

CHECKPOINT = "checkpoint.pt"
READY = 4  # batches made ahead
ROWS = 64  # of scores: one of few shapes, see batches.py
WARM_UP = 50  # steps up to the peak rate
HELD_RATE = 0.4  # share of the steps at the peak rate; from there on it falls
AVERAGING = 0.99  # of the weights that are kept
UNWANTED = -1e4  # score of a mark where a text has none to teach
BETAS, DECAY, CLIPPED = (0.9, 0.98), 0.01, 1.0


@dataclass(slots=True)
class Progress:
    """Where training stands."""

    step: int = 0
    seconds: float = 0.0  # of training itself, breaks not counted
    cpu_s: float = 0.0  # of all cores
    audio_s: float = 0.0  # heard, with its margins
    best_loss: float = math.inf  # on what is held out
    since_best: int = 0  # looks
    curve: list[dict[str, float | None]] = field(default_factory=list)


class Training:
    """One job's, in its folder."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._job = folder, load(folder)
        plan = self._job.plan
        if plan.threads:
            torch.set_num_threads(plan.threads)
        torch.manual_seed(plan.seed)
        base = float_weights(Path(self._job.base))
        self._base = ct2.content_sha256(base)
        self._network = WhisperNetwork(base)
        self._network.adapt(plan.rank, plan.scale, plan.part, plan.dropout)
        self._network.to(plan.device)
        self._dtype = fastest_dtype(plan.device)
        self._learned = [p for p in self._network.parameters() if p.requires_grad]
        self._average = [p.detach().clone() for p in self._learned]
        self._optimiser = torch.optim.AdamW(
            self._learned, lr=plan.peak_rate, betas=BETAS, weight_decay=DECAY
        )
        marks = _marks(self._job, len(base["decoder/projection/weight"]))
        self._marks = marks.to(plan.device)
        self.progress = Progress()
        self._resume()
        mel = LogMel(feature_size=base["encoder/conv1/weight"].shape[1])
        self._batches = Batches(folder, self._job, mel, self.progress.step)

    def run(self) -> Progress:
        """Until the plan's steps are done, or nothing gets better; returns where it stands."""
        plan, progress = self._job.plan, self.progress
        if progress.step == 0 and self._job.held_out:
            self._look(math.nan)
        made, losses = _ahead(iter(self._batches)), list[float]()
        while progress.step < plan.steps and progress.since_best < plan.patience:
            begun, busy = time.monotonic(), time.process_time()
            batch = next(made)
            losses.append(self._step(batch))
            progress.step += 1
            progress.seconds += time.monotonic() - begun
            progress.cpu_s += time.process_time() - busy
            progress.audio_s += batch.mel.shape[0] * batch.mel.shape[2] / 100
            if progress.step % plan.check_every == 0 or progress.step == plan.steps:
                self._look(sum(losses) / len(losses))
                losses.clear()
        whole.write(self._folder / DONE, json.dumps(asdict(progress)) + "\n")
        return progress

    def _step(self, batch: WindowBatch) -> float:
        for group in self._optimiser.param_groups:
            group["lr"] = self._rate()
        loss = self._loss(batch)
        self._optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._learned, CLIPPED)
        self._optimiser.step()
        share = 1 - min(AVERAGING, self.progress.step / (self.progress.step + 10))
        for kept, now in zip(self._average, self._learned, strict=True):
            kept.lerp_(now.detach(), share)
        return float(loss.detach())

    def _rate(self) -> float:
        plan, done = self._job.plan, self.progress.step / self._job.plan.steps
        ramp = min(1.0, (self.progress.step + 1) / WARM_UP)
        falling = max(0.0, (done - HELD_RATE) / (1 - HELD_RATE))
        return plan.peak_rate * ramp * (0.51 + 0.49 * math.cos(math.pi * falling))

    def _loss(self, batch: WindowBatch) -> Tensor:
        """Mean over the tokens to be said: how unlikely each is, no mark where the text has none;
        in windows where the base is followed, how far from what it expects there."""
        device = self._job.plan.device
        mel, inputs, targets, marks, followed = (
            torch.from_numpy(part).to(device)
            for part in (batch.mel, batch.inputs, batch.targets, batch.marked, batch.followed)
        )
        wanted = _wanted(targets)
        said = targets.flatten()[wanted]
        scores = self._scores(mel, inputs, wanted)
        marked, followed = (
            w[:, None].expand_as(targets).flatten()[wanted] for w in (marks, followed)
        )
        unmarked = ~marked & (self._marks[said.clamp(min=0)] == 0)
        taught = scores + self._marks * unmarked[:, None]
        losses = functional.cross_entropy(taught, said, ignore_index=IGNORED, reduction="none")
        if followed.any():
            with torch.no_grad(), self._network.unadapted():
                before = self._scores(mel, inputs, wanted)
            away = self._job.plan.following * _distance(before, scores)
            losses = torch.where(followed, away, losses)
        counts = said != IGNORED
        return (losses * counts).sum() / counts.sum()

    def _scores(self, mel: Tensor, inputs: Tensor, wanted: Tensor) -> Tensor:
        """Of the next token at every place that is wanted."""
        halved = self._dtype != torch.float32
        with torch.autocast(self._job.plan.device, self._dtype, enabled=halved):
            states = self._network.decoder(inputs, self._network.encoder(mel))
            chosen = states.flatten(0, 1)[wanted]
            return functional.linear(chosen, self._network.vocabulary).float()

    @torch.no_grad()
    def _look(self, loss: float) -> None:
        """Note how training stands, keep what was learned so far, write a checkpoint."""
        progress = self.progress
        held = self._held_out_loss()
        if held < progress.best_loss or not self._job.held_out:
            progress.best_loss, progress.since_best = held, 0
        else:
            progress.since_best += 1
        if progress.step:
            self._adapters().save(self._folder / look_file(progress.step))
        told = {"loss": _told(loss), "held_out": _told(held), "seconds": _told(progress.seconds)}
        point = {"step": progress.step, **told}
        progress.curve.append(point)
        self._save()
        print(json.dumps({**point, "steps": self._job.plan.steps}), flush=True)

    def _held_out_loss(self) -> float:
        """By the averaged weights; NaN if nothing is held out."""
        self._network.eval()
        with self._averaged():
            losses = [float(self._loss(batch)) for batch in self._batches.held_out()]
        self._network.train()
        return sum(losses) / len(losses) if losses else math.nan

    def _averaged(self) -> _Swapped:
        return _Swapped(self._learned, self._average)

    def _adapters(self) -> Adapters:
        names = [n for n, p in self._network.named_parameters() if p.requires_grad]
        by_module = {id(m): m.name for m in self._network.linears()}
        modules = dict(self._network.named_modules())
        tensors = {}
        for name, value in zip(names, self._average, strict=True):
            module, _, part = name.rpartition(".")
            tensors[f"{by_module[id(modules[module])]}.{part}"] = value.cpu().numpy()
        return Adapters(self._base, self._job.plan.scale, tensors)

    def _save(self) -> None:
        """A crash leaves the old one whole."""
        state = {
            "learned": [p.detach() for p in self._learned],
            "average": self._average,
            "optimiser": self._optimiser.state_dict(),
            "progress": asdict(self.progress),
        }
        draft = self._folder / f".{CHECKPOINT}"
        torch.save(state, draft)
        draft.replace(self._folder / CHECKPOINT)

    def _resume(self) -> None:
        path = self._folder / CHECKPOINT
        if not path.exists():
            return
        state: dict[str, Any] = torch.load(
            path, map_location=self._job.plan.device, weights_only=True
        )
        with torch.no_grad():
            for mine, kept in zip(self._learned, state["learned"], strict=True):
                mine.copy_(kept)
        self._average = state["average"]
        self._optimiser.load_state_dict(state["optimiser"])
        self.progress = Progress(**state["progress"])


class _Swapped:
    """Within it, parameters hold other values."""

    def __init__(self, learned: list[Tensor], average: list[Tensor]) -> None:
        self._learned, self._average = learned, average

    def __enter__(self) -> None:
        self._kept = [p.detach().clone() for p in self._learned]
        self._put(self._average)

    def __exit__(self, *_: object) -> None:
        self._put(self._kept)

    def _put(self, values: list[Tensor]) -> None:
        with torch.no_grad():
            for parameter, value in zip(self._learned, values, strict=True):
                parameter.copy_(value)


def _told(figure: float) -> float | None:
    return None if math.isnan(figure) else round(figure, 4)


def _wanted(targets: Tensor) -> Tensor:
    """Where there is something to learn, filled up to one of few lengths with what is ignored."""
    flat = targets.flatten() != IGNORED
    order = torch.argsort(~flat, stable=True)
    count = -(-int(flat.sum()) // ROWS) * ROWS
    return order[:count]


def _distance(before: Tensor, now: Tensor) -> Tensor:
    """[n] Kullback-Leibler divergence between what was expected next and what is now."""
    was, became = before.log_softmax(-1), now.log_softmax(-1)
    return functional.kl_div(became, was, reduction="none", log_target=True).sum(-1)


def _marks(job: AdaptationJob, size: int) -> Tensor:
    scores = torch.zeros(size)
    scores[list(job.vocabulary.marks)] = UNWANTED
    return scores


def _ahead(batches: Iterator[WindowBatch]) -> Iterator[WindowBatch]:
    """Made by a thread of their own while the last one is learned from; raises what it raises."""
    ready: queue.Queue[WindowBatch | Exception] = queue.Queue(READY)

    def make() -> None:
        try:
            for batch in batches:
                ready.put(batch)
        except Exception as error:
            ready.put(error)

    threading.Thread(target=make, daemon=True).start()
    while True:
        made = ready.get()
        if isinstance(made, Exception):
            raise made
        yield made


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    np.seterr(all="ignore")
    Training(Path(sys.argv[1])).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
