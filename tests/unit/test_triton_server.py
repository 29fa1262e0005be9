from pathlib import Path

import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from appliance.engine.triton_server import complete_config, find_binary, render_repository
from appliance.errors import EngineUnavailable
from appliance.settings import Settings
from appliance.settings.engines import ModelsSettings, TritonSettings
from appliance.settings.section import PROJECT
from inference.tensors import Priority

TEXT = (PROJECT / "model_repo" / "asr" / "config.pbtxt").read_text()


def completed(**triton: object) -> model_config_pb2.ModelConfig:
    settings = Settings(triton=TritonSettings(**triton))
    served = complete_config(TEXT, settings, "asr", Path("/bundles/asr"))
    return text_format.Parse(served, model_config_pb2.ModelConfig())


@pytest.mark.parametrize("kind", ["auto", "gpu", "cpu"])
def test_the_device_is_chosen_by_settings(kind: str) -> None:
    config = completed(kind=kind, instances=2)
    (group,) = config.instance_group
    assert group.count == 2
    assert model_config_pb2.ModelInstanceGroup.Kind.Name(group.kind) == f"KIND_{kind.upper()}"


def test_every_priority_has_its_bounded_queue() -> None:
    config = completed(queue_final=7, queue_partial=5, queue_recording=3)
    policies = config.dynamic_batching.priority_queue_policy
    assert [policies[level].max_queue_size for level in Priority] == [7, 7, 5, 3]
    assert config.dynamic_batching.priority_levels == len(Priority)
    assert all(policies[level].allow_timeout_override for level in Priority)


def test_inputs_are_ragged_so_that_any_windows_share_a_batch() -> None:
    assert all(tensor.allow_ragged_batch for tensor in completed().input)
    assert completed().parameters["bundle"].string_value == "/bundles/asr"


def test_the_repository_is_copied_with_its_code_linked(tmp_path: Path) -> None:
    target = render_repository(Settings(), tmp_path / "models")
    assert {path.name for path in target.iterdir()} == {"asr", "diarization", "emotion"}
    assert (target / "asr" / "1" / "model.py").read_text().count("\n") <= 20
    assert "instance_group" in (target / "asr" / "config.pbtxt").read_text()


def test_a_model_without_a_bundle_is_not_served(tmp_path: Path) -> None:
    settings = Settings(models=ModelsSettings(diarization="", emotion=""))
    target = render_repository(settings, tmp_path / "models")
    assert [path.name for path in target.iterdir()] == ["asr"]


def test_pyannote_has_an_environment_of_its_own(tmp_path: Path) -> None:
    settings = Settings(triton=TritonSettings(pyannote=tmp_path / "venv"))
    target = render_repository(settings, tmp_path / "models")
    assert str(tmp_path / "venv") in (target / "diarization" / "config.pbtxt").read_text()
    assert "EXECUTION_ENV_PATH" not in (target / "asr" / "config.pbtxt").read_text()


def test_a_missing_binary_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINGTING_TRITON_BIN", "/nowhere/tritonserver")
    with pytest.raises(EngineUnavailable, match="/nowhere/tritonserver"):
        find_binary(Settings())


def test_the_wheels_binary_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LINGTING_TRITON_BIN", raising=False)
    assert find_binary(Settings()).name == "tritonserver"
