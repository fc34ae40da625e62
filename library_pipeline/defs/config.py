"""Run configuration: what a person or a sensor may ask a run for."""

from enum import Enum

import dagster as dg
from pydantic import Field


class Planned(Enum):
    """What a manifest run plans; Dagster's configuration takes an Enum, not a Literal."""

    none = "none"
    incremental = "incremental"
    full = "full"
    retry = "retry"


class ManifestConfig(dg.Config):
    """Terms of a manifest run. By default it only reads the manifest and plans nothing."""

    refresh: Planned = Field(
        default=Planned.none, description="Which refresh to plan over the manifest."
    )
    client: str | None = Field(default=None, description="Only components of this client.")
    limit: int | None = Field(default=None, description="At most this many components.")
    allow_removals: bool = Field(
        default=False, description="Remove what left the CMS, however much it is."
    )
    refresh_id: str | None = Field(default=None, description="Set by the command line.")
    in_process: bool = Field(default=False, description="Set by the command line.")


class ChunkConfig(dg.Config):
    """Which chunk of which refresh a run does; empty for a run over partitions from the UI."""

    refresh_id: str | None = None
    chunk: int = 0
