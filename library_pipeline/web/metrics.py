"""Prometheus metrics: this process's requests, and the library's numbers in the database."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Final

import psycopg
import structlog
from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from library_pipeline.catalog.refresh import Refresh
from library_pipeline.database.connection import Database
from library_pipeline.refresh.history import Vitals, vitals
from library_pipeline.search.query import Query


def vital_metrics(found: Vitals) -> Iterator[Metric]:
    """Yield each number as a gauge; unknown numbers are left out."""
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


router = APIRouter(include_in_schema=False)

CACHED_SECONDS: Final = 10.0
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_log = structlog.get_logger(__name__)


class Metrics:
    """The metrics of one application, in a registry that it does not share."""

    def __init__(self, database: Database) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "library_http_requests_total",
            "Requests by the route that answered (none: no route, or refused before)",
            ("route", "method", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "library_http_request_seconds",
            "Seconds until an answer began",
            ("route", "method"),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._searches = Histogram(
            "library_search_seconds",
            "Searches that were answered, by what they were asked by, and their seconds",
            ("kind",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._refused = Counter(
            "library_uploads_refused_total",
            "Pictures that were sent and not searched for, by the reason",
            ("reason",),
            registry=self.registry,
        )
        self.registry.register(_LibraryCollector(database))

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request."""
        known = method if method in _METHODS else "other"
        self._requests.labels(route, known, str(status)).inc()
        self._seconds.labels(route, known).observe(seconds)

    def searched(self, query: Query, seconds: float) -> None:
        """Count a search that was answered."""
        kinds = {
            "picture" if each.picture else "text" if each.text is not None else "component"
            for each in query.examples
        }
        self._searches.labels(kinds.pop() if len(kinds) == 1 else "several").observe(seconds)

    def upload_refused(self, reason: str) -> None:
        """Count a refused picture; `reason` is one of a few codes."""
        self._refused.labels(reason).inc()


class RequestMetrics:
    """Middleware that counts requests by route."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; count it when its response starts."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()

        async def measured(message: Message) -> None:
            if message["type"] == "http.response.start":
                seconds = time.perf_counter() - started
                self._metrics.answered(_route(scope), scope["method"], message["status"], seconds)
            await send(message)

        await self._app(scope, receive, measured)


def _route(scope: Scope) -> str:
    """Return the path template of the route, which is one of a few."""
    if scope["path"].startswith("/static/"):
        return "/static"
    return getattr(scope.get("route"), "path", "none")


class _LibraryCollector(Collector):
    """Collects the library's numbers; reads the database at most every `CACHED_SECONDS`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reading = threading.Lock()
        self._read_at = -CACHED_SECONDS
        self._vitals: Vitals | None = None

    def describe(self) -> Iterator[Metric]:
        return iter(())  # registration must not read the database

    def collect(self) -> Iterator[Metric]:
        with self._reading:
            if time.monotonic() - self._read_at >= CACHED_SECONDS:
                self._vitals = self._read()
                self._read_at = time.monotonic()
            found = self._vitals
        yield GaugeMetricFamily(
            "library_database_up", "Whether the database answered", value=found is not None
        )
        if found is not None:
            yield from vital_metrics(found)

    def _read(self) -> Vitals | None:
        try:
            with self._database.connect() as connection:
                return vitals(connection)
        except psycopg.Error as error:
            _log.warning("web.no_vitals", reason=type(error).__name__)
            return None


@router.api_route("/metrics", methods=["GET", "HEAD"])
def metrics(request: Request) -> Response:
    """Return the metrics in the format that the Accept header asks for."""
    encode, type_ = choose_encoder(request.headers.get("accept", ""))
    found: Metrics = request.app.state.metrics
    return Response(encode(found.registry), headers={"Content-Type": type_})
