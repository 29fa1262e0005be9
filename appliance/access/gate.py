"""Knows keys and certificates, and says who is asking. Everything is in memory: a request costs
two look-ups, and a credential that was revoked is refused from the next moment on."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from appliance.access.roles import ADMINS, CANARY, LOCAL, AccessRole, Principal, roles_of
from appliance.errors import Forbidden, Overloaded, Unauthenticated
from appliance.store.credentials import Credential

PREFIX = "lt_"
SECRET_BYTES = 32
DOING = "let you in"
MOST_PEERS = 4096  # addresses whose failures are remembered
FAILURES_PER_MINUTE = 30  # of one address, before it has to wait
MINUTE_S = 60.0


@dataclass(frozen=True, slots=True)
class Proof:
    """What a caller showed at a door."""

    key: str = ""
    certificate: str = ""  # SHA-256 of its DER, hex; the door has verified its chain
    peer: str = ""
    open_door: bool = False  # on loopback, where nothing is asked for
    own_machine: bool = False  # over the Unix socket, which the file system guards

    @property
    def digest(self) -> str:
        return digest_of(self.key) if self.key else self.certificate


@dataclass(slots=True)
class Bucket:
    """So many a minute, refilled all the time."""

    tokens: float
    at: float = field(default_factory=time.monotonic)

    def refill(self, per_minute: int) -> None:
        """Up to this moment."""
        now = time.monotonic()
        self.tokens = min(per_minute, self.tokens + (now - self.at) * per_minute / MINUTE_S)
        self.at = now

    def take(self, per_minute: int) -> float:
        """Take one; 0, or the seconds until there is one."""
        self.refill(per_minute)
        if self.tokens >= 1:
            self.tokens -= 1
            return 0.0
        return (1 - self.tokens) * MINUTE_S / per_minute


class Gate:
    """Holds every credential; `load` replaces them.

    Args:
        per_minute: requests of one credential, unless it has a number of its own.
        two_factors: whether an admin's key must come with its certificate.
    """

    def __init__(
        self, per_minute: int, *, two_factors: bool, clock: Callable[[], float] = time.time
    ) -> None:
        self._per_minute, self._two_factors, self._clock = per_minute, two_factors, clock
        self._by_digest: dict[str, Credential] = {}
        self._by_id: dict[str, Credential] = {}
        self._buckets: dict[str, Bucket] = {}
        self._spent: Counter[str] = Counter()  # requests by credential, since that was asked for
        self._failures: OrderedDict[str, Bucket] = OrderedDict()

    def load(self, credentials: Iterable[Credential]) -> None:
        known = list(credentials)
        self._by_digest = {each.digest: each for each in known}
        self._by_id = {each.id: each for each in known}
        self._buckets = {k: b for k, b in self._buckets.items() if k in self._by_id}

    @property
    def known(self) -> list[Credential]:
        return list(self._by_id.values())

    def admit(self, shown: Proof) -> Principal:
        """Who that is; raises Unauthenticated, Overloaded."""
        if shown.open_door and not self._knows(shown):  # a client may have to send some key
            return LOCAL
        if not shown.key and not shown.certificate:
            if shown.own_machine:
                return CANARY
            hint = "send `authorization: Bearer KEY`, or call with a client certificate"
            raise Unauthenticated(DOING, "this door asks for a key", hint)
        try:
            credential = self._recognise(shown)
        except Unauthenticated:
            self._check_patience(shown.peer)  # only who is wrong has to wait
            self._remember_failure(shown.peer)
            raise
        self._spend(credential)
        return Principal(
            name=credential.name,
            tenant=credential.tenant,
            roles=roles_of(credential.roles),
            credential=credential.id,
            peer=shown.peer,
            unit=credential.unit,
        )

    def _knows(self, shown: Proof) -> bool:
        return shown.digest in self._by_digest

    def _recognise(self, shown: Proof) -> Credential:
        credential = self._by_digest.get(shown.digest)
        if credential is None:
            what = "the key" if shown.key else "the certificate"
            raise Unauthenticated(DOING, f"{what} is not known here", "ask the security admin")
        self._check(credential)
        if credential.certificate and credential.certificate != shown.certificate:
            hint = "an admin's key is of use only together with its certificate"
            raise Unauthenticated(DOING, "its certificate was not shown", hint)
        if self._two_factors and _is_admin(credential) and not credential.certificate:
            hint = "make it anew with --certificate"
            raise Unauthenticated(DOING, "an admin needs a key and a certificate", hint)
        return credential

    def _check(self, credential: Credential) -> None:
        now = self._clock()
        if credential.is_good(now):
            return
        cause = "the credential waits for another admin's approval"
        if credential.revoked_at is not None:
            cause = "the credential was revoked"
        elif not credential.pending:
            cause = "the credential has expired"
        raise Unauthenticated(DOING, cause, "ask the security admin for another")

    def still(self, who: Principal) -> None:
        """Whoever follows a call for an hour may be let go meanwhile; raises Unauthenticated."""
        if not who.credential:
            return
        credential = self._by_id.get(who.credential)
        if credential is None:
            raise Unauthenticated(DOING, "the credential was revoked")
        self._check(credential)

    def _spend(self, credential: Credential) -> None:
        most = credential.per_minute or self._per_minute
        bucket = self._buckets.setdefault(credential.id, Bucket(most))
        if wait_s := bucket.take(most):
            raise Overloaded(
                *(DOING, f"more than {most} requests a minute", "ask less often"),
                retry_after_s=wait_s,
            )
        self._spent[credential.id] += 1

    def spent(self) -> dict[str, int]:
        """Requests that were let in since this was asked last, by credential."""
        spent, self._spent = dict(self._spent), Counter()
        return spent

    def spent_elsewhere(self, credential: str, requests: int) -> None:
        """Requests that another gateway has let in count here, too."""
        known = self._by_id.get(credential)
        if known is None:
            return
        most = known.per_minute or self._per_minute
        bucket = self._buckets.setdefault(credential, Bucket(most))
        bucket.refill(most)
        bucket.tokens = max(-most, bucket.tokens - requests)

    def _check_patience(self, peer: str) -> None:
        bucket = self._failures.get(peer)
        if bucket is None:
            return
        bucket.tokens = min(
            FAILURES_PER_MINUTE,
            bucket.tokens + (time.monotonic() - bucket.at) * FAILURES_PER_MINUTE / MINUTE_S,
        )
        bucket.at = time.monotonic()
        if bucket.tokens < 1:
            cause = "too many wrong keys came from your address"
            raise Overloaded(DOING, cause, "wait a minute", retry_after_s=MINUTE_S)

    def _remember_failure(self, peer: str) -> None:
        bucket = self._failures.setdefault(peer, Bucket(FAILURES_PER_MINUTE))
        bucket.tokens -= 1
        self._failures.move_to_end(peer)
        while len(self._failures) > MOST_PEERS:
            self._failures.popitem(last=False)


def require(who: Principal, allowed: frozenset[AccessRole]) -> Principal:
    """Raises Forbidden unless one of the roles is theirs."""
    if who.roles & allowed:
        return who
    wanted = " or ".join(sorted(role.value for role in allowed))
    raise Forbidden("do this", f"{who.name} may not", f"it takes the role {wanted}")


def make_key() -> str:
    """A key to be told once and never again."""
    return PREFIX + secrets.token_urlsafe(SECRET_BYTES)


def digest_of(key: str) -> str:
    """What recognises a key: it has 256 random bits, so a plain hash cannot be reversed."""
    return hashlib.sha256(key.encode()).hexdigest()


def _is_admin(credential: Credential) -> bool:
    return bool(ADMINS & roles_of(credential.roles))
