"""The sources' manifests, as the last poll or refresh found them."""

from __future__ import annotations

from collections.abc import Iterator

from library_pipeline.cli.doctor.check import Check
from library_pipeline.cli.recorded import recorded_manifests
from library_pipeline.settings import Settings
from library_pipeline.sources.factory import listed_sources
from library_pipeline.sources.text import printable


def check_manifests(settings: Settings) -> Iterator[Check]:
    """Yield each source that could not be read last; the database has a check of its own."""
    states, _ = recorded_manifests(settings)
    for name in listed_sources(settings):
        if name in states and (error := states[name].error):
            found = f"could not be read last: {printable(error)}"
            way_out = "its components stay searchable as they are; the next refresh reads it again"
            yield Check(f"{name} manifest", "warning", found, way_out)
