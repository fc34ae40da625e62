"""The forward pass where memory is short, where float16 overflows, and through ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from structlog.testing import capture_logs

from library_pipeline.encoders import EncoderError, load_encoder
from library_pipeline.encoders.checkpoint import read_checkpoint
from library_pipeline.encoders.forward import MAX_VIEWS_CPU, TorchForward
from library_pipeline.encoders.preprocessor_config import read_preparation
from library_pipeline.encoders.towers import ImageTower
from library_pipeline_tests.support.families import write_naflex
from library_pipeline_tests.support.pictures import drawn, varied


class SmallMemory(ImageTower):
    """A tower for `room` pictures at a time; passes that were tried are counted."""

    room = 3
    tried: list[int]

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        self.tried.append(len(pixels))
        if len(pixels) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory (injected)")
        return super().forward(pixels)


def made(folder: Path, tower: type[ImageTower], dtype: torch.dtype = torch.float32) -> TorchForward:
    checkpoint = read_checkpoint("test", folder)
    return TorchForward(
        lambda: tower(checkpoint), read_preparation(checkpoint), "cpu", dtype, cpu_fallback=False
    )


def pixels(count: int) -> list[np.ndarray]:
    return [np.asarray(drawn((64, 64), seed=i)).transpose(2, 0, 1).copy() for i in range(count)]


def test_short_memory_halves_the_batch_loses_nothing_and_is_remembered(
    checkpoint_folder: Path,
) -> None:
    SmallMemory.tried = []
    forward, whole = made(checkpoint_folder, SmallMemory), made(checkpoint_folder, ImageTower)
    with capture_logs() as logs:
        vectors = forward(pixels(13))
    assert np.allclose(vectors, whole(pixels(13)), atol=1e-5)
    assert SmallMemory.tried[:4] == [13, 6, 3, 3]
    assert [line["views_a_pass"] for line in logs] == [6, 3]
    SmallMemory.tried.clear()
    forward(pixels(5))
    assert SmallMemory.tried == [3, 2]


def test_no_room_for_one_picture_says_what_to_do(
    checkpoint_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SmallMemory, "room", 0)
    SmallMemory.tried = []
    with pytest.raises(
        EncoderError, match="too little memory for a single picture; free"
    ) as caught:
        made(checkpoint_folder, SmallMemory)(pixels(2))
    assert (caught.value.code, caught.value.transient) == ("encoder.out_of_memory", True)


def test_a_batch_larger_than_a_pass_is_cut(checkpoint_folder: Path) -> None:
    SmallMemory.tried = []
    forward = made(checkpoint_folder, SmallMemory)
    forward.limit = 3
    forward(pixels(7))
    assert SmallMemory.tried == [3, 3, 1]
    assert MAX_VIEWS_CPU > 3


def test_float16_gives_float32s_vectors(checkpoint_folder: Path) -> None:
    """What `auto` computes in on a GPU may share float32's fingerprint only if this holds."""
    exact, short = (
        made(checkpoint_folder, ImageTower),
        made(checkpoint_folder, ImageTower, torch.float16),
    )
    first, second = exact(pixels(16)), short(pixels(16))
    cosines = (
        (first * second).sum(1) / np.linalg.norm(first, axis=1) / np.linalg.norm(second, axis=1)
    )
    assert short.dtype == torch.float16
    assert cosines.min() >= 0.9999


def test_a_float16_pass_that_overflows_is_done_again_in_float32(checkpoint_folder: Path) -> None:
    class Overflowing(ImageTower):
        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            found = super().forward(pixels)
            return found * torch.inf if pixels.dtype == torch.float16 else found

    forward = made(checkpoint_folder, Overflowing, torch.float16)
    vectors = forward(pixels(3))
    assert np.allclose(vectors, made(checkpoint_folder, ImageTower)(pixels(3)), atol=1e-5)
    assert forward.dtype == torch.float32


def test_compiled_code_is_given_whole_batches_only(
    checkpoint_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The compiler itself is stood in for: it takes half a minute, and its results are torch's."""
    sizes: list[int] = []

    def compiled(tower: Any, **_: object) -> Any:
        def run(batch: torch.Tensor) -> torch.Tensor:
            sizes.append(len(batch))
            return tower(batch)

        return run

    monkeypatch.setattr(torch, "compile", compiled)
    checkpoint = read_checkpoint("test", checkpoint_folder)
    forward = TorchForward(
        lambda: ImageTower(checkpoint),
        read_preparation(checkpoint),
        "cpu",
        torch.float32,
        cpu_fallback=False,
        compiled=True,
    )
    forward.limit = 4
    vectors = forward(pixels(6))
    assert sizes == [4, 4]
    assert np.allclose(vectors, made(checkpoint_folder, ImageTower)(pixels(6)), atol=1e-5)


def test_onnx_runtime_gives_torchs_vectors_and_int8_near_ones(
    checkpoint_folder: Path, tmp_path: Path
) -> None:
    images = varied(20)
    source = str(checkpoint_folder)
    torch_, onnx, int8 = (
        load_encoder(source, device="cpu", cache_dir=tmp_path, **options)  # type: ignore[arg-type]
        for options in ({}, {"runtime": "onnx"}, {"precision": "int8"})
    )
    vectors = [e.embed_pixels([e.preprocess(i) for i in images]) for e in (torch_, onnx, int8)]
    assert (vectors[0] * vectors[1]).sum(axis=1).min() >= 0.9999
    assert (vectors[0] * vectors[2]).sum(axis=1).min() >= 0.99
    assert torch_.fingerprint == onnx.fingerprint != int8.fingerprint
    assert len(list(tmp_path.glob("library-pipeline-onnx/*.onnx"))) == 2
    assert torch_.embed_text("a card") @ int8.embed_text("a card") >= 0.9999


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"runtime": "onnx"}, "pictures of many sizes, ONNX Runtime one; use `runtime: torch`"),
        ({"precision": "int8"}, "pictures of many sizes"),
    ],
)
def test_what_onnx_runtime_cannot_do_is_said(
    options: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(EncoderError, match=words):
        load_encoder(str(write_naflex(tmp_path)), **options)


def test_without_the_packages_the_way_to_them_is_named(
    checkpoint_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("library_pipeline.encoders.load.find_spec", lambda name: None)
    with pytest.raises(EncoderError, match=r"onnx and onnxruntime is not installed; pip install"):
        load_encoder(str(checkpoint_folder), precision="int8")
