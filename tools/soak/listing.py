"""What the simulated CMS lists, kept beside it: every edit is made at both, so both must agree."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from library_pipeline.catalog.component import FILE_KINDS, FileKind
from tools.simulated_cms import SimulatedCms
from tools.simulated_cms.content import component_id
from tools.simulated_cms.library import SimulatedLibrary

MOST_REMOVED = 4
# A plan reads the manifest before it acts on it, and a killed one acts late.
_ACTS_LATE_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Listed:
    """A component as the CMS has it: its revision and its files' sha256 by kind."""

    revision: str
    files: dict[str, str]


class Listing:
    """Edits the CMS at random, remembers when each component was off its listing."""

    def __init__(self, cms: SimulatedCms, chance: random.Random) -> None:
        self._cms = cms
        self._chance = chance
        self._library = SimulatedLibrary(cms.components)
        self._removed: set[int] = set()
        self._absences: dict[str, list[list[float]]] = {}
        self.edits = 0

    def edit(self, most: int) -> str:
        """Edit up to `most` components, remove and restore a few; say what was done."""
        there = sorted(set(range(self._cms.components)) - self._removed)
        edited = self._chance.sample(there, self._chance.randint(max(1, most // 2), most))
        files: Sequence[FileKind] = self._chance.choice([("screenshot",), FILE_KINDS])
        restored = self._chance.sample(
            sorted(self._removed), self._chance.randint(0, min(len(self._removed), MOST_REMOVED))
        )
        unedited = sorted(set(there) - set(edited))
        removed = self._chance.sample(unedited, self._chance.randint(0, MOST_REMOVED))
        self._edit(edited, files)
        if restored:
            self._cms.restore(restored)
            self._library.restore(restored)
            self._removed -= set(restored)
            self._note_restored(restored)
        if removed:
            self._note_removed(removed)
            self._cms.remove(removed)
            self._library.remove(removed)
            self._removed |= set(removed)
        return f"{len(edited)} edited, {len(removed)} removed, {len(restored)} restored"

    def edit_exactly(self, count: int, files: Sequence[FileKind] = FILE_KINDS) -> None:
        """Edit `count` components and do nothing else."""
        there = sorted(set(range(self._cms.components)) - self._removed)
        self._edit(self._chance.sample(there, count), files)

    def may_be_gone(self, id_: str, since: float, until: float) -> bool:
        """Whether the CMS had the component off its listing at some time between the two."""
        return any(
            begun <= until and ended >= since - _ACTS_LATE_SECONDS
            for begun, ended in self._absences.get(id_, ())
        )

    def current(self) -> dict[str, Listed]:
        """Return everything that is listed, by id, with digests of freshly made content."""
        numbers, _ = self._library.page(self._cms.components)
        entries: list[dict[str, Any]] = [
            json.loads(self._library.entry(number, "http://cms")) for number in numbers
        ]
        return {
            entry["id"]: Listed(
                entry["revision"],
                {kind: file["sha256"] for kind, file in entry["files"].items()},
            )
            for entry in entries
        }

    def _edit(self, numbers: Sequence[int], files: Sequence[FileKind]) -> None:
        self._cms.edit(numbers, files)
        self._library.edit(numbers, files)
        self.edits += len(numbers)

    def _note_removed(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            self._absences.setdefault(component_id(number), []).append([time.time(), float("inf")])

    def _note_restored(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            self._absences[component_id(number)][-1][1] = time.time()
