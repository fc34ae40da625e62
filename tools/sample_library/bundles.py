"""A component's bundle as the library keeps it: attributes, config, format, records, screenshot."""

import io
import json
import random
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image, ImageChops, ImageStat

from tools.sample_library.captions import NOUNS, captions, facts
from tools.sample_library.content import Component
from tools.sample_library.icons import NODE_MODULES
from tools.sample_library.kit import Kit
from tools.sample_library.vocabulary import ACCENT_NAMES

MAX_ERROR = 2.2  # Mean difference per channel, of 255, up to which a palette counts as invisible.


def slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def package(name: str) -> dict[str, Any]:
    """The package.json of an installed npm package."""
    file = NODE_MODULES / name / "package.json"
    return dict(json.loads(file.read_text(encoding="utf-8")))


def updated_at(c: Component, revision: int) -> str:
    """A moment in 2026; later revisions are from the autumn."""
    rng = random.Random(f"updated/{c.kind}/{c.seed}")
    month = rng.randint(1, 8) if revision == 1 else rng.randint(9, 10)
    return (f"2026-{month:02d}-{rng.randint(1, 28):02d}T{rng.randint(6, 20):02d}:"
            f"{rng.randint(0, 59):02d}:{rng.randint(0, 59):02d}Z")


def attributes(c: Component, kit: Kit, component_id: str, revision: int = 1) -> dict[str, Any]:
    noun = NOUNS[c.kind][0]
    detail = c.data.get("title") or facts(c)[0]
    tags = [kit.name, c.theme, c.business.sector, *(word for word in NOUNS[c.kind][1:2])]
    if c.accent:
        tags.append(ACCENT_NAMES.get(c.accent, "colour"))
    if c.icons:
        tags.append("icons")
    return {"id": component_id, "name": f"{c.business.name} {noun}: {detail}",
            "client": c.business.name, "category": c.kind, "tags": tags,
            "updated_at": updated_at(c, revision)}


def config(c: Component, kit: Kit, revision: int = 1) -> dict[str, Any]:
    return {"framework": kit.name, "framework_version": package(kit.package)["version"],
        "theme": c.theme,
            "width": c.width, "kind": c.kind, "seed": c.seed, "accent": c.accent,
            "icons": c.icons, "pictures": c.pictures, "centred": c.centred, "variant": c.variant,
            "revision": revision, "descriptions": captions(c, kit.name)}


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{i}]")
    elif isinstance(value, str) and len(value) > 1:
        yield value, path


def format_html(html: str, data: dict[str, Any]) -> str:
    """The markup as a Jinja template: texts that come from the records become placeholders."""
    paths: dict[str, list[str]] = defaultdict(list)
    for value, path in _leaves(data):
        paths[value].append(path)
    for value, where in sorted(paths.items(), key=lambda item: -len(item[0])):
        queue = iter(where)
        last = where[-1]

        def placeholder(match: re.Match[str], queue: Iterator[str] = queue,
            last: str = last) -> str:
            return f"{match[1]}{{{{ {next(queue, last)} }}}}{match[2]}"

        html = re.sub(rf'(>\s*[“"]?|value="|placeholder="){re.escape(value)}([”"]?\s*<|")',
                      placeholder, html)
    return re.sub(r"(</(?:div|li|tr|section|article|p|ul|nav|header|footer|h\d|form|svg)>"
                  r")", r"\1\n",
                  html)


def encode(image: bytes, suffix: str) -> bytes:
    """The screenshot as png (palette where the eye sees no difference), jpg or webp."""
    picture = Image.open(io.BytesIO(image)).convert("RGB")
    out = io.BytesIO()
    if suffix == "jpg":
        picture.save(out, "JPEG", quality=86, optimize=True)
    elif suffix == "webp":
        picture.save(out, "WEBP", quality=86, method=6)
    else:
        palette = picture.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        error = ImageStat.Stat(ImageChops.difference(picture, palette.convert("RGB"))).mean
        (palette if max(error) < MAX_ERROR else picture).save(out, "PNG", optimize=True)
    return out.getvalue()


def write_bundle(folder: Path, c: Component, kit: Kit, image: bytes, suffix: str,
                 revision: int = 1) -> None:
    """Write one component's folder, named by its id."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = {"attributes": attributes(c, kit, folder.name, revision),
             "config": config(c, kit, revision), "records": c.data}
    for name, value in parts.items():
        text = json.dumps(value, ensure_ascii=False, indent=1)
        (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    html = format_html(kit.render(c), c.data)
    (folder / "format.html").write_text(html.strip() + "\n", encoding="utf-8")
    (folder / f"screenshot.{suffix}").write_bytes(encode(image, suffix))
