"""What one would write without this project: a faster-whisper call per window, behind our doors.

`python -m tools.peers.naive` serves like `lingting serve`. Weights, call room and doors are ours;
the engine is the usual one: a pool of threads, one window at a time each, nothing batched across
calls. It is the bench's peer, not a product.
"""

from __future__ import annotations

import asyncio
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from appliance.cli.logs import set_up_logs
from appliance.cli.serve import run_gateway
from appliance.engine.canary import Canary
from appliance.engine.cost import CostModel
from appliance.engine.lineup import Variants
from appliance.errors import (
    BundleError,
    EngineUnavailable,
    InvalidRequest,
    LingtingError,
    Overloaded,
    SettingsError,
)
from appliance.health import Health
from appliance.metrics import Metrics
from appliance.settings import Settings, load_settings
from inference.bundles import BundleInvalid, Manifest, verify
from inference.tensors import (
    ASR_MODEL,
    AnswerT,
    Hypothesis,
    ModelCard,
    Priority,
    Question,
    Window,
    Word,
)

LISTENING = "listen with faster-whisper"
QUEUE = 256  # windows that may wait, as many as Triton keeps
TEMPERATURES = (0.0, 0.4, 0.8)  # of a final: as many tries as our engine has


class NaiveEngine:
    """SpeechEngine over faster-whisper, first come first served."""

    name = "naive"

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._folder = settings.models.asr
        self._metrics = metrics
        self.cost = CostModel()
        self._workers = os.cpu_count() or 1
        self._pool = ThreadPoolExecutor(self._workers, "faster-whisper")
        self._model: Any = None
        self._card: ModelCard | None = None
        self._under_way = 0

    async def start(self) -> None:
        """Load the model; raises BundleError, or SettingsError if faster-whisper is missing."""
        if self._model is not None:
            return
        try:
            manifest = verify(self._folder)
            self._model = await asyncio.to_thread(_load, self._folder, self._workers)
        except (BundleInvalid, RuntimeError, ValueError) as error:
            raise BundleError("load the speech model", str(error)) from error
        self._card = _card(manifest)

    async def ask(
        self, question: Question[AnswerT], priority: Priority, timeout_s: float | None
    ) -> AnswerT:
        if self._model is None or self._card is None:
            raise EngineUnavailable(LISTENING, "it is not started")
        if not isinstance(question, Window):
            raise EngineUnavailable(LISTENING, "it only transcribes")
        _check(question, self._card)
        if self._under_way >= QUEUE:
            raise Overloaded(LISTENING, "the queue is full", "send less at once, or later")
        self._under_way += 1
        begun = asyncio.get_running_loop().time()
        try:
            answer = asyncio.get_running_loop().run_in_executor(self._pool, self._hear, question)
            heard: Any = await asyncio.wait_for(answer, timeout_s)
        except TimeoutError as error:
            raise EngineUnavailable(LISTENING, f"no answer in {timeout_s:.1f} s") from error
        except RuntimeError as error:
            raise EngineUnavailable(LISTENING, str(error)) from error
        finally:
            self._under_way -= 1
        kind, seconds = priority.name.lower(), asyncio.get_running_loop().time() - begun
        self._metrics.engine_windows_total.labels(self.name, ASR_MODEL, kind).inc()
        self._metrics.engine_latency_seconds.labels(self.name, ASR_MODEL, kind).observe(seconds)
        self._metrics.engine_audio_seconds_total.labels(self.name, ASR_MODEL, "cpu").inc(
            question.duration_s
        )
        answered: AnswerT = heard
        return answered

    def _hear(self, window: Window) -> Hypothesis:
        assert self._card is not None
        segments, info = self._model.transcribe(
            window.audio,
            language=window.language or self._card.languages[0],
            task=window.task,
            beam_size=window.beam_size,
            temperature=TEMPERATURES if window.retries else 0.0,
            initial_prompt=window.prompt or None,
            word_timestamps=window.word_times,
            without_timestamps=True,
            condition_on_previous_text=False,
            vad_filter=False,
        )
        return _hypothesis(list(segments), info.language, self._card)

    async def serve(self, variants: Variants) -> None:
        """One bundle is all it has."""
        if variants:
            raise EngineUnavailable("load a model", "the naive engine has one")

    def lead(self, variant: str, canary: Canary) -> None:
        """It has no canaries."""

    async def rebase(self, bundle: Path) -> None:
        raise EngineUnavailable("load a model", "the naive engine has one")

    def card(self, model: str = ASR_MODEL) -> ModelCard:
        if self._card is None or model != ASR_MODEL:
            raise EngineUnavailable(f"describe the model {model!r}", "it is not loaded")
        return self._card

    def health(self) -> Health:
        loaded = self._model is not None
        return Health(loaded, "" if loaded else "not started", in_use=self.name if loaded else "")

    async def close(self) -> None:
        self._model = None
        await asyncio.to_thread(self._pool.shutdown, cancel_futures=True)


def _load(folder: Path, workers: int) -> Any:
    try:
        from faster_whisper import WhisperModel
    except ImportError as error:
        raise SettingsError(
            "load faster-whisper", "it is not installed", "run `make .venv/.dev`"
        ) from error
    return WhisperModel(
        str(folder),
        device="cpu",
        compute_type="int8",
        cpu_threads=1,
        num_workers=workers,
        local_files_only=True,
    )


def _card(manifest: Manifest) -> ModelCard:
    return ModelCard(
        name=manifest.name,
        version=manifest.version,
        licence=manifest.licence,
        demo=manifest.demo,
        languages=manifest.languages or ("zh",),
        tasks=manifest.tasks,
        window_s=manifest.serving.window_s,
        description=manifest.description,
    )


def _check(window: Window, card: ModelCard) -> None:
    if not len(window.audio) or window.duration_s > card.window_s:
        raise InvalidRequest("ask a model", f"{window.duration_s:.1f} s of audio")
    if window.language is not None and window.language not in card.languages:
        raise InvalidRequest("listen", f"language {window.language!r} is not known")
    if window.task not in card.tasks:
        raise InvalidRequest("listen", f"this model cannot {window.task}")


def _hypothesis(segments: list[Any], language: str, card: ModelCard) -> Hypothesis:
    words = tuple(
        Word(w.word.strip(), int(w.start * 1000), int(w.end * 1000), round(w.probability, 4))
        for segment in segments
        for w in segment.words or ()
    )
    return Hypothesis(
        text="".join(segment.text for segment in segments).strip(),
        language=language,
        words=words,
        model=f"{card.name} {card.version}",
        demo=card.demo,
        engine=NaiveEngine.name,
    )


def main() -> int:
    try:
        settings = load_settings()
        set_up_logs(settings.log)
        asyncio.run(run_gateway(settings, NaiveEngine))
    except LingtingError as error:
        print(f"naive: {error}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
