"""Search by picture, text or component: embeds the question and ranks the library."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from library_pipeline.encoders import Encoder, encoder_identity, load_encoder
from library_pipeline.encoders.image import ImageSource
from library_pipeline.settings import EncoderSettings, Settings
from library_pipeline.store.database import Database, open_database
from library_pipeline.store.embeddings import RegisteredEncoder, active_encoder
from library_pipeline.store.search import Match, component_vector, search


class SearchError(Exception):
    """The question cannot be answered; the message says what is missing and what to do."""


class Finder:
    """Answers which components look like a picture, fit a text or resemble a component."""

    def __init__(self, database: Database, settings: EncoderSettings) -> None:
        self._database = database
        self._settings = settings

    def by_picture(
        self, picture: ImageSource, *, k: int = 10, client: str | None = None
    ) -> list[Match]:
        """Return the `k` components most like `picture`. Raises ImageError for a bad picture."""
        with self._database.connect() as connection:
            encoder = self._active(connection)
            vector = self._encoder().embed_image(picture)
            return search(connection, encoder, vector, k=k, client=client)

    def by_text(self, text: str, *, k: int = 10, client: str | None = None) -> list[Match]:
        """Return the `k` components that fit `text` best."""
        if not text.strip():
            raise SearchError("the text to search for is empty")
        with self._database.connect() as connection:
            encoder = self._active(connection)
            vector = self._encoder().embed_text(text)
            return search(connection, encoder, vector, k=k, client=client)

    def like_component(
        self, component_id: str, *, k: int = 10, client: str | None = None
    ) -> list[Match]:
        """Return the `k` components most like another one, which is left out; loads no model."""
        with self._database.connect() as connection:
            encoder = self._active(connection)
            vector = component_vector(connection, encoder, component_id)
            if vector is None:
                raise SearchError(
                    f"there is no searchable component with the id {component_id!r}; "
                    "`library-pipeline status` says what is indexed"
                )
            return search(connection, encoder, vector, k=k, client=client, excluding=component_id)

    def warm_up(self) -> None:
        """Load the model now, so that the first question does not wait for it."""
        self._encoder()

    def _encoder(self) -> Encoder:
        return load_encoder(
            self._settings.model,
            name=self._settings.name,
            device=self._settings.device,
            revision=self._settings.revision,
        )

    def _active(self, connection: psycopg.Connection) -> RegisteredEncoder:
        encoder = active_encoder(connection, self._settings.name)
        if encoder is None:
            raise SearchError("nothing is indexed yet; run `library-pipeline refresh` first")
        fingerprint, _ = encoder_identity(self._settings.model, revision=self._settings.revision)
        if fingerprint != encoder.fingerprint:
            raise SearchError(
                f"the index was made with {encoder.model} ({encoder.fingerprint}), but "
                f"encoder.model is {self._settings.model} ({fingerprint}); "
                "run `library-pipeline refresh` to embed the library with it"
            )
        return encoder


@contextmanager
def open_finder(settings: Settings) -> Iterator[Finder]:
    """Yield a finder over the configured library."""
    with open_database(settings) as database:
        yield Finder(database, settings.encoder)
