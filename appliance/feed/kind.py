"""What there is to know of a kind of event: how it is stored, folded and told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from google.protobuf.json_format import ParseDict

from appliance.messages import Lasting
from appliance.proto.lingting.hotline.v1 import hotline_pb2 as pb

if TYPE_CHECKING:
    from appliance.feed.record import Ledger

E = TypeVar("E")
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class EventKind(Generic[E]):
    """One kind of event. A file of its own in `kinds/` that binds it to KIND is all it takes.

    Args:
        name: as told, over every door; a webhook's type is lingting.call.NAME.
        event: its class.
        as_json: what it says, over HTTP.
        fold: what it changes of a call's record; None if it does not last.
        as_grpc: fills its field of a CallEvent; None: told by `derived`, as over HTTP.
        webhook: the data of the webhook that it is; None: it is none.
        stored: its name in journals, where that is another.
    """

    name: str
    event: type[E]
    as_json: Callable[[E], Json]
    fold: Callable[[Ledger, E], None] | None = None
    as_grpc: Callable[[E, pb.CallEvent], None] | None = None
    webhook: Callable[[E], Json] | None = None
    stored: str = ""

    @property
    def lasts(self) -> bool:
        return issubclass(self.event, Lasting)

    def fill(self, event: E, message: pb.CallEvent) -> None:
        if self.as_grpc:
            self.as_grpc(event, message)
        else:
            message.derived.kind = self.name
            ParseDict(self.as_json(event), message.derived.data)
