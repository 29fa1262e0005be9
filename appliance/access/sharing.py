"""What gateways of one database tell each other of access: who is let in here is let in there."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Callable, Mapping
from functools import partial

from appliance.access.gate import Gate
from appliance.access.sessions import Session, Sessions
from appliance.store.keys import KeyRing
from appliance.store.notices import Fields, Notices

log = logging.getLogger(__name__)

CHANGED, SPENT, BEGUN, ENDED = "credentials", "spent", "session-begun", "session-ended"
TELL_EVERY_S = 0.5  # how many requests each credential has made
TOLD_AT_ONCE = 100  # credentials: a notice is small


class Sharing:
    """`start` and `close` it.

    Args:
        sessions: by a name that all gateways know them by.
        refresh: has the credentials read anew, soon.
    """

    def __init__(
        self,
        notices: Notices,
        ring: KeyRing,
        gate: Gate,
        sessions: Mapping[str, Sessions],
        refresh: Callable[[], None],
    ) -> None:
        self._notices, self._ring, self._gate, self._sessions = notices, ring, gate, sessions
        self._telling: asyncio.Task[None] | None = None
        notices.on(CHANGED, lambda _: refresh())
        notices.on(SPENT, self._hear_spent)
        notices.on(BEGUN, self._hear_begun)
        notices.on(ENDED, lambda fields: sessions[fields["of"]].forget(str(fields["name"])))

    def start(self) -> None:
        if not self._notices.shared:
            return
        for of, sessions in self._sessions.items():
            sessions.tell_of(partial(self._tell, of))
        self._telling = asyncio.create_task(self._tell_spent(), name="access-sharing")

    async def close(self) -> None:
        if self._telling:
            self._telling.cancel()
            await asyncio.gather(self._telling, return_exceptions=True)

    def changed(self) -> None:
        """A credential was made, revoked or approved here."""
        self._notices.tell(CHANGED)

    async def _tell_spent(self) -> None:
        while True:
            await asyncio.sleep(TELL_EVERY_S)
            spent = list(self._gate.spent().items())
            for at in range(0, len(spent), TOLD_AT_ONCE):
                self._notices.tell(SPENT, requests=dict(spent[at : at + TOLD_AT_ONCE]))

    def _hear_spent(self, fields: Fields) -> None:
        for credential, requests in fields["requests"].items():
            self._gate.spent_elsewhere(str(credential), int(requests))

    def _tell(self, of: str, name: str, session: Session | None) -> None:
        if session is None:
            self._notices.tell(ENDED, of=of, name=name)
            return
        sealed = self._ring.wrap(session.key.encode(), _about(of, name, session.longest_s))
        told = {"sealed": base64.b64encode(sealed).decode(), "longest_s": session.longest_s}
        self._notices.tell(BEGUN, of=of, name=name, **told)

    def _hear_begun(self, fields: Fields) -> None:
        of, name, longest_s = str(fields["of"]), str(fields["name"]), float(fields["longest_s"])
        try:
            sealed = base64.b64decode(fields["sealed"])
            key = self._ring.unwrap(sealed, _about(of, name, longest_s)).decode()
        except ValueError as error:  # of another master key, or altered
            log.warning("a session of another gateway does not open: %s", error)
        else:
            self._sessions[of].remember(name, key, longest_s)


def _about(of: str, name: str, longest_s: float) -> str:
    """What is sealed with a session, so that nobody can make more of it on the way."""
    return f"{of} session {name} for {float(longest_s)} s"
