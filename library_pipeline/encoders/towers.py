"""The towers of a checkpoint as torch modules: normalized pixels or texts in, raw vectors out.

Each tower is loaded alone: screenshots need no text tower, which is 40% of CLIP.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, cast

import torch
from torch.nn import functional
from transformers import (
    AutoConfig,
    AutoTokenizer,
    CLIPTextModelWithProjection,
    CLIPVisionModelWithProjection,
    Dinov2Model,
    Dinov2WithRegistersModel,
    Siglip2TextModel,
    Siglip2VisionModel,
    SiglipTextModel,
    SiglipVisionModel,
)
from transformers.utils import logging as transformers_logging

from library_pipeline.encoders.checkpoint import Checkpoint, bad_checkpoint
from library_pipeline.encoders.preparation import Preparation

_IMAGE_TOWERS: Final[dict[str, Any]] = {
    "clip": CLIPVisionModelWithProjection,
    "dinov2": Dinov2Model,
    "dinov2_with_registers": Dinov2WithRegistersModel,
    "siglip": SiglipVisionModel,
    "siglip2": Siglip2VisionModel,
}
_TEXT_TOWERS: Final[dict[str, Any]] = {
    "clip": CLIPTextModelWithProjection,
    "siglip": SiglipTextModel,
    "siglip2": Siglip2TextModel,
}


class ImageTower(torch.nn.Module):
    """Normalized pixels (N, 3, H, W) in, raw vectors (N, dim) out."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        """Load the weights in float32; raises EncoderError."""
        super().__init__()
        kind = checkpoint.config["model_type"]
        config = _read_config(checkpoint)
        self.network = _load_tower(
            _IMAGE_TOWERS[kind], checkpoint, getattr(config, "vision_config", config)
        )
        self.projects = kind == "clip"

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Return (N, dim)."""
        output = self.network(pixel_values=pixels)
        return output.image_embeds if self.projects else output.pooler_output


class NaflexTower(ImageTower):
    """An `ImageTower` for pictures of different sizes: a list of normalized (3, H, W)."""

    def __init__(self, checkpoint: Checkpoint, *, patch: int, max_patches: int) -> None:
        super().__init__(checkpoint)
        self.patch, self.max_patches = patch, max_patches

    def forward(self, pixels: Sequence[torch.Tensor]) -> torch.Tensor:  # type: ignore[override]
        """Return (N, dim)."""
        shapes = torch.tensor(
            [[p.shape[1] // self.patch, p.shape[2] // self.patch] for p in pixels]
        )
        rows = [self._patches(picture) for picture in pixels]
        device = rows[0].device
        filled = torch.tensor([len(row) for row in rows], device=device)
        mask = torch.arange(self.max_patches, device=device)[None] < filled[:, None]
        padded = [functional.pad(row, (0, 0, 0, self.max_patches - len(row))) for row in rows]
        return self.network(
            pixel_values=torch.stack(padded),
            pixel_attention_mask=mask.to(torch.int32),
            spatial_shapes=shapes.to(device),
        ).pooler_output

    def _patches(self, picture: torch.Tensor) -> torch.Tensor:
        """Return (patches, patch * patch * 3), row by row, channels last as in the reference."""
        blocks = picture.unfold(1, self.patch, self.patch).unfold(2, self.patch, self.patch)
        return blocks.permute(1, 2, 3, 4, 0).reshape(-1, self.patch * self.patch * 3)


class TextTower(torch.nn.Module):
    """Texts in, raw vectors (N, dim) out; a text that is too long is cut."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        """Load weights and tokenizer; raises EncoderError."""
        super().__init__()
        kind = checkpoint.config["model_type"]
        config = cast(Any, _read_config(checkpoint).text_config)
        self.network = _load_tower(_TEXT_TOWERS[kind], checkpoint, config)
        self.tokenizer = _load_tokenizer(checkpoint)
        self.max_tokens: int = config.max_position_embeddings
        self.is_clip = kind == "clip"

    def forward(self, tokens: dict[str, torch.Tensor]) -> torch.Tensor:
        """Return (N, dim) of the result of `tokens`."""
        output = self.network(**tokens)
        return output.text_embeds if self.is_clip else output.pooler_output

    def tokens(self, texts: Sequence[str]) -> dict[str, torch.Tensor]:
        """Return the input of `forward`. SigLIP was trained with padding and without a mask."""
        found = self.tokenizer(
            list(texts),
            padding=True if self.is_clip else "max_length",
            truncation=True,
            max_length=self.max_tokens,
            return_tensors="pt",
        )
        names = ("input_ids", "attention_mask") if self.is_clip else ("input_ids",)
        return {name: found[name] for name in names}


def normalization(preparation: Preparation) -> tuple[torch.Tensor, torch.Tensor]:
    """Return scale and shift (3, 1, 1): (x * factor - mean) / std as one multiply-subtract."""
    mean = torch.tensor(preparation.mean, dtype=torch.float64)
    std = torch.tensor(preparation.std, dtype=torch.float64)
    return (preparation.scale / std).float().view(3, 1, 1), (mean / std).float().view(3, 1, 1)


def _read_config(checkpoint: Checkpoint) -> Any:
    config = AutoConfig.from_pretrained(checkpoint.folder, local_files_only=True)
    if checkpoint.config["model_type"] == "clip":
        # Only the top of a composite config has it; a tower alone takes its own default.
        for tower in (config.vision_config, config.text_config):
            tower.projection_dim = checkpoint.dim
    return config


def _load_tower(tower: Any, checkpoint: Checkpoint, config: Any) -> torch.nn.Module:
    try:
        with _quiet():
            network, report = tower.from_pretrained(
                checkpoint.folder,
                config=config,
                use_safetensors=True,
                local_files_only=True,
                dtype=torch.float32,
                output_loading_info=True,
            )
    except Exception as error:
        reason = str(error).strip().splitlines()[:1] or [type(error).__name__]
        raise bad_checkpoint(
            checkpoint.model, f"its weights cannot be read ({reason[0]}); fetch them again"
        ) from error
    # transformers fills missing tensors with random numbers and only warns.
    if missing := sorted(report["missing_keys"]):
        problem = f"its weights lack {len(missing)} tensors, the first {missing[0]!r}"
        raise bad_checkpoint(checkpoint.model, problem)
    return network.eval()


def _load_tokenizer(checkpoint: Checkpoint) -> Any:
    try:
        with _quiet():
            return AutoTokenizer.from_pretrained(
                checkpoint.folder, local_files_only=True, trust_remote_code=False
            )
    except Exception as error:
        problem = f"its tokenizer cannot be read ({error})"
        raise bad_checkpoint(checkpoint.model, problem) from error


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
