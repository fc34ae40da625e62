"""`library-pipeline search`: a ranked table of matches, and optionally a sheet of pictures."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image
from rich.table import Table

from library_pipeline.bundles.store import BundleStore
from library_pipeline.cli.console import console, fail, print_json
from library_pipeline.encoders import read_image
from library_pipeline.search.finder import open_finder
from library_pipeline.search.query import UNLIKE, Crop, Example, Query
from library_pipeline.search.ranking import Match
from library_pipeline.search.sheet import Tile, contact_sheet
from library_pipeline.settings import load_settings


@dataclasses.dataclass(frozen=True, slots=True)
class SearchQuestion:
    """The examples that results should resemble, and those that they should not."""

    pictures: tuple[Path, ...] = ()
    texts: tuple[str, ...] = ()
    like: tuple[str, ...] = ()
    not_pictures: tuple[Path, ...] = ()
    not_texts: tuple[str, ...] = ()
    not_like: tuple[str, ...] = ()
    crop: Crop | None = None

    def __str__(self) -> str:
        wanted = [f"“{text}”" for text in self.texts]
        wanted += [f"like {each}" for each in (*self.pictures, *self.like)]
        unwanted = [f"“{text}”" for text in self.not_texts]
        unwanted += [str(each) for each in (*self.not_pictures, *self.not_like)]
        return " and ".join(wanted) + (f", not {' or '.join(unwanted)}" if unwanted else "")

    def examples(self) -> Iterator[Example]:
        """Yield the examples; raises ImageError or OSError if a picture cannot be read."""
        for paths, weight in ((self.pictures, 1.0), (self.not_pictures, UNLIKE)):
            for path in paths:
                yield Example(picture=read_image(str(path)), weight=weight, crop=self.crop)
        for texts, weight in ((self.texts, 1.0), (self.not_texts, UNLIKE)):
            yield from (Example(text=text, weight=weight) for text in texts)
        for ids, weight in ((self.like, 1.0), (self.not_like, UNLIKE)):
            yield from (Example(component=each, weight=weight) for each in ids)


def search_library(
    question: SearchQuestion, terms: Query, *, as_json: bool, sheet: Path | None
) -> None:
    """Print the matches and, if `sheet` is given, write them as a picture to that file."""
    settings = load_settings()
    with open_finder(settings) as finder:
        matches = finder.find(terms)
    if sheet is not None:
        draw_sheet(question, matches, BundleStore(settings.bundle_root)).save(_png(sheet))
    if as_json:
        print_json([dataclasses.asdict(match) for match in matches])
        return
    _show(question, matches)
    if sheet is not None:
        console.print(f"sheet: {sheet}")


def draw_sheet(
    question: SearchQuestion, matches: Sequence[Match], store: BundleStore
) -> Image.Image:
    """Return one picture of a question and the screenshots of its matches."""
    tiles = [
        Tile(
            read_image(store.get(match.screenshot_sha256)),
            f"{match.rank}. {match.name}",
            f"{match.score:.3f} · {match.category} · {match.client}",
        )
        for match in matches
    ]
    picture = None
    for example in question.examples():
        if example.picture is not None:
            picture = Tile(example.pixels, "query", str(question.pictures[0]))
            break
    return contact_sheet(f"Components {question}", tiles, query=picture)


def _png(path: Path) -> Path:
    if path.suffix.lower() != ".png":
        fail(f"--sheet writes a PNG file, and {path} does not end in .png")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _show(question: SearchQuestion, matches: Sequence[Match]) -> None:
    if not matches:
        console.print(f"No component found {question}.", markup=False)
        return
    table = Table(title=f"Components {question}", title_justify="left")
    # With several encoders, one column for the score of each.
    encoders = list(matches[0].scores) if len(matches[0].scores) > 1 else []
    folds = any(match.folded for match in matches)
    for name in ("#", "score", *encoders):
        table.add_column(name, justify="right")
    for name in ("component", "name", "category", "client"):
        table.add_column(name, overflow="fold")
    if folds:
        table.add_column("look-alikes", justify="right")
    for match in matches:
        table.add_row(
            str(match.rank),
            f"{match.score:.3f}",
            *(f"{match.scores[name]:.3f}" for name in encoders),
            match.component_id,
            match.name,
            match.category,
            match.client,
            *([str(len(match.folded))] if folds else []),
        )
    console.print(table)
