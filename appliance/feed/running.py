"""The calls under way on this gateway, by the box's id."""

from __future__ import annotations

from collections.abc import Sequence
from weakref import WeakValueDictionary

from appliance.feed.kept import KeptCall, LiveCall
from appliance.feed.subscriber import Subscriber
from appliance.messages import CallConfig, CallState
from appliance.metrics import Metrics
from appliance.news import News
from appliance.store.notices import Notices
from appliance.store.store import Store
from appliance.store.vault import Writer

CHANGED = "changed"  # a notice: of a call's state


class RunningCalls:
    """Makes them, so that whoever subscribes follows every one; the only register there is."""

    def __init__(
        self,
        subscribers: Sequence[Subscriber],
        metrics: Metrics,
        notices: Notices,
        *,
        agent_moods: bool,
    ) -> None:
        """`notices` to and from the other gateways: a call's state concerns all."""
        self._subscribers, self._metrics, self._notices = tuple(subscribers), metrics, notices
        self._agent_moods = agent_moods
        self._calls: dict[str, KeptCall] = {}  # oldest first
        self._news: WeakValueDictionary[str, News] = WeakValueDictionary()  # that somebody holds
        notices.on(CHANGED, lambda fields: self.look_again(str(fields["call"])))
        notices.when_missed(self.look_at_all)

    def begin_live(
        self, call_id: str, config: CallConfig, store: Store, audio: Writer | None
    ) -> LiveCall:
        made = (self._metrics, self._subscribers, store, audio, self.leave)
        kept = LiveCall(call_id, config, *made, agent_moods=self._agent_moods)
        self._enter(kept)
        return kept

    def begin_recording(self, call_id: str, config: CallConfig) -> KeptCall:
        kept = self.at_rest(call_id, config)
        self._enter(kept)
        return kept

    def at_rest(self, call_id: str, config: CallConfig) -> KeptCall:
        """A call that does not run here, to be ended or read; it is on no list."""
        made = (self._metrics, self._subscribers)
        return KeptCall(call_id, config, *made, agent_moods=self._agent_moods)

    def _enter(self, kept: KeptCall) -> None:
        self._calls[kept.id] = kept
        kept.begin()
        self.tell(kept.id)

    def leave(self, kept: KeptCall) -> None:
        """It is over, or another attempt at it took its place."""
        if self._calls.get(kept.id) is kept:
            del self._calls[kept.id]
        self.tell(kept.id)

    def tell(self, call_id: str) -> None:
        """Its state is another now."""
        self.look_again(call_id)
        self._notices.tell(CHANGED, call=call_id)

    def look_again(self, call_id: str) -> None:
        """Whoever waits for it: there may be news in the database."""
        if news := self._news.get(call_id):
            news.tell()

    def look_at_all(self) -> None:
        """Whoever waits for any call."""
        for call_id in list(self._news):
            self.look_again(call_id)

    def news_of(self, call_id: str) -> News:
        """To wait for a call that may not run yet, or run no more; told while it is held."""
        return self._news.setdefault(call_id, News())

    def get(self, call_id: str) -> KeptCall | None:
        return self._calls.get(call_id)

    def all(self) -> list[KeptCall]:
        """Also those that are over, but not stored yet."""
        return list(self._calls.values())

    def live(self) -> list[KeptCall]:
        """Live calls that are not over, oldest first."""
        return [
            kept
            for kept in self._calls.values()
            if kept.config.live and kept.state is CallState.RUNNING
        ]

    def close(self) -> None:
        for kept in self._calls.values():
            kept.close()
