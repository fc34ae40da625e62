"""Several encoders at once, and filling a new one from what is stored."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import psycopg
import pytest
from psycopg import sql

from library_pipeline.bundles.store import BundleError
from library_pipeline.catalog.encoder import EncoderInfo
from library_pipeline.catalog.refresh import RefreshScope
from library_pipeline.encoders import read_image
from library_pipeline.index.activation import encoder_coverages
from library_pipeline.index.embeddings import embedding_table
from library_pipeline.refresh import embedding
from library_pipeline.refresh.comparison import count_due
from library_pipeline.refresh.log import recent_refreshes
from library_pipeline.refresh.outcomes import open_failures
from library_pipeline.sample_cms import SampleCms
from library_pipeline.settings import EncoderSettings
from library_pipeline_tests.support.checkpoints import CENTRE_CROP, write_checkpoint
from library_pipeline_tests.support.refreshing import Refresher, counts, searchable
from tools.testing.bundles import picture, write_bundle

DEMO = EncoderSettings(model="demo")


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> EncoderSettings:
    """A second encoder, of random weights."""
    folder = write_checkpoint(tmp_path_factory.mktemp("small"), CENTRE_CROP, seed=1)
    return EncoderSettings(name="small", model=str(folder), device="cpu")


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of what has been decoded."""
    sizes: list[int] = []

    def counted(data: bytes) -> Any:
        sizes.append(len(data))
        return read_image(data)

    monkeypatch.setattr(embedding, "read_image", counted)
    return sizes


def covered(connection: psycopg.Connection) -> dict[tuple[str, str], int]:
    """Return how many components each encoder covers, by name and state."""
    return {(each.name, each.state): each.covered for each in encoder_coverages(connection)}


def candidate(refresh: Refresher) -> EncoderInfo:
    (found,) = [each for each in refresh.equipment.encoders if each.candidate]
    return found


def test_a_screenshot_is_decoded_once_for_all_encoders(
    refresh: Refresher,
    small: EncoderSettings,
    decoded: list[int],
    connection: psycopg.Connection,
) -> None:
    refresh.configure(DEMO, small)
    assert counts(refresh()) == {"total": 6, "new": 6}
    assert len(decoded) == 6
    assert covered(connection) == {("clip", "active"): 6, ("small", "active"): 6}
    stored = refresh.equipment.encoders[1]
    loaded = refresh.equipment.load(stored)
    row = connection.execute(
        sql.SQL(
            """select vector::real[] from {} join pipeline.component using (screenshot_sha256)
               where component_id = 'c-3'"""
        ).format(embedding_table(stored.id))
    ).fetchone()
    expected = loaded.embed_image(picture("c-3"))
    np.testing.assert_allclose(row[0] if row else [], expected, atol=1e-3)


def test_a_vector_that_is_not_finite_names_its_encoder(
    refresh: Refresher, small: EncoderSettings, connection: psycopg.Connection
) -> None:
    """Neither encoder's vector is kept: without its row in the index none can be."""
    refresh.configure(DEMO, small)

    class FakeBrokenEncoder:
        """An encoder of which nothing comes."""

        @staticmethod
        def preprocess(image: object) -> np.ndarray:
            return np.zeros((1, 3, 1, 1), np.uint8)

        @staticmethod
        def embed_pixels(pictures: list[np.ndarray]) -> np.ndarray:
            return np.full((len(pictures), 32), np.nan, np.float32)

    load = refresh.equipment.load

    def load_broken(encoder: EncoderInfo) -> Any:
        return FakeBrokenEncoder() if encoder.name == "small" else load(encoder)

    refresh.equipment = dataclasses.replace(refresh.equipment, load=load_broken)
    done = refresh()
    assert {(each.phase, each.code) for each in done.failures} == {("embed", "embed.not_finite")}
    assert "component c-0: the encoder small gave no finite vector" in done.failures[0].message
    assert searchable(connection) == {}


def test_a_candidate_makes_nothing_due_and_gets_what_comes_by(
    refresh: Refresher, small: EncoderSettings, cms: SampleCms, connection: psycopg.Connection
) -> None:
    refresh()
    refresh.configure(DEMO, small)
    assert covered(connection) == {("clip", "active"): 6, ("small", "candidate"): 0}
    assert count_due(connection, refresh.equipment.encoders) == 0
    write_bundle(cms.folder, "c-6")
    assert counts(refresh()) == {"total": 7, "new": 1, "unchanged": 6}
    assert covered(connection) == {("clip", "active"): 7, ("small", "candidate"): 1}
    # A check that only fills the candidate has repaired nothing.
    assert counts(refresh("full")) == {"total": 7, "unchanged": 7}
    assert covered(connection) == {("clip", "active"): 7, ("small", "candidate"): 7}


