"""The sources that the settings name, ready to be opened."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from types import MappingProxyType
from urllib.parse import urlsplit

from pydantic import ValidationError

from library_pipeline.settings import Settings, SettingsError, read_secret
from library_pipeline.settings.model import CmsSettings
from library_pipeline.settings.sources import SourceSettings
from library_pipeline.sources.connection import Auth, CmsConnection
from library_pipeline.sources.http_cms import HttpCms
from library_pipeline.sources.listing import MakeMapping, MappedListing
from library_pipeline.sources.local import local_source
from library_pipeline.sources.manifest import ManifestError
from library_pipeline.sources.mapping import ItemMapping
from library_pipeline.sources.source import OpenSource, Source
from library_pipeline.sources.sql import sql_source
from library_pipeline.sources.synced import SyncedListing

CMS = "cms"


def configured_sources(
    settings: Settings,
    terms: Mapping[str, float] = MappingProxyType({}),
    mapping: MakeMapping = ItemMapping,
) -> tuple[Source, ...]:
    """Return the sources of the library, none where none is configured.

    `terms` are keys of CmsConnection that are to be otherwise than configured; `mapping` makes what
    understands items. Raises SettingsError where a source cannot be asked as configured. Secrets
    are read here; a source whose secret cannot be had is one that cannot be read.
    """
    if settings.sources:
        return tuple(_source(each, terms, mapping) for each in settings.sources)
    if settings.cms.base_url:
        return (contract_source(cms_connection(settings.cms).model_copy(update=dict(terms))),)
    return ()


def listed_sources(settings: Settings) -> dict[str, str]:
    """Return what each source is, by name, as it may be shown."""
    if settings.sources:
        return {
            each.name: each.url or (str(each.path) if each.path else "an SQL query")
            for each in settings.sources
        }
    return {CMS: settings.cms.base_url} if settings.cms.base_url else {}


def contract_source(connection: CmsConnection) -> Source:
    """Return the CMS of the section `cms`, which answers as in docs/cms.md."""
    return Source(CMS, connection.base_url, lambda: HttpCms(connection), connection)


def cms_connection(settings: CmsSettings) -> CmsConnection:
    """Return how the `cms` section says that its CMS is asked; raises SettingsError."""
    try:
        return CmsConnection(
            base_url=settings.base_url or "",
            token=settings.token,
            allowed_hosts=settings.allowed_hosts,
            allowed_networks=settings.allowed_networks,
            page_size=settings.page_size,
            timeout_seconds=settings.timeout_seconds,
            concurrency=settings.concurrency,
            requests_per_second=settings.requests_per_second,
        )
    except ValidationError as error:
        raise SettingsError(_explained(CMS, error)) from None


def _source(settings: SourceSettings, terms: Mapping[str, float], mapping: MakeMapping) -> Source:
    try:
        return _unlocked(settings, _auth(settings), terms, mapping)
    except _NoSecret as error:
        return _locked(_unlocked(settings, None, terms, mapping), str(error))


def _unlocked(
    settings: SourceSettings, auth: Auth | None, terms: Mapping[str, float], mapping: MakeMapping
) -> Source:
    connection = _connection(settings, auth)
    if connection:
        connection = connection.model_copy(update=dict(terms))
    if settings.kind == "sql":
        return sql_source(settings, mapping=mapping, connection=connection)
    if settings.kind != "http" or connection is None:
        return local_source(settings, mapping=mapping, connection=connection)
    listing = SyncedListing if settings.changes == "contentful-sync" else MappedListing
    return Source(
        settings.name,
        _identity(settings),
        lambda: listing(settings, connection, mapping=mapping),
        connection,
    )


def _locked(source: Source, why: str) -> Source:
    """Return a source that is not asked, as it could only be asked as somebody else."""

    def refuse() -> AbstractContextManager[OpenSource]:
        raise ManifestError("manifest.no_secret", why)

    return replace(source, open=refuse, no_secret=why)


def _connection(settings: SourceSettings, auth: Auth | None) -> CmsConnection | None:
    """Return how files of a source are asked for over HTTP, None if it has no such files."""
    if settings.url is None and not settings.allowed_hosts:
        return None
    key = f"sources.{settings.name}"
    try:
        return CmsConnection(
            key=key,
            base_url=_base(settings),
            auth=auth,
            allowed_hosts=settings.allowed_hosts,
            allowed_networks=settings.allowed_networks,
            page_size=settings.page_size or 500,
            timeout_seconds=settings.timeout_seconds,
            concurrency=settings.concurrency,
            requests_per_second=settings.requests_per_second,
        )
    except ValidationError as error:
        raise SettingsError(_explained(key, error)) from None


def _base(settings: SourceSettings) -> str:
    if settings.url is None:  # whoever has no address of its own has the first listed host's
        return f"https://{settings.allowed_hosts[0]}"
    parts = urlsplit(settings.url)
    return f"{parts.scheme}://{parts.netloc}"


class _NoSecret(Exception):
    """A source's secret cannot be read, or cannot be sent; the message does not show it."""


def _auth(settings: SourceSettings) -> Auth | None:
    auth, key = settings.auth, f"sources.{settings.name}.auth"
    if auth is None:
        return None
    try:
        secret = read_secret(auth)
        return Auth(kind=auth.kind, name=auth.name, user=auth.user, secret=secret)
    except SettingsError as error:
        raise _NoSecret(f"{key}: {error}") from None
    except ValidationError as error:
        raise _NoSecret(f"{key}: {_reasons(error)}") from None


def _identity(settings: SourceSettings) -> str:
    """Return what is listed: another mapping or query makes another listing of the same CMS."""
    parts: Sequence[object] = (settings.query, settings.mapping, settings.paging, settings.prefix)
    digest = hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
    return f"{settings.url}#{digest}"


def _explained(key: str, error: ValidationError) -> str:
    return f"it cannot be asked as configured: {_reasons(error, f'{key}.')}"


def _reasons(error: ValidationError, section: str = "") -> str:
    """Return what is wrong, after the key where it is one of `section`'s."""
    found = ((item["loc"], item["msg"].removeprefix("Value error, ")) for item in error.errors())
    return "; ".join(f"{section}{loc[0]}: {said}" if loc else said for loc, said in found)
