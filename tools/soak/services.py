"""What an operator's service manager keeps up: the server, the code server and the daemon."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import grpc

from library_pipeline.database.connection import Database, open_database
from library_pipeline.defs.in_process import instance_environment
from library_pipeline.embedded_server import EmbeddedServer
from library_pipeline.embedded_server.linux import die_with_parent
from library_pipeline.settings import load_settings

CHECKOUT = Path(__file__).parents[2]
_READY_SECONDS = 120


class Services:
    """Starts them over one library, starts again whatever has died, stops them at the end.

    `environment` is the caller's, with what makes the library; the settings are read from it.
    """

    def __init__(self, home: Path, environment: Mapping[str, str]) -> None:
        self._home = home
        self._plain = {**environment, "PYTHONPATH": str(CHECKOUT), "PYTHONWARNINGS": "ignore"}
        self._server = EmbeddedServer(home)
        self._port = _free_port()
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._logs = home / "logs"
        self.restarts = 0

    def start(self) -> Database:
        """Start everything and return the library's database."""
        self._logs.mkdir(parents=True, exist_ok=True)
        self._server.acquire()
        settings = load_settings()
        with open_database(settings) as database:
            self._environment = {**self._plain, **instance_environment(settings, database)}
        self._workspace = self._home / "workspace.yaml"
        self._workspace.write_text(
            "load_from:\n  - grpc_server:\n      host: 127.0.0.1\n"
            f"      port: {self._port}\n      location_name: library_pipeline\n"
        )
        self.keep_up()
        self.restarts = 0
        return database

    def keep_up(self) -> None:
        """Start whatever does not run; the embedded server comes first, all others need it."""
        if not self._server.is_running():
            self._server.acquire(timeout=120)
        if not self._runs("code server"):
            self._children["code server"] = self._start("code-server", self._code_server())
            self._wait_for_code_server()
        if not self._runs("daemon"):
            self._children["daemon"] = self._start("daemon", self._daemon())

    def refresh(self) -> subprocess.Popen[bytes]:
        """Start `library-pipeline refresh` in a process of its own, beside the daemon."""
        command = [_program("library-pipeline"), "refresh", "--json"]
        self._children["refresh"] = self._start("refresh", command, self._plain)
        return self._children["refresh"]

    def pid(self, name: str) -> int | None:
        """Return the process id of a service that runs."""
        return self._children[name].pid if self._runs(name) else None

    def stop(self) -> None:
        """Stop everything, the server last."""
        for name in ("refresh", "daemon", "code server"):
            child = self._children.get(name)
            if child is not None and child.poll() is None:
                _end(child)
        self._server.release()

    def _runs(self, name: str) -> bool:
        child = self._children.get(name)
        return child is not None and child.poll() is None

    def _start(
        self, log: str, command: list[str], environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        self.restarts += 1
        with (self._logs / f"{log}.log").open("ab") as output:
            return subprocess.Popen(
                command,
                cwd=self._home,
                env=environment or self._environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=partial(die_with_parent, os.getpid(), signal.SIGTERM),  # noqa: PLW1509
            )

    def _code_server(self) -> list[str]:
        where = ["-h", "127.0.0.1", "-p", str(self._port), "-m", "library_pipeline.definitions"]
        return [_program("dagster"), "api", "grpc", *where, "--location-name", "library_pipeline"]

    def _daemon(self) -> list[str]:
        return [_program("dagster-daemon"), "run", "-w", str(self._workspace)]

    def _wait_for_code_server(self) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        while time.monotonic() < deadline and self._runs("code server"):
            if _serves(self._port):
                return
            time.sleep(0.2)


def _serves(port: int) -> bool:
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=2)
        except grpc.FutureTimeoutError:
            return False
        return True


def _program(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def _end(child: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        child.send_signal(number)
        try:
            child.wait(15)
        except subprocess.TimeoutExpired:
            continue
        return
