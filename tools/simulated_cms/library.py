"""The simulated library: which components there are, and what was edited; the rest is computed."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from itertools import islice

from library_pipeline.catalog.component import FILE_KINDS, FileKind
from tools.simulated_cms.content import (
    category,
    client,
    component_id,
    config,
    file_bytes,
    html,
    number_of,
    picture,
    records,
    tags,
)

# Component N was last updated N seconds after this, unless it was edited since.
FIRST_UPDATE = datetime(2025, 1, 1, tzinfo=UTC).timestamp()


class UnknownComponent(ValueError):
    """A number that no component has, or none at the moment."""


@dataclass(frozen=True, slots=True)
class State:
    """What may change of a component: `versions` are of config, format, records, screenshot."""

    revision: int
    versions: tuple[int, int, int, int]
    updated_at: float
    """Seconds since the epoch, by this process's clock."""


class SimulatedLibrary:
    """`components` components, all of them there and as first made. Not thread-safe.

    Its memory grows with the number of edited and removed ones only. A new one knows nothing of
    an old one's edits, so that it is another CMS, with other ETags, even at the same address.
    """

    def __init__(self, components: int, now: Callable[[], float] = time.time) -> None:
        self._components = components
        self._now = now
        self._edited: dict[int, State] = {}
        self._removed: set[int] = set()
        self._opened_ns = time.time_ns()
        self._changes = 0

    @property
    def etag(self) -> str:
        """A tag of the whole listing: another one after each change."""
        return f'"{self._components}-{self._opened_ns:x}-{self._changes}"'

    @property
    def total(self) -> int:
        """How many components there are."""
        return self._components - len(self._removed)

    def page(
        self, limit: int, after: int = -1, since: float | None = None
    ) -> tuple[list[int], int | None]:
        """Return up to `limit` numbers greater than `after`, and where the next page starts.

        With `since`, seconds since the epoch: only those updated at or after it.
        """
        found = list(islice(self._numbers(after, since), limit + 1))
        return found[:limit], found[limit - 1] if len(found) > limit else None

    def file(self, id_: str, kind: FileKind) -> bytes | None:
        """Return a file's bytes, None where there is no such component."""
        number = number_of(id_)
        if number is None or number in self._removed or number >= self._components:
            return None
        return file_bytes(kind, number, self._state(number).versions[FILE_KINDS.index(kind)])

    def entry(self, number: int, base_url: str) -> str:
        """Return what the manifest says of a component, as JSON."""
        state = self._state(number)
        config_version, format_version, records_version, screenshot_version = state.versions
        id_, kind = component_id(number), category(number)
        one_tag, other_tag = tags(number)
        file = f'"url":"{base_url}/files/{id_}.'
        return (
            f'{{"id":"{id_}","revision":"{state.revision}","name":"{kind} {number}",'
            f'"client":"{client(number)}","category":"{kind}","tags":["{one_tag}","{other_tag}"],'
            f'"updated_at":"{datetime.fromtimestamp(state.updated_at, UTC).isoformat()}","files":{{'
            f'"config":{{{file}config","sha256":'
            f'"{sha256(config(number, config_version)).hexdigest()}"}},'
            f'"format":{{{file}format","sha256":'
            f'"{sha256(html(number, format_version)).hexdigest()}"}},'
            f'"records":{{{file}records","sha256":'
            f'"{sha256(records(number, records_version)).hexdigest()}"}},'
            f'"screenshot":{{{file}screenshot","sha256":'
            f'"{sha256(picture(number, screenshot_version)).hexdigest()}"}}}}}}'
        )

    def edit(self, numbers: Iterable[int], files: Iterable[FileKind]) -> None:
        """Give components a new revision and new bytes in `files`; raises UnknownComponent."""
        chosen = self._all_there(numbers)
        step = tuple(int(kind in set(files)) for kind in FILE_KINDS)
        now = self._now()
        for number in chosen:
            before = self._state(number)
            config_version, format_version, records_version, screenshot_version = (
                version + one for version, one in zip(before.versions, step, strict=True)
            )
            versions = (config_version, format_version, records_version, screenshot_version)
            self._edited[number] = State(before.revision + 1, versions, now)
        self._changes += 1

    def remove(self, numbers: Iterable[int]) -> None:
        """Take components off the listing; raises UnknownComponent."""
        self._removed.update(self._all_there(numbers))
        self._changes += 1

    def restore(self, numbers: Iterable[int]) -> None:
        """List removed components again, as they were, updated now; raises UnknownComponent."""
        chosen = set(numbers)
        if strangers := chosen - self._removed:
            raise UnknownComponent(f"component {min(strangers)} was not removed")
        now = self._now()
        for number in chosen:
            before = self._state(number)
            self._edited[number] = State(before.revision, before.versions, now)
        self._removed -= chosen
        self._changes += 1

    def _all_there(self, numbers: Iterable[int]) -> set[int]:
        chosen = set(numbers)
        for number in chosen:
            if not 0 <= number < self._components or number in self._removed:
                raise UnknownComponent(f"there is no component {number}")
        return chosen

    def _state(self, number: int) -> State:
        return self._edited.get(number) or State(1, (0, 0, 0, 0), FIRST_UPDATE + number)

    def _numbers(self, after: int, since: float | None) -> Iterator[int]:
        if since is None:
            candidates: Iterable[int] = range(after + 1, self._components)
        else:
            edited = sorted(number for number in self._edited if number > after)
            first = max(after + 1, int(since - FIRST_UPDATE))
            candidates = heapq.merge(edited, range(first, self._components))
        before = after
        for number in candidates:
            # Those edited are among both; the second one is passed over.
            if number == before or number in self._removed:
                continue
            if since is None or self._state(number).updated_at >= since:
                before = number
                yield number
