"""Refreshes on a CMS's bad days: what fails, how it is on record, and how it heals."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import psycopg
import pytest

from library_pipeline.catalog.errors import Failure
from library_pipeline.refresh.outcomes import open_failures, record_failures
from library_pipeline.sample_cms import Faults, FileFault, RequestFault, SampleCms
from library_pipeline_tests.support.refreshing import Refresher, be_impatient, counts, searchable
from tools.testing.bundles import write_bundle

RECORDS = "/files/c-3.records"


def only_failure(connection: psycopg.Connection) -> Failure:
    (failure,) = open_failures(connection)
    return failure


def make_due(connection: psycopg.Connection) -> None:
    connection.execute("update pipeline.failure set next_due_at = now() where transient")


def test_a_rate_limit_is_waited_out_beyond_the_number_of_attempts(
    refresh: Refresher, cms: SampleCms
) -> None:
    be_impatient(refresh, rate_limit_patience_seconds=30)
    fault = FileFault("c-3", "records", status=429, retry_after="0", times=4)
    cms.faults = Faults(files=(fault,))
    assert counts(refresh()) == {"total": 6, "new": 6}
    assert len(refresh.reports) == 1  # no second try was needed
    assert cms.requests[RECORDS] == 5


def test_nothing_is_asked_for_before_the_date_in_retry_after(
    refresh: Refresher, cms: SampleCms
) -> None:
    then = (datetime.now(UTC) + timedelta(seconds=1.5)).replace(microsecond=0)
    retry_after = format_datetime(then, usegmt=True)
    be_impatient(refresh, rate_limit_patience_seconds=30)
    fault = FileFault("c-3", "records", status=429, retry_after=retry_after, times=1)
    cms.faults = Faults(files=(fault,))
    assert refresh().ok
    assert datetime.now(UTC) >= then
    assert cms.requests[RECORDS] == 2


STAYING = [
    # what goes wrong for good, the code, and the requests in both tries, None if the clock decides
    (FileFault("c-3", "records", status=500), "server_error", 4),
    (FileFault("c-3", "records", status=429, retry_after="0.1"), "rate_limited", None),
    (FileFault("c-3", "records", "drop"), "connection_lost", 4),
    (FileFault("c-3", "records", "stall", seconds=9), "timeout", 4),
    (FileFault("c-3", "records", "truncate"), "truncated", 4),
    (FileFault("c-3", "records", "longer_length"), "timeout", 4),
    # A cut file looks whole; only its digest tells, so that each try is one request.
    (FileFault("c-3", "records", "shorter_length"), "digest_mismatch", 2),
]


@pytest.mark.parametrize(("fault", "code", "requests"), STAYING, ids=lambda value: str(value)[:60])
def test_what_may_heal_is_tried_twice_then_waits_and_heals_once_it_is_due(
    refresh: Refresher,
    cms: SampleCms,
    connection: psycopg.Connection,
    fault: FileFault,
    code: str,
    requests: int | None,
) -> None:
    refresh()
    good = searchable(connection)
    for name in ("c-2", "c-3", "c-4"):
        write_bundle(cms.folder, name, records=["newer"])
    be_impatient(refresh)
    cms.faults = Faults(files=(fault,))
    cms.requests.clear()

    done = refresh()

    assert counts(done) == {"total": 6, "changed": 2, "failed": 1, "unchanged": 3}
    assert cms.requests[RECORDS] == requests or requests is None
    failure = only_failure(connection)
    assert done.failures == (failure,)
    assert (failure.component_id, failure.phase) == ("c-3", "download")
    assert (failure.code, failure.transient) == (f"download.{code}", True)
    assert failure.attempts == 2
    assert failure.next_due_at is not None
    wait = failure.next_due_at - datetime.now(UTC)
    assert timedelta(seconds=100) < wait <= timedelta(minutes=2)
    now = searchable(connection)
    assert {name for name in good if now[name] != good[name]} == {"c-2", "c-4"}

    cms.requests.clear()
    assert counts(refresh()) == {"total": 6, "unchanged": 5, "waiting": 1}
    assert dict(cms.requests) == {"/components": 1}

    cms.faults = Faults()
    make_due(connection)
    assert counts(refresh()) == {"total": 6, "changed": 1, "unchanged": 5}
    assert open_failures(connection) == []


@pytest.mark.parametrize(
    "fault",
    [
        FileFault("c-3", "records", status=503, times=2),
        FileFault("c-3", "records", "drop", times=2),
        FileFault("c-3", "records", "shorter_length", times=1),
    ],
    ids=lambda fault: fault.do,
)
def test_what_heals_before_the_refreshs_end_is_no_failure(
    refresh: Refresher, cms: SampleCms, connection: psycopg.Connection, fault: FileFault
) -> None:
    be_impatient(refresh)
    cms.faults = Faults(files=(fault,))
    done = refresh()
    assert counts(done) == {"total": 6, "new": 6}
    assert (done.ok, done.failures, open_failures(connection)) == (True, (), [])
    assert [len(report.failures) for report in refresh.reports] == [1, 0]
    assert cms.requests[RECORDS] == fault.times + 1


LASTING = [
    (FileFault("c-3", "records", status=404), "download", "download.not_found"),
    (FileFault("c-3", "records", "garbage"), "download", "download.not_json"),
    (FileFault("c-3", "screenshot", "garbage"), "decode", "image.not_an_image"),
]


@pytest.mark.parametrize(
    ("fault", "phase", "code"), LASTING, ids=[f"{fault.do} {code}" for fault, _, code in LASTING]
)
def test_what_will_not_heal_by_itself_is_asked_for_once_and_healed_by_a_retry(
    refresh: Refresher,
    cms: SampleCms,
    connection: psycopg.Connection,
    fault: FileFault,
    phase: str,
    code: str,
) -> None:
    cms.faults = Faults(files=(fault,))
    assert counts(refresh()) == {"total": 6, "new": 5, "failed": 1}
    assert cms.requests[f"/files/c-3.{fault.kind}"] == 1
    failure = only_failure(connection)
    assert (failure.phase, failure.code, failure.transient) == (phase, code, False)
    assert (failure.attempts, failure.next_due_at) == (1, None)
    cms.faults = Faults()
    assert counts(refresh()) == {"total": 6, "unchanged": 5, "waiting": 1}
    assert counts(refresh("retry")) == {"total": 1, "new": 1}
    assert open_failures(connection) == []
    assert len(searchable(connection)) == 6


def test_a_picture_is_what_its_bytes_are_whatever_the_content_type(
    refresh: Refresher, cms: SampleCms
) -> None:
    write_bundle(cms.folder, "c-4", screenshot=b"<html>log in, please</html>")  # as image/png
    cms.faults = Faults(files=(FileFault("c-3", "screenshot", "content_type"),))
    done = refresh()
    assert counts(done) == {"total": 6, "new": 5, "failed": 1}
    assert [(item.component_id, item.code) for item in done.failures] == [
        ("c-4", "image.not_an_image")
    ]


def test_without_digests_a_cut_picture_is_no_picture_and_spoils_no_neighbour(
    refresh: Refresher, cms: SampleCms, connection: psycopg.Connection
) -> None:
    """The rest of the picture is still in the connection when the next file is asked for."""
    be_impatient(refresh, concurrency=1)
    cms.faults = Faults(
        files=(FileFault("c-3", "screenshot", "shorter_length"),),
        manifest=frozenset({"no_sha256"}),
    )
    assert counts(refresh()) == {"total": 6, "new": 5, "failed": 1}
    failure = only_failure(connection)
    assert (failure.component_id, failure.phase) == ("c-3", "decode")
    assert failure.code == "image.truncated"


def test_a_cms_that_fails_every_third_request_loses_nothing(
    refresh: Refresher, cms: SampleCms
) -> None:
    be_impatient(refresh, max_attempts=5)
    hows = ("status", "drop", "truncate", "shorter_length")
    faults = tuple(
        RequestFault(how, nth=tuple(range(3 + n, 200, 12)), path="/files/")
        for n, how in zip(range(0, 12, 3), hows, strict=True)
    )
    cms.faults = Faults(requests=faults)
    done = refresh()
    while done.failures and all(item.transient for item in done.failures):
        done = refresh("retry")
    assert done.ok
    assert {item.component_id for report in refresh.reports for item in report.succeeded} == {
        f"c-{number}" for number in range(6)
    }


def test_a_new_revision_starts_counting_anew(
    refresh: Refresher, cms: SampleCms, connection: psycopg.Connection
) -> None:
    """However long the old revision has been waiting, the new one is tried again in a minute."""
    cms.faults = Faults(files=(FileFault("c-3", "records", status=503),))
    done = refresh()
    connection.execute("update pipeline.failure set attempts = 9, revision = 'older'")
    record_failures(connection, done.refresh_id, done.failures)
    failure = only_failure(connection)
    assert failure.attempts == 1
    assert failure.next_due_at is not None
    assert failure.next_due_at - datetime.now(UTC) <= timedelta(minutes=1)


def test_a_component_whose_edit_is_taken_back_is_well_again(
    refresh: Refresher, cms: SampleCms, connection: psycopg.Connection
) -> None:
    refresh()
    write_bundle(cms.folder, "c-3", screenshot=b"broken")
    assert counts(refresh()) == {"total": 6, "unchanged": 5, "failed": 1}
    write_bundle(cms.folder, "c-3")
    cms.requests.clear()
    assert counts(refresh()) == {"total": 6, "unchanged": 6}
    assert open_failures(connection) == []
    assert set(cms.requests) == {"/components"}  # its files are in the store
