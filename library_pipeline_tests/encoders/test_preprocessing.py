"""Preprocessing is the checkpoint's own: the reference's pixels, or an error."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image
from transformers import CLIPImageProcessorPil

from library_pipeline.encoders import EncoderError
from library_pipeline.encoders.preprocessor_config import parse_preprocessing
from library_pipeline_tests.support.checkpoints import CENTRE_CROP, POLICIES, SQUASH
from library_pipeline_tests.support.pictures import drawn, varied


@pytest.mark.parametrize("name", POLICIES)
def test_pixels_equal_the_reference(name: str) -> None:
    """Bit-near: a tall picture's noise may round differently, everything else by one level."""
    reference = CLIPImageProcessorPil(**POLICIES[name] | {"do_normalize": False})
    policy = parse_preprocessing(POLICIES[name], "test")
    for image in varied(40):
        expected = reference(image, return_tensors="np")["pixel_values"][0] * 255
        pixels = policy.apply(image)
        assert pixels.dtype == np.uint8
        assert pixels.flags.c_contiguous
        difference = np.abs(pixels - expected)
        assert difference.mean() < 1, image.size
        if image.width >= image.height:
            assert difference.max() <= 2.01, image.size


def test_a_strip_of_the_longest_allowed_side_stays_cheap() -> None:
    """Resizing first would need 65,535 * 64 rows of 64 pixels: 800 MB for 64 x 64."""
    strip = Image.new("RGB", (65_535, 1), "white")
    for config in (CENTRE_CROP, SQUASH):
        assert parse_preprocessing(config, "test").apply(strip).shape == (3, 64, 64)
        assert parse_preprocessing(config, "test").apply(strip.transpose(2)).min() == 255


def test_a_crop_without_a_resize_is_possible() -> None:
    config = CENTRE_CROP | {"do_resize": False}
    image = drawn((90, 70))
    pixels = parse_preprocessing(config, "test").apply(image)
    expected = np.asarray(image.crop((13, 3, 77, 67))).transpose(2, 0, 1)
    assert np.array_equal(pixels, expected)


@pytest.mark.parametrize(
    "key",
    ["image_mean", "image_std", "size", "crop_size", "resample", "do_center_crop", "do_resize"],
)
def test_a_missing_key_is_an_error_never_a_default(key: str) -> None:
    config = {name: value for name, value in CENTRE_CROP.items() if name != key}
    with pytest.raises(
        EncoderError, match=rf"org/model: `{key}` in preprocessor_config.json is mis"
    ):
        parse_preprocessing(config, "org/model")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("image_mean", [0.5]),
        ("image_std", [0.5, 0.5, 0]),
        ("image_std", ["a", "b", "c"]),
        ("size", {"longest_edge": 64}),
        ("size", {"shortest_edge": 64, "longest_edge": 128}),
        ("size", True),
        ("size", 10_000_000),
        ("crop_size", {"height": 64}),
        ("crop_size", 0),
        ("resample", "bicubic"),
        ("resample", 9),
        ("do_resize", "yes"),
        ("rescale_factor", 0),
    ],
)
def test_an_odd_value_is_named(key: str, value: Any) -> None:
    with pytest.raises(EncoderError) as caught:
        parse_preprocessing(CENTRE_CROP | {key: value}, "org/model")
    assert caught.value.code == "encoder.bad_preprocessing"
    assert f"`{key}`" in caught.value.message
    assert repr(value) in caught.value.message


def test_an_output_of_no_fixed_size_is_refused() -> None:
    with pytest.raises(EncoderError, match="must give height and width"):
        parse_preprocessing(CENTRE_CROP | {"do_center_crop": False}, "org/model")
