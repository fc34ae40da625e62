"""The library that every request works with: database, models, facets and bundles."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Final
from urllib.parse import urlencode

import psycopg
import structlog
from fastapi import Depends, Request
from PIL import Image

from library_pipeline.bundles.store import BundleStore
from library_pipeline.catalog.component import BUNDLE, EMBEDDING, INDEX, partition_of
from library_pipeline.catalog.encoder import EncoderInfo
from library_pipeline.database.connection import Database
from library_pipeline.encoders import EncoderError, ImageError, read_image
from library_pipeline.index.encoders import active_encoders, load_registered
from library_pipeline.search.browsing import ComponentDetails, component_details
from library_pipeline.search.facets import FacetIndex, Facets, Field, read_facet_index
from library_pipeline.search.finder import Finder
from library_pipeline.search.ranking import Filters, Match
from library_pipeline.settings import EncoderSettings, Settings
from library_pipeline.web.metrics import Metrics
from library_pipeline.web.problems import QuestionError, no_component, picture_problem
from library_pipeline.web.questions import SearchTerms, Upload

RETRY_SECONDS: Final = 30.0
_log = structlog.get_logger(__name__)


class Models:
    """The models of the active encoders in this process; safe in threads."""

    def __init__(self, database: Database, configured: Sequence[EncoderSettings]) -> None:
        self._database = database
        self._configured = configured
        self._tried: dict[tuple[str, str], tuple[str, float]] = {}
        self._trying: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def load_in_background(self) -> None:
        """Start to load the models of all active encoders."""
        threading.Thread(target=self._load_active, name="models", daemon=True).start()

    def state(self, encoder: EncoderInfo) -> str:
        """Return `loaded`, `loading` or `failed: ` and an error's code.

        Starts to load a model that was not tried yet, or that failed `RETRY_SECONDS` ago.
        """
        state, since = self._tried.get(_model_key(encoder), ("loading", -math.inf))
        if state != "loaded" and time.monotonic() > since + RETRY_SECONDS:
            threading.Thread(target=self._load, args=(encoder,), name="model", daemon=True).start()
        return state

    def _load_active(self) -> None:
        try:
            with self._database.connect() as connection:
                active = active_encoders(connection)
        except Exception as error:  # a background thread can only log it
            _log.warning("web.no_warm_up", reason=str(error))
            return
        for encoder in active:
            self._load(encoder)

    def _load(self, encoder: EncoderInfo) -> None:
        key = _model_key(encoder)
        with self._lock:
            if key in self._trying:
                return
            self._trying.add(key)
        try:
            load_registered(encoder, self._configured)
            state = "loaded"
        except EncoderError as error:
            _log.warning("web.no_model", code=error.code, reason=error.message)
            state = f"failed: {error.code}"
        except Exception as error:  # as above
            _log.error("web.no_model", reason=repr(error))
            state = "failed: unforeseen"
        with self._lock:
            self._tried[key] = (state, time.monotonic())
            self._trying.discard(key)


def _model_key(encoder: EncoderInfo) -> tuple[str, str]:
    return encoder.name, encoder.fingerprint


# A small library is read for every question. A large one is read in the background, with a rest of
# 20 times the reading's duration, so that reading takes at most a twentieth of a processor.
AT_ONCE_SECONDS: Final = 0.05
_RESTS: Final = 20


@dataclass(frozen=True, slots=True)
class _FacetReading:
    index: FacetIndex
    began: float
    took: float


class CurrentFacets:
    """Counts facets by an index that it reads again and again; safe in threads.

    A caller waits for the first reading, and for later ones only if they are quick.
    """

    def __init__(self, database: Database, *, at_once_seconds: float = AT_ONCE_SECONDS) -> None:
        self._database = database
        self._at_once_seconds = at_once_seconds
        self._read: _FacetReading | None = None
        self._lock = threading.Lock()
        self._reading = threading.Lock()

    def count(self, connection: psycopg.Connection, filters: Filters) -> Facets:
        """Return the facets under `filters`."""
        return self._index(connection).count(connection, filters)

    def names(self, connection: psycopg.Connection, field: Field) -> list[str]:
        """Return the values of `field` in the whole library, sorted without regard to case."""
        values = self.count(connection, Filters()).values
        return sorted((str(each.value) for each in values if each.field == field), key=str.lower)

    def read_in_background(self) -> None:
        """Start to read the index, so that the next question does not wait for it."""
        if self._reading.acquire(blocking=False):
            threading.Thread(target=self._read_again, name="facets", daemon=True).start()

    def _index(self, connection: psycopg.Connection) -> FacetIndex:
        with self._lock:
            read = self._read
            if read is None or read.took <= self._at_once_seconds:
                read = self._read = _read_facets(connection)
        if time.monotonic() - read.began > _RESTS * read.took:
            self.read_in_background()
        return read.index

    def _read_again(self) -> None:
        try:
            with self._database.connect() as connection:
                self._read = _read_facets(connection)
        except psycopg.Error as error:  # the old index stays; the next question tries again
            _log.warning("web.no_facets", reason=str(error))
        finally:
            self._reading.release()


def _read_facets(connection: psycopg.Connection) -> _FacetReading:
    began = time.monotonic()
    index = read_facet_index(connection)
    return _FacetReading(index, began, time.monotonic() - began)


@dataclass(frozen=True, slots=True)
class DagsterPages:
    """Addresses of pages in Dagster's web server; without a `url` there are none."""

    url: str | None = None
    buckets: int | None = None

    @classmethod
    def of(cls, settings: Settings) -> DagsterPages:
        """Return the pages of the Dagster that `settings` name."""
        url = settings.dagster_url and settings.dagster_url.rstrip("/")
        return cls(url, settings.refresh.partition_buckets)

    def of_run(self, run_id: str) -> str | None:
        """Return the address of a run's page, or None without a web server."""
        return self.url and f"{self.url}/runs/{run_id}"

    def of_component(self, component_id: str) -> dict[str, str]:
        """Return the pages of the component's partition by asset, as Dagster 1.13 lays them out."""
        if self.url is None:
            return {}
        chosen = urlencode(
            {"view": "partitions", "partition": partition_of(component_id, self.buckets)}
        )
        return {
            asset: f"{self.url}/assets/{asset}?{chosen}" for asset in (BUNDLE, EMBEDDING, INDEX)
        }


