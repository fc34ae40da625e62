"""The page of the map. A script draws it; the list below it works without."""

from __future__ import annotations

from typing import Annotated, Final, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from library_pipeline.store.atlas import AtlasState, atlas_points, atlas_state
from library_pipeline.web.browse import Card
from library_pipeline.web.library import InLibrary
from library_pipeline.web.rendering import frame, page

router = APIRouter(include_in_schema=False)

LISTED: Final = 60


@router.get("/atlas")
def atlas(
    request: Request,
    library: InLibrary,
    encoder: Annotated[str | None, Query(max_length=40)] = None,
    colour: Literal["category", "client"] = "category",
    part: Annotated[int, Query(ge=1, le=10_000)] = 1,
) -> Response:
    """Show all components as a map, and as a list, `part` by part."""
    with library.database.connect() as connection:
        around = frame(connection)
        chosen = library.finder.encoder(connection, encoder or None)
        state = atlas_state(connection, chosen) if chosen else AtlasState()
        skip = (part - 1) * LISTED
        points = atlas_points(connection, chosen, limit=LISTED, skip=skip) if chosen else []
    return page(
        request,
        "atlas.html",
        frame=around,
        encoder=chosen,
        state=state,
        colour=colour,
        listed=[Card(*point[:5]) for point in points],
        part=part,
        parts=max(1, -(-around.counts.components // LISTED)),
        part_url=lambda number: "/atlas?" + urlencode(_given(encoder, colour, number)),
    )


def _given(encoder: str | None, colour: str, part: int) -> dict[str, str | int]:
    return {**({"encoder": encoder} if encoder else {}), "colour": colour, "part": part}
