"""Checkpoints with random weights in the published shapes: hubs need not be reached."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    CLIPConfig,
    CLIPModel,
    CLIPTokenizer,
    Dinov2Config,
    Dinov2Model,
    SiglipConfig,
    SiglipModel,
)

_CLIP_PROCESSOR: dict[str, Any] = {
    "image_processor_type": "CLIPImageProcessor",
    "crop_size": {"height": 224, "width": 224},
    "do_center_crop": True,
    "do_convert_rgb": True,
    "do_normalize": True,
    "do_rescale": True,
    "do_resize": True,
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
    "resample": 3,
    "rescale_factor": 1 / 255,
    "size": {"shortest_edge": 224},
}
_DINOV2_PROCESSOR = _CLIP_PROCESSOR | {
    "image_processor_type": "BitImageProcessor",
    "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225],
    "size": {"shortest_edge": 256},
}
_SIGLIP_PROCESSOR = {
    key: value
    for key, value in _CLIP_PROCESSOR.items()
    if key not in ("crop_size", "do_center_crop")
} | {
    "image_processor_type": "SiglipImageProcessor",
    "image_mean": [0.5] * 3,
    "image_std": [0.5] * 3,
    "size": {"height": 224, "width": 224},
}


def write_clip_b32(folder: Path) -> Path:
    """Write a CLIP of the shape of openai/clip-vit-base-patch32: 151 M parameters, 512-d."""
    letters = sorted(ByteLevel.alphabet())
    tokens = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>"]
    vocabulary = {token: number for number, token in enumerate([*tokens, "<|endoftext|>"])}
    CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=77).save_pretrained(folder)
    # Few tokens, but the published table of 49,408, so that the weights are as large.
    text = {"bos_token_id": 512, "eos_token_id": 513, "pad_token_id": 513}
    vision = {"patch_size": 32, "image_size": 224}
    model = CLIPModel(CLIPConfig(projection_dim=512, text_config=text, vision_config=vision))
    return _write(folder, model, _CLIP_PROCESSOR)


def write_dinov2_small(folder: Path) -> Path:
    """Write a DINOv2 of the shape of facebook/dinov2-small: 22 M parameters, 384-d."""
    shape = {"hidden_size": 384, "num_attention_heads": 6, "image_size": 518, "patch_size": 14}
    return _write(folder, Dinov2Model(Dinov2Config(**shape)), _DINOV2_PROCESSOR)


def write_siglip_base(folder: Path) -> Path:
    """Write the shape of google/siglip-base-patch16-224: 203 M parameters, 768-d."""
    written = _write(folder, SiglipModel(SiglipConfig()), _SIGLIP_PROCESSOR)
    (folder / "tokenizer.json").write_text("{}")  # its texts are not measured
    return written


def _write(folder: Path, model: Any, processor: dict[str, Any]) -> Path:
    torch.manual_seed(0)
    for module in model.modules():  # as trained ones have: else all pictures look alike to it
        if isinstance(module, torch.nn.Linear):
            torch.nn.init.normal_(module.weight, std=module.in_features**-0.5)
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    return folder
