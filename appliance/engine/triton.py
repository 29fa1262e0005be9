"""ManagedEngine over Triton; with triton_server.py the only user of tritonclient."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence, Set
from pathlib import Path
from typing import Any

import tritonclient.grpc.aio as grpcclient
from tritonclient.utils import InferenceServerException

from appliance.engine.canary import Canary
from appliance.engine.cost import CostModel
from appliance.engine.dispatch import Dispatcher, QueuedQuestion
from appliance.engine.lineup import Variants, served, with_base
from appliance.engine.sizing import queue_places, triton_instances
from appliance.engine.triton_server import TritonServer
from appliance.errors import (
    EngineTimeout,
    EngineUnavailable,
    InvalidRequest,
    LingtingError,
    Overloaded,
)
from appliance.health import Health
from appliance.metrics import Metrics
from appliance.pauses import doubling
from appliance.settings import Settings
from inference.bundles import Manifest, load_manifest
from inference.tensors import (
    ASR_MODEL,
    AUDIO,
    CARD,
    OPTIONS,
    REFUSAL,
    RESULT,
    AnswerT,
    ModelCard,
    Priority,
    Question,
    from_bytes_tensor,
    pack_questions,
)

log = logging.getLogger(__name__)

NAME = "triton"
POLL_S = 0.05  # between looks at a server that is loading
SEEK_S = 1.0  # between looks for what a running one has not loaded yet
RESTART_DELAY_S = (0.5, 30.0)  # first and longest pause before a dead child is started again
CARD_TIMEOUT_S = 1.0
QUEUE_FULL = "maximum queue size"  # in Triton's message
BATCHES_ON_GPU = 2  # one runs, one is on its way
OTHERS = 2  # batches of the models beside the speech model under way at once
ASKING = "ask a model through Triton"


class TritonEngine:
    """A Triton that this process starts (`child`) or that runs elsewhere (`remote`)."""

    def __init__(self, settings: Settings, metrics: Metrics, number: int = 1) -> None:
        """`number`: of the Triton, where there are several: which of the addresses."""
        addresses = settings.triton.addresses or (settings.triton.address,)
        self._address = addresses[number - 1]
        self.name = NAME if number == 1 else f"{NAME}-{number}"
        self._settings, self._metrics = settings, metrics
        self._is_child = settings.triton.mode == "child"
        self.cost = CostModel()
        self._dispatchers: dict[str, Dispatcher] = {}  # by model
        self._variants: Variants = {}
        self._serving: list[asyncio.Task[None]] = []
        self.server: TritonServer | None = None
        self._client: grpcclient.InferenceServerClient | None = None
        self._tending: list[asyncio.Task[None]] = []  # from the first start on
        self._cards: dict[str, ModelCard] = {}
        self._missed: set[str] = set()  # models that it did not have when last asked
        self._reason = "not started"
        self._failure: LingtingError | None = None  # that the reason tells of

    async def start(self) -> None:
        """Start the child, if there is to be one, and wait until the model answers.

        Called again it only asks: a child is kept alive by its keeper.
        """
        try:
            if not (self._tending and self._is_child):
                await self._come_up()
            elif not await self._answers():
                raise self._failure or EngineUnavailable("reach Triton", "no answer")
        except LingtingError as error:
            self._fail(error)
            raise
        finally:
            if not self._tending:
                jobs = [self._seek(), *([self._keep()] if self._is_child else [])]
                self._tending = [asyncio.create_task(job) for job in jobs]

    def _fail(self, error: LingtingError) -> None:
        self._failure, self._reason = error, str(error)

    async def _come_up(self) -> None:
        address = self._address
        if self._is_child:
            self.server = self.server or TritonServer(self._settings)
            await self.server.start()
            address = self.server.address
        if self._client is None:
            self._client = grpcclient.InferenceServerClient(address)
        deadline = time.monotonic() + self._settings.triton.start_timeout_s
        while not await self._answers():
            if self.server and not self.server.running:
                raise EngineUnavailable("start Triton", self.server.last_error())
            if time.monotonic() > deadline:
                hint = "is it running, is the model loaded?"
                raise EngineUnavailable("reach Triton", f"no answer from {address}", hint)
            await asyncio.sleep(POLL_S)
        self._reason = ""
        models = self._settings.models
        if self.server:
            await self._load_again(self.server)
        elif models.asr.is_relative_to(models.library):  # it may still have the one before
            await self._until_identity(load_manifest(models.asr))

    async def _load_again(self, server: TritonServer) -> None:
        """What is served beside the base, after a start."""
        try:
            await server.serve(self._variants)
            await self._answers()
        except LingtingError as error:
            log.error("Triton runs without what is served beside: %s", error)

    async def _answers(self) -> bool:
        """Whether the speech model tells its card; the others' are asked for on the way."""
        if self._client is None:
            return False
        for model in (*self._settings.models.bundles(), *served(self._variants)):
            if not await self._has(model) and model == ASR_MODEL:
                return False
        self._reason, self._failure = "", None
        self.cost.lanes = self._cards[ASR_MODEL].lanes * await self._instances()
        return True

    async def _has(self, model: str) -> bool:
        """Whether it tells its card; one that is only late is kept as it was."""
        try:
            (fields,) = await self._infer([CARD], Priority.PROBE, CARD_TIMEOUT_S, model)
        except InferenceServerException as error:
            if not isinstance(_translate(error), EngineTimeout):
                self._cards.pop(model, None)
                if model not in {ASR_MODEL, *self._missed}:
                    log.info("Triton has no model %r: %s", model, error.message())
                    self._missed.add(model)
            return False
        self._cards[model] = CARD.unpack(fields)
        self._missed.discard(model)
        return True

    async def _seek(self) -> None:
        """Calls get a model as soon as a Triton elsewhere has loaded it."""
        while True:
            await asyncio.sleep(SEEK_S)
            missing = {*self._settings.models.bundles(), *served(self._variants)} - {*self._cards}
            for model in missing if self._client else ():
                try:
                    await self._has(model)
                except Exception:  # a card that nobody understands must not end the seeking
                    log.exception("Triton's card of %r is none", model)

    async def serve(self, variants: Variants) -> None:
        """A child loads them; one elsewhere follows the line-up by itself, and is waited for."""
        before, self._variants = self._variants, dict(variants)
        for name in served(before).keys() - served(variants).keys():
            self._cards.pop(name, None)
            self._missed.discard(name)
        try:
            if self._is_child:
                self.server = self.server or TritonServer(self._settings)
                await self.server.serve(variants)
            await self._until_served(served(variants).keys() - served(before).keys())
        except LingtingError:
            self._variants = before
            if self.server:
                with contextlib.suppress(LingtingError):
                    await self.server.serve(before)
            raise

    async def rebase(self, bundle: Path) -> None:
        """A child loads it; one elsewhere follows what is active, and is waited for."""
        before, self._settings = self._settings, with_base(self._settings, bundle)
        try:
            if self.server:
                await self.server.rebase(bundle)
            await self._until_identity(load_manifest(bundle))
        except LingtingError:
            self._settings = before
            if self.server:
                with contextlib.suppress(LingtingError):
                    await self.server.rebase(before.models.asr)
            raise

    async def _until_identity(self, wanted: Manifest) -> None:
        def reached() -> bool:
            card = self._cards[ASR_MODEL]
            return (card.name, card.version) == (wanted.name, wanted.version)

        await self._until(reached, f"it does not serve {wanted.name} {wanted.version}")

    async def _until_served(self, names: Set[str]) -> None:
        await self._until(lambda: names <= self._cards.keys(), f"{', '.join(names)} is missing")

    async def _until(self, reached: Callable[[], bool], otherwise: str) -> None:
        """One that is down follows later; else EngineUnavailable after its time to start."""
        if not await self._answers():
            return
        deadline = time.monotonic() + self._settings.triton.start_timeout_s
        while not (await self._answers() and reached()):
            if time.monotonic() > deadline:
                raise EngineUnavailable("load a model into Triton", otherwise)
            await asyncio.sleep(POLL_S)

    async def _instances(self) -> int:
        """Of the speech model, on all its devices, as Triton tells; one on a GPU runs on each."""
        assert self._client is not None
        try:
            told = await self._client.get_model_config(ASR_MODEL, client_timeout=CARD_TIMEOUT_S)
        except InferenceServerException:
            return triton_instances(self._settings)
        groups = told.config.instance_group
        return sum(group.count * max(1, len(group.gpus)) for group in groups) or 1

    async def _keep(self) -> None:
        """Start the child again whenever it has died."""
        pauses = doubling(*RESTART_DELAY_S)
        while True:
            if self.server and self.server.running:
                await self.server.wait()
                self._reason = f"Triton {self.server.how_it_ended()} and is being started again"
                log.warning("%s; %s", self._reason, self.server.last_error())
            await asyncio.sleep(next(pauses))
            self._metrics.triton_restarts_total.inc()
            try:
                if self.server:
                    await self.server.stop()
                await self._come_up()
                pauses = doubling(*RESTART_DELAY_S)
            except LingtingError as error:
                self._fail(error)
            except OSError as error:
                self._fail(EngineUnavailable("start Triton", str(error)))

    async def ask(
        self, question: Question[AnswerT], priority: Priority, timeout_s: float | None
    ) -> AnswerT:
        if self._client is None or (not self._cards and not await self._answers()):
            raise EngineUnavailable(ASKING, self._reason or "no answer")
        self.card(question.served_by)
        return await self._jobs(question.served_by).ask(question, priority, timeout_s)

    def _jobs(self, model: str) -> Dispatcher:
        """A model's queue; those who take from it are made with it."""
        if model in self._dispatchers:
            return self._dispatchers[model]
        triton = self._settings.triton
        places = queue_places(self._settings)
        jobs = Dispatcher(self.cost, triton.max_batch, places, ASKING)
        self._dispatchers[model] = jobs
        on_cpu = self._cards[model].device == "cpu"
        slots = self.cost.lanes if on_cpu else BATCHES_ON_GPU * self.cost.lanes
        hears = model.partition(".")[0] == ASR_MODEL
        for _ in range(slots if hears else OTHERS):
            self._serving.append(asyncio.create_task(self._serve(jobs)))
        return jobs

    async def _serve(self, jobs: Dispatcher) -> None:
        """Send one batch after the other; whatever comes of it, its questions are settled."""
        while True:
            batch = await jobs.take()
            try:
                await self._answer(batch, jobs.patience_s(batch))
            except asyncio.CancelledError:
                _fail(batch, EngineUnavailable(ASKING, "the engine is closed"))
                raise
            except TimeoutError:
                log.warning("Triton has hung over %d questions", len(batch))
                _fail(batch, EngineTimeout(ASKING, "it hangs"))
            except InferenceServerException as error:
                _fail(batch, _translate(error))
            except Exception as error:  # an answer nobody understands must not end the serving
                log.exception("Triton's answer is none")
                _fail(batch, EngineUnavailable(ASKING, repr(error)))

    async def _answer(self, batch: list[QueuedQuestion], patience_s: float) -> None:
        """Settle a batch; once every caller has given up it is taken back from Triton."""
        questions = [job.question for job in batch]
        asking = asyncio.create_task(self._infer(questions, batch[0].priority))

        def given_up(_: object) -> None:
            if all(job.answer.cancelled() for job in batch):
                asking.cancel()

        for job in batch:
            job.answer.add_done_callback(given_up)
        try:
            async with asyncio.timeout(patience_s):
                rows = await asking
        except asyncio.CancelledError:
            if (task := asyncio.current_task()) and task.cancelling():
                raise
            return
        for job, fields in list(zip(batch, rows, strict=True)):
            if REFUSAL in fields:
                job.fail(InvalidRequest("ask a model", fields[REFUSAL]))
            else:
                job.settle(job.question.unpack(fields))

    async def _infer(
        self,
        questions: Sequence[Question[Any]],
        priority: Priority,
        timeout_s: float | None = None,
        model: str | None = None,
    ) -> list[dict[str, Any]]:
        """Ask as one request, which Triton cannot part; a row of fields for each question."""
        assert self._client is not None
        packed = pack_questions(questions)
        audio = grpcclient.InferInput(AUDIO, packed.audio.shape, "FP32")
        audio.set_data_from_numpy(packed.audio)
        options = grpcclient.InferInput(OPTIONS, packed.options.shape, "UINT8")
        options.set_data_from_numpy(packed.options)
        answer = await self._client.infer(
            model or questions[0].served_by,
            [audio, options],
            priority=int(priority),
            client_timeout=timeout_s,
        )
        return [from_bytes_tensor(row) for row in answer.as_numpy(RESULT)]

    async def answered(self) -> int:
        """Questions that the speech model of a running server has answered; -1 if unknown."""
        if self._client is None:
            return -1
        try:
            told = await self._client.get_inference_statistics(
                ASR_MODEL, client_timeout=CARD_TIMEOUT_S
            )
        except InferenceServerException:
            return -1
        return sum(model.inference_count for model in told.model_stats)

    def card(self, model: str = ASR_MODEL) -> ModelCard:
        if model not in self._cards:
            reason = self._reason or "Triton does not have it"
            raise EngineUnavailable(f"describe the model {model!r}", reason)
        return self._cards[model]

    def lead(self, variant: str, canary: Canary) -> None:
        """Canaries are the failover's."""

    def health(self) -> Health:
        dead_child = self.server is not None and not self.server.running
        reason = self._reason or ("Triton is not running" if dead_child else "")
        return Health(not reason, reason)

    async def close(self) -> None:
        for task in (*self._tending, *self._serving):
            task.cancel()
        await asyncio.gather(*self._tending, *self._serving, return_exceptions=True)
        for jobs in self._dispatchers.values():
            jobs.refuse(EngineUnavailable(ASKING, "the engine is closed"))
        self._tending, self._serving, self._dispatchers = [], [], {}
        if self._client:
            with contextlib.suppress(InferenceServerException):
                await self._client.close()
            self._client = None
        if self.server:
            await self.server.stop()
            self.server = None
        self._reason = "closed"


def _fail(batch: list[QueuedQuestion], error: LingtingError) -> None:
    for job in batch:
        job.fail(error)


def _translate(error: InferenceServerException) -> LingtingError:
    message, status = error.message() or "", str(error.status() or "")
    if QUEUE_FULL in message:
        return Overloaded(ASKING, "Triton's queue is full", "send less at once, or later")
    if status.endswith("INVALID_ARGUMENT"):
        return InvalidRequest("ask a model", message)
    if status.endswith("DEADLINE_EXCEEDED"):
        return EngineTimeout(ASKING, "no answer in time")
    return EngineUnavailable(ASKING, f"{status}: {message}")
