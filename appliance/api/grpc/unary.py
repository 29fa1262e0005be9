"""Methods of one message: read, answered, written; what is no message gets a clear error."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

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


def handlers(servicer: Any) -> Any:
    """A service of nothing but such methods, on the wire.

    Args:
        servicer: has its descriptor as `service`, `answering`, and a method for each of its own.
    """
    methods = {
        each.name: unary(
            servicer.answering,
            getattr(servicer, each.name),
            GetMessageClass(each.input_type),
            GetMessageClass(each.output_type),
        )
        for each in servicer.service.methods
    }
    return grpc.method_handlers_generic_handler(servicer.service.full_name, methods)
