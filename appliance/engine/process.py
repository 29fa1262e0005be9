"""Children that never outlive the gateway."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from appliance.errors import EngineUnavailable

# A second BLAS thread gains nothing on our small matrices and burns a core while it waits.
ONE_BLAS_THREAD = {"OPENBLAS_NUM_THREADS": "1"}

BACKEND_START_S = 60.0
SHARED_MEMORY = Path("/dev/shm")


def leash(doing: str, signal: str = "KILL") -> tuple[str, ...]:
    """A command prefix: the kernel signals the child when this process ends, even by SIGKILL."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise EngineUnavailable(doing, "setpriv is missing", "apt-get install util-linux")
    return (setpriv, "--pdeathsig", signal)


def shm_prefix(port: int) -> str:
    """Of the regions of shared memory of a Triton that this process starts."""
    return f"lingting-{os.getpid()}-{port}-"


def sweep_orphans() -> None:
    """Remove regions of Tritons whose gateway died together with all who cleared away behind it."""
    for region in SHARED_MEMORY.glob("lingting-*-*-*"):
        pid = region.name.split("-")[1]
        if pid.isdecimal() and not Path(f"/proc/{pid}").exists():
            with contextlib.suppress(OSError):
                region.unlink()


def sweep(prefix: str, begun: float) -> None:
    """Remove what a killed Triton leaves behind, which would pile up till nothing fits.

    Its regions of shared memory, and the folder that its Python backend makes at its start, in
    /tmp whatever TMPDIR says: those begun with it (`begun`, s since 1970) and still empty.
    """
    for region in SHARED_MEMORY.glob(f"{prefix}*"):
        with contextlib.suppress(OSError):
            region.unlink()
    for folder in Path("/tmp").glob("python_env_*"):
        with contextlib.suppress(OSError):
            if -1 < folder.stat().st_mtime - begun < BACKEND_START_S:
                folder.rmdir()
