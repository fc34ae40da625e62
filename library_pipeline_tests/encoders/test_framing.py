"""Framings: the whole of a picture is seen, whatever its shape, and costs no more than it must."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from library_pipeline.encoders.preparation import (
    MAX_TILES,
    Framer,
    border_colour,
    pad_to_square,
    tile_boxes,
)
from library_pipeline.encoders.preprocessor_config import parse_preprocessing
from library_pipeline_tests.support.checkpoints import CENTRE_CROP
from library_pipeline_tests.support.pictures import drawn

PREPARATION = parse_preprocessing(CENTRE_CROP, "test")
sides = st.integers(1, 65_535)


@given(sides, sides)
def test_tiles_cover_the_picture_from_end_to_end_without_gap_or_overlap(
    width: int, height: int
) -> None:
    boxes = tile_boxes(width, height)
    assert len(boxes) <= MAX_TILES
    assert (len(boxes) >= 2) is (max(width, height) >= 2 * min(width, height))
    if boxes:
        assert boxes[0][:2] == (0, 0)
        assert boxes[-1][2:] == (width, height)
        wide = width > height
        for before, after in pairwise(boxes):
            assert (before[2] == after[0]) if wide else (before[3] == after[1])
        areas = [(right - left) * (bottom - top) for left, top, right, bottom in boxes]
        assert sum(areas) == pytest.approx(width * height)
        assert max(areas) == pytest.approx(min(areas))


@pytest.mark.parametrize(
    ("size", "count"), [((199, 100), 0), ((200, 100), 2), ((100, 500), 3), ((2000, 100), 4)]
)
def test_the_longer_the_picture_the_more_tiles_up_to_four(
    size: tuple[int, int], count: int
) -> None:
    assert len(tile_boxes(*size)) == count


def test_a_padded_picture_is_whole_centred_and_on_its_own_border_colour() -> None:
    image = Image.new("RGB", (200, 20), (10, 20, 30))
    image.paste((250, 0, 0), (90, 5, 110, 15))
    square = pad_to_square(image, 100, Image.Resampling.BICUBIC)
    assert square.size == (100, 100)
    assert square.getpixel((0, 0)) == square.getpixel((50, 99)) == (10, 20, 30)
    assert square.getpixel((50, 50)) == (250, 0, 0)


def test_the_border_colour_is_not_moved_by_a_few_odd_pixels() -> None:
    image = drawn((300, 200), seed=2)
    image.paste((255, 255, 255), (0, 0, 300, 3))
    image.paste((255, 255, 255), (0, 197, 300, 200))
    image.putpixel((0, 0), (0, 0, 0))
    assert border_colour(image) == (255, 255, 255)


@pytest.mark.parametrize(
    ("framing", "size", "views"),
    [("crop", (900, 60), 1), ("pad", (900, 60), 1), ("tiles", (900, 60), 5),
     ("tiles", (60, 900), 5), ("tiles", (200, 100), 3), ("tiles", (199, 100), 1),
     ("tiles", (65_535, 1), 5), ("pad", (1, 65_535), 1)],
)  # fmt: skip
def test_every_view_is_what_the_model_takes(framing, size: tuple[int, int], views: int) -> None:
    pixels = Framer(PREPARATION, framing).views(Image.new("RGB", size, "white"))
    assert pixels.shape == (views, 3, 64, 64)
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous
    assert pixels.min() == 255
