"""What of those who follow calls has a place of its own over HTTP."""

from __future__ import annotations

from dataclasses import dataclass

from appliance.api.services import Services
from appliance.archive.tenant_terms import TenantTerms
from appliance.console.board import Lines
from appliance.feed.replay import Replays
from appliance.models.beside import BesideServing
from appliance.models.rollout import Rollout
from appliance.webhooks.webhooks import Webhooks


@dataclass(frozen=True, slots=True)
class Followed:
    lines: Lines
    webhooks: Webhooks
    replays: Replays
    services: Services
    terms: TenantTerms
    rollout: Rollout
    beside: BesideServing
