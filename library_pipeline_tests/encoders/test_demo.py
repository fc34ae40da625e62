"""The encoder that ships: it is there, it is small, and its vectors are the ones we know."""

from __future__ import annotations

import time

import numpy as np
import pytest
from PIL import Image

from library_pipeline.encoders import Encoder, encoder_identity, load_encoder
from library_pipeline.encoders.checkpoint import find_checkpoint
from library_pipeline_tests.encoders import golden
from library_pipeline_tests.support.pictures import varied


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return load_encoder("demo", device="cpu", threads=1)


def test_its_vectors_are_the_known_ones(encoder: Encoder) -> None:
    """Invariant 5: equal fingerprints give equal vectors on any machine and library version."""
    known = np.load(golden.FILE)
    assert encoder.fingerprint == str(known["fingerprint"])
    expected = known["vectors"].astype(np.float32)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    assert (golden.vectors(encoder) * expected).sum(axis=1).min() >= 0.9999


def test_it_is_an_ordinary_encoder_of_512_dimensions(encoder: Encoder) -> None:
    assert isinstance(encoder, Encoder)
    assert (encoder.model, encoder.dim) == ("demo", 512)
    assert encoder_identity("demo") == (encoder.fingerprint, 512, "crop")


def test_it_fits_into_a_repository() -> None:
    folder = find_checkpoint("demo").folder
    assert sum(path.stat().st_size for path in folder.iterdir()) < 8_000_000


def test_it_sees_the_whole_of_a_wide_picture(encoder: Encoder) -> None:
    """A component is often ten times wider than high: CLIP's crop would not see its ends."""
    plain = Image.new("RGB", (1200, 100), "white")
    ends = plain.copy()
    ends.paste("black", (0, 0, 150, 100))
    assert encoder.embed_image(plain) @ encoder.embed_image(ends) < 0.98


def test_a_picture_gives_the_same_vector_in_any_batch(encoder: Encoder) -> None:
    pixels = np.stack([encoder.preprocess(image) for image in varied(33)])
    alone = np.concatenate([encoder.embed_pixels(one[None]) for one in pixels])
    assert (encoder.embed_pixels(pixels) * alone).sum(axis=1).min() >= 0.9999


def test_it_takes_milliseconds_a_picture(encoder: Encoder) -> None:
    """Generous: a shared CI core; measured 3 ms on one quiet core in a batch of 16."""
    pixels = [encoder.preprocess(Image.new("RGB", (9, 9)))] * 16
    encoder.embed_pixels(pixels)
    started = time.process_time()
    encoder.embed_pixels(pixels)
    assert (time.process_time() - started) / len(pixels) < 0.05
