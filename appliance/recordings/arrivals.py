"""Recordings on their way in, until each is accepted: from then on it will reach an end."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from sqlalchemy.exc import IntegrityError

from appliance.call.hints import check_hints
from appliance.errors import Conflict, OutcomeUnknown, Overloaded
from appliance.feed.kept import new_id
from appliance.messages import CallConfig, CallState
from appliance.settings.calls import LimitsSettings
from appliance.store import codec, jobs
from appliance.store.claims import claim
from appliance.store.database import Also
from appliance.store.store import Store
from appliance.store.vault import audio_key

KIND = "recording"  # of jobs
LOOK_EVERY_BYTES = 16 << 20  # of an upload, between looks at the free disk


@dataclass(frozen=True, slots=True)
class Claim:
    """A caller's Idempotency-Key."""

    owner: str
    key: str


class Arrivals:
    """Takes them in, each in one go."""

    def __init__(self, store: Store, limits: LimitsSettings) -> None:
        self._store, self._limits = store, limits

    async def accept(
        self, config: CallConfig, chunks: AsyncIterator[bytes], claimed: Claim | None
    ) -> str:
        """See `Archive.accept`."""
        check_hints(config)
        if claimed and await self._store.claims.is_made(claimed.owner, claimed.key):
            return await self._answer_again(config, chunks, claimed)
        await self._check_room()
        return await self._take_in(new_id(), config, chunks, claimed)

    async def _answer_again(
        self, config: CallConfig, chunks: AsyncIterator[bytes], claimed: Claim
    ) -> str:
        """What this key made before; the audio is only compared."""
        digest = hashlib.sha256(codec.pack_config(config))
        async for chunk in chunks:
            digest.update(chunk)
        before = await self._before(claimed, digest.hexdigest())
        if before is None:
            raise Conflict("create a recording", "what its key made was deleted meanwhile")
        return before

    async def _take_in(
        self,
        call_id: str,
        config: CallConfig,
        chunks: AsyncIterator[bytes],
        claimed: Claim | None,
    ) -> str:
        """Seal the audio, then queue it in one transaction with the claim on its key.

        The audio's key is on the disk only once the audio is whole.
        """
        cipher, key = self._store.ring.draw()
        writer = self._store.vault.writer(call_id, cipher, key, arriving=True)
        digest = hashlib.sha256(codec.pack_config(config))
        queueing: asyncio.Future[None] | None = None
        looked = 0
        try:
            async for chunk in chunks:
                digest.update(chunk)
                await writer.write(chunk)
                if writer.bytes_taken - looked > LOOK_EVERY_BYTES:
                    looked = writer.bytes_taken
                    await self._check_disk()
            await writer.finish()
            before = await self._before(claimed, digest.hexdigest())
            if before is None:
                await self._store.ring.keep(audio_key(call_id), cipher, key)
                enqueue = self._enqueue(call_id, config, claimed, digest.hexdigest())
                queueing = asyncio.ensure_future(enqueue)
                await asyncio.shield(queueing)
        except BaseException as error:
            writer.close()
            if queueing and isinstance(error, (asyncio.CancelledError, OutcomeUnknown)):
                raise  # whoever sent it is not told, but it may be queued by now
            await asyncio.shield(self._store.forget(call_id))
            raise
        if before is not None:
            await self._store.forget(call_id)
            return before
        return call_id

    async def _check_room(self) -> None:
        await self._check_disk()
        waiting = await self._store.calls.count(CallState.QUEUED)
        if waiting >= self._limits.recordings_queued:
            raise Overloaded(
                "accept a recording", f"{waiting} wait already", "send it later", retry_after_s=30
            )

    async def _check_disk(self) -> None:
        if not await asyncio.to_thread(self._store.has_room):
            raise Overloaded(
                "accept a recording",
                "the disk is nearly full",
                "delete calls or audio, see [store] reserve_mib",
                retry_after_s=60,
            )

    async def _before(self, claimed: Claim | None, fingerprint: str) -> str | None:
        """What the same request made before."""
        if claimed is None:
            return None
        return await self._store.claims.find(claimed.owner, claimed.key, fingerprint)

    async def _enqueue(
        self, call_id: str, config: CallConfig, claimed: Claim | None, fingerprint: str
    ) -> None:
        _, queue = jobs.new(KIND, call_id=call_id)
        also: list[Also] = [queue]
        if claimed:
            also.append(claim(claimed.owner, claimed.key, fingerprint, call_id))
        try:
            await self._store.calls.create(call_id, config, CallState.QUEUED, *also)
        except IntegrityError as error:  # the same key, at the same moment
            raise Conflict(
                "create a recording",
                "another request with this Idempotency-Key is under way",
                "try again in a moment",
                param="Idempotency-Key",
            ) from error
