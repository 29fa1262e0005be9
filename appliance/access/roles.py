"""Roles, what each may do, and whoever is asking."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from appliance.messages import CANARY_TENANT, EVERY_TENANT, LOCAL_TENANT, CallConfig


class AccessRole(StrEnum):
    """What a credential may do. The three admins are apart: none can do another's act."""

    CALLER = "caller"  # a hotline system: sends audio, reads its own calls
    AGENT = "agent"  # reads and follows calls
    INSPECTOR = "inspector"  # an agent's rights; hears kept audio, deletes calls
    DISPATCHER = "dispatcher"  # gives orders to units; reads calls
    CLERK = "clerk"  # of a unit: sees and answers its orders, no call
    EDITOR = "editor"  # writes drafts of the knowledge base; no call
    APPROVER = "approver"  # an editor's rights; approves what others wrote
    DUTY = "duty"  # the duty officer: sees early warnings, decides what becomes of them; no call
    OPERATOR = "operator"  # metrics, models, webhooks that failed; no call
    SYSTEM_ADMIN = "system_admin"  # settings, draining
    SECURITY_ADMIN = "security_admin"  # credentials
    AUDIT_ADMIN = "audit_admin"  # the audit log


ADMINS = frozenset({AccessRole.SYSTEM_ADMIN, AccessRole.SECURITY_ADMIN, AccessRole.AUDIT_ADMIN})
SENDS = frozenset({AccessRole.CALLER})
READS = frozenset(
    {AccessRole.CALLER, AccessRole.AGENT, AccessRole.INSPECTOR, AccessRole.DISPATCHER}
)
ORDERS = READS | {AccessRole.CLERK}
WRITES = frozenset({AccessRole.CALLER, AccessRole.AGENT, AccessRole.DISPATCHER})
DISPATCHES = frozenset({AccessRole.CALLER, AccessRole.DISPATCHER})
INSPECTS = frozenset({AccessRole.INSPECTOR})
APPEALS = frozenset({AccessRole.CALLER, AccessRole.AGENT, AccessRole.INSPECTOR})
EDITS = frozenset({AccessRole.EDITOR, AccessRole.APPROVER})
APPROVES = frozenset({AccessRole.APPROVER})
SEARCHES = READS | EDITS
WARNS = frozenset({AccessRole.DUTY, AccessRole.DISPATCHER})
SEES_WARNINGS = WARNS | {AccessRole.INSPECTOR, AccessRole.CALLER}
OPERATES = frozenset({AccessRole.OPERATOR})
ANYBODY = frozenset(AccessRole)


def roles_of(names: Iterable[str]) -> frozenset[AccessRole]:
    """Those known here; one of a newer release, left behind by its rollback, allows nothing."""
    return frozenset(AccessRole(name) for name in names if name in set(AccessRole))


@dataclass(frozen=True, slots=True)
class Principal:
    """Whoever is asking, once that is known."""

    name: str
    tenant: str  # a hotline system; EVERY_TENANT sees all
    roles: frozenset[AccessRole]
    credential: str = ""  # its id; empty: the door itself vouches
    peer: str = ""  # address, for the audit log
    unit: str = ""  # a clerk's, by code

    def sees(self, tenant: str) -> bool:
        return self.tenant in (EVERY_TENANT, tenant)

    @property
    def own_tenant(self) -> str:
        """Whose calls it makes."""
        return LOCAL_TENANT if self.tenant == EVERY_TENANT else self.tenant

    def owned(self, config: CallConfig) -> CallConfig:
        """A call that it makes."""
        return replace(config, tenant=self.own_tenant, credential=self.credential)

    @property
    def is_human(self) -> bool:
        """Whether its reading of calls is logged: people's is, a hotline system's own is not."""
        return not self.roles & SENDS


# Who comes to a door on loopback: no admin, but all else.
LOCAL = Principal(
    "local",
    EVERY_TENANT,
    frozenset(
        {
            AccessRole.CALLER,
            AccessRole.AGENT,
            AccessRole.INSPECTOR,
            AccessRole.DISPATCHER,
            AccessRole.EDITOR,
            AccessRole.APPROVER,
            AccessRole.DUTY,
            AccessRole.OPERATOR,
        }
    ),
)
# The machine's own canary, over the Unix socket: it may call, and delete its own calls.
CANARY = Principal("canary", CANARY_TENANT, frozenset({AccessRole.CALLER, AccessRole.INSPECTOR}))
