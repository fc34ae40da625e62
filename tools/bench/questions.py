"""How long an answer takes once everything is loaded, and what an unchanged library costs."""

from __future__ import annotations

import time
from collections.abc import Callable

from library_pipeline.database.connection import open_database
from library_pipeline.index.encoders import active_encoders
from library_pipeline.refresh.comparison import count_due
from library_pipeline.refresh.manifest import load_current_manifests
from library_pipeline.search.finder import Finder
from library_pipeline.search.query import Example, Query
from library_pipeline.settings import Settings
from library_pipeline.sources.factory import configured_sources

REPEATS = 40

Answers = dict[str, list[float]]


def measure_answers(settings: Settings) -> Answers:
    """Return milliseconds of each question, asked again and again over the indexed library."""
    sources = configured_sources(settings)
    with open_database(settings) as database:
        finder = Finder(database, settings.all_encoders)
        with database.connect() as session:
            component_id, digest = session.execute(
                "select component_id, screenshot_sha256 from library.component limit 1"
            ).fetchone() or ("", "")
            encoders = active_encoders(session)
            if not encoders:
                raise RuntimeError("nothing is indexed")
            picture = (settings.home / "bundles" / digest[:2] / digest[2:4] / digest).read_bytes()
            return {
                "search by picture": _times(
                    lambda: finder.find(Query((Example(picture=picture),)))
                ),
                "search by text": _times(
                    lambda: finder.find(Query((Example(text="a dark pricing table"),)))
                ),
                "search by component": _times(
                    lambda: finder.find(Query((Example(component=component_id),)))
                ),
                "sensor: ask an unchanged CMS": _times(
                    lambda: load_current_manifests(database, sources, conditional=True)
                ),
                "sensor: is anything due": _times(lambda: count_due(session, encoders)),
            }


def _times(ask: Callable[[], object]) -> list[float]:
    ask()
    times: list[float] = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        ask()
        times.append((time.perf_counter() - started) * 1000)
    return times
