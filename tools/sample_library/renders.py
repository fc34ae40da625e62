"""Mass renders for training an image encoder: pictures in folders and one index with captions."""

import hashlib
import json
import random
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tools.sample_library.browser import Browser, open_browser
from tools.sample_library.captions import captions
from tools.sample_library.content import KINDS, Component, make_component
from tools.sample_library.frameworks import HELD_OUT_FRAMEWORKS, KITS


@dataclass(frozen=True)
class Job:
    """What to render, and how."""

    out: Path
    frameworks: tuple[str, ...]
    kinds: tuple[str, ...]
    seeds: range
    per: int | None
    views: int
    image_format: str
    max_width: int | None


def chosen_frameworks(names: str) -> tuple[str, ...]:
    """`all`, `train` (without the held-out ones), `held-out`, or names separated by commas."""
    if names == "all":
        return tuple(KITS)
    if names == "train":
        return tuple(name for name in KITS if name not in HELD_OUT_FRAMEWORKS)
    if names == "held-out":
        return tuple(name for name in KITS if name in HELD_OUT_FRAMEWORKS)
    chosen = tuple(name.strip() for name in names.split(","))
    unknown = [name for name in chosen if name not in KITS]
    if unknown:
        raise SystemExit(f"unknown frameworks {unknown}; there are {', '.join(KITS)}")
    return chosen


def components(job: Job, framework: str) -> Iterator[Component]:
    """The components of one framework, sorted so that pages and window sizes change seldom."""
    found = []
    for kind in job.kinds:
        seeds: Sequence[int] = job.seeds
        if job.per is not None and job.per < len(job.seeds):
            seeds = random.Random(f"{framework}/{kind}").sample(job.seeds, job.per)
        found += [make_component(kind, seed, framework, view)
                  for seed in seeds for view in range(job.views)]
    return iter(sorted(found, key=lambda c: (c.theme, c.width, c.kind, c.seed)))


def draw_framework(job: Job, framework: str, browser: Browser) -> list[dict[str, object]]:
    """Render one framework's components; a row of the index for each."""
    rows: list[dict[str, object]] = []
    kit = KITS[framework]
    for c in components(job, framework):
        suffix = {"jpeg": "jpg"}.get(job.image_format, job.image_format)
        path = Path(framework, c.kind, f"{c.theme}-{c.width}-{c.seed}.{suffix}")
        shot = browser.draw(kit, c, image_format=job.image_format, max_width=job.max_width)
        (job.out / path).parent.mkdir(parents=True, exist_ok=True)
        (job.out / path).write_bytes(shot.image)
        rows.append({
            "path": str(path), "framework": framework, "kind": c.kind, "theme": c.theme,
            "width": c.width, "seed": c.seed, "captions": captions(c, framework),
            "image_width": shot.width, "image_height": shot.height,
            "sha256": hashlib.sha256(shot.image).hexdigest()})
    return rows


def _work(job: Job, frameworks: Sequence[str], worker: int) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    with open_browser(job.out / ".pages") as browser:
        for framework in frameworks:
            rows += draw_framework(job, framework, browser)
            print(f"worker {worker}: {framework}, {len(rows)} renders", flush=True)
    return rows


def render_all(job: Job, workers: int) -> None:
    """Render a job on several browsers and write DIR/index.jsonl."""
    started = time.monotonic()
    job.out.mkdir(parents=True, exist_ok=True)
    shares = [job.frameworks[i::workers] for i in range(workers)]
    shares = [share for share in shares if share]
    with ProcessPoolExecutor(max_workers=len(shares)) as pool:
        parts = [pool.submit(_work, job, share, i) for i, share in enumerate(shares)]
        rows = [row for part in parts for row in part.result()]
    for page in (job.out / ".pages").glob("*.html"):
        page.unlink()
    (job.out / ".pages").rmdir()
    lines = (json.dumps(row, ensure_ascii=False) for row in rows)
    (job.out / "index.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    seconds = time.monotonic() - started
    same = len(rows) - len({row["sha256"] for row in rows})
    print(f"{len(rows)} renders in {seconds:.0f} s ({len(rows) / seconds:.1f}/s), "
          f"{same} exact duplicates, {job.out / 'index.jsonl'}")


def parse_range(text: str) -> range:
    """`A:B` as the seeds A up to but not including B."""
    first, _, last = text.partition(":")
    return range(int(first), int(last))


def parse_kinds(text: str) -> tuple[str, ...]:
    return KINDS if text == "all" else tuple(kind.strip() for kind in text.split(","))
