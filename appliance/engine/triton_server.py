"""A real Triton as a child process: where its binary is, its repository, its start and its end.

The server comes from `triton.binary`, LINGTING_TRITON_BIN, or the nvidia-pytriton wheel, of which
only the files are used. It dies with this process even on SIGKILL (a parent-death signal), and
its Python stubs die with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import importlib.util
import os
import secrets
import shutil
import signal
import socket
import sys
import sysconfig
import tempfile
import time
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path
from typing import IO

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException

from appliance.engine.keeper import ENDED
from appliance.engine.lineup import Variants, served, with_base
from appliance.engine.process import ONE_BLAS_THREAD, leash, shm_prefix, sweep, sweep_orphans
from appliance.engine.sizing import queue_places, triton_instances
from appliance.errors import EngineUnavailable
from appliance.settings import Settings
from appliance.settings.section import PROJECT
from inference.tensors import ASR_MODEL, DIARIZATION_MODEL

STUB = "triton_python_backend_stub"
LOG_LINES = 50  # of the child's output kept for error messages
LONGEST_LINE = 1 << 20  # bytes of the child's output
STOP_TIMEOUT_S = 10.0  # after SIGTERM, before SIGKILL
POLL_S = 0.1  # between looks whether the child has ended
LOOPBACK = "127.0.0.1"
PACKAGED = PROJECT / "triton" / "pytriton" / "tritonserver"  # of an installed release
ADMIN_APIS = "model-repository,shared-memory,trace,logging"
ADMIN_HEADER = "triton-grpc-protocol-admin"


def find_binary(settings: Settings) -> Path:
    """The tritonserver to run; raises EngineUnavailable saying where it was looked for."""
    named = settings.triton.binary or os.environ.get("LINGTING_TRITON_BIN")
    wheel = (*_wheel("bin/tritonserver"), PACKAGED / "bin" / "tritonserver")
    candidates = [Path(named)] if named else [*wheel, *_on_path()]
    for path in candidates:
        if os.access(path, os.X_OK):
            return path
    raise EngineUnavailable(
        "start Triton",
        f"no tritonserver at {' or '.join(map(str, candidates)) or 'the places known'}",
        "set LINGTING_TRITON_BIN, install requirements/payload.txt, or set triton.mode to off",
    )


def check_libpython(binary: Path) -> None:
    """The wheel's stub embeds this Python as a library; raises EngineUnavailable without it."""
    if not _wheel_libraries(binary):
        return
    package = f"libpython{sys.version_info.major}.{sys.version_info.minor}"
    name = f"{package}.so.1.0"
    if (Path(sysconfig.get_config_var("LIBDIR") or "/") / name).exists():
        return
    try:
        ctypes.CDLL(name)
    except OSError as error:
        raise EngineUnavailable(
            "start Triton", f"{name} is missing", f"apt-get install {package}"
        ) from error


def _on_path() -> list[Path]:
    found = shutil.which("tritonserver")
    return [Path(found)] if found else []


def _wheel(inside: str) -> list[Path]:
    """A file of the nvidia-pytriton wheel, without importing it."""
    spec = importlib.util.find_spec("pytriton")
    if spec is None or not spec.submodule_search_locations:
        return []
    return [Path(spec.submodule_search_locations[0]) / "tritonserver" / inside]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


