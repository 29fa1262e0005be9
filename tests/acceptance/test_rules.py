"""The rules of monitoring/, by promtool: each alert is silent in good times and comes in its fault.

`FAULTS` has for every alert what the box tells before and in the fault.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from appliance.console import condition
from tests.alerts import RULES, alerts
from tests.architecture.repository import ROOT

MONITORING = ROOT / "monitoring"
GOOD = 100  # steps before the fault begins
pytestmark = pytest.mark.skipif(
    not shutil.which("promtool"), reason="needs Prometheus: make build/.monitoring"
)


@dataclass(frozen=True, slots=True)
class RuleFault:
    """What is told, in promtool's notation.

    Args:
        tells: series -> (how it goes on from its first value in good times, its values in the
            fault); `+n` is a counter that grows by n per step.
        steps: until the alert must have come.
    """

    tells: dict[str, tuple[str, str]]
    steps: int = 30
    step: str = "1m"


def finals(good: int, bad: int) -> dict[str, tuple[str, str]]:
    """Of a thousand finals per step, so many late."""
    name = "lingting_system_endpoint_to_final_seconds"
    return {
        f'{name}_count{{system="a"}}': ("+1000", "+1000"),
        f'{name}_bucket{{system="a",le="1.5"}}': (f"+{1000 - good}", f"+{1000 - bad}"),
        # the box's own calls, all of them late, are nobody's loss
        f'{name}_count{{system="canary"}}': ("+60", "+60"),
        f'{name}_bucket{{system="canary",le="1.5"}}': ("+0", "+0"),
    }


def calls(
    good: int, bad: int, *, opened: int = 10_000, refused: bool = False
) -> dict[str, tuple[str, str]]:
    """Of so many calls per step, so many lost: refused, or ended by the box."""
    lost, no = (f"+{good}", f"+{bad}"), ("+0", "+0")
    return {
        'lingting_calls_total{door="riva"}': (f"+{opened}", f"+{opened}"),
        'lingting_calls_refused_total{door="riva",reason="capacity"}': lost if refused else no,
        'lingting_calls_refused_total{door="riva",reason="streams"}': no,
        'lingting_calls_failed_total{door="riva",reason="internal"}': no if refused else lost,
        # what is no broken promise
        'lingting_calls_refused_total{door="riva",reason="draining"}': ("+900", "+900"),
        'lingting_calls_refused_total{door="openai",reason="recordings"}': ("+900", "+900"),
        'lingting_calls_refused_total{door="canary",reason="capacity"}': ("+900", "+900"),
        'lingting_calls_failed_total{door="riva",reason="invalid_audio"}': ("+900", "+900"),
    }


OLDEST = 'lingting_jobs_oldest_seconds{kind="recording"}'
BREAKERS = {'lingting_breaker_open{engine="triton"}': ("0", "1")}
EXPIRES = 'lingting_certificate_expiry_timestamp_seconds{door="grpc"}'
DAY = 24  # steps of an hour

# In good times just below what is told, where there is such a bound.
FAULTS = {
    "LingtingDown": RuleFault({'up{job="lingting"}': ("1", "0")}),
    "LingtingNoEngine": RuleFault({**BREAKERS, 'lingting_breaker_open{engine="cpu"}': ("0", "1")}),
    "LingtingTritonNotUsed": RuleFault(BREAKERS),
    "LingtingStandbyDead": RuleFault({'lingting_breaker_open{engine="cpu"}': ("0", "1")}),
    "LingtingTritonDies": RuleFault(
        {
            'lingting_breaker_opened_total{engine="triton",reason="canary"}': ("+0", "+1"),
            'lingting_breaker_opened_total{engine="triton",reason="start"}': ("+1", "+1"),
        }
    ),
    "LingtingCanaryOld": RuleFault(
        {'lingting_canary_last_success_timestamp_seconds{engine="cpu"}': ("+60", "+0")}
    ),
    "LingtingQuietCallFails": RuleFault({"lingting_canary_calls_failing": ("1", "2")}),
    "LingtingNearlyFull": RuleFault(
        {"lingting_live_legs": ("84", "86"), "lingting_live_legs_capacity": ("100", "100")}
    ),
    "LingtingRefuses": RuleFault(calls(1, 2, refused=True)),
    "LingtingRecordingsRefused": RuleFault(
        {
            'lingting_calls_refused_total{door="openai",reason="recordings"}': ("+0", "+1"),
            'lingting_calls_refused_total{door="riva",reason="capacity"}': ("+9", "+9"),
        }
    ),
    "LingtingGpuXid": RuleFault({'DCGM_FI_DEV_XID_ERRORS{gpu="0"}': ("0", "79")}),
    "LingtingGpuHot": RuleFault({'DCGM_FI_DEV_GPU_TEMP{gpu="0"}': ("88", "89")}),
    "LingtingGpuMemoryFull": RuleFault(
        {
            'DCGM_FI_DEV_FB_USED{gpu="0"}': ("96", "98"),
            'DCGM_FI_DEV_FB_FREE{gpu="0"}': ("4", "2"),
        }
    ),
    "LingtingDiskLow": RuleFault(
        {
            'lingting_disk_free_bytes{place="store"}': ("6", "4"),
            'lingting_disk_size_bytes{place="store"}': ("100", "100"),
        }
    ),
    "LingtingDiskFillsUp": RuleFault(
        {
            'lingting_disk_free_bytes{place="store"}': ("25000", "-20"),
            'lingting_disk_size_bytes{place="store"}': ("100000", "100000"),
        },
        steps=400,
    ),
    "LingtingDiskSlow": RuleFault(
        {
            'lingting_store_commit_seconds_bucket{le="0.25"}': ("+9", "+0"),
            'lingting_store_commit_seconds_bucket{le="1"}': ("+9", "+9"),
            'lingting_store_commit_seconds_bucket{le="+Inf"}': ("+9", "+9"),
        }
    ),
    "LingtingNotJournalled": RuleFault({"lingting_journal_failures_total": ("+0", "+1")}),
    "LingtingJobsWait": RuleFault({OLDEST: ("3600", "3601")}),
    "LingtingDeadLetters": RuleFault({'lingting_jobs{kind="webhook",state="dead"}': ("0", "1")}),
    "LingtingWarningUnseen": RuleFault({"lingting_warnings_unseen_seconds": ("60", "1801")}),
    "LingtingSuggestionsLate": RuleFault(
        {
            'lingting_suggestion_seconds_bucket{le="1"}': ("+10", "+0"),
            'lingting_suggestion_seconds_bucket{le="2.5"}': ("+10", "+10"),
            'lingting_suggestion_seconds_bucket{le="+Inf"}': ("+10", "+10"),
        },
        steps=60,
    ),
    "LingtingKnowledgeGaps": RuleFault({"lingting_knowledge_gaps": ("50", "51")}, steps=1500),
    "LingtingQualityRuleFails": RuleFault(
        {'lingting_quality_rules_failed_total{rule="closing"}': ("+0", "+1")}
    ),
    "LingtingBackupOld": RuleFault(
        {
            "lingting_backup_last_success_timestamp_seconds": ("+3600", "+0"),
            "lingting_first_start_timestamp_seconds": ("1", "1"),
        },
        steps=9 * DAY,
        step="1h",
    ),
    "LingtingRestoreUntested": RuleFault(
        {  # never
            "lingting_restore_test_last_success_timestamp_seconds": ("0", "0"),
            "lingting_first_start_timestamp_seconds": ("360000", "360000"),
        },
        steps=41 * DAY,
        step="1h",
    ),
    "LingtingAuditTampered": RuleFault({"lingting_audit_whole": ("-1", "0")}),
    "LingtingAuditUnread": RuleFault(
        {
            "lingting_audit_verified_timestamp_seconds": ("+60", "+0"),
            "lingting_first_start_timestamp_seconds": ("1", "1"),
        },
        steps=200,
    ),
    "LingtingBlind": RuleFault(
        {
            'lingting_looked_timestamp_seconds{thing="disks"}': ("+60", "+0"),
            'lingting_looked_timestamp_seconds{thing="jobs"}': ("+60", "+60"),
            'lingting_looked_timestamp_seconds{thing="audit"}': ("1", "1"),
        }
    ),
    "LingtingCertificateExpires": RuleFault({EXPIRES: (str(31 * 86_400), str(29 * 86_400))}),
    "LingtingCertificateExpired": RuleFault({EXPIRES: (str(3 * 86_400), str(86_400))}),
    "LingtingFirewallNotLoaded": RuleFault({"lingting_firewall_loaded": ("-1", "0")}),
    "LingtingEgressDenied": RuleFault(
        {'lingting_firewall_denied_packets_total{direction="egress"}': ("+1", "+2")}
    ),
    "LingtingDemoModels": RuleFault(
        {'lingting_model_info{model="m",demo="true"}': ("_", "1")}, steps=70
    ),
    "LingtingFinalLatencyBurnsFast": RuleFault(finals(130, 160), steps=70),
    "LingtingFinalLatencyBurnsSteadily": RuleFault(finals(55, 65), steps=400),
    "LingtingFinalLatencyBurnsSlowly": RuleFault(finals(9, 11), steps=5 * DAY, step="1h"),
    "LingtingAvailabilityBurnsFast": RuleFault(calls(130, 160), steps=70),
    "LingtingAvailabilityBurnsSteadily": RuleFault(calls(55, 65, refused=True), steps=400),
    "LingtingAvailabilityBurnsSlowly": RuleFault(calls(9, 11), steps=5 * DAY, step="1h"),
    "LingtingJobsBurnsFast": RuleFault({OLDEST: ("3600", "3601")}),
    "LingtingJobsBurnsSteadily": RuleFault({OLDEST: ("3600", "3601")}, steps=60),
    "LingtingJobsBurnsSlowly": RuleFault({OLDEST: ("3600", "3601")}, steps=4 * DAY, step="1h"),
}


def run(*command: str) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_rules_are_sound() -> None:
    run("promtool", "check", "rules", *map(str, RULES))
    run("promtool", "test", "rules", *map(str, (MONITORING / "rule_tests").glob("*.yml")))
    run("promtool", "check", "config", "--syntax-only", str(MONITORING / "prometheus.yml"))
    run("promtool", "check", "config", str(MONITORING / "prometheus-demo.yml"))
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


def test_the_page_calls_bad_what_wakes_somebody() -> None:
    asked = {str(alert["alert"]): str(alert["expr"]) for alert in alerts()}
    assert asked["LingtingDiskLow"].endswith(f"< {condition.LEAST_ROOM}")
    assert asked["LingtingCertificateExpired"].endswith(f"< {condition.LEAST_DAYS}")
    assert asked["LingtingCertificateExpires"].endswith(f"< {condition.GOOD_DAYS}")
    assert asked["LingtingJobsWait"].endswith(f"> {condition.OLDEST_JOB_S:g}")
    days = condition.OLDEST_BACKUP_S / condition.DAY_S
    assert asked["LingtingBackupOld"].endswith(f"> {days:g} * 86400")
    assert asked["LingtingAuditUnread"].endswith(f"> {condition.OLDEST_AUDIT_S / 3600:g} * 3600")


def test_an_xid_of_yesterday_is_no_news(tmp_path: Path) -> None:
    """DCGM goes on telling the last one."""
    series = {"series": 'DCGM_FI_DEV_XID_ERRORS{box="box",gpu="0"}', "values": "31x200"}
    firing = 'count(ALERTS{alertname="LingtingGpuXid",alertstate="firing"}) or vector(0)'
    expected = [
        {"expr": firing, "eval_time": at, "exp_samples": [{"value": count}]}
        for at, count in (("30m", 1), ("3h", 0))
    ]
    promtool(tmp_path, "1m", [series], expected)


def test_a_few_lost_calls_in_a_quiet_night_wake_nobody(tmp_path: Path) -> None:
    """Two of twenty: far above the allowance, and no more than two."""
    tells = calls(0, 0, opened=0) | {'lingting_calls_total{door="riva"}': ("+0", "+1")}
    lost = 'lingting_calls_failed_total{door="riva",reason="internal"}'
    series = [
        {"series": _in_a_box(name), "values": _values(*values, 20)}
        for name, values in tells.items()
        if name != lost
    ]
    series.append({"series": _in_a_box(lost), "values": f"0x{GOOD + 8} 2x20"})
    firing = 'count(ALERTS{alertname=~"LingtingAvailability.*"}) or vector(0)'
    expected = [{"expr": firing, "eval_time": f"{GOOD + 20}m", "exp_samples": [{"value": 0}]}]
    promtool(tmp_path, "1m", series, expected)


@pytest.mark.parametrize("alert", FAULTS)
def test_an_alert_is_silent_in_good_times_and_comes_in_its_fault(
    alert: str, tmp_path: Path
) -> None:
    fault = FAULTS[alert]
    firing = f'count(ALERTS{{alertname="{alert}",alertstate="firing"}}) or vector(0)'
    unit = fault.step[-1]
    series = [
        {"series": _in_a_box(name), "values": _values(*values, fault.steps)}
        for name, values in fault.tells.items()
    ]
    expected = [
        {"expr": firing, "eval_time": f"{at}{unit}", "exp_samples": [{"value": count}]}
        for at, count in ((GOOD - 1, 0), (GOOD + fault.steps, 1))
    ]
    promtool(tmp_path, fault.step, series, expected)


def promtool(
    folder: Path, step: str, series: list[dict[str, str]], expected: list[dict[str, Any]]
) -> None:
    told = {
        "rule_files": [str(path) for path in RULES],
        "evaluation_interval": step,
        # An hour's step is longer than samples last.
        "group_eval_order": ["calls", "slo", "slo-long", "slo-alerts", "keeping"],
        "tests": [{"interval": step, "input_series": series, "promql_expr_test": expected}],
    }
    path = folder / "test.yml"
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
