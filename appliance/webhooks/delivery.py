"""Delivers one webhook: Standard Webhooks (headers and signature) around CloudEvents (body).

The body is thin: who wants to know more asks for the call. Only allowed addresses are spoken to,
and redirects are not followed.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import ipaddress
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from urllib.parse import SplitResult, urlsplit

import httpx

from appliance.errors import LingtingError, SettingsError
from appliance.settings.keeping import Endpoint, WebhooksSettings

SECRET_PREFIX = "whsec_"
TIMEOUT_S = 15.0  # of a whole delivery; shorter than the lease of its job
LOOKUPS = 4  # of names, at once
GONE = 410
LONGEST_ERROR = 300


class Refused(LingtingError):
    """The receiver, or our own rules, did not take a delivery."""

    def __init__(self, why: str, *, for_good: bool = False) -> None:
        super().__init__("deliver a webhook", why[:LONGEST_ERROR])
        self.for_good = for_good


class Deliverer:
    """A client for each endpoint, so that no connection serves another name; `close` it."""

    def __init__(self, settings: WebhooksSettings) -> None:
        self._secrets = {str(e.url): _secret(e) for e in settings.endpoints}
        self._allowed = settings.allow
        # Of its own: a name server that hangs must not hold up who writes audio.
        self._lookups = ThreadPoolExecutor(LOOKUPS, "webhook-names")
        self._clients = {url: httpx.AsyncClient(trust_env=False) for url in self._secrets}

    async def close(self) -> None:
        await asyncio.gather(*(client.aclose() for client in self._clients.values()))
        self._lookups.shutdown(wait=False, cancel_futures=True)

    async def post(self, payload: bytes) -> None:
        """What `Webhooks` has queued; raises Refused."""
        url, message_id, body = _opened(payload)
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
            async with asyncio.timeout(TIMEOUT_S):
                there = await self._resolve(parts)
                asking = self._clients[url].stream(
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


def _opened(payload: bytes) -> tuple[str, str, bytes]:
    """Where it goes, its id, and what it says."""
    try:
        told = json.loads(payload)
        return str(told["url"]), str(told["event"]["id"]), json.dumps(told["event"]).encode()
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
