"""The pictures of a report: sheets of components, and plots of the history."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from math import nan
from typing import TYPE_CHECKING, Any, Final

from PIL import Image

from library_pipeline.catalog.refresh import Refresh, RefreshKind
from library_pipeline.refresh.history import Sample, SampleComponent, Size
from library_pipeline.search.sheet import (
    ARROW_WIDTH,
    FAINT,
    INK,
    LINE,
    PAPER,
    Tile,
    TileSize,
    contact_sheet,
    placeholder,
    side_by_side,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


# The database keeps thumbnails of at most 160 x 120. They are read and decoded in milliseconds,
# while the bundle store of the full screenshots may be slow.
Thumbnails = Mapping[str, bytes]

SHEET_WIDTH, HEIGHT = 160, 120
_SINGLE = TileSize(SHEET_WIDTH + 16, HEIGHT + 12)
_PAIR = TileSize(2 * SHEET_WIDTH + ARROW_WIDTH + 16, HEIGHT + 12)


def added_sheet(sample: Sample, pictures: Thumbnails) -> Image.Image:
    """Return a sheet of the components that were added."""
    tiles = [
        Tile(_picture(one.screenshot_sha256, pictures, "no picture"), one.title, _about(one))
        for one in sample.shown
    ]
    return contact_sheet(_heading("added", sample), tiles, columns=5, size=_SINGLE)


def changed_sheet(sample: Sample, pictures: Thumbnails) -> Image.Image:
    """Return a sheet of the changed components: the former picture beside the current one."""
    tiles = [Tile(_before_and_after(one, pictures), one.title, _about(one)) for one in sample.shown]
    return contact_sheet(_heading("changed", sample), tiles, columns=2, size=_PAIR)


def failed_sheet(sample: Sample, pictures: Thumbnails) -> Image.Image:
    """Return a sheet of the failed components: the last good picture and the reason."""
    tiles = [
        Tile(
            _picture(one.screenshot_sha256, pictures, "never seen yet"),
            one.title,
            f"{one.failure.phase}: {one.failure.code}" if one.failure else "",
            one.reason,
        )
        for one in sample.shown
    ]
    return contact_sheet(_heading("failed", sample), tiles, columns=3, size=TileSize(300, 132))


def _heading(what: str, sample: Sample) -> str:
    more = sample.total - len(sample.shown)
    return f"{sample.total:,} {what}" + (f", {len(sample.shown)} of them here" if more else "")


def _about(one: SampleComponent) -> str:
    return " · ".join(filter(None, (one.category, one.client)))


def _before_and_after(one: SampleComponent, pictures: Thumbnails) -> Image.Image:
    after = _picture(one.screenshot_sha256, pictures, "no picture")
    if one.former_sha256 == one.screenshot_sha256:
        return side_by_side(after, placeholder("same picture", SHEET_WIDTH, HEIGHT))
    return side_by_side(_picture(one.former_sha256, pictures, "no longer kept"), after)


def _picture(digest: str | None, pictures: Thumbnails, otherwise: str) -> Image.Image:
    """Return a thumbnail, or a placeholder if it is missing or cannot be read."""
    data = pictures.get(digest) if digest else None
    if data is None:
        return placeholder(otherwise, SHEET_WIDTH, HEIGHT)
    try:
        with Image.open(io.BytesIO(data), formats=("WEBP",)) as image:
            return image.convert("RGB")
    except (OSError, ValueError, SyntaxError):
        return placeholder("cannot be read", SHEET_WIDTH, HEIGHT)


PLOT_WIDTH, DPI = 9.0, 110  # inches
# Okabe & Ito (2008): people who cannot tell red from green can tell these colours apart.
KINDS: Final[dict[RefreshKind, str]] = {
    "full": "#0072B2",
    "incremental": "#56B4E9",
    "retry": "#E69F00",
    "selected": "#CC79A7",
    "reembed": "#009E73",
}
BAD = "#D55E00"
# Ticks of the logarithmic axis of durations; matplotlib's own are powers of ten, and slow.
DURATIONS: Final = {
    1: "1 s", 10: "10 s", 60: "1 min", 600: "10 min", 3600: "1 h", 36_000: "10 h", 259_200: "3 d",
}  # fmt: skip


def growth_plot(sizes: Sequence[Size]) -> Image.Image:
    """Return a plot of the number of searchable components over time, in UTC."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter  # noqa: PLC0415
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter  # noqa: PLC0415

    figure, (axes,) = _figure(3.0)
    times: list[Any] = [size.at for size in sizes]
    counts = [size.components for size in sizes]
    axes.fill_between(times, counts, step="post", color=KINDS["incremental"], alpha=0.35, lw=0)
    axes.step(times, counts, where="post", color=KINDS["full"], lw=2)
    axes.set_ylim(0, max(counts) * 1.15 or 1)
    axes.set_title(f"Searchable components: {counts[-1]:,}", loc="left", color=INK)
    axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    locator = AutoDateLocator(maxticks=8)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    return _rendered(figure)


