"""A shop of four hats, the second without a client."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from library_pipeline_tests.support.shop import TOKEN, Shop, item, open_shop


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    monkeypatch.setenv("SHOP_TOKEN", TOKEN)
    with open_shop(item(1), item(2, meta={}), item(3), item(4)) as shop:
        yield shop
