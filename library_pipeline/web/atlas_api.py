"""What the map is drawn from: every point, as columns, compressed and kept until it changes."""

from __future__ import annotations

import gzip
import json
import threading
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any, Final

import psycopg
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from library_pipeline.store.atlas import Point, atlas_points, atlas_stamp, atlas_state
from library_pipeline.store.embeddings import RegisteredEncoder
from library_pipeline.web.api import refusals
from library_pipeline.web.library import InLibrary

router = APIRouter(prefix="/api")

_KEPT: Final = 4  # answers, each of some megabytes for 100,000 points
_answers: dict[str, bytes] = {}
_answering = threading.Lock()


@router.get(
    "/atlas", responses=refusals(400, 404, 409, 503) | {304: {"description": "It has not changed."}}
)
def atlas(
    request: Request,
    library: InLibrary,
    encoder: Annotated[str | None, Query(max_length=40)] = None,
) -> Response:
    """Return the map as columns: `ids`, `names`, `shots` (digests), `x` and `y` (0 to 65,535).

    `client` and `category` are places in the lists `clients` and `categories`, the largest first.
    """
    with library.database.connect() as connection:
        chosen = library.finder.encoder(connection, encoder or None)
        stamp = atlas_stamp(connection, chosen) if chosen else "none"
        headers = {"ETag": f'W/"{stamp}"', "Vary": "Accept-Encoding"}
        if f'"{stamp}"' in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        data = _compressed(connection, chosen, f"{library.database.url} {stamp}")
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
    else:
        data = gzip.decompress(data)
    return Response(data, headers=headers, media_type="application/json")


def _compressed(
    connection: psycopg.Connection, encoder: RegisteredEncoder | None, key: str
) -> bytes:
    with _answering:  # once, however many ask
        if key not in _answers:
            while len(_answers) >= _KEPT:
                del _answers[next(iter(_answers))]
            body = _columns(connection, encoder)
            text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
            _answers[key] = gzip.compress(text.encode(), compresslevel=4)
        return _answers[key]


def _columns(connection: psycopg.Connection, encoder: RegisteredEncoder | None) -> dict[str, Any]:
    points: Sequence[Point] = atlas_points(connection, encoder) if encoder else ()
    state = atlas_state(connection, encoder) if encoder else None
    ids, names, clients, categories, shots, x, y = zip(*points, strict=True) if points else [()] * 7
    clients_named, client = _coded(clients)
    categories_named, category = _coded(categories)
    return {
        "encoder": encoder.name if encoder else None,
        "method": state.method if state else None,
        "laid_out_at": state.laid_out_at.isoformat() if state and state.laid_out_at else None,
        "waiting": state.waiting if state else 0,
        "ids": ids,
        "names": names,
        "shots": shots,
        "x": x,
        "y": y,
        "clients": clients_named,
        "client": client,
        "categories": categories_named,
        "category": category,
    }


def _coded(values: Sequence[str]) -> tuple[list[str], list[int]]:
    """Return the different values, the most frequent first, and each one's place among them."""
    named = [name for name, _ in sorted(Counter(values).items(), key=lambda each: (-each[1], each))]
    place = {name: number for number, name in enumerate(named)}
    return named, [place[value] for value in values]
