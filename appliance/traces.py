"""OpenTelemetry traces of calls, off until `traces.collector` names a collector on this machine.

    call                       from its opening to its hang-up
      utterance                from the speaker's first sound to the published final
        ask                    one question to one engine, a partial's or the final's; those about
                               voices and moods are parts of the call
          queue                until its batch began, and the way there and back
          model                while the model worked on its batch

The one door to OpenTelemetry, so that a span tells only what is in `Field`: labels that metrics
have too, and numbers. Never a word that was said, nor a name or number of a call or of a caller.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypedDict, Unpack

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Span as Span
from opentelemetry.trace import StatusCode

from appliance.errors import LingtingError
from appliance.settings.watching import TracesSettings

log = logging.getLogger(__name__)

QUEUE_SPANS = 4096  # that wait for the collector; more are dropped
EXPORT_EVERY_MS = 1000
EXPORT_TIMEOUT_S = 3
LAST_SPANS_S = 2.0  # a collector that is away holds up no restart

_tracer = trace.get_tracer("lingting")  # does nothing until set_up_traces has been called


class Field(TypedDict, total=False):
    """What a span may tell."""

    door: str
    kind: str
    system: str  # as the metrics name it
    leg: int
    legs: int
    engine: str
    model: str
    priority: str
    audio_s: float
    batch: int
    error: str  # LingtingError.code


class SpanFields(SpanExporter):
    """Says once that nobody takes the spans, and once that somebody does again."""

    def __init__(self, exporter: SpanExporter, collector: str) -> None:
        self._exporter, self._collector, self._taken = exporter, collector, True

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        taken = result is SpanExportResult.SUCCESS
        if taken and not self._taken:
            log.info("the collector at %s takes traces again", self._collector)
        elif self._taken and not taken:
            log.warning("no collector at %s takes traces; calls go on", self._collector)
        self._taken = taken
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()


def set_up_traces(settings: TracesSettings) -> Callable[[], None]:
    """Send spans to the collector from now on; what it returns sends the last ones and ends that.

    Once per process.
    """
    if not settings.collector:
        return lambda: None
    exporter = OTLPSpanExporter(
        endpoint=settings.collector,
        insecure=True,  # loopback
        timeout=EXPORT_TIMEOUT_S,
        channel_options=(("grpc.enable_http_proxy", 0),),  # type: ignore[arg-type]
    )
    provider = TracerProvider(
        sampler=ParentBased(TraceIdRatioBased(settings.share)),
        resource=Resource({"service.name": "lingting"}),  # nothing of the environment
        shutdown_on_exit=False,
    )
    provider.add_span_processor(
        BatchSpanProcessor(
            SpanFields(exporter, settings.collector),
            max_queue_size=QUEUE_SPANS,
            schedule_delay_millis=EXPORT_EVERY_MS,
        )
    )
    trace.set_tracer_provider(provider)

    def send_last() -> None:
        sending = threading.Thread(target=provider.shutdown, daemon=True)
        sending.start()
        sending.join(LAST_SPANS_S)

    return send_last


@contextlib.contextmanager
def spanning(name: str, *, root: bool = False, **fields: Unpack[Field]) -> Iterator[Span]:
    """A span around what is done inside, and the parent of what is begun there."""
    with _tracer.start_as_current_span(
        name,
        context=Context() if root else None,
        attributes=dict(fields),  # type: ignore[arg-type]
        record_exception=False,  # its words may quote a caller
        set_status_on_exception=False,
    ) as span:
        try:
            yield span
        except LingtingError as error:
            tell(span, error=error.code)
            span.set_status(StatusCode.ERROR)
            raise


def begin(name: str, **fields: Unpack[Field]) -> Span:
    """A span that its owner ends."""
    return _tracer.start_span(name, attributes=dict(fields))  # type: ignore[arg-type]


def end(span: Span) -> None:
    """Safe to call twice: the first one counts."""
    if span.is_recording():
        span.end()


def within(span: Span) -> contextlib.AbstractContextManager[Span]:
    """What is begun inside is a part of `span`, which goes on."""
    return trace.use_span(span, record_exception=False, set_status_on_exception=False)


def tell(span: Span, **fields: Unpack[Field]) -> None:
    span.set_attributes(dict(fields))  # type: ignore[arg-type]


def past(name: str, since_s: float, until_s: float, **fields: Unpack[Field]) -> None:
    """A part of the current span that is over: from and until so many seconds ago."""
    if trace.get_current_span().is_recording():
        now = time.time_ns()
        begun, ended = (now - int(ago_s * 1e9) for ago_s in (since_s, until_s))
        _tracer.start_span(
            name,
            start_time=begun,
            attributes=dict(fields),  # type: ignore[arg-type]
        ).end(ended)


def trace_id() -> str:
    """32 hex digits if what is done here is traced, else empty."""
    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.trace_flags.sampled else ""


def exemplar() -> dict[str, str] | None:
    """For a histogram: which trace to look at."""
    traced = trace_id()
    return {"trace_id": traced} if traced else None
