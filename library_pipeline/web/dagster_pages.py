"""Where Dagster's own pages are: a run's, and those of a component's partitions."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from library_pipeline.catalog.component import BUNDLE, EMBEDDING, INDEX, partition_of
from library_pipeline.settings import Settings


@dataclass(frozen=True, slots=True)
class DagsterPages:
    """Addresses below that of Dagster's web server; without one there are none."""

    url: str | None = None
    buckets: int | None = None

    @classmethod
    def of(cls, settings: Settings) -> DagsterPages:
        """Return what `settings` say of them."""
        url = settings.dagster_url and settings.dagster_url.rstrip("/")
        return cls(url, settings.refresh.partition_buckets)

    def of_run(self, run_id: str) -> str | None:
        """Return the page of a run, None where there is none."""
        return self.url and f"{self.url}/runs/{run_id}"

    def of_component(self, component_id: str) -> dict[str, str]:
        """Return the page of the component's partition by asset, as Dagster 1.13 has it."""
        if self.url is None:
            return {}
        chosen = urlencode(
            {"view": "partitions", "partition": partition_of(component_id, self.buckets)}
        )
        return {
            asset: f"{self.url}/assets/{asset}?{chosen}" for asset in (BUNDLE, EMBEDDING, INDEX)
        }
