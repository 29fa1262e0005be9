"""The rules of monitoring/, by promtool: each alert is silent in good times and comes in its fault.

`FAULTS` has for every alert what the box tells before and in the fault.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.alerts import RULES, alerts
from tests.architecture.repository import ROOT

MONITORING = ROOT / "monitoring"
GOOD = 100  # steps before the fault begins
pytestmark = pytest.mark.skipif(
    not shutil.which("promtool"), reason="needs Prometheus: make build/.monitoring"
)


@dataclass(frozen=True, slots=True)
class Fault:
    """What is told, in promtool's notation.

    Args:
        tells: series -> (how it goes on from its first value in good times, its values in the
            fault); `+n` is a counter that grows by n per step.
        steps: until the alert must have come.
    """

    tells: dict[str, tuple[str, str]]
    steps: int = 30
    step: str = "1m"


def finals(late: str) -> dict[str, tuple[str, str]]:
    name = "lingting_system_endpoint_to_final_seconds"
    in_time = f"+{60 - int(late)}"
    return {
        f'{name}_count{{system="a"}}': ("+60", "+60"),
        f'{name}_bucket{{system="a",le="1.5"}}': ("+60", in_time),
        # the box's own calls, all of them late, are nobody's loss
        f'{name}_count{{system="canary"}}': ("+60", "+60"),
        f'{name}_bucket{{system="canary",le="1.5"}}': ("+0", "+0"),
    }


def calls(failed: str = "+0", refused: str = "+0") -> dict[str, tuple[str, str]]:
    return {
        'lingting_calls_total{door="riva"}': ("+20", "+20"),
        'lingting_calls_refused_total{door="riva",reason="capacity"}': ("+0", refused),
        'lingting_calls_refused_total{door="riva",reason="streams"}': ("+0", "+0"),
        'lingting_calls_refused_total{door="riva",reason="draining"}': ("+9", "+9"),
        'lingting_calls_refused_total{door="canary",reason="capacity"}': ("+9", "+9"),
        'lingting_calls_failed_total{door="riva",reason="internal"}': ("+0", failed),
        'lingting_calls_failed_total{door="riva",reason="invalid_audio"}': ("+9", "+9"),
    }


OLDEST = 'lingting_jobs_oldest_seconds{kind="recording"}'
BREAKERS = {'lingting_breaker_open{engine="triton"}': ("0", "1")}
DAY = 24  # steps of an hour

FAULTS = {
    "LingtingDown": Fault({'up{job="lingting"}': ("1", "0")}),
    "LingtingNoEngine": Fault({**BREAKERS, 'lingting_breaker_open{engine="cpu"}': ("0", "1")}),
    "LingtingTritonNotUsed": Fault(BREAKERS),
    "LingtingTritonDies": Fault(
        {
            'lingting_breaker_opened_total{engine="triton",reason="canary"}': ("+0", "+1"),
            'lingting_breaker_opened_total{engine="triton",reason="start"}': ("+1", "+1"),
        }
    ),
    "LingtingCanaryOld": Fault(
        {'lingting_canary_last_success_timestamp_seconds{engine="cpu"}': ("+60", "+0")}
    ),
    "LingtingQuietCallFails": Fault(
        {'lingting_canary_calls_total{result="failed"}': ("+0", "+1")}, steps=5
    ),
    "LingtingNearlyFull": Fault(
        {"lingting_live_legs": ("40", "90"), "lingting_live_legs_capacity": ("100", "100")}
    ),
    "LingtingRefuses": Fault(calls(refused="+2")),
    "LingtingGpuXid": Fault({'DCGM_FI_DEV_XID_ERRORS{gpu="0"}': ("0", "79")}),
    "LingtingGpuHot": Fault({'DCGM_FI_DEV_GPU_TEMP{gpu="0"}': ("70", "93")}),
    "LingtingGpuMemoryFull": Fault(
        {
            'DCGM_FI_DEV_FB_USED{gpu="0"}': ("9000", "23990"),
            'DCGM_FI_DEV_FB_FREE{gpu="0"}': ("15000", "10"),
        }
    ),
    "LingtingDiskLow": Fault(
        {
            'lingting_disk_free_bytes{place="store"}': ("50", "4"),
            'lingting_disk_size_bytes{place="store"}': ("100", "100"),
        }
    ),
    "LingtingDiskFillsUp": Fault(
        {
            'lingting_disk_free_bytes{place="store"}': ("25000", "-20"),
            'lingting_disk_size_bytes{place="store"}': ("100000", "100000"),
        },
        steps=400,
    ),
    "LingtingDiskSlow": Fault(
        {
            'lingting_store_commit_seconds_bucket{le="0.01"}': ("+9", "+0"),
            'lingting_store_commit_seconds_bucket{le="1"}': ("+9", "+9"),
            'lingting_store_commit_seconds_bucket{le="+Inf"}': ("+9", "+9"),
        }
    ),
    "LingtingNotJournalled": Fault({"lingting_journal_failures_total": ("+0", "+1")}),
    "LingtingJobsWait": Fault({OLDEST: ("10", "4000")}),
    "LingtingDeadLetters": Fault({'lingting_jobs{kind="webhook",state="dead"}': ("0", "2")}),
    "LingtingBackupOld": Fault(
        {
            "lingting_backup_last_success_timestamp_seconds": ("+3600", "+0"),
            "lingting_first_start_timestamp_seconds": ("1", "1"),
        },
        steps=9 * DAY,
        step="1h",
    ),
    "LingtingRestoreUntested": Fault(
        {  # never
            "lingting_restore_test_last_success_timestamp_seconds": ("0", "0"),
            "lingting_first_start_timestamp_seconds": ("360000", "360000"),
        },
        steps=41 * DAY,
        step="1h",
    ),
    "LingtingAuditTampered": Fault({"lingting_audit_whole": ("1", "0")}),
    "LingtingCertificateExpires": Fault(
        {'lingting_certificate_expiry_timestamp_seconds{door="grpc"}': ("9000000", "2000000")}
    ),
    "LingtingCertificateExpired": Fault(
        {'lingting_certificate_expiry_timestamp_seconds{door="grpc"}': ("9000000", "0")}
    ),
    "LingtingFirewallNotLoaded": Fault({"lingting_firewall_loaded": ("1", "0")}),
    "LingtingEgressDenied": Fault(
        {'lingting_firewall_denied_packets_total{direction="egress"}': ("+1", "+9")}
    ),
    "LingtingDemoModels": Fault(
        {'lingting_model_info{model="m",demo="true"}': ("_", "1")}, steps=70
    ),
    "LingtingFinalLatencyBurnsFast": Fault(finals(late="30")),
    "LingtingFinalLatencyBurnsSteadily": Fault(finals(late="6"), steps=400),
    "LingtingFinalLatencyBurnsSlowly": Fault(finals(late="2"), steps=4 * DAY, step="1h"),
    "LingtingAvailabilityBurnsFast": Fault(calls(failed="+1")),
    "LingtingAvailabilityBurnsSteadily": Fault(calls(refused="+1"), steps=400),
    "LingtingAvailabilityBurnsSlowly": Fault(calls(failed="+1"), steps=4 * DAY, step="1h"),
    "LingtingJobsBurnsFast": Fault({OLDEST: ("10", "4000")}),
    "LingtingJobsBurnsSteadily": Fault({OLDEST: ("10", "4000")}, steps=60),
    "LingtingJobsBurnsSlowly": Fault({OLDEST: ("10", "4000")}, steps=4 * DAY, step="1h"),
}


def run(*command: str) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_rules_are_sound() -> None:
    run("promtool", "check", "rules", *map(str, RULES))
    run("promtool", "test", "rules", *map(str, (MONITORING / "rule_tests").glob("*.yml")))
    run("promtool", "check", "config", "--syntax-only", str(MONITORING / "prometheus.yml"))
    run("amtool", "check-config", str(MONITORING / "alertmanager.yml"))


@pytest.mark.parametrize("module", ["dashboards", "slo"])
def test_what_is_written_by_code_is_up_to_date(module: str) -> None:
    run("python3", "-m", f"monitoring.{module}", "--check")


def test_every_alert_says_what_it_means_to_whom() -> None:
    assert len(alerts()) > 25
    for alert in alerts():
        told = alert["annotations"]
        assert isinstance(told, dict) and told["summary"] and told["summary_en"], alert["alert"]
        assert alert["labels"]["severity"] in ("page", "ticket", "none")  # type: ignore[index]
        assert re.search(r"[一-鿿]", told["summary"])


def test_every_alert_has_its_fault() -> None:
    assert {str(alert["alert"]) for alert in alerts()} == {"LingtingWatchdog", *FAULTS}


@pytest.mark.parametrize("alert", FAULTS)
def test_an_alert_is_silent_in_good_times_and_comes_in_its_fault(
    alert: str, tmp_path: Path
) -> None:
    fault = FAULTS[alert]
    firing = f'count(ALERTS{{alertname="{alert}",alertstate="firing"}}) or vector(0)'
    unit = fault.step[-1]
    told = {
        "rule_files": [str(path) for path in RULES],
        "evaluation_interval": fault.step,
        "group_eval_order": [
            "calls",
            "slo",
            "slo-alerts",
            "keeping",
        ],  # an hour's step is longer than samples last
        "tests": [
            {
                "interval": fault.step,
                "input_series": [
                    {"series": _in_a_box(series), "values": _values(*values, fault.steps)}
                    for series, values in fault.tells.items()
                ],
                "promql_expr_test": [
                    {"expr": firing, "eval_time": f"{at}{unit}", "exp_samples": [{"value": count}]}
                    for at, count in ((GOOD - 1, 0), (GOOD + fault.steps, 1))
                ],
            }
        ],
    }
    path = tmp_path / "test.yml"
    path.write_text(yaml.safe_dump(told))
    run("promtool", "test", "rules", str(path))


def _in_a_box(series: str) -> str:
    name, _, labels = series.rstrip("}").partition("{")
    return f'{name}{{box="box"{"," if labels else ""}{labels}}}'


def _values(good: str, bad: str, steps: int) -> str:
    """Promtool's notation; what follows a counter goes on from where it stood."""
    first = "0" if good.startswith(("+", "-")) else good
    before = f"{first}{good if good != first else ''}x{GOOD - 1}"
    if not bad.startswith(("+", "-")):
        return f"{before} {bad}x{steps}"
    stood = int(first) + (int(good) if good != first else 0) * (GOOD - 1)
    return f"{before} {stood + int(bad)}{bad}x{steps}"
