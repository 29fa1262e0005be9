"""Disks, certificates, audit log, backups, jobs, firewall: looked at now and then, as metrics."""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import partial
from itertools import product
from pathlib import Path

from appliance.access.pki import days_left
from appliance.errors import LingtingError
from appliance.metrics import Metrics
from appliance.security import audit
from appliance.settings import Settings
from appliance.store.backup import BACKUPS, RESTORE_TESTS
from appliance.store.jobs import JobState
from appliance.store.store import Store

log = logging.getLogger(__name__)

LOOK_EVERY_S = 15.0
AUDIT_EVERY_S = 3600.0  # it is read from its first record
FRESH_S = 90.0  # of what the firewall's counters were written down
DAY_S = 86_400.0
DIRECTIONS = {"ingress-denied": "ingress", "egress-denied": "egress"}  # by the counter's name
LOADED, NOT_LOADED, NOT_USED = 1, 0, -1


class ConditionWatch:
    """`start` after the store, `close` before it. What cannot be looked at keeps its last value."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        audit_folder: Path,
        metrics: Metrics,
        kinds: Sequence[str],
    ) -> None:
        """`kinds` of jobs there are."""
        self._kinds = kinds
        self._settings, self._store, self._metrics = settings, store, metrics
        self._audit_folder = audit_folder
        self._kept_beside = settings.store.folder.parent
        self._denied = dict.fromkeys(DIRECTIONS.values(), 0)  # packets, when last read
        self._audited_at = 0.0  # monotonic s
        self._looking: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._looking = asyncio.create_task(self._look_always(), name="condition")

    async def close(self) -> None:
        if self._looking:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    async def _look_always(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """At everything, once; one thing that cannot be seen hides no other.

        The audit log comes last: it is long.
        """
        reads = (self._disks, self._certificates, self._backups, self._firewall)
        looks: dict[str, Callable[[], Awaitable[None]]] = {
            each.__name__: partial(asyncio.to_thread, each) for each in reads
        }
        for name, look in {**looks, "_jobs": self._jobs, "_audit": self._audit}.items():
            try:
                await look()
                self._metrics.looked_timestamp_seconds.labels(name.strip("_")).set_to_current_time()
            except (LingtingError, OSError) as error:
                log.warning("could not look at %s: %s", name.strip("_"), error)
            except Exception:  # what is there is not as it should be; the others are looked at
                log.exception("could not look at %s", name.strip("_"))

    def _disks(self) -> None:
        places = {"store": self._settings.store.folder, "scratch": Path(tempfile.gettempdir())}
        for place, folder in places.items():
            usage = shutil.disk_usage(folder)
            self._metrics.disk_free_bytes.labels(place).set(usage.free)
            self._metrics.disk_size_bytes.labels(place).set(usage.total)

    def _certificates(self) -> None:
        for name, door in (("grpc", self._settings.grpc), ("http", self._settings.http)):
            if door.tls_certificate:
                expires_at = time.time() + days_left(door.tls_certificate) * DAY_S
                self._metrics.certificate_expiry_timestamp_seconds.labels(name).set(expires_at)

    def _backups(self) -> None:
        made = _last_good(self._kept_beside / BACKUPS)
        tried = _last_good(self._kept_beside / RESTORE_TESTS)
        self._metrics.backup_last_success_timestamp_seconds.set(made)
        self._metrics.restore_test_last_success_timestamp_seconds.set(tried)
        self._metrics.first_start_timestamp_seconds.set(audit.begun(self._audit_folder))

    def _firewall(self) -> None:
        """As root's timer wrote it down: the gateway itself may not look."""
        path = self._settings.watch.firewall
        if not path.exists():
            self._metrics.firewall_loaded.set(NOT_USED)
            return
        fresh = time.time() - path.stat().st_mtime < FRESH_S  # else nobody looks any more
        counters = json.loads(path.read_text(encoding="utf-8") or "{}") if fresh else {}
        self._metrics.firewall_loaded.set(LOADED if counters else NOT_LOADED)
        for each in counters.get("nftables", []):
            counter = each.get("counter", {})
            if direction := DIRECTIONS.get(counter.get("name", "")):
                now, before = int(counter["packets"]), self._denied[direction]
                more = now - before if now >= before else now  # it was loaded anew
                self._metrics.firewall_denied_packets_total.labels(direction).inc(more)
                self._denied[direction] = now

    async def _audit(self) -> None:
        if self._audited_at and time.monotonic() - self._audited_at < AUDIT_EVERY_S:
            return
        self._audited_at = time.monotonic()  # though it fails: it is long
        verdict = await audit.verify_apart(self._audit_folder)
        self._metrics.audit_whole.set(verdict.ok)
        self._metrics.audit_records.set(verdict.records)
        if verdict.ok:
            self._metrics.audit_verified_timestamp_seconds.set_to_current_time()
        else:
            log.error("the audit log was tampered with: %s", verdict.fault)

    async def _jobs(self) -> None:
        counts, begun = await self._store.jobs.counts(), await self._store.jobs.oldest()
        for kind, state in product(self._kinds, JobState):
            self._metrics.jobs.labels(kind, state).set(counts.get((kind, state.value), 0))
        for kind in self._kinds:
            age_s = max(0.0, time.time() - begun[kind]) if kind in begun else 0.0
            self._metrics.jobs_oldest_seconds.labels(kind).set(age_s)


def _last_good(path: Path) -> float:
    """When the newest record that ended well was made, s since 1970; 0 if there is none."""
    if not path.exists():
        return 0.0
    lines = path.read_text(encoding="utf-8").splitlines()
    good = (json.loads(line)["at"] for line in reversed(lines) if json.loads(line)["ok"])
    newest = next(good, None)
    return datetime.fromisoformat(newest).timestamp() if newest else 0.0
