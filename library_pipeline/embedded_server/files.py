"""The files of one embedded server, the state that its supervisor writes, and its error."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal


class EmbeddedServerError(RuntimeError):
    """The embedded PostgreSQL cannot be started or used; the message names the way out."""


PORT = 5432  # names the socket file only: nothing listens on TCP
# sockaddr_un holds 104 bytes on macOS and 108 on Linux, of which "/.s.PGSQL.5432" takes 14.
_MAX_SOCKET_DIR_BYTES = 88
# libpq splits hosts at commas, SQLAlchemy at colons; such paths cannot be named in a URL.
_PLAIN_PATH = re.compile(r"/[A-Za-z0-9_./-]*")

Status = Literal["starting", "ready", "restarting", "stopping"]


@dataclass(frozen=True, slots=True)
class ServerState:
    """The supervisor's state, for clients; valid only while the supervisor holds its lock."""

    status: Status
    socket_dir: str
    supervisor_pid: int
    postgres_pid: int | None = None


@dataclass(frozen=True, slots=True)
class ServerFiles:
    """The paths of one embedded server, below `<home>/postgres`; a long socket path is in /tmp."""

    root: Path

    @classmethod
    def below(cls, home: Path) -> ServerFiles:
        """Return the files of the server that lives in `home`."""
        return cls(Path(os.path.realpath(home)) / "postgres")

    @property
    def data(self) -> Path:
        """The data directory, PGDATA."""
        return self.root / "data"

    @property
    def new_data(self) -> Path:
        """The folder in which initdb works; a rename makes it the data directory."""
        return self.root / "data.new"

    @property
    def clients_lock(self) -> Path:
        """Held shared by every client."""
        return self.root / "clients.lock"

    @property
    def start_lock(self) -> Path:
        """Held by the client that is starting a supervisor."""
        return self.root / "start.lock"

    @property
    def supervisor_lock(self) -> Path:
        """Held by the supervisor while it runs."""
        return self.root / "supervisor.lock"

    @property
    def stop_request(self) -> Path:
        """A file that asks the supervisor to stop the server."""
        return self.root / "stop.request"

    @property
    def state(self) -> Path:
        """The supervisor's state."""
        return self.root / "state.json"

    @property
    def server_log(self) -> Path:
        """The log of postgres."""
        return self.root / "server.log"

    @property
    def supervisor_log(self) -> Path:
        """The log of the supervisor."""
        return self.root / "supervisor.log"

    @property
    def digest(self) -> str:
        """Twelve hex digits, different for each data directory on the machine."""
        return hashlib.sha256(os.fsencode(self.data)).hexdigest()[:12]

    @property
    def cluster_name(self) -> str:
        """The name in the title of every process of this server."""
        return f"library-pipeline-{self.digest}"

    def create_root(self) -> None:
        """Create `<home>/postgres` (0700) if it is missing.

        Raises EmbeddedServerError if it cannot be created or belongs to another user.
        """
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            owner = self.root.stat().st_uid
        except OSError as error:
            raise EmbeddedServerError(
                f"cannot create {self.root}: {error.strerror}; make the folder writable, choose "
                "another home, or point LIBRARY_DATABASE_URL at a server"
            ) from error
        if owner != os.geteuid():
            raise EmbeddedServerError(
                f"{self.root} belongs to uid {owner}, this program runs as uid {os.geteuid()}; "
                "run it as that user, or choose another home"
            )

    def socket_dir(self) -> Path:
        """Return the folder for the socket: beside the data, or in /tmp if a URL cannot name it.

        Beside the data, clients with different environments, /tmp folders and containers find it.
        $XDG_RUNTIME_DIR would vanish at logout, while the server may still be in use.
        """
        beside = self.root / "run"
        if is_plain_path(beside):
            return beside
        shared = Path("/tmp")  # noqa: S108 - make_private_dir checks the owner
        parent = shared if os.access(shared, os.W_OK | os.X_OK) else Path(tempfile.gettempdir())
        return parent / f"library-pipeline-{os.geteuid()}-{self.digest}"

    def write_state(self, state: ServerState) -> None:
        """Replace the state file in one step."""
        temporary = self.state.with_suffix(".tmp")
        temporary.write_text(json.dumps(asdict(state)))
        temporary.replace(self.state)

    def read_state(self) -> ServerState | None:
        """Return the last state that a supervisor wrote, None if there is none."""
        try:
            return ServerState(**json.loads(self.state.read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def log_tail(self) -> str:
        """Return the end of the server's log, for error messages."""
        try:
            with self.server_log.open("rb") as log:
                log.seek(max(0, os.fstat(log.fileno()).st_size - 8192))
                return "\n".join(log.read().decode(errors="replace").splitlines()[-12:])
        except OSError:
            return "(no log)"


def socket_file(folder: Path) -> Path:
    """Return the path of the socket that postgres opens in `folder`."""
    return folder / f".s.PGSQL.{PORT}"


def is_plain_path(folder: Path) -> bool:
    """Return whether a socket in `folder` fits its address and can be named in every URL."""
    short = len(os.fsencode(folder)) <= _MAX_SOCKET_DIR_BYTES
    return short and _PLAIN_PATH.fullmatch(str(folder)) is not None


def make_private_dir(folder: Path) -> None:
    """Create `folder` with mode 0700.

    Raises EmbeddedServerError if it is a link or another user's: in a shared /tmp, any user can
    guess the name and create it first.
    """
    with suppress(FileExistsError):  # a file or a dangling link; the check below names it
        folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise EmbeddedServerError(
            f"{folder} is not a folder of uid {os.geteuid()} (owner: uid {found.st_uid}); remove "
            "it if you know whose it is, or choose a shorter home so that it is not needed"
        )
    folder.chmod(0o700)
