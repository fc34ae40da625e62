"""A refresh over a real CMS, server and encoder: what goes through, fails, is not done twice."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest

from library_pipeline.catalog.errors import ManifestError
from library_pipeline.encoders import Encoder, load_encoder
from library_pipeline.encoders.image import read_image
from library_pipeline.refresh.log import recent_refreshes
from library_pipeline.sample_cms import Faults, FileFault, SampleCms
from library_pipeline_tests.support.refreshing import Refresher, counts, searchable
from tools.testing.bundles import picture, write_bundle


def use(refresh: Refresher, load: Callable[[], Any], **changes: Any) -> None:
    """Have the refresher embed by what `load` returns."""
    refresh.equipment = dataclasses.replace(
        refresh.equipment, load=lambda encoder: load(), **changes
    )


def test_everything_that_the_cms_lists_becomes_searchable(
    refresh: Refresher, connection: psycopg.Connection
) -> None:
    done = refresh()
    assert counts(done) == {"total": 6, "new": 6}
    assert done.ok
    assert set(searchable(connection)) == {f"c-{number}" for number in range(6)}


def test_an_unchanged_library_costs_one_conditional_request(
    refresh: Refresher, cms: SampleCms
) -> None:
    refresh()
    cms.requests.clear()
    assert counts(refresh()) == {"total": 6, "unchanged": 6}
    assert dict(cms.requests) == {"/components": 1}
    assert len(refresh.reports) == 1


def test_only_what_changed_is_done(
    refresh: Refresher, cms: SampleCms, connection: psycopg.Connection
) -> None:
    refresh()
    before = searchable(connection)
    write_bundle(cms.folder, "c-1", screenshot=picture("a new look"))
    write_bundle(cms.folder, "c-2", records=["more"])
    write_bundle(cms.folder, "c-6")
    shutil.rmtree(write_bundle(cms.folder, "c-0"))
    done = refresh()
    assert counts(done) == {"total": 6, "new": 1, "changed": 2, "removed": 1, "unchanged": 3}
    after = searchable(connection)
    assert {name for name in after if before.get(name) != after[name]} == {"c-1", "c-2", "c-6"}
    assert "c-0" not in after


def test_a_changed_record_is_indexed_without_embedding_its_screenshot_again(
    refresh: Refresher, cms: SampleCms
) -> None:
    refresh()
    write_bundle(cms.folder, "c-2", records=["more"])
    refresh()
    (report,) = refresh.reports[-1].succeeded
    assert (report.outcome, report.embedded) == ("changed", False)


def test_a_screenshot_shown_by_several_components_is_embedded_once(
    refresh: Refresher, cms: SampleCms, connection: psycopg.Connection
) -> None:
    for number in range(6):
        write_bundle(cms.folder, f"c-{number}", screenshot=picture("same"))
    assert counts(refresh()) == {"total": 6, "new": 6}
    assert sum(report.embedded for report in refresh.reports[-1].succeeded) == 1
    assert len(searchable(connection)) == 6


def test_one_bad_screenshot_is_named_and_its_neighbours_go_through(
    refresh: Refresher, cms: SampleCms, connection: psycopg.Connection
) -> None:
    write_bundle(cms.folder, "c-3", screenshot=b"<html>login</html>")
    done = refresh()
    assert counts(done) == {"total": 6, "new": 5, "failed": 1}
    (failure,) = done.failures
    assert (failure.component_id, failure.phase) == ("c-3", "decode")
    assert failure.code == "image.not_an_image"
    assert "component c-3: screenshot" in failure.message
    assert "this is HTML" in failure.message
    assert "c-3" not in searchable(connection)


def test_every_kind_of_bad_input_is_named_and_loses_nothing(
    refresh: Refresher, cms: SampleCms, connection: psycopg.Connection
) -> None:
    refresh()
    good = searchable(connection)
    for number in range(6):
        write_bundle(cms.folder, f"c-{number}", records=["changed"])
    cms.faults = Faults(
        duplicate_ids=frozenset({"c-0"}),
        files=(
            FileFault("c-1", "records", do="missing"),
            FileFault("c-2", "config", do="relative_url"),
            FileFault("c-3", "format", do="foreign_url"),
            FileFault("c-4", "screenshot", do="garbage"),
        ),
    )
    done = refresh()
    assert counts(done) == {"total": 6, "changed": 1, "failed": 5}
    said = {failure.component_id: (failure.code, failure.message) for failure in done.failures}
    assert {name: code for name, (code, _) in said.items()} == {
        "c-0": "manifest.duplicate_id",
        "c-1": "manifest.missing_file",
        "c-2": "manifest.relative_url",
        "c-3": "manifest.foreign_origin",
        "c-4": "image.not_an_image",
    }
    for (name, (_, message)), field in zip(
        sorted(said.items()), ["id", "records", "config", "format", "screenshot"], strict=True
    ):
        assert name in message
        assert field in message
    now = searchable(connection)
    assert {name for name in good if now[name] != good[name]} == {"c-5"}


def test_a_component_that_fails_stays_searchable_at_its_last_good_revision(
    refresh: Refresher, cms: SampleCms, connection: psycopg.Connection
) -> None:
    refresh()
    good = searchable(connection)
    write_bundle(cms.folder, "c-3", screenshot=b"broken")
    assert counts(refresh()) == {"total": 6, "unchanged": 5, "failed": 1}
    assert searchable(connection) == good


def test_a_permanent_failure_is_not_tried_again_until_its_revision_changes(
    refresh: Refresher, cms: SampleCms
) -> None:
    write_bundle(cms.folder, "c-3", screenshot=b"broken")
    refresh()
    cms.requests.clear()
    assert counts(refresh()) == {"total": 6, "unchanged": 5, "waiting": 1}
    assert dict(cms.requests) == {"/components": 1}
    write_bundle(cms.folder, "c-3")
    assert counts(refresh()) == {"total": 6, "new": 1, "unchanged": 5}


def test_a_retry_takes_the_failed_ones_and_nothing_else(refresh: Refresher, cms: SampleCms) -> None:
    cms.faults = Faults(files=(FileFault("c-3", do="status", status=404),))
    assert counts(refresh()) == {"total": 6, "new": 5, "failed": 1}
    cms.faults = Faults()
    assert counts(refresh("retry")) == {"total": 1, "new": 1}


def test_a_full_refresh_finds_what_the_index_has_lost(
    refresh: Refresher, connection: psycopg.Connection
) -> None:
    refresh()
    encoder = refresh.equipment.encoders[0].id
    connection.execute(
        f"""delete from pipeline.embedding_{encoder} where screenshot_sha256 =
            (select screenshot_sha256 from pipeline.component where component_id = 'c-1')"""
    )
    assert counts(refresh("full")) == {"total": 6, "changed": 1, "unchanged": 5}
    assert counts(refresh("full")) == {"total": 6, "unchanged": 6}


def test_a_full_refresh_repairs_what_has_suffered_in_the_bundle_store(
    refresh: Refresher, cms: SampleCms
) -> None:
    refresh()
    bundle = refresh.told[0].bundle
    store = refresh.equipment.bundles
    path = Path(store.url(bundle.files["config"].sha256))
    path.chmod(0o644)
    path.write_bytes(b"x" * path.stat().st_size)
    cms.requests.clear()
    assert counts(refresh("full")) == {"total": 6, "unchanged": 6}
    asked = {path.rpartition(".")[2] for path in cms.requests if path.startswith("/files/")}
    assert asked == {"config"}
    assert store.get(bundle.files["config"].sha256)


def test_a_manifest_that_cannot_be_read_fails_the_refresh_and_nothing_else(
    refresh: Refresher, cms: SampleCms, connection: psycopg.Connection
) -> None:
    refresh()
    write_bundle(cms.folder, "c-9")
    cms.faults = Faults(manifest=frozenset({"not_json"}))
    with pytest.raises(ManifestError, match="/components"):
        refresh()
    assert recent_refreshes(connection)[0].state == "failed"
    assert len(searchable(connection)) == 6


def test_each_stage_does_just_its_part(refresh: Refresher, connection: psycopg.Connection) -> None:
    def vectors() -> int:
        encoder = refresh.equipment.encoders[0].id
        row = connection.execute(f"select count(*) from pipeline.embedding_{encoder}").fetchone()
        return row[0] if row else 0

    assert refresh("full", stages=frozenset({"bundle"})).ok
    assert (vectors(), len(searchable(connection))) == (0, 0)
    early = refresh("full", stages=frozenset({"index"}))
    assert {failure.code for failure in early.failures} == {"embed.no_vector"}
    assert refresh("full", stages=frozenset({"embedding"})).ok
    assert (vectors(), len(searchable(connection))) == (6, 0)
    assert refresh("full", stages=frozenset({"index"})).ok
    assert len(searchable(connection)) == 6


def test_a_component_that_left_the_manifest_after_the_plan_is_no_failure(
    refresh: Refresher, connection: psycopg.Connection
) -> None:
    refresh.after_plan = lambda: connection.execute(
        "delete from pipeline.manifest_entry where component_id = 'c-1'"
    )
    assert counts(refresh()) == {"total": 6, "new": 5, "unchanged": 1}


def test_a_vector_that_is_not_finite_fails_its_component_alone(
    refresh: Refresher, connection: psycopg.Connection
) -> None:
    encoder = load_encoder("demo")

    class FakeBrokenEncoder:
        """The demo encoder on a device that breaks the first picture of every batch."""

        preprocess = staticmethod(encoder.preprocess)

        @staticmethod
        def embed_pixels(pictures: list[np.ndarray]) -> np.ndarray:
            vectors = encoder.embed_pixels(pictures)
            vectors[0] = np.nan
            return vectors

    use(refresh, FakeBrokenEncoder, batch_size=6)
    done = refresh()
    assert done.counts.failed >= 1
    assert {failure.code for failure in done.failures} == {"embed.not_finite"}
    assert len(searchable(connection)) == 6 - done.counts.failed > 0


def test_a_screenshot_without_a_finite_vector_fails_whoever_shows_it_in_later_batches_too(
    refresh: Refresher, cms: SampleCms, connection: psycopg.Connection
) -> None:
    for number in range(3):
        write_bundle(cms.folder, f"c-{number}", screenshot=picture("same"))
    encoder = load_encoder("demo")
    broken = encoder.preprocess(read_image(picture("same")))

    class FakeBrokenEncoder:
        """The demo encoder, which cannot do with one picture."""

        preprocess = staticmethod(encoder.preprocess)

        @staticmethod
        def embed_pixels(pictures: list[np.ndarray]) -> np.ndarray:
            vectors = encoder.embed_pixels(pictures)
            vectors[[(picture == broken).all() for picture in pictures]] = np.nan
            return vectors

    use(refresh, FakeBrokenEncoder, batch_size=1)
    assert {failure.component_id for failure in refresh().failures} == {"c-0", "c-1", "c-2"}
    assert len(searchable(connection)) == 3


def test_an_unloaded_encoder_stays_unloaded_when_nothing_changed(refresh: Refresher) -> None:
    refresh()
    loads: list[Callable[[], Encoder]] = []

    def load() -> Encoder:
        loads.append(load)
        return load_encoder("demo")

    use(refresh, load)
    refresh("full")
    assert loads == []
