"""A CPU worker process: frames of questions on stdin, frames of answers on stdout.

`python -m inference.worker --bundle asr=DIR --bundle diarization=DIR`. The first frame it writes
are the models' names and cards, in that order. It ends when stdin does. Each answer is a status
byte and a payload: `ANSWERED` with a packed answer, `REFUSED` or `FAILED` with a message.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np

from inference.answering import Model
from inference.asr.whisper import ModelUnusable
from inference.bundles import BundleInvalid
from inference.load import load
from inference.tensors import (
    ANSWERED,
    BAD_BUNDLE,
    FAILED,
    FRAME_HEAD,
    REFUSED,
    Answer,
    InvalidQuestion,
    Question,
    pack_frame,
    split_frame,
    to_bytes_tensor,
    unpack_question,
)


def read_frame(stream: BinaryIO) -> list[bytes] | None:
    """The next frame's parts; None at the end of the stream."""
    head = stream.read(FRAME_HEAD.size)
    if len(head) < FRAME_HEAD.size:
        return None
    lengths = json.loads(stream.read(FRAME_HEAD.unpack(head)[0]))
    return split_frame(lengths, stream.read(sum(lengths)))


def answer(models: Mapping[str, Model], parts: Sequence[bytes]) -> list[bytes]:
    """Parts of questions (audio, options, audio, ...) -> one answer each, in order."""
    answers = dict[int, bytes]()
    asked = dict[str, list[tuple[int, Question[Any]]]]()
    for place, (audio, options) in enumerate(zip(parts[::2], parts[1::2], strict=True)):
        try:
            samples, fields = np.frombuffer(audio, np.float32), np.frombuffer(options, np.uint8)
            question = unpack_question(samples, fields)
        except InvalidQuestion as error:
            answers[place] = _encode(error)
        else:
            asked.setdefault(question.served_by, []).append((place, question))
    for name, questions in asked.items():
        given = _ask(models.get(name), [question for _, question in questions])
        answers.update(zip((place for place, _ in questions), given, strict=True))
    return [answers[place] for place in sorted(answers)]


def _ask(model: Model | None, questions: list[Question[Any]]) -> list[bytes]:
    if model is None:  # a variant that was just taken away
        return [FAILED + b"no such model is served"] * len(questions)
    try:
        return [_encode(answer) for answer in model.answer(questions)]
    except Exception as error:  # this batch fails, the worker lives on
        print(f"inference failed: {error!r}", file=sys.stderr, flush=True)
        return [FAILED + repr(error).encode()] * len(questions)


def _encode(answer: Answer | InvalidQuestion) -> bytes:
    if isinstance(answer, InvalidQuestion):
        return REFUSED + str(answer).encode()
    return ANSWERED + to_bytes_tensor(answer.pack()).tobytes()


def main() -> int:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is for whoever started it
    parser = argparse.ArgumentParser(prog="python -m inference.worker", description=__doc__)
    parser.add_argument("--bundle", action="append", required=True, metavar="MODEL=DIR")
    parser.add_argument("--threads", default="0")
    parser.add_argument("--cores", default="1")
    parser.add_argument("--compute-type", default="auto")
    parser.add_argument("--tuning", default="", help="file of what was measured before")
    given = parser.parse_args()
    # Libraries that print must not write into the frames.
    output = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    parameters = {
        "threads": given.threads,
        "cores": given.cores,
        "compute_type": given.compute_type,
        "tuning": given.tuning,
    }
    models = dict[str, Model]()
    try:
        for named in given.bundle:
            name, _, folder = named.partition("=")
            models[name] = load(name, {**parameters, "bundle": folder})
    except (BundleInvalid, ModelUnusable) as error:  # no waiting mends either
        print(error, file=sys.stderr)
        return BAD_BUNDLE
    cards = [to_bytes_tensor(model.card.pack()).tobytes() for model in models.values()]
    _write(output, pack_frame([json.dumps([*models]).encode(), *cards]))
    while (parts := read_frame(sys.stdin.buffer)) is not None:
        _write(output, pack_frame(answer(models, parts)))
    return 0


def _write(output: BinaryIO, frame: bytes) -> None:
    view = memoryview(frame)
    while view:
        view = view[output.write(view) :]


if __name__ == "__main__":
    sys.exit(main())
