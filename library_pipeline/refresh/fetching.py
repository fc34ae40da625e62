"""First phase: download the bundles of many components at once, a bounded number ahead."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from library_pipeline.bundles.download import BundleDownloader
from library_pipeline.bundles.store import BundleError, BundleStore
from library_pipeline.catalog.errors import ComponentError
from library_pipeline.refresh.items import Delivery, Meter, Task
from library_pipeline.sources.source import CONCURRENCY, Source


class Fetcher:
    """Turns tasks into deliveries on `queue`; a failed task is recorded by the meter and ends."""

    def __init__(
        self,
        downloader: BundleDownloader,
        store: BundleStore,
        queue: asyncio.Queue[Delivery | None],
        meter: Meter,
        *,
        download: bool,
    ) -> None:
        self._downloader = downloader
        self._store = store
        self._queue = queue
        self._meter = meter
        self._download = download

    async def run(
        self, tasks: Iterable[Task], sources: Sequence[Source], stop: threading.Event
    ) -> None:
        """Fetch all `tasks`, then close the queue.

        Each host serves as many downloads at a time as its source allows. After `stop` is set,
        started tasks are finished and no further task is started.
        """
        concurrency = defaultdict(lambda: CONCURRENCY)
        concurrency |= {each.name: each.concurrency for each in sources}
        lanes: dict[tuple[str, str], list[Task]] = defaultdict(list)
        for task in tasks:
            lanes[task.component.source, _host(task)].append(task)
        async with asyncio.TaskGroup() as group:
            for (source, _), lane in lanes.items():
                waiting = iter(lane)
                for _ in range(min(concurrency[source], len(lane))):
                    group.create_task(self._work(waiting, stop))
        await self._queue.put(None)

    async def _work(self, waiting: Iterator[Task], stop: threading.Event) -> None:
        while not stop.is_set():
            task = next(waiting, None)
            if task is None:
                return
            try:
                item = await self._fetch(task)
            except ComponentError as error:
                self._meter.failed(error.failure(task.component.component_id))
            else:
                self._meter.add("downloaded")
                await self._queue.put(item)

    async def _fetch(self, task: Task) -> Delivery:
        # An earlier run may have downloaded this revision and died before it was indexed. A check
        # compares with the CMS and a forced refresh starts over, so both download again.
        can_reuse = task.action != "check" and not task.force
        if task.known is not None and (not self._download or can_reuse):
            try:
                screenshot = await asyncio.to_thread(self._store.get, task.known.screenshot_sha256)
            except BundleError as error:
                if not self._download:
                    raise _missing_bundle(task, error) from error
            else:
                return Delivery(task, task.known, screenshot, downloaded_bytes=0)
        if not self._download:
            raise ComponentError(
                "download",
                "download.no_bundle",
                f"component {task.component.component_id}: revision {task.component.revision} has "
                "not been downloaded; materialize component_bundle as well",
            )
        fetched = await self._downloader.fetch(
            task.component, force=task.force, verify=task.action == "check"
        )
        phases = {"download": fetched.milliseconds}
        return Delivery(task, fetched.bundle, fetched.screenshot, fetched.downloaded_bytes, phases)


def _host(task: Task) -> str:
    """Return the screenshot's host, which may be slow on its own; "" for a local file."""
    screenshot = task.component.files.get("screenshot")  # a reembed's tasks have no URLs
    scheme, _, rest = screenshot.url.partition("://") if screenshot else ("", "", "")
    return rest.partition("/")[0] if scheme.startswith("http") else ""


def _missing_bundle(task: Task, error: BundleError) -> ComponentError:
    return ComponentError(
        "download",
        "download.no_bundle",
        f"component {task.component.component_id}: {error.message} (`library-pipeline retry --now` "
        "or a full refresh brings back what the CMS still has)",
        transient=error.code == "bundle.inaccessible",
    )
