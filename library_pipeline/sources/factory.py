"""The sources that the settings configure, ready to be opened."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import NoReturn
from urllib.parse import urlsplit

from pydantic import SecretStr, ValidationError

from library_pipeline.catalog.errors import ManifestError
from library_pipeline.settings import Settings, SettingsError, read_secret
from library_pipeline.settings.model import CmsSettings
from library_pipeline.settings.source_keys import SourceSettings
from library_pipeline.sources.contentful import SyncedListing
from library_pipeline.sources.contract import HttpCms
from library_pipeline.sources.http.connection import Auth, CmsConnection
from library_pipeline.sources.listing import MappedListing
from library_pipeline.sources.local.bundles import open_bundles
from library_pipeline.sources.local.files import LocalFiles
from library_pipeline.sources.local.images import open_images
from library_pipeline.sources.local.items import folder_of, open_items
from library_pipeline.sources.local.snapshot import LocalSource
from library_pipeline.sources.mapping import ItemMapping, MakeMapping, digest_of_mapping, mapping_of
from library_pipeline.sources.source import Source
from library_pipeline.sources.sql import sql_source

CMS = "cms"


def configured_sources(
    settings: Settings,
    terms: Mapping[str, float] = MappingProxyType({}),
    mapping: MakeMapping = ItemMapping,
) -> tuple[Source, ...]:
    """Return the sources of the library, none where none is configured.

    `terms` overrides keys of CmsConnection; `mapping` makes the mapping of items. Reads the
    secrets: a source without its secret cannot be opened. Raises SettingsError if a source cannot
    be asked as configured.
    """
    if settings.sources:
        return tuple(_source(each, terms, mapping) for each in settings.sources)
    if settings.cms.base_url:
        return (contract_source(cms_connection(settings.cms).model_copy(update=dict(terms))),)
    return ()


def listed_sources(settings: Settings) -> dict[str, str]:
    """Return each source's address by name, as it may be shown."""
    if settings.sources:
        return {
            each.name: each.url or (str(each.path) if each.path else "an SQL query")
            for each in settings.sources
        }
    return {CMS: settings.cms.base_url} if settings.cms.base_url else {}


def contract_source(connection: CmsConnection) -> Source:
    """Return the CMS of the section `cms`, which answers as in docs/cms.md."""
    return Source(CMS, connection.base_url, lambda: HttpCms(connection), connection)


def local_source(
    settings: SourceSettings, *, mapping: MakeMapping, connection: CmsConnection | None = None
) -> Source:
    """Return the source of kind `images`, `bundles` or `items`; raises ValueError for others.

    The files of items lie below the folder of the items, or where `connection` may ask. Errors in
    the folder show when it is read.
    """
    name, kind, path = settings.name, settings.kind, Path(settings.path or "").absolute()
    identity = f"{kind}:{path} {digest_of_mapping(settings)}"
    if kind == "images":
        return Source(name, identity, lambda: open_images(settings), folder=path)
    if kind == "bundles":
        return Source(name, identity, lambda: open_bundles(settings), folder=path)
    if kind != "items":
        raise ValueError(f"source {name}: kind: {kind} is not local")
    folder = folder_of(settings)

    def open_source() -> LocalSource:
        rule = LocalFiles(folder, connection.origins if connection else None)
        return open_items(settings, mapping_of(settings, mapping, rule))

    return Source(name, identity, open_source, connection, folder)


def cms_connection(settings: CmsSettings) -> CmsConnection:
    """Return the connection that the section `cms` configures; raises SettingsError."""
    return _connect(
        CMS, settings, settings.base_url or "", settings.page_size, token=settings.token
    )


def _source(settings: SourceSettings, terms: Mapping[str, float], mapping: MakeMapping) -> Source:
    try:
        return _unlocked(settings, _auth(settings), terms, mapping)
    except _NoSecret as error:
        # Without its secret the source might list something else, so it cannot be opened.
        why = str(error)

        def refuse() -> NoReturn:
            raise ManifestError("manifest.no_secret", why)

        source = _unlocked(settings, None, terms, mapping)
        return replace(source, open=refuse, no_secret=why)


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


def _connection(settings: SourceSettings, auth: Auth | None) -> CmsConnection | None:
    """Return the connection for files of a source over HTTP, None if it has no such files."""
    if settings.url is None and not settings.allowed_hosts:
        return None
    # A source without a URL has the address of its first host.
    url = f"https://{settings.allowed_hosts[0]}" if settings.url is None else settings.url
    parts = urlsplit(url)
    base_url = f"{parts.scheme}://{parts.netloc}"
    key = f"sources.{settings.name}"
    return _connect(key, settings, base_url, settings.page_size or 500, auth=auth)


def _connect(
    key: str,
    settings: CmsSettings | SourceSettings,
    base_url: str,
    page_size: int,
    *,
    token: SecretStr | None = None,
    auth: Auth | None = None,
) -> CmsConnection:
    try:
        return CmsConnection(
            key=key,
            base_url=base_url,
            token=token,
            auth=auth,
            allowed_hosts=settings.allowed_hosts,
            allowed_networks=settings.allowed_networks,
            page_size=page_size,
            timeout_seconds=settings.timeout_seconds,
            concurrency=settings.concurrency,
            requests_per_second=settings.requests_per_second,
        )
    except ValidationError as error:
        why = _reasons(error, f"{key}.")
        raise SettingsError(f"it cannot be asked as configured: {why}") from None


class _NoSecret(Exception):
    """A source's secret cannot be read or sent; the message does not show it."""


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
    """Return the identity of a listing: its URL, and a hash of its mapping and query."""
    parts: Sequence[object] = (settings.query, settings.mapping, settings.paging, settings.prefix)
    digest = hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
    return f"{settings.url}#{digest}"


def _reasons(error: ValidationError, section: str = "") -> str:
    """Return the reasons, each after its key in `section` if it has one."""
    found = ((item["loc"], item["msg"].removeprefix("Value error, ")) for item in error.errors())
    return "; ".join(f"{section}{loc[0]}: {said}" if loc else said for loc, said in found)
