"""Every metric of the gateway. Base units, `lingting_` prefix, no call ids or numbers as labels.

Described in docs/metrics.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

from appliance.messages import CANARY_TENANT

disable_created_metrics()  # type: ignore[no-untyped-call]  # a third more series, which nobody asks for

LATENCY_BUCKETS_S = (
    *(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.25, 0.3, 0.4, 0.5, 0.6, 0.75),
    *(1, 1.5, 2, 2.5, 5, 7.5, 10),
)
BATCH_BUCKETS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64)
COMMIT_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)
CALL_BUCKETS_S = (30, 60, 120, 180, 300, 600, 900, 1800)
QUALITY_BUCKETS = (0, 20, 40, 50, 60, 70, 75, 80, 85, 90, 95, 100)
# Labels that a counter is born with, so that its first event is seen as an increase.
DOORS = ("riva", "hotline", "openai", "realtime", "recordings", "canary")
ENGINES = ("triton", "cpu")
KINDS = ("live", "recording")
REFUSALS = ("capacity", "engine", "streams", "recordings", "requests", "draining")
FAILURES = ("internal", "engine_unavailable", "store_unavailable")  # that the box is to blame for
MOST_SYSTEMS = 34  # labels of hotline systems, the two that all boxes have among them
OTHERS = "others"


class Metrics:
    """One registry per gateway, so that two in one process (tests) do not mix."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)
        self._systems: set[str] = set()

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"lingting_{name}", text, labels, registry=registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"lingting_{name}", text, labels, registry=registry)

        def histogram(
            name: str, text: str, *labels: str, buckets: tuple[float, ...] = LATENCY_BUCKETS_S
        ) -> Histogram:
            return Histogram(f"lingting_{name}", text, labels, buckets=buckets, registry=registry)

        self.calls_total = counter("calls_total", "calls opened", "door", "kind")
        self.calls_failed_total = counter(
            "calls_failed_total", "calls ended by an error", "door", "reason"
        )
        self.calls_refused_total = counter("calls_refused_total", "calls refused", "door", "reason")
        self.live_legs = gauge("live_legs", "legs of live calls being listened to")
        self.live_legs_capacity = gauge("live_legs_capacity", "live legs that would be admitted")
        self.recordings_running = gauge("recordings_running", "recordings being worked on")
        self.call_duration_seconds = histogram(
            "call_duration_seconds", "length of ended calls", "kind", buckets=CALL_BUCKETS_S
        )
        self.audio_seconds_total = counter(
            "audio_seconds_total", "audio taken in, per leg summed", "door", "kind"
        )
        self.requests_total = counter(
            "requests_total", "requests answered", "door", "method", "status"
        )
        self.request_duration_seconds = histogram(
            "request_duration_seconds",
            "time to the answer, or to its beginning over HTTP; not of what lasts, such as streams",
            *("door", "method"),
        )

        self.system_calls_total = counter(
            "system_calls_total", "calls a hotline system opened", "system", "kind"
        )
        self.system_calls_refused_total = counter(
            "system_calls_refused_total", "calls of a hotline system refused", "system"
        )
        self.system_live_calls = gauge(
            "system_live_calls", "live calls of a hotline system", "system"
        )
        self.system_endpoint_to_final_seconds = histogram(
            "system_endpoint_to_final_seconds", "endpoint to final, of a hotline system", "system"
        )

        self.first_partial_seconds = histogram(
            "first_partial_seconds", "speech start to first partial"
        )
        self.endpoint_to_final_seconds = histogram(
            "endpoint_to_final_seconds", "endpoint to final, live calls", "engine"
        )
        self.finals_total = counter("finals_total", "finals published", "engine")
        self.partials_total = counter("partials_total", "partials published")
        self.partials_dropped_total = counter(
            "partials_dropped_total", "partials given up", "reason"
        )
        self.partials_paused = gauge(
            "partials_paused", "1 while partials are given up for the sake of finals"
        )
        self.partial_interval_seconds = gauge(
            "partial_interval_seconds", "time between partials now, as load has widened it"
        )

        self.engine_windows_total = counter(
            "engine_windows_total", "questions answered", "engine", "model", "priority"
        )
        self.engine_errors_total = counter(
            "engine_errors_total", "questions an engine failed", "engine", "reason"
        )
        self.engine_waiting_windows = gauge(
            "engine_waiting_windows", "questions without an answer yet", "engine", "priority"
        )
        self.engine_audio_seconds_total = counter(
            "engine_audio_seconds_total",
            "audio in answered questions",
            *("engine", "model", "device"),
        )
        self.engine_latency_seconds = histogram(
            "engine_latency_seconds", "from asking to the answer", "engine", "model", "priority"
        )
        self.engine_queue_seconds = histogram(
            "engine_queue_seconds",
            "of that, the time no model worked on it",
            *("engine", "model", "priority"),
        )
        self.engine_batch_windows = histogram(
            "engine_batch_windows", "answered together", "engine", "model", buckets=BATCH_BUCKETS
        )
        self.engine_retries_total = counter(
            "engine_retries_total", "windows decoded again after a quality check", "engine"
        )

        self.journal_failures_total = counter(
            "journal_failures_total", "events published without being journalled first"
        )
        self.audio_shed_total = counter(
            "audio_shed_total", "live calls whose audio is not kept for want of disk"
        )
        self.subscriber_failures_total = counter(
            "subscriber_failures_total",
            "events that one who follows calls did not take, or calls it was cut off from",
            *("subscriber", "reason"),
        )
        self.subscriber_seconds = histogram(
            "subscriber_seconds", "what one event makes one who follows calls do", "subscriber"
        )
        self.webhooks_total = counter("webhooks_total", "deliveries tried", "result")
        self.jobs = gauge("jobs", "durable jobs in the store", "kind", "state")
        self.jobs_oldest_seconds = gauge(
            "jobs_oldest_seconds", "age of the oldest job that is not over", "kind"
        )
        self.store_commit_seconds = histogram(
            "store_commit_seconds", "one transaction, with its fsync", buckets=COMMIT_BUCKETS
        )
        self.suggestion_seconds = histogram(
            "suggestion_seconds", "what a citizen wants looked up in the knowledge base"
        )
        self.knowledge_entries = gauge("knowledge_entries", "entries that answer")
        self.knowledge_gaps = gauge("knowledge_gaps", "matters asked for that have no entry")
        self.quality_points = histogram(
            "quality_points", "totals of inspected calls, 0..100", buckets=QUALITY_BUCKETS
        )
        self.quality_rules_failed_total = counter(
            "quality_rules_failed_total", "quality rules that a call made fail", "rule"
        )
        self.warnings = counter("warnings_total", "early warnings raised", "kind")
        self.warnings_open = gauge("warnings_open", "early warnings that are not over", "state")
        self.warnings_unseen_seconds = gauge(
            "warnings_unseen_seconds", "age of the oldest early warning that nobody acknowledged"
        )
        self.engine_live_legs = gauge(
            "engine_live_legs", "live legs an engine carries, as measured at its start", "engine"
        )
        self.failovers_total = counter("failovers_total", "windows retried elsewhere", "from", "to")
        self.breaker_open = gauge("breaker_open", "1 while an engine is not used", "engine")
        self.breaker_opened_total = counter(
            "breaker_opened_total", "times opened", "engine", "reason"
        )
        self.canary_total = counter(
            "canary_total",
            "canary inferences",
            "engine",
            "result",
        )
        self.canary_seconds = histogram("canary_seconds", "time of good canaries", "engine")
        self.canary_last_success_timestamp_seconds = gauge(
            "canary_last_success_timestamp_seconds", "when a canary last came back", "engine"
        )
        self.canary_calls_total = counter(
            "canary_calls_total", "calls of the box's own in quiet hours", "result"
        )
        self.canary_calls_failing = gauge(
            "canary_calls_failing", "such calls that failed since the last that went well"
        )
        self.canary_call_last_success_timestamp_seconds = gauge(
            "canary_call_last_success_timestamp_seconds", "when such a call last heard its words"
        )
        self.triton_restarts_total = counter("triton_restarts_total", "times a child was restarted")
        self.model_info = gauge(
            "model_info", "always 1", "engine", "model", "version", "device", "demo"
        )
        self.music_seconds_total = counter(
            "music_seconds_total", "heard as utterances, and left out as hold music"
        )
        self.corrections_total = counter(
            "corrections_total", "terms put in where something like them was heard"
        )
        self.shadow_windows_total = counter(
            "shadow_windows_total", "windows that a bundle on trial was asked, too", "result"
        )
        self.shadow_agreement = gauge(
            "shadow_agreement", "share of the characters that it and the leading one heard alike"
        )
        self.shadow_cost = gauge("shadow_cost", "its work, times that of the leading one")
        self.vad_batch_frames = histogram(
            "vad_batch_frames", "legs whose frames were judged together", buckets=BATCH_BUCKETS
        )

        self.disk_free_bytes = gauge("disk_free_bytes", "room left", "place")
        self.disk_size_bytes = gauge("disk_size_bytes", "of the whole file system", "place")
        self.certificate_expiry_timestamp_seconds = gauge(
            "certificate_expiry_timestamp_seconds", "when a door's certificate expires", "door"
        )
        self.audit_whole = gauge(
            "audit_whole", "0 if the audit log was tampered with, -1 until it was first read"
        )
        self.audit_whole.set(-1)
        self.audit_verified_timestamp_seconds = gauge(
            "audit_verified_timestamp_seconds", "when the audit log was last read whole"
        )
        self.looked_timestamp_seconds = gauge(
            "looked_timestamp_seconds", "when the box last looked at a thing of its own", "thing"
        )
        self.audit_records = gauge("audit_records", "records of the audit log, when last read")
        self.backup_last_success_timestamp_seconds = gauge(
            "backup_last_success_timestamp_seconds", "when a backup was last made; 0: never"
        )
        self.restore_test_last_success_timestamp_seconds = gauge(
            "restore_test_last_success_timestamp_seconds",
            "when a backup was last found to be readable; 0: never",
        )
        self.first_start_timestamp_seconds = gauge(
            "first_start_timestamp_seconds", "when this box's audit log begins"
        )
        self.firewall_denied_packets_total = counter(
            "firewall_denied_packets_total", "packets the firewall dropped", "direction"
        )
        self.firewall_loaded = gauge(
            "firewall_loaded", "0 if its rules are not loaded or unknown, -1 where it is not used"
        )
        self.firewall_loaded.set(-1)
        self._bear()

    def _bear(self) -> None:
        """Counters at zero, before there is anything to count."""
        for door in DOORS:
            _born(self.calls_total, [door], KINDS)
            _born(self.calls_refused_total, [door], REFUSALS)
            _born(self.calls_failed_total, [door], FAILURES)
        _born(self.endpoint_to_final_seconds, ENGINES)
        _born(self.finals_total, ENGINES)
        _born(self.engine_retries_total, ENGINES)
        _born(self.breaker_opened_total, ENGINES, ("start", "canary", "window"))
        _born(self.canary_total, ENGINES, ("good", "late", "failed"))
        _born(self.canary_calls_total, ("good", "late", "failed"))
        _born(self.failovers_total, ["triton"], ["cpu"])
        _born(self.firewall_denied_packets_total, ("ingress", "egress"))

        for tenant in (CANARY_TENANT, OTHERS):
            self._bear_system(tenant)

    def system(self, tenant: str) -> str:
        """A hotline system as a label; the first ones have their own, so that labels stay few."""
        if tenant not in self._systems:
            if len(self._systems) >= MOST_SYSTEMS:
                return OTHERS
            self._bear_system(tenant)
        return tenant

    def _bear_system(self, tenant: str) -> None:
        self._systems.add(tenant)
        _born(self.system_calls_total, [tenant], KINDS)
        _born(self.system_calls_refused_total, [tenant])
        _born(self.system_endpoint_to_final_seconds, [tenant])


def _born(metric: Counter | Histogram, *labels: Sequence[str]) -> None:
    """Every combination of its labels' values."""
    for values in product(*labels):
        metric.labels(*values)
