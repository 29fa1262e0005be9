"""Children that never outlive the gateway."""

from __future__ import annotations

import shutil

from appliance.errors import EngineUnavailable

# A second BLAS thread gains nothing on our small matrices and burns a core while it waits.
ONE_BLAS_THREAD = {"OPENBLAS_NUM_THREADS": "1"}


def leash(doing: str, signal: str = "KILL") -> tuple[str, ...]:
    """A command prefix: the kernel signals the child when this process ends, even by SIGKILL."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise EngineUnavailable(doing, "setpriv is missing", "apt-get install util-linux")
    return (setpriv, "--pdeathsig", signal)
