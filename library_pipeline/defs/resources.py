"""What assets work with: CMS, database, bundle store and encoders. Secrets stay in the settings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial

import dagster as dg
from pydantic import ValidationError

from library_pipeline.bundles.store import BundleStore
from library_pipeline.refresh.items import EncoderInUse
from library_pipeline.settings import Settings, SettingsError, load_settings
from library_pipeline.sources.http_cms import CmsConnection
from library_pipeline.store.database import Database, open_database
from library_pipeline.store.embeddings import RegisteredEncoder
from library_pipeline.store.models import load_registered, register_configured


class DatabaseResource(dg.ConfigurableResource):
    """The library's database: the configured one, or the embedded server."""

    @contextmanager
    def open(self) -> Iterator[Database]:
        """Yield the database, migrated."""
        with open_database(load_settings()) as database:
            yield database


class CmsResource(dg.ConfigurableResource):
    """The CMS that lists the components. Its token is read where it is used, never configured."""

    base_url: str
    concurrency: int

    def connection(self) -> CmsConnection:
        """Return how to reach the CMS. Raises SettingsError where no URL is configured."""
        settings = load_settings().cms
        if not self.base_url:
            raise SettingsError(
                "cms.base_url is not set; put it into library.yaml or set LIBRARY_CMS_BASE_URL "
                "(try `library-pipeline sample-cms` for one to play with)"
            )
        try:
            return CmsConnection(
                base_url=self.base_url,
                token=settings.token,
                allowed_hosts=settings.allowed_hosts,
                allowed_networks=settings.allowed_networks,
                page_size=settings.page_size,
                timeout_seconds=settings.timeout_seconds,
                concurrency=self.concurrency,
                requests_per_second=settings.requests_per_second,
            )
        except ValidationError as error:
            reasons = "; ".join(f"cms.{item['loc'][0]}: {item['msg']}" for item in error.errors())
            raise SettingsError(f"the CMS cannot be asked as configured: {reasons}") from None


class BundleStoreResource(dg.ConfigurableResource):
    """Where bundles are kept: a folder or any fsspec URL."""

    root: str

    def store(self) -> BundleStore:
        """Return the store."""
        return BundleStore(self.root)


class EncodersResource(dg.ConfigurableResource):
    """Which models embed screenshots. Loaded once a process, when needed."""

    models: dict[str, str]

    def register(self, database: Database) -> tuple[RegisteredEncoder, ...]:
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
        "cms": CmsResource(
            base_url=settings.cms.base_url or "", concurrency=settings.cms.concurrency
        ),
        "bundle_store": BundleStoreResource(root=settings.bundle_root),
        "encoders": EncodersResource(
            models={encoder.name: encoder.model for encoder in settings.all_encoders}
        ),
    }
