"""Facets that are current, whatever it takes to read them."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Final

import psycopg
import structlog

from library_pipeline.database.connection import Database
from library_pipeline.search.facets import FacetIndex, Facets, Field, read_facet_index
from library_pipeline.search.ranking import Filters

# A small library is read for every question; a large one in the background, and rests for so many
# times what that took, so that it never takes more than a twentieth of a processor.
AT_ONCE_SECONDS: Final = 0.05
_RESTS: Final = 20
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Read:
    index: FacetIndex
    began: float
    took: float


class CurrentFacets:
    """Counts facets by an index that is read anew: none are older than some 20 times that takes.

    Safe in threads; whoever asks waits for a read only the first time, or where it is quick.
    """

    def __init__(self, database: Database, *, at_once_seconds: float = AT_ONCE_SECONDS) -> None:
        self._database = database
        self._at_once_seconds = at_once_seconds
        self._read: _Read | None = None
        self._lock = threading.Lock()
        self._at_work = threading.Lock()

    def count(self, connection: psycopg.Connection, filters: Filters) -> Facets:
        """Return what `filters` leave."""
        return self._index(connection).count(connection, filters)

    def names(self, connection: psycopg.Connection, field: Field) -> list[str]:
        """Return the values of `field` that any component has, in their order."""
        values = self.count(connection, Filters()).values
        return sorted((str(each.value) for each in values if each.field == field), key=str.lower)

    def read_in_background(self) -> None:
        """Begin to read the index, so that the first question need not wait."""
        if self._at_work.acquire(blocking=False):
            threading.Thread(target=self._read_again, name="facets", daemon=True).start()

    def _index(self, connection: psycopg.Connection) -> FacetIndex:
        with self._lock:
            read = self._read
            if read is None or read.took <= self._at_once_seconds:
                read = self._read = _read(connection)
        if time.monotonic() - read.began > _RESTS * read.took:
            self.read_in_background()
        return read.index

    def _read_again(self) -> None:
        try:
            with self._database.connect() as connection:
                self._read = _read(connection)
        except psycopg.Error as error:  # what is known serves on; the next question tries again
            _log.warning("web.no_facets", reason=str(error))
        finally:
            self._at_work.release()


def _read(connection: psycopg.Connection) -> _Read:
    began = time.monotonic()
    index = read_facet_index(connection)
    return _Read(index, began, time.monotonic() - began)
