"""What assets work with: CMS, database, bundle store and encoder. Secrets stay in the settings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
from pydantic import ValidationError

from library_pipeline.bundles.store import BundleStore
from library_pipeline.encoders import Encoder, encoder_identity, load_encoder
from library_pipeline.settings import Settings, SettingsError, load_settings
from library_pipeline.sources.http_cms import CmsConnection
from library_pipeline.store.database import Database, open_database
from library_pipeline.store.embeddings import RegisteredEncoder, register_encoder


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


class EncoderResource(dg.ConfigurableResource):
    """Which model embeds screenshots, and where it runs. Loaded once a process, when needed."""

    name: str
    model: str
    revision: str | None = None
    device: str = "auto"
    batch_size: int = 32

    def register(self, database: Database) -> RegisteredEncoder:
        """Make this encoder known to the database; reads no weights into memory."""
        fingerprint, dim = encoder_identity(self.model, revision=self.revision)
        with database.connect() as connection:
            return register_encoder(
                connection, name=self.name, model=self.model, fingerprint=fingerprint, dim=dim
            )

    def load(self) -> Encoder:
        """Return the encoder, ready to embed."""
        return load_encoder(self.model, name=self.name, device=self.device, revision=self.revision)


def resources(settings: Settings) -> dict[str, dg.ConfigurableResource]:
    """Return the resources that `settings` describe."""
    return {
        "database": DatabaseResource(),
        "cms": CmsResource(
            base_url=settings.cms.base_url or "", concurrency=settings.cms.concurrency
        ),
        "bundle_store": BundleStoreResource(root=settings.bundle_root),
        "encoder": EncoderResource(
            name=settings.encoder.name,
            model=settings.encoder.model,
            revision=settings.encoder.revision,
            device=settings.encoder.device,
            batch_size=settings.encoder.batch_size,
        ),
    }
