"""Rows of an SQL query as a source: PostgreSQL, read only, in pages."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Generator, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import Final

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict

from library_pipeline.settings.sources import SourceSettings
from library_pipeline.sources.connection import CmsConnection
from library_pipeline.sources.local.configured import (
    FileRule,
    MakeItems,
    NoFiles,
    items_of,
    shaped_by,
)
from library_pipeline.sources.local.item_files import parse
from library_pipeline.sources.local.items import Items
from library_pipeline.sources.local.listing import PAGE_SIZE, Entry, in_pages, problem, reason
from library_pipeline.sources.manifest import ManifestError, ManifestPage
from library_pipeline.sources.source import NotModified, OpenSource, Poll, Source
from library_pipeline.sources.wording import shorten

# As JSON, the server itself says how each type is written. Names no query is likely to have.
_ROWS = "select row_to_json(listed)::text as item from (\n{}\n) as listed"
_ETAG = """
select count(*), coalesce(sum(hashtextextended(item, 0)), 0)::text from (
{}
) as listed_as_json
"""
_SETTINGS = """
select set_config('statement_timeout', %s, true), set_config('timezone', 'UTC', true),
       set_config('datestyle', 'ISO', true), set_config('extra_float_digits', '1', true)
"""
_FIRST_WORD: Final = re.compile(r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/|\()*(\w*)", re.DOTALL)
_READS: Final = frozenset({"select", "with", "values", "table"})
_SECRET_KEYS: Final = ("password", "sslpassword")


def open_sql(settings: SourceSettings, mapping: Items) -> AbstractContextManager[OpenSource]:
    """Connect to the database and read the rows of `sql`, each as an object of its columns.

    All is read in read-only transactions of at most `timeout_seconds` a statement. Raises
    ManifestError, which never shows the connection's password.
    """
    return _opened(settings, mapping)


def sql_source(
    settings: SourceSettings, *, mapping: MakeItems, connection: CmsConnection | None = None
) -> Source:
    """Return the source that `settings` configure; `mapping` is ItemMapping.

    The files that rows name are asked for over `connection`; None: they name none but their own.
    Raises nothing: what is wrong with the query or the database shows when it is opened.
    """
    rule: FileRule = connection.origins if connection else NoFiles()

    def opened() -> AbstractContextManager[OpenSource]:
        return open_sql(settings, items_of(settings, mapping, rule))

    where = settings.database_env or settings.database_file
    digest = hashlib.sha256((settings.sql or "").encode()).hexdigest()[:16]
    identity = f"sql:{where} {digest} {shaped_by(settings)}"
    return Source(settings.name, identity, opened, connection)


@contextmanager
def _opened(settings: SourceSettings, mapping: Items) -> Generator[OpenSource]:
    query = _one_query(settings)
    connection = _connect(settings)
    try:
        yield SqlSource(settings, mapping, connection, query)
    finally:
        connection.close()


class SqlSource:
    """Reads one query; fulfils OpenSource. Its ETag is a hash that the server makes of all rows."""

    def __init__(
        self,
        settings: SourceSettings,
        mapping: Items,
        connection: psycopg.Connection,
        query: str,
    ) -> None:
        self._settings = settings
        self._mapping = mapping
        self._connection = connection
        self._rows = _ROWS.format(query)
        self.etag: str | None = None
        self.read_at: datetime | None = None

    def changed(self, etag: str | None) -> Poll:
        """Run the query, of which only a hash comes over the wire."""
        with self._reading():
            found = self._etag()
        return Poll(found == etag, found)

    def pages(
        self, etag: str | None = None, updated_since: datetime | None = None
    ) -> Iterator[ManifestPage]:
        """Yield the rows, always all; raises NotModified first, or ManifestError."""
        with self._reading():
            found = self._etag()
            if found == etag:
                raise NotModified
            self.etag = found
            yield from in_pages(self._entries(), self._settings)

    @contextmanager
    def _reading(self) -> Generator[None]:
        """Read in one snapshot, so that the ETag is that of the rows."""
        try:
            with self._connection.transaction():
                milliseconds = str(max(1, round(self._settings.timeout_seconds * 1000)))
                self._connection.execute(_SETTINGS, (milliseconds,))
                yield
        except psycopg.Error as error:
            raise _explained(self._settings, error) from None

    def _etag(self) -> str:
        # Binary results need the protocol that takes one statement, so none can hide behind a `;`.
        row = self._connection.execute(_ETAG.format(self._rows).encode(), binary=True).fetchone()
        count, total = row or (0, "0")
        return f"{count}-{total}"

    def _entries(self) -> Iterator[Entry]:
        position = 0
        with self._connection.cursor(name="listed") as cursor:
            cursor.itersize = self._settings.page_size or PAGE_SIZE
            cursor.execute(self._rows.encode())
            for (row,) in cursor:
                if entry := self._entry(row, position):
                    yield entry
                    position += 1

    def _entry(self, row: str, position: int) -> Entry | None:
        try:
            return self._mapping.entry(parse(row), position, "")
        except ValueError as error:
            return problem(position, shorten(row), "unusable", str(error))


def _one_query(settings: SourceSettings) -> str:
    query = (settings.sql or "").strip().rstrip(";")
    first = _FIRST_WORD.match(query)
    word = first[1] if first else ""
    if word.lower() not in _READS:
        message = f"source {settings.name}: sql must be one SELECT statement, not {shorten(word)}"
        raise ManifestError("manifest.query", message)
    return query


def _connect(settings: SourceSettings) -> psycopg.Connection:
    conninfo = _conninfo(settings)
    try:
        words = conninfo_to_dict(conninfo)
    except psycopg.Error:
        # What libpq says of it would quote it.
        where = settings.database_env or settings.database_file
        message = f"source {settings.name}: {where} holds no valid connection string"
        raise ManifestError("manifest.database", message) from None
    try:
        connection = psycopg.connect(
            conninfo,
            connect_timeout=max(2, round(settings.timeout_seconds)),
            application_name="library-pipeline",
        )
    except psycopg.Error as error:
        said = _without_secrets(str(error).strip(), words)
        message = f"source {settings.name}: its database cannot be reached: {said}"
        raise ManifestError("manifest.unreachable", message, transient=True) from None
    connection.read_only = True
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    return connection


def _conninfo(settings: SourceSettings) -> str:
    if settings.database_env:
        value = os.environ.get(settings.database_env, "")
        where = f"the variable {settings.database_env}, which database_env names,"
    else:
        where = f"the file {settings.database_file}, which database_file names,"
        try:
            value = settings.database_file.read_text() if settings.database_file else ""
        except (OSError, UnicodeDecodeError) as error:
            why = reason(error) if isinstance(error, OSError) else "it is not UTF-8"
            message = f"source {settings.name}: {where} cannot be read: {why}"
            raise ManifestError("manifest.database", message) from None
    if not value.strip():
        message = f"source {settings.name}: {where} is not set or empty"
        raise ManifestError("manifest.database", message)
    return value.strip()


def _without_secrets(text: str, words: Mapping[str, object]) -> str:
    for key in _SECRET_KEYS:
        if secret := words.get(key):
            text = text.replace(str(secret), "***")
    return text


def _explained(settings: SourceSettings, error: psycopg.Error) -> ManifestError:
    """Return what to do about an error of the query's."""
    said = error.diag.message_primary or str(error).strip()
    name = settings.name
    if isinstance(error, errors.QueryCanceled):
        message = f"source {name}: the query took more than {settings.timeout_seconds:g} seconds "
        return ManifestError(
            "manifest.timeout", f"{message}({said}); raise its timeout_seconds", transient=True
        )
    if isinstance(error, psycopg.OperationalError):
        message = f"source {name}: its database failed: {said}"
        return ManifestError("manifest.unreachable", message, transient=True)
    return ManifestError(
        "manifest.query",
        f"source {name}: the query failed: {said}; sql is one SELECT statement and changes nothing",
    )
