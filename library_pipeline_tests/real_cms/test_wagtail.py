"""The preset `wagtail` over a real Wagtail site: each change of an editor's is a new revision."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from library_pipeline_tests.bundles_on_disk import picture
from library_pipeline_tests.real_cms.wagtail_site import TYPE, WagtailError, WagtailSite
from library_pipeline_tests.sources.presets import configured, found, listed

Read = Callable[[], dict[int, dict[str, Any]]]
Change = Callable[[WagtailSite, int], None]
CHANGES: list[Change] = [
    lambda site, page: site.edit(page, title="Other"),
    lambda site, page: site.edit(page, tags=["other"]),
    lambda site, page: site.edit(page, config={"width": 640}),
    lambda site, page: site.replace_image(page, "other"),
    lambda site, page: site.replace_image(page, "other", keep_name=True),
    lambda site, page: site.replace_image(page, "other", republish=True),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WagtailSite]:
    """A site of 100 components, each test's changes to pages of its own."""
    with WagtailSite(tmp_path_factory.mktemp("wagtail")) as running:
        yield running


@pytest.fixture
def read(site: WagtailSite) -> Read:
    """Read the whole listing as the preset says, by the pages' ids."""
    source = configured("wagtail", site.listing_url, query={"type": TYPE})
    assert source.paging is not None and source.page_size is not None
    paging, size = source.paging, source.page_size

    def whole() -> dict[int, dict[str, Any]]:
        components: list[dict[str, Any]] = []
        while True:
            place = {str(paging.param): str(len(components)), str(paging.size_param): str(size)}
            page = httpx.get(site.listing_url, params=source.query | place).raise_for_status()
            components += listed(source, page.json())
            if len(components) >= found(paging.total, page.json()):
                return {each["id"]: each for each in components}

    return whole


def test_whole_listing_and_its_pictures(site: WagtailSite, read: Read) -> None:
    components = read()
    assert len(components) >= 99
    one = components[site.pages[50]]
    assert one["name"] == "Component 50"
    assert httpx.get(one["screenshot"]).content == picture("Component 50")


def test_page_larger_than_wagtail_allows_is_refused(site: WagtailSite) -> None:
    """A page size that is too large is an error, not a shorter page."""
    answer = httpx.get(site.listing_url, params={"type": TYPE, "limit": "21"})
    assert answer.status_code == 400
    assert answer.json() == {"message": "limit cannot be higher than 20"}


@pytest.mark.parametrize(("number", "change"), enumerate(CHANGES, 1))
def test_change_is_another_revision_of_this_component_alone(
    site: WagtailSite, read: Read, number: int, change: Change
) -> None:
    page, before = site.pages[number], read()
    change(site, page)
    after = read()
    changed = {each for each in before if before[each]["revision"] != after[each]["revision"]}
    assert changed == {page}
    if 4 <= number <= 6:
        assert httpx.get(after[page]["screenshot"]).content == picture("other")
    if number in (4, 5):  # nothing else would tell
        assert after[page]["updated_at"] == before[page]["updated_at"]


def test_only_what_is_published_is_listed(site: WagtailSite, read: Read) -> None:
    """A draft is absent, and comes and goes as it is published, unpublished and deleted."""
    page = site.add("A draft", publish=False)
    assert page not in read()
    site.publish(page)
    assert read()[page]["name"] == "A draft"
    site.unpublish(page)
    assert page not in read()
    site.publish(page)
    site.delete(page)
    assert page not in read()


def test_change_that_cannot_be_made_is_an_error(site: WagtailSite) -> None:
    with pytest.raises(WagtailError, match="edit .*DoesNotExist"):
        site.edit(10_000, title="Nobody's")
