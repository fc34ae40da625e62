"""Which source is meant, how patiently it is asked, and what of it must not be shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from library_pipeline.cli.console import fail
from library_pipeline.settings import Settings
from library_pipeline.settings.sources import SourceSettings
from library_pipeline.sources.factory import listed_sources
from library_pipeline.sources.source import Source

_PATIENCE_SECONDS: Final = 15.0
_ANSWER_SECONDS: Final = 30.0


def chosen(settings: Settings, name: str | None, *, every: bool) -> list[str]:
    """Return the names of the sources that are meant, or end with what can be said."""
    names = list(listed_sources(settings))
    if not names:
        fail(
            "no source of components is set: list `sources` in library.yaml (docs/sources.md), or "
            "set cms.base_url; `library-pipeline sample-cms` serves one to play with"
        )
    if name is not None and every:
        fail("name a source or say --all, not both")
    if every:
        return names
    if name is None and len(names) > 1:
        fail(f"which source? There are {', '.join(names)}")
    if name is not None and name not in names:
        fail(f"there is no source {name!r}; there is {', '.join(names)}")
    return [name or names[0]]


def asked_briefly(settings: Settings, name: str) -> tuple[Settings, Mapping[str, float]]:
    """Return settings of one source alone, and terms under which it is asked once, not for long.

    Alone, as what is wrong with the others does not matter.
    """
    configured = source_settings(settings, name)
    patience = configured.timeout_seconds if configured else settings.cms.timeout_seconds
    seconds = min(patience, _PATIENCE_SECONDS)
    alone = (configured.model_copy(update={"timeout_seconds": seconds}),) if configured else ()
    return settings.model_copy(update={"sources": alone}), _terms(seconds)


def source_settings(settings: Settings, name: str) -> SourceSettings | None:
    """Return how a source is configured, None for the section `cms`."""
    return next((each for each in settings.sources if each.name == name), None)


def secrets_of(source: Source) -> frozenset[str]:
    """Return every text that lets one in at the source, in each form in which it is sent."""
    auth = source.connection.credentials if source.connection else None
    if auth is None:
        return frozenset()
    secret = auth.secret.get_secret_value().strip()
    sent = {value.rpartition(" ")[2] for value in auth.headers.values()}
    return frozenset({secret, quote(secret, safe=""), *sent} - {""})


def _terms(seconds: float) -> Mapping[str, float]:
    return {
        "timeout_seconds": seconds,
        "answer_timeout_seconds": _ANSWER_SECONDS,
        "max_attempts": 1,
        "rate_limit_patience_seconds": 0,
    }
