"""A CPU worker process: frames of windows on stdin, frames of answers on stdout.

`python -m inference.worker --bundle DIR --threads N`. The first frame it writes is the model's
card. It ends when stdin does. Each answer is a status byte and a payload: `ANSWERED` with a packed
hypothesis, `REFUSED` or `FAILED` with a message.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from typing import BinaryIO

from inference.asr.load import load_asr
from inference.asr.whisper import ModelUnusable, WhisperModel
from inference.bundles import BundleInvalid
from inference.tensors import (
    ANSWERED,
    BAD_BUNDLE,
    FAILED,
    FRAME_HEAD,
    REFUSED,
    Hypothesis,
    InvalidWindow,
    Window,
    pack_card,
    pack_frame,
    pack_hypothesis,
    parts_window,
    split_frame,
)


def read_frame(stream: BinaryIO) -> list[bytes] | None:
    """The next frame's parts; None at the end of the stream."""
    head = stream.read(FRAME_HEAD.size)
    if len(head) < FRAME_HEAD.size:
        return None
    lengths = json.loads(stream.read(FRAME_HEAD.unpack(head)[0]))
    return split_frame(lengths, stream.read(sum(lengths)))


def answer(model: WhisperModel, parts: Sequence[bytes]) -> list[bytes]:
    """Parts of windows (audio, options, audio, ...) -> one answer each, in order."""
    answers: list[bytes | None] = []
    windows: list[Window] = []
    for audio, options in zip(parts[::2], parts[1::2], strict=True):
        try:
            windows.append(parts_window(audio, options))
            answers.append(None)
        except InvalidWindow as error:
            answers.append(REFUSED + str(error).encode())
    heard = iter(_listen(model, windows))
    return [given if given is not None else next(heard) for given in answers]


def _listen(model: WhisperModel, windows: list[Window]) -> list[bytes]:
    try:
        heard = model.listen(windows)
    except Exception as error:  # this batch fails, the worker lives on
        print(f"inference failed: {error!r}", file=sys.stderr, flush=True)
        return [FAILED + repr(error).encode()] * len(windows)
    return [_encode(h) for h in heard]


def _encode(heard: Hypothesis | InvalidWindow) -> bytes:
    if isinstance(heard, InvalidWindow):
        return REFUSED + str(heard).encode()
    return ANSWERED + pack_hypothesis(heard).tobytes()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m inference.worker", description=__doc__)
    parser.add_argument("--bundle", required=True)
    parser.add_argument("--threads", default="0")
    parser.add_argument("--cores", default="1")
    parser.add_argument("--compute-type", default="default")
    given = parser.parse_args()
    # Libraries that print must not write into the frames.
    output = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    parameters = {
        "bundle": given.bundle,
        "threads": given.threads,
        "cores": given.cores,
        "compute_type": given.compute_type,
    }
    try:
        model = load_asr(parameters)
    except (BundleInvalid, ModelUnusable) as error:  # no waiting mends either
        print(error, file=sys.stderr)
        return BAD_BUNDLE
    _write(output, pack_frame([pack_card(model.card).tobytes()]))
    while (parts := read_frame(sys.stdin.buffer)) is not None:
        _write(output, pack_frame(answer(model, parts)))
    return 0


def _write(output: BinaryIO, frame: bytes) -> None:
    view = memoryview(frame)
    while view:
        view = view[output.write(view) :]


if __name__ == "__main__":
    sys.exit(main())
