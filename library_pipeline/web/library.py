"""What every request works with: the database, the finder, the facets, the bundle store."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Annotated, Final

from fastapi import Depends, Request
from PIL import Image

from library_pipeline.bundles.store import BundleStore
from library_pipeline.database.connection import Database
from library_pipeline.encoders import ImageError, read_image
from library_pipeline.search.finder import Finder
from library_pipeline.search.ranking import Match
from library_pipeline.settings import Settings
from library_pipeline.web.browse import Details, details
from library_pipeline.web.current_facets import CurrentFacets
from library_pipeline.web.dagster_pages import DagsterPages
from library_pipeline.web.metrics import Metrics
from library_pipeline.web.models import Models
from library_pipeline.web.problems import QuestionError, no_component, picture_problem
from library_pipeline.web.questions import Asked, Upload

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

    def search_picture(self, upload: Upload, question: Asked) -> tuple[Image.Image, list[Match]]:
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

    def component(self, component_id: str) -> Details:
        """Return what is indexed of a component; raises QuestionError if it is not searchable."""
        with self.database.connect() as connection:
            found = details(connection, component_id)
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


async def _of_request(request: Request) -> Library:
    return request.app.state.library


InLibrary = Annotated[Library, Depends(_of_request)]
