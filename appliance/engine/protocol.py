"""The one seam between a call and the models."""

from __future__ import annotations

from typing import Protocol

from appliance.messages import Health
from inference.tensors import Hypothesis, ModelCard, Priority, Window


class SpeechEngine(Protocol):
    """Listens to windows. Stateless between windows, safe to call concurrently.

    Contract (tests/contract/ runs it over every implementation):
    - `listen` answers each window as if it were alone: what else is in the batch changes nothing.
    - An unusable window raises `errors.InvalidRequest`, at once and for it alone.
    - A full queue raises `errors.Overloaded`; an engine that is gone or too slow raises
      `errors.EngineUnavailable`. Nothing else is raised.
    - Cancelling `listen` frees its place in the queue.
    - Silence is answered with empty text.
    """

    name: str  # "triton", "cpu", ...: a metric label

    async def start(self) -> None:
        """Come up far enough to answer; raises EngineUnavailable or BundleError."""

    async def listen(self, window: Window, priority: Priority, timeout_s: float) -> Hypothesis:
        """Return what is said in `window`."""

    def card(self) -> ModelCard:
        """The model that answers."""

    def health(self) -> Health:
        """What is known now, without asking anyone."""

    async def close(self) -> None:
        """Let go of every process, connection and task. Safe to call twice."""
