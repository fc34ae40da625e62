"""Every family against transformers' own pipeline: PIL processor, whole model, float32."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

from library_pipeline.encoders import Encoder, EncoderError, encoder_identity, load_encoder
from library_pipeline_tests.support.checkpoints import edit_json
from library_pipeline_tests.support.families import DINOV2_PROCESSOR, FAMILIES, NAFLEX_PROCESSOR
from library_pipeline_tests.support.pictures import drawn, encoded, varied

TEXTS = (
    "a pricing table",
    "Zoë's «Café» 価格表",
    "far more words than sixteen tokens can ever hold",
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {kind: write(tmp_path_factory.mktemp(kind)) for kind, write in FAMILIES.items()}


def reference(folder: Path, images: list[Image.Image]) -> np.ndarray:
    """What transformers makes of the pictures, one call for all."""
    processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
    model: Any = AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    inputs = processor(images, return_tensors="pt")
    with torch.inference_mode():
        if hasattr(model, "get_image_features"):
            found = model.get_image_features(**inputs).pooler_output
        else:
            found = model(**inputs).pooler_output
    return torch.nn.functional.normalize(found, dim=-1).numpy()


def embedded(encoder: Encoder, images: list[Image.Image]) -> np.ndarray:
    return encoder.embed_pixels([encoder.preprocess(image) for image in images])


@pytest.mark.parametrize("kind", FAMILIES)
def test_pictures_equal_the_reference(kind: str, folders: dict[str, Path]) -> None:
    images = varied(40)
    encoder = load_encoder(str(folders[kind]), device="cpu", framing="crop")
    vectors, expected = embedded(encoder, images), reference(folders[kind], images)
    assert vectors.shape == (40, encoder.dim) == expected.shape
    assert (vectors * expected).sum(axis=1).min() >= 0.9999


@pytest.mark.parametrize("kind", FAMILIES)
def test_a_vector_depends_on_nothing_but_its_picture(kind: str, folders: dict[str, Path]) -> None:
    encoder = load_encoder(str(folders[kind]), device="cpu")
    images = varied(33)
    alone = np.concatenate([embedded(encoder, [image]) for image in images])
    assert (embedded(encoder, images[::-1])[::-1] * alone).sum(axis=1).min() >= 0.9999


@pytest.mark.parametrize("kind", FAMILIES)
def test_bfloat16_is_near_and_has_a_fingerprint_of_its_own(
    kind: str, folders: dict[str, Path]
) -> None:
    images = varied(12)
    exact = load_encoder(str(folders[kind]), device="cpu")
    short = load_encoder(str(folders[kind]), device="cpu", precision="bfloat16")
    assert (embedded(exact, images) * embedded(short, images)).sum(axis=1).min() >= 0.999
    assert exact.fingerprint != short.fingerprint
    plain = load_encoder(str(folders[kind]), device="cpu", precision="float32")
    assert plain.fingerprint == exact.fingerprint


@pytest.mark.parametrize("kind", ["siglip", "siglip2"])
def test_texts_of_siglip_equal_the_reference(kind: str, folders: dict[str, Path]) -> None:
    """SigLIP was trained on texts filled up to the full length, without a mask."""
    tokenizer = AutoTokenizer.from_pretrained(folders[kind])
    model: Any = AutoModel.from_pretrained(folders[kind]).eval()
    tokens = tokenizer(
        list(TEXTS), padding="max_length", max_length=16, truncation=True, return_tensors="pt"
    )
    with torch.inference_mode():
        found = model.get_text_features(input_ids=tokens["input_ids"]).pooler_output
    expected = torch.nn.functional.normalize(found, dim=-1).numpy()
    encoder = load_encoder(str(folders[kind]), device="cpu")
    assert encoder.reads_text
    assert (encoder.embed_text(TEXTS) * expected).sum(axis=1).min() >= 0.9999
    assert expected[0] @ encoder.embed_text(TEXTS[0]) >= 0.9999


def test_dinov2_reads_no_text_and_says_so(folders: dict[str, Path]) -> None:
    encoder = load_encoder(str(folders["dinov2"]), name="dino", device="cpu")
    assert not encoder.reads_text
    with pytest.raises(EncoderError, match="'dino' .* reads no text, pictures only") as caught:
        encoder.embed_text("a navbar")
    assert caught.value.code == "encoder.no_text"


def test_what_sees_whole_pictures_already_is_left_as_it_is(folders: dict[str, Path]) -> None:
    """`auto` makes tiles for what would cut a navbar, and costs nothing for what would not."""
    views = {
        kind: len(load_encoder(str(folder), device="cpu").preprocess(drawn((640, 40))))
        for kind, folder in folders.items()
    }
    assert views == {
        "clip": 5, "dinov2": 5, "dinov2_with_registers": 5, "siglip": 1, "siglip2": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "changes", "words"),
    [
        ("clip", NAFLEX_PROCESSOR, "is for Siglip2ImageProcessor, but a model of type 'clip'"),
        ("siglip", DINOV2_PROCESSOR, "is for BitImageProcessor, but a model of type 'siglip'"),
        ("siglip", {"size": {"height": 32, "width": 32}}, "takes 64 x 64 pixels, .* 32 x 32"),
        ("dinov2", {"crop_size": 57}, "squares of whole patches of 14 pixels, .* 57 x 57"),
        ("siglip2", {"patch_size": 16}, "patches are 8 pixels wide, .* gives 16"),
        ("siglip2", {"max_num_patches": 0}, "`max_num_patches` in .* is 0: a number is needed"),
    ],
)
def test_a_preparation_that_does_not_fit_is_an_error(
    kind: str, changes: dict[str, Any], words: str, tmp_path: Path
) -> None:
    folder = FAMILIES[kind](tmp_path)
    edit_json(folder / "preprocessor_config.json", **changes)
    with pytest.raises(EncoderError, match=words):
        encoder_identity(str(folder))


def test_an_event_loop_goes_on_while_a_thread_embeds(folders: dict[str, Path]) -> None:
    encoder = load_encoder(str(folders["clip"]), device="cpu")
    pictures = [encoded(drawn((900, 700), seed=i)) for i in range(24)]

    async def ticks_meanwhile() -> int:
        work = asyncio.create_task(asyncio.to_thread(encoder.embed_batch, pictures))
        ticks = 0
        while not work.done():
            await asyncio.sleep(0.005)
            ticks += 1
        assert np.isfinite(await work).all()
        return ticks

    assert asyncio.run(ticks_meanwhile()) > 3
