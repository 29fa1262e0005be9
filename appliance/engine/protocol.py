"""The one seam between a call and the models, and how the models are looked after."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from appliance.engine.canary import Canary
from appliance.engine.cost import CostModel
from appliance.engine.lineup import Variants
from appliance.health import Health
from inference.tensors import ASR_MODEL, AnswerT, ModelCard, Priority, Question


class SpeechEngine(Protocol):
    """Answers questions about audio. Stateless between them, safe to call concurrently.

    Contract (tests/contract/ runs it over every implementation):
    - `ask` answers each question as if it were alone: what else is in the batch changes nothing.
    - A question no model can answer raises `errors.InvalidRequest`, at once and for it alone.
    - A full queue raises `errors.Overloaded`; an engine that is gone, later than the time given, or
      without that model raises `errors.EngineUnavailable`. Nothing else is raised.
    - Cancelling `ask` frees its place in the queue.
    - Silence is answered with empty text and no voices.
    """

    name: str  # "triton", "cpu", ...: a metric label

    @property
    def cost(self) -> CostModel:
        """What questions have cost it; whoever hears its answers keeps it up to date."""

    async def ask(
        self, question: Question[AnswerT], priority: Priority, timeout_s: float | None
    ) -> AnswerT:
        """Return the answer of the model that `question` names.

        `timeout_s`: after which the answer is of no more use; None: whenever it comes.
        """

    def card(self, model: str = ASR_MODEL) -> ModelCard:
        """A model that answers; raises EngineUnavailable if there is none of that name."""

    def health(self) -> Health:
        """What is known now, without asking anyone."""


class ManagedEngine(SpeechEngine, Protocol):
    """A SpeechEngine as whoever looks after it has it: calls have no business with this."""

    async def start(self) -> None:
        """Come up far enough to answer; raises EngineUnavailable or BundleError."""

    async def serve(self, variants: Variants) -> None:
        """Load these speech bundles beside the one from the start, and let go of any other.

        While it works the engine goes on answering. Raises BundleError or EngineUnavailable; what
        it served before it then serves still.
        """

    async def rebase(self, bundle: Path) -> None:
        """Serve this speech bundle in the place of the one from the start; as `serve` otherwise."""

    def lead(self, variant: str, canary: Canary) -> None:
        """From now on canaries ask this variant, if it asks any, and its card is told."""

    async def close(self) -> None:
        """Let go of every process, connection and task. Safe to call twice."""
