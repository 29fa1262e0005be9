"""Which engines the settings ask for, wired together."""

from __future__ import annotations

from appliance.engine.canary import load_canary
from appliance.engine.cpu import CpuEngine
from appliance.engine.failover import FailoverEngine
from appliance.engine.protocol import SpeechEngine
from appliance.engine.sizing import check_memory
from appliance.engine.triton import TritonEngine
from appliance.errors import SettingsError
from appliance.metrics import Metrics
from appliance.settings import Settings


def build_engine(settings: Settings, metrics: Metrics) -> FailoverEngine:
    """Triton first, the CPU behind it; raises BundleError if the bundle cannot be read."""
    check_memory(settings)
    engines: list[SpeechEngine] = []
    if settings.triton.mode != "off":
        engines.append(TritonEngine(settings, metrics))
    if settings.cpu.workers:
        engines.append(CpuEngine(settings))
    if not engines:
        raise SettingsError(
            "choose an engine", "triton.mode is off and cpu.workers is 0", "turn one of them on"
        )
    canary = load_canary(settings.models.asr)
    standby = settings.models.asr_standby
    own = {CpuEngine.name: load_canary(standby)} if standby else {}
    return FailoverEngine(engines, canary, settings, metrics, own)
