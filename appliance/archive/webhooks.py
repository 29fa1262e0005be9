"""Tells other systems what has happened: signed, retried for hours, in the end a dead letter.

Standard Webhooks (headers and signature) around CloudEvents (body). The body is thin: who wants to
know more asks for the call. Only allowed addresses are spoken to, and redirects are not followed.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import ipaddress
import json
import logging
import socket
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import SplitResult, urlsplit

import httpx

from appliance.archive.kept import KeptCall
from appliance.errors import LingtingError, SettingsError, StoreUnavailable
from appliance.messages import EVERY_TENANT, Alert, CallState
from appliance.metrics import Metrics
from appliance.sections import Endpoint, Webhooks
from appliance.store import jobs
from appliance.store.database import Also
from appliance.store.jobs import Job, Jobs, LeaseLost

log = logging.getLogger(__name__)

KIND = "webhook"
SOURCE = "/lingting"
SECRET_PREFIX = "whsec_"
# Seconds to wait after each failed attempt; after the last one it is a dead letter: some 20 hours.
PAUSES_S = (5, 30, 120, 600, 1800, 3600, 7200, 18_000, 36_000)
TIMEOUT_S = 15.0  # of a whole delivery; shorter than the lease of its job
WORKERS = 4
POLL_S = 2.0
GONE = 410
LONGEST_ERROR = 300


class Refused(Exception):
    """The receiver, or our own rules, did not take a delivery."""

    def __init__(self, why: str, *, for_good: bool = False) -> None:
        super().__init__(why[:LONGEST_ERROR])
        self.for_good = for_good


class Deliverer:
    """Queues what is to be told and tells it; `start` and `close` it."""

    def __init__(self, settings: Webhooks, queue: Jobs, metrics: Metrics) -> None:
        self._settings, self._jobs, self._metrics = settings, queue, metrics
        self._secrets = {str(e.url): _secret(e) for e in settings.endpoints}
        self._allowed = settings.allow
        self._wake = asyncio.Event()
        # Of its own: a name server that hangs must not hold up who writes audio.
        self._lookups = ThreadPoolExecutor(WORKERS, "webhook-names")
        self._workers: list[asyncio.Task[None]] = []

    def start(self) -> None:
        if self._settings.endpoints and not self._allowed:
            log.warning("webhooks: nobody can be told, for [webhooks] allow names no network")
        # Without endpoints what is still queued for one that was taken away comes to its end.
        count = WORKERS if self._settings.endpoints else 1
        self._workers = [asyncio.create_task(self._work()) for _ in range(count)]

    async def close(self) -> None:
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        self._lookups.shutdown(wait=False, cancel_futures=True)

    # --- what is told

    def ended(self, kept: KeptCall, state: CallState) -> list[Also]:
        """For the transaction in which a call ends."""
        if not self._settings.endpoints:
            return []
        data = {"state": state.value, "duration_ms": kept.record().duration_ms}
        return self._queued(f"lingting.call.{state.value}", kept, data, state.value)

    async def alert(self, kept: KeptCall, alert: Alert) -> None:
        """At once; never raises."""
        data = {
            "emotion": alert.emotion.value,
            "level": alert.level.value,
            "leg": alert.leg + 1,
            "at_ms": alert.at_ms,
            "demo": alert.demo,
        }
        about = f"alert {alert.leg} {alert.at_ms}"
        for also in self._queued("lingting.call.alert", kept, data, about):
            try:
                await self._jobs.write(also)
            except StoreUnavailable as error:
                log.error("an alert cannot be sent: %s", error)
        self._wake.set()

    def _queued(self, kind: str, kept: KeptCall, data: dict[str, Any], about: str) -> list[Also]:
        """Told once of each call, `about` and endpoint, though a recording may be tried again."""
        found = []
        for endpoint in self._settings.endpoints:
            if endpoint.tenant not in (EVERY_TENANT, kept.config.tenant):
                continue
            if endpoint.events and kind.removeprefix("lingting.") not in endpoint.events:
                continue
            event = {
                "specversion": "1.0",
                "id": uuid.uuid5(uuid.NAMESPACE_URL, f"{kept.id} {about} {endpoint.url}").hex,
                "source": SOURCE,
                "type": kind,
                "subject": kept.id,
                "time": datetime.now(UTC).isoformat(),
                "datacontenttype": "application/json",
                "data": {
                    "call": f"/api/v1/calls/{kept.id}",
                    "call_id": kept.config.call_id,
                    **data,
                },
            }
            payload = json.dumps({"url": str(endpoint.url), "event": event}).encode()
            _, work = jobs.new(KIND, call_id=kept.id, payload=payload, job_id=str(event["id"]))
            found.append(work)
        return found

    # --- telling

    async def _work(self) -> None:
        while True:
            try:
                job = await self._jobs.take([KIND])
                if job:
                    await self._deliver(job)
                    continue
            except LingtingError as error:
                log.error("webhooks: %s", error)
            except Exception:  # one delivery must not cost the others their worker
                log.exception("a delivery met a bug")
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._wake.wait()

    async def _deliver(self, job: Job) -> None:
        try:
            url, event = _payload(job)
            await self._post(url, job.id, json.dumps(event).encode())
        except Refused as error:
            delivered = "refused"
            with contextlib.suppress(LeaseLost):
                pause_s = PAUSES_S[min(job.attempts, len(PAUSES_S)) - 1]
                retry = not error.for_good and job.attempts <= len(PAUSES_S)
                await self._jobs.failed(job, str(error), retry=retry, after_s=pause_s)
        else:
            delivered = "delivered"
            with contextlib.suppress(LeaseLost):
                await self._jobs.done(job)
        self._metrics.webhooks_total.labels(delivered).inc()

    async def _post(self, url: str, message_id: str, body: bytes) -> None:
        if url not in self._secrets:
            raise Refused("the endpoint is not configured any more", for_good=True)
        parts = urlsplit(url)
        stamp = str(int(time.time()))
        headers = {
            "host": parts.netloc,
            "content-type": "application/cloudevents+json",
            "webhook-id": message_id,
            "webhook-timestamp": stamp,
            "webhook-signature": sign(self._secrets[url], message_id, stamp, body),
        }
        extensions = {"sni_hostname": parts.hostname}
        try:
            async with asyncio.timeout(TIMEOUT_S), httpx.AsyncClient(trust_env=False) as client:
                there = await self._resolve(parts)
                asking = client.stream(
                    "POST", there, content=body, headers=headers, extensions=extensions
                )
                async with asking as answer:
                    pass  # the status is all we read
        except TimeoutError as error:
            raise Refused(f"no answer within {TIMEOUT_S:g} s") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Refused(f"{type(error).__name__}: {error}") from error
        if not answer.is_success:
            raise Refused(f"HTTP {answer.status_code}", for_good=answer.status_code == GONE)

    async def _resolve(self, parts: SplitResult) -> str:
        """The URL with an allowed address, looked up once: what was checked is spoken to."""
        host, port = parts.hostname or "", parts.port or _default_port(parts.scheme)
        look = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        try:
            found = await asyncio.get_running_loop().run_in_executor(self._lookups, look)
        except (OSError, UnicodeError) as error:
            raise Refused(f"{host}: {getattr(error, 'strerror', '') or error}") from error
        for *_, place in found:
            address = ipaddress.ip_address(place[0])
            if any(address in network for network in self._allowed):
                there = f"[{address}]" if address.version == 6 else str(address)
                return parts._replace(netloc=f"{there}:{port}").geturl()
        raise Refused(f"{host} is at no address that [webhooks] allow lets us speak to")


def _payload(job: Job) -> tuple[str, dict[str, Any]]:
    """Where it goes, and what."""
    try:
        told = json.loads(job.payload)
        return str(told["url"]), dict(told["event"])
    except (ValueError, KeyError, TypeError) as error:
        raise Refused("what was stored of it cannot be read", for_good=True) from error


def sign(secret: bytes, message_id: str, stamp: str, body: bytes) -> str:
    """Standard Webhooks, version 1."""
    signed = b".".join((message_id.encode(), stamp.encode(), body))
    return "v1," + base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()


def _default_port(scheme: str) -> int:
    return 443 if scheme == "https" else 80


def _secret(endpoint: Endpoint) -> bytes:
    """From its file; raises SettingsError."""
    try:
        text = endpoint.secret_file.read_text(encoding="ascii").strip()
        secret = base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    except (OSError, ValueError) as error:
        raise SettingsError(
            "read a webhook's secret",
            f"{endpoint.secret_file}: {error}",
            "whsec_ and base64, as in: echo whsec_$(openssl rand -base64 32)",
        ) from error
    if not secret:
        raise SettingsError("read a webhook's secret", f"{endpoint.secret_file} is empty")
    return secret


def dead_letters(found: Sequence[Job]) -> list[dict[str, Any]]:
    """Deliveries as an operator looks at them."""
    letters = []
    for job in found:
        told = json.loads(job.payload)
        letters.append(
            {
                "id": job.id,
                "url": told["url"],
                "type": told["event"]["type"],
                "call": job.call_id,
                "attempts": job.attempts,
                "error": job.error,
            }
        )
    return letters
