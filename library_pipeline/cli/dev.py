"""`library-pipeline dev` and `env`: all parts as one program, and the variables for a shell."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from library_pipeline.cli.console import console, errors, fail
from library_pipeline.database.connection import open_database
from library_pipeline.defs.in_process import instance_environment
from library_pipeline.embedded_server import EmbeddedServer, hold
from library_pipeline.embedded_server.linux import die_with_parent
from library_pipeline.settings import load_settings
from library_pipeline.shipped import shipped

DEMO_FOLDER = Path("demo")
STOP_SECONDS = 15


def run_dev(*, demo: bool, port: int, search_port: int) -> int:
    """Run all parts until Ctrl-C or SIGTERM, or until one of them ends; return the exit code."""
    stopping = _stop_event()
    for number, option in ((port, "--port"), (search_port, "--search-port")):
        _require_free(number, f"choose another with {option}")
    with ExitStack() as stack:
        if demo:
            stack.enter_context(_demo_cms())
        settings = load_settings()
        database = stack.enter_context(open_database(settings))
        environment = {**os.environ, **instance_environment(settings, database)}
        environment.setdefault("LIBRARY_WEB_URL", f"http://127.0.0.1:{search_port}")
        environment.setdefault("LIBRARY_DAGSTER_URL", f"http://127.0.0.1:{port}")
        environment["PYTHONWARNINGS"] = "ignore"  # `dagster dev` warns at each start
        children = [
            stack.enter_context(_child(command, environment))
            for command in (
                _dagster(port),
                [_program("library-pipeline"), "serve", "--port", str(search_port)],
            )
        ]
        console.print(f"Dagster UI   http://127.0.0.1:{port}   (ready in a moment)", markup=False)
        console.print("Ctrl-C stops everything.")
        own_server = EmbeddedServer(settings.home) if settings.database_url is None else None
        return _wait(children, stopping, own_server)


@contextmanager
def _demo_cms() -> Iterator[None]:
    """Serve the CMS of the demo; make the demo first if there is none."""
    from library_pipeline.cli.demo import DemoLibrary, fresh_demo  # noqa: PLC0415 - takes seconds
    from library_pipeline.sample_cms import SampleCms  # noqa: PLC0415

    demo = DemoLibrary(DEMO_FOLDER)
    if not demo.exists():
        demo = fresh_demo(DEMO_FOLDER)
    demo.use()
    _require_free(demo.cms_port, f"change cms.base_url in {demo.config}")
    with SampleCms(demo.cms_folder, port=demo.cms_port) as cms:
        console.print(f"sample CMS   {cms.url}/components   over {demo.cms_folder}", markup=False)
        yield


def _require_free(port: int, way_out: str) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            fail(f"port {port} is in use, perhaps by another `library-pipeline dev`; {way_out}")


def _dagster(port: int) -> list[str]:
    workspace = str(shipped("workspace.yaml"))
    command = [_program("dagster"), "dev", "-w", workspace, "-h", "127.0.0.1", "-p", str(port)]
    return [*command, "--log-level", "warning"]


def _program(name: str) -> str:
    """Return the path of a program beside this Python; the environment need not be active."""
    return str(Path(sys.executable).with_name(name))


@contextmanager
def _child(
    command: Sequence[str], environment: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program in a new process group; stop the whole group at the end."""
    child = subprocess.Popen(  # noqa: S603
        command,
        env=environment,
        # Dagster warns of a dagster.yaml in the working directory that is not the one it uses.
        cwd=environment["DAGSTER_HOME"],
        start_new_session=True,
        # After kill -9 of this program, no UI may stay without its database.
        preexec_fn=partial(die_with_parent, os.getpid(), signal.SIGTERM),  # noqa: PLW1509
    )
    try:
        yield child
    finally:
        _stop(child)


def _stop(child: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, number)
            child.wait(STOP_SECONDS)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def _stop_event() -> threading.Event:
    """Return an event that Ctrl-C and SIGTERM set.

    Call it before a child starts: a background job of a shell ignores SIGINT, and its children
    would inherit that.
    """
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    return stopping


def _wait(
    children: Sequence[subprocess.Popen[bytes]],
    stopping: threading.Event,
    server: EmbeddedServer | None,
) -> int:
    """Return 0 when `stopping` is set, 1 when a child ends; restart `server` if it ends."""
    while not stopping.is_set():
        for child in children:
            if child.poll() is not None:
                errors.print(f"[bold red]{child.args} ended with {child.returncode}[/]")
                return 1
        # The supervisor restarts postgres; this restarts both if the supervisor ended, too.
        if server is not None and not server.is_running():
            server.acquire()
        time.sleep(0.5)
    console.print("stopping ...")
    return 0


def print_environment() -> None:
    """Print `export` lines, and keep the embedded server running until the calling shell ends."""
    settings = load_settings()
    with open_database(settings) as database:
        if settings.database_url is None:
            hold(settings.home, os.getppid())
        for name, value in instance_environment(settings, database).items():
            print(f"export {name}={shlex.quote(value)}")  # noqa: T201 - for the shell's eval
