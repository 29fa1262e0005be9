"""The gateway: what it is made of, how it starts, drains and stops."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from functools import partial

from appliance.access.access import Access
from appliance.api import ports
from appliance.api.auth import check_closed
from appliance.api.grpc.server import GrpcServer
from appliance.api.http.followed import Followed
from appliance.api.http.server import HttpServer
from appliance.api.knowledge import KnowledgeService
from appliance.api.orders import shown_to_city
from appliance.api.quality import QualityService
from appliance.api.services import Services
from appliance.api.tls import check_tls
from appliance.api.warnings import WarningService
from appliance.archive.archive import Archive
from appliance.archive.tenant_terms import TenantTerms
from appliance.assist.alerts import Alerts
from appliance.assist.city.pack import CityPack
from appliance.assist.city.terms import terms_of_city
from appliance.assist.current import CurrentCity
from appliance.assist.knowledge.desk import KnowledgeDesk
from appliance.assist.knowledge.subscriber import KnowledgeFollower
from appliance.assist.orders.desk import OrderDesk
from appliance.assist.orders.push import OrderPush
from appliance.assist.orders.subscriber import OrderFiller
from appliance.assist.orders.timers import OrderTimers
from appliance.assist.orders.watch import DangerWatch
from appliance.assist.quality.desk import QualityDesk
from appliance.assist.warnings.desk import WarningDesk
from appliance.assist.warnings.follower import EmergencyWatch
from appliance.call.box import Box
from appliance.console.board import Lines
from appliance.engine.build import build_engine, check_language
from appliance.engine.protocol import ManagedEngine
from appliance.engine.triton_server import free_port
from appliance.errors import StoreUnavailable
from appliance.feed.neighbours import Neighbours
from appliance.feed.owed import OwedWork
from appliance.feed.replay import Replays
from appliance.feed.subscriber import Subscriber, is_durable
from appliance.messages import Level
from appliance.metrics import Metrics
from appliance.models.beside import BesideServing
from appliance.models.lineup import Lineup
from appliance.models.loading import BundleLoading
from appliance.models.rollout import Rollout
from appliance.models.serving import library_of
from appliance.recordings.recordings import Recordings
from appliance.settings import Settings
from appliance.store.database import Also
from appliance.store.order_rows import Order, OrderEvent
from appliance.store.store import Store
from appliance.watch.condition import ConditionWatch
from appliance.watch.gpu import GpuReader
from appliance.watch.history import History
from appliance.watch.synthetic_call import SyntheticCalls
from appliance.webhooks.webhooks import Webhooks
from appliance.work.runner import Runner

BuildEngine = Callable[[Settings, Metrics], ManagedEngine]

DOORS_GRACE_S = 5.0  # for the doors to close once the calls are over


class Gateway:
    """The box, its doors, and all who follow its calls."""

    def __init__(
        self,
        settings: Settings,
        build: BuildEngine = build_engine,
        also: Sequence[Subscriber] = (),
    ) -> None:
        """`also` follows calls behind those who always do."""
        settings = self.settings = _with_a_metrics_port(settings)
        metrics = self.metrics = Metrics()
        store = self.store = Store(settings.store, metrics)
        self.lines = Lines()
        webhooks = Webhooks(settings.webhooks, store.jobs, metrics)
        self.city = CurrentCity(
            settings.city.pack, settings.city.cache, lambda pack: self._take_words(pack)
        )
        self.orders = OrderDesk(store, self.city, self._tell_order)
        self.knowledge = KnowledgeDesk(store, self.city, metrics)
        self.quality = QualityDesk(store, self.city, metrics, webhooks.tell_quality)
        self.warnings = WarningDesk(store, self.city, metrics, webhooks.tell_warning)
        self._push = OrderPush(settings.orders, store.jobs, self.orders, shown_to_city)
        self._webhooks = webhooks
        self._timers = OrderTimers(self.orders, store)
        self.subscribers = (*self._followers(), *also)
        self.archive = Archive(settings, store, metrics, self.subscribers)
        self.engine = build(settings, metrics)
        self.box = Box(settings, self.engine, metrics, self.archive.keep)
        self.box.take_terms(terms_of_city(self.city.pack))
        self.terms = TenantTerms(store, self.box.take_terms)
        self.access = Access(settings, store)
        self._build_rollout(settings)
        self._quiet = SyntheticCalls(self.box, settings.watch.quiet_call_minutes * 60)
        self._history = History(metrics, GpuReader(settings.triton))
        recordings = Recordings(store, self.box, self.archive.running)
        replays = Replays(store, self.subscribers, metrics)
        owed = [OwedWork(store.jobs, each) for each in self.subscribers if is_durable(each)]
        self.recordings = Runner(recordings)
        self._owed = [Runner(work) for work in (*owed, replays, self._push)]
        kinds = [work.kind for work in (recordings, replays, self._push, *owed)]
        audit = self.access.audit_folder
        self._condition = ConditionWatch(settings, store, audit, metrics, kinds)
        services = self._services()
        self._grpc = GrpcServer(self.box, self.archive, self.access, services)
        self._http = HttpServer(
            *(self.box, self.archive, self.access, self._history),
            followed=Followed(
                *(self.lines, webhooks, replays, services),
                *(self.terms, self.rollout, self.beside),
            ),
        )

    def _services(self) -> Services:
        return Services(
            self.orders,
            KnowledgeService(self.knowledge, self.archive, self.access, self._webhooks.tell_answer),
            QualityService(self.quality, self.archive, self.access),
            WarningService(self.warnings, self.store, self.access),
        )

    def _followers(self) -> tuple[Subscriber, ...]:
        """In the order in which they are told of an event."""
        store, webhooks = self.store, self._webhooks
        return (
            Alerts(Level(self.settings.emotions.alert_level)),
            DangerWatch(self.city),
            OrderFiller(store, self.city, self.orders),
            EmergencyWatch(self.warnings),
            KnowledgeFollower(store, self.knowledge, self.metrics, webhooks.tell_gap),
            self.quality,
            webhooks,
            self.lines,
            *([Neighbours(store)] if store.notices.shared else []),
        )

    def _build_rollout(self, settings: Settings) -> None:
        library = library_of(settings)
        lineup = Lineup(settings.models.library, library)
        fits = partial(check_language, settings.call.language)
        switch, pace = self.box.switch, self.box.pace
        self.loading = BundleLoading(library, lineup, switch, settings.models.asr, fits)
        self.beside = BesideServing(self.loading, switch)
        late_s, tell = (lambda: pace.late_s), self.access.tell
        self.rollout = Rollout(self.loading, switch, late_s, tell=tell)

    def _tell_order(self, order: Order, event: OrderEvent) -> list[Also]:
        return [*self._webhooks.tell_order(order, event), *self._push.owed(order, event)]

    def _take_words(self, pack: CityPack) -> None:
        self.box.take_lexicon(pack.folder)
        self.box.take_terms(terms_of_city(pack))

    async def start(self) -> tuple[int, int]:
        """Bring up an engine, then the doors; returns the gRPC and HTTP ports."""
        for kind, door in (("grpc", self.settings.grpc), ("http", self.settings.http)):
            ports.check_free(kind, door, door.port)
            check_tls(kind, door)
            check_closed(kind, door)
        await self.archive.start()
        await self.access.start()
        await self._condition.start()
        await self._history.start()
        self.loading.start()
        await self.box.start()
        self.beside.start()
        for runner in (self.recordings, *self._owed):
            runner.start()
        await self.terms.start()
        await self.city.start()
        await self.knowledge.start()
        await self._timers.start()
        await self.warnings.start()
        await self._quiet.start()
        return await self._grpc.start(), await self._http.start()

    async def drain(self) -> None:
        """Let running calls end, refuse new ones; recordings wait for the next start."""
        await self._quiet.close()
        await self.recordings.close()
        await self.box.drain(self.settings.limits.drain_s)

    async def progress(self) -> bool:
        """Whether the loop turns and the disk takes what is written; a full one answers too."""
        with contextlib.suppress(StoreUnavailable):
            await self.store.database.write(lambda _: None)
        return True

    async def stop(self, grace_s: float = DOORS_GRACE_S) -> None:
        await asyncio.gather(self._grpc.stop(grace_s), self._http.stop(grace_s))
        await self._quiet.close()
        await self.recordings.close()
        await self.rollout.close()
        await self.beside.close()
        await self.box.close()
        await asyncio.gather(*(runner.close() for runner in self._owed))
        await asyncio.gather(*(subscriber.close() for subscriber in self.subscribers))
        await self._timers.close()
        await self.warnings.close()
        await self.knowledge.close()
        await self._push.close()
        await self.city.close()
        await self.terms.close()
        await self._history.close()
        await self._condition.close()
        await self.access.close()
        await self.archive.close()


def _with_a_metrics_port(settings: Settings) -> Settings:
    """Of a Triton child, chosen here: the page reads there how busy the GPUs are."""
    triton = settings.triton
    if triton.mode != "child" or triton.metrics_port:
        return settings
    chosen = triton.model_copy(update={"metrics_port": free_port()})
    return settings.model_copy(update={"triton": chosen})
