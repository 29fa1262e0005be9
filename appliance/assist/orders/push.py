"""Hands orders to the city's existing order system: until it has taken each, and once in effect."""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import json
import logging
import socket
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

import httpx

from appliance.assist.city.order_system import pick
from appliance.assist.orders.desk import OrderDesk
from appliance.assist.orders.life import Action, OrderState
from appliance.errors import LingtingError, NotFound, SettingsError
from appliance.settings.keeping import OrdersSettings
from appliance.store import jobs
from appliance.store.database import Also
from appliance.store.jobs import Job, Jobs
from appliance.store.order_rows import Json, Order, OrderEvent
from appliance.work.runner import JobProgress, Work

log = logging.getLogger(__name__)

TIMEOUT_S = 15.0
TOLD = frozenset({Action.DISPATCH, Action.CLOSE, Action.MERGE, Action.REFUSE, Action.REOPEN})
NOT_THEIRS = frozenset({OrderState.DRAFT, OrderState.CONFIRMED})  # corrections there are ours
FIRST_PAUSE_S, LONGEST_PAUSE_S = 5.0, 1800.0
MOST_DAYS = 14  # that it may be away
MOST_ATTEMPTS = int(MOST_DAYS * 86_400 / LONGEST_PAUSE_S)
MOST_RECEIPT = 128

Shown = Callable[[Order], Json]


class NotTaken(LingtingError):
    """The city's system did not take an order."""

    retryable = True


class OrderPush(Work):
    """What is told last is how the order stands, however many gateways tell it.

    Args:
        shown: an order as every door shows it.
    """

    kind = "order.push"

    def __init__(
        self, settings: OrdersSettings, queue: Jobs, desk: OrderDesk, shown: Shown
    ) -> None:
        super().__init__(queue)
        self._settings, self._desk, self._shown = settings, desk, shown
        self._token = _token(settings)
        self._client = httpx.AsyncClient(trust_env=False, timeout=TIMEOUT_S)

    async def close(self) -> None:
        await self._client.aclose()

    def owed(self, order: Order, event: OrderEvent) -> list[Also]:
        """For the transaction of what happened: the job that tells them."""
        corrected = event.action == "corrected" and order.state not in NOT_THEIRS
        if not self._settings.push_url or not (event.action in TOLD or corrected):
            return []
        payload = json.dumps({"order": order.id}).encode()
        return [jobs.new(self.kind, call_id=order.call_id, payload=payload)[1]]

    async def run(self, job: Job, progress: JobProgress) -> None:
        """What they took is noted with their number. A kill in between sends it again under the
        same key, by which they know it; what has changed while it was sent is sent, too."""
        told: Any = None
        try:
            order = await self._desk.get(json.loads(job.payload)["order"])
            while (body := self._mapped(order)) != told:
                answer = await self._send(job, body)
                receipt = pick(answer, self._desk.city.pack.order_system.receipt)
                await self._desk.pushed(order.id, str(receipt)[:MOST_RECEIPT])
                told, order = body, await self._desk.get(order.id)
        except NotFound:  # shredded meanwhile
            log.info("an order is gone that the city's system was to be told of")
        await self.jobs.done(job)

    def _mapped(self, order: Order) -> Any:
        return self._desk.city.pack.order_system.mapped(self._shown(order))

    async def failed(self, job: Job, error: BaseException) -> None:
        pause_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(job.attempts, 12))
        retry = job.attempts < MOST_ATTEMPTS
        await self.jobs.failed(job, str(error), retry=retry, after_s=pause_s)

    async def _send(self, job: Job, body: Any) -> Any:
        url = str(self._settings.push_url)
        said = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
        headers = {"idempotency-key": f"{job.id}-{said[:16]}"}
        if self._token:
            headers["authorization"] = f"Bearer {self._token}"
        try:
            await self._check_place(url)
            answer = await self._client.post(url, json=body, headers=headers)
        except (httpx.HTTPError, OSError, UnicodeError) as error:
            raise NotTaken("hand over an order", f"{type(error).__name__}: {error}") from error
        if not answer.is_success:
            raise NotTaken("hand over an order", f"HTTP {answer.status_code}")
        try:
            return answer.json()
        except ValueError:
            return {}

    async def _check_place(self, url: str) -> None:
        """Raises NotTaken for an address that [orders] push_allow does not name."""
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
        addresses = [ipaddress.ip_address(place[4][0]) for place in found]
        allowed: Sequence[Any] = self._settings.push_allow
        if not all(any(address in net for net in allowed) for address in addresses):
            cause = f"{parts.hostname} is at no address that [orders] push_allow names"
            raise NotTaken("hand over an order", cause)


def _token(settings: OrdersSettings) -> str:
    """Raises SettingsError."""
    if not settings.push_token_file:
        return ""
    try:
        return settings.push_token_file.read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        cause = f"{settings.push_token_file}: {error}"
        raise SettingsError("read the order system's token", cause) from error
