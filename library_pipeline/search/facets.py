"""Facets: the values that components have, and how many components each value leaves.

Counting 100,000 components in SQL for every question takes half a second. So an index is read once,
as arrays, and counted by masks. An attribute with nearly as many values as components has no
counts, but filters work on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any, Final, Literal

import numpy as np
import psycopg
from numpy.typing import NDArray

from library_pipeline.search.ranking import PASSES, Filters

Field = Literal["client", "category", "source", "tag", "attribute"]
MAX_FIELD_VALUES: Final = 1_000  # of one field, the commonest
MAX_ATTRIBUTES: Final = 12
MAX_ATTRIBUTE_VALUES: Final = 40
_MAX_LENGTH: Final = 200  # characters of an attribute's value

# Attributes are read one level deep. A name that no filter can express, such as one with a dot, is
# left out.
_READ = """
with numbered as materialized (
    select (row_number() over (order by id) - 1)::integer as n, client, category, source, tags,
           attributes
    from (select *, hashtextextended(component_id, 0) as id from pipeline.component
          where removed_at is null) c
), attribute as (
    select n, array_remove(array[a.key, b.key], null) as path, coalesce(b.value, a.value) as value
    from numbered, jsonb_each(attributes) a
    left join lateral jsonb_each(
        case when jsonb_typeof(a.value) = 'object' then a.value else '{}' end) b on true
), valued as (
    select path, value, count(*) as components, string_agg(int4send(n), '') as members
    from attribute
    where jsonb_typeof(value) in ('string', 'number', 'boolean')
    group by path, value
), grouping_attribute as (
    select path from valued
    where not exists (select from unnest(path) name
                      where name = '' or name <> btrim(name) or name ~ '[.=]')
    group by path
    having max(length(value::text)) <= %(max_length)s and (
        count(*) <= 5
        or (count(*) <= %(max_attribute_values)s and count(*) * 2 <= sum(components)))
    order by sum(components) desc, path limit %(max_attributes)s
), counted as (
    select 'client' as field, '{}'::text[] as path, to_jsonb(client) as value,
           count(*) as components, string_agg(int4send(n), '') as members
    from numbered where client <> '' group by client
    union all
    select 'category', '{}', to_jsonb(category), count(*), string_agg(int4send(n), '')
    from numbered where category <> '' group by category
    union all
    select 'source', '{}', to_jsonb(source), count(*), string_agg(int4send(n), '')
    from numbered group by source
    union all
    select 'tag', '{}', to_jsonb(tag), count(*), string_agg(int4send(n), '')
    from numbered, unnest(tags) tag where tag <> '' group by tag
)
select field, path, value, members from (
    select *, row_number() over (partition by field order by components desc, value) as position
    from counted) c
where position <= %(max_values)s
union all
select 'attribute', path, value, members from valued join grouping_attribute using (path)
"""
_IDS = f"""
select string_agg(int8send(id), '' order by id)
from (select hashtextextended(component_id, 0) as id from pipeline.component
      where removed_at is null and {PASSES}
        and (%(excluding)s::text[] is null or component_id = any(%(excluding)s))) c
