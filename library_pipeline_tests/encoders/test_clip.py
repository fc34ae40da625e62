"""The CLIP encoder against transformers' own pipeline, and against itself in other batches."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoTokenizer, CLIPImageProcessorPil, CLIPModel
from transformers.utils import logging as transformers_logging

from library_pipeline.encoders import Encoder, EncoderError, load_encoder
from library_pipeline_tests.support.checkpoints import (
    CENTRE_CROP_MAPPINGS,
    POLICIES,
    edit_json,
    write_checkpoint,
)
from library_pipeline_tests.support.pictures import drawn, encoded, varied

TEXTS = (
    "a pricing table",
    "",
    "hero banner with a picture of the sea, three buttons and much more than fits",
    "Zoë's «Café» — 価格表 🙂",
    "two\n lines",
)


@pytest.fixture(scope="module")
def encoder(checkpoint_folder: Path) -> Encoder:
    return load_encoder(str(checkpoint_folder), device="cpu")


def unit(vectors: torch.Tensor) -> np.ndarray:
    return torch.nn.functional.normalize(vectors, dim=-1).detach().numpy()


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("half", [False, True], ids=["float32", "float16"])
def test_pictures_equal_the_reference_pipeline(name: str, half: bool, tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "model", POLICIES[name], half=half, seed=3)
    images = varied(40)
    processor = CLIPImageProcessorPil.from_pretrained(folder)
    model = CLIPModel.from_pretrained(folder, dtype=torch.float32).eval()
    expected = unit(
        model.get_image_features(**processor(images, return_tensors="pt")).pooler_output
    )
    encoder = load_encoder(str(folder), device="cpu", framing="crop")
    vectors = encoder.embed_pixels(np.stack([encoder.preprocess(image) for image in images]))
    assert vectors.dtype == np.float32
    assert (vectors * expected).sum(axis=1).min() >= 0.9999
    assert np.abs(np.linalg.norm(vectors, axis=1) - 1).max() < 1e-5


def test_texts_equal_the_reference_pipeline(encoder: Encoder, checkpoint_folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(checkpoint_folder)
    model = CLIPModel.from_pretrained(checkpoint_folder).eval()
    for text in TEXTS:
        tokens = tokenizer([text], truncation=True, max_length=24, return_tensors="pt")
        expected = unit(model.get_text_features(**tokens).pooler_output)[0]
        assert expected @ encoder.embed_text(text) >= 0.9999


def test_the_end_token_of_old_configs_is_understood(encoder: Encoder, own_checkpoint: Path) -> None:
    """OpenAI's checkpoints say `eos_token_id: 2`, which means: the largest id is the end."""
    path = own_checkpoint / "config.json"
    path.write_text(path.read_text().replace('"eos_token_id": 513', '"eos_token_id": 2'))
    old = load_encoder(str(own_checkpoint), device="cpu")
    assert old.fingerprint != encoder.fingerprint
    assert (old.embed_text(TEXTS) * encoder.embed_text(TEXTS)).sum(axis=1).min() >= 0.9999


def test_a_picture_gives_the_same_vector_in_any_batch(encoder: Encoder) -> None:
    """However many views its neighbours have."""
    pixels = [encoder.preprocess(image) for image in varied(33)]
    assert {len(views) for views in pixels} == {1, 3, 5}
    alone = np.concatenate([encoder.embed_pixels([one]) for one in pixels])
    for order in (slice(None), slice(None, None, -1), slice(5, 12)):
        together = encoder.embed_pixels(pixels[order])
        assert (together * alone[order]).sum(axis=1).min() >= 0.9999


def test_a_text_gives_the_same_vector_beside_a_longer_one(encoder: Encoder) -> None:
    together = encoder.embed_text(TEXTS)
    assert together.shape == (len(TEXTS), encoder.dim)
    alone = np.stack([encoder.embed_text(text) for text in TEXTS])
    assert (together * alone).sum(axis=1).min() >= 0.9999


def test_one_picture_from_anywhere(encoder: Encoder, tmp_path: Path) -> None:
    image = drawn((300, 120), seed=7)
    (tmp_path / "a.png").write_bytes(encoded(image))
    vectors = [encoder.embed_image(s) for s in (image, encoded(image), tmp_path / "a.png")]
    assert vectors[0].shape == (encoder.dim,)
    assert min(vectors[0] @ vector for vector in vectors) >= 0.9999


def test_nothing_in_gives_nothing_out(encoder: Encoder) -> None:
    assert encoder.embed_text([]).shape == (0, encoder.dim)
    assert encoder.embed_pixels([]).shape == (0, encoder.dim)


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((2, 3, 64, 64)),
        np.zeros((2, 3, 32, 64), np.uint8),
        np.zeros((1, 1, 64, 64), np.uint8),
    ],
)
def test_other_pixels_are_refused(encoder: Encoder, pixels: np.ndarray) -> None:
    with pytest.raises(ValueError, match="not what `preprocess` gives"):
        encoder.embed_pixels([pixels])


def test_threads_may_share_an_encoder(encoder: Encoder) -> None:
    """Fast tokenizers fail with "Already borrowed" when two threads pad at once."""
    texts = [f"card number {i} " * (i % 9 + 1) for i in range(60)]
    expected = [encoder.embed_text(text) for text in texts]
    with ThreadPoolExecutor(8) as pool:
        vectors = list(pool.map(encoder.embed_text, texts))
    assert all(a @ b >= 0.9999 for a, b in zip(expected, vectors, strict=True))


def test_it_is_an_encoder(encoder: Encoder, checkpoint_folder: Path) -> None:
    assert isinstance(encoder, Encoder)
    assert (encoder.name, encoder.model, encoder.dim) == ("clip", str(checkpoint_folder), 32)


def test_loading_is_silent_and_leaves_transformers_as_it_was(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, CENTRE_CROP_MAPPINGS)
    verbosity = transformers_logging.get_verbosity()
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        load_encoder(str(folder), device="cpu")
    assert out.getvalue() + err.getvalue() == ""
    assert transformers_logging.get_verbosity() == verbosity
    assert transformers_logging.is_progress_bar_enabled()


def test_missing_weights_are_an_error_not_random_numbers(own_checkpoint: Path) -> None:
    edit_config = own_checkpoint / "config.json"
    text = edit_config.read_text().replace('"num_hidden_layers": 2', '"num_hidden_layers": 3')
    edit_config.write_text(text)
    with pytest.raises(EncoderError, match=r"its weights lack \d+ tensors, the first '"):
        load_encoder(str(own_checkpoint), device="cpu")


def test_damaged_weights_are_an_error(own_checkpoint: Path) -> None:
    path = own_checkpoint / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(EncoderError, match="its weights cannot be read"):
        load_encoder(str(own_checkpoint), device="cpu")


def test_a_size_the_network_does_not_take_is_an_error(own_checkpoint: Path) -> None:
    edit_json(own_checkpoint / "preprocessor_config.json", crop_size=48)
    with pytest.raises(EncoderError, match=r"takes 64 x 64 pixels, .* gives 48 x 48"):
        load_encoder(str(own_checkpoint), device="cpu")


def test_a_solid_picture_still_has_a_unit_vector(encoder: Encoder) -> None:
    vector = encoder.embed_image(Image.new("RGB", (1, 1)))
    assert np.isfinite(vector).all()
    assert abs(np.linalg.norm(vector) - 1) < 1e-5