# A decoded picture takes up to 150 MB, so at most this many are decoded at a time.
PICTURES_AT_ONCE: Final = 3


@dataclass(frozen=True, slots=True)
class Library:
    """The library that all requests share; safe in threads."""

    database: Database
    finder: Finder
    bundles: BundleStore
    models: Models
    metrics: Metrics
    max_picture_bytes: int
    facets: CurrentFacets
    dagster: DagsterPages
    gate: threading.BoundedSemaphore = field(
        default_factory=lambda: threading.BoundedSemaphore(PICTURES_AT_ONCE)
    )

    def search_picture(
        self, upload: Upload, question: SearchTerms
    ) -> tuple[Image.Image, list[Match]]:
        """Return the decoded picture and its matches. Raises QuestionError for a bad picture."""
        with self.gate:
            try:
                picture = read_image(upload.data)
                matches = self.finder.find(question.query(picture))
            except ImageError as error:
                self.metrics.upload_refused(error.code)
                problem = picture_problem(error, upload.name, len(upload.data))
                raise QuestionError(problem) from error
            picture.thumbnail((640, 640))
        return picture, matches

    def component(self, component_id: str) -> ComponentDetails:
        """Return a searchable component. Raises QuestionError if there is none of this id."""
        with self.database.connect() as connection:
            found = component_details(connection, component_id)
        if found is None:
            raise QuestionError(no_component(component_id))
        return found


def library_over(database: Database, settings: Settings) -> Library:
    """Return the library in `database` that `settings` describe."""
    metrics = Metrics(database)
    return Library(
        database,
        Finder(database, settings.all_encoders, answered=metrics.searched),
        BundleStore(settings.bundle_root),
        Models(database, settings.all_encoders),
        metrics,
        settings.web.max_upload_mb * 2**20,
        CurrentFacets(database),
        DagsterPages.of(settings),
    )


async def _library_of(request: Request) -> Library:
    return request.app.state.library


InLibrary = Annotated[Library, Depends(_library_of)]
