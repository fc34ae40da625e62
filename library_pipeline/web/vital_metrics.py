"""The library's numbers as Prometheus names them; docs/operations.md lists them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict

from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from library_pipeline.catalog.refresh import Refresh
from library_pipeline.refresh.history import Vitals


def vital_metrics(found: Vitals) -> Iterator[Metric]:
    """Yield every number as a gauge; what is not known is left out."""
    plain: tuple[tuple[str, str, float | None], ...] = (
        ("library_components_searchable", "Components in the index", found.counts.components),
        ("library_components_listed", "Components that the sources list", found.counts.listed),
        ("library_components_failed", "Components with an open failure", found.counts.failed),
        ("library_components_behind", "Components to be indexed, not failed", found.behind),
        ("library_removals_held", "Removals that wait for approval", found.held_removals),
        ("library_database_bytes", "Size of the database", found.database_bytes),
        ("library_screenshot_bytes", "Size of the screenshots kept", found.screenshot_bytes),
        ("library_index_age_seconds", "Since the oldest source was read", found.age_seconds),
    )
    for name, words, value in plain:
        if value is not None:
            yield GaugeMetricFamily(name, words, value=value)
    yield from _of_sources(found)
    yield from _of_encoders(found)
    yield from _of_refreshes(found.refreshes)


def _of_sources(found: Vitals) -> Iterator[Metric]:
    readable = GaugeMetricFamily(
        "library_source_readable", "Whether a source could be read last", labels=("source",)
    )
    age = GaugeMetricFamily(
        "library_source_age_seconds", "Since a source was read", labels=("source",)
    )
    for source in found.sources:
        readable.add_metric((source.name,), source.readable)
        if source.age_seconds is not None:
            age.add_metric((source.name,), source.age_seconds)
    yield from (readable, age)


def _of_encoders(found: Vitals) -> Iterator[Metric]:
    labels = ("encoder", "fingerprint", "state")
    share = GaugeMetricFamily(
        "library_encoder_coverage_ratio", "Share of components that have a vector", labels=labels
    )
    size = GaugeMetricFamily(
        "library_encoder_bytes", "Size of an encoder's vectors and index", labels=labels
    )
    for encoder in found.encoders:
        values = (encoder.name, encoder.fingerprint, encoder.state)
        share.add_metric(values, encoder.share)
        size.add_metric(values, encoder.size)
    yield from (share, size)


def _of_refreshes(refreshes: Iterable[Refresh]) -> Iterator[Metric]:
    finished = GaugeMetricFamily(
        "library_refresh_finished_timestamp_seconds",
        "When the last refresh of a kind ended, and how",
        labels=("kind", "state"),
    )
    duration = GaugeMetricFamily(
        "library_refresh_duration_seconds", "How long the last refresh took", labels=("kind",)
    )
    components = GaugeMetricFamily(
        "library_refresh_components",
        "Components by what the last refresh did to them",
        labels=("kind", "outcome"),
    )
    for last in refreshes:
        if last.finished_at:
            finished.add_metric((last.kind, last.state), last.finished_at.timestamp())
        duration.add_metric((last.kind,), last.duration_seconds)
        for outcome, count in asdict(last.counts).items():
            components.add_metric((last.kind, outcome), count)
    yield from (finished, duration, components)
