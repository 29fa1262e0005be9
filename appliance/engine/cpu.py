"""The CPU path: worker processes that run the models of inference/ and batch across calls.

A worker that dies takes no question with it: each is tried once more,
alone, so that a question which kills workers harms no other.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import sys
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np

from appliance.engine.canary import Canary
from appliance.engine.cost import CostModel
from appliance.engine.dispatch import Dispatcher, QueuedQuestion
from appliance.engine.lineup import Variants, served, with_base
from appliance.engine.process import ONE_BLAS_THREAD, leash
from appliance.engine.sizing import cpu_workers
from appliance.errors import (
    BundleError,
    EngineUnavailable,
    InvalidRequest,
)
from appliance.health import Health
from appliance.pauses import doubling
from appliance.settings import Settings
from inference.tensors import (
    ANSWERED,
    ASR_MODEL,
    BAD_BUNDLE,
    CARD,
    FRAME_HEAD,
    REFUSED,
    AnswerT,
    ModelCard,
    Priority,
    Question,
    from_bytes_tensor,
    pack_frame,
    pack_question,
    split_frame,
)

log = logging.getLogger(__name__)

RESTART_DELAY_S = (0.1, 5.0)  # first and longest pause before a dead worker is replaced
ASKING = "ask a model on the CPU"


def worker_command(settings: Settings, variants: Variants) -> list[str]:
    """The `inference.worker` that serves this box's bundles, and variants beside them."""
    cpu, bundles = settings.cpu, {**settings.models.bundles(standby=True), **served(variants)}
    return [
        *leash("start a CPU worker"),
        *(sys.executable, "-m", "inference.worker"),
        *(f"--bundle={name}={folder}" for name, folder in bundles.items()),
        *("--threads", str(cpu.threads)),
        *("--cores", str(max(1, (os.cpu_count() or 1) // max(1, cpu_workers(settings))))),
        *("--compute-type", cpu.compute_type),
        *("--tuning", str(settings.tuning_file)),
    ]


class Worker:
    """One `inference.worker` process: a child of ours, or of `lingting cpu` behind a socket."""

    def __init__(self, settings: Settings, variants: Variants) -> None:
        self.settings, self.variants = settings, variants
        self.busy = asyncio.Lock()  # held while it answers
        self._process: asyncio.subprocess.Process | None = None
        self._answers: asyncio.StreamReader | None = None
        self._questions: asyncio.StreamWriter | None = None
        self._listening: asyncio.Task[None] | None = None
        self._said: deque[str] = deque(maxlen=20)  # lines on its stderr

    async def start(self) -> dict[str, ModelCard]:
        """Spawn and load; raises BundleError or EngineUnavailable with the worker's own words."""
        if self.settings.cpu.socket:
            await self._connect(self.settings.cpu.socket)
        else:
            await self._spawn()
        return await self._cards()

    async def _connect(self, path: Path) -> None:
        try:
            self._answers, self._questions = await asyncio.open_unix_connection(path)
        except OSError as error:
            hint = "systemctl status lingting-cpu, or correct cpu.socket"
            raise EngineUnavailable(
                "reach the CPU service", f"{path}: {error.strerror or error}", hint
            ) from error

    async def _spawn(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *worker_command(self.settings, self.variants),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, **ONE_BLAS_THREAD},
        )
        self._answers, self._questions = self._process.stdout, self._process.stdin
        assert self._process.stderr
        self._listening = asyncio.create_task(self._listen_to(self._process.stderr))

    async def _cards(self) -> dict[str, ModelCard]:
        """The worker's first words, once its models are loaded, by the names they answer to."""
        try:
            async with asyncio.timeout(self.settings.cpu.start_timeout_s):
                names, *packed = await self._read()
        except (asyncio.IncompleteReadError, ConnectionError, TimeoutError) as error:
            code = await self._exit_code()
            reason = self._last_words()
            await self.stop()
            if code == BAD_BUNDLE:
                raise BundleError("load the models", reason, "run `lingting doctor`") from error
            if isinstance(error, TimeoutError):
                reason = "it did not load in time"
            raise EngineUnavailable("start a CPU worker", reason) from error
        cards = (CARD.unpack(json.loads(card)) for card in packed)
        return dict(zip(json.loads(names), cards, strict=True))

    async def _exit_code(self) -> int | None:
        """How it ended, if it has."""
        if self._process is None:
            return None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                return await self._process.wait()
        return None

    async def _listen_to(self, stream: asyncio.StreamReader) -> None:
        """Log what the worker says: unread, its pipe would fill and stop it."""
        while raw := await stream.read(4096):
            lines = raw.decode(errors="replace").strip().splitlines()
            self._said.extend(lines)
            for line in lines:
                log.warning("CPU worker: %s", line)

    def _last_words(self) -> str:
        if self._process is None:
            return "it hung up; the log of lingting-cpu says why"
        return self._said[-1] if self._said else "it ended without a word"

    async def exchange(self, questions: list[Question[Any]]) -> list[bytes]:
        """Questions -> answers (status byte and payload each)."""
        assert self._questions
        parts = [part for question in questions for part in pack_question(question).parts()]
        self._questions.write(pack_frame(parts))
        await self._questions.drain()
        return await self._read()

    async def _read(self) -> list[bytes]:
        assert self._answers
        head = await self._answers.readexactly(FRAME_HEAD.size)
        lengths = json.loads(await self._answers.readexactly(FRAME_HEAD.unpack(head)[0]))
        return split_frame(lengths, await self._answers.readexactly(sum(lengths)))

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    async def stop(self) -> None:
        if self._questions and self._process is None:
            self._questions.close()  # lingting cpu ends the worker when its caller is gone
        if self._process and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        if self._listening:
            self._listening.cancel()


class CpuEngine:
    """ManagedEngine over a pool of workers."""

    name = "cpu"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.cost = CostModel()
        cpu = settings.cpu
        places = dict.fromkeys(Priority, cpu.queue)
        self._jobs = Dispatcher(self.cost, cpu.max_batch, places, ASKING)
        self._variants: Variants = {}
        self._changing = asyncio.Lock()
        self._workers: list[Worker] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._cards: dict[str, ModelCard] = {}
        self._reason = "not started"

    async def start(self) -> None:
        count = cpu_workers(self._settings)
        if not count:
            raise EngineUnavailable("start the CPU engine", "cpu.workers is 0")
        if self._tasks:
            return
        try:
            cards = await self._start_workers(count)
        except BundleError as error:
            if not self._variants:
                raise
            log.error("the CPU starts without what is served beside: %s", error)
            self._variants = {}
            cards = await self._start_workers(count)
        self._cards, self._reason = cards[0], ""
        self.cost.lanes = sum(worker[ASR_MODEL].lanes for worker in cards)
        self._tasks = [
            asyncio.create_task(self._work(place), name=f"cpu-worker-{place}")
            for place in range(count)
        ]

    async def _start_workers(self, count: int) -> list[dict[str, ModelCard]]:
        self._workers = [Worker(self._settings, self._variants) for _ in range(count)]
        try:
            return list(await asyncio.gather(*(worker.start() for worker in self._workers)))
        except Exception as error:
            self._reason = str(error)
            await self.close()
            raise

    async def serve(self, variants: Variants) -> None:
        """Workers change one by one, each new one up before its old one goes.

        A path with a standby bundle of its own stays with that alone.
        """
        if self._settings.models.asr_standby:
            return
        async with self._changing:
            before, self._variants = self._variants, dict(variants)
            gone = served(before).keys() - served(variants).keys()
            for name in gone:
                self._cards.pop(name, None)
            try:
                await self._change_all()
            except BaseException:
                self._variants = before
                raise

    async def rebase(self, bundle: Path) -> None:
        """A standby bundle of its own stays."""
        if self._settings.models.asr_standby:
            return
        async with self._changing:
            before, self._settings = self._settings, with_base(self._settings, bundle)
            try:
                await self._change_all()
            except BaseException:
                self._settings = before
                raise

    async def _change_all(self) -> None:
        cards = self._cards
        for place, worker in enumerate(self._workers):
            if (worker.settings, worker.variants) != (self._settings, self._variants):
                cards = await self._change(place)
        self._cards, self._reason = cards, ""

    async def _change(self, place: int) -> dict[str, ModelCard]:
        new = Worker(self._settings, self._variants)
        try:
            cards = await new.start()
        except BaseException:
            await new.stop()
            raise
        old, self._workers[place] = self._workers[place], new
        async with old.busy:
            await old.stop()
        return cards

    async def ask(
        self, question: Question[AnswerT], priority: Priority, timeout_s: float | None
    ) -> AnswerT:
        self.card(question.served_by)
        if not self._tasks:
            raise EngineUnavailable(ASKING, self._reason or "not started")
        return await self._jobs.ask(question, priority, timeout_s)

    async def _work(self, place: int) -> None:
        """Feed the worker of one place for ever; replace its process when it dies or hangs."""
        while True:
            batch = await self._jobs.take()
            worker = await self._taken(place)
            try:
                questions = [job.question for job in batch]
                async with asyncio.timeout(self._jobs.patience_s(batch)):
                    answers = await worker.exchange(questions)
                for job, answer in zip(batch, answers, strict=True):
                    _settle(job, answer)
            except asyncio.CancelledError:
                for job in batch:
                    job.fail(EngineUnavailable(ASKING, "the engine is closed"))
                raise
            except Exception as error:  # whatever it is, this process is of no more use
                log.warning("a CPU worker is replaced: %r", error)
                await self._give_back(batch)
                await self._replace(place, worker)
            finally:
                worker.busy.release()

    async def _taken(self, place: int) -> Worker:
        """The worker that has the place, for us alone."""
        while True:
            worker = self._workers[place]
            await worker.busy.acquire()
            if self._workers[place] is worker:
                return worker
            worker.busy.release()

    async def _give_back(self, batch: list[QueuedQuestion]) -> None:
        for job in batch:
            if job.alone:
                job.fail(EngineUnavailable(ASKING, "the worker died on this question"))
            else:
                job.alone = True
                await self._jobs.put(job)

    async def _replace(self, place: int, worker: Worker) -> None:
        """Until it is up again, or another one has its place; without a variant that is broken."""
        for pause_s in doubling(*RESTART_DELAY_S):
            await worker.stop()
            await asyncio.sleep(pause_s)
            if self._workers[place] is not worker:
                return
            try:
                cards = await worker.start()
            except BundleError as error:
                self._reason = str(error)
                if worker.variants:
                    log.error("a worker starts without what is served beside: %s", error)
                    worker.variants = {}
            except (EngineUnavailable, OSError) as error:
                self._reason = str(error)
            else:
                self._reason = ""
                self._cards = {name: self._cards.get(name, card) for name, card in cards.items()}
                return

    def pids(self) -> list[int]:
        """Process ids of the workers, for tests that kill them."""
        return [worker.pid for worker in self._workers if worker.pid]

    def card(self, model: str = ASR_MODEL) -> ModelCard:
        if model not in self._cards:
            raise EngineUnavailable(
                f"describe the model {model!r}", self._reason or "no bundle is set for it"
            )
        return self._cards[model]

    def lead(self, variant: str, canary: Canary) -> None:
        """Canaries are the failover's."""

    def health(self) -> Health:
        ready = bool(self._tasks) and not self._reason
        return Health(ready, self._reason)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(worker.stop() for worker in self._workers))
        self._jobs.refuse(EngineUnavailable(ASKING, "the engine is closed"))
        self._tasks, self._workers = [], []
        self._reason = self._reason or "closed"


def _settle(job: QueuedQuestion, answer: bytes) -> None:
    status, payload = answer[:1], answer[1:]
    if status == ANSWERED:
        fields = from_bytes_tensor(np.frombuffer(payload, np.uint8))
        job.settle(job.question.unpack(fields))
    elif status == REFUSED:
        job.fail(InvalidRequest("ask a model", payload.decode()))
    else:
        job.fail(EngineUnavailable(ASKING, payload.decode()))
