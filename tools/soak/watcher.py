"""The witness: reads, as any other program may, what the index has acknowledged."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

import psycopg

from tools.soak.listing import Listing

_LOOK_SECONDS = 0.2
_SEEN = (
    "select component_id, revision, extract(epoch from indexed_at)::float8 from library.component"
)


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A component as it was seen in the index: from then on it must not be lost."""

    revision: int
    indexed_at: float


class Watcher(threading.Thread):
    """Looks at `library.component` five times a second, through every death of the database."""

    def __init__(self, url: str, listing: Listing) -> None:
        super().__init__(daemon=True, name="watcher")
        self._url = url
        self._listing = listing
        self._done = threading.Event()
        self._lock = threading.Lock()
        self._seen: dict[str, Acknowledged] = {}
        # A component that the CMS took away and gave back keeps the revision it had.
        self._newest: dict[str, int] = {}
        self._progress: list[float] = []
        self.acknowledgements = 0
        self.looks = 0
        self.reconnected = 0
        self.violations: list[str] = []

    def run(self) -> None:
        """Look until told to stop; a lost connection is opened again."""
        while not self._done.is_set():
            try:
                with psycopg.connect(self._url, autocommit=True, connect_timeout=5) as connection:
                    while not self._done.wait(_LOOK_SECONDS):
                        self._look(connection.execute(_SEEN).fetchall())
            except psycopg.Error:
                self.reconnected += 1
                self._done.wait(_LOOK_SECONDS)

    def stop(self) -> None:
        """Take a last look and end."""
        self._done.set()
        self.join(30)

    def first_progress(self, after: float) -> float | None:
        """Return when the index first acknowledged anything later than `after`, if it has."""
        with self._lock:
            return next((moment for moment in self._progress if moment > after), None)

    def _look(self, rows: list[tuple[str, str, float]]) -> None:
        now = time.time()
        seen = {id_: Acknowledged(int(revision), at) for id_, revision, at in rows}
        with self._lock:
            self.looks += 1
            for id_, before in self._seen.items():
                if id_ not in seen and not self._listing.may_be_gone(id_, before.indexed_at, now):
                    self._violated(now, f"{id_} vanished, which was acknowledged as {before}")
            for id_, item in seen.items():
                if item == self._seen.get(id_):
                    continue
                if item.revision < self._newest.get(id_, 0):
                    self._violated(now, f"{id_} went back from {self._newest[id_]} to {item}")
                self._newest[id_] = item.revision
                self.acknowledgements += 1
                self._progress.append(now)
            self._seen = seen

    def _violated(self, now: float, what: str) -> None:
        moment = time.strftime("%H:%M:%S", time.gmtime(now))
        self.violations.append(f"{moment} {what}")
