"""Which engines the settings ask for, wired together."""

from __future__ import annotations

from pathlib import Path

from appliance.engine.canary import load_canary
from appliance.engine.cpu import CpuEngine
from appliance.engine.failover import FailoverEngine
from appliance.engine.protocol import ManagedEngine
from appliance.engine.sizing import check_memory
from appliance.engine.triton import TritonEngine
from appliance.errors import BundleError, SettingsError
from appliance.messages import AUTO
from appliance.metrics import Metrics
from appliance.settings import Settings
from inference.bundles import load_manifest


def build_engine(settings: Settings, metrics: Metrics) -> FailoverEngine:
    """Tritons first, the CPU behind them; raises BundleError if the bundle cannot be read."""
    check_memory(settings)
    tritons = _tritons(settings)
    engines: list[ManagedEngine] = [
        TritonEngine(settings, metrics, number) for number in range(1, tritons + 1)
    ]
    if settings.cpu.workers:
        engines.append(CpuEngine(settings))
    if not engines:
        raise SettingsError(
            "choose an engine", "triton.mode is off and cpu.workers is 0", "turn one of them on"
        )
    canary = load_canary(settings.models.asr)
    standby = settings.models.asr_standby
    own = {CpuEngine.name: load_canary(standby)} if standby else {}
    for bundle in filter(None, (settings.models.asr, standby)):
        check_language(settings.call.language, bundle)
    return FailoverEngine(engines, canary, settings, metrics, own, alike=max(1, tritons))


def _tritons(settings: Settings) -> int:
    """How many there are."""
    triton = settings.triton
    if triton.addresses and triton.mode != "remote":
        raise SettingsError(
            "choose an engine",
            f"triton.addresses names {len(triton.addresses)}, but triton.mode is {triton.mode}",
            "set triton.mode to remote: a child needs no address",
        )
    return 0 if triton.mode == "off" else max(1, len(triton.addresses))


def check_language(language: str, bundle: Path) -> None:
    """Whichever engine hears a call, it must know the language of calls that name none.

    Raises BundleError.
    """
    known = load_manifest(bundle).languages
    if language != AUTO and known and language not in known:
        raise BundleError(
            "choose a language",
            f"{bundle.name} does not know call.language {language!r}",
            f"set it to one of {', '.join(known)}, or to auto; or take another bundle",
        )
