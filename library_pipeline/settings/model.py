"""Every key of the configuration, with its default and its allowed values.

Error messages show a field's `description` where its type does not say what is allowed.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from library_pipeline.catalog.encoder import EncoderSpec, Framing, Precision, Runtime
from library_pipeline.settings.fields import (
    Name,
    Network,
    Schedule,
    Url,
    dagster_database,
    host_name,
    library_database,
    web_origin,
)
from library_pipeline.settings.origins import LibraryYaml, Variables, config_file
from library_pipeline.settings.source_keys import (
    Secret,
    SourceSettings,
    WebhookSettings,
    check_distinct,
)


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CmsSettings(_Section):
    """The CMS that holds the components."""

    base_url: Url | None = None
    token: SecretStr | None = None
    allowed_hosts: tuple[str, ...] = ()
    allowed_networks: tuple[Network, ...] = ()
    page_size: int = Field(default=500, ge=1, le=1000)
    timeout_seconds: float = Field(default=30.0, gt=0)
    concurrency: int = Field(default=16, ge=1, le=256)
    requests_per_second: float | None = Field(default=None, gt=0)
    webhook: WebhookSettings | None = None

    @model_validator(mode="after")
    def _webhook_has_a_cms(self) -> Self:
        if self.webhook and not self.base_url:
            raise ValueError(
                "its webhook is for the CMS at cms.base_url, which is not set; a source has a "
                "`webhook` of its own"
            )
        return self


class EncoderSettings(_Section):
    """The model that turns screenshots into vectors, where it runs, and its weight in search."""

    name: Name = "clip"
    model: str = "openai/clip-vit-base-patch32"
    revision: str | None = None
    framing: Framing = "auto"
    precision: Precision = "auto"
    weight: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    device: str = Field(
        default="auto",
        pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$",
        description="`auto`, `cpu`, `mps`, `cuda` or `cuda:<n>`",
    )
    cpu_fallback: bool = True
    runtime: Runtime = "torch"
    threads: int | None = Field(default=None, ge=1)
    batch_size: int = Field(default=32, ge=1, le=4096)

    @property
    def spec(self) -> EncoderSpec:
        """The part of the settings that the vectors depend on."""
        return EncoderSpec(self.name, self.model, self.revision, self.framing, self.precision)


class RefreshSettings(_Section):
    """How a refresh is divided into chunks, and when one starts by itself."""

    chunk_size: int = Field(default=2000, ge=1)
    poll_seconds: int = Field(default=30, ge=1)
    full_schedule: Schedule = "0 3 * * 0"
    max_removed_share: float = Field(default=0.2, ge=0, le=1)
    partition_buckets: int | None = Field(default=None, ge=1, le=50_000)
    keep_removed_days: float = Field(default=30, ge=0)
    keep_log_days: float = Field(default=180, ge=1)
    auto_activate: bool = False
    garbage_schedule: Schedule = "0 4 * * *"


class WebSettings(_Section):
    """The HTTP service: who may call it from where, and how much a call may send."""

    api_keys: Secret | None = None
    cors_origins: tuple[Annotated[str, AfterValidator(web_origin)], ...] = ()
    allowed_hosts: tuple[Annotated[str, AfterValidator(host_name)], ...] = ()
    max_upload_mb: int = Field(default=20, ge=1, le=1024)
    connections: int = Field(default=8, ge=1, le=256)


class Settings(BaseSettings):
    """The whole configuration. Environment variables win over library.yaml."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True)

    home: Path = Path(".library")
    database_url: SecretStr | None = None
    dagster_database_url: SecretStr | None = None
    bundle_store: str | None = None
    web_url: Url | None = None
    dagster_url: Url | None = None
    web: WebSettings = WebSettings()
    cms: CmsSettings = CmsSettings()
    sources: tuple[SourceSettings, ...] = ()
    encoder: EncoderSettings = EncoderSettings()
    encoders: tuple[EncoderSettings, ...] = ()
    refresh: RefreshSettings = RefreshSettings()

    @property
    def all_encoders(self) -> tuple[EncoderSettings, ...]:
        """The encoders of the library, one or several, each with its own name."""
        return self.encoders or (self.encoder,)

    @property
    def webhooks(self) -> Mapping[str, WebhookSettings]:
        """The proof of a call, by the name of the source that may call; `cms` for that section."""
        own = {"cms": self.cms.webhook} if self.cms.webhook else {}
        return own | {source.name: source.webhook for source in self.sources if source.webhook}

    @property
    def bundle_root(self) -> str:
        """The folder or fsspec URL that holds the bundles."""
        return self.bundle_store or str(self.home / "bundles")

    @field_validator("home")
    @classmethod
    def _can_name_a_folder(cls, value: Path) -> Path:
        try:
            with suppress(OSError):  # a missing folder is made later
                value.stat()
        except ValueError:
            raise ValueError("it must be a folder's path, without NUL or half characters") from None
        return value

    @field_validator("database_url", "dagster_database_url")
    @classmethod
    def _can_be_connected_to(
        cls, value: SecretStr | None, info: ValidationInfo
    ) -> SecretStr | None:
        if value is not None:
            ours = info.field_name == "database_url"
            check = library_database if ours else dagster_database
            check(value.get_secret_value())
        return value

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

    @model_validator(mode="after")
    def _one_way_to_name_sources(self) -> Self:
        if self.sources and self.cms.base_url:
            raise ValueError(
                "cms is for one CMS that answers as in docs/cms.md, sources for any and several; "
                "make it one of the sources, with `preset: contract`"
            )
        check_distinct(self.sources)
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
        """Read the environment first, then library.yaml, then the defaults."""
        return init_settings, Variables(settings_cls), LibraryYaml(settings_cls, config_file())
