"""One reading of a listing from its first page to its last, and whether it can be trusted."""

from __future__ import annotations

from typing import cast

from library_pipeline.catalog.component import Component
from library_pipeline.settings.sources import SourceSettings
from library_pipeline.sources.contentful import with_links
from library_pipeline.sources.digest import ListingDigest
from library_pipeline.sources.entry import ManifestProblem
from library_pipeline.sources.manifest import ManifestError, PageSource, read_json
from library_pipeline.sources.mapping import ItemMapping
from library_pipeline.sources.paging import PageRead, Paging
from library_pipeline.sources.reader import Answer
from library_pipeline.sources.source import ListingShifted
from library_pipeline.sources.wording import redacted

Entries = tuple[Component | ManifestProblem, ...]


class Walk:
    """Takes page by page; afterwards `check_whole` says whether nothing was missed.

    A CMS that counts pages or items shows another listing on each page if something is added or
    removed meanwhile: an item would be missed, and taken for removed. It shows in an overlap of
    one item, in totals that differ, or in ids that come twice.
    """

    def __init__(self, settings: SourceSettings, mapping: ItemMapping, paging: Paging) -> None:
        self._mapping, self._paging = mapping, paging
        self._max_items, self._name = settings.max_items, settings.name
        self._links = settings.preset == "contentful"
        self._digest = ListingDigest()
        self._ids: set[str] = set()
        self._last_id: object = None
        self._pages = 0
        self.read_items = 0
        self.total: int | None = None
        self.next: str | None = None

    @property
    def digest(self) -> str:
        """What tells this listing from another one."""
        return self._digest.value

    def read(self, answer: Answer) -> tuple[Entries, int | None]:
        """Return a page's entries, and how many components it says there are if all count.

        `next` is then the next page's URL, and `total` what the page says. Raises ManifestError,
        ListingShifted among them.
        """
        page = page_json(answer, links=self._links)
        items = self._mapping.items_in(page)
        if self._pages and self._paging.overlaps:
            items = self._without_overlap(items)
        here = PageRead(answer.url, answer.headers, page, len(items))
        total = self._paging.total(here)
        if self._pages and total != self.total:
            raise ListingShifted(f"{self._what} said {self.total} items, then {total}")
        self.total = total
        found = self._entries(items, answer.url)
        self._pages += 1
        self.next = self._paging.after(here, total, self.read_items)
        return found, None if self._mapping.leaves_out else total

    def check_whole(self) -> None:
        """Raise ListingShifted if the pages did not have as many different items as they said."""
        if self.total is None or not self._paging.counts:
            return
        # An overlap shows more than ids do, which may come twice for other reasons.
        listed = self.read_items if self._paging.overlaps else len(self._ids)
        if listed != self.total:
            what = f"{self._what} said {self.total} items and listed {listed} different ones"
            raise ListingShifted(f"{what} (is mapping.id another one for each?)")

    def _entries(self, items: list[object], base: str) -> Entries:
        found: list[Component | ManifestProblem] = []
        for item in items:
            entry = self._mapping.entry(item, self.read_items, base)
            self._last_id = self._mapping.id_of(item)
            self._ids.add(str(self._last_id))
            self.read_items += 1
            if entry is not None:
                self._digest.add(entry)
                found.append(entry)
        if self.read_items > self._max_items:
            raise ManifestError(
                "manifest.too_many",
                f"{self._what} lists more than {self._max_items:,} items; raise its max_items",
            )
        return tuple(found)

    def _without_overlap(self, items: list[object]) -> list[object]:
        if not items:
            return items
        if self._mapping.id_of(items[0]) != self._last_id:
            raise ListingShifted(f"a page of {self._what} did not begin where the last one ended")
        return items[1:]

    @property
    def _what(self) -> str:
        return f"the listing of source {self._name}"


def page_json(answer: Answer, *, links: bool = False) -> object:
    """Return the JSON of a page, with Contentful's `links` followed; raises ManifestError."""
    content_type = answer.headers.get("content-type", "")
    page = read_json(answer.body, PageSource(answer.url, answer.status, content_type))
    try:
        return with_links(cast("dict[str, object]", page)) if links else page
    except (KeyError, TypeError, AttributeError, RecursionError):
        message = f"{redacted(answer.url)} answered with no page of Contentful's entries"
        raise ManifestError("manifest.unusable", message) from None
