"""How the box is, as the page's first look tells it: from its health and its own metrics."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from appliance.engine.failover import READY
from appliance.engine.switch import Shadow
from appliance.metrics import Metrics
from appliance.watch.history import by_label, value_of
from inference.tensors import ModelCard

if TYPE_CHECKING:
    from appliance.call.box import Box

DAY_S = 86_400.0
GOOD_ROOM, LEAST_ROOM = 0.10, 0.05  # of a disk, free
GOOD_DAYS, LEAST_DAYS = 30, 2  # of a certificate
OLDEST_JOB_S = 3600.0
OLDEST_BACKUP_S = 8 * DAY_S
OLDEST_AUDIT_S = 3 * 3600.0  # it is read once an hour


class Grade(StrEnum):
    """How well something is; the page's worst one is its headline."""

    GOOD = "good"
    LOOK = "look"  # somebody should look at it, in office hours
    BAD = "bad"  # now


@dataclass(frozen=True, slots=True)
class EngineState:
    name: str
    in_use: bool
    grade: Grade
    reason: str  # why it is not ready
    canary_age_s: float | None
    legs: int | None  # live legs it carries, once measured


@dataclass(frozen=True, slots=True)
class Disk:
    place: str
    free_bytes: float
    grade: Grade


@dataclass(frozen=True, slots=True)
class Certificate:
    door: str
    days: float
    grade: Grade


@dataclass(frozen=True, slots=True)
class JobsState:
    waiting: int
    oldest_s: float
    dead: int
    grade: Grade


@dataclass(frozen=True, slots=True)
class Backup:
    age_s: float | None  # None: never
    grade: Grade


@dataclass(frozen=True, slots=True)
class AuditState:
    whole: int  # 1 whole, 0 tampered with, -1 not read yet
    age_s: float | None  # since it was last read; None: never
    grade: Grade


@dataclass(frozen=True, slots=True)
class BoxState:
    """All of it."""

    engines: tuple[EngineState, ...]
    models: tuple[ModelCard, ...]
    shadow: Shadow | None  # a bundle that hears a share of the windows, too
    live: tuple[tuple[str, int], ...]  # calls by hotline system, most first
    legs: int
    capacity: int
    finals_only: bool  # partials are given up for the sake of finals
    recordings: int
    disks: tuple[Disk, ...]
    certificates: tuple[Certificate, ...]
    jobs: JobsState
    audit: AuditState
    firewall: int  # 1 loaded, 0 not loaded or unknown, -1 not used
    backup: Backup
    draining: bool
    serves: bool

    @property
    def grade(self) -> Grade:
        """The worst of all."""
        if not self.serves or self.draining or not self.firewall:
            return Grade.BAD
        grades = {
            Grade.LOOK if self.finals_only else Grade.GOOD,
            self.jobs.grade,
            self.backup.grade,
            self.audit.grade,
            *(each.grade for each in self.engines),
        }
        grades |= {each.grade for each in self.disks}
        grades |= {each.grade for each in self.certificates}
        return next((g for g in (Grade.BAD, Grade.LOOK) if g in grades), Grade.GOOD)


def look(box: Box) -> BoxState:
    metrics = box.metrics
    live = by_label(metrics.system_live_calls, "system")
    health = box.health()
    return BoxState(
        engines=tuple(_engines(box)),
        models=box.cards(),
        shadow=box.switch.shadow,
        live=tuple(sorted(((s, int(n)) for s, n in live.items() if n), key=lambda pair: -pair[1])),
        legs=int(value_of(metrics.live_legs)),
        capacity=int(value_of(metrics.live_legs_capacity)),
        finals_only=bool(value_of(metrics.partials_paused)),
        recordings=int(value_of(metrics.recordings_running)),
        disks=tuple(_disks(metrics)),
        certificates=tuple(_certificates(metrics)),
        jobs=_jobs(metrics),
        audit=_audit(metrics),
        firewall=int(value_of(metrics.firewall_loaded)),
        backup=_backup(metrics),
        draining=box.draining,
        serves=health["engine"].ok,
    )


def _engines(box: Box) -> Iterator[EngineState]:
    health, metrics = box.health()["engine"], box.metrics
    seen_at = by_label(metrics.canary_last_success_timestamp_seconds, "engine")
    legs = by_label(metrics.engine_live_legs, "engine")
    for name, state in health.parts.items():
        ready = state == READY
        age_s = time.time() - seen_at[name] if name in seen_at else None
        reason = "" if ready else state
        grade = Grade.GOOD if ready else Grade.LOOK if health.ok else Grade.BAD
        carried = int(legs[name]) if name in legs else None
        yield EngineState(name, health.in_use == name, grade, reason, age_s, carried)


def _disks(metrics: Metrics) -> Iterator[Disk]:
    free, size = (
        by_label(metrics.disk_free_bytes, "place"),
        by_label(metrics.disk_size_bytes, "place"),
    )
    for place, free_bytes in free.items():
        share = free_bytes / max(size.get(place, 0.0), 1.0)
        grade = Grade.BAD if share < LEAST_ROOM else Grade.LOOK if share < GOOD_ROOM else Grade.GOOD
        yield Disk(place, free_bytes, grade)


def _certificates(metrics: Metrics) -> Iterator[Certificate]:
    for door, expires_at in by_label(metrics.certificate_expiry_timestamp_seconds, "door").items():
        days = (expires_at - time.time()) / DAY_S
        grade = Grade.BAD if days < LEAST_DAYS else Grade.LOOK if days < GOOD_DAYS else Grade.GOOD
        yield Certificate(door, days, grade)


def _jobs(metrics: Metrics) -> JobsState:
    by_state = by_label(metrics.jobs, "state")
    oldest_s = max(by_label(metrics.jobs_oldest_seconds, "kind").values(), default=0.0)
    dead = int(by_state.get("dead", 0))
    waiting = int(by_state.get("queued", 0) + by_state.get("running", 0))
    grade = Grade.LOOK if dead or oldest_s > OLDEST_JOB_S else Grade.GOOD
    return JobsState(waiting, oldest_s, dead, grade)


def _backup(metrics: Metrics) -> Backup:
    """Without any, the box's first start counts: a new box has some days to get one."""
    made_at = value_of(metrics.backup_last_success_timestamp_seconds)
    since = made_at or value_of(metrics.first_start_timestamp_seconds) or time.time()
    late = time.time() - since > OLDEST_BACKUP_S
    return Backup(time.time() - made_at if made_at else None, Grade.LOOK if late else Grade.GOOD)


def _audit(metrics: Metrics) -> AuditState:
    whole = int(value_of(metrics.audit_whole))
    read_at = value_of(metrics.audit_verified_timestamp_seconds)
    age_s = time.time() - read_at if read_at else None
    late = age_s is not None and age_s > OLDEST_AUDIT_S
    return AuditState(whole, age_s, Grade.BAD if not whole else Grade.LOOK if late else Grade.GOOD)
