"""Who follows calls: the one seam for all that comes after the words.

A subscriber has two sides and may have either. Live, it hears a call's events as they are told;
what it derives of them goes into the call as events like the rest. Durable, what it owes a call
that is over is queued in the transaction that ends the call, and is done once, whoever is killed
meanwhile.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from appliance.call.log import EventLog
from appliance.errors import LingtingError
from appliance.messages import CallConfig, CallRecord, CallState, Lasting, NumberedEvent
from appliance.store.database import Also
from appliance.store.jobs import MOST_ATTEMPTS, Job, back_off_s


class FollowedCall(Protocol):
    """A call as a subscriber sees it."""

    id: str
    config: CallConfig
    started_at: float  # s since 1970
    log: EventLog  # live; of a call that is over when it is seen, empty: its record says all

    def record(self, state: CallState | None = None) -> CallRecord:
        """All that is known of it so far."""


class Listener(Protocol):
    """A subscriber's ear in one call."""

    async def hear(self, told: NumberedEvent) -> Sequence[Lasting]:
        """An event, in order; returns what follows from it. One at a time.

        It may raise or be cut off when it takes too long: the call never notices.
        """

    def leave(self) -> None:
        """The call is over for it; called once, whatever happened."""


@dataclass(frozen=True, slots=True)
class Owed:
    """Work on a call that is over, done once for each `about`."""

    about: str
    payload: bytes = b""


class Subscriber:
    """Override what it needs; `gateway.py` lists all.

    Attributes:
        name: in metrics, jobs and `lingting replay`; never changed afterwards.
        partials: whether it hears partials, too.
        at_once: jobs of its durable side.
        patience_s: that one of them may take.
    """

    name = ""
    partials = False
    at_once = 4
    patience_s = 300.0

    @property
    def job_kind(self) -> str:
        """Of the jobs that it is owed."""
        return f"after.{self.name}"

    def listen(self, call: FollowedCall) -> Listener | None:
        """Live; None: not to this call."""
        return None

    def owes(self, call: FollowedCall, state: CallState) -> Sequence[Owed]:
        """What is to be done for a call that ends in `state`."""
        return ()

    async def settle(self, job: Job) -> Sequence[Also]:
        """Do what was owed. What it returns is stored in the transaction that ends the job."""
        raise NotImplementedError

    def retry(self, job: Job, error: BaseException) -> float | None:
        """Seconds until a job that failed is tried again; None: it has failed for good."""
        known = error if isinstance(error, LingtingError) else None
        again = job.attempts < MOST_ATTEMPTS and (known is None or known.retryable)
        return back_off_s(job.attempts) if again else None

    async def close(self) -> None:
        """The box stops."""


def is_durable(subscriber: Subscriber) -> bool:
    return type(subscriber).settle is not Subscriber.settle


def job_id(call_id: str, subscriber: str, about: str, replay: str = "") -> str:
    """The same for the same, so that nothing is queued twice but by another replay."""
    return uuid.uuid5(uuid.NAMESPACE_URL, f"{call_id} {subscriber} {about} {replay}").hex