class TritonServer:
    """One tritonserver child; `start` it, `stop` it, watch `exited`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._work: tempfile.TemporaryDirectory[str] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._killed = False  # the group of a child that has ended
        self._begun = 0.0  # s since 1970
        self._lines: deque[str] = deque(maxlen=LOG_LINES)
        self._loaded: set[str] = set()  # beside the settings', by the names that Triton knows
        # Whoever reaches the port may ask the models, and nothing else: nobody else has this word.
        self._word = secrets.token_hex(16)
        address = settings.triton.address
        self.grpc_port = int(address.rpartition(":")[2]) or free_port()
        self.http_port = settings.triton.http_port or free_port()
        self.metrics_port = settings.triton.metrics_port or free_port()
        self._prefix = shm_prefix(self.grpc_port)

    @property
    def base(self) -> Path:
        """The speech bundle that it was told to serve."""
        return self._settings.models.asr

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{self.grpc_port}"

    @property
    def pid(self) -> int | None:
        return self._process.pid if self.running and self._process else None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    def how_it_ended(self) -> str:
        """The keeper passes on what ended the server itself, if it could see it."""
        for line in reversed(self._lines):
            if line.startswith(ENDED):
                code = int(line.removeprefix(ENDED))
                return f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
        return "was killed"

    def last_error(self) -> str:
        """The line of its output that says why it ended."""
        lines = [line for line in self._lines if line.startswith(("error", "E"))]
        return f"its last error line: {lines[-1]}" if lines else "it wrote no error"

    async def start(self, log: IO[str] | None = None) -> None:
        """Spawn the child; it is not ready yet. Its output goes to `log`, else is kept in part."""
        self._killed = False
        self._loaded.clear()
        binary = find_binary(self._settings)
        check_libpython(binary)
        self._work = tempfile.TemporaryDirectory(prefix="lingting-triton-")
        work = Path(self._work.name)
        keeper = (sys.executable, "-m", "appliance.engine.keeper", str(os.getpid()))
        marks = (self._prefix, str(work))
        server = (str(binary), *self._arguments(work, binary))
        command = [*leash("start Triton", "TERM"), *keeper, *marks, *server]
        self._begun = time.time()
        sweep_orphans()
        self._process = await asyncio.create_subprocess_exec(
            *command,
            env=_environment(binary),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            limit=LONGEST_LINE,
        )
        self._reader = asyncio.create_task(self._read(log), name="triton-log")

    def _arguments(self, work: Path, binary: Path) -> list[str]:
        repository = render_repository(self._settings, work / "models")
        arguments = [
            f"--model-repository={repository}",
            "--model-control-mode=explicit",  # what is named here, and what we load later
            *(f"--load-model={model.name}" for model in sorted(repository.iterdir())),
            f"--grpc-address={LOOPBACK}",
            f"--grpc-port={self.grpc_port}",
            f"--http-address={LOOPBACK}",
            f"--http-port={self.http_port}",
            f"--metrics-address={LOOPBACK}",
            f"--metrics-port={self.metrics_port}",
            "--metrics-config=counter_latencies=true",
            "--exit-timeout-secs=5",
            f"--backend-config=python,shm-region-prefix-name={self._prefix}",
            "--log-verbose=0",
            f"--grpc-restricted-protocol={ADMIN_APIS}:admin={self._word}",
            f"--http-restricted-api={ADMIN_APIS}:admin={secrets.token_hex(16)}",
        ]
        backends = _backends(binary, work / "backends")
        return [*arguments, *([f"--backend-directory={backends}"] if backends else [])]

    async def rebase(self, bundle: Path) -> None:
        """Triton loads the new one before it lets go of the old; raises EngineUnavailable."""
        settings = with_base(self._settings, bundle)
        if self.running and self._work is not None:
            repository = Path(self._work.name) / "models"
            render_model(settings, ASR_MODEL, ASR_MODEL, bundle, repository)
            async with self._admin() as client:
                await client.load_model(ASR_MODEL, headers={ADMIN_HEADER: self._word})
        self._settings = settings

    @contextlib.asynccontextmanager
    async def _admin(self) -> AsyncIterator[InferenceServerClient]:
        client = InferenceServerClient(self.address)
        try:
            yield client
        except InferenceServerException as error:
            doing, hint = "load a model into Triton", "the log of Triton says more"
            raise EngineUnavailable(doing, error.message() or repr(error), hint) from error
        finally:
            await client.close()

    async def serve(self, variants: Variants) -> None:
        """Load these speech bundles beside the settings' and let go of any other.

        It starts without any: one that cannot be loaded must not keep it from starting. Nothing
        happens while it does not run. Raises EngineUnavailable with Triton's reason.
        """
        if not self.running or self._work is None:
            return
        wanted = served(variants)
        new = {name: folder for name, folder in wanted.items() if name not in self._loaded}
        repository = Path(self._work.name) / "models"
        async with self._admin() as client:
            for name, folder in new.items():
                render_model(self._settings, ASR_MODEL, name, folder, repository)
                self._loaded.add(name)  # also if whoever waits for it goes away
                try:
                    await client.load_model(name, headers={ADMIN_HEADER: self._word})
                except InferenceServerException:
                    self._loaded.discard(name)
                    raise
            for name in self._loaded - wanted.keys():
                self._loaded.discard(name)
                await client.unload_model(name, headers={ADMIN_HEADER: self._word})
                shutil.rmtree(repository / name, ignore_errors=True)

    async def _read(self, log: IO[str] | None) -> None:
        assert self._process and self._process.stdout
        async for raw in self._process.stdout:
            line = raw.decode(errors="replace").rstrip()
            self._lines.append(line)
            if log:
                print(line, file=log, flush=True)

    async def wait(self) -> int:
        """Until the child has ended, and its stubs with it; its return code. 0 if there is none."""
        if self._process is None:
            return 0
        # asyncio's own wait also waits for the pipe, which a stub may hold open.
        while self._process.returncode is None:
            await asyncio.sleep(POLL_S)
        self.kill()
        return self._process.returncode

    async def stop(self) -> None:
        """End the child and everything it started; safe to call twice."""
        if self._process and self.running:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()
            try:
                async with asyncio.timeout(STOP_TIMEOUT_S):
                    await self.wait()
            except TimeoutError:
                self.kill()
                await self.wait()
        self.kill()  # stubs of a server that was itself killed
        if self._reader:
            self._reader.cancel()
            self._reader = None
        if self._work:
            self._work.cleanup()
            self._work = None

    def kill(self) -> None:
        """SIGKILL the child's whole session group, once: later the number may be another's."""
        if self._process and not self._killed:
            self._killed = self._process.returncode is not None
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            sweep(self._prefix, self._begun)


def _environment(binary: Path) -> dict[str, str]:
    """What the stub needs to embed this very environment.

    It runs isolated and ignores PYTHONPATH; it finds its prefix, and with it our packages, through
    the `python3` that comes first on PATH.
    """
    libraries = [
        *map(str, _wheel_libraries(binary)),
        # CUDA libraries of requirements/gpu.txt, which CTranslate2 loads by name
        *map(str, Path(sysconfig.get_path("purelib")).glob("nvidia/*/lib")),
        str(sysconfig.get_config_var("LIBDIR") or ""),
        os.environ.get("LD_LIBRARY_PATH", ""),
    ]
    return {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}",
        "LD_LIBRARY_PATH": ":".join(filter(None, libraries)),
        "PYTHONDONTWRITEBYTECODE": "1",
        **ONE_BLAS_THREAD,
    }


def _wheel_libraries(binary: Path) -> list[Path]:
    """`nvidia_pytriton.libs` stands beside the wheel's package."""
    libraries = binary.parents[3] / "nvidia_pytriton.libs" if len(binary.parents) > 3 else None
    return [libraries] if libraries and libraries.is_dir() else []


