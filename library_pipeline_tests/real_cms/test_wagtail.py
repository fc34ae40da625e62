"""A real Wagtail site through the preset: whatever editors do, the index equals the site."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from library_pipeline.catalog.errors import ManifestError
from library_pipeline_tests.real_cms.wagtail_site import TYPE, WagtailError, WagtailSite
from library_pipeline_tests.support.followed_site import Library, follow, shown

Open = Callable[[Mapping[str, Any]], Library]


@pytest.fixture(scope="module")
def running_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WagtailSite]:
    """A site of 100 components, started once; only the first test changes it."""
    with WagtailSite(tmp_path_factory.mktemp("wagtail")) as running:
        yield running


@pytest.fixture
def site(running_site: WagtailSite) -> Iterator[WagtailSite]:
    """The site, which is up again after a test that stopped it."""
    yield running_site
    if not running_site.is_up:
        running_site.start()


def source(site: WagtailSite, **more: Any) -> dict[str, Any]:
    """Return the ten lines of library.yaml."""
    return {
        "name": "site",
        "preset": "wagtail",
        "url": site.listing_url,
        "query": {"type": TYPE},
        **more,
    }


def test_the_index_equals_the_site_after_every_change(site: WagtailSite, library: Open) -> None:
    opened = library(source(site))
    follow(opened, site, site.pages, "title")
    # A file that keeps its name and URL, which only its hash tells.
    site.replace_image(site.pages[10], "under the same name", keep_name=True)
    assert opened.refreshed()["changed"] == 1
    after = opened.shows()[str(site.pages[10])]
    assert after == shown("Component 10", "under the same name")
    draft = site.add("A draft", publish=False)
    opened.refreshed()
    assert str(draft) not in opened.shows()


def test_a_page_size_that_wagtail_refuses_is_named_with_the_way_out(
    site: WagtailSite, library: Open
) -> None:
    with pytest.raises(ManifestError, match=r"400.*is sources\.site\.page_size too large for it"):
        library(source(site, page_size=21)).refresh()


def test_a_site_that_goes_away_takes_nothing_along(site: WagtailSite, library: Open) -> None:
    opened = library(source(site))
    opened.refreshed()
    before = opened.shows()
    site.stop()
    for item in opened.refresh.equipment.sources:
        assert item.connection is not None
        item.connection.__dict__["max_attempts"] = 1
    with pytest.raises(ManifestError, match="cannot reach"):
        opened.refresh()
    assert opened.shows() == before


def test_change_that_cannot_be_made_is_an_error(site: WagtailSite) -> None:
    with pytest.raises(WagtailError, match="edit .*DoesNotExist"):
        site.edit(10_000, title="Nobody's")
