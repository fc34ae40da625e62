"""Known vectors of the demo encoder; `python -m library_pipeline_tests.encoders.golden` writes.

They move only when the weights or the code that makes vectors do; then `CODE_VERSION` or the
weights give a new fingerprint as well, and the file is written anew.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from library_pipeline.encoders import Encoder, load_encoder

FILE: Final = Path(__file__).with_name("golden.npz")
TEXTS: Final = ("a pricing table", "a dark navbar with a search field")


def pictures() -> list[Image.Image]:
    """Return three pictures made of plain boxes: no font, no decoder, the same everywhere."""
    navbar = Image.new("RGB", (960, 60), "#101828")
    for x in range(300, 700, 100):
        navbar.paste("#98a2b3", (x, 24, x + 60, 36))
    table = Image.new("RGB", (640, 360), "white")
    for y in range(20, 340, 40):
        table.paste("#d0d5dd", (20, y, 620, y + 2))
    cards = Image.new("RGB", (768, 420), "#f4f6f8")
    for x in range(24, 740, 248):
        cards.paste("white", (x, 24, x + 220, 396))
        cards.paste("#0b5cab", (x + 20, 340, x + 200, 376))
    return [navbar, table, cards]


def vectors(encoder: Encoder) -> np.ndarray:
    """Return (pictures + texts, dim) float32."""
    pixels = np.stack([encoder.preprocess(picture) for picture in pictures()])
    return np.concatenate([encoder.embed_pixels(pixels), encoder.embed_text(TEXTS)])


def main() -> None:
    """Write the golden file from the weights that are there."""
    encoder = load_encoder("demo", device="cpu")
    values = vectors(encoder).astype(np.float16)
    np.savez_compressed(FILE, vectors=values, fingerprint=np.array(encoder.fingerprint))


if __name__ == "__main__":
    main()
