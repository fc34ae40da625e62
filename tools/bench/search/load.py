"""Clients that ask a service over kept connections, one question after the other.

Run as a program, so that they cost the service's process nothing:
`python -m tools.bench.search.load URL CLIENTS SECONDS < paths` prints the milliseconds of each
answer as JSON.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from urllib.parse import urlsplit


async def ask(host: str, port: int, paths: list[str], clients: int, seconds: float) -> list[float]:
    """Return the milliseconds of every answer; raises RuntimeError for one that is not a 200."""
    turns = itertools.cycle(paths)
    until = time.perf_counter() + seconds
    done = await asyncio.gather(*(_client(host, port, turns, until) for _ in range(clients)))
    return [each for times in done for each in times]


async def _client(host: str, port: int, paths: itertools.cycle[str], until: float) -> list[float]:
    reader, writer = await asyncio.open_connection(host, port)
    times: list[float] = []
    while (started := time.perf_counter()) < until:
        writer.write(f"GET {next(paths)} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        if " 200 " not in head.split("\r\n")[0]:
            raise RuntimeError(head)
        length = next(line for line in head.split("\r\n") if line.startswith("content-length:"))
        await reader.readexactly(int(length.split(":")[1]))
        times.append((time.perf_counter() - started) * 1000)
    writer.close()
    return times


def main() -> None:
    """Read paths, ask, print times."""
    url, clients, seconds = sys.argv[1:]
    parts = urlsplit(url)
    paths = sys.stdin.read().split()
    asked = ask(parts.hostname or "", parts.port or 80, paths, int(clients), float(seconds))
    json.dump(asyncio.run(asked), sys.stdout)


if __name__ == "__main__":
    main()
