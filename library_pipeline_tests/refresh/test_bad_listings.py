"""Refreshes over a listing that cannot be had, is wrong, or moves while it is being read."""

from __future__ import annotations

import shutil

import psycopg
import pytest

from library_pipeline.catalog.errors import ManifestError
from library_pipeline.refresh.log import read_result, recent_refreshes
from library_pipeline.refresh.outcomes import open_failures
from library_pipeline.sample_cms import Faults, FileFault, RequestFault, SampleCms
from library_pipeline_tests.support.refreshing import Refresher, be_impatient, counts, searchable
from tools.testing.bundles import write_bundle

LISTING = "/components"


def indexed_at(connection: psycopg.Connection) -> dict[str, object]:
    """Return when each component was last written to the index."""
    return dict(connection.execute("select component_id, indexed_at from pipeline.component"))


def file_requests(cms: SampleCms) -> int:
    return sum(count for path, count in cms.requests.items() if path.startswith("/files/"))


@pytest.mark.parametrize(
    ("fault", "code", "requests"),
    [
        (RequestFault("status", every=1, path=LISTING, status=500), "server_error", 2),
        (RequestFault("drop", every=1, path=LISTING), "connection_lost", 2),
        (RequestFault("stall", every=1, path=LISTING, seconds=9), "timeout", 2),
        (RequestFault("truncate", every=1, path=LISTING), "truncated", 2),
        # What is cut without a word is no JSON; asking again would not help.
        (RequestFault("shorter_length", every=1, path=LISTING), "unusable", 1),
        (
            RequestFault("status", every=1, path=LISTING, status=429, retry_after="0.3"),
            "rate_limited",
            2,
        ),
    ],
    ids=lambda value: getattr(value, "do", str(value)),
)
def test_a_listing_that_cannot_be_had_stops_the_refresh_and_touches_nothing(
    refresh: Refresher,
    cms: SampleCms,
    connection: psycopg.Connection,
    fault: RequestFault,
    code: str,
    requests: int,
) -> None:
    refresh()
    before = indexed_at(connection)
    shutil.rmtree(write_bundle(cms.folder, "c-0"))
    write_bundle(cms.folder, "c-1", records=["newer"])
    be_impatient(refresh)
    cms.faults = Faults(requests=(fault,))
    cms.requests.clear()
    with pytest.raises(ManifestError) as caught:
        refresh()
    assert caught.value.code == f"manifest.{code}"
    assert caught.value.transient == (code != "unusable")
    assert dict(cms.requests) == {LISTING: requests}
    done = read_result(connection, recent_refreshes(connection)[0].refresh_id)
    assert (done.state, counts(done)) == ("failed", {})
    assert done.error == str(caught.value)
    assert (indexed_at(connection), open_failures(connection)) == (before, [])

    cms.faults = Faults()
    assert counts(refresh()) == {"total": 5, "changed": 1, "removed": 1, "unchanged": 4}


def test_a_passing_fault_on_a_later_page_is_not_noticed(refresh: Refresher, cms: SampleCms) -> None:
    be_impatient(refresh, page_size=2)
    faults = (
        RequestFault("status", nth=(2,), path=LISTING, status=503, retry_after="0"),
        RequestFault("drop", nth=(4,), path=LISTING),
    )
    cms.faults = Faults(requests=faults)
    assert counts(refresh()) == {"total": 6, "new": 6}
    assert cms.requests[LISTING] == 3 + 2


def test_a_page_that_is_lost_for_good_removes_nothing(
    refresh: Refresher, cms: SampleCms, connection: psycopg.Connection
) -> None:
    refresh()
    before = indexed_at(connection)
    write_bundle(cms.folder, "c-0", records=["newer"])
    be_impatient(refresh, page_size=2)
    cms.faults = Faults(
        requests=(RequestFault("status", nth=tuple(range(2, 9)), path=LISTING),),
        manifest=frozenset({"new_etags"}),
    )
    with pytest.raises(ManifestError):
        refresh("full")
    assert indexed_at(connection) == before


@pytest.mark.parametrize("wrong", ["new_etags", "no_etag"])
def test_an_etag_that_tells_nothing_costs_the_listing_and_touches_nothing(
    refresh: Refresher, cms: SampleCms, connection: psycopg.Connection, wrong: str
) -> None:
    cms.faults = Faults(manifest=frozenset({wrong}))  # type: ignore[arg-type]
    be_impatient(refresh, page_size=2)
    refresh()
    before = indexed_at(connection)
    cms.requests.clear()
    assert counts(refresh()) == {"total": 6, "unchanged": 6}
    assert set(cms.requests) == {LISTING}
    assert cms.requests[LISTING] <= 1 + 3  # what changed since, then whole
    assert indexed_at(connection) == before
    write_bundle(cms.folder, "c-1", records=["newer"])
    assert counts(refresh()) == {"total": 6, "changed": 1, "unchanged": 5}


