"""Bundles as the sample CMS serves them, small and each with a picture of its own."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path

from PIL import Image, ImageDraw


def picture(seed: str, *, size: tuple[int, int] = (320, 200)) -> bytes:
    """Return a PNG that depends on `seed` alone."""
    noise = hashlib.sha256(seed.encode()).digest()
    image = Image.new("RGB", size, tuple(noise[:3]))
    draw = ImageDraw.Draw(image)
    for index in range(3, 27, 4):
        x, y = noise[index] * size[0] // 320, noise[index + 1] * size[1] // 320
        width, height = noise[index + 2] // 2, noise[index + 3] // 2
        colour = tuple(noise[index - 1 : index + 2])
        draw.rectangle((x, y, x + width + 4, y + height + 4), fill=colour)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def write_bundle(
    folder: Path,
    component_id: str,
    *,
    client: str = "north",
    category: str = "card",
    name: str | None = None,
    screenshot: bytes | None = None,
    records: object = (),
) -> Path:
    """Write or overwrite the bundle of `component_id` and return its folder."""
    bundle = folder / hashlib.sha256(component_id.encode()).hexdigest()[:16]
    bundle.mkdir(parents=True, exist_ok=True)
    attributes = {
        "id": component_id,
        "name": name or f"Component {component_id}",
        "client": client,
        "category": category,
        "tags": ["test"],
        "updated_at": "2026-05-01T12:00:00Z",
    }
    (bundle / "attributes.json").write_text(json.dumps(attributes))
    (bundle / "config.json").write_text(json.dumps({"width": 320}))
    (bundle / "format.html").write_text("<section>{{ title }}</section>")
    (bundle / "records.json").write_text(json.dumps({"of": component_id, "more": records}))
    (bundle / "screenshot.png").write_bytes(screenshot or picture(component_id))
    return bundle
