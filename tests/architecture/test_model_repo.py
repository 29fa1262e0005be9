"""model_repo/ holds wiring only; import-linter cannot see it, for it is no package."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from appliance.engine.triton_server import complete_config
from appliance.settings import load_settings
from tests.architecture.repository import ROOT

REPOSITORY = ROOT / "model_repo"
MODELS = sorted(path for path in REPOSITORY.iterdir() if path.is_dir())
MOST_LINES = 20


def _model_py(model: Path) -> Path:
    return model / "1" / "model.py"


@pytest.mark.parametrize("model", MODELS, ids=lambda m: m.name)
class TestModel:
    def test_is_short(self, model: Path) -> None:
        assert len(_model_py(model).read_text().splitlines()) <= MOST_LINES

    def test_imports_only_the_models(self, model: Path) -> None:
        for node in ast.walk(ast.parse(_model_py(model).read_text())):
            if isinstance(node, ast.Import):
                rooms = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert not node.level, "imports must be absolute"
                rooms = [node.module or ""]
            else:
                continue
            assert all(room.split(".")[0] == "inference" for room in rooms), rooms

    def test_holds_no_logic(self, model: Path) -> None:
        """A docstring, imports, and one class of plain assignments."""
        body = ast.parse(_model_py(model).read_text()).body
        classes = [node for node in body if isinstance(node, ast.ClassDef)]
        assert [c.name for c in classes] == ["TritonPythonModel"]
        for node in body:
            assert isinstance(node, ast.ClassDef | ast.Import | ast.ImportFrom) or _is_text(node)
        for node in classes[0].body:
            assert isinstance(node, ast.Assign | ast.AnnAssign | ast.Pass) or _is_text(node)
        assert not any(isinstance(node, ast.Lambda) for node in ast.walk(classes[0]))

    def test_configuration_parses(self, model: Path) -> None:
        text = (model / "config.pbtxt").read_text(encoding="utf-8")
        config = text_format.Parse(text, model_config_pb2.ModelConfig())
        assert config.name == model.name
        assert config.backend == "python"

    def test_configuration_can_be_completed(self, model: Path) -> None:
        text = (model / "config.pbtxt").read_text(encoding="utf-8")
        served = complete_config(text, load_settings(), f"{model.name}.town", Path("town"))
        config = text_format.Parse(served, model_config_pb2.ModelConfig())
        assert config.instance_group and config.name == f"{model.name}.town"
        assert config.parameters["bundle"].string_value == "town"


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
