"""An ONNX graph that grows node by node; values are the names of its edges."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET, IR = 17, 8  # what onnxruntime has read for years
FLOAT = TensorProto.FLOAT
Shape = tuple[int | str, ...]


class Graph:
    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._tensors: dict[str, Any] = {}

    def node(self, kind: str, inputs: list[str], *, output: str = "", **attributes: Any) -> str:
        """Add one; returns its first output's name. `output` names more than one by commas."""
        names = output.split(",") if output else [f"{kind}_{len(self._nodes)}"]
        self._nodes.append(helper.make_node(kind, inputs, names, names[0], **attributes))
        return names[0]

    def tensor(self, name: str, value: NDArray[Any]) -> str:
        """A constant, kept once however often it is named."""
        if name not in self._tensors:
            self._tensors[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def whole(self, *numbers: int) -> str:
        """A constant of whole numbers."""
        return self.tensor(f"whole_{numbers}", np.array(numbers, np.int64))

    def write(self, path: Path, given: Mapping[str, Shape], result: str, shape: Shape) -> None:
        """Check the graph and save it; its one output is called `told`."""
        self.node("Identity", [result], output="told")
        inputs = [helper.make_tensor_value_info(name, FLOAT, each) for name, each in given.items()]
        outputs = [helper.make_tensor_value_info("told", FLOAT, shape)]
        tensors = list(self._tensors.values())
        graph = helper.make_graph(self._nodes, path.stem, inputs, outputs, tensors)
        opsets = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR)
        onnx.checker.check_model(model, full_check=True)
        path.write_bytes(model.SerializeToString())
