"""The preset `directus` over a real Directus, where one is installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from library_pipeline_tests.bundles_on_disk import picture
from library_pipeline_tests.real_cms.directus_site import HOW_TO_INSTALL, DirectusSite, installed
from library_pipeline_tests.sources.presets import configured, found, listed

Change = Callable[[DirectusSite, int], None]
CHANGES: list[Change] = [
    lambda site, item: site.edit(item, name="Other"),
    lambda site, item: site.edit(item, tags=["other"]),
    lambda site, item: site.replace_image(item, "other"),
]
pytestmark = pytest.mark.skipif(installed() is None, reason=HOW_TO_INSTALL)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DirectusSite]:
    """A site of 20 components, each test's changes to items of its own."""
    with DirectusSite(tmp_path_factory.mktemp("directus")) as running:
        yield running


@pytest.fixture
def client(site: DirectusSite) -> Iterator[httpx.Client]:
    """A client with the site's token."""
    with httpx.Client(headers={"Authorization": f"Bearer {site.token}"}) as client:
        yield client


def read(site: DirectusSite, client: httpx.Client) -> dict[int, dict[str, Any]]:
    """Read the whole listing in one page, as the preset says, by the items' ids."""
    source = configured("directus", site.listing_url)
    page = client.get(site.listing_url, params=source.query | {"limit": "100"})
    body = page.raise_for_status().json()
    assert source.paging is not None
    assert found(source.paging.total, body) == len(body["data"])
    return {each["id"]: each for each in listed(source, body)}


def test_whole_listing_and_its_pictures(site: DirectusSite, client: httpx.Client) -> None:
    components = read(site, client)
    assert len(components) >= 19
    one = components[site.items[10]]
    assert (one["name"], one["tags"]) == ("Component 10", ["test", "tag-0"])
    assert client.get(one["screenshot"]).content == picture("Component 10")


def test_page_larger_than_directus_allows_is_refused(
    site: DirectusSite, client: httpx.Client
) -> None:
    """QUERY_LIMIT_MAX is 100 here."""
    answer = client.get(site.listing_url, params={"limit": "101"})
    assert answer.status_code == 400


@pytest.mark.parametrize(("number", "change"), enumerate(CHANGES, 1))
def test_change_is_another_revision_of_this_component_alone(
    site: DirectusSite,
    client: httpx.Client,
    number: int,
    change: Change,
) -> None:
    item, before = site.items[number], read(site, client)
    change(site, item)
    after = read(site, client)
    changed = {each for each in before if before[each]["revision"] != after[each]["revision"]}
    assert changed == {item}
    if number == 3:
        assert client.get(after[item]["screenshot"]).content == picture("other")
        assert after[item]["updated_at"] == before[item]["updated_at"]


def test_only_what_is_published_is_a_component(site: DirectusSite, client: httpx.Client) -> None:
    """The listing has drafts, too; `where` leaves them out."""
    item = site.add("A draft", publish=False)
    assert item not in read(site, client)
    site.publish(item)
    assert item in read(site, client)
    site.unpublish(item)
    assert item not in read(site, client)
    site.delete(item)
    assert item not in read(site, client)
