"""The rows of an SQL query as a source: PostgreSQL, read only, in pages."""

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

from library_pipeline.catalog.errors import ManifestError
from library_pipeline.settings.source_keys import SourceSettings
from library_pipeline.sources.entry import Entry, problem_of
from library_pipeline.sources.http.connection import CmsConnection
from library_pipeline.sources.http.rules import FileRule, NoFiles
from library_pipeline.sources.local.snapshot import PAGE_SIZE, in_pages
from library_pipeline.sources.manifest_page import ManifestPage, parse_json
from library_pipeline.sources.mapping import ItemMapping, MakeMapping, digest_of_mapping, mapping_of
from library_pipeline.sources.source import NotModified, Poll, Source
from library_pipeline.sources.text import reason, shorten

# JSON leaves it to the server how each type is written. The names are unlikely in a query.
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


def sql_source(
    settings: SourceSettings, *, mapping: MakeMapping, connection: CmsConnection | None = None
) -> Source:
    """Return the source that `settings` configure, whose items `mapping` understands.

    The files that rows name are asked for over `connection`; without one, rows can hold only
    inline files. Errors in the query or the database show when the source is opened.
    """
    rule: FileRule = connection.origins if connection else NoFiles()
    where = settings.database_env or settings.database_file
    digest = hashlib.sha256((settings.sql or "").encode()).hexdigest()[:16]
    identity = f"sql:{where} {digest} {digest_of_mapping(settings)}"
    return Source(
        settings.name,
        identity,
        lambda: SqlSource(settings, mapping_of(settings, mapping, rule)),
        connection,
    )


class SqlSource(AbstractContextManager["SqlSource"]):
    """Reads the rows of `sql`, each as an object of its columns; fulfils OpenSource.

    It reads in read-only transactions of at most `timeout_seconds` a statement. Its ETag is a hash
    that the server makes of all rows. The constructor connects. It and the methods raise
    ManifestError, which never shows the connection's password.
    """

    def __init__(self, settings: SourceSettings, mapping: ItemMapping) -> None:
        self._settings = settings
        self._mapping = mapping
        self._rows = _ROWS.format(_one_query(settings))
        self._connection = _connect(settings)
        self.etag: str | None = None
        self.read_at: datetime | None = None

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self._connection.close()

    def changed(self, etag: str | None) -> Poll:
        """Run the query; only a hash of its rows comes over the wire."""
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
        # Binary results need the protocol for one statement, so no other can hide behind a `;`.
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
            return self._mapping.entry(parse_json(row), position, "")
        except ValueError as error:
            return problem_of(position, None, "unusable", str(error), where=shorten(row))


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
        # libpq's own message would quote the string.
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
    """Return the error of a query, with the way out."""
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
