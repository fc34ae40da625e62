"""library.yaml and LIBRARY_* environment variables as one validated object."""

from library_pipeline.settings.configuration import environment, load_settings, read_secret
from library_pipeline.settings.model import (
    CmsSettings,
    EncoderSettings,
    RefreshSettings,
    Settings,
    WebSettings,
)
from library_pipeline.settings.origins import (
    CONFIG_VARIABLE,
    DAGSTER_DATABASE_VARIABLE,
    DATABASE_VARIABLE,
    SettingsError,
    config_file,
)
from library_pipeline.settings.source_keys import WebhookSettings

__all__ = [
    "CONFIG_VARIABLE",
    "DAGSTER_DATABASE_VARIABLE",
    "DATABASE_VARIABLE",
    "CmsSettings",
    "EncoderSettings",
    "RefreshSettings",
    "Settings",
    "SettingsError",
    "WebSettings",
    "WebhookSettings",
    "config_file",
    "environment",
    "load_settings",
    "read_secret",
]
