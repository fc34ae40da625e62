"""The registry: what is configured becomes active by itself only where nobody could notice."""

from __future__ import annotations

import psycopg
import pytest

from library_pipeline.catalog.encoder import EncoderSpec
from library_pipeline.database.connection import BUNDLES_IN_USE, Database, lease
from library_pipeline.index.activation import (
    ActivationError,
    activate_complete,
    encoder_coverages,
    find_encoder,
    free_encoder,
    make_active,
)
from library_pipeline.index.encoders import (
    active_encoders,
    configure_encoders,
    encoders_in_use,
    known_encoders,
)
from library_pipeline_tests.support.plans import put_indexed


def configure(connection: psycopg.Connection, **fingerprints: str) -> None:
    """Configure encoders by name, with these fingerprints."""
    configure_encoders(
        connection, [(EncoderSpec(name, "m"), value, 2) for name, value in fingerprints.items()]
    )


def states(connection: psycopg.Connection) -> dict[str, str]:
    """Return each fingerprint's state."""
    return {each.fingerprint: each.state for each in encoder_coverages(connection)}


def put_one(connection: psycopg.Connection, name: str) -> None:
    """Index a component with vectors by all encoders that are known."""
    first, *others = known_encoders(connection)
    put_indexed(connection, first, name, "1")
    for other in others:
        connection.execute(
            f"""insert into pipeline.embedding_{other.id}
                select * from pipeline.embedding_{first.id} on conflict do nothing"""
        )


def test_over_an_empty_index_what_is_configured_is_active(connection: psycopg.Connection) -> None:
    configure(connection, clip="a", dino="b")
    assert states(connection) == {"a": "active", "b": "active"}
    configure(connection, clip="c")
    assert states(connection) == {"a": "kept", "b": "kept", "c": "active"}


def test_another_model_and_another_name_are_candidates_once_something_is_searchable(
    connection: psycopg.Connection,
) -> None:
    configure(connection, clip="a")
    put_one(connection, "x")
    configure(connection, clip="b", dino="c")
    assert states(connection) == {"a": "active", "b": "candidate", "c": "candidate"}
    assert [each.fingerprint for each in encoders_in_use(connection)] == ["a", "b", "c"]
    configure(connection, clip="a")  # somebody thinks better of it
    assert states(connection) == {"a": "active", "b": "kept", "c": "kept"}


def test_a_name_that_is_not_configured_serves_until_another_can(
    connection: psycopg.Connection,
) -> None:
    configure(connection, clip="a")
    put_one(connection, "x")
    configure(connection, siglip="b")
    assert states(connection) == {"a": "active", "b": "candidate"}
    connection.execute("insert into pipeline.embedding_2 select * from pipeline.embedding_1")
    assert [each.name for each in activate_complete(connection)] == ["siglip"]
    assert states(connection) == {"a": "kept", "b": "active"}


def test_an_encoder_that_lacks_components_is_activated_only_on_demand(
    connection: psycopg.Connection,
) -> None:
    configure(connection, clip="a")
    put_one(connection, "x")
    configure(connection, clip="b")
    new = find_encoder(connection, "clip")
    assert activate_complete(connection) == []
    with pytest.raises(ActivationError, match=r"covers 0 of 1 searchable components \(0.0%\)"):
        make_active(connection, new)
    assert [each.fingerprint for each in active_encoders(connection)] == ["a"]
    make_active(connection, new, incomplete=True)
    assert [each.fingerprint for each in active_encoders(connection)] == ["b"]


def test_what_search_asks_or_a_refresh_fills_is_not_dropped(
    connection: psycopg.Connection, database: Database
) -> None:
    configure(connection, clip="aa")
    put_one(connection, "x")
    configure(connection, clip="ab")
    with pytest.raises(ActivationError, match="is the active one; activate another one first"):
        free_encoder(connection, find_encoder(connection, "clip", "aa"))
    with pytest.raises(ActivationError, match="there are several encoders clip a; there is: clip"):
        find_encoder(connection, "clip", "a")
    kept = find_encoder(connection, "clip", "ab")
    with (
        lease(database, BUNDLES_IN_USE),
        pytest.raises(ActivationError, match="a refresh is running"),
    ):
        free_encoder(connection, kept)
    free_encoder(connection, kept)
    assert states(connection) == {"aa": "active"}
    row = connection.execute(
        "select to_regclass(%s)", (f"pipeline.embedding_{kept.id}",)
    ).fetchone()
    assert row == (None,)
