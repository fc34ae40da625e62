"""What a user reads when the embedded server cannot do its work."""

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
class State:
    """What the supervisor tells clients; true only while the supervisor holds its lock."""

    status: Status
    socket_dir: str
    supervisor_pid: int
    postgres_pid: int | None = None


@dataclass(frozen=True, slots=True)
class ServerFiles:
    """Every path of one embedded server, all below `<home>/postgres` but a too long socket's."""

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
        """Where initdb works, until one rename makes its result the data directory."""
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
        """Held by the supervisor for as long as it lives."""
        return self.root / "supervisor.lock"

    @property
    def stop_request(self) -> Path:
        """Made by whoever wants the server to stop."""
        return self.root / "stop.request"

    @property
    def state(self) -> Path:
        """What the supervisor says of itself."""
        return self.root / "state.json"

    @property
    def server_log(self) -> Path:
        """What postgres says."""
        return self.root / "server.log"

    @property
    def supervisor_log(self) -> Path:
        """What the supervisor says."""
        return self.root / "supervisor.log"

    @property
    def digest(self) -> str:
        """Twelve hex digits that tell this data directory from any other on the machine."""
        return hashlib.sha256(os.fsencode(self.data)).hexdigest()[:12]

    @property
    def cluster_name(self) -> str:
        """The name that every process of this server carries in its title."""
        return f"library-pipeline-{self.digest}"

    def create_root(self) -> None:
        """Make `<home>/postgres` (0700) unless it is there, and insist that it is ours."""
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

        Beside the data it is the same for every client, whatever its environment, private /tmp or
        container; $XDG_RUNTIME_DIR would vanish at logout, under a server that is still in use.
        """
        beside = self.root / "run"
        if is_plain_path(beside):
            return beside
        shared = Path("/tmp")  # noqa: S108 - make_private_dir looks at what is there
        parent = shared if os.access(shared, os.W_OK | os.X_OK) else Path(tempfile.gettempdir())
        return parent / f"library-pipeline-{os.geteuid()}-{self.digest}"

    def write_state(self, state: State) -> None:
        """Replace the state file in one step."""
        temporary = self.state.with_suffix(".tmp")
        temporary.write_text(json.dumps(asdict(state)))
        temporary.replace(self.state)

    def read_state(self) -> State | None:
        """Return what the supervisor last said, None where it said nothing."""
        try:
            return State(**json.loads(self.state.read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def log_tail(self, lines: int = 12) -> str:
        """Return the end of the server's log, for error messages."""
        try:
            with self.server_log.open("rb") as log:
                log.seek(max(0, os.fstat(log.fileno()).st_size - 8192))
                return "\n".join(log.read().decode(errors="replace").splitlines()[-lines:])
        except OSError:
            return "(no log)"


def is_plain_path(folder: Path) -> bool:
    """Return whether a socket in `folder` fits its address and can be named in every URL."""
    short = len(os.fsencode(folder)) <= _MAX_SOCKET_DIR_BYTES
    return short and _PLAIN_PATH.fullmatch(str(folder)) is not None


def make_private_dir(folder: Path) -> None:
    """Make `folder` with mode 0700; refuse one that another user or a link has put there first.

    Raises EmbeddedServerError: in a shared /tmp anyone can guess the name and lie in wait.
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
