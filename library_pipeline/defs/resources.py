"""What assets work with: sources, database, bundle store, encoders. Secrets stay in settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Self

import dagster as dg
from pydantic import PrivateAttr

from library_pipeline.bundles.store import BundleStore
from library_pipeline.catalog.encoder import EncoderInfo
from library_pipeline.database.connection import Database, lease, open_database
from library_pipeline.encoders import Encoder
from library_pipeline.index.encoders import load_registered, register_configured
from library_pipeline.settings import Settings, SettingsError, load_settings
from library_pipeline.sources.factory import configured_sources, listed_sources
from library_pipeline.sources.source import Source


class DatabaseResource(dg.ConfigurableResource):
    """The library's database: the configured one, or the embedded server.

    Every run uses it, so this is where a run takes the lease of its id: from before its first step
    until after its last. A started run without its lease is dead, see `recovery`.
    """

    _opened: Database | None = PrivateAttr(default=None)

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[Self]:
        """Hold the run's lease while its steps run; a sensor's evaluation is no run."""
        if context.run_id is None:
            yield self
            return
        with self.open() as database, lease(database, context.run_id):
            self._opened = database
            try:
                yield self
            finally:
                self._opened = None

    @contextmanager
    def open(self) -> Iterator[Database]:
        """Yield the database, migrated."""
        if self._opened:
            yield self._opened
            return
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
    """Which models embed screenshots. A model is loaded once a process, when it is needed."""

    models: dict[str, str]

    def register(self, database: Database) -> tuple[EncoderInfo, ...]:
        """Register the configured encoders; return the active and the configured ones."""
        with database.connect() as connection:
            return register_configured(connection, load_settings().all_encoders)

    def loader(self) -> Callable[[EncoderInfo], Encoder]:
        """Return the function that loads an encoder, each one once."""
        configured = load_settings().all_encoders
        return cache(lambda encoder: load_registered(encoder, configured))

    @property
    def batch_size(self) -> int:
        """How many screenshots are embedded at a time: the smallest of the encoders' settings."""
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
