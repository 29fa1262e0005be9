"""One class for each section of the settings. Every field is described in docs/settings.md."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    AnyHttpUrl,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    IPvAnyNetwork,
)

from inference.tensors import ASR_MODEL, DIARIZATION_MODEL, EMOTION_MODEL, MOST_SPEAKERS

PROJECT = Path(__file__).resolve().parent.parent

# An empty setting turns off what a path would turn on.
MaybePath = Annotated[Path | None, BeforeValidator(lambda v: None if v in ("", Path()) else v)]


def _on_loopback(address: str) -> str:
    host, _, port = address.rpartition(":")
    if address and not (host in ("127.0.0.1", "[::1]", "localhost") and port.isdecimal()):
        raise ValueError(f"{address!r} is not HOST:PORT on loopback, such as 127.0.0.1:4317")
    return address


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Door(Section):
    """What both servers have in common."""

    host: str = Field("127.0.0.1", description="address it listens on")
    tls_certificate: MaybePath = Field(None, description="PEM chain; set it to serve TLS")
    tls_key: MaybePath = Field(None, description="PEM key of the certificate")
    tls_client_ca: MaybePath = Field(
        None, description="PEM authorities of client certificates (mTLS), see docs/security.md"
    )


class Grpc(Door):
    port: int = Field(50051, ge=0, le=65535, description="its port; 0 picks a free one")
    mtls_port: int | None = Field(
        None,
        ge=0,
        le=65535,
        description="second port, for callers with client certificates; then `port` demands none",
    )
    max_message_mib: int = Field(64, ge=1, le=1024, description="largest single message, MiB")
    idle_timeout_s: float = Field(60, gt=0, description="a stream that sends nothing is ended, s")
    reflection: bool = Field(True, description="answer gRPC server reflection")


class Http(Door):
    port: int = Field(9000, ge=0, le=65535, description="its port; 0 picks a free one")
    max_upload_mib: int = Field(1024, ge=1, description="largest upload, MiB")
    share: MaybePath = Field(
        None, description="folder whose recordings /api/v1/recordings takes by path"
    )


class Local(Section):
    """Doors for this machine's own programs, which the file system guards."""

    folder: MaybePath = Field(
        None, description="folder for the Unix sockets grpc.sock and http.sock; empty: none"
    )


class Access(Section):
    keys: Literal["auto", "always"] = Field(
        "auto",
        description="auto: a door on loopback asks for no key; always: every door does",
    )
    requests_per_minute: int = Field(
        600, ge=1, description="of one credential, unless it has a number of its own"
    )
    admin_two_factors: bool = Field(
        False, description="an admin's key counts only together with its client certificate"
    )


class Audit(Section):
    folder: MaybePath = Field(None, description="where the audit log is; else in the store's")
    hash: Literal["sm3", "sha256"] = Field("sm3", description="what chains its records")
    key: MaybePath = Field(
        None, description="32 bytes of Ed25519 that sign its heads; else made in the folder"
    )


