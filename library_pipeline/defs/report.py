"""The asset `refresh_report`: pictures of what the last refreshes did."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import dagster as dg
import psycopg
from PIL import Image

from library_pipeline.defs.materializations import (
    REPORT,
    VECTOR_INDEX,
    component_page,
    link,
    picture,
    plain,
    refresh_page,
)
from library_pipeline.defs.report_pictures import (
    Thumbnails,
    added_sheet,
    changed_sheet,
    duration_plot,
    failed_sheet,
    growth_plot,
)
from library_pipeline.defs.resources import DatabaseResource
from library_pipeline.index.write import thumbnails
from library_pipeline.refresh.closing import last_change, refreshes_to_close
from library_pipeline.refresh.history import (
    Sample,
    SampleComponent,
    added,
    changed,
    failed,
    growth_on_record,
)
from library_pipeline.refresh.log import closed_refreshes
from library_pipeline.search.sheet import webp_within
from library_pipeline.settings import load_settings

MAX_TILES: Final = 24
# Dagster keeps metadata in its database, and an asset's page loads a hundred of them.
MAX_BYTES: Final = 100_000

_Draw = Callable[[Sample, Thumbnails], Image.Image]
_SHEETS: Final[dict[str, tuple[Callable[..., Sample], _Draw]]] = {
    "added": (added, added_sheet),
    "changed": (changed, changed_sheet),
    "failed": (failed, failed_sheet),
}


@dataclass(slots=True)
class Report:
    """Metadata in the order of display, and the reasons why parts could not be drawn."""

    metadata: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Record the part's error instead of raising it: a picture must not fail a closing run."""
        try:
            yield
        except Exception as error:
            self.problems.append(f"{name}: {type(error).__name__}: {error}")


@dg.asset(key=REPORT, deps=[VECTOR_INDEX], group_name="search", kinds={"python"})
def refresh_report(
    context: dg.AssetExecutionContext, database: DatabaseResource
) -> dg.MaterializeResult[Any]:
    """Pictures of what the last refreshes added, changed and failed at, and of the history.

    Started by hand, it shows the last refresh that did something.
    """
    with database.open() as db, db.connect() as connection:
        refreshes = refreshes_to_close(connection, context.run.run_id) or last_change(connection)
        report = draw_report(connection, refreshes, web_url=load_settings().web_url)
    for problem in report.problems:
        context.log.warning(f"not drawn: {problem}")
    if report.problems:
        report.metadata["not_drawn"] = dg.MetadataValue.text("; ".join(report.problems))
    return dg.MaterializeResult(metadata=report.metadata)


def draw_report(
    connection: psycopg.Connection, refreshes: Sequence[str], *, web_url: str | None
) -> Report:
    """Draw the report of `refreshes`; without the service's address `web_url` it has no links."""
    report = Report()
    if refreshes:
        links = ", ".join(link(each, refresh_page(web_url, each)) for each in refreshes)
        report.metadata["refreshes"] = dg.MetadataValue.md(links)
    for name, (read, draw) in _SHEETS.items():
        with report.part(name):
            sample = read(connection, refreshes, limit=MAX_TILES)
            report.metadata[f"{name}_components"] = sample.total
            if sample.total:
                sheet = draw(sample, thumbnails(connection, sample.digests))
                report.metadata[name] = _sheet(f"{sample.total} {name}", sheet, sample, web_url)
    with report.part("growth"):
        sizes = growth_on_record(connection)
        report.metadata["components"] = sizes[-1].components
        if len(sizes) > 1:
            report.metadata["growth"] = _plot("searchable components", growth_plot(sizes))
    with report.part("durations"):
        if last := closed_refreshes(connection, limit=50):
            report.metadata["durations"] = _plot("durations of refreshes", duration_plot(last))
    return report


def _sheet(
    label: str, sheet: Image.Image, sample: Sample, web_url: str | None
) -> dg.MarkdownMetadataValue:
    """Return a sheet with its components' names below, and the reason of each failed one."""
    lines = [_line(one, web_url) for one in sample.shown]
    if more := sample.total - len(sample.shown):
        lines.append(f"and {more:,} more")
    failures = any(one.failure for one in sample.shown)
    listed = "\n".join(f"- {line}" for line in lines) if failures else ", ".join(lines)
    return dg.MetadataValue.md(f"{picture(label, webp_within(sheet, MAX_BYTES))}\n\n{listed}")


def _line(one: SampleComponent, web_url: str | None) -> str:
    # A component that was never indexed has no page yet.
    page = component_page(web_url, one.component_id) if one.screenshot_sha256 else None
    name = link(one.title, page)
    if one.failure is None:
        return name
    return f"{name}: {plain(f'{one.failure.phase}, {one.failure.code}: {one.reason}')}"


def _plot(label: str, plot: Image.Image) -> dg.MarkdownMetadataValue:
    return dg.MetadataValue.md(picture(label, webp_within(plot, MAX_BYTES, lossless=True)))
