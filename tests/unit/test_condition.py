"""What the box knows of itself, as metrics."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from appliance.access.pki import Authority
from appliance.messages import CANARY_TENANT
from appliance.metrics import MOST_SYSTEMS, OTHERS, Metrics
from appliance.security import audit
from appliance.security.audit import AuditEntry, AuditLog
from appliance.settings import Settings
from appliance.settings.doors import HttpSettings
from appliance.settings.keeping import StoreSettings
from appliance.settings.watching import WatchSettings
from appliance.store.backup import BACKUPS, RESTORE_TESTS
from appliance.store.store import Store as OpenStore
from appliance.watch.condition import FRESH_S, ConditionWatch


class ConditionRoom:
    """A condition over a folder; `value` looks anew."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.metrics = folder, Metrics()
        certificate = Authority(folder / "pki")
        certificate.create("test")
        shown = certificate.issue_server(["localhost"], folder / "server", 30)
        door = HttpSettings(tls_certificate=shown, tls_key=shown.with_suffix(".key"))
        self.settings = Settings(
            store=StoreSettings(folder=folder / "store"),
            http=door,
            watch=WatchSettings(firewall=folder / "nft"),
        )
        self.store = OpenStore(self.settings.store, self.metrics)
        self.audit = folder / "audit"
        log = AuditLog(self.audit, "sm3", bytes(32))
        log.append(AuditEntry("box", "box.start"))
        kinds = ("recording", "webhook")
        self.made = self.settings, self.store, self.audit, self.metrics, kinds
        self.condition = ConditionWatch(*self.made)

    async def value(self, name: str, **labels: str) -> float | None:
        await self.condition.look()
        return self.metrics.registry.get_sample_value(f"lingting_{name}", labels)

    def counters(self, *, age_s: float = 0.0, **packets: int) -> None:
        listed = [
            {"counter": {"name": f"{name}-denied", "packets": count}}
            for name, count in packets.items()
        ]
        path = self.settings.watch.firewall
        path.write_text(json.dumps({"nftables": [{"metainfo": {}}, *listed]}) if listed else "")
        os.utime(path, (time.time() - age_s,) * 2)


@pytest.fixture
async def room(tmp_path: Path) -> ConditionRoom:
    made = ConditionRoom(tmp_path)
    await made.store.start()
    return made


async def test_disks_certificates_and_the_audit_log(room: ConditionRoom) -> None:
    assert await room.value("disk_free_bytes", place="store")
    expires_at = await room.value("certificate_expiry_timestamp_seconds", door="http")
    assert expires_at and abs(expires_at - time.time() - 30 * 86400) < 3600
    assert Metrics().registry.get_sample_value("lingting_audit_whole") == -1
    assert await room.value("audit_whole") == 1
    path = next(room.audit.glob("audit-*.jsonl"))
    path.write_text(path.read_text().replace("box.start", "box.stop"))
    anew = ConditionWatch(*room.made)
    await anew.look()
    assert room.metrics.registry.get_sample_value("lingting_audit_whole") == 0


async def test_backups_by_their_records(room: ConditionRoom) -> None:
    assert await room.value("backup_last_success_timestamp_seconds") == 0
    lines = [
        {"at": "2026-11-20T08:00:00+0800", "ok": True},
        {"at": "2026-11-24T08:00:00+0800", "ok": False},
    ]
    for name in (BACKUPS, RESTORE_TESTS):
        (room.folder / name).write_text("".join(json.dumps(line) + "\n" for line in lines))
    for kind in ("backup", "restore_test"):
        assert await room.value(f"{kind}_last_success_timestamp_seconds") == 1795132800


async def test_the_firewall_as_root_wrote_it_down(room: ConditionRoom) -> None:
    assert await room.value("firewall_loaded") == -1  # it is not used
    room.counters(ingress=7, egress=3)
    assert await room.value("firewall_loaded") == 1
    denied = {"direction": "egress"}
    assert await room.value("firewall_denied_packets_total", **denied) == 3
    room.counters(ingress=9, egress=5)
    assert await room.value("firewall_denied_packets_total", **denied) == 5
    room.counters(ingress=0, egress=1)  # loaded anew
    assert await room.value("firewall_denied_packets_total", **denied) == 6
    room.counters()
    assert await room.value("firewall_loaded") == 0
    room.counters(egress=1, age_s=2 * FRESH_S)  # the timer has stopped
    assert await room.value("firewall_loaded") == 0


async def test_jobs_and_their_age(room: ConditionRoom) -> None:
    assert await room.value("jobs_oldest_seconds", kind="recording") == 0
    await room.store.jobs.add("recording", call_id="c", payload=b"")
    assert await room.value("jobs", kind="recording", state="queued") == 1
    assert (await room.value("jobs_oldest_seconds", kind="recording") or 0) > 0


async def test_what_cannot_be_seen_hides_nothing_else(room: ConditionRoom) -> None:
    for nonsense in ("{ no json", "[]", '{"nftables": [7]}', '{"nftables": 7}'):
        room.settings.watch.firewall.write_text(nonsense)
        (room.folder / BACKUPS).write_text(f"{nonsense}\n")
        room.metrics.jobs.clear()
        assert await room.value("disk_free_bytes", place="store")
        assert await room.value("jobs", kind="recording", state="dead") == 0
    assert await room.value("looked_timestamp_seconds", thing="jobs")
    assert not await room.value("looked_timestamp_seconds", thing="firewall")
    assert not await room.value("looked_timestamp_seconds", thing="backups")


async def test_an_audit_log_that_cannot_be_read_is_not_read_all_the_time(
    room: ConditionRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = 0

    async def fails(folder: Path) -> None:
        nonlocal tries
        tries += 1
        raise OSError("no memory")

    monkeypatch.setattr(audit, "verify_apart", fails)
    for _ in range(3):
        assert await room.value("audit_whole") == -1
    assert tries == 1


def test_labels_of_hotline_systems_stay_few() -> None:
    metrics = Metrics()
    named = {metrics.system(f"system-{number}") for number in range(10 * MOST_SYSTEMS)}
    assert len(named) == MOST_SYSTEMS - 1 and OTHERS in named  # the canary's is not among them
    assert metrics.system(CANARY_TENANT) == CANARY_TENANT
    assert metrics.system("system-0") == "system-0"
