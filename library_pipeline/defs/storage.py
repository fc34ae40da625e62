"""Dagster's storage on the library's server, found through the settings, or a helpful error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage

from library_pipeline.settings import DAGSTER_DATABASE_VARIABLE, SettingsError, load_settings


class LibraryStorage(DagsterPostgresStorage):
    """dagster-postgres's storage in the database that `dagster_database_url` names."""

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """Return that dagster.yaml has nothing to say here: library.yaml and environment have."""
        return {}

    @classmethod
    def from_config_value(  # pyright: ignore[reportIncompatibleMethodOverride]
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> LibraryStorage:
        """Return the storage. Raises SettingsError where no database is configured or started."""
        url = load_settings().dagster_database_url
        if url is None:
            raise SettingsError(
                f"{DAGSTER_DATABASE_VARIABLE} is not set, so Dagster has no database. To start the "
                'embedded server for this shell: eval "$(library-pipeline env)". To use a server '
                "of your own, set it to postgresql+psycopg2://user@host/dagster, and "
                "LIBRARY_DATABASE_URL to postgresql://user@host/library."
            )
        return cls(postgres_url=url.get_secret_value(), inst_data=inst_data)
