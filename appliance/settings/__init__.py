"""All settings of the box: a TOML file, overridden by LINGTING_ environment variables.

`LINGTING_GRPC__PORT=50052` sets `[grpc] port`. The file is named by `LINGTING_CONFIG`, else it is
`/etc/lingting/lingting.toml` if that exists.
"""

from __future__ import annotations

import difflib
import os
from pathlib import Path

from pydantic import ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from appliance.errors import SettingsError
from appliance.settings.calls import (
    CallPolicy,
    CitySettings,
    EmotionsSettings,
    LimitsSettings,
    SpeakersSettings,
)
from appliance.settings.doors import (
    AccessSettings,
    AuditSettings,
    GrpcSettings,
    HttpSettings,
    LocalSettings,
)
from appliance.settings.engines import CpuSettings, FailoverSettings, ModelsSettings, TritonSettings
from appliance.settings.keeping import OrdersSettings, StoreSettings, WebhooksSettings
from appliance.settings.watching import LogSettings, TracesSettings, WatchSettings

DEFAULT_CONFIG = Path("/etc/lingting/lingting.toml")


class Settings(BaseSettings):
    """The whole configuration; construct through `load_settings`."""

    model_config = SettingsConfigDict(
        env_prefix="LINGTING_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    grpc: GrpcSettings = GrpcSettings()
    http: HttpSettings = HttpSettings()
    local: LocalSettings = LocalSettings()
    access: AccessSettings = AccessSettings()
    audit: AuditSettings = AuditSettings()
    models: ModelsSettings = ModelsSettings()
    triton: TritonSettings = TritonSettings()
    cpu: CpuSettings = CpuSettings()
    failover: FailoverSettings = FailoverSettings()
    call: CallPolicy = CallPolicy()
    speakers: SpeakersSettings = SpeakersSettings()
    emotions: EmotionsSettings = EmotionsSettings()
    city: CitySettings = CitySettings()
    store: StoreSettings = StoreSettings()
    webhooks: WebhooksSettings = WebhooksSettings()
    orders: OrdersSettings = OrdersSettings()
    limits: LimitsSettings = LimitsSettings()
    watch: WatchSettings = WatchSettings()
    traces: TracesSettings = TracesSettings()
    log: LogSettings = LogSettings()

    @property
    def capacity_file(self) -> Path:
        """Where `lingting capacity` writes what it has measured."""
        return self.store.folder.parent / "capacity.json"

    @property
    def tuning_file(self) -> Path:
        """Where a model writes what runs it best on this machine; measured anew without it.

        systemd gives the models' services a folder of their own: the store is closed to them.
        """
        own = os.environ.get("CACHE_DIRECTORY")
        return Path(own or self.store.folder.parent) / "tuning.json"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        path = config_path()
        file = TomlConfigSettingsSource(settings_cls, path) if path else None
        return (init_settings, env_settings, *([file] if file else []))


def config_path() -> Path | None:
    """The configuration file in force, or None."""
    named = os.environ.get("LINGTING_CONFIG")
    if named:
        return Path(named)
    return DEFAULT_CONFIG if DEFAULT_CONFIG.exists() else None


def load_settings(**overrides: object) -> Settings:
    """Read file and environment; raises SettingsError naming every wrong field."""
    path = config_path()
    if path and not path.exists():
        hint = "check --config or LINGTING_CONFIG"
        raise SettingsError("read settings", f"{path} does not exist", hint)
    _refuse_unknown_variables()
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        lines = (
            f"{'.'.join(map(str, e['loc']))}: {_plain(e['type'], e['msg'])}"
            for e in error.errors(include_url=False)
        )
        raise SettingsError(
            "read settings", "; ".join(lines), f"fix {path or 'the LINGTING_ environment'}"
        ) from error
    except ValueError as error:
        raise SettingsError("read settings", f"{path}: {error}", "it must be valid TOML") from error


OTHER_VARIABLES = {"LINGTING_CONFIG", "LINGTING_TRITON_BIN"}


def _variables() -> set[str]:
    """The environment variable of every setting."""
    return {
        f"LINGTING_{section}__{name}".upper()
        for section, field in Settings.model_fields.items()
        for name in getattr(field.annotation, "model_fields", ())
    }


def _refuse_unknown_variables() -> None:
    """A mistyped variable must not be ignored in silence."""
    known = _variables() | OTHER_VARIABLES
    for name in os.environ:
        if name.startswith("LINGTING_") and name not in known:
            close = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {close[0]}?" if close else "see docs/settings.md"
            raise SettingsError("read settings", f"{name} is no setting", hint)


def _plain(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return "no such setting, see docs/settings.md"
    return message.removeprefix("Value error, ")
