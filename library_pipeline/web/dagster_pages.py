"""Where Dagster's own pages show a component: the partitions of its three assets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from library_pipeline.catalog.partition_keys import partition_of

# As in `defs`, which the web does not know.
ASSETS: Final = ("component_bundle", "component_embedding", "component_index")


@dataclass(frozen=True, slots=True)
class DagsterPages:
    """Addresses below that of Dagster's web server; without one there are none."""

    url: str | None = None
    buckets: int | None = None

    def of_component(self, component_id: str) -> dict[str, str]:
        """Return the page of the component's partition by asset, as Dagster 1.13 has it."""
        if self.url is None:
            return {}
        chosen = urlencode(
            {"view": "partitions", "partition": partition_of(component_id, self.buckets)}
        )
        return {asset: f"{self.url.rstrip('/')}/assets/{asset}?{chosen}" for asset in ASSETS}
