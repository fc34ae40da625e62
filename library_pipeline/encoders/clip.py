"""CLIP through transformers: pictures and texts into one space, float32 (arXiv:2103.00020)."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast, overload

import numpy as np
import torch
from transformers import AutoTokenizer, CLIPModel
from transformers.utils import logging as transformers_logging

from library_pipeline.encoders.checkpoint import Checkpoint, bad_checkpoint
from library_pipeline.encoders.image import ImageSource, read_image
from library_pipeline.encoders.preprocessing import Preprocessing, parse_preprocessing

if TYPE_CHECKING:
    from PIL import Image


class ClipEncoder:
    """A CLIP checkpoint as an `Encoder`: projected class token, L2-normalized, float32."""

    def __init__(self, checkpoint: Checkpoint, *, name: str, fingerprint: str, device: str) -> None:
        """Load weights and tokenizer onto `device`; raises `EncoderError`."""
        self.name = name
        self.model = checkpoint.model
        self.dim = checkpoint.dim
        self.reads_text = True
        self.fingerprint = fingerprint
        self.device = torch.device(device)
        self._preprocessing = parse_preprocessing(checkpoint.preprocessor, checkpoint.model)
        with _quiet():
            self._network = _load_network(checkpoint)
            self._tokenizer = _load_tokenizer(checkpoint)
        cast(torch.nn.Module, self._network).to(self.device)
        _check_input_size(self._network, self._preprocessing, checkpoint.model)
        self._max_tokens = cast(Any, self._network.config.text_config).max_position_embeddings
        self._scale, self._shift = _normalization(self._preprocessing, self.device)
        # Rust tokenizers keep padding as state: two threads at once end in "Already borrowed".
        self._tokenizing = threading.Lock()

    def preprocess(self, image: Image.Image) -> np.ndarray:
        """Return uint8 pixels (1, 3, H, W) of an RGB picture by the checkpoint's own rule."""
        return self._preprocessing.apply(image)[None]

    @torch.inference_mode()
    def embed_pixels(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """Return float32 vectors (N, dim) of N pictures, each uint8 (1, 3, H, W)."""
        if not len(pictures):
            return np.empty((0, self.dim), np.float32)
        pixels = np.concatenate(pictures)
        wanted = (3, *self._preprocessing.output)
        if pixels.dtype != np.uint8 or pixels.shape[1:] != wanted:
            raise ValueError(f"pixels are {pixels.dtype} {pixels.shape}, not uint8 (N, *{wanted})")
        batch = torch.from_numpy(np.ascontiguousarray(pixels)).to(self.device).float()
        output = self._network.get_image_features(
            pixel_values=cast(Any, batch * self._scale - self._shift)
        )
        return _unit(output)

    def embed_image(self, source: ImageSource) -> np.ndarray:
        """Return the vector (dim,) of one picture; raises `ImageError`."""
        return self.embed_pixels([self.preprocess(read_image(source))])[0]

    @overload
    def embed_text(self, text: str) -> np.ndarray: ...

    @overload
    def embed_text(self, text: Sequence[str]) -> np.ndarray: ...

    @torch.inference_mode()
    def embed_text(self, text: str | Sequence[str]) -> np.ndarray:
        """Return (dim,) for one text, (N, dim) for several; what the model cannot hold is cut."""
        if isinstance(text, str):
            return self.embed_text([text])[0]
        if not text:
            return np.empty((0, self.dim), np.float32)
        with self._tokenizing:
            tokens = self._tokenizer(
                list(text),
                padding=True,
                truncation=True,
                max_length=self._max_tokens,
                return_tensors="pt",
            )
        output = self._network.get_text_features(
            input_ids=tokens["input_ids"].to(self.device),
            attention_mask=tokens["attention_mask"].to(self.device),
        )
        return _unit(output)


def _unit(output: Any) -> np.ndarray:
    """Return the projected embedding, L2-normalized; transformers 5 keeps it in `pooler_output`."""
    vectors = torch.nn.functional.normalize(output.pooler_output.float(), dim=-1)
    return vectors.cpu().numpy()


def _normalization(
    policy: Preprocessing, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return scale and shift (1, 3, 1, 1): (x * factor - mean) / std as one multiply-subtract."""
    mean = torch.tensor(policy.mean, dtype=torch.float64)
    std = torch.tensor(policy.std, dtype=torch.float64)
    scale, shift = policy.scale / std, mean / std
    return (
        scale.float().view(1, 3, 1, 1).to(device),
        shift.float().view(1, 3, 1, 1).to(device),
    )


def _load_network(checkpoint: Checkpoint) -> CLIPModel:
    try:
        network, report = cast(
            "tuple[CLIPModel, dict[str, Any]]",
            CLIPModel.from_pretrained(
                checkpoint.folder,
                use_safetensors=True,
                local_files_only=True,
                dtype=torch.float32,
                output_loading_info=True,
            ),
        )
    except Exception as error:
        reason = str(error).strip().splitlines()[:1] or [type(error).__name__]
        raise bad_checkpoint(
            checkpoint.model, f"its weights cannot be read ({reason[0]}); fetch them again"
        ) from error
    # transformers would fill what is missing with random numbers and only warn.
    if missing := sorted(report["missing_keys"]):
        problem = f"its weights lack {len(missing)} tensors, the first {missing[0]!r}"
        raise bad_checkpoint(checkpoint.model, problem)
    return network.eval()


def _load_tokenizer(checkpoint: Checkpoint) -> Any:
    try:
        return AutoTokenizer.from_pretrained(
            checkpoint.folder, local_files_only=True, trust_remote_code=False
        )
    except Exception as error:
        problem = f"its tokenizer cannot be read ({error})"
        raise bad_checkpoint(checkpoint.model, problem) from error


def _check_input_size(network: CLIPModel, policy: Preprocessing, model: str) -> None:
    size = cast(Any, network.config.vision_config).image_size
    if policy.output != (size, size):
        problem = f"it takes {size} x {size} pixels, its preprocessor_config.json gives"
        raise bad_checkpoint(model, f"{problem} {policy.output[1]} x {policy.output[0]}")


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence transformers' bars and load reports, then put its settings back."""
    verbosity = transformers_logging.get_verbosity()
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bars:
            transformers_logging.enable_progress_bar()
