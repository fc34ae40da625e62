"""What moves through a chunk: one component on its way from the CMS to the index."""

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
from library_pipeline.catalog.encoder import EncoderInfo
from library_pipeline.catalog.failures import Failure
from library_pipeline.catalog.refresh import Action, Outcome
from library_pipeline.encoders import Encoder
from library_pipeline.sources.source import Source
from library_pipeline.store.database import Database
from library_pipeline.store.index import IndexedFiles, Screenshot

Stage = Literal["bundle", "embedding", "index"]
ALL_STAGES: frozenset[Stage] = frozenset({"bundle", "embedding", "index"})


@dataclass(frozen=True, slots=True)
class Equipment:
    """What a chunk is done with.

    `encoders` are the active and the configured ones; `load` returns one of them ready to embed,
    and is called only when something has to be embedded. `batch_size` screenshots are decoded and
    embedded at a time. Setting `stop` ends a chunk early: started work is finished, and no further
    component is started.
    """

    database: Database
    bundles: BundleStore
    sources: tuple[Source, ...]
    encoders: tuple[EncoderInfo, ...]
    load: Callable[[EncoderInfo], Encoder]
    batch_size: int = 32
    stop: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True)
class Task:
    """One component to refresh: its manifest entry, and what is already known of it.

    `indexed` and `known` are what the index and the bundle records hold. With `force` they are
    ignored.
    """

    component: Component
    action: Action
    indexed: IndexedFiles | None = None
    known: Bundle | None = None
    force: bool = False


@dataclass(slots=True)
class Delivery:
    """A task whose bundle has arrived; each later phase fills in its part.

    `pixels` holds the preprocessed screenshot for each encoder that has no vector of it yet, and
    `embedded` the encoders that made one in this chunk. `milliseconds` are by phase.
    """

    task: Task
    bundle: Bundle
    screenshot: bytes
    downloaded_bytes: int
    milliseconds: dict[str, float] = field(default_factory=dict)
    decoded: Screenshot | None = None
    pixels: dict[EncoderInfo, NDArray[np.uint8]] = field(default_factory=dict)
    embedded: set[EncoderInfo] = field(default_factory=set)

    @property
    def component_id(self) -> str:
        """Id of the component."""
        return self.task.component.component_id


@dataclass(frozen=True, slots=True)
class Success:
    """A component that a chunk has brought up to date.

    A success that an earlier run of the chunk stored has no bytes and no times.
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
    """The result of one run of a chunk; `stopped` if it did not start every component.

    `succeeded` and `failures` are of this run. An earlier run of the chunk may have stored
    components and died before it told Dagster: those are `untold`. `news` is what Dagster has to
    be told now, from both: all but what another refresh has replaced since.
    """

    succeeded: tuple[Success, ...]
    untold: tuple[Success, ...]
    news: tuple[Success, ...]
    failures: tuple[Failure, ...]
    stopped: bool = False
