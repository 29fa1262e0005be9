"""Settings of the models and of what runs them. Every field is described in docs/settings.md."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import (
    Field,
)

from appliance.settings.section import PROJECT, MaybePath, Section
from inference.tensors import ASR_MODEL, DIARIZATION_MODEL, EMOTION_MODEL


class ModelsSettings(Section):
    asr: Path = Field(
        PROJECT / "bundles" / "whisper-base",
        description="folder of the speech bundle (a manifest)",
    )
    asr_standby: MaybePath = Field(
        None,
        description="folder of another speech bundle, for the CPU path alone; empty: the same one",
    )
    diarization: MaybePath = Field(
        PROJECT / "bundles" / "pyannote-campplus",
        description="folder of the diarization bundle; empty: speakers of one leg are not told "
        "apart",
    )

    emotion: MaybePath = Field(
        PROJECT / "bundles" / "emotion-words",
        description="folder of the emotion bundle; empty: no moods are told",
    )

    library: Path = Field(
        PROJECT / ".run" / "models",
        description="folder of imported bundles, and of which serve (`lingting models`)",
    )
    trusted: Path = Field(
        PROJECT / ".run" / "trusted",
        description="folder of public keys whose bundles are taken; who writes there decides",
    )

    def bundles(self, *, standby: bool = False) -> dict[str, Path]:
        """Folder of each model's bundle, by the model's name in model_repo/.

        `standby`: as the CPU path serves them.
        """
        named = {
            ASR_MODEL: (self.asr_standby if standby else None) or self.asr,
            DIARIZATION_MODEL: self.diarization,
            EMOTION_MODEL: self.emotion,
        }
        return {name: folder.resolve() for name, folder in named.items() if folder}


class TritonSettings(Section):
    mode: Literal["child", "remote", "off"] = Field(
        "child",
        description="child: the gateway starts Triton itself; remote: it runs at `address`; "
        "off: CPU only",
    )
    address: str = Field(
        "127.0.0.1:8001", description="gRPC address; for a child its port, where 0 picks a free one"
    )
    addresses: tuple[str, ...] = Field(
        (),
        description="gRPC addresses of several that run elsewhere: each window goes to the one "
        "with the least to do; none: the one at `address`",
    )
    http_port: int = Field(0, ge=0, le=65535, description="HTTP port of a child; 0 picks one")
    metrics_port: int = Field(0, ge=0, le=65535, description="metrics port of a child; 0 picks one")
    binary: MaybePath = Field(
        None, description="tritonserver to run; else LINGTING_TRITON_BIN, else the wheel's"
    )
    repository: Path = Field(PROJECT / "model_repo", description="the Triton model repository")
    kind: Literal["auto", "gpu", "cpu"] = Field(
        "auto", description="where instances run; auto: on GPUs if there are any"
    )
    compute_type: str = Field(
        "auto",
        description="CTranslate2 compute type there: auto measures which is fastest; float16, "
        "int8_float16, int8 ...",
    )
    pyannote: MaybePath = Field(
        None,
        description="virtual environment with requirements/diarization.txt; then diarization in "
        "Triton runs pyannote.audio itself, else its port to ONNX",
    )
    instances: int = Field(
        0,
        ge=0,
        le=64,
        description="instances of the speech model (per GPU, if on GPUs); 0: one on a GPU, on a "
        "CPU one for each core while copies of the weights are small beside the memory",
    )
    threads: int = Field(
        0, ge=0, description="CPU threads of one instance; 0: lanes and threads as measured"
    )
    max_batch: int = Field(16, ge=1, le=256, description="windows decoded together at most")
    queue_final: int = Field(256, ge=1, description="final windows that may wait")
    queue_partial: int = Field(128, ge=1, description="partial windows that may wait")
    queue_recording: int = Field(64, ge=1, description="recording windows that may wait")
    start_timeout_s: float = Field(
        180, gt=0, description="how long a child that lives may take to load, s"
    )


class CpuSettings(Section):
    workers: int = Field(
        2,
        ge=0,
        le=64,
        description="worker processes at most, fewer where copies of the weights are large beside "
        "the memory; 0 turns the CPU path off",
    )
    threads: int = Field(
        0, ge=0, description="threads of one worker; 0: lanes and threads as measured"
    )
    max_batch: int = Field(8, ge=1, le=256, description="windows decoded together at most")
    queue: int = Field(128, ge=1, description="windows of each priority that may wait")
    socket: MaybePath = Field(
        None, description="Unix socket of `lingting cpu`; empty: the gateway starts its workers"
    )
    start_timeout_s: float = Field(60, gt=0, description="how long a worker may take to load, s")
    compute_type: str = Field(
        "auto",
        description="CTranslate2 compute type on the CPU: auto measures which is fastest; int8 ...",
    )


class FailoverSettings(Section):
    start_timeout_s: float = Field(
        90, gt=0, description="how long until some engine must answer its canary after a start, s"
    )
    canary_interval_s: float = Field(
        5,
        gt=0,
        description="time between probes, s; an engine that stands by may be probed less often",
    )
    canary_timeout_s: float = Field(
        5, gt=0, description="deadline of a probe; five times the engine's best if longer, s"
    )
    failures_to_open: int = Field(3, ge=1, description="failed probes in a row that open a breaker")
    successes_to_close: int = Field(10, ge=1, description="good probes in a row that close it")
    dwell_s: float = Field(
        60, ge=0, description="shortest time on the standby; doubles per flap, s"
    )
    max_dwell_s: float = Field(3600, ge=0, description="where the doubling stops, s")
