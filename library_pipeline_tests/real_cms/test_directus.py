"""A real Directus through the preset, where one is installed: the index equals the site."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from library_pipeline_tests.real_cms.directus_site import HOW_TO_INSTALL, DirectusSite, installed
from library_pipeline_tests.support.followed_site import Library, follow

pytestmark = [
    pytest.mark.skipif(installed() is None, reason=HOW_TO_INSTALL),
    pytest.mark.timeout(600),
]


@pytest.fixture
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DirectusSite]:
    """A site of 20 components."""
    with DirectusSite(tmp_path_factory.mktemp("directus")) as running:
        yield running


def test_the_index_equals_the_site_after_every_change(
    site: DirectusSite,
    library: Callable[[Mapping[str, Any]], Library],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DIRECTUS_TOKEN", site.token)
    source = {
        "name": "studio",
        "preset": "directus",
        "url": site.listing_url,
        "auth": {"kind": "bearer", "secret_env": "DIRECTUS_TOKEN"},
    }
    follow(library(source), site, site.items, "name")
