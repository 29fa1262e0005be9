"""Who keeps what happens in a call, as the call room sees it; the archive is one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from appliance.call.log import EventLog
from appliance.messages import CallConfig, Ended


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
    """One call's. None of its methods raises."""

    log: EventLog

    @property
    def ended(self) -> Ended | None:
        """What is told last; None if nobody is told."""

    async def hear(self, data: bytes) -> None:
        """The caller's bytes, as they came."""

    async def settle(self) -> None:
        """Everything was said: who follows the call may still have something to tell of it."""

    async def end(self, ending: Ending) -> None:
        """The call is over, well or not."""


Keep = Callable[[CallConfig], Awaitable[Keeper | None]]


async def keep_nothing(_: CallConfig) -> Keeper | None:
    """A box without an archive."""
    return None
