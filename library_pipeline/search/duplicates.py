"""Groups of duplicates: searchable components whose screenshots look nearly the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg import sql

from library_pipeline.catalog.encoder import EncoderInfo
from library_pipeline.database.records import Records, read_records
from library_pipeline.search.look_alikes import read_pairs

MAX_MEMBERS: Final = 24
"""A group lists at most this many of its components; its `size` counts them all."""

_Ints = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class GroupFilter:
    """Which groups to find: with one of the clients and categories, or only across clients."""

    clients: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    across: bool = False


ALL_GROUPS: Final = GroupFilter()


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A component of a group; `nearest` is its similarity to the most similar other one."""

    component_id: str
    name: str
    client: str
    category: str
    screenshot_sha256: str
    nearest: float


@dataclass(frozen=True, slots=True)
class DuplicateGroup:
    """Components that pairs of similar screenshots link, directly or through others.

    `members` begin with the oldest screenshot. `similarities` are those of their screenshots by
    pairs of digests in ascending order, where they are at least 0.9. One screenshot that several
    components show is no pair.
    """

    size: int
    screenshots: int
    clients: int
    members: tuple[Duplicate, ...]
    similarities: Mapping[tuple[str, str], float]


@dataclass(frozen=True, slots=True)
class GroupPage:
    """One page of groups, the largest first; `total` groups have `components` components."""

    groups: tuple[DuplicateGroup, ...] = ()
    total: int = 0
    components: int = 0


def find_groups(
    connection: psycopg.Connection,
    encoder: EncoderInfo,
    threshold: float,
    *,
    only: GroupFilter = ALL_GROUPS,
    k: int = 20,
    skip: int = 0,
) -> GroupPage:
    """Return the groups that pairs of similarity `threshold` or more link.

    Components that show the same screenshot always belong together. A group that passes the
    filter is returned whole, even if only one of its components has the client or category.
    """
    clustering = _Clustering.of(
        _read_members(connection, encoder, only), read_pairs(connection, encoder, threshold)
    )
    chosen = clustering.largest(across=only.across)
    some = chosen[skip : skip + k]
    numbers = [clustering.numbers[clustering.label == label][:MAX_MEMBERS] for label in some]
    components, similarities = _read_details(
        connection, [int(number) for each in numbers for number in each]
    )
    groups = tuple(
        clustering.group(int(label), each.tolist(), components, similarities)
        for label, each in zip(some, numbers, strict=True)
    )
    return GroupPage(groups, len(chosen), int(clustering.sizes[chosen].sum()))


_MEMBERS = """
with client as (
    select client, row_number() over () as code
    from (select distinct client from pipeline.component where removed_at is null) named
)
select k.number, client.code::integer as client,
       ((%(clients)s::text[] is null or c.client = any(%(clients)s))
        and (%(categories)s::text[] is null or c.category = any(%(categories)s)))::integer as fits
from pipeline.component c join client using (client)
join pipeline.compared k on k.screenshot_sha256 = c.screenshot_sha256
where c.removed_at is null and k.encoder_id = %(encoder)s
"""


def _read_members(
    connection: psycopg.Connection, encoder: EncoderInfo, only: GroupFilter
) -> Records:
    """Return a record for each searchable component whose screenshot `encoder` has compared.

    The fields are integers: the screenshot's `number`, a code for the `client`, and whether the
    component `fits` the clients and categories of the filter.
    """
    dtype = np.dtype([("number", "i4"), ("client", "i4"), ("fits", "i4")])
    terms = {
        "encoder": encoder.id,
        "clients": list(only.clients) or None,
        "categories": list(only.categories) or None,
    }
    return read_records(connection, sql.SQL(_MEMBERS), dtype, terms)


_COMPONENTS = """
select k.number, c.component_id, c.name, c.client, c.category, c.screenshot_sha256
from pipeline.compared k join pipeline.component c using (screenshot_sha256)
where k.number = any(%s) and c.removed_at is null order by k.number, c.component_id
"""
_SIMILARITIES = """
select a, b, similarity from pipeline.look_alike where a = any(%(numbers)s) and b = any(%(numbers)s)
"""

_Components = Mapping[int, Sequence[tuple[str, str, str, str, str]]]
"""By screenshot number: a component's id, name, client, category and screenshot digest."""
_Similarities = Mapping[tuple[int, int], float]


