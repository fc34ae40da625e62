"""Groups of components that look all but the same: linked by pairs that are alike enough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import psycopg
from numpy.typing import NDArray

from library_pipeline.store.duplicates import (
    ALL,
    Narrowing,
    Shown,
    components_shown,
    pairs_among,
    shown_components,
)
from library_pipeline.store.embeddings import RegisteredEncoder
from library_pipeline.store.look_alikes import look_alike_pairs
from library_pipeline.store.records import Records

MOST_SHOWN: Final = 24
"""So many components of a group are returned; `size` counts them all."""

Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Member:
    """A component of a group; `nearest` is its similarity to the one of the others most like it."""

    component: Shown
    nearest: float


@dataclass(frozen=True, slots=True)
class Group:
    """Components that are linked, directly or by others between them, from the oldest on.

    `similarities` are those of the screenshots of `members`, by their digests in order, where they
    are at least 0.9. The same screenshot, shown by several components, is no pair.
    """

    size: int
    screenshots: int
    clients: int
    members: tuple[Member, ...]
    similarities: Mapping[tuple[str, str], float]


@dataclass(frozen=True, slots=True)
class Groups:
    """A page of groups, the largest first, and how many there are with how many components."""

    groups: tuple[Group, ...]
    total: int
    components: int


def find_groups(
    connection: psycopg.Connection,
    encoder: RegisteredEncoder,
    threshold: float,
    *,
    narrowing: Narrowing = ALL,
    k: int = 20,
    skip: int = 0,
) -> Groups:
    """Return groups of components whose screenshots are linked by pairs of `threshold` or more.

    Components with the very same screenshot always are. A group is whole even where `narrowing`
    asks for one client: it is a group if one of its components fits.
    """
    shown = shown_components(connection, encoder, narrowing)
    pairs = look_alike_pairs(connection, encoder, threshold)
    found = _Found.of(shown, pairs)
    chosen = found.chosen(across=narrowing.across)
    some = chosen[skip : skip + k]
    numbers = [found.numbers[found.label == label][:MOST_SHOWN] for label in some]
    every = [int(number) for each in numbers for number in each]
    components = components_shown(connection, every)
    near = pairs_among(connection, every)
    groups = tuple(
        found.group(int(label), each.tolist(), components, near)
        for label, each in zip(some, numbers, strict=True)
    )
    return Groups(groups, len(chosen), int(found.sizes[chosen].sum()))


@dataclass(frozen=True, slots=True)
class _Found:
    """Screenshots by `numbers`, ascending, the group of each, and what is in each group."""

    numbers: NDArray[np.int32]
    label: Places
    nearest: NDArray[np.float32]
    sizes: Places
    fits: NDArray[np.bool_]
    clients: Places

    @classmethod
    def of(cls, shown: Records, pairs: Records) -> _Found:
        numbers, place = np.unique(shown["number"], return_inverse=True)
        a, b = _places(pairs["a"], numbers), _places(pairs["b"], numbers)
        live = (a >= 0) & (b >= 0)
        a, b, similarity = a[live], b[live], pairs["similarity"][live]
        label = linked(len(numbers), a, b)
        nearest = np.zeros(len(numbers), np.float32)
        np.maximum.at(nearest, a, similarity)
        np.maximum.at(nearest, b, similarity)
        nearest[np.bincount(place, minlength=len(numbers)) > 1] = 1
        groups = int(label.max()) + 1 if len(label) else 0
        of_component = label[place]
        by_client = np.unique(np.stack([of_component, shown["client"]]), axis=1)[0]
        return cls(
            numbers,
            label,
            nearest,
            np.bincount(of_component, minlength=groups),
            np.bincount(of_component, weights=shown["fits"], minlength=groups) > 0,
            np.bincount(by_client, minlength=groups),
        )

    def chosen(self, *, across: bool) -> Places:
        """Return the groups of several components that are asked for, the largest first."""
        asked = (self.sizes > 1) & self.fits & (self.clients > (1 if across else 0))
        labels = np.flatnonzero(asked)
        # Labels ascend with the numbers, so of equal ones the oldest comes first.
        return labels[np.argsort(-self.sizes[labels], kind="stable")]

    def group(
        self,
        label: int,
        numbers: Sequence[int],
        components: Mapping[int, Sequence[Shown]],
        near: Mapping[tuple[int, int], float],
    ) -> Group:
        members = [
            Member(component, round(float(self.nearest[place]), 4))
            for number, place in zip(numbers, _places(numbers, self.numbers), strict=True)
            for component in components.get(number, ())
        ]
        digests = {
            number: components[number][0].screenshot_sha256
            for number in numbers
            if components.get(number)
        }
        return Group(
            size=int(self.sizes[label]),
            screenshots=int((self.label == label).sum()),
            clients=int(self.clients[label]),
            members=tuple(members[:MOST_SHOWN]),
            similarities={
                (min(digests[a], digests[b]), max(digests[a], digests[b])): round(similarity, 4)
                for (a, b), similarity in near.items()
                if a in digests and b in digests
            },
        )


def linked(count: int, a: Places, b: Places) -> Places:
    """Return the group of each of `count` places that the pairs `a`, `b` link, from 0 on.

    Groups are numbered by their least place. Union-find as Shiloach and Vishkin (1982) have it
    for many pairs at once: hook the greater root to the lesser, then shorten the ways.
    """
    root = np.arange(count)
    while True:
        one, other = root[a], root[b]
        if (one == other).all():
            return np.unique(root, return_inverse=True)[1]
        np.minimum.at(root, np.maximum(one, other), np.minimum(one, other))
        while (root[root] != root).any():
            root = root[root]


def _places(wanted: Sequence[int] | NDArray[np.int32], numbers: NDArray[np.int32]) -> Places:
    """Return where each wanted number is among `numbers`, which ascend; -1 where it is not."""
    if not len(numbers):
        return np.full(len(wanted), -1)
    place = np.minimum(np.searchsorted(numbers, wanted), len(numbers) - 1)
    return np.where(numbers[place] == wanted, place, -1)
