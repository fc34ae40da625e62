"""What people would use instead, each as a function from picture files to vectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

Contender = Callable[[Sequence[Path]], np.ndarray]
BATCH = 32
ONE_AT_A_TIME = "transformers, one at a time"
SENTENCE_TRANSFORMERS = "sentence-transformers, batches of 32"
TORCH = "ours, torch, float32"
ONNX = "ours, ONNX Runtime, float32"
INT8 = "ours, int8"


def contenders() -> dict[str, Callable[[Path], Contender]]:
    """Return what can be run here, to be loaded from a checkpoint.

    Ours see pictures as the model was published, and without a bar. Nothing heavy is imported
    before one is loaded, each in a process of its own: torch's settings are the process's.
    """
    found: dict[str, Callable[[Path], Contender]] = {
        ONE_AT_A_TIME: lambda checkpoint: _transformers(checkpoint, 1),
        "transformers, batches of 32": lambda checkpoint: _transformers(checkpoint, BATCH),
        TORCH: _ours,
        ONNX: lambda checkpoint: _ours(checkpoint, runtime="onnx"),
        INT8: lambda checkpoint: _ours(checkpoint, precision="int8"),
    }
    if find_spec("sentence_transformers"):
        found[SENTENCE_TRANSFORMERS] = _sentence_transformers
    return found


def reference(checkpoint: Path, images: Sequence[Image.Image]) -> np.ndarray:
    """Return transformers' own vectors: PIL processor, float32, unit length, 16 at a time."""
    processor, model = _transformers_parts(checkpoint)
    parts = [images[start : start + 16] for start in range(0, len(images), 16)]
    return np.concatenate(
        [_features(model, processor(part, return_tensors="pt")) for part in parts]
    )


def _transformers_parts(checkpoint: Path) -> tuple[Any, Any]:
    import torch  # noqa: PLC0415
    from transformers import AutoImageProcessor, AutoModel  # noqa: PLC0415

    processor = AutoImageProcessor.from_pretrained(checkpoint, backend="pil")
    return processor, AutoModel.from_pretrained(checkpoint, dtype=torch.float32).eval()


def _transformers(checkpoint: Path, batch: int) -> Contender:
    processor, model = _transformers_parts(checkpoint)

    def embed(paths: Sequence[Path]) -> np.ndarray:
        parts = [paths[start : start + batch] for start in range(0, len(paths), batch)]
        opened = ([Image.open(path).convert("RGB") for path in part] for part in parts)
        vectors = [_features(model, processor(part, return_tensors="pt")) for part in opened]
        return np.concatenate(vectors)

    return embed


def _features(model: Any, inputs: Any) -> np.ndarray:
    import torch  # noqa: PLC0415

    with torch.inference_mode():
        if hasattr(model, "get_image_features"):
            found = model.get_image_features(**inputs).pooler_output
        else:
            found = model(**inputs).pooler_output
    return torch.nn.functional.normalize(found, dim=-1).numpy()


def _sentence_transformers(checkpoint: Path) -> Contender:
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415 - an optional extra

    model = SentenceTransformer(str(checkpoint), device="cpu")

    def embed(paths: Sequence[Path]) -> np.ndarray:
        images: list[Any] = [Image.open(path) for path in paths]
        return np.asarray(
            model.encode(
                images, batch_size=BATCH, normalize_embeddings=True, show_progress_bar=False
            )
        )

    return embed


def _ours(checkpoint: Path, **options: Any) -> Contender:
    from library_pipeline.encoders import load_encoder  # noqa: PLC0415 - sets torch up its own way

    encoder = load_encoder(str(checkpoint), device="cpu", framing="crop", **options)
    return lambda paths: encoder.embed_batch(paths, BATCH, progress=False)
