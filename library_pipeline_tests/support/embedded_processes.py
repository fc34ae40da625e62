"""The processes of an embedded server, and their end by force."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from library_pipeline.embedded_server.files import ServerFiles, ServerState


def state_of(home: Path) -> ServerState:
    state = ServerFiles.below(home).read_state()
    assert state is not None
    return state


def kill_postgres(home: Path) -> None:
    pid = state_of(home).postgres_pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
