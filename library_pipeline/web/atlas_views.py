"""The atlas, as a page and as the JSON that its script draws."""

from __future__ import annotations

import gzip
import json
import threading
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlencode

import psycopg
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from library_pipeline.catalog.component import IndexedComponent
from library_pipeline.catalog.encoder import EncoderInfo
from library_pipeline.search.atlas import (
    AtlasState,
    Point,
    read_atlas_state,
    read_points,
    read_stamp,
)
from library_pipeline.search.layout import UMAP_INSTALL, umap_is_installed
from library_pipeline.web.library import InLibrary
from library_pipeline.web.rendering import frame, page
from library_pipeline.web.search_views import refusals

router = APIRouter()

PART_SIZE: Final = 60
_MAX_ANSWERS: Final = 4  # each has some megabytes for 100,000 points
_answers: dict[str, bytes] = {}
_answering = threading.Lock()

EncoderName = Annotated[str | None, Query(max_length=40)]


@router.get("/atlas", include_in_schema=False)
def atlas_page(
    request: Request,
    library: InLibrary,
    encoder: EncoderName = None,
    colour: Literal["category", "client"] = "category",
    part: Annotated[int, Query(ge=1, le=10_000)] = 1,
) -> Response:
    """Show all components as a map that a script draws, and part by part as a list."""
    with library.database.connect() as connection:
        around = frame(connection)
        chosen = library.finder.encoder(connection, encoder or None)
        state, points = _read_atlas(
            connection, chosen, limit=PART_SIZE, skip=(part - 1) * PART_SIZE
        )
    terms = {**({"encoder": encoder} if encoder else {}), "colour": colour}
    return page(
        request,
        "atlas.html",
        frame=around,
        encoder=chosen,
        state=state,
        install=None if umap_is_installed() else UMAP_INSTALL,
        colour=colour,
        listed=[IndexedComponent(*point[:5]) for point in points],
        part=part,
        parts=max(1, -(-around.counts.components // PART_SIZE)),
        part_url=lambda number: "/atlas?" + urlencode({**terms, "part": number}),
    )


@router.get(
    "/api/atlas",
    name="atlas",
    responses=refusals(400, 404, 409, 503) | {304: {"description": "It has not changed."}},
)
def atlas_json(request: Request, library: InLibrary, encoder: EncoderName = None) -> Response:
    """Return the map as columns: `ids`, `names`, `shots` (digests), `x` and `y` (0 to 65,535).

    `client` and `category` are indexes into `clients` and `categories`, the most frequent first.
    """
    with library.database.connect() as connection:
        chosen = library.finder.encoder(connection, encoder or None)
        stamp = read_stamp(connection, chosen) if chosen else "none"
        headers = {"ETag": f'W/"{stamp}"', "Vary": "Accept-Encoding"}
        if f'"{stamp}"' in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        data = _compressed_columns(connection, chosen, f"{library.database.url} {stamp}")
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
    else:
        data = gzip.decompress(data)
    return Response(data, headers=headers, media_type="application/json")


def _read_atlas(
    connection: psycopg.Connection,
    encoder: EncoderInfo | None,
    limit: int | None = None,
    skip: int = 0,
) -> tuple[AtlasState, list[Point]]:
    """Return the state of the map and its points; both are empty before the first refresh."""
    if encoder is None:
        return AtlasState(), []
    points = read_points(connection, encoder, limit=limit, skip=skip)
    return read_atlas_state(connection, encoder), points


def _compressed_columns(
    connection: psycopg.Connection, encoder: EncoderInfo | None, key: str
) -> bytes:
    with _answering:  # computed once, even if many requests come at a time
        if key not in _answers:
            while len(_answers) >= _MAX_ANSWERS:
                del _answers[next(iter(_answers))]
            body = _columns(encoder, *_read_atlas(connection, encoder))
            text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
            _answers[key] = gzip.compress(text.encode(), compresslevel=4)
        return _answers[key]


def _columns(
    encoder: EncoderInfo | None, state: AtlasState, points: Sequence[Point]
) -> dict[str, Any]:
    ids, names, clients, categories, shots, x, y = zip(*points, strict=True) if points else [()] * 7
    client_names, client = _coded(clients)
    category_names, category = _coded(categories)
    return {
        "encoder": encoder.name if encoder else None,
        "method": state.method,
        "laid_out_at": state.laid_out_at.isoformat() if state.laid_out_at else None,
        "waiting": state.waiting,
        "ids": ids,
        "names": names,
        "shots": shots,
        "x": x,
        "y": y,
        "clients": client_names,
        "client": client,
        "categories": category_names,
        "category": category,
    }


def _coded(values: Sequence[str]) -> tuple[list[str], list[int]]:
    """Return the distinct values, the most frequent first, and the index of each value."""
    names = [name for name, _ in sorted(Counter(values).items(), key=lambda each: (-each[1], each))]
    index = {name: number for number, name in enumerate(names)}
    return names, [index[value] for value in values]
