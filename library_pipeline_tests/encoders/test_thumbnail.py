"""Thumbnails: they fit, they are small and they show the whole picture."""

from __future__ import annotations

import pytest

from library_pipeline.encoders import read_image, thumbnail
from library_pipeline_tests.support.pictures import drawn


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((1280, 800), (160, 100)),
        ((1280, 80), (160, 10)),
        ((400, 1200), (40, 120)),
        ((60, 30), (60, 30)),
        ((5000, 1), (160, 1)),
        ((1, 1), (1, 1)),
    ],
)
def test_fits_the_box_and_keeps_the_shape(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert read_image(thumbnail(drawn(size))).size == expected


def test_is_a_few_kilobytes_and_shows_the_whole_picture() -> None:
    image = drawn((1280, 800), seed=4)
    image.paste((255, 0, 0), (0, 700, 1280, 800))
    data = thumbnail(image)
    assert data[8:12] == b"WEBP"
    assert len(data) < 4_000
    red, green, _ = read_image(data).getpixel((80, 96))
    assert red > 200
    assert green < 60
