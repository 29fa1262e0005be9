"""The examples of docs/, as a vendor's programmer runs them: against a box that asks for keys."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc_tools
import pytest

from appliance.proto.generate import HERE, SOURCE, generate
from tests.architecture.repository import ROOT
from tests.daemon import DEMO_CALL
from tests.room import MachineRoom, machine_room

pytestmark = pytest.mark.timeout(300)
EXAMPLES = ROOT / "docs" / "examples"
JARS = Path("/usr/share/java")
NEEDED = (
    *("grpc-api", "grpc-core", "grpc-context", "grpc-stub", "grpc-protobuf", "grpc-protobuf-lite"),
    *("grpc-netty", "protobuf", "guava", "perfmark-api", "geronimo-annotation-1.3-spec"),
    *(f"netty-{part}" for part in ("buffer", "codec", "codec-http", "codec-http2", "common")),
    *(f"netty-{part}" for part in ("handler", "resolver", "transport", "tcnative")),
)
TLS_LIBRARY = Path("/usr/lib/x86_64-linux-gnu/jni/libnetty-tcnative.so")
PLUGIN = Path("/usr/bin/grpc_java_plugin")
GOOGLES = (  # what hotline.proto imports, and they
    *("longrunning/operations", "rpc/status", "api/annotations", "api/http", "api/client"),
    *("api/field_behavior", "api/launch_stage"),
)
WORDS = "暖气"  # of its second sentence
CALL_S, BYTES_PER_S = 20, 16_000  # two legs of A-law


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MachineRoom]:
    with machine_room(tmp_path_factory.mktemp("room")) as made:
        yield made


@pytest.fixture(scope="module")
def environment(room: MachineRoom) -> dict[str, str]:
    return {
        **os.environ,
        "BOX_GRPC": f"localhost:{room.box.grpc_port}",
        "BOX_HTTP": f"https://localhost:{room.box.http_port}",
        "BOX_CA": str(room.pki / "ca.pem"),
        "BOX_KEY": room.key("vendor", "--role", "caller", "--tenant", "a"),
    }


def run(command: list[str], environment: dict[str, str], folder: Path) -> str:
    """An example, given the first of the demo call; what it prints."""
    call, data = folder / "call.wav", DEMO_CALL.read_bytes()
    size = int(CALL_S * BYTES_PER_S)
    call.write_bytes(data[:54] + struct.pack("<I", size) + data[58 : 58 + size])
    done = subprocess.run(
        [*command, str(call)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=150,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("name", ["live_riva", "recording_openai"])
def test_stock_clients_in_python(name: str, environment: dict[str, str], tmp_path: Path) -> None:
    said = run([sys.executable, str(EXAMPLES / f"{name}.py")], environment, tmp_path)
    assert WORDS in said and len(said.splitlines()) >= 2


def test_our_grpc_in_python(environment: dict[str, str], tmp_path: Path) -> None:
    generate(tmp_path)
    made = {**environment, "PYTHONPATH": str(tmp_path)}
    said = run([sys.executable, str(EXAMPLES / "live_hotline.py")], made, tmp_path)
    assert WORDS in said and "STATE_FINISHED" in said and "EMOTION_" in said


def test_curl(environment: dict[str, str], tmp_path: Path) -> None:
    call = json.loads(run(["sh", str(EXAMPLES / "recording.sh")], environment, tmp_path))
    assert call["state"] == "finished" and call["call_id"] == "example-curl"
    assert any(WORDS in said["text"] for said in call["utterances"])


@pytest.mark.skipif(not shutil.which("javac"), reason="needs a JDK: make build/.java")
def test_a_recording_in_java(environment: dict[str, str], tmp_path: Path) -> None:
    call = json.loads(run(["java", str(EXAMPLES / "Recording.java")], environment, tmp_path))
    assert call["state"] == "finished" and call["call_id"] == "example-java-recording"


@pytest.mark.skipif(not PLUGIN.exists(), reason="needs grpc-java's plugin: make build/.java")
def test_our_grpc_in_java(environment: dict[str, str], tmp_path: Path) -> None:
    """Compiled as a vendor would: classes of the protocol by protoc, then the example."""
    site = Path(grpc_tools.__file__).parents[1]
    include, generated = tmp_path / "include", tmp_path / "generated"
    (include / "google" / "longrunning").mkdir(parents=True)
    generated.mkdir()
    longrunning = site / "google" / "longrunning" / "operations_proto.proto"
    shutil.copy(longrunning, include / "google" / "longrunning" / "operations.proto")
    protoc = ["protoc", f"--plugin=protoc-gen-grpc-java={PLUGIN}"]
    protoc += [f"-I{place}" for place in (HERE, include, site / "grpc_tools" / "_proto", site)]
    protoc += [f"--java_out={generated}", f"--grpc-java_out={generated}", SOURCE]
    protoc += [f"google/{name}.proto" for name in GOOGLES]
    subprocess.run(protoc, check=True)
    path = ":".join([str(tmp_path), *(str(JARS / f"{name}.jar") for name in NEEDED)])
    sources = [str(each) for each in generated.rglob("*.java")]
    javac = ["javac", "-nowarn", "-d", str(tmp_path), "-cp", path, *sources]
    done = subprocess.run([*javac, str(EXAMPLES / "LiveCall.java")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    # The TLS library that Debian's Netty looks for is there by another name.
    shutil.copy(TLS_LIBRARY, tmp_path / "libnetty_tcnative.so")
    java = ["java", f"-Djava.library.path={tmp_path}", "-cp", path, "LiveCall"]
    said = run(java, environment, tmp_path)
    assert WORDS in said and "STATE_FINISHED" in said