"""  # noqa: S608 - of constants


@dataclass(frozen=True, slots=True)
class Value:
    """A value, and how many components it leaves under the other filters.

    `path` is the name of an attribute, or its name and a part's; it is empty for other fields.
    """

    field: Field
    path: tuple[str, ...]
    value: str | float | bool
    components: int


@dataclass(frozen=True, slots=True)
class Facets:
    """The number of components that filters leave, and their values, the commonest first."""

    components: int
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class FacetIndex:
    """The library's values at one moment.

    `ids` is (n,) int64: the sorted hashes of the components' ids. `members` maps field, path and
    value to (m,) int32: the indices in `ids` of the components that have the value.
    """

    ids: NDArray[np.int64]
    members: Mapping[tuple[Field, tuple[str, ...], Any], NDArray[np.int32]]

    def count(self, connection: psycopg.Connection, filters: Filters) -> Facets:
        """Return the facets under `filters`; reads the database only for values not in the index.

        Several clients, categories or sources add up, so each of these fields is counted without
        the filter on it. Tags and attributes narrow, so they are counted under all filters.
        """
        fitting = self._fitting(connection, filters)
        everything = np.ones(len(self.ids), bool)
        left = reduce(np.logical_and, fitting.values(), everything)
        under: dict[Field, NDArray[np.bool_]] = {
            field: reduce(
                np.logical_and,
                (mask for each, mask in fitting.items() if each != field),
                everything,
            )
            for field in ("client", "category", "source")
        }
        values = (
            Value(field, path, key[1], int(np.count_nonzero(under.get(field, left)[rows])))
            for (field, path, key), rows in self.members.items()
        )
        found = sorted((each for each in values if each.components), key=_commonest)
        return Facets(int(np.count_nonzero(left)), tuple(found))

    def _fitting(
        self, connection: psycopg.Connection, filters: Filters
    ) -> dict[str, NDArray[np.bool_]]:
        """Return for each filter that is set which components pass it, as (n,) bool."""
        masks: dict[str, NDArray[np.bool_]] = {}
        one_of: dict[Field, tuple[tuple[str, ...], Filters]] = {
            "client": (filters.clients, Filters(clients=filters.clients)),
            "category": (filters.categories, Filters(categories=filters.categories)),
            "source": (filters.sources, Filters(sources=filters.sources)),
        }
        for field, (chosen, alone) in one_of.items():
            if chosen:
                rows = [self.members.get((field, (), _key(each))) for each in chosen]
                masks[field] = self._any(rows, connection, alone)
        for tag in filters.tags:
            rows = [self.members.get(("tag", (), _key(tag)))]
            masks[f"tag {tag}"] = self._any(rows, connection, Filters(tags=(tag,)))
        for path, value in leaves(filters.attributes):
            rows = [self.members.get(("attribute", path, _key(value)))]
            alone = Filters(attributes=reduce(lambda part, name: {name: part}, path[::-1], value))
            masks[f"attribute {path}"] = self._any(rows, connection, alone)
        if filters.excluding:
            masks["excluding"] = ~self._passing(connection, Filters(excluding=filters.excluding))
        return masks

    def _any(
        self,
        rows: list[NDArray[np.int32] | None],
        connection: psycopg.Connection,
        alone: Filters,
    ) -> NDArray[np.bool_]:
        known = [each for each in rows if each is not None]
        if len(known) < len(rows):
            return self._passing(connection, alone)
        mask = np.zeros(len(self.ids), bool)
        for each in known:
            mask[each] = True
        return mask

    def _passing(self, connection: psycopg.Connection, filters: Filters) -> NDArray[np.bool_]:
        return np.isin(self.ids, _ids(connection, filters))


def read_facet_index(connection: psycopg.Connection) -> FacetIndex:
    """Read the values of all searchable components; takes a second for 100,000."""
    limits = {
        "max_length": _MAX_LENGTH,
        "max_values": MAX_FIELD_VALUES,
        "max_attributes": MAX_ATTRIBUTES,
        "max_attribute_values": MAX_ATTRIBUTE_VALUES,
    }
    with connection.transaction():  # one snapshot, so that the indices fit the ids
        connection.execute("set transaction isolation level repeatable read, read only")
        ids = _ids(connection, Filters())
        rows = connection.execute(_READ, limits, binary=True).fetchall()
    members = {
        (field, tuple(path), _key(value)): np.unique(np.frombuffer(data, ">i4")).astype(np.int32)
        for field, path, value, data in rows
    }
    return FacetIndex(ids, members)


def leaves(attributes: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield each value in nested `attributes` with its path."""
    for name, value in attributes.items():
        if isinstance(value, Mapping) and value:
            for path, part in leaves(value):
                yield (name, *path), part
        else:
            yield (name,), value


def _ids(connection: psycopg.Connection, filters: Filters) -> NDArray[np.int64]:
    """Return the sorted hashes of ids that pass, or of the ids in `excluding` if it is set."""
    [data] = connection.execute(_IDS, filters.parameters()).fetchone() or (None,)
    return np.frombuffer(data or b"", ">i8").astype(np.int64)


def _key(value: object) -> tuple[bool, Any]:
    """Return a key that compares values as JSON does: 1 equals 1.0, but not true."""
    return isinstance(value, bool), value if isinstance(value, str | bool | int | float) else None


def _commonest(value: Value) -> tuple[object, ...]:
    return value.field, value.path, -value.components, str(value.value)