def _read_details(
    connection: psycopg.Connection, numbers: list[int]
) -> tuple[_Components, _Similarities]:
    """Return the components that show the screenshots `numbers`, and the kept similarities."""
    components: dict[int, list[tuple[str, str, str, str, str]]] = {}
    for number, *columns in connection.execute(_COMPONENTS, (numbers,)):
        components.setdefault(number, []).append(tuple(columns))
    rows = connection.execute(_SIMILARITIES, {"numbers": numbers})
    return components, {(a, b): similarity for a, b, similarity in rows}


@dataclass(frozen=True, slots=True)
class _Clustering:
    """Screenshots by ascending number with their group's label, and facts of each group."""

    numbers: NDArray[np.int32]
    label: _Ints
    nearest: NDArray[np.float32]
    sizes: _Ints
    fits: NDArray[np.bool_]
    clients: _Ints

    @classmethod
    def of(cls, members: Records, pairs: Records) -> _Clustering:
        numbers, index = np.unique(members["number"], return_inverse=True)
        a, b = _indexes(pairs["a"], numbers), _indexes(pairs["b"], numbers)
        searchable = (a >= 0) & (b >= 0)
        a, b, similarity = a[searchable], b[searchable], pairs["similarity"][searchable]
        label = linked(len(numbers), a, b)
        nearest = np.zeros(len(numbers), np.float32)
        np.maximum.at(nearest, a, similarity)
        np.maximum.at(nearest, b, similarity)
        nearest[np.bincount(index, minlength=len(numbers)) > 1] = 1
        groups = int(label.max()) + 1 if len(label) else 0
        of_member = label[index]
        by_client = np.unique(np.stack([of_member, members["client"]]), axis=1)[0]
        return cls(
            numbers,
            label,
            nearest,
            np.bincount(of_member, minlength=groups),
            np.bincount(of_member, weights=members["fits"], minlength=groups) > 0,
            np.bincount(by_client, minlength=groups),
        )

    def largest(self, *, across: bool) -> _Ints:
        """Return the labels of groups of several components that fit, the largest first."""
        wanted = (self.sizes > 1) & self.fits & (self.clients > (1 if across else 0))
        labels = np.flatnonzero(wanted)
        # Labels ascend with the numbers, so of equally large groups the oldest comes first.
        return labels[np.argsort(-self.sizes[labels], kind="stable")]

    def group(
        self,
        label: int,
        numbers: Sequence[int],
        components: _Components,
        similarities: _Similarities,
    ) -> DuplicateGroup:
        members = [
            Duplicate(*component, nearest=round(float(self.nearest[index]), 4))
            for number, index in zip(numbers, _indexes(numbers, self.numbers), strict=True)
            for component in components.get(number, ())
        ]
        digests = {number: components[number][0][-1] for number in numbers if number in components}
        return DuplicateGroup(
            size=int(self.sizes[label]),
            screenshots=int((self.label == label).sum()),
            clients=int(self.clients[label]),
            members=tuple(members[:MAX_MEMBERS]),
            similarities={
                (min(digests[a], digests[b]), max(digests[a], digests[b])): round(similarity, 4)
                for (a, b), similarity in similarities.items()
                if a in digests and b in digests
            },
        )


def linked(count: int, a: _Ints, b: _Ints) -> _Ints:
    """Return the label (count,) of the group of each item that the pairs `a`, `b` link.

    Labels count from 0 in the order of the groups' first items.
    """
    from scipy.sparse import coo_array  # noqa: PLC0415 - tenths of a second, for one page
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415

    links = coo_array((np.ones(len(a), bool), (a, b)), shape=(count, count))
    _, label = connected_components(links, directed=False)
    return np.asarray(label, np.intp)


def _indexes(wanted: Sequence[int] | NDArray[np.int32], numbers: NDArray[np.int32]) -> _Ints:
    """Return the index of each wanted number in the ascending `numbers`, -1 if it is missing."""
    if not len(numbers):
        return np.full(len(wanted), -1)
    index = np.minimum(np.searchsorted(numbers, wanted), len(numbers) - 1)
    return np.where(numbers[index] == wanted, index, -1)
