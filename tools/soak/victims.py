"""Whom to kill: every process of the library under test, by what it does, found afresh."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal, get_args

import psutil

from library_pipeline.embedded_server.files import ServerFiles
from library_pipeline.embedded_server.locks import is_held
from tools.soak.services import Services

Victim = Literal[
    "run worker",
    "daemon",
    "code server",
    "postmaster",
    "backend",
    "supervisor",
    "refresh",
    "everything",
]
VICTIMS: tuple[Victim, ...] = get_args(Victim)
# Workers and whole machines die most often; of the rest, each its share.
WEIGHTS = {"run worker": 3, "everything": 2, "refresh": 2}


class Executioner:
    """Sends SIGKILL to processes of the library in `home`, and to no other."""

    def __init__(self, home: Path, services: Services, chance: random.Random) -> None:
        self._home = home
        self._services = services
        self._chance = chance

    def kill(self, victim: Victim) -> bool:
        """Kill one process of that kind, or all of all kinds; whether there was any."""
        pids = self.everyone() if victim == "everything" else self._one(self._find(victim))
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return bool(pids)

    def everyone(self) -> list[int]:
        """Return all processes, the database's among them."""
        kinds: list[Victim] = [victim for victim in VICTIMS if victim != "everything"]
        return [pid for victim in kinds for pid in self._find(victim)]

    def workers(self) -> list[int]:
        """Return the processes of Dagster runs, orphans of a killed code server too."""
        return [
            process.pid
            for process in psutil.process_iter()
            if _is_worker(process) and _home_of(process) == str(self._home)
        ]

    def _find(self, victim: Victim) -> list[int]:
        if victim == "run worker":
            return self.workers()
        if victim in ("daemon", "code server", "refresh"):
            pid = self._services.pid(victim)
            return [] if pid is None else [pid]
        files = ServerFiles.below(self._home)
        state = files.read_state()
        # What a dead supervisor said last may name pids that are other programs' by now.
        if state is None or not is_held(files.supervisor_lock):
            return []
        if victim == "supervisor":
            return [state.supervisor_pid]
        if state.postgres_pid is None:
            return []
        return [state.postgres_pid] if victim == "postmaster" else _backends(state.postgres_pid)

    def _one(self, pids: Sequence[int]) -> list[int]:
        return [self._chance.choice(sorted(pids))] if pids else []


def _is_worker(process: psutil.Process) -> bool:
    # Dagster's code server starts a run's process by multiprocessing's "spawn".
    with suppress(psutil.Error):
        return "multiprocessing.spawn" in " ".join(process.cmdline())
    return False


def _home_of(process: psutil.Process) -> str | None:
    with suppress(psutil.Error):
        return process.environ().get("LIBRARY_HOME")
    return None


def _backends(postmaster: int) -> list[int]:
    """Return the server's processes that serve a client."""
    with suppress(psutil.Error):
        return [
            child.pid
            for child in psutil.Process(postmaster).children()
            if "[local]" in " ".join(child.cmdline())
        ]
    return []
