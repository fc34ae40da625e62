"""How alike two renders are: exact digests and a small perceptual hash."""

import io

from PIL import Image

SIDE = 16


def difference_hash(image: bytes) -> int:
    """A 256-bit dHash of the picture's brightness, plus its average colour in 24 bits."""
    picture = Image.open(io.BytesIO(image)).convert("RGB")
    grey = list(picture.convert("L").resize((SIDE + 1, SIDE), Image.Resampling.BOX).tobytes())
    bits = 0
    for row in range(SIDE):
        for column in range(SIDE):
            left, right = grey[row * (SIDE + 1) + column:row * (SIDE + 1) + column + 2]
            bits = bits << 1 | (left > right)
    red, green, blue = picture.resize((1, 1), Image.Resampling.BOX).getpixel((0,
        0))  # type: ignore[misc]
    return bits << 24 | red << 16 | green << 8 | blue


def distance(one: int, two: int) -> int:
    """Bits that differ between two hashes, plus a quarter of how far their colours are apart."""
    colours = sum(abs((one >> shift & 255) - (two >> shift & 255)) for shift in (0, 8, 16))
    return ((one >> 24) ^ (two >> 24)).bit_count() + colours // 4
