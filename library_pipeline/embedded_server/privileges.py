"""The user that postgres runs as: it refuses uid 0, and initdb refuses a uid without a name.

A normal user runs it as itself. Root tries two ways, in this order:

1. A plain user ("postgres", else "nobody") owns the data directory. If it cannot reach the
   binaries or the data because a folder above is closed (a venv in /root), it keeps the weakest
   capability that suffices: CAP_DAC_READ_SEARCH, or CAP_DAC_OVERRIDE, which plain Docker grants.
   The folders above keep their permissions.
2. Where uids cannot change (a sandbox with a single uid): a user namespace in which root has
   another number. Plain Docker forbids these, so it comes second.

Each way is tried with the real binaries; permission bits do not tell enough.
"""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from library_pipeline.embedded_server import linux
from library_pipeline.embedded_server.files import EmbeddedServerError

# Only our servers have this group (systemd keeps 65520-65533 unused, and rootless containers map
# it). Root's server folder opens to this group only: the socket trusts each process that reaches
# it, and other processes of "nobody" must not.
SERVER_GID = 65533
_SERVER_USERS = ("postgres", "nobody", "daemon")
# SIGINT is postgres's fast shutdown: it disconnects the clients and writes a checkpoint. SIGQUIT is
# quicker, but costs a crash recovery and the table statistics that autovacuum needs.
_DEATH_SIGNAL = signal.SIGINT


@dataclass(frozen=True, slots=True)
class RunAs:
    """A way to start the server's programs."""

    uid: int | None = None  # change to this uid (and SERVER_GID); None: keep ours
    capability: int | None = None  # the one capability kept through the change
    called: int | None = None  # enter a user namespace under this uid

    @property
    def owner(self) -> int:
        """The uid that must own the data directory."""
        return os.geteuid() if self.uid is None else self.uid

    @property
    def description(self) -> str:
        """The way in a word, for logs."""
        if self.uid is not None:
            kept = {None: "", 1: "+dac_override", 2: "+dac_read_search"}[self.capability]
            return f"uid_{self.uid}{kept}"
        return "own_uid" if self.called is None else f"user_namespace_{self.called}"

    def popen(
        self, command: Sequence[str | Path], env: Mapping[str, str], output: int | IO[bytes]
    ) -> subprocess.Popen[bytes]:
        """Start `command` in its own session; it ends with this process, which has one thread."""
        parent = os.getpid()

        def prepare() -> None:
            self._enter()
            linux.die_with_parent(parent, _DEATH_SIGNAL)

        return subprocess.Popen(  # noqa: S603
            [os.fspath(word) for word in command],
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=prepare,  # noqa: PLW1509 - safe: the supervisor has a single thread
        )

    def can_use(self, program: Path, must_read: Sequence[Path], folder: Path) -> str | None:
        """Return None if this way works for `program`, `must_read` and `folder`, else why not."""

        def prepare() -> None:
            try:
                self._enter()
                if not os.access(program, os.X_OK):  # postgres checks its binaries so, too
                    raise PermissionError(f"may not execute {program}")
                for path in must_read:
                    os.close(os.open(path, os.O_RDONLY))
                os.chdir(folder)
            except OSError as error:  # subprocess would hide the message
                os.write(2, str(error).encode())
                os._exit(1)

        try:
            tried = subprocess.run(  # noqa: S603
                [program, "-V"], check=False, capture_output=True, env={}, preexec_fn=prepare
            )
        except (OSError, subprocess.SubprocessError) as error:
            return str(error)
        return None if tried.returncode == 0 else tried.stderr.decode(errors="replace").strip()

    def _enter(self) -> None:
        if self.uid is not None:
            linux.become(self.uid, SERVER_GID, self.capability)
        elif self.called is not None:
            linux.appear_as(self.called)


def choose(program: Path, must_read: Sequence[Path], folder: Path, data: Path) -> RunAs:
    """Return the first way that lets `program` run and reach `must_read` and `folder`.

    Raises EmbeddedServerError, which names each way and the reason against it.
    """
    refusals: list[str] = []
    for way in _ways(data):
        refusal = way.can_use(program, must_read, folder)
        if refusal is None:
            return way
        refusals.append(f"{way.description}: {refusal}")
    raise EmbeddedServerError(
        f"cannot run {program} as uid {os.geteuid()} ({'; '.join(refusals)}); run this program as "
        "a normal user that has a line in /etc/passwd, or point LIBRARY_DATABASE_URL at a server"
    )


def _ways(data: Path) -> Iterator[RunAs]:
    if os.geteuid() != 0:
        if data.exists() or _has_name(os.geteuid()):
            yield RunAs()
        elif linux.AVAILABLE:
            yield RunAs(called=_server_uid())
        return
    uid = (data.stat().st_uid if data.exists() else 0) or _server_uid()
    yield RunAs(uid=uid)
    if linux.AVAILABLE:
        yield RunAs(uid=uid, capability=linux.CAP_DAC_READ_SEARCH)
        yield RunAs(uid=uid, capability=linux.CAP_DAC_OVERRIDE)
        yield RunAs(called=_server_uid())


def _has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _server_uid() -> int:
    for name in _SERVER_USERS:
        try:
            return pwd.getpwnam(name).pw_uid
        except KeyError:
            continue
    raise EmbeddedServerError(
        f"/etc/passwd has none of the users {', '.join(_SERVER_USERS)}, and postgres refuses to "
        "run as root; add one of them, run as a normal user, or set LIBRARY_DATABASE_URL"
    )
