"""`library-pipeline source list`: the configured sources, and what each of them listed last."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final

import psycopg

from library_pipeline.cli.brief_connection import brief_connection
from library_pipeline.cli.source.choosing import source_settings
from library_pipeline.cli.source.screen import Screen, print_json
from library_pipeline.settings import Settings, load_settings
from library_pipeline.sources.configured import listed_sources
from library_pipeline.store.embedded import EmbeddedServer, EmbeddedServerError
from library_pipeline.store.manifest_state import ManifestState, manifest_states

_CONNECT_SECONDS: Final = 3
_connected = partial(
    brief_connection,
    connect_seconds=_CONNECT_SECONDS,
    statement_seconds=5,
    who="library-pipeline source list",
)
_UNITS: Final = (("day", 86400), ("hour", 3600), ("minute", 60))


@dataclass(frozen=True, slots=True)
class ListedSource:
    """A source as configured, and as last read where that is known."""

    name: str
    kind: str
    preset: str | None
    address: str
    id_prefix: str
    entries: int | None = None
    read_at: datetime | None = None
    age_seconds: float | None = None
    error: str | None = None


def list_sources(*, as_json: bool) -> None:
    """Print every configured source."""
    settings = load_settings()
    states, why_not = _states(settings)
    found = [_listed(settings, name, states.get(name)) for name in listed_sources(settings)]
    if as_json:
        rows = [dataclasses.asdict(each) for each in found]
        print_json({"sources": rows, "database": why_not or "ok"})
        return
    screen = Screen()
    for each in found:
        _show(each, screen, known=not why_not)
    if not found:
        screen.line("No source is configured: `sources` in library.yaml, docs/sources.md")
    elif why_not:
        screen.line(f"What they listed last is not shown: {why_not}.", "dim")


def _listed(settings: Settings, name: str, state: ManifestState | None) -> ListedSource:
    configured = source_settings(settings, name)
    read_at = state.fetched_at if state else None
    return ListedSource(
        name=name,
        kind=configured.kind if configured else "http",
        preset=configured.preset if configured else None,
        address=listed_sources(settings)[name],
        id_prefix=configured.id_prefix if configured else "",
        entries=state.entries if state and read_at else None,
        read_at=read_at,
        age_seconds=(datetime.now(UTC) - read_at).total_seconds() if read_at else None,
        error=state.error if state else None,
    )


def _show(source: ListedSource, screen: Screen, *, known: bool) -> None:
    preset = f", preset {source.preset}" if source.preset else ""
    screen.line(f"{source.name}: {source.kind}{preset}", "bold")
    screen.fact("address", source.address)
    prefix = f"begin with {source.id_prefix}" if source.id_prefix else "are the source's own"
    screen.fact("ids", prefix)
    if known:
        age = f"{source.entries} entries, read {_ago(source.age_seconds or 0)}"
        screen.fact("manifest", "none yet" if source.entries is None else age)
    if source.error:
        screen.fact("unreadable", source.error, style="red")


def _ago(seconds: float) -> str:
    for unit, length in _UNITS:
        if (count := int(seconds // length)) >= 1:
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"


def _states(settings: Settings) -> tuple[dict[str, ManifestState], str]:
    """Return the sources' manifests, or why they cannot be known without starting anything."""
    try:
        with _running(settings) as connection:
            if connection is None:
                return {}, "the embedded database does not run at the moment"
            return manifest_states(connection), ""
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn):
        return {}, "the database has no tables of this version yet; a refresh makes them"
    except (psycopg.Error, EmbeddedServerError):
        return {}, "the database does not answer; `library-pipeline doctor` says more"


@contextmanager
def _running(settings: Settings) -> Iterator[psycopg.Connection | None]:
    """Yield a connection to the database as it is, None where the embedded server does not run."""
    if settings.database_url is not None:
        with _connected(settings.database_url.get_secret_value()) as connection:
            yield connection
        return
    server = EmbeddedServer(settings.home)
    if not server.is_running():
        yield None
        return
    with server.acquire(_CONNECT_SECONDS), _connected(server.url("library")) as connection:
        yield connection