def duration_plot(refreshes: Sequence[Refresh]) -> Image.Image:
    """Return two plots of refreshes by kind: their durations, and their components per second."""
    figure, (above, below) = _figure(4.2, rows=2)
    seconds = [max(refresh.duration_seconds, 0.1) for refresh in refreshes]
    for kind, colour in KINDS.items():
        indexes = [index for index, refresh in enumerate(refreshes) if refresh.kind == kind]
        if indexes:
            above.bar(indexes, [seconds[index] for index in indexes], color=colour, label=kind)
            rates = [refreshes[index].components_per_second or nan for index in indexes]
            below.plot(indexes, rates, "o", color=colour, ms=5)
    bad = [
        index
        for index, refresh in enumerate(refreshes)
        if refresh.state != "finished" or refresh.failed
    ]
    finished = [index for index in bad if refreshes[index].state == "finished"]
    for mark, label, indexes in (
        ("v", "some components failed", finished),
        ("X", "failed or cancelled", sorted(set(bad) - set(finished))),
    ):
        if indexes:
            heights = [seconds[index] * 1.35 for index in indexes]
            above.plot(indexes, heights, mark, color=BAD, ms=8, ls="", label=label)
    above.set_yscale("log")
    above.minorticks_off()
    above.set_yticks(list(DURATIONS), DURATIONS.values())
    above.set_ylim(min(1.0, min(seconds) / 2), max(seconds) * 3)
    above.set_title(f"Duration of the last {len(refreshes)} refreshes", loc="left", color=INK)
    above.legend(loc="lower right", bbox_to_anchor=(1.0, 0.98), ncols=5, frameon=False, fontsize=8)
    below.set_title("Components per second", loc="left", color=INK, fontsize=10)
    below.set_ylim(
        0, max((refresh.components_per_second or 0 for refresh in refreshes), default=0) * 1.15 or 1
    )
    _label_times(below, refreshes)
    return _rendered(figure)


def _figure(height: float, rows: int = 1) -> tuple[Figure, Sequence[Axes]]:
    """Return a light figure and its axes, one per row, without pyplot's global state."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - takes half a second

    figure = Figure((PLOT_WIDTH, height), DPI, facecolor=PAPER)
    axes: list[Axes] = list(figure.subplots(rows, sharex=True, squeeze=False)[:, 0])
    # Matplotlib's automatic layout would draw everything twice.
    figure.subplots_adjust(0.07, 0.45 / height, 0.985, 1 - 0.35 / height, hspace=0.25)
    for each in axes:
        each.set_facecolor("white")
        each.tick_params(colors=FAINT, labelsize=9)
        each.grid(axis="y", color=LINE, lw=0.7)
        each.set_axisbelow(True)
        for side, spine in each.spines.items():
            spine.set_color(LINE)
            spine.set_visible(side in ("left", "bottom"))
    return figure, axes


def _rendered(figure: Figure) -> Image.Image:
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    size = canvas.get_width_height()
    return Image.frombytes("RGBA", size, bytes(canvas.buffer_rgba())).convert("RGB")


def _label_times(axes: Axes, refreshes: Sequence[Refresh]) -> None:
    """Label some of the evenly spaced refreshes with the time at which they finished."""
    step = max(1, -(-len(refreshes) // 8))
    indexes = list(range(len(refreshes) - 1, -1, -step))[::-1]
    labels = [f"{refreshes[index].finished_at:%b %d\n%H:%M}" for index in indexes]
    axes.set_xticks(indexes, labels)
    axes.set_xlim(-0.6, max(len(refreshes), 8) - 0.4)
