"""Is the service alive, and is it ready? For those who start it and send it requests."""

from __future__ import annotations

from typing import Any

import psycopg
from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from library_pipeline.database.migrations import MigrationError, pending
from library_pipeline.index.encoders import active_encoders
from library_pipeline.shipped import shipped
from library_pipeline.web.library import InLibrary, Library

router = APIRouter(include_in_schema=False)


@router.api_route("/healthz", methods=["GET", "HEAD"])
async def healthz() -> dict[str, str]:
    """Say that the process answers; asks nothing else."""
    return {"status": "ok"}


@router.api_route("/readyz", methods=["GET", "HEAD"])
def readyz(library: InLibrary) -> Response:
    """Say whether questions can be answered, and if not, why: 503.

    A model that is being loaded is no reason, as a question waits for it; one that cannot be is.
    """
    state, reasons = _state(library)
    return JSONResponse(
        {"ready": not reasons, **state, "reasons": reasons}, 503 if reasons else 200
    )


def _state(library: Library) -> tuple[dict[str, Any], list[str]]:
    try:
        with library.database.connect() as connection:
            behind = pending(connection, shipped("sql"))
            active = () if behind else active_encoders(connection)
    except psycopg.Error:
        return {"database": "down"}, ["the database does not answer"]
    except MigrationError:  # its words name files, and whoever asks here need not have a key
        reason = "the database and this program do not fit together; `library-pipeline doctor`"
        return {"database": "up", "migrations": "unknown"}, [reason]
    if behind:
        reason = f"the database lacks {', '.join(behind)}; restart the service, which migrates it"
        return {"database": "up", "migrations": "pending"}, [reason]
    models = {each.name: library.models.state(each) for each in active}
    reasons = [
        f"the model of {name} cannot be loaded ({state.removeprefix('failed: ')}); the server's "
        "log has the reason"
        for name, state in models.items()
        if state.startswith("failed")
    ]
    return {"database": "up", "migrations": "current", "models": models}, reasons
