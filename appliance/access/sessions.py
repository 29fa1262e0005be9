"""Browsers that have shown a key: a cookie stands for it, until it is idle or too old.

Only in memory, of all gateways: a restart asks everybody again. The key is judged anew at each
request, so revoking it ends what the cookie opens.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

IDLE_S = 30 * 60.0
LONGEST_S = 12 * 3600.0
MOST = 1000  # the longest unused has to go
TOKEN_BYTES = 32


@dataclass(slots=True)
class Session:
    key: str
    begun_at: float  # monotonic s
    used_at: float
    longest_s: float


Tell = Callable[[str, Session | None], None]  # by the cookie's hash; None: it has ended


class Sessions:
    """Cookies and the keys they stand for."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._open: OrderedDict[str, Session] = OrderedDict()  # by the cookie's hash
        self._tell: Tell = lambda name, session: None

    def tell_of(self, tell: Tell) -> None:
        """Have it called with each session that begins or ends here."""
        self._tell = tell

    def begin(self, key: str, longest_s: float = LONGEST_S) -> str:
        """For a key that was found good; returns the cookie's value, or a client's secret."""
        token = secrets.token_urlsafe(TOKEN_BYTES)
        name = _hash(token)
        self._tell(name, self.remember(name, key, longest_s))
        return token

    def remember(self, name: str, key: str, longest_s: float) -> Session:
        """A session by its cookie's hash; it may have begun at another gateway."""
        now = self._clock()
        session = self._open[name] = Session(key, now, now, longest_s)
        while len(self._open) > MOST:
            self._open.popitem(last=False)
        return session

    def key(self, token: str) -> str:
        """What the cookie stands for; empty if it is none, or no longer."""
        name = _hash(token)
        session, now = self._open.get(name), self._clock()
        if session is None:
            return ""
        if now - session.used_at > IDLE_S or now - session.begun_at > session.longest_s:
            del self._open[name]
            return ""
        session.used_at = now
        self._open.move_to_end(name)
        return session.key

    def end(self, token: str) -> None:
        name = _hash(token)
        self.forget(name)
        self._tell(name, None)

    def forget(self, name: str) -> None:
        self._open.pop(name, None)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
