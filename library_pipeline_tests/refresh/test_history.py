"""Growth and pace: the curve walks back from what is there, so it is right where it ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg

from library_pipeline.catalog.refresh import Counts, Refresh, RefreshRequest
from library_pipeline.refresh.history import Size, growth, growth_on_record
from library_pipeline.refresh.log import closed_refreshes
from library_pipeline_tests.support.plans import encoder_of, put_indexed, put_refresh

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def hours(ago: int) -> datetime:
    return NOW - timedelta(hours=ago)


def change(at: datetime, new: int, removed: int) -> Refresh:
    """Return a refresh that ended then and brought and took so many components."""
    request = RefreshRequest(f"{at:%H}", "incremental", "cli")
    counts = Counts(new=new, removed=removed)
    return Refresh(request, "finished", at, finished_at=at, counts=counts)


def test_growth_has_a_size_before_all_changes_after_each_and_now() -> None:
    changes = [change(hours(1), new=5, removed=2), change(hours(3), new=10, removed=0)]
    assert growth(Size(NOW, 13), changes) == [
        Size(hours(3), 0),
        Size(hours(3), 10),
        Size(hours(1), 13),
        Size(NOW, 13),
    ]


def test_without_changes_on_record_there_is_only_today() -> None:
    assert growth(Size(NOW, 7), []) == [Size(NOW, 7)]


def test_what_gc_has_dropped_makes_the_curve_begin_later_not_lower() -> None:
    assert growth(Size(NOW, 13), [change(hours(1), new=5, removed=2)])[0] == Size(hours(1), 10)


def test_what_is_on_record_is_read_in_order_and_without_what_is_under_way(
    connection: psycopg.Connection,
) -> None:
    for name in "abc":
        put_indexed(connection, encoder_of(connection), name, "1")
    put_refresh(connection, "r1", "full", "finished", "3 hours")
    put_refresh(connection, "r2", "incremental", "cancelled", "2 hours")
    put_refresh(connection, "r3", "incremental", "finished", "1 hour")
    put_refresh(connection, "r4", "incremental", "running", "1 minute")
    connection.execute("update pipeline.refresh set new = 4 where id in ('r1', 'r4')")
    connection.execute("update pipeline.refresh set removed = 1, failed = 2 where id = 'r2'")
    assert [size.components for size in growth_on_record(connection)] == [0, 4, 3, 3]
    assert [size.components for size in growth_on_record(connection, limit=1)] == [4, 3, 3]
    assert [
        (done.kind, done.state, done.failed, done.ok)
        for done in closed_refreshes(connection, limit=9)
    ] == [
        ("full", "finished", 0, True),
        ("incremental", "cancelled", 2, False),
        ("incremental", "finished", 0, True),
    ]
    assert len(closed_refreshes(connection, limit=2)) == 2
