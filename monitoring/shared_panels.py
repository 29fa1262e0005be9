"""Panels that stand in more than one dashboard."""

from __future__ import annotations

from monitoring.panels import Panel

BOX = 'box=~"$box"'


def p95(metric: str, by: str = "") -> str:
    labels = ", ".join(filter(None, ("box", "le", by)))
    return f"histogram_quantile(0.95, sum by ({labels}) (rate({metric}_bucket{{{BOX}}}[5m])))"


def rates(metric: str, by: str, window: str = "5m") -> str:
    """Per second, of each box."""
    return f"sum by (box, {by}) (rate({metric}{{{BOX}}}[{window}]))"


UP = Panel("在线 Up", ((f'up{{job="lingting",{BOX}}}', ""),), kind="stat", width=4)
LOAD = Panel(
    "负载 Load",
    (
        (f"lingting_live_legs{{{BOX}}}", "在用 in use"),
        (f"lingting_live_legs_capacity{{{BOX}}}", "容量 capacity"),
    ),
)
FINALS = Panel(
    "端点到定稿 Endpoint to final",
    (
        (p95("lingting_endpoint_to_final_seconds"), "p95"),
        (f"call:final_p50:seconds{{{BOX}}}", "p50"),
    ),
    unit="s",
    alarm=1.5,
    exemplars=True,
)
PARTIALS = Panel(
    "首个字幕 First partial", ((f"call:first_partial_p95:seconds{{{BOX}}}", "p95"),), unit="s"
)
REFUSED = Panel(
    "拒绝 Refused",
    ((f"call:refused:per_second{{{BOX}}}", "{{reason}}"),),
    unit="reqps",
)
CPU_SHARE = Panel(
    "CPU 识别占比 Share on the CPU",
    ((f"engine:cpu_share:ratio{{{BOX}}}", "CPU"),),
    unit="percentunit",
    most=1,
)
THROUGHPUT = Panel(
    "识别吞吐 Throughput (audio s per s)",
    ((f"engine:audio:seconds_per_second{{{BOX}}}", "{{engine}} {{model}} {{device}}"),),
)
BREAKERS = Panel(
    "熔断 Breakers open",
    ((f"lingting_breaker_open{{{BOX}}}", "{{engine}}"),),
    kind="stat",
    width=4,
    alarm=1,
)
CANARY = Panel(
    "试呼 Canary age",
    (
        (
            f"time() - lingting_canary_last_success_timestamp_seconds{{{BOX}}}",
            "{{engine}}",
        ),
    ),
    unit="s",
    kind="stat",
    width=4,
    alarm=60,
)
DISK = Panel(
    "磁盘剩余 Disk free",
    ((f"box:disk_free:ratio{{{BOX}}}", "{{place}}"),),
    unit="percentunit",
    most=1,
)
MODELS = Panel(
    "模型 Models",
    ((f"lingting_model_info{{{BOX}}}", "{{model}} {{version}} ({{engine}}, {{device}})"),),
    kind="stat",
    width=8,
)
