"""Children that never outlive the gateway."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

from appliance.errors import EngineUnavailable

# A second BLAS thread gains nothing on our small matrices and burns a core while it waits.
ONE_BLAS_THREAD = {"OPENBLAS_NUM_THREADS": "1"}


def leash(doing: str, signal: str = "KILL") -> tuple[str, ...]:
    """A command prefix: the kernel signals the child when this process ends, even by SIGKILL."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise EngineUnavailable(doing, "setpriv is missing", "apt-get install util-linux")
    return (setpriv, "--pdeathsig", signal)


def sweep_shared_memory(prefix: str) -> None:
    """Remove the regions that a killed Triton leaves behind; they would pile up till none fits."""
    for region in Path("/dev/shm").glob(f"{prefix}*"):
        with contextlib.suppress(OSError):
            region.unlink()
