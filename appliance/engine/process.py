"""Children that never outlive the gateway."""

from __future__ import annotations

import shutil

from appliance.errors import EngineUnavailable


def leash(doing: str) -> tuple[str, ...]:
    """A command prefix: the kernel kills the child when this process ends, even by SIGKILL."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise EngineUnavailable(doing, "setpriv is missing", "apt-get install util-linux")
    return (setpriv, "--pdeathsig", "KILL")
