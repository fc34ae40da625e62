"""Search by picture, text or component: embeds the question and ranks the library."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import psycopg

from library_pipeline.encoders import Encoder, read_image
from library_pipeline.encoders.image import ImageSource
from library_pipeline.search.weights import SearchError, Weights, weighted
from library_pipeline.settings import EncoderSettings, Settings
from library_pipeline.store.database import Database, open_database
from library_pipeline.store.embeddings import RegisteredEncoder
from library_pipeline.store.models import load_registered
from library_pipeline.store.registry import active_encoders
from library_pipeline.store.search import Match, Question, component_vector, search

__all__ = ["Finder", "SearchError", "Weights", "open_finder"]


class Finder:
    """Answers which components look like a picture, fit a text or resemble a component.

    It asks the index's active encoders, whatever is configured by now. `weights`, by their names,
    say how much each one's answer counts, and leave out the others; without, the settings say.
    """

    def __init__(self, database: Database, configured: Sequence[EncoderSettings]) -> None:
        self._database = database
        self._configured = configured

    def by_picture(
        self,
        picture: ImageSource,
        *,
        k: int = 10,
        client: str | None = None,
        weights: Weights | None = None,
    ) -> list[Match]:
        """Return the `k` components most like `picture`. Raises ImageError for a bad picture."""
        with self._database.connect() as connection:
            asked = self._asked(connection, weights)
            image = read_image(picture)
            questions = [
                Question(known, self._load(known).embed_image(image), weight)
                for known, weight in asked.items()
            ]
            return search(connection, questions, k=k, client=client)

    def by_text(
        self,
        text: str,
        *,
        k: int = 10,
        client: str | None = None,
        weights: Weights | None = None,
    ) -> list[Match]:
        """Return the `k` components that fit `text` best, by the encoders that read texts."""
        if not text.strip():
            raise SearchError("the text to search for is empty")
        with self._database.connect() as connection:
            asked = self._asked(connection, weights)
            questions = [
                Question(known, encoder.embed_text(text), weight)
                for known, weight in asked.items()
                if (encoder := self._load(known)).reads_text
            ]
            if not questions:
                names = ", ".join(f"{known.name} ({known.model})" for known in asked)
                raise SearchError(
                    f"none of the encoders that were asked reads texts: {names}; search by a "
                    "picture or by a component"
                )
            return search(connection, questions, k=k, client=client)

    def like_component(
        self,
        component_id: str,
        *,
        k: int = 10,
        client: str | None = None,
        weights: Weights | None = None,
    ) -> list[Match]:
        """Return the `k` components most like another one, which is left out; loads no model."""
        with self._database.connect() as connection:
            asked = self._asked(connection, weights)
            questions = [
                Question(known, vector, weight)
                for known, weight in asked.items()
                if (vector := component_vector(connection, known, component_id)) is not None
            ]
            if not questions:
                raise SearchError(
                    f"there is no searchable component with the id {component_id!r}; "
                    "`library-pipeline status` says what is indexed"
                )
            return search(connection, questions, k=k, client=client, excluding=component_id)

    def warm_up(self) -> None:
        """Load the models now, if anything is indexed, so that the first question need not wait."""
        with self._database.connect() as connection:
            active = active_encoders(connection)
        for known in active:
            self._load(known)

    def _load(self, known: RegisteredEncoder) -> Encoder:
        return load_registered(known, self._configured)

    def _asked(
        self, connection: psycopg.Connection, weights: Weights | None
    ) -> Mapping[RegisteredEncoder, float]:
        configured = {encoder.name: encoder.weight for encoder in self._configured}
        return weighted(active_encoders(connection), configured, weights)


@contextmanager
def open_finder(settings: Settings) -> Iterator[Finder]:
    """Yield a finder over the configured library."""
    with open_database(settings) as database:
        yield Finder(database, settings.all_encoders)
