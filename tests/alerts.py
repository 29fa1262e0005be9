"""The alerts of monitoring/rules, as they are written there."""

from __future__ import annotations

from typing import Any

import yaml

from tests.architecture.repository import ROOT

RULES = sorted((ROOT / "monitoring" / "rules").glob("*.yml"))


def alerts() -> list[dict[str, Any]]:
    groups = [g for path in RULES for g in yaml.safe_load(path.read_text())["groups"]]
    return [rule for group in groups for rule in group["rules"] if "alert" in rule]
