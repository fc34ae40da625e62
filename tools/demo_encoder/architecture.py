"""The demo encoder's shape and vocabulary: an ordinary, very small CLIP."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, cast

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import CLIPConfig, CLIPModel, CLIPTokenizer

IMAGE_SIZE: Final = 112
PATCH_SIZE: Final = 16
MAX_TOKENS: Final = 32
VOCABULARY: Final = 4000
BOS, EOS = "<|startoftext|>", "<|endoftext|>"
MEAN: Final = (0.9, 0.9, 0.9)  # screenshots are mostly paper: about what the renders average to
STD: Final = (0.25, 0.25, 0.25)

# CLIP's own splitting rule, so that CLIPTokenizer reads the vocabulary as its own.
_WORDS: Final = (
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
)

# Squashing keeps the whole of a component that is ten times wider than high; CLIP's centre crop
# would keep a tenth of it.
PREPROCESSOR: Final[dict[str, Any]] = {
    "image_processor_type": "CLIPImageProcessor",
    "do_convert_rgb": True,
    "do_resize": True,
    "size": {"height": IMAGE_SIZE, "width": IMAGE_SIZE},
    "resample": 3,
    "do_center_crop": False,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": list(MEAN),
    "image_std": list(STD),
}


def build_model(vocabulary: int, layers: int = 4, width: int = 192) -> CLIPModel:
    """Return an untrained model with the standard 512-long projection.

    `layers` and `width` are the image tower's; with four of 192 there are 3.1 M parameters.
    """
    vision = {
        "image_size": IMAGE_SIZE,
        "patch_size": PATCH_SIZE,
        "hidden_size": width,
        "intermediate_size": 3 * width,
        "num_hidden_layers": layers,
        "num_attention_heads": width // 32,
        "projection_dim": 512,
    }
    text = {
        "vocab_size": vocabulary,
        "hidden_size": 160,
        "intermediate_size": 480,
        "num_hidden_layers": 2,
        "num_attention_heads": 5,
        "max_position_embeddings": MAX_TOKENS,
        "projection_dim": 512,
        "bos_token_id": vocabulary - 2,
        "eos_token_id": vocabulary - 1,
        "pad_token_id": vocabulary - 1,
    }
    return CLIPModel(CLIPConfig(projection_dim=512, vision_config=vision, text_config=text))


def train_tokenizer(captions: Iterable[str]) -> CLIPTokenizer:
    """Return a CLIPTokenizer whose byte-pair vocabulary is learned from `captions`."""
    raw = Tokenizer(models.BPE(end_of_word_suffix="</w>", continuing_subword_prefix=""))
    raw.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    raw.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - 2,
        end_of_word_suffix="</w>",
        continuing_subword_prefix="",
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    raw.train_from_iterator(captions, trainer)
    learned = json.loads(raw.to_str())["model"]
    vocabulary = dict(sorted(learned["vocab"].items(), key=lambda item: item[1]))
    # A byte at the end of a word needs its own token, or an unseen word would lose its last one.
    for letter in sorted(pre_tokenizers.ByteLevel.alphabet()):
        vocabulary.setdefault(letter + "</w>", len(vocabulary))
    for token in (BOS, EOS):
        vocabulary[token] = len(vocabulary)
    merges = [tuple(pair) for pair in learned["merges"]]
    # The hint says strings; the tokenizers library takes pairs, which may hold spaces.
    return CLIPTokenizer(vocab=vocabulary, merges=cast(Any, merges), model_max_length=MAX_TOKENS)


def save(model: CLIPModel, tokenizer: CLIPTokenizer, folder: Path) -> None:
    """Write a checkpoint folder that any CLIP loader reads; weights in half precision."""
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob("*"):
        stale.unlink()
    half = CLIPModel(model.config)
    half.load_state_dict(model.state_dict())
    half.half().save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)
    tokenizer.save_pretrained(folder)
    text = json.dumps(PREPROCESSOR, indent=2) + "\n"
    (folder / "preprocessor_config.json").write_text(text, encoding="utf-8")
