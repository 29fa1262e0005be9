"""What every model is to those that serve it: questions in, answers out, in order."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from inference.tensors import Answer, CardQuestion, InvalidQuestion, ModelCard, Question

Answers = list[Answer | InvalidQuestion]
Handler = Callable[[list[Any]], Sequence[Answer | InvalidQuestion]]


class Model(ABC):
    """A loaded bundle. Immutable: holds nothing between two calls of `answer`."""

    @property
    @abstractmethod
    def card(self) -> ModelCard: ...

    @abstractmethod
    def handlers(self) -> Mapping[type[Question[Any]], Handler]:
        """Who answers each kind of question; all of one kind together."""

    def answer(self, questions: Sequence[Question[Any]]) -> Answers:
        """Answer each question; one that cannot be answered costs the others nothing."""
        handlers: dict[type[Question[Any]], Handler] = dict(self.handlers())
        handlers[CardQuestion] = self._cards
        answers = dict[int, Answer | InvalidQuestion]()
        for kind in {type(question) for question in questions}:
            places = [i for i, question in enumerate(questions) if type(question) is kind]
            handler: Handler = handlers.get(kind, _unknown)
            given = _timed(handler, [questions[i] for i in places])
            answers.update(zip(places, given, strict=True))
        return [answers[i] for i in range(len(questions))]

    def _cards(self, asked: list[Question[Any]]) -> Sequence[ModelCard]:
        return [self.card] * len(asked)


def _timed(handler: Handler, questions: list[Question[Any]]) -> Answers:
    begun = time.monotonic()
    answers = handler(questions)
    seconds = time.monotonic() - begun
    return [_with_cost(a, seconds, len(questions)) for a in answers]


def _with_cost(
    answer: Answer | InvalidQuestion, seconds: float, together: int
) -> Answer | InvalidQuestion:
    if not isinstance(answer, Answer):
        return answer
    return replace(answer, seconds=seconds, work_s=answer.work_s or seconds / together)


def _unknown(questions: list[Question[Any]]) -> Answers:
    return [InvalidQuestion(f"this model answers no {q.KIND!r}") for q in questions]