class Models(Section):
    asr: Path = Field(
        PROJECT / "bundles" / "whisper-base",
        description="folder of the speech bundle (a manifest)",
    )
    asr_standby: MaybePath = Field(
        None,
        description="folder of another speech bundle, for the CPU path alone; empty: the same one",
    )
    diarization: MaybePath = Field(
        PROJECT / "bundles" / "diarization-demo",
        description="folder of the diarization bundle; empty: speakers of one leg are not told "
        "apart",
    )

    emotion: MaybePath = Field(
        PROJECT / "bundles" / "emotion-demo",
        description="folder of the emotion bundle; empty: no moods are told",
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


class Triton(Section):
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


class Cpu(Section):
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


class Failover(Section):
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


class CallPolicy(Section):
    language: str = Field(
        "zh",
        description="language of calls that name none, ISO 639-1; auto: heard from the first "
        "seconds of each leg",
    )
    partial_interval_ms: int = Field(400, ge=50, description="time between partials, ms")
    partial_interval_max_ms: int = Field(
        3000, ge=50, description="what the interval widens to under load, ms"
    )
    partial_window_s: float = Field(
        8, ge=2, le=28, description="audio a partial looks back on at most, s"
    )
    partial_timeout_s: float = Field(3, gt=0, description="a partial later than this is dropped, s")
    finals_late_s: float = Field(
        1.2,
        gt=0,
        description="when live finals take an engine longer, partials are given up until they are "
        "quick again, s",
    )
    final_deadline_s: float = Field(
        60,
        gt=0,
        description="how long a final is tried again, while no engine answers, before its "
        "call is failed, s",
    )
    final_beam: int = Field(1, ge=1, le=16, description="beam of the final pass")
    stop_history_ms: int = Field(
        800, ge=64, description="silence that ends a young utterance, ms; shrinks as it grows"
    )
    stop_history_min_ms: int = Field(
        350, ge=64, description="silence that ends an utterance of 15 s or more, ms"
    )
    max_utterance_s: float = Field(
        20, ge=5, le=28, description="an utterance is cut at its quietest place before this, s"
    )
    speech_threshold: float = Field(
        0.5, gt=0, lt=1, description="speech probability from which a frame counts as speech"
    )


class Speakers(Section):
    always: bool = Field(
        False, description="tell speakers apart on every one-leg call, asked for or not"
    )
    most: int = Field(
        2, ge=1, le=MOST_SPEAKERS, description="speakers of one leg, where the caller names none"
    )
    provisional_s: float = Field(
        1.5, gt=0, description="a live utterance whose speaker takes longer is told at hang-up, s"
    )
    timeout_s: float = Field(10, gt=0, description="one engine's time for a window of voices, s")
    deadline_s: float = Field(
        60, gt=0, description="how long a window is tried again before a call loses its speakers, s"
    )


class City(Section):
    pack: Path = Field(
        PROJECT / "provisioning" / "city_packs" / "demo",
        description="folder of the city pack: what a city's people say and mean",
    )


class Emotions(Section):
    enabled: bool = Field(True, description="tell moods, where a bundle is set")
    agent: bool = Field(False, description="tell the agent's moods too")
    alert_level: Literal["low", "medium", "high"] = Field(
        "high", description="level of a citizen's negative mood that raises an alert"
    )
    timeout_s: float = Field(10, gt=0, description="one engine's time for a mood, s")


class Store(Section):
    folder: Path = Field(
        PROJECT / ".run" / "store",
        description="where calls, jobs, keys and audio are kept; only the box reads it",
    )
    url: str = Field(
        "", description="database of calls and jobs, e.g. postgresql+psycopg://...; else SQLite"
    )
    audio_folder: MaybePath = Field(
        None,
        description="where audio is kept, if not in the folder; of several gateways on one "
        "database the same for all",
    )
    keys_url: str = Field("", description="database of the calls' keys, apart from the other")
    master_key: MaybePath = Field(
        None, description="32 bytes that wrap the calls' keys; else made in the folder"
    )
    cipher: Literal["aes-256-gcm", "sm4-gcm"] = Field(
        "aes-256-gcm", description="seals what new calls leave behind"
    )
    keep_calls_days: float = Field(
        180, ge=0, description="how long transcripts are kept; 0: only until a call is over, days"
    )
    keep_audio_days: float = Field(
        0, ge=0, description="how long audio is kept after its call; 0: not at all, days"
    )
    reserve_mib: int = Field(
        512, ge=0, description="free disk below which recordings and audio are refused, MiB"
    )


class Endpoint(Section):
    """Who is told by webhook."""

    url: AnyHttpUrl
    secret_file: Path
    tenant: str = "*"  # whose calls are told: a hotline system's, or every one's
    events: tuple[str, ...] = ()


class Webhooks(Section):
    endpoints: tuple[Endpoint, ...] = Field(
        (),
        description="who is told: tables of url, secret_file, tenant (none: every one's calls) "
        "and events (none: all)",
    )
    allow: tuple[IPvAnyNetwork, ...] = Field(
        (), description="networks that may be spoken to, e.g. 192.0.2.0/24; none: nobody"
    )


class Limits(Section):
    live_legs: int = Field(
        0,
        ge=0,
        description="live legs served at once; 0: as the engine was measured to carry",
    )
    idle_streams: int = Field(1000, ge=1, description="open calls at most, talking or not")
    recordings: int = Field(8, ge=1, description="recordings worked on at once")
    recordings_waiting: int = Field(64, ge=0, description="recordings that may wait for their turn")
    recordings_queued: int = Field(
        10_000, ge=1, description="accepted recordings that may wait in the store"
    )
    weights: dict[str, float] = Field(
        default_factory=dict,
        description="shares of hotline systems, by tenant; 1 where none is named",
    )
    recording_hours: float = Field(5, gt=0, description="longest recording by decoded duration, h")
    drain_s: float = Field(
        20, ge=0, description="on SIGTERM, how long running calls may take to finish, s"
    )


class Watch(Section):
    firewall: Path = Field(
        Path("/run/lingting-firewall/counters.json"),
        description="where root writes down what the firewall has dropped",
    )
    quiet_call_minutes: float = Field(
        10,
        ge=0,
        description="without a live call for so long the box places one of its own; 0: never, min",
    )


class Traces(Section):
    collector: Annotated[str, AfterValidator(_on_loopback)] = Field(
        "",
        description="OTLP gRPC address of a collector on this machine, e.g. 127.0.0.1:4317; "
        "empty: no traces",
    )
    share: float = Field(0.1, gt=0, le=1, description="share of calls that are traced, 0..1")


class Log(Section):
    level: Literal["debug", "info", "warning", "error"] = Field("info", description="least level")
    format: Literal["text", "json", "journal"] = Field(
        "text", description="one line per event, as text or JSON; journal: into systemd's"
    )
