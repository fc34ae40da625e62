"""Manifests, index rows and plans, written and made without a CMS or a refresh."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import psycopg

from library_pipeline.catalog.component import Component, FileRef
from library_pipeline.catalog.encoder import EncoderInfo, EncoderSpec
from library_pipeline.catalog.refresh import RefreshKind, RefreshRequest, RefreshScope
from library_pipeline.index.encoders import register_encoder
from library_pipeline.refresh.comparison import Plan, make_plan
from library_pipeline.refresh.log import create_refresh, new_refresh_id
from library_pipeline.refresh.staging import load_manifest
from library_pipeline.sources.entry import ManifestProblem

WHOLE = RefreshScope()


def component(component_id: str, revision: str, client: str = "north") -> Component:
    file = FileRef("http://127.0.0.1/x")
    files = {"config": file, "format": file, "records": file, "screenshot": file}
    return Component(component_id, revision, f"Name {component_id}", files, client)  # type: ignore[arg-type]


def put_manifest(
    connection: psycopg.Connection, entries: list[Component | ManifestProblem]
) -> None:
    with load_manifest(connection) as load:
        load.add(entries)
        load.commit(source="http://cms", etag=None)


def put_indexed(
    connection: psycopg.Connection,
    encoder: EncoderInfo,
    component_id: str,
    revision: str,
    *,
    embedded: bool = True,
) -> None:
    digest = hashlib.sha256(component_id.encode()).hexdigest()
    connection.execute("insert into pipeline.screenshot values (%s, 'png', 1, 1, 1, '')", (digest,))
    connection.execute(
        """insert into pipeline.component values
           (%s, %s, %s, '', '', '', '{}', null, '', '', '', %s)""",
        (component_id, component_id, revision, digest),
    )
    if embedded:
        connection.execute(
            f"insert into pipeline.embedding_{encoder.id} values (%s, '[1,0]')",
            (digest,),
        )


def put_failure(
    connection: psycopg.Connection, component_id: str, revision: str, *, due: bool
) -> None:
    connection.execute(
        """insert into pipeline.failure (component_id, revision, refresh_id, phase, code, message,
                                         transient, next_due_at)
           values (%s, %s, 'old', 'download', 'x', 'x', true,
                   now() + case when %s then interval '-1 s' else interval '1 h' end)""",
        (component_id, revision, due),
    )


def encoder_of(connection: psycopg.Connection) -> EncoderInfo:
    return register_encoder(connection, EncoderSpec("clip", "m"), fingerprint="f", dim=2)


def plan(
    connection: psycopg.Connection,
    kind: RefreshKind = "incremental",
    scope: RefreshScope = WHOLE,
    *,
    chunk_size: int = 2,
    share: float = 1.0,
    buckets: int | None = None,
) -> Plan:
    request = RefreshRequest(new_refresh_id(datetime.now(UTC)), kind, "cli", scope, in_process=True)
    create_refresh(connection, request)
    return make_plan(
        connection,
        request,
        encoders=[encoder_of(connection)],
        chunk_size=chunk_size,
        max_removed_share=share,
        buckets=buckets,
    )


def actions(connection: psycopg.Connection, made: Plan) -> dict[str, str]:
    return dict(
        connection.execute(
            "select component_id, action from pipeline.refresh_component where refresh_id = %s",
            (made.refresh_id,),
        ).fetchall()
    )


def put_refresh(connection: psycopg.Connection, name: str, kind: str, state: str, age: str) -> None:
    connection.execute(
        """insert into pipeline.refresh (id, kind, state, asked_by, in_process, started_at,
                                         finished_at)
           values (%s, %s, %s, 'cli', true, now() - %s::interval, now() - %s::interval)""",
        (name, kind, state, age, age),
    )
