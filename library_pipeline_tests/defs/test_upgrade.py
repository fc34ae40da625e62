"""Changing the encoder while search goes on: candidate, reembed, activation, the old one's end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import psycopg
import pytest

from library_pipeline.database.connection import Database, lease
from library_pipeline.encoders import EncoderError
from library_pipeline.encoders.image import read_image
from library_pipeline.index.activation import (
    encoder_coverages,
    find_encoder,
    free_encoder,
    make_active,
)
from library_pipeline.refresh.chunks import claim
from library_pipeline.refresh.log import recent_refreshes
from library_pipeline.sample_cms import SampleCms
from library_pipeline.search.finder import Finder
from library_pipeline.search.query import Example, Query, SearchError
from library_pipeline.settings import load_settings
from library_pipeline_tests.support.checkpoints import CENTRE_CROP, write_checkpoint
from library_pipeline_tests.support.dagster_instance import Refresh
from library_pipeline_tests.support.dagster_runs import stale
from library_pipeline_tests.support.ticks import Ticks
from tools.testing.bundles import picture, write_bundle

Configure = Callable[[str], None]


@pytest.fixture(scope="session")
def other_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model with other vectors than the demo's."""
    return str(write_checkpoint(tmp_path_factory.mktemp("other"), CENTRE_CROP, seed=3))


@pytest.fixture
def configure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configure:
    """Write a library.yaml with these encoders, as YAML."""

    def write(encoders: str) -> None:
        monkeypatch.delenv("LIBRARY_ENCODER_MODEL", raising=False)
        (tmp_path / "library.yaml").write_text(
            f"encoders: {encoders}\nrefresh: {{chunk_size: 4}}\n"
        )

    return write


@dataclass(frozen=True)
class Library:
    """A library with its Dagster, and what a person sees of it."""

    refresh: Refresh
    tick: Ticks
    definitions: dg.Definitions
    instance: dg.DagsterInstance
    database: Database
    connection: psycopg.Connection

    @property
    def finder(self) -> Finder:
        """Search as a process that starts now has it."""
        return Finder(self.database, load_settings().all_encoders)

    def ranking(self, seed: str = "c-2") -> list[tuple[str, float]]:
        """Return what a search by picture finds."""
        found = self.finder.find(Query((Example(picture=read_image(picture(seed))),), 4))
        return [(match.component_id, round(match.score, 6)) for match in found]

    def states(self) -> dict[str, tuple[str, int]]:
        """Return state and coverage of each model."""
        found = encoder_coverages(self.connection)
        return {Path(each.model).name: (each.state, each.covered) for each in found}

    def fingerprints(self) -> list[str]:
        return [each.fingerprint for each in encoder_coverages(self.connection)]

    def asked(self, sensor: str) -> list[dg.RunRequest]:
        """Return what a sensor asks for."""
        requests = self.tick(sensor)
        assert not isinstance(requests, str), requests
        return requests

    def run(self, request: dg.RunRequest) -> None:
        """Do what a sensor has asked for."""
        job = self.definitions.resolve_job_def(str(request.job_name or "reembed"))
        assert job.execute_in_process(
            instance=self.instance, run_config=request.run_config, raise_on_error=False
        ).success

    def quiet(self) -> bool:
        """Whether Dagster shows nothing as out of date and no sensor finds anything to do."""
        assert self.tick("cms_changes").startswith("the CMS has not changed")  # type: ignore[union-attr]
        return stale(self.instance, self.definitions) == set()


@pytest.fixture
def library(
    refresh: Refresh,
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    database: Database,
    connection: psycopg.Connection,
) -> Library:
    tick = Ticks(definitions, instance)
    return Library(refresh, tick, definitions, instance, database, connection)


