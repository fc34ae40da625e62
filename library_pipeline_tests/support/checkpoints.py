"""Small CLIP checkpoints with random weights, in the layout of a hub checkpoint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers.pre_tokenizers import ByteLevel
from transformers import CLIPConfig, CLIPModel, CLIPTokenizer

CLIP_MEAN = [0.48145466, 0.4578275, 0.40821073]
CLIP_STD = [0.26862954, 0.26130258, 0.27577711]
# As openai/clip-vit-base-patch32 publishes it: plain numbers, and no word about RGB or rescaling.
CENTRE_CROP: dict[str, Any] = {
    "crop_size": 64,
    "do_center_crop": True,
    "do_normalize": True,
    "do_resize": True,
    "feature_extractor_type": "CLIPFeatureExtractor",
    "image_mean": CLIP_MEAN,
    "image_std": CLIP_STD,
    "resample": 3,
    "size": 64,
}
# As newer tools write it.
CENTRE_CROP_MAPPINGS = CENTRE_CROP | {
    "crop_size": {"height": 64, "width": 64},
    "size": {"shortest_edge": 70},
    "do_convert_rgb": True,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "image_processor_type": "CLIPImageProcessor",
}
SQUASH = {key: value for key, value in CENTRE_CROP_MAPPINGS.items() if key != "crop_size"} | {
    "do_center_crop": False,
    "size": {"height": 64, "width": 64},
    "resample": 2,
}
# A crop wider than what it crops: CLIP pads with black.
PADDED = CENTRE_CROP_MAPPINGS | {"size": {"shortest_edge": 41}}
POLICIES = {
    "centre crop": CENTRE_CROP,
    "centre crop of 70": CENTRE_CROP_MAPPINGS,
    "squash": SQUASH,
    "padded": PADDED,
}


def write_checkpoint(
    folder: Path, preprocessor: dict[str, Any], *, half: bool = False, seed: int = 0
) -> Path:
    """Write a random CLIP of 64 x 64 pixels and 32 dimensions with a byte-level tokenizer."""
    letters = sorted(ByteLevel.alphabet())
    tokens = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>"]
    vocabulary = {token: number for number, token in enumerate([*tokens, "<|endoftext|>"])}
    small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    text = small | {"vocab_size": len(vocabulary), "max_position_embeddings": 24}
    text |= {"num_attention_heads": 2, "bos_token_id": 512, "eos_token_id": 513}
    vision = small | {"image_size": 64, "patch_size": 16, "num_attention_heads": 2}
    torch.manual_seed(seed)
    model = CLIPModel(CLIPConfig(projection_dim=32, text_config=text, vision_config=vision))
    (model.half() if half else model).save_pretrained(folder)
    CLIPTokenizer(vocab=vocabulary, merges=[]).save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(preprocessor))
    return folder


def edit_json(path: Path, **changes: Any) -> None:
    """Set keys of a JSON object; None removes a key."""
    content = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({k: v for k, v in content.items() if v is not None}))
