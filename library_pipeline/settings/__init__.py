"""library.yaml and LIBRARY_* environment variables as one validated object."""

from library_pipeline.settings.errors import SettingsError
from library_pipeline.settings.file import config_file
from library_pipeline.settings.load import environment, load_settings
from library_pipeline.settings.model import (
    CmsSettings,
    EncoderSettings,
    RefreshSettings,
    Settings,
    WebSettings,
)
from library_pipeline.settings.secrets import read_secret
from library_pipeline.settings.sources import WebhookSettings
from library_pipeline.settings.variables import (
    CONFIG_VARIABLE,
    DAGSTER_DATABASE_VARIABLE,
    DATABASE_VARIABLE,
)

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
