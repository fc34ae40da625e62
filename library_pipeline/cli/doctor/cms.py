"""Checks of the sources: their answers, credentials and first pages, and the last manifests."""

from __future__ import annotations

from collections.abc import Iterator

from library_pipeline.catalog.errors import ManifestError
from library_pipeline.cli.doctor.examination import Check
from library_pipeline.cli.source.overview import brief_terms
from library_pipeline.refresh.manifest_state import recorded_manifests
from library_pipeline.settings import Settings, SettingsError
from library_pipeline.sources.contract import HttpCms
from library_pipeline.sources.factory import CMS, configured_sources, listed_sources
from library_pipeline.sources.manifest_page import ManifestPage
from library_pipeline.sources.source import Source
from library_pipeline.sources.text import printable

_PATIENCE_SECONDS = 5.0


def check_sources(settings: Settings, *, patience: float = _PATIENCE_SECONDS) -> Iterator[Check]:
    """Yield what each source lists on its first page, and how a CMS answers a poll."""
    try:
        sources = configured_sources(settings, brief_terms(patience, patience))
    except SettingsError as error:
        yield Check("cms", "wrong", str(error), "correct it in library.yaml or the environment")
        return
    if not sources:
        way_out = (
            "set cms.base_url in library.yaml, or LIBRARY_CMS_BASE_URL, or list sources "
            "(docs/sources.md); to try the program: "
            "`library-pipeline sample-cms` serves a CMS, `library-pipeline demo` shows everything"
        )
        yield Check("cms", "wrong", "no source of components is set", way_out)
    for source in sources:
        yield from _check_source(source)


def check_manifests(settings: Settings) -> Iterator[Check]:
    """Yield a warning for each source whose manifest could not be read last time."""
    states, _ = recorded_manifests(settings)
    for name in listed_sources(settings):
        if name in states and (error := states[name].error):
            found = f"could not be read last: {printable(error)}"
            way_out = "its components stay searchable as they are; the next refresh reads it again"
            yield Check(f"{name} manifest", "warning", found, way_out)


def _check_source(source: Source) -> Iterator[Check]:
    try:
        with source.open() as opened:
            page = next(opened.pages(), ManifestPage((), None))
            yield _judge_page(source.name, page, f"{_describe(source)}: ")
            if isinstance(opened, HttpCms):
                yield _judge_polls(source.name, opened)
    except ManifestError as error:
        yield Check(source.name, "wrong", error.message, _way_out(source, error))


def _describe(source: Source) -> str:
    if source.connection is None:
        return source.identity
    credentials = "with" if source.connection.credentials else "without"
    return f"{source.connection.base_url} answers, {credentials} a token"


def _way_out(source: Source, error: ManifestError) -> str:
    connection = source.connection
    if error.transient:
        return "check that it runs and that this machine can reach it (network, VPN, proxy)"
    if error.code == "manifest.no_secret":
        return "set it for library-pipeline and for Dagster's daemon; the other sources still work"
    if connection and error.code in ("manifest.status_401", "manifest.status_403"):
        return f"ask the operator of the CMS for a token, and set {connection.way_in} to it"
    if connection and error.code == "manifest.private_address":
        key = f"{connection.key}.allowed_networks"
        return f"if the CMS is meant to be there, list its network in {key}"
    if connection and connection.key == CMS:
        return "docs/cms.md describes the answers of a CMS"
    return f"library-pipeline source check {source.name} shows more; docs/sources.md has every key"


def _judge_page(name: str, page: ManifestPage, description: str) -> Check:
    found = f"{description}{len(page.entries)} components"
    if page.next:
        found += " on the first page" + (f", {page.total} in all" if page.total else "")
    if page.problems:
        first = page.problems[0]
        found += f", {len(page.problems)} of them unusable ({first.message})"
        return Check(name, "warning", found, "correct these entries in the CMS; the others work")
    if not page.entries:
        way_out = "check its address, and that the token may read the components"
        return Check(name, "warning", found, way_out)
    return Check(name, "ok", found)


def _judge_polls(name: str, cms: HttpCms) -> Check:
    """Return whether a poll of an unchanged CMS costs a small answer or the whole manifest."""
    name = f"{name} polls"
    way_out = "docs/cms.md describes the answer 304, which saves both sides work"
    if cms.etag is None:
        found = "the CMS gives no ETag, so every poll reads the whole manifest"
        return Check(name, "warning", found, way_out)
    if not cms.changed(cms.etag):
        return Check(name, "ok", "an unchanged library is answered with 304")
    found = "the CMS gives another ETag each time, so every poll reads the whole manifest"
    return Check(name, "warning", found, way_out)
