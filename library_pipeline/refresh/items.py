"""What flows through a refresh: one component on its way from the CMS to the index."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from library_pipeline.bundles.store import BundleStore
from library_pipeline.catalog.bundle import Bundle
from library_pipeline.catalog.component import Component
from library_pipeline.catalog.failures import Failure
from library_pipeline.catalog.refresh import Action, Outcome
from library_pipeline.encoders import Encoder
from library_pipeline.sources.source import Source
from library_pipeline.store.database import Database
from library_pipeline.store.embeddings import RegisteredEncoder
from library_pipeline.store.index import IndexedFiles, Screenshot

Stage = Literal["bundle", "embedding", "index"]
ALL_STAGES: frozenset[Stage] = frozenset({"bundle", "embedding", "index"})


@dataclass(frozen=True, slots=True)
class EncoderInUse:
    """An encoder and how to get it; `load` is called once something must be embedded."""

    registered: RegisteredEncoder
    load: Callable[[], Encoder]


@dataclass(frozen=True, slots=True)
class Equipment:
    """What a refresh works with: among it the encoders that search asks or will ask.

    `batch_size` screenshots are decoded for all of them and embedded at a time. Setting `stop` ends
    a chunk early: what is under way is finished, nothing more is begun.
    """

    database: Database
    bundles: BundleStore
    sources: tuple[Source, ...]
    encoders: tuple[EncoderInUse, ...]
    batch_size: int = 32
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def registered(self) -> tuple[RegisteredEncoder, ...]:
        """The encoders as the registry knows them."""
        return tuple(encoder.registered for encoder in self.encoders)


@dataclass(frozen=True, slots=True)
class Task:
    """One component to refresh: its manifest entry, and what is known of it already.

    With `force`, what is known does not count.
    """

    component: Component
    action: Action
    indexed: IndexedFiles | None = None
    known: Bundle | None = None
    force: bool = False


@dataclass(slots=True)
class Item:
    """A task under way; each phase fills in its part, and `milliseconds` by phase.

    `pixels` are for each encoder that has no vector of the screenshot yet; those that made one
    now are in `embedded`.
    """

    task: Task
    bundle: Bundle
    screenshot: bytes
    downloaded_bytes: int
    milliseconds: dict[str, float] = field(default_factory=dict)
    decoded: Screenshot | None = None
    pixels: dict[RegisteredEncoder, NDArray[np.uint8]] = field(default_factory=dict)
    embedded: set[RegisteredEncoder] = field(default_factory=set)

    @property
    def component_id(self) -> str:
        """Id of the component."""
        return self.task.component.component_id


@dataclass(frozen=True, slots=True)
class Report:
    """What became of one component that succeeded, for whoever tells people about it.

    What an earlier run has done and not told of comes without its bytes and times.
    """

    component_id: str
    revision: str
    outcome: Outcome
    bundle: Bundle
    downloaded_bytes: int = 0
    embedded: bool = False
    milliseconds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ChunkReport:
    """What became of a chunk's components; `stopped` if some of them were not begun."""

    succeeded: tuple[Report, ...]
    failures: tuple[Failure, ...]
    stopped: bool = False
