"""What every request works with: the database, the finder, the facets, the bundle store."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Annotated, Final

import structlog
from fastapi import Depends, Request
from PIL import Image

from library_pipeline.bundles.store import BundleStore
from library_pipeline.encoders import EncoderError, ImageError, read_image
from library_pipeline.search.finder import Finder
from library_pipeline.settings import Settings
from library_pipeline.store.database import Database
from library_pipeline.store.search import Match
from library_pipeline.web.browse import Details, details
from library_pipeline.web.current_facets import CurrentFacets
from library_pipeline.web.dagster_pages import DagsterPages
from library_pipeline.web.problems import QuestionError, no_component, picture_problem
from library_pipeline.web.questions import Asked, Upload

# A decoded picture takes up to 150 MB; this many at a time, however many people ask.
PICTURES_AT_ONCE: Final = 3
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Library:
    """The library as the web reads it; shared by all requests, safe in threads."""

    database: Database
    finder: Finder
    bundles: BundleStore
    facets: CurrentFacets
    dagster: DagsterPages
    gate: threading.BoundedSemaphore = field(
        default_factory=lambda: threading.BoundedSemaphore(PICTURES_AT_ONCE)
    )

    def search_picture(self, upload: Upload, question: Asked) -> tuple[Image.Image, list[Match]]:
        """Return the decoded picture and its matches; raises QuestionError for a bad one."""
        with self.gate:
            try:
                picture = read_image(upload.data)
                matches = self.finder.find(question.query(picture))
            except ImageError as error:
                problem = picture_problem(error, upload.name, len(upload.data))
                raise QuestionError(problem) from error
            picture.thumbnail((640, 640))
        return picture, matches

    def component(self, component_id: str) -> Details:
        """Return what is indexed of a component; raises QuestionError if it is not searchable."""
        with self.database.connect() as connection:
            found = details(connection, component_id)
        if found is None:
            raise QuestionError(no_component(component_id))
        return found


def library_over(database: Database, settings: Settings) -> Library:
    """Return the library that `settings` describe."""
    return Library(
        database,
        Finder(database, settings.all_encoders),
        BundleStore(settings.bundle_root),
        CurrentFacets(database),
        DagsterPages(settings.dagster_url, settings.refresh.partition_buckets),
    )


def warm_up(library: Library) -> None:
    """Load the models if anything is indexed; what stops it is told to whoever asks first."""
    try:
        library.facets.warm_up()
        library.finder.warm_up()
    except EncoderError as error:
        _log.warning("web.no_model", code=error.code, reason=error.message)
    except Exception as error:  # a background thread has nobody else to tell
        _log.warning("web.no_warm_up", reason=str(error))


def _of_request(request: Request) -> Library:
    return request.app.state.library


InLibrary = Annotated[Library, Depends(_of_request)]
