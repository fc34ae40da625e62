"""A folder of renders as arrays: the pictures once decoded, several small views of each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

import numpy as np

from library_pipeline.encoders import read_image
from tools.demo_encoder.views import pixels, square_part, training_view

CHANGED = 2  # stored changed views of each render; the training makes more from `large`
LARGE = 144  # side of the pictures that windows are cut from


@dataclass(frozen=True, slots=True)
class Render:
    """One line of `index.jsonl`: a picture, what it shows and how people would say it."""

    path: Path
    framework: str
    kind: str
    captions: tuple[str, ...]
    seed: int = 0  # equal seeds of a kind show equal content


@dataclass(frozen=True, slots=True)
class Pictures:
    """All renders as uint8 arrays, squashed as at inference."""

    clean: np.ndarray  # (N, 3, H, W), the very input of inference
    large: np.ndarray  # (N, 3, LARGE, LARGE)
    changed: np.ndarray  # (N, CHANGED, 3, H, W)


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
        path = folder / row["path"]
        yield Render(path, row["framework"], row["kind"], captions, row["seed"])


def _component(folder: Path) -> Render:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (screenshot,) = folder.glob("screenshot.*")
    captions = tuple(config["descriptions"])
    return Render(screenshot, config["framework"], config["kind"], captions)


def kind_captions(kind: str) -> list[str]:
    """Return the plainest ways to ask for a kind."""
    words = kind.replace("_", " ").replace("-", " ")
    return [words, f"a {words}", f"a screenshot of a {words} component"]


def training_pictures(renders: Sequence[Render], workers: int, *, square: bool = False) -> Pictures:
    """Decode each render once and keep what the training needs of it, or of a square part."""
    with ProcessPoolExecutor(workers) as pool:
        made = list(
            pool.map(
                partial(_views, square=square), (render.path for render in renders), chunksize=16
            )
        )
    clean, large, changed = zip(*made, strict=True)
    return Pictures(np.stack(clean), np.stack(large), np.stack(changed))


def _views(path: Path, *, square: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    image = read_image(path)
    # Half size still holds more than 112 pixels can show, and each view costs a quarter.
    if image.width > 800:
        image = image.resize((image.width // 2, max(8, image.height // 2)))
    rng = Random(f"{path.parent.parent.name}/{path.parent.name}/{path.name}")
    if square:
        image = square_part(image, rng)
    changed = [pixels(training_view(image, rng)) for _ in range(CHANGED)]
    return pixels(image), pixels(image, LARGE), np.stack(changed)
