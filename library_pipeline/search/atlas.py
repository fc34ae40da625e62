"""The map of a library: what looks alike lies together. Laid out as a whole, or added to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import psycopg

from library_pipeline.search.layout import LEAST_FOR_UMAP, beside, by_components, by_umap
from library_pipeline.store.atlas import (
    AtlasState,
    Method,
    add_to_map,
    atlas_state,
    positions,
    replace_layout,
)
from library_pipeline.store.embeddings import RegisteredEncoder, all_vectors
from library_pipeline.store.leases import sole_lease

FEW: Final = 0.1
"""Up to this share of the screenshots is placed beside its nearest before all are laid out anew."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """What was done to a map: laid out anew by `method`, or with None only added to."""

    method: Method | None
    screenshots: int
    added: int


def umap_is_due(state: AtlasState) -> bool:
    """Whether the map should be laid out by UMAP: it never was, or too much came since."""
    if state.shown < LEAST_FOR_UMAP:
        return False
    return state.method != "umap" or state.share_not_laid_out > FEW


def draw(connection: psycopg.Connection, encoder: RegisteredEncoder, *, umap: bool) -> Drawn | None:
    """Bring the map of `encoder` up to date; None where it is, or somebody else is at it.

    With `umap` all is laid out anew: a minute of a core for 20,000 screenshots. Without, what is
    new is placed beside its nearest, and a map that UMAP has not drawn yet is drawn by principal
    components: seconds.
    Needs a connection in autocommit mode, and that no screenshot is deleted meanwhile.
    """
    with sole_lease(connection, f"atlas of encoder {encoder.id}") as alone:
        state = atlas_state(connection, encoder)
        if not alone or not state.shown:
            return None
        by = _layout(state, umap=umap)
        if by is None and not state.waiting:
            return None
        digests, vectors = all_vectors(connection, encoder, searchable=True)
        known, known_where = positions(connection, encoder)
        there = dict(zip(known, known_where, strict=True))
        fresh = np.array([digest not in there for digest in digests])
        where = np.array([there.get(digest, (0.5, 0.5)) for digest in digests], np.float32)
        if fresh.all() or by == "pca":
            where = by_components(vectors)
            by = by or "pca"
        elif fresh.any():
            where[fresh] = beside(vectors[fresh], vectors[~fresh], where[~fresh])
        if by == "umap":
            where = by_umap(vectors, where, anew=state.method != "umap")
        if by is None:
            new = [digest for digest, is_new in zip(digests, fresh, strict=True) if is_new]
            add_to_map(connection, encoder, new, where[fresh])
        else:
            replace_layout(connection, encoder, by, digests, where)
        return Drawn(by, len(digests), int(fresh.sum()))


def _layout(state: AtlasState, *, umap: bool) -> Method | None:
    """Return how to lay out the map anew, None to leave it as it is and add to it."""
    if umap:
        return "umap" if state.shown >= LEAST_FOR_UMAP else "pca"
    # Cheap enough to be done again each time, while nobody has waited for a better one.
    anew = state.method is None or (state.method == "pca" and state.share_not_laid_out > FEW)
    return "pca" if anew else None
