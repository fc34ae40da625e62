"""Small random checkpoints of every family, with the processor files that the family publishes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import (
    Dinov2Config,
    Dinov2Model,
    Dinov2WithRegistersConfig,
    Dinov2WithRegistersModel,
    PreTrainedTokenizerFast,
    Siglip2Config,
    Siglip2Model,
    SiglipConfig,
    SiglipModel,
)

from library_pipeline_tests.support.checkpoints import CENTRE_CROP, write_checkpoint

HALF = [0.5, 0.5, 0.5]
_SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}

_SPECIAL = ("<pad>", "</s>", "<unk>", "<bos>", "<eos>")

# facebook/dinov2-base: trained on 518 pixels, used with 224; here on 84, used with 56.
DINOV2_PROCESSOR: dict[str, Any] = {
    "image_processor_type": "BitImageProcessor",
    "crop_size": {"height": 56, "width": 56},
    "do_center_crop": True,
    "do_convert_rgb": True,
    "do_normalize": True,
    "do_rescale": True,
    "do_resize": True,
    "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225],
    "resample": 3,
    "rescale_factor": 1 / 255,
    "size": {"shortest_edge": 64},
}
# google/siglip-base-patch16-224 says nothing of a crop; SigLIP 2 resamples bilinearly.
SIGLIP_PROCESSOR: dict[str, Any] = {
    "image_processor_type": "SiglipImageProcessor",
    "do_normalize": True,
    "do_rescale": True,
    "do_resize": True,
    "image_mean": HALF,
    "image_std": HALF,
    "resample": 3,
    "rescale_factor": 1 / 255,
    "size": {"height": 64, "width": 64},
}
NAFLEX_PROCESSOR: dict[str, Any] = {
    "image_processor_type": "Siglip2ImageProcessor",
    "do_normalize": True,
    "do_rescale": True,
    "do_resize": True,
    "image_mean": HALF,
    "image_std": HALF,
    "max_num_patches": 24,
    "patch_size": 8,
    "resample": 2,
    "rescale_factor": 1 / 255,
}


def write_dinov2(folder: Path, *, registers: bool = False) -> Path:
    """Write a DINOv2 whose positions have to be interpolated."""
    shape = _SMALL | {"image_size": 84, "patch_size": 14, "mlp_ratio": 2}
    model = (
        Dinov2WithRegistersModel(Dinov2WithRegistersConfig(num_register_tokens=2, **shape))
        if registers
        else Dinov2Model(Dinov2Config(**shape))
    )
    return _write(folder, model, DINOV2_PROCESSOR)


def write_siglip(folder: Path) -> Path:
    """Write a SigLIP of 64 x 64 pixels with a tokenizer."""
    vision = _SMALL | {"intermediate_size": 64, "image_size": 64, "patch_size": 16}
    model = SiglipModel(SiglipConfig(text_config=_text(), vision_config=vision))
    _tokenizer().save_pretrained(folder)
    return _write(folder, model, SIGLIP_PROCESSOR)


def write_naflex(folder: Path) -> Path:
    """Write a SigLIP 2 NaFlex of at most 24 patches of 8 pixels."""
    vision = _SMALL | {"intermediate_size": 64, "num_patches": 16, "patch_size": 8}
    model = Siglip2Model(Siglip2Config(text_config=_text(), vision_config=vision))
    _tokenizer().save_pretrained(folder)
    return _write(folder, model, NAFLEX_PROCESSOR)


FAMILIES: dict[str, Callable[[Path], Path]] = {
    "clip": lambda folder: write_checkpoint(folder, CENTRE_CROP, seed=3),
    "dinov2": write_dinov2,
    "dinov2_with_registers": lambda folder: write_dinov2(folder, registers=True),
    "siglip": write_siglip,
    "siglip2": write_naflex,
}


def _text() -> dict[str, Any]:
    sizes = _SMALL | {"intermediate_size": 64, "vocab_size": 264, "projection_size": 32}
    return (
        sizes
        | {"max_position_embeddings": 16, "pad_token_id": 0, "bos_token_id": 1}
        | {"eos_token_id": 1}
    )


def _tokenizer() -> PreTrainedTokenizerFast:
    """Return a byte tokenizer that lower-cases, as SigLIP's does."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: i for i, token in enumerate([*_SPECIAL, *letters])}
    raw = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    raw.normalizer = normalizers.Lowercase()
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return PreTrainedTokenizerFast(tokenizer_object=raw, pad_token="<pad>", eos_token="</s>")


def _write(folder: Path, model: Any, processor: dict[str, Any]) -> Path:
    torch.manual_seed(0)
    for parameter in model.parameters():  # init leaves biases and positions at zero
        torch.nn.init.normal_(parameter, std=0.2)
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    return folder
