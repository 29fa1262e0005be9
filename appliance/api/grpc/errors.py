"""LingtingError -> gRPC status, message and rich details, in one table."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from math import ceil
from typing import Any

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from appliance.errors import InvalidRequest, LingtingError, Overloaded
from appliance.metrics import Metrics

log = logging.getLogger(__name__)

DOOR = "riva"  # the metric label
# They last as long as a call, or as their caller wishes.
LASTING = frozenset({"StreamingRecognize", "StreamCall", "WatchCall", "WaitOperation"})
DOMAIN = "lingting"  # of google.rpc.ErrorInfo
MESSAGE_LIMIT = 1000  # characters; statuses travel in headers, which clients cap at 8 KiB
DEFAULT_RETRY_S = 1.0

STATUS = {
    "invalid_request": grpc.StatusCode.INVALID_ARGUMENT,
    "invalid_audio": grpc.StatusCode.INVALID_ARGUMENT,
    "too_large": grpc.StatusCode.INVALID_ARGUMENT,
    "not_found": grpc.StatusCode.NOT_FOUND,
    "unsupported": grpc.StatusCode.UNIMPLEMENTED,
    "overloaded": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "draining": grpc.StatusCode.UNAVAILABLE,
    "idle_timeout": grpc.StatusCode.DEADLINE_EXCEEDED,
    "engine_unavailable": grpc.StatusCode.UNAVAILABLE,
    "store_unavailable": grpc.StatusCode.UNAVAILABLE,
    "store_damaged": grpc.StatusCode.DATA_LOSS,
    "conflict": grpc.StatusCode.FAILED_PRECONDITION,
    "unauthenticated": grpc.StatusCode.UNAUTHENTICATED,
    "forbidden": grpc.StatusCode.PERMISSION_DENIED,
    "audit_unavailable": grpc.StatusCode.UNAVAILABLE,
}  # a code that is not here is our fault: INTERNAL, and its words stay in the log

CHINESE = {
    "INVALID_REQUEST": "请求参数有误，请按提示修改后重试。",
    "INVALID_AUDIO": "音频数据有误，或与声明的格式不符。",
    "TOO_LARGE": "内容超出本机允许的大小或时长。",
    "NOT_FOUND": "未找到所请求的对象。",
    "UNSUPPORTED": "当前模型或本机不支持该功能。",
    "OVERLOADED": "系统繁忙，请稍后重试。",
    "DRAINING": "服务正在停止，请稍后重新连接。",
    "IDLE_TIMEOUT": "长时间未收到数据，连接已结束。",
    "ENGINE_UNAVAILABLE": "识别引擎暂不可用，请稍后重试。",
    "STORE_UNAVAILABLE": "存储暂不可用，请稍后重试，或检查磁盘与数据库。",
    "STORE_DAMAGED": "存储的内容已损坏，请从备份恢复，或删除该通话。",
    "CONFLICT": "对象当前的状态不允许此操作。",
    "UNAUTHENTICATED": "缺少有效的密钥或证书，请联系安全管理员。",
    "FORBIDDEN": "没有执行此操作的权限，请联系安全管理员。",
    "AUDIT_UNAVAILABLE": "审计日志暂不可写，操作未执行，请检查磁盘。",
    "INTERNAL": "系统内部错误，请将错误编号告知管理员。",
    "MODEL_UNAVAILABLE": "没有符合所请求语言、采样率或名称的模型。",
    "HEADER_MISMATCH": "音频文件头与声明的编码不一致。",
    "CONFIG_EXPECTED": "第一条消息必须是识别配置。",
    "CONFIG_REPEATED": "识别配置只能发送一次。",
    "EMPTY_AUDIO": "没有音频数据。",
    "SAMPLE_RATE_OUT_OF_RANGE": "采样率必须在 8000 至 96000 之间。",
}

# Words of other rooms that Riva's clients look for; they are told alone, as Riva tells them.
VERBATIM = {
    "Error: config format doesn't match with header format": "HEADER_MISMATCH",
    "empty audio": "EMPTY_AUDIO",
    "sample_rate_hertz must be between 8000 and 96000": "SAMPLE_RATE_OUT_OF_RANGE",
}


class RivaRefusal(InvalidRequest):
    """A refusal in exactly the words that Riva's clients look for."""

    def __init__(
        self, words: str, reason: str, *, param: str | None = None, hint: str = ""
    ) -> None:
        super().__init__("read the request", words, hint, param=param)
        self.reason = reason

    def __str__(self) -> str:
        return self.cause


