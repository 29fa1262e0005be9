"""lingting.hotline.v1.Hotline, and google.longrunning.Operations for its recordings."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import partial
from typing import TYPE_CHECKING, Any

import grpc
from google.longrunning import operations_pb2
from google.protobuf import empty_pb2

from appliance.access.roles import INSPECTS, READS, SENDS, AccessRole, Principal
from appliance.api.calls import (
    DEFAULT_PAGE,
    MOST_PER_PAGE,
    choose_language,
    make_token,
    read_token,
)
from appliance.api.fields import checked_begin
from appliance.api.grpc import hotline_answers as answers
from appliance.api.grpc.admission import RECOGNIZE, STREAMING, RpcAdmission
from appliance.api.grpc.auth import Doorman
from appliance.api.grpc.hotline_requests import ENCODINGS, ROLES, check, claim, filter_of, id_of
from appliance.api.grpc.interleave import Interleaver
from appliance.api.grpc.mirror import seconds
from appliance.api.grpc.stream import first_message
from appliance.api.grpc.unary import single, unary
from appliance.archive.archive import Archive
from appliance.call.conversation import PIECE_BYTES, Conversation, Heard, check_message
from appliance.errors import EngineUnavailable, IdleTimeout, InvalidRequest, TooLarge
from appliance.feed import kinds
from appliance.feed.kept import KeptCall
from appliance.messages import (
    AudioFormat,
    AudioProgress,
    CallConfig,
    CallState,
    LegRole,
    NumberedEvent,
)
from appliance.proto.lingting.hotline.v1 import hotline_pb2 as pb

if TYPE_CHECKING:
    from appliance.access.access import Access
    from appliance.call.box import Box

SERVICE = pb.DESCRIPTOR.services_by_name["Hotline"].full_name
OPERATIONS = "google.longrunning.Operations"
DOOR = "hotline"
LONGEST_WAIT_S = 600.0


class HotlineServicer:
    """Each method is translation around the box or the archive."""

    def __init__(
        self,
        box: Box,
        archive: Archive,
        admission: RpcAdmission,
        doorman: Doorman,
        access: Access | None,
    ) -> None:
        self._box, self._archive, self._admission = box, archive, admission
        self._doorman, self._access = doorman, access
        self._idle_s = box.settings.grpc.idle_timeout_s

    # --- live

    async def StreamCall(self, request_iterator: Any, context: Any) -> None:
        async with self.answering(context, "StreamCall", SENDS) as asked:
            who, context = asked.who, asked.context
            with self._admission.admit(STREAMING, who, self._box.draining):
                first = await first_message(context, self._admission, self._idle_s)
                if first is grpc.aio.EOF or first.WhichOneof("request") != "config":
                    raise InvalidRequest("open a call", "the first message must hold config")
                config = who.owned(self._config(first.config, live=True))
                heard = _heard(config, context)
                talk = Conversation(self._box, config, heard, idle_s=self._idle_s)
                async with talk:
                    with self._admission.stream(talk):
                        await self._converse(talk, context)
                if talk.status is not None:
                    raise talk.status

    async def _converse(self, talk: Conversation, context: Any) -> None:
        kept = talk.call.keeper
        assert isinstance(kept, KeptCall)
        last = 0
        async for told in talk.told():
            last = told.sequence
            if not isinstance(told.event, AudioProgress):
                await talk.send(context.write(kinds.as_grpc(kept.id, told)))
        if ended := await talk.end():
            await talk.send(context.write(kinds.as_grpc(kept.id, NumberedEvent(last, ended))))

    async def WatchCall(self, request: Any, context: Any) -> None:
        async with self.answering(context, "WatchCall", READS) as asked:
            who, context = asked.who, asked.context
            name = id_of(request.name)
            found = await self._archive.find(name, tenant=who.tenant)
            if who.is_human:
                await self._note(who, "call.follow", found.id)
            watching = self._archive.watch(
                found.id, max(0, request.after), partials=request.partials
            )
            async with contextlib.aclosing(watching):
                async for told in watching:
                    await self._write(context, kinds.as_grpc(found.id, told))

    # --- kept

    async def GetCall(self, request: Any, context: Any) -> Any:
        async with self.answering(context, "GetCall", READS) as asked:
            who, context = asked.who, asked.context
            record = await self._archive.get(id_of(request.name), tenant=who.tenant)
            if who.is_human:
                await self._note(who, "call.read", record.id)
            return answers.call(record)

    async def ListCalls(self, request: Any, context: Any) -> Any:
        async with self.answering(context, "ListCalls", READS) as asked:
            who, context = asked.who, asked.context
            size = request.page_size or DEFAULT_PAGE
            if not 1 <= size <= MOST_PER_PAGE:
                cause = f"page_size must be 1 to {MOST_PER_PAGE}"
                raise InvalidRequest("list calls", cause, param="page_size")
            after = read_token(request.page_token) if request.page_token else None
            rows = await self._archive.page(filter_of(request.filter, who.tenant), size + 1, after)
            more, rows = len(rows) > size, rows[:size]
            token = make_token(rows[-1].created_at, rows[-1].id) if more else ""
            calls = [answers.summary(row) for row in rows]
            return pb.ListCallsResponse(calls=calls, next_page_token=token)

    async def DeleteCall(self, request: Any, context: Any) -> Any:
        async with self.answering(context, "DeleteCall", INSPECTS) as asked:
            who, context = asked.who, asked.context
            name = id_of(request.name)
            found = await self._archive.find(name, tenant=who.tenant)
            async with self._doing(who, "call.delete", found.id):
                await self._archive.delete(name, tenant=who.tenant)
            return empty_pb2.Empty()

    async def CreateRecording(self, request_iterator: Any, context: Any) -> Any:
        async with self.answering(context, "CreateRecording", SENDS) as asked:
            who, context = asked.who, asked.context
            with (
                self._admission.admit(RECOGNIZE, who, self._box.draining),
                self._box.admission.upload(DOOR, who),
            ):
                first = await self._read(context)
                if first is grpc.aio.EOF or first.WhichOneof("request") != "config":
                    raise InvalidRequest("take a recording", "the first message must hold config")
                config = who.owned(self._config(first.config.call, live=False))
                claimed = claim(first.config.request_id, who.own_tenant)
                call_id = await self._archive.accept(config, self._content(context), claimed)
                return await self._operation(call_id, who)

    async def _content(self, context: Any) -> AsyncIterator[bytes]:
        most_mib, taken = self._box.settings.http.max_upload_mib, 0
        while (message := await self._read(context)) is not grpc.aio.EOF:
            if message.WhichOneof("request") != "content":
                raise InvalidRequest("take a recording", "only the first message holds config")
            taken += len(message.content)
            if taken > most_mib << 20:
                hint = "send a shorter or compressed one, or raise http.max_upload_mib"
                raise TooLarge("take a recording", f"it is over {most_mib} MiB", hint)
            yield message.content
        if not taken:
            raise InvalidRequest("take a recording", "empty audio", param="content")

    # --- operations

    async def GetOperation(self, request: Any, context: Any) -> Any:
        async with self.answering(context, "GetOperation", READS) as asked:
            who, context = asked.who, asked.context
            return await self._operation(id_of(request.name, "operations/"), who)

    async def WaitOperation(self, request: Any, context: Any) -> Any:
        async with self.answering(context, "WaitOperation", READS) as asked:
            who, context = asked.who, asked.context
            wanted_s = request.timeout.seconds + request.timeout.nanos / 1e9
            within_s = min(wanted_s or LONGEST_WAIT_S, LONGEST_WAIT_S)
            name = id_of(request.name, "operations/")
            await self._archive.wait(name, within_s, tenant=who.tenant)
            if self._access:
                self._access.gate.still(who)
            return await self._operation(name, who)

    async def CancelOperation(self, request: Any, context: Any) -> Any:
        async with self.answering(context, "CancelOperation", SENDS) as asked:
            who, context = asked.who, asked.context
            await self._archive.cancel(id_of(request.name, "operations/"), tenant=who.tenant)
            return empty_pb2.Empty()

    async def _operation(self, name: str, who: Principal) -> Any:
        row = await self._archive.find(name, tenant=who.tenant)
        record = await self._archive.get(row.id) if row.state is CallState.FINISHED else None
        if record and who.is_human:
            await self._note(who, "call.read", row.id)
        return answers.operation(row, await self._archive.progress(row.id), record)

    # --- the wire

    def answering(self, context: Any, method: str, roles: frozenset[AccessRole]) -> Any:
        return self._doorman.answering(context, method, DOOR, roles)

    def _doing(self, who: Principal, act: str, call_id: str) -> Any:
        if self._access is None:
            return contextlib.nullcontext()
        return self._access.doing(who, act, call_id)

    async def _note(self, who: Principal, act: str, call_id: str) -> None:
        """Raises AuditUnavailable: then it must not be done."""
        if self._access:
            await self._access.record(who, act, call_id)

    async def _read(self, context: Any) -> Any:
        try:
            async with asyncio.timeout(self._idle_s):
                return await context.read()
        except TimeoutError:
            raise IdleTimeout(
                "receive audio", f"the client sent nothing for {self._idle_s:g} s"
            ) from None

    async def _write(self, context: Any, message: Any) -> None:
        try:
            async with asyncio.timeout(self._idle_s):
                await context.write(message)
        except TimeoutError:
            cause = f"the client has read none for {self._idle_s:g} s"
            raise IdleTimeout("send events", cause) from None

    def _config(self, wanted: Any, *, live: bool) -> CallConfig:
        """Raises InvalidRequest with the field at fault."""
        cards = self._box.models()
        if not cards:
            raise EngineUnavailable("open a call", "no engine has a model loaded yet")
        check(wanted)
        return CallConfig(
            audio=AudioFormat(
                ENCODINGS[wanted.encoding], wanted.sample_rate_hertz, wanted.channels
            ),
            language=choose_language(wanted.language, cards[0]),
            caller=wanted.caller,
            agent=wanted.agent,
            hang_up=LegRole.UNKNOWN if live else ROLES[wanted.hang_up],
            began_at=0.0 if live else checked_begin(seconds(wanted, "begin_time")),
            interim=wanted.partials,
            live=live,
            hotwords=tuple(wanted.hotwords),
            moods=wanted.moods,
            diarize=wanted.diarize,
            least_speakers=wanted.min_speakers or 1,
            most_speakers=wanted.max_speakers,
            leg_roles=tuple(ROLES[role] for role in wanted.leg_roles),
            call_id=wanted.call_id,
            door=DOOR,
        )


async def _heard(config: CallConfig, context: Any) -> AsyncIterator[Heard]:
    """Audio of all legs together, or of each apart."""
    apart: Interleaver | None = None
    audio = config.audio
    while (message := await context.read()) is not grpc.aio.EOF:
        if message.WhichOneof("request") != "audio":
            raise InvalidRequest("go on with a call", "only the first message holds config")
        data = message.audio.content
        check_message(data)
        if message.audio.leg:
            apart = apart or Interleaver(audio.encoding, audio.rate_hz, audio.channels)
            data = apart.feed(message.audio.leg, data)
        for at in range(0, len(data), PIECE_BYTES):
            yield data[at : at + PIECE_BYTES]
    rest = apart.rest() if apart else b""
    for at in range(0, len(rest), PIECE_BYTES):
        yield rest[at : at + PIECE_BYTES]


def handlers(servicer: HotlineServicer) -> tuple[Any, ...]:
    """Both services on the wire."""

    one = partial(single, servicer.answering)
    both = partial(unary, servicer.answering)
    event = pb.CallEvent.SerializeToString
    hotline = {
        "StreamCall": grpc.stream_stream_rpc_method_handler(
            servicer.StreamCall, pb.StreamCallRequest.FromString, event
        ),
        "WatchCall": grpc.unary_stream_rpc_method_handler(
            one(servicer.WatchCall, pb.WatchCallRequest), None, event
        ),
        "CreateRecording": grpc.stream_unary_rpc_method_handler(
            servicer.CreateRecording,
            pb.CreateRecordingRequest.FromString,
            operations_pb2.Operation.SerializeToString,
        ),
        "GetCall": both(servicer.GetCall, pb.GetCallRequest, pb.Call),
        "ListCalls": both(servicer.ListCalls, pb.ListCallsRequest, pb.ListCallsResponse),
        "DeleteCall": both(servicer.DeleteCall, pb.DeleteCallRequest, empty_pb2.Empty),
    }
    found, op = operations_pb2, operations_pb2.Operation
    operations = {
        "GetOperation": both(servicer.GetOperation, found.GetOperationRequest, op),
        "WaitOperation": both(servicer.WaitOperation, found.WaitOperationRequest, op),
        "CancelOperation": both(
            servicer.CancelOperation, found.CancelOperationRequest, empty_pb2.Empty
        ),
    }
    return (
        grpc.method_handlers_generic_handler(SERVICE, hotline),
        grpc.method_handlers_generic_handler(OPERATIONS, operations),
    )
