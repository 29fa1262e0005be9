"""`lingting demo`: a real box on loopback, a real call through the stock Riva client.

This process starts the box and may kill its Triton; the client runs in its own process, as a
customer's would (riva.client and grpc_health cannot live in one).
"""

from __future__ import annotations

import contextlib
import enum
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from appliance.load.probe import scrape
from appliance.load.running import POLL_S, START_TIMEOUT_S, RunningBox, free_port, running_box
from appliance.settings import load_settings
from appliance.settings.section import PROJECT

CALL = PROJECT / "bundles" / "demo-call"
PROMETHEUS = PROJECT / "monitoring" / "prometheus-demo.yml"
TRITON_METRICS_PORT = 8002  # as monitoring/prometheus-demo.yml has it, if it is free
AUTO, LEGS = "auto", 2
MEASURED_WITHIN_S = 60.0
FAIL_AT_S = 25.0  # into the call: somebody is speaking
console = Console(highlight=False)


class FailOption(enum.StrEnum):
    TRITON = "triton"


def demo(
    fail: Annotated[
        FailOption | None, typer.Option(help="Kill Triton (SIGKILL) in the middle of the call.")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the box up afterwards.")] = False,
    speed: Annotated[
        float, typer.Option(min=0.5, max=20, help="Play the call this many times as fast.")
    ] = 1.0,
    load: Annotated[
        str,
        typer.Option(
            help="Instead: so many calls at once, but no more than the box says it can hold, which "
            "auto takes; see the page."
        ),
    ] = "",
) -> None:
    """Watch a two-leg 8 kHz call being transcribed live."""
    with _box() as box:
        _wait_for_triton(box)
        if load:
            raise typer.Exit(_under_load(box, _calls(box, load), again=keep))
        if fail and box.triton_pid() is None:
            console.print("[yellow]没有 Triton 可杀。 There is no Triton to kill.[/]")
        timer = _kill_triton_later(box, FAIL_AT_S / speed) if fail else None
        client = [sys.executable, "-m", "tools.demo.client", str(CALL)]
        addresses = [box.address, box.url]
        failing = ["--fail"] if fail else []
        code = subprocess.run([*client, *addresses, "--speed", str(speed), *failing]).returncode
        if timer:
            timer.cancel()
        if keep and code == 0:
            _keep(box)
    if code:
        raise typer.Exit(code)


@contextlib.contextmanager
def _box() -> Iterator[RunningBox]:
    """A box on the usual ports, or on free ones if those are taken."""
    ours = load_settings()
    wanted = (ours.grpc.port, ours.http.port)
    ports = (free_port(wanted[0]), free_port(wanted[1]))
    for port, taken in zip(ports, wanted, strict=True):
        if port != taken:
            console.print(
                f"[yellow]端口 {taken} 已被占用，改用 {port}。 {taken} is taken, using {port}.[/]"
            )
    with contextlib.ExitStack() as stack:
        with console.status("正在启动 Triton 与网关… starting Triton and the gateway"):
            metrics_port = free_port(TRITON_METRICS_PORT)
            settings = {"LINGTING_TRITON__METRICS_PORT": str(metrics_port)}
            box = stack.enter_context(running_box(ports, settings))
            box.triton_metrics_port = metrics_port
        yield box


def _wait_for_triton(box: RunningBox) -> None:
    """The CPU is ready first; give Triton a moment, so that the demo shows it."""
    from tools.demo.client import engine_in_use

    deadline = time.monotonic() + START_TIMEOUT_S
    with console.status("等待 Triton 载入模型… waiting for Triton to load its model"):
        while engine_in_use(box.url) != "triton" and time.monotonic() < deadline:
            if box.triton_pid() is None and time.monotonic() > deadline - START_TIMEOUT_S + 5:
                console.print(
                    "[yellow]Triton 不可用，由 CPU 应答。 No Triton here: the CPU answers.[/]"
                )
                return
            time.sleep(POLL_S)


def _calls(box: RunningBox, wanted: str) -> int:
    """As many calls as are wanted, but no more than the box would take."""
    if wanted != AUTO and not (wanted.isdecimal() and int(wanted)):
        raise typer.BadParameter("a number, or auto", param_hint="--load")
    with console.status("等待设备测量自己的容量… waiting for the box to measure what it can hold"):
        most = max(1, _capacity(box) // LEGS)
    calls = most if wanted == AUTO else min(most, int(wanted))
    if wanted not in (AUTO, str(calls)):
        console.print(f"[yellow]本机可承载 {most} 通。 This machine holds {most} calls.[/]")
    return calls


def _capacity(box: RunningBox) -> int:
    """Live legs the box takes, once it has measured them."""
    deadline, engine = time.monotonic() + MEASURED_WITHIN_S, "lingting_engine_live_legs"
    while time.monotonic() < deadline:
        page = scrape(f"{box.url}/metrics")
        if page.has(engine):
            break
        time.sleep(POLL_S)
    return round(scrape(f"{box.url}/metrics").total("lingting_live_legs_capacity"))


def _under_load(box: RunningBox, calls: int, *, again: bool) -> int:
    """Until they are over, or with `again` until Ctrl-C; how that went."""
    client = [sys.executable, "-m", "tools.demo.load", str(CALL), box.address, box.url]
    flags = ["--calls", str(calls), *(["--again"] if again else [])]
    try:
        return subprocess.run([*client, *flags]).returncode
    except KeyboardInterrupt:
        return 0


def _kill_triton_later(box: RunningBox, after_s: float) -> threading.Timer:
    def kill() -> None:
        pid = box.triton_pid()
        if pid:
            os.kill(pid, signal.SIGKILL)

    timer = threading.Timer(after_s, kill)
    timer.daemon = True
    timer.start()
    return timer


def _prometheus(box: RunningBox) -> Path:
    """A configuration that names this box's ports: the file in the repository, or one beside it."""
    text = PROMETHEUS.read_text(encoding="utf-8")
    own = text.replace(":9000", f":{box.http_port}")
    own = own.replace(f":{TRITON_METRICS_PORT}", f":{box.triton_metrics_port}")
    if own == text:
        return PROMETHEUS.relative_to(PROJECT)
    path = Path(tempfile.gettempdir()) / f"prometheus-demo-{box.http_port}.yml"
    path.write_text(own.replace("rules/", f"{PROMETHEUS.parent}/rules/"), encoding="utf-8")
    return path


def _keep(box: RunningBox) -> None:
    console.print(
        f"\n[bold]聆听仍在运行 The box is up[/]: Riva gRPC 127.0.0.1:{box.grpc_port}, "
        f"HTTP http://127.0.0.1:{box.http_port}. 试一试 Try:\n\n"
        f"  curl -F file=@{CALL / 'call.wav'} -F response_format=verbose_json \\\n"
        f"       http://127.0.0.1:{box.http_port}/v1/audio/transcriptions\n\n"
        f"  curl -F file=@{CALL / 'call.wav'} -F call_id=first "
        f"http://127.0.0.1:{box.http_port}/api/v1/recordings\n"
        f"  curl http://127.0.0.1:{box.http_port}/api/v1/calls/first\n\n"
        f"  curl http://127.0.0.1:{box.http_port}/v1/health/ready\n"
        f"  curl http://127.0.0.1:{box.http_port}/metrics\n\n"
        f"  在浏览器中打开 In a browser: http://127.0.0.1:{box.http_port}/\n"
        f"  prometheus --config.file={_prometheus(box)}\n\n"
        f'  {sys.executable} -c "import riva.client as r; '
        f"a = r.ASRService(r.Auth(uri='127.0.0.1:{box.grpc_port}')); "
        "c = r.RecognitionConfig(language_code='zh-CN', audio_channel_count=2, "
        "enable_separate_recognition_per_channel=True, enable_automatic_punctuation=True); "
        f"print(a.offline_recognize(open('{CALL / 'call.wav'}','rb').read(), c))\"\n\n"
        "按 Ctrl-C 结束。 Press Ctrl-C to end.",
        soft_wrap=True,  # so that the commands can be copied
    )
    with contextlib.suppress(KeyboardInterrupt):
        box.process.wait()
