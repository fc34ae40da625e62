"""Components side by side: pictures, facts, and their similarity by each encoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Annotated, Any, Final

import psycopg
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from library_pipeline.bundles.store import BundleStore
from library_pipeline.catalog.encoder import EncoderInfo
from library_pipeline.search.browsing import ComponentDetails
from library_pipeline.search.ranking import component_vector
from library_pipeline.web.component_files import by_name, is_kept, json_of
from library_pipeline.web.library import InLibrary
from library_pipeline.web.links import screenshot_url, thumbnail_url
from library_pipeline.web.problems import Problem, QuestionError
from library_pipeline.web.rendering import frame, page

router = APIRouter(include_in_schema=False)

MIN_COMPARED: Final = 2
MAX_COMPARED: Final = 4


@dataclass(frozen=True, slots=True)
class ComparisonRow:
    """The values of the components for one name, None for a component without one."""

    name: str
    values: tuple[str | None, ...]

    @property
    def differs(self) -> bool:
        """Whether they do not all say the same."""
        return len(set(self.values)) > 1


@dataclass(frozen=True, slots=True)
class SimilarPair:
    """The similarity of two components, numbered from 1: the cosine by each encoder's name."""

    first: int
    second: int
    scores: Mapping[str, float]


@router.get("/compare")
def compare(
    request: Request, library: InLibrary, ids: Annotated[tuple[str, ...], Query(alias="id")] = ()
) -> Response:
    """Show two to four components side by side."""
    wanted = list(dict.fromkeys(each for each in ids if each))
    if not MIN_COMPARED <= len(wanted) <= MAX_COMPARED:
        reason = f"pick {MIN_COMPARED} to {MAX_COMPARED} components; {len(wanted)} were picked"
        raise QuestionError(Problem(400, "This cannot be compared", reason))
    shown = [library.component(each) for each in wanted]
    with library.database.connect() as connection:
        around = frame(connection)
        pairs = _pairs(connection, around.encoders, wanted)
    return page(
        request,
        "compare.html",
        frame=around,
        shown=shown,
        pictures=[_picture(library.bundles, each) for each in shown],
        wide=max(each.width for each in shown),
        high=max(each.height for each in shown),
        pairs=pairs,
        sections={
            "Facts": rows([_facts(each) for each in shown]),
            "Attributes": rows([by_name(each.attributes) for each in shown]),
            "Config": rows(
                [by_name(json_of(library.bundles, each.files["config"])) for each in shown]
            ),
        },
    )


def rows(columns: Sequence[Mapping[str, str]]) -> list[ComparisonRow]:
    """Return what the columns say, name by name, in the order in which names first come up."""
    names = dict.fromkeys(name for column in columns for name in column)
    return [ComparisonRow(name, tuple(column.get(name) for column in columns)) for name in names]


def _facts(component: ComponentDetails) -> dict[str, str]:
    said: dict[str, Any] = {
        "Id": component.component_id,
        "Client": component.client,
        "Category": component.category,
        "Tags": ", ".join(component.tags),
        "Source": component.source,
        "Screenshot": f"{component.width} × {component.height}",
        "Revision": component.revision,
        "Updated": f"{component.updated_at:%Y-%m-%d %H:%M}" if component.updated_at else "",
    }
    return {name: value for name, value in said.items() if value}


def _picture(bundles: BundleStore, component: ComponentDetails) -> str:
    """Return the screenshot's address, its thumbnail's where it is lost."""
    digest = component.screenshot_sha256
    return screenshot_url(digest) if is_kept(bundles, digest) else thumbnail_url(digest)


def _pairs(
    connection: psycopg.Connection, encoders: Sequence[EncoderInfo], ids: Sequence[str]
) -> list[SimilarPair]:
    vectors = {
        encoder.name: [component_vector(connection, encoder, each) for each in ids]
        for encoder in encoders
    }
    return [
        SimilarPair(
            one + 1,
            other + 1,
            {
                name: float(a @ b)
                for name, of in vectors.items()
                if (a := of[one]) is not None and (b := of[other]) is not None
            },
        )
        for one, other in combinations(range(len(ids)), 2)
    ]