def test_a_reembed_fills_a_candidate_without_the_cms(
    refresh: Refresher, small: EncoderSettings, cms: SampleCms, connection: psycopg.Connection
) -> None:
    write_bundle(cms.folder, "c-5", screenshot=picture("c-4"))
    refresh()
    before = searchable(connection)
    refresh.configure(DEMO, small)
    cms.requests.clear()
    assert counts(refresh("reembed")) == {"total": 6, "changed": 6}
    assert dict(cms.requests) == {}
    assert covered(connection)["small", "candidate"] == 6
    assert searchable(connection) == before
    assert {report.component_id for report in refresh.told[6:]} == set(before)
    assert counts(refresh("reembed")) == {"total": 6, "unchanged": 6}


def test_a_reembed_that_died_is_taken_up_where_it_was(
    refresh: Refresher, small: EncoderSettings, connection: psycopg.Connection, decoded: list[int]
) -> None:
    refresh()
    refresh.configure(DEMO, small)

    def die(chunk: Any) -> None:
        if chunk.number == 1:
            raise MemoryError

    refresh.before_chunk = die
    with pytest.raises(MemoryError):
        refresh("reembed", chunk_size=2)
    refresh.before_chunk = lambda chunk: None
    assert covered(connection)["small", "candidate"] == 2
    connection.execute(
        "update pipeline.refresh set state = 'failed' where id = %s",
        (recent_refreshes(connection)[0].refresh_id,),
    )
    decoded.clear()
    assert counts(refresh("reembed", RefreshScope(limit=3))) == {"total": 5, "changed": 3} | {
        "unchanged": 2
    }
    assert counts(refresh("reembed")) == {"total": 6, "changed": 1, "unchanged": 5}
    assert len(decoded) == 4


def test_while_a_reembed_is_at_work_a_change_is_not_kept_waiting(
    refresh: Refresher, small: EncoderSettings, cms: SampleCms, connection: psycopg.Connection
) -> None:
    refresh()
    refresh.configure(DEMO, small)
    write_bundle(cms.folder, "c-1", screenshot=picture("a new look"))
    inner: list[dict[str, int]] = []
    refresh.after_plan = lambda: (
        setattr(refresh, "after_plan", int),
        inner.append(counts(refresh())),
    )
    assert counts(refresh("reembed")) == {"total": 6, "changed": 6}
    assert inner == [{"total": 6, "changed": 1, "unchanged": 5}]
    assert covered(connection) == {("clip", "active"): 6, ("small", "candidate"): 6}
    assert count_due(connection, [candidate(refresh)], "reembed") == 0


def test_a_screenshot_that_is_gone_is_named_waits_and_comes_back(
    refresh: Refresher, small: EncoderSettings, connection: psycopg.Connection
) -> None:
    refresh()
    bundle = next(item.bundle for item in refresh.told if item.component_id == "c-2")
    refresh.configure(DEMO, small)
    refresh.equipment.bundles.delete(bundle.screenshot_sha256)
    done = refresh("reembed")
    assert counts(done) == {"total": 6, "changed": 5, "failed": 1}
    (failure,) = done.failures
    assert (failure.component_id, failure.code) == ("c-2", "download.no_bundle")
    assert "`library-pipeline retry --now` or a full refresh brings back" in failure.message
    due_only = RefreshScope(due_only=True)
    assert count_due(connection, [candidate(refresh)], "reembed") == 0
    assert counts(refresh("reembed", due_only)) == {"total": 6, "unchanged": 5, "waiting": 1}
    assert counts(refresh("retry")) == {"total": 1, "unchanged": 1}
    assert open_failures(connection) == []
    assert covered(connection)["small", "candidate"] == 6


def test_what_the_bundle_store_denies_for_a_moment_gets_a_second_try(
    refresh: Refresher, small: EncoderSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    refresh()
    refresh.configure(DEMO, small)
    store, denied = refresh.equipment.bundles, iter([True])
    get = store.get

    def moody(sha256: str) -> bytes:
        if next(denied, False):
            raise BundleError("bundle.inaccessible", sha256, "the store has a bad moment")
        return get(sha256)

    monkeypatch.setattr(store, "get", moody)
    assert counts(refresh("reembed")) == {"total": 6, "changed": 6}
    assert len(refresh.reports[-2].failures) == 1
    assert len(refresh.reports[-1].succeeded) == 1


def test_a_reembed_leaves_the_failure_of_a_newer_revision_on_record(
    refresh: Refresher, small: EncoderSettings, cms: SampleCms, connection: psycopg.Connection
) -> None:
    refresh()
    bundle = next(item.bundle for item in refresh.told if item.component_id == "c-2")
    write_bundle(cms.folder, "c-2", screenshot=b"<html>")
    refresh()
    refresh.equipment.bundles.delete(bundle.screenshot_sha256)
    refresh.configure(DEMO, small)
    assert counts(refresh("reembed")) == {"total": 6, "changed": 5, "failed": 1}
    assert [each.code for each in open_failures(connection)] == ["image.not_an_image"]
    assert counts(refresh()) == {"total": 6, "unchanged": 5, "waiting": 1}
    assert count_due(connection, [candidate(refresh)], "reembed") == 0
