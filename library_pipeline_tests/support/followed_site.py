"""A library over a real CMS: refreshed, and compared with what the site shows."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Protocol

from library_pipeline.database.connection import Database
from library_pipeline.settings import Settings
from library_pipeline.sources.factory import configured_sources
from library_pipeline_tests.support.refreshing import Refresher, counts
from tools.testing.bundles import picture

Shown = dict[str, tuple[str, str]]


class Site(Protocol):
    """A CMS that can be changed as an editor changes it."""

    def add(self, name: str) -> int: ...
    def edit(self, item: int, /, **fields: object) -> None: ...
    def replace_image(self, item: int, picture_seed: str, /) -> None: ...
    def unpublish(self, item: int, /) -> None: ...
    def publish(self, item: int, /) -> None: ...
    def delete(self, item: int, /) -> None: ...


class Library:
    """The index of one source, and what it must show after each change."""

    def __init__(self, database: Database, source: Mapping[str, Any]) -> None:
        self.database = database
        settings = Settings.model_validate({"sources": [source]})
        self.refresh = Refresher(database, configured_sources(settings))
        self._prefix = settings.sources[0].id_prefix

    def shows(self) -> Shown:
        """Return name and screenshot's digest of what is searchable, by the CMS's id."""
        with self.database.connect() as connection:
            rows = connection.execute(
                "select component_id, name, screenshot_sha256 from library.component"
            ).fetchall()
        return {row[0].removeprefix(self._prefix): (row[1], row[2]) for row in rows}

    def refreshed(self) -> dict[str, int]:
        """Refresh, and return the counts that are not zero."""
        return counts(self.refresh())


def shown(name: str, seed: str | None = None) -> tuple[str, str]:
    """Return what the index shows of a component with the picture of `seed`, its name's own."""
    return name, hashlib.sha256(picture(seed or name)).hexdigest()


def follow(library: Library, site: Site, items: list[int], title: str) -> None:
    """Do what editors do, one thing at a time, and see that the index equals the site each time.

    `title` is what the CMS calls a name; `items` are its first ids, of "Component 0" and so on.
    """
    expected = {str(item): shown(f"Component {n}") for n, item in enumerate(items)}
    total = len(expected)
    assert library.refreshed() == {"total": total, "new": total}
    assert library.shows() == expected
    # Nothing changed: nothing is done.
    assert library.refreshed() == {"total": total, "unchanged": total}

    edited, replaced, hidden, deleted = items[3:7]
    site.edit(edited, **{title: "Edited"})
    expected[str(edited)] = ("Edited", expected[str(edited)][1])
    assert library.refreshed() == {"total": total, "changed": 1, "unchanged": total - 1}
    assert library.shows() == expected

    # The item's own time stays as it was.
    site.replace_image(replaced, "another picture")
    expected[str(replaced)] = shown(expected[str(replaced)][0], "another picture")
    assert library.refreshed()["changed"] == 1
    assert library.shows() == expected

    site.unpublish(hidden)
    gone = expected.pop(str(hidden))
    assert library.refreshed()["removed"] == 1
    assert library.shows() == expected

    site.delete(deleted)
    del expected[str(deleted)]
    assert library.refreshed()["removed"] == 1
    assert library.shows() == expected

    site.publish(hidden)
    expected[str(hidden)] = gone
    added = site.add("Added")
    expected[str(added)] = shown("Added")
    assert library.refreshed()["new"] == 2
    assert library.shows() == expected
