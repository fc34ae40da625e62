"""What assets work with: sources, database, bundle store, encoders. Secrets stay in settings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial

import dagster as dg

from library_pipeline.catalog.encoder import EncoderInfo
from library_pipeline.bundles.store import BundleStore
from library_pipeline.refresh.items import EncoderInUse
from library_pipeline.settings import Settings, SettingsError, load_settings
from library_pipeline.sources.configured import configured_sources, listed_sources
from library_pipeline.sources.source import Source
from library_pipeline.store.database import Database, open_database
from library_pipeline.store.models import load_registered, register_configured


class DatabaseResource(dg.ConfigurableResource):
    """The library's database: the configured one, or the embedded server."""

    @contextmanager
    def open(self) -> Iterator[Database]:
        """Yield the database, migrated."""
        with open_database(load_settings()) as database:
            yield database


class SourcesResource(dg.ConfigurableResource):
    """Where components come from, by name. Secrets are read where they are used."""

    listed: dict[str, str]

    def configured(self) -> tuple[Source, ...]:
        """Return the sources. Raises SettingsError where none is configured, or one wrongly."""
        sources = self.any_configured()
        if not sources:
            raise SettingsError(
                "no source of components is set: put cms.base_url into library.yaml or set "
                "LIBRARY_CMS_BASE_URL, or list any CMS under sources (docs/sources.md); "
                "`library-pipeline sample-cms` serves one to play with"
            )
        return sources

    def any_configured(self) -> tuple[Source, ...]:
        """Return the sources, of which there may be none. Raises SettingsError for a wrong one."""
        return configured_sources(load_settings())


class BundleStoreResource(dg.ConfigurableResource):
    """Where bundles are kept: a folder or any fsspec URL."""

    root: str

    def store(self) -> BundleStore:
        """Return the store."""
        return BundleStore(self.root)


class EncodersResource(dg.ConfigurableResource):
    """Which models embed screenshots. Loaded once a process, when needed."""

    models: dict[str, str]

    def register(self, database: Database) -> tuple[EncoderInfo, ...]:
        """Make what is configured known to the database; return the encoders in use."""
        with database.connect() as connection:
            return register_configured(connection, load_settings().all_encoders)

    def in_use(self, database: Database) -> tuple[EncoderInUse, ...]:
        """Return the encoders that search asks or will ask, each with the way to load it."""
        configured = load_settings().all_encoders
        return tuple(
            EncoderInUse(known, cache(partial(load_registered, known, configured)))
            for known in self.register(database)
        )

    @property
    def batch_size(self) -> int:
        """How many screenshots go to the encoders at a time: what suits the tightest of them."""
        return min(encoder.batch_size for encoder in load_settings().all_encoders)


def resources(settings: Settings) -> dict[str, dg.ConfigurableResource]:
    """Return the resources that `settings` describe."""
    return {
        "database": DatabaseResource(),
        "sources": SourcesResource(listed=listed_sources(settings)),
        "bundle_store": BundleStoreResource(root=settings.bundle_root),
        "encoders": EncodersResource(
            models={encoder.name: encoder.model for encoder in settings.all_encoders}
        ),
    }
