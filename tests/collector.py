"""An OpenTelemetry collector for tests: takes spans over OTLP and keeps them."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from concurrent import futures
from dataclasses import dataclass, field
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as pb
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as services
from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass
class Collector(services.TraceServiceServicer):
    address: str = ""
    raw: bytearray = field(default_factory=bytearray)  # everything it was sent
    spans: list[Span] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def Export(self, request: Any, context: Any) -> Any:
        with self.lock:
            self.raw += request.SerializeToString()
            for resource in request.resource_spans:
                for scope in resource.scope_spans:
                    self.spans += scope.spans
        return pb.ExportTraceServiceResponse()

    def named(self, name: str) -> list[Span]:
        with self.lock:
            return [span for span in self.spans if span.name == name]

    def until(self, name: str, count: int = 1, seconds: float = 20) -> list[Span]:
        deadline = time.monotonic() + seconds
        while len(found := self.named(name)) < count:
            assert time.monotonic() < deadline, f"{len(found)} spans {name!r} in {seconds} s"
            time.sleep(0.1)
        return found

    def parts(self, whole: Span, name: str) -> list[Span]:
        """Its children of that name."""
        return [span for span in self.named(name) if span.parent_span_id == whole.span_id]


def told(span: Span) -> dict[str, Any]:
    """A span's attributes."""
    return {a.key: getattr(a.value, str(a.value.WhichOneof("value"))) for a in span.attributes}


@contextlib.contextmanager
def collector(port: int = 0) -> Iterator[Collector]:
    made = Collector()
    server = grpc.server(futures.ThreadPoolExecutor(2))
    services.add_TraceServiceServicer_to_server(made, server)
    made.address = f"127.0.0.1:{server.add_insecure_port(f'127.0.0.1:{port}')}"
    server.start()
    yield made
    server.stop(None)
