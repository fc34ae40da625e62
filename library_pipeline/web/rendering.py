"""Templates: every value is escaped, and an unknown name raises an error."""

from __future__ import annotations

import base64
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Final

import jinja2
import psycopg
from fastapi import Request
from fastapi.templating import Jinja2Templates
from PIL import Image
from starlette.responses import Response

from library_pipeline import __version__
from library_pipeline.catalog.encoder import EncoderInfo
from library_pipeline.encoders import thumbnail
from library_pipeline.index.activation import Coverage, coverage
from library_pipeline.index.encoders import active_encoders
from library_pipeline.web import links
from library_pipeline.web.access import PUBLIC
from library_pipeline.web.library import Library
from library_pipeline.web.problems import Problem
from library_pipeline.web.questions import DEFAULT_K, MAX_TEXT

FOLDER: Final = Path(__file__).parent
NAVIGATION: Final = (
    ("/", "Search"),
    ("/refreshes", "Refreshes"),
    ("/duplicates", "Duplicates"),
    ("/atlas", "Atlas"),
)
PREVIEW_WIDTH, PREVIEW_HEIGHT = 480, 360


@dataclass(frozen=True, slots=True)
class Frame:
    """The parts that every page shows: the counts and the active encoders."""

    counts: Coverage
    encoders: tuple[EncoderInfo, ...]


def frame(connection: psycopg.Connection) -> Frame:
    """Read the frame of a page."""
    return Frame(coverage(connection), active_encoders(connection))


def page(request: Request, template: str, *, status: int = 200, **values: object) -> Response:
    """Return `template` filled with `values`."""
    templates: Jinja2Templates = request.app.state.templates
    return templates.TemplateResponse(request, template, values, status_code=status)


def problem_page(request: Request, problem: Problem) -> Response:
    """Return the search page with `problem` instead of results."""
    library: Library = request.app.state.library
    around = None
    # A request that passed without a key learns nothing about the library.
    with suppress(psycopg.Error):  # the problem may be the database; the page works without it
        if PUBLIC not in request.scope:
            with library.database.connect() as connection:
                around = frame(connection)
    text = request.query_params.get("text", "")[:MAX_TEXT]
    return page(
        request,
        "problem.html",
        status=problem.status,
        problem=problem,
        frame=around,
        text=text,
    )


def preview(picture: Image.Image) -> str:
    """Return a small version of an uploaded picture as a data: URL."""
    webp = thumbnail(picture, PREVIEW_WIDTH, PREVIEW_HEIGHT)
    return "data:image/webp;base64," + base64.b64encode(webp).decode()


def phrase(status: int) -> str:
    """Return the name of an HTTP status, such as `Not Found`."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"Error {status}"


def _moment(value: datetime | None) -> str:
    return f"{value:%Y-%m-%d %H:%M}" if value else "unknown"


def templates(max_picture_bytes: int) -> Jinja2Templates:
    """Return the templates; they show the limit `max_picture_bytes`."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["moment"] = _moment
    environment.globals.update(
        version=__version__,
        navigation=NAVIGATION,
        component_url=links.component_url,
        like_url=links.like_url,
        search_url=links.search_url,
        question_url=links.question_url,
        compare_url=links.compare_url,
        max_text=MAX_TEXT,
        max_picture_bytes=max_picture_bytes,
        default_k=DEFAULT_K,
    )
    return Jinja2Templates(env=environment)
