"""A folder of renders as arrays: the pictures once decoded, several small views of each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from random import Random

import numpy as np

from library_pipeline.encoders import read_image
from tools.demo_encoder.views import pixels, training_view

VIEWS = 4  # the clean picture and three changed ones


@dataclass(frozen=True, slots=True)
class Render:
    """One line of `index.jsonl`: a picture, what it shows and how people would say it."""

    path: Path
    framework: str
    kind: str
    captions: tuple[str, ...]


def read_index(folder: Path) -> list[Render]:
    """Return the renders that `python -m tools.sample_library renders` listed in `folder`.

    The sample library itself, which keeps a folder for each component, is read as well.
    """
    if (folder / "components").is_dir():
        return [_component(path) for path in sorted((folder / "components").iterdir())]
    with (folder / "index.jsonl").open(encoding="utf-8") as lines:
        return list(_parse(folder, lines))


def _parse(folder: Path, lines: Iterator[str]) -> Iterator[Render]:
    for line in lines:
        row = json.loads(line)
        captions = tuple(dict.fromkeys([*row["captions"], *kind_captions(row["kind"])]))
        yield Render(folder / row["path"], row["framework"], row["kind"], captions)


def _component(folder: Path) -> Render:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (screenshot,) = folder.glob("screenshot.*")
    captions = tuple(config["descriptions"])
    return Render(screenshot, config["framework"], config["kind"], captions)


def kind_captions(kind: str) -> list[str]:
    """Return the plainest ways to ask for a kind."""
    words = kind.replace("_", " ").replace("-", " ")
    return [words, f"a {words}", f"a screenshot of a {words} component"]


def training_views(renders: Sequence[Render], workers: int) -> np.ndarray:
    """Return uint8 (N, VIEWS, 3, H, W); view 0 is the picture as it is."""
    with ProcessPoolExecutor(workers) as pool:
        views = pool.map(_views, (render.path for render in renders), repeat(VIEWS), chunksize=16)
        return np.stack(list(views))


def _views(path: Path, count: int) -> np.ndarray:
    image = read_image(path)
    # Half size still holds more than 112 pixels can show, and each view costs a quarter.
    if image.width > 800:
        image = image.resize((image.width // 2, max(8, image.height // 2)))
    rng = Random(path.name)
    changed = [pixels(training_view(image, rng)) for _ in range(count - 1)]
    return np.stack([pixels(image), *changed])
