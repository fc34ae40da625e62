"""`library-pipeline search`: a question, a ranked table, and a sheet of pictures if wanted."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

from PIL import Image
from rich.table import Table

from library_pipeline.bundles.store import BundleStore
from library_pipeline.cli.console import console, fail
from library_pipeline.encoders import read_image
from library_pipeline.search.finder import Finder, open_finder
from library_pipeline.search.sheet import Tile, contact_sheet
from library_pipeline.search.weights import Weights, parse_weights
from library_pipeline.settings import load_settings
from library_pipeline.store.search import Match


@dataclasses.dataclass(frozen=True, slots=True)
class Question:
    """What is asked for: exactly one of these."""

    picture: Path | None = None
    text: str | None = None
    like: str | None = None

    def __str__(self) -> str:
        if self.text is not None:
            return f"“{self.text}”"
        return f"like {self.like or self.picture}"


def search_library(
    question: Question,
    *,
    k: int,
    client: str | None,
    weights: Sequence[str],
    as_json: bool,
    sheet: Path | None,
) -> None:
    """Answer the question on the terminal and, if asked, as a picture."""
    settings = load_settings()
    with open_finder(settings) as finder:
        matches = answer(finder, question, k=k, client=client, weights=parse_weights(weights))
    if sheet is not None:
        draw_sheet(question, matches, BundleStore(settings.bundle_root)).save(_png(sheet))
    if as_json:
        console.print_json(json.dumps([dataclasses.asdict(match) for match in matches]))
        return
    _show(question, matches)
    if sheet is not None:
        console.print(f"sheet: {sheet}")


def answer(
    finder: Finder,
    question: Question,
    *,
    k: int,
    client: str | None,
    weights: Weights | None = None,
) -> list[Match]:
    """Return the matches for `question`, best first."""
    if question.text is not None:
        return finder.by_text(question.text, k=k, client=client, weights=weights)
    if question.like is not None:
        return finder.like_component(question.like, k=k, client=client, weights=weights)
    return finder.by_picture(str(question.picture), k=k, client=client, weights=weights)


def draw_sheet(question: Question, matches: Sequence[Match], store: BundleStore) -> Image.Image:
    """Return the contact sheet of a question and its answers."""
    tiles = [
        Tile(
            read_image(store.get(match.screenshot_sha256)),
            f"{rank}. {match.name}",
            f"{match.score:.3f} · {match.category} · {match.client}",
        )
        for rank, match in enumerate(matches, 1)
    ]
    asked = (
        Tile(read_image(str(question.picture)), "query", str(question.picture))
        if question.picture
        else None
    )
    return contact_sheet(f"Components {question}", tiles, query=asked)


def _png(path: Path) -> Path:
    if path.suffix.lower() != ".png":
        fail(f"--sheet writes a PNG file, and {path} does not end in .png")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _show(question: Question, matches: Sequence[Match]) -> None:
    if not matches:
        console.print(f"No component found {question}.", markup=False)
        return
    table = Table(title=f"Components {question}", title_justify="left")
    # With several encoders, what each of them thinks of it.
    encoders = list(matches[0].scores) if len(matches[0].scores) > 1 else []
    for name in ("#", "score", *encoders):
        table.add_column(name, justify="right")
    for name in ("component", "name", "category", "client"):
        table.add_column(name, overflow="fold")
    for rank, match in enumerate(matches, 1):
        table.add_row(
            str(rank),
            f"{match.score:.3f}",
            *(f"{match.scores[name]:.3f}" for name in encoders),
            match.component_id,
            match.name,
            match.category,
            match.client,
        )
    console.print(table)
