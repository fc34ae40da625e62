"""Framings: the whole of a picture is seen, whatever its shape, and costs no more than it must."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from library_pipeline.encoders.framing import (
    MOST_TILES,
    Framer,
    border_colour,
    padded,
    tile_boxes,
)
from library_pipeline.encoders.preprocessing import parse_preprocessing
from library_pipeline_tests.encoders.conftest import CENTRE_CROP
from library_pipeline_tests.encoders.pictures import drawn

PREPARATION = parse_preprocessing(CENTRE_CROP, "test")
sides = st.integers(1, 65_535)


@given(sides, sides)
def test_tiles_are_squares_inside_the_picture_from_one_end_to_the_other(
    width: int, height: int
) -> None:
    boxes = tile_boxes(width, height)
    assert len(boxes) <= MOST_TILES
    assert boxes == [] or len(boxes) >= 2
    for left, top, right, bottom in boxes:
        assert right - left == bottom - top == min(width, height)
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
    if boxes:
        assert boxes[0][:2] == (0, 0)
        assert boxes[-1][2:] == (width, height)
        assert boxes == sorted(set(boxes))


@pytest.mark.parametrize(("size", "covered"), [((200, 100), True), ((100, 390), True)])
def test_tiles_leave_no_gap_in_what_is_up_to_four_times_longer(
    size: tuple[int, int], covered: bool
) -> None:
    boxes = tile_boxes(*size)
    axis = 0 if size[0] > size[1] else 1
    seen = {i for box in boxes for i in range(box[axis], box[axis + 2])}
    assert (seen == set(range(max(size)))) is covered


def test_a_padded_picture_is_whole_centred_and_on_its_own_border_colour() -> None:
    image = Image.new("RGB", (200, 20), (10, 20, 30))
    image.paste((250, 0, 0), (90, 5, 110, 15))
    square = padded(image, 100, Image.Resampling.BICUBIC)
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
