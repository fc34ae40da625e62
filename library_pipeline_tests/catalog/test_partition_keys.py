"""Partition keys: any Unicode id goes to Dagster and comes back."""

import pytest
from dagster._core.definitions.partitions.utils.base import INVALID_PARTITION_SUBSTRINGS
from hypothesis import given
from hypothesis import strategies as st

from library_pipeline.catalog.component import component_id, partition_key

ids = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=500)


@given(ids)
def test_an_id_comes_back_from_its_key(identifier: str) -> None:
    assert component_id(partition_key(identifier)) == identifier


@given(ids)
def test_a_key_has_nothing_that_dagster_or_its_ui_would_take_apart(identifier: str) -> None:
    key = partition_key(identifier)
    assert not set(key) & set(" ,;'\"`[]{}()|<>\\/&?#=+:*@$!^\n\r\t\x00")
    assert not any(substring in key for substring in INVALID_PARTITION_SUBSTRINGS)
    assert key == key.strip()


@given(ids, ids)
def test_two_ids_never_share_a_key(one: str, other: str) -> None:
    assert (partition_key(one) == partition_key(other)) == (one == other)


@pytest.mark.parametrize(
    ("identifier", "key"),
    [
        ("harbor-bank-navbar-007", "harbor-bank-navbar-007"),
        ("Größe Übersicht", "Größe%20Übersicht"),
        ("a,b 'c'", "a%2Cb%20%27c%27"),
        ("100%", "100%25"),
        ("..", ".%2E"),
        ("🎉/emoji", "🎉%2Femoji"),
    ],
)
def test_keys_stay_readable(identifier: str, key: str) -> None:
    assert partition_key(identifier) == key


def test_an_empty_id_is_refused() -> None:
    with pytest.raises(ValueError, match="must not be empty"):
        partition_key("")