@dataclass(frozen=True, slots=True)
class GrpcFault:
    """What goes over the wire for one error."""

    status: grpc.StatusCode
    message: str
    trailing: tuple[tuple[str, str | bytes], ...]


def answer_to(error: Exception) -> GrpcFault:
    """How `error` is told to a client; logs what the client is not told."""
    if isinstance(error, DecodeError):
        error = InvalidRequest("read the message", "it is not of the type that this method takes")
    if isinstance(error, LingtingError) and error.code in STATUS:
        return _answer_known(error)
    error_id = secrets.token_hex(6)
    log.error("internal error %s", error_id, exc_info=error)
    info = error_details_pb2.ErrorInfo(
        reason="INTERNAL", domain=DOMAIN, metadata={"error_id": error_id}
    )
    message = f"internal error {error_id}; the log of the box says more"
    return _answer(grpc.StatusCode.INTERNAL, message, info, retry_s=None)


def _answer_known(error: LingtingError) -> GrpcFault:
    verbatim = VERBATIM.get(error.cause)
    reason = verbatim or getattr(error, "reason", error.code.upper())
    message = error.cause if verbatim else str(error)
    info = error_details_pb2.ErrorInfo(
        reason=reason,
        domain=DOMAIN,
        metadata={
            "retryable": str(error.retryable).lower(),
            "param": error.param or "",
            "hint": error.hint,
        },
    )
    retry_s = getattr(error, "retry_after_s", DEFAULT_RETRY_S) if error.retryable else None
    return _answer(STATUS[error.code], message, info, retry_s)


def _answer(
    status: grpc.StatusCode,
    message: str,
    info: error_details_pb2.ErrorInfo,
    retry_s: float | None,
) -> GrpcFault:
    message = message[:MESSAGE_LIMIT]
    rich = status_pb2.Status(code=status.value[0], message=message)
    details: list[Any] = [
        info,
        error_details_pb2.LocalizedMessage(
            locale="zh-CN", message=CHINESE.get(info.reason, CHINESE["INVALID_REQUEST"])
        ),
    ]
    trailing: list[tuple[str, str | bytes]] = []
    if retry_s is not None:
        retry_ms = ceil(retry_s * 1000)
        delay = duration_pb2.Duration(seconds=retry_ms // 1000, nanos=retry_ms % 1000 * 1_000_000)
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
        trailing.append(("grpc-retry-pushback-ms", str(retry_ms)))
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        rich.details.append(packed)
    trailing.append(("grpc-status-details-bin", rich.SerializeToString()))
    return GrpcFault(status, message, tuple(trailing))


@asynccontextmanager
async def answering(
    context: Any, metrics: Metrics, method: str, door: str = DOOR
) -> AsyncIterator[None]:
    """Turn whatever fails inside into one status, and count how it went."""
    started = time.perf_counter()
    status = grpc.StatusCode.OK
    try:
        yield
    except asyncio.CancelledError:
        status = grpc.StatusCode.CANCELLED  # the client has gone
        raise
    except Exception as error:
        if isinstance(error, grpc.aio.BaseError):  # gRPC's own: the client has gone
            status = grpc.StatusCode.CANCELLED
            raise asyncio.CancelledError from None
        answer = answer_to(error)
        status = answer.status
        await _end(context, answer)
    finally:
        metrics.requests_total.labels(door, method, status.name).inc()
        if method not in LASTING:
            took_s = time.perf_counter() - started
            metrics.request_duration_seconds.labels(door, method).observe(took_s)


async def _end(context: Any, answer: GrpcFault) -> None:
    try:
        await context.abort(answer.status, answer.message, answer.trailing)
    except grpc.aio.AbortError:
        raise
    except grpc.aio.BaseError:  # the connection did not take even the status
        log.info("a client left before it was told: %s", answer.message)
        raise asyncio.CancelledError from None


def overloaded(what: str, limit: int) -> Overloaded:
    """The door's own refusal, before the call room is even asked."""
    return Overloaded("admit the request", f"{limit} {what} are open already", "try again later")
