"""Facets: the values there are, and how many components each would leave."""

from __future__ import annotations

from dataclasses import replace

import psycopg
import pytest

from library_pipeline.search.facets import Value, read_facet_index
from library_pipeline.search.ranking import Filters
from library_pipeline_tests.support.vectors import clustered, put_facts, put_library

FITTING = """
select count(*) from pipeline.component where removed_at is null
  and (%(clients)s::text[] is null or client = any(%(clients)s))
  and (%(categories)s::text[] is null or category = any(%(categories)s))
  and (%(sources)s::text[] is null or source = any(%(sources)s))
  and (%(tags)s::text[] is null or tags @> %(tags)s)
  and (%(attributes)s::jsonb is null or attributes @> %(attributes)s)
  and (%(excluding)s::text[] is null or component_id <> all(%(excluding)s))
"""


@pytest.fixture
def facts(connection: psycopg.Connection) -> psycopg.Connection:
    """300 components with clients, categories, sources, tags and attributes; one has left."""
    put_library(connection, clustered(300))
    put_facts(connection)
    connection.execute("update pipeline.component set removed_at = now() where component_id = '7'")
    return connection


def chosen(filters: Filters, value: Value) -> Filters:
    """Return `filters` with a facet's value chosen in addition, alone of its kind or not."""
    text = str(value.value)
    match value.field:
        case "client":
            return replace(filters, clients=(text,))
        case "category":
            return replace(filters, categories=(text,))
        case "source":
            return replace(filters, sources=(text,))
        case "tag":
            return replace(filters, tags=(*filters.tags, text))
        case "attribute":
            name, *part = value.path
            wanted = {name: {part[0]: value.value} if part else value.value}
            return replace(filters, attributes={**filters.attributes, **wanted})


@pytest.mark.parametrize(
    "filters",
    [
        Filters(),
        Filters(clients=("south",)),
        Filters(clients=("south", "nobody"), categories=("category-1",)),
        Filters(sources=("source-0", "source-2"), tags=("all", "tag-3")),
        Filters(attributes={"theme": "dark"}, excluding=("0", "4", "nobody")),
        Filters(attributes={"layout": {"columns": 2}}, tags=("tag-1",)),
        Filters(tags=("nothing has this",)),
        Filters(attributes={"theme": None}),
    ],
)
def test_each_count_is_what_the_filter_leaves(facts: psycopg.Connection, filters: Filters) -> None:
    found = read_facet_index(facts).count(facts, filters)
    for fitting, said in [
        (filters, found.components),
        *((chosen(filters, value), value.components) for value in found.values),
    ]:
        row = facts.execute(FITTING, fitting.parameters()).fetchone()
        assert row and row[0] == said
    if filters == Filters():
        assert {value.field for value in found.values} == {
            "client", "category", "source", "tag", "attribute"
        }  # fmt: skip
        assert {value.path for value in found.values if value.path} == {
            ("theme",),
            ("layout", "columns"),
        }


def test_what_tells_components_apart_is_no_facet_but_a_filter(facts: psycopg.Connection) -> None:
    facts.execute(
        """update pipeline.component set attributes = attributes
           || jsonb_build_object('number', component_id, 'a.b', 1, ' c', 1, 'on', true, 'one', 1)"""
    )
    index = read_facet_index(facts)
    names = {value.path for value in index.count(facts, Filters()).values if value.path}
    assert names == {("theme",), ("layout", "columns"), ("on",), ("one",)}
    assert index.count(facts, Filters(attributes={"number": "12"})).components == 1
    assert index.count(facts, Filters(attributes={"on": 1})).components == 0  # JSON's true is no 1
    assert index.count(facts, Filters(attributes={"one": 1.0})).components == 299


def test_a_library_without_components_has_no_facets(connection: psycopg.Connection) -> None:
    found = read_facet_index(connection).count(connection, Filters(clients=("south",)))
    assert (found.components, found.values) == (0, ())
