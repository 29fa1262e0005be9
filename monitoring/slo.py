"""What is promised, as rules: `python -m monitoring.slo` writes rules/slo.yml.

Burn rates after the multiwindow scheme of the SRE workbook: an alert comes when the allowance for
errors burns 14.4 times too fast over an hour (and still does over 5 minutes), 6 times over six
hours, or at all over three days.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

TARGET = Path(__file__).parent / "rules" / "slo.yml"
WINDOWS, LONG_WINDOWS = ("5m", "30m", "1h"), ("6h", "3d")
HEAD = """\
# Written by `python -m monitoring.slo`: change it there.
#   final latency: 99 % of live finals within 1.5 s of the endpoint
#   availability:  99.9 % of calls are taken and not ended by the box
#   jobs:          99 % of the time no recording is older than an hour without its result
# A box that is down serves nobody and tells nothing: that is LingtingDown.
# The box's own calls are nobody's loss. A few bad ones in a quiet night wake nobody.
"""


@dataclass(frozen=True, slots=True)
class Objective:
    """One promise.

    Args:
        allowed: share of errors, 0..1.
        bad, all: PromQL of both counts by box over a WINDOW; `all` empty: `bad` is a share.
        least: bad ones in the long window below which nobody is told.
    """

    name: str
    zh: str
    en: str
    allowed: float
    bad: str
    all: str = ""
    least: int = 0


FINALS = "lingting_system_endpoint_to_final_seconds"
FINALS_IN_TIME = FINALS + '_bucket{system!="canary",le="1.5"}[WINDOW]'
ALL_FINALS = FINALS + '_count{system!="canary"}[WINDOW]'
# Recordings that have to come again later, and a drain, are no broken promise.
REFUSED = 'lingting_calls_refused_total{door!="canary",reason=~"capacity|engine|streams"}[WINDOW]'
# Refused before they were opened; the others have been counted as opened.
NOT_OPENED = 'lingting_calls_refused_total{door!="canary",reason="streams"}[WINDOW]'
FAILED = (
    'lingting_calls_failed_total{door!="canary",'
    'reason=~"internal|engine_unavailable|store_unavailable"}[WINDOW]'
)
OPENED = 'lingting_calls_total{door!="canary"}[WINDOW]'


def of_box(counter: str) -> str:
    return f"sum by (box) (increase({counter}))"


OBJECTIVES = (
    Objective(
        "final_latency",
        *("定稿延迟", "final latency"),
        allowed=0.01,
        bad=f"{of_box(ALL_FINALS)} - {of_box(FINALS_IN_TIME)}",
        all=of_box(ALL_FINALS),
        least=5,
    ),
    Objective(
        "availability",
        *("可用性", "availability"),
        allowed=0.001,
        bad=f"{of_box(REFUSED)} + {of_box(FAILED)}",
        all=f"{of_box(OPENED)} + {of_box(NOT_OPENED)}",
        least=3,
    ),
    Objective(
        "jobs",
        *("录音任务", "jobs"),
        allowed=0.01,
        bad="avg_over_time(slo:jobs:late[WINDOW])",
    ),
)


@dataclass(frozen=True, slots=True)
class Burn:
    """How fast, over which windows, for how long, and who is told."""

    name: str
    times: float
    long: str
    short: str
    lasting: str
    severity: str


BURNS = (
    Burn("Fast", 14.4, "1h", "5m", "2m", "page"),
    Burn("Steadily", 6, "6h", "30m", "15m", "page"),
    Burn("Slowly", 1, "3d", "6h", "1h", "ticket"),
)


def recorded(objective: Objective, windows: tuple[str, ...]) -> Iterator[dict[str, str]]:
    """Errors as a share and, where they can be counted, as a number."""
    for window in windows:
        bad, level = objective.bad.replace("WINDOW", window), f"slo:{objective.name}"
        if objective.all:
            yield {"record": f"{level}:errors_{window}", "expr": bad}
            everything = objective.all.replace("WINDOW", window)
            bad = f"{level}:errors_{window} / ({everything} > 0)"
        yield {"record": f"{level}:error_ratio_{window}", "expr": bad}


def alert(objective: Objective, burn: Burn) -> dict[str, Any]:
    level, most = f"slo:{objective.name}", round(burn.times * objective.allowed, 6)
    windows = (burn.long, burn.short)
    conditions = [f"{level}:error_ratio_{window} > {most}" for window in windows]
    if objective.least:
        conditions.append(f"{level}:errors_{burn.long} >= {objective.least}")
    words = "".join(part.capitalize() for part in objective.name.split("_"))
    return {
        "alert": f"Lingting{words}Burns{burn.name}",
        "expr": " and ".join(conditions),
        "for": burn.lasting,
        "labels": {"severity": burn.severity},
        "annotations": {
            "summary": f"{objective.zh}：误差预算消耗过快（{burn.times:g} 倍，{burn.long}）",
            "summary_en": f"{objective.en}: the allowance for errors burns {burn.times:g} times "
            f"too fast ({burn.long})",
            "runbook": "docs/operate.md",
        },
    }


def rules() -> dict[str, Any]:
    late = 'max by (box) (lingting_jobs_oldest_seconds{kind="recording"}) > bool 3600'
    records = [{"record": "slo:jobs:late", "expr": late}]
    records += [rule for each in OBJECTIVES for rule in recorded(each, WINDOWS)]
    long = [rule for each in OBJECTIVES for rule in recorded(each, LONG_WINDOWS)]
    alerts = [alert(objective, burn) for objective in OBJECTIVES for burn in BURNS]
    return {
        "groups": [
            {"name": "slo", "rules": records},
            {"name": "slo-long", "interval": "2m", "rules": long},  # days of samples are dear
            {"name": "slo-alerts", "rules": alerts},
        ]
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m monitoring.slo", description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say whether it is up to date")
    check = parser.parse_args().check
    text = HEAD + yaml.safe_dump(rules(), sort_keys=False, allow_unicode=True, width=10_000)
    stale = not TARGET.exists() or TARGET.read_text(encoding="utf-8") != text
    if stale and not check:
        TARGET.write_text(text, encoding="utf-8")
    print(f"{TARGET.name}: {'stale' if check and stale else 'as it should be'}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    raise SystemExit(main())