def test_an_upgrade_from_end_to_end(
    library: Library, cms: SampleCms, configure: Configure, other_model: str
) -> None:
    configure("[{model: demo}]")
    assert library.refresh().ok
    assert library.tick("encoder_candidates") == "no encoder waits to take another one's place"
    before, other = library.ranking(), Path(other_model).name

    # The configuration changes: search does not, and the CMS sensor sees nothing to do.
    configure(f"[{{model: '{other_model}', device: cpu}}]")
    assert library.ranking() == before
    assert library.quiet()
    assert library.states() == {"demo": ("active", 6), other: ("candidate", 0)}
    # What comes in meanwhile is found at once.
    write_bundle(cms.folder, "c-6")
    assert library.refresh().counts.new == 1
    assert library.ranking("c-6")[0][0] == "c-6"

    cms.requests.clear()
    fill_with_a_death(library, other)
    assert dict(cms.requests) == {}
    assert library.states() == {"demo": ("active", 7), other: ("candidate", 7)}
    assert library.ranking()[0] == before[0]
    assert library.quiet()
    told = library.instance.fetch_materializations(dg.AssetKey("component_embedding"), limit=7)
    versions = [record.asset_materialization.tags for record in told.records]  # type: ignore[union-attr]
    for tags in versions:
        assert str((tags or {})["dagster/data_version"]).endswith("+".join(library.fingerprints()))

    # Until it is activated, search goes on as before; then it is by the new one.
    make_active(library.connection, find_encoder(library.connection, "clip"))
    assert library.ranking()[0] == ("c-2", pytest.approx(1, abs=1e-3))
    assert library.ranking() != before
    assert library.quiet()
    demo = find_encoder(library.connection, "clip", library.fingerprints()[0])
    free_encoder(library.connection, demo)
    assert library.states() == {other: ("active", 7)}
    write_bundle(cms.folder, "c-1", screenshot=picture("a new look"))
    assert library.refresh().counts.changed == 1
    assert library.ranking("a new look")[0][0] == "c-1"
    assert library.quiet()


def fill_with_a_death(library: Library, other: str) -> None:
    """Reembed as the daemon has it done; one of the two chunks' runs dies and is begun again."""
    (planning,) = library.asked("encoder_candidates")
    library.run(planning)
    assert library.tick("encoder_candidates") == "a reembed is under way"
    first, second = library.asked("refresh_chunks")
    library.run(first)
    assert library.states()[other] == ("candidate", 5)
    with lease(library.database, "a run that dies"):
        refresh_id = recent_refreshes(library.connection)[0].refresh_id
        assert claim(library.connection, refresh_id, 1, "a run that dies")
    (again,) = library.asked("refresh_chunks")
    assert again.run_key != second.run_key
    library.run(again)
    done = recent_refreshes(library.connection)[0]
    assert (done.kind, done.state) == ("reembed", "finished")
    (closing,) = library.asked("refresh_chunks")
    library.run(closing)
    assert library.tick("encoder_candidates") == (
        "no component lacks a candidate's vector, or is due for another try"
    )


def test_a_candidate_takes_over_by_itself_where_that_is_wanted(
    library: Library, configure: Configure, other_model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure("[{model: demo}]")
    library.refresh()
    monkeypatch.setenv("LIBRARY_REFRESH_AUTO_ACTIVATE", "true")
    configure(f"[{{model: '{other_model}', device: cpu}}]")
    assert library.refresh("reembed", limit=2).counts.changed == 2
    assert library.states() == {"demo": ("active", 6), Path(other_model).name: ("candidate", 2)}
    assert library.refresh("reembed").counts.changed == 4
    assert library.states() == {"demo": ("kept", 6), Path(other_model).name: ("active", 6)}


def test_search_asks_both_encoders_and_weighs_them(
    library: Library, configure: Configure, other_model: str
) -> None:
    second = f"name: small, model: '{other_model}', device: cpu, weight: 0.4"
    configure(f"[{{model: demo, weight: 0.6}}, {{{second}}}]")
    library.refresh()
    (best, *_) = library.finder.find(Query((Example(picture=read_image(picture("c-2"))),)))
    assert best.component_id == "c-2"
    assert set(best.scores) == {"clip", "small"}
    for match in library.finder.find(Query((Example(text="a button"),))):
        weighted = 0.6 * match.scores["clip"] + 0.4 * match.scores["small"]
        assert match.score == pytest.approx(weighted)
    alike = library.finder.find(Query((Example(component="c-2"),), weights={"small": 1}))
    assert [set(match.scores) for match in alike] == [{"small"}] * 5
    with pytest.raises(
        SearchError, match="no encoder called dino is active; there is: clip, small"
    ):
        library.finder.find(Query((Example(text="a button"),), weights={"dino": 1}))


def test_an_active_encoder_that_is_gone_is_named_with_the_ways_out(
    library: Library, configure: Configure, tmp_path: Path
) -> None:
    """Its folder was overwritten: search says so, and a reembed needs the new one only."""
    folder = write_checkpoint(tmp_path / "model", CENTRE_CROP, seed=4)
    configure(f"[{{model: '{folder}', device: cpu}}]")
    library.refresh()
    write_checkpoint(folder, CENTRE_CROP, seed=5)
    with pytest.raises(EncoderError, match=r"clip .* cannot be loaded: by now it is") as caught:
        library.ranking()
    assert "`library-pipeline reembed`, then" in str(caught.value)
    assert len(library.finder.find(Query((Example(component="c-2"),)))) == 5  # needs no model
    assert library.refresh("reembed").ok
    make_active(library.connection, find_encoder(library.connection, "clip"))
    assert library.ranking()[0][0] == "c-2"
