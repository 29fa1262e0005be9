"""A dashboard and its panels, and how Grafana has them in JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

SOURCE = {"type": "prometheus", "uid": "${source}"}
HEIGHT, ROW_WIDTH = 8, 24  # grid units


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture.

    Args:
        queries: (PromQL, legend beside the name of the box); $box are the chosen boxes.
        unit: Grafana's: s, percentunit, short, bytes, ...
    """

    title: str
    queries: tuple[tuple[str, str], ...]
    unit: str = "short"
    kind: str = "timeseries"
    width: int = 12
    most: float | None = None  # top of the axis
    alarm: float | None = None  # from here on it is red
    exemplars: bool = False  # the first query's histogram leads to traces


@dataclass(frozen=True, slots=True)
class Dashboard:
    uid: str
    title: str
    panels: tuple[Panel, ...]


def rendered(dashboard: Dashboard) -> dict[str, Any]:
    """As Grafana reads it."""
    return {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "tags": ["lingting"],
        "timezone": "browser",
        "editable": False,
        "refresh": "15s",
        "schemaVersion": 39,
        "time": {"from": "now-3h", "to": "now"},
        "templating": {"list": [_source(), _boxes()]},
        "panels": list(_placed(dashboard.panels)),
    }


def _source() -> dict[str, Any]:
    return {"name": "source", "type": "datasource", "query": "prometheus", "label": "数据源"}


def _boxes() -> dict[str, Any]:
    return {
        "name": "box",
        "label": "设备 Box",
        "type": "query",
        "datasource": SOURCE,
        "query": 'label_values(up{job="lingting"}, box)',
        "includeAll": True,
        "allValue": ".*",
        "multi": True,
        "current": {"text": "All", "value": "$__all"},
        "refresh": 2,
    }


def _placed(panels: tuple[Panel, ...]) -> Iterator[dict[str, Any]]:
    """From left to right, row by row."""
    x = y = 0
    for number, panel in enumerate(panels, start=1):
        if x + panel.width > ROW_WIDTH:
            x, y = 0, y + HEIGHT
        yield _panel(number, panel, x, y)
        x += panel.width


def _panel(number: int, panel: Panel, x: int, y: int) -> dict[str, Any]:
    steps: list[dict[str, str | float | None]] = [{"color": "green", "value": None}]
    if panel.alarm is not None:
        steps.append({"color": "red", "value": panel.alarm})
    limits = {"max": panel.most} if panel.most is not None else {}
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "datasource": SOURCE,
        "gridPos": {"h": HEIGHT, "w": panel.width, "x": x, "y": y},
        "fieldConfig": {
            "defaults": {
                "unit": panel.unit,
                "min": 0,
                **limits,
                "thresholds": {"mode": "absolute", "steps": steps},
            },
            "overrides": [],
        },
        "targets": [
            {
                "refId": chr(ord("A") + n),
                "expr": query,
                "legendFormat": f"{{{{box}}}} {legend}".strip(),
                "exemplar": panel.exemplars and n == 0,
            }
            for n, (query, legend) in enumerate(panel.queries)
        ],
    }
