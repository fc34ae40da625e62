"""Requests for refreshes: open until a refresh of the id is on record, whatever dies before."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from library_pipeline.catalog.refresh import RefreshRequest, RefreshScope
from library_pipeline.database.connection import Database
from library_pipeline.refresh.closing import cancel_refresh
from library_pipeline.refresh.log import (
    RefreshExistsError,
    create_refresh,
    failed_plans,
    read_refresh,
    read_result,
)
from library_pipeline.refresh.requests import (
    DAEMON_NEEDED,
    MAX_ATTEMPTS,
    SameRequestError,
    ask,
    give_up_attempt,
    note_run,
    note_sensor,
    open_requests,
    plan_again,
    sensor_is_alive,
    why_it_waits,
)


def wanted(name: str = "r-1", **terms: object) -> RefreshRequest:
    return RefreshRequest(name, "incremental", "api", **terms)  # type: ignore[arg-type]


def test_a_request_comes_back_as_it_was_asked_and_ends_with_its_refresh(
    connection: psycopg.Connection,
) -> None:
    scope = RefreshScope(client="north", limit=7, only=("a", "b"))
    request = RefreshRequest("r-1", "full", "api", scope, force=True)
    ask(connection, request)
    (asked,) = open_requests(connection)
    assert asked.request == request
    create_refresh(connection, asked.request, run_id="run-1")
    assert open_requests(connection) == []
    assert read_result(connection, "r-1").run_ids == ("run-1",)


def test_the_same_is_asked_for_once_while_it_waits(database: Database) -> None:
    """A person who presses a button twice means one refresh."""

    def press(number: int) -> str:
        try:
            with database.connect() as connection:
                ask(connection, wanted(f"r-{number}"))
            return f"r-{number}"
        except SameRequestError as error:
            return error.refresh_id

    with ThreadPoolExecutor(4) as people:
        (once,) = set(people.map(press, range(8)))
    with database.connect() as connection:
        assert [asked.refresh_id for asked in open_requests(connection)] == [once]
        ask(connection, wanted("other", scope=RefreshScope(client="north")))
        create_refresh(connection, wanted(once))
        ask(connection, wanted("again"))  # the first one is under way and may have read the list


def test_after_the_last_attempt_the_refresh_is_on_record_as_failed_with_the_reason(
    connection: psycopg.Connection,
) -> None:
    ask(connection, wanted())
    for attempt in range(1, MAX_ATTEMPTS + 1):
        (asked,) = open_requests(connection)
        assert asked.attempt == attempt
        note_run(connection, asked, f"run-{attempt}")
        give_up_attempt(connection, asked, "out of memory")
        give_up_attempt(connection, asked, "out of memory")  # by a tick that came second
    assert open_requests(connection) == []
    failed = read_result(connection, "r-1")
    assert (failed.state, failed.run_ids) == ("failed", (f"run-{MAX_ATTEMPTS}",))
    assert failed.error == (
        "3 Dagster runs ended before they had planned it; the last: out of memory"
    )


def test_what_waits_can_be_cancelled_and_its_run_then_plans_nothing(
    connection: psycopg.Connection,
) -> None:
    ask(connection, wanted())
    assert cancel_refresh(connection, "r-1")
    assert not cancel_refresh(connection, "r-1")
    assert not cancel_refresh(connection, "unheard of")
    done = read_refresh(connection, "r-1")
    assert done is not None and done.state == "cancelled"
    with pytest.raises(RefreshExistsError):
        create_refresh(connection, wanted())


def test_a_refresh_whose_planner_died_waits_again_unless_it_was_cancelled_or_too_often(
    connection: psycopg.Connection,
) -> None:
    ask(connection, wanted())
    for _ in range(MAX_ATTEMPTS - 1):
        create_refresh(connection, wanted())
        assert plan_again(connection, "r-1", "killed")
        assert read_refresh(connection, "r-1") is None
    create_refresh(connection, wanted())
    assert not plan_again(connection, "r-1", "killed")
    create_refresh(connection, wanted("never asked for"))
    assert not plan_again(connection, "never asked for", "killed")
    ask(connection, wanted("r-2"))
    create_refresh(connection, wanted("r-2"))
    assert cancel_refresh(connection, "r-2")
    assert not plan_again(connection, "r-2", "killed")


def test_what_waits_says_what_for(connection: psycopg.Connection) -> None:
    def why() -> str:
        return why_it_waits(open_requests(connection)[0])

    ask(connection, wanted())
    assert why() == "Dagster's daemon takes it when it looks next, every 5 seconds"
    connection.execute("update pipeline.refresh_request set asked_at = now() - interval '31 s'")
    assert why() == f"no run has taken it for 31 seconds. {DAEMON_NEEDED}"
    note_run(connection, open_requests(connection)[0], "run-1")
    assert why() == "its Dagster run is starting, or waits for its turn"
    give_up_attempt(connection, open_requests(connection)[0], "out of memory")
    assert why().startswith(
        "attempt 2 of 3, as the one before ended early: out of memory; Dagster's"
    )


def test_whether_the_daemon_looks_for_requests(connection: psycopg.Connection) -> None:
    assert not sensor_is_alive(connection)
    note_sensor(connection)
    assert sensor_is_alive(connection)
    connection.execute("update pipeline.request_sensor set seen_at = now() - interval '31 s'")
    assert not sensor_is_alive(connection)
    note_sensor(connection)
    assert sensor_is_alive(connection)


def test_refreshes_that_name_components_do_not_slow_polls_down(
    connection: psycopg.Connection,
) -> None:
    """Whoever asks for an id that the CMS does not list has made a mistake; the CMS has not."""
    for name, scope in (("r-1", RefreshScope(only=("typo",))), ("r-2", RefreshScope())):
        ask(connection, wanted(name, scope=scope))
        for _ in range(MAX_ATTEMPTS):
            (asked,) = open_requests(connection)
            give_up_attempt(connection, asked, "gone")
    assert failed_plans(connection).count == 1
