"""What became of a component: its revisions as far as bundles are kept, and what each changed."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest
from typing import Final

import psycopg

from library_pipeline.bundles.store import BundleStore
from library_pipeline.catalog.component import FILE_KINDS
from library_pipeline.web.browse import Revision, revisions
from library_pipeline.web.pictures import is_kept

MAX_REVISIONS: Final = 20


@dataclass(frozen=True, slots=True)
class Change:
    """A revision and the kinds of files that it changed; none are said of the earliest one.

    `after` is its screenshot, `before` the one it took the place of, as far as they are kept.
    """

    revision: Revision
    changed: tuple[str, ...]
    after: str | None
    before: str | None
    first: bool


def history(
    connection: psycopg.Connection, bundles: BundleStore, component_id: str
) -> list[Change]:
    """Return a component's revisions, the latest first, at most `MAX_REVISIONS`."""
    found = revisions(connection, component_id, limit=MAX_REVISIONS)
    return [_change(bundles, each, earlier) for each, earlier in zip_longest(found, found[1:])]


def _change(bundles: BundleStore, each: Revision, earlier: Revision | None) -> Change:
    after = each.files.get("screenshot")
    if earlier is None:
        return Change(each, (), _kept(bundles, after), None, first=True)
    changed = tuple(kind for kind in FILE_KINDS if each.files.get(kind) != earlier.files.get(kind))
    before = earlier.files.get("screenshot") if "screenshot" in changed else None
    return Change(each, changed, _kept(bundles, after), _kept(bundles, before), first=False)


def _kept(bundles: BundleStore, digest: str | None) -> str | None:
    return digest if digest and is_kept(bundles, digest) else None
