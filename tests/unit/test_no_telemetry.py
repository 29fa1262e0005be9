"""What the libraries would write down or send, were they not told not to."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import onnxruntime

LISTEN = """
import asyncio, numpy as np
from appliance.audio.vad import FRAME, Vad
from appliance.metrics import Metrics

async def main():
    vad = Vad(Metrics())
    await vad.judge(np.zeros(FRAME, np.float32), None)
    await vad.close()

asyncio.run(main())
"""


def test_onnxruntime_keeps_no_device_number(tmp_path: Path) -> None:
    """CI is unset: there onnxruntime is silent by itself."""
    environment = {k: v for k, v in os.environ.items() if k not in ("CI", "ORT_DISABLE_TELEMETRY")}
    places = dict.fromkeys(("HOME", "TMPDIR", "XDG_CACHE_HOME"), str(tmp_path))
    subprocess.run([sys.executable, "-c", LISTEN], env={**environment, **places}, check=True)
    assert not list(tmp_path.iterdir())


def test_the_variable_is_the_one_onnxruntime_reads() -> None:
    (library,) = (Path(onnxruntime.__file__).parent / "capi").glob("libonnxruntime.so.*")
    assert b"ORT_DISABLE_TELEMETRY" in library.read_bytes()
