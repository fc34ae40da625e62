"""What every request works with: the database, models, facets, bundles."""

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
from library_pipeline.search.components import ComponentDetails, component_details
from library_pipeline.search.facets import FacetIndex, Facets, Field, read_facet_index
from library_pipeline.search.finder import Finder
from library_pipeline.search.ranking import Filters, Match
from library_pipeline.settings import EncoderSettings, Settings
from library_pipeline.web.metrics import Metrics
from library_pipeline.web.problems import QuestionError, no_component, picture_problem
from library_pipeline.web.questions import SearchTerms, Upload

AGAIN_SECONDS: Final = 30.0
_log = structlog.get_logger(__name__)


class Models:
    """The active encoders' models as far as this process has them; safe in threads."""

    def __init__(self, database: Database, configured: Sequence[EncoderSettings]) -> None:
        self._database = database
        self._configured = configured
        self._tried: dict[tuple[str, str], tuple[str, float]] = {}
        self._trying: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def load_in_background(self) -> None:
        """Begin to load the models of whatever is indexed."""
        threading.Thread(target=self._load_active, name="models", daemon=True).start()

    def state(self, encoder: EncoderInfo) -> str:
        """Return `loaded`, `loading` or `failed: ` and an error's code.

        One that was not tried yet, or failed a while ago, is begun to be loaded.
        """
        state, since = self._tried.get(_model_key(encoder), ("loading", -math.inf))
        if state != "loaded" and time.monotonic() > since + AGAIN_SECONDS:
            threading.Thread(target=self._load, args=(encoder,), name="model", daemon=True).start()
        return state

    def _load_active(self) -> None:
        try:
            with self._database.connect() as connection:
                active = active_encoders(connection)
        except Exception as error:  # a background thread has nobody else to tell
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


# A small library is read for every question; a large one in the background, and rests for so many
# times what that took, so that it never takes more than a twentieth of a processor.
AT_ONCE_SECONDS: Final = 0.05
_RESTS: Final = 20
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _FacetReading:
    index: FacetIndex
    began: float
    took: float


class CurrentFacets:
    """Counts facets by an index that is read anew: none are older than some 20 times that takes.

    Safe in threads; whoever asks waits for a read only the first time, or where it is quick.
    """

    def __init__(self, database: Database, *, at_once_seconds: float = AT_ONCE_SECONDS) -> None:
        self._database = database
        self._at_once_seconds = at_once_seconds
        self._read: _FacetReading | None = None
        self._lock = threading.Lock()
        self._at_work = threading.Lock()

    def count(self, connection: psycopg.Connection, filters: Filters) -> Facets:
        """Return what `filters` leave."""
        return self._index(connection).count(connection, filters)

    def names(self, connection: psycopg.Connection, field: Field) -> list[str]:
        """Return the values of `field` that any component has, in their order."""
        values = self.count(connection, Filters()).values
        return sorted((str(each.value) for each in values if each.field == field), key=str.lower)

    def read_in_background(self) -> None:
        """Begin to read the index, so that the first question need not wait."""
        if self._at_work.acquire(blocking=False):
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
        except psycopg.Error as error:  # what is known serves on; the next question tries again
            _log.warning("web.no_facets", reason=str(error))
        finally:
            self._at_work.release()


def _read_facets(connection: psycopg.Connection) -> _FacetReading:
    began = time.monotonic()
    index = read_facet_index(connection)
    return _FacetReading(index, began, time.monotonic() - began)


@dataclass(frozen=True, slots=True)
class DagsterPages:
    """Addresses below that of Dagster's web server; without one there are none."""

    url: str | None = None
    buckets: int | None = None

    @classmethod
    def of(cls, settings: Settings) -> DagsterPages:
        """Return what `settings` say of them."""
        url = settings.dagster_url and settings.dagster_url.rstrip("/")
        return cls(url, settings.refresh.partition_buckets)

    def of_run(self, run_id: str) -> str | None:
        """Return the page of a run, None where there is none."""
        return self.url and f"{self.url}/runs/{run_id}"

    def of_component(self, component_id: str) -> dict[str, str]:
        """Return the page of the component's partition by asset, as Dagster 1.13 has it."""
        if self.url is None:
            return {}
        chosen = urlencode(
            {"view": "partitions", "partition": partition_of(component_id, self.buckets)}
        )
        return {
            asset: f"{self.url}/assets/{asset}?{chosen}" for asset in (BUNDLE, EMBEDDING, INDEX)
        }


# A decoded picture takes up to 150 MB; this many at a time, however many people ask.
PICTURES_AT_ONCE: Final = 3


@dataclass(frozen=True, slots=True)
class Library:
    """The library as the web reads it; shared by all requests, safe in threads."""

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
        """Return the decoded picture and its matches; raises QuestionError for a bad one."""
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
        """Return what is indexed of a component; raises QuestionError if it is not searchable."""
        with self.database.connect() as connection:
            found = component_details(connection, component_id)
        if found is None:
            raise QuestionError(no_component(component_id))
        return found


def library_over(database: Database, settings: Settings) -> Library:
    """Return the library that `settings` describe."""
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
