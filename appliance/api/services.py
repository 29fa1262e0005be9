"""What both doors serve beside calls."""

from __future__ import annotations

from dataclasses import dataclass

from appliance.api.knowledge import KnowledgeService
from appliance.api.quality import QualityService
from appliance.api.warnings import WarningService
from appliance.assist.orders.desk import OrderDesk


@dataclass(frozen=True, slots=True)
class Services:
    orders: OrderDesk
    knowledge: KnowledgeService
    quality: QualityService
    warnings: WarningService