def test_pages_that_repeat_an_entry_list_it_once(
    refresh: Refresher, cms: SampleCms, connection: psycopg.Connection
) -> None:
    """Something was added before the cursor while the pages were read."""
    be_impatient(refresh, page_size=2)
    cms.faults = Faults(manifest=frozenset({"repeating_pages"}))
    assert counts(refresh()) == {"total": 6, "new": 6}
    assert file_requests(cms) == 24
    assert open_failures(connection) == []
    assert counts(refresh("full")) == {"total": 6, "unchanged": 6}


def test_an_entry_that_slipped_between_two_pages_stays_searchable(
    refresh: Refresher, cms: SampleCms, connection: psycopg.Connection
) -> None:
    """Something was removed before the cursor: the listing is shorter than it says it is."""
    refresh()
    be_impatient(refresh, page_size=3)
    write_bundle(cms.folder, "c-0", records=["newer"])
    write_bundle(cms.folder, "c-3", records=["newer"])  # not seen this time
    cms.faults = Faults(manifest=frozenset({"skipping_pages", "new_etags"}))
    done = refresh("full")
    assert counts(done) == {"total": 6, "changed": 1, "unchanged": 5}
    assert len(searchable(connection)) == 6
    cms.faults = Faults()
    assert counts(refresh()) == {"total": 6, "changed": 1, "unchanged": 5}
    shutil.rmtree(write_bundle(cms.folder, "c-5"))
    assert counts(refresh()) == {"total": 5, "removed": 1, "unchanged": 5}


def test_without_a_total_what_slipped_comes_back_at_no_cost(
    refresh: Refresher, cms: SampleCms, connection: psycopg.Connection
) -> None:
    refresh()
    be_impatient(refresh, page_size=3)
    # A fault of an entry, of which there is none here, keeps the sample from giving a total.
    cms.faults = Faults(
        files=(FileFault("none"),), manifest=frozenset({"skipping_pages", "new_etags"})
    )
    assert counts(refresh()) == {"total": 5, "removed": 1, "unchanged": 5}
    assert "c-3" not in searchable(connection)
    cms.faults = Faults()
    cms.requests.clear()
    assert counts(refresh()) == {"total": 6, "new": 1, "unchanged": 5}
    assert file_requests(cms) == 0


def test_an_id_listed_twice_word_for_word_is_one_component(
    refresh: Refresher, cms: SampleCms, connection: psycopg.Connection
) -> None:
    cms.faults = Faults(repeated_ids=frozenset({"c-3"}))
    assert counts(refresh()) == {"total": 6, "new": 6}
    assert open_failures(connection) == []
    assert cms.requests["/files/c-3.records"] == 1


@pytest.mark.parametrize("indexed_before", [True, False])
def test_an_id_listed_twice_with_different_content_heals_with_the_listing(
    refresh: Refresher, cms: SampleCms, connection: psycopg.Connection, indexed_before: bool
) -> None:
    """Its revision is the same afterwards, so that nothing but the listing tells it is well."""
    if indexed_before:
        refresh()
    before = set(searchable(connection))
    cms.faults = Faults(duplicate_ids=frozenset({"c-3"}), manifest=frozenset({"new_etags"}))
    done = refresh()
    assert (done.counts.total, done.counts.failed) == (6, 1)
    (failure,) = done.failures
    assert (failure.component_id, failure.phase) == ("c-3", "manifest")
    assert (failure.code, failure.transient) == ("manifest.duplicate_id", False)
    assert (failure.attempts, failure.next_due_at) == (1, None)
    assert "c-3" in searchable(connection) if "c-3" in before else len(before) == 0
    cms.requests.clear()
    assert refresh().counts.failed == 1
    assert file_requests(cms) == 0

    cms.faults = Faults()
    healed = refresh()
    assert (healed.counts.failed, healed.counts.waiting) == (0, 0)
    assert len(searchable(connection)) == 6
    assert open_failures(connection) == []


def test_an_entry_that_is_whole_again_at_its_indexed_revision_is_well(
    refresh: Refresher, cms: SampleCms, connection: psycopg.Connection
) -> None:
    refresh()
    fault = FileFault("c-3", "records", "missing")
    cms.faults = Faults(files=(fault,), manifest=frozenset({"new_etags"}))
    assert counts(refresh()) == {"total": 6, "unchanged": 5, "failed": 1}
    cms.faults = Faults()
    cms.requests.clear()
    assert counts(refresh()) == {"total": 6, "unchanged": 6}
    assert (open_failures(connection), file_requests(cms)) == ([], 0)
