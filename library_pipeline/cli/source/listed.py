"""`library-pipeline source list`: the configured sources, and what each of them listed last."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from library_pipeline.cli.recorded import recorded_manifests
from library_pipeline.cli.source.choosing import source_settings
from library_pipeline.cli.source.screen import Screen, print_json
from library_pipeline.settings import Settings, load_settings
from library_pipeline.sources.factory import listed_sources
from library_pipeline.store.manifest_state import ManifestState

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
    states, why_not = recorded_manifests(settings)
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
