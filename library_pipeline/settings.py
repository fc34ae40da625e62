"""library.yaml and LIBRARY_* environment variables as one validated object."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    YamlConfigSettingsSource,
)

from library_pipeline.catalog.encoder import EncoderSpec, Framing, Precision, Runtime

CONFIG_VARIABLE = "LIBRARY_CONFIG"
DATABASE_VARIABLE = "LIBRARY_DATABASE_URL"
DAGSTER_DATABASE_VARIABLE = "LIBRARY_DAGSTER_DATABASE_URL"


class SettingsError(Exception):
    """The configuration cannot be used; the message names each key, its value and what is wrong."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CmsSettings(_Section):
    """Where components come from."""

    base_url: str | None = None
    token: SecretStr | None = None
    allowed_hosts: tuple[str, ...] = ()
    page_size: int = Field(default=500, ge=1, le=1000)
    timeout_seconds: float = Field(default=30.0, gt=0)
    concurrency: int = Field(default=16, ge=1, le=256)
    requests_per_second: float | None = Field(default=None, gt=0)


class EncoderSettings(_Section):
    """Which model turns screenshots into vectors, where it runs, and what it counts in search."""

    name: str = Field(default="clip", pattern=r"^[a-z][a-z0-9_-]{0,39}$")
    model: str = "openai/clip-vit-base-patch32"
    revision: str | None = None
    framing: Framing = "auto"
    precision: Precision = "auto"
    weight: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    device: str = Field(default="auto", pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")
    cpu_fallback: bool = True
    runtime: Runtime = "torch"
    threads: int | None = Field(default=None, ge=1)
    batch_size: int = Field(default=32, ge=1, le=4096)

    @property
    def spec(self) -> EncoderSpec:
        """What the vectors depend on."""
        return EncoderSpec(self.name, self.model, self.revision, self.framing, self.precision)


class RefreshSettings(_Section):
    """How refreshes are cut up and when they happen by themselves."""

    chunk_size: int = Field(default=2000, ge=1)
    poll_seconds: int = Field(default=30, ge=1)
    full_schedule: str = "0 3 * * 0"
    max_removed_share: float = Field(default=0.2, ge=0, le=1)
    partition_buckets: int | None = Field(default=None, ge=1, le=50_000)
    keep_removed_days: float = Field(default=30, ge=0)
    keep_log_days: float = Field(default=180, ge=1)
    auto_activate: bool = False
    garbage_schedule: str = "0 4 * * *"


class Settings(BaseSettings):
    """Everything that can be configured. Environment variables win over library.yaml."""

    model_config = SettingsConfigDict(
        env_prefix="LIBRARY_",
        env_nested_delimiter="_",
        env_nested_max_split=1,
        extra="forbid",
        frozen=True,
    )

    home: Path = Path(".library")
    database_url: SecretStr | None = None
    dagster_database_url: SecretStr | None = None
    bundle_store: str | None = None
    web_url: str | None = None
    cms: CmsSettings = CmsSettings()
    encoder: EncoderSettings = EncoderSettings()
    encoders: tuple[EncoderSettings, ...] = ()
    refresh: RefreshSettings = RefreshSettings()

    @property
    def all_encoders(self) -> tuple[EncoderSettings, ...]:
        """The encoders of the library, one or several, each with a name of its own."""
        return self.encoders or (self.encoder,)

    @property
    def bundle_root(self) -> str:
        """Folder or fsspec URL under which bundles are kept."""
        return self.bundle_store or str(self.home / "bundles")

    @model_validator(mode="after")
    def _one_way_to_name_encoders(self) -> Self:
        if self.encoders and "encoder" in self.model_fields_set:
            raise ValueError("encoder is for one, encoders for several; remove one of the two")
        names = [encoder.name for encoder in self.encoders]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(
                f"encoders: the name {min(twice)!r} is given twice; each needs its own"
            )
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment first, then library.yaml, then defaults."""
        yaml = YamlConfigSettingsSource(settings_cls, yaml_file=config_file())
        return init_settings, env_settings, yaml


def config_file() -> Path:
    """Return the path of library.yaml: $LIBRARY_CONFIG, else the one in the working directory."""
    return Path(os.environ.get(CONFIG_VARIABLE, "library.yaml")).absolute()


def load_settings() -> Settings:
    """Read library.yaml and the environment. Raises SettingsError, which names every bad key.

    A relative `home` is taken from the folder of library.yaml.
    """
    path = config_file()
    if CONFIG_VARIABLE in os.environ and not path.is_file():
        raise SettingsError(f"{CONFIG_VARIABLE} names {path}, which does not exist")
    try:
        settings = Settings()
    except ValidationError as error:
        raise SettingsError(_explain(error, path)) from None
    except Exception as error:  # the YAML reader raises its own family of errors
        raise SettingsError(f"{path} cannot be read: {error}") from None
    return settings.model_copy(update={"home": (path.parent / settings.home).resolve()})


def environment(settings: Settings) -> Mapping[str, str]:
    """Return the variables that make a child process see the same configuration file and home."""
    variables = {"LIBRARY_HOME": str(settings.home)}
    if config_file().is_file():
        variables[CONFIG_VARIABLE] = str(config_file())
    return variables


def _explain(error: ValidationError, path: Path) -> str:
    lines = [f"The configuration ({path} and LIBRARY_* variables) is not valid:"]
    for item in error.errors():
        key = ".".join(str(part) for part in item["loc"])
        lines.append(f"  {key} = {_shown(key, item['input'])}: {_wanted(item)}")
    return "\n".join(lines)


def _shown(key: str, value: object) -> str:
    secret = any(word in key for word in ("token", "url", "secret", "password"))
    return "(hidden)" if secret else repr(value)[:80]


def _wanted(item: Mapping[str, Any]) -> str:
    if item["type"] == "extra_forbidden":
        return "there is no such key; see docs/configuration.md for those there are"
    return str(item["msg"])
