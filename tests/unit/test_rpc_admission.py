"""What the gRPC door holds open, in shares."""

from __future__ import annotations

import contextlib

import pytest

from appliance.access.roles import AccessRole, Principal
from appliance.api.grpc.admission import STREAMING, RpcAdmission
from appliance.errors import Overloaded
from appliance.metrics import Metrics
from appliance.settings.calls import LimitsSettings

ROLES = frozenset({AccessRole.CALLER})
CROWD, OTHER = Principal("a", "crowd", ROLES), Principal("b", "other", ROLES)


def test_a_crowd_leaves_another_hotline_system_its_place() -> None:
    door = RpcAdmission(LimitsSettings(idle_streams=10), Metrics())
    with door.admit(STREAMING, OTHER, False):  # it is known
        pass
    with contextlib.ExitStack() as held:
        for _ in range(9):
            held.enter_context(door.admit(STREAMING, CROWD, False))
        with pytest.raises(Overloaded, match="9 requests"), door.admit(STREAMING, CROWD, False):
            pass
        with door.admit(STREAMING, OTHER, False):
            pass


async def test_the_door_is_empty_when_the_last_has_gone() -> None:
    door = RpcAdmission(LimitsSettings(), Metrics())
    with door.admit(STREAMING, CROWD, False):
        with door.admit(STREAMING, OTHER, False):
            pass
        assert not await door._emptied(0.01)
    assert await door._emptied(0.01)
