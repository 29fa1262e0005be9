"""Who sent an RPC: the key in its metadata, the certificate of its connection, where it is from."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from appliance.access.gate import Proof
from appliance.access.roles import LOCAL, AccessRole, Principal
from appliance.api.auth import asks_for_keys, bearer
from appliance.api.grpc.errors import answering
from appliance.metrics import Metrics

if TYPE_CHECKING:
    from appliance.access.access import Access
    from appliance.settings import Settings


class Doorman:
    """Answers RPCs for those who may ask.

    Args:
        access: None where nothing is kept: then nothing is asked for.
    """

    def __init__(self, access: Access | None, settings: Settings, metrics: Metrics) -> None:
        self._access, self._metrics = access, metrics
        self._open = not asks_for_keys(settings, settings.grpc.host)

    @asynccontextmanager
    async def answering(
        self, context: Any, method: str, door: str, roles: Iterable[AccessRole]
    ) -> AsyncIterator[Asked]:
        """Like `errors.answering`, with whoever asks; raises nothing: refusals are answered."""
        async with answering(context, self._metrics, method, door):
            who = await self._admit(context, frozenset(roles))
            yield Asked(who, Guarded(context, who, self._access))

    async def _admit(self, context: Any, roles: frozenset[AccessRole]) -> Principal:
        if self._access is None:
            return LOCAL
        peer = context.peer()
        metadata = {name.lower(): value for name, value in context.invocation_metadata()}
        shown = Proof(
            key=bearer(str(metadata.get("authorization", ""))),
            certificate=_certificate(context.auth_context()),
            peer=address_of(peer),
            open_door=self._open,
            own_machine=peer.startswith("unix:"),
        )
        return await self._access.admit(shown, roles)


@dataclass(frozen=True, slots=True)
class Asked:
    """An RPC that was let in."""

    who: Principal
    context: Any  # use this one: it ends once they may no longer


class Guarded:
    """A context whose reads and writes end with the credential they began by."""

    def __init__(self, context: Any, who: Principal, access: Access | None) -> None:
        self._context, self._who, self._access = context, who, access

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    async def read(self) -> Any:
        message = await self._context.read()
        self._check()
        return message

    async def write(self, message: Any) -> None:
        self._check()
        await self._context.write(message)

    def _check(self) -> None:
        if self._access:
            self._access.gate.still(self._who)


def _certificate(facts: Any) -> str:
    """SHA-256 of the client certificate's DER, hex; empty if there is none."""
    pem = next(iter(facts.get("x509_pem_cert", ())), b"")
    if not pem:
        return ""
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem.decode())).hexdigest()


def address_of(peer: str) -> str:
    """gRPC's "ipv4:192.0.2.7:40312" -> the address alone."""
    return unquote(peer).partition(":")[2].rpartition(":")[0].strip("[]")
