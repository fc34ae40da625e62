"""Groups of duplicates: as a threshold links them, whole, under filters, page by page."""

from __future__ import annotations

import numpy as np
import psycopg
import pytest

from library_pipeline.catalog.encoder import EncoderInfo
from library_pipeline.search.duplicates import GroupFilter, GroupPage, find_groups, linked
from library_pipeline.search.look_alikes import compare_new
from library_pipeline_tests.support.screenshots import DIM, digest
from library_pipeline_tests.support.vectors import put_vectors

ANGLES = (0, 10, 20, 90, 100, 200, 300)
"""Of each screenshot in a plane, in degrees: ten are a cosine of 0.985, twenty one of 0.94."""
CLIENTS = ("north", "north", "south", "north", "north", "east", "west", "west")


@pytest.fixture
def encoder(connection: psycopg.Connection) -> EncoderInfo:
    """Components 0 to 6 show screenshots at `ANGLES`, 7 the same as 6."""
    vectors = np.zeros((len(ANGLES), DIM), np.float32)
    vectors[:, 0] = np.cos(np.radians(ANGLES))
    vectors[:, 1] = np.sin(np.radians(ANGLES))
    encoder = put_vectors(connection, vectors)
    shown = [digest(min(number, 6)) for number in range(8)]
    connection.execute(
        """insert into pipeline.component
           select number - 1, number - 1, '1', 'N' || number, client,
                  case when number > 6 then 'hero' else 'card' end, '{}', null, '', '', '', digest
           from unnest(%s::text[], %s::text[]) with ordinality shown (digest, client, number)""",
        (shown, list(CLIENTS)),
    )
    compare_new(connection, encoder)
    return encoder


def ids(found: GroupPage) -> list[set[str]]:
    return [{member.component_id for member in each.members} for each in found.groups]


def test_the_threshold_links_groups_through_others(
    connection: psycopg.Connection, encoder: EncoderInfo
) -> None:
    found = find_groups(connection, encoder, 0.98)
    assert sorted(map(sorted, ids(found))) == [["0", "1", "2"], ["3", "4"], ["6", "7"]]
    assert ids(found)[0] == {"0", "1", "2"}
    assert (found.total, found.components) == (3, 7)
    three = found.groups[0]
    assert (three.size, three.screenshots, three.clients) == (3, 3, 2)
    ends = min(digest(0), digest(2)), max(digest(0), digest(2))
    assert three.similarities[ends] == pytest.approx(np.cos(np.radians(20)), abs=2e-3)
    nearest = [member.nearest for member in three.members]
    assert nearest == pytest.approx([np.cos(np.radians(10))] * 3, abs=2e-3)
    strict = find_groups(connection, encoder, 0.999)
    assert ids(strict) == [{"6", "7"}]  # the very same screenshot
    assert strict.groups[0].members[0].nearest == 1


def test_a_group_is_shown_whole_if_one_of_it_fits(
    connection: psycopg.Connection, encoder: EncoderInfo
) -> None:
    def narrowed(**wanted: object) -> list[set[str]]:
        return ids(find_groups(connection, encoder, 0.98, only=GroupFilter(**wanted)))  # type: ignore[arg-type]

    assert narrowed(clients=("south",)) == [{"0", "1", "2"}]
    assert narrowed(categories=("hero",)) == [{"6", "7"}]
    assert narrowed(across=True) == [{"0", "1", "2"}]
    assert narrowed(clients=("east",)) == []


def test_pages_go_on_where_the_last_one_ended(
    connection: psycopg.Connection, encoder: EncoderInfo
) -> None:
    whole = ids(find_groups(connection, encoder, 0.98))
    pages = [ids(find_groups(connection, encoder, 0.98, k=1, skip=skip)) for skip in range(4)]
    assert [*pages[0], *pages[1], *pages[2]] == whole
    assert pages[3] == []


def test_what_left_the_search_is_in_no_group_and_links_none(
    connection: psycopg.Connection, encoder: EncoderInfo
) -> None:
    connection.execute("update pipeline.component set removed_at = now() where component_id = '1'")
    assert {"0", "1", "2"} not in ids(find_groups(connection, encoder, 0.98))
    assert find_groups(connection, encoder, 0.98).total == 2


def test_nothing_compared_gives_no_groups(connection: psycopg.Connection) -> None:
    encoder = put_vectors(connection, np.eye(3, DIM, dtype=np.float32))
    assert find_groups(connection, encoder, 0.9) == GroupPage((), 0, 0)


def test_groups_are_those_of_a_walk_from_pair_to_pair() -> None:
    random = np.random.default_rng(2)
    a, b = random.integers(0, 3000, (2, 2600))
    found = linked(3000, a, b)
    beside: dict[int, set[int]] = {number: set() for number in range(3000)}
    for one, other in zip(a.tolist(), b.tolist(), strict=True):
        beside[one].add(other)
        beside[other].add(one)
    group = np.full(3000, -1)
    for start in range(3000):
        ahead = [start] if group[start] < 0 else []
        while ahead:
            here = ahead.pop()
            if group[here] < 0:
                group[here] = start
                ahead += beside[here]
    assert np.array_equal(found, np.unique(group, return_inverse=True)[1])