def _backends(binary: Path, target: Path) -> Path | None:
    """For the wheel's server: a backend folder with the stub of this Python beside the backend."""
    if not _wheel_libraries(binary):
        return None
    wheel = binary.parents[1]
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    stub = wheel / "python_backend_stubs" / version / STUB
    if not stub.exists():
        raise EngineUnavailable(
            "start Triton", f"the wheel has no Python backend for Python {version}", "use 3.11"
        )
    folder = target / "python"
    folder.mkdir(parents=True)
    for source in (*(wheel / "backends" / "python").iterdir(), stub):
        (folder / source.name).symlink_to(source)
    return target


def render_repository(settings: Settings, target: Path) -> Path:
    """Copy model_repo/ with each config.pbtxt completed from the settings; code is linked."""
    bundles = settings.models.bundles()
    for source in sorted(settings.triton.repository.resolve().iterdir()):
        if source.name in bundles:
            render_model(settings, source.name, source.name, bundles[source.name], target)
    return target


def render_model(settings: Settings, kind: str, name: str, bundle: Path, target: Path) -> None:
    """A model of model_repo/ as `name`, which serves a bundle; whatever was there is gone."""
    source, model = settings.triton.repository.resolve() / kind, target / name
    shutil.rmtree(model, ignore_errors=True)
    model.mkdir(parents=True)
    for version in source.iterdir():
        if version.is_dir():
            (model / version.name).symlink_to(version)
    text = (source / "config.pbtxt").read_text(encoding="utf-8")
    completed = complete_config(text, settings, name, bundle)
    (model / "config.pbtxt").write_text(completed, encoding="utf-8")


def complete_config(text: str, settings: Settings, name: str, bundle: Path) -> str:
    """config.pbtxt of the repository -> the one that is served, as `name`, over a bundle."""
    triton = settings.triton
    config = text_format.Parse(text, model_config_pb2.ModelConfig())
    kind_of_model, config.name = config.name, name
    config.max_batch_size = triton.max_batch
    kinds = model_config_pb2.ModelInstanceGroup
    kind = {"auto": kinds.KIND_AUTO, "gpu": kinds.KIND_GPU, "cpu": kinds.KIND_CPU}[triton.kind]
    instances = triton_instances(settings) if kind_of_model == ASR_MODEL else 1
    config.instance_group.add(count=instances, kind=kind)
    for priority, size in queue_places(settings).items():
        policy = config.dynamic_batching.priority_queue_policy[priority]
        policy.max_queue_size = size
        policy.allow_timeout_override = True
    parameters = {
        "bundle": str(bundle),
        "threads": str(triton.threads),
        "cores": str(max(1, (os.cpu_count() or 1) // instances)),
        "compute_type": triton.compute_type,
        "tuning": str(settings.tuning_file),
        "runtime": "pyannote" if triton.pyannote else "onnx",
    }
    if kind_of_model == DIARIZATION_MODEL and triton.pyannote:
        parameters["EXECUTION_ENV_PATH"] = str(triton.pyannote.resolve())
    for key, value in parameters.items():
        config.parameters[key].string_value = value
    return str(text_format.MessageToString(config))
