"""The subscriber that tells other systems: what is told to whom, queued; and what nobody took."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from appliance.errors import NotFound, SettingsError, StoreUnavailable
from appliance.feed.kind import Json
from appliance.feed.kinds import KINDS, kind_of
from appliance.feed.owed import queued
from appliance.feed.subscriber import FollowedCall, Listener, Owed, Subscriber, job_id
from appliance.messages import EVERY_TENANT, CallState, Lasting, NumberedEvent
from appliance.metrics import Metrics
from appliance.settings.keeping import WebhooksSettings as Settings
from appliance.store.asked import AnswerRecipient, OpenQuestion
from appliance.store.calls import OVER
from appliance.store.database import Also
from appliance.store.inspections import InspectionEvent, KeptInspection
from appliance.store.jobs import Job, Jobs
from appliance.store.knowledge import KnowledgeEntry
from appliance.store.order_rows import Order, OrderEvent
from appliance.store.warnings import KeptWarning
from appliance.webhooks.delivery import Deliverer, Refused

log = logging.getLogger(__name__)

SOURCE = "/lingting"
ORDER_ACTIONS = (
    "absorbed",
    *("created", "corrected", "confirm", "dispatch", "sign", "start", "return", "answer"),
    *("call_back", "close", "reopen", "merge", "refuse", "extend", "grant", "deny"),
    *("remind", "supervise", "pushed"),
)
QUALITY_ACTIONS = ("inspected", "appeal", "uphold", "override", "confirm")
WARNING_ACTIONS = ("new", "again", "acknowledge", "watch", "close", "false")
TOLD_EVENTS = (
    {f"order.{action}" for action in ORDER_ACTIONS}
    | {f"warning.{action}" for action in WARNING_ACTIONS}
    | {f"quality.{action}" for action in QUALITY_ACTIONS}
    | {"knowledge.gap", "knowledge.answer"}
    | {f"{kind}.*" for kind in ("order", "call", "warning", "quality", "knowledge")}
)
# Seconds to wait after each failed attempt; after the last one it is a dead letter: some 20 hours.
PAUSES_S = (5, 30, 120, 600, 1800, 3600, 7200, 18_000, 36_000)


class Webhooks(Subscriber):
    """Live: events whose kind is a webhook. Durable: how calls end, and every delivery."""

    name = "webhooks"
    job_kind = "webhook"

    def __init__(self, settings: Settings, queue: Jobs, metrics: Metrics) -> None:
        _check_events(settings)
        self._endpoints, self._jobs, self._metrics = settings.endpoints, queue, metrics
        self._deliverer = Deliverer(settings)
        if settings.endpoints and not settings.allow:
            log.warning("webhooks: nobody can be told, for [webhooks] allow names no network")

    # --- what is told

    def listen(self, call: FollowedCall) -> Listener | None:
        return Announcer(self, call) if self._endpoints else None

    def owes(self, call: FollowedCall, state: CallState) -> Sequence[Owed]:
        record = call.record(state)
        data = {"state": state.value, "duration_ms": record.duration_ms}
        # Alerts too: one that could not be queued when it was raised is told now, others not again.
        alerts = (debt for alert in record.alerts for debt in self._announced(call, alert))
        return [*self._owed(call, state.value, data, state.value), *alerts]

    async def announce(self, call: FollowedCall, event: Lasting) -> None:
        """At once, if it is to be told."""
        try:
            for debt in self._announced(call, event):
                await self._jobs.write(queued(self, call.id, debt))
        except StoreUnavailable as error:
            log.error("an event cannot be told by webhook: %s", error)
        self._jobs.news.tell()

    def _announced(self, call: FollowedCall, event: Lasting) -> Iterator[Owed]:
        kind = kind_of(event)
        if kind.webhook:
            data = kind.webhook(event)
            about = f"{kind.name} {json.dumps(data, sort_keys=True)}"
            yield from self._owed(call, kind.name, data, about)

    def _owed(self, call: FollowedCall, what: str, data: Json, about: str) -> Iterator[Owed]:
        """Told once of each call, `about` and endpoint, though a recording may be tried again."""
        told = {
            "call": f"/api/v1/calls/{call.id}",
            "call_id": call.config.call_id,
            "tenant": call.config.tenant,
            **data,
        }
        return self._deliveries(f"call.{what}", call.config.tenant, call.id, told, about, call.id)

    def _deliveries(
        self, what: str, tenant: str, subject: str, data: Json, about: str, call_id: str
    ) -> Iterator[Owed]:
        for endpoint in self._endpoints:
            if endpoint.tenant not in (EVERY_TENANT, tenant):
                continue
            if endpoint.events and not _wants(endpoint.events, what):
                continue
            mine = f"{about} {endpoint.url}"
            event = {
                "specversion": "1.0",
                "id": job_id(call_id, self.name, mine),
                "source": SOURCE,
                "type": f"lingting.{what}",
                "subject": subject,
                "time": datetime.now(UTC).isoformat(),
                "datacontenttype": "application/json",
                "data": data,
            }
            payload = json.dumps({"url": str(endpoint.url), "event": event}).encode()
            yield Owed(mine, payload)

    def tell_order(self, order: Order, event: OrderEvent) -> list[Also]:
        """For the transaction of what happened to an order: the deliveries that tell of it. They
        say what it is and where it stands, and nothing that anybody said."""
        data = {
            "order": f"/api/v1/orders/{order.id}",
            "number": order.number,
            "call": order.call_id,
            "tenant": order.tenant,
            "state": event.state,
            "actor": event.actor,
            "unit": event.unit,
            "units": [part.unit for part in order.units],
            "category": order.category,
            "division": order.division,
            "tier": order.tier,
            "due_at": order.due_at,
        }
        field = event.body.get("field", "")
        about = f"order {order.id} {order.version} {event.action} {event.unit} {field}"
        return [
            queued(self, order.call_id, debt)
            for debt in self._deliveries(
                f"order.{event.action}", order.tenant, order.id, data, about, order.call_id
            )
        ]

    def tell_warning(self, warning: KeptWarning, action: str) -> list[Also]:
        """For the transaction that opens a warning or changes it; nothing that anybody said."""
        data = {
            "warning": f"/api/v1/warnings/{warning.id}",
            "call": f"/api/v1/calls/{warning.call_id}" if warning.call_id else "",
            "tenant": warning.tenant,
            "kind": warning.kind,
            "name": warning.name,
            "category": warning.category,
            "place": warning.place,
            "begun_at": warning.begun_at,
            "voices": warning.voices,
            "contacts": warning.contacts,
            "expected": warning.expected,
        }
        what, about = f"warning.{action}", f"{warning.id} {action} {warning.voices}"
        of = (what, warning.tenant, warning.id, data, about, warning.id)
        return [queued(self, warning.call_id, debt) for debt in self._deliveries(*of)]

    def tell_quality(self, made: KeptInspection, event: InspectionEvent) -> list[Also]:
        """For the transaction that keeps an inspection, or what was made of a finding."""
        violated = sum(each.finding == "violated" for each in made.findings)
        data = {
            "call": f"/api/v1/calls/{made.call_id}",
            "tenant": made.tenant,
            "agent": made.agent,
            "total": made.total,
            **({"rule": event.rule, "actor": event.who} if event.rule else {"violated": violated}),
        }
        # Inspected again it is told again, if other rules have come to something else.
        about = f"{event.action} {event.rule} {event.at} {made.pack} {made.total} {violated}"
        of = (f"quality.{event.action}", made.tenant, made.call_id, data, about, made.call_id)
        return [queued(self, made.call_id, debt) for debt in self._deliveries(*of)]

    def tell_gap(self, question: OpenQuestion) -> list[Also]:
        """For the transaction that keeps what no entry answered."""
        data = {"call": f"/api/v1/calls/{question.call_id}", "tenant": question.tenant}
        of = ("knowledge.gap", question.tenant, question.call_id, data, "gap", question.call_id)
        return [queued(self, question.call_id, debt) for debt in self._deliveries(*of)]

    def tell_answer(self, to: AnswerRecipient, entry: KnowledgeEntry) -> list[Also]:
        """For whoever owns the text channels: the entry's own words, and nothing of the citizen's.
        Empty: nobody takes it."""
        data = {
            "call": f"/api/v1/calls/{to.call}",
            "call_id": to.call_id,
            "tenant": to.tenant,
            "channel": to.channel,
            "entry": f"/api/v1/knowledge/{entry.id}",
            "title": entry.title,
            "answer": entry.answer,
            "source": entry.source,
            "valid_to": entry.valid_to,
        }
        about = f"answer {entry.id} {entry.version} {to.channel}"
        of = ("knowledge.answer", to.tenant, to.call, data, about, to.call)
        return [queued(self, to.call, debt) for debt in self._deliveries(*of)]

    # --- telling

    async def settle(self, job: Job) -> Sequence[Also]:
        try:
            await self._deliverer.post(job.payload)
        except Refused:
            self._metrics.webhooks_total.labels("refused").inc()
            raise
        self._metrics.webhooks_total.labels("delivered").inc()
        return ()

    def retry(self, job: Job, error: BaseException) -> float | None:
        if isinstance(error, Refused) and error.for_good:
            return None
        return PAUSES_S[job.attempts - 1] if job.attempts <= len(PAUSES_S) else None

    async def close(self) -> None:
        await self._deliverer.close()

    # --- what nobody took

    async def dead_letters(self) -> list[dict[str, Any]]:
        """Deliveries that failed for good, newest first."""
        return [_letter(job) for job in await self._jobs.dead(self.job_kind)]

    async def failing(self) -> list[dict[str, Any]]:
        """Deliveries that failed and will be tried again, the next one first."""
        return [_letter(job) for job in await self._jobs.failing(self.job_kind)]

    async def retry_dead(self, delivery: str) -> None:
        """Try a dead letter again, from the start; raises NotFound."""
        if not await self._jobs.revive(self.job_kind, delivery):
            raise NotFound("retry a delivery", f"there is no dead letter {delivery!r}")
        self._jobs.news.tell()


def _wants(events: Sequence[str], what: str) -> bool:
    return what in events or f"{what.split('.')[0]}.*" in events


class Announcer:
    """Webhooks' ear in one call."""

    def __init__(self, webhooks: Webhooks, call: FollowedCall) -> None:
        self._webhooks, self._call = webhooks, call

    async def hear(self, told: NumberedEvent) -> Sequence[Lasting]:
        if isinstance(told.event, Lasting):
            await self._webhooks.announce(self._call, told.event)
        return ()

    def leave(self) -> None:
        pass


def _check_events(settings: Settings) -> None:
    """Raises SettingsError for one that is never told."""
    told = [kind.name for kind in KINDS.values() if kind.webhook] + [s.value for s in OVER]
    known = {f"call.{what}" for what in told} | TOLD_EVENTS
    for endpoint in settings.endpoints:
        if unknown := set(endpoint.events) - known:
            raise SettingsError(
                "read [webhooks]",
                f"{endpoint.url}: there is no event {', '.join(sorted(unknown))}",
                f"there are {', '.join(sorted(known))}",
            )


def _letter(job: Job) -> dict[str, Any]:
    """A delivery as an operator looks at it."""
    url = kind = ""
    with contextlib.suppress(ValueError, KeyError, TypeError):  # what cannot be read is shown, too
        told = json.loads(job.payload)
        url, kind = told["url"], told["event"]["type"]
    return {
        "id": job.id,
        "url": url,
        "type": kind,
        "call": job.call_id,
        "attempts": job.attempts,
        "error": job.error,
        "next_at": job.due_at,
    }
