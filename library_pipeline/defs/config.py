"""Run configuration: what a person or a sensor may ask a run for."""

from enum import Enum

import dagster as dg
from pydantic import Field

from library_pipeline.catalog.refresh import AskedBy, RefreshRequest, RefreshScope


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
    category: str | None = Field(default=None, description="Only components of this category.")
    only: list[str] = Field(default=[], description="Only the components with these ids.")
    limit: int | None = Field(default=None, description="At most this many components.")
    due_only: bool = Field(default=False, description="Retry only failures that are due.")
    force: bool = Field(
        default=False, description="Download and embed again whatever is there already."
    )
    approve_removals: bool = Field(
        default=False, description="Approve the removals that are held back now."
    )
    refresh_id: str | None = Field(default=None, description="Set by the command line.")
    in_process: bool = Field(default=False, description="Set by the command line.")

    @classmethod
    def of(cls, request: RefreshRequest) -> "ManifestConfig":
        """Return the configuration of a run that plans `request`."""
        return cls(
            refresh=Planned(request.kind),
            client=request.scope.client,
            category=request.scope.category,
            only=list(request.scope.only),
            limit=request.scope.limit,
            due_only=request.scope.due_only,
            force=request.force,
            refresh_id=request.refresh_id,
            in_process=request.in_process,
        )

    def request(self, refresh_id: str, asked_by: AskedBy) -> RefreshRequest:
        """Return what this configuration asks for. Raises ValueError if it plans nothing."""
        if self.refresh is Planned.none:
            raise ValueError("this run was not asked to plan a refresh")
        return RefreshRequest(
            refresh_id=self.refresh_id or refresh_id,
            kind=self.refresh.value,
            asked_by=asked_by,
            scope=RefreshScope(
                client=self.client,
                category=self.category,
                limit=self.limit,
                only=tuple(self.only),
                due_only=self.due_only,
            ),
            force=self.force,
            in_process=self.in_process,
        )


class ReembedConfig(dg.Config):
    """Terms of a reembed."""

    limit: int | None = Field(default=None, description="At most this many components.")
    due_only: bool = Field(
        default=False, description="Leave out what a reembed failed at and is not due again."
    )
    refresh_id: str | None = Field(default=None, description="Set by the command line.")
    in_process: bool = Field(default=False, description="Set by the command line.")

    @classmethod
    def of(cls, request: RefreshRequest) -> "ReembedConfig":
        """Return the configuration of a run that plans `request`."""
        return cls(
            limit=request.scope.limit,
            due_only=request.scope.due_only,
            refresh_id=request.refresh_id,
            in_process=request.in_process,
        )

    def request(self, refresh_id: str, asked_by: AskedBy) -> RefreshRequest:
        """Return what this configuration asks for."""
        return RefreshRequest(
            refresh_id=self.refresh_id or refresh_id,
            kind="reembed",
            asked_by=asked_by,
            scope=RefreshScope(limit=self.limit, due_only=self.due_only),
            in_process=self.in_process,
        )


class ChunkConfig(dg.Config):
    """Which chunk of which refresh a run does; empty for a run over partitions from the UI."""

    refresh_id: str | None = None
    chunk: int = 0
