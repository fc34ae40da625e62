"""`library-pipeline source list`, and the choice of the sources that a command means."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from library_pipeline.cli.console import fail, print_json
from library_pipeline.cli.screen import Screen
from library_pipeline.refresh.manifest_state import ManifestState, recorded_manifests
from library_pipeline.settings import Settings, load_settings
from library_pipeline.settings.source_keys import SourceSettings
from library_pipeline.sources.factory import listed_sources

_PATIENCE_SECONDS: Final = 15.0
_ANSWER_SECONDS: Final = 30.0
_UNITS: Final = (("day", 86400), ("hour", 3600), ("minute", 60))


def choose_sources(settings: Settings, name: str | None, *, every: bool) -> list[str]:
    """Return the names of the sources that a command means; ends with 2 if that is unclear."""
    names = list(listed_sources(settings))
    if not names:
        fail(
            "no source of components is set: list `sources` in library.yaml (docs/sources.md), or "
            "set cms.base_url; `library-pipeline sample-cms` serves a CMS to try"
        )
    if name is not None and every:
        fail("give a NAME or --all, not both")
    if every:
        return names
    if name is None and len(names) > 1:
        fail(f"give the NAME of a source; there are {', '.join(names)}")
    if name is not None and name not in names:
        fail(f"there is no source {name!r}; the sources are {', '.join(names)}")
    return [name or names[0]]


def brief_settings(settings: Settings, name: str) -> tuple[Settings, Mapping[str, float]]:
    """Return settings with this source only, and terms for one short attempt.

    Only this source, because errors in the others do not matter here.
    """
    configured = source_settings(settings, name)
    patience = configured.timeout_seconds if configured else settings.cms.timeout_seconds
    seconds = min(patience, _PATIENCE_SECONDS)
    alone = (configured.model_copy(update={"timeout_seconds": seconds}),) if configured else ()
    return settings.model_copy(update={"sources": alone}), brief_terms(seconds, _ANSWER_SECONDS)


def brief_terms(timeout_seconds: float, answer_seconds: float) -> Mapping[str, float]:
    """Return terms for `configured_sources`: one attempt, and a time limit for each step."""
    return {
        "timeout_seconds": timeout_seconds,
        "answer_timeout_seconds": answer_seconds,
        "max_attempts": 1,
        "rate_limit_patience_seconds": 0,
    }


def source_settings(settings: Settings, name: str) -> SourceSettings | None:
    """Return the settings of a source, None for the section `cms`."""
    return next((each for each in settings.sources if each.name == name), None)


@dataclass(frozen=True, slots=True)
class SourceState:
    """A configured source, and its last manifest if the database is known."""

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
    """Print every configured source with its last manifest."""
    settings = load_settings()
    states, why_not = recorded_manifests(settings)
    found = [_source_state(settings, name, states.get(name)) for name in listed_sources(settings)]
    if as_json:
        rows = [dataclasses.asdict(each) for each in found]
        print_json({"sources": rows, "database": why_not or "ok"}, ascii_only=True)
        return
    screen = Screen()
    for each in found:
        _show_source(each, screen, known=not why_not)
    if not found:
        screen.line("No source is configured: `sources` in library.yaml, docs/sources.md")
    elif why_not:
        screen.line(f"Their last manifests are not shown: {why_not}.", "dim")


def _source_state(settings: Settings, name: str, state: ManifestState | None) -> SourceState:
    configured = source_settings(settings, name)
    read_at = state.fetched_at if state else None
    return SourceState(
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


def _show_source(source: SourceState, screen: Screen, *, known: bool) -> None:
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
