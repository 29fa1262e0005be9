"""Triton's Python backend around a model: requests -> one batch -> responses.

The only door to the stub. The backend hands over a *list* of requests and leaves the batching to
us. Tensors cross by DLPack: with numpy 2 the stub's own numpy bridge silently mangles them.
"""

from __future__ import annotations

import ctypes
import json
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils
from numpy.typing import NDArray

from inference.answering import Model
from inference.tensors import (
    AUDIO,
    OPTIONS,
    RESULT,
    InvalidQuestion,
    Question,
    to_bytes_tensor,
    unpack_question,
)

USED_CAPSULE = ctypes.c_char_p(b"used_dltensor")  # must outlive every capsule


class BatchModel(ABC):
    """Base of every model.py in model_repo/; a subclass says how to `load`."""

    model: Model

    @abstractmethod
    def load(self, parameters: dict[str, str], device: str, device_index: int) -> Model:
        """The model that `parameters` (of config.pbtxt) name, on a device."""

    def initialize(self, args: dict[str, str]) -> None:
        config = json.loads(args["model_config"])
        parameters = {k: v["string_value"] for k, v in config.get("parameters", {}).items()}
        device = "cuda" if args["model_instance_kind"] == "GPU" else "cpu"
        self.model = self.load(parameters, device, int(args["model_instance_device_id"] or 0))

    def execute(self, requests: list[Any]) -> list[Any]:
        """One response per request, in order; an error stays with its own request."""
        responses: list[Any] = [None] * len(requests)
        questions: list[Question[Any]] = []
        places: list[int] = []
        for place, request in enumerate(requests):
            if request.is_cancelled():
                responses[place] = _failed("cancelled", pb_utils.TritonError.CANCELLED)
                continue
            try:
                questions.append(_question(request))
                places.append(place)
            except InvalidQuestion as error:
                responses[place] = _refused(error)
        for place, response in zip(places, self._answer(questions), strict=True):
            responses[place] = response
        return responses

    def _answer(self, questions: list[Question[Any]]) -> list[Any]:
        try:
            answers = self.model.answer(questions)
        except Exception as error:  # the batch fails, the server lives; the gateway tries elsewhere
            pb_utils.Logger.log_error(f"inference failed: {error!r}")
            return [_failed(repr(error), pb_utils.TritonError.INTERNAL) for _ in questions]
        return [
            _refused(a) if isinstance(a, InvalidQuestion) else _response(to_bytes_tensor(a.pack()))
            for a in answers
        ]


def _question(request: Any) -> Question[Any]:
    audio = _tensor(request, AUDIO).astype(np.float32, copy=False)
    return unpack_question(audio, _tensor(request, OPTIONS))


def _tensor(request: Any, name: str) -> NDArray[Any]:
    """One input, without its batch axis of 1."""
    tensor = pb_utils.get_input_tensor_by_name(request, name)
    array: NDArray[Any] = np.from_dlpack(tensor)
    return array.reshape(-1)


def _response(result: NDArray[np.uint8]) -> Any:
    capsule = np.array(result)[None, :].__dlpack__()
    tensor = pb_utils.Tensor.from_dlpack(RESULT, capsule)
    # The stub takes the memory but names the capsule "used_dlpack", which numpy does not know and
    # reports as an error on every response; the standard's name says the same.
    ctypes.pythonapi.PyCapsule_SetName(ctypes.py_object(capsule), USED_CAPSULE)
    return pb_utils.InferenceResponse([tensor])


def _refused(error: InvalidQuestion) -> Any:
    return _failed(str(error), pb_utils.TritonError.INVALID_ARG)


def _failed(message: str, code: Any) -> Any:
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(message, code))
