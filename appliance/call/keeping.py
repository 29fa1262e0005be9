"""Who keeps what happens in a call, as the call room sees it; the archive is one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from appliance.messages import CallConfig, Lasting, Partial


@dataclass(frozen=True, slots=True)
class Ending:
    """How a call was when it ended."""

    duration_ms: int
    legs: int
    language: str
    model: str
    demo: bool
    cut_short: bool
    error: str = ""  # why it failed; empty if it came to its end
    notes: tuple[str, ...] = ()

    @classmethod
    def failed(cls, why: str) -> Ending:
        """Before anything was heard."""
        return cls(0, 0, "", "", demo=False, cut_short=False, error=why)


class Keeper(Protocol):
    """One call's. It must be quick: a final waits until it is kept, then it is published."""

    async def keep(self, event: Lasting) -> None:
        """Called once for each event, in the order of publication; never raises."""

    def show(self, partial: Partial) -> None:
        """For who watches now; may be lost."""

    async def hear(self, data: bytes) -> None:
        """The caller's bytes, as they came; never raises."""

    async def end(self, ending: Ending) -> None:
        """The call is over, well or not; never raises."""


Keep = Callable[[CallConfig], Awaitable[Keeper | None]]


async def keep_nothing(_: CallConfig) -> Keeper | None:
    """A box without an archive."""
    return None
