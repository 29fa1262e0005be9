"""Triton's Python backend around a model: requests -> one batch -> responses.

The only door to the stub. The backend hands over a *list* of requests and leaves the batching to
us. Tensors cross by DLPack: with numpy 2 the stub's own numpy bridge silently mangles them.
"""

from __future__ import annotations

import ctypes
import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import triton_python_backend_utils as pb_utils
from numpy.typing import NDArray

from inference.tensors import (
    AUDIO,
    OPTIONS,
    RESULT,
    Hypothesis,
    InvalidWindow,
    ModelCard,
    Window,
    pack_card,
    pack_hypothesis,
    unpack_window,
)

USED_CAPSULE = ctypes.c_char_p(b"used_dltensor")  # must outlive every capsule


class Listener(Protocol):
    """A model as the backend needs it."""

    @property
    def card(self) -> ModelCard: ...

    def listen(self, windows: Sequence[Window]) -> list[Hypothesis | InvalidWindow]: ...


class BatchModel(ABC):
    """Base of every model.py in model_repo/; a subclass says how to `load`."""

    model: Listener

    @abstractmethod
    def load(self, parameters: dict[str, str], device: str, device_index: int) -> Listener:
        """The model that `parameters` (of config.pbtxt) name, on a device."""

    def initialize(self, args: dict[str, str]) -> None:
        config = json.loads(args["model_config"])
        parameters = {k: v["string_value"] for k, v in config.get("parameters", {}).items()}
        device = "cuda" if args["model_instance_kind"] == "GPU" else "cpu"
        self.model = self.load(parameters, device, int(args["model_instance_device_id"] or 0))

    def execute(self, requests: list[Any]) -> list[Any]:
        """One response per request, in order; an error stays with its own request."""
        answers: list[Any] = [self._without_model(request) for request in requests]
        windows: list[Window] = []
        places: list[int] = []
        for place, request in enumerate(requests):
            if answers[place] is None:
                try:
                    windows.append(_window(request))
                    places.append(place)
                except InvalidWindow as error:
                    answers[place] = _refused(error)
        for place, answer in zip(places, self._listen(windows), strict=True):
            answers[place] = answer
        return answers

    def _without_model(self, request: Any) -> Any | None:
        """Cancelled requests, and empty audio, which asks for the model's card."""
        if request.is_cancelled():
            return _failed("cancelled by the caller", pb_utils.TritonError.CANCELLED)
        if _tensor(request, AUDIO).size == 0:
            return _response(pack_card(self.model.card))
        return None

    def _listen(self, windows: list[Window]) -> list[Any]:
        if not windows:
            return []
        try:
            heard = self.model.listen(windows)
        except Exception as error:  # the batch fails, the server lives; the gateway tries elsewhere
            pb_utils.Logger.log_error(f"inference failed: {error!r}")
            return [_failed(repr(error), pb_utils.TritonError.INTERNAL) for _ in windows]
        return [
            _refused(h) if isinstance(h, InvalidWindow) else _response(pack_hypothesis(h))
            for h in heard
        ]


def _window(request: Any) -> Window:
    audio = _tensor(request, AUDIO).astype(np.float32, copy=False)
    return unpack_window(audio, _tensor(request, OPTIONS))


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


def _refused(error: InvalidWindow) -> Any:
    return _failed(str(error), pb_utils.TritonError.INVALID_ARG)


def _failed(message: str, code: Any) -> Any:
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(message, code))
