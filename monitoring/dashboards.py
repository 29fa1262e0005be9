"""Grafana's dashboards as code: `python -m monitoring.dashboards` writes grafana/dashboards/*.json.

Every query is run by tests against a real Prometheus that watches a real box.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

from monitoring.panels import Dashboard, Panel, rendered
from monitoring.shared_panels import (
    BOX,
    BREAKERS,
    CANARY,
    CPU_SHARE,
    DISK,
    FINALS,
    LOAD,
    MODELS,
    PARTIALS,
    REFUSED,
    THROUGHPUT,
    UP,
    p95,
    rates,
)

FOLDER = Path(__file__).parent / "grafana" / "dashboards"
DASHBOARDS = (
    Dashboard(
        "lingting-overview",
        "聆听 · 总览 Overview",
        (UP, BREAKERS, CANARY, MODELS, LOAD, FINALS, THROUGHPUT, REFUSED, CPU_SHARE, DISK),
    ),
    Dashboard(
        "lingting-gpu",
        "聆听 · GPU",
        (
            Panel(
                "使用率 Utilization",
                ((f"gpu:utilization:ratio{{{BOX}}}", "{{gpu}}"),),
                unit="percentunit",
                most=1,
            ),
            Panel(
                "张量核 Tensor cores",
                ((f"gpu:tensor_active:ratio{{{BOX}}}", "{{gpu}}"),),
                "percentunit",
            ),
            Panel(
                "显存 Memory",
                ((f"gpu:memory_used:ratio{{{BOX}}}", "{{gpu}}"),),
                unit="percentunit",
                most=1,
                alarm=0.97,
            ),
            Panel("功率 Power", ((f"gpu:power:watts{{{BOX}}}", "{{gpu}}"),), "watt"),
            Panel(
                "温度 Temperature",
                ((f"gpu:temperature:celsius{{{BOX}}}", "{{gpu}}"),),
                "celsius",
                alarm=88,
            ),
            Panel(
                "Xid",
                ((f"DCGM_FI_DEV_XID_ERRORS{{{BOX}}}", "{{gpu}}"),),
                kind="stat",
                alarm=1,
            ),
            Panel(
                "每卡吞吐 Audio s per s and card",
                ((f"gpu:audio:seconds_per_second{{{BOX}}}", ""),),
            ),
            Panel("Triton 排队 queue", ((f"triton:queue:seconds{{{BOX}}}", "{{model}}"),), "s"),
            Panel("Triton 批 batch", ((f"triton:batch:mean{{{BOX}}}", "{{model}}"),)),
            Panel(
                "Triton 待处理 pending",
                ((f"nv_inference_pending_request_count{{{BOX}}}", "{{model}}"),),
            ),
        ),
    ),
    Dashboard(
        "lingting-latency",
        "聆听 · 延迟 Latency",
        (
            FINALS,
            PARTIALS,
            Panel(
                "引擎 Engines p95",
                ((f"engine:latency_p95:seconds{{{BOX}}}", "{{engine}} {{model}} {{priority}}"),),
                "s",
            ),
            Panel(
                "等待中的问题 Questions waiting",
                ((f"lingting_engine_waiting_windows{{{BOX}}}", "{{engine}} {{priority}}"),),
            ),
            Panel(
                "其中排队 Of that, queueing p95",
                (
                    (
                        p95("lingting_engine_queue_seconds", "engine, priority"),
                        "{{engine}} {{priority}}",
                    ),
                ),
                "s",
                exemplars=True,
            ),
            Panel("批 Batch", ((f"engine:batch:mean{{{BOX}}}", "{{engine}} {{model}}"),)),
            Panel(
                "字幕间隔 Between partials",
                ((f"lingting_partial_interval_seconds{{{BOX}}}", ""),),
                "s",
            ),
            Panel(
                "写盘 Commit p99",
                ((f"box:commit_p99:seconds{{{BOX}}}", ""),),
                "s",
                alarm=0.5,
            ),
            Panel(
                "请求 Requests p95",
                ((p95("lingting_request_duration_seconds", "door"), "{{door}}"),),
                "s",
            ),
        ),
    ),
    Dashboard(
        "lingting-capacity",
        "聆听 · 容量 Capacity",
        (
            LOAD,
            Panel(
                "负载比 Load ratio",
                ((f"call:load:ratio{{{BOX}}}", ""),),
                "percentunit",
                most=1,
                alarm=0.85,
            ),
            Panel(
                "各引擎可承载 Legs an engine carries",
                ((f"lingting_engine_live_legs{{{BOX}}}", "{{engine}}"),),
            ),
            REFUSED,
            Panel(
                "网关 CPU 与内存 Gateway",
                (
                    (
                        f'rate(process_cpu_seconds_total{{job="lingting",{BOX}}}[1m])',
                        "CPU 核 cores",
                    ),
                    (
                        f'process_resident_memory_bytes{{job="lingting",{BOX}}} / 2 ^ 30',
                        "内存 memory GiB",
                    ),
                ),
            ),
            DISK,
        ),
    ),
    Dashboard(
        "lingting-systems",
        "聆听 · 热线系统 Hotline systems",
        (
            Panel("通话 Live calls", ((f"lingting_system_live_calls{{{BOX}}}", "{{system}}"),)),
            Panel(
                "接入 Calls",
                (
                    (
                        rates("lingting_system_calls_total", "system, kind"),
                        "{{system}} {{kind}}",
                    ),
                ),
                "reqps",
            ),
            Panel(
                "拒绝 Refused",
                (
                    (
                        rates("lingting_system_calls_refused_total", "system"),
                        "{{system}}",
                    ),
                ),
                "reqps",
            ),
            Panel(
                "定稿 Final p95",
                ((f"system:final_p95:seconds{{{BOX}}}", "{{system}}"),),
                "s",
                alarm=1.5,
            ),
            Panel(
                "按接口 By door",
                (
                    (
                        rates("lingting_calls_total", "door, kind"),
                        "{{door}} {{kind}}",
                    ),
                ),
                "reqps",
            ),
            Panel(
                "误差预算 Error ratio, 1 h",
                (
                    (f"slo:final_latency:error_ratio_1h{{{BOX}}}", "定稿延迟 final latency"),
                    (f"slo:availability:error_ratio_1h{{{BOX}}}", "可用性 availability"),
                ),
                "percentunit",
            ),
        ),
    ),
    Dashboard(
        "lingting-jobs",
        "聆听 · 任务与保管 Jobs and keeping",
        (
            Panel("任务 Jobs", ((f"lingting_jobs{{{BOX}}}", "{{kind}} {{state}}"),)),
            Panel(
                "最久等待 Oldest", ((f"lingting_jobs_oldest_seconds{{{BOX}}}", "{{kind}}"),), "s"
            ),
            Panel(
                "处理中的录音 Recordings under way",
                ((f"lingting_recordings_running{{{BOX}}}", ""),),
            ),
            Panel(
                "审计完整 Audit whole",
                ((f"lingting_audit_whole{{{BOX}}}", ""),),
                kind="stat",
                width=4,
            ),
            Panel(
                "审计核对 Audit log read",
                ((f"box:audit_age:seconds{{{BOX}}}", ""),),
                "s",
                kind="stat",
                width=4,
                alarm=3 * 3600,
            ),
            Panel(
                "备份 Backup age",
                ((f"box:backup_age:seconds{{{BOX}}}", ""),),
                "s",
                kind="stat",
                width=4,
            ),
            Panel(
                "恢复测试 Restore test age",
                ((f"box:restore_test_age:seconds{{{BOX}}}", ""),),
                "s",
                kind="stat",
                width=4,
            ),
            Panel(
                "空闲自拨 Calls in quiet hours",
                ((f"increase(lingting_canary_calls_total{{{BOX}}}[1h])", "{{result}}"),),
                width=8,
            ),
            Panel(
                "证书剩余天数 Certificates, days left",
                ((f"box:certificate:days{{{BOX}}}", "{{door}}"),),
                "d",
                width=8,
            ),
            Panel(
                "拦截的外连 Egress denied (packets per hour)",
                (
                    (
                        "increase(lingting_firewall_denied_packets_total"
                        f'{{direction="egress",{BOX}}}[1h])',
                        "",
                    ),
                ),
                width=8,
                alarm=20,
            ),
            Panel(
                "防火墙 Firewall",
                ((f"lingting_firewall_loaded{{{BOX}}}", ""),),
                kind="stat",
                width=4,
            ),
        ),
    ),
    Dashboard(
        "lingting-hot-spots",
        "聆听 · 性能热点 Where time goes",
        (
            Panel(
                "最忙的热线系统 Busiest systems",
                (
                    (
                        f"topk(5, {rates('lingting_system_calls_total', 'system', '15m')})",
                        "{{system}}",
                    ),
                ),
                "reqps",
            ),
            Panel(
                "最慢的引擎与模型 Slowest engines and models",
                (
                    (
                        f"topk(5, engine:latency_p95:seconds{{{BOX}}})",
                        "{{engine}} {{model}} {{priority}}",
                    ),
                ),
                "s",
            ),
            Panel(
                "重听 Decoded again",
                (
                    (
                        rates("lingting_engine_retries_total", "engine"),
                        "{{engine}}",
                    ),
                ),
            ),
            Panel(
                "最忙的接口 Busiest routes",
                (
                    (
                        f"topk(8, {rates('lingting_requests_total', 'door, method', '5m')})",
                        "{{door}} {{method}}",
                    ),
                ),
                "reqps",
            ),
        ),
    ),
)


def queries() -> Iterator[tuple[str, str, str]]:
    """(dashboard, panel, PromQL) of all, for every box."""
    for dashboard in DASHBOARDS:
        for panel in dashboard.panels:
            for query, _ in panel.queries:
                yield dashboard.uid, panel.title, query.replace("$box", ".*")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m monitoring.dashboards", description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say whether they are up to date")
    given = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    stale = []
    for dashboard in DASHBOARDS:
        path = FOLDER / f"{dashboard.uid}.json"
        text = json.dumps(rendered(dashboard), ensure_ascii=False, indent=1) + "\n"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(path.name)
            if not given.check:
                path.write_text(text, encoding="utf-8")
    print(f"{'stale' if given.check else 'written'}: {', '.join(stale) or 'none'}")
    return 1 if given.check and stale else 0


if __name__ == "__main__":
    raise SystemExit(main())
