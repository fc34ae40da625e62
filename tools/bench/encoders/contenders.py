"""What people would use instead, each as a function from picture files to vectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModel

from library_pipeline.encoders import load_encoder

Contender = Callable[[Sequence[Path]], np.ndarray]
BATCH = 32
ONE_AT_A_TIME = "transformers, one at a time"
SENTENCE_TRANSFORMERS = "sentence-transformers, batches of 32"
TORCH = "ours, torch, float32"
ONNX = "ours, ONNX Runtime, float32"
INT8 = "ours, int8"


def contenders(checkpoint: Path) -> dict[str, Contender]:
    """Return all that can be run here, loaded; ours see pictures as the model was published."""
    found = {
        ONE_AT_A_TIME: _transformers(checkpoint, 1),
        "transformers, batches of 32": _transformers(checkpoint, BATCH),
        TORCH: _ours(checkpoint),
        ONNX: _ours(checkpoint, runtime="onnx"),
        INT8: _ours(checkpoint, precision="int8"),
    }
    if find_spec("sentence_transformers"):
        found[SENTENCE_TRANSFORMERS] = _sentence_transformers(checkpoint)
    return found


def reference(checkpoint: Path, images: Sequence[Image.Image]) -> np.ndarray:
    """Return transformers' own vectors: PIL processor, float32, unit length, 16 at a time."""
    processor: Any = AutoImageProcessor.from_pretrained(checkpoint, backend="pil")
    model: Any = AutoModel.from_pretrained(checkpoint, dtype=torch.float32).eval()
    parts = [images[start : start + 16] for start in range(0, len(images), 16)]
    return np.concatenate(
        [_features(model, processor(part, return_tensors="pt")) for part in parts]
    )


def _transformers(checkpoint: Path, batch: int) -> Contender:
    processor: Any = AutoImageProcessor.from_pretrained(checkpoint, backend="pil")
    model: Any = AutoModel.from_pretrained(checkpoint, dtype=torch.float32).eval()

    def embed(paths: Sequence[Path]) -> np.ndarray:
        parts = [paths[start : start + batch] for start in range(0, len(paths), batch)]
        opened = ([Image.open(path).convert("RGB") for path in part] for part in parts)
        vectors = [_features(model, processor(part, return_tensors="pt")) for part in opened]
        return np.concatenate(vectors)

    return embed


def _features(model: Any, inputs: Any) -> np.ndarray:
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
    encoder = load_encoder(str(checkpoint), device="cpu", framing="crop", **options)
    return lambda paths: encoder.embed_batch(paths, BATCH, progress=False)
