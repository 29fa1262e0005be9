"""What an answer adds to the metrics and to the trace."""

from __future__ import annotations

import contextlib

from appliance import traces
from appliance.engine.protocol import SpeechEngine
from appliance.engine.watched import Watched
from appliance.errors import EngineUnavailable
from appliance.metrics import Metrics
from inference.tensors import Answer, AnswerT, Hypothesis, ModelCard, Priority, Question


def count(
    metrics: Metrics,
    engine: SpeechEngine,
    question: Question[AnswerT],
    priority: Priority,
    answer: Answer,
    took_s: float,
) -> None:
    """`took_s`: from the question to the answer, waiting included."""
    example, worked_s = traces.exemplar(), min(answer.seconds, took_s)
    name, model = engine.name, question.MODEL
    labels = (name, model, priority.name.lower())
    metrics.engine_windows_total.labels(*labels).inc()
    metrics.engine_latency_seconds.labels(*labels).observe(took_s, example)
    metrics.engine_queue_seconds.labels(*labels).observe(took_s - worked_s, example)
    audio = metrics.engine_audio_seconds_total.labels(name, model, _device(engine, model))
    audio.inc(question.duration_s)
    metrics.engine_batch_windows.labels(name, model).observe(answer.batch)
    if isinstance(answer, Hypothesis):
        metrics.engine_retries_total.labels(name).inc(answer.retries)
    traces.past("queue", took_s, worked_s)
    traces.past("model", worked_s, 0, batch=answer.batch)


def tell_model(metrics: Metrics, watched: Watched, model: str, card: ModelCard) -> None:
    """What an engine hears with now."""
    info, before = metrics.model_info, watched.told.get(model)
    labels = (watched.name, card.name, card.version, card.device, str(card.demo).lower())
    if before and before != labels:  # it has another one now
        info.remove(*before)
    info.labels(*labels).set(1)
    watched.told[model] = labels


def _device(engine: SpeechEngine, model: str) -> str:
    """Where the model runs, for metrics; empty if its engine has just gone."""
    with contextlib.suppress(EngineUnavailable):
        return engine.card(model).device
    return ""
