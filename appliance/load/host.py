"""The box under test: ours or the peer's, on ports of its own, warm, and gone afterwards."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence

from appliance.load.probe import (
    Scrape,
    scrape,
    wait_for_engine,
    wait_until_measured,
)
from appliance.load.running import SERVE, RunningBox, free_port, running_box

TRITON_TIMEOUT_S = 60.0
MEASURED_TIMEOUT_S = 30.0

WarmUp = Callable[[RunningBox], None]


class Host:
    """Starts its box when it is needed, and again after it was dropped.

    Args:
        engine: the one to be measured; a box is given out once this one answers.
        environment: settings on top.
        program: that serves; else ours.
        unlimited: let the box take whatever comes, where the bench looks for the limit itself.
    """

    def __init__(
        self,
        engine: str = "triton",
        *,
        unlimited: bool = False,
        environment: Mapping[str, str] | None = None,
        program: Sequence[str] = (),
    ) -> None:
        self.engine = engine
        self._program = program or SERVE
        self._environment = dict(environment or {})
        if unlimited:
            self._environment["LINGTING_LIMITS__LIVE_LEGS"] = "100000"
        self._stack = contextlib.ExitStack()
        self._box: RunningBox | None = None
        self._metrics_port = 0
        self.proven_s = 0.0  # from the start to the measured engine's first good canary
        self.proven = False  # whether that came

    def box(self, warm_up: WarmUp | None = None) -> RunningBox:
        """The running box; a fresh one is warmed up, so that no figure holds the first window."""
        if self._box is None:
            self._metrics_port, begun = free_port(), time.monotonic()
            environment = {
                **self._environment,
                "LINGTING_TRITON__METRICS_PORT": str(self._metrics_port),
            }
            box = running_box(environment=environment, program=self._program)
            self._box = self._stack.enter_context(box)
            self.proven = wait_for_engine(self._box, self.engine, TRITON_TIMEOUT_S)
            self.proven_s = time.monotonic() - begun
            wait_until_measured(self._box, MEASURED_TIMEOUT_S)
            if warm_up:
                warm_up(self._box)
        return self._box

    def pages(self) -> tuple[Scrape, Scrape]:
        """The metrics of the gateway and of its Triton, now."""
        assert self._box
        return scrape(f"{self._box.url}/metrics"), scrape(
            f"http://127.0.0.1:{self._metrics_port}/metrics"
        )

    def drop(self) -> None:
        """Stop the box, so that what overloaded it does not burden what comes next."""
        self._box = None
        self._stack.close()

    def __enter__(self) -> Host:
        return self

    def __exit__(self, *reason: object) -> None:
        self.drop()
