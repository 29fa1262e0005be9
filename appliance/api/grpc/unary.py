"""Methods of one message: read, answered, written; what is no message gets a clear error."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from appliance.access.roles import ANYBODY

Answering = Callable[..., Any]  # a doorman's, of (context, method, roles)
Method = Callable[[Any, Any], Awaitable[Any]]


def single(answering: Answering, method: Method, kind: Any) -> Method:
    """gRPC would answer what is no message by UNKNOWN, and log a traceback."""

    async def parsed(data: bytes, context: Any) -> Any:
        try:
            request = kind.FromString(data)
        except DecodeError as error:
            async with answering(context, method.__name__, ANYBODY):
                raise error
        return await method(request, context)

    return parsed


def unary(answering: Answering, method: Method, request: Any, response: Any) -> Any:
    """A handler of one message that answers by one."""
    return grpc.unary_unary_rpc_method_handler(
        single(answering, method, request), None, response.SerializeToString
    )
