"""Contact sheets: every picture of a renders folder on a few pages, to be looked at."""

import json
from collections import defaultdict
from pathlib import Path

from PIL import Image, ImageDraw

COLUMN, COLUMNS, GAP = 380, 5, 8


def _rows(folder: Path) -> list[dict[str, str]]:
    index = folder / "index.jsonl"
    if index.exists():
        return [json.loads(line) for line in index.read_text(encoding="utf-8").splitlines()]
    rows = []
    for file in sorted((folder / "components").glob("*/config.json")):
        config = json.loads(file.read_text(encoding="utf-8"))
        shot = next(file.parent.glob("screenshot.*"))
        rows.append({**config, "path": str(shot.relative_to(folder))})
    return rows


def _sheet(folder: Path, rows: list[dict[str, str]], label: str) -> Image.Image:
    """Masonry: each picture goes to the shortest column, under its name."""
    tops, placed = [GAP] * COLUMNS, []
    for row in sorted(rows, key=lambda r: (r["kind"], r["framework"], str(r["seed"]))):
        picture = Image.open(folder / row["path"]).convert("RGB")
        if picture.width > COLUMN:
            picture = picture.resize((COLUMN, max(1, picture.height * COLUMN // picture.width)))
        picture = picture.crop((0, 0, picture.width, min(picture.height, 520)))
        column = tops.index(min(tops))
        placed.append((column, tops[column], row, picture))
        tops[column] += picture.height + 14 + GAP
    page = Image.new("RGB", (COLUMNS * (COLUMN + GAP) + GAP, max(tops)), "#8a8f98")
    pen = ImageDraw.Draw(page)
    for column, top, row, picture in placed:
        left = GAP + column * (COLUMN + GAP)
        name = row["kind"] if label == "framework" else row["framework"]
        pen.text((left, top), f"{name} {row['theme']} {row['width']} {row['seed']}", fill="white")
        page.paste(picture, (left, top + 12))
    return page


def make_sheets(folder: Path, out: Path, by: str) -> None:
    """Write one sheet for each framework or kind."""
    groups: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in _rows(folder):
        groups[row[by]].append(row)
    out.mkdir(parents=True, exist_ok=True)
    for name, rows in groups.items():
        _sheet(folder, rows, by).save(out / f"{name}.png")
        print(f"{out / name}.png: {len(rows)} pictures")
