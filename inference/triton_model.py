"""Triton's Python backend around a model: requests -> one batch -> responses.

The only door to the stub. The backend hands over a *list* of requests and leaves the batching to
us. Tensors cross by DLPack: with numpy 2 the stub's own numpy bridge silently mangles them.
"""

from __future__ import annotations

import ctypes
import json
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils
from numpy.typing import NDArray

from inference.answering import Answers, Model
from inference.tensors import (
    AUDIO,
    OPTIONS,
    REFUSAL,
    RESULT,
    Answer,
    Audio,
    Bytes,
    InvalidQuestion,
    Question,
    to_bytes_tensor,
    to_rows,
    unpack_question,
)

SHARED_MEMORY = "/dev/shm/lingting-"  # as the gateway names its Triton's regions
USED_CAPSULE = ctypes.c_char_p(b"used_dltensor")  # must outlive every capsule


class BatchModel(ABC):
    """Base of every model.py in model_repo/; a subclass says how to `load`."""

    model: Model

    @abstractmethod
    def load(self, parameters: dict[str, str], device: str, device_index: int) -> Model:
        """The model that `parameters` (of config.pbtxt) name, on a device."""

    def initialize(self, args: dict[str, str]) -> None:
        _keep_private()
        config = json.loads(args["model_config"])
        parameters = {k: v["string_value"] for k, v in config.get("parameters", {}).items()}
        device = "cuda" if args["model_instance_kind"] == "GPU" else "cpu"
        self.model = self.load(parameters, device, int(args["model_instance_device_id"] or 0))

    def execute(self, requests: list[Any]) -> list[Any]:
        """One response per request, in order, with a row for each of its questions."""
        try:
            asked = [[] if r.is_cancelled() else _questions(r) for r in requests]
            answers = iter(self._answer([question for rows in asked for question in rows]))
        except Exception as error:  # the batch fails, the server lives; the gateway tries elsewhere
            pb_utils.Logger.log_error(f"inference failed: {error!r}")
            return [_failed(repr(error), pb_utils.TritonError.INTERNAL) for _ in requests]
        finally:
            for request in requests:
                _wipe(request)
        return [
            _response([next(answers) for _ in rows])
            if rows
            else _failed("cancelled", pb_utils.TritonError.CANCELLED)
            for rows in asked
        ]

    def _answer(self, rows: list[Question[Any] | InvalidQuestion]) -> Answers:
        """In order; what is no question costs the others nothing."""
        given = iter(self.model.answer([q for q in rows if isinstance(q, Question)]))
        return [row if isinstance(row, InvalidQuestion) else next(given) for row in rows]


def _keep_private() -> None:
    """The backend makes its shared memory for everybody to read, whatever the umask."""
    for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines():
        place = line.split(maxsplit=5)[-1]
        if place.startswith(SHARED_MEMORY) and not place.endswith(" (deleted)"):
            Path(place).chmod(0o600)


def _questions(request: Any) -> list[Question[Any] | InvalidQuestion]:
    audio = _tensor(request, AUDIO).astype(np.float32, copy=False)
    return [_question(*row) for row in zip(audio, _tensor(request, OPTIONS), strict=True)]


def _question(audio: Audio, options: Bytes) -> Question[Any] | InvalidQuestion:
    try:
        return unpack_question(audio, options)
    except InvalidQuestion as error:
        return error


def _tensor(request: Any, name: str) -> NDArray[Any]:
    """One input, [questions, n]."""
    tensor = pb_utils.get_input_tensor_by_name(request, name)
    array: NDArray[Any] = np.from_dlpack(tensor)
    return array


def _wipe(request: Any) -> None:
    """What was asked stays in shared memory until something else takes its place."""
    for name in (AUDIO, OPTIONS):
        array = _tensor(request, name)
        ctypes.memset(array.ctypes.data, 0, array.nbytes)


def _response(answers: Answers) -> Any:
    capsule = to_rows([_told(answer) for answer in answers]).__dlpack__()
    tensor = pb_utils.Tensor.from_dlpack(RESULT, capsule)
    # The stub takes the memory but names the capsule "used_dlpack", which numpy does not know and
    # reports as an error on every response; the standard's name says the same.
    ctypes.pythonapi.PyCapsule_SetName(ctypes.py_object(capsule), USED_CAPSULE)
    return pb_utils.InferenceResponse([tensor])


def _told(answer: Answer | InvalidQuestion) -> Bytes:
    if isinstance(answer, InvalidQuestion):
        return to_bytes_tensor({REFUSAL: str(answer)})
    return to_bytes_tensor(answer.pack())


def _failed(message: str, code: Any) -> Any:
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(message, code))
