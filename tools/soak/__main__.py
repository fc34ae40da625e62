"""Soak the pipeline: `python -m tools.soak --kills 50 --seed 1`; ends with 1 at a violation."""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from library_pipeline.bundles.store import BundleStore
from library_pipeline.database.connection import Database
from library_pipeline.defs.in_process import open_instance
from library_pipeline.settings import load_settings
from tools.simulated_cms import SimulatedCms
from tools.soak.account import show_deaths, show_work, work_done
from tools.soak.audit import audit, stray_partitions
from tools.soak.listing import Listing
from tools.soak.quiet import wait_until_quiet
from tools.soak.services import Services
from tools.soak.soaking import Soak
from tools.soak.victims import Executioner
from tools.soak.watcher import Watcher

# Slow enough that kills hit work under way, small enough that there is much of it.
_SETTINGS: Mapping[str, str] = {
    "LIBRARY_ENCODER_MODEL": "demo",
    "LIBRARY_ENCODER_BATCH_SIZE": "8",
    "LIBRARY_CMS_REQUESTS_PER_SECOND": "60",
    "LIBRARY_REFRESH_CHUNK_SIZE": "25",
    "LIBRARY_REFRESH_POLL_SECONDS": "2",
}
_FOREIGN = ("LIBRARY_", "DAGSTER_", "PG")

console = Console(highlight=False, width=120)


def main() -> int:
    """Run the soak over a library of its own; return the exit code."""
    options = _options()
    home = Path(tempfile.mkdtemp(prefix="soak-"))
    console.print(f"seed {options.seed}, {options.components} components, library {home}")
    with SimulatedCms(options.components) as cms:
        _set_environment(home, cms.url)
        violations = _soak(home, cms, options)
    for violation in violations:
        console.print(f"[bold red]violation[/] {violation}", markup=True)
    console.print("no violation" if not violations else f"{len(violations)} violations")
    if violations or options.keep:
        console.print(f"kept: {home}")
    else:
        shutil.rmtree(home, ignore_errors=True)
    return 1 if violations else 0


def _soak(home: Path, cms: SimulatedCms, options: argparse.Namespace) -> list[str]:
    chance = random.Random(options.seed)
    services = Services(home, dict(os.environ))
    listing = Listing(cms, chance)
    try:
        database = services.start()
        watcher = Watcher(database.url, listing)
        watcher.start()
        if services.refresh().wait(300):
            return [f"the first refresh failed; see {home}/logs/refresh.log"]
        _say(f"{watcher.acknowledgements} acknowledgements after the first refresh")
        cms.reset_requests()
        soak = Soak(services, listing, watcher, Executioner(home, services, chance), chance, _say)
        began = time.monotonic()
        soak.run(options.kills)
        _say(
            f"{options.kills} kills in {time.monotonic() - began:.0f} s; waiting until all is quiet"
        )
        return _conclude(database, cms, soak, options.quiet_seconds)
    finally:
        services.stop()


def _conclude(database: Database, cms: SimulatedCms, soak: Soak, quiet_seconds: float) -> list[str]:
    settings = load_settings()
    with open_instance(settings, database) as instance:
        took, left = wait_until_quiet(
            database, instance, settings, soak.services.keep_up, quiet_seconds
        )
        soak.watcher.stop()
        soak.note_recoveries()
        listed = soak.listing.current()
        with database.connect() as connection:
            found = audit(connection, BundleStore(settings.bundle_root), instance, listed)
            done = work_done(connection, instance)
        stray = stray_partitions(instance, listed)
    show_deaths(console, soak.deaths)
    show_work(
        console,
        [
            ("components at the end", len(listed)),
            ("component edits", soak.listing.edits),
            ("acknowledgements seen", soak.watcher.acknowledgements),
            ("looks at the index", soak.watcher.looks),
            ("times the witness lost its connection", soak.watcher.reconnected),
            ("screenshots downloaded after the first refresh", cms.requests()["screenshot"]),
            *done,
            ("services started again", soak.services.restarts),
            ("partitions of removed components left to gc", stray),
            ("seconds until quiet", f"{took:.0f}"),
        ],
    )
    return [*soak.watcher.violations, *(f"not quiet: {line}" for line in left), *found]


def _set_environment(home: Path, cms_url: str) -> None:
    """Leave nothing of the caller's library and Dagster in this process and its children."""
    for name in [name for name in os.environ if name.startswith(_FOREIGN)]:
        del os.environ[name]
    os.environ.update({**_SETTINGS, "LIBRARY_HOME": str(home), "LIBRARY_CMS_BASE_URL": cms_url})
    os.chdir(home)


def _say(line: str) -> None:
    console.print(f"{time.strftime('%H:%M:%S', time.gmtime())}  {line}", markup=False)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.soak", description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--components", type=int, default=400)
    parser.add_argument("--quiet-seconds", type=float, default=480, help="how long to wait at last")
    parser.add_argument("--keep", action="store_true", help="keep the library to look at")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
